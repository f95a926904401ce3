"""The WAMP protocol's own test vectors against the wire layer and against a realm.

They are data under another licence (CC BY-SA), so they are read where they lie: in the folder that
``RADIOD_WAMP_VECTORS`` names, by default ``../shared/wamp-vectors`` beside the repository. Without them this
module is skipped as a whole. Their README describes their form; UBJSON and FlatBuffers are left out, radiod
speaks neither.

Samples with ``serializers`` are used in the direction the message has: what a client sends is decoded, what
the router sends is encoded, ABORT and GOODBYE are both. Samples with ``wmsg`` are all given to
``Codec.decode``: what only a router sends is no ``ClientMessage``, so it is refused there, valid or not; a
valid one is encoded besides.
"""

import json
import os
from collections import defaultdict
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import cbor2
import msgpack
import msgspec
import pytest

from radiod.errors import PeerError
from radiod.testing import Peer, RecordingOutbox, make_realm
from radiod.wire.codecs import CBOR, JSON, MSGPACK, Payload
from radiod.wire.messages import ClientMessage, RouterMessage

ROOT = Path(__file__).parents[2]
VECTORS = Path(os.environ.get("RADIOD_WAMP_VECTORS") or ROOT.parent / "shared" / "wamp-vectors")

if not VECTORS.is_dir():
    pytest.skip(f"WAMP test vectors are not here: {VECTORS}", allow_module_level=True)

DIVERGENCES = {
    ("advanced/eventreceived", 0): "a message of Autobahn's (code 337, beyond WAMP's own), not announced",
    ("basic/publish", 35): "transaction_hash is Autobahn's: an unknown option, ignored whatever it holds",
    ("basic/publish", 38): "forward_for is Autobahn's: an unknown option, ignored whatever it holds",
    ("basic/publish", 40): "enc_algo is passed on as ppt_scheme is: only the receiver knows the schemes",
    ("basic/subscribe", 11): "forward_for is Autobahn's: an unknown option, ignored whatever it holds",
}
"""Samples that radiod takes otherwise, by file and position. All others must pass, and these must not."""

UNKNOWN_OPTIONS = {"forward_for", "transaction_hash"}
"""Options in the samples that radiod ignores."""

CLIENT = {kind.__struct_config__.tag: kind for kind in ClientMessage.__args__}
ROUTER = {kind.__struct_config__.tag: kind for kind in RouterMessage.__args__}
ERROR, INVOCATION, EVENT_RECEIVED = 8, 68, 337
SENT_BY_CLIENTS = {*CLIENT, EVENT_RECEIVED}

# --- the samples ----------------------------------------------------------------------------------------


class Sample(NamedTuple):
    """One sample, and where it stands."""

    file: str
    position: int
    code: int
    data: dict[str, Any]

    @property
    def place(self):
        return self.file, self.position

    @property
    def is_from_client(self):
        # The one ERROR a client sends answers an INVOCATION.
        if self.code == ERROR:
            return self.data["expected_attributes"]["request_type"] == INVOCATION
        return self.code in SENT_BY_CLIENTS

    @property
    def is_from_router(self):
        return self.code in ROUTER and not (self.code == ERROR and self.is_from_client)

    @property
    def has_payload(self):
        attributes = self.data["expected_attributes"]
        return any(attributes.get(part) is not None for part in ("args", "kwargs", "payload"))

    def variants(self, codec):
        return [bytes.fromhex(variant["bytes_hex"]) for variant in self.data["serializers"][codec.name]]


def load(folder):
    return {
        path.relative_to(VECTORS / folder).with_suffix("").as_posix(): json.loads(path.read_text())
        for path in sorted((VECTORS / folder).glob("*/*.json"))
    }


FILES = load("singlemessage")
CODES = {content["wamp_message_type"]: content["wamp_message_code"] for content in FILES.values()}
SAMPLES = [
    Sample(file, position, content["wamp_message_code"], data)
    for file, content in FILES.items()
    for position, data in enumerate(content["samples"])
]
SERIALIZED = [sample for sample in SAMPLES if "serializers" in sample.data]
LISTS = [sample for sample in SAMPLES if "wmsg" in sample.data]
INVALID = [sample for sample in LISTS if "expected_error" in sample.data]
VALID = [sample for sample in LISTS if "expected_error" not in sample.data]
SCRIPTS = load("multisession")


def every(samples):
    return pytest.mark.parametrize("sample", samples, ids=lambda sample: f"{sample.file}-{sample.position}")


every_codec = pytest.mark.parametrize("codec", [JSON, MSGPACK, CBOR], ids=lambda codec: codec.name)
every_pair = pytest.mark.parametrize(
    ("source", "target"),
    [(a, b) for a in (JSON, MSGPACK, CBOR) for b in (JSON, MSGPACK, CBOR) if a is not b],
    ids=lambda codec: codec.name,
)

# --- the reference: each serializer by a library of its own ---------------------------------------------

DUMP = {"json": lambda value: json.dumps(value).encode(), "msgpack": msgpack.packb, "cbor": cbor2.dumps}
LOAD = {"json": json.loads, "msgpack": msgpack.unpackb, "cbor": cbor2.loads}


def canonical(value):
    """A text that is the same for the same value; other than ``==`` it tells 1, 1.0 and True apart."""
    return json.dumps(value, sort_keys=True, default=lambda data: {"binary": data.hex()})


# --- comparing ------------------------------------------------------------------------------------------


def heads_of(sample, kind):
    """The sample's attributes as the fields of ``kind``, by name, without payload; none may be left over."""
    rest = {name.removesuffix("_id"): value for name, value in sample.data["expected_attributes"].items()}
    assert rest.pop("message_type") == sample.code
    for part in ("args", "kwargs", "payload"):
        rest.pop(part, None)
    if "roles" in rest:
        rest["details"] = {"roles": rest.pop("roles")}
    heads = {name: rest.pop(name) for name in kind.__struct_fields__ if name not in ("args", "kwargs")}
    assert rest == {}
    return heads


def assert_options(found, expected):
    """The options that radiod knows are as expected, and the others at their defaults."""
    known = {name: value for name, value in expected.items() if name in found.__struct_fields__}
    assert expected.keys() - known.keys() <= UNKNOWN_OPTIONS
    assert msgspec.structs.asdict(found) == msgspec.structs.asdict(type(found)()) | known


def assert_head(found, expected):
    if not isinstance(found, msgspec.Struct):
        assert canonical(found) == canonical(expected)
    elif "roles" in expected:
        assert found.roles.keys() == expected["roles"].keys()
        for name, role in found.roles.items():
            assert_options(role, expected["roles"][name])
        assert found == type(found)(roles=found.roles)
    else:
        assert_options(found, expected)


def carried(codec, message):
    """The payload of a decoded message."""
    is_opaque = getattr(message.options, "enc_algo", None) is not None
    return codec.payload(message.args, message.kwargs, is_opaque=is_opaque)


def assert_payload(codec, message, attributes):
    payload = carried(codec, message)
    if attributes.get("payload") is not None:
        assert codec.load(payload.args) == bytes.fromhex(attributes["payload"])
        assert payload.kwargs == b""
        return
    assert (payload.args == b"", payload.kwargs == b"") == (
        attributes.get("args") is None,
        attributes.get("kwargs") is None,
    )
    assert canonical(payload.values()) == canonical(
        (attributes.get("args") or [], attributes.get("kwargs") or {})
    )


def assert_refused(codec, data):
    with pytest.raises(PeerError) as refusal:
        codec.decode(data)
    assert refusal.value.uri == "wamp.error.protocol_violation"


def decodable(codec, variants):
    messages = []
    for data in variants:
        try:
            messages.append(codec.decode(data))
        except PeerError:
            continue
    return messages


def as_sent(sample, codec):
    """The sample as a message of the router, and its payload in ``codec``."""
    attributes = sample.data["expected_attributes"]
    args, kwargs = attributes.get("args"), attributes.get("kwargs")
    if attributes.get("payload") is not None:
        args = bytes.fromhex(attributes["payload"])
    parts = [b"" if part is None else codec.dump(part) for part in (args, kwargs)]
    kind = ROUTER[sample.code]
    return kind(**heads_of(sample, kind)), Payload(codec, *parts)


def assert_is_variant(codec, data, variants):
    """``data`` is one of ``variants``, or says the same: order and widths are the serializer's choice."""
    if data not in variants:
        load = LOAD[codec.name]
        assert canonical(load(data)) in [canonical(load(variant)) for variant in variants]


# --- the vectors themselves -----------------------------------------------------------------------------


def test_the_samples_were_found_and_each_is_put_to_use():
    assert len(SERIALIZED) >= 35
    assert len(LISTS) >= 67
    assert len(INVALID) >= 28
    assert len(SERIALIZED) + len(LISTS) == len(SAMPLES)
    assert all(sample.is_from_client or sample.is_from_router for sample in SERIALIZED)
    assert all(set(sample.data["serializers"]) >= {"json", "msgpack", "cbor"} for sample in SERIALIZED)
    assert SCRIPTS


def test_every_divergence_is_of_a_sample_that_would_show_it():
    decoded = [sample for sample in SERIALIZED if sample.is_from_client]
    assert DIVERGENCES.keys() <= {sample.place for sample in decoded + INVALID}


# --- serialized samples ---------------------------------------------------------------------------------


@every_codec
@every([sample for sample in SERIALIZED if sample.is_from_client])
def test_what_a_client_sends_is_decoded(sample, codec):
    messages = decodable(codec, sample.variants(codec))
    assert bool(messages) != (sample.place in DIVERGENCES)
    for message in messages:
        assert type(message) is CLIENT[sample.code]
        for name, expected in heads_of(sample, type(message)).items():
            assert_head(getattr(message, name), expected)
        if hasattr(message, "options") and hasattr(message, "args"):
            assert_payload(codec, message, sample.data["expected_attributes"])


@every_codec
@every([sample for sample in SERIALIZED if sample.is_from_router])
def test_what_the_router_sends_is_encoded(sample, codec):
    assert_is_variant(codec, codec.encode(*as_sent(sample, codec)), sample.variants(codec))


@every_codec
@every([sample for sample in SERIALIZED if not sample.is_from_client])
def test_what_only_a_router_sends_is_refused(sample, codec):
    for data in sample.variants(codec):
        assert_refused(codec, data)


@every_pair
@every([sample for sample in SERIALIZED if sample.has_payload])
def test_a_payload_is_the_same_in_another_serializer(sample, source, target):
    (told, *_), (wanted, *_) = sample.variants(source), sample.variants(target)
    if sample.is_from_client:
        payload = carried(source, source.decode(told))
    else:
        message, payload = as_sent(sample, source)
        assert_is_variant(target, target.encode(message, payload), [wanted])
    parts = payload.parts(target)
    kind = CLIENT[sample.code] if sample.is_from_client else ROUTER[sample.code]
    head = 1 + len(heads_of(sample, kind))
    there = [LOAD[target.name](part) for part in parts if part]
    assert canonical(there) == canonical(LOAD[target.name](wanted)[head:])
    back = [LOAD[source.name](part) for part in Payload(target, *parts).parts(source) if part]
    assert canonical(back) == canonical(LOAD[source.name](told)[head:])


# --- samples that are lists -----------------------------------------------------------------------------


def receive(codec, elements):
    """Decode a message and look at its payload, as the router does before it acts. Raises: PeerError."""
    message = codec.decode(DUMP[codec.name](elements))
    if hasattr(message, "args"):
        carried(codec, message)
    return message


@every_codec
@every([sample for sample in VALID if sample.is_from_client])
def test_a_valid_message_of_a_client_is_accepted(sample, codec):
    elements = sample.data["wmsg"]
    message = receive(codec, elements)
    assert type(message) is CLIENT[sample.code]
    for name, expected in zip(message.__struct_fields__, elements[1:], strict=False):
        found = getattr(message, name)
        # A payload is the bytes that its sender wrote.
        assert_head(codec.load(bytes(found)) if name in ("args", "kwargs") else found, expected)


@every_codec
@every([sample for sample in VALID if sample.is_from_router])
def test_a_valid_message_of_the_router_can_be_sent_but_not_received(sample, codec):
    _, *elements = sample.data["wmsg"]
    kind = ROUTER[sample.code]
    heads, parts = elements[: len(kind.__struct_fields__)], elements[len(kind.__struct_fields__) :]
    parts = [codec.dump(part) for part in parts]
    data = codec.encode(kind(*heads), Payload(codec, *[*parts, b"", b""][:2]))
    assert canonical(LOAD[codec.name](data)) == canonical(sample.data["wmsg"])
    assert_refused(codec, data)


@every_codec
@every(INVALID)
def test_an_invalid_message_is_refused(sample, codec):
    if sample.place in DIVERGENCES:
        assert type(receive(codec, sample.data["wmsg"])) is CLIENT[sample.code]
    else:
        assert_refused(codec, DUMP[codec.name](sample.data["wmsg"]))


# --- several sessions -----------------------------------------------------------------------------------


class Replay:
    """A script played to a realm: clients say their part, what the router says is compared.

    A script's ids are made up. Requests are renumbered, as sessions must count them from 1; any other id is
    bound to the one the router uses in its place, and has to stay that.
    """

    def __init__(self, script, codec):
        outbox = RecordingOutbox()
        realm = make_realm(outbox)
        self.peers = {
            session["session_id"]: Peer(realm, outbox, codec=codec) for session in script["sessions"]
        }
        self.waiting = defaultdict(list)
        self.heard = defaultdict(list)
        self._requests = {name: count(1) for name in self.peers}
        self._bound = {}

    def say(self, name, message):
        kind = CLIENT[CODES[message["type"]]]
        elements = [self._translated(name, *head) for head in self._heads(message, kind)]
        self.peers[name].send(CODES[message["type"]], *elements, *self._payload(message))
        for listener, peer in self.peers.items():
            self.waiting[listener] += peer.received()

    def hear(self, name, message):
        code, *elements = self.waiting[name].pop(0)
        assert code == CODES[message["type"]]
        self.heard[message["type"]].append(name)
        heads = self._heads(message, ROUTER[code])
        for (field, expected), found in zip(heads, elements, strict=False):
            if isinstance(expected, dict):
                assert expected.items() <= found.items()
            elif isinstance(expected, int):
                assert self._bound.setdefault(self._key(name, field, expected), found) == found
            else:
                assert found == expected
        assert elements[len(heads) :] == self._payload(message)

    def _heads(self, message, kind):
        plain = {key.removesuffix("_id"): value for key, value in message.items()}
        return [(field, plain[field]) for field in kind.__struct_fields__ if field not in ("args", "kwargs")]

    def _payload(self, message):
        return [message[part] for part in ("args", "kwargs") if part in message]

    def _key(self, name, field, id):
        return (name if field == "request" else None), field, id

    def _translated(self, name, field, value):
        if field == "request":
            return self._bound.setdefault(self._key(name, field, value), next(self._requests[name]))
        return self._bound[self._key(name, field, value)] if isinstance(value, int) else value


@every_codec
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_realm_plays_the_routers_part(script, codec):
    replay = Replay(script, codec)
    for step in script["sequence"]:
        if step["from"] == "router":
            replay.hear(step["to"], step["message"])
        else:
            replay.say(step["from"], step["message"])
    assert [message for waiting in replay.waiting.values() for message in waiting] == []
    assert replay.heard["EVENT"] == script["expected_outcome"]["event_recipients"]
