"""A light load: messages that were made and signed beforehand, over new TLS connections or kept ones.

The sender must cost little next to the server, or it would be what is measured on two cores.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence

from smartlic_client.protocol import signing
from smartlic_client.protocol.agent import Agent, Outgoing
from smartlic_client.protocol.flow import pack, unpack
from smartlic_client.protocol.identity import IdToken, Udi
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport.tls import context_for
from smartlic_client.transport.urls import Destination

SOFTWARE = "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72"
TAG = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"


class Prepared:
    """One device and its next message, as HTTP: first a registration, with `policy` a trust code."""

    def __init__(
        self,
        destination: Destination,
        token: IdToken,
        serial: str,
        *,
        keep: bool = False,
        policy: bool = False,
    ) -> None:
        self.agent = Agent(Record(udi=Udi(pid="BENCH", sn=serial), software_id=SOFTWARE))
        self.kind = TransportKind.of_path(destination.path)
        self._destination = destination
        self._serial = serial
        self._keep = keep
        if policy:
            self.agent.use_policy(time.time())
            self.agent.trust(token, signing.new_key(), os.urandom)
        else:
            self.agent.register(token, signing.new_key(), os.urandom)
        self._say()

    def authorize(self, count: int) -> None:
        """An authorization for `count` licenses is its next message."""
        self.agent.request(TAG, count, time.time())
        self.agent.report(time.time())
        self._say()

    def report_usage(self, count: int) -> None:
        """A report of an hour's use of `count` licenses is its next message."""
        self.agent.request(TAG, count, time.time() - 3600)
        self.agent.report_usage(time.time())
        self._say()

    def _say(self) -> None:
        sent = self.agent.next_request(time.time(), os.urandom)
        assert sent is not None
        self.sent: Outgoing = sent
        to = self._destination
        content, body = pack(self.kind, sent, now=time.time(), serial=self._serial, to=to.url)
        head = (
            f"POST {to.path} HTTP/1.1\r\nHost: {to.authority}\r\n"
            f"Content-Type: {content}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: {'keep-alive' if self._keep else 'close'}\r\n\r\n"
        )
        self.request = head.encode() + body

    def accept(self, answer: bytes, anchors: bytes) -> None:
        """Apply the answer as a device does; raises if it is not one to what was said."""
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head[:80]
        self.agent.receive(self.sent, unpack(self.kind, body), anchors, time.time())


async def send_all(
    prepared: Sequence[Prepared], destination: Destination, anchors: bytes, at_once: int
) -> list[bytes]:
    """All answers, in order; `at_once` connections are open at a time."""
    context = context_for(anchors)
    answers: list[bytes] = [b""] * len(prepared)
    waiting = iter(enumerate(prepared))

    async def sender() -> None:
        for place, device in waiting:
            reader, writer = await asyncio.open_connection(
                destination.host.text, destination.port, ssl=context, server_hostname=destination.host.text
            )
            writer.write(device.request)
            answers[place] = await reader.read(-1)
            writer.close()
            await writer.wait_closed()

    await asyncio.gather(*(sender() for _ in range(at_once)))
    return answers


async def send_kept(
    prepared: Sequence[Prepared], destination: Destination, anchors: bytes, at_once: int
) -> list[bytes]:
    """All answers, in order, over `at_once` connections that are kept."""
    context = context_for(anchors)
    answers: list[bytes] = [b""] * len(prepared)
    waiting = iter(enumerate(prepared))

    async def sender() -> None:
        reader, writer = await asyncio.open_connection(
            destination.host.text, destination.port, ssl=context, server_hostname=destination.host.text
        )
        for place, device in waiting:
            writer.write(device.request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            answers[place] = head + await reader.readexactly(int(length))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(sender() for _ in range(at_once)))
    return answers
