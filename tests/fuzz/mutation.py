"""How inputs are changed where bytes alone do not get in: by the structure of JSON and of DER.

A mutator takes an input, the most bytes that it may return, a number that decides, and a mutator of bytes
for the leaves. What it cannot take apart is changed as bytes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["Bytes", "Mutator", "der", "json_in_json", "plain"]

Bytes: TypeAlias = Callable[[bytes, int], bytes]
"""Data and the most bytes → data that was changed somewhere."""
Mutator: TypeAlias = Callable[[bytes, int, int, Bytes], bytes]

_VALUES: list[Any] = [
    None,
    True,
    False,
    "",
    "x",
    "0",
    "\x00",
    "\ud800",
    "\U0001f40d",
    "%s{x}",
    "\u202e",
    "-1",
]
_VALUES += [0, 1, -1, 255, 2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**400, -(2**63)]
_VALUES += [0.5, -0.0, 1e-9, 1e308, 253_402_300_800, 1_750_000_000.0, [], {}, [None], [[]], {"": None}]
_VALUES += ["x" * 256, "1" * 4301, "é" * 65, " ", "a.b", "::1", "2026-01-01T00:00:00Z"]
_MOST_PLACES = 2_000


def plain(data: bytes, most: int, _number: int, bytewise: Bytes) -> bytes:
    return bytewise(data, most)


# ---- JSON -------------------------------------------------------------------------------------------------
def json_in_json(data: bytes, most: int, number: int, bytewise: Bytes) -> bytes:
    """The first byte chooses what is done with it and is left alone mostly; the rest is JSON, of which a text
    may be JSON again."""
    chance = random.Random(number)
    if chance.random() < 0.25 or not data:
        return bytewise(data, most)
    try:
        value = json.loads(data[1:])
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            value = _changed(value, chance, bytewise)
        text = json.dumps(value, ensure_ascii=chance.random() < 0.7).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return bytewise(data, most)
    return (data[:1] + text)[:most]


def _changed(value: Any, chance: random.Random, bytewise: Bytes) -> Any:
    """With one place changed; a text that holds JSON is entered as often as not."""
    places = list(_places(value))[:_MOST_PLACES]
    if not places:
        return _leaf(value, chance, bytewise)
    holder, key = chance.choice(places)
    held = holder[key]
    if isinstance(held, str) and held[:1] in ("{", "[") and chance.random() < 0.8:
        try:
            holder[key] = json.dumps(_changed(json.loads(held), chance, bytewise))
        except (ValueError, RecursionError):
            holder[key] = _leaf(held, chance, bytewise)
        return value
    match chance.randrange(7):
        case 0:
            del holder[key]
        case 1:
            other, name = chance.choice(places)
            holder[key] = other[name] if other is not holder else held
        case 2 if isinstance(holder, list):
            holder.insert(key, held)
        case 2:
            holder[_text(str(key), chance, bytewise)] = held
        case 3 if isinstance(held, list) and held:
            held.extend(held * chance.choice((1, 10, 200)))
        case 3 | 4:
            holder[key] = chance.choice(_VALUES)
        case _:
            holder[key] = _leaf(held, chance, bytewise)
    return json.loads(json.dumps(value))  # what stands in two places now is two things


def _places(value: Any) -> Any:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _leaf(value: Any, chance: random.Random, bytewise: Bytes) -> Any:
    if isinstance(value, str):
        return _text(value, chance, bytewise)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return chance.choice(_VALUES)
    return chance.choice((value + 1, value - 1, -value, value * 2, value * 1000, value // 2, str(value)))


def _text(text: str, chance: random.Random, bytewise: Bytes) -> str:
    match chance.randrange(5):
        case 0:
            return text + chance.choice("\x00 .:/,\\'\"é\u200d\U0001f40d")
        case 1:
            at = chance.randrange(len(text) + 1)
            return text[:at] + text[at + chance.randrange(4) :]
        case 2:
            return text * chance.choice((2, 20))
        case _:
            return bytewise(text.encode("utf-8", "replace"), len(text) + 64).decode("utf-8", "replace")


# ---- DER --------------------------------------------------------------------------------------------------
Node: TypeAlias = tuple[int, "bytes | list[Node]"]
"""A tag, and its content or the nodes in it."""


def der(data: bytes, most: int, number: int, bytewise: Bytes) -> bytes:
    """The first byte chooses what is done with it; the rest is DER, and its lengths are right afterwards."""
    chance = random.Random(number)
    nodes = _nodes(data[1:], 0)
    if chance.random() < 0.2 or not nodes:
        return bytewise(data, most)
    for _ in range(chance.choice((1, 1, 2, 4))):
        _change_node(nodes, chance, bytewise)
    return (data[:1] + b"".join(_encoded(node) for node in nodes))[:most]


def _nodes(data: bytes, depth: int) -> list[Node] | None:
    """All of `data` as DER, or None where it is none."""
    found: list[Node] = []
    at = 0
    while at < len(data):
        if at + 2 > len(data) or depth > 20:
            return None
        tag, size, at = data[at], data[at + 1], at + 2
        if size >= 0x80:
            count = size & 0x7F
            if not 1 <= count <= 4 or at + count > len(data):
                return None
            size, at = int.from_bytes(data[at : at + count], "big"), at + count
        if at + size > len(data):
            return None
        content = data[at : at + size]
        at += size
        # Extensions are DER in octet strings
        inner = _nodes(content, depth + 1) if tag & 0x20 or (tag == 4 and size > 1) else None
        found.append((tag, content if inner is None else inner))
    return found


def _encoded(node: Node) -> bytes:
    tag, held = node
    content = held if isinstance(held, bytes) else b"".join(_encoded(one) for one in held)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    count = (size.bit_length() + 7) // 8
    return bytes((tag, 0x80 | count)) + size.to_bytes(count, "big") + content


def _change_node(nodes: list[Node], chance: random.Random, bytewise: Bytes) -> None:
    lists = [nodes]
    for some in lists:
        lists += [held for _, held in some if isinstance(held, list)]
    some = chance.choice([one for one in lists if one] or [nodes])
    if not some:
        some.append((chance.randrange(256), b""))
        return
    at = chance.randrange(len(some))
    tag, held = some[at]
    match chance.randrange(6):
        case 0:
            del some[at]
        case 1:
            some.insert(at, _copy(some[at]))
        case 2:
            some[at] = _copy(chance.choice(chance.choice([one for one in lists if one])))
        case 3:
            some[at] = (chance.choice((2, 3, 4, 5, 6, 12, 19, 22, 23, 24, 48, 49, 160, tag ^ 0x20)), held)
        case _:
            content = held if isinstance(held, bytes) else b"".join(_encoded(one) for one in held)
            some[at] = (tag, bytewise(content, len(content) + 16))


def _copy(node: Node) -> Node:
    """By its bytes: a node that stood in itself would have no end."""
    tag, held = node
    return (tag, held) if isinstance(held, bytes) else (tag, [_copy(one) for one in held])
