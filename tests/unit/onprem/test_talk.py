"""Access tokens, retries, and what is never sent twice: both clients against servers that go wrong."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
from typing import Any

import pytest

from smartlic_client.errors import RefusedError, RemoteError, SmartlicError, TrustError
from smartlic_client.onprem import AsyncOnPremApi, OnPremApi
from tests.unit.client.tls_servers import Authority
from tests.unit.onprem.serving import (
    AUTHORITY,
    BOTH,
    SECRET,
    Answer,
    Api,
    Asked,
    Given,
    ask,
    granted,
    in_turn,
)

OK = Answer({"accounts": [], "status": "SUCCESS"})
SAID = {"status": "ERROR", "statusMessage": "Not now. ", "code": "x"}


def reads(api: Any) -> Any:
    return api.accounts()


def changes(api: Any) -> Any:
    return api.create_virtual_account("a", "b")


def failure(kind: str, server: Api, *works: Any, **settings: Any) -> SmartlicError:
    with pytest.raises(SmartlicError) as caught:
        ask(kind, server, *(works or (reads,)), **settings)
    told = json.dumps(caught.value.as_dict()) + str(caught.value)
    assert SECRET not in told
    assert "Bearer" not in told
    return caught.value


# ---- the access token -------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", BOTH)
def test_one_access_token_for_all_calls(kind: str) -> None:
    """It is asked for once, by the form of RFC 6749, and both clients keep one connection."""
    with Api(lambda _: OK) as server:
        ask(kind, server, reads, reads, changes)
    (grant,) = server.grants
    assert grant.body.decode() == f"grant_type=client_credentials&client_id=me&client_secret={SECRET}"
    assert grant.header["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in grant.header
    assert [each.bearer for each in server.asked] == ["t1"] * 3
    assert server.connections == 1


@pytest.mark.parametrize("kind", BOTH)
def test_a_user_and_a_password(kind: str) -> None:
    """The grant `password` is used where a user is given, with the client if there is one too."""
    with Api(lambda _: OK) as server:
        ask(kind, server, reads, user="añn", password="p&=", client_id=None, client_secret=None)
        ask(kind, server, reads, user="añn", password="p&=")
    assert [each.body.decode() for each in server.grants] == [
        "grant_type=password&username=a%C3%B1n&password=p%26%3D",
        f"grant_type=password&username=a%C3%B1n&password=p%26%3D&client_id=me&client_secret={SECRET}",
    ]


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("expires_in", [0.001, "0.001", 1e-9])
def test_a_token_that_has_ended_is_not_used(kind: str, expires_in: Any) -> None:
    """By the time of the second call the first token has ended, so that another is asked for before it."""
    with Api(lambda _: OK, grant=lambda number: granted(number, expires_in)) as server:
        ask(kind, server, reads, reads)
    assert [each.bearer for each in server.asked] == ["t1", "t2"]


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("expires_in", [None, "", 0, -5, "3600", 3600.0])
def test_a_token_whose_end_is_far_or_unknown_is_used_on(kind: str, expires_in: Any) -> None:
    """A server need not say when a token ends."""
    with Api(lambda _: OK, grant=lambda number: granted(number, expires_in)) as server:
        ask(kind, server, reads, reads)
    assert [each.bearer for each in server.asked] == ["t1", "t1"]


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
@pytest.mark.parametrize("work", [reads, changes])
def test_a_token_that_is_refused_is_renewed_once(kind: str, status: str, work: Any) -> None:
    """A token that ended early, or was revoked, costs one more call; a change too, for it was not made."""
    with Api(in_turn(OK, Answer(SAID, status), OK)) as server:
        ask(kind, server, reads, work)
    assert [each.bearer for each in server.asked] == ["t1", "t1", "t2"]


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_what_a_new_token_is_refused_for_is_refused(kind: str, status: str) -> None:
    """Forbidden is forbidden, and no second token is asked for where the first one is new."""
    with Api(lambda _: Answer(SAID, status)) as server:
        error = failure(kind, server)
    assert isinstance(error, RefusedError)
    assert error.code == "api-forbidden"
    assert "list the local accounts: Not now." in error.sentence
    assert error.context["server_code"] == "x"
    assert (len(server.asked), len(server.grants)) == (1, 1)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "403 Forbidden"])
@pytest.mark.parametrize(
    "body",
    [
        {"error": "invalid_client", "error_description": f"no client {SECRET} here"},
        {"status": "ERROR", "statusMessage": "unknown client"},
        {"error": "invalid_client"},
    ],
)
def test_a_client_that_is_refused(kind: str, status: str, body: Any) -> None:
    """Its own code, which client, what the server says, and never the secret, even if it repeats that."""
    with Api(grant=lambda _: Answer(body, status)) as server:
        error = failure(kind, server)
    assert error.code == "api-client-refused"
    assert "the client me" in error.sentence
    assert server.asked == []
    assert len(server.grants) == 1


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("status", "code"), [("404 Not Found", "api-not-found"), ("409 Conflict", "api-refused")]
)
def test_another_refusal_of_the_tokens_route_is_not_the_clients_fault(
    kind: str, status: str, code: str
) -> None:
    """Whoever named the wrong path is not told to look at the secret."""
    with Api(grant=lambda _: Answer(SAID, status)) as server:
        assert failure(kind, server).code == code


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    "body",
    [{}, {"access_token": ""}, {"access_token": "a\r\nX: y"}, {"access_token": ["a"]}, {"access_token": "é"}],
)
def test_a_token_that_is_none(kind: str, body: Any) -> None:
    """What cannot stand in a header field is not put there."""
    with Api(grant=lambda _: Answer(body)) as server:
        assert failure(kind, server).code == "api-answer-unreadable"
    assert server.asked == []


def test_threads_ask_for_one_token() -> None:
    """Twenty threads that begin at once share the token that one of them asks for."""
    with Api(lambda _: OK) as server:
        with OnPremApi(server.url, trust=AUTHORITY.pem, client_id="me", client_secret=SECRET) as api:
            threads = [threading.Thread(target=api.accounts) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
        assert len(server.asked) == 20
    assert len(server.grants) == 1


def test_tasks_ask_for_one_token() -> None:
    """So do twenty tasks, also where the token that they hold is refused to all of them."""

    def answer(asked: Asked) -> Answer:
        return Answer(SAID, "401 Unauthorized") if asked.bearer == "t1" else OK

    async def main(server: Api) -> None:
        url, secret = server.url, SECRET
        async with AsyncOnPremApi(url, trust=AUTHORITY.pem, client_id="me", client_secret=secret) as api:
            await asyncio.gather(*[api.accounts() for _ in range(20)], return_exceptions=True)
            await asyncio.gather(*[api.accounts() for _ in range(20)])

    with Api(answer) as server:
        asyncio.run(main(server))
    assert len(server.grants) == 2


def test_a_task_that_is_cancelled_while_it_asks_for_a_token_leaves_the_others_alone() -> None:
    """The next task asks for the token itself."""
    asked, gone = threading.Event(), threading.Event()

    def grant(number: int) -> Answer:
        if number == 1:
            asked.set()
            assert gone.wait(20)
        return granted(number)

    async def main(server: Api) -> None:
        url, secret = server.url, SECRET
        async with AsyncOnPremApi(url, trust=AUTHORITY.pem, client_id="me", client_secret=secret) as api:
            first = asyncio.ensure_future(api.accounts())
            second = asyncio.ensure_future(api.accounts())
            await asyncio.to_thread(asked.wait, 20)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            gone.set()
            assert await second == []

    with Api(lambda _: OK, grant=grant) as server:
        asyncio.run(main(server))
    assert [each.bearer for each in server.asked] == ["t2"]


@pytest.mark.parametrize("missing", ["httpx", "httpcore"])
def test_without_httpx_it_says_what_to_install(missing: str) -> None:
    """The client in the calling thread needs none of it."""
    code = f"""
import sys; sys.modules[{missing!r}] = None
import smartlic_client as s
given = {{"trust": {AUTHORITY.pem!r}, "client_id": "a", "client_secret": "b"}}
s.OnPremApi("https://127.0.0.1", **given).close()
try:
    s.AsyncOnPremApi("https://127.0.0.1", **given)
except s.CallerError as error:
    print(error.code, error.mend)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.stdout, done.stderr) == ("httpx-needed Install it: pip install 'smartlic[async]'\n", "")


# ---- later ------------------------------------------------------------------------------------------------
LATER: list[Given] = [
    Answer(SAID, "429 Too Many Requests"),
    Answer(SAID, "503 Service Unavailable"),
    Answer(b"", "503 Service Unavailable", content_type=""),
    Answer(SAID, "502 Bad Gateway"),
]


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("work", [reads, changes])
@pytest.mark.parametrize("later", LATER)
def test_what_the_server_did_not_do_is_asked_again(kind: str, work: Any, later: Given) -> None:
    """429, 503, and a 502 of the server's own say that it was not done: changes are sent again as well."""
    pauses: list[float] = []
    with Api(in_turn(later, later, OK)) as server:
        ask(kind, server, work, pauses=pauses)
    assert len(server.asked) == 3
    assert len(pauses) == 2


@pytest.mark.parametrize("kind", BOTH)
def test_retry_after_is_kept_to(kind: str) -> None:
    """The pause is not shorter than the server says, also where that is more than a minute."""
    pauses: list[float] = []
    answers = (Answer(SAID, "429 Too Many Requests", (f"Retry-After: {seconds}",)) for seconds in (3, 90, 0))
    with Api(in_turn(*answers, OK)) as server:
        ask(kind, server, reads, wait=200.0, pauses=pauses)
    assert 3 <= pauses[0] < 4
    assert 90 <= pauses[1] < 120
    assert 0 < pauses[2] < 1


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(("wait", "told"), [(10.0, 11), (0.0, 1), (0.0, 0)])
def test_the_wait_is_a_bound(kind: str, wait: float, told: int) -> None:
    """What comes later than the caller waits ends the call at once, and the error says when to come again."""
    pauses: list[float] = []
    with Api(lambda _: Answer(SAID, "429 Too Many Requests", (f"Retry-After: {told}",))) as server:
        error = failure(kind, server, wait=wait, pauses=pauses)
    assert (error.code, error.retry_after) == ("api-rate-limited", told)
    assert pauses == []
    assert len(server.asked) == 1


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("work", [reads, changes])
def test_a_token_that_comes_later(kind: str, work: Any) -> None:
    """A server that boots answers 502 to the token's route as well; a request for a token changes nothing."""
    first: list[Given] = [None, Answer(b"<html>", "502 Bad Gateway", content_type="text/html")]
    with Api(lambda _: OK, grant=lambda n: first[n - 1] if n < 3 else granted(n)) as server:
        ask(kind, server, work)
    assert [each.bearer for each in server.asked] == ["t3"]


# ---- lost answers -----------------------------------------------------------------------------------------
LOST: dict[str, Given] = {
    "closed": None,
    "a proxy's 502": Answer(b"<html>", "502 Bad Gateway", content_type="text/html"),
    "a proxy's 504": Answer(b"<html>", "504 Gateway Timeout", content_type="text/html"),
    "a 504": Answer(SAID, "504 Gateway Timeout"),
}


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("case", LOST)
def test_a_question_is_asked_again_when_its_answer_was_lost(kind: str, case: str) -> None:
    """Asking twice does no harm."""
    with Api(in_turn(OK, LOST[case], LOST[case], OK)) as server:
        ask(kind, server, reads, reads)
    assert len(server.asked) == 4


MAYBE = LOST | {
    "a 500": Answer(SAID, "500 Internal Server Error"),
    "a portal": Answer(b"<html>", content_type="text/html"),
    "no object": Answer([]),
    "another form": Answer({"status": ["x"]}),
    "packed": Answer(b"\x1f\x8b", header=("Content-Encoding: gzip",)),
}


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("case", MAYBE)
def test_a_change_is_never_sent_twice(kind: str, case: str) -> None:
    """Where it may have been done, the error says that, with the reason, and the server was asked once."""
    with Api(in_turn(OK, MAYBE[case], OK)) as server:
        error = failure(kind, server, lambda api: _then(api))
        assert len(server.asked) == 2
    assert isinstance(error, RemoteError)
    assert error.code == "api-maybe-done"
    assert "make the virtual account 'b'" in error.sentence


def _then(api: Any) -> Any:
    """A read, and then a change on the same connection."""
    if isinstance(api, OnPremApi):
        api.accounts()
        return changes(api)

    async def both() -> None:
        await api.accounts()
        await changes(api)

    return both()


@pytest.mark.parametrize("kind", BOTH)
def test_a_token_that_was_made_and_cannot_be_read_may_have_been_made(kind: str) -> None:
    """So that nobody makes a second one without a look at the list."""
    with Api(lambda _: Answer({"status": "SUCCESS", "tokenInfo": {"description": "x"}})) as server:
        error = failure(kind, server, lambda api: api.create_id_token("a", "b"))
    assert error.code == "api-maybe-done"


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("work", [reads, changes])
def test_where_nothing_was_sent_everything_is_tried_again(kind: str, work: Any) -> None:
    """Nobody listens any more: a change too is tried until the time is up, and the error says what it was."""
    pauses: list[float] = []
    server = Api(lambda _: OK)

    def leave(api: Any) -> Any:
        server.close()
        return work(api)

    error = failure(kind, server, lambda api: api.accounts(), leave, wait=0.2, pauses=pauses)
    assert error.code == "connection-refused"
    assert pauses
    assert len(server.asked) == 1


# ---- refusals ---------------------------------------------------------------------------------------------
REFUSED: dict[str, tuple[Answer, str]] = {
    "400": (Answer(SAID, "400 Bad Request"), "api-refused"),
    "404": (Answer(SAID, "404 Not Found"), "api-not-found"),
    "409": (Answer(SAID, "409 Conflict"), "api-refused"),
    "413": (Answer(SAID, "413 Content Too Large"), "api-refused"),
    "an error with 200": (Answer(SAID), "api-refused"),
    "a page for 404": (Answer(b"<html>", "404 Not Found", content_type="text/html"), "api-answer-unreadable"),
    "a redirect": (Answer(b"", "302 Found", ("Location: https://elsewhere/",)), "api-redirected"),
}


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("work", [reads, changes])
@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_told_apart_and_not_repeated(kind: str, work: Any, case: str) -> None:
    """Each has its code and what the server says; nothing was done, and nothing is retried."""
    answer, code = REFUSED[case]
    with Api(lambda _: answer) as server:
        error = failure(kind, server, work)
    assert error.code == code
    assert ("Not now." in error.sentence) == (answer.body == SAID)
    assert len(server.asked) == 1


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (Answer(b"<html>", content_type="text/html"), "text/html"),
        (Answer(b"", content_type=""), "no accounts"),
        (Answer([]), "no object"),
        (Answer(b"\x1f\x8b", header=("Content-Encoding: gzip",)), "compressed"),
        (Answer({"accounts": 5}), "no list"),
        (Answer({"accounts": [{"virtual_accounts": [{"isDefault": "maybe"}]}]}), "isDefault"),
        (Answer(b'{"a":' * 5000), "JSON"),
    ],
)
def test_an_answer_that_is_none(kind: str, answer: Answer, word: str) -> None:
    """A portal's page, something else than JSON, or another form of it: said with what is wrong."""
    with Api(lambda _: answer) as server:
        error = failure(kind, server)
    assert error.code == "api-answer-unreadable"
    assert word in error.sentence


@pytest.mark.parametrize("kind", BOTH)
def test_what_a_server_says_is_one_short_line(kind: str) -> None:
    """Control characters and novels of a hostile server do not reach the terminal."""
    said = "a\x1b[31m\r\nb" + "x" * 5000
    with Api(lambda _: Answer({"statusMessage": said, "code": 5}, "400 Bad Request")) as server:
        error = failure(kind, server)
    assert "\x1b" not in error.sentence
    assert "\n" not in error.sentence
    assert len(error.sentence) < 500


# ---- trust ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("certificate", "code"),
    [
        (AUTHORITY.issue("ssm.example.com", san=["127.0.0.1"]), "name-mismatch"),
        (Authority("Somebody").issue("127.0.0.1"), "untrusted-chain"),
    ],
)
def test_another_server_gets_no_secret(kind: str, certificate: Any, code: str) -> None:
    """The name and the chain are checked as a product checks them, before the secret is sent."""
    with Api(certificate=certificate) as server:
        error = failure(kind, server, wait=60.0)
        server.settle()
    assert isinstance(error, TrustError)
    assert error.code == code
    assert server.received == 0


@pytest.mark.parametrize("kind", BOTH)
def test_another_policy_can_be_chosen(kind: str) -> None:
    """A browser certificate of a company's authority often has its names as alternative names only."""
    from smartlic_client.names import Policy

    with Api(lambda _: OK, certificate=AUTHORITY.issue("Web Server", san=["127.0.0.1"])) as server:
        assert ask(kind, server, reads, policy=Policy.SUBJECT_ALTERNATIVE_NAME) == [[]]


@pytest.mark.parametrize("kind", BOTH)
def test_an_ipv6_address(kind: str) -> None:
    """In brackets in the URL, and equal to the Common Name however it is written."""
    with Api(lambda _: OK, certificate=AUTHORITY.issue("::1"), host="::1") as server:
        assert ask(kind, server, reads, url=f"https://[0:0:0:0:0:0:0:1]:{server.port}") == [[]]
    assert server.asked[0].header["host"] == f"[::1]:{server.port}"


@pytest.mark.parametrize("kind", BOTH)
def test_a_list_that_is_too_large_for_one_answer(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to ask for less."""
    monkeypatch.setattr("smartlic_client.onprem.talk.LARGEST", 1000)
    with Api(lambda _: Answer({"accounts": ["x" * 1000]})) as server:
        error = failure(kind, server)
    assert error.code == "api-answer-too-large"
    assert "page_size" in error.mend


@pytest.mark.parametrize("kind", BOTH)
def test_a_name_with_an_address_given_for_it(kind: str) -> None:
    """`resolve` leads to an address, and the name that is checked stays the URL's."""
    with Api(lambda _: OK, certificate=AUTHORITY.issue("ssm.example.com")) as server:
        url = f"https://ssm.example.com:{server.port}"
        resolve = {("ssm.example.com", server.port): "127.0.0.1"}
        assert ask(kind, server, reads, url=url, resolve=resolve) == [[]]
    assert server.asked[0].header["host"] == f"ssm.example.com:{server.port}"


# ---- secrets ----------------------------------------------------------------------------------------------
def test_nothing_shows_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the repr of a client and its parts, nor what the libraries log at their most talkative."""
    caplog.set_level(logging.DEBUG)
    with Api(lambda _: OK) as server:
        for kind in BOTH:
            ask(kind, server, reads)
        with OnPremApi(server.url, trust=AUTHORITY.pem, client_id="me", client_secret=SECRET) as api:
            api.accounts()
            talker = api._calls._talker
            shown = f"{api!r} {vars(api)!r} {vars(talker)!r} {vars(api._calls)!r}"
    for text in (shown, caplog.text):
        assert SECRET not in text
        assert "'t1'" not in text
        assert "Bearer" not in text
