"""What holds a secret does not show it: a repr ends in tracebacks, logs and debuggers."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import msgspec
import pytest

from mock_server import pki
from mock_server.api.shapes import AccessTokenRequest, Bearer
from mock_server.control import users
from mock_server.journal.rows import Row
from smartlic_client.cli.words import Line
from smartlic_client.onprem.secret import Secret
from smartlic_client.protocol.flow import Send
from smartlic_client.protocol.identity import IdToken
from tests.leaks import private_lines
from tests.unit.domain.world import new_authorities

SECRET = "s3cret-" * 5
TOKEN = IdToken.make("3f2504e0-4f89-41d3-9a0c-0305e82c3301", 1, b"x" * 32)


def _fields(operation: str) -> object:
    wanted = users.OPERATIONS[operation].form
    more = {"role": "user"} if operation == "user.add" else {}
    return msgspec.convert({"by": "admin", "name": "anna", "password": SECRET, **more}, wanted)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Secret(SECRET),
        lambda: Line(("register",), SECRET),
        lambda: Send("text/plain", SECRET.encode()),
        lambda: Row(1, 1, b"", b"", {"ca": SECRET.encode()}),
        lambda: AccessTokenRequest(grant_type="password", client_secret=SECRET, password=SECRET),
        lambda: Bearer(access_token=SECRET, expires_in=1),
        lambda: _fields("user.add"),
        lambda: _fields("user.password"),
    ],
)
def test_a_repr_shows_no_secret(make: Callable[[], object]) -> None:
    """Structs of both sides, also inside another object."""
    assert "s3cret" not in repr([make()]) + str(make())


def test_tokens_and_keys_are_not_shown() -> None:
    """An ID token by its id only; what was issued without its key, and an authority's key as an object."""
    assert TOKEN.reveal() not in repr([TOKEN]) + str(TOKEN)
    now = datetime.datetime.now(datetime.UTC)
    authority = new_authorities(now).ca
    issued = authority.leaf("x", pki.PRODUCT, now=now)
    shown = repr([issued, authority])
    assert b"PRIVATE KEY" in issued.key_pem
    assert "PRIVATE KEY" not in shown
    assert not any(line in shown for line in private_lines(issued.key_pem.decode()))
