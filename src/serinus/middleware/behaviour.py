"""Business code that carries both behaviours.

@by_version
def price(cart): ...

@price.canary
def _(cart): ...
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from serinus.assignment.intervals import Version
from serinus.errors import UsageError
from serinus.middleware.context import current

_P = ParamSpec("_P")
_R = TypeVar("_R")
_R_co = TypeVar("_R_co", covariant=True)


class ByVersion(Protocol[_P, _R_co]):
    """A function whose behaviour is the one of the request's version."""

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co:
        """Do what the version does."""
        ...

    def __get__(self, instance: Any, owner: Any = None) -> Callable[..., _R_co]:
        """Bind to an instance, as any function of a class."""
        ...

    def canary(self, behaviour: Callable[_P, Any]) -> ByVersion[_P, _R_co]:
        """Say what the canary does; without it both do the same."""
        ...


def by_version(stable: Callable[_P, _R]) -> ByVersion[_P, _R]:
    """Return a function that does this, and for the canary what `.canary` is told."""
    behaviours: dict[Version | None, Callable[_P, Any]] = {}
    is_async = inspect.iscoroutinefunction(stable)

    @functools.wraps(stable)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> Any:
        return behaviours.get(current.get(), stable)(*args, **kwargs)

    @functools.wraps(stable)
    async def call_async(*args: _P.args, **kwargs: _P.kwargs) -> Any:
        return await behaviours.get(current.get(), stable)(*args, **kwargs)

    # Frameworks ask whether a function must be awaited, so it has to be of its own kind.
    found: Any = call_async if is_async else call

    def canary(behaviour: Callable[_P, Any]) -> ByVersion[_P, _R]:
        if inspect.iscoroutinefunction(behaviour) != is_async:
            name = getattr(stable, "__qualname__", repr(stable))
            raise UsageError(f"{name}: both behaviours are async functions, or none of them is")
        behaviours[Version.CANARY] = behaviour
        return cast("ByVersion[_P, _R]", found)

    found.canary = canary
    return cast("ByVersion[_P, _R]", found)
