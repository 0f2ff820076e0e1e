"""The words that Envoy's messages are made of: types, addresses, durations, files."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_TYPES = "type.googleapis.com/"


def message(name: str, /, **fields: Any) -> Json:
    """Return a message with the type that tells Envoy how to read it."""
    return {"@type": _TYPES + name, **fields}


def address(host: str, port: int) -> Json:
    """Return a TCP address."""
    return {"socket_address": {"address": host, "port_value": port}}


def duration(ms: int) -> str:
    """Return a duration as protobuf's JSON writes it."""
    return f"{ms // 1000}.{ms % 1000:03d}s"


def file_source(path: str) -> Json:
    """Return where a subscription reads its resources.

    Without `watched_directory`: Envoy sees a rename onto the path itself, and with it every file
    of the folder would be read again at every write.
    """
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}


def set_header(name: str, value: str) -> Json:
    """Return the mutation that replaces a header."""
    return {
        "append": {
            "header": {"key": name, "value": value},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
    }
