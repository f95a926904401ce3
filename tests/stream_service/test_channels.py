"""Rows 1 to 9 of docs/stream_service.md: channels, their owners, readers and writers, and streams."""

import time
import urllib.error
import urllib.request

import pytest

CREATE, DELETE, EXTEND = "radiod.channel.create", "radiod.channel.delete", "radiod.channel.extend"
LIST, GET, JOIN = "radiod.channel.list", "radiod.channel.get", "radiod.channel.join"
OPEN_WRITE, CLOSE_WRITE = "radiod.channel.open_write", "radiod.channel.close_write"
TUNE = "radiod.channel.tune"
ON_CREATE, ON_DELETE = "radiod.channel.on_create", "radiod.channel.on_delete"

NOT_AUTHORIZED = "wamp.error.not_authorized"
INVALID_ARGUMENT = "wamp.error.invalid_argument"
BAD_KEY = "radiod.error.bad_key"
BAD_NAME = "radiod.error.bad_name"
CHANNEL_CLOSED = "radiod.error.channel_closed"
NO_SUCH_CHANNEL = "radiod.error.no_such_channel"

MAX_OWNED = 100
"""Channels that one session may have, unless it is configured."""


def told_of(listener, name):
    """The next event about this channel: other tests' channels come and go as well."""
    while (event := listener.event()).data["name"] != name:
        pass
    return event.data


def until_gone(program, observer):
    """Wait until the server has noticed that a program hung up."""
    while program.id in observer.call("wamp.session.list"):
        pass


class TestRow01Create:
    def test_a_channel_is_created_with_a_control_key(self, program, channel):
        answer = program().call(CREATE, channel, lifetime=60)
        assert answer["name"] == channel
        assert len(answer["control_key"]) >= 32
        assert 50 < answer["expires"] - time.time() <= 60.1
        assert answer["readers"] == 0

    def test_its_creator_is_its_first_writer(self, program, channel):
        creator = program()
        creator.call(CREATE, channel, single_writer=True)
        creator.publish(channel, 1)

    def test_a_name_that_exists_is_refused_and_the_caller_goes_on(self, program, channel):
        creator, other = program(), program()
        creator.call(CREATE, channel)
        assert other.refusal(CREATE, channel) == "radiod.error.channel_exists"
        assert other.call("radiod.echo", "on") == "on"

    @pytest.mark.parametrize("name", ["radiod.stats", "wamp.session.on_join", "a b", "", "a..b", "x" * 256])
    def test_reserved_and_impossible_names_are_refused(self, program, name):
        assert program().refusal(CREATE, name) == BAD_NAME

    @pytest.mark.parametrize("name", [1, None, ["a"]])
    def test_a_name_that_is_no_text_is_refused(self, program, name):
        assert program().refusal(CREATE, name) == INVALID_ARGUMENT

    def test_who_may_not_publish_may_not_create(self, program, channel):
        assert program("listener").refusal(CREATE, channel) == NOT_AUTHORIZED

    def test_one_session_has_a_bounded_number(self, program, channel):
        creator = program()
        for number in range(MAX_OWNED):
            creator.call(CREATE, f"{channel}.{number}")
        assert creator.refusal(CREATE, f"{channel}.more") == "radiod.error.quota"


class TestRow02Owner:
    def test_only_the_control_key_deletes(self, program, channel):
        owner, other = program(), program()
        key = owner.call(CREATE, channel)["control_key"]
        assert other.refusal(DELETE, channel, "wrong") == BAD_KEY
        assert owner.refusal(DELETE, channel, "wrong") == BAD_KEY
        assert owner.call(DELETE, channel, key)["name"] == channel
        assert owner.refusal(GET, channel) == CHANNEL_CLOSED

    def test_the_owners_disconnect_deletes_its_channels_and_readers_are_told(self, program, channel):
        owner, reader = program(), program()
        reader.listen(ON_DELETE)
        owner.call(CREATE, channel)
        reader.listen(channel)
        owner.close()
        assert told_of(reader, channel) == {"name": channel, "reason": "owner_left"}
        assert reader.publish_refusal(channel, 1) == CHANNEL_CLOSED

    def test_a_channel_may_be_kept(self, program, channel):
        owner, other = program(), program()
        owner.call(CREATE, channel, on_owner_leave="keep")
        owner.close()
        until_gone(owner, other)
        assert other.call(GET, channel)["name"] == channel

    def test_a_channel_may_wait_for_another_owner_for_a_while(self, program, channel):
        owner, reader = program(), program()
        reader.listen(ON_DELETE)
        owner.call(CREATE, channel, on_owner_leave=0.3)
        left = time.monotonic()
        owner.close()
        assert told_of(reader, channel) == {"name": channel, "reason": "owner_left"}
        assert time.monotonic() - left > 0.25

    def test_the_control_key_makes_another_owner_meanwhile(self, program, channel):
        owner, heir = program(), program()
        heir.listen(ON_DELETE)
        key = owner.call(CREATE, channel, on_owner_leave=0.5)["control_key"]
        owner.close()
        until_gone(owner, heir)
        heir.call(EXTEND, channel, None, key)
        # A channel that ends itself is the clock.
        heir.call(CREATE, f"{channel}.clock", lifetime=0.7)
        told_of(heir, f"{channel}.clock")
        assert heir.call(GET, channel)["name"] == channel


class TestRow03Private:
    @pytest.fixture
    def private(self, program, channel):
        owner = program()
        owner.call(CREATE, channel, public=False, key="the key")
        return owner

    def test_public_ones_are_listed_and_private_ones_are_not(self, program, private, channel):
        other = program()
        other.call(CREATE, f"{channel}.public")
        listed = other.call(LIST, prefix=channel)["channels"]
        assert [one["name"] for one in listed] == [f"{channel}.public"]

    def test_the_list_comes_in_pages(self, program, channel):
        owner = program()
        names = [f"{channel}.{number}" for number in range(5)]
        for name in names:
            owner.call(CREATE, name)
        seen, after = [], None
        while not seen or after is not None:
            page = owner.call(LIST, prefix=channel, limit=2, after=after)
            seen += [one["name"] for one in page["channels"]]
            after = page["next"]
        assert seen == names

    def test_name_and_key_open_it(self, program, private, channel):
        member, by_option = program(), program()
        member.call(JOIN, channel, "the key")
        member.listen(channel)
        by_option.listen(channel, _radiod_key="the key")
        private.publish(channel, "secret")
        assert [member.event().data, by_option.event().data] == ["secret", "secret"]

    def test_an_unknown_name_and_a_wrong_key_are_refused_alike(self, program, private, channel):
        stranger = program()
        refusals = []
        for name in (channel, f"{channel}.unknown"):
            request = stranger.begin_call(JOIN, name, "wrong")
            with pytest.raises(Exception) as refusal:
                stranger.result(request)
            refusals.append((refusal.value.uri, refusal.value.text.replace(name, "it")))
        assert refusals[0] == refusals[1]
        assert refusals[0][0] == BAD_KEY

    def test_nothing_of_it_reaches_others(self, program, private, channel):
        stranger, member = program(), program()
        for topic in ("wamp.subscription.on_create", "wamp.subscription.on_subscribe", ON_CREATE):
            stranger.listen(topic)
        stranger.listen(channel, match="prefix")
        stranger.listen("stream..", match="wildcard")
        stranger.heard()
        member.listen(channel, _radiod_key="the key")
        private.publish(channel, "secret")
        assert member.event().data == "secret"
        said = [event for event in stranger.heard() if channel in str(event) or event.data == "secret"]
        assert said == []
        # For a stranger the name is any unknown one.
        assert stranger.refusal(GET, channel) == NO_SUCH_CHANNEL
        assert stranger.refusal("radiod.channel.stats", channel) == NO_SUCH_CHANNEL


class TestRow04Lifetime:
    def test_it_ends_itself_in_time(self, program, server, channel):
        owner, reader = program(), program()
        reader.listen(ON_DELETE)
        expires = owner.call(CREATE, channel, lifetime=0.5)["expires"]
        assert told_of(reader, channel) == {"name": channel, "reason": "expired"}
        # The promise is 50 ms; a machine that runs other tests beside may be late itself.
        assert -0.05 < time.time() - expires < 0.25
        assert owner.publish_refusal(channel, 1) == CHANNEL_CLOSED
        assert reader.listen_refusal(channel) == CHANNEL_CLOSED
        assert post(server, channel) == 410

    def test_its_life_may_be_extended_with_the_control_key(self, program, channel):
        owner, reader = program(), program()
        reader.listen(ON_DELETE)
        made = owner.call(CREATE, channel, lifetime=0.5)
        assert owner.refusal(EXTEND, channel, 1, "wrong") == BAD_KEY
        extended = owner.call(EXTEND, channel, 1, made["control_key"])["expires"]
        assert extended > made["expires"] + 0.4
        told_of(reader, channel)
        assert time.time() > extended - 0.05

    def test_it_cannot_be_extended_afterwards(self, program, channel):
        owner, reader = program(), program()
        reader.listen(ON_DELETE)
        key = owner.call(CREATE, channel, lifetime=0.1)["control_key"]
        told_of(reader, channel)
        assert owner.refusal(EXTEND, channel, 60, key) == CHANNEL_CLOSED

    @pytest.mark.parametrize("lifetime", [0, -1, "60", 1e300, True])
    def test_a_lifetime_that_is_none_is_refused(self, program, channel, lifetime):
        assert program().refusal(CREATE, channel, lifetime=lifetime) == INVALID_ARGUMENT


def post(server, channel):
    """The status of one publish over HTTP."""
    body = b'{"network": "%b", "data": {}}' % channel.encode()
    request = urllib.request.Request(f"{server.url}/publish", body, {"API-KEY": "station-key"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class TestRow05Subscribe:
    SETTINGS = {
        "size": 7,
        "policy": "skip",
        "every": 2,
        "min_interval": 0.5,
        "latest": False,
        "weight": 3,
        "max_bytes": 10_000,
    }

    def test_a_buffer_is_asked_for_when_subscribing(self, program, channel):
        reader = program()
        reader.listen(channel, _radiod_buffer={"every": 2})
        program().send(channel, *range(1, 5))
        assert reader.events(2) == [2, 4]

    def test_or_by_a_procedure_before_or_after_which_answers_with_what_holds(self, program, channel):
        before, after, writer = program(), program(), program()
        told = before.call(TUNE, channel, **self.SETTINGS)
        assert told == {"channel": channel, **self.SETTINGS}
        before.call(TUNE, channel, every=2)
        before.listen(channel)
        after.listen(channel)
        assert after.call(TUNE, channel, every=2)["size"] == 100
        writer.send(channel, *range(1, 5))
        assert [before.events(2), after.events(2)] == [[2, 4], [2, 4]]

    def test_or_the_channel_has_a_default(self, program, channel):
        owner, reader = program(), program()
        owner.call(CREATE, channel, buffer={"size": 5, "every": 2})
        told = reader.call(TUNE, channel, size=6)
        assert (told["size"], told["every"]) == (6, 2)

    def test_what_is_no_buffer_is_refused_by_name(self, program, channel):
        reader = program()
        assert reader.listen_refusal(channel, _radiod_buffer={"size": -1}) == INVALID_ARGUMENT
        assert reader.refusal(TUNE, channel, policy="explode") == INVALID_ARGUMENT

    def test_twice_is_the_same_subscription(self, program, channel):
        owner, reader = program(), program()
        assert reader.listen(channel) == reader.listen(channel)
        owner.publish(channel, 1)
        assert [event.data for event in reader.heard()] == [1]

    def test_what_does_not_exist_is_answered(self, program, channel):
        assert program().refusal(GET, channel) == NO_SUCH_CHANNEL


class TestRow06Unsubscribe:
    def test_it_ends_the_events_of_this_reader_alone(self, program, channel):
        owner, reader, other = program(), program(), program()
        subscription = reader.listen(channel)
        other.listen(channel)
        owner.publish(channel, 1)
        reader.stop_listening(subscription)
        owner.publish(channel, 2)
        assert [event.data for event in reader.heard()] == [1]
        assert [event.data for event in other.heard()] == [1, 2]

    def test_nothing_is_left_of_readers_that_came_and_went(self, program, channel):
        observer, reader = program(), program()
        before = observer.call("radiod.server.stats")["subscriptions"]
        for number in range(1000):
            reader.stop_listening(reader.listen(f"{channel}.{number}"))
        for number in range(100):
            reader.listen(f"{channel}.{number}", _radiod_buffer={"every": 2})
        assert observer.call("radiod.server.stats")["subscriptions"] == before + 100
        reader.close()
        until_gone(reader, observer)
        assert observer.call("radiod.server.stats")["subscriptions"] == before


class TestRow07Writers:
    def test_many_may_write_and_each_ones_order_is_kept(self, program, channel):
        owner, reader = program(), program()
        owner.call(CREATE, channel)
        reader.listen(channel)
        others = [program() for _ in range(3)]
        for number, other in enumerate(others):
            other.call(OPEN_WRITE, channel)
            other.send(channel, *([number, n] for n in range(200)))
        heard = reader.events(600)
        for number in range(3):
            assert [n for writer, n in heard if writer == number] == list(range(200))

    def test_where_one_may_write_others_are_refused(self, program, channel):
        owner, other, reader = program(), program(), program()
        owner.call(CREATE, channel, single_writer=True)
        reader.listen(channel)
        assert other.refusal(OPEN_WRITE, channel) == NOT_AUTHORIZED
        assert other.publish_refusal(channel, "not mine") == NOT_AUTHORIZED
        other.send(channel, "not mine")
        other.call("radiod.echo")
        assert reader.heard() == []

    def test_the_place_may_be_given_up(self, program, channel):
        owner, other = program(), program()
        owner.call(CREATE, channel, single_writer=True)
        owner.call(CLOSE_WRITE, channel)
        assert other.call(OPEN_WRITE, channel)["readers"] == 0
        other.publish(channel, 1)
        assert owner.publish_refusal(channel, 2) == NOT_AUTHORIZED


class TestRow08EndMark:
    def test_it_passes_a_rate(self, program, channel):
        writer, reader = program(), program()
        reader.listen(channel, _radiod_buffer={"every": 10})
        for number in range(1, 5):
            writer.publish(channel, number, _radiod_stream={"id": "s", "end": number == 4})
        assert reader.event().data == 4

    def test_it_passes_a_full_buffer_and_evicts_nothing(self, program, channel):
        writer, reader = program(), program()
        reader.listen(channel, _radiod_buffer={"size": 1, "policy": "skip", "min_interval": 0.4})
        for number in range(1, 5):
            writer.publish(channel, number, _radiod_stream={"id": "s"})
        writer.publish(channel, "end", _radiod_stream={"id": "s", "end": True})
        events = [reader.event() for _ in range(3)]
        assert sorted(str(event.data) for event in events) == ["1", "2", "end"]
        assert sum(event.details.get("_lost", 0) for event in events) == 2


class TestRow09Stream:
    def test_readers_see_the_stream_its_count_and_its_borders(self, program, channel):
        writer, reader = program(), program()
        reader.listen(channel)
        for number in range(3):
            writer.publish(channel, number, _radiod_stream={"id": 42, "end": number == 2})
        assert [reader.event().details["_stream"] for _ in range(3)] == [
            {"id": 42, "counter": 1, "begin": True},
            {"id": 42, "counter": 2},
            {"id": 42, "counter": 3, "end": True},
        ]

    def test_streams_of_one_channel_do_not_mix(self, program, channel):
        writers, reader = [program(), program()], program()
        reader.listen(channel)
        for _ in range(2):
            for writer in writers:
                for id in ("a", "b"):
                    writer.publish(channel, None, _radiod_stream={"id": id})
        counters = [reader.event().details["_stream"]["counter"] for _ in range(8)]
        assert counters == [1] * 4 + [2] * 4
