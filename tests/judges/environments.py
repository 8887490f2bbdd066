"""Judges that come from a package registry, each in a virtual environment of its own beside ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

__all__ = ["made", "programs"]


def made(name: str, needed: Sequence[str]) -> Path:
    """The folder of the environment, made where it is missing. Raises OSError and SubprocessError."""
    home = Path(sys.prefix)
    folder = home.with_name(f"{home.name}-{name}")
    mark = folder / "made"
    if mark.exists() and mark.read_text() == "\n".join(needed):
        return folder
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=120)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    install = [*pip, "--disable-pip-version-check", *needed]
    subprocess.run(install, check=True, capture_output=True, timeout=700)
    mark.write_text("\n".join(needed))
    return folder


def programs(name: str, needed: Sequence[str]) -> Path:
    """The folder of the environment's programs; skips where it cannot be made."""
    try:
        return made(name, needed) / "bin"
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"{', '.join(needed)} cannot be installed: {str(error)[:200]}")
