"""A browser shows the page that `smartlic fleet --report` writes, and axe-core judges it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mock_server import Cluster
from tests.cli.harness import started, until
from tests.judges.test_browser import SHOTS, Browser, browser
from tests.support import program

__all__ = ["browser"]  # the fixture

pytestmark = pytest.mark.judge

DEVICES = 2500


def test_readme_picture_of_a_fleet(browser: Browser, tmp_path: Path) -> None:
    """The Active hangs in the middle of a run: the page shows it, and is readable for everybody."""
    inventory = tmp_path / "campus.csv"
    inventory.write_text(
        f"name,pid,sn,count\naccess-{{n}},C9300-24T,FOC{{n:06}},{DEVICES}\n", encoding="ascii"
    )
    page = tmp_path / "run.html"
    with Cluster(processes=True) as ssm:
        (tmp_path / "anchor.pem").write_text(ssm.trust_anchor, encoding="ascii")
        (tmp_path / "token.txt").write_text(ssm.token(), encoding="ascii")
        options = ["--server", ssm.url, "--ca", str(tmp_path / "anchor.pem"), "--once", "--rate", "125"]
        options += ["--token", str(tmp_path / "token.txt"), "--report", str(page)]
        fleet = started(program("smartlic", tmp_path), "fleet", str(inventory), *options)
        until(lambda: ssm.ask("instance.list", limit=1)["total"] > DEVICES / 2, "half are there", within=60)
        ssm.hang(ssm.active or "primary")
        said, problems = fleet.communicate(timeout=90)
    assert fleet.returncode == 0, problems
    assert f"{DEVICES} of {DEVICES} devices are registered" in said
    SHOTS.mkdir(parents=True, exist_ok=True)
    for scheme, width in (("light", 360), ("dark", 1000), ("light", 1000)):
        browser.open(scheme=scheme, width=width)
        browser.goto(url=page.as_uri())
        assert browser.axe() == [], (scheme, width)
        assert browser.evaluate(script="document.documentElement.scrollWidth <= innerWidth"), (scheme, width)
        browser.quiet()
    browser.shot(path=str(SHOTS / "fleet.png"), full=True)
    assert browser.count(selector="figure svg") == 3
