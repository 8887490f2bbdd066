"""AsyncDevice: the same as Device, its folder, its threads, and its cancellation."""

from __future__ import annotations

import asyncio
import inspect
import json
import random
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from smartlic_client.device import Device, DeviceFolder
from smartlic_client.device_async import AsyncDevice
from smartlic_client.errors import AnswerError, BusyError, CallerError, TrustError
from smartlic_client.protocol import smart
from smartlic_client.protocol.identity import IdToken, Udi
from smartlic_client.protocol.states import Registration
from tests.support import DNA
from tests.unit.client.posting import AUTHORITY, CERTIFICATE
from tests.unit.client.tls_servers import Authority, RawServer
from tests.unit.domain.world import Server

URL = "https://127.0.0.1:{}/SmartTransport"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a new device that trusts this module's authority."""
    made = tmp_path / "device"
    Device.create(made, Udi(pid="C9300-24T", sn="FOC1"))
    with Device.open(made) as device:
        device.trust(AUTHORITY.pem)
    return made


def new_token() -> IdToken:
    return Server(time.time, random.Random(1)).token()


def state(folder: Path) -> dict[str, Any]:
    """What is on disk."""
    found: dict[str, Any] = json.loads((folder / "device.json").read_bytes())["state"]
    return found


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main(), debug=True)


# ---- the same as Device -----------------------------------------------------------------------------------
def test_it_has_what_device_has() -> None:
    """Every public method of Device is there, with the same parameters; `close` is `aclose`."""

    def public(kind: type) -> dict[str, list[str]]:
        found = inspect.getmembers(kind, callable)
        return {
            name.replace("aclose", "close"): list(inspect.signature(method).parameters)
            for name, method in found
            if not name.startswith("_")
        }

    assert public(AsyncDevice) == public(Device)
    assert all(
        inspect.iscoroutinefunction(method)
        for name, method in inspect.getmembers(AsyncDevice, callable)
        if not name.startswith("_")
    )


def test_what_one_wrote_the_other_reads(tmp_path: Path) -> None:
    """Made, set and looked at asynchronously, it is the device that Device opens."""

    async def main() -> None:
        made = tmp_path / "device"
        await AsyncDevice.create(made, Udi(pid="C9300-24T", sn="FOC1"), hostname="one")
        with pytest.raises(CallerError) as caught:
            await AsyncDevice.create(made, Udi(pid="C9300-24T", sn="FOC1"))
        assert caught.value.code == "device-exists"
        async with await AsyncDevice.open(made) as device:
            await device.set_destination(URL.format(443))
            await device.trust(AUTHORITY.pem)
            await device.request(DNA, 3)
            with pytest.raises(CallerError) as caught:
                await device.report()
            assert caught.value.code == "not-registered"
            await device.release(DNA)
            await device.request(DNA, 2)
        record, settings = await AsyncDevice.peek(made)
        assert record.hostname == "one"
        with Device.open(made) as same:
            assert same.record == record
            assert same.settings == settings
            assert same.record.entitlements[DNA].count == 2

    run(main)


@pytest.mark.parametrize("missing", ["httpx", "httpcore"])
def test_without_httpx_it_says_what_to_install(folder: Path, missing: str) -> None:
    """smartlic_client and Device work without httpx; AsyncDevice.open names the extra, and locks nothing."""
    code = f"""
import sys; sys.modules[{missing!r}] = None
import asyncio, pathlib, smartlic_client as s
folder = pathlib.Path({str(folder)!r})
try:
    asyncio.run(s.AsyncDevice.open(folder))
except s.CallerError as error:
    print(error.code, error.context, error.mend)
with s.Device.open(folder) as device:
    print(device.record.udi)
print([name for name in s.__all__ if not getattr(s, name)])
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"httpx-needed {{'missing': '{missing}'}} Install it: pip install 'smartlic[async]'",
        "PID:C9300-24T,SN:FOC1",
        "[]",
    ]


# ---- the folder -------------------------------------------------------------------------------------------
def test_the_folder_is_locked_while_it_is_open(folder: Path) -> None:
    """Neither kind of device opens the folder a second time before the first one is closed."""

    async def main() -> None:
        async with await AsyncDevice.open(folder) as device:
            with pytest.raises(BusyError):
                await AsyncDevice.open(folder, lock_timeout=0.1)
            with pytest.raises(BusyError):
                await asyncio.to_thread(Device.open, folder, lock_timeout=0)
            await device.set_destination(URL.format(1))
        async with await AsyncDevice.open(folder, lock_timeout=0):
            pass
        with Device.open(folder, lock_timeout=0):
            pass

    run(main)


def test_the_holder_saves_though_many_wait_for_its_folder(folder: Path) -> None:
    """Those who wait to open a folder take no thread from the one who has it, and one gets it after that."""

    async def main() -> None:
        holder = await AsyncDevice.open(folder)
        waiting = [asyncio.create_task(AsyncDevice.open(folder, lock_timeout=20)) for _ in range(40)]
        await asyncio.wait_for(holder.set_destination(URL.format(1)), 10)
        await holder.aclose()
        done, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for task in [*done, *rest]:
            if not task.cancelled():
                await task.result().aclose()
        async with await AsyncDevice.open(folder, lock_timeout=0):
            pass

    run(main)


class Gate:
    """Stands in for a function that is called in a thread: says when it was entered, and waits to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        self.entered, self.open = asyncio.Event(), threading.Event()
        self._loop, self._real = asyncio.get_running_loop(), getattr(owner, name)
        monkeypatch.setattr(owner, name, self._pass)

    def _pass(self, *arguments: Any) -> Any:
        self._loop.call_soon_threadsafe(self.entered.set)
        assert self.open.wait(20)
        return self._real(*arguments)


async def _cancel_inside(gate: Gate, task: asyncio.Task[Any]) -> None:
    """Cancel `task` twice while its thread is at the gate: it ends only after the thread has."""
    await gate.entered.wait()
    for _ in range(2):
        task.cancel()
        await asyncio.wait([task], timeout=0.05)
        assert not task.done()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_save_is_finished_before_its_call_is_cancelled(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled twice while a thread writes, the call ends when the file is whole; memory and disk agree."""

    async def main() -> None:
        async with await AsyncDevice.open(folder) as device:
            gate = Gate(monkeypatch, device._folder, "save")
            await _cancel_inside(gate, asyncio.create_task(device.set_destination(URL.format(7))))
            assert state(folder)["settings"]["url"] == device.settings.url == URL.format(7)
            await device.request(DNA, 1)
        assert DNA in state(folder)["record"]["entitlements"]

    run(main)


def test_an_opening_that_is_cancelled_leaves_the_folder_free(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled while a thread takes the lock, it gives the lock back."""

    async def main() -> None:
        with monkeypatch.context() as patched:
            gate = Gate(patched, DeviceFolder, "open")
            await _cancel_inside(gate, asyncio.create_task(AsyncDevice.open(folder)))
        async with await AsyncDevice.open(folder, lock_timeout=0):
            pass

    run(main)


def test_a_save_that_fails_is_told_and_the_device_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the store raises in its thread comes out of the call, as it is."""

    async def main() -> None:
        async with await AsyncDevice.open(folder) as device:
            with monkeypatch.context() as patched:
                patched.setattr("os.fsync", _full)
                with pytest.raises(CallerError) as caught:
                    await device.set_destination(URL.format(7))
            assert caught.value.code == "store-unwritable"
            await device.set_destination(URL.format(8))
        assert state(folder)["settings"]["url"] == URL.format(8)

    run(main)


def _full(_descriptor: int) -> None:
    raise OSError(28, "No space left on device")


# ---- messages ---------------------------------------------------------------------------------------------
class Hanging:
    """A server that keeps what it is sent, with what was on disk then, and does not answer."""

    def __init__(self, folder: Path) -> None:
        self.asked = asyncio.Event()
        self.sent: list[str] = []
        self._folder, self._loop = folder, asyncio.get_running_loop()

    def __call__(self, connection: ssl.SSLSocket, request: bytes) -> None:
        message = smart.decode_request(request.partition(b"\r\n\r\n")[2]).data
        assert state(self._folder)["record"]["in_flight"]["message_id"] == message.message_id
        self.sent.append(message.message_id)
        self._loop.call_soon_threadsafe(self.asked.set)
        connection.recv(1)


def test_a_cancelled_call_is_gone_on_with(folder: Path) -> None:
    """Cancelled without an answer, the connection is closed, and the next call sends the same message."""

    async def main() -> None:
        hanging = Hanging(folder)
        with RawServer(CERTIFICATE, hanging) as server:
            async with await AsyncDevice.open(folder) as device:
                await device.set_destination(URL.format(server.port))
                for _ in range(3):
                    registering = asyncio.create_task(device.register(new_token(), wait=60))
                    await hanging.asked.wait()
                    hanging.asked.clear()
                    registering.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await registering
                    await asyncio.to_thread(server.settle)
                assert device.record.registration is Registration.IN_PROGRESS
        assert len(hanging.sent) == 3
        assert len(set(hanging.sent)) == 1

    run(main)


def test_new_anchors_hold_for_the_next_message(folder: Path) -> None:
    """After `trust` the connection that the former anchors allowed is closed; the next one is judged anew."""

    async def main() -> None:
        with RawServer(CERTIFICATE) as server:
            async with await AsyncDevice.open(folder) as device:
                await device.set_destination(URL.format(server.port))
                with pytest.raises(AnswerError):
                    await device.register(new_token())
                await device.trust(Authority("Other Root").pem)
                await asyncio.to_thread(server.settle)
                with pytest.raises(TrustError):
                    await device.register(new_token())
        assert len(server.requests) == 1
        assert server.connections == 2

    run(main)


def test_tasks_that_share_a_device_take_turns(folder: Path) -> None:
    """While one call is under way another one waits, closing too; each is then done."""

    async def main() -> None:
        hanging = Hanging(folder)
        with RawServer(CERTIFICATE, hanging) as server:
            device = await AsyncDevice.open(folder)
            await device.set_destination(URL.format(server.port))
            registering = asyncio.create_task(device.register(new_token()))
            await hanging.asked.wait()
            hanging.asked.clear()
            counting = asyncio.create_task(device.request(DNA, 3))
            closing = asyncio.create_task(device.aclose())
            await asyncio.wait([counting, closing], timeout=0.05)
            assert not counting.done()
            assert not closing.done()
            assert DNA not in device.record.entitlements
            registering.cancel()
            await hanging.asked.wait()
            counting.cancel()
            await asyncio.wait([registering, counting, closing])
            assert closing.exception() is None
        assert state(folder)["record"]["entitlements"][DNA]["count"] == 3
        with Device.open(folder, lock_timeout=0):
            pass

    run(main)
