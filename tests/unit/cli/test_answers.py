"""What is printed, in each form, held to files that people have read."""

from __future__ import annotations

from pathlib import Path

import pytest

from serinus.api import codec
from serinus.api.codec import Release
from serinus.cli.look import pair_picture, tables
from serinus.cli.look.tree import branch, to_text
from serinus.cli.options import Output
from serinus.cli.output import Answer
from serinus.cli.release_verbs import planning
from serinus.controller import start
from serinus.controller.pair import Pair
from serinus.controller.rehearsal import Rehearsal
from tests.unit.cli import shop

GOLDEN = Path(__file__).with_name("golden")
FORMS = [pytest.param(form, id=form.value) for form in Output]
SUFFIX = {Output.TEXT: "txt", Output.JSON: "json", Output.YAML: "yaml", Output.NAME: "name"}


@pytest.fixture
def held_to(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> HeldTo:
    """Return what compares an answer with its golden file, or writes it there when asked to."""
    return HeldTo(capsys, update=bool(request.config.getoption("--update-golden")))


class HeldTo:
    """One comparison with a golden file."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *, update: bool) -> None:
        self._capsys = capsys
        self._update = update

    def __call__(self, name: str, answer: Answer, form: Output) -> None:
        answer.write(form)
        printed = self._capsys.readouterr()
        assert printed.err == ""
        file = GOLDEN / f"{name}.{SUFFIX[form]}"
        if self._update:
            file.write_text(printed.out)
        assert printed.out == file.read_text(), f"look at it and run with --update-golden: {file}"


@pytest.mark.parametrize("form", FORMS)
def test_the_status_of_a_release(held_to: HeldTo, form: Output) -> None:
    tree = branch(shop.observation(), "driven by laptop_4711_0badcafe", shop.NOW)
    held_to(
        "status-release",
        Answer(codec.encode(shop.release()), to_text(tree), "canaryrelease/shop"),
        form,
    )


@pytest.mark.parametrize("form", FORMS)
def test_the_status_of_a_pair(held_to: HeldTo, form: Output) -> None:
    pair, obs = Pair("shop", "shop-canary", "shop"), shop.pair_observation()
    body, tree = pair_picture.body("web", pair, obs), pair_picture.picture(pair, obs)
    held_to("status-pair", Answer(body, to_text(tree), "canaryrelease/shop"), form)


@pytest.mark.parametrize("form", FORMS)
def test_the_list_of_releases(held_to: HeldTo, form: Output) -> None:
    held_to("list", tables.listed([shop.release(), shop.resting()], shop.NOW), form)


def test_the_list_of_all_namespaces_says_which(held_to: HeldTo) -> None:
    listed = tables.listed([shop.release(), shop.resting()], shop.NOW, with_namespace=True)
    held_to("list-all", listed, Output.TEXT)


@pytest.mark.parametrize("form", FORMS)
def test_the_history_of_a_release(held_to: HeldTo, form: Output) -> None:
    held_to("history", tables.ended(shop.release()), form)


@pytest.mark.parametrize("form", FORMS)
async def test_the_plan_of_a_release(held_to: HeldTo, form: Output) -> None:
    release = Release("shop", "web", shop.SPEC)
    rehearsal = Rehearsal(release, shop.plan_objects(), shop.NOW)
    await rehearsal.play()
    target = (await rehearsal.read(shop.SPEC)).target
    assert target is not None
    write = start.image_write(target, {"web": "shop:1.8"})
    assert write is not None
    await rehearsal.send(write)
    last = await rehearsal.play()
    held_to("plan", planning.answer(release, rehearsal.writes, last), form)
