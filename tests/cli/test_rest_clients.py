"""`smartlic check --api-client` and `smartlic-mock … --url`: command lines that ask by the REST API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smartlic_client.device import Device
from tests.cli.harness import TRACEBACK, Done, Inside, Lab, assert_error, inside
from tests.support import DNA

pytestmark = pytest.mark.real


@pytest.fixture
def mock(lab: Lab) -> Inside:
    return inside("smartlic-mock", lab.stage.cluster)


@pytest.fixture
def away(tmp_path: Path) -> Inside:
    """The same command line where there is no cluster."""
    return inside("smartlic-mock", tmp_path / "nothing")


@pytest.fixture
def smartlic(tmp_path: Path) -> Inside:
    return inside("smartlic", tmp_path / "devices")


@pytest.fixture
def client(lab: Lab, mock: Inside, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[str, str, Path]:
    """An API client of Lab: its ID, its secret, and the file of both, as `api-client create` saves it."""
    saved = tmp_path / "api.json"
    mock.json("api-client", "create", "--name", request.node.name[:100], "--save", str(saved))
    found = json.loads(saved.read_text())
    return found["client_id"], found["client_secret"], saved


def where(lab: Lab) -> list[str]:
    vip = lab.stage.config.vip
    return ["--url", f"https://{vip.host}:{vip.gui_port}", "--ca", str(lab.anchor_file)]


def check(smartlic: Inside, lab: Lab, *arguments: str, stdin: str = "", url: str | None = None) -> Done:
    vip = lab.stage.config.vip
    api = url or f"https://{vip.host}:{vip.gui_port}"
    fixed = ["--ca", str(lab.anchor_file), "--only", "server", "--format", "json", "--api-url", api]
    return smartlic.run("check", lab.stage.url, *fixed, *arguments, stdin=stdin)


def findings(done: Done) -> dict[str, dict[str, Any]]:
    assert TRACEBACK not in done.stderr
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["ok"] else 1)
    (result,) = report["results"]
    return {each["id"]: each for each in result["findings"]}


# ---- smartlic check ---------------------------------------------------------------------------------------
def test_the_server_tells_whether_products_have_a_place(
    smartlic: Inside, lab: Lab, mock: Inside, client: tuple[str, str, Path]
) -> None:
    """The virtual account that is there, one that is not, and an alert: each told as what it is."""
    saved = f"@{client[2]}"
    assert findings(check(smartlic, lab, "--api-client", saved, "--virtual-account", "Default")) == {}
    found = findings(check(smartlic, lab, "--api-client", saved, "--virtual-account", "Röuter"))
    assert list(found) == ["no-virtual-account"]
    assert found["no-virtual-account"]["seen"].endswith("there are: Default.")
    mock.json("virtual-account", "create", "Röuter")
    assert findings(check(smartlic, lab, "--api-client", saved, "--virtual-account", "Röuter")) == {}
    mock.json("clock", "advance", "40d")
    found = findings(check(smartlic, lab, "--api-client", saved))
    mock.json("clock", "reset")
    assert list(found) == ["server-alert"]
    assert "Synchronization Overdue" in found["server-alert"]["seen"]


def test_the_secret_comes_from_a_file_standard_input_or_the_environment(
    smartlic: Inside, lab: Lab, client: tuple[str, str, Path], tmp_path: Path
) -> None:
    """All three ask with it; it is no argument, and a wrong one is a finding that does not repeat it."""
    name, secret, _ = client
    file = tmp_path / "sec ret"
    file.write_text(f"{secret}\n")
    assert findings(check(smartlic, lab, "--api-client", name, "--api-secret", str(file))) == {}
    assert findings(check(smartlic, lab, "--api-client", name, "--api-secret", "-", stdin=secret)) == {}
    smartlic.environment["SMARTLIC_API_SECRET"] = secret
    assert findings(check(smartlic, lab, "--api-client", name)) == {}
    smartlic.environment["SMARTLIC_API_SECRET"] = wrong = "w" * 64
    done = check(smartlic, lab, "--api-client", name)
    assert list(findings(done)) == ["api-unanswered"]
    assert wrong not in done.stdout + done.stderr


def test_an_api_that_does_not_answer_is_one_finding_among_others(
    smartlic: Inside, lab: Lab, client: tuple[str, str, Path]
) -> None:
    """Nothing listens there: the check of the products' URL is done all the same."""
    done = check(smartlic, lab, "--api-client", f"@{client[2]}", url=f"https://{lab.stage.config.vip.host}:1")
    assert list(findings(done)) == ["api-unanswered"]


WRONG: dict[str, tuple[list[str], int, str]] = {
    "no secret": (["--api-client", "me"], 2, "api-secret-needed"),
    "an empty secret": (["--api-client", "me", "--api-secret", "-"], 2, "api-secret-needed"),
    "no such file": (["--api-client", "me", "--api-secret", "/nowhere"], 2, "api-client-unreadable"),
    "no such file of both": (["--api-client", "@/nowhere"], 2, "api-client-unreadable"),
    "a file of something else": (["--api-client", "@/etc/hostname"], 2, "api-client-unreadable"),
    "two secrets": (["--api-client", "@/nowhere", "--api-secret", "-"], 64, "usage"),
    "a secret without a client": (["--api-secret", "-"], 64, "usage"),
    "http": (["--api-client", "me", "--api-secret", "-", "--api-url", "http://x"], 64, "usage"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_given_wrongly(smartlic: Inside, lab: Lab, case: str) -> None:
    """Said before anything is asked, and not with exit code 1, which is for findings."""
    arguments, exit_code, code = WRONG[case]
    given = "" if "empty" in case else "secret"
    done = smartlic.run("check", lab.stage.url, "--ca", str(lab.anchor_file), *arguments, stdin=given)
    assert_error(done, code, exit_code)
    done = smartlic.run("check", lab.stage.url, "--api-client", "me", "--api-secret", "-", stdin="secret")
    assert_error(done, "usage", 64)


# ---- smartlic-mock … --url --------------------------------------------------------------------------------
def test_lists_of_a_server_elsewhere(
    lab: Lab, mock: Inside, away: Inside, client: tuple[str, str, Path], tmp_path: Path
) -> None:
    """Without the cluster's folder, by the REST API: the same rows as with it."""
    with Device.open(lab.registered(tmp_path, "list-1")) as device:
        device.request(DNA, 3)
    lab.registered(tmp_path, "list-2")
    given = [*where(lab), "--api-client", f"@{client[2]}"]
    here, there = mock.json("licenses")["licenses"], away.json("licenses", *given)["licenses"]
    fields = there[0].keys()
    assert [{name: row[name] for name in fields} for row in here] == there
    assert any(row["license"] == "DNA" for row in there)
    here, there = mock.json("instances")["instances"], away.json("instances", *given)["instances"]
    shown = ("name", "product_type", "last_contact", "account", "virtual_account")
    assert [[row[name] for name in shown] for row in here] == [[row[name] for name in shown] for row in there]
    assert there[0]["licenses"] == [{"license": "DNA", "count": 3}]
    assert away.run("licenses", *given).stdout == mock.run("licenses").stdout
    page = away.json("instances", *given, "--limit", "1", "--offset", "0")
    assert (len(page["instances"]), page["total"]) == (1, 2)


def test_what_a_server_elsewhere_needs(lab: Lab, away: Inside, client: tuple[str, str, Path]) -> None:
    """Its client and its trust anchor; and options of it alone ask for the URL."""
    name, secret, saved = client
    for arguments in (["--url", "https://x"], ["--ca", "x"], [*where(lab), "--api-secret", "-"]):
        assert_error(away.run("licenses", *arguments), "usage", 64)
    given = [*where(lab)[:2], "--ca", "/nowhere", "--api-client", f"@{saved}"]
    assert_error(away.run("instances", *given), "anchor-unreadable", 1)
    given = [*where(lab), "--api-client", name, "--api-secret", "-"]
    assert_error(away.run("licenses", *given, stdin=secret[::-1]), "api-client-refused", 1)
    assert away.run("licenses", *given, stdin=secret).returncode == 0
    other = ["--url", f"https://{lab.stage.config.node('primary').host}:{lab.stage.config.vip.gui_port}"]
    done = away.run(
        "licenses", *other, *where(lab)[2:], "--api-client", name, "--api-secret", "-", stdin=secret
    )
    assert_error(done, "name-mismatch", 3)
