"""WebSocket at the byte level: what is not a plain frame, and plain listeners."""

import msgspec
import pytest
from support.memory import WebSocketWire, client_frame, server_frames, upgrade

HELLO = b'[1,"radio",{"roles":{"subscriber":{}}}]'


def opened(world, path="/listen/sample_net", extra=""):
    wire = world.connect()
    wire.send(upgrade(path, extra=extra))
    answer = wire.received()
    assert answer.startswith(b"HTTP/1.1 101 "), answer
    return wire


def close_code(wire):
    opcode, payload = wire.frames()[-1]
    assert opcode == 8
    return int.from_bytes(payload[:2], "big")


def status_of(wire):
    return int(wire.received().split()[1])


@pytest.mark.parametrize("protocols", [(), ("wamp.2.ubjson",), ("chat", "wamp.1")])
def test_an_upgrade_without_a_subprotocol_of_ours_is_refused(world, protocols):
    wire = world.connect()
    wire.send(upgrade("/ws", *protocols))
    assert status_of(wire) == 400
    assert wire.is_closed


def test_the_clients_first_subprotocol_that_is_known_is_taken(world):
    wire = world.connect()
    wire.send(upgrade("/ws", "wamp.2.ubjson", "wamp.2.cbor", "wamp.2.json"))
    assert b"Sec-WebSocket-Protocol: wamp.2.cbor\r\n" in wire.received()


@pytest.mark.parametrize("path", ["/", "/wss", "/listen", "/listen/", "/nowhere", "/static/x"])
def test_an_upgrade_where_nothing_listens_is_not_found(world, path):
    wire = world.connect()
    wire.send(upgrade(path))
    assert status_of(wire) == 404


def test_a_message_in_fragments_with_a_ping_between_is_one_message(world):
    wire = world.connect(WebSocketWire)
    wire.send(client_frame(0x01, HELLO[:5]))
    wire.send(client_frame(0x89, b"alive?"))
    wire.send(client_frame(0x00, HELLO[5:10]))
    wire.send(client_frame(0x80, HELLO[10:]))
    (pong, answer), (text, welcome) = wire.frames()
    assert (pong, answer) == (10, b"alive?")
    assert text == 1
    assert msgspec.json.decode(welcome)[0] == 2


def test_plain_frames_are_taken_again_after_a_fragmented_message(world):
    wire = world.connect(WebSocketWire)
    wire.send(
        client_frame(0x01, HELLO[:5]) + client_frame(0x80, HELLO[5:]) + wire.frame(b'[48,1,{},"radiod.echo"]')
    )
    assert [message[0] for message in wire.heard()] == [2, 50]


def test_more_fragments_than_allowed_close_the_connection(world):
    world.start(max_fragments=10)
    wire = world.connect(WebSocketWire)
    wire.send(client_frame(0x01, b"["))
    for _ in range(10):
        wire.send(client_frame(0x00, b""))
    assert close_code(wire) == 1008


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x02hi", 1002),  # not masked
        (client_frame(0xC1, b"hi"), 1002),  # RSV bit without an extension
        (client_frame(0x83, b"hi"), 1002),  # reserved opcode
        (client_frame(0x80, b"hi"), 1002),  # continuation of nothing
        (client_frame(0x09, b"hi"), 1002),  # fragmented control frame
        (client_frame(0x89, b"x" * 126), 1002),  # control frame too long
        (b"\x81\xfe\x00\x05\x00\x00\x00\x00hello", 1002),  # length in more bytes than needed
        (client_frame(0x82, HELLO), 1003),  # binary frame on a text subprotocol
        (client_frame(0x81, b"x" * 1_048_577), 1009),  # too long
        (client_frame(0x01, b"x" * 1_000_000) + client_frame(0x80, b"x" * 48_577), 1009),  # too long in all
    ],
)
def test_violations_of_the_protocol_get_their_close_code(world, data, code):
    wire = world.connect(WebSocketWire)
    wire.send(data)
    assert close_code(wire) == code
    wire.send(client_frame(0x88, code.to_bytes(2, "big")))
    assert wire.is_closed


def test_a_message_of_exactly_the_longest_length_is_taken(world):
    wire = world.join()
    empty = b'[48,1,{},"radiod.echo",[""]]'
    wire.send(wire.frame(empty.replace(b'""', b'"%b"' % (b"x" * (1_048_576 - len(empty))))))
    assert wire.heard()[0][0] == 50


def test_invalid_utf8_in_a_text_frame_ends_the_session(world):
    wire = world.connect(WebSocketWire)
    wire.send(wire.frame(b'[1,"radio",{"roles":{"subscriber":{}},"agent":"\xff"}]'))
    assert wire.heard()[0][0] == 3


def test_a_close_frame_is_answered(world):
    wire = world.connect(WebSocketWire)
    wire.send(client_frame(0x88, b"\x03\xe8"))
    assert wire.frames() == [(8, b"\x03\xe8")]
    assert wire.is_closed


def test_a_session_aborted_for_its_fault_is_closed_with_1002(world):
    wire = world.connect(WebSocketWire)
    wire.send(wire.frame(b"[]"))
    assert close_code(wire) == 1002


@pytest.mark.parametrize("path", ["/listen/sample_net", "/macro/sample/", "/listen/sample%5Fnet"])
def test_a_plain_listener_receives_the_data_and_nothing_else(world, path):
    listener, publisher = opened(world, path), world.connect(WebSocketWire)
    publisher.join()
    publisher.say([16, 1, {}, "sample_net", [{"a": 1}]])
    publisher.say([16, 2, {}, "sample_net", [1, 2], {"k": 3}], [16, 3, {}, "sample_net"])
    frames, _ = server_frames(listener.received())
    assert [(opcode, msgspec.json.decode(data)) for opcode, data in frames] == [
        (1, {"a": 1}),
        (1, {"args": [1, 2], "kwargs": {"k": 3}}),
        (1, {"args": [], "kwargs": {}}),
    ]


def test_what_a_plain_listener_says_is_ignored(world):
    listener = opened(world)
    listener.send(client_frame(0x81, b'[6,{},"x"]') + client_frame(0x82, b"\xff" * 1000))
    assert listener.received() == b""
    assert not listener.is_closed


def test_a_plain_listener_leaves_nothing_behind(world):
    listener = opened(world)
    realm = world.realm
    assert realm.space.broker.readers("sample_net") == 1
    listener.hang_up()
    assert (realm.space.broker.readers("sample_net"), realm.sessions) == (0, {})


@pytest.mark.parametrize(
    ("path", "extra", "status"),
    [
        ("/listen/forbidden", "", 403),
        ("/listen/wamp.session.on_join", "", 400),
        ("/listen/a%20b", "", 400),
        ("/listen/sample_net", "API-KEY: wrong\r\n", 403),
    ],
)
def test_a_listener_without_the_right_to_listen_is_refused_at_the_handshake(world, path, extra, status):
    wire = world.connect()
    wire.send(upgrade(path, extra=extra))
    assert status_of(wire) == status


@pytest.mark.parametrize("extra", ["API-KEY: sample-key\r\n", "Authorization: Bearer sample-key\r\n"])
def test_a_key_may_listen_where_nobody_else_may(world, extra):
    world.start('[realms.radio.keys.k]\nkey = "sample-key"\nlisten = ["a.*"]', base="")
    opened(world, "/listen/a.b", extra)
    wire = world.connect()
    wire.send(upgrade("/listen/a.b"))
    assert status_of(wire) == 403


def test_a_listener_is_told_that_the_server_goes_away_when_the_realm_closes(world):
    listener = opened(world)
    world.realm.close()
    listener.settle()
    ((opcode, payload),), _ = server_frames(listener.received())
    assert opcode == 8
    assert payload.startswith(b"\x03\xe9retry_after=")
