from __future__ import annotations

from typing import Any

import msgspec

from serinus.kube import objects
from serinus.local_cluster.network.services import Service, usable_addresses


def a_slice(*endpoints: dict[str, Any], port: int = 80, name: str = "http") -> Any:
    body = {
        "metadata": {"name": "shop-abc"},
        "addressType": "IPv4",
        "endpoints": list(endpoints) or None,
        "ports": [{"name": name, "port": port, "protocol": "TCP"}],
    }
    return msgspec.convert(body, objects.EndpointSlice)


def an_endpoint(address: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions}


READY = {"ready": True, "serving": True, "terminating": False}
LEAVING = {"ready": False, "serving": True, "terminating": True}
NOT_READY = {"ready": False, "serving": False, "terminating": False}


def test_only_ready_endpoints_get_connections_while_there_are_any() -> None:
    found = usable_addresses(
        [
            a_slice(
                an_endpoint("10.244.0.3", **READY),
                an_endpoint("10.244.0.2", **LEAVING),
                an_endpoint("10.244.0.4", **NOT_READY),
            )
        ],
        "http",
    )
    assert found == (("10.244.0.3", 80),)


def test_with_no_ready_endpoint_the_leaving_ones_that_still_serve_are_used() -> None:
    dead = {"ready": False, "serving": False, "terminating": True}
    found = usable_addresses(
        [
            a_slice(an_endpoint("10.244.0.2", **LEAVING), an_endpoint("10.244.0.4", **NOT_READY)),
            a_slice(an_endpoint("10.244.0.5", **dead)),
        ],
        "http",
    )
    assert found == (("10.244.0.2", 80),)


def test_endpoints_that_are_names_are_nobodys_to_resolve() -> None:
    named = msgspec.structs.replace(
        a_slice(an_endpoint("shop.example", **READY)), address_type="FQDN"
    )
    assert usable_addresses([named], "http") == ()


def test_unknown_conditions_count_as_ready() -> None:
    assert usable_addresses([a_slice({"addresses": ["10.244.0.2"]})], "http") == (
        ("10.244.0.2", 80),
    )


def test_each_slice_brings_its_own_port_number_for_a_name() -> None:
    slices = [
        a_slice(an_endpoint("127.0.0.1", **READY), port=31_001),
        a_slice(an_endpoint("127.0.0.1", **READY), port=31_002),
        a_slice(an_endpoint("127.0.0.1", **READY), port=9_000, name="metrics"),
    ]
    assert usable_addresses(slices, "http") == (("127.0.0.1", 31_001), ("127.0.0.1", 31_002))
    assert usable_addresses(slices, "metrics") == (("127.0.0.1", 9_000),)
    assert usable_addresses(slices, None) == ()


def test_a_slice_without_endpoints_has_none() -> None:
    assert usable_addresses([a_slice()], "http") == ()


def test_client_affinity_lasts_three_hours_unless_told_otherwise() -> None:
    def service(**spec: Any) -> Service:
        return msgspec.convert({"metadata": {"name": "shop"}, "spec": spec}, Service)

    assert service().spec.affinity_ms is None
    assert service(sessionAffinity="ClientIP").spec.affinity_ms == 10_800_000
    told = {"clientIP": {"timeoutSeconds": 5}}
    both = service(sessionAffinity="ClientIP", sessionAffinityConfig=told)
    assert both.spec.affinity_ms == 5_000
