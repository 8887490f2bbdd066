"""What the README tells a newcomer to type is typed here, in its order, and works."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mock_server.cluster import config
from tests.support import new_addresses

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_IN_A_TEST, _LIBRARY = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


_VIP = "README_VIP"
"""Variable with what stands for the default VIP."""


def _section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _commands(text: str) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which a newcomer's commands find the programs, and touch nothing of the user's.

    The cluster has addresses of this test's own: somebody may have one up at the default ones.
    """
    programs, own = Path(sys.executable).parent, new_addresses()
    config.create(tmp_path / "cluster", config.configure(own.primary, own.secondary, own.vip))
    yield {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "SMARTLIC_HOME": str(tmp_path / "home"),
        "SMARTLIC_MOCK_FOLDER": str(tmp_path / "cluster"),
        _VIP: own.vip,
    }


def test_by_hand_works_as_it_is_written(tmp_path: Path, shell: dict[str, str]) -> None:
    """The commands of "By hand" and the library's example, in their order, on a real cluster."""
    commands = [c for c in _commands(_section("By hand")) if c != ". .venv/bin/activate"]
    assert commands.pop(0) == "smartlic-mock up"
    assert len(commands) > 15
    up = subprocess.Popen(["smartlic-mock", "up"], cwd=tmp_path, env=shell, stdout=subprocess.PIPE, text=True)
    assert up.stdout is not None
    try:
        assert any("The cluster is up" in line for line in up.stdout)
        said = {command: _run(command, tmp_path, shell) for command in commands}
        library = _LIBRARY.replace("127.0.0.12", shell[_VIP])
        subprocess.run([sys.executable, "-c", library], cwd=tmp_path, env=shell, check=True, timeout=60)
        listed = _run("smartlic-mock instances", tmp_path, shell)
    finally:
        up.send_signal(signal.SIGINT)
        rest = up.communicate(timeout=30)[0]
    assert up.returncode == 0
    assert "The cluster is down." in rest
    assert "Registration completed successfully" in said["smartlic register --token token.txt"]
    assert "Status: REGISTERED" in said["smartlic show status"]
    status = said["smartlic-mock status"]
    assert re.search(r"Role\s+Standby\s+Active", status), status
    assert "DNA Premier 4" in said["smartlic-mock instances"]
    assert re.search(r"Role\s+Standby\s+Active", said["smartlic-mock console primary ha_status"])
    assert "emulated-1" in listed


def test_try_your_automation_works_as_it_is_written(tmp_path: Path, shell: dict[str, str]) -> None:
    """The section's commands in one terminal, after what "By hand" does before: each says what it is for."""
    by_hand = [c for c in _commands(_section("By hand")) if "host-common-name" in c or c.endswith(" sync")]
    commands = _commands(_section("Try your automation"))
    assert len(by_hand) == 2
    assert len(commands) == 9
    up = subprocess.Popen(["smartlic-mock", "up"], cwd=tmp_path, env=shell, stdout=subprocess.PIPE, text=True)
    assert up.stdout is not None
    try:
        assert any("The cluster is up" in line for line in up.stdout)
        said = _run("\n".join(["set -e", *by_hand, *commands]), tmp_path, shell)
    finally:
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=30)
    found = [json.loads(part) for part in re.findall(r"{\"status\".*?}(?={\"status\"|$)", said)]
    assert [one["status"] for one in found] == ["SUCCESS"] * 3
    assert found[0]["virtualAccounts"][0]["name"] == "Default"
    assert found[1]["tokenInfo"]["token"]
    assert found[2]["devices"] == []
    secret = json.loads((tmp_path / "client.json").read_text(encoding="utf-8"))["client_secret"]
    assert secret not in said
    for name in ("client.json", "access.json", "bearer.txt"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0


def test_many_devices_works_as_it_is_written(tmp_path: Path, shell: dict[str, str]) -> None:
    """The campus registers by the VIP, and the page with charts is there."""
    by_hand = _commands(_section("By hand"))
    before = [c for c in by_hand if any(word in c for word in ("host-common-name", " sync", "--save-anchor"))]
    commands = _commands(_section("Many devices"))
    assert (len(before), len(commands)) == (3, 2)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    up = subprocess.Popen(["smartlic-mock", "up"], cwd=tmp_path, env=shell, stdout=subprocess.PIPE, text=True)
    assert up.stdout is not None
    try:
        assert any("The cluster is up" in line for line in up.stdout)
        said = [_run(command, tmp_path, shell) for command in (*before, *commands)]
    finally:
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=30)
    assert "262 of 262 devices are registered and have told their counts." in said[-1]
    assert (tmp_path / "run.html").read_text(encoding="utf-8").count("<svg") == 3


def _run(command: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", command.replace("127.0.0.12", environment[_VIP])],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def test_every_target_and_page_that_is_named_is_there() -> None:
    """`make` targets and links to files in the README, the architecture and the docs lead somewhere."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
        for target in re.findall(r"^\$ make ([a-z-]+)", text, re.MULTILINE):
            assert target in targets, f"{page.name} names make {target}"


def test_every_command_in_the_docs_is_one_that_there_is() -> None:
    """Verbs that a page of the docs writes after `smartlic` or `smartlic-mock` in a console are known."""
    from mock_server.cli import _VERBS as MOCK
    from smartlic_client.cli import _VERBS as CLIENT

    known = {"smartlic": set(CLIENT), "smartlic-mock": set(MOCK)}
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for command in _commands(page.read_text(encoding="utf-8")):
            for part in re.split(r"[|;&]", command):
                words = shlex.split(part, comments=True)
                if not words or words[0] not in known:
                    continue
                verbs = [w for w in words[1:] if w in known[words[0]] or w in ("--help", "--version")]
                assert verbs, f"{page.name}: {command}"


def test_the_test_of_the_readme_passes(tmp_path: Path) -> None:
    """In a folder that has nothing but this one test, with the installed plugin."""
    (tmp_path / "test_mine.py").write_text(_IN_A_TEST, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
