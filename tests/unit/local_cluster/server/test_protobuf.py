from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus import errors
from serinus.local_cluster.server.protobuf import decode


def _varint(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value & (1 << 64) - 1)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    type_meta = _field(1, api_version) + _field(2, kind)
    return b"k8s\x00" + _field(1, type_meta) + _field(2, raw)


def _config_map() -> bytes:
    # Numbers: generated.proto of k8s.io/api/core/v1 and k8s.io/apimachinery/pkg/apis/meta/v1.
    label = _field(1, "app") + _field(2, "")
    created = _field(8, _field(1, 1_700_000_000) + _field(2, 0))
    metadata = _field(1, "settings") + _field(3, "") + created + _field(11, label)
    entry = _field(1, "key") + _field(2, "value")
    binary = _field(1, "raw") + _field(2, b"\x00\xff")
    return _field(1, metadata) + _field(2, entry) + _field(3, binary) + _field(4, 0)


def test_an_object_is_read_field_by_field() -> None:
    assert decode.manifest(_envelope("v1", "ConfigMap", _config_map())) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "settings",
            "creationTimestamp": "2023-11-14T22:13:20Z",
            "labels": {"app": ""},
        },
        "data": {"key": "value"},
        "binaryData": {"raw": "AP8="},
        "immutable": False,
    }


def test_pointers_to_zero_are_kept_and_inlined_structs_are_joined() -> None:
    port = _field(1, "http") + _field(3, 80)
    http_get = _field(1, "/live") + _field(2, _field(1, 1) + _field(3, "http"))
    probe = _field(1, _field(2, http_get)) + _field(2, 5)
    limit = _field(1, "cpu") + _field(2, _field(1, "500m"))
    container = (
        _field(1, "web")
        + _field(2, "nginx:1")
        + _field(6, port)
        + _field(8, _field(1, limit))
        + _field(10, probe)
    )
    template = _field(2, _field(2, container) + _field(4, 0))
    surge = _field(2, _field(1, 1) + _field(3, "25%"))
    spec = _field(1, 0) + _field(3, template) + _field(4, _field(2, surge)) + _field(6, 0)
    body = _envelope("apps/v1", "Deployment", _field(1, _field(1, "shop")) + _field(2, spec))
    found: dict[str, Any] = decode.manifest(body)["spec"]
    assert found["replicas"] == 0
    assert found["revisionHistoryLimit"] == 0
    assert found["strategy"]["rollingUpdate"] == {"maxSurge": "25%"}
    pod = found["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 0
    assert pod["containers"] == [
        {
            "name": "web",
            "image": "nginx:1",
            "ports": [{"name": "http", "containerPort": 80}],
            "resources": {"limits": {"cpu": "500m"}},
            "livenessProbe": {
                "httpGet": {"path": "/live", "port": "http"},
                "initialDelaySeconds": 5,
            },
        }
    ]


def test_negative_numbers_are_read() -> None:
    owner = _field(1, _field(1, "x")) + _field(2, _field(2, -5))
    found = decode.manifest(_envelope("coordination.k8s.io/v1", "Lease", owner))
    assert found["spec"] == {"leaseDurationSeconds": -5}


def test_a_kind_without_a_table_is_refused_with_what_to_do() -> None:
    with pytest.raises(errors.Invalid, match="kubectl apply") as refused:
        decode.manifest(_envelope("networking.k8s.io/v1", "Ingress", b""))
    assert refused.value.code == 415


@given(st.integers(min_value=0, max_value=len(_config_map()) + 20), st.binary(max_size=8))
def test_torn_or_garbled_bytes_are_refused_or_read_but_never_a_crash(
    length: int, tail: bytes
) -> None:
    body = _envelope("v1", "ConfigMap", _config_map())[:length] + tail
    refused = 200
    try:
        found = decode.manifest(body)
    except errors.Invalid as e:
        refused, found = e.code, {"kind": "ConfigMap"}
    assert refused in {200, 400, 415}
    assert found["kind"] == "ConfigMap"
