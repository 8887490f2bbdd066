"""ID tokens and private keys are shown to nobody: not in output, errors, logs, events, lists of processes."""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartlic_client.device import Device
from smartlic_client.protocol.identity import IdToken
from tests.cli.harness import (
    Done,
    Lab,
    inside,
    node_pids,
    record_of,
    started,
    together,
    until,
    up,
)
from tests.leaks import private_lines
from tests.support import DNA, Program, new_addresses, program, token

pytestmark = pytest.mark.real


def _forms(secret: str) -> list[str]:
    """A token as it is shown, as it is inside, and its secret half alone."""
    plain = urllib.parse.unquote(secret)
    inner = base64.b64decode(plain).decode()
    return [secret, plain, inner, inner.partition("|")[2]]


def _assert_silent(text: str, secrets: list[str]) -> None:
    assert "PRIVATE KEY" not in text
    for secret in secrets:
        assert secret not in text, f"a secret of {len(secret)} characters is shown"


def _keys_of(cluster: Path) -> list[str]:
    """The private keys that are files of the cluster; the others are in the journal's key store."""
    return [piece for path in cluster.glob("**/*.key") for piece in private_lines(path.read_text())]


def _every_verb_of_a_device(smartlic: Program, lab: Lab, secret: str, broken: str) -> Iterator[Done]:
    """All verbs, as they should be and wrong, with the token given by standard input and as a file."""
    file = Path(smartlic.environment["SMARTLIC_HOME"]) / "token"
    file.write_text(secret)
    for form in ("text", "json"):
        run = inside("smartlic", Path(smartlic.environment["SMARTLIC_HOME"]))
        name = f"pi-{form}"
        head = ["--format", form, "--device", name]
        yield run.run(*head, "init", "--pid", "C9300-24T", "--sn", f"SECRET{form}", "--name", name)
        yield run.run(*head, "register", "--token", "-", stdin=secret)  # no destination yet
        yield run.run(*head, "transport", f"https://user:{secret}@ssm.example.com/")
        yield run.run(*head, "transport", lab.url())
        yield run.run(*head, "register", "--token", str(file))  # no trust anchor yet
        yield run.run(*head, "trust", str(lab.stage.cluster / "cssm" / "root.key"))
        yield run.run(*head, "trust", str(lab.anchor_file))
        yield run.run(*head, "register", "--token", "-", stdin=broken)
        yield run.run(*head, "register", "--token", broken)
        yield run.run(*head, "register", secret)
        yield run.run(*head, "register", broken)
        yield run.run(*head, "register", "--token", "-", stdin=_revoked(lab))
        yield run.run(*head, "register", "--token", str(file))
        yield run.run(*head, "register", "--token", "-", stdin=secret)  # registered already
        yield run.run(*head, "register", "--force", "--token", secret)
        yield run.run(*head, "request", DNA, "2")
        yield run.run(*head, "report")
        yield run.run(*head, "show", "status")
        yield run.run(*head, "show", "usage")
        yield run.run(*head, "release", DNA)
        yield run.run(*head, "deregister")
        yield run.run(*head, "show", "status")


def _revoked(lab: Lab) -> str:
    secret = token(lab.stage)
    lab.stage.ask("token.revoke", token_id=IdToken(secret).token_id)
    return secret


def _every_verb_of_the_mock(lab: Lab, secret: str) -> Iterator[Done]:
    mock = inside("smartlic-mock", lab.stage.cluster)
    token_id = IdToken(secret).token_id
    for form in ("text", "json"):
        for call in (
            ["status"],
            ["console", "primary", "ha_status"],
            ["token", "list"],
            ["instances"],
            ["licenses"],
            ["accounts"],
            ["certificates"],
            ["host-common-name"],
            ["sync"],
            ["events", "--limit", "1000"],
            ["token", "revoke", token_id],
            ["token", "revoke", secret],
        ):
            yield mock.run("--format", form, *call)


def test_no_verb_shows_a_secret(lab: Lab, tmp_path: Path) -> None:
    """A run of all verbs of both programs, right and wrong: no token and no key in any output or log."""
    secret = token(lab.stage)
    broken = secret[:-12] + "!" + secret[-11:]
    secrets = [*_forms(secret), broken, *_keys_of(lab.stage.cluster)]
    assert len(secrets) > 7
    smartlic = program("smartlic", tmp_path)
    count = 0
    for done in _every_verb_of_a_device(smartlic, lab, secret, broken):
        _assert_silent(done.stdout + done.stderr, secrets)
        for folder in tmp_path.glob("pi-*"):
            for key in (getattr(record_of(folder).identity, "key", None), record_of(folder).new_key):
                secrets += private_lines(key) if key else []
        _assert_silent(done.stdout + done.stderr, secrets)
        count += done.returncode == 0
    assert count >= 24, "most of these calls should have worked"
    assert lab.uses(secret) == 4
    for done in _every_verb_of_the_mock(lab, secret):
        assert done.returncode == 0, done
        _assert_silent(done.stdout + done.stderr, secrets)
    _assert_silent(lab.logs(), secrets)
    _assert_silent(json.dumps(lab.stage.ask("event.list", limit=1000)), secrets)
    for folder in tmp_path.glob("pi-*"):  # de-registered: nothing is left there either
        _assert_silent((folder / "device.json").read_text(), secrets)


def test_the_token_is_kept_no_longer_than_needed(lab: Lab, tmp_path: Path) -> None:
    """On the device it is there until it is answered, and on the server it never is: only its hash."""
    secret = token(lab.stage)
    folder = lab.device(tmp_path, url=f"https://{new_addresses().vip}:4443")
    run = inside("smartlic", tmp_path)
    done = run.run("--format", "json", "register", "--token", "-", stdin=secret)
    assert done.returncode == 2
    _assert_silent(done.stdout + done.stderr, _forms(secret))
    _assert_silent(run.run("--format", "json", "show", "status").stdout, _forms(secret))
    assert secret in (folder / "device.json").read_text()
    with Device.open(folder) as device:
        device.set_destination(lab.url())
    run.json("report")
    assert secret not in (folder / "device.json").read_text()
    for path in lab.stage.cluster.glob("**/*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(form.encode() in data for form in _forms(secret)), path


def _command_lines() -> str:
    """What `ps` shows everybody: arguments of all processes of this machine that can be read."""
    shown = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            shown.append(path.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(shown)


def _until_it_waits(folder: Path) -> None:
    until(lambda: record_of(folder).registering.failure, "it waits")


def test_ps_does_not_show_the_token(lab: Lab, tmp_path: Path) -> None:
    """Given on standard input or as a file it is on no command line, while the client waits; else it is."""
    secret = token(lab.stage)
    file = tmp_path / "token"
    file.write_text(secret)
    smartlic = program("smartlic", tmp_path)
    url = f"https://{new_addresses().vip}:4443"
    names = ("stdin", "file", "argument")
    for name in names:
        lab.device(tmp_path, name, url=url)
    running: list[subprocess.Popen[str]] = []
    try:
        for name, given in zip(names, ("-", str(file), secret), strict=True):
            if name == "argument":
                before = _command_lines()
            process = started(smartlic, "-d", name, "register", "--wait", "600", "--token", given)
            running.append(process)
            assert process.stdin is not None
            process.stdin.write(secret)
            process.stdin.close()
            process.stdin = None
            _until_it_waits(tmp_path / name)
            if name == "file":
                before = _command_lines()
        assert "register" in before
        _assert_silent(before, _forms(secret))
        assert secret in _command_lines()  # the test can see such things: that is what the warning is about
    finally:
        for process in running:
            process.send_signal(signal.SIGINT)
        said = [process.communicate(timeout=20) for process in running]
    for out, err in said:
        _assert_silent(out + err, _forms(secret))


def test_everything_is_private(lab: Lab, tmp_path: Path) -> None:
    """Files 0600 and folders 0700, below the devices' folder and the cluster's, whatever the umask."""
    old = os.umask(0)
    try:
        home = tmp_path / "new" / "devices"
        folder = tmp_path / "c"
        smartlic = program("smartlic", home)
        with up(folder, *new_addresses().options()):
            mock = program("smartlic-mock", folder)
            made, listed = together(mock, ["token", "create"], ["certificates", "--format", "json"])
            smartlic.json("init", "--pid", "P", "--sn", "S", "--name", "x")
            smartlic.json("trust", "-", stdin=json.loads(listed.stdout)["trust_anchor"])
            smartlic.json("transport", f"https://{new_addresses().vip}:4443")
            assert smartlic.run("register", "--token", "-", stdin=made.stdout).returncode == 2
            (home / "x" / "device.json.damaged-1").touch(0o600)
            assert len(node_pids(folder)) == 2
            seen = [_modes(path) for path in (home, folder)]
            control = Path(json.loads((folder / "control.json").read_text())["control"])
            assert stat.S_IMODE(control.parent.stat().st_mode) == 0o700
            assert control.parent.stat().st_uid == os.geteuid()
        seen.append(_modes(folder))
    finally:
        os.umask(old)
    assert [len(modes) > 1 for modes in seen] == [True, True, True]
    for modes in seen:
        assert {path: oct(mode) for path, mode in modes.items() if mode not in (0o40700, 0o100600)} == {}
    assert not lab.stage.cluster.stat().st_mode & 0o077


def _modes(root: Path) -> dict[str, int]:
    """Kind and mode of the folder and of all that is below it."""
    return {str(path): path.lstat().st_mode for path in (root, *root.glob("**/*"))}


def test_open_files_are_closed_to_others_again(lab: Lab, tmp_path: Path) -> None:
    """A device's folder that others could read, as after a careless copy, is tightened at the next use."""
    folder = lab.registered(tmp_path)
    folder.chmod(0o755)
    (folder / "device.json").chmod(0o644)
    inside("smartlic", tmp_path).json("report")
    assert {oct(mode) for mode in _modes(folder).values()} == {oct(0o40700), oct(0o100600)}
