"""`serinus wait`, with pods that run: who waits hears of the end, also of another one."""

from __future__ import annotations

import pytest

from tests.end_to_end.kubectl_session import Kubectl, kubectl, kubectl_anywhere, local_cluster
from tests.end_to_end.terminal import (
    REFUSED,
    USAGE,
    Terminal,
    create,
    deployment,
    error_of,
    service,
)
from tests.end_to_end.test_live_refusals import ended, pods

__all__ = ["kubectl", "kubectl_anywhere", "local_cluster"]
pytestmark = [pytest.mark.xdist_group("local-cluster"), pytest.mark.timeout(180)]

RELEASE = ("release", "shop", "web=nginx:1.8.0", "--settle", "100ms")


@pytest.fixture
def terminal(kubectl: Kubectl) -> Terminal:
    """A namespace with a Deployment `shop` of one pod that serves, and its Service."""
    create(kubectl, deployment("shop", replicas=1), service("shop"))
    found = Terminal(kubectl)
    found.until_available("shop", 1)
    return found


def test_one_terminal_waits_for_what_another_one_does(terminal: Terminal) -> None:
    terminal(*RELEASE, "--weight", "50")
    done = terminal("wait", "shop", "--for", "paused", "--timeout", "30s")
    assert "Paused at 50 %: serinus resume shop" in done.stderr
    waiting = terminal.background("wait", "shop", "--timeout", "60s")
    terminal("promote", "shop", "--full")
    done = ended(waiting)
    assert done.returncode == 0, done.stderr
    assert "Healthy: every pod of shop runs the new revision" in done.stderr
    left = [p for p in pods(terminal) if "deletionTimestamp" not in p["metadata"]]
    images = [p["spec"]["containers"][0]["image"] for p in left]
    assert images == ["nginx:1.8.0"]


def test_who_waits_for_another_end_hears_that_it_will_not_come(terminal: Terminal) -> None:
    terminal(*RELEASE, "--weight", "50")
    waiting = terminal.background("wait", "shop", "--for", "healthy", "--timeout", "60s")
    terminal("abort", "shop")
    done = ended(waiting)
    assert done.returncode == REFUSED
    assert error_of(done).startswith("not Healthy, and it will not be by itself. Abort")
    done = terminal("wait", "shop", "--for", "aborted", "--timeout", "30s")
    assert "Aborted: aborted by a person" in done.stderr


def test_when_the_time_is_over_it_says_where_the_release_stands(terminal: Terminal) -> None:
    terminal(*RELEASE, "--weight", "50")
    done = terminal.try_("wait", "shop", "--timeout", "500ms")
    assert done.returncode == REFUSED
    words = error_of(done)
    assert words.startswith("not Healthy within 500ms. Paused at 50 %: waits for a person; no driv")


def test_what_nobody_can_wait_for_is_refused(terminal: Terminal) -> None:
    done = terminal.try_("wait", "shop", "--timeout", "30s")
    assert (done.returncode, error_of(done)) == (
        REFUSED,
        "there is no release of shop; serinus release shop ... begins one",
    )
    done = terminal.try_("wait", "shop", "--timeout", "soon")
    assert done.returncode == USAGE
    assert "--timeout: 'soon'" in error_of(done)
    assert terminal.try_("wait", "shop", "--for", "dancing").returncode == USAGE
