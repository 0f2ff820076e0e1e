"""Functions that do one thing for stable and another for the canary."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from serinus.errors import UsageError
from serinus.middleware import by_version, using, version


@by_version
def price(amount: int) -> int:
    """Return the price."""
    return 100 * amount


@price.canary
def _(amount: int) -> int:
    return 90 * amount


@by_version
async def stock(name: str) -> str:
    return f"{name}: many"


@stock.canary
async def _(name: str) -> str:
    return f"{name}: 7"


class Cart:
    @by_version
    def total(self) -> int:
        return 1

    @total.canary
    def _(self) -> int:
        return 2


def test_the_behaviour_is_the_one_of_the_version() -> None:
    assert (version(), price(2), Cart().total()) == ("stable", 200, 1)
    with using("canary"):
        assert (version(), price(2), Cart().total()) == ("canary", 180, 2)
    with using("stable"):
        assert price(2) == 200


async def test_async_functions_stay_async() -> None:
    assert inspect.iscoroutinefunction(stock)
    assert await stock("tea") == "tea: many"
    with using("canary"):
        assert await stock("tea") == "tea: 7"


async def test_requests_that_run_at_once_do_not_see_each_other() -> None:
    turns = [asyncio.Event(), asyncio.Event()]

    async def request(name: str, mine: asyncio.Event, other: asyncio.Event) -> list[str]:
        with using(name):
            seen = [version()]
            mine.set()
            await other.wait()
            return [*seen, version()]

    found = tuple(
        await asyncio.gather(
            request("canary", turns[0], turns[1]), request("stable", turns[1], turns[0])
        )
    )
    assert found == (["canary", "canary"], ["stable", "stable"])


def test_a_function_without_a_canary_does_the_same_for_both() -> None:
    @by_version
    def same() -> str:
        return "same"

    with using("canary"):
        assert same() == "same"


def test_name_and_docstring_are_those_of_stable() -> None:
    assert (getattr(price, "__name__", ""), price.__doc__) == ("price", "Return the price.")


def test_both_behaviours_are_async_or_none_is() -> None:
    async def other(amount: int) -> int:
        return amount

    with pytest.raises(UsageError, match="price: both behaviours are async"):
        price.canary(other)
