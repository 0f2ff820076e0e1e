"""The page of the rule language says what the parser reads, and nothing that it does not."""

from __future__ import annotations

import ast
import json
import re

import pytest

from serinus.assignment.text_form import document_of, split_of
from serinus.rules import attributes, evaluation
from serinus.rules.parsing import parse
from serinus.rules.printing import text_of
from serinus.rules.tree import Destination, Operator, Part
from tests.tidy import sources

PAGE = (sources.ROOT / "docs" / "reference" / "rules.md").read_text(encoding="utf-8")
GUIDE = (sources.ROOT / "docs" / "how-to" / "decide-in-your-own-service.md").read_text("utf-8")
FENCES = re.findall(r"^```cel\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ROWS = re.findall(
    r"^\| [^|]*\| `(.*)` \|$",
    PAGE.partition("## Conditions")[2].partition("## What")[0],
    re.MULTILINE,
)
EXAMPLES = [line for fence in FENCES for line in fence.splitlines()] + ROWS


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_a_rule(example: str) -> None:
    predicate = parse(example)
    assert parse(text_of(predicate)) == predicate
    assert callable(evaluation.question(predicate))


def test_there_are_examples_of_every_attribute_operator_and_function() -> None:
    text = "\n".join(EXAMPLES)
    assert len(EXAMPLES) > 25
    words = {
        *attributes.ATTRIBUTES,
        *(f"{name}(" for name in (*attributes.FUNCTIONS, *attributes.METHODS)),
        *(f" {operator.value} " for operator in Operator if operator.value != "<="),
        *(part.value for part in Part),
        *(" in ", "&&", "||", "!", "now", attributes.SOURCE_ADDRESS),
    }
    assert {word for word in words if word not in text} == set()


def test_every_attribute_has_its_row() -> None:
    rows = set(re.findall(r"^\| `([a-z.]+)", PAGE, re.MULTILINE))
    assert {*attributes.ATTRIBUTES, attributes.SOURCE_ADDRESS, "now"} <= rows


@pytest.mark.parametrize("text", [PAGE, GUIDE], ids=["reference", "how-to"])
def test_the_plan_is_one_that_can_be_read(text: str) -> None:
    (found,) = re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    split = split_of(json.loads(found))
    assert split_of(document_of(split)) == split


def test_every_field_of_the_plan_and_every_destination_is_on_the_page() -> None:
    (found,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    split = split_of(json.loads(found))
    assert set(document_of(split)) == set(json.loads(found))
    assert set(document_of(split)["cookie"]) == set(json.loads(found)["cookie"])
    assert {rule.to for rule in split.rules} == set(Destination)


def test_every_pattern_of_the_page_that_is_called_accepted_is_accepted() -> None:
    parse("request.path.matches(r'(-[a-z]+)*')")


def test_what_the_how_to_imports_is_there() -> None:
    fences = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert len(fences) > 3
    for fence in fences:
        imports = [line for line in fence.splitlines() if line.startswith("from ")]
        assert imports
        ast.parse(fence)
        exec("\n".join(imports), {})
