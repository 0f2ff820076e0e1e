"""What an Envoy is started with, and never told again: listeners, admin, where its files are.

A changed listener drains its connections, so nothing that a release changes is here.
"""

from __future__ import annotations

from serinus.traffic.envoy import names
from serinus.traffic.envoy.listeners import listener
from serinus.traffic.envoy.messages import Json, file_source, message
from serinus.traffic.envoy.plan import RouterPlan

ADMIN_SOCKET = "admin.sock"
_OWNER_ONLY = 0o600
_CONNECTIONS_MAX = 100_000
_FIXED_LAYER: Json = {
    "name": "fixed",
    "static_layer": {
        # The default of 100 refuses most patterns over a whole Cookie header. Ours come from a
        # compiler and from texts of bounded length.
        "re2.max_program_size.error_level": 100_000,
        "re2.max_program_size.warn_level": 100_000,
        # Several lines of a header are its values joined by commas (RFC 9110, 5.3), for matchers
        # as for rules; by default Envoy 1.40 lets any of the lines match.
        "envoy.reloadable_features.match_headers_individually": False,
    },
}
_LATENCY_BUCKETS_MS = (
    *(1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750),
    *(1_000, 2_000, 5_000, 10_000),
)


def bootstrap(plan: RouterPlan, *, listen_host: str, folder: str) -> Json:
    """Return the bootstrap; `folder` holds the files and the admin's socket."""
    return {
        "node": {"id": plan.name, "cluster": "serinus"},
        # Its POST requests can stop the process, so only the owner may open it.
        "admin": {"address": {"pipe": {"path": f"{folder}/{ADMIN_SOCKET}", "mode": _OWNER_ONLY}}},
        "dynamic_resources": {"cds_config": file_source(f"{folder}/{names.CLUSTERS_FILE}")},
        "layered_runtime": {"layers": [_FIXED_LAYER, _weights_layer(folder)]},
        "stats_flush_interval": "1s",
        "stats_config": {
            "histogram_bucket_settings": [
                {"match": {"suffix": "upstream_rq_time"}, "buckets": [*_LATENCY_BUCKETS_MS]}
            ]
        },
        "overload_manager": {"resource_monitors": [_connection_limit()]},
        "static_resources": {
            "listeners": [
                listener(port, plan.edge, listen_host=listen_host, folder=folder)
                for port in plan.ports
            ]
        },
    }


def _weights_layer(folder: str) -> Json:
    source = file_source(f"{folder}/{names.WEIGHTS_FILE}")
    return {
        "name": names.WEIGHTS,
        "rtds_layer": {"name": names.WEIGHTS, "rtds_config": source},
    }


def _connection_limit() -> Json:
    limit = message(
        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=_CONNECTIONS_MAX,
    )
    return {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": limit,
    }
