"""Whole releases behind a NodePort of real kube-proxy: of 20,000 requests none fails."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.end_to_end.operator.conftest import NAME, OpenOperator, Operator
from tests.end_to_end.operator.test_releases import OLD, QUARTER, is_clean, pod_starts
from tests.end_to_end.stage import under_load

pytestmark = pytest.mark.timeout(300)

RATE = 260
ALL = 20_000
WHOLE = [*QUARTER, {"setWeight": 100}, {"pause": {}}]
UNDO_WINDOW = {"undoWindow": "10m"}


class Shop:
    """One Deployment whose images only ever go up."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.runs = OLD
        self._numbers: Iterator[int] = itertools.count(100)

    async def on_trial(self) -> str:
        """Change the template, and return the image once it has its first share."""
        image = f"nginx:1.{next(self._numbers)}.0"
        await self.operator.set_image(image)

        async def tried() -> bool:
            status = (await self.operator.found()).get("status") or {}
            at = (status.get("phase"), status.get("inForceWeight"))
            return at == ("Paused", 25) and await self.operator.images() == {self.runs, image}

        await self.operator.stage.until(tried, f"{image} is on trial")
        return image

    async def ask(self, verb: str) -> None:
        await self.operator.stage.serinus(verb, NAME)

    async def rests(self, phase: str = "Healthy", *, image: str = "") -> None:
        """Wait for the end of a release; `image` is what runs from now on."""
        self.runs = image or self.runs
        await self.operator.until_phase(phase, revision_of=self.runs)


async def adoption(shop: Shop) -> None:
    image = await shop.on_trial()
    await shop.ask("resume")

    async def whole() -> bool:
        status = (await shop.operator.found()).get("status") or {}
        return (status.get("phase"), status.get("inForceWeight")) == ("Paused", 100)

    await shop.operator.stage.until(whole, "the canary has all requests")
    before = await pod_starts(shop.operator, image)
    await shop.ask("promote")
    await shop.rests(image=image)
    # No pod was started by it.
    assert await pod_starts(shop.operator, image) == before


async def rolling_update(shop: Shop) -> None:
    image = await shop.on_trial()
    await shop.ask("promote")
    await shop.rests(image=image)


async def abort(shop: Shop) -> None:
    await shop.on_trial()
    await shop.ask("abort")
    await shop.rests("Aborted")
    await shop.ask("undo")
    await shop.rests()


async def changed_in_the_midst(shop: Shop) -> None:
    await shop.on_trial()
    image = await shop.on_trial()
    await shop.ask("promote")
    await shop.rests(image=image)


async def undo_in_the_window(shop: Shop) -> None:
    await shop.on_trial()
    old = await pod_starts(shop.operator, shop.runs)
    await shop.ask("promote")

    async def in_the_window() -> bool:
        waiting = ((await shop.operator.found()).get("status") or {}).get("waiting") or {}
        return waiting.get("reason") == "WaitingForUndoWindow"

    await shop.operator.stage.until(in_the_window, "the undo window is open")
    await shop.ask("abort")
    await shop.rests("Aborted")
    assert await pod_starts(shop.operator, shop.runs) == old
    await shop.ask("undo")
    await shop.rests()


RELEASES: list[tuple[Callable[[Shop], Awaitable[None]], dict[str, object]]] = [
    (adoption, {"steps": WHOLE}),
    (rolling_update, {"steps": QUARTER, "promotion": {"method": "RollingUpdate"}}),
    (abort, {"steps": QUARTER}),
    (changed_in_the_midst, {"steps": QUARTER}),
    (undo_in_the_window, {"steps": QUARTER, "promotion": UNDO_WINDOW}),
]


async def test_whole_releases_lose_none_of_20_000_requests(
    proxied: None, make_operator: OpenOperator
) -> None:
    sent, played = Counter[str](), Counter[str]()
    async with make_operator() as operator:
        shop = Shop(operator)
        for release, spec in itertools.cycle(RELEASES):
            await operator.apply(**spec)  # type: ignore[arg-type] # of one shape each
            await shop.rests()
            async with under_load(operator.stage.url, rate=RATE) as result:
                await release(shop)
            report = await result
            assert report.valid, report.warnings
            assert report.failed_count == 0, (release.__name__, report.examples)
            await is_clean(operator)
            sent[release.__name__] += report.planned_count
            played[release.__name__] += 1
            if sent.total() >= ALL and len(played) == len(RELEASES):
                break
    for name, count in sent.items():
        print(f"{name}: {played[name]} releases, {count} requests, 0 failed")
    print(f"all: {played.total()} releases, {sent.total()} requests, 0 failed")
