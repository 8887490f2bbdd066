"""What a server does around a synchronization, with CSSM in the same process and a ledger in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mock_server import issuing, pki, serving, syncing
from mock_server.cluster import config
from mock_server.cluster.machine import Event, NodeContext
from mock_server.control import handlers
from mock_server.cssm.port import LocalCssm
from mock_server.cssm.service import CssmService
from mock_server.domain import accounts, clock, events
from mock_server.domain.apply import LicensingMachine
from mock_server.serving import Serving
from mock_server.syncing import Synchronizer
from smartlic_client.errors import SmartlicError

DAY = 86_400.0


class MemoryLedger:
    """Applies changes, keeps keys, and lets nobody wait."""

    def __init__(self, machine: LicensingMachine) -> None:
        self.machine = machine
        self.index = 0
        self.epoch = 1
        self.keys: dict[str, bytes] = {}
        self.happened: list[events.Event] = []

    def propose(self, payload: bytes, keys: Mapping[str, bytes] = {}) -> int:
        self.machine.apply(payload)
        self.happened += events.decode(payload).events
        self.keys.update(keys)
        self.index += 1
        return self.index

    async def settled(self, index: int | None = None) -> None:  # noqa: ARG002 - the protocol's names
        await asyncio.sleep(0)

    def key(self, name: str) -> bytes:
        return self.keys[name]

    async def read_events(
        self,
        after: int = 0,  # noqa: ARG002
        limit: int = 100,  # noqa: ARG002
        newest_first: bool = False,  # noqa: ARG002
    ) -> Sequence[Event]:
        return []


class Site:
    """A server that is Active, and CSSM."""

    def __init__(self) -> None:
        self.cssm = LocalCssm(CssmService(None))
        machine = LicensingMachine()
        self.ledger = MemoryLedger(machine)
        context = NodeContext("primary", Path("/nowhere"), config.configure(), dict)
        self.serving = Serving(context, machine, self.ledger, self.cssm.port)
        self._handlers = handlers(lambda: self.serving)

    async def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        if op.startswith("cssm."):
            return await self.cssm.dispatch({"op": op, **fields})
        return await self._handlers[op](fields)

    def failure(self, name: str = "Lab") -> str | None:
        failure = self.serving.state.accounts[name].sync_failure
        return failure.code if failure is not None else None


def play(story: Callable[[Site], Awaitable[None]]) -> Site:
    """A story on a new server with its first certificates."""
    site = Site()

    async def run() -> None:
        await issuing.first_certificates(site.serving)
        await story(site)

    asyncio.run(run())
    return site


async def code_of(asked: Awaitable[object]) -> str:
    with pytest.raises(SmartlicError) as caught:
        await asked
    return caught.value.code


def test_a_journal_of_before_gets_the_trust_anchor_when_cssm_is_there() -> None:
    """Without CSSM it has none; the next look asks for it, and then CSSM may go."""

    async def story(site: Site) -> None:
        former = site.serving.state.settings.certificates.pop("root")
        await site.ask("cssm.stop")
        assert await code_of(site.ask("certificates")) == "cssm-unreachable"
        await site.ask("cssm.start")
        looking = asyncio.ensure_future(Synchronizer(site.serving).look())
        while site.serving.kept_anchor is None:
            await asyncio.sleep(0)
        looking.cancel()
        await site.ask("cssm.stop")
        assert site.serving.state.settings.certificates["root"] == former
        assert (await site.ask("certificates"))["fingerprint"] == pki.fingerprint(await site.serving.anchor())

    play(story)


def test_a_new_server_without_cssm_makes_nothing() -> None:
    """It has no certificates then, and nothing in its journal; the next attempt makes all."""
    site = Site()

    async def story() -> None:
        await site.ask("cssm.stop")
        assert await code_of(issuing.first_certificates(site.serving)) == "cssm-unreachable"
        assert (site.ledger.index, site.ledger.keys) == (0, {})
        await site.ask("cssm.start")
        await issuing.first_certificates(site.serving)
        assert await site.ask("synchronize")

    asyncio.run(story())


def test_synchronizations_at_the_same_time_are_all_done() -> None:
    """By hand, by itself and by file: each takes its own answer, in the order of the serials."""

    async def story(site: Site) -> None:
        request = (await site.ask("sync.request-file"))["request"]
        answer = (await site.ask("cssm.answer", request=request))["answer"]
        synchronizer = Synchronizer(site.serving)
        async with asyncio.TaskGroup() as group:
            by_file = group.create_task(site.ask("sync.answer-file", answer=answer))
            for _ in range(3):
                group.create_task(synchronizer.by_network(["Lab"]))
                group.create_task(site.ask("synchronize"))
        assert by_file.result()["synchronized"] == ["Lab"]
        assert site.failure() is None
        serials = [one.serial for one in site.ledger.happened if isinstance(one, events.AccountSynchronized)]
        assert serials == [1, 2, 3, 4, 5, 6, 7]

    play(story)


def test_a_hundred_accounts_of_which_some_fail() -> None:
    """One run: the good ones are synchronized, each bad one has its reason, and CSSM is asked for all."""

    async def story(site: Site) -> None:
        await site.ask("cssm.strict", strict=True)
        await site.ask("cssm.smart-account.create", name="Known")
        await site.serving.commit("test", accounts.deactivate(site.serving.state, "Lab", "test"))
        for number in range(100):
            known = number % 10 != 0
            await site.ask("account.create", name=f"A{number}", smart_account="Known" if known else "Unknown")
            if known:
                await site.ask("cssm.virtual-account.create", name=f"A{number}", smart_account="Known")
        assert await code_of(site.ask("synchronize")) == "sync-incomplete"
        failed = {name for name in site.serving.state.accounts if site.failure(name)}
        assert failed == {f"A{number}" for number in range(0, 100, 10)}
        assert {site.failure(name) for name in failed} == {"smart-account-unknown"}
        assert len((await site.ask("cssm.on-prem.list"))["on_prem"]) == 90

    play(story)


def test_what_another_cssm_answers_is_not_taken() -> None:
    """Somebody put another CSSM in the place of this one: refused, and the account shows it."""

    async def story(site: Site) -> None:
        other = LocalCssm(CssmService(None))
        other_root = pki.new_root("Other", (await site.serving.anchor()).not_valid_before_utc)
        other._service.root.adopt(other_root)
        site.serving.cssm = other.port
        assert await code_of(site.ask("synchronize")) == "sync-file-other-root"
        assert site.failure() == "sync-file-other-root"

    play(story)


def test_an_answer_that_was_tampered_with_on_the_way_is_not_taken() -> None:
    """The network is as little trusted as a carried file."""

    async def story(site: Site) -> None:
        true = site.cssm.port

        class Tampering:
            anchor = true.anchor
            certify_authority = true.certify_authority

            async def synchronize(self, request: bytes, timeout: float = 1.0) -> bytes:
                answer = await true.synchronize(request, timeout)
                place = answer.index(b'"signature": "') + 30
                return (
                    answer[:place]
                    + (b"A" if answer[place : place + 1] != b"A" else b"B")
                    + answer[place + 1 :]
                )

        site.serving.cssm = Tampering()
        assert await code_of(site.ask("synchronize")) == "sync-file-edited"
        assert site.serving.state.accounts["Lab"].last_sync is None

    play(story)


def test_a_scheduled_one_needs_a_sign_in_and_one_by_hand_does_not() -> None:
    """After 180 days, by the clock of licensing."""

    async def story(site: Site) -> None:
        await site.ask("sync.schedule", every="monthly")
        state = site.serving.state
        await site.serving.commit("test", clock.advance(state, 181 * DAY, site.serving.now()))
        looking = asyncio.ensure_future(Synchronizer(site.serving).look())
        while site.failure() is None:
            await asyncio.sleep(0)
        looking.cancel()
        assert site.failure() == "cssm-signed-out"
        assert (await site.ask("synchronize"))["synchronized"] == ["Lab"]
        assert (await site.ask("sync.status"))["accounts"][0]["signed_out"] is True
        await site.ask("sync.sign-in", user="admin")
        assert (await site.ask("sync.status"))["accounts"][0]["signed_out"] is False

    play(story)


def test_the_teardown_deletes_the_uploaded_browser_certificate_and_the_request() -> None:
    """What was asked for goes too; with neither, nothing happens."""

    async def story(site: Site) -> None:
        from mock_server.control import browser

        before = site.ledger.index
        await browser.deleted_by_teardown(site.serving)
        assert site.ledger.index == before
        await site.ask("browser-certificate.csr")
        await browser.deleted_by_teardown(site.serving)
        settings = site.serving.state.settings
        assert (settings.browser_request, settings.browser_key) == ("", "")
        assert (await site.ask("certificates"))["browser_certificate"]["uploaded"] is False

    play(story)


def test_a_slow_cssm_holds_nobody_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """With many accounts the whole ends in time: those not asked for are tried again, as others are."""
    monkeypatch.setattr(syncing, "_WHOLE", 0.6)
    monkeypatch.setattr(serving, "_PATIENCE", 0.05)

    async def story(site: Site) -> None:
        for number in range(30):
            await site.ask("account.create", name=f"A{number}")
        await site.ask("cssm.fault.set", kind="slow", seconds=0.5)
        whole = asyncio.ensure_future(code_of(site.ask("synchronize")))
        await asyncio.sleep(0)
        assert await code_of(site.ask("sync.request-file")) == "synchronization-under-way"
        async with asyncio.timeout(1.5):
            assert await whole == "sync-incomplete"
        every = site.serving.state.accounts.values()
        assert {site.failure(account.name) for account in every} == {None, "cssm-timeout"}
        assert all(account.next_sync for account in every if account.sync_failure)

    play(story)


def test_who_deletes_what_another_changes_spoils_no_answer() -> None:
    """An account that is gone before the answer leaves: the answer is what was done."""

    async def story(site: Site) -> None:
        await site.ask("account.create", name="A")
        done = await asyncio.gather(
            site.ask("account.deactivate", name="A", reason="moved"),
            site.ask("account.activate", name="A"),
            site.ask("sync.schedule", account="A", every="daily"),
            site.ask("account.deactivate", name="A", reason="moved"),
            site.ask("account.delete", name="A"),
        )
        assert [one.get("status") for one in done] == ["inactive", "active", None, "inactive", None]
        assert done[2]["schedule"] == "daily"

    play(story)


def test_an_account_that_goes_while_others_wait_keeps_none_of_them() -> None:
    """Deactivated between a synchronization and the one that waits for it: the others are synchronized."""

    async def story(site: Site) -> None:
        await site.ask("account.create", name="A")
        first = asyncio.ensure_future(site.ask("synchronize", accounts=["Lab"]))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(site.ask("synchronize"))
        await asyncio.sleep(0)
        await site.ask("account.deactivate", name="A", reason="moved")
        await first
        assert await code_of(second) == "sync-incomplete"
        assert site.serving.state.accounts["Lab"].sync_serial == 2

    play(story)
