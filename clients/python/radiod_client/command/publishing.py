"""``radio publish`` and ``radio call``."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from radiod_client.command.connection import channel_key, connected
from radiod_client.command.ending import Ending
from radiod_client.command.failures import Failed, Misused, one_line
from radiod_client.command.terminal import Notes, Output, Rate
from radiod_client.command.values import json_value, value
from radiod_client.errors import RadioError
from radiod_client.recordings.records import json_text

__all__ = ["call", "publish"]


def publish(options: Namespace, notes: Notes, ending: Ending) -> None:
    """One sample, or each line of stdin. Raises: Failed: it is refused; Misused: it is no JSON."""
    key = channel_key(options)
    given = _given(options)
    first = next(given, None)
    if first is None:
        return
    rate = Rate()
    with connected(options, notes) as radio:
        channel = radio.channel(options.channel, key)
        line: tuple[str, Any] | None = first
        while line is not None:
            where, data = line
            try:
                channel.publish(data, retain=options.retain)
            except (RadioError, ValueError, TypeError) as error:
                if not where:
                    raise
                raise Failed(f"{where}: {one_line(error)}; {rate.count:,} were published before") from None
            rate.add(1, time.monotonic())
            notes.show(rate.text(time.monotonic()))
            line = next(given, None)
    notes.clear()


def _given(options: Namespace) -> Iterator[tuple[str, Any]]:
    """Each sample, with the line of stdin that it is from."""
    if options.data is not None and options.data != "-":
        yield "", options.data if options.text else value(options.data)
        return
    for number, line in enumerate(sys.stdin, start=1):
        text = line.rstrip("\r\n")
        if options.text:
            yield f"line {number}", text
        elif text.strip():
            try:
                yield f"line {number}", json_value(text)
            except Misused as error:
                raise Misused(f"line {number}: {error}") from None


def call(options: Namespace, notes: Notes, ending: Ending) -> None:
    """Call a procedure: its result is a line of JSON, behind those of its progress."""
    arguments = [value(argument) for argument in options.argument]
    named = dict(_named(text) for text in options.kwarg)
    output = Output()

    def write(result: Any) -> None:
        output.write(json_text(result) + b"\n")

    with connected(options, notes) as radio:
        timeout = options.timeout
        write(radio.call(options.procedure, *arguments, timeout=timeout, on_progress=write, **named))


def _named(text: str) -> tuple[str, Any]:
    name, equals, given = text.partition("=")
    if not (name and equals):
        raise Misused(f"--kwarg: expected NAME=VALUE, not {text!r}")
    return name, value(given)
