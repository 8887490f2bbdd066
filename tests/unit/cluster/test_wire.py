"""Frames between the nodes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mock_server.cluster import wire
from mock_server.cluster.wire import FRAME_LIMIT, FrameError, Frames, batches, encode
from mock_server.journal import Row

rows = st.builds(
    Row,
    idx=st.integers(0, 2**63 - 1),
    epoch=st.integers(0, 9),
    payload=st.binary(max_size=50),
    checksum=st.binary(min_size=32, max_size=32),
    keys=st.dictionaries(st.text(max_size=5), st.binary(max_size=9), max_size=2),
)
messages = st.one_of(
    st.builds(wire.Beat, st.floats(0, 1e9), st.floats(0, 1e9), st.text(max_size=9), st.integers(0, 99)),
    st.builds(wire.Batch, st.lists(rows, max_size=4)),
    st.builds(wire.Ack, st.integers(0, 99)),
    st.builds(wire.Leaving),
    st.builds(wire.Begin, st.integers(0, 9), st.integers(0, 9), st.booleans()),
)


@given(st.lists(messages, max_size=6), st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_messages_survive_any_cutting_of_the_stream(sent: list[wire.Message], sizes: list[int]) -> None:
    """However the bytes arrive, the same messages come out in order."""
    stream = b"".join(encode(message) for message in sent)
    frames, got, number = Frames(), [], 0
    while stream:
        size = sizes[number % len(sizes)]
        got += frames.feed(stream[:size])
        stream = stream[size:]
        number += 1
    assert got == sent


def test_a_frame_over_the_limit_is_refused_before_it_is_read() -> None:
    """The length alone is enough to refuse."""
    with pytest.raises(FrameError):
        Frames().feed((FRAME_LIMIT + 1).to_bytes(4, "big"))


@given(st.binary(min_size=1, max_size=60))
@example(b"\x91\xa7\x00\x00\x00\x00\x00\x00\x80")
def test_garbage_is_an_error_and_nothing_else(data: bytes) -> None:
    """A peer that sends no protocol gets its connection closed: FrameError, no other exception."""
    frame = len(data).to_bytes(4, "big") + data
    with contextlib.suppress(FrameError):
        Frames().feed(frame)


@given(st.lists(rows, max_size=20))
def test_batches_keep_all_rows_in_order(some: list[Row]) -> None:
    """Splitting into messages loses nothing."""
    assert [row for batch in batches(some) for row in batch.rows] == some


def test_batches_stay_below_the_limit() -> None:
    """Large rows go into messages of their own."""
    big = [Row(idx, 1, bytes(600_000), b"") for idx in range(4)]
    assert [len(batch.rows) for batch in batches(big)] == [2, 2]
    assert all(len(encode(batch)) < FRAME_LIMIT for batch in batches(big))
