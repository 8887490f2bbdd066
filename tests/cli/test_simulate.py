"""`smartlic-mock simulate`: text, JSON, page, mistakes, Ctrl-C; and what `smartlic fleet` says of events."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.cli.harness import TRACEBACK, Inside, inside, started
from tests.support import program

TAG = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"
INVENTORY = f"""\
defaults: {{pid: C9300-24T}}
devices:
  - name: access {{n}} größe
    sn: FOC{{n:06}}
    count: 40
    licenses: {{"{TAG}": 1}}
events:
  - {{at: 30m, event: failover, outage: 10m}}
  - {{at: 30d, event: network-down, outage: 2h}}
"""


@pytest.fixture
def mock(tmp_path: Path) -> Inside:
    return inside("smartlic-mock", tmp_path / "c")


@pytest.fixture
def inventory(tmp_path: Path) -> str:
    path = tmp_path / "a fleet.yaml"
    path.write_text(INVENTORY)
    return str(path)


def told(mock: Inside, *call: str, code: int = 0) -> dict[str, Any]:
    done = mock.run("simulate", *call, "--format", "json")
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_text_data_and_page_of_one_run(mock: Inside, inventory: str, tmp_path: Path) -> None:
    """The text names what happened, the data is the same again, and the page has its charts and no script."""
    page = tmp_path / "report.html"
    done = mock.run("simulate", inventory, "--days", "40", "--splay", "1h", "--report", str(page))
    assert done.returncode == 0, done.stderr
    assert "40 devices, 40 days in virtual time; a keyed hash for cryptography, seed 0" in done.stdout
    assert "failover      0d 00:30:0" in done.stdout
    assert "network-down  30d 00:00:00" in done.stdout
    assert "0 lost, 0 doubled: 40 instances of 40 registrations, 40 licenses in use" in done.stdout
    assert "simulated in" in done.stderr
    text = page.read_text()
    assert text.count("<svg") == 6
    assert "<script" not in text
    call = (inventory, "--days", "40", "--splay", "1h")
    assert told(mock, *call) == (data := told(mock, *call))
    assert data["audit"] == {
        "lost": 0,
        "doubled": 0,
        "differing": 0,
        "instances": 40,
        "registrations": 40,
        "licenses_in_use": 40,
        "copies_equal": True,
        "pools_right": True,
        "examples": {},
    }
    assert not (tmp_path / "c").exists()  # no cluster was needed, and none was made


def test_failovers_of_the_command_line_and_no_splay(mock: Inside, tmp_path: Path) -> None:
    """A CSV has no events: they are given, and come in the order of their times."""
    path = tmp_path / "f.csv"
    path.write_text(f'name,pid,sn,licenses\na,P,S,"{TAG}=1"\n')
    data = told(mock, str(path), "--days", "3", "--failover", "1d 12:00", "--failover", "2h/1m", "--no-splay")
    assert [(one["at"][:8], one["outage_seconds"]) for one in data["events"]] == [
        ("0d 02:00", 60.0),
        ("1d 12:00", 30.0),
    ]
    assert (data["splay_seconds"], data["retries_drawn"]) == (0.0, False)


def test_real_cryptography_gives_the_same(mock: Inside, inventory: str) -> None:
    """But for its name."""
    found = [
        told(mock, inventory, "--days", "2", "--splay", "1h", "--crypto", kind) for kind in ("real", "hash")
    ]
    assert {**found[0], "crypto": ""} == {**found[1], "crypto": ""}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--failover", "soon"),
        ("--failover", "1d/now"),
        ("--splay", "1"),
        ("--days", "0"),
        ("--crypto", "none"),
    ],
)
def test_options_that_cannot_be_read(mock: Inside, inventory: str, option: str, value: str) -> None:
    """They are wrong usage, and nothing is simulated."""
    done = mock.run("simulate", inventory, option, value)
    assert done.returncode == 64
    assert option in done.stderr
    assert not done.stdout


def test_mistakes_of_the_inventory_are_told_together(mock: Inside, inventory: str) -> None:
    """Those of devices and of events, each with its line."""
    Path(inventory).write_text(INVENTORY.replace("count: 40", "count: many").replace("30m", "later"))
    error = told(mock, inventory, code=1)["error"]
    assert error["code"] == "inventory-wrong"
    assert [one["line"] for one in error["context"]["mistakes"]] == [5, 8]
    missing = told(mock, inventory + "x", code=1)["error"]
    assert missing["code"] == "inventory-unreadable"


def test_a_report_that_cannot_be_written_is_told(mock: Inside, inventory: str, tmp_path: Path) -> None:
    """With a code, and no traceback."""
    done = mock.run("simulate", inventory, "--days", "1", "--report", str(tmp_path / "no" / "r.html"))
    assert done.returncode == 1
    assert "[file-unwritable]" in done.stderr
    assert TRACEBACK not in done.stderr


@pytest.mark.real
def test_ctrl_c_ends_with_a_report(tmp_path: Path) -> None:
    """Of what was done so far, also as JSON; the exit code says that it was interrupted."""
    path = tmp_path / "f.csv"
    path.write_text(f'name,pid,sn,count,licenses\nd{{n}},P,S{{n}},100000,"{TAG}=1"\n')
    process = started(program("smartlic-mock", tmp_path / "c"), "simulate", str(path), "--format", "json")
    assert process.stderr is not None
    assert "simulating 100000 devices" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    data = json.loads(out)
    assert data["interrupted"]
    assert data["begun"] < 100_000
    assert data["audit"]["lost"] == data["audit"]["doubled"] == 0
    assert TRACEBACK not in err


def test_a_fleet_in_real_time_leaves_the_events_out(inventory: str, tmp_path: Path) -> None:
    """It says so, and runs the devices."""
    anchor = tmp_path / "anchor.pem"
    anchor.write_bytes(trustme.CA().cert_pem.bytes())
    url = "https://127.0.0.1:1/SmartTransport"
    before = time.monotonic()
    done = inside("smartlic", tmp_path / "c").run(
        "fleet", inventory, "--server", url, "--ca", str(anchor), "--duration", "0.1", "--wait", "0"
    )
    assert "the events of the inventory are for `smartlic-mock simulate`" in done.stderr
    assert time.monotonic() - before < 30
