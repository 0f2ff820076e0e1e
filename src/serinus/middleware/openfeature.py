"""Flags of OpenFeature whose variants are the two versions. Needs `openfeature-sdk`.

api.set_provider(SerinusProvider({"new-checkout": Flag(stable=False, canary=True)}))
"""

# ruff: noqa: ARG002, FBT001 - the SDK's own signatures; on an error it returns the default itself

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata

from serinus.assignment.bucket import bucket
from serinus.assignment.intervals import Version, owner
from serinus.middleware.context import current
from serinus.middleware.plan import Plan


@dataclass(frozen=True, slots=True)
class Flag:
    """The value that each version has."""

    stable: Any
    canary: Any


class SerinusProvider(AbstractProvider):
    """Answer a flag by the version of the present request.

    Outside of a request the targeting key of the evaluation context is taken for the user and her
    bucket in `plan` decides; rules are not asked, since there is no request that they could read.
    Without plan or key it is stable.
    """

    def __init__(self, flags: Mapping[str, Flag], plan: Plan | None = None) -> None:
        super().__init__()
        self._flags = dict(flags)
        self._plan = plan

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return Metadata(name="serinus")

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Return the value of a flag that is true or false."""
        return self._resolve(flag_key, bool, evaluation_context)

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """Return the value of a flag that is a text."""
        return self._resolve(flag_key, str, evaluation_context)

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        """Return the value of a flag that is a whole number."""
        return self._resolve(flag_key, int, evaluation_context)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        """Return the value of a flag that is a number."""
        found = self._resolve(flag_key, (int, float), evaluation_context)
        # The SDK refuses 1 where it expects 1.0.
        return replace(found, value=float(found.value))

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[Any] | Mapping[str, Any],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[Any] | Mapping[str, Any]]:
        """Return the value of a flag that is a list or an object."""
        return self._resolve(flag_key, (list, tuple, Mapping), evaluation_context)

    def _resolve(
        self, key: str, kind: Any, evaluation_context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        flag = self._flags.get(key)
        if flag is None:
            known = ", ".join(sorted(self._flags))
            raise FlagNotFoundError(f"no flag {key!r}; known: {known}")
        version, reason = self._version(evaluation_context)
        value = flag.canary if version is Version.CANARY else flag.stable
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise TypeMismatchError(f"{key!r} is {value!r} for {version.value}")
        return FlagResolutionDetails(value=value, variant=version.value, reason=reason)

    def _version(self, evaluation_context: EvaluationContext | None) -> tuple[Version, Reason]:
        version = current.get()
        if version is not None:
            return version, Reason.TARGETING_MATCH
        user = evaluation_context.targeting_key if evaluation_context is not None else None
        assignment = self._plan.current() if self._plan is not None else None
        if not user or assignment is None:
            return Version.STABLE, Reason.DEFAULT
        split = assignment.split
        return owner(split.intervals, bucket(user, split.salt)), Reason.SPLIT
