"""Watching: again and again until it is well, saying what changes."""

from __future__ import annotations

import threading
import time

import pytest

from smartlic_client.preflight.observation import ServerFacts
from smartlic_client.preflight.options import Options
from smartlic_client.preflight.targets import read_target
from smartlic_client.preflight.watch import watch
from tests.unit.client.tls_servers import DAY, Authority, RawServer, answer_with
from tests.unit.preflight.servers import OK

pytestmark = pytest.mark.real

LOCAL = "127.0.0.1"


class Server(RawServer):
    """Changes its certificate when a line about the first one has been said, as a synchronization does."""

    def __init__(self, authority: Authority) -> None:
        self._right = authority.issue(LOCAL, san=[LOCAL], until=365 * DAY).server_context()
        super().__init__(authority.issue("127.0.0.9", san=["127.0.0.9"], until=365 * DAY), answer_with(OK))

    def synchronize(self) -> None:
        self._context = self._right


def test_until_it_is_well() -> None:
    """Red at first, green after the certificate was made anew; both are said, and the watch ends early."""
    authority = Authority()
    said: list[str] = []
    with Server(authority) as server:

        def say(line: str) -> None:
            said.append(line)
            server.synchronize()

        options = Options(now=time.time(), anchors=authority.pem, timeout=5)
        began = time.monotonic()
        last = watch([read_target(f"{LOCAL}:{server.port}")], options, 30, say)
    assert last.well
    assert time.monotonic() - began < 15
    text = "\n".join(said)
    assert "common-name-differs" in said[0]
    assert "no longer common-name-differs" in text
    assert "another certificate: CN='127.0.0.1'" in text
    assert [finding.id for finding in last.results[0].findings] == ["certificate-renewed"]


def test_until_the_time_is_up() -> None:
    """What stays red ends with the time, and with the last findings."""
    with RawServer(Authority().issue("127.0.0.9")) as server:
        began = time.monotonic()
        last = watch([read_target(f"{LOCAL}:{server.port}")], Options(now=time.time(), timeout=2), 0.2, print)
    assert not last.well
    assert time.monotonic() - began < 5


def test_what_is_well_ends_at_once() -> None:
    """Nothing to wait for: one look, and the server's side is asked anew at each look."""

    class Asked:
        times = 0

        def facts(self, timeout: float) -> ServerFacts:
            assert timeout > 0
            self.times += 1
            return ServerFacts(common_name=LOCAL, served_name=LOCAL, pending=False)

    authority, asked = Authority(), Asked()
    said: list[str] = []
    with RawServer(authority.issue(LOCAL, san=[LOCAL], until=365 * DAY), answer_with(OK)) as server:
        options = Options(now=time.time(), anchors=authority.pem)
        watch([read_target(f"{LOCAL}:{server.port}")], options, 30, said.append, server=asked)
    assert asked.times == 1
    assert said == [f"https://{LOCAL}:{server.port}/Transportgateway/services/DeviceRequestHandler: well"]
    assert threading.active_count() < 20
