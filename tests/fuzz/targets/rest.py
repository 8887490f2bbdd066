"""Calls of the REST API, as text: a line with method and path, headers, an empty line, the body.

`@BEARER@` stands for an access token, `@CLIENT@` and `@SECRET@` for a client of the API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mock_server.api.paths import is_of_api
from mock_server.api.routes import ROUTES
from tests.fuzz.asgi import Caller, Failures, written
from tests.fuzz.target import Read, Target
from tests.unit.api.front import Front
from tests.unit.domain.world import loaded, rows


def prepare() -> Read:
    front = Front()
    front.register("FOC1", front.id_token(), uses=3)
    words = dict(zip((b"@CLIENT@", b"@SECRET@"), (one.encode() for one in front.clients["Lab"]), strict=True))
    words[b"@BEARER@"] = front.bearer.encode()
    kept = rows(front.server.machine)
    users = {("user", name): front.server.machine.row("user", name) for name in front.state.users}
    whole = [(kind, key, body) for (kind, key), body in {**kept, **users}.items() if body is not None]
    app, failures, ledger = Caller(front.app), Failures("mock_server.api.app"), front.ledger

    def read(data: bytes) -> None:
        asked = written(data, words)
        if asked is None or not is_of_api({"path": asked.path.decode(), "raw_path": asked.path}):
            return
        before = ledger.index
        status, said, answer = app.call(*asked)
        failures.tell()
        assert status < 500, answer[:300]
        assert b"content-type" in said or not answer
        if ledger.index != before:
            assert rows(loaded(front.server.machine)) == rows(front.server.machine)
            front.server.machine.load(whole)
            del ledger.changes[before:]

    return read


_BODY = b"""{"expiresAfterDays": 30, "description": "d", "exportControlled": "Allowed",
 "name": "x", "token": "t"}"""


def seeds() -> Iterator[bytes]:
    bearer = b"authorization: Bearer @BEARER@\n"
    for route in ROUTES:
        path = re.sub(r"\{account\}", "Lab", route.path)
        path = re.sub(r"\{[a-z_]+\}", "Default", path)
        line = f"{route.method} /backend{path}".encode()
        if route.method == "GET":
            yield line + b"?limit=5&offset=0\n" + bearer + b"\n"
        else:
            yield line + b"\n" + bearer + b"content-type: application/json\n\n" + _BODY
    form = b"grant_type=client_credentials&client_id=@CLIENT@&client_secret=@SECRET@"
    yield b"POST /oauth/token\ncontent-type: application/x-www-form-urlencoded\n\n" + form
    yield b"POST /oauth/token\n\n" + b'{"grant_type": "password", "username": "anna", "password": "x"}'
    yield b"GET /openapi.json\n\n"
    yield b"GET /api-docs/\n\n"
    transfer = b'{"licenses": [{"license": "DNA", "quantity": 1, "targetVirtualAccount": "Branch"}]}'
    transfer_line = b"POST /api/v1/accounts/Lab/virtual-accounts/Default/licenses/transfer\n"
    yield transfer_line + bearer + b"content-type: application/json\n\n" + transfer


_WORDS = (
    b"/api/v1/accounts/Lab/virtual-accounts/Default/",
    b"/oauth/token",
    b"Bearer @BEARER@",
    b"Basic ",
    b"@CLIENT@",
    b"@SECRET@",
    b"content-type: application/x-www-form-urlencoded\n",
    b"content-type: application/json\n",
    b"%2F",
    b"%00",
    b"%ff",
    b"[]=",
    b"limit=",
    b"offset=",
    b"null",
    b"true",
    b"1e999",
    b"9999999999999999999",
    b"Branch",
    b"licenses",
    b"HEAD",
    b"DELETE",
    b"PUT",
)
TARGETS = (Target("rest", prepare, seeds, longest=2048, words=_WORDS),)
