"""Writes the software bill of materials (CycloneDX, JSON) of a wheel, beside it.

python -m release.sbom dist/smartlic-0.1.0-py3-none-any.whl

The wheel is installed with every extra into an environment of its own without pip, so the list has what an
installation of that day brings, and nothing of the developer's.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from release.audit import EXTRAS

__all__ = ["main", "write"]

_PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def write(wheel: Path) -> Path:
    """The path of the list that was written: the wheel's name and version, `.cdx.json`."""
    name, version, _rest = wheel.name.split("-", 2)
    target = wheel.with_name(f"{name}-{version}.cdx.json")
    with tempfile.TemporaryDirectory(prefix="smartlic-sbom-") as folder:
        venv.create(folder, with_pip=False)
        python = str(Path(folder) / "bin" / "python")
        pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", f"{wheel}[{','.join(EXTRAS)}]"], check=True)
        made = [sys.executable, "-m", "cyclonedx_py", "environment", python, "--pyproject", str(_PYPROJECT)]
        options = ["--mc-type", "library", "--spec-version", "1.6", "--output-reproducible", "--validate"]
        subprocess.run([*made, *options, "--output-file", str(target)], check=True)
    return target


def main() -> None:
    print(f"Wrote {write(Path(sys.argv[1]))}")


if __name__ == "__main__":
    main()
