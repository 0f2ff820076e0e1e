"""`serinus.dev/v1alpha1`: the CanaryRelease as it stands in a manifest.

Its JSON schema becomes the CustomResourceDefinition. What stands in `extra_json_schema` is for the
API server and for `serinus lint`: the codec says the same with more words, and all at once.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from serinus.traffic import registry
from serinus.traffic.replica_ratio import SURGE_WEIGHT_BP_MAX

GROUP = "serinus.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "CanaryRelease"
PLURAL = "canaryreleases"

STEPS_MAX = 100
_NAME_MAX = 253
_LABEL_MAX = 63
_DURATION_MAX = 32
_RULE_MAX = 4_096
_RULES_MAX = 100
# RFC 1123. Services may begin with a digit in some versions of Kubernetes.
_LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
_DURATION = "^([0-9]+(ms|s|m|h|d))+$"

Schema = dict[str, Any]


def _rules(*rules: tuple[str, str]) -> Schema:
    """Return CEL rules, each with what it says when it is broken."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": m} for rule, m in rules]}


# A weight is the number nearest to so many hundredths. `multipleOf: 0.01` would refuse 0.29.
_TWO_DECIMALS = (
    "double(int(double(self) * 100.0 + 0.5)) / 100.0 == double(self)",
    "has more than two decimals",
)
_ONE_MEMBER = (
    "has(self.setWeight) != has(self.pause)",
    "needs exactly one of setWeight and pause",
)
_ONLY_GROW = (
    "self.filter(s, has(s.setWeight)).map(s, double(s.setWeight)).isSorted()",
    "weights may only grow from step to step",
)
_OWN_ENVOY = ("!has(self.envoy) || self.type == 'Envoy'", "envoy is for type Envoy alone")
_FIXED = ("self == oldSelf", "cannot be changed; make another CanaryRelease")
_OWN_OPTIONS = (
    "!has(self.replicaRatio) || self.type == 'ReplicaRatio'",
    "replicaRatio is for type ReplicaRatio alone",
)
_SURGE_MAX = SURGE_WEIGHT_BP_MAX / 100
_SURGE_ONLY_TO_ITS_MAX = (
    "!has(self.steps) || self.router.type != 'ReplicaRatio'"
    " || (has(self.router.replicaRatio) && self.router.replicaRatio.mode == 'Constant')"
    f" || self.steps.all(s, !has(s.setWeight) || double(s.setWeight) <= {_SURGE_MAX}"
    " || double(s.setWeight) == 100.0)"
)
_SURGE_REACH = (
    _SURGE_ONLY_TO_ITS_MAX,
    f"steps: router.replicaRatio.mode Surge reaches {_SURGE_MAX:g} and 100, Constant reaches all",
)

Duration = Annotated[str, Meta(max_length=_DURATION_MAX, extra_json_schema={"pattern": _DURATION})]


class _Wire(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class TargetRef(_Wire, frozen=True):
    """The Deployment that is released."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=_NAME_MAX,
            description="Its name.",
            extra_json_schema={"pattern": _SUBDOMAIN},
        ),
    ]
    api_version: Annotated[
        Literal["apps/v1"], Meta(description="The group and version of Deployments.")
    ] = "apps/v1"
    kind: Annotated[
        str,
        Meta(description="Only a Deployment.", extra_json_schema={"enum": ["Deployment"]}),
    ] = "Deployment"


class ServiceRef(_Wire, frozen=True):
    """The Service whose traffic is split."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=_LABEL_MAX,
            description="Its name.",
            extra_json_schema={"pattern": _LABEL},
        ),
    ]


class ReplicaRatio(_Wire, frozen=True):
    """Split by the share of pods behind a plain Service."""

    mode: Annotated[
        Literal["Surge", "Constant"],
        Meta(
            description="Surge: the canary comes beside a whole stable revision and reaches 50 %. "
            "Constant: in place of stable pods, so that the total stays at N or N + 1."
        ),
    ] = "Surge"
    settle: Annotated[
        Duration,
        Meta(
            description="What proxies get to follow a change of the Service; cloud load balancers "
            "may need more."
        ),
    ] = "2s"
    allow_coarse: Annotated[
        bool,
        Meta(description="Accept a share far above the asked one, and sessionAffinity."),
    ] = False


class RetryOnStable(_Wire, frozen=True):
    """Ask stable when the canary failed, so that users do not see it."""

    per_try_timeout: Annotated[
        Duration,
        Meta(description="A canary that has not begun to answer by then: stable is asked, too."),
    ] = "2s"
    retries: Annotated[
        int,
        Meta(
            description="How often at most.",
            extra_json_schema={"minimum": 1, "maximum": 5, "format": "int64"},
        ),
    ] = 2


class Rule(_Wire, frozen=True):
    """Where requests go that a rule is true of; the first that hits decides."""

    name: Annotated[str, Meta(min_length=1, max_length=_LABEL_MAX, description="Its name.")]
    when: Annotated[
        str, Meta(min_length=1, max_length=_RULE_MAX, description="As in docs/reference/rules.md.")
    ]
    to: Annotated[
        str,
        Meta(
            description="canary, stable, or the percentage.",
            extra_json_schema={"enum": ["canary", "stable", "percentage"]},
        ),
    ]


class Envoy(_Wire, frozen=True, omit_defaults=True):
    """Proxies of our own in front of a plain Service: exact shares, by what requests say."""

    rules: Annotated[
        tuple[Rule, ...],
        Meta(
            max_length=_RULES_MAX,
            description="Asked in this order, before the shares.",
            extra_json_schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    sticky: Annotated[
        tuple[dict[str, str], ...],
        Meta(
            max_length=8,
            description="Where it stands who the user is, each as {header: NAME}, {cookie: NAME}, "
            "{query: NAME} or {sourceAddress: ''}; the first that has a value counts.",
            extra_json_schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    id_cookie: Annotated[
        dict[str, Any] | None,
        Meta(
            description="The cookie with an id for users whom nobody knows.",
            extra_json_schema={"x-kubernetes-preserve-unknown-fields": True},
        ),
    ] = None
    mirror: Annotated[
        int | float | None,
        Meta(
            description="Percent of stable's requests of which the canary gets a copy.",
            extra_json_schema={"minimum": 0, "maximum": 100, **_rules(_TWO_DECIMALS)},
        ),
    ] = None
    retry_on_stable: RetryOnStable | None = None
    keep: Annotated[
        Literal["DuringReleases", "Always"],
        Meta(description="Whether routers stay between releases."),
    ] = "DuringReleases"
    settle: Annotated[
        Duration,
        Meta(description="What requests in hand get before their pods are told to stop."),
    ] = "2s"
    drain: Annotated[
        Duration,
        Meta(description="How long a router that goes still serves, for connections to move."),
    ] = "5s"
    replicas: Annotated[
        int,
        Meta(
            description="How many routers.",
            extra_json_schema={"minimum": 1, "maximum": 100, "format": "int64"},
        ),
    ] = 2
    image: Annotated[
        str,
        Meta(max_length=512, description="The routers' image; empty for that of this version."),
    ] = ""


class Router(_Wire, frozen=True, omit_defaults=True):
    """Which router splits the traffic, and its own options under its name."""

    type: Annotated[
        str,
        Meta(
            description="The router.",
            extra_json_schema={"enum": sorted(registry.ROUTERS)},
        ),
    ] = "ReplicaRatio"
    replica_ratio: ReplicaRatio | None = None
    envoy: Envoy | None = None


class Pause(_Wire, frozen=True, omit_defaults=True):
    """Stay at this share for a time, or without one until a person goes on."""

    duration: Annotated[
        Duration | None,
        Meta(description="How long, as in 500ms, 30s, 10m or 1h30m; without it there is no end."),
    ] = None


class Step(_Wire, frozen=True, omit_defaults=True):
    """Either a weight or a pause."""

    set_weight: Annotated[
        int | float | None,
        Meta(
            description="Share of the requests in percent, two decimals at most.",
            extra_json_schema={"minimum": 0, "maximum": 100, **_rules(_TWO_DECIMALS)},
        ),
    ] = None
    pause: Pause | None = None


class Promotion(_Wire, frozen=True):
    """How the new revision becomes the stable one."""

    method: Annotated[
        Literal["Adopt", "RollingUpdate"],
        Meta(
            description="Adopt: the Deployment takes over the canary's pods. RollingUpdate: it "
            "rolls out by itself, then the canary goes."
        ),
    ] = "Adopt"
    undo_window: Annotated[
        Duration,
        Meta(description="How long the old pods stay at 100 %, so that an abort is immediate."),
    ] = "0s"


class Abort(_Wire, frozen=True):
    """What makes a release go back."""

    on_progress_deadline: Annotated[
        bool,
        Meta(
            description="Abort when no further canary pod becomes available within the "
            "Deployment's progressDeadlineSeconds."
        ),
    ] = True


class Spec(_Wire, frozen=True, omit_defaults=True):
    """What the owner asks for."""

    target_ref: Annotated[TargetRef, Meta(extra_json_schema=_rules(_FIXED))]
    service: ServiceRef
    router: Annotated[Router, Meta(extra_json_schema=_rules(_OWN_OPTIONS, _OWN_ENVOY))] = Router()
    steps: Annotated[
        tuple[Annotated[Step, Meta(extra_json_schema=_rules(_ONE_MEMBER))], ...],
        Meta(
            max_length=STEPS_MAX,
            description="The way of each release: weights that only grow, and pauses.",
            extra_json_schema={"x-kubernetes-list-type": "atomic", **_rules(_ONLY_GROW)},
        ),
    ] = ()
    promotion: Promotion = Promotion()
    abort: Abort = Abort()
    paused: Annotated[bool, Meta(description="Stay where the release is.")] = False
    allow_recreate: Annotated[
        bool,
        Meta(description="Versions may run side by side although the strategy is Recreate."),
    ] = False
    allow_autoscaler: Annotated[
        bool, Meta(description="Accept that a HorizontalPodAutoscaler counts the canary's pods.")
    ] = False


class CanaryRelease(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The object; `status` is read by the codec, which knows its units."""

    metadata: dict[str, Any]
    spec: Annotated[Spec, Meta(extra_json_schema=_rules(_SURGE_REACH))]
    api_version: str = ""
    kind: str = ""
    status: dict[str, Any] = {}
