"""Who may do what, and that each check is one that something rests on."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from mock_server.api import permissions
from mock_server.api.calls import Route
from mock_server.api.routes import ROUTES
from mock_server.domain import api_clients, users
from mock_server.domain.state import AccessToken
from tests.unit.api.front import PASSWORD, Answer, Front
from tests.unit.domain.world import NOW, SOFTWARE

LAB, OTHER = "/api/v1/accounts/Lab", "/api/v1/accounts/Other"
ANNA = {"grant_type": "password", "username": "anna", "password": PASSWORD}
SIGNED_IN = [route for route in ROUTES if not route.public]


@pytest.fixture
def front() -> Front:
    return Front()


def path_of(route: Route, account: str) -> str:
    return route.path.replace("{account}", account).replace("{virtual_account}", "Default")


# ---- probes: each is refused by one check, and would be let through without it ----------------------------
def no_token(front: Front) -> bool:
    return front.get(f"{LAB}/virtual-accounts", bearer=None).status == 403


def unknown_token(front: Front) -> bool:
    return front.get(f"{LAB}/virtual-accounts", bearer="0" * 64).status == 403


def expired_token(front: Front) -> bool:
    front.serving.clock = NOW + api_clients.LIFE
    return front.get(f"{LAB}/virtual-accounts").status == 401


def other_account(front: Front) -> bool:
    return front.post(f"{OTHER}/licenses").status == 403


def list_of_accounts(front: Front) -> bool:
    seen = front.post("/api/v1/upstream_satellites/accounts").json["accounts"]
    return [one["name"] for one in seen] == ["Lab"]


def device_of_another(front: Front) -> bool:
    front.register("ONE", front.id_token("Other"))
    wanted = {"udiPid": "C9300-24T", "udiSerialNumber": "ONE"}
    said = {"productInstances": [{"sudi": wanted, "productTagName": SOFTWARE}]}
    front.post(f"{LAB}/virtual-accounts/Default/devices/remove", said)
    return len(front.state.instances) == 1


def token_of_another(front: Front) -> bool:
    said = {"tokens": [front.id_token("Other")]}
    front.post(f"{LAB}/virtual-accounts/Default/tokens/revoke", said)
    return not any(token.revoked for token in front.state.tokens.values())


def wrong_secret(front: Front) -> bool:
    client_id, _ = front.clients["Lab"]
    said = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": "0" * 64}
    return front.post("/oauth/token", said, bearer=None).status == 403


def wrong_password(front: Front) -> bool:
    return front.post("/oauth/token", ANNA | {"password": "wrong one"}, bearer=None).status == 403


FOREVER = AccessToken(client_id="", user="", account="Lab", issued_at=NOW, expires_at=NOW + 9)
PROBES: dict[str, tuple[Callable[[Front], bool], Callable[..., Any]]] = {
    "bearer_of": (
        no_token,
        lambda headers: next((v.decode()[7:] for n, v in headers if n == b"authorization"), "x"),
    ),
    "known": (unknown_token, lambda *_: FOREVER),
    "fresh": (expired_token, lambda *_: None),
    "own_account": (other_account, lambda *_: None),
    "visible": (list_of_accounts, lambda _caller, accounts: list(accounts)),
    "device_there": (device_of_another, lambda *_: True),
    "token_there": (token_of_another, lambda *_: True),
    "right_secret": (wrong_secret, lambda state, client_id, _secret: state.api_clients[client_id]),
    "right_password": (wrong_password, lambda state, name, _password: state.users[name]),
}
"""Check → what it refuses, and what stands in its place when it is removed."""


def test_every_check_is_in_the_table() -> None:
    """A function of `permissions` that is not here has to be one that refuses nothing."""
    functions = {name for name in permissions.__all__ if inspect.isfunction(getattr(permissions, name))}
    assert functions - set(PROBES) == {"caller_of", "name_of"}


@pytest.mark.parametrize("name", PROBES)
def test_a_check_that_is_removed_is_missed(front: Front, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With it the probe is refused; without it, and only then, the probe gets through."""
    probe, removed = PROBES[name]
    assert probe(front), "refused while the check is there"
    without = Front()
    if name == "bearer_of":
        # Without it whoever sends nothing is taken for somebody: the token that is looked up is none.
        monkeypatch.setattr(permissions, "known", lambda *_: FOREVER)
    monkeypatch.setattr(permissions, name, removed)
    assert not probe(without), "nothing else refuses it"


@pytest.mark.parametrize("route", SIGNED_IN, ids=lambda route: route.operation)
def test_every_route_asks_who_it_is(front: Front, route: Route) -> None:
    """403 without an access token, with a wrong scheme, and an unknown one; 401 with one that expired."""
    path = path_of(route, "Lab")

    def refused(answer: Answer, status: int, code: str) -> None:
        assert (answer.status, answer.code) == (status, code)

    refused(front.call(route.method, path, bearer=None), 403, "access-token-missing")
    for header in (b"Basic abc", b"Bearer", b"Bearer  ", b"", b"\xff\xfe"):
        answer = front.call(route.method, path, bearer=None, headers=[(b"authorization", header)])
        refused(answer, 403, "access-token-missing")
    refused(front.call(route.method, path, bearer="f" * 64), 403, "access-token-unknown")
    refused(front.call(route.method, path, bearer="x" * 60_000), 403, "access-token-unknown")
    front.serving.clock = NOW + api_clients.LIFE
    expired = front.call(route.method, path)
    refused(expired, 401, "access-token-expired")
    assert expired.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


@pytest.mark.parametrize(
    "route", [route for route in SIGNED_IN if "{account}" in route.path], ids=lambda route: route.operation
)
def test_another_accounts_path_is_forbidden(front: Front, route: Route) -> None:
    """Whether that account is there or not, the answer is the same, and nothing has happened."""
    before = len(front.ledger.changes)
    answers = []
    for account in ("Other", "Nowhere", "lab", "Lab%20", "Lab%2F..%2FOther", "..", "%00", "x" * 10_000):
        answer = front.call(route.method, path_of(route, account))
        assert (answer.status, answer.code) == (403, "account-forbidden"), account
        answers.append(answer)
    assert len(front.ledger.changes) == before
    assert len(answers[-1].body) < 2_000


def test_a_client_that_is_deleted_while_its_body_comes_is_out(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was allowed when the call began is asked again when its body is there, once without one."""
    original = front.app._admitted  # the first look lets it in
    looks = 0

    def admitted(*call: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == 2:
            front.server.commit(api_clients.delete(front.state, front.clients["Lab"][0]))
        return original(*call)

    monkeypatch.setattr(front.app, "_admitted", admitted)
    answer = front.post(f"{LAB}/virtual-accounts", {"name": "late"})
    assert (answer.status, answer.code) == (403, "access-token-unknown")
    assert "late" not in front.state.accounts["Lab"].virtual_accounts
    assert looks == 2
    front.bearer = front.sign_in("Other")
    looks = 2
    assert front.get(f"{OTHER}/virtual-accounts").status == 200
    assert looks == 3


def test_a_user_removed_while_the_password_is_looked_at_gets_nothing(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password was right, and is another one when the token would be given."""
    original = permissions.right_password

    def right(*given: Any) -> Any:
        found = original(*given)
        other = users.hashed("another one", front.chance.randbytes, made_here=True)
        front.server.commit(users.change_password(front.state, "anna", other))
        return found

    monkeypatch.setattr(permissions, "right_password", right)
    assert front.post("/oauth/token", ANNA, bearer=None).code == "wrong-user"


def test_no_answer_and_no_log_repeats_a_secret(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    """Wrong secrets, passwords, access tokens and ID tokens are in no error, and in no event."""
    secrets = [f"secret-{number}" for number in range(4)]
    answers = [
        front.post("/oauth/token", ANNA | {"password": secrets[0]}, bearer=None),
        front.post(
            "/oauth/token",
            {"grant_type": "client_credentials", "client_id": "x", "client_secret": secrets[1]},
            bearer=None,
        ),
        front.get(f"{LAB}/virtual-accounts", bearer=secrets[2]),
        front.post(f"{LAB}/virtual-accounts/Default/tokens/revoke", {"tokens": [secrets[3]]}),
    ]
    told = b"".join(answer.body for answer in answers).decode() + caplog.text + repr(front.log())
    assert not any(secret in told for secret in [*secrets, front.bearer, front.clients["Lab"][1]])


def test_passwords_cannot_be_tried_one_after_the_other(front: Front) -> None:
    """After five wrong ones a pause for that name, also for the right one; others go on."""
    wrong = ANNA | {"password": "wrong one"}
    answers = [front.post("/oauth/token", wrong, bearer=None) for _ in range(6)]
    assert [answer.code for answer in answers] == ["wrong-user"] * 5 + ["too-many-attempts"]
    assert answers[-1].status == 429
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert front.post("/oauth/token", ANNA, bearer=None).status == 429
    assert front.post("/oauth/token", wrong | {"username": "other"}, bearer=None).code == "wrong-user"
    assert front.sign_in("Lab")


def test_right_passwords_are_no_attempts(front: Front) -> None:
    """Automation signs in as often as it likes."""
    for _ in range(25):
        assert front.post("/oauth/token", ANNA, bearer=None).status == 200
