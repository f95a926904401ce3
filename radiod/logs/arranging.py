"""Which observers write the log: twistd's own, or in their place those of another format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.logger import FileLogObserver

from radiod.logs.formats import json_line
from radiod.logs.journal import SOCKET, Journal, is_journal
from radiod.logs.outputs import descriptor

__all__ = ["arranged"]


def arranged(format: str, observers: Sequence[Any], socket: str = SOCKET) -> list[Any]:
    """Who writes instead of ``observers``, to the same files, as ``format`` says.

    Args:
        format: ``text``, ``json``, ``journal``, or ``auto``: the journal where their file is connected to it,
            else text.
        socket: the journal's.
    Returns: Those that write to no file, such as syslog's, stay as they are.
    """
    files = [one for one in observers if hasattr(one, "_outFile")]
    others = [one for one in observers if one not in files]
    if format == "auto":
        known = [descriptor(one) for one in files]
        format = "journal" if any(one is not None and is_journal(one) for one in known) else "text"
    if format == "json":
        # Twisted has no public way to ask for the file; a test with twistd tells when this one ends.
        return [*others, *(FileLogObserver(one._outFile, json_line) for one in files)]
    if format == "journal" and files:
        return [*others, Journal(files, socket)]
    return list(observers)
