"""Requests to the pages, as text; `@COOKIE@` is a session of an administrator, `@CSRF@` is for its forms."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from mock_server.cluster.config import configure
from mock_server.cluster.roles import State
from mock_server.cluster.standing import Standing
from mock_server.cluster.status import build
from mock_server.cluster.witness import Record
from mock_server.pages import admin, licensing, pictures
from mock_server.pages.actions import ACTIONS
from mock_server.pages.app import Pages
from mock_server.pages.live import Live
from mock_server.pages.sessions import Sessions
from mock_server.pages.site import Site
from tests.fuzz.asgi import Caller, Failures, written
from tests.fuzz.target import Read, Target
from tests.unit.api.front import Front
from tests.unit.domain.world import loaded, rows, tag

_ELSEWHERE = (b"certificate", b"browser", b"sync", b"fault", b"clock", b"common-name")
"""Operations that need a server's keys, its disk or CSSM: they have none here."""
_NOT_HERE = (b"/live", b"/events", b"/admin/certificates", b"/admin/network")
"""Pages that do not end, or show what is on a server's disk."""
_FIELDS = {
    "account": "Lab",
    "virtual_account": "Default",
    "name": "x",
    "tag": tag(1),
    "quantity": "3",
    "days": "30",
    "uses": "",
    "description": "d",
    "confirmed": "yes",
    "back": "/licensing?account=Lab",
    "role": "user",
    "password": "correct horse",
}


def _status() -> dict[str, Any]:
    return build(
        configure(),
        me="primary",
        states={"primary": State.ACTIVE, "secondary": State.STANDBY},
        indexes={"primary": 9, "secondary": 9},
        heartbeat=True,
        record=Record(1, 1, ("primary", "secondary"), "primary"),
        reason="",
        problem=None,
        standing=Standing.MEMBER,
        facts={},
    )


def prepare() -> Read:
    front = Front()
    front.register("FOC1", front.id_token(), uses=3)
    sessions = Sessions(bytes(32), "c1")
    session = sessions.begin(front.state.users["anna"], time.time())
    words = {
        b"@COOKIE@": f"{sessions.cookie}={sessions.text(session)}".encode(),
        b"@CSRF@": sessions.form_token(session).encode(),
    }
    front.serving.context.status = _status
    site = Site(front.serving, sessions, Live(_status))
    users = {("user", name): front.server.machine.row("user", name) for name in front.state.users}
    kept = {**rows(front.server.machine), **users}
    whole = [(kind, key, body) for (kind, key), body in kept.items() if body is not None]
    app, failures, ledger = Caller(Pages(lambda: site)), Failures("mock_server.pages.app"), front.ledger

    def read(data: bytes) -> None:
        asked = written(data, words)
        if asked is None or any(word in asked.path for word in _NOT_HERE):
            return
        if asked.method == "POST" and any(word in asked.body for word in _ELSEWHERE):
            return
        before = ledger.index
        status, _, answer = app.call(*asked)
        failures.tell()
        assert status < 500, answer[:300]
        if ledger.index != before:
            assert rows(loaded(front.server.machine)) == rows(front.server.machine)
            front.server.machine.load(whole)
            del ledger.changes[before:]

    return read


def seeds() -> Iterator[bytes]:
    cookie = b"cookie: @COOKIE@\n"
    for path in ["/", *licensing.PAGES, *pictures.PAGES, *admin.PAGES]:
        asked = f"GET {path}?account=Lab&virtual_account=Default&tag={tag(1)}&q=x&page=1&sort=-name"
        yield asked.encode() + b"\n" + cookie + b"\n"
    yield b"GET /licensing/licenses?account=Lab&format=csv\n" + cookie + b"\n"
    form = b"content-type: application/x-www-form-urlencoded\n\n"
    yield b"POST /sign-in\n" + form + b"user=anna&password=x&csrf=y&back=/licensing"
    for operation in ACTIONS:
        if not any(word in operation.encode() for word in _ELSEWHERE):
            fields = {"action": operation, "csrf": "@CSRF@", **_FIELDS}
            text = "&".join(f"{name}={value}" for name, value in fields.items())
            yield b"POST /do\n" + cookie + form + text.encode()
    parts = b'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n@CSRF@\r\n--b--\r\n'
    yield b"POST /do\n" + cookie + b"content-type: multipart/form-data; boundary=b\n\n" + parts


_WORDS = (
    b"cookie: @COOKIE@\n",
    b"csrf=@CSRF@",
    b"action=",
    b"account=Lab",
    b"sort=",
    b"page=",
    b"format=csv",
    b"confirmed=yes",
    b"%00",
    b"%ff",
    b"%F0%9F%90%8D",
    b"\r\n--b\r\n",
    b'; filename="x"',
    b"charset=utf-16",
    b"/static/",
    b"quantity=99999999999999999999",
    b"back=//x",
)
TARGETS = (Target("pages", prepare, seeds, longest=2048, words=_WORDS),)
