"""Wrong input: exit 2 (or 3 for a cluster that is not there), one clear message, no change."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import yaml

from tests.end_to_end.kubectl_session import Kubectl, kubectl_anywhere, local_cluster
from tests.end_to_end.terminal import (
    REFUSED,
    UNREACHABLE,
    USAGE,
    Terminal,
    create,
    deployment,
    error_of,
    service,
)

__all__ = ["kubectl_anywhere", "local_cluster"]
pytestmark = pytest.mark.xdist_group("local-cluster")

MANIFEST = """\
apiVersion: serinus.dev/v1alpha1
kind: CanaryRelease
metadata:
  name: shop
spec:
  targetRef: {name: shop}
  service: {name: shop}
  steps:
  - setWeight: 25
  - pause: {}
"""


@pytest.fixture(scope="module")
def terminal(kubectl_anywhere: Kubectl) -> Terminal:
    """One namespace for all: a pair `shop` and `shop-canary`, which nothing here may change."""
    kubectl_anywhere("create", "namespace", "bad-input")
    found = kubectl_anywhere.within("bad-input")
    create(
        found,
        deployment("shop", replicas=1),
        service("shop"),
        deployment("shop-canary", replicas=1, labels={"track": "canary"}),
    )
    return Terminal(found)


@pytest.mark.parametrize(
    ("weight", "problem"),
    [
        ("100.01", "'100.01' is outside 0..100"),
        ("101", "'101' is outside 0..100"),
        ("12.345", "'12.345' has more than two decimals"),
        ("some", "'some' is no weight; write a percentage such as 25 or 0.5"),
        ("nan", "'nan' is outside 0..100"),
        ("", "'' is no weight; write a percentage such as 25 or 0.5"),
    ],
)
def test_a_weight_that_is_none_is_refused(terminal: Terminal, weight: str, problem: str) -> None:
    terminal.refused("set-weight", "shop", weight, code=USAGE, says=f"weight: {problem}")
    terminal.refused(
        "release", "shop", "web=nginx:1.8.0", "--weight", weight, code=USAGE, says=problem
    )


def test_a_negative_weight_is_refused(terminal: Terminal) -> None:
    terminal.refused("set-weight", "shop", "--", "-1", code=USAGE, says="'-1' is outside 0..100")
    terminal.refused("release", "shop", "--weight=-1", code=USAGE, says="'-1' is outside 0..100")


@pytest.mark.parametrize(
    ("steps", "problems"),
    [
        ("50,pause,25", ["step 3 (column 10): 25 after 50; weights may only grow"]),
        ("50,huh,25", ["step 2 (column 4): 'huh'", "step 3 (column 8): 25 after 50"]),
        ("25,pause:soon,50", ["step 2 (column 4): 'soon' is no duration"]),
        ("25, wait ,50", ["step 2 (column 5): 'wait' is no weight; write"]),
        ("", ["step 1 (column 1): empty; write a weight, pause or pause:30s"]),
        ("25,,50", ["step 2 (column 4): empty"]),
        (
            "25,stop:1s",
            ["step 2 (column 4): 'stop' is no step; write a weight, pause or pause:30s"],
        ),
        (
            "120,pause:x,12.345",
            ["step 1 (column 1): '120'", "step 2 (column 5): 'x'", "step 3 (column 13): '12.345'"],
        ),
    ],
)
def test_steps_that_cannot_be_walked_are_refused_with_the_position(
    terminal: Terminal, steps: str, problems: list[str]
) -> None:
    terminal.refused(
        "release",
        *("shop", "web=nginx:1.8.0", "--steps", steps),
        code=USAGE,
        says=["--steps:", *problems],
    )


def test_a_release_needs_steps(terminal: Terminal) -> None:
    terminal.refused(
        "release",
        *("shop", "web=nginx:1.8.0"),
        code=USAGE,
        says="say how to go: --steps 5,pause:10m,25,pause or --weight 25",
    )
    terminal.refused(
        "release",
        *("shop", "--steps", "25", "--weight", "25"),
        code=USAGE,
        says="--steps and --weight say the same thing: give one of them",
    )


@pytest.mark.parametrize("word", ["nginx:1.8.0", "web=", "=nginx:1.8.0"])
def test_an_image_that_names_no_container_is_refused(terminal: Terminal, word: str) -> None:
    terminal.refused(
        "release",
        *("shop", word, "--weight", "25"),
        code=USAGE,
        says=f"images: {word!r} is not CONTAINER=IMAGE, such as nginx=nginx:1.8.0",
    )


def test_a_container_that_is_named_twice_is_refused(terminal: Terminal) -> None:
    terminal.refused(
        "release",
        *("shop", "web=a:1", "web=a:2", "--weight", "25"),
        code=USAGE,
        says="container 'web' is named twice",
    )


def test_a_container_that_is_not_there_is_refused_with_those_that_are(terminal: Terminal) -> None:
    terminal.refused(
        "release",
        *("shop", "wen=nginx:1.8.0", "--weight", "25"),
        code=REFUSED,
        says="Deployment shop has no container wen; it has: web",
    )


@pytest.mark.parametrize("option", ["--timeout", "--settle", "--undo-window", "--request-timeout"])
def test_a_time_that_is_none_is_refused(terminal: Terminal, option: str) -> None:
    terminal.refused(
        "release",
        *("shop", "web=nginx:1.8.0", "--weight", "25", option, "soon"),
        code=USAGE,
        says=f"{option}: 'soon' is no duration; write 500ms, 30s, 10m or 1h30m",
    )


@pytest.mark.parametrize("kind", ["statefulset", "daemonset", "service"])
@pytest.mark.parametrize(
    "verb", [["status"], ["release", "--weight", "25"], ["promote"], ["resume"], ["history"]]
)
def test_another_kind_than_a_deployment_is_refused(
    terminal: Terminal, kind: str, verb: list[str]
) -> None:
    terminal.refused(
        *verb,
        f"{kind}/shop",
        code=USAGE,
        says=f"{kind}/shop: only a Deployment can be released, not a {kind}",
    )


def test_a_kind_without_a_name_is_refused(terminal: Terminal) -> None:
    terminal.refused("status", "deployment/", code=USAGE, says="'deployment/' names no Deployment")


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (("setWeight: 25", "setWeight: [25"), [":10:", "expected"]),
        (("setWeight: 25", "setWait: 25"), [":9: spec.steps[0]", "unknown field `setWait`"]),
        (("setWeight: 25", "setWeight: lots"), [":9: spec.steps[0].setWeight", "got `str`"]),
        (
            ("setWeight: 25", "setWeight: 12.345"),
            [":9: spec.steps[0].setWeight: '12.345' has more than two decimals"],
        ),
        (("v1alpha1", "v9"), [":1: apiVersion: 'serinus.dev/v9' is not 'serinus.dev/v1alpha1'"]),
        (("targetRef: {name: shop}", "targetRef: {name: web}"), [":6: spec.targetRef.name: it is"]),
    ],
)
def test_a_broken_manifest_is_refused_with_file_line_and_path(
    terminal: Terminal, tmp_path: Path, change: tuple[str, str], problems: list[str]
) -> None:
    file = tmp_path / "release.yaml"
    file.write_text(MANIFEST.replace(*change))
    first, *rest = problems
    terminal.refused("release", "shop", "--file", file, code=USAGE, says=[f"{file}{first}", *rest])


def test_all_that_is_wrong_with_a_manifest_is_said_at_once(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "release.yaml"
    document = yaml.safe_load(MANIFEST)
    document["spec"]["steps"] = [
        {"setWeight": 50},
        {"setWeight": 25},
        {"pause": {"duration": "soon"}},
        {"setWeight": 101},
        {},
    ]
    document["spec"]["promotion"] = {"undoWindow": "later"}
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    words = terminal.refused(
        "release",
        *("shop", "--file", file),
        code=USAGE,
        says=[
            f"{file}:12: spec.steps[1].setWeight: 25 after 50; weights may only grow",
            f"{file}:14: spec.steps[2].pause.duration: 'soon' is no duration",
            f"{file}:15: spec.steps[3].setWeight: '101' is outside 0..100",
            f"{file}:16: spec.steps[4]: needs exactly one of setWeight and pause",
            f"{file}:18: spec.promotion.undoWindow: 'later' is no duration",
        ],
    )
    assert words.count(str(file)) == 5


def test_a_manifest_comes_by_standard_input_and_is_named_so(terminal: Terminal) -> None:
    terminal.refused(
        "release",
        *("shop", "--file", "-"),
        given=MANIFEST.replace("setWeight: 25", "setWait: 25"),
        code=USAGE,
        says="stdin:9: spec.steps[0]",
    )


def test_a_manifest_that_is_not_there_or_is_no_text_is_refused(
    terminal: Terminal, tmp_path: Path
) -> None:
    missing, binary = tmp_path / "missing.yaml", tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    terminal.refused(
        "release", "shop", "--file", missing, code=USAGE, says=[str(missing), "No such file"]
    )
    terminal.refused(
        "release", "shop", "--file", binary, code=USAGE, says=[str(binary), "is no UTF-8 text"]
    )


def test_a_manifest_of_two_documents_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "release.yaml"
    file.write_text(f"{MANIFEST}---\n{MANIFEST}")
    terminal.refused(
        "release",
        *("shop", "--file", file),
        code=USAGE,
        says=f"{file}: holds 2 documents; one CanaryRelease is wanted",
    )


def _stale_kubeconfig(terminal: Terminal, folder: Path) -> Path:
    """Return the cluster's kubeconfig with a server that is not there any more."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = yaml.safe_load(terminal.kubectl.kubeconfig.read_text())
    found["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    path = folder / "stale"
    path.write_text(json.dumps(found))
    return path


@pytest.mark.parametrize("verb", [["status", "shop"], ["list"], ["promote", "shop"]])
def test_a_server_that_is_gone_is_named_with_context_and_what_to_try(
    terminal: Terminal, tmp_path: Path, verb: list[str]
) -> None:
    stale = _stale_kubeconfig(terminal, tmp_path)
    server = yaml.safe_load(stale.read_text())["clusters"][0]["cluster"]["server"]
    context = yaml.safe_load(stale.read_text())["current-context"]
    terminal.refused(
        *verb,
        *("--kubeconfig", stale),
        code=UNREACHABLE,
        says=[
            server,
            f"context {context!r} of {stale}",
            "Connection refused; check that the cluster",
        ],
    )


def test_a_kubeconfig_that_is_not_there_is_named(terminal: Terminal, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    terminal.refused("status", "shop", "--kubeconfig", missing, code=USAGE, says=str(missing))


def test_a_context_that_is_not_there_is_refused_with_those_that_are(terminal: Terminal) -> None:
    context = yaml.safe_load(terminal.kubectl.kubeconfig.read_text())["current-context"]
    terminal.refused(
        "status", "shop", "--context", "elsewhere", code=USAGE, says=["'elsewhere'", context]
    )


def test_a_traceback_comes_only_with_debug(terminal: Terminal, tmp_path: Path) -> None:
    for arguments in (["status", "nothing"], ["list", "--kubeconfig", str(tmp_path / "nowhere")]):
        plain, debug = terminal.try_(*arguments), terminal.try_(*arguments, "--debug")
        error_of(plain)
        assert "Traceback (most recent call last)" in debug.stderr
        assert debug.stderr.rstrip().endswith(error_of(plain).splitlines()[-1])
        assert debug.returncode == plain.returncode
