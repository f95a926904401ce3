"""A network of a test's own: connections to servers whose words the test speaks."""

import json
from random import Random

from engine.nats.watching import Watching, options_for
from twisted.internet.task import Clock

from radiod.engine.nats.client import Connection
from radiod.transport.clock import ReactorClock

INFO = {"server_id": "X", "server_name": "a", "version": "2.12.0", "max_payload": 1000, "headers": True}


class FakePipe:
    """A socket's way out. ``written``: what was written since the last look; ``writes``: how often."""

    def __init__(self, on_room):
        self._on_room = on_room
        self._written = b""
        self.has_room = True
        self.writes = 0
        self.ended = None
        self.is_tls = False

    def write(self, data):
        assert self.ended is None
        self._written += data
        self.writes += 1
        return self.has_room

    def start_tls(self):
        self.is_tls = True

    def close(self):
        self.ended = "closed"

    def abort(self):
        self.ended = "aborted"

    @property
    def written(self):
        data, self._written = self._written, b""
        return data

    def make_room(self):
        self.has_room = True
        self._on_room(self)


class Dialled:
    """One try. ``link`` is spoken to, ``pipe`` is what it says."""

    def __init__(self, link, on_room, when):
        self.link = link
        self.when = when
        self.pipe = FakePipe(on_room)
        self.is_cancelled = False

    def cancel(self):
        self.is_cancelled = True


class Net:
    """A ``Connection`` on it, in a time of the test's own. ``outcome``: of ``connect``, if it is there."""

    def __init__(self, *urls, **more):
        self.reactor = Clock()
        self.tries = []
        self.watching = Watching()
        self.connection = Connection(
            self._dial,
            ReactorClock(self.reactor),
            options_for(*(urls or ["nats://a"]), **more),
            self.watching,
            Random(1),
        )
        self.outcome = None
        self.connection.connect().addBoth(self._end)
        self.turn()

    def _dial(self, link, on_room):
        self.tries.append(Dialled(link, on_room, self.reactor.seconds()))
        return self.tries[-1]

    def turn(self, seconds=0.0):
        """Let time pass, in steps of a tenth: what is asked for meanwhile comes in its time."""
        while seconds > 0.1:
            self.reactor.advance(0.1)
            seconds -= 0.1
        self.reactor.advance(seconds)
        self.reactor.advance(0)

    @property
    def pipe(self):
        return self.tries[-1].pipe

    def say(self, data):
        """The server says something."""
        self.tries[-1].link.received(data)
        self.turn()

    def greet(self, **info):
        """There is a socket, and the server introduces itself."""
        one = self.tries[-1]
        one.link.made(one.pipe)
        self.say(b"INFO %b\r\n" % json.dumps({**INFO, **info}).encode())

    def open(self, **info):
        """There is a server, and it has taken us."""
        self.greet(**info)
        self.say(b"PONG\r\n")
        return self.pipe.written

    def break_off(self, reason="it closed the connection"):
        """The connection, or the try, ends."""
        self.tries[-1].link.lost(reason)
        self.turn()

    def try_again(self):
        """The connection ends, and the next try has begun."""
        tries = len(self.tries)
        self.break_off()
        self.turn(0.2)
        assert len(self.tries) == tries + 1

    def _end(self, outcome):
        self.outcome = outcome
