"""`smartlic shell`: a device's own words."""

from __future__ import annotations

import json
import os
import pty
import re
from pathlib import Path

import pytest

from smartlic_client.cli.prompt import CleanHistory
from smartlic_client.cli.words import COMMANDS, completions, keepable, read
from smartlic_client.device import Device
from smartlic_client.errors import SmartlicError
from smartlic_client.protocol.identity import Udi
from tests.cli.harness import Lab, assert_error, inside, record_of, started
from tests.support import DNA, program, token

SECRET = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA%3D%0A"


# ---- words ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", [form for form, _ in COMMANDS])
def test_every_command_is_understood_in_full(form: str) -> None:
    """Each line of the table, with something for each word in capitals, is that line's verb."""
    line = form.replace("TOKEN", SECRET).replace("[force]", "force").replace("…", "status")
    found = read(line)
    assert found is not None
    verb = dict(COMMANDS)[form]
    if "…" not in verb:
        assert found.verb[: len(verb)] == verb
    assert (found.token == SECRET) == ("TOKEN" in form)
    assert ("--force" in found.verb) == ("force" in form)
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("line", "verb"),
    [
        ("lic sm reg id TOKEN", ("register",)),
        ("LICENSE SMART REGISTER IDTOKEN TOKEN FORCE", ("register", "--force")),
        ("license smart trust idtoken TOKEN loc f", ("trust", "idtoken", "--force")),
        ("li s d", ("deregister",)),
        ("lic smart ren a", ("renew", "auth")),
        ("  license   smart\tsync  all ", ("sync",)),
        ("lic sm url https://h/SmartTransport", ("transport", "https://h/SmartTransport")),
        ("lic sm url smart https://h", ("transport", "smart", "https://h")),
        ("lic sm tr transport", None),
        ("lic sm tra off", ("transport", "off")),
        ("sh lic us", ("show", "license", "us")),
        ("do show license all", ("show", "license", "all")),
        ("license smart reservation request local", ("reservation",)),
        ("?", ("help",)),
        ("conf t", ("configure",)),
        ("", None),
        ("! a remark", None),
    ],
)
def test_words_can_be_shortened(line: str, verb: tuple[str, ...] | None) -> None:
    """Any beginning that is the only one counts, in upper or lower case; blanks do not."""
    if line == "lic sm tr transport":
        with pytest.raises(SmartlicError, match="word 3 can mean transport or trust"):
            read(line)
        return
    found = read(line)
    assert (found.verb if found else None) == verb


@pytest.mark.parametrize(
    "line",
    [
        "license",
        "license smart",
        f"license smart register {SECRET}",
        f"license smart register idtoken {SECRET} forced",
        f"license smart register idtoken {SECRET} force more",
        f"license smart trust idtoken {SECRET}",
        f"{SECRET}",
        "e",
        "re x",
        "licensed smart deregister",
        "show",
    ],
)
def test_what_is_no_command_is_not_repeated(line: str) -> None:
    """It says what could stand there, and shows no word of the line: it may be a token."""
    with pytest.raises(SmartlicError) as caught:
        read(line)
    assert caught.value.code == "words-unknown"
    assert SECRET not in str(caught.value.as_dict())


def test_completion_follows_the_words() -> None:
    """What can come next, also behind shortened words; nothing where only a person knows."""
    assert completions("lic") == ["license"]
    assert completions("lic sm re") == ["register", "renew", "reservation"]
    assert completions("license smart trust idtoken X ") == ["all", "local"]
    assert completions("license smart register idtoken X ") == ["force"]
    assert completions("license smart register idtoken ") == []
    assert "request" in completions("")


def test_no_token_is_kept_in_a_history(tmp_path: Path) -> None:
    """Neither in the file nor in the memory of the prompt; not even of a line with a slip in it."""
    history = CleanHistory(tmp_path / "new" / "history")
    kept = ["license smart deregister", "lic smart ren x", "", "show license all"]
    dropped = [
        f"license smart register idtoken {SECRET} force",
        f"lic sm reg id {SECRET}",
        f"license smrt register idtoken {SECRET}",
        f"license smart trust idtoken {SECRET} local",
        SECRET,
        "license smart register idtoken short",
    ]
    for line in [*kept, *dropped, f"{kept[0]}\n{dropped[0]}"]:
        history.append_string(line)
        assert keepable(line) == (line in kept) or "\n" in line
    path = tmp_path / "new" / "history"
    assert path.read_text().splitlines() == [line for line in kept if line] + [kept[0]]
    assert path.stat().st_mode & 0o777 == 0o600
    assert SECRET not in "".join(history.get_strings())


# ---- a device ---------------------------------------------------------------------------------------------
@pytest.mark.real
def test_a_devices_life_from_standard_input(lab: Lab, tmp_path: Path) -> None:
    """A script of a device's words, as it is pasted to one: configured, registered, used, de-registered."""
    folder = lab.device(tmp_path, url="https://ssm.example.com")
    secret = token(lab.stage)
    script = [
        "! made by hand",
        "configure terminal",
        f"license smart url {lab.url()}",
        "license smart transport smart",
        "license smart privacy all",
        "no license smart privacy version",
        "license smart custom_id rack-7",
        "exit",
        f"license smart register idtoken {secret} force",
        f"request {DNA} 2",
        "license smart renew auth",
        "show license status",
        "show license usage",
        "license smart deregister",
        "license smart factory reset",
        "exit",
        "nothing behind it is read",
    ]
    done = inside("smartlic", tmp_path).run("shell", stdin="\n".join(script))
    assert (done.returncode, done.stderr) == (0, "")
    for said in (
        f"Transport callhome: {lab.url()}",
        "Transport smart: ",
        "Hostname withheld, version told",
        "Custom id: rack-7",
        "Registration completed successfully",
        f"{DNA}: 2 in use, in-compliance",
        "Reported 1 license: authorized",
        "Status: REGISTERED",
        "Count: 2",
        "De-registered",
        "annanr-39 is as new",
    ):
        assert said in done.stdout, said
    assert secret not in done.stdout
    assert lab.uses(secret) == 1
    assert record_of(folder).identity is None


@pytest.mark.real
def test_a_script_ends_at_the_first_failure(tmp_path: Path) -> None:
    """With its exit code; each error is a problem, also as JSON; nothing behind it is done."""
    Device.create(tmp_path / "x", Udi(pid="P", sn="1"))
    smartlic = inside("smartlic", tmp_path)
    for line, code, exit_code in [
        ("license smart registre", "words-unknown", 64),
        ("license smart deregister", "not-registered", 1),
        ("license smart register idtoken notatoken!", "token-malformed", 1),
        ("license smart reservation request local", "reservation-not-offered", 1),
        ("license smart url http://h", "not-https", 1),
        ("license smart usage interval many", "usage", 64),
        ("license smart import --help", "usage", 64),
        (f"request {DNA} -1", "usage", 64),
        ("license smart trust idtoken NOT local", "token-malformed", 1),
    ]:
        for form in ("text", "json"):
            done = smartlic.run("--format", form, "shell", stdin=f"{line}\nlicense smart transport off\n")
            assert_error(done, code, exit_code)
    assert record_of(tmp_path / "x").transport_off is False
    done = smartlic.run("--format", "json", "shell", stdin="help\n")
    assert "license smart sync all" in json.loads(done.stdout)["commands"]


@pytest.mark.real
def test_at_a_terminal_it_stays_and_keeps_no_token(tmp_path: Path) -> None:
    """A prompt with the device's name; an error does not end it; the history has no line with a token."""
    Device.create(tmp_path / "h" / "pi37", Udi(pid="P", sn="1"))
    tool = program("smartlic", tmp_path / "h")
    tool.environment |= {
        "TERM": "xterm",
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }
    ours, theirs = pty.openpty()
    process = started(tool, "shell", stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = ""

    def see(text: str) -> None:
        nonlocal shown
        while text not in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown):
            shown += os.read(ours, 4096).decode(errors="replace")
        shown = ""

    see("pi37#")
    os.write(ours, f"license smart register idtoken {SECRET}\r".encode())
    see("[token-malformed]")
    os.write(ours, b"license smart transport off\r")
    see("Transport off")
    os.write(ours, b"conf t\r")
    see("pi37(config)#")
    os.write(ours, b"end\rexit\r")
    try:
        while os.read(ours, 4096):
            pass
    except OSError:
        pass  # the other side of a terminal is closed
    assert process.wait(10) == 0
    os.close(ours)
    history = (tmp_path / "data" / "smartlic-shell" / "history").read_text()
    assert "license smart transport off\n" in history
    assert SECRET not in history
