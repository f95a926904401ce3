"""What a radio was comes back in another one: positions, the past, and all that clients hold a handle to."""

import json

import pytest
from support import http
from support.http import Answer
from support.lives import Life

from radiod.state.state import StateError, restore

KEPT = """
[realms.radio.channels.kept]
history = { size = 10 }

[realms.radio.channels."many.*"]
history = { size = 3, seconds = 60 }

[realms.radio.channels.secret]
public = false
key = "the-key-of-it"
history = { size = 10 }
"""


@pytest.fixture
def life():
    return Life(KEPT)


class TestThePast:
    @pytest.mark.parametrize("topic", ["kept", "many.a"])
    def test_who_comes_back_gets_what_it_missed(self, life, topic):
        life.publish(topic, 1, 2)
        at = life.position(topic)
        life.publish(topic, 3)
        after = life.next()
        assert after.recovered(topic, at) == [3]
        after.publish(topic, 4)
        assert after.recovered(topic, at) == [3, 4]

    def test_what_is_counted_goes_on_counting(self, life):
        at = life.position("counted")
        life.publish("counted", 1, 2)
        position = life.position("counted")
        after = life.next()
        assert after.recovered("counted", position) == []
        after.publish("counted", 3)
        assert after.position("counted") == position.replace(":2", ":3")
        # Nothing of it is held: who was away longer has missed something.
        assert after.recovered("counted", at, 4) == [None, 4]

    def test_ages_go_on_while_the_server_is_away(self, life):
        life.publish("many.a", 1)
        life.reactor.advance(30)
        life.publish("many.a", 2)
        after = life.next(away=40)
        assert after.held("many.a") == [2]
        after.reactor.advance(21)
        assert after.held("many.a") == []

    def test_a_private_channel_has_its_own_past_whatever_its_key_is_now(self, life):
        life.publish("secret", 1, key="the-key-of-it")
        life.publish("secret", 2)
        after = life.next(KEPT.replace("the-key-of-it", "another-key"))
        space = after.realm.channels.declared_private("secret").space
        assert [record.payload.args for record in space.histories.of("secret")] == [b"[1]"]
        assert after.realm.space.histories.find("secret") is None

    def test_it_comes_back_again_and_again_read_or_not(self, life):
        life.publish("kept", 1, 2, 3)
        at = life.position("kept").replace(":3", ":1")
        after = life.next().next()
        assert after.recovered("kept", at) == [2, 3]
        assert after.next().recovered("kept", at) == [2, 3]

    def test_it_obeys_the_bounds_of_now(self, life):
        life.publish("kept", 1, 2, 3)
        life.publish("many.a", 1)
        at = life.position("kept").replace(":3", ":0")
        after = life.next("[realms.radio.channels.kept]\nhistory = { size = 2 }")
        assert after.recovered("kept", at) == [None, 2, 3]
        assert after.realm.space.histories.find("many.a") is None

    def test_what_may_not_be_used_any_more_is_dropped(self, life):
        life.publish("undeclared", 1, retain=True)
        life.position("undeclared")
        after = life.next("[realms.radio]\nundeclared_topics = false")
        assert not after.realm.space.histories.topics()
        assert not after.realm.space.broker.retained

    def test_a_realm_that_is_gone_is_told_of(self, life):
        after = life.next("", base=BASE_OF_ANOTHER)
        assert sorted(after.notes) == [
            f"realm {name} is not configured any more" for name in ("closed", "radio")
        ]


BASE_OF_ANOTHER = """
[realms.other]
anonymous = "open"

[realms.other.roles.open]
subscribe = ["*"]
"""


class TestRetainedEvents:
    def test_wait_for_those_who_come_later(self, life):
        life.publish("a", 1, retain=True)
        life.publish("a", 2, retain=True, exclude_authrole=["listener"])
        after = life.next()
        assert after.retained("a") == [2]
        assert after.retained("a", "listener") == []

    def test_are_as_many_as_there_is_room_for(self, life):
        for topic in "abc":
            life.publish(topic, 1, retain=True)
        after = life.next(max_retained_topics=2)
        assert [after.retained(topic) for topic in "abc"] == [[1], [1], []]
        assert after.notes == ["realm radio: 1 retained events are left out"]


class TestChannels:
    def create(self, life, name, **options):
        (created,) = life.call("radiod.channel.create", name, **options)
        return created

    def test_are_there_with_lifetime_control_key_and_past(self, life):
        options = {"lifetime": 100.0, "on_owner_leave": "keep", "history": {"size": 5}}
        created = self.create(life, "mine", **options)
        life.publish("mine", 1)
        at = life.position("mine").replace(":1", ":0")
        after = life.next(away=50)
        assert after.recovered("mine", at) == [1]
        assert after.call("radiod.channel.extend", "mine", 60.0, created["control_key"])[0]["name"] == "mine"
        assert life.next(away=101).call("radiod.channel.get", "mine") == "radiod.error.channel_closed"

    def test_their_owner_comes_back_with_the_control_key(self, life):
        created = self.create(life, "mine")
        after = life.next()
        wire = after.join()
        arguments = {"control_key": created["control_key"]}
        assert wire.ask([48, None, {}, "radiod.channel.open_write", ["mine"], arguments])[0] == 50
        after.wait(1000)
        assert after.call("radiod.channel.get", "mine")[0]["name"] == "mine"

    def test_without_its_owner_one_ends_after_a_while(self, life):
        self.create(life, "mine")
        life.owners.clear()
        after = life.next()
        assert after.call("radiod.channel.get", "mine")[0]["name"] == "mine"
        after.wait(61)
        assert after.call("radiod.channel.get", "mine") == "radiod.error.channel_closed"

    def test_private_ones_are_found_by_their_keys_and_by_no_other_name(self, life):
        self.create(life, "mine", public=False, key="k", history={"size": 5})
        life.publish("mine", 1, key="k")
        after = life.next()
        (space,) = [channel.space for channel in after.realm.channels.private if channel.name == "mine"]
        assert len(space.histories.of("mine")) == 1
        assert after.call("radiod.channel.join", "mine", "wrong") == "radiod.error.bad_key"
        assert after.call("radiod.channel.join", "mine", "k")[0]["name"] == "mine"

    def test_of_those_that_ended_it_is_known(self, life):
        for options in ({}, {"public": False, "key": "k"}):
            created = self.create(life, "mine", **options)
            life.call("radiod.channel.delete", "mine", created["control_key"])
        after = life.next()
        assert after.call("radiod.channel.get", "mine") == "radiod.error.channel_closed"
        assert after.call("radiod.channel.join", "mine", "k") == "radiod.error.channel_closed"
        # The configuration has one of this name now.
        again = life.next("[realms.radio.channels.mine]")
        assert again.call("radiod.channel.get", "mine")[0]["name"] == "mine"

    def test_what_stands_against_one_is_told_without_names_of_private_ones(self, life):
        self.create(life, "mine")
        self.create(life, "hers")
        self.create(life, "mine", public=False, key="k")
        after = life.next("[realms.radio.channels.mine]", max_channels=1)
        assert after.notes == [
            "realm radio: channel mine is not there any more: channel mine exists already",
            "realm radio: channel hers is not there any more: 1 public channels exist already",
        ]


class TestHandles:
    LISTEN = "[realms.radio.keys.k]\nkey = 'k'\nlisten = ['*']\npublish = ['kept']"

    def ask(self, life, request):
        return Answer(life.ask(request).received())

    def publish(self, life, key, body=b'{"network":"kept","data":{"n":1}}', path="/publish"):
        lines = ["API-KEY: k", f"Idempotency-Key: {key}"]
        return self.ask(life, http.post(path, body, *lines))

    def test_a_request_that_is_repeated_over_a_restart_is_done_once(self):
        life = Life(KEPT + self.LISTEN)
        first = self.publish(life, "one")
        assert first.status == 200
        after = life.next(KEPT + self.LISTEN)
        again = self.publish(after, "one")
        assert (again.status, again.body) == (200, first.body)
        assert "Idempotency-Replayed: true" in again.head
        assert self.publish(after, "one", b'{"network":"kept","data":{"n":2}}').status == 422
        assert after.held("kept") == [{"n": 1}]
        late = life.next(KEPT + self.LISTEN, away=601)
        assert self.publish(late, "one").status == 200
        assert late.held("kept") == [{"n": 1}, {"n": 1}]

    def test_so_is_one_in_the_dialect_of_centrifugo(self):
        life = Life(KEPT + self.LISTEN)

        def publish(life):
            body = json.dumps({"channel": "kept", "data": 1, "idempotency_key": "x"}).encode()
            return self.ask(life, http.post("/api/publish", body, "X-API-Key: k")).body

        first = publish(life)
        after = life.next(KEPT + self.LISTEN)
        assert publish(after) == first
        assert after.held("kept") == [1]

    def test_a_listen_token_is_as_good_as_before(self):
        life = Life(KEPT + self.LISTEN)
        answer = self.ask(life, http.post("/tokens", b'{"listen":["kept"]}', "API-KEY: k"))
        token = json.loads(answer.body)["token"]
        after = life.next(KEPT + self.LISTEN)
        path = f"/listen/kept?token={token}"
        assert self.ask(after, http.get(path, "Accept: text/event-stream")).status == 200
        assert self.ask(Life(KEPT + self.LISTEN), http.get(path)).status == 403


class TestWhatIsNoState:
    @pytest.fixture
    def data(self, life):
        life.publish("kept", 1, 2)
        life.publish("a", 1, retain=True)
        life.call("radiod.channel.create", "mine", on_owner_leave="keep")
        return life.stop()

    def assert_refused(self, data, what="."):
        """It is, in one sentence, and leaves no trace."""
        life = Life(KEPT)
        before = life.shown()
        with pytest.raises(StateError, match=what) as refused:
            restore(life.radio, data)
        assert "\n" not in str(refused.value)
        assert life.shown() == before

    def test_what_is_cut_off(self, data):
        for end in range(0, len(data), 7):
            self.assert_refused(data[:end])
        self.assert_refused(data[:-1], "cut off")
        self.assert_refused(data + b"\0", "end")

    def test_what_is_damaged_anywhere(self, data):
        for at in range(0, len(data), 7):
            self.assert_refused(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
