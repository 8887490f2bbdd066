"""What is sent wrongly gets a JSON error with a status, a code, and what to do; never a trace."""

from __future__ import annotations

import logging
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mock_server.api import licenses, problems
from mock_server.api.calls import Route
from mock_server.api.limits import RateLimit
from mock_server.api.routes import ROUTES
from mock_server.errors import PROBLEMS, SmartlicError
from tests.unit.api.front import PASSWORD, Front

LAB = "/api/v1/accounts/Lab"
DEFAULT = f"{LAB}/virtual-accounts/Default"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def front() -> Front:
    return Front()


BODIES: list[tuple[bytes, str, int, str]] = [
    (b"{", "application/json", 400, "body-unreadable"),
    (b'{"limit": }', "application/json", 400, "body-unreadable"),
    (b"[1]", "application/json", 400, "body-unreadable"),
    (b'"text"', "application/json", 400, "body-unreadable"),
    (b'{"a": "\xff"}', "application/json", 400, "body-unreadable"),
    (b'{"a": "\\ud800"}', "application/json", 400, "body-unreadable"),
    (b"{" * 200_000, "application/json", 400, "body-unreadable"),
    (b'{"a":' + b"[" * 200_000, "application/json", 400, "body-unreadable"),
    (b'{"limit": ' + b"9" * 100_000 + b"}", "application/json", 400, "body-unreadable"),
    (b"<xml/>", "application/xml", 415, "body-unknown"),
    (b"--b\r\n", "multipart/form-data; boundary=b", 415, "body-unknown"),
    (b"\x00\x01", "application/octet-stream", 415, "body-unknown"),
    (b"limit=1&" * 10_001, FORM, 400, "body-unreadable"),
    (b'{"limit": "many"}', "application/json", 400, "bad-value"),
    (b'{"limit": true}', "application/json", 400, "bad-value"),
    (b'{"limit": 1.5}', "application/json", 400, "bad-value"),
    (b'{"limit": -2}', "application/json", 400, "bad-value"),
    (b'{"offset": -1}', "application/json", 400, "bad-value"),
    (b'{"limit": {}}', "application/json", 400, "bad-value"),
    (b'{"virtualAccounts": 5}', "application/json", 400, "bad-value"),
    (b'{"virtualAccounts": [5]}', "application/json", 400, "bad-value"),
    (b'{"virtualAccounts": [["a"]]}', "application/json", 400, "bad-value"),
    (b" " * 2**20 + b"{}", "application/json", 413, "body-too-large"),
]


@pytest.mark.parametrize(("body", "kind", "status", "code"), BODIES)
def test_a_body_that_is_none_is_refused(front: Front, body: bytes, kind: str, status: int, code: str) -> None:
    """Broken JSON, other kinds, wrong types, too much, too deep, each with its status."""
    answer = front.post(f"{LAB}/licenses", body, content_type=kind)
    assert (answer.status, answer.code) == (status, code)
    assert b"Traceback" not in answer.body
    assert len(answer.body) < 2_000


@pytest.mark.parametrize(
    ("path", "said", "code"),
    [
        (f"{LAB}/virtual-accounts", {}, "bad-value"),
        (f"{LAB}/virtual-accounts", {"name": "  "}, "bad-value"),
        (f"{LAB}/virtual-accounts", {"name": "x" * 10_000}, "bad-name"),
        (f"{LAB}/virtual-accounts", {"name": "a\nb"}, "bad-name"),
        (f"{LAB}/virtual-accounts", {"name": " a"}, "bad-name"),
        (f"{LAB}/virtual-accounts", {"name": 7}, "bad-value"),
        (f"{LAB}/virtual-accounts", {"name": "n", "description": "x" * 256}, "bad-value"),
        (f"{DEFAULT}/tokens", {"expiresAfterDays": 0}, "bad-token-days"),
        (f"{DEFAULT}/tokens", {"expiresAfterDays": "1e3"}, "bad-value"),
        (f"{DEFAULT}/tokens", {"expiresAfterDays": "nan"}, "bad-value"),
        (f"{DEFAULT}/tokens", {"expiresAfterDays": 10**30}, "bad-token-days"),
        (f"{DEFAULT}/tokens", {"numberOfUses": 0}, "bad-token-uses"),
        (f"{DEFAULT}/tokens", {"exportControlled": "perhaps"}, "bad-value"),
        (f"{DEFAULT}/tokens/revoke", {}, "bad-value"),
        (f"{DEFAULT}/licenses/transfer", {"licenses": []}, "bad-value"),
        (f"{DEFAULT}/licenses/transfer", {"licenses": [{"license": "DNA"}]}, "bad-value"),
        (f"{DEFAULT}/licenses/transfer", {"licenses": "DNA"}, "bad-value"),
        (f"{DEFAULT}/devices/remove", {"productInstances": [{"sudi": "x"}]}, "bad-value"),
        (f"{DEFAULT}/devices/remove", {"productInstances": [{}]}, "bad-value"),
    ],
)
def test_a_field_that_cannot_be_is_named(front: Front, path: str, said: object, code: str) -> None:
    """400 with the field's name, and nothing has happened."""
    before = len(front.ledger.changes)
    answer = front.post(path, said)
    assert (answer.status, answer.code) == (400, code)
    assert len(answer.body) < 2_000
    assert len(front.ledger.changes) == before


@pytest.mark.parametrize(
    ("said", "code", "word"),
    [
        ({}, "bad-value", "invalid_request"),
        ({"grant_type": "authorization_code"}, "wrong-grant", "unsupported_grant_type"),
        ({"grant_type": "x" * 10_000}, "wrong-grant", "unsupported_grant_type"),
        ({"grant_type": 5}, "bad-value", "invalid_request"),
        ({"grant_type": "client_credentials"}, "wrong-client", "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "\x00ü"}, "wrong-client", "invalid_client"),
        ({"grant_type": "password"}, "wrong-user", "invalid_grant"),
        (
            {"grant_type": "password", "username": "nobody", "password": PASSWORD},
            "wrong-user",
            "invalid_grant",
        ),
        (
            {"grant_type": "password", "username": "anna", "password": "x" * 10_000},
            "wrong-user",
            "invalid_grant",
        ),
    ],
)
def test_a_wrong_request_for_an_access_token(front: Front, said: object, code: str, word: str) -> None:
    """A wrong grant is 400, a wrong client or user 403; RFC 6749's word is there for its libraries."""
    answer = front.post("/backend/oauth/token", said, bearer=None)
    assert answer.code == code
    assert answer.status == (403 if code in ("wrong-client", "wrong-user") else 400)
    assert answer.json["error"] == word


def test_a_slow_body_is_given_up() -> None:
    """408 once its time is over, and the connection is closed; one that comes in time is read."""
    slow = Front(body_seconds=0.05)
    answer = slow.post(f"{LAB}/licenses", parts=[b'{"limit":', 5.0, b"1}"])
    assert (answer.status, answer.code, answer.headers["connection"]) == (408, "body-too-slow", "close")
    assert Front().post(f"{LAB}/licenses", parts=[b'{"limit":', 0.0, b"1}"]).json["status"] == "SUCCESS"


def test_a_body_is_not_read_for_a_stranger() -> None:
    """Who bears no access token is refused at once, whatever comes."""
    front = Front(body_seconds=30)
    assert front.post(f"{LAB}/licenses", parts=[5.0], bearer="x").status == 403


def test_a_defect_is_told_as_one(
    front: Front, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 without a trace in the answer; the trace is in the log."""

    def broken(*_given: object) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(licenses, "_places", broken)
    with caplog.at_level(logging.ERROR):
        answer = front.post(f"{LAB}/licenses")
    assert (answer.status, answer.code) == (500, "api-defect")
    assert b"inside" not in answer.body
    assert "ZeroDivisionError" in caplog.text


def test_what_has_begun_is_cut_and_not_ended(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long list whose server is deposed in its middle lacks its end: nobody takes it for whole."""
    monkeypatch.setattr("mock_server.api.calls.PIECE", 1)
    token = front.id_token()
    for name in ("ONE", "TWO", "THREE"):
        front.register(name, token)
    original = type(front.ledger).settled
    waits = 0

    async def settled(self: object, index: int | None = None) -> None:
        nonlocal waits
        waits += 1
        if waits == 3:
            front.ledger.failing = True
        await original(self, index)  # type: ignore[arg-type]

    monkeypatch.setattr(type(front.ledger), "settled", settled)
    with pytest.raises((SmartlicError, ExceptionGroup)):
        front.get(f"{DEFAULT}/devices?limit=-1")


names = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(["..", "/", "%2f", "\x00"])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(ROUTES), names, names, st.binary(max_size=80), st.sampled_from(["GET", "POST", "PUT"]))
def test_no_path_and_no_body_is_a_defect(
    route: Route, account: str, virtual_account: str, body: bytes, method: str
) -> None:
    """Whatever stands in a path or comes as a body: an answer or an error of the table, never a 500."""
    path = route.path.replace("{account}", quote(account, safe="") or "Lab")
    path = path.replace("{virtual_account}", quote(virtual_account, safe="") or "Default")
    answer = FRONT.call(method, path, body)
    assert answer.status < 500
    if answer.status >= 400:
        assert answer.code in PROBLEMS


FRONT = Front()


def test_every_status_of_the_table_is_of_a_problem() -> None:
    """A code that was renamed would get 400 for a 404."""
    assert set(problems.STATUS) <= set(PROBLEMS)


# ---- the rate limit ---------------------------------------------------------------------------------------
@settings(deadline=None)
@given(st.integers(1, 100), st.lists(st.floats(0, 30), max_size=150))
def test_no_bearer_has_more_calls_than_its_minutes_give(limit: int, pauses: list[float]) -> None:
    """No more than one full minute and what was refilled; the pause that a refusal names is enough."""
    rate, now, spent = RateLimit(), 0.0, 0
    for pause in pauses:
        now += pause
        try:
            rate.spend("a", limit, now)
            spent += 1
        except SmartlicError as error:
            assert error.retry_after is not None
            assert 0 < error.retry_after <= 60
            now += error.retry_after + 1e-6
            rate.spend("a", limit, now)
            spent += 1
        rate.spend(f"other {now}", limit, now)
        assert spent <= limit + now * limit / 60 + 1e-6


def test_without_a_limit_nothing_is_counted() -> None:
    """Off, it lets all through; switched on, everybody begins with a whole minute."""
    rate = RateLimit()
    for _ in range(500):
        rate.spend("a", 0, 0.0)
    rate.spend("a", 1, 0.0)
    with pytest.raises(SmartlicError):
        rate.spend("a", 1, 0.0)
