"""What the API server was asked to write, by whom and when: its own audit log."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import yaml

from serinus.api.v1alpha1 import GROUP

_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {"level": "RequestResponse", "resources": [{"group": GROUP}]},
        {"level": "Metadata"},
    ],
}


class _Reference(msgspec.Struct, frozen=True):
    resource: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""


class _User(msgspec.Struct, frozen=True):
    username: str = ""


class _Answer(msgspec.Struct, frozen=True):
    code: int = 0


class Written(msgspec.Struct, frozen=True, rename="camel"):
    """One request to write, as the API server heard it."""

    verb: str
    user: _User
    request_received_timestamp: dt.datetime
    object_ref: _Reference = _Reference()
    response_status: _Answer = _Answer()
    response_object: dict[str, Any] = {}

    @property
    def received_s(self) -> float:
        """When it came in, by this machine's clock."""
        return self.request_received_timestamp.timestamp()

    @property
    def is_done(self) -> bool:
        """Whether it was carried out."""
        return 200 <= self.response_status.code < 300

    def __str__(self) -> str:
        ref, code = self.object_ref, self.response_status.code
        what = "/".join(part for part in (ref.resource, ref.name, ref.subresource) if part)
        return f"{self.verb} {what} by {self.user.username}: {code}"


def options(folder: Path) -> tuple[str, ...]:
    """Write the policy; return how the API server is told to keep the log."""
    policy = folder / "audit-policy.yaml"
    policy.write_text(yaml.safe_dump(_POLICY))
    return (f"--audit-policy-file={policy}", f"--audit-log-path={_log(folder)}")


def read(folder: Path) -> list[Written]:
    """Return what was asked so far, in the order of its end."""
    decoder = msgspec.json.Decoder(Written)
    lines = _log(folder).read_bytes().splitlines()
    # An API server that was killed may have left half a line.
    return [decoder.decode(line) for line in lines if line.endswith(b"}")]


def _log(folder: Path) -> Path:
    return folder / "audit.log"
