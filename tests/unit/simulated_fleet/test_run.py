"""A simulated fleet: a year of it, its failovers, and that a mistake of the servers would be found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_server.domain import events
from mock_server.simulated_fleet.fleet import BEGIN, Plan, SimulatedFleet
from mock_server.simulated_fleet.pair import Moment
from mock_server.simulated_fleet.report import Report
from smartlic_client.fleet.happenings import Happening
from smartlic_client.fleet.inventory import Inventory, Kind, Licenses
from smartlic_client.fleet.schedule import Schedule
from tests.unit.domain.world import SOFTWARE, tag

DAY = 86_400.0


def inventory(count: int, schedule: str = "1") -> Inventory:
    licenses: Licenses = ((tag(1), Schedule.parse(schedule)),)
    return Inventory([Kind("d-{n}", "C9300-24T", "FOC{n:05}", None, SOFTWARE, licenses, count)])


def ran(fleet: SimulatedFleet) -> Report:
    fleet.run(lambda _: None)
    return Report(fleet)


def report(count: int, plan: Plan, schedule: str = "1") -> Report:
    return ran(SimulatedFleet(inventory(count, schedule), plan))


def test_a_year_of_devices_in_compliance() -> None:
    """Each registers once, renews its certificate twice and its authorization twelve times, and stays so."""
    made = report(20, Plan())
    data = made.data()
    assert {name: one["answered"] for name, one in data["operations"].items()} == {
        "registration": 20,
        "id_cert_renewal": 40,
        "authorization": 20 * 13,
    }
    assert data["failed"] == 0
    assert data["authorization"] == {"authorized": 20}
    assert data["registration"] == {"complete": 20}
    assert len(data["by_day"]) == 365
    assert sum(sum(day["answered"].values()) for day in data["by_day"]) == data["answered"]
    assert sum(one["messages"] for one in data["load"]["by_hour_of_day"]) == data["answered"]
    assert made.audit.ok
    assert (made.audit.instances, made.audit.in_use) == (20, 20)


EVENTS = st.lists(
    st.builds(
        Happening,
        st.one_of(st.floats(0, 3600), st.floats(30 * DAY, 30 * DAY + 3600)),
        st.sampled_from(["failover", "switch-over", "network-down"]),
        st.floats(0, 7200),
    ),
    max_size=6,
).map(lambda found: tuple(sorted(found)))


@settings(max_examples=12, deadline=None)
@given(EVENTS, st.integers(0, 1000))
def test_the_hash_changes_nothing_of_the_result(happened: tuple[Happening, ...], seed: int) -> None:
    """With real keys, certificates and bytes the report is the same but for the name of the cryptography."""
    found = []
    for kind in ("hash", "real"):
        plan = Plan(days=62, seed=seed, crypto=kind, splay=3600.0, events=happened)
        made = report(8, plan)
        assert made.audit.ok
        found.append({**made.data(), "crypto": None})
    assert found[0] == found[1]


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    """Data, text and page."""
    happened = (Happening(1800.0, "failover", 600.0), Happening(30 * DAY, "network-down", 7200.0))

    def told(seed: int) -> tuple[bytes, str, str]:
        made = report(30, Plan(days=45, seed=seed, splay=3600.0, events=happened))
        return msgspec.json.encode(made.data()), made.text(), made.page()

    assert told(1) == told(1)
    assert told(1)[0] != told(2)[0]


def test_nothing_is_lost_whenever_the_active_dies() -> None:
    """Before a change was on the other node, before an answer left, and between messages: each comes up."""
    seen = set()
    for seed in range(8):
        made = report(60, Plan(days=1, seed=seed, splay=60.0, events=(Happening(20.0, "failover", 10.0),)))
        (storm,) = made.data()["events"]
        seen.add(storm["how"])
        assert made.audit.ok
        assert made.audit.instances == made.audit.registrations == 60
        assert storm["devices"] >= 9  # one a second met silence for 10 seconds
        assert storm["still_waiting"] == 0
        assert storm["quiet_after_seconds"] > 0
        assert made.fleet.pair.cut == (storm["how"] == Moment.UNREPLICATED.value)
    assert seen == {moment.value for moment in Moment}


def test_what_is_drawn_flattens_the_storm() -> None:
    """Devices that all ask at the same moment come back together if they draw nothing, and spread if they
    do. What the report says of the undrawn case is what a run without draws has."""
    happened = (Happening(30 * DAY - 60, "failover", 600.0),)
    drawn, undrawn = (
        report(300, Plan(days=31, splay=0.0, drawn=drawn, events=happened)).data()["events"][0]
        for drawn in (True, False)
    )
    assert drawn["devices"] == undrawn["devices"] == 300
    assert undrawn["peak_per_second"] == undrawn["peak_per_second_undrawn"] == 300
    assert drawn["peak_per_second_undrawn"] == 300
    assert drawn["peak_per_second"] < 30


def test_too_few_licenses_show() -> None:
    """Half of what is used is bought: some are out of compliance every day, and ask more often."""
    made = report(10, Plan(days=10, licensed=50.0))
    data = made.data()
    assert data["authorization"]["out-of-compliance"] >= 5
    assert data["operations"]["authorization"]["answered"] > 5 * 2 * 9
    assert "at the end of 0 of 10 days" in made.text()
    assert made.audit.ok


def test_counts_follow_the_time_of_day() -> None:
    """Each device tells its morning and its evening, and the servers know the last of both."""
    made = report(5, Plan(days=4.75), "1 08:00=3 20:00=0")
    assert made.data()["operations"]["authorization"]["answered"] >= 5 * 2 * 4
    assert made.audit.in_use == 15
    assert made.audit.ok


def test_a_run_that_is_stopped_reports_what_was_done() -> None:
    """Not all devices have begun, and servers and devices agree."""
    fleet = SimulatedFleet(inventory(5000), Plan())
    fleet.run(lambda running: running.stop())
    made = Report(fleet)
    data = made.data()
    assert data["interrupted"]
    assert 0 < data["begun"] < 5000
    assert data["days"] < 1
    assert "interrupted after" in made.text()
    assert made.audit.ok


# ---- mistakes that are planted ----------------------------------------------------------------------------
def test_an_accepted_message_that_is_not_on_the_other_node_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One change is kept by the Active only, and is answered: after its failover that is a loss."""
    fleet = SimulatedFleet(
        inventory(5), Plan(days=31, splay=3600.0, events=(Happening(30.5 * DAY, "failover", 10.0),))
    )
    replicate = fleet.pair.replicate
    dropped: list[str] = []

    def forgetful(payload: bytes) -> None:
        change = events.decode(payload)
        renews = isinstance(change.events[0], events.UsageReported) and change.at > BEGIN + 29 * DAY
        if renews and not dropped:
            dropped.append(change.by)
            return
        replicate(payload)

    monkeypatch.setattr(fleet.pair, "replicate", forgetful)
    made = ran(fleet)
    assert made.audit.lost == dropped == ["d-1"]
    assert not made.audit.copies_equal
    assert not made.audit.ok
    assert "WRONG: lost: d-1" in made.text()
    assert made.data()["audit"]["examples"] == {"lost": ["d-1"]}


def test_a_message_with_two_effects_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not know repeats does the same thing twice."""
    monkeypatch.setattr("mock_server.domain.devices.known", lambda *_: None)
    found: list[str] = []
    for seed in range(6):
        plan = Plan(days=31, seed=seed, splay=60.0, events=(Happening(30 * DAY + 20, "failover", 10.0),))
        made = report(60, plan)
        if made.data()["events"][0]["how"] == Moment.UNANSWERED.value:
            found += made.audit.doubled
            assert "WRONG: doubled" in made.text()
        else:
            assert made.audit.ok
    assert found


def test_counts_that_differ_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that keeps another count than it was told."""
    decoded = events.decode

    def wrong(payload: bytes) -> Any:
        change = decoded(payload)
        for event in change.events:
            if isinstance(event, events.UsageReported):
                event.usage[tag(1)] = 7
        return change

    monkeypatch.setattr(events, "decode", wrong)
    made = report(3, Plan(days=1))
    assert len(made.audit.differing) == 3
    assert not made.audit.ok


def test_an_inventory_of_a_file_is_simulated(tmp_path: Path) -> None:
    """The example of a campus runs through two days, with its counts that rise in the morning."""
    from smartlic_client.fleet.inventory import read_inventory

    known = read_inventory(Path(__file__).parents[3] / "examples/campus.csv")
    made = ran(SimulatedFleet(known, Plan(days=2)))
    assert made.audit.ok
    assert made.audit.instances == len(known)
