"""Serializers, checked against ``json``, ``msgpack`` and ``cbor2`` used without radiod."""

import base64
import json
import math
from datetime import UTC, datetime
from decimal import Decimal

import cbor2
import msgpack
import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.payloads import FORMS, UNFIT

from radiod.errors import PeerError, Refused
from radiod.wire import messages
from radiod.wire.codecs import CBOR, CODECS, JSON, MSGPACK, NOTHING, Payload, Undecodable
from radiod.wire.messages import ClientMessage, Publish, Unfit
from radiod.wire.options import Passthru, PublishOptions

# --- the reference: each serializer by a library of its own ---------------------------------------------


class Json:
    codec = JSON

    @staticmethod
    def dump(value):
        return json.dumps(value).encode()

    @staticmethod
    def load(data):
        return json.loads(data)

    @staticmethod
    def join(parts):
        return b"[" + b", ".join(parts) + b"]"


class Msgpack:
    codec = MSGPACK
    dump = staticmethod(msgpack.packb)

    @staticmethod
    def load(data):
        # As Autobahn|Python does.
        return msgpack.unpackb(data)

    @staticmethod
    def join(parts):
        return bytes([0x90 + len(parts)]) + b"".join(parts)


class Cbor:
    codec = CBOR
    dump = staticmethod(cbor2.dumps)
    load = staticmethod(cbor2.loads)

    @staticmethod
    def join(parts):
        return bytes([0x80 + len(parts)]) + b"".join(parts)


REFERENCES = [Json, Msgpack, Cbor]

every_codec = pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: r.codec.name)
every_pair = pytest.mark.parametrize(
    ("source", "target"),
    [(a.codec, b.codec) for a in REFERENCES for b in REFERENCES],
    ids=lambda codec: codec.name,
)

# --- values ---------------------------------------------------------------------------------------------


floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=12).filter(lambda text: text != "__proto__") | st.sampled_from(
    ["", "é", "\u2028", "😀", "\0", "\0\0", "\0é", "a\0b", '"\\/']
)
# In WAMP's JSON a text that begins with NUL stands for binary data.
plain_texts = texts.filter(lambda text: not text.startswith("\0"))
integers = st.integers(-(2**63), 2**64 - 1) | st.sampled_from([0, -1, 2**53, 2**53 + 1, 2**64 - 1, -(2**63)])


def nested(leaves):
    return st.recursive(
        leaves,
        lambda children: st.lists(children, max_size=4) | st.dictionaries(texts, children, max_size=4),
        max_leaves=12,
    )


json_values = nested(st.none() | st.booleans() | integers | floats | plain_texts)
values = nested(st.none() | st.booleans() | integers | floats | plain_texts | st.binary(max_size=20))
args_lists = st.lists(values, max_size=4)
kwargs_dicts = st.dictionaries(texts, values, max_size=4)

# --- messages as lists of elements, with their payload --------------------------------------------------

ids = st.integers(1, 2**53)
uris = st.text(max_size=40)
details = st.dictionaries(st.text(max_size=8), json_values, max_size=3)
payloads = st.sampled_from([0, 1, 2]).flatmap(
    lambda count: st.tuples(*[st.lists(json_values), st.dictionaries(texts, json_values)][:count])
)
matches = st.sampled_from(["exact", "prefix", "wildcard"])
id_lists = st.none() | st.lists(ids, max_size=4)
name_lists = st.none() | st.lists(uris, max_size=4)


def options(**fields):
    return st.fixed_dictionaries({}, optional=fields)


passthru = {name: st.none() | uris for name in Passthru.__struct_fields__}
publish_options = options(
    **passthru,
    disclose_me=st.booleans(),
    acknowledge=st.booleans(),
    exclude_me=st.booleans(),
    retain=st.booleans(),
    exclude=id_lists,
    eligible=id_lists,
    exclude_authid=name_lists,
    eligible_authid=name_lists,
    exclude_authrole=name_lists,
    eligible_authrole=name_lists,
)
roles = st.dictionaries(
    st.sampled_from(["publisher", "subscriber", "caller", "callee"]),
    st.builds(dict, features=details),
    min_size=1,
)
hello_details = st.fixed_dictionaries(
    {"roles": roles},
    optional={
        "agent": st.none() | uris,
        "authid": st.none() | uris,
        "authmethods": st.none() | st.lists(uris, max_size=4),
        "authextra": st.none() | details,
    },
)

NO_PAYLOAD = st.just(())
HEADS = {
    messages.Hello: ((st.just(1), uris, hello_details), NO_PAYLOAD),
    messages.ClientAbort: ((st.just(3), details, uris), payloads),
    messages.Authenticate: ((st.just(5), st.text(max_size=80), details), NO_PAYLOAD),
    messages.Goodbye: ((st.just(6), details, uris), NO_PAYLOAD),
    messages.InvocationError: ((st.just(8), st.just(68), ids, options(**passthru), uris), payloads),
    messages.Publish: ((st.just(16), ids, publish_options, uris), payloads),
    messages.Subscribe: (
        (st.just(32), ids, options(match=matches, get_retained=st.booleans()), uris),
        NO_PAYLOAD,
    ),
    messages.Unsubscribe: ((st.just(34), ids, ids), NO_PAYLOAD),
    messages.Call: (
        (
            st.just(48),
            ids,
            options(
                **passthru,
                timeout=st.integers(0, 2**53),
                receive_progress=st.booleans(),
                progress=st.booleans(),
                disclose_me=st.booleans(),
            ),
            uris,
        ),
        payloads,
    ),
    messages.Cancel: (
        (st.just(49), ids, options(mode=st.sampled_from(["skip", "kill", "killnowait"]))),
        NO_PAYLOAD,
    ),
    messages.Register: (
        (
            st.just(64),
            ids,
            options(
                match=matches,
                invoke=st.sampled_from(["single", "random"]),
                concurrency=st.none() | st.integers(1, 2**53),
                forward_timeout=st.booleans(),
            ),
            uris,
        ),
        NO_PAYLOAD,
    ),
    messages.Unregister: ((st.just(66), ids, ids), NO_PAYLOAD),
    messages.Yield: ((st.just(70), ids, options(**passthru, progress=st.booleans())), payloads),
}


def test_every_message_is_tried():
    assert set(HEADS) == set(messages.ClientMessage.__args__)
    assert set(ROUTER) >= set(messages.RouterMessage.__args__)


def heads_and_payloads(kind):
    head, payload = HEADS[kind]
    return st.tuples(st.tuples(*head), payload)


client_messages = st.sampled_from(list(HEADS)).flatmap(heads_and_payloads)

router_details = st.dictionaries(st.text(max_size=8), json_values, max_size=3)
counts = st.integers(0, 2**53)
ROUTER = {
    messages.Welcome: (2, [counts, router_details]),
    messages.Abort: (3, [router_details, uris]),
    messages.Challenge: (4, [uris, router_details]),
    messages.Goodbye: (6, [router_details, uris]),
    messages.Error: (8, [st.sampled_from([16, 32, 48]), counts, router_details, uris]),
    messages.Published: (17, [counts, counts]),
    messages.Subscribed: (33, [counts, counts]),
    messages.Unsubscribed: (35, [counts]),
    messages.Event: (36, [counts, counts, router_details]),
    messages.Result: (50, [counts, router_details]),
    messages.Registered: (65, [counts, counts]),
    messages.Unregistered: (67, [counts]),
    messages.Invocation: (68, [counts, counts, router_details]),
    messages.Interrupt: (69, [counts, router_details]),
    messages.SubscriptionRevoked: (35, [counts, router_details]),
    messages.RegistrationRevoked: (67, [counts, router_details]),
}


def plain(value):
    """A struct as the dictionary it came from; only keys that were given can be compared."""
    if isinstance(value, msgspec.Struct):
        return {key: plain(item) for key, item in msgspec.structs.asdict(value).items()}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def assert_field(field, given):
    """``field`` holds ``given``; options that were not given have defaults, which are not looked at here."""
    found = plain(field)
    if isinstance(given, dict):
        assert {key: found[key] for key in given} == given
    else:
        assert found == given


def assert_peer_error(codec, data):
    with pytest.raises(PeerError) as refusal:
        codec.decode(data)
    assert refusal.value.uri == "wamp.error.protocol_violation"
    return refusal.value


def assert_undecodable(function, *arguments):
    with pytest.raises(Undecodable):
        function(*arguments)


def assert_unfit(codec, args, kwargs=b"", **options):
    """The message is one, and its payload is refused; gives the reason."""
    head = {
        JSON: b'[16,1,{},"a",',
        MSGPACK: b"\x95\x10\x01\x80\xa1a" if not kwargs else b"\x96\x10\x01\x80\xa1a",
        CBOR: b"\x85\x10\x01\xa0\x61a" if not kwargs else b"\x86\x10\x01\xa0\x61a",
    }[codec]
    whole = (
        head
        + args
        + (b"," + kwargs if kwargs and codec is JSON else kwargs)
        + (b"]" if codec is JSON else b"")
    )
    message = codec.decode(whole)
    with pytest.raises(Refused) as refusal:
        codec.payload(message.args, message.kwargs, **options)
    assert refusal.value.uri == "wamp.error.invalid_argument"
    assert refusal.value.text.startswith("the payload cannot be passed on: ")
    return refusal.value.text


def assert_message_or_peer_error(codec, data):
    """The contract of ``decode`` and all that may follow it: nothing else ever leaves the wire layer."""
    try:
        message = codec.decode(data)
        payload = codec.payload(getattr(message, "args", b""), getattr(message, "kwargs", b""))
    except (PeerError, Refused):
        return
    assert isinstance(message, ClientMessage | Unfit)
    assert_everybody_can_read(payload)


def assert_everybody_can_read(payload):
    """What was accepted reaches all, in every serializer, and strict decoders take it."""
    for reference in REFERENCES:
        for part in payload.parts(reference.codec):
            if part:
                reference.load(part)
    args, kwargs = payload.values()
    assert isinstance(args, list)
    assert isinstance(kwargs, dict)


# --- decoding -------------------------------------------------------------------------------------------


@every_codec
@pytest.mark.parametrize("kind", HEADS, ids=lambda kind: kind.__name__)
@settings(max_examples=15)
@given(data=st.data())
def test_every_message_keeps_its_fields_and_the_bytes_of_its_payload(reference, kind, data):
    head, payload = data.draw(heads_and_payloads(kind))
    raw = [reference.dump(part) for part in payload]
    message = reference.codec.decode(reference.join([*map(reference.dump, head), *raw]))
    assert type(message) is kind
    for name, given_value in zip(kind.__struct_fields__, head[1:], strict=False):
        assert_field(getattr(message, name), given_value)
    if "args" in kind.__struct_fields__:
        carried = reference.codec.payload(message.args, message.kwargs)
        assert [carried.args, carried.kwargs] == [*raw, b"", b""][:2]
        assert len(carried) == sum(map(len, raw))


@every_codec
@given(data=st.binary(max_size=80))
def test_arbitrary_bytes_are_a_message_or_a_peer_error(reference, data):
    assert_message_or_peer_error(reference.codec, data)


@every_codec
@given(
    message=client_messages,
    cuts=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    patch=st.binary(max_size=4),
)
def test_a_message_with_a_few_bytes_replaced_is_a_message_or_a_peer_error(reference, message, cuts, patch):
    head, payload = message
    data = reference.join([reference.dump(part) for part in [*head, *payload]])
    start, stop = sorted(int(cut * len(data)) for cut in cuts)
    assert_message_or_peer_error(reference.codec, data[:start] + patch + data[stop:])


@every_codec
@given(message=client_messages, flip=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_a_message_with_one_byte_changed_is_a_message_or_a_peer_error(reference, message, flip, bits):
    head, payload = message
    data = bytearray(reference.join([reference.dump(part) for part in [*head, *payload]]))
    data[int(flip * len(data))] ^= bits
    assert_message_or_peer_error(reference.codec, bytes(data))


ODD = st.sampled_from(
    [
        math.nan,
        math.inf,
        -0.0,
        1.0,
        1e300,
        2.0**53,
        2**64,
        -(2**70),
        10**400,
        "\ud7ff",
        "\0",
        [[[]]],
        {"": {}},
    ]
)
CBOR_ONLY = st.sampled_from(
    [
        cbor2.undefined,
        cbor2.CBORSimpleValue(99),
        datetime(2020, 1, 1, tzinfo=UTC),
        Decimal("1e999999"),
        Decimal("NaN"),
        {1: 2, b"x": 3},
        {(1, 2): "tuple"},
        {frozenset([1])},
    ]
) | st.builds(cbor2.CBORTag, st.integers(0, 300), json_values)


@every_codec
@given(data=st.data())
def test_any_structure_in_any_place_is_a_message_or_a_peer_error(reference, data):
    oddities = values | ODD | CBOR_ONLY if reference is Cbor else json_values | ODD
    head, payload = data.draw(client_messages)
    message = [*head, *payload]
    at = data.draw(st.integers(0, len(message)))
    message[at : at + 1] = [data.draw(oddities)]
    try:
        encoded = reference.join([reference.dump(part) for part in message])
    except (OverflowError, ValueError, TypeError):
        # This serializer has no way to say it.
        assume(False)
    assert_message_or_peer_error(reference.codec, encoded)


CBOR_PIECES = bytes.fromhex("8182a1c0c4c5d81e2000fb9fbf")


@given(st.lists(st.sampled_from(CBOR_PIECES) | st.integers(0, 255), max_size=40))
def test_cbor_made_of_tags_and_containers_is_a_message_or_a_peer_error(tail):
    assert_message_or_peer_error(CBOR, b"\x85\x10\x01\xa0\x61a" + bytes(tail))
    assert_message_or_peer_error(CBOR, b"\x84\x10\x01\xa1\x61x" + bytes(tail))


@every_codec
@given(value=json_values)
def test_a_value_that_is_no_list_is_no_message(reference, value):
    assume(not isinstance(value, list))
    assert_peer_error(reference.codec, reference.dump(value))


@every_codec
@pytest.mark.parametrize("message", [[], [16], [[16]], [None, 1, {}, "a"], ["16", 1, {}, "a"]])
def test_a_list_without_a_message_in_it_is_refused(reference, message):
    assert_peer_error(reference.codec, reference.dump(message))


@every_codec
def test_bytes_behind_the_message_are_refused(reference):
    data = reference.dump([16, 1, {}, "a.topic"])
    assert_peer_error(reference.codec, data + data)


@every_codec
def test_an_empty_message_is_refused(reference):
    assert_peer_error(reference.codec, b"")


@pytest.mark.parametrize("depth", [500, 5_000, 100_000])
@pytest.mark.parametrize(
    ("codec", "head", "opening", "closing"),
    [
        (JSON, b'[16,1,{},"a",', b"[", b"]"),
        (MSGPACK, b"\x95\x10\x01\x80\xa1a", b"\x91", b""),
        (CBOR, b"\x85\x10\x01\xa0\x61a", b"\x81", b""),
    ],
    ids=["json", "msgpack", "cbor"],
)
def test_deep_nesting_ends_in_an_answer_and_not_in_the_interpreter(codec, head, opening, closing, depth):
    end = b"]" if codec is JSON else b""
    nest = opening * depth + (b"" if codec is JSON else {MSGPACK: b"\x90", CBOR: b"\x80"}[codec])
    assert_message_or_peer_error(codec, head + nest + closing * depth + end)
    # In the options, it is parsed at once.
    before = {JSON: b'[16,1,{"x":', MSGPACK: b"\x94\x10\x01\x81\xa1x", CBOR: b"\x84\x10\x01\xa1\x61x"}[codec]
    after = {JSON: b'},"a"]', MSGPACK: b"\xa1a", CBOR: b"\x61a"}[codec]
    assert_message_or_peer_error(codec, before + nest + closing * depth + after)


@pytest.mark.parametrize("at", [b'[16,1,{"x":"%b"},"a"]', b'[16,1,{},"a",["%b"]]', b'[16,1,{},"%b"]'])
def test_json_that_is_not_utf_8_is_refused_even_where_it_is_not_parsed(at):
    assert JSON.decode(at % "é".encode()) is not None
    for bad in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf"):
        assert "utf-8" in assert_peer_error(JSON, at % bad).text


@every_codec
def test_a_complaint_is_one_short_line(reference):
    secret = "sesame\n" * 200
    for message in ([16, secret, {}, "a"], [16, 1, {"match": secret}], [secret]):
        text = assert_peer_error(reference.codec, reference.dump(message)).text
        assert len(text) < 260
        assert "\n" not in text


class TestIntegralFloats:
    """JavaScript clients write ids as floats in the binary serializers."""

    @every_codec
    @pytest.mark.parametrize("id", [1.0, 7.0, 2.0**53])
    def test_are_accepted_as_ids(self, reference, id):
        message = reference.codec.decode(reference.dump([34, id, id]))
        assert (message.request, message.subscription) == (int(id), int(id))
        assert type(message.request) is int

    @every_codec
    @pytest.mark.parametrize("which", ["exclude", "eligible"])
    def test_are_accepted_as_session_ids_in_the_options(self, reference, which):
        sent = [16, 5.0, {which: [2.0**53, 1], "acknowledge": True}, "a.topic", [20.0], {"x": 3.0}]
        message = reference.codec.decode(reference.dump(sent))
        assert getattr(message.options, which) == [2**53, 1]
        assert message.options.acknowledge
        args, kwargs = reference.codec.payload(message.args, message.kwargs).values()
        assert [type(args[0]), type(kwargs["x"])] == [float, float]

    @every_codec
    @pytest.mark.parametrize("id", [1.5, 0.0, -1.0, 2.0**53 + 2, math.inf, -math.inf, math.nan, 1e300])
    def test_are_refused_when_they_are_no_id(self, reference, id):
        assert_peer_error(reference.codec, reference.dump([34, 1, id]))
        assert_peer_error(reference.codec, reference.dump([16, 1, {"exclude": [id]}, "a"]))

    @every_codec
    def test_are_not_accepted_in_place_of_something_else(self, reference):
        assert_peer_error(reference.codec, reference.dump([16, 1.0, {}, 2.0]))
        assert_peer_error(reference.codec, reference.dump([16, 1.0, 2.0, "a"]))
        assert_peer_error(reference.codec, reference.dump([16, 1.0, {"exclude": 2.0}, "a"]))

    @every_codec
    def test_are_accepted_as_numbers_in_the_options(self, reference):
        call = reference.codec.decode(reference.dump([48, 1, {"timeout": 1000.0}, "a"]))
        assert (call.options.timeout, type(call.options.timeout)) == (1000, int)
        register = reference.codec.decode(reference.dump([64, 1, {"concurrency": 2.0}, "a"]))
        assert (register.options.concurrency, type(register.options.concurrency)) == (2, int)

    @every_codec
    @pytest.mark.parametrize("value", [1.5, -1.0, 2.0**53 + 2, 1e300, 1e20, math.inf, math.nan, [1.0], {}])
    def test_are_refused_as_numbers_that_they_are_not(self, reference, value):
        assert_peer_error(reference.codec, reference.dump([48, 1, {"timeout": value}, "a"]))
        assert_peer_error(reference.codec, reference.dump([64, 1, {"concurrency": value}, "a"]))

    def test_a_malformed_payload_beside_them_is_refused(self):
        head = b"\x95\x10" + msgpack.packb(1.0) + b"\x80\xa1a"
        for payload in (b"\x91", b"\xc1", b"\x90\x90", b""):
            assert_peer_error(MSGPACK, head + payload)
        for payload in (b"[", b"[}", b"[]]", b""):
            assert_peer_error(JSON, b'[16,1,{"exclude":[1.5]},"a",%b]' % payload)
            assert_peer_error(JSON, b'[48,1,{"timeout":1.0},"a",%b]' % payload)

    @pytest.mark.parametrize(
        "payload", [b"\x91\xd6\xff\x00\x00\x00\x00", b"\x91\xc4\x01\xff", b"\x91\xcb" + bytes(8)]
    )
    def test_what_is_beside_them_is_passed_on_as_it_is(self, payload):
        message = MSGPACK.decode(b"\x95\x10" + msgpack.packb(1.0) + b"\x80\xa1a" + payload)
        assert MSGPACK.payload(message.args, message.kwargs).args == payload

    def test_numbers_beside_them_keep_their_digits(self):
        message = JSON.decode(b'[48, 1, {"timeout": 1e3}, "a", [1.10, 1E5, "\\u0000"]]')
        assert message.options.timeout == 1000
        assert JSON.payload(message.args, message.kwargs).args == b'[1.10, 1E5, "\\u0000"]'

    @pytest.mark.parametrize("payload", [[b"\0\1", 2**64 - 1, "\0", {"k": [1.0]}], [10**3, -0.5]])
    def test_leave_the_payload_as_it_was(self, payload):
        message = MSGPACK.decode(msgpack.packb([16, 1.0, {}, "a", payload]))
        assert MSGPACK.payload(message.args, message.kwargs).values() == (payload, {})


class TestUndefined:
    """JavaScript clients send options that they were not given: no value, rather than a wrong one."""

    UNDEFINED = pytest.mark.parametrize(
        ("reference", "undefined"),
        [(Msgpack, msgpack.ExtType(0, b"\0")), (Cbor, cbor2.undefined)],
        ids=["msgpack", "cbor"],
    )

    @UNDEFINED
    @pytest.mark.parametrize(
        "message",
        [
            [16, 1, {"acknowledge": ..., "exclude": ..., "ppt_scheme": ..., "retain": True}, "a", [5.0]],
            [32, 1, {"match": ..., "get_retained": ...}, "a"],
            [48, 1, {"timeout": ..., "progress": True, "receive_progress": ..., "disclose_me": ...}, "a"],
            [49, 1, {"mode": ...}],
            [64, 1, {"match": ..., "invoke": "last", "concurrency": ..., "forward_timeout": ...}, "a"],
            [70, 1, {"progress": ..., "enc_algo": ...}, [1], {"x": 1}],
            [8, 68, 1, {"ppt_cipher": ...}, "a"],
            [1, "radio", {"roles": {"caller": {"features": ...}}, "authid": ..., "authextra": ...}],
        ],
        ids=lambda message: message[0],
    )
    def test_is_absent_from_options(self, reference, undefined, message):
        sent, meant = ([change(item) for item in message] for change in (with_value(undefined), without))
        codec = reference.codec
        decoded, expected = codec.decode(reference.dump(sent)), codec.decode(reference.dump(meant))
        assert type(decoded) is type(expected)
        for name in decoded.__struct_fields__:
            values = getattr(decoded, name), getattr(expected, name)
            assert values[0] == values[1] or [*map(bytes, values)] == [bytes(values[1])] * 2

    @UNDEFINED
    def test_is_nothing_where_anything_may_stand(self, reference, undefined):
        hello = [
            1,
            "radio",
            {"roles": {"caller": {"features": {"x": undefined}}}, "authextra": {"y": undefined}},
        ]
        details = reference.codec.decode(reference.dump(hello)).details
        assert details.roles["caller"].features.get("x") is None
        assert details.authextra.get("y") is None

    @UNDEFINED
    @pytest.mark.parametrize(
        "message",
        [
            [16, 1, {}, ...],
            [16, 1, ..., "a"],
            [16, 1, {"exclude": [...]}, "a"],
            [34, 1, ...],
            [1, "radio", ...],
        ],
        ids=str,
    )
    def test_is_wrong_elsewhere(self, reference, undefined, message):
        sent = [with_value(undefined)(item) for item in message]
        assert_peer_error(reference.codec, reference.dump(sent))

    @pytest.mark.parametrize("other", [msgpack.ExtType(1, b"\0"), msgpack.ExtType(0, b"\1")])
    def test_other_extensions_are_wrong(self, other):
        assert_peer_error(MSGPACK, msgpack.packb([48, 1, {"timeout": other}, "a"]))
        hello = MSGPACK.decode(
            msgpack.packb([1, "radio", {"roles": {"caller": {}}, "authextra": {"x": other}}])
        )
        assert hello.details.authextra["x"] == msgspec.msgpack.Ext(other.code, other.data)


def with_value(value):
    """A function that puts ``value`` where an ellipsis stands, inside of lists and dictionaries too."""

    def change(item):
        if isinstance(item, dict):
            return {key: change(inner) for key, inner in item.items()}
        if isinstance(item, list):
            return [change(inner) for inner in item]
        return value if item is ... else item

    return change


def without(item):
    """The same without what an ellipsis stands for."""
    if not isinstance(item, dict):
        return item
    return {key: without(inner) for key, inner in item.items() if inner is not ...}


class TestCbor:
    @pytest.mark.parametrize("tag", [25, 29])
    def test_refuses_references(self, tag):
        args = cbor2.dumps([cbor2.CBORTag(tag, 0)])
        assert "references" in assert_unfit(CBOR, args)
        assert_undecodable(CBOR.load, args)

    def test_cannot_be_made_to_build_a_cycle(self):
        assert_undecodable(CBOR.load, bytes.fromhex("d81c81d81d00"))

    @pytest.mark.parametrize("first", [0x98, 0x9F, 0xA0, 0x60, 0x00])
    def test_a_message_is_a_short_definite_array(self, first):
        assert_peer_error(CBOR, bytes([first]) + bytes(30))

    def test_indefinite_containers_are_welcome_in_a_payload(self):
        message = CBOR.decode(b"\x86\x10\x01\xa0\x61a\x9f\x01\x02\xff\xbf\x61k\x03\xff")
        assert CBOR.payload(message.args, message.kwargs).values() == ([1, 2], {"k": 3})

    def test_a_length_that_is_not_there_reserves_no_memory(self):
        assert_peer_error(CBOR, b"\x85\x10\x01\xa0\x61a\x9b\x7f\xff\xff\xff\xff\xff\xff\xff")
        assert_peer_error(CBOR, b"\x85\x10\x01\xa0\x61a\x81\x5b\x00\x00\x00\x7f\xff\xff\xff\xff")


# --- payloads -------------------------------------------------------------------------------------------


@every_codec
@pytest.mark.parametrize("value", [None, 1, "[]", True, 1.5, {}])
def test_args_that_are_no_list_are_refused(reference, value):
    message = reference.codec.decode(reference.dump([16, 1, {}, "a", value]))
    with pytest.raises(PeerError, match="args must be a list"):
        reference.codec.payload(message.args, message.kwargs)


@every_codec
@pytest.mark.parametrize("value", [None, 1, "{}", True, 1.5, []])
def test_kwargs_that_are_no_dictionary_are_refused(reference, value):
    message = reference.codec.decode(reference.dump([16, 1, {}, "a", [], value]))
    with pytest.raises(PeerError, match="kwargs must be a dictionary"):
        reference.codec.payload(message.args, message.kwargs)


@every_codec
@pytest.mark.parametrize("size", [0, 1, 15, 16, 300, 70_000])
def test_lists_and_dictionaries_of_every_length_class_are_taken(reference, size):
    args, kwargs = [0] * size, {str(n): n for n in range(size)}
    message = reference.codec.decode(reference.dump([16, 1, {}, "a", args, kwargs]))
    assert reference.codec.payload(message.args, message.kwargs).values() == (args, kwargs)


@every_pair
@given(args=args_lists, kwargs=kwargs_dicts)
def test_a_payload_means_the_same_in_every_serializer(source, target, args, kwargs):
    payload = Payload(source, source.dump(args), source.dump(kwargs))
    moved = Payload(target, *payload.parts(target))
    assert moved.values() == (args, kwargs)
    assert _types(moved.values()) == _types((args, kwargs))


def _types(value):
    """The shape of a value in types: Python holds that 1 == 1.0 == True."""
    if isinstance(value, dict):
        return {key: _types(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_types(item) for item in value]
    return type(value)


@given(args_lists)
def test_json_carries_binary_data_as_base64_behind_a_nul(args):
    def reference(value):
        if isinstance(value, bytes):
            return "\0" + base64.b64encode(value).decode()
        if isinstance(value, str) and value.startswith("\0"):
            return reference(value.encode())
        if isinstance(value, list):
            return [reference(item) for item in value]
        if isinstance(value, dict):
            return {key: reference(item) for key, item in value.items()}
        return value

    assert json.loads(JSON.dump(args)) == reference(args)


@pytest.mark.parametrize("text", ["\0é", "\0a", "\0====", "\0 YQ==", "\0YQ==\n", "\0YQ=", "\0-_-_"])
def test_a_nul_string_that_is_no_base64_stays_a_string(text):
    assert JSON.load(json.dumps([text, {"k": text}]).encode()) == [text, {"k": text}]


def test_a_key_that_begins_with_nul_stays_a_string():
    assert JSON.load(b'{"\\u0000YQ==": "\\u0000YQ=="}') == {"\0YQ==": b"a"}


@pytest.mark.parametrize("number", [2**64, 2**200, -(2**63) - 1, -(10**60)])
def test_integers_above_64_bits_are_floats_in_msgpack(number):
    for source in (CBOR, JSON):
        payload = Payload(source, source.dump([number, {"k": [number]}]), b"")
        assert json.loads(payload.parts(JSON)[0]) == [number, {"k": [number]}]
        assert cbor2.loads(payload.parts(CBOR)[0]) == [number, {"k": [number]}]
        assert msgpack.unpackb(payload.parts(MSGPACK)[0]) == [float(number), {"k": [float(number)]}]
        assert type(msgpack.unpackb(payload.parts(MSGPACK)[0])[0]) is float


@pytest.mark.parametrize("value", [object(), iter([]), len])
@every_codec
def test_what_a_serializer_cannot_say_is_undecodable(reference, value):
    assert_undecodable(reference.codec.dump, [value])


@every_codec
def test_a_value_nested_without_end_is_undecodable(reference):
    cycle = []
    cycle.append(cycle)
    assert_undecodable(reference.codec.dump, cycle)


@every_codec
def test_lone_surrogates_are_undecodable(reference):
    assert_undecodable(reference.codec.dump, ["\ud800"])


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        (JSON, b'["\\ud800"]'),
        (JSON, b"[1e999]"),
        (JSON, b"[NaN]"),
        (JSON, b"[1"),
        (MSGPACK, b"\x91\xa1\xff"),
        (MSGPACK, b"\x81\x90\x01" + b"\x00"),
        (MSGPACK, b"\x92\x01"),
        (MSGPACK, b"\x91\x81\xa9__proto__\x00"),
        (CBOR, b"\x81\x61\xff"),
        (CBOR, b"\x82\x01"),
        (CBOR, b"\x81\xd8\x1e\x82\x01\x00"),
        (CBOR, b"\x81\x01\x02"),
        (CBOR, b"\x81\xc1\xfb\x7e\x37\xe4\x3c\x88\x00\x75\x9c"),
    ],
)
def test_malformed_payloads_are_undecodable(codec, data):
    payload = Payload(codec, data, b"")
    assert_undecodable(codec.load, data)
    assert_undecodable(payload.values)
    for other in {JSON, MSGPACK, CBOR} - {codec}:
        assert_undecodable(payload.parts, other)


@pytest.mark.parametrize(("codec", "kwargs"), [(MSGPACK, b"\x81\x01\x02"), (CBOR, b"\xa1\x01\x02")])
def test_keywords_become_strings(codec, kwargs):
    assert Payload(codec, b"", kwargs).values() == ([], {"1": 2})


def test_a_payload_in_its_own_serializer_is_not_even_looked_at():
    assert Payload(JSON, b"[not json", b"{").parts(JSON) == (b"[not json", b"{")


def test_transcoding_happens_once_for_all_receivers():
    payload = Payload(JSON, b'["a", 1]', b'{"k": null}')
    first, second = payload.parts(CBOR), payload.parts(CBOR)
    assert (first[0] is second[0], first[1] is second[1]) == (True, True)
    first, second = payload.parts(MSGPACK), payload.parts(MSGPACK)
    assert (first[0] is second[0], first[1] is second[1]) == (True, True)
    assert payload.parts(CBOR) != payload.parts(MSGPACK)


def test_an_absent_part_stays_absent_in_every_serializer():
    for codec in (JSON, MSGPACK, CBOR):
        assert NOTHING.parts(codec) == (b"", b"")
        assert Payload(codec, b"", b"").values() == ([], {})
    assert len(NOTHING) == 0


def test_a_payload_of_ones_own_making():
    assert Payload.of(1, b"\0", a="x").values() == ([1, b"\0"], {"a": "x"})
    assert Payload.of("only").kwargs == b""


# --- encoding -------------------------------------------------------------------------------------------


@every_codec
@pytest.mark.parametrize("kind", ROUTER, ids=lambda kind: kind.__name__)
@settings(max_examples=15)
@given(data=st.data())
def test_every_router_message_is_the_list_of_the_specification(reference, kind, data):
    code, fields = ROUTER[kind]
    drawn = [data.draw(field) for field in fields]
    payload = data.draw(payloads)
    origin = data.draw(st.sampled_from([JSON, MSGPACK, CBOR]))
    carried = Payload(origin, *([origin.dump(part) for part in payload] + [b"", b""])[:2])
    encoded = reference.codec.encode(kind(*drawn), carried)
    assert reference.load(encoded) == [code, *drawn, *payload]
    assert reference.load(reference.codec.encode(kind(*drawn))) == [code, *drawn]
    assert reference.codec.encode(kind(*drawn), NOTHING) == reference.codec.encode(kind(*drawn))


@every_codec
@given(kwargs=st.dictionaries(texts, json_values, min_size=1))
def test_kwargs_without_args_follow_an_empty_list(reference, kwargs):
    payload = Payload(reference.codec, b"", reference.codec.dump(kwargs))
    encoded = reference.codec.encode(messages.Result(9, {}), payload)
    assert reference.load(encoded) == [50, 9, {}, [], kwargs]


@every_codec
def test_a_payload_that_cannot_be_transcoded_is_not_sent(reference):
    other = MSGPACK if reference.codec is not MSGPACK else CBOR
    malformed = Payload(other, b"\x91\xc1" if other is MSGPACK else b"\x81\x1c", b"")
    assert_undecodable(reference.codec.encode, messages.Event(1, 2, {}), malformed)


def test_codecs_are_listed_by_the_names_of_the_subprotocols():
    assert list(CODECS) == ["json", "msgpack", "cbor"]
    assert [codec.rawsocket_id for codec in CODECS.values()] == [1, 2, 3]
    assert [codec.is_binary for codec in CODECS.values()] == [False, True, True]


def test_defaults_of_options_are_not_shared_between_messages():
    first, second = (JSON.decode(b'[1,"r",{"roles":{"caller":{}}}]') for _ in range(2))
    first.details.roles["caller"].features["x"] = 1
    assert second.details.roles["caller"].features == {}
    assert isinstance(JSON.decode(b'[16,1,{},"a"]'), Publish)
    assert PublishOptions() == JSON.decode(b'[16,1,{},"a"]').options


@every_codec
@pytest.mark.parametrize("value", ["text", b"\x00\x01"])
def test_an_opaque_payload_is_one_string_and_stays_that(reference, value):
    codec = reference.codec
    args = msgspec.Raw(codec.dump(value))
    with pytest.raises(PeerError, match="args"):
        codec.payload(args, msgspec.Raw())
    payload = codec.payload(args, msgspec.Raw(), is_opaque=True)
    assert all(other.load(payload.parts(other)[0]) == value for other in CODECS.values())
    with pytest.raises(Undecodable, match="opaque"):
        payload.values()


@every_codec
def test_an_opaque_payload_is_a_string_alone(reference):
    codec = reference.codec
    for args, kwargs in ((codec.dump(7), b""), (codec.dump("text"), codec.dump({}))):
        with pytest.raises(PeerError):
            codec.payload(msgspec.Raw(args), msgspec.Raw(kwargs), is_opaque=True)


# --- what each value is elsewhere -----------------------------------------------------------------------

HEADS_OF_ONE = {JSON: b"[%b]", MSGPACK: b"\x91%b", CBOR: b"\x81%b"}


def received(codec, args, kwargs=b""):
    """The payload of a PUBLISH that holds these bytes, as it is passed on."""
    parts = [args, kwargs] if kwargs else [args]
    if codec is JSON:
        data = b'[16,1,{},"a",' + b",".join(parts) + b"]"
    else:
        head = {MSGPACK: (0x94, b"\x10\x01\x80\xa1a"), CBOR: (0x84, b"\x10\x01\xa0\x61a")}[codec]
        data = bytes([head[0] + len(parts)]) + head[1] + b"".join(parts)
    message = codec.decode(data)
    return codec.payload(message.args, message.kwargs)


KEYWORD = {JSON: b'{"k":%b}', MSGPACK: b"\x81\xa1k%b", CBOR: b"\xa1\x61k%b"}


@pytest.mark.parametrize(
    ("source", "data", "expected"),
    [(source, data, expected) for _, source, data, *expected in FORMS],
    ids=[f"{what}, {source.name}" for what, source, *_ in FORMS],
)
class TestNearestForms:
    def test_reach_every_listener(self, source, data, expected):
        payload = received(source, HEADS_OF_ONE[source] % data, KEYWORD[source] % data)
        for reference, value in zip(REFERENCES, expected, strict=True):
            args, kwargs = map(reference.load, payload.parts(reference.codec))
            for (read,) in (args, kwargs.values()):
                assert same(read, value), reference

    def test_are_what_the_router_itself_reads(self, source, data, expected):
        (value,), kwargs = received(source, HEADS_OF_ONE[source] % data).values()
        # As JSON says it, which has fewer words.
        assert same(json.loads(JSON.dump(value)), expected[0])
        assert kwargs == {}


def same(read, expected):
    """Equal, of the same type, and NaN where NaN was expected."""
    if isinstance(expected, float) and math.isnan(expected):
        return isinstance(read, float) and math.isnan(read)
    return read == expected and type(read) is type(expected)


# --- what is passed on to nobody ------------------------------------------------------------------------


@pytest.mark.parametrize(("codec", "args", "reason"), UNFIT, ids=lambda value: getattr(value, "name", None))
class TestUnfit:
    def test_payloads_are_refused_by_name(self, codec, args, reason):
        assert reason in assert_unfit(codec, args)

    def test_keywords_are_refused_alike(self, codec, args, reason):
        empty = {JSON: b"[]", MSGPACK: b"\x90", CBOR: b"\x80"}[codec]
        kwargs = KEYWORD[codec] % args
        assert reason.split(" ")[0] in assert_unfit(codec, empty, kwargs)


class TestNesting:
    SHAPES = pytest.mark.parametrize(
        ("codec", "opening", "inner", "closing"),
        [(JSON, b"[", b"1", b"]"), (JSON, b'{"a":', b"1", b"}"),
         (MSGPACK, b"\x91", b"\x01", b""), (MSGPACK, b"\x81\xa1a", b"\x01", b""),
         (CBOR, b"\x81", b"\x01", b""), (CBOR, b"\xa1\x61a", b"\x01", b""),
         (CBOR, b"\x9f", b"\x01", b"\xff")],
        ids=lambda value: getattr(value, "name", str(value)),
    )  # fmt: skip

    @SHAPES
    @pytest.mark.parametrize("limit", [8, 64, 90])
    def test_is_bounded_alike_in_all(self, codec, opening, inner, closing, limit):
        def args(depth):
            return HEADS_OF_ONE[codec] % (opening * (depth - 1) + inner + closing * (depth - 1))

        message = codec.decode(_publish(codec, args(limit)))
        payload = codec.payload(message.args, message.kwargs, max_nesting=limit)
        for reference in REFERENCES:
            assert reference.load(payload.parts(reference.codec)[0])
        assert f"nested {limit + 1} deep, {limit} at most" in assert_unfit(
            codec, args(limit + 1), max_nesting=limit
        )


def _publish(codec, args):
    head = {JSON: b'[16,1,{},"a",', MSGPACK: b"\x95\x10\x01\x80\xa1a", CBOR: b"\x85\x10\x01\xa0\x61a"}[codec]
    return head + args + (b"]" if codec is JSON else b"")


def test_half_a_character_in_keywords_spares_the_session():
    assert "half a character" in assert_unfit(JSON, b'["\\ufffd", 1]', b'{"a":"\\ud800"}')


def test_halves_in_a_message_that_is_none_end_the_session():
    assert_peer_error(JSON, b'[16,1,{},"a",["\\ud800"')
    assert_peer_error(JSON, b'[16,1,{},1,["\\ud800"]]')


@pytest.mark.parametrize("codec", [MSGPACK, CBOR], ids=["msgpack", "cbor"])
class TestHeads:
    """They are built at once, by whoever sends them: before a login, too."""

    def head(self, codec, keys):
        dump = cbor2.dumps if codec is CBOR else msgpack.packb
        options = dict.fromkeys(keys, 0)
        hello = [1, "radio", {"roles": {"caller": {}}, "authextra": {"x": options}}]
        return [
            dump(hello),
            dump([16, 1, {"_radiod_stream": options}, "a"]),
            dump([16, 1, options, "a", [5], {}]),
        ]

    def test_with_keys_that_are_no_texts_are_refused(self, codec):
        for data in self.head(codec, range(10_000, 13_000)):
            assert "every key must be a text" in assert_peer_error(codec, data).text

    def test_with_keys_that_are_texts_are_taken(self, codec):
        for data in self.head(codec, map(str, range(3000))):
            codec.decode(data)

    def test_that_are_long_and_no_message_are_refused(self, codec):
        for first in (0x80, 0x90, 0xA0, 0xDC, 0x00):
            assert_peer_error(codec, bytes([first]) * 5000)


def test_a_long_message_of_one_element_is_none():
    assert_peer_error(MSGPACK, b"\x91" + msgpack.packb("x" * 5000))


def test_plain_bytes_are_checked_like_a_message():
    assert JSON.payload(b"[1]", b"").values() == ([1], {})
    assert CBOR.payload(b"\x81\x01", b"").values() == ([1], {})
    for codec, bad in ((JSON, b"[1e400]"), (CBOR, b"\x81\x61\xff"), (CBOR, b"\x81"), (MSGPACK, b"\x91")):
        with pytest.raises(Refused):
            codec.payload(bad, b"")
