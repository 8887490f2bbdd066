"""Asks PyPI's vulnerability service about all that an installation with every extra brings.

python -m release.audit

Exit 1 for a known vulnerability. Where the service cannot be asked (no network, or a mirror that has no such
service) it says that nothing was audited, and exits 0: that is no fault of the change at hand.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib import metadata

import msgspec
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["Unasked", "installed", "judge", "main"]

EXTRAS = ("async", "fleet", "server", "shell")
_UNREACHABLE = ("ConnectionError", "NameResolutionError", "Could not connect", "Timeout")


class Unasked(Exception):
    """The service could not be asked; says why."""


def installed(name: str, extras: Iterable[str] = ()) -> dict[str, str]:
    """Versions of all that a distribution needs here, by canonical name; not of itself."""
    found: dict[str, str] = {}
    done: set[tuple[str, str]] = set()
    todo = [(name, extra) for extra in ("", *extras)]
    while todo:
        of, extra = todo.pop()
        if (of, extra) in done:
            continue
        done.add((of, extra))
        for line in metadata.requires(of) or []:
            need = Requirement(line)
            if need.marker is not None and not need.marker.evaluate({"extra": extra}):
                continue
            other = canonicalize_name(need.name)
            if other != name:
                found[other] = metadata.version(other)
            todo += [(other, more) for more in ("", *need.extras)]
    return dict(sorted(found.items()))


def judge(report: bytes) -> tuple[list[str], list[str]]:
    """A report of pip-audit as JSON: sentences of what is vulnerable, and names of what was not looked at."""
    vulnerable: list[str] = []
    skipped: list[str] = []
    for one in msgspec.json.decode(report)["dependencies"]:
        if "skip_reason" in one:
            skipped.append(one["name"])
        for found in one.get("vulns", ()):
            mended = ", ".join(found["fix_versions"]) or "no release yet"
            vulnerable.append(f"{one['name']} {one['version']}: {found['id']}; mended in {mended}")
    return vulnerable, skipped


def ask(versions: dict[str, str]) -> bytes:
    """pip-audit's report on these, or `Unasked`."""
    pins = "".join(f"{name}=={version}\n" for name, version in versions.items())
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(pins)
        file.flush()
        options = ["--requirement", file.name, "--no-deps", "--disable-pip", "--format", "json"]
        command = [
            sys.executable,
            "-m",
            "pip_audit",
            "--progress-spinner",
            "off",
            "--timeout",
            "10",
            *options,
        ]
        done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    if done.stdout.strip():
        return done.stdout
    told = done.stderr.decode(errors="replace").strip()
    if any(word in told for word in _UNREACHABLE):
        raise Unasked(told.splitlines()[-1])
    raise RuntimeError(f"pip-audit failed:\n{told}")


def main() -> int:
    """Print the result; the exit code."""
    versions = installed("smartlic", EXTRAS)
    try:
        vulnerable, skipped = judge(ask(versions))
    except Unasked as error:
        print(f"No dependency was audited: the vulnerability service cannot be reached from here ({error}).")
        return 0
    for sentence in vulnerable:
        print(f"vulnerable: {sentence}", file=sys.stderr)
    audited = len(versions) - len(skipped)
    if not audited:
        print("No dependency was audited: the package index reached from here has no vulnerability service.")
    else:
        print(f"{audited} dependencies audited, {len(vulnerable)} vulnerabilities found.")
        if skipped:
            print(f"Not known to the vulnerability service: {', '.join(skipped)}.")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
