"""The listener of a port: transparent as far as a proxy can be, in front of a plain Service."""

from __future__ import annotations

from serinus.traffic.envoy import names
from serinus.traffic.envoy.messages import Json, address, file_source, message
from serinus.traffic.envoy.plan import Edge, Port

HEADERS_MAX = 1_000
_HEADERS_KB_MAX = 1_024
_HTTP = "envoy.extensions.filters.http."
_CONNECTION_MANAGER = (
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)


def listener(port: Port, edge: Edge, *, listen_host: str, folder: str) -> Json:
    """Return the listener of a port; its routes come from a file."""
    place = address(listen_host, port.listen)
    if listen_host == "::":
        # All addresses of the pod: those of IPv4 as well.
        place["socket_address"]["ipv4_compat"] = True
    return {
        "name": port.name,
        "address": place,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "http",
                        "typed_config": _connection_manager(port, edge, folder),
                    }
                ]
            }
        ],
    }


def _connection_manager(port: Port, edge: Edge, folder: str) -> Json:
    return message(
        _CONNECTION_MANAGER,
        stat_prefix=port.name,
        rds={
            "route_config_name": port.name,
            "config_source": file_source(f"{folder}/{names.routes_file(port.name)}"),
        },
        http_filters=_filters(),
        # Else a client could say in X-Forwarded-For who it is, and which retries it wants.
        use_remote_address=True,
        xff_num_trusted_hops=edge.trusted_hop_count,
        # What an outer hop set is its own; ids of users are made by the routes.
        generate_request_id=False,
        preserve_external_request_id=True,
        server_header_transformation="PASS_THROUGH",
        # A plain Service ends no quiet stream, and counts no headers.
        stream_idle_timeout="0s",
        max_request_headers_kb=_HEADERS_KB_MAX,
        common_http_protocol_options={"max_headers_count": HEADERS_MAX},
        http_protocol_options={
            "accept_http_10": True,
            "default_host_for_http_10": "localhost",
            "enable_trailers": True,
        },
        upgrade_configs=[{"upgrade_type": "websocket"}],
    )


def _filters() -> list[Json]:
    """Return the filters, all of them empty: what they do comes with the routes.

    Those that are disabled here run only where a route has settings for them.
    """
    mutation = message(_HTTP + "header_mutation.v3.HeaderMutation")
    # Conditions feed the choice of a route, so the one that was found before is forgotten.
    conditions = message(_HTTP + "set_filter_state.v3.Config", clear_route_cache=True)
    router = message(_HTTP + "router.v3.Router", suppress_envoy_headers=True)
    return [
        {"name": names.STRIP_FILTER, "typed_config": mutation, "disabled": True},
        {"name": names.CONDITIONS_FILTER, "typed_config": conditions, "disabled": True},
        {"name": names.RETRY_FILTER, "typed_config": mutation},
        {"name": "router", "typed_config": router},
    ]
