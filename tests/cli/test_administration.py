"""Accounts, virtual accounts, licenses, instances, alerts and the clock, as people and scripts call them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smartlic_client.device import Device
from smartlic_client.errors import RefusedError
from smartlic_client.protocol.identity import IdToken
from tests.cli.harness import Inside, Lab, assert_error, inside
from tests.support import DNA, token

pytestmark = pytest.mark.real


@pytest.fixture
def mock(lab: Lab) -> Inside:
    return inside("smartlic-mock", lab.stage.cluster)


def pools(mock: Inside) -> dict[str, tuple[int, int, str]]:
    """Virtual account → purchased, in use and status of the DNA licenses."""
    return {
        row["virtual_account"]: (row["purchased"], row["in_use"], row["status"])
        for row in mock.json("licenses")["licenses"]
        if row["tag"] == DNA and row["account"] == "Lab"
    }


def words(mock: Inside, count: int) -> list[str]:
    """The newest lines of the event log, oldest first."""
    return [line["event"] for line in reversed(mock.json("events", "--limit", str(count))["events"])]


def test_the_life_of_an_account(lab: Lab, mock: Inside) -> None:
    """Requested, approved, deactivated, activated, deleted: each step is a line in the log."""
    new = ["account", "request", "Büro Süd", "--email", "who@example.com"]
    assert mock.json(*new) == {"ok": True, "account": "Büro Süd", "status": "requested"}
    assert_error(mock.run("token", "create", "--account", "Büro Süd"), "account-not-active", 1)
    assert_error(mock.run("account", "activate", "Büro Süd"), "account-step", 1)
    assert mock.json("account", "approve", "Büro Süd")["status"] == "active"
    made = mock.json("token", "create", "--account", "Büro Süd")
    stopped = ["account", "deactivate", "Büro Süd", "--reason", "audit"]
    assert mock.json(*stopped)["reason"] == "audit"
    assert "Büro Süd  inactive: audit" in mock.run("accounts").stdout
    assert mock.run("account", "activate", "Büro Süd").stdout == "Büro Süd is active\n"
    assert_error(mock.run("account", "delete", "Büro Süd", "--yes"), "account-step", 1)
    mock.json(*stopped)
    mock.json("account", "delete", "Büro Süd", "--yes")
    assert [account["name"] for account in mock.json("accounts")["accounts"]] == ["Lab"]
    assert made["token_id"] not in [row["token_id"] for row in mock.json("token", "list")["tokens"]]
    assert words(mock, 7) == [
        "Local account Büro Süd is requested",
        "Local account Büro Süd is active",
        f"ID token {made['token_id']} created in Büro Süd / Default, any number of uses",
        "Local account Büro Süd is inactive: audit",
        "Local account Büro Süd is active",
        "Local account Büro Süd is inactive: audit",
        "Local account Büro Süd deleted",
    ]
    assert mock.json(*new)["status"] == "requested"
    assert mock.json("account", "refuse", "Büro Süd", "--yes")["account"] == "Büro Süd"


def test_what_destroys_asks(lab: Lab, mock: Inside) -> None:
    """Without --yes nothing is done unless the answer is yes, in both forms and where nobody can answer."""
    mock.json("virtual-account", "create", "Branch")
    for call in (
        ["virtual-account", "delete", "Branch"],
        ["account", "delete", "Lab"],
        ["account", "refuse", "Lab"],
        ["instance", "remove", "nobody"],
    ):
        for answer in ("", "n\n", "nonsense\n"):
            done = lab.mock.run("--format", "json", *call, stdin=answer)
            assert_error(done, "not-confirmed", 1)
            assert done.stderr.endswith("[y/N] \n" if not answer else "[y/N] ")
    done = lab.mock.run("virtual-account", "delete", "Branch", stdin="y\n")
    assert (done.returncode, done.stdout) == (0, "Branch deleted from Lab\n")
    assert_error(mock.run("virtual-account", "delete", "Default", "--yes"), "default-virtual-account", 1)


def test_licenses_and_instances_move(lab: Lab, mock: Inside, tmp_path: Path) -> None:
    """Usage moves with its instance, licenses with a transfer: out of compliance and back; removal frees."""
    folder = lab.registered(tmp_path, "pi37")
    with Device.open(folder) as device:
        device.request(DNA, 3)
    mock.json("virtual-account", "create", "Zweig stelle", "--description", "für Zürich")
    assert "Zweig stelle     0                  für Zürich" in mock.run("virtual-account", "list").stdout
    moved = mock.run("instance", "transfer", "pi37", "--to", "Zweig stelle")
    assert moved.stdout == "pi37 transferred from Default to Zweig stelle\n"
    assert pools(mock)["Default"] == (1000, 0, "In Compliance")
    assert pools(mock)["Zweig stelle"] == (0, 3, "Out Of Compliance")
    (short,) = [one for one in mock.json("alerts")["alerts"] if one["sourceType"] == "License"]
    assert (short["messageType"], short["severity"]) == ("Insufficient Licenses", "Major")
    assert "Insufficient Licenses" in mock.run("alerts").stdout
    with Device.open(folder) as device:
        device.request(DNA, 4)
        assert device.record.entitlements[DNA].enforcement_mode == "out-of-compliance"
    transfer = ["license", "transfer", "DNA", "--quantity", "10", "--to", "Zweig stelle"]
    assert_error(mock.run(*transfer[:3], "--quantity", "1001", *transfer[5:]), "not-so-many-licenses", 1)
    assert_error(mock.run(*transfer, "--kind", "TERM"), "not-so-many-licenses", 1)
    assert mock.run(*transfer).stdout == "DNA: 10 transferred from Default to Zweig stelle\n"
    assert pools(mock) == {
        "Default": (990, 0, "In Compliance"),
        "Zweig stelle": (10, 4, "In Compliance"),
    }
    with Device.open(folder) as device:
        device.request(DNA, 5)
        assert device.record.entitlements[DNA].enforcement_mode == "in-compliance"
    assert mock.run("instance", "rename", "pi37", "Kern 1").stdout == "pi37 is Kern 1 now\n"
    assert_error(mock.run("virtual-account", "delete", "Zweig stelle", "--yes"), "virtual-account-in-use", 1)
    assert mock.run("instance", "remove", "Kern 1", "--yes").stdout == "Kern 1 is removed\n"
    assert pools(mock)["Zweig stelle"][1] == 0
    with Device.open(folder) as device, pytest.raises(RefusedError) as caught:
        device.request(DNA, 6)
    assert caught.value.code == "identity-not-valid"
    mock.json("virtual-account", "delete", "Zweig stelle", "--yes")
    assert pools(mock) == {"Default": (1000, 0, "In Compliance")}
    assert words(mock, 3)[0] == "Product instance pi37 renamed to Kern 1"
    assert words(mock, 2) == [
        "Product instance Kern 1 removed",
        "Virtual account Zweig stelle deleted from Lab",
    ]


def test_an_inactive_account_refuses_its_products(lab: Lab, mock: Inside, tmp_path: Path) -> None:
    """While an account is inactive its products get account-inactive; afterwards they go on."""
    folder = lab.registered(tmp_path, "cucmpub")
    token = mock.json("token", "create")["token"]
    mock.json("account", "deactivate", "Lab", "--reason", "audit")
    try:
        with Device.open(folder) as device, pytest.raises(RefusedError) as caught:
            device.request(DNA, 1)
        assert caught.value.code == "account-inactive"
        other = lab.device(tmp_path, "cucm-pub-30")
        with Device.open(other) as device, pytest.raises(RefusedError) as caught:
            device.register(IdToken(token))
        assert caught.value.code == "account-inactive"
        assert_error(mock.run("account", "delete", "Lab", "--yes"), "account-in-use", 1)
    finally:
        mock.json("account", "activate", "Lab")
    with Device.open(folder) as device:
        device.request(DNA, 2)
        device.deregister()


def test_time_passes_at_once(lab: Lab, mock: Inside) -> None:
    """The clock of licensing moves: tokens expire, alerts come and go; TLS goes on as if nothing had been."""
    made = mock.json("token", "create", "--days", "30")
    mock.json("sync")

    def state() -> str:
        rows = mock.json("token", "list")["tokens"]
        return str(next(row["state"] for row in rows if row["token_id"] == made["token_id"]))

    def types() -> set[str]:
        return {one["messageType"] for one in mock.json("alerts", "--account", "Lab")["alerts"]}

    try:
        assert state() == "usable"
        assert "Synchronization Overdue" not in types()
        assert mock.json("clock", "advance", "29d")["ahead_by_seconds"] == 29 * 86400
        assert "ID Token Expiring" in types()
        assert "30 days, 12:00:00 ahead of the real time" in mock.run("clock", "advance", "1d12h").stdout
        assert (state(), "Synchronization Overdue" in types()) == ("expired", True)
        mock.json("clock", "advance", "60d")
        assert "Synchronization Removed" in types()
        mock.json("sync")
        assert not {"Synchronization Removed", "Synchronization Overdue"} & types()
        assert mock.json("clock", "set", "2030-01-01T00:00:00Z")["now"].startswith("2030-01-01T00:00")
        assert "behind the real time" in mock.run("clock", "set", "2020-02-29").stdout
        assert_error(mock.run("clock", "advance", "9999999w"), "bad-clock", 1)
        for wrong in (["advance", "soon"], ["advance", "1"], ["advance", "d"], ["set", "tomorrow"], ["set"]):
            assert_error(mock.run("clock", *wrong), "usage", 64)
        mock.json("clock", "advance", "-1d")
    finally:
        shown = mock.run("clock", "reset")
        mock.json("sync")
    assert shown.stdout.endswith("Z, the real time\n")
    assert mock.json("clock", "show")["ahead_by_seconds"] == 0


def test_bad_values_of_administration(lab: Lab, mock: Inside) -> None:
    """What names nothing, or nothing that can be, has a code of its own and changes nothing."""
    before = mock.json("events", "--limit", "1")["events"][0]["index"]
    to_default: list[str] = ["--quantity", "1", "--to", "Default"]
    cases: list[tuple[list[str], str]] = [
        (["account", "approve", "TEST"], "account-unknown"),
        (["account", "approve", "Lab"], "account-step"),
        (["account", "refuse", "Lab", "--yes"], "account-step"),
        (["account", "create", "Lab"], "account-exists"),
        (["account", "create", "TEST", "--cssm-virtual-account", "On-Prem"], "virtual-account-taken"),
        (["account", "create", " TEST"], "bad-name"),
        (["account", "create", "TEST", "--email", "nobody"], "bad-email"),
        (["account", "deactivate", "Lab", "--reason", " "], "bad-reason"),
        (["virtual-account", "create", "Default"], "virtual-account-exists"),
        (["virtual-account", "create", ""], "bad-name"),
        (["virtual-account", "create", "B", "--description", "d" * 256], "bad-description"),
        (["virtual-account", "create", "B", "--account", "TEST"], "account-unknown"),
        (["virtual-account", "delete", "B", "--yes"], "virtual-account-unknown"),
        (["virtual-account", "list", "--account", "TEST"], "account-unknown"),
        (["license", "transfer", "DNA", *to_default], "same-virtual-account"),
        (["license", "transfer", "DNA", "--quantity", "1", "--to", "B"], "virtual-account-unknown"),
        (["instance", "rename", "nobody", "x"], "instance-unknown"),
        (["instance", "transfer", "nobody", "--to", "Default"], "instance-unknown"),
        (["instance", "remove", "nobody", "--yes"], "instance-unknown"),
        (["alerts", "--account", "TEST"], "account-unknown"),
        (["account", "create", "\udcff"], "not-text"),
    ]
    for call, code in cases:
        assert_error(mock.run(*call), code, 1)
        assert_error(mock.run("--format=json", *call), code, 1)
    assert mock.json("events", "--limit", "1")["events"][0]["index"] == before


def test_long_lists_come_in_pages(lab: Lab, mock: Inside, tmp_path: Path) -> None:
    """So many from there on, and how many there are in all; people are told that it is not all."""
    for name in ("page 1", "page 2", "page 3"):
        lab.registered(tmp_path, name)
    every = mock.json("instances")
    names = [one["name"] for one in every["instances"]]
    assert every["total"] == len(names) >= 3
    part = mock.json("instances", "--limit", "2", "--offset", "1")
    assert ([one["name"] for one in part["instances"]], part["total"]) == (names[1:3], len(names))
    shown = mock.run("instances", "--limit", "2", "--offset", "1").stdout
    assert shown.endswith(f"\n2 to 3 of {len(names)}\n")
    assert mock.run("instances", "--offset", "999").stdout == f"There are {len(names)}.\n"
    assert " of " not in mock.run("instances").stdout
    for wrong in (["--limit", "0"], ["--offset", "-1"]):
        assert_error(mock.run("instances", *wrong), "usage", 64)
    with pytest.raises(Exception, match="bad-field"):
        lab.stage.ask("instance.list", limit=-2)


def test_fields_of_another_kind_are_refused(lab: Lab) -> None:
    """The control socket takes what is right: another type is bad-field, never a traceback."""
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("account.deactivate", {"name": "Lab"}),
        ("clock.advance", {"seconds": "1d"}),
        ("license.transfer", {"license": "DNA", "to": "B", "quantity": 1, "kind": "SOME"}),
        ("alert.list", {"account": 1}),
    ]
    for operation, fields in wrong:
        with pytest.raises(Exception, match="bad-field"):
            lab.stage.ask(operation, **fields)


# ---- what devices are told --------------------------------------------------------------------------------
def test_the_policy_of_an_account(lab: Lab, mock: Inside, tmp_path: Path) -> None:
    """Set, shown, told to a device with its trust code, and taken back; what is no policy is refused."""
    assert "no policy" in mock.run("account", "policy", "Lab").stdout
    assert_error(mock.run("account", "policy", "Nowhere"), "account-unknown", 1)
    assert_error(mock.run("account", "policy", "Nowhere", "--enforced", "1/2/3"), "account-unknown", 1)
    for wrong in ("1/2", "1/2/-3", "a/b/c", "1/2/3651", "1/2/3/4", ""):
        assert_error(mock.run("account", "policy", "Lab", "--enforced", wrong), "usage", 64)
    assert_error(mock.run("account", "policy", "Lab", "--none", "--title", "x"), "usage", 64)
    done = mock.json("account", "policy", "Lab", "--title", "Strict", "--unenforced-perpetual", "7/14/3")
    assert done["policy"]["unenforced_perpetual"] == {"first": 7, "frequency": 14, "on_change": 3}
    assert mock.json("account", "policy", "Lab")["policy"] == done["policy"]
    assert "first 7, every 14, after a change 3 days" in mock.run("account", "policy", "Lab").stdout
    folder = lab.device(tmp_path)
    smartlic = inside("smartlic", tmp_path)
    smartlic.json("policy")
    smartlic.json("trust", "idtoken", "--token", "-", stdin=token(lab.stage))
    record = Device.peek(folder)[0]
    assert record.usage is not None
    assert (record.usage.policy.name, record.usage.policy.unenforced_perpetual.first) == ("Strict", 7)
    assert mock.json("account", "policy", "Lab", "--none")["policy"] is None


def test_postponed_answers(lab: Lab, mock: Inside, tmp_path: Path) -> None:
    """A registration is answered later: the device asks for it, one instance is made, one use is spent."""
    secret = token(lab.stage)
    folder = lab.device(tmp_path)
    smartlic = inside("smartlic", tmp_path)
    assert mock.json("postpone", "2", "--seconds", "600")["postpone_next"] == 2
    error = assert_error(smartlic.run("register", "--token", "-", stdin=secret), "answer-not-ready", 2)
    assert error["code"] == "answer-not-ready"
    assert mock.json("postpone")["postpone_next"] == 1
    assert mock.json("postpone", "0")["postpone_next"] == 0
    assert mock.run("postpone").stdout == "Nothing is postponed\n"
    assert lab.uses(secret) == 1
    assert Device.peek(folder)[0].identity is None
    assert smartlic.json("register", "--token", "-", stdin=secret)["resumed"] is True
    assert lab.uses(secret) == 1
    assert lab.instance(folder) is not None
