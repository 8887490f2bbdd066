"""libyang judges the YANG tree of each state by Cisco's public module `cisco-smart-license`.

The newest revision that a package registry has is 2017-10-11, in the source archive of the PyPI package
`ydk-models-cisco-ios-xe`. What only 2021-03-01 has (`NEWER`) is taken out before libyang looks, and checked
by nobody; a folder with the newer module, named by SMARTLIC_YANG_FOLDER, lets libyang check the whole tree.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from smartlic_client.show import yang
from tests.unit.client.show.states import STATES

pytestmark = [pytest.mark.judge, pytest.mark.timeout(300)]

# The nodes of 2021-03-01 under state-info that 2017-10-11 does not have, and the values of its enumerations.
NEWER = {"policy", "trust-code", "rum-reports-closed-keys", "rum-ack"}
NEWER_TRANSPORTS = {"transport-type-cslu", "transport-type-off"}


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the module and what it imports; skips where it cannot be had."""
    if shutil.which("yanglint") is None:
        pytest.skip("there is no yanglint")
    folder = tmp_path_factory.mktemp("yang")
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation"]
    try:
        tools = folder / "tools"
        subprocess.run([sys.executable, "-m", "venv", str(tools)], check=True, timeout=120)
        download[0] = str(tools / "bin" / "python")
        install = [download[0], "-m", "pip", "install", "--quiet", "setuptools", "wheel"]
        subprocess.run(install, check=True, capture_output=True, timeout=100)
        source = ["--no-binary", ":all:", "ydk-models-cisco-ios-xe==16.9.3.post1"]
        subprocess.run([*download, *source], cwd=folder, check=True, capture_output=True, timeout=100)
    except subprocess.SubprocessError as error:
        pytest.skip(f"the registry cannot be reached: {str(error)[:100]}")
    (archive,) = folder.glob("ydk*.tar.gz")
    wanted = ("cisco-smart-license.yang", "cisco-smart-license-errors.yang", "ietf-yang-types.yang")
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            if name in (*wanted, "ietf-inet-types.yang") and (file := tar.extractfile(member)):
                (folder / name).write_bytes(file.read())
    return folder


def _judge(folder: Path, data: dict[str, Any], where: Path) -> str:
    """What yanglint says against the data; nothing where they are valid."""
    document = where / "state.json"
    document.write_text(json.dumps(data))
    command = [
        "yanglint",
        "-p",
        str(folder),
        "-t",
        "data",
        str(folder / f"{yang.MODULE}.yang"),
        str(document),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return "" if done.returncode == 0 else done.stderr or f"exit {done.returncode}"


def _info(data: dict[str, Any]) -> dict[str, Any]:
    info: dict[str, Any] = data[f"{yang.MODULE}:licensing"]["state"]["state-info"]
    return info


def _older(data: dict[str, Any]) -> dict[str, Any]:
    """The tree without what only the newer revision has."""
    older = deepcopy(data)
    info = _info(older)
    for name in NEWER:
        info.pop(name, None)
    if info["transport"]["transport-type"] in NEWER_TRANSPORTS:
        del info["transport"]
    return older


@pytest.mark.parametrize("state", STATES)
def test_the_tree_is_valid(modules: Path, tmp_path: Path, state: str) -> None:
    """libyang takes the tree of each state, but for what its revision of the module does not know."""
    assert _judge(modules, _older(yang.tree(STATES[state])), tmp_path) == ""


def test_the_judge_can_say_no(modules: Path, tmp_path: Path) -> None:
    """libyang refuses an unknown state, a count that is no number, an unknown node, a time in words."""
    for path, value in (
        (("registration", "registration-state"), "reg-state-lost"),
        (("usage", 0, "count"), "many"),
        (("usage", 0, "counts"), 3),
        (("registration", "registration-complete", "expire-time"), "Mar 13 2025"),
    ):
        broken: Any = _older(yang.tree(STATES["authorized"]))
        node = _info(broken)
        for step in path[:-1]:
            node = node[step]  # type: ignore[index]
        node[path[-1]] = value
        assert _judge(modules, broken, tmp_path), path


def test_what_the_judge_does_not_know_is_known(modules: Path, tmp_path: Path) -> None:
    """Each node that was taken out is refused by the older revision: nothing else escapes the judge."""
    for name in NEWER:
        tree = next(t for t in map(yang.tree, STATES.values()) if name in _info(t))
        older = _older(tree)
        _info(older)[name] = _info(tree)[name]
        assert name in _judge(modules, older, tmp_path)
    found = {_info(yang.tree(model))["transport"]["transport-type"] for model in STATES.values()}
    assert found >= NEWER_TRANSPORTS
    for kind in NEWER_TRANSPORTS:
        older = _older(yang.tree(STATES["new"]))
        _info(older)["transport"] = {"transport-type": kind}
        assert kind in _judge(modules, older, tmp_path)


def test_the_whole_tree_is_valid_by_2021_03_01(tmp_path: Path) -> None:
    """With a folder of the newer module at hand, libyang takes the whole tree of each state."""
    given = os.environ.get("SMARTLIC_YANG_FOLDER")
    if given is None:
        pytest.skip("SMARTLIC_YANG_FOLDER names no folder with the module of 2021-03-01")
    said = {state: _judge(Path(given), yang.tree(model), tmp_path) for state, model in STATES.items()}
    assert not any(said.values()), said
