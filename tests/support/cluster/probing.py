"""When all that nodes have to tell each other has been told: probes go every way that messages go."""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Sequence

from support.programs import Program

__all__ = ["KEPT", "Probes"]

KEPT = "probe.kept"
"""A channel with a history, in the first realm of all nodes."""

NUMBERS = itertools.count()


class Probes:
    """A session at each node, in the first realm.

    What was on its way between nodes before a round began has arrived when it ends: an event of each node
    reaches all, through the log, too, if that is wanted, and a call goes from each to the next and back. If
    that is wanted what each agreed on with the others comes first.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._round = 0
        self._spoke = time.monotonic()
        # Those before may be there still.
        self._name = f"probe.{next(NUMBERS)}"
        with contextlib.ExitStack() as stack:
            self._programs = [
                stack.enter_context(contextlib.closing(Program(port, serializer="msgpack"))) for port in ports
            ]
            for at, program in enumerate(self._programs):
                program.listen(self._name)
                program.listen(KEPT)
                program.register(f"{self._name}.{at}")
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Hang up."""
        self._stack.close()

    @property
    def silent_s(self) -> float:
        """Seconds since the last round, of real time; without end when one came to nothing."""
        return time.monotonic() - self._spoke

    def go_round(self, is_logged: bool = True, is_claimed: bool = True) -> None:
        """One round. Raises: TimeoutError: somebody does not answer."""
        self._round += 1
        self._spoke = -math.inf
        if is_claimed:
            self._claim()
        count = len(self._programs)
        calls = []
        for at, program in enumerate(self._programs):
            program.send(self._name, self._round, exclude_me=False)
            if is_logged:
                program.send(KEPT, self._round, exclude_me=False)
            calls.append(program.begin_call(f"{self._name}.{(at + 1) % count}"))
        for program in self._programs:
            program.give(program.asked())
        for program, call in zip(self._programs, calls, strict=True):
            expected = [self._round] * count * (2 if is_logged else 1)
            assert program.events(len(expected)) == expected
            program.result(call)
        self._spoke = time.monotonic()

    def _claim(self) -> None:
        """Have each node agree with the others on something, behind what it is agreeing on."""
        asked = []
        for program in self._programs:
            asked.append((program, program.begin_call("wamp.session.add_testament", self._name, [], {})))
            asked.append((program, program.begin_call("wamp.session.flush_testaments")))
        for program, request in asked:
            program.result(request)
