"""Sequences of faults, as Hypothesis draws them; on what stand they are played is given."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

nodes = st.sampled_from(["active", "standby"])


class Stand(Protocol):
    """A cluster with devices at work. All may be asked for in any state: what makes no sense does nothing.

    `node` is "active" or "standby": who is that at the moment, or was last."""

    def sleep(self, seconds: float) -> None: ...
    def send_out(self, devices: int) -> None: ...
    def start(self, node: str) -> None: ...
    def stop(self, node: str) -> None: ...
    def kill(self, node: str) -> None: ...
    def hang(self, node: str) -> None: ...
    def resume(self, node: str) -> None: ...
    def cut(self, node: str, kind: str, seconds: float) -> None: ...
    def slow(self, seconds: float) -> None: ...
    def fill_disk(self, node: str) -> None: ...
    def empty_disk(self, node: str) -> None: ...
    def heal(self) -> None: ...
    def check(self) -> None: ...
    def finish(self) -> None: ...
    def close(self) -> None: ...


class Kills(RuleBasedStateMachine):
    """Servers that die and come back under work. `make_stand(folder, seed)`: a cluster that is whole."""

    make_stand: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        base = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="smartlic-sequence-", dir=base))
        self.stand: Stand | None = None

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        self.stand = type(self).make_stand(self.folder, seed)
        self._stand.send_out(1)

    @property
    def _stand(self) -> Stand:
        assert self.stand is not None
        return self.stand

    @rule(devices=st.integers(1, 3))
    def send_out(self, devices: int) -> None:
        self._stand.send_out(devices)

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.5, 1.3, 2.5]))
    def sleep(self, seconds: float) -> None:
        self._stand.sleep(seconds)

    @rule(node=nodes)
    def start(self, node: str) -> None:
        self._stand.start(node)

    @rule(node=nodes)
    def kill(self, node: str) -> None:
        self._stand.kill(node)

    @rule(
        node=nodes,
        devices=st.integers(2, 4),
        within=st.sampled_from([0.0, 0.03, 0.06, 0.12, 0.3]),
        slow=st.booleans(),
    )
    def kill_at_work(self, node: str, devices: int, within: float, slow: bool) -> None:
        """Kill a server while devices register and report; perhaps while the two hear each other late."""
        stand = self._stand
        if slow:
            stand.slow(1.0)
        stand.send_out(devices)
        stand.sleep(within)
        stand.kill(node)

    @invariant()
    def holds(self) -> None:
        if self.stand is not None:
            self.stand.sleep(0.02)
            self.stand.check()

    def teardown(self) -> None:
        try:
            if self.stand is not None:
                self.stand.finish()
        finally:
            if self.stand is not None:
                self.stand.close()
            shutil.rmtree(self.folder, ignore_errors=True)


class Sequences(Kills):
    """Everything that can happen to the two."""

    @rule(node=nodes)
    def stop(self, node: str) -> None:
        self._stand.stop(node)

    @rule(node=nodes, seconds=st.sampled_from([0.3, 1.2, 1.7, 2.4, 4.0]), wake=st.booleans())
    def hang(self, node: str, seconds: float, wake: bool) -> None:
        self._stand.hang(node)
        self._stand.sleep(seconds)
        if wake:
            self._stand.resume(node)

    @rule(node=nodes)
    def resume(self, node: str) -> None:
        self._stand.resume(node)

    @rule(
        node=nodes,
        kind=st.sampled_from(["heartbeat", "replication"]),
        seconds=st.sampled_from([0.1, 1.0, 3.0]),
    )
    def cut(self, node: str, kind: str, seconds: float) -> None:
        self._stand.cut(node, kind, seconds)

    @rule(node=nodes)
    def fill_disk(self, node: str) -> None:
        self._stand.fill_disk(node)

    @rule(node=nodes)
    def empty_disk(self, node: str) -> None:
        self._stand.empty_disk(node)

    @rule()
    def heal(self) -> None:
        self._stand.heal()
