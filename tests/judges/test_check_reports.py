"""The schemas of JUnit XML (pytest's) and of SARIF 2.1.0 judge the reports of `smartlic check`."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lxml import etree

from smartlic_client.preflight.reports import render
from smartlic_client.preflight.run import Run
from tests.unit.preflight.test_reports import EVERYTHING, WELL, hostile

pytestmark = pytest.mark.judge

RUNS = {"everything": EVERYTHING, "well": WELL, "hostile": hostile()}


def _fetched(folder: Path, command: list[str], pattern: str, inside: str) -> bytes:
    """The file `inside` of the archive that a registry's own client brings; skips where it brings none."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]}")
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=100)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"the registry cannot be reached: {' '.join(command[:3])}: {str(error)[:100]}")
    (archive,) = folder.glob(pattern)
    with tarfile.open(archive) as tar:
        name = next(name for name in tar.getnames() if name.endswith(inside))
        file = tar.extractfile(name)
        assert file is not None
        return file.read()


@pytest.fixture(scope="module")
def junit(tmp_path_factory: pytest.TempPathFactory) -> etree.XMLSchema:
    """The schema that pytest holds its own output against."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        "pytest",
        "pytest",
    ]
    raw = _fetched(tmp_path_factory.mktemp("pytest"), command, "pytest-*.tar.gz", "/junit-10.xsd")
    return etree.XMLSchema(etree.parse(io.BytesIO(raw)))


@pytest.fixture(scope="module")
def sarif(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The schema of SARIF 2.1.0, from Microsoft's package for jest."""
    command = ["npm", "pack", "--silent", "@microsoft/jest-sarif"]
    raw = _fetched(tmp_path_factory.mktemp("sarif"), command, "*.tgz", "/sarif-2.1.0-rtm.5.json")
    schema: dict[str, Any] = json.loads(raw)
    return schema


@pytest.mark.parametrize("name", RUNS)
def test_junit_validates(junit: etree.XMLSchema, name: str) -> None:
    """The JUnit report of all findings, of none, and of hostile names keeps to junit-10.xsd."""
    junit.assertValid(_junit(RUNS[name]))


def test_junits_judge_can_say_no(junit: etree.XMLSchema) -> None:
    """The schema refuses a test case without a name."""
    broken = _junit(EVERYTHING)
    case = broken.find(".//testcase")
    assert case is not None
    del case.attrib["name"]
    assert not junit.validate(broken)


@pytest.mark.parametrize("name", RUNS)
def test_sarif_validates(sarif: dict[str, Any], name: str) -> None:
    """The SARIF report of all findings, of none, and of hostile names keeps to the 2.1.0 schema."""
    validator = jsonschema.validators.validator_for(sarif)
    validator(sarif, format_checker=validator.FORMAT_CHECKER).validate(
        json.loads(render("sarif", RUNS[name]))
    )


def test_sarifs_judge_can_say_no(sarif: dict[str, Any]) -> None:
    """The schema refuses a level that SARIF does not have."""
    broken = json.loads(render("sarif", EVERYTHING))
    broken["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, sarif)


def _junit(run: Run) -> Any:
    return etree.fromstring(render("junit", run).encode())
