"""The REST API of a node with 100,000 product instances: pages, the whole list, and calls a second."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import requests
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.bignode import INSTANCES, fill
from benchmarks.cluster import Client, active_pid
from benchmarks.figures import Figure, median
from benchmarks.unavoidable import Work, cpu_seconds
from mock_server import pki, tls
from mock_server.cluster.config import Layout
from mock_server.cluster.listeners import Listener
from mock_server.demo.stage import Addresses, Stage, raised_cluster
from smartlic_client.transport.tls import context_for

_ADDRESSES = Addresses("127.86.0.5", "127.86.0.10", "127.86.0.12")
_LAB = "/api/v1/accounts/Lab"
_DEVICES = f"{_LAB}/virtual-accounts/Default/devices"
_OFTEN = f"{_LAB}/virtual-accounts"
_EACH = 1_000
_TURNS = 5
_AT_ONCE = 8
_DNA = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"


class Api:
    """A session with an access token, over one connection that is kept."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.vip = stage.config.vip
        self.anchors = stage.ask("certificates")["trust_anchor"].encode()
        anchor = folder / "anchor.pem"
        anchor.write_bytes(self.anchors)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(anchor)
        self.url = f"https://{self.vip.host}:{self.vip.gui_port}"
        client = stage.ask("api-client.create", name=f"bench {time.monotonic_ns()}")
        asked = {name: client[name] for name in ("client_id", "client_secret")}
        answer = self.session.post(
            f"{self.url}/oauth/token", json={"grant_type": "client_credentials", **asked}
        )
        self.bearer = f"Bearer {answer.json()['access_token']}"
        self.session.headers["Authorization"] = self.bearer

    def milliseconds(self, method: str, path: str, said: Any = None) -> float:
        """From the request to the last byte of its answer."""
        began = time.perf_counter()
        answer = self.session.request(method, self.url + path, json=said)
        took = time.perf_counter() - began
        assert answer.status_code == 200, answer.text[:200]
        return took * 1000

    def request(self, path: str) -> bytes:
        head = f"GET {path} HTTP/1.1\r\nHost: {self.vip.host}\r\nAuthorization: {self.bearer}\r\n\r\n"
        return head.encode()


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="smartlic-bench-") as name:
        folder = Path(name)
        with raised_cluster(folder, _ADDRESSES) as stage:
            stage.ask("common-name", name=stage.config.vip.host)
            stage.ask("synchronize")
            client = Client(stage, "FIRST")
            client.register(client.prepare())
            rate = _rate(stage, Api(stage, folder))
        fill(Layout(folder / "cluster"))
        with raised_cluster(folder, _ADDRESSES) as stage:
            stage.ask("license.add", name="DNA", tag=_DNA, quantity=10)
            api = Api(stage, folder)
            return [*_pages(api), _whole(stage, api), rate]


# ---- pages and the whole list -----------------------------------------------------------------------------
def _pages(api: Api) -> list[Figure]:
    """The slowest of some offsets, each by its median; the client's and the network's time is in it."""
    total = api.session.get(f"{api.url}{_DEVICES}?limit=0").json()["totalRecords"]
    assert total == INSTANCES + 1
    found = []
    for offset in (0, 1, total // 3, total - 50, total + 5):
        took = [api.milliseconds("GET", f"{_DEVICES}?limit=50&offset={offset}") for _ in range(20)]
        found.append(median(took))
    licenses = [api.milliseconds("POST", f"{_LAB}/licenses", {"limit": 50}) for _ in range(20)]
    what = f"a page of 50 of {total} product instances, at the slowest offset"
    return [
        Figure(what, max(found), 20, "ms", "20 ms", 1.0, found),
        Figure("a page of licenses beside them", median(licenses), 20, "ms", "20 ms", 1.0, licenses),
    ]


def _whole(stage: Stage, api: Api) -> Figure:
    """limit -1, read slowly at first: what the Active's process needs more at its highest."""
    pid = active_pid(stage)
    # The mark of the highest becomes what it is now (Linux, proc(5)).
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = _status(pid, "VmRSS")
    began = time.perf_counter()
    size = seen = 0
    with api.session.get(f"{api.url}{_DEVICES}?limit=-1", stream=True) as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        tail = b""
        for number, part in enumerate(answer.iter_content(1 << 16)):
            if number < 10:
                time.sleep(0.05)
            size += len(part)
            text = tail + part
            seen += text.count(b'"displayName":')
            tail = text[-13:]  # one byte less than what is counted
    took = time.perf_counter() - began
    assert seen == INSTANCES + 1, seen
    print(f"     limit -1: {size / 2**20:.0f} MiB in {took:.1f} s")
    more = _status(pid, "VmHWM") - before
    return Figure("memory for the whole list, which is streamed", more, 64, "MiB", "64 MiB", 1.0)


def _status(pid: int, field: str) -> float:
    """MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))


# ---- calls a second ---------------------------------------------------------------------------------------
def _rate(stage: Stage, api: Api) -> Figure:
    """The same answer from a bare handler on the same kind of listener, in turns: CPU of the server's process
    for a call, since who asks costs more than either."""
    answer, pid = api.session.get(api.url + _OFTEN).json(), active_pid(stage)
    ours, theirs, walls = [], [], []
    with _bare(answer) as (bare, port, anchors):
        there, here = context_for(api.anchors), context_for(anchors)
        request = api.request(_OFTEN)
        for turn in range(_TURNS + 1):
            before = cpu_seconds(pid)
            wall = asyncio.run(_ask(api.vip.host, api.vip.gui_port, there, request))
            between, bare_before = cpu_seconds(pid), cpu_seconds(bare)
            bare_wall = asyncio.run(_ask("127.0.0.1", port, here, request))
            if turn:
                ours.append((between - before) / _EACH * 1000)
                theirs.append((cpu_seconds(bare) - bare_before) / _EACH * 1000)
                walls.append((wall, bare_wall))
    mine, peer = (1000 / median(each) for each in zip(*walls, strict=True))
    print(f"     wall, with who asks: {mine:.0f} REST calls a second, {peer:.0f} of the bare handler")
    what = "CPU of the Active for a call of the REST API"
    return Figure(what, median(ours), median(theirs), "ms", "a bare Starlette handler", 2.0, ours)


async def _ask(host: str, port: int, context: ssl.SSLContext, request: bytes) -> float:
    """Milliseconds for a call, of many over some connections that are kept."""
    left = iter(range(_EACH))
    ready = asyncio.Barrier(_AT_ONCE)
    began = 0.0

    async def asker() -> None:
        nonlocal began
        reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
        await ready.wait()
        began = began or time.perf_counter()
        for _ in left:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
        writer.close()

    await asyncio.gather(*(asker() for _ in range(_AT_ONCE)))
    return (time.perf_counter() - began) / _EACH * 1000


@contextmanager
def _bare(answer: Any) -> Iterator[tuple[int, int, bytes]]:
    """A process that answers the route with `answer`; its id, port and trust anchor."""
    work = Work()
    chain = b"".join(map(pki.to_pem, (work.product.certificate, *work.product.chain)))
    listening = socket.create_server(("127.0.0.1", 0))
    pid = os.fork()
    if pid == 0:
        _serve(listening, tls.server_context(chain, work.product.key_pem), json.dumps(answer))
    port = listening.getsockname()[1]
    listening.close()
    try:
        yield pid, port, pki.to_pem(work.root.certificate)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _serve(listening: socket.socket, context: ssl.SSLContext, answer: str) -> NoReturn:
    said = json.loads(answer)

    async def handler(_request: Request) -> JSONResponse:
        return JSONResponse(said)

    async def serve() -> None:
        app = Starlette(routes=[Route("/api/v1/accounts/{account}/virtual-accounts", handler)])
        listening.setblocking(False)
        await Listener(app, context).serve(listening)
        await asyncio.Event().wait()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())
    finally:
        os._exit(1)
