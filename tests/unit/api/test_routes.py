"""What each route does, to whom, and what it says."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from mock_server.api.paths import is_of_api
from mock_server.api.routes import ROUTES
from mock_server.domain import api_clients, events, instances, users
from mock_server.domain.state import UserRole
from tests.unit.api.front import PASSWORD, Answer, Front
from tests.unit.domain.world import NOW, SOFTWARE, tag

LAB = "/api/v1/accounts/Lab"
DEFAULT = f"{LAB}/virtual-accounts/Default"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def front() -> Front:
    return Front()


def test_every_route_is_there_under_both_paths(front: Front) -> None:
    """With and without /backend, with a slash at the end and two in front, each answers for itself."""
    for route in ROUTES:
        path = route.path.replace("{account}", "Lab").replace("{virtual_account}", "Default")
        for way in (path, f"/backend{path}", f"{path}/", f"/{path}", f"//backend/{path}"):
            assert front.call(route.method, way).json.get("code") != "nothing-here", way
            assert front.call("PUT", way).code == "wrong-method"
    assert front.get("/api/v1/nothing").code == "nothing-here"


# ---- accounts ---------------------------------------------------------------------------------------------
def test_a_client_sees_its_own_account_and_a_user_sees_all(front: Front) -> None:
    """With the names in CSSM, the CSLU URL, and the virtual accounts; search by a part of the domain."""
    (seen,) = front.post("/api/v1/upstream_satellites/accounts").json["accounts"]
    assert (seen["name"], seen["domain"], seen["status"]) == ("Lab", "Lab", "Active")
    assert (seen["cssm_smart_account_name"], seen["cssm_virtual_account_name"]) == (
        "Lab Smart Account",
        "On-Prem",
    )
    assert seen["cslu_tenant_url"].endswith("/cslu/v1/pi/Lab-1")
    assert [one["name"] for one in seen["virtual_accounts"]] == ["Default", "Branch"]
    asked = {"grant_type": "password", "username": "anna", "password": PASSWORD}
    anna = front.post("/oauth/token", asked, bearer=None).json["access_token"]
    for word, found in (("", ["Lab", "Other"]), ("ot", ["Other"]), ("zz", [])):
        answer = front.get(f"/api/v1/accounts/search?domain={word}", bearer=anna)
        assert [one["name"] for one in answer.json["accounts"]] == found
    assert front.get("/api/v1/accounts/search?domain=other").json["accounts"] == []


def test_virtual_accounts_are_listed_made_and_deleted(front: Front) -> None:
    """Any name that one may have goes through a path; isDefault is a text; the log names the client."""
    for name in ("a/b", "50%41", "Zürich & Söhne", "..", ".", "a?b#c", "+ plus"):
        made = front.post(f"{LAB}/customer/virtual-accounts", {"name": name, "description": "for it"})
        assert made.json["status"] == "SUCCESS"
        listed = front.get(f"{LAB}/virtual-accounts").json["virtualAccounts"]
        assert listed[0] == {
            "name": "Default",
            "description": "",
            "isDefault": "true",
            "commerceAccessLevel": "Public",
        }
        assert (listed[-1]["name"], listed[-1]["isDefault"]) == (name, "false")
        assert front.post(f"{LAB}/virtual-accounts", {"name": name}).status == 409
        gone = front.post(f"{LAB}/virtual-accounts/{quote(name, safe='')}/delete")
        assert gone.json["status"] == "SUCCESS"
    assert front.log()[-1] == (
        "API client robot",
        events.VirtualAccountDeleted(account="Lab", name="+ plus"),
    )
    assert front.post(f"{DEFAULT}/delete").code == "default-virtual-account"
    assert front.post(f"{LAB}/virtual-accounts/nowhere/delete").status == 404


# ---- ID tokens --------------------------------------------------------------------------------------------
def test_an_id_token_is_shown_whole_once(front: Front) -> None:
    """Its days may be a number's text; products can register with it; the list has its id only."""
    asked = {
        "description": "lab",
        "expiresAfterDays": "7.0",
        "exportControlled": "Allowed",
        "numberOfUses": 2,
    }
    made = front.post(f"{DEFAULT}/tokens", asked).json
    info = made["tokenInfo"]
    front.register("ONE", info["token"])
    (listed,) = front.get(f"{DEFAULT}/tokens").json["tokens"]
    assert listed["token"] == ""
    assert (listed["tokenId"], listed["usedCount"], listed["numberOfUses"]) == (info["tokenId"], 1, 2)
    assert (listed["exportControlled"], listed["createdBy"]) == ("Allowed", "API client robot")
    assert listed["expirationDate"] == info["expirationDate"]
    assert front.get(f"{LAB}/virtual-accounts/Branch/tokens").json["tokens"] == []


def test_id_tokens_can_be_listed_whole(front: Front) -> None:
    """By a switch, and only those that were made while it was on; whole ones and ids can be revoked."""
    before = front.post(f"{DEFAULT}/tokens", {}).json["tokenInfo"]
    front.server.commit(api_clients.configure(front.state, whole_tokens=True))
    after = front.post(f"{DEFAULT}/tokens", {}).json["tokenInfo"]
    listed = front.get(f"{DEFAULT}/tokens").json["tokens"]
    assert [one["token"] for one in listed] == ["", after["token"]]
    gone = front.post(f"{DEFAULT}/tokens/revoke", {"tokens": [before["tokenId"], after["token"]]})
    assert gone.json["statusMessage"] == "ID tokens revoked: 2."
    assert [one["status"] for one in front.get(f"{DEFAULT}/tokens").json["tokens"]] == ["Revoked"] * 2
    front.server.commit(api_clients.configure(front.state, whole_tokens=False))
    assert [one["token"] for one in front.get(f"{DEFAULT}/tokens").json["tokens"]] == ["", ""]


def test_no_token_is_revoked_if_one_is_not_there(front: Front) -> None:
    """All or none, and no error repeats a token: one of another account's is one that is not there."""
    mine, others = front.id_token(), front.id_token("Other")
    answer = front.post(f"{DEFAULT}/tokens/revoke", {"tokens": [mine, others]})
    assert (answer.status, answer.code) == (404, "id-token-unknown")
    assert others.encode() not in answer.body
    assert not any(token.revoked for token in front.state.tokens.values())


# ---- licenses ---------------------------------------------------------------------------------------------
def test_licenses_are_listed_in_pages(front: Front) -> None:
    """All virtual accounts by default, or those that are named; -1 is all; what is in use counts."""
    front.register("ONE", front.id_token(), uses=12)
    whole = front.post(f"{LAB}/licenses", {"limit": -1}).json
    assert whole["totalRecords"] == 2
    first = whole["licenses"][0]
    assert (first["license"], first["virtualAccount"], first["entitlementTag"]) == ("DNA", "Default", tag(1))
    assert (first["quantity"], first["inUse"], first["available"]) == (10, 12, 0)
    assert (first["status"], first["billingType"]) == ("Out Of Compliance", "PREPAID")
    assert first["licenseDetails"][0] == {
        "licenseType": "PERPETUAL",
        "quantity": 10,
        "startDate": None,
        "endDate": None,
        "subscriptionId": "local",
        "status": "ACTIVE",
    }
    pages = [
        front.post(f"{LAB}/licenses", {"limit": "1", "offset": f"{n}"}).json["licenses"] for n in range(3)
    ]
    assert [len(page) for page in pages] == [1, 1, 0]
    assert pages[0] + pages[1] == whole["licenses"]
    for names in (["Branch"], "Branch"):
        assert front.post(f"{LAB}/licenses", {"virtualAccounts": names}).json["totalRecords"] == 0
    assert front.post(f"{LAB}/licenses", {"virtualAccounts": ["nowhere"]}).status == 404
    assert front.post(f"{LAB}/license-subscriptions", b"").json["licenseSubscriptions"] == []


def test_licenses_are_transferred_all_or_none(front: Front) -> None:
    """Two transfers of one license count together: what is too many for both moves nothing."""

    def move(*quantities: int) -> int:
        moves = [
            {"license": "DNA", "quantity": quantity, "targetVirtualAccount": "Branch", "precedence": "x"}
            for quantity in quantities
        ]
        return front.post(f"{DEFAULT}/licenses/transfer", {"licenses": moves}).status

    def there() -> dict[str, int]:
        found = front.post(f"{LAB}/licenses", {"limit": -1}).json["licenses"]
        return {one["virtualAccount"]: one["quantity"] for one in found if one["license"] == "DNA"}

    assert move(6, 6) == 409
    assert there() == {"Default": 10}
    assert move(6, 4) == 200
    assert there() == {"Default": 0, "Branch": 10}
    assert move(1) == 409
    unknown = {"licenses": [{"license": "nothing", "quantity": 1, "targetVirtualAccount": "Branch"}]}
    assert front.post(f"{DEFAULT}/licenses/transfer", unknown).code == "license-unknown"


# ---- product instances ------------------------------------------------------------------------------------
def test_devices_are_listed_by_name_in_pages(front: Front) -> None:
    """With who they are and what they use; 501 of them leave in pieces, each of which waits to be safe."""
    front.register("ONE", front.id_token(), uses=3)
    (one,) = front.get(f"{DEFAULT}/devices?limit=5&offset=0").json["devices"]
    assert one["displayName"] == "UDI_PID:C9300-24T; UDI_SN:ONE; "
    assert one["sudi"]["udiPid"] == one["productType"] == "C9300-24T"
    assert (one["sudi"]["udiSerialNumber"], one["sudi"]["suvi"]) == ("ONE", None)
    assert (one["productTagName"], one["virtualAccount"]) == (SOFTWARE, "Default")
    assert (one["status"], one["licenseUsage"]) == ("In Compliance", [{"license": "DNA", "quantity": 3}])
    assert front.get(f"{LAB}/virtual-accounts/Branch/devices").json == {
        "status": "SUCCESS",
        "statusMessage": "",
        "totalRecords": 0,
        "devices": [],
    }


def test_devices_are_transferred_and_removed_as_they_were_listed(front: Front) -> None:
    """By their whole identity or a part of it; what fits two, or none here, is told, and nothing is done."""
    token = front.id_token()
    for name in ("ONE", "TWO"):
        front.register(name, token, uses=2)
    front.register("THREE", front.id_token("Other"))
    listed = front.get(f"{DEFAULT}/devices").json["devices"]
    part = {"sudi": {"udiSerialNumber": "TWO"}}
    both = [
        {"sudi": listed[0]["sudi"], "productTagName": SOFTWARE, "targetVirtualAccount": "Branch"},
        part | {"targetVirtualAccount": "Branch"},
    ]
    refused = {
        "device-unknown": [both[0], both[0] | {"sudi": listed[0]["sudi"] | {"udiSerialNumber": "THREE"}}],
        "device-ambiguous": [both[0] | {"sudi": {"udiPid": "C9300-24T"}, "productTagName": ""}],
        "device-twice": [both[0], both[0]],
        "virtual-account-unknown": [both[0], both[1] | {"targetVirtualAccount": "nowhere"}],
        "same-virtual-account": [both[0], both[1] | {"targetVirtualAccount": "Default"}],
    }
    for code, wanted in refused.items():
        assert front.post(f"{DEFAULT}/devices/transfer", {"productInstances": wanted}).code == code
    assert front.get(f"{DEFAULT}/devices").json["devices"] == listed
    assert front.post(f"{DEFAULT}/devices/transfer", {"productInstances": both}).status == 200
    branch = f"{LAB}/virtual-accounts/Branch"
    assert front.get(f"{branch}/devices").json["totalRecords"] == 2
    assert front.post(f"{DEFAULT}/devices/remove", {"productInstances": [part]}).status == 404
    assert front.post(f"{branch}/devices/remove", {"productInstances": [part]}).status == 200
    assert [one["instanceName"] for one in front.get(f"{branch}/devices").json["devices"]] == [
        listed[0]["instanceName"]
    ]
    assert len(front.state.by_place["Other", "Default"]) == 1


def test_alerts_are_of_the_account_and_the_server(front: Front) -> None:
    """A shortage in Lab is told to Lab's client; that of another account is not."""
    front.register("ONE", front.id_token(), uses=12)
    front.register("TWO", front.id_token("Other"), uses=30)
    found = front.post(f"{LAB}/alerts", {"limit": 10}).json
    (short,) = [one for one in found["alerts"] if one["messageType"] == "Insufficient Licenses"]
    assert (short["severity"], short["source"], short["sourceType"]) == ("Major", "DNA", "License")
    assert found["totalRecords"] == len(found["alerts"])
    named = front.post(f"{LAB}/alerts", {"virtualAccounts": ["Branch"]}).json["alerts"]
    assert "Insufficient Licenses" not in [one["messageType"] for one in named]


# ---- access tokens ----------------------------------------------------------------------------------------
def test_a_users_password_gives_access_until_it_changes(front: Front) -> None:
    """With a client of an account beside it, to that account only; ended by another password, and removal."""
    asked = {"grant_type": "password", "username": "anna", "password": PASSWORD}
    client_id, secret = front.clients["Other"]
    alone = front.post("/oauth/token", asked, bearer=None).json["access_token"]
    both = asked | {"client_id": client_id, "client_secret": secret}
    scoped = front.post("/oauth/token", both, bearer=None).json["access_token"]
    assert front.get(f"{LAB}/virtual-accounts", bearer=alone).status == 200
    assert front.get(f"{LAB}/virtual-accounts", bearer=scoped).code == "account-forbidden"
    front.post(f"{LAB}/virtual-accounts", {"name": "hers"}, bearer=alone)
    assert front.log()[-1][0] == "anna"
    wrong = both | {"client_secret": secret[:-1]}
    assert front.post("/oauth/token", wrong, bearer=None).code == "wrong-client"
    other = users.hashed("another one", front.chance.randbytes, made_here=True)
    front.server.commit(users.change_password(front.state, "anna", other))
    assert front.get(f"{LAB}/virtual-accounts", bearer=alone).code == "access-token-unknown"
    assert front.post("/oauth/token", asked, bearer=None).code == "wrong-user"
    again = asked | {"password": "another one"}
    bearer = front.post("/oauth/token", again, bearer=None).json["access_token"]
    front.server.commit(users.add(front.state, "b", UserRole.ADMINISTRATOR, other, by="t", now=NOW))
    front.server.commit(users.remove(front.state, "anna"))
    assert front.get(f"{LAB}/virtual-accounts", bearer=bearer).code == "access-token-unknown"


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "query"])
def test_an_access_token_can_be_asked_for_in_every_form(front: Front, kind: str) -> None:
    """As a JSON body, a form, and a query; the answer has its life as a number."""
    client_id, secret = front.clients["Lab"]
    form = f"grant_type=client_credentials&client_id={client_id}&client_secret={secret}"
    if kind == "query":
        answer = front.post(f"/backend/oauth/token?{form}", bearer=None)
    elif kind == "application/json":
        asked = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        answer = front.post("/oauth/token", asked, bearer=None)
    else:
        answer = front.post("/oauth/token", form.encode(), bearer=None, content_type=kind)
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 3600
    assert answer.headers["cache-control"] == "no-store"
    bearer = answer.json["access_token"]
    assert front.get(f"{LAB}/virtual-accounts", bearer=bearer).status == 200


def test_a_client_may_come_by_http_basic(front: Front) -> None:
    """As the libraries of OAuth send it; what is no such thing is a client that is not known."""
    client_id, secret = front.clients["Lab"]

    def asked(credentials: bytes) -> Answer:
        sent = [(b"authorization", credentials)]
        form = b"grant_type=client_credentials"
        return front.post("/oauth/token", form, bearer=None, content_type=FORM, headers=sent)

    for word, status in (
        (f"{client_id}:{secret}", 200),
        (f"{client_id}:{secret}x", 403),
        (client_id, 403),
        ("", 403),
    ):
        assert asked(b"Basic " + base64.b64encode(word.encode())).status == status, word
    assert asked(b"Basic \xff=").code == "wrong-client"


def test_head_is_a_get_without_its_body(front: Front) -> None:
    """For tools that only look whether something is there."""
    there = front.call("HEAD", f"{LAB}/virtual-accounts")
    assert (there.status, there.headers) == (200, front.get(f"{LAB}/virtual-accounts").headers)
    assert front.call("HEAD", f"{LAB}/licenses").status == 405


# ---- what leaves, and when --------------------------------------------------------------------------------
def test_nothing_leaves_before_it_is_safe(front: Front) -> None:
    """Every route waits for the disks of both, reads too; if they do not answer it is 503, Retry-After."""
    for route in ROUTES:
        path = route.path.replace("{account}", "Lab").replace("{virtual_account}", "Default")
        before = front.ledger.waits
        if front.call(route.method, path).status == 200:
            assert front.ledger.waits > before, path
    front.ledger.failing = True
    answer = front.get(f"{LAB}/virtual-accounts")
    assert (answer.status, answer.headers["retry-after"], answer.code) == (503, "1", "not-active")
    front.ledger.failing, front.active = False, None
    assert front.get(f"{LAB}/virtual-accounts").status == 503


def test_a_change_that_may_be_made_is_not_refused_with_503(front: Front) -> None:
    """503 says that it was not made, and is sent again. Where the disks did not answer it is 500 with a code
    of its own; a question stays 503, whatever its method."""
    front.ledger.failing = True
    answer = front.call("POST", f"{LAB}/virtual-accounts", {"name": "New"})
    assert (answer.status, answer.code) == (500, "outcome-unknown")
    assert "retry-after" not in answer.headers
    assert "New" in front.state.accounts["Lab"].virtual_accounts
    assert front.call("POST", f"{LAB}/licenses", {}).status == 503
    front.ledger.failing, front.active = False, None
    assert front.call("POST", f"{LAB}/virtual-accounts", {"name": "Newer"}).status == 503


def test_the_dispatch_takes_what_is_the_apis() -> None:
    """Its own paths with and without /backend, and nothing of the pages."""
    ours = ["/api/v1/x", "/oauth/token", "/openapi.json", "/api-docs", "/api-docs/start.js"]
    for path in ours + [f"/backend{path}" for path in ours]:
        assert is_of_api({"path": path, "raw_path": path.encode()})
    for path in ("/", "/health", "/apiary", "/backend", "/trust-anchor.pem", "/admin/", "/oauth"):
        assert not is_of_api({"path": path, "raw_path": path.encode()})


def test_a_long_list_that_changes_meanwhile_stays_whole(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pieces of two: one that is removed and one that moves away while it leaves are left out."""
    monkeypatch.setattr("mock_server.api.calls.PIECE", 2)
    token = front.id_token()
    for number in range(7):
        front.register(f"SN{number}", token)
    order = [piid for _, piid in front.state.by_place["Lab", "Default"]]
    original = type(front.ledger).settled
    seen = 0

    async def settled(self: object, index: int | None = None) -> None:
        nonlocal seen
        seen += 1
        if seen == 3:
            front.server.commit(instances.remove(front.state, order[4]))
            front.server.commit(instances.transfer(front.state, order[6], "Branch"))
        await original(self, index)  # type: ignore[arg-type]

    monkeypatch.setattr(type(front.ledger), "settled", settled)
    answer = front.get(f"{DEFAULT}/devices?limit=-1")
    assert len(answer.parts) > 3
    listed = answer.json
    assert listed["totalRecords"] == 7
    assert len(listed["devices"]) == 5
