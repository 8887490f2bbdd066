"""One cluster for all tests of a module that do not disturb it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.harness import Lab
from tests.support import DNA, cluster


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A cluster of two processes, in high availability, with 1000 licenses of one entitlement."""
    with cluster(tmp_path_factory.mktemp("lab")) as stage:
        stage.ask("license.add", name="DNA", tag=DNA, quantity=1000)
        yield Lab(stage)
