"""`smartlic-mock api-client` and `rest-api`."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.cli.harness import Inside, Lab, assert_error, inside

pytestmark = pytest.mark.real


@pytest.fixture
def mock(lab: Lab) -> Inside:
    return inside("smartlic-mock", lab.stage.cluster)


def test_the_life_of_an_api_client(mock: Inside) -> None:
    """Made, listed without its secret, given a new one, deleted; the log has no secrets."""
    made = mock.json("api-client", "create", "--name", "Büro Süd")
    assert len(made["client_id"]) == len(made["client_secret"]) == 64
    assert_error(mock.run("api-client", "create", "--name", "Büro Süd"), "api-client-exists", 1)
    (listed,) = mock.json("api-client", "list")["api_clients"]
    assert (listed["name"], listed["account"], listed["created_by"]) == ("Büro Süd", "Lab", "console")
    assert made["client_secret"] not in mock.run("api-client", "list").stdout
    renewed = mock.json("api-client", "renew", made["client_id"])
    assert renewed["client_secret"] != made["client_secret"]
    log = json.dumps(mock.json("events"))
    assert made["client_secret"] not in log
    assert renewed["client_secret"] not in log
    assert mock.json("api-client", "delete", made["client_id"], "--yes")["name"] == "Büro Süd"
    assert mock.run("api-client", "list").stdout == "There is no API client.\n"
    assert_error(mock.run("api-client", "renew", made["client_id"]), "api-client-unknown", 1)


def test_a_saved_request_is_for_this_user_only(mock: Inside, tmp_path: Path) -> None:
    """--save writes what to post for an access token, mode 0600, and keeps the secret off the terminal."""
    file = tmp_path / "my client.json"
    done = mock.run("api-client", "create", "--save", str(file))
    body = json.loads(file.read_text(encoding="utf-8"))
    assert body["grant_type"] == "client_credentials"
    assert len(body["client_secret"]) == 64
    assert body["client_secret"] not in done.stdout + done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert_error(
        mock.run("api-client", "create", "--name", "b", "--save", str(tmp_path / "no" / "f")),
        "cannot-write",
        1,
    )


def test_the_settings_of_the_api(mock: Inside) -> None:
    """Off by default; set one by one; shown without an option."""
    assert mock.run("rest-api").stdout == "Rate limit:           none\nNew ID tokens are kept as hashes\n"
    assert mock.json("rest-api", "--rate-limit", "60")["rate_limit"] == 60
    found = mock.json("rest-api", "--whole-tokens")
    assert (found["rate_limit"], found["whole_tokens"], found["changed"]) == (60, True, True)
    assert not mock.json("rest-api")["changed"]
    assert_error(mock.run("rest-api", "--rate-limit", "-1"), "usage", 64)
