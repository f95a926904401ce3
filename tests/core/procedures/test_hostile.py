"""Every procedure of the router, called with whatever a serializer can carry."""

from hypothesis import given, settings
from hypothesis import strategies as st
from support.realms import World

from radiod.core.uris import MAX_URI_LENGTH
from radiod.wire.codecs import CODECS

ERROR, RESULT, EVENT = 8, 50, 36

REALM = World().realm
SIGNATURES = {
    name: list(signature)
    for name, (signature, _) in {**REALM.procedures.table, **REALM.meta.procedures}.items()
    if not name.startswith("wamp.session.kill")
}
NAMES = [
    "a", "a.b", "a.*", "a..b", "", ".", "*", " ", "a\0b", "a\x85", "\u202ea", "\ufffd", "wamp.", "wamp.x", "radiod.x",
    "radiod.presence.a", "x" * MAX_URI_LENGTH, "x" * (MAX_URI_LENGTH + 1), "x." * 200_000,
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
def test_is_answered_once_and_never_raises(data, codec):
    """A name that exists is among them, so that some calls come far."""
    world = World()
    caller = world.caller(codec=codec)
    keys = [caller.call("radiod.channel.create", "a")["control_key"]]
    keys.append(caller.call("radiod.channel.create", "b.c", public=False, key="k")["control_key"])
    caller.subscribe("a")
    values = VALUES[codec.name] | st.sampled_from([*keys, "k", "b.c"])
    for _ in range(data.draw(st.integers(1, 4))):
        procedure = data.draw(st.sampled_from(list(SIGNATURES)))
        names = SIGNATURES[procedure]
        count = data.draw(st.integers(0, len(names)))
        args = [data.draw(values) for _ in names[:count]]
        kwargs = {name: data.draw(values) for name in names[count:] if data.draw(st.booleans())}
        caller.received()
        caller.request(48, {}, procedure, args, kwargs)
        answers = [message for message in caller.received() if message[0] != EVENT]
        assert len(answers) == 1
        assert answers[0][0] in (ERROR, RESULT)
        assert not caller.session.writing or all(
            len(place.topic) <= MAX_URI_LENGTH for place in caller.session.writing
        )
    caller.leave()
    assert not world.realm.desk._demand
    assert not world.realm.sessions
