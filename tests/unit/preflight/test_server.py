"""What the check asks of the REST API, and what it makes of the answers: a real TLS listener."""

from __future__ import annotations

from typing import Any

import pytest

from smartlic_client.errors import SmartlicError
from smartlic_client.onprem import Secret
from smartlic_client.preflight.catalogue import Severity
from smartlic_client.preflight.observation import ServerAccount, ServerAlert, ServerApi, ServerFacts
from smartlic_client.preflight.rules import findings
from smartlic_client.preflight.server import RestApi, Together, api_at
from smartlic_client.preflight.targets import read_target
from tests.unit.client.posting import unused_port
from tests.unit.onprem.serving import AUTHORITY, SECRET, Answer, Api, Asked
from tests.unit.preflight.builders import VIP, ids, leaf, options, seen, told

ALERT = {"messageType": "Synchronization Overdue", "message": "45 days", "severity": "Minor"}
RIGHT = seen(leaf(VIP, san=(VIP,)))


def answers(accounts: list[dict[str, Any]]) -> Any:
    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("/accounts"):
            return Answer({"accounts": accounts})
        if asked.path.endswith("/virtual-accounts"):
            return Answer({"virtualAccounts": [{"name": "Default"}, {"name": "Routers"}]})
        if "waiting" in asked.path:
            return Answer({"status": "ERROR", "statusMessage": "not active"}, "409 Conflict")
        return Answer({"totalRecords": 1, "alerts": [ALERT]})

    return answer


def facts(server: Api, wanted: str | None = None, secret: str = SECRET) -> ServerApi:
    api = RestApi(server.url, AUTHORITY.pem, ("me", Secret(secret)), wanted=wanted)
    found = api.facts(5).api
    assert found is not None
    return found


def test_accounts_virtual_accounts_and_alerts() -> None:
    """Of each account that the client sees: its status, its virtual accounts, and what wants attention."""
    accounts = [{"name": "SAP 1", "domain": "sap-1", "status": "Active"}]
    with Api(answers(accounts)) as server:
        found = facts(server, "Routers")
    alert = ServerAlert(severity="Minor", kind="Synchronization Overdue", message="45 days")
    account = ServerAccount(
        name="SAP 1", status="Active", virtual_accounts=("Default", "Routers"), alerts=(alert,)
    )
    assert found == ServerApi(url=server.url, accounts=(account,), wanted="Routers")
    assert server.asked[-1].path == "/backend/api/v1/accounts/sap-1/alerts"


def test_an_account_that_is_not_active_may_say_nothing_more() -> None:
    """Its refusal does not hide its status, which is what the check has to tell."""
    with Api(answers([{"name": "waiting", "status": "Requested"}])) as server:
        found = facts(server)
    assert [each.status for each in found.accounts] == ["Requested"]
    assert found.failure == ""


@pytest.mark.parametrize("answer", [Answer({}, "403 Forbidden"), Answer(b"<html>"), None])
def test_an_api_that_does_not_answer_is_a_finding(answer: Answer | None) -> None:
    """The rest of the check goes on: a name that is wrong is wrong at the REST API as well."""
    with Api(grant=lambda _: answer) as server:
        found = facts(server)
    assert found.failure
    assert found.mend
    assert SECRET not in found.failure + found.mend
    (finding,) = findings(RIGHT, options(server=ServerFacts(api=found)))
    assert (finding.id, finding.severity) == ("api-unanswered", Severity.WARNING)


def test_whoever_watches_asks_with_one_access_token() -> None:
    """Each second of a watch costs the server no token of its own, and leaves no connection open."""
    with Api(answers([{"name": "SAP1"}])) as server:
        api = RestApi(server.url, AUTHORITY.pem, ("me", Secret(SECRET)))
        first = api.facts(5)
        server.settle()
        assert api.facts(5) == first
    assert len(server.grants) == 1


def test_nobody_there() -> None:
    """A refused connection is told as what it is."""
    url = f"https://127.0.0.1:{unused_port()}"
    found = RestApi(url, AUTHORITY.pem, ("me", Secret(SECRET))).facts(1).api
    assert found is not None
    assert "Nothing accepts connections" in found.failure


def test_names_and_api_together() -> None:
    """The mock's folder tells of names, the REST API of accounts; neither hides the other."""

    class Names:
        def facts(self, timeout: float) -> ServerFacts:  # noqa: ARG002
            return ServerFacts(common_name="a", served_name="b", pending=True)

    class OfApi:
        def facts(self, timeout: float) -> ServerFacts:  # noqa: ARG002
            return told(ServerAccount(name="SAP1"))

    both = Together(Names(), OfApi()).facts(1)
    assert (both.common_name, both.pending) == ("a", True)
    assert both.api == told(ServerAccount(name="SAP1")).api


def test_alerts_of_other_severities_are_information() -> None:
    """Only a major alert is a warning; many of them are cut short."""
    alerts = tuple(ServerAlert(severity="Minor", kind="x", message=str(each)) for each in range(40))
    account = ServerAccount(name="SAP1", status="active", virtual_accounts=("Default",), alerts=alerts)
    found = findings(RIGHT, options(server=told(account)))
    assert {each.severity for each in found} == {Severity.INFORMATION}
    assert len(found) == 20
    assert ids(RIGHT, options(server=told(ServerAccount(name="a")))) == {}


def test_where_the_api_is() -> None:
    """At port 8443 of the targets' one host, IPv6 in brackets; several hosts are not guessed among."""
    assert api_at([read_target("192.0.2.14"), read_target("192.0.2.14:4443")]) == "https://192.0.2.14:8443"
    assert api_at([read_target("[2001:db8::1]")]) == "https://[2001:db8::1]:8443"
    for targets in ([read_target("a.example"), read_target("b.example")], []):
        with pytest.raises(ValueError, match="--api-url"):
            api_at(targets)
    with pytest.raises(SmartlicError) as caught:
        RestApi("http://192.0.2.14", AUTHORITY.pem, ("me", Secret(SECRET)))
    assert caught.value.code == "api-bad-url"
