"""Devices left alone: timers honoured by `attend` and `run`, an emulator's hooks, events to listeners."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from pathlib import Path

import pytest

from smartlic_client.device import WAKE, Device, pause
from smartlic_client.device_async import AsyncDevice
from smartlic_client.errors import CallerError, CommunicationError, problem
from smartlic_client.protocol import signing
from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.logs import Logged
from smartlic_client.protocol.states import Authorization, Registration
from smartlic_client.transport.urls import Destination
from tests.unit.domain.world import NOW
from tests.unit.protocol.bench import DAY, ONE, WholeServer

URL = "https://vip/SmartTransport"
GONE = problem("run-gone", CommunicationError, "Nobody there.", "Try again.")


class Emulation:
    """A server in memory, a clock that only sleeping moves, and the hooks for a device in it."""

    def __init__(self) -> None:
        self.time = NOW
        self.chance = random.Random(5)
        self.server = WholeServer(self.now, random.Random(6))
        self.server.purchase(ONE, 5)
        self.reachable = True
        self.posted = 0
        self.logged: list[Logged] = []

    def now(self) -> float:
        return self.time

    def random(self, count: int, /) -> bytes:
        return self.chance.randbytes(count)

    def new_key(self) -> signing.PrivateKey:
        return signing.new_key()

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def post(self, destination: Destination, body: bytes, content_type: str) -> bytes:
        assert (destination.url, content_type) == (URL, "application/json")
        self.posted += 1
        if not self.reachable:
            raise GONE()
        return self.server.post(body)[1]

    async def apost(self, destination: Destination, body: bytes, content_type: str) -> bytes:
        return self.post(destination, body, content_type)

    def device(self) -> Device:
        device = Device.in_memory(
            Udi(pid="C9300-24T", sn="FOC1"),
            environment=self,
            post=self.post,
            sleep=self.sleep,
            on_log=self.logged.append,
        )
        device.set_destination(URL)
        device.trust(self.server.anchors)
        return device

    def alone(self, device: Device, until: float) -> None:
        first = True
        while self.time < until:
            at = device.attend(first=first)
            first = False
            self.time = until if at is None else min(until, max(at, self.time))


@pytest.fixture
def emulation() -> Emulation:
    return Emulation()


def test_a_device_in_memory_lives_a_year_by_its_timers(emulation: Emulation) -> None:
    """Registered, used, left alone: 13 authorizations, 2 renewals, and what is kept agrees with memory."""
    with emulation.device() as device:
        device.register(emulation.server.token())
        device.request(ONE, 3)
        emulation.posted = 0
        emulation.alone(device, NOW + 365 * DAY)
        assert emulation.posted == 12 + 2
        assert emulation.server.renewals == 2
        assert device.record.authorization is Authorization.AUTHORIZED


def test_waiting_uses_the_sleep_that_was_given(emulation: Emulation) -> None:
    """A call that waits for the server moves the emulation's clock, not the test's."""
    device = emulation.device()
    emulation.reachable = False
    with pytest.raises(CommunicationError):
        device.register(emulation.server.token(), wait=3600)
    assert NOW + 3590 < emulation.time <= NOW + 3600


def test_what_fails_while_it_is_alone_is_not_raised(emulation: Emulation) -> None:
    """The failure is in the record and in the log; a later attend heals it."""
    device = emulation.device()
    device.register(emulation.server.token())
    device.request(ONE, 3, at_once=False)
    emulation.reachable = False
    emulation.alone(device, NOW + 600)
    failure = device.record.authorizing.failure
    assert failure is not None
    assert failure["code"] == "run-gone"
    emulation.reachable = True
    emulation.alone(device, NOW + 6 * 3600)
    assert device.record.authorizing.failure is None
    names = [event.name for event in emulation.logged]
    assert names.count("COMM_FAILED") == names.count("COMM_RESTORED") == 1


def test_a_deregistration_that_was_left_is_finished_by_the_next_process(emulation: Emulation) -> None:
    """Meant, then the process ended: the next one tells the server, or wipes without it."""
    for reachable in (True, False):
        device = emulation.device()
        device.register(emulation.server.token(), force=True)
        device.errands.agent.deregister(emulation.random, emulation.time)
        emulation.reachable = reachable
        device.attend(first=True)
        assert device.record.registration is Registration.NOT_REGISTERED
        assert device.record.identity is None
        emulation.reachable = True


def test_events_go_to_logging_and_to_the_callback(
    emulation: Emulation, caplog: pytest.LogCaptureFixture
) -> None:
    """Each event once, in its text form, under the level of its severity; never the token."""
    token = emulation.server.token()
    with caplog.at_level(logging.INFO, logger="smartlic"):
        device = emulation.device()
        device.request(ONE, 1)
        device.register(token)
        device.request(ONE, 9)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [event.text() for event in emulation.logged]
    assert lines[0] == "%SMART_LIC-5-EVAL_START: Entering evaluation period"
    levels = {record.getMessage().partition(":")[0]: record.levelno for record in caplog.records}
    assert levels["%SMART_LIC-3-OUT_OF_COMPLIANCE"] == logging.ERROR
    assert levels["%SMART_LIC-6-AGENT_REG_SUCCESS"] == logging.INFO
    assert not any(token.reveal() in line for line in lines)


def test_run_ends_when_it_is_told_to(emulation: Emulation) -> None:
    """Another thread sets the event: run returns, and what it did is kept."""
    device = emulation.device()
    device.register(emulation.server.token())
    stop = threading.Event()
    device.request(ONE, 2, at_once=False)
    emulation.time += 2

    def answered(event: Logged) -> None:
        if event.name == "IN_COMPLIANCE":
            stop.set()

    device._on_log = answered
    running = threading.Thread(target=device.run, args=(stop,))
    running.start()
    running.join(10)
    assert not running.is_alive()
    assert device.record.authorization is Authorization.AUTHORIZED


def test_run_registers_again_where_the_server_forgot_the_device(emulation: Emulation) -> None:
    """With a source of tokens, a forgotten device has a new registration at once; its counts are told."""
    device = emulation.device()
    device.register(emulation.server.token())
    device.request(ONE, 2)
    former = device.record.identity
    assert former is not None
    emulation.server.state.instances.clear()
    emulation.server.state.by_identity.clear()
    emulation.time += 30 * DAY
    stop = threading.Event()

    def token() -> object:
        stop.set()
        return emulation.server.token()

    device.run(stop, token=token)  # type: ignore[arg-type]
    identity = device.record.identity
    assert identity is not None
    assert identity.piid != former.piid
    (instance,) = emulation.server.state.instances.values()
    assert instance.usage == {ONE: 2}


def test_an_async_device_runs_beside_its_calls(emulation: Emulation) -> None:
    """Changes that are not told at once wake the running task up: it tells them when they are due."""

    async def main() -> None:
        device = await AsyncDevice.in_memory(
            Udi(pid="C9300-24T", sn="FOC1"), environment=emulation, post=emulation.apost
        )
        async with device:
            await device.set_destination(URL)
            await device.trust(emulation.server.anchors)
            stop = asyncio.Event()
            running = asyncio.create_task(device.run(stop))
            await device.register(emulation.server.token())
            await device.request(ONE, 2, at_once=False)
            emulation.time += 2
            await device.configure(custom_id="rack 1")  # any call wakes it
            while device.record.authorization is not Authorization.AUTHORIZED:
                await asyncio.sleep(0)
            stop.set()
            await running
            assert [one.usage for one in emulation.server.state.instances.values()] == [{ONE: 2}]

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_cancelled_run_leaves_the_device_usable(emulation: Emulation) -> None:
    """Cancelled in its sleep, it ends at once, and the next call works."""

    async def main() -> None:
        device = await AsyncDevice.in_memory(Udi(pid="P"), environment=emulation, post=emulation.apost)
        await device.set_destination(URL)
        await device.trust(emulation.server.anchors)
        running = asyncio.create_task(device.run())
        await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await device.register(emulation.server.token())
        assert device.record.registration is Registration.COMPLETE

    asyncio.run(asyncio.wait_for(main(), 20))


def test_several_devices_live_in_one_process(emulation: Emulation) -> None:
    """Each with its own record; one emulation's clock moves them all."""
    devices = []
    for number in range(5):
        device = Device.in_memory(Udi(pid="P", sn=f"S{number}"), environment=emulation, post=emulation.post)
        device.set_destination(URL)
        device.trust(emulation.server.anchors)
        device.register(emulation.server.token())
        device.request(ONE, 1)
        devices.append(device)
    emulation.time += 31 * DAY
    for device in devices:
        device.attend()
    assert [device.record.authorization for device in devices] == [Authorization.AUTHORIZED] * 5
    assert len(emulation.server.state.instances) == 5


def test_the_folder_holds_what_run_did(tmp_path: Path, emulation: Emulation) -> None:
    """On disk as in memory: a second process sees the history and the timers of the first."""
    Device.create(tmp_path / "d", Udi(pid="P"))
    with Device.open(tmp_path / "d", environment=emulation, post=emulation.post) as device:
        device.set_destination(URL)
        device.trust(emulation.server.anchors)
        device.attend(first=True)
        device.register(emulation.server.token())
        told = device.record.to_data()
    record, _ = Device.peek(tmp_path / "d")
    assert record.to_data() == told
    assert [event.name for event in record.history][:2] == ["AGENT_ENABLED", "AGENT_READY"]


def test_renewing_and_configuring_by_hand(emulation: Emulation) -> None:
    """`renew` needs a registration and brings a new certificate; the custom id is kept and checked."""
    device = emulation.device()
    with pytest.raises(CallerError) as caught:
        device.renew()
    assert caught.value.code == "not-registered"
    device.register(emulation.server.token())
    device.renew()
    assert emulation.server.renewals == 1
    device.configure(custom_id="rack 7", hostname_private=True)
    assert device.record.custom_id == "rack 7"
    assert device.record.hostname_private is True


@pytest.mark.parametrize(
    ("at", "expected"), [(None, WAKE), (NOW - 5, 0.0), (NOW + 5, 5.0), (NOW + 1e9, WAKE)]
)
def test_a_driver_looks_at_the_clock_once_a_minute(at: float | None, expected: float) -> None:
    """It never sleeps past a deadline, and never longer than a minute: the clock may be set."""
    assert pause(at, NOW) == expected


def test_usage_reports_by_network_and_by_file(emulation: Emulation) -> None:
    """A policy instead of a registration: trust code, a report sent; then off, and a report in a file."""
    device = emulation.device()
    with pytest.raises(CallerError) as caught:
        device.sync_usage()
    assert caught.value.code == "uses-no-policy"
    device.use_policy(30)
    device.request(ONE, 3)
    device.get_trust_code(emulation.server.token())
    emulation.alone(device, NOW + 31 * DAY)
    assert len(emulation.server.reports) == 1
    device.configure(transport_off=True)
    emulation.alone(device, NOW + 61 * DAY)
    assert len(emulation.server.reports) == 1
    assert device.save_usage().count(b"report_id") == 1
    with pytest.raises(CallerError) as caught:
        device.get_trust_code(emulation.server.token(), force=True)
    assert caught.value.code == "transport-off"
    device.set_destination(URL)
    device.sync_usage()
    assert len(emulation.server.reports) == 3
    with pytest.raises(CallerError) as caught:
        device.import_acknowledgement(b"{}")
    assert caught.value.code == "acknowledgement-unreadable"


def test_a_cslu_url_takes_the_message_of_the_smart_transport(emulation: Emulation) -> None:
    """The URL of a local account, blanks as %20."""
    device = emulation.device()
    device.set_destination("https://vip/cslu/v1/pi/My%20Lab-1")
    assert device.settings.transport.value == "smart"


@pytest.mark.parametrize(
    "spoil", ["{} ", "\n{}\n", "{0:.20} {0:.20}", "{}%", "%zz", "{:.30}", "{0}{0}", "%00", ""]
)
def test_a_token_as_text_is_read_strictly(emulation: Emulation, spoil: str) -> None:
    """Blanks and line ends around it are nothing; inside it, and with broken escapes, it is no token."""
    text = emulation.server.token().reveal()
    device = emulation.device()
    given = spoil.format(text)
    if given.strip() == text:
        device.register(given)
        assert device.record.registration is Registration.COMPLETE
        return
    with pytest.raises(CallerError) as caught:
        device.register(given)
    assert caught.value.code == "token-malformed"
    assert text not in str(caught.value)
    assert device.record.in_flight is None
    assert emulation.posted == 0
