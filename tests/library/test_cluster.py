"""A cluster in a `with` block, in threads and in processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from mock_server import Cluster
from mock_server.cluster.config import Layout, configure
from mock_server.cluster.processes import started
from mock_server.library.threads import Threads
from smartlic_client import AsyncDevice, Device, IdToken, Udi
from smartlic_client.errors import SmartlicError

pytestmark = pytest.mark.real
KINDS = pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])


@contextlib.contextmanager
def device(folder: Path, ssm: Cluster, name: str = "one") -> Iterator[Device]:
    Device.create(folder / name, Udi(pid="C9300-24T", sn=name.upper()), hostname=name)
    with Device.open(folder / name) as made:
        made.set_destination(ssm.url)
        made.trust(ssm.trust_anchor.encode())
        yield made


@KINDS
def test_a_device_goes_on_through_a_kill_a_start_and_a_hang(tmp_path: Path, processes: bool) -> None:
    """Registered by the VIP with name check, it reports after each; what was accepted is kept."""
    with Cluster(processes=processes) as ssm, device(tmp_path, ssm) as product:
        product.register(IdToken(ssm.token(uses=1)))
        assert ssm.active == "primary"
        ssm.kill("primary")
        product.report(wait=5)
        assert ssm.active == "secondary"
        assert ssm.start("primary")[-1].startswith("Primary is Standby, in sync")
        ssm.hang("secondary")
        product.report(wait=10)
        assert ssm.active == "primary"
        (instance,) = ssm.ask("instance.list")["instances"]
        assert instance["name"] == "one"
        assert ssm.ask("token.list")["tokens"][0]["used"] == 1


@KINDS
def test_a_hung_server_that_is_resumed_in_time_stays_active(processes: bool) -> None:
    """Hung for less than what a takeover waits, the Active serves again, and nobody else became Active."""
    with Cluster(processes=processes) as ssm:
        epoch = ssm.status()["nodes"]["primary"]["epoch"]
        ssm.hang("primary")
        time.sleep(0.8)
        ssm.resume("primary")
        assert ssm.wait("primary")["role"] == "Active"
        assert ssm.status()["nodes"]["primary"]["epoch"] == epoch


@KINDS
def test_one_connection_that_is_cut_is_no_takeover(processes: bool) -> None:
    """After a cut of each kind the same server is Active, and in the end the other is in sync."""
    with Cluster(processes=processes) as ssm:
        for kind in ("heartbeat", "replication"):
            ssm.cut(kind, 0.3)
            assert ssm.active == "primary"
        time.sleep(0.5)
        assert ssm.wait("secondary")["state"] == "standby"


def test_the_pages_and_the_trust_anchor_are_there() -> None:
    """Any client that is given the trust anchor reaches the pages by the VIP."""
    with Cluster(servers=1) as ssm:
        anchor = ssm.folder / "anchor.pem"
        anchor.write_text(ssm.trust_anchor)
        assert "On-Prem License Workspace" in requests.get(ssm.gui_url, verify=str(anchor), timeout=5).text


def test_addresses_of_ones_own_are_named_by_their_certificates(tmp_path: Path) -> None:
    """With a VIP of its own the cluster's certificates bear it: a product registers at once."""
    net = f"127.{os.getpid() % 200 + 30}.{os.getpid() // 200 % 250}"
    config = configure(f"{net}.1", f"{net}.2", f"{net}.3")
    with Cluster(config=config) as ssm, device(tmp_path, ssm) as product:
        assert ssm.url.startswith(f"https://{net}.3:4443/")
        product.register(IdToken(ssm.token()))


def test_a_folder_that_is_given_is_kept_and_starts_again(tmp_path: Path) -> None:
    """What was in the cluster is there in the next block, with the same addresses, also as processes."""
    with Cluster(tmp_path / "c", servers=1) as ssm, device(tmp_path, ssm) as product:
        product.register(IdToken(ssm.token()))
        url = ssm.url
    with Cluster(tmp_path / "c", processes=True) as ssm:
        assert ssm.url == url
        assert len(ssm.ask("instance.list")["instances"]) == 1


def test_in_an_event_loop_the_same_is_awaited(tmp_path: Path) -> None:
    """`async with` gives what takes time as coroutines; an asynchronous device survives a kill with it."""

    async def scenario() -> None:
        async with Cluster() as ssm:
            await AsyncDevice.create(tmp_path / "d", Udi(pid="C9300-24T", sn="A"))
            async with await AsyncDevice.open(tmp_path / "d") as product:
                await product.set_destination(ssm.url)
                await product.trust(ssm.trust_anchor.encode())
                await product.register(IdToken(await ssm.token()))
                await ssm.kill("primary")
                await product.report(wait=5)
            assert (await ssm.status())["active"] == "secondary"
            assert (await ssm.console("secondary", "version"))[0].startswith("smartlic mock")

    asyncio.run(scenario())


def test_a_server_that_asks_cssm_before_it_serves_waits(tmp_path: Path) -> None:
    """Servers and CSSM start side by side: the first one to need it gets its answer once it is there."""

    async def scenario() -> None:
        cssm = Threads().cssm(Layout(tmp_path))
        asked = asyncio.create_task(cssm.ask_from_afar({"op": "cssm.status"}))
        await asyncio.sleep(0.05)
        assert not asked.done()
        await cssm.start()
        assert (await asked)["running"]
        await cssm.end()

    asyncio.run(scenario())


def test_two_at_once_do_not_know_each_other(tmp_path: Path) -> None:
    """Two clusters in one process have ports, folders and product instances of their own."""
    with Cluster() as one, Cluster(servers=1) as other, device(tmp_path, one) as product:
        product.register(IdToken(one.token()))
        other.kill("primary")
        assert one.active == "primary"
        assert other.active is None
        assert len(one.ask("instance.list")["instances"]) == 1


def test_the_clock_of_licensing_can_be_moved() -> None:
    """Tokens expire by it."""
    with Cluster(servers=1) as ssm:
        ssm.token(days=1)
        ssm.clock.advance(days=2)
        assert ssm.clock.show()["ahead_by_seconds"] == pytest.approx(2 * 86_400, abs=60)
        ssm.clock.reset()
        assert ssm.clock.show()["ahead_by_seconds"] == 0


@KINDS
def test_nothing_is_left_behind(processes: bool) -> None:
    """After the block, also one that fails, there is no thread, process, open file or folder of it."""
    with Cluster(processes=processes):
        pass  # what is made once in a process is made now
    threads, files = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(ZeroDivisionError), Cluster(processes=processes) as ssm:
        folder = ssm.folder
        pids = [node["pid"] for node in ssm.status()["nodes"].values()]
        ssm.hang("secondary")
        raise ZeroDivisionError
    for thread in set(threading.enumerate()) - threads:
        thread.join(5)  # one that has told of a process's end is about to end itself
    assert set(threading.enumerate()) <= threads
    assert len(os.listdir("/proc/self/fd")) <= files  # noqa: PTH208
    assert not folder.exists()
    if processes:
        assert [started(pid) for pid in pids] == [None, None]


def _unwritable(folder: Path) -> Cluster:
    (folder / "file").write_text("no folder")
    return Cluster(folder / "file" / "c")


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (_unwritable, "folder-unusable"),
        (lambda _folder: Cluster(host="192.0.2.1"), "address-not-here"),
        (lambda _folder: Cluster(host="nowhere"), "address-not-allowed"),
    ],
)
def test_what_hinders_it_is_a_problem(tmp_path: Path, make: Callable[[Path], Cluster], code: str) -> None:
    """It says what is wrong and what to do, and leaves nothing running."""
    before = set(threading.enumerate())
    with pytest.raises(SmartlicError) as caught, make(tmp_path):
        pass
    assert caught.value.code == code
    assert caught.value.mend
    assert set(threading.enumerate()) <= before


def test_a_port_that_somebody_has_is_a_problem(tmp_path: Path) -> None:
    """Where ports are given, the one that is taken is named, and no others are tried."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        config = configure(*["127.0.0.1"] * 3, device_port=port, gui_port=port + 3, peer_port=port + 6)
        with pytest.raises(SmartlicError, match=str(port)) as caught, Cluster(tmp_path / "c", config=config):
            pass
    assert caught.value.code == "vip-in-use"


def test_outside_its_block_it_is_not_up() -> None:
    """Asking before or after says so."""
    ssm = Cluster(servers=1)
    for ask in (lambda: ssm.url, ssm.token, ssm.status, lambda: ssm.console("primary", "version")):
        with pytest.raises(SmartlicError, match="not up"):
            ask()
    with ssm:
        pass
    with pytest.raises(SmartlicError, match="not up"):
        ssm.token()


_INTERRUPTED = """
import json, time
from mock_server import Cluster
try:
    with Cluster(processes=True) as ssm:
        pids = [node["pid"] for node in ssm.status()["nodes"].values()]
        print(json.dumps([pids, str(ssm.folder)]), flush=True)
        time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_takes_it_down() -> None:
    """An interrupt in the block ends the servers' processes in order and removes the folder."""
    program = [sys.executable, "-W", "error", "-c", _INTERRUPTED]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids, folder = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "interrupted\n"
        assert process.wait(20) == 0
    assert [started(pid) for pid in pids] == [None, None]
    assert not Path(folder).exists()


@pytest.mark.parametrize("after", [0.0, 0.01, 0.1, 0.4])
def test_ctrl_c_while_it_starts_leaves_nothing(after: float) -> None:
    """Whenever the interrupt comes, the program ends soon, with no process and no folder left."""
    code = (
        "from mock_server import Cluster\n"
        "try:\n"
        "    print('starting', flush=True)\n"
        "    with Cluster(processes=True) as ssm:\n"
        "        import time; time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
    )
    before = set(Path("/dev/shm").glob("smartlic-mock-*"))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "starting\n"
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "interrupted\n"
        assert process.wait(20) == 0
    left = set(Path("/dev/shm").glob("smartlic-mock-*")) - before
    assert not [path for path in left if path.stat().st_uid == os.getuid() and _is_of(path, process.pid)]


class _Late(threading.Thread):
    """A thread that the machine is slow to begin: Ctrl-C comes before it has."""

    go = threading.Event()

    def _bootstrap(self) -> None:
        self.go.wait()
        super()._bootstrap()  # type: ignore[misc]


def test_ctrl_c_before_the_thread_has_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An interrupt while the thread is being started is what the caller sees, and nothing runs after it."""
    monkeypatch.setattr(threading, "Thread", _Late)
    threading.Timer(0.05, signal.pthread_kill, [threading.get_ident(), signal.SIGINT]).start()
    threading.Timer(0.2, _Late.go.set).start()
    with pytest.raises(KeyboardInterrupt), Cluster(tmp_path / "c"):
        pass
    assert not [thread for thread in threading.enumerate() if isinstance(thread, _Late)]


def _is_of(folder: Path, pid: int) -> bool:
    """Whether a supervisor's lock in a cluster's folder names this process."""
    try:
        return (folder / "supervisor.lock").read_text().strip() == str(pid)
    except OSError:
        return False


def test_importing_the_package_costs_next_to_nothing() -> None:
    """`import mock_server` loads neither asyncio nor any server; naming `Cluster` does."""
    code = (
        "import sys, mock_server\n"
        "assert not {'asyncio', 'uvicorn', 'cryptography'} & set(sys.modules), sys.modules\n"
        "mock_server.Cluster\n"
        "assert 'uvicorn' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_single_server_starts_within_150_ms() -> None:
    """What a test pays for a server of its own, in process: the best of five, as machines are busy."""
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        with Cluster(servers=1):
            took.append(time.perf_counter() - begun)
    assert min(took) < 0.15, took


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_block_is_its_own() -> None:
    """Entered twice it is refused, and goes on; a process that is forked inside it does not take it down."""
    with Cluster() as ssm:
        with pytest.raises(SmartlicError) as refused, ssm:
            pass
        assert refused.value.code == "library-entered"
        child = os.fork()
        if not child:
            try:
                ssm.close()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert ssm.ask("account.list")["accounts"][0]["name"] == "Lab"


def test_a_field_that_there_is_not_is_refused() -> None:
    """A misspelt option of a token must not be a token of another kind."""
    with Cluster() as ssm, pytest.raises(SmartlicError) as refused:
        ssm.token(use=1)
    assert refused.value.code == "bad-field"
    assert "`use`" in refused.value.sentence
