"""States of other versions, and states that say anything: read as far as they are known, never a crash."""

from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import http
from support.lives import THEN, Life

from radiod.core.rights import Principal
from radiod.state import moments
from radiod.state.format import Section, StateError, read_sections, write_sections
from radiod.state.state import Head, restore
from radiod.webhooks.waiting import Letter

FROZEN = Path(__file__).parents[1] / "data" / "state-1-0"
"""What the first version with a state wrote (``freeze`` below): every version of format 1 reads it."""

TEXT = """
[realms.radio]
cookie_lifetime_s = 1000000

[realms.radio.channels.kept]
history = { size = 1000, seconds = 3e8 }

[realms.radio.channels."many.*"]
history = { size = 1000, seconds = 3e8 }

[realms.radio.channels.secret]
public = false
key = "the-key-of-it"
history = { size = 10, seconds = 3e8 }

[realms.radio.keys.k]
key = "k"
publish = ["kept"]
listen = ["kept"]

[realms.radio.webhooks.h]
url = "http://127.0.0.1:9/in"
secret = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
channels = ["a"]
"""


def full():
    """A life that has everything that a state may hold."""
    life = Life(TEXT)
    life.publish("kept", *range(600))
    life.publish("many.a", 1)
    life.publish("secret", 1, key="the-key-of-it")
    life.position("counted")
    life.publish("counted", 1)
    life.publish("retained", 1, retain=True, exclude_authid=["bob"])
    options = {"on_owner_leave": "keep", "lifetime": 1e8, "history": {"size": 5}}
    life.call("radiod.channel.create", "mine", **options)
    life.call("radiod.channel.create", "mine", public=False, key="k", **options)
    (gone,) = life.call("radiod.channel.create", "gone")
    life.call("radiod.channel.delete", "gone", gone["control_key"])
    life.ask(http.post("/publish", {"network": "kept", "data": {}}, "API-KEY: k", "Idempotency-Key: one"))
    life.radio.replays.is_new("k", THEN.time, b"x", THEN.time)
    admission = life.radio.admissions["radio"]
    joe = Principal(
        authid="joe",
        authrole="open",
        authmethod="ticket",
        authprovider="static",
        permissions=admission.roles["open"],
    )
    admission.cookies.remember("cookie", joe)
    life.radio.webhooks.resume("radio", "h", [Letter("msg_1", b"{}", 1)])
    return life


def freeze():
    """Write the file: ``PYTHONPATH=tests python -c 'import state.test_others as it; it.freeze()'``."""
    FROZEN.write_bytes(full().stop())


def woken(data):
    life = Life(TEXT)
    life.notes = restore(life.radio, data, THEN)
    return life


def assert_everything_is_there(life):
    assert life.notes == []
    assert life.held("kept")[:600] == list(range(600))
    assert life.held("many.a") == [1]
    realm = life.realm
    assert len(realm.channels.declared_private("secret").space.histories.of("secret")) == 1
    assert realm.space.histories.find("counted").seq == 1
    assert (life.retained("retained"), life.position("counted").split(":")[1]) == ([1], "1")
    assert realm.channels.created("mine") is not None
    assert life.call("radiod.channel.join", "mine", "k")[0]["name"] == "mine"
    assert ("gone", None) in realm.channels.closed
    assert len(life.radio.answers) == len(life.radio.replays) == 1
    assert life.radio.admissions["radio"].cookies.recall("cookie").authid == "joe"
    ((_, _, letters),) = life.radio.webhooks.kept()
    assert [letter.tries for letter in letters] == [1]


def test_what_the_first_version_wrote_is_read():
    life = woken(FROZEN.read_bytes())
    assert life.radio.tokens.secret != Life(TEXT).radio.tokens.secret
    assert_everything_is_there(life)


def test_what_this_version_writes_is_read():
    assert_everything_is_there(woken(full().stop()))


def test_what_a_later_version_adds_is_skipped():
    """Sections of kinds that are not known here, and more members of those that are."""
    sections = []
    for section in read_sections(full().stop()):
        body = bytes(section.body)
        if section.kind != b"past":
            body = msgspec.msgpack.encode({**msgspec.msgpack.decode(body), "later": [1, 2]})
        sections += [Section(section.kind, body), Section(b"new!", b"\xc1")]
    assert_everything_is_there(woken(b"".join(write_sections(sections))))


def sealed(kind, body, head=None):
    """A state with one section behind its head, whole by its checksums."""
    head = Head("0.1.0", THEN, moments.BYTE_ORDER) if head is None else head
    return b"".join(write_sections([Section(b"head", msgspec.msgpack.encode(head)), Section(kind, body)]))


SECTIONS = read_sections(full().stop())
KINDS = sorted({section.kind for section in SECTIONS})


@settings(max_examples=300)
@given(data=st.data())
def test_whatever_it_says_is_taken_or_refused(data):
    """Members that are something else, blocks that are others, sections in another order."""
    sections = list(SECTIONS)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(sections) - 1))
        section = sections[at]
        body = bytearray(section.body)
        act = data.draw(st.sampled_from(["flip", "cut", "drop", "twice", "kind"]))
        if act == "flip" and body:
            place = data.draw(st.integers(0, min(len(body), 200) - 1))
            body[place] = data.draw(st.integers(0, 255))
            sections[at] = Section(section.kind, bytes(body))
        elif act == "cut":
            sections[at] = Section(section.kind, bytes(body[: data.draw(st.integers(0, len(body)))]))
        elif act == "drop" and len(sections) > 1:
            del sections[at]
        elif act == "twice":
            sections.insert(at, section)
        else:
            sections[at] = Section(data.draw(st.sampled_from(KINDS)), bytes(body))
    life = Life(TEXT)
    before = life.shown()
    with suppress(StateError):
        restore(life.radio, b"".join(write_sections(sections)), THEN)
        before = life.shown()
    assert life.shown() == before
    for realm in life.radio.realms.values():
        histories = realm.space.histories
        for topic in histories.topics():
            assert sum(record.size for record in histories.of(topic)) == histories.find(topic).bytes


def test_one_of_another_machine_is_refused():
    data = sealed(b"real", b"", Head("0.1.0", THEN, "middle"))
    with pytest.raises(StateError, match="order of bytes"):
        restore(Life().radio, data)


def test_one_without_a_head_is_refused():
    with pytest.raises(StateError, match="no head"):
        restore(Life().radio, b"".join(write_sections([Section(b"real", b"")])))
    with pytest.raises(StateError, match="no head"):
        restore(Life().radio, b"".join(write_sections([])))
