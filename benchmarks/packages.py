"""What is measured beside ours comes from package registries: each in a folder of its own beside ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import SkippedError
from tests.judges.environments import made

__all__ = ["environment", "node_modules"]


def environment(name: str, needed: Sequence[str]) -> Path:
    """The programs of a virtual environment with these packages, made where it is missing.

    Raises SkippedError where it cannot be made.
    """
    try:
        return made(name, needed) / "bin"
    except (OSError, subprocess.SubprocessError) as error:
        raise _none(needed, error) from error


def node_modules(name: str, needed: Sequence[str]) -> Path:
    """The folder `node_modules` with these packages of npm. Raises SkippedError where it cannot be made."""
    home = Path(sys.prefix)
    folder = home.with_name(f"{home.name}-{name}")
    note = folder / "made"
    if not (note.exists() and note.read_text() == "\n".join(needed)):
        if shutil.which("npm") is None:
            raise SkippedError("there is no npm (Debian: npm)")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
        try:
            command = [*install, "--prefix", str(folder), *needed]
            subprocess.run(command, check=True, capture_output=True, timeout=700)
        except (OSError, subprocess.SubprocessError) as error:
            raise _none(needed, error) from error
        note.write_text("\n".join(needed))
    return folder / "node_modules"


def _none(needed: Sequence[str], error: Exception) -> SkippedError:
    return SkippedError(f"{', '.join(needed)} cannot be installed: {str(error)[:200]}")
