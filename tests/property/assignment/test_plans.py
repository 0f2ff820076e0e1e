"""No document is anything but a plan or a refusal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serinus.assignment.split import Assignment
from serinus.assignment.text_form import document_of, split_of
from serinus.errors import InvalidInput
from serinus.rules.tree import Request

NAMES = (
    *("salt", "weight", "rules", "identity", "cookie", "name", "when", "to", "header", "query"),
    *("sourceAddress", "maxAgeSeconds", "path", "domain", "secure", "httpOnly", "sameSite"),
)
TEXTS = ("", "a", "canary", "percentage", "true", "request.path == '/'", "Lax", "x-user", "\ud800")
leaves = (
    st.sampled_from(TEXTS) | st.none() | st.booleans() | st.integers() | st.floats() | st.text()
)
documents = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=20,
)
plans = st.fixed_dictionaries(
    {
        "salt": st.text(max_size=2) | st.just("a/b/1"),
        "weight": st.integers(0, 10_000).map(lambda bp: bp / 100),
    },
    optional=dict.fromkeys(("rules", "identity", "cookie"), documents),
)


@given(documents | plans)
def test_any_document_is_a_plan_or_a_refusal(document: object) -> None:
    try:
        split = split_of(document)
    except InvalidInput as error:
        problems = error.problems
    else:
        assert split_of(document_of(split)) == split
        Assignment(split).decide(Request(), lambda: "nobody")
        return
    assert problems


@given(st.integers(0, 10_000))
def test_every_weight_of_basis_points_survives_its_percentage(weight_bp: int) -> None:
    assert split_of({"salt": "s", "weight": weight_bp / 100}).weight_bp == weight_bp
