"""The documents of synchronization, as both sides open them: raw, and sealed after they were changed."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import msgspec

from mock_server.cssm import state as cssm_state
from mock_server.cssm.state import CssmState
from mock_server.domain import documents, events, synchronization
from mock_server.domain.synchronization import SyncAnswer, SyncRequest
from mock_server.domain.words import describe
from mock_server.errors import SmartlicError
from smartlic_client.protocol import signing
from tests.fuzz.mutation import json_in_json
from tests.fuzz.target import Read, Target
from tests.unit.cssm.sides import CLUSTER, Sides
from tests.unit.domain.world import NOW, authorities, loaded, rows

RAW, ANSWER = 0x80, 1
_NONCE = "n1"


class Post:
    """SSM On-Prem, which waits for the answer to `n1`, and CSSM."""

    def __init__(self) -> None:
        self.sides = Sides()
        self.sides.buy(5, kind="TERM", start=1.0, end=2e9)
        self.request = self.sides.request()
        self.server = self.sides.server
        self.server.commit(synchronization.request_to_file(self.server.state, "Lab", _NONCE))
        self.kept = rows(self.server.machine)
        self.root = authorities().root.certificate

    def sealed(self, body: bytes, *, is_answer: bool) -> bytes:
        kind = "smartlic-sync-answer" if is_answer else "smartlic-sync-request"
        key = authorities().root.key if is_answer else authorities().ca.key
        envelope = {
            "kind": kind,
            "format": documents.FORMAT,
            "root": documents.fingerprint(self.root),
            "body": base64.b64encode(body).decode(),
            "signature": signing.sign(key, f"{kind} {documents.FORMAT}\n".encode() + body),
        }
        return msgspec.json.format(msgspec.json.encode(envelope), indent=1) + b"\n"

    def take(self, data: bytes) -> None:
        """An answer, as SSM On-Prem takes it."""
        try:
            answer = documents.open_answer(data, self.root)
            account = self.server.state.accounts["Lab"]
            happened = synchronization.take(
                self.server.state,
                answer,
                account="Lab",
                cluster=CLUSTER,
                nonce=account.pending_request,
                now=NOW,
            )
        except SmartlicError:
            return
        assert (
            documents.open_answer(self.sealed(msgspec.json.encode(answer), is_answer=True), self.root)
            == answer
        )
        self.server.commit(happened)
        assert all(describe(event) for event in happened)
        assert events.decode(events.encode(self.server.ledger.changes[-1])).events == happened
        assert rows(loaded(self.server.machine)) == rows(self.server.machine)
        self.server.machine.load([(kind, key, body) for (kind, key), body in self.kept.items()])
        self.server.ledger.changes.pop()

    def answer(self, data: bytes) -> None:
        """A request, as CSSM answers it."""
        try:
            request = documents.open_request(data, self.root)
            draft = CssmState()
            answer = cssm_state.answer(draft, request, NOW)
        except SmartlicError:
            return
        assert answer.serial > request.serial
        stored = msgspec.json.decode(msgspec.json.encode(draft), type=CssmState)
        assert cssm_state.answer(stored, request, NOW).serial > answer.serial


def prepare() -> Read:
    post = Post()

    def read(data: bytes) -> None:
        if not data:
            return
        is_answer, body = bool(data[0] & ANSWER), data[1:]
        if not data[0] & RAW:
            body = post.sealed(body.replace(b"@CA@", _authority()), is_answer=is_answer)
        (post.take if is_answer else post.answer)(body)

    return read


def _authority() -> bytes:
    from mock_server import pki

    return pki.der_chain([authorities().ca.certificate])[0].encode()


def seeds() -> Iterator[bytes]:
    post = Post()
    request = post.sides.sealed(post.request)
    answer = post.sides.answered(request)
    opened: tuple[SyncRequest, SyncAnswer] = post.request, post.sides.opened(answer)
    for number, (document, body) in enumerate(zip((request, answer), opened, strict=True)):
        plain = json.dumps(msgspec.to_builtins(body)).replace(_authority().decode(), "@CA@")
        yield bytes((number,)) + plain.encode()
        yield bytes((number | RAW,)) + document


TARGETS = (Target("sync-files", prepare, seeds, json_in_json, longest=8192),)
