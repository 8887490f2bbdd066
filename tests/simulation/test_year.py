"""A year in virtual time (issue "the device, whole"): nothing lost, nothing doubled, everybody authorized."""

from __future__ import annotations

import pytest

from tests.simulation.year import Year


def _year(seed: int, devices: int) -> Year:
    year = Year(seed, devices)
    print(f"seed {seed}")
    year.live()
    print(year.told())
    year.check()
    return year


def test_a_year_of_100_devices_loses_and_doubles_nothing() -> None:
    """A fifth of all messages is lost, and the server fails over ten times, in the middle of messages too."""
    year = _year(1, 100)
    lost = year.seen["requests lost"] + year.seen["answers lost"]
    assert 0.17 < lost / sum(device.sendings for device in year.devices) < 0.23
    assert year.seen["no answer from a server that died"] > 0
    assert len(year.pair.failovers) == 3, "each way to die has been"


def test_a_year_without_changes_and_losses_says_no_more_than_it_has_to() -> None:
    """12 or 13 authorizations and 2 renewals for each registered device, and as many sendings as messages."""
    year = Year(2, 12, failovers=0)
    year.lossy = False
    for device in year.devices:
        device.change = lambda: None  # type: ignore[method-assign]
    year.live()
    print(year.told())
    year.check()
    for device in year.devices:
        assert device.sendings == len(device.said)
        if device.record.usage is None:
            assert device.count("AUTHORIZATION") in (12, 13, 14)


@pytest.mark.drill
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_year_of_1000_devices_loses_and_doubles_nothing(seed: int) -> None:
    """The same for a thousand devices, with three seeds."""
    _year(seed, 1000)
