"""WAMP over WebSocket and RawSocket: one suite, two kinds of wire."""

import pytest
from support.answers import assert_aborted
from support.memory import HELLO, RawSocketWire, WebSocketWire

ROLES = HELLO[2]["roles"]


@pytest.fixture(params=[WebSocketWire, RawSocketWire], ids=["websocket", "rawsocket"])
def connect(world, request):
    return lambda: world.connect(request.param)


def joined(connect):
    wire = connect()
    wire.join()
    return wire


def test_welcome_announces_roles_and_version(connect):
    welcome = connect().ask(HELLO)
    assert welcome[0] == 2
    assert set(welcome[2]["roles"]) == {"broker", "dealer"}
    assert welcome[2]["x_radiod"]["version"]
    assert welcome[2]["authmethod"] == "anonymous"


def test_publish_reaches_subscribers_and_is_acknowledged(connect):
    publisher, subscriber = joined(connect), joined(connect)
    _, _, subscription = subscriber.ask([32, 1, {}, "a.b"])
    _, request, publication = publisher.ask([16, 1, {"acknowledge": True}, "a.b", [1, "zwei"], {"x": 3.5}])
    assert request == 1
    assert subscriber.heard() == [[36, subscription, publication, {}, [1, "zwei"], {"x": 3.5}]]
    assert publisher.heard() == []


def test_many_messages_in_one_segment_keep_their_order(connect):
    publisher, subscriber = joined(connect), joined(connect)
    subscriber.ask([32, 1, {}, "a"])
    publisher.say(*([16, i + 1, {}, "a", [i]] for i in range(500)))
    assert [event[4] for event in subscriber.heard()] == [[i] for i in range(500)]


def test_messages_arrive_whole_however_they_are_cut(connect):
    publisher, subscriber = joined(connect), joined(connect)
    subscriber.ask([32, 1, {}, "a"])
    data = publisher.frame(b'[16,1,{},"a",["one"]]') + publisher.frame(b'[16,2,{},"a",["two"]]')
    for cut in range(1, len(data)):
        publisher = joined(connect)
        publisher.send(data[:cut])
        publisher.send(data[cut:])
        assert [event[4] for event in subscriber.heard()] == [["one"], ["two"]]


def test_a_call_goes_to_the_callee_and_back(connect):
    caller, callee = joined(connect), joined(connect)
    _, _, registration = callee.ask([64, 1, {}, "add"])
    caller.say([48, 1, {}, "add", [2, 3]])
    ((_, invocation, *rest),) = callee.heard()
    assert rest == [registration, {}, [2, 3]]
    callee.say([70, invocation, {}, [5]])
    assert caller.heard() == [[50, 1, {}, [5]]]


def test_a_callee_that_hangs_up_ends_its_calls_at_once(connect):
    caller, callee = joined(connect), joined(connect)
    callee.ask([64, 1, {}, "add"])
    caller.say([48, 1, {}, "add"])
    callee.hang_up()
    caller.settle()
    ((code, kind, request, _, uri, *_),) = caller.heard()
    assert (code, kind, request, uri) == (8, 48, 1, "wamp.error.canceled")


def test_a_callee_that_never_answers_costs_the_caller_its_timeout(world, connect):
    caller, callee = joined(connect), joined(connect)
    callee.ask([64, 1, {}, "slow"])
    caller.say([48, 1, {"timeout": 250}, "slow"])
    world.reactor.advance(0.24)
    assert caller.heard() == []
    world.reactor.advance(0.02)
    ((*_, uri, _),) = caller.heard()
    assert uri == "wamp.error.timeout"


def test_goodbye_is_confirmed_and_the_client_may_join_again(connect):
    wire = joined(connect)
    assert wire.ask([6, {}, "wamp.close.close_realm"]) == [6, {}, "wamp.close.goodbye_and_out"]
    wire.join()
    assert wire.ask([48, 1, {}, "radiod.echo", [1]]) == [50, 1, {}, [1]]


def test_a_client_that_says_goodbye_and_stays_is_shown_out(world, connect):
    wire = joined(connect)
    wire.ask([6, {}, "wamp.close.close_realm"])
    world.reactor.advance(10.1)
    assert wire.is_closed or wire.received() != b""
    assert world.realm.sessions == {}


def test_a_client_that_never_says_hello_is_shown_out(world, connect):
    wire = connect()
    world.reactor.advance(10.1)
    assert_aborted(wire, "wamp.error.timeout")


def test_a_lost_connection_leaves_nothing_behind(world, connect):
    wire = joined(connect)
    wire.ask([32, 1, {}, "a"])
    wire.ask([64, 2, {}, "p"])
    wire.ask([48, 3, {}, "radiod.channel.create", ["mine"]])
    wire.hang_up()
    realm = world.realm
    assert (len(realm.space.broker), len(realm.dealer), realm.sessions) == (0, 0, {})
    assert [channel.name for channel in realm.channels] == ["sample_net"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"{}",
        b"[]",
        b"[16]",
        b'["16"]',
        b"[999,1]",
        b'[2,1,{"roles":{}}]',
        b'[16,"1",{},"a"]',
        b'[16,0,{},"a"]',
        b'[16,1.5,{},"a"]',
        b'[16,9007199254740993,{},"a"]',
        b'[16,1,[],"a"]',
        b"[16,1,{},1]",
        b'[16,1,{},"a",{}]',
        b'[16,1,{},"a",[],[]]',
        b'[16,1,{},"a",[NaN]]',
        b'[16,1,{},"a",[],{},1]',
        b'[16,1,{"acknowledge":1},"a"]',
        b'[16,1,{"exclude":["x"]},"a"]',
        b'[16,1,{},"a",["\xff"]]',
        b'[16,1,{},"a"',
        b'[32,1,{"match":"fuzzy"},"a"]',
        b'[48,1,{"timeout":-1},"a"]',
        b'[8,48,1,{},"a.b"]',
        b"[" * 100_000,
        b'[16,1,{},"a",' + b"[" * 50_000 + b"]" * 50_000 + b"]",
        b'[1,"radio",{"roles":{"subscriber":{}}}]',
        b'[5,"signature",{}]',
    ],
)
def test_a_peer_that_breaks_the_protocol_is_aborted_and_nobody_else_notices(connect, data):
    other, wire = joined(connect), joined(connect)
    other.ask([32, 1, {}, "a"])
    wire.send(wire.frame(data))
    assert_aborted(wire)
    assert other.heard() == []
    assert other.ask([48, 2, {}, "radiod.echo"]) == [50, 2, {}]


@pytest.mark.parametrize(
    "message", [[32, 1, {}, "a"], [16, 1, {}, "a"], [48, 1, {}, "radiod.echo"], [70, 1, {}]]
)
def test_nothing_but_hello_is_taken_before_welcome(connect, message):
    wire = connect()
    wire.say(message)
    assert_aborted(wire)


@pytest.mark.parametrize(
    ("hello", "uri"),
    [
        ([1, "nowhere", {"roles": ROLES}], "wamp.error.no_such_realm"),
        ([1, "no realm", {"roles": ROLES}], "wamp.error.invalid_uri"),
        ([1, "radio", {}], "wamp.error.protocol_violation"),
        ([1, "radio", {"roles": {}}], "wamp.error.protocol_violation"),
        ([1, "radio", {"roles": {"emperor": {}}}], "wamp.error.protocol_violation"),
        ([1, "radio", {"roles": ROLES, "authmethods": ["magic"]}], "wamp.error.no_matching_auth_method"),
        ([1, "closed", {"roles": ROLES}], "wamp.error.authentication_required"),
    ],
)
def test_a_hello_that_leads_nowhere_says_why(connect, hello, uri):
    wire = connect()
    wire.say(hello)
    assert_aborted(wire, uri)


def ticket_hello(authid, methods=("ticket",)):
    return [1, "radio", {"roles": ROLES, "authmethods": list(methods), "authid": authid}]


def test_a_ticket_opens_the_session_under_its_users_role(connect):
    wire = connect()
    assert wire.ask(ticket_hello("listener")) == [4, "ticket", {}]
    welcome = wire.ask([5, "listener-ticket", {}])
    assert (welcome[2]["authid"], welcome[2]["authrole"]) == ("listener", "listener")


WRONG = [("listener", "wrong"), ("nobody", "listener-ticket"), ("", "")]


@pytest.mark.parametrize(("authid", "ticket"), WRONG)
def test_a_wrong_ticket_and_an_unknown_user_get_the_same_answer(connect, authid, ticket):
    wire = connect()
    assert wire.ask(ticket_hello(authid)) == [4, "ticket", {}]
    wire.say([5, ticket, {}])
    ((_, details, uri),) = wire.heard()
    assert (details, uri) == (
        {"message": "unknown authid or wrong ticket"},
        "wamp.error.authentication_denied",
    )


def test_a_ticket_is_asked_for_once_only(connect):
    wire = connect()
    wire.ask(ticket_hello("listener"))
    wire.say([5, "wrong", {}], [5, "listener-ticket", {}])
    assert len(wire.heard()) == 1


def test_the_clients_order_of_methods_counts(connect):
    assert connect().ask(ticket_hello("listener", ("anonymous", "ticket")))[0] == 2
    assert connect().ask(ticket_hello("listener", ("magic", "ticket", "anonymous")))[:2] == [4, "ticket"]


def test_rights_are_those_of_the_role(connect):
    wire = connect()
    wire.ask(ticket_hello("listener"))
    wire.ask([5, "listener-ticket", {}])
    for message in ([16, None, {"acknowledge": True}, "a"], [64, None, {}, "p"]):
        code, kind, _, _, uri, _ = wire.ask(message)
        assert (code, kind, uri) == (8, message[0], "wamp.error.not_authorized")
    wire.say([16, None, {}, "a"])
    assert wire.heard() == []
