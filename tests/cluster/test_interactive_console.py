"""A person at the console of a server: prompt, keys, history, what fails under it. Real terminals."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mock_server.cluster import client, config
from smartlic_client.errors import SmartlicError
from tests.cli.harness import until
from tests.cluster.upper import Up
from tests.support import Program, program
from tests.terminal import Terminal

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    made = Up(tmp_path_factory.mktemp("interactive") / "cluster")
    assert made.up("tests.cluster.asking:factory") == {"up": "primary"}
    yield made
    made.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Up]:
    """A cluster that the test may break."""
    made = Up(tmp_path / "cluster")
    made.up("tests.cluster.asking:factory")
    yield made
    made.close()


def tool(cluster: Up, home: Path) -> Program:
    made = program("smartlic-mock", cluster.folder)
    made.environment["XDG_DATA_HOME"] = str(home)
    return made


def test_a_session(shared: Up, tmp_path: Path) -> None:
    """Banner, commands line by line, questions in place, editing keys, completion, Ctrl-C, leaving."""
    with Terminal(tool(shared, tmp_path), "console", "secondary") as console:
        first = console.expect("Ctrl-D leaves.", ">>")
        assert "Last login" not in first
        assert "the Secondary at " in first
        console.keys("version\n")
        console.expect("smartlic mock ", ">>")
        console.keys("ha_status\n")
        console.expect("Replication Slave", "Heartbeat: connected", ">>")
        console.keys("ha_sttus\x1b[D\x1b[D\x1b[Da\n")  # the cursor goes back three, and an a is put in
        console.expect("Heartbeat: connected", ">>")
        console.keys("ha_cluster_sto")
        console.keys("\x03")
        console.expect(">>")
        console.keys("ha_sta\t\n")
        console.expect("Heartbeat: connected", ">>")
        console.keys("ha_cluster_start \t\n")
        console.expect("--force", "already", ">>")
        console.keys("toy_ask\n")
        console.expect("This changes the secondary.", "[y/N]")
        console.keys("yes\n")
        console.expect("Name of it:")
        console.keys("Hugo\n")
        console.expect("It is 'Hugo'.", ">>")
        console.keys("toy_ask\n")
        console.expect("[y/N]")
        console.keys("\x03")
        console.expect("'' is no.", ">>")
        console.keys("toy_ask\n")
        console.expect("[y/N]")
        console.keys("\x04")
        console.expect("'' is no.", ">>")
        console.keys("\n\n  \n")
        console.expect(">>", ">>", ">>")
        console.keys("HA_STATUS\n")
        console.expect(
            "error: HA_STATUS: no such command. [command-unknown]", "Did you mean ha_status?", ">>"
        )
        console.keys("help ha_cluster_start\n")
        console.expect("[--force]", ">>")
        console.keys("\x04")
        console.expect("logout")
        assert console.ended() == 0
        assert "Traceback" not in console.seen
        assert "CPR" not in console.seen


@pytest.mark.parametrize("word", ["exit", "logout", " exit "])
def test_leaving_and_coming_back(shared: Up, tmp_path: Path, word: str) -> None:
    """`exit` and `logout` leave with 0; the next console says when and where the last login was."""
    mock = tool(shared, tmp_path)
    for _ in range(2):
        with Terminal(mock, "console", "primary") as console:
            said = console.expect(">>")
            console.keys(f"{word}\n")
            assert console.ended() == 0
    assert re.search(
        r"^Last login: \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d 20\d\d on pts/\d+$", said, re.MULTILINE
    )
    path = config.Layout(shared.folder).node("primary") / "last-login.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("what is no JSON")
    with Terminal(mock, "console", "primary") as console:
        assert "Last login" not in console.expect(">>")


def test_history_is_kept_and_private(shared: Up, tmp_path: Path) -> None:
    """Arrow up brings the last commands of an earlier session, not the answers; mode 0600; cut when long."""
    mock = tool(shared, tmp_path / "data")
    history = tmp_path / "data" / "smartlic-mock" / "console-history"
    with Terminal(mock, "console", "primary") as console:
        console.expect(">>")
        console.keys("version\n")
        console.expect("smartlic mock", ">>")
        console.keys("toy_ask\n")
        console.expect("[y/N]")
        console.keys("a secret\n")
        console.expect("is no.", ">>")
        console.keys("\x04")
        console.ended()
    assert history.read_text() == "version\ntoy_ask\n"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    with Terminal(mock, "console", "primary") as console:
        console.expect(">>")
        console.keys("\x1b[A\x1b[A\n")
        console.expect("smartlic mock", ">>")
        console.keys("\x12toy")  # Ctrl-R: look for it
        console.expect("toy_ask")
        console.keys("\n\n")
        console.expect("[y/N]")
    history.write_bytes(b"x\n" * 5000 + b"\xff\nversion\n")
    with Terminal(mock, "console", "primary") as console:
        console.expect(">>")
        console.keys("\x1b[A\n")
        console.expect("smartlic mock", ">>")
        console.keys("\x04")
        assert console.ended() == 0
    assert len(history.read_bytes().splitlines()) == 1000


def test_no_place_for_a_history(shared: Up, tmp_path: Path) -> None:
    """A data folder that cannot be one is no reason not to work."""
    (tmp_path / "file").write_text("")
    with Terminal(tool(shared, tmp_path / "file"), "console", "primary") as console:
        console.expect(">>")
        console.keys("version\n")
        console.expect("smartlic mock", ">>")
        console.keys("\x04")
        assert console.ended() == 0


def test_pasted_lines_are_commands_one_by_one(shared: Up, tmp_path: Path) -> None:
    """Several lines pasted at once, bracketed or not, run in order; an answer among them answers."""
    with Terminal(tool(shared, tmp_path), "console", "primary") as console:
        console.expect(">>")
        console.keys("version\nhelp version\n")
        console.expect("smartlic mock", "Show the version", ">>")
        console.keys("\x1b[200~version\nhelp version\x1b[201~\n")
        console.expect("smartlic mock", "Show the version", ">>")
        console.keys("toy_ask\nyes\nHugo\nversion\n")
        console.expect("It is 'Hugo'.", "smartlic mock", ">>")


def test_ctrl_c_leaves_a_command_to_itself(shared: Up, tmp_path: Path) -> None:
    """Ctrl-C while a command runs: the prompt comes again, the command goes on, another one is refused."""
    folder = config.Layout(shared.folder).node("primary")
    with Terminal(tool(shared, tmp_path), "console", "primary") as console:
        console.expect(">>")
        console.keys("toy_slow\n")
        console.expect("begun")
        console.keys("\x03")
        console.expect("toy_slow goes on without this console", ">>")
        console.keys("toy_slow\n")
        console.expect("[console-busy]", ">>")
        (folder / "go").touch()
        until((folder / "slow-done").exists, "the command goes on to its end")
        (folder / "go").unlink()
        until(lambda: _free(shared), "the console of the server is free again")
        console.keys("version\n")
        console.expect("smartlic mock", ">>")


def _free(cluster: Up) -> bool:
    try:
        return bool(cluster.console("primary", "toy_ask"))
    except SmartlicError as error:
        assert error.code == "console-busy"
        return False


def test_a_dumb_terminal(shared: Up, tmp_path: Path) -> None:
    """Without any escape sequences it works too."""
    with Terminal(tool(shared, tmp_path), "console", "primary", TERM="dumb") as console:
        console.expect(">>")
        console.keys("version\n")
        console.expect("smartlic mock", ">>")
        console.keys("\x04")
        assert console.ended() == 0


def test_the_node_and_the_cluster_go_under_it(own: Up, tmp_path: Path) -> None:
    """Killed, hung, down, up again: an error line each with what to do, and the prompt comes again."""
    with Terminal(tool(own, tmp_path), "console", "secondary") as console:
        console.expect(">>")
        client.call(own.folder, "drill", node="secondary", kind="kill")
        console.keys("ha_status\n")
        console.expect("Standby", ">>")
        console.keys("ha_cluster_start\n")
        console.expect("Starting Cluster (corosync)...", "Secondary is Standby", ">>")
        client.call(own.folder, "drill", node="secondary", kind="hang")
        console.keys("ha_cluster_stop\n")
        console.expect("[node-hung]", "what to do: ", ">>")
        console.keys("ha_status\n")
        console.expect("Heartbeat: ", ">>")
        client.call(own.folder, "drill", node="secondary", kind="resume")
        own.wait_for("secondary", "state", "standby")
        own.started[0].terminate()
        own.started[0].wait(20)
        console.keys("ha_status\n")
        assert str(own.folder) in console.expect("[not-running]", "what to do: Start it", ">>")
        assert own.up("tests.cluster.asking:factory")["up"] in config.NODES
        console.keys("ha_status\n")
        console.expect("Heartbeat: connected", ">>")
        own.started[1].kill()  # the supervisor alone: its socket stays
        own.started[1].wait(10)
        console.keys("ha_status\n")
        console.expect("[not-running]", ">>")
        console.keys("exit\n")
        assert console.ended() == 0


def test_a_cluster_that_is_not_up(tmp_path: Path) -> None:
    """There is no console then: the error, and no prompt."""
    with Terminal(program("smartlic-mock", tmp_path / "none"), "console", "primary") as console:
        console.expect("[not-running]")
        assert console.ended() == 1
        assert ">>" not in console.seen


# ---- not at a terminal ------------------------------------------------------------------------------------
def test_lines_from_standard_input(shared: Up, tmp_path: Path) -> None:
    """Commands from a file: no banner, no prompt; answers are the lines that follow the command."""
    mock = tool(shared, tmp_path)
    done = mock.run(
        "console", "primary", stdin="version\n\ntoy_ask\nyes\nHugo\nhelp version\nexit\nnonsense\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    version, *rest = done.stdout.splitlines()
    assert version.startswith("smartlic mock ")
    assert rest == [
        "This changes the primary.",
        "Continue? [y/N] yes",
        "Name of it: Hugo",
        "It is 'Hugo'.",
        "  version  Show the version",
    ]
    assert not (tmp_path / "smartlic-mock").exists()


def test_a_script_ends_at_the_first_failure(shared: Up, tmp_path: Path) -> None:
    """With the exit code of what failed; nothing after it is done."""
    mock = tool(shared, tmp_path)
    done = mock.run("console", "primary", stdin="nonsense\nversion\n")
    assert (done.returncode, done.stdout) == (64, "")
    assert "[command-unknown]" in done.stderr
    done = mock.run("console", "primary", stdin="toy_ask\nno\nversion\n")
    assert (done.returncode, "smartlic mock" in done.stdout) == (1, False)
    done = mock.run("console", "primary", "--yes", stdin="toy_ask\nversion\n")
    assert (done.returncode, "smartlic mock" in done.stdout) == (0, True)
    assert mock.run("console", "primary", stdin="").returncode == 0


def test_a_script_as_json(shared: Up, tmp_path: Path) -> None:
    """One object a command, questions on standard error."""
    done = tool(shared, tmp_path).run(
        "--format", "json", "console", "PRIMARY", stdin="version\ntoy_ask\nno\nversion\n"
    )
    assert done.returncode == 1
    decoder, text, said = json.JSONDecoder(), done.stdout, []
    while text.strip():
        found, end = decoder.raw_decode(text.lstrip())
        said.append(found)
        text = text.lstrip()[end:]
    assert [(one["ok"], one["outcome"]) for one in said] == [(True, "done"), (False, "declined")]
    assert done.stderr == "Continue? [y/N] no\n"
