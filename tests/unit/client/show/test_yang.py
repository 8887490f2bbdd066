"""The YANG tree: RFC 7951's forms, the public module's names, and nothing that does not hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from smartlic_client.show import yang
from smartlic_client.show.model import Evaluation, License, Registering, Udi
from tests.unit.client.show.states import CLASSIC, NOW, STATES, USING_POLICY


def _info(state: Any) -> dict[str, Any]:
    info: dict[str, Any] = yang.tree(state)["cisco-smart-license:licensing"]["state"]["state-info"]
    return info


def _nodes(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _nodes(value, f"{path}/{name}")
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value, path)
    else:
        yield path, tree


@pytest.mark.parametrize("state", STATES)
def test_the_forms_of_rfc_7951(state: str) -> None:
    """One outermost node with the module's name, no null, nothing empty, 64-bit integers as strings."""
    tree = yang.tree(STATES[state])
    assert list(tree) == ["cisco-smart-license:licensing"]
    for path, value in _nodes(tree):
        name = path.rpartition("/")[2]
        assert value is not None
        assert not isinstance(value, float)
        assert ":" not in name or path.count("/") == 1
        if name in ("seconds-left", "report-id"):
            assert re.fullmatch(r"[0-9]+", value)
        if name.endswith("-time"):
            assert isinstance(value, int) if name == "reporting-first-time" else _is_time(value)
    assert json.loads(yang.document(STATES[state])) == tree


def _is_time(value: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value) is not None


@pytest.mark.parametrize("state", STATES)
def test_only_the_container_of_the_state_is_there(state: str) -> None:
    """`when`: of the containers that tell more of a state, only that of the present state is there."""
    model, info = STATES[state], _info(STATES[state])
    registration, authorization = info["registration"], info["authorization"]
    containers = {
        name for name in registration if name.startswith("registration-") and name != "registration-state"
    }
    assert registration["registration-state"] == f"reg-state-{model.registration.state}"
    assert containers <= {f"registration-{model.registration.state}"}
    containers = {name for name in authorization if name.startswith("authorization-")} - {
        "authorization-state"
    }
    assert authorization["authorization-state"] == f"auth-state-{model.authorization.state}"
    assert containers <= {f"authorization-{model.authorization.state}"}
    assert ("eval-period-left" in info["evaluation"]) != model.evaluation.expired
    assert ("policy" in info) == (model.policy is not None) == ("trust-code" in info)


def test_a_registered_device() -> None:
    """Values are the model's."""
    model = CLASSIC["authorization renewal failed"]
    info = _info(model)
    complete = info["registration"]["registration-complete"]
    assert (complete["smart-account"], complete["virtual-account"]) == (
        "Example Corporation",
        "Branch Offices",
    )
    told = info["authorization"]["authorization-authorized"]
    assert told["last-comm-status-success"] is False
    assert model.authorization.last is not None
    assert told["fail-message"] == model.authorization.last.reason
    assert [(used["short-name"], used["count"]) for used in info["usage"]] == [
        ("DNA_P_50M_A", 3),
        ("C9K_HSEC", 1),
    ]


def test_reports_that_are_not_acknowledged_are_listed() -> None:
    """`rum-reports-closed-keys` has the closed and unacknowledged reports, each with a key of its own."""
    info = _info(USING_POLICY["policy, trusted, reports pending"])
    listed = info["rum-reports-closed-keys"]
    assert [report["report-state"].removeprefix("rum-report-state-") for report in listed] == [
        "pending",
        "closed",
        "pending",
    ]
    assert len({report["rum-report-key"] for report in listed}) == 3
    assert "rum-reports-closed-keys" not in _info(USING_POLICY["policy, trusted, acknowledged"])


def test_each_unit_has_its_trust_code() -> None:
    """The key of the list is the unit's UDI."""
    units = _info(USING_POLICY["policy, trusted, with several units"])["trust-code"]
    assert len({unit["key_udi"] for unit in units}) == 3
    assert all(unit["is-installed"] and _is_time(unit["time-installed"]) for unit in units)
    (alone,) = _info(USING_POLICY["policy, no trust, nothing sent"])["trust-code"]
    assert alone["is-installed"] is False
    assert "time-installed" not in alone


def test_licenses_that_are_not_in_use_are_not_listed() -> None:
    """The module's list has licenses in use only."""
    used = License(tag="regid.x,1_2", name="x", count=0, mode="in-compliance")
    assert "usage" not in _info(replace(CLASSIC["authorized"], licenses=(used,)))


@pytest.mark.parametrize("mac", ["00:1B:44:11:3A:B7", "00-1B-44-11-3A-B7", "001B.4411.3AB7", "001B44113AB7"])
def test_a_mac_address_has_yangs_form(mac: str) -> None:
    """`yang:mac-address` has colons, however the device writes it."""
    model = replace(CLASSIC["new"], udi=Udi(mac_address=mac, host_identifier="0A1B2C3D", uuid="u"))
    assert _info(model)["udi"]["mac-address"] == "00:1B:44:11:3A:B7"


@pytest.mark.parametrize("at", [None, float("nan"), float("inf"), -1.0, 1e18])
def test_a_time_that_yang_cannot_say_is_left_out(at: float | None) -> None:
    """Times before 1970 or after 9999 are not there, and break nothing."""
    model = replace(CLASSIC["authorized"], registration=Registering(state="complete", expires=at))
    assert "expire-time" not in _info(model)["registration"].get("registration-complete", {})


@pytest.mark.parametrize(("left", "shown"), [(-1.0, 0), (float("nan"), 0), (1.9, 1), (5e9, 2**32 - 1)])
def test_seconds_left_are_32_bits(left: float, shown: int) -> None:
    """What does not fit is brought in."""
    model = replace(CLASSIC["new"], evaluation=Evaluation(remaining=left))
    assert _info(model)["evaluation"]["eval-period-left"]["time-left"] == shown


@given(st.text(alphabet=st.characters(), max_size=300))
def test_any_text_is_a_yang_string(text: str) -> None:
    """What YANG strings may not hold (RFC 7950, 9.4) is shown as an escape; the document is always UTF-8."""
    model = replace(CLASSIC["new"], custom_id=text)
    shown = json.loads(yang.document(model).encode())["cisco-smart-license:licensing"]["state"]["state-info"]
    if not text:
        assert "custom-id" not in shown
        return
    assert 0 < len(shown["custom-id"]) <= 255
    assert not re.search(
        "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]", shown["custom-id"]
    )


def test_a_lone_surrogate_is_an_escape() -> None:
    """A name that was no Unicode does not keep the document from being written."""
    model = replace(CLASSIC["new"], custom_id="a\ud800\x1b", hostname=None, udi=Udi(sn="\ud800"))
    yang.document(model).encode()
    assert _info(model)["custom-id"] == "a\\ud800\\x1b"


def test_the_moment_is_not_in_the_tree() -> None:
    """The same state at another moment is the same tree, so that it can be compared."""
    assert yang.tree(CLASSIC["authorized"]) == yang.tree(replace(CLASSIC["authorized"], now=NOW + 5))
