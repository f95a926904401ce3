"""What webhooks hear: from the configuration to the bodies that are sent, in memory."""

import json
import re
from contextlib import suppress

import pytest
from support.config import parsed
from support.payloads import FORMS
from twisted.internet.defer import Deferred

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.holders import Holder
from radiod.core.promises import Promise
from radiod.errors import OverLimit
from radiod.service.webhooks import MOST_SEEN, Webhooks
from radiod.testing import ALLOW_ALL, FakeClock, make_principal
from radiod.webhooks.bodies import EventFormat, told
from radiod.webhooks.pace import SHARE_S
from radiod.webhooks.schedule import Outcome
from radiod.wire.codecs import CBOR, JSON, MSGPACK, Payload
from radiod.wire.options import PublishOptions

SECRET = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
LIST_OF_ONE = {MSGPACK: b"\x91", CBOR: b"\x81"}
ALL = ["channel.event", "channel.created", "channel.deleted", "channel.demand"]


def table(name="h", *, channels=("a.*",), events=("channel.event",), realm="radio"):
    return f"""
[realms.{realm}.webhooks.{name}]
url = "https://example.org/{name}"
secret = "{SECRET}"
channels = {json.dumps(list(channels))}
events = {json.dumps(list(events))}
"""


class Sender:
    """Keeps what is sent to one URL; each request is answered at once, while ``is_open``."""

    def __init__(self, url):
        self.name = url.rsplit("/", 1)[1]
        self.sent = []
        self.outcome = Outcome(204)

    def passing(self):
        """Time that it takes to begin."""

    def post(self, headers, body):
        self.passing()
        self.sent.append(json.loads(body))
        later = Deferred()
        later.callback(self.outcome)
        return later

    def close(self):
        """It is kept by nothing."""

    def take(self):
        taken, self.sent = self.sent, []
        return taken


class Hooked:
    """A radiod in memory with webhooks, whose senders are fakes."""

    def __init__(self, world, *tables):
        self.world = world
        text = "".join(tables)
        world.start(text)
        radio = world.radio
        self.senders = {}
        self.hooks = Webhooks(parsed(text), radio.realms, radio.fan_out, radio.clock, radio.ids, self._sender)
        self.hooks.start()
        self.session = self.join()

    def _sender(self, url):
        sender = Sender(url)
        self.senders[sender.name] = sender
        return sender

    def join(self, permissions=ALLOW_ALL, **principal):
        return self.world.realm.join(make_principal("joe", permissions=permissions, **principal), None)

    @property
    def realm(self):
        return self.world.realm

    def publish(self, topic, *args, options=None, payload=None, **kwargs):
        payload = Payload.of(*args, **kwargs) if payload is None else payload
        return self.realm.gateway.publish(self.session, topic, payload, options or PublishOptions())

    def call(self, procedure, *args, **kwargs):
        answer = self.realm.procedures.call(self.session, procedure, Payload.of(*args, **kwargs))
        return answer.values()[0][0]

    def advance(self, seconds=0):
        """Let the turn end, and time pass."""
        for _ in range(20):
            self.world.reactor.advance(0)
        self.world.reactor.advance(seconds)
        for _ in range(20):
            self.world.reactor.advance(0)

    def heard(self, name="h"):
        self.advance()
        return self.senders[name].take()

    def data(self, name="h"):
        return [body["data"] for body in self.heard(name)]


@pytest.fixture
def hooked(world):
    return lambda *tables: Hooked(world, *tables)


class TestEvents:
    def test_are_told_as_they_are_promised(self, hooked):
        one = hooked(table())
        one.publish("a.b", {"x": 1})
        (body,) = one.heard()
        assert list(body) == ["type", "timestamp", "data"]
        assert body["type"] == "channel.event"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["timestamp"])
        assert body["data"] == {"realm": "radio", "channel": "a.b", "position": None, "data": {"x": 1}}

    def test_have_positions_where_the_channel_has_a_history(self, hooked):
        one = hooked(table(channels=["sample_net", "a.*"]), HISTORY)
        for value in range(2):
            one.publish("sample_net", value)
            one.publish("a.b", value)
        found = {}
        for data in one.data():
            found.setdefault(data["channel"], []).append(data["position"])
        for positions in found.values():
            assert [position.rsplit(":", 1)[1] for position in positions] == ["1", "2"]

    def test_of_other_channels_are_not_told(self, hooked):
        one = hooked(table(channels=["a.b", "c..d"]))
        for topic in ("a.b", "a.b.c", "a", "c.x.d", "c.d"):
            one.publish(topic, topic)
        assert [data["channel"] for data in one.data()] == ["a.b", "c.x.d"]

    def test_under_several_patterns_are_told_once(self, hooked):
        one = hooked(table(channels=["*", "a.*", "a.b", ".b"]))
        for value in range(MOST_SEEN + 50):
            one.publish("a.b", value)
            if value % 50 == 0:
                one.advance()
        assert [data["data"] for data in one.data()] == list(range(MOST_SEEN + 50))

    def test_come_in_their_order_whatever_channel_they_are_of(self, hooked):
        one = hooked(table(channels=["*"]))
        for value in range(100):
            one.publish(f"a.{value % 3}", value)
        assert [data["data"] for data in one.data()] == list(range(100))

    def test_are_made_once_for_all_webhooks(self, hooked):
        one = hooked(table("h"), table("i"), table("j", channels=["b"]))
        one.publish("a.b", 1)
        assert one.data("h") == one.data("i") != []
        assert one.data("j") == []

    def test_for_many_webhooks_are_sent_in_several_turns(self, hooked):
        one = hooked(*(table(f"h{number}") for number in range(40)))
        reactor, seen = one.world.reactor, []

        def sent():
            return sum(len(sender.sent) for sender in one.senders.values())

        def passing():
            # Somebody else has something to do, too: how many were sent before?
            reactor.callLater(0, lambda: seen.append(sent()))
            reactor.rightNow += SHARE_S / 2

        for sender in one.senders.values():
            sender.passing = passing
        one.publish("a.b", 1)
        one.advance()
        assert sent() == 40
        assert seen == [count for count in range(2, 41, 2) for _ in range(2)]

    def test_of_a_paced_channel_are_paced_here_too(self, hooked):
        one = hooked(
            table(channels=["sample_net"]), "[realms.radio.channels.sample_net.buffer]\nevery = 10\n"
        )
        for value in range(30):
            one.publish("sample_net", value)
        told = [data["data"] for data in one.data()]
        assert len(told) == 3
        assert told == sorted(told)

    @pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form[0]}-{form[1].name}")
    def test_what_json_cannot_say_has_its_nearest_form(self, hooked, form):
        _, codec, data, nearest, *_ = form
        one = hooked(table())
        args = b"[%b]" % data if codec is JSON else LIST_OF_ONE[codec] + data
        one.publish("a.b", payload=Payload(codec, args, b""))
        assert [told["data"] for told in one.data()] == [nearest]

    def test_of_more_than_one_argument_are_told_as_to_all_without_wamp(self, hooked):
        one = hooked(table())
        one.publish("a.b", 1, 2, x=3)
        one.publish("a.b")
        assert [data["data"] for data in one.data()] == [
            {"args": [1, 2], "kwargs": {"x": 3}},
            {"args": [], "kwargs": {}},
        ]

    def test_on_a_channel_that_has_to_be_created_first(self, hooked):
        closed = "[realms.radio]\nundeclared_topics = false\n"
        one = hooked(table(channels=["later"]), closed)
        one.call("radiod.channel.create", "later")
        one.publish("later", 1)
        assert [data["data"] for data in one.data()] == [1]

    def test_of_a_channel_that_ended_and_came_back(self, hooked):
        one = hooked(table(channels=["later"]))
        for value in range(2):
            made = one.call("radiod.channel.create", "later")
            one.publish("later", value)
            one.advance()
            one.call("radiod.channel.delete", "later", made["control_key"])
            one.advance()
        assert [data["data"] for data in one.data()] == [0, 1]


HISTORY = """
[realms.radio.channels.sample_net]
history = { size = 10 }
[realms.radio.channels."a.*"]
history = { size = 10 }
"""
PRIVATE = """
[realms.radio.channels.secret]
public = false
key = "channel-key"
"""


class TestPrivateChannels:
    def test_are_heard_by_their_whole_names_only(self, hooked):
        one = hooked(PRIVATE, table("h", channels=["secret"]), table("i", channels=["*"]))
        one.publish("secret", "hidden", options=PublishOptions(key="channel-key"))
        assert [data["data"] for data in one.data("h")] == ["hidden"]
        assert one.data("i") == []

    def test_that_sessions_create_are_not_heard(self, hooked):
        one = hooked(table("h", channels=["mine", "*"], events=ALL))
        one.call("radiod.channel.create", "mine", public=False, key="k")
        one.publish("mine", "hidden")
        assert one.data() == []


class TestLifecycle:
    def test_is_told_as_to_wamps_subscribers(self, hooked):
        one = hooked(table(events=["channel.created", "channel.deleted"]))
        made = one.call("radiod.channel.create", "a.b")
        one.call("radiod.channel.create", "b")
        one.publish("a.b", 1)
        one.call("radiod.channel.delete", "a.b", made["control_key"])
        heard = one.heard()
        assert [(body["type"], body["data"]) for body in heard] == [
            ("channel.created", {"name": "a.b"}),
            ("channel.deleted", {"name": "a.b", "reason": "deleted"}),
        ]

    def test_of_demand_is_told_also_while_nobody_writes(self, hooked):
        one = hooked(table(channels=["a.b", "c.*"], events=["channel.demand"]))
        listener = one.join()
        subscriptions = [one.realm.gateway.listen(listener, topic) for topic in ("a.b", "c.d")]
        assert subscriptions
        assert one.data() == [{"name": "a.b", "readers": 1, "active": True}]
        one.call("radiod.channel.open_write", "c.d")
        one.realm.leave(listener)
        one.advance(1.1)
        assert one.data() == [
            {"name": "a.b", "readers": 0, "active": False},
            {"name": "c.d", "readers": 0, "active": False},
        ]

    def test_nobody_else_is_told_what_only_writers_and_webhooks_are(self, hooked):
        one = hooked(table(channels=["a.b"], events=["channel.created"]))
        one.realm.gateway.listen(one.join(), "a.b")
        assert one.data() == []


class TestNotices:
    def test_go_to_those_that_ask_for_them(self, hooked):
        one = hooked(
            table("h", channels=[], events=["key.revoked"]),
            table("i", channels=[], events=["key.revoked", "account.quota"]),
            table("j"),
            table("k", channels=[], events=["key.revoked"], realm="closed"),
        )
        data = {"key": "k_1", "account": "acme", "reason": "contract ended"}
        one.hooks.notify("key.revoked", data, realm="radio")
        one.hooks.notify("account.quota", {"account": "acme", "limit": "deliver_month"})
        assert [(body["type"], body["data"]) for body in one.heard("h")] == [("key.revoked", data)]
        assert [body["type"] for body in one.heard("i")] == ["key.revoked", "account.quota"]
        assert one.heard("j") == one.heard("k") == []
        # Those who ask for nothing of channels have no session.
        assert len(one.realm.sessions) == 2


class TestAccess:
    @pytest.fixture
    def one(self, hooked):
        one = hooked(
            table("h", channels=[], events=["key.revoked", "account.quota"]),
            table("k", channels=[], events=["key.revoked"], realm="closed"),
        )
        one.world.radio.webhooks = one.hooks
        return one

    def admin(self, one, procedure, *args, **kwargs):
        told = []
        payload = Payload.of(*args, **kwargs)
        answer = one.realm.procedures.call(one.session, f"radiod.admin.{procedure}", payload)
        if isinstance(answer, Promise):
            answer.then(told.append)
            answer = told[0]
        return answer.values()[0][0]

    @pytest.mark.parametrize(
        ("act", "reason"), [("key.revoke", "revoked"), ("key.suspend", "suspended"), (None, "expired")]
    )
    def test_that_a_key_has_ended_is_told_in_its_realm(self, one, act, reason):
        self.admin(one, "account.set", "acme")
        issued = self.admin(one, "key.issue", account="acme", listen=["a"])
        assert one.heard() == []
        if act is None:
            self.admin(one, "key.update", issued["id"], valid_until=1)
        else:
            self.admin(one, act, issued["id"], "why")
        assert [(body["type"], body["data"]) for body in one.heard()] == [
            ("key.revoked", {"key": issued["id"], "account": "acme", "reason": reason})
        ]
        assert one.heard("k") == []

    def test_that_a_quota_of_publishing_is_used_up_is_told_once_a_period(self, one):
        self.admin(one, "plan.set", "small", publish_day=2)
        self.admin(one, "account.set", "acme", plan="small")
        account = one.world.radio.access.accounts.kept["acme"]
        one.session = one.join(holder=Holder("k_1", account))
        settle = one.world.radio.usage

        def used_up(tries):
            for _ in range(tries):
                with suppress(OverLimit):
                    one.publish("a.b", 1)
            settle.ledger.settle()
            settle.limits.settled()
            return [(body["type"], body["data"]) for body in one.heard()]

        assert used_up(2) == []
        told = [("account.quota", {"account": "acme", "limit": "publish_day"})]
        assert [used_up(1), used_up(2), used_up(0)] == [told, [], []]


class TestSessions:
    def test_are_those_of_the_configuration(self, hooked):
        one = hooked(table())
        session = next(iter(one.realm.sessions.values()))
        principal = session.principal
        assert (principal.authid, principal.authrole, principal.authmethod) == ("h", "webhook:h", "webhook")
        assert not principal.permissions.may_hold_publishers

    def test_that_somebody_ends_begin_anew(self, hooked):
        one = hooked(table())
        one.call("wamp.session.kill_all")
        one.advance()
        one.publish("a.b", 1)
        assert [data["data"] for data in one.data()] == [1]

    def test_end_with_a_receiver_that_is_gone(self, hooked):
        one = hooked(table())
        one.senders["h"].outcome = Outcome(410, "status 410")
        one.publish("a.b", 1)
        one.advance()
        assert list(one.realm.sessions.values()) == [one.session]

    def test_end_with_the_server_and_begin_no_more(self, hooked):
        one = hooked(table())
        one.publish("a.b", 1)
        one.realm.leave(one.session)
        one.hooks.close()
        one.realm.close()
        one.world.radio.fan_out.flush()
        done = []
        one.hooks.wind_up(lambda: done.append(True))
        assert not done
        one.advance()
        assert done == [True]
        one.hooks.stop()
        assert [data["data"] for data in one.data()] == [1]
        assert not one.realm.sessions

    def test_without_webhooks_nobody_waits(self, hooked):
        done = []
        hooked().hooks.wind_up(lambda: done.append(True))
        assert done == [True]


class TestTheList:
    def test_tells_of_its_realm(self, hooked):
        one = hooked(table("h"), table("k", realm="closed"))
        one.publish("a.b", 1)
        one.advance()
        (told,) = one.call("radiod.admin.webhook.list")["webhooks"]
        assert (told["name"], told["state"], told["delivered"], told["last_status"]) == ("h", "idle", 1, 204)
        assert SECRET not in json.dumps(told)


def test_a_body_of_each_type_is_as_the_contract_has_it():
    clock = FakeClock(start=0.0, epoch=1795694400.0)
    body = told("channel.event", clock.time(), b'{"x":1}')
    assert body == b'{"type":"channel.event","timestamp":"2026-11-26T12:00:00.000Z","data":{"x":1}}'
    format = EventFormat('r"\n', clock)
    event = format.event(Broadcast(1, 7, "ä.b", {"_epoch": "e", "_seq": 3}, Payload.of('"\u2028')), 0)
    assert event.publication == 7
    told_of = {"realm": 'r"\n', "channel": "ä.b", "position": "e:3", "data": '"\u2028'}
    assert json.loads(event)["data"] == told_of
    assert format.last_words(1000) == format.message(None, None) == b""
