"""XXH64 with seed 0, written from its specification, to hold the public rule to something else."""

from __future__ import annotations

_MASK = 2**64 - 1
_P1, _P2, _P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P4, _P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def _rotated(value: int, count: int) -> int:
    value &= _MASK
    return (value << count | value >> (64 - count)) & _MASK


def _round(lane: int, word: int) -> int:
    return _rotated(lane + word * _P2, 31) * _P1 & _MASK


def xxh64(data: bytes) -> int:
    words = [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data) // 8 * 8, 8)]
    stripes = len(data) // 32 * 4
    if stripes:
        lanes = [_P1 + _P2, _P2, 0, -_P1]
        for index, word in enumerate(words[:stripes]):
            lanes[index % 4] = _round(lanes[index % 4] & _MASK, word)
        found = sum(_rotated(lane, n) for lane, n in zip(lanes, (1, 7, 12, 18), strict=True))
        for lane in lanes:
            found = ((found ^ _round(0, lane)) * _P1 + _P4) & _MASK
    else:
        found = _P5
    found = (found + len(data)) & _MASK
    for word in words[stripes:]:
        found = _rotated(found ^ _round(0, word), 27) * _P1 + _P4
    rest = data[len(words) * 8 :]
    if len(rest) >= 4:
        found ^= int.from_bytes(rest[:4], "little") * _P1 & _MASK
        found = _rotated(found, 23) * _P2 + _P3
        rest = rest[4:]
    for byte in rest:
        found = _rotated(found & _MASK ^ byte * _P5 & _MASK, 11) * _P1
    found &= _MASK
    found = (found ^ found >> 33) * _P2 & _MASK
    found = (found ^ found >> 29) * _P3 & _MASK
    return found ^ found >> 32
