"""A realm on fakes, clients that call the router's procedures, and an authorizer that takes its time."""

from radiod.core.promises import Promise
from radiod.core.rights import Verdict
from radiod.testing import FakeClock, Peer, RecordingOutbox, make_realm
from radiod.wire.codecs import CBOR

SIGNATURES = {
    name: signature
    for name, (signature, _) in make_realm().procedures.table.items()
    if name.startswith("radiod.")
}
"""Parameters of the router's own procedures under ``radiod.``."""

YES = Verdict(is_allowed=True)
NO = Verdict(is_allowed=False)


class Slow:
    """Permissions to everything; decisions on some actions come when the test settles them, oldest first.

    ``asked``: (action, URI) of each decision asked for.
    """

    rate_limit = None

    def __init__(self, *actions):
        self._actions = actions
        self.asked = []
        self.pending = []

    def decide(self, session, action, uri, options):
        self.asked.append((action, uri))
        if action not in self._actions:
            return YES
        later = Promise()
        self.pending.append(later)
        return later

    def allows(self, action, uri):
        return action not in self._actions

    def hides(self, topic):
        return False

    def hides_procedure(self, procedure):
        return False

    def may_act_on_others(self, procedure):
        return False

    def settle(self, outcome=YES):
        self.pending.pop(0).settle(outcome)


class Client(Peer):
    """A peer that counts its requests, and calls the router's procedures."""

    requests = 0

    def request(self, code, *rest):
        """Send one message with the next request id. Returns: that id."""
        self.requests += 1
        self.send(code, self.requests, *rest)
        return self.requests

    def answer(self, code, *rest):
        """Send one message with the next request id. Returns: the one answer to it."""
        self.received()
        self.request(code, *rest)
        (answer,) = self.received()
        return answer

    def call(self, procedure, /, *args, **kwargs):
        """What a procedure answers: the positional results, or the error's URI."""
        answer = self.answer(48, {}, procedure, list(args), kwargs)
        if answer[0] == 8:
            assert answer[:4] == [8, 48, self.requests, {}]
            (sentence,) = answer[5]
            assert sentence.isprintable()
            return answer[4]
        assert answer[:3] == [50, self.requests, {}]
        return answer[3]

    def subscribe(self, topic, **options):
        """Returns: the subscription's id."""
        self.request(32, options, topic)
        return next(message[2] for message in self.received() if message[:2] == [33, self.requests])

    def register(self, procedure, **options):
        """Returns: the registration's id."""
        self.request(64, options, procedure)
        return next(message[2] for message in self.received() if message[:2] == [65, self.requests])

    @property
    def id(self):
        return self.session.id

    @property
    def calls(self):
        """Its part in calls."""
        return self._realm.dealer.calls_of(self.session)


class Caller(Client):
    """A client of the procedures under ``radiod.``: they answer one value."""

    def call(self, procedure, /, *args, **kwargs):
        """What a procedure answers: the one result, or the error's URI."""
        answer = super().call(procedure, *args, **kwargs)
        if isinstance(answer, str):
            return answer
        (value,) = answer
        return value


class World:
    """One realm, what left it, and its time."""

    def __init__(self, *, max_payload=None, **options):
        self.outbox, self.clock = RecordingOutbox(max_payload), FakeClock()
        self.realm = make_realm(self.outbox, self.clock, **options)

    def join(self, authid="somebody", authrole="tester", **options):
        return Client(self.realm, self.outbox, authid, authrole, **options)

    def caller(self, authid="somebody", authrole="tester", **options):
        """A client of ``radiod.*``; its serializer says what JSON cannot."""
        return Caller(self.realm, self.outbox, authid, authrole, **{"codec": CBOR, **options})

    def listener(self, topic, **options):
        """A client that listens to one topic."""
        client = self.join(**options)
        client.subscribe(topic)
        return client

    def watch(self, *topics):
        """A listener to events; ``told`` hands them out."""
        return Watcher(self, topics)


class Watcher:
    """Hands out events in order as (topic, *positional arguments)."""

    def __init__(self, world, topics):
        self.peer = world.join("watcher", "watcher")
        self._topics = {self.peer.subscribe(topic): topic for topic in topics}

    def told(self):
        return [
            (self._topics[event[1]], *(event[4] if len(event) > 4 else ())) for event in self.peer.received()
        ]


class Follower:
    """A ``core.tracing.Tracer`` that notes in ``told`` what it is told, in order.

    Of traces that begin with ``no`` it wants to know nothing.
    """

    def __init__(self):
        self.told = []

    def event(self, size, traceparent, tracestate, *, is_wamp):
        self.told.append(("event", size, traceparent, tracestate, is_wamp))
        return None if traceparent.startswith("no") else _Followed(self.told)

    def call(self, procedure, traceparent, tracestate, *, is_wamp):
        self.told.append(("call", procedure, traceparent, tracestate, is_wamp))
        return None if traceparent.startswith("no") else _Followed(self.told)

    def take(self):
        told, self.told[:] = list(self.told), []
        return told


class _Followed:
    def __init__(self, told):
        self._told = told

    def details(self, *topic):
        self._told.append(("details", *topic))
        return {"_traceparent": "there"}

    def fan_out(self):
        self._told.append(("fan_out",))

    def accepted(self, publication, readers):
        self._told.append(("accepted", readers))

    def refused(self, uri):
        self._told.append(("refused", uri))

    def ended(self, outcome):
        self._told.append(("ended", outcome))
