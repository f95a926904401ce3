"""Console blocks of the docs: their commands print what the page says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from support.running import ROOT, environment

__all__ = ["Reader", "printed", "sections", "type_in"]

SECONDS = 60
LOG_LINE: Final = re.compile(r"^\d{4}-\d\d-\d\dT.*\n", re.MULTILINE)

MADE: Final = re.compile(
    r"[0-9a-f]{12}(?=:\d)"  # an epoch
    r"|\bk_[0-9A-Za-z]{12}\b|\brd[ks]_[0-9A-Za-z]{49}\b"  # a key's name, and secrets
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]+"  # a token
    r'|(?<="expires":)\d{10}'
)
"""What is made anew each time, whatever a page shows in its place."""

BLOCK: Final = re.compile(
    r"(?:^(?P<before>[^\n]*`(?P<path>/[^`\n]+)`:)\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
COMMAND: Final = re.compile(r"^\$ (.*)\n((?:[^$\n].*\n|\n)*)", re.MULTILINE)


def type_in(
    console: str,
    known: dict[str, str] | None = None,
    variables: dict[str, str] | None = None,
    run: Callable[[str], str] | None = None,
) -> None:
    """Run the commands of a console and compare what they print.

    Where the page has ``…`` there may be anything on that line; a line of ``…`` alone is any lines.

    Args:
        known: what the page shows -> what it really was, for blocks that follow.
        variables: of the environment, besides.
        run: runs a command, and returns what it prints; absent: here, and it must end well.
    """
    real = {} if known is None else known
    here = run or (lambda command: printed(["bash", "-c", command], ROOT, variables))
    for command, expected in COMMAND.findall(console):
        answer = here(_with(command, real)).rstrip("\n")
        for shown, made in zip(MADE.findall(expected), MADE.findall(answer), strict=False):
            # What was made before has its meaning.
            real.setdefault(shown, made)
        wanted = _with(expected, real).rstrip("\n")
        assert _pattern(wanted).fullmatch(answer), f"{command}\nprinted {answer}\ninstead {wanted}"


def _pattern(wanted: str) -> re.Pattern[str]:
    lines = [
        r"(?s:.*)" if line == "…" else ".*".join(map(re.escape, line.split("…")))
        for line in wanted.split("\n")
    ]
    return re.compile("\n".join(lines))


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


def sections(page: str) -> dict[str, str]:
    """What stands below each heading of the second level, by the heading."""
    parts = re.split(r"^## (.*)\n", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


class Host(Protocol):
    """A machine that a page is tried on."""

    def shell(self, command: str) -> str:
        """What a command prints, standard error included. Raises: AssertionError: it hangs."""
        ...

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Make a file, with its folder."""
        ...


class Reader:
    """Somebody who does on a machine what a page says, from top to bottom.

    A block behind a line that ends with a path and a colon is that file; behind *At the end of* it goes to
    the file's end. Blocks ``console`` are typed in. All others are only shown.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._real: dict[str, str] = {}
        self._files: dict[str, str] = {}

    def follow(self, text: str) -> int:
        """Do it. Returns: how many commands and files there were."""
        done = 0
        for block in BLOCK.finditer(text):
            path, before = block["path"], block["before"] or ""
            if block["kind"] == "console":
                type_in(block["text"], self._real, run=self._host.shell)
                done += len(COMMAND.findall(block["text"]))
            elif path is not None:
                kept = self._files.get(path, "") if before.startswith("At the end of ") else ""
                self.write(path, f"{kept}\n{block['text']}".lstrip("\n"))
                done += 1
        return done

    def write(self, path: str, text: str) -> None:
        """Make a file that the page adds to."""
        self._files[path] = text
        self._host.write(path, text, 0o755 if text.startswith("#!") else 0o644)
