"""Connections for tests: who watches one remembers, and can be waited for."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from radiod.engine.nats.client import open_connection
from radiod.engine.nats.options import Address, Options
from radiod.transport.clock import ReactorClock

SECONDS = 20


class Watching:
    """A ``Watcher``. ``told``: what happened, in order: (what, argument)."""

    def __init__(self):
        self.told = []
        self._waiting = []

    def on_connected(self, server, info):
        self.tell("connected", server)

    def on_lost(self, error, unsent):
        self.tell("lost", error)

    def on_trouble(self, text):
        self.tell("trouble", text)

    def tell(self, what, argument):
        self.told.append((what, argument))
        waiting, self._waiting = self._waiting, []
        for count, told in waiting:
            self._settle(count, told)

    def wait(self, count):
        """A Deferred for ``count`` happenings altogether."""
        told = Deferred().addTimeout(SECONDS, reactor)
        self._settle(count, told)
        return told

    def _settle(self, count, told):
        if len(self.told) >= count:
            told.callback(self.told)
        else:
            self._waiting.append((count, told))

    def names(self):
        return [what for what, _ in self.told]


class Heard(list):
    """A handler that remembers, and can be waited for."""

    def __init__(self):
        super().__init__()
        self._waiting = []

    def __call__(self, subject, reply, headers, payload):
        self.append((subject, reply, headers, payload))
        if self._waiting and len(self) >= self._waiting[0][0]:
            self._waiting.pop(0)[1].callback(self)

    def wait(self, count):
        told = Deferred().addTimeout(SECONDS, reactor)
        if len(self) >= count:
            told.callback(self)
        else:
            self._waiting.append((count, told))
        return told


def options_for(*urls, **more):
    return Options(servers=[Address.parse(url) for url in urls], **more)


class Client:
    """A connection on the real reactor, with its ``watching``."""

    def __init__(self, *urls, **more):
        self.watching = Watching()
        self.clock = ReactorClock(reactor)
        self.connection = open_connection(reactor, self.clock, options_for(*urls, **more), self.watching)
