"""Whatever comes from other nodes, or is in a stream: nothing of it is an exception, and the node goes on."""

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cluster.desks import DeskWorld

from radiod.core.cluster.letters import Answer, Failed, Told, decode, encode
from radiod.core.cluster.ports import Stored

CREATE = "radiod.channel.create"


class Ear:
    """Between the engine and one node: notes all that comes, ``letters`` without what numbers them."""

    def __init__(self, user, noted):
        self._user = user
        self._noted = noted

    def __getattr__(self, name):
        return getattr(self._user, name)

    def came(self, subject, reply, data):
        letter = decode(data)
        if isinstance(letter, Told):
            self._noted[("told", letter.about, data[:0] + letter.data)] = None
        else:
            self._noted[("came", subject, data)] = None
        self._user.came(subject, reply, data)

    def stored(self, record):
        self._noted[("stored", record.subject, record.data)] = None
        self._user.stored(record)


class Noisy(DeskWorld):
    """Nodes a and b, where much has happened: ``noted`` is all that has come at a of b."""

    def __init__(self):
        super().__init__("a", "b")
        self.noted = {}
        for way in self["a"].ways:
            way._bus_user = Ear(way._bus_user, self.noted)
            if way._stream_user is not None:
                way._stream_user = Ear(way._stream_user, self.noted)
        self.people = [self.caller(name, name) for name in "ab"]
        self._happen()
        self.advance(2)

    def _happen(self):
        one, other = self.people
        for topic in ("wamp.", "radiod.", "song"):
            one.ask(32, {"match": "prefix"}, topic)
        other.ask(32, {}, "song")
        other.ask(16, {"acknowledge": True, "retain": True}, "song", [1])
        history = {"size": 5, "seconds": 60}
        other.do(CREATE, "past", history=history, presence=True)
        assert other.do(CREATE, "secret", public=False, key="k", single_writer=True)["name"] == "secret"
        for caller in self.people:
            caller.ask(32, {}, "past")
        other.ask(16, {"acknowledge": True}, "past", [2])
        one.do("radiod.presence.get", "past")
        other.do("wamp.session.add_testament", "song", [3], {})
        other.do("radiod.channel.open_write", "secret", key="k")
        other.ask(64, {"invoke": "roundrobin"}, "a.procedure")
        one.ask(64, {}, "own.procedure")
        for procedure in ("wamp.session.list", "wamp.subscription.list"):
            one.do(procedure)
            other.do(procedure)
        self._call(one, other, "a.procedure")
        self._call(other, one, "own.procedure")
        other.ask(64, {"match": "prefix"}, "another.")

    def _call(self, caller, callee, procedure):
        callee.received()
        for _ in range(3):
            caller.request(48, {"receive_progress": True}, procedure, [1])
            self.turn()
        caller.send(49, caller.requests, {"mode": "killnowait"})
        invocations = [one for one in callee.received() if one[0] == 68]
        callee.send(70, invocations[0][1], {"progress": True}, [1])
        callee.send(70, invocations[0][1], {}, [1])
        callee.send(8, 68, invocations[1][1], {}, "an.error")
        self.turn()

    def send(self, what, where, data):
        """Have this come at a as if b, or the engine, had sent it."""
        node = self["a"].cluster
        if what == "stored":
            seq = 1 + max(stream.seq for stream in self.engine.streams.values())
            node.records.stored(Stored(where, seq, 0, data))
        elif what == "came":
            for user in (node.nodes, node.way):
                user.came(where, "", data)
        else:
            self._tell(where, data)

    def _tell(self, about, data):
        node = self["a"].cluster.nodes
        (me,) = (self["b"].cluster.nodes.me,)
        other = node._members.known.get(me)
        if other is not None:
            for question in (0, 7):
                letter = Told(me, min(other.had, 2**63) + 1, about, data, question)
                node.came(node.post.subject(node.me), "", encode(letter))

    def answer(self, data, uri=None):
        """Answer all that a has asked of b."""
        node = self["a"].cluster.nodes
        for question in list(node.post.questions._open.values()):
            other = node._members.known[question.node]
            number = other.had + 1
            letter = (
                Answer(question.node, number, question.id, data)
                if uri is None
                else Failed(question.node, number, question.id, uri, "why")
            )
            node.came(node.post.subject(node.me), "", encode(letter))


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 2**53, 2**64 - 1, -(2**63), 1.5, float("nan"), float("inf")]),
    st.sampled_from(["", "#", "exact", "single", "song", "past", "#0", "a.procedure", "\x00", "json"]),
    st.sampled_from([b"", b"?", b"{}", b"\xff"]),
    st.sampled_from([[], {}, [[]], [1, 2], {"a": 1}, {1: 2}]),
)


def mutate(value, chance, leaf):
    """``value`` with something else somewhere in it, or more, or less."""
    if isinstance(value, list | dict) and value and chance.random() < 0.9:
        place = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
        value = value.copy()
        if chance.random() < 0.1:
            del value[place]
        else:
            value[place] = mutate(value[place], chance, leaf)
        return value
    if isinstance(value, bytes) and value and chance.random() < 0.7:
        try:
            inside = msgspec.msgpack.decode(value)
        except msgspec.MsgspecError:
            return leaf
        return msgspec.msgpack.encode(mutate(inside, chance, leaf))
    return leaf


def mutated(data, chance, leaf):
    try:
        return msgspec.msgpack.encode(mutate(msgspec.msgpack.decode(data), chance, leaf))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return data


def goes_on(world):
    """That the node of whoever listens is as before."""
    world.advance(10)
    world.advance(10)
    caller = world.caller("a", "late")
    assert isinstance(caller.do("wamp.session.count"), int)
    assert caller.ask(32, {}, "tune")[0] == 33


@given(st.data())
@settings(max_examples=15)
def test_bytes_of_any_kind_are_dropped(data):
    world = Noisy()
    wheres = sorted({(what, where) for what, where, _ in world.noted})
    for _ in range(40):
        what, where = data.draw(st.sampled_from(wheres))
        world.send(what, where, data.draw(st.binary(max_size=30)))
    goes_on(world)


@given(st.data())
@settings(max_examples=25)
def test_letters_that_somebody_has_changed_are_no_exceptions(data):
    world = Noisy()
    noted = list(world.noted)
    for _ in range(40):
        what, where, letter = data.draw(st.sampled_from(noted))
        chance = Random(data.draw(st.integers(0, 2**32)))
        world.send(what, where, mutated(letter, chance, data.draw(LEAVES)))
        if chance.random() < 0.2:
            world.turn()
    goes_on(world)


@pytest.mark.parametrize("answer", [b"", b"?", b"\x93\x00\x01\xc4\x01?", 3000 * b"\x91"])
@pytest.mark.parametrize(
    "procedure",
    ["wamp.session.count", "wamp.session.list", "wamp.subscription.list", "wamp.session.kill_all"],
)
def test_answers_of_any_kind_are_as_none(answer, procedure):
    world = Noisy()
    caller = world.people[0]
    caller.received()
    caller.request(48, {}, procedure, [])
    world.answer(answer)
    (result,) = [one for one in caller.received() if one[0] in (8, 50)]
    assert (result[0], result[4]) == (50, {"unanswered": ["b"]})


def test_one_line_of_the_log_tells_of_each_kind():
    world = Noisy()
    for _ in range(10):
        world.send("told", "radio callees", b"?")
        world.send("told", "radio readers", b"?")
    lines = [line for line in world["a"].lines if "no node of this version writes" in line]
    assert lines == [
        f"node b sends what no node of this version writes, of radio {part}: it is dropped"
        for part in ("callees", "readers")
    ]
    assert world["a"].cluster.nodes.malformed == 40
