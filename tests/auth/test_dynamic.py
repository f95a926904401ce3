"""A directory that asks: every kind of answer, its memory and its patience."""

import json

import pytest
from support.logins import details, outcome_of, refusal

from radiod.auth.directory import Credentials
from radiod.auth.dynamic import CallDirectory
from radiod.auth.ticket import Ticket
from radiod.auth.unknown_users import UnknownUsers
from radiod.auth.wampcra import WampCra, sign
from radiod.core.promises import Promise
from radiod.errors import AUTHENTICATION_FAILED, Denied, Refused
from radiod.testing import ALLOW_ALL, FakeClock, SequentialIds

ROLES = {"member": ALLOW_ALL}
FAILED = (AUTHENTICATION_FAILED, "authentication is not possible now")
KEY = bytes(range(32))
SCRAM = {
    "kdf": "argon2id13",
    "salt": "00ff",
    "iterations": 3,
    "memory": 64,
    "stored_key": "ab" * 32,
    "server_key": "cd" * 32,
}
ENOUGH = {
    "wampcra": {"role": "member", "secret": "s"},
    "wamp-scram": {"role": "member", "scram": SCRAM},
    "scram": {"role": "member", "scram": SCRAM},
    "cryptosign": {"role": "member", "pubkeys": [KEY.hex()]},
    "ticket": {"role": "member", "ticket": "t"},
}


class World:
    """A directory, the questions it asked and the complaints it made."""

    def __init__(self, **settings):
        self.clock = FakeClock()
        self.questions = []
        self.waiting = []
        self.complaints = []
        self.directory = CallDirectory(
            self._ask,
            "radio",
            ROLES,
            self.clock,
            self.clock.timers,
            complain=self.complaints.append,
            **settings,
        )

    def _ask(self, question):
        self.questions.append(question)
        self.waiting.append(Promise())
        return self.waiting[-1]

    def find(self, method="wampcra", authid="joe", **told):
        if method == "cryptosign":
            told.setdefault("pubkey", KEY)
        return self.directory.find(method, authid, told)

    def answer(self, outcome):
        self.waiting.pop(0).settle(outcome)

    def found(self, method, outcome, authid="joe"):
        later = self.find(method, authid)
        self.answer(outcome)
        return outcome_of(later)


@pytest.fixture
def world():
    return World()


class TestQuestions:
    def test_say_who_wants_to_come_in_how_and_where(self, world):
        world.find("wampcra", "joe", locale="de")
        assert world.questions == [
            {"method": "wampcra", "authid": "joe", "realm": "radio", "details": {"locale": "de"}}
        ]

    def test_have_the_key_in_hex(self, world):
        world.find("cryptosign", None)
        assert world.questions[0]["authid"] is None
        assert world.questions[0]["details"] == {"pubkey": KEY.hex()}

    def test_are_plain_json_whatever_the_client_sent(self, world):
        world.find(x=b"\xff", y={"1": float("nan")}, z=(1, 2))
        assert json.loads(json.dumps(world.questions[0])) == world.questions[0]

    @pytest.mark.parametrize("odd", [object(), {(): 1}, {1: 2}, {1: {2, object()}}, 1 << 70])
    def test_that_cannot_be_said_in_json_are_not_asked(self, world, odd):
        if odd == 1 << 70:
            world.find(x=odd)  # JSON has numbers of any length
            return
        assert refusal(lambda: world.find(x=odd))[1] == "authextra must be plain JSON"
        assert world.questions == []

    def test_that_are_nested_without_end_are_not_asked(self, world):
        deep = []
        for _ in range(100_000):
            deep = [deep]
        assert refusal(lambda: world.find(x=deep))[1] == "authextra must be plain JSON"

    def test_that_are_too_long_are_not_asked(self, world):
        assert refusal(lambda: world.find(x="x" * 70_000))[1] == "authextra is too long"
        assert world.questions == []


class TestAnswers:
    def test_for_wampcra(self, world):
        answer = {
            "role": "member",
            "authid": "joseph",
            "secret": "s",
            "salt": "x",
            "iterations": 9,
            "keylen": 16,
        }
        joe = world.found("wampcra", answer)
        assert (joe.authid, joe.role, joe.provider) == ("joseph", "member", "dynamic")
        assert joe.permissions is ALLOW_ALL
        secret = joe.wampcra
        assert (secret.secret, secret.salt, secret.iterations, secret.keylen) == ("s", "x", 9, 16)

    @pytest.mark.parametrize("method", ["wamp-scram", "scram"])
    def test_for_scram(self, world, method):
        joe = world.found(method, ENOUGH[method])
        assert (joe.authid, joe.scram.kdf, joe.scram.salt) == ("joe", "argon2id13", b"\0\xff")
        assert (joe.scram.stored_key, joe.scram.server_key) == (b"\xab" * 32, b"\xcd" * 32)

    @pytest.mark.parametrize("name", ["pubkeys", "authorized_keys"])
    def test_for_cryptosign(self, world, name):
        joe = world.found("cryptosign", {"role": "member", name: [KEY.hex()]}, None)
        assert (joe.authid, joe.cryptosign) == (KEY.hex(), (KEY,))

    def test_for_ticket(self, world):
        joe = world.found("ticket", ENOUGH["ticket"])
        assert joe.ticket("t")
        assert not joe.ticket("u")
        assert not joe.ticket("\ud800")

    def test_that_name_a_role_alone_say_that_the_ticket_was_checked(self, world):
        assert world.found("ticket", {"role": "member"}).ticket is None

    def test_that_tell_all_about_a_user_do_not_say_that_the_ticket_was_checked(self, world):
        for method in ("wampcra", "scram", "cryptosign"):
            assert (error := world.found("ticket", ENOUGH[method])).text == FAILED[1]
            assert isinstance(error, Denied)

    @pytest.mark.parametrize("method", ENOUGH)
    @pytest.mark.parametrize("nobody", [None, False])
    def test_may_be_nobody(self, world, method, nobody):
        assert world.found(method, nobody) is None
        assert world.complaints == []

    @pytest.mark.parametrize("method", ENOUGH)
    @pytest.mark.parametrize(
        "wrong",
        [
            {},
            True,
            0,
            "",
            "member",
            [],
            b"",
            object(),
            {"role": None},
            {"role": "boss"},
            {"role": "member", "authid": ""},
            {"role": "member", "authid": 7},
            {"role": "member", "ticket": ""},
            {"role": "member", "ticket": 5},
            {"role": "member", "secret": ""},
            {"role": "member", "secret": "s", "iterations": 0},
            {"role": "member", "secret": "s", "iterations": 100_001},
            {"role": "member", "secret": "s", "keylen": 1 << 30},
            {"role": "member", "secret": "s", "salt": None},
            {"role": "member", "pubkeys": KEY.hex()},
            {"role": "member", "pubkeys": ["ab"]},
            {"role": "member", "pubkeys": ["g" * 64]},
            *({"role": "member", "scram": {**SCRAM, name: "?"}} for name in SCRAM),
            *(
                {"role": "member", "scram": {k: v for k, v in SCRAM.items() if k != n}}
                for n in ("kdf", "salt")
            ),
        ],
    )
    def test_that_are_malformed_are_complained_about_and_refused(self, world, method, wrong):
        error = world.found(method, wrong)
        assert (error.uri, error.text) == FAILED
        assert len(world.complaints) == 1
        assert world.complaints[0].startswith(f"cannot look up 'joe' for {method}: ")

    @pytest.mark.parametrize("method", sorted(set(ENOUGH) - {"ticket"}))
    def test_must_have_something_for_the_method(self, world, method):
        assert world.found(method, {"role": "member", "ticket": "t"}).text == FAILED[1]
        assert world.complaints[0].endswith("the answer has nothing for this method")

    def test_that_are_errors_are_told_to_nobody_but_us(self, world):
        error = world.found("wampcra", Refused("a.b", "secrets inside"))
        assert (error.uri, error.text) == FAILED
        assert world.complaints == ["cannot look up 'joe' for wampcra: secrets inside"]

    def test_may_come_at_once_even_as_an_error(self):
        def refuse(question):
            raise Refused("a.b", "no")

        def know(question):
            later = Promise()
            later.settle(ENOUGH["wampcra"])
            return later

        clock = FakeClock()
        for ask, kind in ((refuse, Denied), (know, Credentials)):
            directory = CallDirectory(ask, "radio", ROLES, clock, clock.timers)
            assert isinstance(outcome_of(directory.find("wampcra", "joe", {})), kind)
        assert len(clock.timers) == 0


class TestPatience:
    def test_ends(self):
        world = World(timeout_s=3.0)
        later = world.find()
        world.clock.advance(3.0)
        error = outcome_of(later)
        assert (error.uri, error.text) == FAILED
        assert world.complaints == ["cannot look up 'joe' for wampcra: no answer within 3 s"]

    def test_is_not_needed_once_there_is_an_answer(self, world):
        world.found("wampcra", ENOUGH["wampcra"])
        assert len(world.clock.timers) == 0
        world.clock.advance(100.0)
        assert world.complaints == []

    def test_does_not_come_back_for_an_answer_that_is_late(self, world):
        world.find()
        world.clock.advance(60.0)
        world.answer(ENOUGH["wampcra"])
        assert len(world.complaints) == 1
        assert isinstance(world.find(), Promise)
        assert len(world.questions) == 2


class TestMemory:
    @pytest.mark.parametrize("method", sorted(set(ENOUGH) - {"ticket"}))
    def test_keeps_answers_for_their_time(self, method):
        world = World(cache_s=10.0)
        joe = world.found(method, ENOUGH[method])
        world.clock.advance(9.9)
        assert world.find(method) is joe
        world.clock.advance(0.1)
        assert isinstance(world.find(method), Promise)

    def test_keeps_that_there_is_nobody(self, world):
        world.found("wampcra", None)
        assert world.find("wampcra") is None
        assert len(world.questions) == 1

    def test_does_not_keep_tickets(self, world):
        world.found("ticket", {"role": "member"})
        assert isinstance(world.find("ticket"), Promise)

    def test_does_not_keep_errors(self, world):
        world.found("wampcra", Refused("a.b", "c"))
        world.found("wampcra", {})
        assert isinstance(world.find("wampcra"), Promise)

    def test_tells_questions_apart(self, world):
        world.found("wampcra", ENOUGH["wampcra"])
        for other in (("scram", "joe", {}), ("wampcra", "Joe", {}), ("wampcra", "joe", {"x": 1})):
            assert isinstance(world.find(other[0], other[1], **other[2]), Promise)
        world.find(a=1, b=2)
        world.find(b=2, a=1)
        assert len(world.questions) == 5

    def test_has_a_bound_and_lets_the_oldest_go(self):
        world = World(max_cache=2)
        for authid in ("a", "b", "c"):
            world.found("wampcra", ENOUGH["wampcra"], authid)
        assert [isinstance(world.find("wampcra", authid), Promise) for authid in ("b", "c", "a")] == [
            False,
            False,
            True,
        ]
        assert len(world.directory._cache) == 2

    @pytest.mark.parametrize("settings", [{"cache_s": 0.0}, {"max_cache": 0}])
    def test_can_be_switched_off(self, settings):
        world = World(**settings)
        world.found("wampcra", ENOUGH["wampcra"])
        assert isinstance(world.find(), Promise)
        assert world.directory._cache == {}


class TestTheSameQuestionAtOnce:
    def test_is_asked_once(self, world):
        laters = [world.find() for _ in range(3)]
        assert len(world.questions) == 1
        world.answer(ENOUGH["wampcra"])
        joes = [outcome_of(later) for later in laters]
        assert joes[0] is joes[1] is joes[2]
        assert world.directory._inquiries == {}

    def test_fails_for_all(self, world):
        laters = [world.find() for _ in range(3)]
        world.clock.advance(60.0)
        assert all(isinstance(outcome_of(later), Denied) for later in laters)
        assert len(world.complaints) == 1

    def test_is_asked_each_time_for_a_ticket_which_may_be_good_once(self, world):
        world.find("ticket", ticket="t")
        world.find("ticket", ticket="t")
        assert len(world.questions) == 2


class TestBehindAMethod:
    def test_a_ticket_is_checked_by_who_is_asked(self, world):
        later = Ticket(world.directory).begin(details("joe")).answer("good", {})
        assert world.questions[0]["details"] == {"ticket": "good"}
        world.answer({"role": "member"})
        assert outcome_of(later).authprovider == "dynamic"

    def test_an_unknown_user_of_wampcra_is_refused_with_the_answer_only(self, world):
        clock = FakeClock()
        method = WampCra(world.directory, UnknownUsers((), "pepper", "member"), clock, SequentialIds())
        for outcome, is_right in ((ENOUGH["wampcra"], True), (None, False)):
            later = method.begin(details("joe", x=is_right))
            world.answer(outcome)
            question = outcome_of(later)
            signature = sign(b"s", question.extra["challenge"]).decode()
            if is_right:
                assert question.answer(signature, {}).authid == "joe"
            else:
                assert refusal(question.answer, signature, {})[1] == "unknown authid or wrong signature"

    def test_an_error_ends_the_handshake(self, world):
        later = WampCra(world.directory, UnknownUsers((), "p"), world.clock, SequentialIds()).begin(
            details("joe")
        )
        world.answer(Refused("a.b", "c"))
        assert outcome_of(later).text == FAILED[1]
