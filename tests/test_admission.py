"""Who may come in and what they may do, from the configuration to the bytes."""

import json
import re

import pytest
from autobahn.wamp import auth
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.http import Answer, get
from support.memory import (
    HELLO,
    RawSocketWire,
    Requests,
    WebSocketWire,
    client_frame,
    upgrade,
)
from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.logger import capturedLogs, formatEvent

from radiod.core.rights import Action

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
ticket = "joe-ticket"
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
    def connect(world):
        return world.connect(request.param)

    return connect


def login(wire, ticket="joe-ticket", authid="joe"):
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
    def world(self, world):
        return world.start(RIGHTS, base="")

    @pytest.fixture
    def authorizer(self, world):
        return serving(login(world.connect(WebSocketWire)), AUTHORIZE)

    @pytest.fixture
    def guest(self, world, connect):
        wire = connect(world)
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

    def test_refuses_when_it_takes_too_long(self, world, authorizer, guest):
        guest.say(REQUESTS["call"])
        world.reactor.advance(2.1)
        (answer,) = guest.heard()
        assert (answer[0], answer[4]) == (8, FAILED)

    def test_refuses_what_waits_when_the_authorizer_leaves(self, authorizer, guest):
        guest.say(REQUESTS["call"])
        authorizer.hang_up()
        guest.settle()
        (answer,) = guest.heard()
        assert (answer[0], answer[4]) == (8, FAILED)

    def test_is_asked_again_when_its_answer_has_expired(self, world, authorizer, guest):
        guest.say(REQUESTS["call"])
        authorizer.say([70, asked(authorizer)[0], {}, [{"allow": True, "cache": True}]])
        guest.settle()
        assert guest.heard()[0][0] == 50
        assert guest.ask(REQUESTS["call"])[0] == 50
        world.reactor.advance(30)
        guest.heard()
        guest.say(REQUESTS["call"])
        assert asked(authorizer)[1][1] == "radiod.echo"

    def test_does_not_decide_for_other_roles(self, world, authorizer):
        other = login(world.connect(WebSocketWire))
        assert other.ask(REQUESTS["publish"])[0] == 17
        assert authorizer.heard() == []


class TestHoldingPublishers:
    """``hold_publishers`` of a role."""

    @pytest.mark.parametrize("policy", ["wait", "raise"])
    @pytest.mark.parametrize("key", ["", "hold_publishers = true\n", "hold_publishers = false\n"])
    def test_is_no_right_of_strangers_unless_it_is_given(self, connect, key, policy, world):
        world.start(
            f'[realms.radio]\nanonymous = "guest"\n[realms.radio.roles.guest]\n{key}subscribe = ["*"]\n'
        )
        wire = connect(world)
        wire.join()
        answer = wire.ask([32, None, {"_radiod_buffer": {"policy": policy}}, "a"])
        stream = world.ask(get(f"/listen/a?policy={policy}", "Accept: text/event-stream"))
        status = Answer(stream.received()).status
        if "true" in key:
            assert (answer[0], status) == (33, 200)
        else:
            assert (answer[0], answer[4], status) == (8, DENIED, 403)

    @pytest.mark.parametrize(("role", "is_allowed"), [("listener", False), ("member", True)])
    def test_is_a_right_of_users_but_for_the_built_in_role(self, connect, role, is_allowed, world):
        world.start(
            '[realms.radio.roles.member]\nsubscribe = ["*"]\n'
            f'[realms.radio.users.joe]\nrole = "{role}"\nticket = "joe-ticket"\n',
            base="",
        )
        answer = login(connect(world)).ask([32, None, {"_radiod_buffer": {"policy": "wait"}}, "a"])
        assert (answer[0] == 33) is is_allowed

    def test_is_taken_away_from_roles_with_an_authorizer_too(self, connect, world):
        world.start("realms.radio.roles.guest.hold_publishers = false", base=RIGHTS)
        authorizer, guest = serving(login(world.connect(WebSocketWire)), AUTHORIZE), connect(world)
        guest.join()
        guest.say([32, None, {"_radiod_buffer": {"policy": "wait"}}, "a"])
        request, _ = asked(authorizer)
        authorizer.say([70, request, {}, [True]])
        ((_, _, _, _, uri, *_),) = guest.heard()
        assert uri == DENIED


SSE = get("/listen/a.b", "Accept: text/event-stream")
LISTEN = {"events": SSE, "websocket": upgrade("/listen/a.b")}
STARTED = {"events": b"HTTP/1.1 200 ", "websocket": b"HTTP/1.1 101 "}


@pytest.mark.parametrize("way", LISTEN)
class TestListenersWithoutWamp:
    """``/listen`` for a role whose rights somebody else decides."""

    @pytest.fixture
    def world(self, world):
        return world.start(RIGHTS, base="")

    @pytest.fixture
    def authorizer(self, world):
        return serving(login(world.connect(WebSocketWire)), AUTHORIZE)

    @pytest.fixture
    def listener(self, world, authorizer, way):
        wire = world.ask(LISTEN[way])
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

    def test_are_refused_when_there_is_no_decision(self, world, authorizer, listener, way):
        world.reactor.advance(2.1)
        assert listener.received().startswith(b"HTTP/1.1 503 ")

    def test_are_refused_at_once_where_nobody_decides(self, world, way):
        wire = world.ask(LISTEN[way])
        assert wire.received().startswith(b"HTTP/1.1 503 ")

    @pytest.mark.parametrize("answer", [True, False])
    def test_that_leave_before_the_decision_leave_nothing_behind(
        self, world, authorizer, listener, way, answer
    ):
        listener.hang_up()
        self.decide(authorizer, listener, answer)
        assert listener.received() == b""
        assert list(world.realm.sessions.values())[1:] == []
        assert world.radio.port.connections == 1

    def test_may_not_say_anything_meanwhile_that_is_taken_for_a_request(self, authorizer, listener, way):
        listener.send(LISTEN[way])
        listener.send(client_frame(0x89, b"alive?"))
        self.decide(authorizer, listener, True)
        assert listener.received().count(STARTED[way]) == 1
        assert authorizer.heard() == []


AUTHENTICATE = "com.example.authenticate"
USERS = f"""
[realms.radio]
anonymous = "listener"

[realms.radio.dynamic]
methods = ["ticket", "wampcra", "scram", "cryptosign"]
procedure = "{AUTHENTICATE}"
timeout_s = 2
cache_s = 30

[realms.radio.roles.member]
publish = ["*"]

[realms.radio.roles.service]
register = ["com.example.*"]
call = ["*"]

[realms.radio.users.joe]
role = "service"
ticket = "joe-ticket"
wampcra = {{ secret = "joes-password", salt = "abc" }}
"""
ANN = {"role": "member", "secret": "anns-password", "salt": "xyz", "iterations": 20}
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBKEY = PRIVATE.public_key().public_bytes_raw().hex()


def hello(method, authid, **authextra):
    return [*HELLO[:2], {**HELLO[2], "authmethods": [method], "authid": authid, "authextra": authextra}]


class TestDynamicUsers:
    """``dynamic`` of a realm, with a procedure."""

    @pytest.fixture
    def world(self, world):
        return world.start(USERS, base="")

    @pytest.fixture
    def service(self, world):
        return serving(login(world.connect(WebSocketWire)), AUTHENTICATE)

    @pytest.fixture
    def client(self, world, connect):
        return connect(world)

    def answer(self, service, answer):
        """Answer the question that has come; returns it."""
        request, (question,) = asked(service)
        service.say([70, request, {}, [answer]])
        return question

    def ask(self, service, client, message, answer):
        """What ``client`` is answered to a message that leads to a question."""
        client.say(message)
        assert client.heard() == []
        question = self.answer(service, answer)
        client.settle()
        (reply,) = client.heard()
        return question, reply

    @pytest.mark.parametrize("is_right", [True, False])
    def test_log_in_with_wampcra(self, service, client, is_right):
        question, (kind, method, extra) = self.ask(service, client, hello("wampcra", "ann"), ANN)
        assert question == {"method": "wampcra", "authid": "ann", "realm": "radio", "details": {}}
        assert (kind, method, extra["salt"]) == (4, "wampcra", "xyz")
        key = auth.derive_key("anns-password", "xyz", 20, 32)
        signature = auth.compute_wcs(key if is_right else b"?", extra["challenge"]).decode()
        answer = client.ask([5, signature, {}])
        assert answer[0] == (2 if is_right else 3)
        if is_right:
            who = {name: answer[2][f"auth{name}"] for name in ("id", "role", "method", "provider")}
            assert who == {"id": "ann", "role": "member", "method": "wampcra", "provider": "dynamic"}
            assert client.ask([16, None, {"acknowledge": True}, "a"])[0] == 17

    @pytest.mark.parametrize(("answer", "kind"), [({"role": "member"}, 2), (None, 3), (False, 3)])
    def test_log_in_with_a_ticket_that_the_procedure_checks(self, service, client, answer, kind):
        assert client.ask(hello("ticket", "ann"))[:2] == [4, "ticket"]
        question, reply = self.ask(service, client, [5, "anns-ticket", {}], answer)
        assert (question["method"], question["details"]) == ("ticket", {"ticket": "anns-ticket"})
        assert reply[0] == kind

    def test_log_in_with_a_key_without_a_name(self, service, client):
        answer = {"role": "member", "authid": "kay", "pubkeys": [PUBKEY]}
        question, reply = self.ask(service, client, hello("cryptosign", None, pubkey=PUBKEY), answer)
        assert (question["authid"], question["details"]) == (None, {"pubkey": PUBKEY})
        challenge = reply[2]["challenge"]
        welcome = client.ask([5, PRIVATE.sign(bytes.fromhex(challenge)).hex() + challenge, {}])
        assert (welcome[0], welcome[2]["authid"]) == (2, "kay")

    def test_unknown_ones_get_the_answers_of_known_ones_with_a_wrong_secret(self, world, service, connect):
        seen = []
        for authid, known in (("ann", ANN), ("eve", {**ANN, "role": "service"}), ("nobody", None)):
            client = connect(world)
            _, (kind, method, extra) = self.ask(service, client, hello("wampcra", authid), known)
            challenge = json.loads(extra.pop("challenge"))
            assert challenge.pop("authid") == authid
            for random in ("nonce", "session", "timestamp"):
                challenge.pop(random)
            salt = extra.pop("salt")
            seen.append((kind, method, extra, len(salt), challenge, client.ask([5, "wrong", {}])))
        assert seen[0] == seen[1] == seen[2]

    def test_are_refused_while_nobody_answers(self, world, client):
        answer = client.ask(hello("wampcra", "ann"))
        assert (answer[0], answer[2]) == (3, "wamp.error.authentication_failed")

    def test_are_refused_when_the_answer_takes_too_long(self, world, service, client):
        client.say(hello("wampcra", "ann"))
        world.reactor.advance(2.1)
        (answer,) = client.heard()
        assert (answer[0], answer[2]) == (3, "wamp.error.authentication_failed")

    @pytest.mark.parametrize("answer", [1, "ann", {"role": "nobody", "secret": "s"}, {"role": "member"}, []])
    def test_are_refused_when_the_answer_is_nonsense(self, service, client, answer):
        reply = self.ask(service, client, hello("wampcra", "ann"), answer)[1]
        assert (reply[0], reply[2]) == (3, "wamp.error.authentication_failed")

    def test_are_remembered(self, world, service, client, connect):
        self.ask(service, client, hello("wampcra", "ann"), ANN)
        assert connect(world).ask(hello("wampcra", "ann"))[0] == 4
        assert service.heard() == []

    @pytest.mark.parametrize("method", ["wampcra", "ticket", "scram"])
    def test_names_of_the_configuration_are_not_asked_about(self, service, client, method):
        assert client.ask(hello(method, "joe", nonce="abcd"))[0] == 4
        client.say([5, "wrong", {}])
        assert client.heard()[0][0] == 3
        assert service.heard() == []

    def test_methods_that_are_not_asked_about_are_not_offered(self, service, client):
        assert client.ask(hello("wamp-scram", "ann", nonce="abcd"))[2] == "wamp.error.no_matching_auth_method"

    def test_are_told_to_nobody_but_the_router(self, world, service, connect):
        listener = connect(world)
        listener.join()
        for wire in (listener, service):
            answer = wire.ask([48, None, {}, AUTHENTICATE, [{"method": "wampcra", "authid": "ann"}]])
            assert (answer[0], answer[4]) == (8, DENIED)

    def test_who_hangs_up_while_it_is_asked_leaves_nothing_behind(self, world, service, client):
        client.say(hello("wampcra", "ann"))
        client.hang_up()
        self.answer(service, ANN)
        assert len(world.realm.sessions) == 1
        assert world.radio.port.connections == 1


COOKIES = """
[realms.radio]
anonymous = "listener"
cookie_lifetime_s = 100

[realms.radio.users.joe]
role = "listener"
ticket = "joe-ticket"

[realms.radio.users.ann]
role = "listener"
ticket = "anns-ticket"

[realms.other]

[realms.other.users.joe]
role = "listener"
ticket = "joe-ticket"
"""


class Browser(WebSocketWire):
    """A WebSocket whose opening request may bring a cookie; ``given``: the one it is answered with."""

    def __init__(self, world, cookie=None, extra=""):
        brought = f"Cookie: radiod={cookie}\r\n" if cookie else ""
        self.opening = upgrade("/ws", self.subprotocol, extra=brought + extra)
        super().__init__(world.radio, world.reactor)

    def open(self):
        self.send(self.opening)
        head = self.received().decode()
        assert head.startswith("HTTP/1.1 101 ")
        self.given = next(iter(re.findall(r"\r\nSet-Cookie: radiod=(\w+);", head)), None)


class TestCookies:
    """``cookie_lifetime_s`` of a realm."""

    @pytest.fixture
    def world(self, world):
        return world.start(COOKIES, base="")

    @pytest.fixture
    def cookie(self, world):
        """That of a browser in which joe has logged in, which then hung up."""
        browser = Browser(world)
        login(browser)
        browser.hang_up()
        return browser.given

    def come_back(self, world, cookie, *methods, **options):
        """(the answer to HELLO, the browser)"""
        browser = Browser(world, cookie, **options)
        return browser.ask([1, "radio", {**HELLO[2], "authmethods": [*methods]}]), browser

    def test_who_logged_in_comes_back_without_a_question(self, world, cookie):
        for _ in range(2):
            welcome, browser = self.come_back(world, cookie, "cookie", "ticket")
            assert welcome[0] == 2
            who = [welcome[2][f"auth{what}"] for what in ("id", "role", "method", "provider")]
            assert who == ["joe", "listener", "cookie", "static"]
            assert browser.given is None

    def test_who_did_not_log_in_is_asked(self, world):
        browser = Browser(world)
        browser.ask(HELLO)
        challenge, _ = self.come_back(world, browser.given, "cookie", "ticket")
        assert challenge[:2] == [4, "ticket"]

    def test_who_failed_to_log_in_is_asked(self, world):
        browser = Browser(world)
        browser.ask(hello("ticket", "joe"))
        assert browser.ask([5, "wrong", {}])[0] == 3
        assert self.come_back(world, browser.given, "cookie", "ticket")[0][0] == 4

    def test_who_wants_to_be_somebody_else_is_asked(self, world, cookie):
        browser = Browser(world, cookie)
        message = hello("cookie", "ann")
        message[2]["authmethods"].append("ticket")
        assert browser.ask(message)[:2] == [4, "ticket"]

    def test_it_is_over_after_a_while(self, world, cookie):
        world.reactor.advance(101)
        challenge, browser = self.come_back(world, cookie, "cookie", "ticket")
        assert challenge[0] == 4
        assert browser.given not in (None, cookie)

    def test_it_is_over_after_a_logout(self, world, cookie):
        _, browser = self.come_back(world, cookie, "cookie")
        assert browser.ask([6, {}, "wamp.close.logout"])[0] == 6
        assert self.come_back(world, cookie, "cookie", "ticket")[0][0] == 4

    def test_a_goodbye_is_no_logout(self, world, cookie):
        _, browser = self.come_back(world, cookie, "cookie")
        browser.ask([6, {}, "wamp.close.normal"])
        assert self.come_back(world, cookie, "cookie")[0][0] == 2

    def test_another_realm_does_not_know_it(self, world, cookie):
        browser = Browser(world, cookie)
        answer = browser.ask([1, "other", {**HELLO[2], "authmethods": ["cookie"]}])
        assert (answer[0], answer[2]) == (3, "wamp.error.no_matching_auth_method")

    def test_nobody_else_logs_in_with_it(self, world, cookie):
        """Who put his own cookie into somebody's browser does not become that somebody."""
        login(Browser(world, cookie), "anns-ticket", "ann")
        assert self.come_back(world, cookie, "cookie", "ticket")[0][0] == 4

    @pytest.mark.parametrize("origin", ["http://evil.example", "null"])
    def test_pages_of_other_sites_do_not_have_it(self, world, cookie, origin):
        answer, browser = self.come_back(world, cookie, "cookie", "ticket", extra=f"Origin: {origin}\r\n")
        assert answer[0] == 4
        assert browser.given is None

    def test_pages_of_this_server_have_it(self, world, cookie):
        assert self.come_back(world, cookie, "cookie", extra="Origin: http://localhost\r\n")[0][0] == 2

    def test_it_comes_with_what_protects_it(self, world):
        wire = world.ask(upgrade("/ws", "wamp.2.json", extra="Origin: https://localhost\r\n"))
        protection = rb"Max-Age=100; Path=/; HttpOnly; SameSite=Strict; Secure\r\n"
        assert re.search(rb"\r\nSet-Cookie: __Host-radiod=\w{32}; " + protection, wire.received())

    def test_listeners_and_refused_requests_get_none(self, world):
        for request in (upgrade("/listen/a"), upgrade("/ws", "chat"), upgrade("/nowhere")):
            wire = world.ask(request)
            assert b"Set-Cookie" not in wire.received()

    def test_there_are_none_where_nobody_wants_them(self, world):
        assert Browser(world.start()).given is None


LIMITED = """
[realms.radio]
anonymous = "guest"

[realms.radio.roles.guest]
publish = ["*"]
"""


class TestRates:
    """``rate`` and ``burst`` of a role."""

    @pytest.mark.parametrize(
        ("keys", "allowed"),
        [("rate = 0.5\n", 1), ("rate = 3.9\n", 3), ("rate = 1\nburst = 5\n", 5), ("", 8)],
    )
    @pytest.mark.parametrize("make_wire", [WebSocketWire, RawSocketWire])
    def test_bound_what_each_session_sends(self, make_wire, keys, allowed, world):
        world.start(LIMITED + keys, base="")
        for _ in range(2):
            wire = world.join(make_wire)
            answers = [wire.ask([16, None, {"acknowledge": True}, "a"]) for _ in range(8)]
            assert [answer[0] for answer in answers] == [17] * allowed + [8] * (8 - allowed)
            assert all(answer[4] == "radiod.error.rate_limited" for answer in answers[allowed:])

    def test_hold_for_roles_with_an_authorizer_and_beside_withheld_procedures(self, world):
        world.start(
            "[realms.radio.roles.guest]\nrate = 1\n"
            "[realms.radio.dynamic]\nmethods = ['ticket']\nprocedure = 'com.example.users'\n",
            base=RIGHTS,
        )
        wire = world.join()
        answers = [wire.ask([16, None, {"acknowledge": True}, "a"]) for _ in range(2)]
        assert [answer[4] for answer in answers] == [FAILED, "radiod.error.rate_limited"]


def test_a_publish_that_is_refused_without_an_answer_is_a_line_in_the_log(world):
    wire = world.start('realms.radio.roles.guest.publish = ["a"]', base=LIMITED).join()
    with capturedLogs() as events:
        for topic in ("a", "b", "a..b", "wamp.x"):
            wire.say([16, None, {}, topic])
    refused = [line for line in map(formatEvent, events) if "an event on" in line]
    assert [line.partition(" an event on ")[2].partition(":")[0] for line in refused] == [
        "b",
        "a..b",
        "wamp.x",
    ]
    assert re.search(r"^refused tcp\S+: an event on b: .+: [0-9a-f]{32} by anonymous$", refused[0])
    assert wire.heard() == []


def test_bounds_that_were_met_are_lines_in_the_log(world):
    world.start(LIMITED + "rate = 1\n", base="")
    world.radio.statistics.start()
    with capturedLogs() as events:
        wire = world.join()
        for _ in range(50):
            wire.ask([16, None, {"acknowledge": True}, "a"])
        world.reactor.advance(5.1)
    lines = [line for line in map(formatEvent, events) if "reached" in line]
    assert len(lines) == 2
    by = r"last by [0-9a-f]{32} \(role guest\)"
    assert re.fullmatch(rf"realm radio: rate reached, 1 times, {by}", lines[0])
    assert re.fullmatch(rf"realm radio: rate reached, 48 times, {by}", lines[1])


class TestSharesOfWhatTakesTime:
    """Whoever asks for much of it is refused before others are."""

    @staticmethod
    def wire(world, host):
        wire = WebSocketWire.__new__(WebSocketWire)
        wire._reactor, wire._unread, wire.requests = world.reactor, b"", Requests()
        address = IPv4Address("TCP", host, 4711)
        wire.transport = StringTransportWithDisconnection(peerAddress=address)
        wire.transport.protocol = world.radio.port.buildProtocol(address)
        wire.transport.protocol.makeConnection(wire.transport)
        wire.open()
        return wire

    def test_logins_that_somebody_else_decides(self, world):
        world.start(DYNAMIC_SHARE, base="", max_pending_calls=8)
        keeper = self.wire(world, "192.0.2.1")
        keeper.join()
        assert keeper.ask([64, None, {}, "who"])[0] == 65
        hello = {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "ann"}

        def login(host):
            wire = self.wire(world, host)
            wire.say([1, "radio", hello])
            first = wire.heard()[0]
            if first[0] == 3:
                return [first[2]]
            wire.say([5, "x", {}])
            return [reply[2] for reply in wire.heard()]

        assert [login("192.0.2.2") for _ in range(5)] == [[], [], [], [], ["radiod.error.quota"]]
        assert login("192.0.2.3") == []
        assert world.radio.statistics.refused["logins"] == 1
        for question in keeper.heard():
            keeper.say([70, question[1], {}, [None]])
        assert login("192.0.2.2") == []

    def test_questions_to_an_authorizer(self, world):
        world.start(AUTHORIZER_SHARE, base="", max_pending_calls=8)
        keeper = self.wire(world, "192.0.2.1")
        assert keeper.ask([1, "radio", {"roles": {"callee": {}}, "authmethods": ["ticket"], "authid": "joe"}])
        keeper.say([5, "t", {}])
        assert keeper.heard()[0][0] == 2
        assert keeper.ask([64, None, {}, "may"])[0] == 65

        def subscribe(host):
            wire = self.wire(world, host)
            wire.join()
            wire.say([32, None, {}, "a"])
            return [reply[4] for reply in wire.heard()]

        # Of eight, strangers get six between them, and one address half of what is left.
        assert [subscribe("192.0.2.2") for _ in range(4)] == [[], [], [], ["radiod.error.quota"]]
        assert subscribe("192.0.2.3") == []
        assert world.radio.statistics.refused["authorizations"] == 1


DYNAMIC_SHARE = """
[realms.radio]
anonymous = "keeper"
[realms.radio.roles.keeper]
register = ["*"]
[realms.radio.dynamic]
procedure = "who"
methods = ["ticket"]
"""

AUTHORIZER_SHARE = """
[realms.radio]
anonymous = "guest"
[realms.radio.roles.guest]
authorizer = "may"
[realms.radio.roles.keeper]
register = ["*"]
[realms.radio.users.joe]
role = "keeper"
ticket = "t"
"""


def test_a_key_may_call_what_its_patterns_name(world):
    keys = world.start(
        "[realms.radio.keys.a]\nkey = 'x'\ncall = ['town.*']\nsigning = 'pen'\n"
        "[realms.radio.keys.b]\nkey = 'y'"
    ).radio.keys
    a, b = keys.by_id("a"), keys.by_id("b")
    assert [keys.signing_secret(key.id) for key in (a, b)] == ["pen", None]
    assert [key.principal.permissions.allows(Action.CALL, "town.sum") for key in (a, b)] == [True, False]
    assert not a.principal.permissions.allows(Action.CALL, "wamp.session.count")
