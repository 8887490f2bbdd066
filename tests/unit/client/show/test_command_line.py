"""`smartlic show license WORDS…` and `smartlic show yang`, as a person or a script calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smartlic_client.device import Device
from smartlic_client.protocol.identity import Udi
from smartlic_client.show import commands, reading, yang
from tests.cli.harness import assert_error, inside
from tests.support import DNA, program


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of one device, in evaluation."""
    Device.create(tmp_path / "pi37", Udi(pid="C9300-24T", sn="FOC1"), hostname="pi37")
    with Device.open(tmp_path / "pi37") as device:
        device.request(DNA, 3)
    return tmp_path


@pytest.mark.parametrize("words", commands.COMMANDS)
def test_each_text_is_printed(home: Path, words: tuple[str, ...]) -> None:
    """The command line prints what the library makes of the device's record."""
    done = inside("smartlic", home).run("show", "license", *words)
    record, settings = Device.peek(home / "pi37")
    data = json.loads((home / "pi37" / "device.json").read_text())["state"]["record"]
    now = data["evaluation_since"] + 1
    made = commands.text(words, reading.model_of(record, now, transport=settings.transport, url=settings.url))
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        line.partition(":")[0] for line in made.splitlines()
    ]


def test_words_can_be_shortened_and_are_one_word_or_several(home: Path) -> None:
    """`show license t s` is `show license tech support`."""
    smartlic = inside("smartlic", home)
    assert smartlic.run("show", "license", "ud").stdout == "UDI: PID:C9300-24T,SN:FOC1\n"
    assert smartlic.run("show", "license", "t", "s").stdout.startswith("Smart Licensing Tech Support info\n")
    assert smartlic.run("show", "license", "eventlog", "7").returncode == 0


def test_as_json_there_is_the_whole_model(home: Path) -> None:
    """Each command says in JSON which it was, and all that there is to show."""
    smartlic = inside("smartlic", home)
    summary, usage = (smartlic.json("show", "license", word) for word in ("summary", "usage"))
    assert (summary["ok"], summary["command"]) == (True, "show license summary")
    assert summary["model"]["licenses"] == usage["model"]["licenses"]
    (used,) = usage["model"]["licenses"]
    assert (used["tag"], used["count"], used["mode"]) == (DNA, 3, "evaluation")


def test_words_that_are_not_known(home: Path) -> None:
    """They exit 64 with a code, in both forms, whether or not there is a device."""
    smartlic = inside("smartlic", home)
    for words in (["nothing"], ["u"], ["tech"], [], ["status", "now"], ["eventlog", "x"]):
        assert_error(smartlic.run("show", "license", *words), "show-unknown", 64)
        assert_error(smartlic.run("show", "license", *words, "--format", "json"), "show-unknown", 64)
    assert_error(inside("smartlic", home / "none").run("show", "license", "x"), "show-unknown", 64)


def test_which_device(home: Path) -> None:
    """No device, one of several, and a name that is none: the same problems as for other verbs."""
    assert_error(inside("smartlic", home / "none").run("show", "license", "udi"), "no-device", 1)
    Device.create(home / "pi38", Udi(pid="C9300-24T", sn="FOC2"), hostname="pi38")
    smartlic = inside("smartlic", home)
    assert_error(smartlic.run("show", "yang"), "which-device", 1)
    assert smartlic.run("-d", "pi38", "show", "license", "udi").stdout == "UDI: PID:C9300-24T,SN:FOC2\n"
    assert_error(smartlic.run("show", "license", "udi", "-d", "../pi38"), "bad-device-name", 1)
    assert_error(smartlic.run("show", "license", "udi", "-d", "pi39"), "no-device", 1)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"record": {"udi": {"pid": 5}}}, "device-unreadable"),
        ({"settings": {"transport": "pigeon"}}, "device-unreadable"),
        ({"record": None}, "device-unreadable"),
        ({"settings": None}, "device-unreadable"),
    ],
)
def test_a_file_that_was_changed_by_hand(home: Path, change: dict[str, Any], code: str) -> None:
    """What is no record is said, with its reason, and not shown."""
    path = home / "pi37" / "device.json"
    file = json.loads(path.read_text())
    for name, value in change.items():
        file["state"][name] = {**file["state"][name], **value} if value else None
    path.write_text(json.dumps(file))
    assert_error(inside("smartlic", home).run("show", "license", "status"), code, 1)


def test_the_yang_tree_is_printed(home: Path) -> None:
    """`smartlic show yang` prints the tree and nothing around it, whatever --format says."""
    smartlic = inside("smartlic", home)
    for arguments in (["show", "yang"], ["show", "yang", "--format", "json"]):
        tree = json.loads(smartlic.run(*arguments).stdout)
        assert list(tree) == [f"{yang.MODULE}:licensing"]
        (used,) = tree[f"{yang.MODULE}:licensing"]["state"]["state-info"]["usage"]
        assert (used["entitlement-tag"], used["count"]) == (DNA, 3)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("smartlic show license s", ["status", "summary"]),
        ("smartlic show license rum ", ["id"]),
        ("smartlic show license history m", ["message"]),
        ("smartlic show l", ["license"]),
        ("smartlic show license nothing ", []),
    ],
)
def test_a_shell_completes_the_words(home: Path, line: str, offered: list[str]) -> None:
    """bash asks for what can follow, and gets the words of the command."""
    words = line.split(" ")
    tool = inside("smartlic", home)
    tool.environment |= {
        "_SMARTLIC_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = tool.run()
    assert [answer.partition(",")[2] for answer in done.stdout.split()] == offered
    assert (done.returncode, done.stderr) == (0, "")


def test_a_look_needs_nothing_that_talks_to_servers(home: Path) -> None:
    """Start-up: no cryptography, no HTTP, no TLS, no lock and none of the protocol is imported for a look."""
    code = (
        "import sys; from smartlic_client.cli import main; sys.argv = ['smartlic', *sys.argv[1:]]\n"
        "try: main()\n"
        "finally: print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "show", "license", "status"],
        env=program("smartlic", home).environment,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(done.stderr.split())
    assert "smartlic_client.show.status" in imported
    heavy = {
        "cryptography",
        "requests",
        "urllib3",
        "ssl",
        "http.client",
        "filelock",
        "lxml",
        "asyncio",
        "logging",
    }
    assert not imported & (
        heavy | {"smartlic_client.protocol", "smartlic_client.device", "smartlic_client.show.tech"}
    )
