"""Releases: made from clean clones of what is committed, by the programs of ``release/requirements.txt``."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.running import ROOT

TOOLS = ROOT / "build" / "release"
SECONDS = 1200


def needs_tools() -> None:
    """Skip the test where they are not installed: ``make test`` and ``make dist-check`` do that."""
    if not (TOOLS / ".ready").exists():
        pytest.skip("no tools of a release: make build/release/.ready")


def tool(name: str) -> str:
    """The path of one of them."""
    return str(TOOLS / "bin" / name)


def do(*command: Any, variables: Mapping[str, str] | None = None, **options: Any) -> str:
    """Run it. Returns: what it said. Raises: AssertionError: it failed."""
    done = subprocess.run(
        [*map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        env={**_clean(), **(variables or {})},
        **options,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _clean() -> dict[str, str]:
    # What can be imported here is none of the business of what is installed there.
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "SOURCE_DATE_EPOCH")}


def clone(folder: Path, umask: int = 0o022, source: Path = ROOT) -> Path:
    """A clean clone of what is committed there."""
    subprocess.run(
        ["git", "clone", "--quiet", str(source), str(folder)], check=True, umask=umask, timeout=SECONDS
    )
    return folder


def dist(source: Path, folder: Path, epoch: int, umask: int = 0o022) -> Path:
    """Make what ``make dist`` makes of a clone, in ``folder``."""
    variables = {"TOOLS": str(TOOLS), "SOURCE_DATE_EPOCH": str(epoch)}
    do(source / "release" / "dist.sh", folder, variables=variables, umask=umask)
    return folder


def only(folder: Path, pattern: str) -> Path:
    """The one file that is named so."""
    (found,) = folder.glob(pattern)
    return found


def install_with_uv(what: Path, folder: Path, *arguments: str) -> Path:
    """``uv tool install``. Returns: the folder with the commands; the environment is ``tools/radiod``."""
    variables = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    shutil.rmtree(folder, ignore_errors=True)
    do(tool("uv"), "tool", "install", "--quiet", *arguments, what, variables=variables)
    return folder / "bin"
