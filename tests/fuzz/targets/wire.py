"""What arrives from the other node, cut anywhere: whole messages, or FrameError."""

from __future__ import annotations

from collections.abc import Iterator

from mock_server.cluster import wire
from mock_server.cluster.wire import FrameError, Frames
from mock_server.journal import Row
from tests.fuzz.target import Read, Target
from tests.fuzz.targets.journals import happened


def prepare() -> Read:
    def read(data: bytes) -> None:
        """The first byte is the size of the pieces."""
        if len(data) < 2:
            return
        step, stream = 1 + data[0], data[1:]
        frames, found = Frames(), []
        try:
            for at in range(0, len(stream), step):
                found += frames.feed(stream[at : at + step])
        except FrameError:
            return
        # As bytes: a time that is no number does not equal itself.
        again = b"".join(wire.encode(one) for one in found)
        assert b"".join(wire.encode(one) for one in Frames().feed(again)) == again

    return read


def seeds() -> Iterator[bytes]:
    payload = happened()[0][0]
    row = Row(1, 1, payload, bytes(32), {"ca": b"PEM"})
    said: list[wire.Message] = [
        wire.Hello(wire.VERSION, "c", "primary", 7, 8, "replication"),
        wire.Refused("no"),
        wire.Welcome("secondary", 7, 8, "Standby", False, 3),
        wire.Beat(1.5, 2.5, "Active", 9),
        wire.Position(3, bytes(32)),
        wire.Probe(2),
        wire.Begin(1, 2, False),
        wire.Copy(1, 2, False, 3, bytes(32), 99),
        wire.Chunk(b"bytes"),
        wire.CopyEnd(bytes(32)),
        wire.Received(5),
        wire.Batch([row]),
        wire.Ack(9),
        wire.Listed(4),
        wire.Leaving(),
        wire.Left(),
        wire.Handover(8),
        wire.TornDown(),
    ]
    for one in said:
        yield b"\xff" + wire.encode(one)
    yield b"\x04" + b"".join(wire.encode(one) for one in said[:6])


TARGETS = (Target("wire", prepare, seeds, longest=2048),)
