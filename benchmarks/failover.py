"""How long nobody answers by the VIP: after kill -9, after SIGSTOP, and while an operator switches over."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.cluster import Client, active_pid
from benchmarks.figures import Figure, median
from mock_server.cluster.decide import HUNG_AFTER
from mock_server.demo.stage import Addresses, Stage, raised_cluster
from smartlic_client.errors import CommunicationError

_ADDRESSES = Addresses("127.83.0.5", "127.83.0.10", "127.83.0.12")
_KILLS = 100
_HANGS = 5
_SWITCHES = 10
_CLIENTS = 4
_BETWEEN = 20


def measure() -> list[Figure]:
    with (
        tempfile.TemporaryDirectory(prefix="smartlic-bench-") as folder,
        raised_cluster(Path(folder), _ADDRESSES) as stage,
    ):
        stage.ask("common-name", name=stage.config.vip.host)
        stage.ask("synchronize")
        client = Client(stage)
        kills = [_fall(stage, client, signal.SIGKILL) for _ in range(_KILLS)]
        hangs = [_fall(stage, client, signal.SIGSTOP) for _ in range(_HANGS)]
        return [
            _of(
                "kill -9 of the Active to the first registration by the VIP, median", median(kills), 50, kills
            ),
            _of(f"the same, worst of {_KILLS}", max(kills), 500, kills),
            _of("SIGSTOP of the Active to the same, worst", max(hangs), HUNG_AFTER * 1000 + 500, hangs),
            _switches(stage, client),
        ]


def _of(name: str, value: float, most: float, samples: list[float]) -> Figure:
    return Figure(name, value, most, "ms", f"{most:g} ms", 1.0, samples)


def _fall(stage: Stage, client: Client, number: int) -> float:
    """Milliseconds from the signal to the first registration that the survivor answers."""
    active = stage.status()["active"]
    device = client.prepare()
    began = time.perf_counter()
    os.kill(active_pid(stage), number)
    while True:
        try:
            client.register(device)
            break
        except CommunicationError:
            time.sleep(0.002)
    took = (time.perf_counter() - began) * 1000
    stage.console(active, "ha_cluster_start")  # a hung one was ended by the takeover
    return took


def _switches(stage: Stage, client: Client) -> Figure:
    """Registrations that failed twice in a row while the Active was stopped at its console, time and again.

    A client tries once more when it was told or made to; it waits as long as Retry-After says.
    """
    done, failed, retried = 0, 0, 0
    lock = threading.Lock()
    more = threading.Semaphore(0)
    ending = threading.Event()

    def run() -> None:
        nonlocal done, failed, retried
        while not ending.is_set():
            with lock:
                device = client.prepare()
            try:
                client.register(device)
            except CommunicationError as error:
                time.sleep(error.retry_after or 0.1)
                with lock:
                    retried += 1
                try:
                    client.register(device)
                except CommunicationError:
                    with lock:
                        failed += 1
                    continue
            with lock:
                done += 1
            more.release()

    clients = [threading.Thread(target=run) for _ in range(_CLIENTS)]
    for thread in clients:
        thread.start()
    for _ in range(_SWITCHES):
        active = stage.status()["active"]
        stage.console(active, "ha_cluster_stop")
        stage.console(active, "ha_cluster_start")
        while more.acquire(blocking=False):
            pass
        for _ in range(_BETWEEN):  # one switch-over at a time: the clients are at work again
            more.acquire()
    ending.set()
    for thread in clients:
        thread.join()
    print(f"     {_SWITCHES} switch-overs: {done} registrations, {retried} of them at the second try")
    name = f"registrations that fail twice while the servers are switched over {_SWITCHES} times"
    return Figure(name, failed, 1, "", "one of them", 0.0)
