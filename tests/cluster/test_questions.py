"""Commands that ask, through the program, the supervisor and the node. Real processes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mock_server.cluster import client, config
from mock_server.cluster.client import control_path
from smartlic_client.errors import SmartlicError
from tests.cluster.upper import Up
from tests.support import Program, program
from tests.terminal import Terminal

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    made = Up(tmp_path_factory.mktemp("questions") / "cluster")
    assert made.up("tests.cluster.asking:factory") == {"up": "primary"}
    yield made
    made.close()


@pytest.fixture(autouse=True)
def fresh(cluster: Up) -> None:
    """What commands left behind is gone."""
    for name in ("asked", "declined", "go", "slow-done"):
        left(cluster, name).unlink(missing_ok=True)


@pytest.fixture
def mock(cluster: Up) -> Program:
    return program("smartlic-mock", cluster.folder)


def left(cluster: Up, name: str, node: str = "primary") -> Path:
    return config.Layout(cluster.folder).node(node) / name


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


def test_a_callable_answers_and_the_result_is_the_outcome(cluster: Up) -> None:
    """`client.console(…, answer=…)`: questions in order, each answer where it was asked, and the outcome."""
    asked: list[str] = []

    def answer(text: str) -> str:
        asked.append(text)
        return "yes" if len(asked) == 1 else "für Zürich"

    talk = client.console(cluster.folder, "primary", "toy_ask", answer)
    lines = []
    while True:
        try:
            lines.append(next(talk))
        except StopIteration as end:
            assert end.value == {"outcome": "done", "exit_code": 0}
            break
    assert asked == ["Continue? [y/N]", "Name of it:"]
    assert lines == ["This changes the primary.", "It is 'für Zürich'."]
    assert cluster.console("primary", "toy_ask")[1] == "'' is no."


def test_answers_from_standard_input(cluster: Up, mock: Program) -> None:
    """`echo yes | smartlic-mock console …`: questions and answers are in what is printed, in order."""
    done = mock.run("console", "primary", "toy_ask", stdin="yes\nHugo\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "This changes the primary.",
        "Continue? [y/N] yes",
        "Name of it: Hugo",
        "It is 'Hugo'.",
    ]
    said = mock.json("console", "primary", "toy_ask", stdin="y\n\n")
    assert said["questions"] == [
        {"question": "Continue? [y/N]", "answer": "y"},
        {"question": "Name of it:", "answer": ""},
    ]
    assert (said["outcome"], said["lines"][-1]) == ("done", "It is ''.")


@pytest.mark.parametrize("given", ["", "no\n", "x" * 3000 + "\n", "y\0es\n", "\n"])
def test_all_but_yes_is_no(cluster: Up, mock: Program, given: str) -> None:
    """The end of input, another word, an answer over the limit: declined, exit 1, nothing was done."""
    done = mock.run("console", "primary", "toy_ask", stdin=given)
    assert (done.returncode, done.stderr) == (1, "")
    assert "is no." in done.stdout
    assert left(cluster, "declined").exists()
    assert not left(cluster, "asked").exists()
    said = mock.json("console", "primary", "toy_ask", stdin=given, code=1)
    assert (said["ok"], said["outcome"], said["exit_code"]) == (False, "declined", 1)


def test_yes_to_all(cluster: Up, mock: Program) -> None:
    """`--yes` answers every question, and reads nothing."""
    done = mock.run("console", "--yes", "primary", "toy_ask", stdin="no\nno\n")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "It is 'yes'."
    assert mock.run("console", "primary", "toy_ask", "--yes").returncode == 0


@pytest.mark.parametrize("input_", [b"\xff\xfe\n", None])
def test_input_that_is_no_text_or_not_there(cluster: Up, mock: Program, input_: bytes | None) -> None:
    """Bytes that are not UTF-8, and a closed standard input, are no answer: no."""
    command = ["bash", "-c", '"$@"' + (" <&-" if input_ is None else ""), "-"]
    done = subprocess.run(
        [*command, *mock.command("console", "primary", "toy_ask")],
        input=input_,
        capture_output=True,
        env={**mock.environment, "LC_ALL": "C.UTF-8"},
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"is no." in done.stdout


def test_ctrl_c_at_a_question_is_no(cluster: Up, mock: Program) -> None:
    """Ctrl-C and Ctrl-D answer no, and the command ends in order; yes goes on to the next question."""
    for keys, code, seen in (
        ("\x03", 1, "'' is no."),
        ("\x04", 1, "'' is no."),
        ("yes\nHugo\n", 0, "'Hugo'"),
    ):
        with Terminal(mock, "console", "primary", "toy_ask") as terminal:
            terminal.expect("[y/N] ")
            terminal.keys(keys)
            terminal.expect(seen)
            assert terminal.ended() == code
        assert left(cluster, "declined").exists() is bool(code)
        left(cluster, "declined").unlink(missing_ok=True)


def raw(cluster: Up, *lines: bytes, then: str = "close") -> None:
    """Speak to the control socket by hand."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(control_path(cluster.folder))
        stream = sock.makefile("rwb")
        stream.write(b'{"op": "console", "node": "primary", "line": "toy_ask"}\n')
        stream.flush()
        assert json.loads(stream.readline()) == {"line": "This changes the primary."}
        assert json.loads(stream.readline()) == {"ask": "Continue? [y/N]"}
        stream.write(b"".join(lines))
        stream.flush()
        if then == "read":
            assert json.loads(stream.readline())["line"].endswith("is no.")
            assert json.loads(stream.readline())["result"]["outcome"] == "declined"
        stream.close()


def test_a_client_that_goes_away_is_no(cluster: Up) -> None:
    """The connection closed in the middle of a question: no; and the node's console is free again."""
    raw(cluster)
    wait_for(left(cluster, "declined"))
    assert "is no." in cluster.console("primary", "toy_ask")[1]


@pytest.mark.parametrize(
    "line",
    [b"yes\n", b"{}\n", b'{"answer": true}\n', b'{"answer": ["yes"]}\n', b"\xff\n", b"[" * 100_000 + b"\n"],
)
def test_an_answer_that_is_none(cluster: Up, line: bytes) -> None:
    """What is no answer on the wire is no, and the connection goes on."""
    raw(cluster, line, then="read")


def test_an_answer_too_late_is_ignored(cluster: Up) -> None:
    """An answer that nobody waits for any more is no request: nothing is said to it."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(control_path(cluster.folder))
        with sock.makefile("rwb") as stream:
            stream.write(b'{"answer": "yes"}\n{"op": "status"}\n')
            stream.flush()
            assert json.loads(stream.readline())["result"]["active"] == "primary"


def test_two_consoles_at_once(cluster: Up, mock: Program) -> None:
    """One console changes something; another one is told which command runs, exit 75, and may look."""
    first: list[str] = []
    begun = threading.Event()

    def run() -> None:
        for line in client.console(cluster.folder, "primary", "toy_slow"):
            first.append(line)
            begun.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert begun.wait(10)
        with pytest.raises(SmartlicError) as busy:
            cluster.console("primary", "ha_cluster_stop")
        assert (busy.value.code, busy.value.exit_code) == ("console-busy", 75)
        assert "runs toy_slow" in busy.value.sentence
        assert cluster.console("primary", "ha_status")
        assert mock.run("console", "primary", "toy_ask").returncode == 75
        assert cluster.console("secondary", "toy_ask")[0] == "This changes the secondary."
    finally:
        left(cluster, "go").touch()
        thread.join(10)
    assert first == ["begun", "done"]
    assert cluster.console("primary", "toy_ask")


def test_what_a_console_began_is_done_without_it(cluster: Up, mock: Program) -> None:
    """Ctrl-C in the middle of a command ends the console (exit 130), not the command."""
    with subprocess.Popen(
        mock.command("console", "primary", "toy_slow"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=mock.environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=20)
    assert (process.returncode, "interrupted" in err) == (130, True)
    left(cluster, "go").touch()
    wait_for(left(cluster, "slow-done"))


def test_a_node_that_dies_or_hangs_in_a_command(tmp_path: Path) -> None:
    """`node-gone` names the command and the way out; the next one finds the process gone."""
    made = Up(tmp_path / "cluster")
    made.up("tests.cluster.asking:factory")
    try:
        talk = client.console(made.folder, "secondary", "toy_ask", lambda _text: kill())

        def kill() -> str:
            client.call(made.folder, "drill", node="secondary", kind="kill")
            return "yes"

        assert next(talk) == "This changes the secondary."
        with pytest.raises(SmartlicError) as gone:
            list(talk)
        assert (gone.value.code, gone.value.exit_code) == ("node-gone", 2)
        assert "toy_ask" in gone.value.sentence
        assert made.console("secondary", "help")
        assert made.console("secondary", "ha_cluster_start")[0].startswith("Starting")
        talk = client.console(made.folder, "secondary", "toy_ask", lambda _text: down())

        def down() -> str:
            made.started[0].terminate()
            made.started[0].wait(20)
            return "yes"

        with pytest.raises(SmartlicError) as over:
            list(talk)
        assert over.value.code in ("node-gone", "answer-lost")
    finally:
        made.close()
