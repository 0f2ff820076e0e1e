"""Read a Kubernetes object from protobuf: the envelope, then fields by a table of numbers.

kubectl sends protobuf for its imperative `create` verbs and does not try JSON when that is refused.
Only reading is needed: an answer may always be JSON. Values that Go leaves out of JSON when they
are zero are left out here too. Format: https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import base64
import datetime as dt
import functools
import importlib.resources
import struct
from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec

from serinus.kubernetes_model import Object, failures

_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_GROUPS = {"": "core"}

Field: TypeAlias = tuple[str, str, str]
"""JSON name, type, and how: `inline`, `pointer` or `value`."""


def manifest(body: bytes) -> Object:
    """Return the object in an envelope (`runtime.Unknown`).

    Raises:
        Invalid: it is not one, or of a kind that has no field table.
    """
    if not body.startswith(_MAGIC):
        raise failures.bad_request("the body of the request does not start like protobuf")
    try:
        envelope = dict(_pairs(body[len(_MAGIC) :]))
        type_meta = dict(_pairs(envelope.get(1, b"")))
        api_version = type_meta.get(1, b"").decode()
        kind = type_meta.get(2, b"").decode()
        raw = envelope.get(2, b"")
        group, _, version = api_version.rpartition("/")
        name = f"{_GROUPS.get(group, group)}/{version}.{kind}"
        if name not in _messages() and kind in {"DeleteOptions", "Status"}:
            name = f"meta/v1.{kind}"
        if name not in _messages():
            raise failures.unsupported_media_type(
                f"the local cluster cannot read {kind} of {api_version} as protobuf; "
                "send it as JSON or YAML, for instance with `kubectl apply -f FILE`"
            )
        return {"apiVersion": api_version, "kind": kind, **_message(name, raw)}
    except (ValueError, IndexError, struct.error, AttributeError, TypeError) as e:
        raise failures.bad_request(f"the body of the request is not protobuf: {e}") from e


@functools.cache
def _messages() -> dict[str, dict[int, Field]]:
    content = importlib.resources.files(__package__).joinpath("fields.json").read_bytes()
    table = msgspec.json.decode(content)["messages"]
    return {
        name: {number: (key, type_, how) for number, key, type_, how in fields}
        for name, fields in table.items()
    }


def _message(name: str, raw: bytes) -> dict[str, Any]:
    fields = _messages()[name]
    result: dict[str, Any] = {}
    for number, value in _pairs(raw):
        field = fields.get(number)
        if field is None:
            continue
        key, type_, how = field
        container, _, item = type_.partition("|")
        if container == "list":
            result.setdefault(key, []).append(_value(item, value))
        elif container == "map":
            entry = dict(_pairs(value))
            empty: Any = b"" if item != "int32" else 0
            result.setdefault(key, {})[entry.get(1, b"").decode()] = _value(
                item, entry.get(2, empty)
            )
        elif how == "inline":
            result.update(_value(type_, value))
        else:
            found = _value(type_, value)
            if how == "pointer" or found or isinstance(found, dict):
                result[key] = found
    return {key: value for key, value in result.items() if value is not None}


def _value(type_: str, raw: Any) -> Any:
    if type_.startswith("message:"):
        return _message(type_.removeprefix("message:"), raw)
    return _SCALARS[type_](raw)


def _int32(raw: int) -> int:
    number = raw & 0xFFFFFFFF
    return number - (1 << 32) if number >> 31 else number


def _int64(raw: int) -> int:
    return raw - (1 << 64) if raw >> 63 else raw


def _double(raw: int) -> float:
    (number,) = struct.unpack("<d", raw.to_bytes(8, "little"))
    return float(number)


def _time(raw: bytes, spec: str = "seconds") -> str | None:
    parts = dict(_pairs(raw))
    if not parts:
        return None
    moment = dt.datetime.fromtimestamp(_int64(parts.get(1, 0)), dt.UTC)
    moment = moment.replace(microsecond=_int32(parts.get(2, 0)) // 1000)
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")


def _int_or_string(raw: bytes) -> int | str:
    parts = dict(_pairs(raw))
    if parts.get(1, 0) == 0:
        return _int32(parts.get(2, 0))
    return str(parts.get(3, b"").decode())


def _raw_json(raw: bytes) -> Any:
    content = dict(_pairs(raw)).get(1, b"")
    return msgspec.json.decode(content) if content else None


_SCALARS: dict[str, Any] = {
    "string": bytes.decode,
    "bool": bool,
    "int32": _int32,
    "uint32": _int32,
    "int64": _int64,
    "float64": _double,
    "bytes": lambda raw: base64.b64encode(raw).decode(),
    "time": _time,
    "time-micro": functools.partial(_time, spec="microseconds"),
    "int-or-string": _int_or_string,
    "quantity": lambda raw: dict(_pairs(raw)).get(1, b"0").decode(),
    "raw": _raw_json,
    "raw-fields": _raw_json,
    "duration": lambda raw: _int64(dict(_pairs(raw)).get(1, 0)),
}


def _pairs(raw: bytes) -> Iterator[tuple[int, Any]]:
    """Yield field numbers and raw values: an int for the number types, bytes for the rest."""
    position = 0
    while position < len(raw):
        tag, position = _varint(raw, position)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(raw, position)
            yield number, value
        elif wire == _BYTES:
            length, position = _varint(raw, position)
            if position + length > len(raw):
                raise ValueError("a field ends beyond its message")
            yield number, raw[position : position + length]
            position += length
        elif wire in {_FIXED64, _FIXED32}:
            length = 8 if wire == _FIXED64 else 4
            if position + length > len(raw):
                raise ValueError("a number ends beyond its message")
            yield number, int.from_bytes(raw[position : position + length], "little")
            position += length
        else:
            raise ValueError(f"wire type {wire} is not used by Kubernetes")


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = raw[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
        if shift > 63:
            raise ValueError("a number is longer than 64 bits")
