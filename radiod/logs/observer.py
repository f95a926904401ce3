"""Stands before everything that writes a log: cleans each line, and limits those that others can cause.

Whoever logs need not know of it. Lines are of one kind that have one format, one error URI (``uri``), and,
where a user has proved who it is (``authid``, ``authmethod``), one user. Nothing but twistd's and the
service's own lines about their start and stop is free.

Where the log goes to a pipe or socket that is full, lines are counted and left out: nobody waits for a log.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final

from twisted.logger import ILogObserver, LogEvent, LogPublisher, formatEvent
from twisted.python.failure import Failure
from zope.interface import implementer

from radiod.logs.events import PER_PEER, name
from radiod.logs.files import LogFiles
from radiod.logs.limiter import Limiter, Rest
from radiod.logs.outputs import Outputs
from radiod.logs.text import MAX_LINE, clean, clean_traceback

__all__ = ["LimitedLog"]

FREE: Final = ("radiod.service", "radiod.signals", "twisted.scripts", "twisted.application")
"""Whose lines no client can cause."""

LINE_HEAD: Final = 90
"""About so many bytes precede a line's text: time, name, level."""

OLD_STYLE: Final = ("message", "format", "failure", "why", "log_failure")
"""What observers would take a line's text from, uncleaned."""

NUMBERS: Final = re.compile(r"\d+")


@implementer(ILogObserver)
class LimitedLog:
    """An observer in the place of others, which it passes on to.

    Args:
        interval: seconds, after which what was not written is told.
        seconds: the time, monotonic.
        at: calls a function at such a time.
        arrange: who writes instead of those in whose place this stands.
        also: who gets every line besides, wherever they are written.
    """

    def __init__(
        self,
        interval: float,
        seconds: Callable[[], float],
        at: Callable[[float, Callable[[], None]], object],
        arrange: Callable[[list[Any]], list[Any]] = list,
        also: Iterable[Any] = (),
    ) -> None:
        self._limiter: Limiter[LogEvent] = Limiter(interval, _size)
        self._seconds = seconds
        self._at = at
        self._arrange = arrange
        self._writers: list[Any] = list(also)
        self._others = LogPublisher(*self._writers)
        self._outputs = Outputs(())
        self._files = LogFiles()
        self._unwritten = 0
        self._is_limited = False
        self._thread = threading.get_ident()

    def stand_before(self, publisher: LogPublisher) -> None:
        """Take the place of all that observe ``publisher`` now, and limit lines from here on."""
        # There is no public way to ask; a test with twistd tells when this one ends.
        others = [other for other in publisher._observers if other is not self]
        self.pass_to(others)
        publisher.addObserver(self)
        for other in others:
            publisher.removeObserver(other)
        self._is_limited = True

    def pass_to(self, observers: Iterable[Any]) -> None:
        """Have these, or who is arranged in their place, write lines as well."""
        self._writers += self._arrange(list(observers))
        self._others = LogPublisher(*self._writers)
        self._outputs = Outputs(self._writers)
        self._files = LogFiles(self._writers)

    def reopen(self) -> None:
        """Open log files anew."""
        self._files.reopen()

    def finish(self) -> None:
        """Tell what was not written; from here on everything is."""
        self._tell(self._limiter.turn(self._seconds()))
        self._is_limited = False

    def __call__(self, event: LogEvent) -> None:
        """Write an event, or count it."""
        if not self._is_limited or _is_free(event) or threading.get_ident() != self._thread:
            self._write(_cleaned(event))
            return
        was_open = self._limiter.ends is not None
        line = _light(event)
        if self._limiter.admit(_kind(event), line, self._seconds(), _peer(event)):
            self._write(_cleaned(line))
        if not was_open:
            self._wait()

    def _wait(self) -> None:
        ends = self._limiter.ends
        if ends is not None:
            self._at(ends, self._turn)

    def _turn(self) -> None:
        self._tell(self._limiter.turn(self._seconds()))
        self._wait()

    def _tell(self, rests: list[Rest[LogEvent]]) -> None:
        for index, rest in enumerate(rests):
            line = self._line(rest)
            if not self._limiter.has_room(line):
                count = sum(rest.count for rest in rests[index:])
                text = f"… and {count:,} more of {len(rests) - index} other kinds"
                self._write({**_nobodys(line), "log_text": text, "left_out": count})
                return
            self._write(line)

    def _write(self, line: LogEvent) -> None:
        """Have the others write a line, unless they would have to wait: then it is counted."""
        if not self._outputs.take():
            self._unwritten += 1
            return
        count, self._unwritten = self._unwritten, 0
        if count:
            text = f"… {count:,} lines were not written: nobody read what the log goes to"
            told = {"event": "log_failed", "log_text": text, "left_out": count}
            self._others({**_nobodys(line), **told})
            if not self._outputs.take():
                self._unwritten = 1
                return
        self._others(line)

    def _line(self, rest: Rest[LogEvent]) -> LogEvent:
        """One line that was not written is written later; more are told as a number."""
        line = _cleaned(rest.last)
        if rest.count == 1:
            return line
        peer = rest.last.get("peer")
        last = f"last from {peer}" if peer else "the last"
        begin = f"… and {rest.count:,} more of this kind in {self._limiter.interval:g} s, {last}"
        text = f"{begin}: {line['log_text']}"
        told = {"log_text": clean(text, MAX_LINE + 200), "log_time": time.time(), "left_out": rest.count}
        return {**line, **told}


def _is_free(event: LogEvent) -> bool:
    return str(event.get("log_namespace", "")).startswith(FREE)


def _kind(event: LogEvent) -> Hashable:
    format, failure = event.get("log_format"), event.get("log_failure")
    if format is None or "log_legacy" in event or "log_text" in event:
        # Twisted's old way to log: the text is all there is.
        format = NUMBERS.sub("0", clean(_text(event), 60))
    user = event.get("authid") if event.get("authmethod") not in (None, "anonymous") else None
    fault = failure.type if isinstance(failure, Failure) else None
    return (event.get("log_namespace"), format, event.get("uri"), user, fault)


def _peer(event: LogEvent) -> str | None:
    """Whose lines are limited by themselves: an address without its port."""
    peer = event.get("peer")
    return str(peer).rpartition(":")[0] if peer is not None and name(event) in PER_PEER else None


def _nobodys(line: LogEvent) -> LogEvent:
    """A line without what it tells of its event: it becomes one about lines."""
    return {key: value for key, value in line.items() if key.startswith("log_")}


def _size(event: LogEvent) -> int:
    return LINE_HEAD + len(str(_cleaned(event)["log_text"]).encode())


def _light(event: LogEvent) -> LogEvent:
    """The same without what holds on to a failure's frames."""
    return _cleaned(event) if event.get("log_failure") is not None else event


def _cleaned(event: LogEvent) -> LogEvent:
    """What observers get: the text, made and cleaned."""
    if "log_is_clean" in event:
        return event
    text, failure = clean(_text(event)), event.get("log_failure")
    if isinstance(failure, Failure):
        text = f"{text}\n{clean_traceback(failure.getTraceback())}"
    kept = {key: value for key, value in event.items() if key not in OLD_STYLE}
    return {**kept, "log_format": "{log_text}", "log_text": text, "log_is_clean": True}


def _text(event: LogEvent) -> str:
    try:
        return formatEvent(event)
    except Exception as error:
        return f"a line that cannot be written: {type(error).__name__}"
