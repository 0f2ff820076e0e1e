"""One request and one answer as values, free of the HTTP library."""

from __future__ import annotations

import functools
import urllib.parse
from collections.abc import Mapping
from typing import Any

import msgspec

from serinus.kubernetes_model import Resource, failures

JSON = "application/json"
YAML = "application/yaml"
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"", "0", "f", "F", "false", "FALSE", "False"})


class Call(msgspec.Struct, frozen=True):
    """A request; headers are found by their names in small letters."""

    method: str
    segments: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    user: str = ""

    def number(self, name: str) -> int | None:
        """Return a whole number of the query, if it is there.

        Raises:
            Invalid: it is not a whole number.
        """
        text = self.query.get(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise failures.bad_request(
                f"the query parameter {name} must be a whole number, not {text!r}"
            ) from None

    def flag(self, name: str) -> bool:
        """Return a truth value of the query, as Go's strconv.ParseBool reads it.

        Raises:
            Invalid: it is none.
        """
        text = self.query.get(name, "")
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        raise failures.bad_request(
            f"the query parameter {name} must be true or false, not {text!r}"
        )


class Reply(msgspec.Struct, frozen=True):
    """An answer that is complete; streams are written by those who make them."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def field_selector(call: Call, resource: Resource) -> str | None:
    """Return the field selector of a query; Events' fields get the names under which they lie."""
    text = call.query.get("fieldSelector")
    if text and resource.storage_group is not None:
        text = text.replace("regarding.", "involvedObject.")
        return text.replace("reportingController", "reportingComponent")
    return text


def json_reply(document: Any, status: int = 200) -> Reply:
    """Return an answer with a JSON document."""
    return Reply(msgspec.json.encode(document), status)


@functools.lru_cache(256)
def parse_target(raw: str) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Split a request target into unquoted path segments and the query."""
    path, _, query = raw.partition("?")
    segments = tuple(part for part in path.split("/") if part)
    if "%" in path:
        segments = tuple(urllib.parse.unquote(part) for part in segments)
    if not query:
        return segments, {}
    return segments, dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
