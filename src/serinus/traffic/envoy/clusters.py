"""The clusters of a port: stable, canary, and the group that asks the canary first."""

from __future__ import annotations

from serinus.assignment.intervals import Version
from serinus.traffic.envoy import names
from serinus.traffic.envoy.listeners import HEADERS_MAX
from serinus.traffic.envoy.messages import Json, duration, file_source, message, set_header
from serinus.traffic.envoy.plan import RouterPlan

_CLUSTER = "envoy.config.cluster.v3.Cluster"
_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_COMPOSITE = "envoy.extensions.clusters.composite.v3.ClusterConfig"
_HTTP = "envoy.extensions.filters.http."
_CONCURRENT_MAX = 100_000
_RETRIES_AT_LEAST = 200
VERSION_METADATA = ("serinus", "version")


def clusters(plan: RouterPlan, *, folder: str) -> list[Json]:
    """Return all clusters; they stay the same from one release to the next."""
    found = []
    for port in plan.ports:
        found += [_of_pods(plan, port.name, version, folder) for version in Version]
        found.append(_canary_first(plan, port.name))
    return found


def _of_pods(plan: RouterPlan, port: str, version: Version, folder: str) -> Json:
    source = file_source(f"{folder}/{names.endpoints_file(port, version)}")
    return message(
        _CLUSTER,
        name=names.cluster(port, version),
        type="EDS",
        eds_cluster_config={"eds_config": source},
        lb_policy="LEAST_REQUEST",
        **_shared(plan),
    )


def _canary_first(plan: RouterPlan, port: str) -> Json:
    """Return the group: the n-th try of a request goes to the n-th of its clusters.

    An empty canary is passed over at once.
    """
    canary, stable = (names.cluster(port, v) for v in (Version.CANARY, Version.STABLE))
    retry_count = plan.retry_on_stable.retry_count_max if plan.retry_on_stable else 2
    order = [canary, *[stable] * retry_count]
    group = message(_COMPOSITE, clusters=[{"name": name} for name in order])
    return message(
        _CLUSTER,
        name=names.canary_group(port),
        cluster_type={"name": "envoy.clusters.composite", "typed_config": group},
        lb_policy="CLUSTER_PROVIDED",
        **_shared(plan),
    )


def _shared(plan: RouterPlan) -> Json:
    return {
        "connect_timeout": duration(plan.timeouts.connect_ms),
        "circuit_breakers": {"thresholds": [_limits()]},
        # Else a version with no healthy pod would get traffic at its unhealthy ones.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "typed_extension_protocol_options": {_OPTIONS: _protocol_options(plan)},
    }


def _limits() -> Json:
    """Return limits that a plain Service does not have either, and room for every retry."""
    return {
        "max_connections": _CONCURRENT_MAX,
        "max_pending_requests": _CONCURRENT_MAX,
        "max_requests": _CONCURRENT_MAX,
        "retry_budget": {
            "budget_percent": {"value": 100},
            "min_retry_concurrency": _RETRIES_AT_LEAST,
        },
    }


def _protocol_options(plan: RouterPlan) -> Json:
    """Return how to speak to pods: as the client speaks to us, with the tag of the pod's version.

    The tag comes from the endpoint, so that it is right for every try, whichever pod it reaches.
    """
    namespace, key = VERSION_METADATA
    tag = message(
        _HTTP + "header_mutation.v3.HeaderMutation",
        mutations={
            "request_mutations": [
                set_header(plan.tag_header, f"%UPSTREAM_METADATA({namespace}:{key})%")
            ]
        },
    )
    codec = message(_HTTP + "upstream_codec.v3.UpstreamCodec")
    return message(
        _OPTIONS,
        use_downstream_protocol_config={
            "http_protocol_options": {"enable_trailers": True},
            "http2_protocol_options": {},
        },
        common_http_protocol_options={
            "idle_timeout": duration(plan.timeouts.idle_upstream_ms),
            "max_headers_count": HEADERS_MAX,
        },
        http_filters=[
            {"name": "tag", "typed_config": tag},
            {"name": "codec", "typed_config": codec},
        ],
    )
