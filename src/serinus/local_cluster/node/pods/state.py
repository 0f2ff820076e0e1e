"""How a container fares: its state as values, and as the API writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from serinus.clock import Instant
from serinus.kube import timestamps


class Waiting(msgspec.Struct, frozen=True):
    """It does not run yet, or not now."""

    reason: str
    message: str = ""

    def manifest(self) -> dict[str, Any]:
        """The state as the API writes it."""
        body = {"reason": self.reason}
        return {"waiting": body | ({"message": self.message} if self.message else {})}


class Running(msgspec.Struct, frozen=True):
    """Its process runs."""

    started_at: Instant

    def manifest(self) -> dict[str, Any]:
        """The state as the API writes it."""
        return {"running": {"startedAt": timestamps.format_seconds(self.started_at)}}


class Terminated(msgspec.Struct, frozen=True):
    """Its process has ended; a signal shows as 128 and its number."""

    exit_code: int
    reason: str
    started_at: Instant | None
    finished_at: Instant
    container_id: str = ""
    message: str = ""

    def manifest(self) -> dict[str, Any]:
        """The state as the API writes it."""
        body: dict[str, Any] = {
            "exitCode": self.exit_code,
            "reason": self.reason,
            "finishedAt": timestamps.format_seconds(self.finished_at),
        }
        if self.started_at is not None:
            body["startedAt"] = timestamps.format_seconds(self.started_at)
        if self.container_id:
            body["containerID"] = self.container_id
        if self.message:
            body["message"] = self.message
        return {"terminated": body}


State = Waiting | Running | Terminated


class ContainerView(msgspec.Struct, frozen=True, kw_only=True):
    """All that a pod's status says of one of its containers."""

    name: str
    image: str
    image_id: str = ""
    container_id: str = ""
    state: State
    last_state: Terminated | None = None
    restart_count: int = 0
    started: bool = False
    ready: bool = False
    is_sidecar: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether its process has ended and none is to follow."""
        return isinstance(self.state, Terminated)

    @property
    def has_succeeded(self) -> bool:
        """Whether it ended as it should."""
        return isinstance(self.state, Terminated) and self.state.exit_code == 0

    def manifest(self) -> dict[str, Any]:
        """The status as the API writes it."""
        body: dict[str, Any] = {
            "name": self.name,
            "image": self.image,
            "imageID": self.image_id,
            "state": self.state.manifest(),
            "lastState": self.last_state.manifest() if self.last_state else {},
            "restartCount": self.restart_count,
            "started": self.started,
            "ready": self.ready,
        }
        if self.container_id:
            body["containerID"] = self.container_id
        return body


def lost(before: Mapping[str, Any], now: Instant) -> Terminated | None:
    """Return how a container ended that an earlier node ran; None when it never ran.

    The kubelet says the same of a container whose end it did not see.
    """
    state = before.get("state") or {}
    ended = state.get("terminated")
    if ended:
        return Terminated(
            ended.get("exitCode", 0),
            ended.get("reason", ""),
            None,
            now,
            ended.get("containerID", ""),
            ended.get("message", ""),
        )
    if not state.get("running"):
        return None
    words = "The container was running when the node was stopped"
    return Terminated(
        137, "ContainerStatusUnknown", None, now, before.get("containerID", ""), words
    )
