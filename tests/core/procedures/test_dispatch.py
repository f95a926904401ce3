"""Every procedure of the router under ``radiod.``: arguments, rights, and those that are not there."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.realms import SIGNATURES, World

from radiod.core.rights import Action
from radiod.core.uris import MAX_URI_LENGTH
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_PROCEDURE, NOT_AUTHORIZED
from radiod.testing import Allow
from radiod.wire.codecs import CBOR, CODECS

INFO = "radiod.server.info"
ECHO = "radiod.echo"


class TestArguments:
    @pytest.mark.parametrize("procedure", SIGNATURES)
    def test_too_many_are_refused(self, caller, procedure):
        assert caller.call(procedure, *["a"] * (len(SIGNATURES[procedure]) + 1)) == INVALID_ARGUMENT

    @pytest.mark.parametrize("procedure", SIGNATURES)
    @pytest.mark.parametrize("name", ["unknown", "self", "session", "", "x" * 1000, "a\nb"])
    def test_unknown_ones_are_refused(self, caller, procedure, name):
        assert caller.call(procedure, **{name: 1}) == INVALID_ARGUMENT

    @pytest.mark.parametrize("procedure", [name for name, parameters in SIGNATURES.items() if parameters])
    def test_one_given_twice_is_refused(self, caller, procedure):
        first = next(iter(SIGNATURES[procedure]))
        assert caller.call(procedure, "a", **{first: "a"}) == INVALID_ARGUMENT

    def test_those_that_only_the_receiver_could_read_are_refused(self, world):
        caller = world.join(features="caller.payload_passthru_mode")
        answer = caller.answer(48, {"enc_algo": "cryptobox"}, INFO, "sealed")
        assert answer[4:] == [INVALID_ARGUMENT, ["the payload is opaque"]]

    @pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
    def test_a_payload_that_cannot_be_parsed_is_refused(self, world, codec):
        caller = world.caller(codec=codec)
        malformed = {
            # A keyword that nobody has, a number out of range, a string that is not UTF-8.
            "cbor": CBOR.dump([48, 1, {}, INFO, [], {(1, 2): 2}]),
            "json": b'[48,1,{},"radiod.server.info",[1e999]]',
            "msgpack": b"\x95\x30\x01\x80\xb2radiod.server.info\x91\xa1\xff",
        }
        message = malformed[codec.name]
        caller.send_message(codec.decode(message))
        (answer,) = caller.received()
        assert answer[:5] == [8, 48, 1, {}, INVALID_ARGUMENT]


class TestUnknown:
    @pytest.mark.parametrize("name", ["radiod.nothing", "radiod.channel.created"])
    def test_what_is_not_there_is_no_such_procedure(self, caller, name):
        assert caller.call(name, 1) == NO_SUCH_PROCEDURE


class TestRights:
    @pytest.mark.parametrize("procedure", [*SIGNATURES, ECHO])
    def test_every_procedure_needs_the_right_to_call_it(self, world, procedure):
        mallory = world.caller(permissions=Allow(Action.PUBLISH, Action.SUBSCRIBE, Action.REGISTER))
        assert mallory.call(procedure) == NOT_AUTHORIZED


class TestEcho:
    @pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
    def test_echo_answers_with_what_it_got(self, world, codec):
        echo = world.caller(codec=codec)
        assert echo.ask(48, 1, {}, ECHO, [1, "x", [None]], {"k": b"\0"}) == [
            50,
            1,
            {},
            [1, "x", [None]],
            {"k": b"\0"},
        ]
        assert echo.ask(48, 2, {}, ECHO) == [50, 2, {}]


# Whatever a serializer can carry, sent to every procedure.
ERROR, RESULT, EVENT = 8, 50, 36

PARAMETERS = {
    name: list(signature)
    for name, (signature, _) in World().realm.procedures.table.items()
    if not name.startswith("wamp.session.kill")
}
NAMES = [
    "a", "a.b", "a.*", "a..b", "", ".", "*", " ", "a\0b", "a\x85", "\u202ea", "\ufffd", "wamp.",
    "wamp.x", "radiod.x", "radiod.presence.a",
    "x" * MAX_URI_LENGTH, "x" * (MAX_URI_LENGTH + 1), "x." * 200_000,
]  # fmt: skip
NUMBERS = [0, -1, 1, 2**31, 2**53, 2**53 + 1, 2**63, -(2**63), 0.5, -0.0, 1e-300, 1e300]
NOT_JSON = [float("nan"), float("inf"), float("-inf"), b"", b"\xff" * 8]

PLAIN = st.sampled_from([None, True, False, *NUMBERS, *NAMES, "delete", "keep", "ring", "detached"])
INNER = [
    "size",
    "seconds",
    "bytes",
    "policy",
    "every",
    "min_interval",
    "latest",
    "weight",
    "max_bytes",
    "match",
]


def nested(plain):
    return st.recursive(
        plain,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*INNER, "", "x" * 300]), inner, max_size=3)
        ),
        max_leaves=6,
    )


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


VALUES = {
    "json": nested(PLAIN) | st.just(deep(200)),
    "msgpack": nested(PLAIN | st.sampled_from(NOT_JSON)) | st.just(deep(200)),
    "cbor": nested(PLAIN | st.sampled_from([*NOT_JSON, 2**200, -(2**200)])) | st.just(deep(200)),
}


@settings(max_examples=400)
@given(data=st.data(), codec=st.sampled_from(list(CODECS.values())))
def test_whatever_is_sent_is_answered_once_and_never_raises(data, codec):
    """Names and keys that exist are among it, so that some calls come far."""
    world = World()
    caller = world.caller(codec=codec)
    keys = [caller.call("radiod.channel.create", "a")["control_key"]]
    keys.append(caller.call("radiod.channel.create", "b.c", public=False, key="k")["control_key"])
    caller.subscribe("a")
    values = VALUES[codec.name] | st.sampled_from([*keys, "k", "b.c"])
    for _ in range(data.draw(st.integers(1, 4))):
        procedure = data.draw(st.sampled_from(list(PARAMETERS)))
        names = PARAMETERS[procedure]
        count = data.draw(st.integers(0, len(names)))
        args = [data.draw(values) for _ in names[:count]]
        kwargs = {name: data.draw(values) for name in names[count:] if data.draw(st.booleans())}
        caller.received()
        caller.request(48, {}, procedure, args, kwargs)
        answers = [message for message in caller.received() if message[0] != EVENT]
        assert len(answers) == 1
        assert answers[0][0] in (ERROR, RESULT)
        written = world.realm.writers._by_session.get(caller.session, ())
        assert all(len(topic.topic) <= MAX_URI_LENGTH for topic in written)
    caller.leave()
    assert len(world.realm.writers) == 0
    assert not world.realm.sessions
