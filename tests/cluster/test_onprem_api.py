"""The client of the REST API against that of a real cluster: everything once, and through failovers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from mock_server import Cluster
from smartlic_client import AsyncOnPremApi, Device, OnPremApi, SmartlicError, Udi
from smartlic_client.onprem import LicenseTransfer

pytestmark = pytest.mark.real
ACCOUNT = "Lab"
TAG = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"


@pytest.fixture
def ssm(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster; of processes where one of them is to hang, which only a process can do to another's end."""
    with Cluster(processes="[hang]" in request.node.name) as ssm:
        yield ssm


@pytest.fixture
def settings(ssm: Cluster) -> dict[str, Any]:
    made = ssm.ask("api-client.create", name="robot")
    return {
        "url": ssm.gui_url,
        "trust": ssm.trust_anchor.encode(),
        "client_id": made["client_id"],
        "client_secret": made["client_secret"],
        "wait": 15.0,
    }


class Blocking:
    """`AsyncOnPremApi` with the face of `OnPremApi`: each call runs in one event loop of this thread."""

    def __init__(self, **settings: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._api = self._loop.run_until_complete(self._made(settings))

    @staticmethod
    async def _made(settings: dict[str, Any]) -> AsyncOnPremApi:
        return AsyncOnPremApi(**settings)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._api, name)

        def call(*arguments: Any, **more: Any) -> Any:
            found = method(*arguments, **more)
            if isinstance(found, AsyncIterator):
                return self._iterate(found)
            assert isinstance(found, Awaitable)
            return self._loop.run_until_complete(found)

        return call

    def _iterate(self, found: AsyncIterator[Any]) -> Iterator[Any]:
        while True:
            try:
                yield self._loop.run_until_complete(anext(found))
            except StopAsyncIteration:
                return

    def close(self) -> None:
        self._loop.run_until_complete(self._api.aclose())
        self._loop.close()


Opened = Callable[..., OnPremApi]


@pytest.fixture(params=["sync", "async"])
def opened(request: pytest.FixtureRequest, settings: dict[str, Any]) -> Iterator[Opened]:
    """Makes a client of the kind, with other settings if they are given; all are closed in the end."""
    made: list[Any] = []

    def new(**more: Any) -> Any:
        made.append((OnPremApi if request.param == "sync" else Blocking)(**settings | more))
        return made[-1]

    yield new
    for each in made:
        each.close()


def register(ssm: Cluster, token: str, *names: str) -> None:
    """Product instances of these names, one license each."""
    for number, name in enumerate(names):
        with Device.in_memory(Udi(pid="C9300-24T", sn=f"FOC{number:04}"), hostname=name) as device:
            device.set_destination(ssm.url)
            device.trust(ssm.trust_anchor.encode())
            device.request(TAG, 1)
            device.register(token, wait=10)


def test_a_day_of_automation(ssm: Cluster, opened: Opened) -> None:
    """Accounts, an ID token, product instances, licenses, alerts: each route once."""
    ssm.ask("license.add", name="DNA Premier", tag=TAG, quantity=1)
    api = opened(page_size=1)
    (account,) = api.accounts()
    assert (account.name, account.status.casefold()) == (ACCOUNT, "active")
    assert api.search_accounts(account.domain) == [account]
    assert api.create_virtual_account(ACCOUNT, "Röuter / eu", "in Bonn").status == "SUCCESS"
    assert [(each.name, each.is_default) for each in api.virtual_accounts(ACCOUNT)] == [
        ("Default", True),
        ("Röuter / eu", False),
    ]
    token = api.create_id_token(ACCOUNT, "Default", description="two", expires_after_days=3, uses=5)
    assert (token.description, token.export_controlled) == ("two", "Not Allowed")
    register(ssm, token.token.reveal(), "bonn-1", "kiel-1")
    (listed,) = api.id_tokens(ACCOUNT, "Default")
    assert (listed.used_count, listed.number_of_uses, bool(listed.token)) == (2, 5, False)

    bonn, kiel = api.devices(ACCOUNT, "Default")
    assert (bonn.instance_name, kiel.instance_name) == ("bonn-1", "kiel-1")
    assert [(used.license, used.quantity) for used in bonn.license_usage] == [("DNA Premier", 1)]
    (license,) = api.licenses(ACCOUNT)
    assert (license.license, license.entitlement_tag, license.quantity, license.in_use) == (
        "DNA Premier",
        TAG,
        1,
        2,
    )
    assert license.status == "Out Of Compliance"
    assert any(each.severity == "Major" for each in api.alerts(ACCOUNT))
    assert list(api.subscriptions(ACCOUNT)) == []

    api.transfer_devices(ACCOUNT, "Default", [kiel], "Röuter / eu")
    assert [each.instance_name for each in api.devices(ACCOUNT, "Röuter / eu")] == ["kiel-1"]
    move = LicenseTransfer(license="DNA Premier", target_virtual_account="Röuter / eu", quantity=1)
    api.transfer_licenses(ACCOUNT, "Default", [move])
    assert {each.virtual_account: each.quantity for each in api.licenses(ACCOUNT)} == {
        "Default": 0,
        "Röuter / eu": 1,
    }
    api.remove_devices(ACCOUNT, "Röuter / eu", [*api.devices(ACCOUNT, "Röuter / eu")])
    assert list(api.devices(ACCOUNT, "Röuter / eu")) == []
    api.revoke_id_tokens(ACCOUNT, "Default", [listed])
    assert [each.status for each in api.id_tokens(ACCOUNT, "Default")] == ["Revoked"]
    api.delete_virtual_account(ACCOUNT, "Röuter / eu")
    made = [each for each in ssm.ask("event.list")["events"] if "Röuter / eu" in each["event"]]
    assert {each["by"] for each in made} == {"API client robot"}


def test_refusals_have_their_codes(ssm: Cluster, opened: Opened, settings: dict[str, Any]) -> None:
    """What the server says no to is told apart, in its own words and with its own code."""
    api = opened()
    cases: list[tuple[Callable[[], object], str, str]] = [
        (lambda: api.virtual_accounts("Other"), "api-forbidden", "account-forbidden"),
        (lambda: api.id_tokens(ACCOUNT, "none"), "api-not-found", "virtual-account-unknown"),
        (lambda: api.delete_virtual_account(ACCOUNT, "Default"), "api-refused", "default-virtual-account"),
        (lambda: api.create_virtual_account(ACCOUNT, "x" * 10_000), "api-refused", ""),
        (lambda: api.id_tokens(ACCOUNT, "a/../../x"), "api-not-found", "virtual-account-unknown"),
    ]
    for call, code, theirs in cases:
        with pytest.raises(SmartlicError) as caught:
            call()
        assert caught.value.code == code
        assert caught.value.context["server_code"] == (theirs or caught.value.context["server_code"])
    for wrong in ({"client_secret": "x" * 64}, {"client_id": "nobody"}):
        with pytest.raises(SmartlicError) as caught:
            opened(**wrong).accounts()
        assert caught.value.code == "api-client-refused"
    with pytest.raises(SmartlicError) as caught:
        opened(base="/nothing").accounts()
    assert caught.value.code in ("api-not-found", "api-answer-unreadable")
    admin = {"client_id": None, "client_secret": None, "user": "admin", "password": ssm.admin_password}
    assert [each.name for each in opened(**admin).accounts()] == [ACCOUNT]
    ssm.ask("api-client.delete", client_id=settings["client_id"])
    with pytest.raises(SmartlicError) as caught:
        api.accounts()
    assert caught.value.code == "api-client-refused"


def test_an_expired_access_token_is_renewed(ssm: Cluster, opened: Opened) -> None:
    """The server's clock goes on by more than a token lives: the caller notices nothing."""
    api = opened(wait=0.0)
    first = api.accounts()
    ssm.clock.advance(7200)
    assert api.accounts()[0].name == first[0].name
    api.create_virtual_account(ACCOUNT, "a")
    ssm.clock.advance(7200)
    api.delete_virtual_account(ACCOUNT, "a")


def test_a_rate_limit_is_kept_to(ssm: Cluster, settings: dict[str, Any]) -> None:
    """The client waits as long as the server says, and what was refused so is made once."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        ssm.ask("rest-api", rate_limit=0)  # in place of the wait

    with OnPremApi(**settings | {"wait": 100.0}, sleep=sleep) as api:
        api.accounts()
        ssm.ask("rest-api", rate_limit=2)
        for number in range(3):
            api.create_virtual_account(ACCOUNT, f"v{number}")
        assert len(api.virtual_accounts(ACCOUNT)) == 4
    (pause,) = pauses
    assert 25 < pause <= 40
    ssm.ask("rest-api", rate_limit=1)
    with OnPremApi(**settings | {"wait": 5.0}, sleep=sleep) as api, pytest.raises(SmartlicError) as caught:
        for _ in range(3):
            api.accounts()
    assert caught.value.code == "api-rate-limited"
    assert caught.value.retry_after


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_failover_in_the_middle_of_a_list(ssm: Cluster, opened: Opened, how: str) -> None:
    """The iteration goes on with the other server, with the same access token: each instance once."""
    names = [f"d{number:02}" for number in range(9)]
    register(ssm, ssm.token(uses=20), *names)
    found = opened(page_size=2).devices(ACCOUNT, "Default")
    seen = [next(found).instance_name for _ in range(3)]
    getattr(ssm, how)("primary")
    seen += [each.instance_name for each in found]
    assert seen == names
    assert ssm.active == "secondary"


@pytest.mark.parametrize("how", ["kill", "stop", "hang"])
def test_changes_through_a_failover_are_made_once_or_told(
    ssm: Cluster, settings: dict[str, Any], how: str
) -> None:
    """Each change succeeds and is there, or the client says that it may have been made. None is sent twice:
    a virtual account that is there already would be refused."""
    outcomes: dict[str, str] = {}
    stop = threading.Event()

    def work(worker: int) -> None:
        with OnPremApi(**settings) as api:
            number = 0
            while not stop.is_set():
                name, number = f"{worker}-{number}", number + 1
                try:
                    api.create_virtual_account(ACCOUNT, name)
                    outcomes[name] = "made"
                except SmartlicError as error:
                    outcomes[name] = error.code

    workers = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for each in workers:
        each.start()
    try:
        _until(lambda: len(outcomes) > 20)
        getattr(ssm, how)("primary")
        ssm.wait("secondary")
        before = len(outcomes)
        _until(lambda: len(outcomes) > before + 20)
    finally:
        stop.set()
        for each in workers:
            each.join(30)
    with OnPremApi(**settings) as api:
        there = {each.name for each in api.virtual_accounts(ACCOUNT)}
    assert {name for name, outcome in outcomes.items() if outcome == "made"} <= there
    assert set(outcomes.values()) <= {"made", "api-maybe-done"}, outcomes


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)
