"""Check one target, or many at once: a bounded number of threads, and for each target a deadline.

Threads and not asyncio: Python's blocking handshake costs half of what asyncio's does, and leaves the
interpreter to the others while it waits. Nothing in here can wait longer than its deadline, and what hangs
elsewhere (a resolver) is left behind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from smartlic_client.certificates import Certificate
from smartlic_client.names import Host, Policy, judge
from smartlic_client.preflight import anchors as trust_anchors
from smartlic_client.preflight.catalogue import Finding, Severity
from smartlic_client.preflight.observation import (
    Endpoint,
    Flaw,
    Observation,
    Outcome,
    Role,
    Target,
)
from smartlic_client.preflight.options import Node, Options
from smartlic_client.preflight.probes.read import read
from smartlic_client.preflight.probes.resolve import Resolver
from smartlic_client.preflight.rules import findings

if TYPE_CHECKING:
    from smartlic_client.preflight.probes.proxy import Proxy

__all__ = ["Result", "Run", "run"]

_MOST_ADDRESSES = 4
_NETWORK = ("resolution", "reach", "chain", "names", "cluster", "service")


class Result(msgspec.Struct, frozen=True):
    """What was seen of a target, and what is to be said of it, the gravest first."""

    observation: Observation
    findings: list[Finding]

    @property
    def target(self) -> Target:
        return self.observation.target

    @property
    def well(self) -> bool:
        """Nothing of severity error."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The results of one run, in the order of the targets. `at`: seconds since the epoch."""

    results: list[Result]
    at: float
    policy: Policy
    expected_name: Host | None = None
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        return all(result.well for result in self.results)


def run(targets: Sequence[Target], options: Options, done: Callable[[], None] = lambda: None) -> Run:
    """Check the targets. `done` is called after each, in this thread."""
    began = time.monotonic()
    probes = _Probes(options)
    ports = dict.fromkeys(
        node.port or target.port for target in targets if target.host for node in options.nodes
    )
    places = [(node, port) for node in options.nodes for port in ports if node.port in (None, port)]
    tasks: list[Callable[[], Endpoint | Observation]] = [partial(probes.node, *place) for place in places]
    tasks += [partial(probes.target, target) for target in targets]
    seen = _all(tasks, options.jobs, done)
    nodes = {place: each for place, each in zip(places, seen, strict=False) if isinstance(each, Endpoint)}
    results = []
    for observation in seen[len(places) :]:
        if isinstance(observation, Observation):
            whole = _with_nodes(observation, nodes)
            results.append(Result(whole, findings(whole, options)))
    seconds = time.monotonic() - began
    return Run(results=results, at=options.now, policy=options.policy, expected_name=options.expected_name,
               seconds=seconds)  # fmt: skip


def _with_nodes(seen: Observation, nodes: dict[tuple[Node, int], Endpoint]) -> Observation:
    if not nodes or seen.target.host is None:
        return seen
    mine = tuple(each for (node, port), each in nodes.items() if port == (node.port or seen.target.port))
    return msgspec.structs.replace(seen, nodes=mine)


def _all(
    tasks: Sequence[Callable[[], Endpoint | Observation]], jobs: int, done: Callable[[], None]
) -> list[Endpoint | Observation]:
    """What each task gives, in order. A defect in one of them is raised here, not lost in its thread."""
    if len(tasks) == 1:
        found = [tasks[0]()]
        done()
        return found
    import queue

    finished: queue.SimpleQueue[tuple[int, Endpoint | Observation | BaseException]] = queue.SimpleQueue()
    waiting = iter(enumerate(tasks))
    guard = threading.Lock()

    def take() -> Iterator[tuple[int, Callable[[], Endpoint | Observation]]]:
        while True:
            with guard:
                task = next(waiting, None)
            if task is None:
                return
            yield task

    def work() -> None:
        for place, task in take():
            try:
                finished.put((place, task()))
            except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that waits
                finished.put((place, error))

    for number in range(min(jobs, len(tasks))):
        threading.Thread(target=work, name=f"check {number}", daemon=True).start()
    results: list[Endpoint | Observation | None] = [None] * len(tasks)
    for _ in tasks:
        place, result = finished.get()
        if isinstance(result, BaseException):
            raise result
        results[place] = result
        done()
    return [result for result in results if result is not None]


def _proxy(text: str) -> Proxy:
    from smartlic_client.preflight.probes.proxy import read_proxy

    return read_proxy(text)


class _Probes:
    """What all targets of a run share: the resolver, the proxy, the anchors."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._resolver = Resolver(options.resolve)
        self._proxy = _proxy(options.proxy) if options.proxy else None
        self._anchors = trust_anchors.facts_of(options.anchors) if options.anchors else ()

    def node(self, node: Node, port: int) -> Endpoint:
        until = time.monotonic() + self._options.timeout
        role, host = Role(node.role), node.host
        if self._proxy is not None:
            return read(role, host.text, port, host.text, until, self._proxy)
        found = self._resolver.resolve(host, port, until)
        if not found.addresses:
            why = found.failure or "it does not resolve"
            return Endpoint(role=role, address=host.text, port=port, outcome=Outcome.UNREACHABLE, detail=why)
        return read(role, found.addresses[0], port, host.text, until)

    def target(self, target: Target) -> Observation:
        if target.file is not None:
            from smartlic_client.preflight.files import look_at_file

            return look_at_file(target, self._anchors)
        if target.host is None or not self._options.looks_for(*_NETWORK):
            return Observation(target=target)
        began = time.monotonic()
        seen = self._read(target, target.host, began + self._options.timeout)
        if seen.answered is not None and self._options.looks_for("chain", "service"):
            seen = self._check(seen, target.host, began + self._options.timeout)
        return msgspec.structs.replace(seen, seconds=time.monotonic() - began)

    def _read(self, target: Target, host: Host, until: float) -> Observation:
        if self._proxy is not None:
            endpoint = read(Role.TARGET, host.text, target.port, host.text, until, self._proxy)
            return Observation(target=target, endpoints=(endpoint,))
        found = self._resolver.resolve(host, target.port, until)
        if not self._options.looks_for(*_NETWORK[1:]):
            return Observation(target=target, resolution=found)
        endpoints, addresses = [], found.addresses[:_MOST_ADDRESSES]
        for place, address in enumerate(addresses):
            # Each address gets its share of what is left, so that one that is a black hole takes not all.
            share = max(0.0, until - time.monotonic()) / (len(addresses) - place)
            last = time.monotonic() + share
            endpoints.append(read(Role.TARGET, address, target.port, host.text, last))
        return Observation(target=target, resolution=found, endpoints=tuple(endpoints))

    def _check(self, seen: Observation, host: Host, until: float) -> Observation:
        anchors = self._anchors_for(seen)
        endpoint = seen.answered
        if anchors is None or endpoint is None:
            return seen
        if isinstance(anchors, Flaw):
            return msgspec.structs.replace(seen, anchor_flaw=anchors)
        from smartlic_client.preflight.probes.checked import Door, ask

        policy = self._options.policy
        door = Door(
            target=seen.target,
            expected=self._options.expected_name or host,
            address=host.text if self._proxy else endpoint.address,
            anchors=anchors,
            policy=Policy.COMMON_NAME if policy is Policy.BOTH else policy,
            proxy=self._proxy,
        )
        wanted = self._options.looks_for("service")
        if policy is Policy.BOTH:  # exists for the check only: a connection knows the other three
            wanted = wanted and judge(door.expected, endpoint.chain[0].names).both.holds
        trust, service = ask(door, until, path=wanted)
        known: tuple[Certificate, ...] = self._anchors or trust_anchors.facts_of(anchors)
        return msgspec.structs.replace(seen, trust=trust, service=service, anchors=known)

    def _anchors_for(self, seen: Observation) -> bytes | Flaw | None:
        if self._options.anchors is not None:
            return self._options.anchors
        endpoint, fingerprint = seen.answered, self._options.fingerprint
        if fingerprint is None or endpoint is None:
            return None
        return trust_anchors.anchor_by_fingerprint(fingerprint, endpoint.chain)
