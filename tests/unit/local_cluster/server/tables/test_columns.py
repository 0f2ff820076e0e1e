from __future__ import annotations

from typing import Any

import pytest

from serinus.kubernetes_model import kinds, timestamps
from serinus.local_cluster.server.tables import columns, custom, pods
from serinus.local_cluster.server.tables.render import Tables

NOW = timestamps.parse("2026-01-01T12:00:00Z")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (11_100, "3h5m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (180_000, "2d2h"),
        (691_200, "8d"),
        (63_071_999, "729d"),
        (63_072_000, "2y"),
        (64_000_000, "2y10d"),
        (252_288_000, "8y"),
    ],
)
def test_ages_are_said_as_kubernetes_says_them(seconds: int, text: str) -> None:
    assert columns.duration(seconds) == text


def _pod(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "creationTimestamp": "2026-01-01T11:59:00Z", **metadata},
        "spec": {"containers": [{"name": "a"}, {"name": "b"}]},
        "status": status,
    }


RUNNING = {"ready": True, "restartCount": 0, "state": {"running": {}}}


@pytest.mark.parametrize(
    ("status", "ready", "reason", "restarts"),
    [
        ({"phase": "Pending"}, "0/2", "Pending", "0"),
        (
            {
                "phase": "Running",
                "containerStatuses": [{"name": "a", **RUNNING}, {"name": "b", **RUNNING}],
            },
            "2/2",
            "Running",
            "0",
        ),
        (
            {
                "phase": "Running",
                "containerStatuses": [
                    {"name": "a", **RUNNING},
                    {
                        "name": "b",
                        "ready": False,
                        "restartCount": 3,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"finishedAt": "2026-01-01T11:59:30Z"}},
                    },
                ],
            },
            "1/2",
            "CrashLoopBackOff",
            "3 (30s ago)",
        ),
        (
            {
                "phase": "Succeeded",
                "containerStatuses": [
                    {
                        "name": "a",
                        "ready": False,
                        "restartCount": 0,
                        "state": {"terminated": {"exitCode": 0, "reason": "Completed"}},
                    }
                ],
            },
            "0/2",
            "Completed",
            "0",
        ),
        (
            {
                "phase": "Running",
                "containerStatuses": [
                    {"name": "a", **RUNNING},
                    {
                        "name": "b",
                        "ready": False,
                        "restartCount": 0,
                        "state": {"terminated": {"exitCode": 137, "signal": 9}},
                    },
                ],
            },
            "1/2",
            "Signal:9",
            "0",
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [
                    {"name": "i", "restartCount": 0, "state": {"running": {}}}
                ],
            },
            "0/2",
            "Init:0/0",
            "0",
        ),
    ],
)
def test_a_pod_is_summed_up_in_one_word(
    status: dict[str, Any], ready: str, reason: str, restarts: str
) -> None:
    cells = [column.cell(_pod(status), NOW) for column in pods.POD]
    assert cells[:5] == ["p", ready, reason, restarts, "60s"]


def test_a_pod_that_is_being_deleted_is_terminating() -> None:
    pod = _pod({"phase": "Running"}, deletionTimestamp="2026-01-01T12:00:00Z")
    assert pods.summary(pod).reason == "Terminating"


def test_a_service_shows_its_node_port() -> None:
    service = {
        "metadata": {"name": "s", "creationTimestamp": "2026-01-01T11:00:00Z"},
        "spec": {
            "type": "NodePort",
            "clusterIPs": ["127.9.0.1"],
            "selector": {"b": "2", "a": "1"},
            "ports": [{"port": 80, "nodePort": 32600, "protocol": "TCP"}],
        },
    }
    tables = Tables(lambda _resource: None)
    cells = [column.cell(service, NOW) for column in tables.columns(kinds.SERVICES)]
    assert cells == ["s", "NodePort", "127.9.0.1", "<none>", "80:32600/TCP", "60m", "a=1,b=2"]


def test_selectors_read_as_typed() -> None:
    selector = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [
            {"key": "hash", "operator": "NotIn", "values": ["y", "x"]},
            {"key": "track", "operator": "DoesNotExist"},
        ],
    }
    assert columns.label_selector(selector) == "a=1,b=2,hash notin (x,y),!track"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.replicas", [3]),
        (".status.conditions[?(@.type=='Ready')].status", ["True"]),
        ('.status.conditions[?(@.type=="Gone")].status', []),
        (".status.conditions[0].type", ["Ready"]),
        (".metadata.annotations['a.b/c']", ["x"]),
        (r".metadata.annotations.a\.b/c", ["x"]),
        (".spec.missing", []),
        (".spec[", []),
    ],
)
def test_simple_json_paths_lead_where_they_say(path: str, found: list[Any]) -> None:
    item = {
        "metadata": {"annotations": {"a.b/c": "x"}},
        "spec": {"replicas": 3},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    assert list(custom.find(item, path)) == found


def test_columns_of_a_definition_are_those_it_names() -> None:
    definition = {
        "spec": {
            "versions": [
                {
                    "name": "v1",
                    "additionalPrinterColumns": [
                        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
                        {"name": "Weight", "type": "integer", "jsonPath": ".status.weight"},
                        {
                            "name": "Since",
                            "type": "date",
                            "jsonPath": ".metadata.creationTimestamp",
                            "priority": 1,
                        },
                    ],
                }
            ]
        }
    }
    item = {
        "metadata": {"name": "shop", "creationTimestamp": "2026-01-01T11:59:00Z"},
        "status": {"phase": "Paused", "weight": 25},
    }
    made = custom.columns(definition, "v1")
    assert [column.name for column in made] == ["Name", "Phase", "Weight", "Since"]
    assert [column.cell(item, NOW) for column in made] == ["shop", "Paused", 25, "60s"]
    assert [column.priority for column in made] == [0, 0, 0, 1]
    bare = {"metadata": item["metadata"]}
    assert [column.cell(bare, NOW) for column in made] == ["shop", None, None, "60s"]
