"""The opening handshake: every message in every state, and what WELCOME says."""

import pytest
from msgspec import Struct

from radiod import __version__
from radiod.core.budgets.seats import Seats
from radiod.core.draining import Draining
from radiod.core.holders import Account, Holder
from radiod.core.promises import Promise
from radiod.core.realm.handshake import EXTENSIONS, Gate, Handshake
from radiod.core.rights import Principal
from radiod.core.sessions.authentication import AuthChallenge, BrowserCookie
from radiod.core.statistics import REFUSALS
from radiod.errors import (
    AUTHENTICATION_FAILED,
    AUTHENTICATION_REQUIRED,
    INVALID_URI,
    NO_MATCHING_AUTH_METHOD,
    NO_SUCH_REALM,
    PROTOCOL_VIOLATION,
    Denied,
    PeerError,
    RadiodError,
    TryLater,
)
from radiod.testing import FakeClock, make_principal, make_realm
from radiod.wire import messages
from radiod.wire.codecs import JSON
from radiod.wire.messages import Challenge, Welcome

OUTLET = object()
OLD, NEW = BrowserCookie("old", False), BrowserCookie("new", True)


class LetIn:
    """An authenticator that lets everybody in at once, and says by which method."""

    def __init__(self, method):
        self.method = method

    def begin(self, details):
        return make_principal(f"{details.authid} by {self.method}", "guest")


class Ask:
    """An authenticator that asks for a password, which is "sesame"."""

    method = "ask"

    def __init__(self):
        self.extras = []

    def begin(self, details):
        return AuthChallenge(extra={"for": details.authid}, answer=self.check)

    def check(self, signature, extra):
        self.extras.append(extra)
        if signature != "sesame":
            raise Denied(AUTHENTICATION_FAILED, "no")
        return make_principal("asked", "member")


class TakeTime:
    """An authenticator that decides when the test says so: on HELLO, and on what it then asked."""

    method = "slow"

    def __init__(self):
        self.first = Promise()
        self.second = Promise()

    def begin(self, details):
        return self.first

    def ask(self):
        self.first.settle(AuthChallenge(extra={"n": 1}, answer=lambda signature, extra: self.second))


class TurnAway:
    method = "turn_away"

    def begin(self, details):
        raise Denied(AUTHENTICATION_FAILED, "never")


class World:
    """A handshake on a realm that admits by the methods given, in that order."""

    def __init__(self, *authenticators):
        self.realm = make_realm(name="radio")
        gate = Gate(self.realm, {authenticator.method: authenticator for authenticator in authenticators})
        self.handshake = Handshake({"radio": gate})

    def send(self, *message):
        return self.handshake.receive(JSON.decode(JSON.dump(list(message))), OUTLET)

    def hello(self, realm="radio", **details):
        return self.send(1, realm, {"roles": {"subscriber": {}}, **details})


@pytest.fixture
def world():
    return World(LetIn("anonymous"), LetIn("first"), LetIn("second"), Ask(), TurnAway())


OTHER_MESSAGES = {
    "ABORT": [3, {}, "a.reason"],
    "GOODBYE": [6, {}, "a.reason"],
    "INVOCATIONERROR": [8, 68, 1, {}, "an.error"],
    "PUBLISH": [16, 1, {}, "a.topic"],
    "SUBSCRIBE": [32, 1, {}, "a.topic"],
    "UNSUBSCRIBE": [34, 1, 2],
    "CALL": [48, 1, {}, "a.procedure"],
    "REGISTER": [64, 1, {}, "a.procedure"],
    "UNREGISTER": [66, 1, 2],
    "YIELD": [70, 1, {}],
}
AUTHENTICATE = [5, "sesame", {}]
HELLO = [1, "radio", {"roles": {"caller": {}}}]


def assert_denied(uri, function, *arguments, **keywords):
    with pytest.raises(Denied) as denial:
        function(*arguments, **keywords)
    assert denial.value.uri == uri


def assert_protocol_violation(world, *message):
    before = len(world.realm.sessions)
    with pytest.raises(PeerError) as refusal:
        world.send(*message)
    assert refusal.value.uri == PROTOCOL_VIOLATION
    assert len(world.realm.sessions) == before


class TestMessagesOutOfPlace:
    @pytest.mark.parametrize("name", [*OTHER_MESSAGES, "AUTHENTICATE"])
    def test_before_hello(self, world, name):
        assert_protocol_violation(world, *(OTHER_MESSAGES.get(name) or AUTHENTICATE))
        assert world.handshake.realm is None

    @pytest.mark.parametrize("message", [*OTHER_MESSAGES.values(), HELLO], ids=[*OTHER_MESSAGES, "HELLO"])
    def test_between_challenge_and_authenticate(self, world, message):
        world.hello(authmethods=["ask"])
        assert_protocol_violation(world, *message)
        assert world.handshake.session is None

    @pytest.mark.parametrize(
        "message",
        [*OTHER_MESSAGES.values(), HELLO, AUTHENTICATE],
        ids=[*OTHER_MESSAGES, "HELLO", "AUTHENTICATE"],
    )
    def test_after_welcome(self, world, message):
        world.hello()
        assert_protocol_violation(world, *message)

    def test_the_complaint_names_the_message(self, world):
        with pytest.raises(PeerError, match="PUBLISH is not expected before WELCOME"):
            world.send(*OTHER_MESSAGES["PUBLISH"])


class TestRealms:
    @pytest.mark.parametrize("realm", ["other", "Radio", "radio.x"])
    def test_that_do_not_exist(self, world, realm):
        assert_denied(NO_SUCH_REALM, world.hello, realm)
        assert not world.realm.sessions

    @pytest.mark.parametrize("realm", ["", "ra dio", "radio.", "ra#dio", "radio\0"])
    def test_whose_name_is_no_uri(self, world, realm):
        assert_denied(INVALID_URI, world.hello, realm)

    def test_the_one_that_hello_named_is_known_afterwards(self, world):
        assert world.handshake.realm is None
        world.hello()
        assert world.handshake.realm is world.realm


class TestMethods:
    @pytest.mark.parametrize(
        ("asked", "taken"),
        [
            (["second", "first"], "second"),
            (["first", "second"], "first"),
            (["unknown", "second", "anonymous"], "second"),
            (["anonymous", "first"], "anonymous"),
            ([], "anonymous"),
            (None, "anonymous"),
        ],
    )
    def test_the_clients_order_decides(self, world, asked, taken):
        world.hello(authmethods=asked, authid="x")
        assert world.handshake.session.principal.authid == f"x by {taken}"

    @pytest.mark.parametrize("asked", [["unknown"], ["unknown", "anonymous"], ["Anonymous"]])
    def test_none_in_common(self, asked):
        assert_denied(NO_MATCHING_AUTH_METHOD, World(LetIn("first")).hello, authmethods=asked)

    @pytest.mark.parametrize("asked", [None, [], ["anonymous"]])
    def test_anonymous_where_one_must_say_who_one_is(self, asked):
        assert_denied(AUTHENTICATION_REQUIRED, World(LetIn("first")).hello, authmethods=asked)

    def test_a_method_that_refuses_at_once(self, world):
        assert_denied(AUTHENTICATION_FAILED, world.hello, authmethods=["turn_away", "anonymous"])
        assert not world.realm.sessions
        assert_protocol_violation(world, *HELLO)


class TestQuestions:
    def test_are_asked_and_the_right_answer_opens_the_session(self, world):
        assert world.hello(authmethods=["ask"], authid="ann") == Challenge("ask", {"for": "ann"})
        assert not world.realm.sessions
        welcome = world.send(*AUTHENTICATE)
        assert isinstance(welcome, Welcome)
        assert welcome.details["authrole"] == "member"
        assert list(world.realm.sessions) == [welcome.session]

    def test_hand_the_extra_of_authenticate_on(self):
        ask = Ask()
        world = World(ask)
        world.hello(authmethods=["ask"])
        world.send(5, "sesame", {"nonce": 7})
        assert ask.extras == [{"nonce": 7}]

    def test_are_answered_wrongly_once_and_for_all(self, world):
        world.hello(authmethods=["ask"])
        assert_denied(AUTHENTICATION_FAILED, world.send, 5, "guess", {})
        assert_protocol_violation(world, *AUTHENTICATE)
        assert not world.realm.sessions
        assert world.handshake.session is None


class TestWelcome:
    def test_says_who_the_client_is_now(self, world):
        welcome = world.hello(authid="ann")
        assert {name: welcome.details[name] for name in welcome.details if name.startswith("auth")} == {
            "authid": "ann by anonymous",
            "authrole": "guest",
            "authmethod": "anonymous",
            "authprovider": "static",
        }
        assert welcome.details["realm"] == "radio"

    def test_says_what_the_router_is_and_can(self, world):
        details = world.hello().details
        assert details["agent"] == f"radiod-{__version__}"
        assert details["x_radiod"] == {"version": __version__, "features": list(EXTENSIONS)}
        assert set(details["roles"]) == {"broker", "dealer"}
        assert all(value is True for said in details["roles"].values() for value in said["features"].values())
        features = {role: set(said["features"]) for role, said in details["roles"].items()}
        both = {"session_meta_api", "payload_passthru_mode", "payload_transparency"}
        assert features == {
            "broker": {
                *both,
                "publisher_identification",
                "publisher_exclusion",
                "subscriber_blackwhite_listing",
                "pattern_based_subscription",
                "publication_trustlevels",
                "subscription_meta_api",
                "subscription_revocation",
                "event_history",
                "event_retention",
            },
            "dealer": {
                *both,
                "caller_identification",
                "call_trustlevels",
                "call_timeout",
                "call_canceling",
                "call_reroute",
                "progressive_call_results",
                "progressive_call_invocations",
                "pattern_based_registration",
                "shared_registration",
                "registration_meta_api",
                "registration_revocation",
                "testament_meta_api",
            },
        }

    def test_names_the_session_that_the_realm_has(self, world):
        welcome = world.hello()
        session = world.handshake.session
        assert world.realm.sessions == {welcome.session: session}
        assert session.outlet is OUTLET
        assert session.is_open

    @pytest.mark.parametrize("is_taken", [False, True])
    def test_names_the_session_that_the_challenge_named(self, is_taken):
        class Foretell:
            method = "foretell"

            def begin(self, details):
                return AuthChallenge(extra={}, answer=lambda signature, extra: make_principal(), session=77)

        world = World(Foretell())
        if is_taken:
            world.realm.join(make_principal(), None, id=77)
        world.hello(authmethods=["foretell"])
        assert (world.send(5, "anything", {}).session == 77) is not is_taken

    def test_tells_authextra_to_this_client_alone(self, world):
        class Extra:
            method = "extra"

            def begin(self, details):
                return Principal(
                    authid="x",
                    authrole="y",
                    authmethod="extra",
                    authprovider="z",
                    permissions=make_principal().permissions,
                    authextra={"nonce": 1},
                )

        assert World(Extra()).hello(authmethods=["extra"]).details["authextra"] == {"nonce": 1}
        assert "authextra" not in world.hello().details


class TestHello:
    @pytest.mark.parametrize("roles", [{"router": {}}, {"broker": {}, "dealer": {}}])
    def test_names_a_role_of_clients(self, world, roles):
        assert_protocol_violation(world, 1, "radio", {"roles": roles})

    def test_announces_what_the_client_can(self, world):
        roles = {
            "callee": {"features": {"call_canceling": True, "call_reroute": False, "unknown": True}},
            "publisher": {"features": {"payload_transparency": True}},
            "subscriber": {},
        }
        world.hello(roles=roles)
        assert world.handshake.session.features == {
            "callee.call_canceling",
            "publisher.payload_passthru_mode",
        }

    @pytest.mark.parametrize(
        ("details", "is_revocable"),
        [
            ({}, False),
            ({"_radiod_revocation": True}, True),
            ({"_radiod_revocation": False}, False),
            ({"authextra": {"_radiod_revocation": True}}, True),
            ({"authextra": {"_radiod_revocation": 1}}, False),
            ({"authextra": {}}, False),
            ({"roles": {"subscriber": {"features": {"subscription_revocation": True}}}}, False),
        ],
    )
    def test_asks_to_be_told_of_revocations(self, world, details, is_revocable):
        world.hello(**details)
        assert world.handshake.session.is_revocable is is_revocable

    @pytest.mark.parametrize(
        ("details", "wants_goodbye"),
        [
            ({}, False),
            ({"_radiod_goodbye": True}, True),
            ({"authextra": {"_radiod_goodbye": True}}, True),
            ({"authextra": {"_radiod_goodbye": "yes"}}, False),
            ({"_radiod_revocation": True}, False),
        ],
    )
    def test_asks_to_be_told_when_the_server_stops(self, world, details, wants_goodbye):
        world.hello(**details)
        assert world.handshake.session.wants_goodbye is wants_goodbye


class TestDecisionsThatTakeTime:
    @pytest.fixture
    def slow(self):
        return TakeTime()

    @pytest.fixture
    def world(self, slow):
        return World(slow)

    @pytest.fixture
    def replies(self, world):
        """What has come for HELLO."""
        replies = []
        world.hello(authmethods=["slow"]).then(replies.append)
        return replies

    def test_open_the_session_when_they_come(self, world, slow, replies):
        assert replies == []
        assert not world.realm.sessions
        slow.first.settle(make_principal("late"))
        (welcome,) = replies
        assert welcome.details["authid"] == "late"
        assert list(world.realm.sessions) == [welcome.session]

    def test_may_ask_and_take_time_again(self, world, slow, replies):
        slow.ask()
        assert replies == [Challenge("slow", {"n": 1})]
        world.send(5, "x", {}).then(replies.append)
        assert len(replies) == 1
        # There is one answer, and one try.
        assert_protocol_violation(world, *AUTHENTICATE)
        slow.second.settle(make_principal("late"))
        assert isinstance(replies[1], Welcome)

    def test_may_be_no(self, world, slow, replies):
        denial = Denied(AUTHENTICATION_FAILED, "no")
        slow.first.settle(denial)
        assert replies == [denial]
        assert not world.realm.sessions
        assert_protocol_violation(world, *HELLO)

    def test_open_nothing_for_a_client_that_left(self, world, slow, replies):
        world.handshake.abandon()
        slow.first.settle(make_principal("late"))
        assert [reply.uri for reply in replies] == [AUTHENTICATION_FAILED]
        assert not world.realm.sessions
        assert world.handshake.session is None

    def test_allow_nothing_meanwhile(self, world, replies):
        for message in (HELLO, AUTHENTICATE, *OTHER_MESSAGES.values()):
            assert_protocol_violation(world, *message)


class Cookies:
    """Knows the cookie "old"; keeps what it is told."""

    def __init__(self):
        self.bound, self.forgotten = [], []

    def authenticator(self, cookie_id, authid):
        return LetIn("cookie") if (cookie_id, authid) == ("old", "ann") else None

    def bind(self, cookie, principal):
        self.bound.append((cookie, principal.authid))

    def forget(self, cookie_id):
        self.forgotten.append(cookie_id)


class TestCookies:
    @pytest.fixture
    def cookies(self):
        return Cookies()

    def open(self, cookies, cookie, *methods):
        """The authid that a client with this cookie gets in with."""
        gate = Gate(make_realm(), {"ask": Ask(), "easy": LetIn("easy")}, cookies)
        hello = JSON.decode(
            JSON.dump([1, "radio", {"roles": {"caller": {}}, "authid": "ann", "authmethods": [*methods]}])
        )
        return Handshake({"radio": gate}, cookie).receive(hello, OUTLET).details["authid"]

    def test_the_owner_gets_in_without_a_question(self, cookies):
        assert self.open(cookies, OLD, "cookie", "ask") == "ann by cookie"

    @pytest.mark.parametrize("cookie", [NEW, None])
    def test_others_take_their_next_method(self, cookies, cookie):
        assert self.open(cookies, cookie, "cookie", "easy") == "ann by easy"

    def test_the_methods_order_is_the_clients(self, cookies):
        assert self.open(cookies, OLD, "easy", "cookie") == "ann by easy"

    def test_a_realm_without_cookies_offers_no_such_method(self):
        with pytest.raises(Denied) as denial:
            self.open(None, OLD, "cookie")
        assert denial.value.uri == NO_MATCHING_AUTH_METHOD
        assert self.open(None, OLD, "easy") == "ann by easy"

    @pytest.mark.parametrize("cookie", [OLD, NEW])
    def test_who_got_in_is_told(self, cookies, cookie):
        self.open(cookies, cookie, "easy")
        assert cookies.bound == [(cookie, "ann by easy")]

    def test_who_has_no_cookie_is_not(self, cookies):
        self.open(cookies, None, "easy")
        assert cookies.bound == []

    def test_may_be_forgotten(self, cookies):
        Gate(make_realm(), {}, cookies).forget(OLD)
        Gate(make_realm(), {}, cookies).forget(None)
        Gate(make_realm(), {}).forget(OLD)
        assert cookies.forgotten == ["old"]


def test_the_extensions_are_the_options_that_messages_have():
    kinds = [kind for kind in vars(messages).values() if isinstance(kind, type)]
    structs = [kind for kind in kinds if issubclass(kind, Struct)]
    options = {name for struct in structs for name in struct.__struct_encode_fields__}
    own = sorted(name for name in options if name.startswith("_radiod_"))
    assert [*own, "force_reregister"] == list(EXTENSIONS)
    assert "force_reregister" in options


@pytest.mark.parametrize(
    ("details", "claim"),
    [
        ({}, "None by anonymous in realm radio"),
        ({"authid": "jo\ne", "authmethods": ["ticket"]}, "'jo\\ne' by ticket in realm radio"),
        ({"authmethods": list("abcdef")}, "None by a, b, c, d in realm radio"),
    ],
)
def test_a_handshake_can_say_who_the_client_said_it_was(details, claim):
    world = World()
    assert world.handshake.claim is None
    with pytest.raises(Denied):
        world.send(1, "radio", {"roles": {"caller": {}}, **details})
    assert str(world.handshake.claim) == claim
    assert world.handshake.claim.realm == "radio"
    assert world.handshake.claim.authid == details.get("authid")


class _Asking:
    """A way in that asks somebody else, whose answers the test gives."""

    method = "ticket"

    def __init__(self):
        self.asked = []

    def begin(self, details):
        if details.authid == "quick":
            raise Denied("wamp.error.authentication_denied", "no")
        if details.authid == "known":
            return AuthChallenge(extra={}, answer=lambda signature, extra: make_principal())
        self.asked.append(Promise())
        return self.asked[-1]


def test_logins_that_wait_have_seats_and_give_them_back():
    asking, realm = _Asking(), make_realm()
    seats = Seats(2, dict.fromkeys(REFUSALS, 0), "logins", "logins")
    gate = Gate(realm, {"ticket": asking}, None, seats)

    def hello(authid):
        details = messages.HelloDetails(roles={"caller": {}}, authid=authid, authmethods=["ticket"])
        handshake = Handshake({realm.name: gate}, None, "tcp:192.0.2.1:1")
        return handshake.receive(messages.Hello(realm.name, details), None)

    with pytest.raises(Denied):
        hello("quick")
    assert len(seats) == 0
    assert hello("known") == messages.Challenge("ticket", {})
    assert len(seats) == 0
    hello("slow").then(lambda outcome: None)
    assert len(seats) == 1
    with pytest.raises(RadiodError):
        hello("slow")
    asking.asked[0].settle(Denied("wamp.error.authentication_denied", "no"))
    assert len(seats) == 0


def test_whose_access_has_ended_meanwhile_is_not_let_in():
    holder = Holder("joe", Account("acme"))

    class Known(LetIn):
        def begin(self, details):
            return make_principal("joe", holder=holder)

    realm = make_realm()
    gates = {"radio": Gate(realm, {"ticket": Known("ticket")})}
    hello = JSON.decode(b'[1,"radio",{"roles":{"caller":{}},"authmethods":["ticket"],"authid":"joe"}]')
    assert isinstance(Handshake(gates).receive(hello, OUTLET), Welcome)
    holder.refused = "suspended"
    with pytest.raises(Denied, match="not let in: suspended") as denied:
        Handshake(gates).receive(hello, OUTLET)
    assert (denied.value.uri, len(realm.sessions)) == (AUTHENTICATION_FAILED, 1)


def test_nobody_is_let_in_while_the_server_is_drained():
    clock, refused = FakeClock(), {"draining": 0}
    draining = Draining(clock, lambda: 0.5, refused)
    gates = {"radio": Gate(make_realm(), {"anonymous": LetIn("anonymous")}, draining=draining)}
    hello = JSON.decode(b'[1,"radio",{"roles":{"caller":{}}}]')
    draining.begin(60.0, set())
    with pytest.raises(TryLater) as later:
        Handshake(gates).receive(hello, OUTLET)
    assert (later.value.retry_after, refused) == (62.0, {"draining": 1})
    draining.end()
    assert isinstance(Handshake(gates).receive(hello, OUTLET), Welcome)


@pytest.mark.parametrize(
    ("peer", "origin", "reason"),
    [
        ("tcp:192.0.2.7:4711", "https://a.example", ""),
        ("tcp:192.0.2.7", None, ""),
        ("tcp:192.0.2.7:4711", "https://b.example", "origin"),
        ("tcp:198.51.100.1:4711", "https://a.example", "address"),
        ("tcp:[2001:db8::1]:4711", None, "address"),
        ("unix", None, "address"),
    ],
)
def test_some_are_let_in_only_from_where_they_belong(peer, origin, reason):
    holder = Holder("joe", Account("acme"))
    holder.restrict(["https://a.example"], ["192.0.2.0/24"])

    class Known(LetIn):
        def begin(self, details):
            return make_principal("joe", holder=holder)

    gates = {"radio": Gate(make_realm(), {"ticket": Known("ticket")})}
    hello = JSON.decode(b'[1,"radio",{"roles":{"caller":{}},"authmethods":["ticket"],"authid":"joe"}]')
    handshake = Handshake(gates, None, peer, origin)
    if not reason:
        assert isinstance(handshake.receive(hello, OUTLET), Welcome)
        return
    with pytest.raises(Denied, match=f"not let in: {reason}") as denied:
        handshake.receive(hello, OUTLET)
    assert denied.value.uri == AUTHENTICATION_FAILED


class TestTheTally:
    """How logins end is counted, each once."""

    @pytest.fixture
    def tally(self, world):
        return world.handshake._gates["radio"].tally

    def test_somebody_gets_in(self, world, tally):
        world.hello(authmethods=["second"])
        world.handshake.abandon()
        assert tally == {("second", "accepted"): 1}

    def test_somebody_is_refused(self, world, tally):
        world.hello(authmethods=["ask"])
        with pytest.raises(Denied):
            world.send(5, "wrong", {})
        world.handshake.count("refused")
        world.handshake.abandon()
        assert tally == {("ask", "refused"): 1}

    def test_somebody_leaves_when_asked(self, world, tally):
        world.hello(authmethods=["ask"])
        world.handshake.abandon()
        assert tally == {("ask", "left"): 1}

    def test_somebody_asks_for_what_there_is_not(self, world, tally):
        with pytest.raises(Denied):
            world.hello(authmethods=["nothing"])
        world.handshake.count("refused")
        assert tally == {("none", "refused"): 1}

    def test_nobody_has_said_hello(self, world, tally):
        world.handshake.count("refused")
        world.handshake.abandon()
        assert tally == {}
