"""Who may come in and what they may do, from the configuration to the bytes."""

import pytest
from support.memory import HELLO, RawSocketWire, WebSocketWire, Wire, client_frame, make_radio, upgrade

FAILED = "wamp.error.authorization_failed"
DENIED = "wamp.error.not_authorized"
AUTHORIZE = "com.example.authorize"
RIGHTS = f"""
[realms.radio]
anonymous = "guest"

[realms.radio.roles.guest]
authorizer = "{AUTHORIZE}"
authorizer_timeout_s = 2
authorizer_cache_s = 30

[realms.radio.roles.service]
register = ["com.example.*"]
publish = ["*"]
subscribe = ["*"]
call = ["*"]

[realms.radio.users.joe]
role = "service"
ticket = "joes-ticket"
"""
REQUESTS = {
    "subscribe": [32, None, {}, "a.b"],
    "publish": [16, None, {"acknowledge": True}, "a.b", [1]],
    "call": [48, None, {}, "radiod.echo", [1]],
    "register": [64, None, {}, "a.b"],
}
ANSWERS = {"subscribe": 33, "publish": 17, "call": 50, "register": 65}


@pytest.fixture(params=[WebSocketWire, RawSocketWire], ids=["websocket", "rawsocket"])
def connect(request):
    def connect(radio):
        return request.param(*radio)

    return connect


def login(wire, ticket="joes-ticket", authid="joe"):
    challenge = wire.ask([*HELLO[:2], {**HELLO[2], "authmethods": ["ticket"], "authid": authid}])
    assert challenge[:2] == [4, "ticket"]
    welcome = wire.ask([5, ticket, {}])
    assert welcome[0] == 2
    return wire


def serving(wire, procedure):
    """``wire``, which answers ``procedure`` from now on."""
    answer = wire.ask([64, None, {}, procedure])
    assert answer[0] == 65, answer
    return wire


def asked(wire):
    """(request id, arguments) of the one INVOCATION that came."""
    (invocation,) = wire.heard()
    assert invocation[0] == 68
    return invocation[1], invocation[4]


class TestAuthorizer:
    """``authorizer`` of a role."""

    @pytest.fixture
    def radio(self):
        return make_radio(RIGHTS)

    @pytest.fixture
    def authorizer(self, radio):
        return serving(login(WebSocketWire(*radio)), AUTHORIZE)

    @pytest.fixture
    def guest(self, radio, connect):
        wire = connect(radio)
        wire.join()
        return wire

    @pytest.mark.parametrize("action", REQUESTS)
    @pytest.mark.parametrize("is_allowed", [True, False])
    def test_decides_on_every_action(self, authorizer, guest, action, is_allowed):
        guest.say(REQUESTS[action])
        assert guest.heard() == []
        request, (details, uri, asked_action, options) = asked(authorizer)
        assert (details["authrole"], details["authmethod"]) == ("guest", "anonymous")
        assert (uri, asked_action) == (REQUESTS[action][3], action)
        assert options == REQUESTS[action][2]
        authorizer.say([70, request, {}, [is_allowed]])
        guest.settle()
        (answer,) = guest.heard()
        assert answer[0] == (ANSWERS[action] if is_allowed else 8)
        assert is_allowed or answer[4] == DENIED

    @pytest.mark.parametrize("action", REQUESTS)
    def test_refuses_while_nobody_has_registered_it(self, guest, action):
        answer = guest.ask(REQUESTS[action])
        assert (answer[0], answer[4]) == (8, FAILED)

    def test_refuses_when_it_takes_too_long(self, radio, authorizer, guest):
        guest.say(REQUESTS["call"])
        radio[1].advance(2.1)
        (answer,) = guest.heard()
        assert (answer[0], answer[4]) == (8, FAILED)

    def test_refuses_what_waits_when_the_authorizer_leaves(self, authorizer, guest):
        guest.say(REQUESTS["call"])
        authorizer.hang_up()
        guest.settle()
        (answer,) = guest.heard()
        assert (answer[0], answer[4]) == (8, FAILED)

    def test_is_asked_again_when_its_answer_has_expired(self, radio, authorizer, guest):
        guest.say(REQUESTS["call"])
        authorizer.say([70, asked(authorizer)[0], {}, [{"allow": True, "cache": True}]])
        guest.settle()
        assert guest.heard()[0][0] == 50
        assert guest.ask(REQUESTS["call"])[0] == 50
        radio[1].advance(30)
        guest.heard()
        guest.say(REQUESTS["call"])
        assert asked(authorizer)[1][1] == "radiod.echo"

    def test_does_not_decide_for_other_roles(self, radio, authorizer):
        other = login(WebSocketWire(*radio))
        assert other.ask(REQUESTS["publish"])[0] == 17
        assert authorizer.heard() == []


SSE = b"GET /listen/a.b HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
LISTEN = {"events": SSE, "websocket": upgrade("/listen/a.b")}
STARTED = {"events": b"HTTP/1.1 200 ", "websocket": b"HTTP/1.1 101 "}


@pytest.mark.parametrize("way", LISTEN)
class TestListenersWithoutWamp:
    """``/listen`` for a role whose rights somebody else decides."""

    @pytest.fixture
    def radio(self):
        return make_radio(RIGHTS)

    @pytest.fixture
    def authorizer(self, radio):
        return serving(login(WebSocketWire(*radio)), AUTHORIZE)

    @pytest.fixture
    def listener(self, radio, authorizer, way):
        wire = Wire(*radio)
        wire.send(LISTEN[way])
        assert wire.received() == b""
        return wire

    def decide(self, authorizer, listener, answer):
        authorizer.say([70, asked(authorizer)[0], {}, [answer]])
        listener.settle()

    def test_wait_for_the_decision(self, authorizer, listener, way):
        request, (details, *question) = asked(authorizer)
        assert (details["authrole"], question) == ("guest", ["a.b", "subscribe", {}])
        authorizer.say([70, request, {}, [True]])
        assert listener.received().startswith(STARTED[way])
        authorizer.say([16, None, {}, "a.b", [{"x": 1}]])
        assert b'{"x":1}' in listener.received()

    def test_are_refused(self, authorizer, listener, way):
        self.decide(authorizer, listener, False)
        answer = listener.received()
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"may not subscribe a.b" in answer

    def test_are_refused_when_there_is_no_decision(self, radio, authorizer, listener, way):
        radio[1].advance(2.1)
        assert listener.received().startswith(b"HTTP/1.1 503 ")

    def test_are_refused_at_once_where_nobody_decides(self, radio, way):
        wire = Wire(*radio)
        wire.send(LISTEN[way])
        assert wire.received().startswith(b"HTTP/1.1 503 ")

    @pytest.mark.parametrize("answer", [True, False])
    def test_that_leave_before_the_decision_leave_nothing_behind(
        self, radio, authorizer, listener, way, answer
    ):
        listener.hang_up()
        self.decide(authorizer, listener, answer)
        assert listener.received() == b""
        assert list(radio[0].realms["radio"].sessions.values())[1:] == []
        assert radio[0].port.connections == 1

    def test_may_not_say_anything_meanwhile_that_is_taken_for_a_request(self, authorizer, listener, way):
        listener.send(LISTEN[way])
        listener.send(client_frame(0x89, b"alive?"))
        self.decide(authorizer, listener, True)
        assert listener.received().count(STARTED[way]) == 1
        assert authorizer.heard() == []
