"""kill -9 of the Active after it took a message and before the device had the answer: each new message."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mock_server.demo.stage import Stage
from smartlic_client.device import Device
from smartlic_client.errors import CommunicationError
from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.rum import RumState
from tests.reliability.proxy import HoldingProxy
from tests.support import DNA, cluster, new_addresses, program, token

Say = Callable[[Device], object]


def _kill_the_active(stage: Stage) -> str:
    active = str(stage.ask("status")["active"])
    node = json.loads((stage.cluster / "nodes" / active / "node.json").read_bytes())
    os.kill(node["pid"], signal.SIGKILL)
    return active


def _killed_in_between(stage: Stage, folder: Path, say: Say) -> None:
    """The device says it, the Active takes it and is killed; then it is said again, to the other one."""
    vip = stage.config.vip
    between = (new_addresses().vip, vip.device_port)
    failed: list[BaseException] = []

    def speak() -> None:
        try:
            with Device.open(folder, resolve={(vip.host, vip.device_port): between[0]}) as device:
                say(device)
        except CommunicationError as error:
            failed.append(error)

    with HoldingProxy(between, (vip.host, vip.device_port)) as proxy:
        speaker = threading.Thread(target=speak)
        speaker.start()
        assert proxy.answered.wait(20)
        killed = _kill_the_active(stage)
        speaker.join(30)
    assert failed, "the answer came after all"
    with Device.open(folder) as device:
        meant = device.record.in_flight
        assert meant is not None
        _go_on(device)
        outcomes = {note.message_id: note.outcome for note in device.record.notes}
        assert outcomes[meant.message_id] == "OK"
    assert stage.ask("status")["active"] != killed
    stage.console(killed, "ha_cluster_start")
    stage.ask("wait", node=killed, seconds=20)


def _go_on(device: Device) -> None:
    """It goes on with what it meant to say, until that is answered."""
    until = time.monotonic() + 30
    while device.record.in_flight is not None:
        assert time.monotonic() < until
        device.attend(first=True)
        time.sleep(0.05)


def _device(stage: Stage, name: str, url: str) -> Path:
    folder = stage.devices / name
    Device.create(folder, Udi(pid="C9300-24T", sn=name), hostname=name)
    with Device.open(folder) as device:
        device.set_destination(url)
        device.trust(stage.ask("certificates")["trust_anchor"].encode())
    return folder


def _told(stage: Stage, name: str) -> dict[str, Any]:
    (found,) = (one for one in stage.ask("instance.list")["instances"] if one["name"] == name)
    return dict(found)


def test_trust_report_and_renewal_take_effect_once_through_a_failover(tmp_path: Path) -> None:
    """One instance and one token use; each report once; one new certificate: whoever answers in the end.

    The device of Smart Licensing Using Policy speaks to the CSLU URL of its local account.
    """
    with cluster(tmp_path) as stage:
        stage.ask("license.add", name="DNA Premier 50M", tag=DNA, quantity=5)
        secret = token(stage, uses=2)
        vip = stage.config.vip
        policy = _device(stage, "policy", f"https://{vip.host}:{vip.device_port}/cslu/v1/pi/Lab-1")
        with Device.open(policy) as device:
            device.use_policy()
            device.request(DNA, 3)
        _killed_in_between(stage, policy, lambda device: device.get_trust_code(secret))
        assert stage.ask("token.list")["tokens"][0]["used"] == 1
        assert (_told(stage, "policy")["mode"], _told(stage, "policy")["reports"]) == ("SL Using Policy", 0)

        time.sleep(1.1)  # a report measures whole seconds
        _killed_in_between(stage, policy, lambda device: device.sync_usage())
        told = _told(stage, "policy")
        assert told["reports"] == 1
        assert [used["count"] for used in told["licenses"]] == [3]
        with Device.open(policy) as device:
            assert device.record.usage is not None
            assert [kept.state for kept in device.record.usage.reports] == [RumState.ACKNOWLEDGED]
        listed = program("smartlic-mock", stage.cluster).run("instances").stdout
        assert "SL Using Policy" in listed
        assert told["last_report"] in listed

        registered = _device(stage, "registered", stage.url)
        with Device.open(registered) as device:
            device.register(secret)
            assert device.record.identity is not None
            before = device.record.identity.serial_number
        _killed_in_between(stage, registered, lambda device: device.renew())
        with Device.open(registered) as device:
            assert device.record.identity is not None
            assert device.record.identity.serial_number != before
        assert _told(stage, "registered")["renewed_at"] is not None
        log = [entry["event"] for entry in stage.ask("event.list", limit=-1)["events"]]
        renewals = [line for line in log if "renewed" in line and "registered" in line]
        assert renewals == ["ID certificate of registered renewed"]
        assert stage.ask("token.list")["tokens"][0]["used"] == 2
        assert stage.ask("license.list")["licenses"][0]["in_use"] == 3
