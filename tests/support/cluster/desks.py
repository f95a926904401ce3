"""Several nodes whose sessions call ``radiod.*`` and listen, over the fake engine."""

from radiod.core.limits import Limits
from radiod.wire.codecs import CBOR
from support.cluster.world import ClusterWorld
from support.realms import Caller

__all__ = ["HOLD_S", "Asking", "DeskWorld"]

HOLD_S = 5.0

ANSWERS = 8, 17, 33, 35, 50, 65
"""Codes of answers."""


class DeskWorld(ClusterWorld):
    """Nodes whose sessions call ``radiod.*``, and wait for the answers."""

    def __init__(self, *names, **settings):
        settings.setdefault("options", {"limits": Limits(demand_hold_s=HOLD_S)})
        super().__init__(*names, **settings)

    def caller(self, name, authid="somebody", authrole="tester", **options):
        node = self[name]
        return Asking(self, node.realm, node.outbox, authid, authrole, **{"codec": CBOR, **options})

    def listener(self, name, topic, **options):
        listener = self.caller(name, authid="listener")
        assert listener.ask(32, options, topic)[0] == 33
        return listener


class Asking(Caller):
    """Takes the answer to what it asks, which may come later; keeps the events that come meanwhile.

    ``world``: whose time passes.
    """

    def __init__(self, world, *args, **options):
        super().__init__(*args, **options)
        self.world = world
        self.kept = []

    def ask(self, code, *rest):
        request = self.request(code, *rest)
        for _ in range(500):
            new = self.received()
            answers = [one for one in new if one[0] in ANSWERS and request in one[1:3]]
            self.kept += [one for one in new if one not in answers]
            if answers:
                return answers[0]
            self.world.turn()
        raise AssertionError("no answer")

    def do(self, procedure, *args, **kwargs):
        """The result, None if there is none; or the error's URI."""
        answer = self.ask(48, {}, procedure, list(args), kwargs)
        if answer[0] == 8:
            return answer[4]
        return answer[3][0] if answer[3:] and answer[3] else None

    def events(self):
        """The arguments of the events that have come."""
        kept, self.kept = self.kept, []
        return [message[4] for message in [*kept, *self.received()] if message[0] == 36]

    def leave(self):
        """Say goodbye."""
        self.send(6, {}, "wamp.close.normal")
