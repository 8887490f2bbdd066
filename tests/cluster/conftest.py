"""Fixtures of the tests with real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.harness import Nodes, nodes


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Nodes]:
    """A cluster of which no process has been started yet."""
    with nodes(tmp_path / "cluster") as made:
        yield made


@pytest.fixture
def running(cluster: Nodes) -> Nodes:
    """A cluster with the Primary Active and the Secondary in sync."""
    cluster.both()
    return cluster
