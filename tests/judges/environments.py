"""Judges that come from a package registry, each in a virtual environment of its own beside ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

__all__ = ["programs"]


def programs(name: str, needed: Sequence[str]) -> Path:
    """The folder of the environment's programs, made where it is missing; skips where it cannot be."""
    home = Path(sys.prefix)
    folder = home.with_name(f"{home.name}-{name}")
    made = folder / "made"
    if made.exists() and made.read_text() == "\n".join(needed):
        return folder / "bin"
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=120)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        install = [*pip, "--disable-pip-version-check", *needed]
        subprocess.run(install, check=True, capture_output=True, timeout=700)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"{', '.join(needed)} cannot be installed: {str(error)[:200]}")
    made.write_text("\n".join(needed))
    return folder / "bin"
