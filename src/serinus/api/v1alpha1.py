"""`serinus.dev/v1alpha1`: the CanaryRelease as it stands in a manifest."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

API_VERSION = "serinus.dev/v1alpha1"
KIND = "CanaryRelease"


class _Wire(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class TargetRef(_Wire, frozen=True):
    """The Deployment that is released."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    api_version: Literal["apps/v1"] = "apps/v1"
    kind: str = "Deployment"


class ServiceRef(_Wire, frozen=True):
    """The Service whose traffic is split."""

    name: Annotated[str, msgspec.Meta(min_length=1)]


class ReplicaRatio(_Wire, frozen=True):
    """Split by the share of pods behind a plain Service."""

    mode: Literal["Surge", "Constant"] = "Surge"
    settle: str = "2s"
    allow_coarse: bool = False


class Router(_Wire, frozen=True, omit_defaults=True):
    """Which router, and its own options under its name."""

    type: str = "ReplicaRatio"
    replica_ratio: ReplicaRatio | None = None


class Pause(_Wire, frozen=True, omit_defaults=True):
    """Wait for a time, or without one until a person goes on."""

    duration: str | None = None


class Step(_Wire, frozen=True, omit_defaults=True):
    """Exactly one of its members."""

    set_weight: int | float | None = None
    pause: Pause | None = None


class Promotion(_Wire, frozen=True):
    """How the new revision becomes the stable one."""

    method: Literal["Adopt", "RollingUpdate"] = "Adopt"
    undo_window: str = "0s"


class Abort(_Wire, frozen=True):
    """What makes a release go back."""

    on_progress_deadline: bool = True


class Spec(_Wire, frozen=True, omit_defaults=True):
    """What the owner asks for."""

    target_ref: TargetRef
    service: ServiceRef
    router: Router = Router()
    steps: tuple[Step, ...] = ()
    promotion: Promotion = Promotion()
    abort: Abort = Abort()
    paused: bool = False
    allow_recreate: bool = False
    allow_autoscaler: bool = False


class CanaryRelease(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The object; `status` is read by the codec, which knows its units."""

    metadata: dict[str, Any]
    spec: Spec
    api_version: str = ""
    kind: str = ""
    status: dict[str, Any] = {}
