"""What is kept of a subscription's topics, as a client sees it."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from support.arguments import TakesAnId
from support.realms import NO, YES, Slow, World

from radiod.core.history.bounds import HistoryBounds
from radiod.core.procedures.wamp_event_history import MAX_EVENTS
from radiod.core.pubsub.replay import MAX_PAGE_BYTES
from radiod.core.rights import Action
from radiod.core.slices import SLICE_S
from radiod.errors import (
    HISTORY_UNAVAILABLE,
    INVALID_ARGUMENT,
    NO_SUCH_SUBSCRIPTION,
    NOT_AUTHORIZED,
    PAYLOAD_SIZE_EXCEEDED,
    Refused,
)
from radiod.testing import Allow
from radiod.wire.codecs import CBOR, CODECS, Payload, Undecodable

WRONG_IDS = [None, True, "1", 0, -1, 2**53 + 1, 1.5, math.nan, [], {}]
WRONG_TEXTS = [1, 1.5, True, [], {}, b"a"]


GET_EVENTS = "wamp.subscription.get_events"
KEEP = HistoryBounds(size=2000, seconds=3600.0, bytes=1 << 20)


class TestIds(TakesAnId):
    missing = NO_SUCH_SUBSCRIPTION

    @pytest.fixture
    def procedure(self):
        return GET_EVENTS


class TestHistory:
    @pytest.fixture
    def world(self):
        world = World()
        world.realm.space.histories.keep("log.*", KEEP)
        return world

    @pytest.fixture
    def alice(self, world):
        return world.join("alice", "member")

    @pytest.fixture
    def reader(self, world):
        reader = world.join("reader", "reader")
        reader.exact, reader.prefix = reader.subscribe("log.a"), reader.subscribe("log.", match="prefix")
        return reader

    @pytest.fixture
    def ids(self, world, alice, reader):
        """Publications log.a, log.b, log.a, log.b, log.a, one each second: 0 … 4."""
        ids = []
        for number in range(5):
            topic = "log.a" if number % 2 == 0 else "log.b"
            ids.append(alice.answer(16, {"acknowledge": True}, topic, [number], {"n": number})[2])
            world.clock.advance(1)
        reader.received()
        return ids

    def numbers(self, reader, subscription, **filters):
        events = reader.call(GET_EVENTS, subscription, **filters)
        assert isinstance(events, list), events
        return [event["args"][0] for event in events]

    def test_tells_events_as_they_happened(self, world, reader, ids):
        start = world.clock.time() - 5
        events = reader.call(GET_EVENTS, reader.prefix)
        assert events == [
            {
                "timestamp": datetime.fromtimestamp(start + number, UTC)
                .isoformat(timespec="milliseconds")
                .replace("+00:00", "Z"),
                "subscription": reader.prefix,
                "publication": ids[number],
                "topic": "log.b" if number % 2 else "log.a",
                "details": {"_seq": number // 2 + 1, "_epoch": events[number % 2]["details"]["_epoch"]},
                "args": [number],
                "kwargs": {"n": number},
            }
            for number in range(5)
        ]

    def test_is_of_one_topic_or_of_all_of_a_pattern(self, world, reader, ids):
        assert self.numbers(reader, reader.exact) == [0, 2, 4]
        assert self.numbers(reader, reader.prefix) == [0, 1, 2, 3, 4]
        assert self.numbers(reader, reader.subscribe(".b", match="wildcard")) == [1, 3]
        assert self.numbers(reader, reader.subscribe("", match="prefix")) == [0, 1, 2, 3, 4]
        assert self.numbers(reader, reader.subscribe("other", match="prefix")) == []
        assert self.numbers(reader, reader.subscribe("log.c")) == []

    def test_of_a_topic_that_keeps_none_is_not_there(self, reader):
        assert reader.call(GET_EVENTS, reader.subscribe("other")) == HISTORY_UNAVAILABLE

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"reverse": True}, [4, 3, 2, 1, 0]),
            ({"limit": 2}, [0, 1]),
            ({"limit": 2.0, "reverse": True}, [4, 3]),
            ({"topic": "log.b"}, [1, 3]),
            ({"topic": "log.c"}, []),
            ({"from_publication": 2}, [2, 3, 4]),
            ({"after_publication": 2}, [3, 4]),
            ({"before_publication": 2}, [0, 1]),
            ({"until_publication": 2}, [0, 1, 2]),
            ({"from_publication": 1, "after_publication": 2, "until_publication": 3}, [3]),
            ({"from_publication": 3, "until_publication": 1}, []),
            ({"after_publication": 2, "topic": "log.b"}, [3]),
            ({"after_publication": 1, "reverse": True, "limit": 1}, [4]),
            ({"from_time": 2}, [2, 3, 4]),
            ({"after_time": 2}, [3, 4]),
            ({"before_time": 2}, [0, 1]),
            ({"until_time": 2}, [0, 1, 2]),
            ({"from_time": 1, "before_publication": 3}, [1, 2]),
            ({"from_time": 1.5, "until_time": 3.5}, [2, 3]),
        ],
    )
    def test_is_filtered_by_all_that_is_asked(self, world, reader, ids, filters, expected):
        start = world.clock.time() - 5
        for name, value in filters.items():
            if name.endswith("_publication"):
                filters = {**filters, name: ids[value]}
            elif name.endswith("_time"):
                date = datetime.fromtimestamp(start + value, UTC).isoformat()
                filters = {**filters, name: date}
        assert self.numbers(reader, reader.prefix, **filters) == expected

    def test_knows_the_same_moment_in_every_zone(self, world, reader, ids):
        moment = datetime.fromtimestamp(world.clock.time() - 3, UTC).replace(tzinfo=None)
        here = (moment + timedelta(hours=5.5)).isoformat()
        dates = (f"{moment.isoformat()}Z", f"{moment.isoformat()}.000+00:00", f"{here}+05:30".lower())
        for date in dates:
            assert self.numbers(reader, reader.prefix, from_time=date) == [2, 3, 4]

    def test_of_an_event_that_nobody_keeps_there_is_nothing_before_or_behind(self, reader, ids):
        for bound in ("from", "after", "before", "until"):
            assert self.numbers(reader, reader.prefix, **{f"{bound}_publication": 9999}) == []

    def test_pages_join_without_gap_or_overlap(self, reader, ids):
        seen, after = [], {}
        while True:
            reader.request(48, {}, GET_EVENTS, [reader.prefix], {"limit": 2, **after})
            _, _, _, events, more = reader.received()[0]
            seen += [event["args"][0] for event in events]
            assert more["is_limit_reached"] is (len(seen) < 5)
            if not more["is_limit_reached"]:
                break
            after = {"after_publication": events[-1]["publication"]}
        assert seen == [0, 1, 2, 3, 4]

    def test_comes_a_thousand_at_a_time(self, alice, reader):
        for _ in range(MAX_EVENTS + 1):
            alice.request(16, {}, "log.a", [1])
        assert len(reader.call(GET_EVENTS, reader.exact, limit=2**53)) == MAX_EVENTS
        assert reader.answer(48, {}, GET_EVENTS, [reader.exact])[4] == {"is_limit_reached": True}

    def test_has_no_more_than_the_reader_would_have_received(self, world, alice, reader):
        for options in (
            {"eligible_authrole": ["reader"]},
            {"eligible_authrole": ["other"]},
            {"exclude_authrole": ["reader"]},
            {"exclude_authid": ["reader"]},
            {"eligible_authid": ["reader", "x"]},
            {"eligible": [reader.id]},
            {"exclude": [999]},
        ):
            alice.request(16, options, "log.a", [next(iter(options))])
        for subscription in (reader.exact, reader.prefix):
            assert self.numbers(reader, subscription) == ["eligible_authrole", "eligible_authid"]

    def test_leaves_out_what_the_role_hides(self, world, reader, ids):
        blind = world.join(permissions=Allow(*Action, hidden=["log.b"]))
        assert self.numbers(blind, reader.prefix) == [0, 2, 4]
        assert self.numbers(blind, reader.prefix, after_publication=ids[2]) == [4]
        # Not even that such an event happened.
        assert self.numbers(blind, reader.prefix, after_publication=ids[1]) == []

    def test_tells_what_was_disclosed(self, world, alice, reader):
        alice.request(16, {"disclose_me": True}, "log.a", [1])
        (event,) = reader.call(GET_EVENTS, reader.exact)
        assert event["details"] == {
            "publisher": alice.id,
            "publisher_authid": "alice",
            "publisher_authrole": "member",
            "_seq": 1,
            "_epoch": event["details"]["_epoch"],
        }

    @pytest.mark.parametrize("options", [{"exclude": [1]}, {"eligible": [1, 2, 3, 4, 5]}])
    def test_tells_nothing_of_events_that_named_sessions(self, alice, reader, options):
        alice.request(16, options, "log.a", [1])
        assert reader.call(GET_EVENTS, reader.exact) == []

    def test_needs_the_right_to_subscribe(self, world, reader, ids):
        mallory = world.join(permissions=Allow(Action.CALL, Action.PUBLISH))
        assert mallory.call(GET_EVENTS, reader.exact) == NOT_AUTHORIZED

    def test_is_not_there_for_who_may_not_know_of_the_topic(self, world, reader, ids):
        mallory = world.join(permissions=Allow(Action.CALL))
        assert (
            mallory.call(GET_EVENTS, reader.exact) == mallory.call(GET_EVENTS, 2**50) == NO_SUCH_SUBSCRIPTION
        )

    @pytest.mark.parametrize(
        ("outcome", "uri"),
        [
            (YES, None),
            (NO, NOT_AUTHORIZED),
            (Refused("an.error", "nobody knows"), "an.error"),
        ],
    )
    def test_may_be_long_in_coming_and_keeps_its_place(self, world, reader, ids, outcome, uri):
        slow = Slow(Action.SUBSCRIBE)
        late = world.join(permissions=slow)
        first = late.request(48, {}, GET_EVENTS, [reader.exact])
        second = late.request(48, {}, "wamp.session.count")
        assert late.received() == []
        assert slow.asked[-1] == (Action.SUBSCRIBE, "log.a")
        # It answers for what is there when the decision comes.
        reader.leave()
        slow.settle(outcome)
        answer, behind = late.received()
        if uri is None:
            assert (answer[:2], [event["args"] for event in answer[3]]) == ([50, first], [[0], [2], [4]])
        else:
            assert answer[:5] == [8, 48, first, {}, uri]
        assert behind[:2] == [50, second]
        assert world.outbox.held == set()

    def test_that_comes_when_the_reader_has_left_goes_nowhere(self, world, reader, ids):
        slow = Slow(Action.SUBSCRIBE)
        late = world.join(permissions=slow)
        late.request(48, {}, GET_EVENTS, [reader.exact])
        reader.call("wamp.session.kill", late.id)
        slow.settle()
        assert [message[0] for message in late.received()] == [6]

    @pytest.mark.parametrize("is_slow", [False, True])
    def test_that_is_too_long_for_the_reader_is_refused(self, is_slow):
        world = World(max_payload=500)
        world.realm.space.histories.keep("log.*", KEEP)
        slow = Slow(*[Action.SUBSCRIBE] * is_slow)
        alice, reader = world.join(), world.join(permissions=slow)
        id = alice.subscribe("log.a")
        alice.request(16, {}, "log.a", ["x" * 400])
        request = reader.request(48, {}, GET_EVENTS, [id])
        if is_slow:
            slow.settle()
        assert [message[:5] for message in reader.received()] == [[8, 48, request, {}, PAYLOAD_SIZE_EXCEEDED]]

    @pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
    def test_reaches_every_reader_whatever_was_published(self, world, codec):
        publisher = world.join(codec=CBOR, features="publisher.payload_passthru_mode")
        reader = world.join(codec=codec)
        id = reader.subscribe("log.a")
        values = [[value] for value in (10**40, {None: 1}, {1: 2}, math.inf, b"\0", {"cls": 1})]
        for value in values:
            publisher.request(16, {}, "log.a", value)
        publisher.request(16, {}, "log.a", [], {1: 2})
        publisher.request(16, {"enc_algo": "x"}, "log.a", b"opaque")
        world.outbox.take()
        assert len(world.realm.space.histories.of("log.a")) == 8
        # Each is what a live event would be for this reader, or counted.
        can_say = []
        for args, kwargs in [*((value, {}) for value in values), ([], {1: 2}), (b"opaque", {})]:
            try:
                parts = Payload(CBOR, CBOR.dump(args), CBOR.dump(kwargs)).parts(codec)
                can_say.append(tuple(codec.load(part) for part in parts))
            except Undecodable:
                pass
        _, _, _, told, more = reader.answer(48, {}, GET_EVENTS, [id])
        assert [(event["args"], event["kwargs"]) for event in told] == can_say
        assert more == {"is_limit_reached": False, **({"lost": lost} if (lost := 8 - len(told)) else {})}
        assert world.realm.space.broker.tally.undeliverable == lost

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("reverse", [None, 0, 1, "true", [], math.nan]),
            ("limit", WRONG_IDS),
            ("topic", WRONG_TEXTS[1:]),
            *[(f"{bound}_publication", WRONG_IDS[1:]) for bound in ("from", "after", "before", "until")],
            *[
                (
                    f"{bound}_time",
                    [
                        *WRONG_TEXTS[1:],
                        "",
                        "yesterday",
                        "2026-01-01",
                        "2026-01-01T00:00:00",
                        "2026-13-01T00:00:00Z",
                        "2026-01-01T00:00:60Z",
                        "99999-01-01T00:00:00Z",
                        "2026-01-01T00:00:00Z\0",
                        "2026-01-01T00:00:00Zulu",
                        "2026-W01-1T00:00:00Z",
                        "٢٠٢٦-01-01T00:00:00Z",
                    ],
                )
                for bound in ("from", "after", "before", "until")
            ],
        ],
    )
    def test_takes_no_wrong_argument(self, world, reader, name, values):
        admin = world.join(codec=CBOR)
        for value in values:
            assert admin.call(GET_EVENTS, reader.exact, **{name: value}) == INVALID_ARGUMENT, value

    def test_a_page_is_bounded_in_bytes(self, world, reader, alice):
        for _ in range(3):
            alice.request(16, {}, "log.b", ["other"])
        world.realm.space.histories.keep("long", HistoryBounds(size=9, seconds=9.0, bytes=9 * MAX_PAGE_BYTES))
        id = reader.subscribe("long")
        for _ in range(3):
            alice.request(16, {}, "long", ["x" * (MAX_PAGE_BYTES // 2)])
        assert len(reader.call(GET_EVENTS, id)) == 2

    def test_what_many_topics_hold_is_told_in_slices(self, world, reader, alice):
        for number in range(60):
            for topic in range(25):
                alice.request(16, {}, f"log.t{topic}", [number, topic])
        reader.received()
        world.clock.look_s = SLICE_S / 2
        everything = [[number, topic] for number in range(60) for topic in range(25)]
        request = reader.request(48, {}, GET_EVENTS, [reader.prefix])
        assert reader.received() == []
        # Messages behind it keep their place.
        reader.request(48, {}, "radiod.echo", ["behind"])
        world.clock.advance(1)
        first, behind = reader.received()
        assert (first[1], behind[3]) == (request, ["behind"])
        assert [event["args"] for event in first[3]] == everything[:MAX_EVENTS]
        assert first[4] == {"is_limit_reached": True}

    def test_takes_dates_of_all_times(self, reader, ids):
        assert self.numbers(reader, reader.exact, from_time="0001-01-01T00:00:00+23:59") == [0, 2, 4]
        assert self.numbers(reader, reader.exact, until_time="9999-12-31T23:59:59.999999-23:59") == [0, 2, 4]

    def test_ends_with_its_channel(self, world, reader, alice):
        alice.call("radiod.channel.create", "log.a")
        alice.request(16, {}, "log.a", [1])
        assert self.numbers(reader, reader.exact) == [1]
        alice.leave()
        assert self.numbers(reader, reader.exact) == []
