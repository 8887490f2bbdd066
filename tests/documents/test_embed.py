"""The examples of docs/how-to/embed-in-an-emulator.md run as they are written, on a real cluster."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mock_server.demo.stage import Stage
from tests.support import DNA, cluster, token

PAGE = Path(__file__).parents[2] / "docs/how-to/embed-in-an-emulator.md"
EXAMPLES = dict(
    zip(
        ("threads", "loop", "killed", "raised", "client"),
        re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL),
        strict=True,
    )
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A cluster, and in its folder what the page wants: the anchor, and a token for all examples."""
    folder = tmp_path_factory.mktemp("embed")
    with cluster(folder) as raised:
        raised.ask("license.add", name="DNA Premier", tag=DNA, quantity=100)
        (folder / "anchor.pem").write_bytes(raised.anchor.read_bytes())
        (folder / "token.txt").write_text(token(raised, uses=100) + "\n")
        yield raised


def run(stage: Stage, example: str) -> list[str]:
    """What an example prints, in a process of its own, with the cluster's own VIP in place of the page's."""
    code = EXAMPLES[example].replace("127.0.0.12", stage.config.vip.host)
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=stage.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.real
def test_the_examples_in_threads_work_one_after_the_other(stage: Stage) -> None:
    """A device registers and counts, goes on after its next boot, and says why it does not register twice."""
    assert run(stage, "threads") == ["complete authorized"]
    assert stage.instances()["router-1"]["licenses"][0]["count"] == 3
    assert run(stage, "killed") == ["True"]
    (said,) = run(stage, "raised")
    assert said.startswith("registered-already - ")


@pytest.mark.real
def test_the_example_in_an_event_loop_boots_twenty_devices(stage: Stage) -> None:
    """Each of the twenty is registered, and the server has them with a license each."""
    names = [f"switch-{number}" for number in range(20)]
    assert run(stage, "loop") == [f"{name}: complete" for name in names]
    seen = stage.instances()
    assert [seen[name]["licenses"][0]["count"] for name in names] == [1] * 20


@pytest.mark.real
def test_the_example_with_a_client_of_ones_own_reads_a_page(stage: Stage) -> None:
    """httpx's own client with our context gets the trust anchor from the server's pages."""
    assert run(stage, "client") == ["200"]


def test_what_the_page_says_is_printed_is_what_the_tests_expect() -> None:
    """ "It prints" stands after the examples whose output is tested above."""
    said = re.findall(r"It prints `(.*?)`", PAGE.read_text(encoding="utf-8"))
    assert said == ["complete authorized", "True", "200"]
