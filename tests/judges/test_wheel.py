"""pip judges the wheel: installed in an empty environment, with and without its extra."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from release import audit, sbom

pytestmark = [pytest.mark.judge, pytest.mark.timeout(600)]

_REPO = Path(__file__).parents[2]


class Environment:
    """An empty virtual environment, and a project of somebody else beside it."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "venv" / "bin"
        self.project = folder / "project"
        self.project.mkdir()
        venv.create(folder / "venv", with_pip=True)

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A program of the environment, in the project's folder, without anything of this checkout."""
        return subprocess.run(
            [str(self.bin / program), *arguments],
            cwd=self.project,
            env={"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.project), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def install(self, *wanted: str) -> None:
        done = self.run("pip", "install", "--quiet", "--disable-pip-version-check", *wanted)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(_REPO),
    ]
    subprocess.run(command, check=True, timeout=300)
    (found,) = folder.glob("smartlic-*.whl")
    return found


@pytest.fixture(scope="module")
def plain(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """The wheel without extras."""
    made = Environment(tmp_path_factory.mktemp("plain"))
    made.install(str(wheel))
    yield made


def test_the_client_works_without_extras(plain: Environment) -> None:
    """`smartlic` makes a device and shows it."""
    assert plain.run("smartlic", "--version").returncode == 0
    made = plain.run("smartlic", "--format", "json", "init", "--pid", "P", "--sn", "S", "--name", "x")
    assert (made.returncode, json.loads(made.stdout)["ok"]) == (0, True)
    assert "REGISTERED" in plain.run("smartlic", "show", "status").stdout


def test_the_library_and_the_fixtures_say_which_extra_is_missing(plain: Environment) -> None:
    """One error with what to do, instead of a module that cannot be found."""
    done = plain.run("python", "-c", "from mock_server import Cluster")
    assert "server-missing" in done.stderr
    plain.install("pytest")
    (plain.project / "test_server.py").write_text("def test_server(ssm_server):\n    pass\n")
    done = plain.run("pytest", "-q", "test_server.py")
    assert (done.returncode, "[server-missing]" in done.stdout) == (1, True), done.stdout
    assert 'pip install "smartlic[server]"' in done.stdout
    assert "Traceback" not in done.stdout


def test_the_mock_says_which_extra_is_missing(plain: Environment) -> None:
    """`smartlic-mock` names the extra, exit 1; no traceback, no process, no folder."""
    assert plain.run("smartlic-mock", "--version").returncode == 0
    for call in (["up"], ["demo"], ["console", "primary"]):
        done = plain.run("smartlic-mock", *call)
        assert (done.returncode, done.stdout) == (1, "")
        assert "[server-missing]" in done.stderr
        assert 'pip install "smartlic[server]"' in done.stderr


def test_the_tests_of_others_are_not_disturbed(plain: Environment) -> None:
    """pytest of a project that does not use the mock runs as without it, warnings as errors."""
    plain.install("pytest")
    (plain.project / "test_own.py").write_text("def test_own():\n    assert 1 + 1 == 2\n")
    done = plain.run("python", "-W", "error", "-m", "pytest", "-q", "-W", "error", "test_own.py")
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


_FIVE_LINES = """\
def test_a_failover(ssm_cluster, ssm_device):
    router = ssm_device("router")
    ssm_cluster.stop("primary")
    router.report(wait=20)
    assert ssm_cluster.active == "secondary"
"""


@pytest.mark.parametrize("options", [[], ["--ssm-processes"]], ids=["threads", "processes"])
def test_five_lines_of_an_outside_project(wheel: Path, tmp_path: Path, options: list[str]) -> None:
    """With the extra, the fixtures of the installed plugin give a cluster and products, and a failover."""
    made = Environment(tmp_path)
    made.install(f"{wheel}[server]", "pytest")
    (made.project / "test_mine.py").write_text(_FIVE_LINES)
    done = made.run("pytest", "-q", "-W", "error", *options)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_the_bill_of_materials_is_whole(wheel: Path, tmp_path: Path) -> None:
    """CycloneDX's own schema judges it, and it names the project and each of the wheel's dependencies."""
    copied = tmp_path / wheel.name
    copied.write_bytes(wheel.read_bytes())
    text = sbom.write(copied).read_text()
    judge = JsonStrictValidator(SchemaVersion.V1_6)
    assert judge.validate_str(text) is None
    bill = json.loads(text)
    assert judge.validate_str(json.dumps({**bill, "components": [{"name": "x"}]})) is not None
    assert bill["metadata"]["component"]["name"] == "smartlic"
    named = {canonicalize_name(component["name"]) for component in bill["components"]}
    assert set(audit.installed("smartlic", audit.EXTRAS)) <= named
    assert not {"pip", "pytest"} & named
    assert str(tmp_path.parent) not in json.dumps(bill)
