"""The page of security claims nothing without a test, and its figures are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from mock_server.api import reading
from mock_server.cluster import client, listeners, wire
from mock_server.domain import api_clients, attempts
from mock_server.pages import app, sessions
from smartlic_client.protocol.messages import MAX_MESSAGE
from tests.documents.naming import named_tests

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there() -> None:
    """A statement's test is a function in the file that is named."""
    assert len(named_tests(_PAGE)) > 25


def test_the_limits_of_the_page_are_the_codes() -> None:
    """Sizes and seconds of the table, and those of sessions and sign-ins."""
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]*?) \|", _PAGE, re.MULTILINE))
    mib = 1 << 20
    assert rows["TLS handshake"] == f"{listeners.HANDSHAKE_TIMEOUT:g} s"
    assert rows["a request's head"] == f"{listeners.MAX_HEAD >> 10} KiB, {listeners.HEAD_TIMEOUT:g} s"
    assert rows["its body"] == f"{MAX_MESSAGE // mib} MiB, {listeners.BODY_TIMEOUT:g} s"
    assert rows["reading the answer"] == f"{listeners.UNREAD_TIMEOUT:g} s"
    assert rows["idle between requests"] == f"{listeners.KEEP_ALIVE} s"
    assert rows["connections"] == f"{listeners.MAX_CONNECTIONS:,} a listener"
    assert f"{reading.MAX_BODY // mib} MiB (pages: {app._LARGEST_BODY // mib} MiB)" in _PAGE
    assert (
        f"at most {wire.FRAME_LIMIT // mib} MiB, and on the control socket a request "
        f"{client.REQUEST_LIMIT // mib} MiB" in _PAGE
    )
    assert f"{sessions.IDLE // 60} minutes after its last use and {sessions.LONGEST // 3600} hours" in _PAGE
    assert f"{attempts._PER_NAME} a minute for a name at an address, {attempts._PER_ADDRESS} for an" in _PAGE
    assert api_clients.LIFE == 3600
