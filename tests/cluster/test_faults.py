"""Faults on purpose, met by real clients over TLS: what each does, and that a device loses nothing by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from mock_server import Cluster
from mock_server.library.faults import ClusterFaults
from smartlic_client import Device
from smartlic_client.errors import SmartlicError
from tests.support import DNA, program

pytestmark = pytest.mark.real

MakeDevice = Callable[..., Device]


@pytest.fixture(scope="module")
def ssm_server() -> Iterator[Cluster]:
    """One server for all tests of this file: each begins without faults."""
    with Cluster(servers=1) as server:
        server.ask("license.add", name="DNA", tag=DNA, quantity=1000)
        yield server


def counted(server: Cluster, device: Device) -> int:
    """What the server thinks that the device uses."""
    found = [
        one
        for one in server.ask("instance.list", limit=-1)["instances"]
        if one["udi"] == str(device.record.udi)
    ]
    (instance,) = found
    return sum(used["count"] for used in instance["licenses"])


# ---- each kind --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "how", "code"),
    [
        ("refuse", {}, "connection-closed"),
        ("reset", {}, "connection-closed"),
        ("drop", {}, "connection-closed"),
        ("half", {}, "connection-closed"),
        ("status", {"status": 503, "retry_after": 7}, "server-unavailable"),
        ("status", {"status": 429}, "server-unavailable"),
        ("status", {"status": 502}, "server-unavailable"),
        ("status", {"status": 500}, "http-error"),
        ("wrong-signature", {}, "answer-signature-not-valid"),
        ("wrong-nonce", {}, "answer-mismatch"),
    ],
)
def test_a_fault_is_met_once_and_what_was_meant_is_told_then(
    ssm_server: Cluster,
    ssm_device: MakeDevice,
    ssm_faults: ClusterFaults,
    kind: Any,
    how: dict[str, Any],
    code: str,
) -> None:
    """The device says what it was, keeps the count that it wants to tell, and the next try tells it, once."""
    device = ssm_device(serial=f"{kind}-{how.get('status', 0)}")
    ssm_faults.set(kind, times=1, **how)
    with pytest.raises(SmartlicError) as caught:
        device.request(DNA, 3)
    assert caught.value.code == code
    assert caught.value.retry_after == (7.0 if how.get("retry_after") else None)
    assert ssm_faults.listed() == []
    assert ssm_faults.requests(1)[0]["fault"] == kind
    device.report()
    assert counted(ssm_server, device) == 3


def test_what_was_done_before_the_answer_was_dropped_is_done_once(
    ssm_server: Cluster, ssm_device: MakeDevice, ssm_faults: ClusterFaults
) -> None:
    """A registration whose answer is lost five times is one instance, and one use of its token."""
    device = ssm_device(serial="DROPPED", register=False)
    token = ssm_server.token(uses=1)
    ssm_faults.set("drop", times=5)
    device.register(token, wait=30)
    assert [one["fault"] for one in ssm_faults.requests(6)].count("drop") >= 5 - 1
    assert counted(ssm_server, device) == 0


def test_a_slow_answer_is_an_answer(ssm_device: MakeDevice, ssm_faults: ClusterFaults) -> None:
    """It comes after its seconds, and the device waits for it."""
    device = ssm_device(serial="SLOW")
    ssm_faults.set("slow", seconds=0.3, times=1)
    device.request(DNA, 1)
    assert ssm_faults.requests(1)[0]["fault"] == "slow"


@pytest.mark.parametrize(("kind", "seconds"), [("old-version", 0.0), ("skew", 40_000_000.0), ("skew", -1e8)])
def test_what_a_device_does_not_mind(
    ssm_server: Cluster, ssm_device: MakeDevice, ssm_faults: ClusterFaults, kind: Any, seconds: float
) -> None:
    """An older version of the protocol, and a server whose clock is years off, are no reason to fail."""
    device = ssm_device(serial=f"{kind}{seconds:g}")
    ssm_faults.set(kind, seconds=seconds)
    device.request(DNA, 2)
    assert counted(ssm_server, device) == 2


@pytest.mark.parametrize(
    ("kind", "code"), [("former-name", "name-mismatch"), ("expired", "certificate-expired")]
)
def test_a_certificate_with_a_flaw_gets_nothing(
    ssm_server: Cluster, ssm_device: MakeDevice, ssm_faults: ClusterFaults, kind: Any, code: str
) -> None:
    """No byte is sent to it, also after a synchronization; when it is cleared the device goes on."""
    device = ssm_device(serial=kind)
    device.close()
    ssm_faults.set(kind)
    again = Device.open(device_folder(device))
    try:
        before = len(ssm_faults.requests(-1))
        with pytest.raises(SmartlicError) as caught:
            again.request(DNA, 1)
        assert caught.value.code == code
        assert len(ssm_faults.requests(-1)) == before
        ssm_faults.clear()
        again.report()
        assert counted(ssm_server, again) == 1
    finally:
        again.close()


def device_folder(device: Device) -> Path:
    """Where the fixture has put it."""
    store: Any = device._folder
    return Path(store.store.folder)


# ---- how they are set -------------------------------------------------------------------------------------
def test_a_rate_is_repeated_by_its_seed(
    ssm_server: Cluster, ssm_faults: ClusterFaults, tmp_path: Path
) -> None:
    """The same seed meets the same requests; about as many as the rate says."""

    anchor = tmp_path / "anchor.pem"
    anchor.write_text(ssm_server.trust_anchor)
    url = f"{ssm_server.gui_url}health"

    def met() -> list[bool]:
        ssm_faults.reset(7)
        ssm_faults.set("status", endpoint="pages", rate=0.5)
        with requests.Session() as session:
            answers = [session.get(url, verify=str(anchor), timeout=5) for _ in range(40)]
        return [answer.status_code == 503 for answer in answers]

    first = met()
    assert met() == first
    assert 8 < sum(first) < 32


def test_the_journal_says_which_path_was_meant(
    ssm_server: Cluster, ssm_faults: ClusterFaults, tmp_path: Path
) -> None:
    """A path with a slip in it is noted with the one that there is; bodies and queries are not kept."""
    anchor = tmp_path / "anchor.pem"
    anchor.write_text(ssm_server.trust_anchor)
    url = ssm_server.url.replace("Transportgateway", "TransportGateway")
    requests.post(f"{url}?token=secret", data=b"secret", verify=str(anchor), timeout=5)
    newest = ssm_faults.requests(1)[0]
    assert newest["status"] == 404
    assert newest["nearest"] == "/Transportgateway/services/DeviceRequestHandler"
    assert "secret" not in str(newest)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["slow"], "slow by up to"),
        (["status", "--status", "404"], "a status is one of"),
        (["drop", "--rate", "0"], "a rate is more than 0"),
        (["skew", "--endpoint", "api", "--seconds", "5"], "for the endpoint of devices"),
        (["expired", "--times", "1"], "every handshake"),
    ],
)
def test_what_is_no_fault(ssm_server: Cluster, ssm_faults: ClusterFaults, words: list[str], why: str) -> None:
    """It says what is wrong, and nothing is set."""
    done = program("smartlic-mock", ssm_server.folder).run("fault", "set", *words)
    assert done.returncode == 1
    assert "[fault-unusable]" in done.stderr
    assert why in done.stderr
    assert ssm_faults.listed() == []


def test_the_verbs(ssm_server: Cluster, ssm_device: MakeDevice, ssm_faults: ClusterFaults) -> None:
    """Set, list, meet, read the journal, clear, on the command line."""
    mock = program("smartlic-mock", ssm_server.folder)
    said = mock.run("fault", "set", "status", "--status", "502", "--times", "2", "--retry-after", "1").stdout
    assert said == mock.run("fault", "list").stdout == "status, 502: devices, the next 2\n"
    device = ssm_device(serial="VERBS")
    assert device.record.identity is not None
    journal = mock.run("fault", "requests").stdout
    assert journal.count("fault: status") == 2
    assert "REGISTRATION" in journal
    mock.run("fault", "set", "reset", "--rate", "0.25")
    assert "with a chance of 0.25" in mock.run("fault", "list").stdout
    assert mock.run("fault", "clear", "reset").stdout == "No fault is set.\n"
