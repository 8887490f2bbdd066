"""Users by the command line: made, listed, changed, removed; and the first administrator of a new cluster."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mock_server.library.cluster import Cluster
from smartlic_client.errors import SmartlicError
from tests.cli.harness import Lab, assert_error, inside, up
from tests.support import new_addresses

pytestmark = pytest.mark.real
PASSWORD = "correct horse — Zürich"


def test_the_life_of_a_user(lab: Lab, tmp_path: Path) -> None:
    """Added with a password from standard input, changed with one from a file, removed; by the event log."""
    mock = inside("smartlic-mock", lab.stage.cluster)
    file = tmp_path / "password"
    file.write_text("another password\nand a second line\n", encoding="utf-8")
    assert mock.json("user", "add", "Jörg / B", "--password-file", "-", stdin=PASSWORD)["role"] == "user"
    assert [user["name"] for user in mock.json("user", "list")["users"]] == ["admin", "Jörg / B"]
    assert mock.run("user", "password", "Jörg / B", "--password-file", str(file)).returncode == 0
    assert "Jörg / B" in mock.run("user", "list").stdout
    assert "[not-confirmed]" in mock.run("user", "remove", "Jörg / B", stdin="n\n").stderr
    assert mock.run("user", "remove", "Jörg / B", "--yes").returncode == 0
    told = [line["event"] for line in mock.json("events")["events"][:3]]
    assert told == [
        "User Jörg / B removed",
        "Password of user Jörg / B changed",
        "User Jörg / B created as user",
    ]


def test_what_is_wrong_with_a_user_is_said(lab: Lab, tmp_path: Path) -> None:
    """No password, a bad one, no file, a name twice, nobody of the name, the last administrator."""
    mock = inside("smartlic-mock", lab.stage.cluster)
    add = ["user", "add", "berta"]
    assert_error(mock.run(*add), "password-needed", 1)
    assert_error(mock.run(*add, "--password-file", "-", stdin="\n"), "password-needed", 1)
    assert_error(mock.run(*add, "--password-file", "-", stdin="short\n"), "bad-password", 1)
    assert_error(mock.run(*add, "--password-file", str(tmp_path / "none")), "cannot-read", 1)
    assert_error(mock.run("user", "add", "admin", "--password-file", "-", stdin=PASSWORD), "user-exists", 1)
    assert_error(mock.run("user", "add", " ", "--password-file", "-", stdin=PASSWORD), "bad-name", 1)
    assert_error(mock.run("user", "remove", "berta", "--yes"), "user-unknown", 1)
    assert_error(mock.run("user", "remove", "admin", "--yes"), "last-administrator", 1)
    assert_error(
        mock.run("user", "password", "berta", "--password-file", "-", stdin=PASSWORD), "user-unknown", 1
    )
    assert_error(mock.run(*add, "--role", "root", "--password-file", "-", stdin=PASSWORD), "usage", 64)


def test_up_shows_the_first_password_once(tmp_path: Path) -> None:
    """A new cluster's is made and shown, and is in a private file; a given one is taken and not shown."""
    cluster, file = tmp_path / "cluster", tmp_path / "given"
    options = new_addresses().options()
    file.write_text(PASSWORD, encoding="utf-8")
    mock = inside("smartlic-mock", cluster)
    file_too_short = tmp_path / "short"
    file_too_short.write_text("short")
    wrong = mock.run("up", *options, "--admin-password-file", str(file_too_short))
    assert_error(wrong, "bad-password", 1)
    assert not (cluster / "cluster.json").exists()
    with up(cluster, *options, "--admin-password-file", str(file)) as running:
        kept = cluster / "admin-password"
        assert kept.read_text(encoding="utf-8").strip() == PASSWORD
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert PASSWORD not in str(running.status)
        done = mock.run("user", "password", "admin", "--password-file", "-", stdin="new password")
        assert done.returncode == 0
        assert not kept.exists()


def test_the_library_gives_the_first_password() -> None:
    """As long as it is the present one; two stand-alone starts of a folder make no second administrator."""
    with Cluster() as ssm:
        assert len(ssm.admin_password) == 40
        assert len(ssm.ask("user.list")["users"]) == 1
        ssm.ask("user.password", name="admin", password="another password")
        with pytest.raises(SmartlicError) as changed:
            _ = ssm.admin_password
        assert changed.value.code == "library-password-changed"
