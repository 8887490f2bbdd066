"""CSSM by itself: its commands, its store, its faults, and the way to it."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mock_server.cssm.port import CssmClient, LocalCssm
from mock_server.cssm.service import CssmService
from mock_server.domain import documents
from smartlic_client.errors import SmartlicError
from smartlic_client.protocol import signing
from tests.unit.cssm.sides import TAG, Sides


@pytest.fixture
def sides() -> Sides:
    return Sides()


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(SmartlicError) as caught:
        call()
    return caught.value.code


# ---- accounts and purchases -------------------------------------------------------------------------------
def test_what_is_named_is_made_unless_cssm_is_strict(sides: Sides) -> None:
    """By a purchase and by a synchronization; a strict CSSM refuses both and says what is missing."""
    sides.buy(1, smart_account="New", virtual_account="There")
    assert sides.portal("smart-account.list")["smart_accounts"] == [
        {"name": "New", "virtual_accounts": ["There"]}
    ]
    sides.portal("strict", strict=True)
    assert refused(sides.synchronize) == "smart-account-unknown"
    sides.portal("smart-account.create", name="Lab Smart Account")
    assert refused(sides.synchronize) == "cssm-virtual-account-unknown"
    sides.portal("virtual-account.create", name="On-Prem")
    sides.synchronize()
    assert refused(lambda: sides.buy(1, smart_account="Other")) == "smart-account-unknown"
    assert refused(lambda: sides.portal("smart-account.create", name="New")) == "cssm-exists"


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantity": 0},
        {"quantity": 2**31},
        {"kind": "TERM"},
        {"end": 9.0},
        {"kind": "TERM", "start": 9.0, "end": 9.0},
        {"id": "a b"},
        {"kind": "TERM", "end": 1e20},
        {"start": 253_402_300_800},
        {"start": -62_135_596_801},
        {"start": float("nan")},
        {"id": "local"},
        {"id": "x" * 41},
        {"id": "P-000001"},
    ],
)
def test_what_cannot_be_bought_is_refused(sides: Sides, wrong: dict[str, object]) -> None:
    """Quantities, terms and ids; nothing is kept of it."""
    sides.buy(1)
    before = sides.portal("purchase.list")
    assert refused(lambda: sides.buy(**{"quantity": 1, **wrong})) == "bad-purchase"  # type: ignore[arg-type]
    assert refused(lambda: sides.buy(1, tag="DNA")) == "bad-tag"
    assert sides.portal("purchase.list") == before


def test_a_virtual_account_of_cssm_serves_one_local_account(sides: Sides) -> None:
    """Another cluster's, or another account's, is refused until the registration is ended."""
    sides.synchronize()
    other = sides.sealed(sides.request(cluster="c2"))
    assert refused(lambda: sides.answered(other)) == "cssm-virtual-account-taken"
    moved = sides.sealed(sides.request(virtual_account="Elsewhere"))
    assert refused(lambda: sides.answered(moved)) == "cssm-registered-elsewhere"
    assert sides.portal("on-prem.remove", account="Lab")["removed"] == 1
    sides.answered(other)
    assert refused(lambda: sides.portal("on-prem.remove", account="Lab", cluster="c1")) == "on-prem-unknown"


def test_a_store_of_yesterday_does_not_stop_synchronization(sides: Sides) -> None:
    """Serials begin after the last one that SSM On-Prem has taken."""
    for _ in range(3):
        sides.synchronize()
    sides.service.store.change(lambda draft: draft.on_prem.clear())
    assert sides.synchronize().serial == 4


# ---- on disk ----------------------------------------------------------------------------------------------
@contextmanager
def opened(folder: Path) -> Iterator[CssmService]:
    service = CssmService(folder)
    try:
        yield service
    finally:
        service.close()


def ask(service: CssmService, op: str, **fields: object) -> dict[str, object]:
    return asyncio.run(service.dispatch({"op": f"cssm.{op}", **fields}))


def buy(service: CssmService, name: str = "DNA") -> dict[str, object]:
    return ask(service, "purchase.add", tag=TAG, name=name, quantity=3)


def test_what_cssm_knows_is_there_again(tmp_path: Path) -> None:
    """In private files; numbers go on; one process at a time."""
    with opened(tmp_path) as service:
        buy(service)
        service.root.ensure()
        root = service.root.issuer().certificate
        assert refused(lambda: CssmService(tmp_path)) == "cssm-store-in-use"
    with opened(tmp_path) as service:
        assert buy(service)["id"] == "P-000002"
        assert service.root.issuer().certificate == root
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


def test_a_folder_of_before_goes_on_working(tmp_path: Path) -> None:
    """One that holds the root only: the root stays, and the state begins with none."""
    with opened(tmp_path) as service:
        service.root.ensure()
        root = service.root.issuer().certificate
    (tmp_path / "lock").unlink()
    with opened(tmp_path) as service:
        assert ask(service, "status")["purchases"] == 0
        assert service.root.issuer().certificate == root


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "cssm-store-unusable"),
        (b"[]", "cssm-store-unusable"),
        (b'{"format":1,"smart_accounts":[]}', "cssm-store-unusable"),
        (b"\xff\xfe", "cssm-store-unusable"),
        (b'{"format":2,"clouds":{}}', "cssm-store-newer"),
    ],
)
def test_a_state_that_cannot_be_read_is_refused_and_left(tmp_path: Path, content: bytes, code: str) -> None:
    """Damaged, or of a newer release: the file stays as it was."""
    (tmp_path / "state.json").write_bytes(content)
    assert refused(lambda: CssmService(tmp_path)) == code
    assert (tmp_path / "state.json").read_bytes() == content


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    """The purchase is refused, in memory and on disk all is as before, and with room it goes on."""
    with opened(tmp_path) as service:
        buy(service)
        before = (tmp_path / "state.json").read_bytes()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before), hard))
        try:
            assert refused(lambda: buy(service)) == "cssm-store-failed"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert (tmp_path / "state.json").read_bytes() == before
        assert ask(service, "status")["purchases"] == 1
        assert buy(service)["id"] == "P-000002"


def test_a_root_that_is_lost_is_not_made_anew_for_who_asks(tmp_path: Path) -> None:
    """Only a new SSM On-Prem that asks to be certified gets a new one; a key of another one is refused."""
    with opened(tmp_path) as service:
        assert refused(lambda: ask(service, "anchor")) == "cssm-root-unusable"
        client = CssmClient(service.dispatch)
        chain = asyncio.run(client.certify_authority("CA", signing.new_key().public_key()))
        anchor = asyncio.run(client.anchor())
        chain[0].verify_directly_issued_by(anchor)
    (tmp_path / "root.key").write_text(signing.dump_key(signing.new_key()))
    with opened(tmp_path) as service:
        assert refused(lambda: ask(service, "anchor")) == "cssm-root-unusable"


def test_no_answer_of_cssm_holds_its_key(tmp_path: Path) -> None:
    """Neither does its log or any file but root.key."""
    with opened(tmp_path) as service:
        service.root.ensure()
        said = json.dumps([ask(service, op) for op in ("anchor", "status", "purchase.list", "on-prem.list")])
    inner = "".join((tmp_path / "root.key").read_text().splitlines()[1:-1])
    assert inner[:40] not in said.replace("\\n", "")
    assert "PRIVATE" not in said


# ---- faults -----------------------------------------------------------------------------------------------
def test_faults_meet_the_network_and_not_the_portal(sides: Sides) -> None:
    """Refused with a reason, cut off; a file is answered all the same; cleared, all is well."""
    document = sides.sealed(sides.request())
    sides.portal("fault.set", kind="refuse", reason="audit.")
    assert refused(lambda: sides.answered(document)) == "cssm-refuses"
    sides.portal("fault.set", kind="cut")
    assert refused(lambda: sides.answered(document)) == "cssm-unreachable"
    assert [fault["kind"] for fault in sides.portal("fault.list")["faults"]] == ["refuse", "cut"]
    by_file = sides.portal("answer", request=document.decode())["answer"].encode()
    assert documents.open_answer(by_file, sides.service.root.issuer().certificate).account == "Lab"
    assert sides.portal("fault.clear") == {"cleared": 2}
    sides.synchronize()


def test_a_fault_for_the_next_two_ends_by_itself(sides: Sides) -> None:
    """The third request is answered."""
    sides.portal("fault.set", kind="refuse", reason="busy", times=2)
    assert [refused(sides.synchronize) for _ in range(2)] == ["cssm-refuses"] * 2
    sides.synchronize()


def test_who_waits_for_a_slow_cssm_has_a_limit_and_is_let_go_when_it_is_cleared(sides: Sides) -> None:
    """A time-out of the caller's; and an answer at once when the fault ends."""
    document = sides.sealed(sides.request())

    async def run() -> float:
        await sides.cssm.dispatch({"op": "cssm.fault.set", "kind": "slow", "seconds": 3000.0})
        with pytest.raises(SmartlicError) as caught:
            await sides.cssm.port.synchronize(document, timeout=0.05)
        assert caught.value.code == "cssm-timeout"
        begun = time.monotonic()
        waiting = asyncio.ensure_future(sides.cssm.port.synchronize(document))
        await asyncio.sleep(0)
        await sides.cssm.dispatch({"op": "cssm.fault.clear"})
        await waiting
        return time.monotonic() - begun

    assert asyncio.run(run()) < 2.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "slow", "seconds": 0},
        {"kind": "slow", "seconds": float("nan")},
        {"kind": "refuse", "reason": " "},
        {"kind": "refuse", "reason": "a\nb"},
        {"kind": "cut", "times": 0},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(sides: Sides, wrong: dict[str, object]) -> None:
    """And none is set."""
    assert refused(lambda: sides.portal("fault.set", **wrong)) == "bad-fault"
    assert sides.portal("fault.list") == {"faults": []}


def test_cssm_in_this_process_stops_and_starts(sides: Sides) -> None:
    """Stopped it answers nobody; started it knows what it knew, and has no faults."""
    sides.buy(1)
    sides.portal("fault.set", kind="cut")
    assert sides.portal("stop") == {"running": False, "changed": True}
    assert sides.portal("stop") == {"running": False, "changed": False}
    assert sides.portal("status") == {"running": False}
    assert refused(sides.synchronize) == "cssm-unreachable"
    assert refused(lambda: sides.portal("purchase.list")) == "cssm-unreachable"
    assert sides.portal("start") == {"running": True, "changed": True}
    sides.synchronize()


def test_requests_that_make_no_sense_are_refused(sides: Sides) -> None:
    """An unknown operation, and fields of another form."""
    assert refused(lambda: sides.portal("cloud.buy")) == "unknown-op"
    assert refused(lambda: sides.portal("strict", strict="perhaps")) == "bad-control-request"
    assert refused(lambda: sides.portal("certify", common_name="x", public_key="!")) == "bad-control-request"


def test_a_cssm_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    """No folder, and a socket that nobody listens on."""
    client = CssmClient.over_socket(tmp_path)
    assert refused(lambda: asyncio.run(client.anchor())) == "cssm-unreachable"
    (tmp_path / "control.json").write_text(json.dumps({"control": str(tmp_path / "gone")}))
    assert refused(lambda: asyncio.run(client.anchor())) == "cssm-unreachable"


def test_two_synchronize_at_once(sides: Sides) -> None:
    """Each gets an answer of its own, with serials that differ."""
    first, second = (sides.sealed(sides.request()) for _ in range(2))

    async def both() -> list[bytes]:
        return await asyncio.gather(*(sides.cssm.port.synchronize(one) for one in (first, second)))

    serials = [sides.opened(document).serial for document in asyncio.run(both())]
    assert sorted(serials) == [1, 2]


def test_the_local_portal_is_that_of_the_process() -> None:
    """`LocalCssm` hands every operation on."""
    local = LocalCssm(CssmService(None))
    assert asyncio.run(local.dispatch({"op": "cssm.status"}))["running"] is True
