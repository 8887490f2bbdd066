"""What the audit of dependencies says of a report, and when it fails."""

from __future__ import annotations

import json
from typing import Any

import pytest

from release import audit


def report(*dependencies: dict[str, Any]) -> bytes:
    return json.dumps({"dependencies": dependencies, "fixes": []}).encode()


BAD = {
    "name": "jinja2",
    "version": "2.4.1",
    "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"]}],
}
GOOD = {"name": "idna", "version": "3.20", "vulns": []}
UNKNOWN = {"name": "rich", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("told", "code", "words"),
    [
        (report(BAD, GOOD), 1, ["1 vulnerabilities found", "jinja2 2.4.1: PYSEC-2019-217; mended in 2.10.1"]),
        (report(BAD, UNKNOWN), 1, ["Not known to the vulnerability service: rich."]),
        (report(GOOD, UNKNOWN), 0, ["1 dependencies audited, 0 vulnerabilities found."]),
        (report(UNKNOWN, {**UNKNOWN, "name": "idna"}), 0, ["No dependency was audited"]),
        (audit.Unasked("no such name"), 0, ["No dependency was audited", "no such name"]),
    ],
)
def test_only_a_vulnerability_fails_the_audit(
    told: bytes | audit.Unasked,
    code: int,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A service that was not asked is said, and is no failure; a vulnerability that was found is one."""

    def ask(versions: dict[str, str]) -> bytes:
        if isinstance(told, audit.Unasked):
            raise told
        return told

    monkeypatch.setattr(audit, "installed", lambda *_: {"jinja2": "2.4.1", "rich": "15"})
    monkeypatch.setattr(audit, "ask", ask)
    assert audit.main() == code
    said = capsys.readouterr()
    assert all(word in said.out + said.err for word in words)


def test_all_that_an_installation_brings_is_audited() -> None:
    """Dependencies of dependencies and of every extra, and not the project or a developer's tool."""
    found = audit.installed("smartlic", audit.EXTRAS)
    assert {"cryptography", "cffi", "starlette", "httpcore", "uvloop"} <= set(found)
    assert not {"smartlic", "pytest", "ruff"} & set(found)
