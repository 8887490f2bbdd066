"""Exactly once, over losses, doubles, delays and crashes: random lives, each repeated by its seed."""

from __future__ import annotations

from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.protocol.simulation import World


@settings(deadline=None, max_examples=120)
@given(seed=st.integers(0, 2**32), devices=st.integers(1, 3))
@example(seed=0, devices=1)
def test_any_life_ends_in_agreement(seed: int, devices: int) -> None:
    """Whatever the network and the crashes do, each registration counts once and the counts agree at the end.

    While it runs: each message is on the disk before it leaves, sequences rise, a retry is the same message
    with a new nonce, and tokens leave the disk with the answer (simulation.Device).
    """
    World(seed, devices).run(40)


def test_the_lives_are_eventful() -> None:
    """The simulation reaches what it is about: a few fixed seeds have every kind of accident in them."""
    seen: Counter[str] = Counter()
    for seed in range(16):
        world = World(seed)
        world.run(80)
        seen += world.seen
    kinds = ["lost", "delayed", "answer lost", "doubled", "copied", "stale", "later", "straggler", "crash"]
    kinds += ["retry", "registered", "forced", "abandoned", "answer-mismatch", "simulation-lost"]
    kinds += ["token-used-up", "token-revoked", "token-unknown", "already-registered"]
    assert {kind for kind in kinds if seen[kind] < 3} == set()
