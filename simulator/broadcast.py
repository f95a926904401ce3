"""A source on the air by HTTP."""

from __future__ import annotations

import argparse
import http.client
import random
import time
from collections.abc import Callable
from typing import Final

from simulator.maps import parts, topic
from simulator.pace import Pace, complain
from simulator.publish import Publisher, PublishError
from simulator.source import Source
from simulator.stop import Stop

__all__ = ["Broadcast"]

MAX_PAUSE: Final = 5.0
"""Seconds: the longest pause between attempts to reach the server."""


class Broadcast:
    """Publishes a sample at every slot of a fixed schedule; slots that were missed are skipped."""

    def __init__(
        self,
        source: Source,
        publisher: Publisher,
        options: argparse.Namespace,
        stopped: Stop,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._format = options.format
        self._samples = options.samples
        self._pace = Pace(source.step, options.speed, clock)
        self._stopped = stopped
        self._failures = 0
        self._has_map = False

    def run(self) -> None:
        """Until stopped, or all samples are out.

        Raises: PublishError: the server will not have them. Ended: the source has no more.
        """
        published = 0
        self._pace.restart()
        while not self._stopped.wait(self._pace.left()):
            if self._publish():
                published += 1
                if published == self._samples:
                    return
            self._source.next()
            # A pause was for the server's sake.
            self._pace.done(is_excused=self._failures > 0)

    def _publish(self) -> bool:
        """True when the sample is out; after a failure, pause."""
        name = self._source.name
        try:
            if not (self._has_map and self._publisher.is_connected):
                # A server that was restarted has forgotten the map; who comes back has no key frame.
                self._has_map = False
                # The first part last: who has it finds the others.
                for number, part in reversed(list(enumerate(parts(self._source.map()), 1))):
                    self._publisher.publish_topic(topic(name, number), [part])
                self._has_map = True
                self._source.forget_key()
            self._publisher.publish(name, self._source.dump_state(self._format))
        except PublishError as error:
            if error.is_final:
                raise
            self._pause(str(error), error.retry_after)
        except (OSError, http.client.HTTPException) as error:
            self._pause(f"{type(error).__name__}: {error}", None)
        else:
            self._failures = 0
            return True
        return False

    def _pause(self, reason: str, seconds: float | None) -> None:
        """Wait, longer each time, at random so that many sources do not return at once."""
        self._failures += 1
        backoff = min(MAX_PAUSE, 0.1 * 2.0**self._failures) * random.uniform(0.5, 1.0)
        pause = min(seconds, 60.0) if seconds is not None else backoff
        complain(f"not published ({reason}); again in {pause:.1f} s")
        self._stopped.wait(pause)
