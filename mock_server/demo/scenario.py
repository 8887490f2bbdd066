"""What a scenario is: its steps in acts, on the addresses of the operators' procedure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mock_server.demo.play import Step
from mock_server.demo.stage import Addresses, Stage

__all__ = ["VIP_PROBES", "Probed", "Scenario"]

Probed = tuple[Literal["vip", "primary", "secondary"], Literal["gui", "devices"]]
"""Where a probe asks, and for what."""

VIP_PROBES: tuple[Probed, ...] = (("vip", "gui"), ("vip", "devices"))


@dataclass(frozen=True)
class Scenario:
    """`acts`: the part of the ids before the number → what that act is about."""

    letter: str
    title: str
    addresses: Addresses
    acts: Mapping[str, str]
    steps: tuple[Step[Stage], ...]
    probes: tuple[Probed, ...] = VIP_PROBES
