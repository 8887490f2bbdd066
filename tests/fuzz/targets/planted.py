"""A bug that is meant: whoever fuzzes has to find it. It takes changed JSON inside of JSON to get there."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.fuzz.mutation import json_in_json
from tests.fuzz.target import Read, Target


def prepare() -> Read:
    def read(data: bytes) -> None:
        try:
            count = json.loads(json.loads(data[1:])["inner"])["count"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return
        if isinstance(count, int) and count < 0:
            raise ArithmeticError("a count below zero")

    return read


def seeds() -> Iterator[bytes]:
    yield b"\0" + json.dumps({"inner": json.dumps({"count": 3})}).encode()


TARGETS = (Target("planted", prepare, seeds, json_in_json),)
