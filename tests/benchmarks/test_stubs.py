"""Peers that are set up from packages: what happens where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import stubs
from benchmarks.figures import SkippedError
from benchmarks.unavoidable import Work


def test_a_stub_without_its_package_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a peer cannot be had, that is said, and nothing else fails."""

    def none(*_: object) -> Path:
        raise SkippedError("there is no npm (Debian: npm)")

    monkeypatch.setattr(stubs, "node_modules", none)
    with (
        pytest.raises(SkippedError, match="npm"),
        stubs.started("WireMock", tmp_path / "w", Work(), heard=10, said=100),
    ):
        raise AssertionError("it was started")
