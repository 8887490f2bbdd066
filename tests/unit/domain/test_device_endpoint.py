"""The device listener's application: paths, content types, and the answers that are no signed ones."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

import pytest

from mock_server.cluster.problems import NOT_ACTIVE
from mock_server.domain import accounts, tokens
from mock_server.errors import SmartlicError
from mock_server.web.devices import DeviceEndpoint, Postponing
from smartlic_client.protocol import callhome, smart
from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.messages import HelloRequest, Request, RequestHeader, Sudi, TrustResult
from tests.unit.domain.world import NOW, SOFTWARE, Server, Speaker, polling

SMART, CALLHOME = "/SmartTransport", "/Transportgateway/services/DeviceRequestHandler"
JSON, XML = "application/json", callhome.CONTENT_TYPE


class Front:
    """The endpoint of a server with the accounts `Lab` and some with names that a URL has to encode."""

    def __init__(self) -> None:
        self.server = Server(lambda: NOW, random.Random(4))
        for number, name in enumerate(("My Lab", "50%41/2", "Zürich")):
            self.server.commit(accounts.create_account(self.server.state, name, "S", str(number)))
        self.desk: Any = self.server.desk
        self.app = DeviceEndpoint(lambda: self.desk, self.not_active)

    def not_active(self) -> SmartlicError:
        return NOT_ACTIVE(node="test", state="Standby", active="other")

    def post(self, path: str, body: bytes, content_type: str | None = JSON) -> tuple[int, bytes]:
        headers = [] if content_type is None else [(b"content-type", content_type.encode())]
        scope = {
            "type": "http",
            "method": "POST",
            "path": unquote(path),
            "raw_path": path.encode(),
            "headers": headers,
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        return sent[0]["status"], sent[1]["body"]

    def token(self, account: str) -> str:
        happened, token = tokens.create_token(
            self.server.state,
            account,
            "Default",
            days=1,
            uses=1,
            description="",
            export_controlled=False,
            now=NOW,
            random=random.Random(account).randbytes,
        )
        self.server.commit(happened)
        return token.reveal()


@pytest.fixture
def front() -> Front:
    return Front()


def status(body: bytes) -> tuple[str, str | None]:
    """Status and code of a signed answer."""
    data = smart.decode_answer(body).answer.data
    return data.status, data.code


def hello() -> bytes:
    return Speaker().bytes_of(HelloRequest(message_id="m", sequence=1, software_tag_identifier=SOFTWARE))


# ---- CSLU -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["Lab", "My Lab", "50%41/2", "Zürich"])
def test_a_cslu_url_puts_the_instance_into_its_account(front: Front, name: str) -> None:
    """Whatever its name holds; the token has to be one of that account."""
    path = f"/cslu/v1/pi/{quote(name, safe='')}-1"
    speaker = Speaker(sn=name[:2])
    for number, account in enumerate(("My Lab" if name == "Lab" else "Lab", name)):
        speaker = Speaker(sn=f"SN{number}")
        code, body = front.post(path, speaker.bytes_of(speaker.trust(front.token(account))))
        assert code == 200
        expected = ("COMPLETE", None) if account == name else ("FAILED", "other-account")
        assert status(body) == expected
    (instance,) = front.server.state.instances.values()
    assert instance.account == name


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/cslu/v1/pi/lab-1", "no local account 'lab'"),
        ("/cslu/v1/pi/Nowhere-1", "no local account 'Nowhere'"),
        ("/cslu/v1/pi/Lab", "There is nothing at"),
        ("/cslu/v1/pi/Lab-2", "There is nothing at"),
        ("/cslu/v1/pi/-1", "There is nothing at"),
        ("/cslu/v1/pi/a/Lab-1", "There is nothing at"),
        ("/smarttransport", "There is nothing at"),
    ],
)
def test_other_urls_lead_nowhere(front: Front, path: str, word: str) -> None:
    """An account that is not there, by its exact name, and every other path: 404 with a reason."""
    code, body = front.post(path, hello())
    assert code == 404
    assert word in json.loads(body)["path"][0]


def test_a_node_that_is_not_active_knows_no_accounts(front: Front) -> None:
    """A CSLU URL gets the 503 that every URL gets: the device tries again."""
    front.desk = None
    for path in (SMART, "/cslu/v1/pi/Nowhere-1"):
        assert front.post(path, hello())[0] == 503


# ---- content types ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8", "text/plain", None])
def test_what_can_be_read_is_answered_whatever_it_is_called(front: Front, content_type: str | None) -> None:
    """A wrong or missing content type is no harm to a message that is one."""
    code, body = front.post(SMART, hello(), content_type)
    assert (code, status(body)) == (200, ("COMPLETE", None))


@pytest.mark.parametrize(
    ("path", "content_type", "expected"),
    [
        (SMART, XML, 415),
        (SMART, "text/plain", 415),
        (SMART, JSON, 400),
        (SMART, None, 400),
        (CALLHOME, JSON, 415),
        (CALLHOME, "TEXT/XML", 400),
        ("/cslu/v1/pi/Lab-1", XML, 415),
    ],
)
def test_what_cannot_be_read_says_why(
    front: Front, path: str, content_type: str | None, expected: int
) -> None:
    """415 where the content type is another than the transport's; 400 where it is right."""
    code, body = front.post(path, b"<x/", content_type)
    assert code == expected
    assert set(json.loads(body)) == {"content_type" if expected == 415 else "request"}


# ---- request types and versions ---------------------------------------------------------------------------
def raw(request_type: str, version: str = "1.3") -> bytes:
    """A message of a type that may be none."""
    header = RequestHeader(
        sudi=Sudi.of(Udi(pid="P", sn="S")),
        nonce="1",
        request_type=request_type,
        product_instance_identifier="",
        version=version,
    )
    data: Request = HelloRequest(nonce="1", message_id="m", sequence=1, software_tag_identifier=SOFTWARE)
    body = json.loads(smart.encode_request(header, data, None))
    body["request"] = body["request"].replace(
        r"\"request_type\":\"HELLO\"", rf"\"request_type\":\"{request_type}\""
    )
    return json.dumps(body).encode()


def test_an_unknown_request_type_gets_the_public_error_form(front: Front) -> None:
    """400 and a map from the field to the text, on Call Home too."""
    for path, body in (
        (SMART, raw("RESERVATION")),
        (CALLHOME, callhome.wrap(raw("RESERVATION"), serial="S", now=NOW, number=1, to="x", sender="y")),
    ):
        code, answer = front.post(path, body, JSON if path == SMART else XML)
        assert code == 400
        told = smart.decode_error_map(answer)
        assert told == {"request_type": ["The request type 'RESERVATION' is not known."]}


def test_a_newer_version_is_told_so_in_a_version_that_we_speak(front: Front) -> None:
    """VERSION_TOO_HIGH, signed; an older version is answered in that version."""
    for kind in ("HELLO", "RESERVATION"):
        code, body = front.post(SMART, raw(kind, "9.0"))
        answer = smart.decode_answer(body).answer
        assert (code, answer.data.status, answer.data.status_code) == (200, "VERSION_TOO_HIGH", 127)
        assert answer.header.version == "1.3"
    answer = smart.decode_answer(front.post(SMART, raw("HELLO", "1.1"))[1]).answer
    assert (answer.data.status, answer.header.version) == ("COMPLETE", "1.1")


# ---- answers that come later ------------------------------------------------------------------------------
@pytest.mark.parametrize("path", [SMART, "/cslu/v1/pi/Lab-1"])
def test_a_postponed_answer_is_told_without_its_result_and_asked_for(front: Front, path: str) -> None:
    """OK_POLL has a poll id and a time, and nothing of the result; the POLL brings it with its chain."""
    front.desk = replace(front.desk, postponing=Postponing(left=1, seconds=7))
    speaker = Speaker()
    request = speaker.trust(front.token("Lab"))
    later = smart.decode_answer(front.post(path, speaker.bytes_of(request))[1]).answer.data
    assert (later.status, later.data) == ("OK_POLL", None)
    assert later.poll_id is not None
    assert later.retry_time_seconds == 7
    assert front.desk.postponing.left == 0
    for poll_id, expected in (("lost", ("FAILED", "poll-unknown")), (later.poll_id, ("COMPLETE", None))):
        code, body = front.post(path, speaker.bytes_of(polling(request, poll_id)))
        assert (code, status(body)) == (200, expected)
    answer = smart.decode_answer(body).answer
    assert isinstance(answer.data.data, TrustResult)
    assert answer.header.product_instance_identifier in front.server.state.instances
    assert answer.data.data.id_certificate_chain == front.desk.id_chain
