"""What each method of both clients asks for, and what it makes of the answer: real TLS, real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from smartlic_client.errors import CallerError, SmartlicError
from smartlic_client.onprem import (
    Device,
    License,
    LicenseTransfer,
    LicenseUsage,
    Secret,
    Sudi,
    Token,
    VirtualAccount,
)
from tests.unit.onprem.serving import BOTH, SECRET, Answer, Api, Asked, Work, ask

DEVICE = {
    "displayName": "UDI_PID:C9300-24T; UDI_SN:FOC1; ",
    "instanceName": "annanr-39",
    "hostName": "annanr-39",
    "sudi": {"udiPid": "C9300-24T", "udiSerialNumber": "FOC1", "macAddress": None},
    "productTagName": "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72",
    "virtualAccount": "Default",
    "licenseUsage": [{"license": "DNA Premier", "quantity": "3"}],
}
READ = Device(
    display_name="UDI_PID:C9300-24T; UDI_SN:FOC1; ",
    instance_name="annanr-39",
    host_name="annanr-39",
    sudi=Sudi(udi_pid="C9300-24T", udi_serial_number="FOC1"),
    product_tag_name="regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72",
    virtual_account="Default",
    license_usage=[LicenseUsage(license="DNA Premier", quantity=3)],
)
BARE = {"sudi": {"udiPid": "C9300-24T", "udiSerialNumber": "FOC1"}, "productTagName": READ.product_tag_name}
SUCCESS = {"status": "SUCCESS", "statusMessage": "done"}
A = "/backend/api/v1/accounts/SAP%201%2Feu"
V = f"{A}/virtual-accounts/Default"


def _done(found: Any) -> bool:
    return bool(found.status == "SUCCESS" and found.message == "done")


Case = tuple[Work, str, str, Any, Any, Callable[[Any], object]]
CASES: dict[str, Case] = {
    "accounts": (
        lambda api: api.accounts(),
        "POST",
        "/backend/api/v1/upstream_satellites/accounts",
        {},
        {"accounts": [{"name": "SAP 1/eu", "account_id": 7, "virtual_accounts": ["Default"]}]},
        lambda found: (
            (found[0].name, found[0].account_id, found[0].virtual_accounts)
            == ("SAP 1/eu", "7", [VirtualAccount(name="Default")])
        ),
    ),
    "search": (
        lambda api: api.search_accounts("ä & b"),
        "GET",
        "/backend/api/v1/accounts/search",
        {"domain": "ä & b"},
        {"accounts": [{"name": "x", "domain": "ä & b"}]},
        lambda found: found[0].domain == "ä & b",
    ),
    "virtual accounts": (
        lambda api: api.virtual_accounts("SAP 1/eu"),
        "GET",
        f"{A}/virtual-accounts",
        {},
        {"virtualAccounts": [{"name": "Default", "isDefault": "true"}, {"name": "b", "isDefault": "false"}]},
        lambda found: [each.is_default for each in found] == [True, False],
    ),
    "create virtual account": (
        lambda api: api.create_virtual_account("SAP 1/eu", "b", "two"),
        "POST",
        f"{A}/virtual-accounts",
        {"name": "b", "description": "two"},
        SUCCESS,
        _done,
    ),
    "delete virtual account": (
        lambda api: api.delete_virtual_account("SAP 1/eu", "b ü"),
        "POST",
        f"{A}/virtual-accounts/b%20%C3%BC/delete",
        {},
        SUCCESS,
        _done,
    ),
    "tokens": (
        lambda api: api.id_tokens("SAP 1/eu", "Default"),
        "GET",
        f"{V}/tokens",
        {},
        {"tokens": [{"token": None, "description": "one", "usedCount": "2"}]},
        lambda found: found == [Token(description="one", used_count=2)] and not found[0].token,
    ),
    "create token": (
        lambda api: api.create_id_token("SAP 1/eu", "Default", description="one", uses=5),
        "POST",
        f"{V}/tokens",
        {
            "description": "one",
            "expiresAfterDays": 30,
            "exportControlled": "Not Allowed",
            "numberOfUses": 5,
        },
        {**SUCCESS, "tokenInfo": {"token": "abc%3D", "expirationDate": "soon"}},
        lambda found: found.token.reveal() == "abc%3D" and "abc" not in repr(found),
    ),
    "revoke tokens": (
        lambda api: api.revoke_id_tokens("SAP 1/eu", "Default", ["a", Secret("b"), Token(token=Secret("c"))]),
        "POST",
        f"{V}/tokens/revoke",
        {"tokens": ["a", "b", "c"]},
        SUCCESS,
        _done,
    ),
    "licenses": (
        lambda api: api.licenses("SAP 1/eu", ["Default"]),
        "POST",
        f"{A}/licenses",
        {"virtualAccounts": ["Default"], "limit": 200, "offset": 0},
        {"totalRecords": 1, "licenses": [{"license": "DNA", "quantity": 5, "inUse": "6", "available": -1}]},
        lambda found: found == [License(license="DNA", quantity=5, in_use=6, available=-1)],
    ),
    "subscriptions": (
        lambda api: api.subscriptions("SAP 1/eu"),
        "POST",
        f"{A}/license-subscriptions",
        {"limit": 200, "offset": 0},
        {"totalRecords": 1, "licenseSubscriptions": [{"subscriptionId": 9, "quantity": 5}]},
        lambda found: found[0].subscription_id == "9",
    ),
    "transfer licenses": (
        lambda api: api.transfer_licenses(
            "SAP 1/eu", "Default", [LicenseTransfer(license="DNA", target_virtual_account="b", quantity=2)]
        ),
        "POST",
        f"{V}/licenses/transfer",
        {
            "licenses": [
                {
                    "license": "DNA",
                    "targetVirtualAccount": "b",
                    "quantity": 2,
                    "licenseType": "PERPETUAL",
                    "precedence": "",
                }
            ]
        },
        SUCCESS,
        _done,
    ),
    "devices": (
        lambda api: api.devices("SAP 1/eu", "Default"),
        "GET",
        f"{V}/devices",
        {"limit": "200", "offset": "0"},
        {"totalRecords": 1, "devices": [DEVICE]},
        lambda found: found == [READ],
    ),
    "transfer devices": (
        lambda api: api.transfer_devices("SAP 1/eu", "Default", [READ], "b"),
        "POST",
        f"{V}/devices/transfer",
        {"productInstances": [{**BARE, "targetVirtualAccount": "b"}]},
        SUCCESS,
        _done,
    ),
    "remove devices": (
        lambda api: api.remove_devices("SAP 1/eu", "Default", [READ]),
        "POST",
        f"{V}/devices/remove",
        {"productInstances": [BARE]},
        SUCCESS,
        _done,
    ),
    "alerts": (
        lambda api: api.alerts("SAP 1/eu"),
        "POST",
        f"{A}/alerts",
        {"limit": 200, "offset": 0},
        {"alerts": [{"messageType": "x", "severity": "Major"}]},
        lambda found: [each.severity for each in found] == ["Major"],
    ),
}


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("case", CASES)
def test_what_is_asked_and_what_is_made_of_the_answer(kind: str, case: str) -> None:
    """Both clients ask each route alike, with names percent-encoded, and read its answer alike."""
    work, method, path, sent, answer, right = CASES[case]
    with Api(lambda _: Answer(answer)) as server:
        (found,) = ask(kind, server, work)
    first = server.asked[0]
    assert (first.method, first.path) == (method, path)
    assert (first.query if method == "GET" else first.json) == sent
    assert first.bearer == "t1"
    assert right(found), found


@pytest.mark.parametrize("kind", BOTH)
def test_each_method_is_in_both_clients(kind: str) -> None:
    """The table above has every public method but those that end the client."""
    from smartlic_client.onprem import AsyncOnPremApi, OnPremApi

    names = {name for name in vars(OnPremApi if kind == "sync" else AsyncOnPremApi) if name[0] != "_"}
    assert len(names - {"close", "aclose"}) == len(CASES)


# ---- lists in pages ---------------------------------------------------------------------------------------
def paged(total: int, largest: int, tell: bool = True) -> Callable[[Asked], Answer]:
    """A server with `total` product instances that gives `largest` at once, whatever it is asked for."""

    def answer(asked: Asked) -> Answer:
        offset, limit = int(asked.query["offset"]), int(asked.query["limit"])
        shown = range(offset, min(total, offset + min(largest, limit if limit > 0 else total)))
        body: dict[str, Any] = {"devices": [{"instanceName": f"d{number}"} for number in shown]}
        return Answer(body | ({"totalRecords": str(total)} if tell else {}))

    return answer


def names(api: Any) -> Any:
    return api.devices("a", "b")


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("total", "largest", "tell", "asked"),
    [
        (5, 100, True, 3),
        (4, 100, True, 2),
        (4, 100, False, 3),
        (0, 100, True, 1),
        (5, 1, True, 5),
        (5, 1, False, 6),
    ],
)
def test_pages_come_one_after_the_other(kind: str, total: int, largest: int, tell: bool, asked: int) -> None:
    """All lines come once, whether the server says how many there are or not, and gives fewer than asked."""
    with Api(paged(total, largest, tell)) as server:
        (found,) = ask(kind, server, names, page_size=2)
    assert [each.instance_name for each in found] == [f"d{number}" for number in range(total)]
    assert len(server.asked) == asked


@pytest.mark.parametrize("kind", BOTH)
def test_a_server_without_pages_does_not_keep_the_client_for_ever(kind: str) -> None:
    """One that gives the same list whatever offset is asked for has given all of it once."""
    body = {"devices": [{"instanceName": "d0"}, {"instanceName": "d1"}]}
    with Api(lambda _: Answer(body)) as server:
        (found,) = ask(kind, server, names, page_size=2)
    assert [each.instance_name for each in found] == ["d0", "d1"]
    assert len(server.asked) == 2


@pytest.mark.parametrize("kind", BOTH)
def test_all_in_one_answer(kind: str) -> None:
    """With a page size of -1 there is one request, with limit -1."""
    with Api(paged(1000, 1000, False)) as server:
        (found,) = ask(kind, server, names, page_size=-1)
    assert len(found) == 1000
    assert [asked.query["limit"] for asked in server.asked] == ["-1"]


def test_a_page_is_asked_for_when_it_is_needed() -> None:
    """Whoever looks at the first line only causes one request."""
    with Api(paged(100, 100)) as server:
        (first,) = ask("sync", server, lambda api: next(api.devices("a", "b")), page_size=10)
    assert first.instance_name == "d0"
    assert len(server.asked) == 1


# ---- what the caller gets wrong ---------------------------------------------------------------------------
@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("name", ["", " ", ".", "..", "a\nb", "a\x00"])
def test_a_name_that_no_path_can_carry(kind: str, name: str) -> None:
    """It is refused before anything is sent: `..` would lead to another route."""
    with Api() as server, pytest.raises(CallerError) as caught:
        ask(kind, server, lambda api: api.id_tokens(name, "Default"))
    assert caught.value.code == "api-bad-name"
    assert server.connections == 0


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("name", ["a/../b", "%2e%2e", "?x=1#", "日本語", "x" * 3000, "a%b", "a+b", "~a;b"])
def test_any_other_name_arrives_as_it_is(kind: str, name: str) -> None:
    """Slashes, percent signs, question marks and other scripts in a name stay in the name."""
    from urllib.parse import unquote

    with Api(lambda _: Answer({"tokens": []})) as server:
        assert ask(kind, server, lambda api: api.id_tokens("acc", name)) == [[]]
    segments = server.asked[0].path.split("/")
    assert len(segments) == 9
    assert unquote(segments[7]) == name


@pytest.mark.parametrize("kind", BOTH)
def test_a_token_that_is_not_shown_cannot_be_revoked(kind: str) -> None:
    """The caller hears so, and the server is not asked to revoke nothing."""
    with Api() as server, pytest.raises(CallerError) as caught:
        ask(kind, server, lambda api: api.revoke_id_tokens("a", "b", [Token()]))
    assert caught.value.code == "api-token-hidden"
    assert server.connections == 0


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nobody": ({"client_id": None, "client_secret": None}, "api-credentials-needed"),
    "no secret": ({"client_secret": ""}, "api-credentials-needed"),
    "no password": ({"user": "admin"}, "api-credentials-needed"),
    "http": ({"url": "http://127.0.0.1:8443"}, "api-bad-url"),
    "a host": ({"url": "127.0.0.1"}, "api-bad-url"),
    "a query": ({"url": "https://127.0.0.1/?a=b"}, "api-bad-url"),
    "a user": ({"url": "https://u:secret@127.0.0.1/"}, "api-bad-url"),
    "a base": ({"base": "a b"}, "api-bad-url"),
    "a port": ({"url": "https://127.0.0.1:99999"}, "api-bad-url"),
    "a name": ({"url": "https://a..b"}, "bad-host"),
    "anchors": ({"trust": b"nothing"}, "bad-anchors"),
    "a proxy": ({"proxy": "socks5://x"}, "bad-proxy"),
}


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("case", BAD)
def test_settings_that_cannot_be(kind: str, case: str) -> None:
    """Each is refused with its code when the client is made, without what may be a secret."""
    settings, code = BAD[case]
    with Api() as server, pytest.raises(SmartlicError) as caught:
        ask(kind, server, names, **settings)
    assert caught.value.code == code
    told = json.dumps(caught.value.as_dict())
    assert SECRET not in told
    assert "u:secret" not in told
    with pytest.raises(ValueError, match="page"), Api() as server:
        ask(kind, server, names, page_size=0)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("path", "settings", "base"),
    [
        ("", {}, "/backend"),
        ("/", {}, "/backend"),
        ("", {"base": ""}, ""),
        ("", {"base": "/"}, ""),
        ("/", {"base": "x/y/"}, "/x/y"),
        ("/api-of/it/", {}, "/api-of/it"),
    ],
)
def test_the_path_under_which_the_api_is(kind: str, path: str, settings: dict[str, Any], base: str) -> None:
    """/backend, or the URL's own, or what is given; of the token's route too."""
    with Api(lambda _: Answer({"accounts": []})) as server:
        ask(kind, server, lambda api: api.accounts(), url=server.url + path, **settings)
    assert server.asked[0].path == f"{base}/api/v1/upstream_satellites/accounts"
    assert server.grants[0].path == f"{base}/oauth/token"
