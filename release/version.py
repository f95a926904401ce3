#!/usr/bin/env python3
"""The version, wherever it stands.

    release/version.py 0.1.0 [2026-12-01]    the tree becomes that release, of that day or today
    release/version.py 0.2.0.dev0            it goes on behind one

It writes files, and commits nothing.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FINAL = re.compile(r"\d+\.\d+\.\d+")
NEXT = re.compile(r"(\d+\.\d+\.\d+)\.dev0")
UNRELEASED = "## Unreleased\n"
SUPPORTED = """\
The newest release, and the newest commit of the main branch. Nothing is mended in older ones.
"""


def main() -> None:
    """Do it. Raises: SystemExit: it cannot be that version; nothing was written."""
    version, *rest = sys.argv[1:] or [""]
    changes = (ROOT / "CHANGELOG.md").read_text()
    if FINAL.fullmatch(version):
        date = rest[0] if rest else f"{datetime.now(UTC):%Y-%m-%d}"
        _release(version, date, changes)
    elif coming := NEXT.fullmatch(version):
        if UNRELEASED in changes:
            sys.exit("release/version.py: CHANGELOG.md has an Unreleased already")
        head, _, older = changes.partition("\n## ")
        _write("CHANGELOG.md", f"{head}\n{UNRELEASED}\n## {older}")
        (ROOT / "release" / f"{coming[1]}.txt").touch()
    else:
        sys.exit(__doc__)
    _write("radiod/__init__.py", re.sub('__version__ = ".*"', f'__version__ = "{version}"', _read()))


def _release(version: str, date: str, changes: str) -> None:
    text = ROOT / "release" / f"{version}.txt"
    if not text.exists() or not text.read_text().startswith(f"radiod {version}\n"):
        sys.exit(f"release/version.py: release/{version}.txt, the tag's text, does not begin with its name")
    if not changes.split(UNRELEASED)[1:] or changes.split(UNRELEASED)[1].lstrip().startswith("## "):
        sys.exit("release/version.py: CHANGELOG.md has nothing unreleased")
    _write("CHANGELOG.md", changes.replace(UNRELEASED, f"## {version} ({date})\n", 1))
    security = (ROOT / "SECURITY.md").read_text()
    told = r"(## Supported versions\n\n).*?(\n## )"
    _write("SECURITY.md", re.sub(told, rf"\g<1>{SUPPORTED}\g<2>", security, count=1, flags=re.DOTALL))


def _read() -> str:
    return (ROOT / "radiod" / "__init__.py").read_text()


def _write(name: str, text: str) -> None:
    (ROOT / name).write_text(text)
    print(name)


if __name__ == "__main__":
    main()
