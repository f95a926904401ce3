"""When all that nodes have to tell each other has been told: probes go every way that messages go."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from types import TracebackType

from support.programs import Program

__all__ = ["KEPT", "Probes"]

KEPT = "probe.kept"
"""A channel with a history, in the first realm of all nodes."""

LIVE = "probe.live"


class Probes:
    """A session at each node, in the first realm.

    What was on its way between nodes before a round began has arrived when it ends: an event of each node
    reaches all, through the log, too, if that is wanted, and a call goes from each to the next and back.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._round = 0
        with contextlib.ExitStack() as stack:
            self._programs = [
                stack.enter_context(contextlib.closing(Program(port, serializer="msgpack"))) for port in ports
            ]
            for at, program in enumerate(self._programs):
                program.listen(LIVE)
                program.listen(KEPT)
                program.register(f"probe.call.{at}")
            self._stack = stack.pop_all()

    def __enter__(self) -> Probes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def go_round(self, is_logged: bool = True) -> None:
        """One round. Raises: TimeoutError: somebody does not answer."""
        self._round += 1
        count = len(self._programs)
        calls = []
        for at, program in enumerate(self._programs):
            program.send(LIVE, self._round, exclude_me=False)
            if is_logged:
                program.send(KEPT, self._round, exclude_me=False)
            calls.append(program.begin_call(f"probe.call.{(at + 1) % count}"))
        for program in self._programs:
            program.give(program.asked())
        for program, call in zip(self._programs, calls, strict=True):
            expected = [self._round] * count * (2 if is_logged else 1)
            assert program.events(len(expected)) == expected
            program.result(call)
