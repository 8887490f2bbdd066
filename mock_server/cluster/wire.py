"""What the two nodes say to each other: a frame is a length and one of these messages in MessagePack."""

from __future__ import annotations

from typing import Literal

import msgspec

from mock_server.journal import Row

FRAME_LIMIT = 32 << 20
BATCH_BYTES = 1 << 20
CHUNK_BYTES = 256 << 10
VERSION = 2

Kind = Literal["heartbeat", "replication"]


class _Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    pass


class Hello(_Message, frozen=True, tag="hello"):
    """First on a connection, from the one that made it."""

    version: int
    cluster: str
    node: str
    pid: int
    started: int
    kind: Kind
    release: str = ""


class Refused(_Message, frozen=True, tag="refused"):
    """The answer to who is not this node's peer, and why it is not."""

    reason: str


class Welcome(_Message, frozen=True, tag="welcome"):
    """The answer. A node that is not Active says so and closes."""

    node: str
    pid: int
    started: int
    state: str
    active: bool
    epoch: int


class Beat(_Message, frozen=True, tag="beat"):
    """A keepalive: the sender's monotonic time, and the newest time that it heard from the peer."""

    sent: float
    echo: float
    state: str
    index: int


class Position(_Message, frozen=True, tag="position"):
    """From the follower: the checksum of a row that it has."""

    idx: int
    checksum: bytes


class Probe(_Message, frozen=True, tag="probe"):
    """From the Active: what is your checksum at this index?"""

    idx: int


class Begin(_Message, frozen=True, tag="begin"):
    """From the Active: this is the last common row, cut what comes after it. `forced`: keep it (rule 6)."""

    common: int
    epoch: int
    forced: bool


class Copy(_Message, frozen=True, tag="copy"):
    """From the Active, in place of `Begin`: a whole copy follows, `size` bytes that end at row `idx`."""

    common: int
    epoch: int
    forced: bool
    idx: int
    checksum: bytes
    size: int


class Chunk(_Message, frozen=True, tag="chunk"):
    """The next bytes of the copy."""

    data: bytes


class CopyEnd(_Message, frozen=True, tag="copy-end"):
    """The copy was sent; SHA-256 of all its bytes."""

    digest: bytes


class Received(_Message, frozen=True, tag="received"):
    """From the follower: so many bytes of the copy are written."""

    size: int


class Batch(_Message, frozen=True, tag="batch"):
    rows: list[Row]


class Ack(_Message, frozen=True, tag="ack"):
    """From the follower: all up to this index is on its disk."""

    idx: int


class Listed(_Message, frozen=True, tag="listed"):
    """From the Active: the witness's record lists the follower as in sync."""

    number: int


class Leaving(_Message, frozen=True, tag="leaving"):
    """From the follower, on a planned stop: take me off the list (rule 8)."""


class Left(_Message, frozen=True, tag="left"):
    """The answer to `Leaving`."""


class Handover(_Message, frozen=True, tag="handover"):
    """From an Active that stops: this is my last change, take over (rule 8)."""

    idx: int


class TornDown(_Message, frozen=True, tag="torn-down"):
    """From an Active that stands alone from now on (rule 10); the record says so."""


Message = (
    Hello
    | Refused
    | Welcome
    | Beat
    | Position
    | Probe
    | Begin
    | Copy
    | Chunk
    | CopyEnd
    | Received
    | Batch
    | Ack
    | Listed
    | Leaving
    | Left
    | Handover
    | TornDown
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """A frame."""
    frame = bytearray(4)
    _encoder.encode_into(message, frame, 4)
    frame[:4] = (len(frame) - 4).to_bytes(4, "big")
    return bytes(frame)


class FrameError(ValueError):
    """What arrived is no frame of this protocol."""


class Frames:
    """Takes bytes as they come and gives whole messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        buffer = self._buffer
        buffer += data
        messages = []
        start = 0
        while len(buffer) - start >= 4:
            size = int.from_bytes(buffer[start : start + 4], "big")
            if size > FRAME_LIMIT:
                raise FrameError(f"a frame of {size} bytes")
            end = start + 4 + size
            if len(buffer) < end:
                break
            try:
                messages.append(_decoder.decode(memoryview(buffer)[start + 4 : end]))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise FrameError(str(error)) from error
            start = end
        if start:
            del buffer[:start]
        return messages


def batches(rows: list[Row]) -> list[Batch]:
    """Rows as messages that keep well below the frame's limit."""
    made: list[Batch] = []
    current: list[Row] = []
    size = 0
    for row in rows:
        current.append(row)
        size += len(row.payload) + 128
        if size >= BATCH_BYTES:
            made.append(Batch(current))
            current, size = [], 0
    if current:
        made.append(Batch(current))
    return made
