"""Console blocks of the docs: their commands print what the page says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

from support.running import ROOT, environment

__all__ = ["printed", "type_in"]

SECONDS = 60
LOG_LINE: Final = re.compile(r"^\d{4}-\d\d-\d\dT.*\n", re.MULTILINE)

MADE: Final = re.compile(
    r"[0-9a-f]{12}(?=:\d)"  # an epoch
    r"|\bk_[0-9A-Za-z]{12}\b|\brd[ks]_[0-9A-Za-z]{49}\b"  # a key's name, and secrets
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]+"  # a token
    r'|(?<="expires":)\d{10}'
)
"""What is made anew each time, whatever a page shows in its place."""


def type_in(
    console: str, known: dict[str, str] | None = None, variables: dict[str, str] | None = None
) -> None:
    """Run the commands of a console and compare what they print.

    Args:
        known: what the page shows -> what it really was, for blocks that follow.
        variables: of the environment, besides.
    """
    real = {} if known is None else known
    for command, expected in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", console, re.MULTILINE):
        answer = printed(["bash", "-c", _with(command, real)], ROOT, variables).rstrip("\n")
        for shown, made in zip(MADE.findall(expected), MADE.findall(answer), strict=False):
            # What was made before has its meaning.
            real.setdefault(shown, made)
        wanted = _with(expected, real).rstrip("\n")
        assert answer == wanted, f"{command}\nprinted {answer}\ninstead {wanted}"


def _with(text: str, real: dict[str, str]) -> str:
    for shown, made in real.items():
        text = text.replace(shown, made)
    return text


def printed(command: list[str], folder: Path, variables: dict[str, str] | None = None) -> str:
    """What a program prints that ends well, without log lines."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**environment(), **(variables or {})},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return LOG_LINE.sub("", ended.stdout)
