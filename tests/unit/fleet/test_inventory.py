"""Inventories of a fleet: CSV and YAML, and all of their mistakes at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartlic_client.errors import SmartlicError
from smartlic_client.fleet.happenings import Happening
from smartlic_client.fleet.inventory import Inventory, read_inventory
from smartlic_client.fleet.schedule import Schedule

DNA = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"
UCM = "regid.2016-07.com.cisco.UCM_Enhanced,1.0_aa11bb22-f5cc-459c-9253-ac77b827fd71"
CSV = f"""\
# a campus
name, pid, sn, count, licenses
core-1, C9500-40X, FCW2001A001, , {DNA.join('""')}=4

access {{n}}, C9300-24T, FOC{{n:06}}, 3, "{DNA}=2 08:00=24 18:00=2; {UCM}=1"
"""
YAML = f"""\
defaults: {{pid: C9300-24T}}
devices:
  - name: core-1
    pid: C9500-40X
    sn: FCW2001A001
    licenses: {{"{DNA}": 4}}
  - name: access {{n}}
    sn: FOC{{n:06}}
    count: 3
    licenses:
      {DNA}: 2 08:00=24 18:00=2
      {UCM}: 1
"""


def read(folder: Path, text: str | bytes, suffix: str = "csv") -> Inventory:
    path = folder / f"fleet.{suffix}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_inventory(path)


def mistakes(folder: Path, text: str | bytes, suffix: str = "csv") -> list[tuple[Any, ...]]:
    with pytest.raises(SmartlicError) as caught:
        read(folder, text, suffix)
    assert caught.value.code == "inventory-wrong"
    assert caught.value.context["count"] == len(caught.value.context["mistakes"])
    return [tuple(one.values()) for one in caught.value.context["mistakes"]]


@pytest.mark.parametrize(
    ("text", "suffix"), [(YAML, "yaml"), (CSV.replace(f'"{DNA}"=4', f'"{DNA}=4"'), "csv")]
)
def test_one_device_and_many_of_a_kind(tmp_path: Path, text: str, suffix: str) -> None:
    """Both forms give the same devices, with names, serial numbers and schedules of their own."""
    inventory = read(tmp_path, text, suffix)
    assert len(inventory) == 4
    assert [(one.name, str(one.udi)) for one in inventory] == [
        ("core-1", "PID:C9500-40X,SN:FCW2001A001"),
        ("access 1", "PID:C9300-24T,SN:FOC000001"),
        ("access 2", "PID:C9300-24T,SN:FOC000002"),
        ("access 3", "PID:C9300-24T,SN:FOC000003"),
    ]
    assert inventory[3].licenses == ((DNA, Schedule.parse("2 08:00=24 18:00=2")), (UCM, Schedule(1)))
    with pytest.raises(IndexError):
        inventory[4]


def test_the_campus_of_the_examples() -> None:
    """The inventory that the pages name is one, with devices of five kinds."""
    inventory = read_inventory(Path(__file__).parents[3] / "examples/campus.csv")
    assert (len(inventory), len(inventory.kinds)) == (262, 5)


def test_all_mistakes_of_a_csv_are_told(tmp_path: Path) -> None:
    """Each with line and column, and nothing is made of the lines that are right."""
    text = (
        "name,pid,sn,count,licenses\n"
        "good,C9300-24T,FOC1,,\n"
        ",C9300-24T,FOC2,,\n"
        "three,C9300-24T,FOC3,3,\n"
        "many,C9300-24T,FOC4,none,\n"
        "tagless,C9300-24T,FOC5,,DNA=3\n"
        f'odd,C9300-24T,FOC6,,"{DNA}=x"\n'
        "good,C9300-24T,FOC7,,\n"
        "twin,C9300-24T,FOC1,,\n"
        "wide,C9300-24T,FOC8,,,,\n"
        "bare,,,,\n"
    )
    found = mistakes(tmp_path, text)
    assert [(line, column) for line, column, _ in found] == [
        (3, "name"),
        (4, "name"),
        (4, "sn"),
        (5, "count"),
        (6, "licenses"),
        (7, "licenses"),
        (8, "name"),
        (9, "sn"),
        (10, "6"),
        (11, "pid"),
    ]
    assert "line 2" in found[6][2]
    assert "line 2" in found[7][2]


def test_all_mistakes_of_a_yaml_are_told(tmp_path: Path) -> None:
    """Line and column are those of the text that is wrong."""
    text = (
        "devices:\n"
        "  - name: a\n    pid: P\n    sn: S\n    colour: red\n"
        "  - 7\n"
        "  - {name: [x], pid: P, sn: S2}\n"
        "extra: 1\n"
    )
    assert [(line, column) for line, column, _ in mistakes(tmp_path, text, "yaml")] == [
        (5, "5"),
        (6, "5"),
        (7, "12"),
        (7, "name"),
        (8, "1"),
    ]


@pytest.mark.parametrize(
    ("text", "suffix", "what"),
    [
        ("", "csv", "no device"),
        ("name,pid,sn\n", "csv", "no device"),
        ("# nothing\n", "yaml", "no device"),
        ("hostname,pid\nx,y\n", "csv", "no column 'hostname'"),
        ('name,pid\n"x,y\n', "csv", "no CSV"),
        ("devices: [", "yaml", "no YAML"),
        ("[" * 100_000, "yaml", "no YAML"),
        ("just text", "yaml", "list of devices"),
        ("devices: {}", "yaml", "list of devices"),
        ("name,count,pid,sn\na{n},600000,P,S{n}\nb{n},600000,P,T{n}\n", "csv", "more than 1000000"),
    ],
)
def test_what_is_no_inventory(tmp_path: Path, text: str, suffix: str, what: str) -> None:
    """An empty file, another format and a file that is cut short are told as mistakes, not as a traceback."""
    assert any(what in sentence for _, _, sentence in mistakes(tmp_path, text, suffix))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """No file, a folder, and what is no text."""
    for path, data in ((tmp_path / "none.csv", None), (tmp_path, None), (tmp_path / "x.csv", b"\xff\xfe\0")):
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(SmartlicError) as caught:
            read_inventory(path)
        assert caught.value.code == "inventory-unreadable"


@given(st.text(max_size=300), st.sampled_from(["csv", "yaml"]))
def test_no_text_makes_a_traceback(tmp_path_factory: pytest.TempPathFactory, text: str, suffix: str) -> None:
    """Whatever a file holds: an inventory, or an error with a code."""
    try:
        read(tmp_path_factory.mktemp("any"), text.encode(errors="surrogatepass"), suffix)
    except SmartlicError as error:
        assert error.code in ("inventory-wrong", "inventory-unreadable")


@given(st.binary(max_size=200))
def test_no_bytes_after_a_header_make_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """The same for lines below a good header."""
    try:
        read(tmp_path_factory.mktemp("any"), b"name,pid,sn,count,licenses\n" + data)
    except SmartlicError as error:
        assert error.code in ("inventory-wrong", "inventory-unreadable")


EVENTS = """
events:
  - {at: 30d 08:00, event: failover, outage: 45s}
  - {at: 12h, event: switch-over}
  - at: 1d 7:05:09
    event: network-down
    outage: 1.5h
"""


def test_events_are_read_in_the_order_of_their_times(tmp_path: Path) -> None:
    """Times count from the start, an outage that is not given has a usual length, and devices stay."""
    inventory = read(tmp_path, YAML + EVENTS, "yaml")
    assert len(inventory) == 4
    assert inventory.events == (
        Happening(43_200.0, "switch-over", 5.0),
        Happening(86_400 + 7 * 3600 + 309.0, "network-down", 5400.0),
        Happening(30 * 86_400 + 8 * 3600.0, "failover", 45.0),
    )
    assert read(tmp_path, YAML, "yaml").events == ()


def test_mistakes_of_events_are_told_with_those_of_devices(tmp_path: Path) -> None:
    """Each with its line and column; an event lacks nothing that it needs."""
    text = YAML.replace("count: 3", "count: none") + (
        "events:\n"
        "  - {at: 25:00, event: failover, outage: 45s}\n"
        "  - {at: 3d, event: fail-over, outage: 45}\n"
        "  - {event: failover, who: all}\n"
        "  - soon\n"
    )
    first = text.splitlines().index("events:") + 2
    found = mistakes(tmp_path, text, "yaml")
    told = {(line, column): what for line, column, what in found if line >= first}
    assert len(found) == len(told) + 1

    def at(line: int, cell: str) -> tuple[int, str]:
        return line, str(text.splitlines()[line - 1].index(cell) + 1)

    assert "30d 08:00" in told[at(first, "25:00")]
    assert "switch-over" in told[at(first + 1, "fail-over")]
    assert "45s" in told[at(first + 1, "45}")]
    assert "`at`" in told[first + 2, "1"]
    assert "'who'" in told[at(first + 2, "who")]
    assert "mapping" in told[at(first + 3, "soon")]
    assert mistakes(tmp_path, YAML + "events: {at: 1d}\n", "yaml") != []
