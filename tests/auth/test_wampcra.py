"""WAMP-CRA, with Autobahn's client as the other side."""

import base64
import hashlib
import json

import pytest
from autobahn.wamp import auth
from autobahn.wamp.types import Challenge
from support.logins import LateDirectory, details, outcome_of, refusal, user

from radiod.auth import wampcra
from radiod.auth.directory import StaticDirectory, WampcraSecret
from radiod.auth.unknown_users import UnknownUsers
from radiod.auth.wampcra import WampCra, derive_key, sign
from radiod.errors import AUTHENTICATION_DENIED
from radiod.testing import FakeClock, SequentialIds

REFUSED = (AUTHENTICATION_DENIED, "unknown authid or wrong signature")
PLAIN = user("plain", "reader", wampcra=WampcraSecret(secret="pässword"))
SALTED = user(
    "saltéd", wampcra=WampcraSecret(secret="pässword", salt="sälz", iterations=50, keylen=64), provider="x"
)
USERS = {"plain": PLAIN, "saltéd": SALTED, "other": user("other", ticket=lambda _: True)}


def make(directory=None, users=USERS):
    known = UnknownUsers(users.values(), "pepper")
    return WampCra(directory or StaticDirectory(users), known, FakeClock(), SequentialIds())


@pytest.fixture
def method():
    return make()


def signature_of(question, secret="pässword", authid="anybody"):
    """What Autobahn's client answers."""
    client = auth.create_authenticator("wampcra", authid=authid, secret=secret)
    return client.on_challenge(None, Challenge("wampcra", question.extra))


@pytest.mark.parametrize("authid", ["plain", "saltéd"])
def test_the_right_password_lets_its_user_in(method, authid):
    question = method.begin(details(authid))
    principal = question.answer(signature_of(question), {})
    assert (principal.authid, principal.authmethod) == (authid, "wampcra")
    assert principal.permissions is USERS[authid].permissions


def test_the_challenge_says_what_the_specification_wants(method):
    question = method.begin(details("plain"))
    extra = question.extra
    assert set(extra) == {"challenge"}
    assert question.session == 1
    assert json.loads(extra["challenge"]) == {
        "authid": "plain",
        "authrole": "reader",
        "authmethod": "wampcra",
        "authprovider": "static",
        "session": 1,
        "nonce": f"{1:032x}",
        "timestamp": "2027-01-15T08:00:00.000Z",
    }


def test_the_challenge_of_a_salted_user_says_how(method):
    extra = method.begin(details("saltéd")).extra
    assert {name: extra[name] for name in extra if name != "challenge"} == {
        "salt": "sälz",
        "iterations": 50,
        "keylen": 64,
    }
    assert json.loads(extra["challenge"])["authid"] == "saltéd"


def test_the_key_is_that_of_rfc_7914():
    # RFC 7914, section 11: PBKDF2-HMAC-SHA-256 ("passwd", "salt", 1, 64)
    key = derive_key(WampcraSecret(secret="passwd", salt="salt", iterations=1, keylen=64))
    assert base64.b64decode(key).hex() == (
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
    )


@pytest.mark.parametrize("keylen", [16, 32, 64])
def test_key_and_signature_are_those_of_autobahn(keylen):
    secret = WampcraSecret(secret="ü", salt="ß", iterations=3, keylen=keylen)
    key = derive_key(secret)
    assert key == auth.derive_key("ü", "ß", 3, keylen)
    assert sign(key, '{"a": "é"}') == auth.compute_wcs(key, '{"a": "é"}')


WRONG = ["", "x", "é", "\ud800", "\0", "=" * 44, "x" * 65_536]


@pytest.mark.parametrize("authid", ["plain", "saltéd", "nobody", "other", "", None, "n" * 1024])
@pytest.mark.parametrize("wrong", [*WRONG, None])
def test_everything_else_is_refused_in_the_same_words(method, authid, wrong):
    question = method.begin(details(authid))
    answer = signature_of(question, "other password") if wrong is None else wrong
    assert refusal(question.answer, answer, {"x": []}) == REFUSED


@pytest.mark.parametrize("authid", ["nobody", "other", "", None])
def test_a_known_password_is_no_use_to_nobody(method, authid):
    question = method.begin(details(authid))
    assert refusal(question.answer, signature_of(question), {}) == REFUSED


def test_not_even_the_made_up_secret_lets_anybody_in(method):
    question = method.begin(details("nobody"))
    secret = UnknownUsers(USERS.values(), "pepper").wampcra("nobody")[1].secret
    signature = sign(secret.encode(), question.extra["challenge"]).decode()
    assert refusal(question.answer, signature, {}) == REFUSED


def test_an_old_signature_is_no_use(method):
    first, second = method.begin(details("plain")), method.begin(details("plain"))
    old = signature_of(first)
    assert refusal(second.answer, old, {}) == REFUSED
    first.answer(old, {})


def test_an_unknown_user_sees_the_same_salt_each_time(method):
    def salting(authid):
        return {k: v for k, v in method.begin(details(authid)).extra.items() if k != "challenge"}

    names = [f"nobody{number}" for number in range(20)]
    assert [salting(name) for name in names] == [salting(name) for name in names]
    shapes = {tuple((key, len(str(value))) for key, value in salting(name).items()) for name in names}
    assert shapes == {(), (("salt", 4), ("iterations", 2), ("keylen", 2))}


def test_an_unknown_user_sees_the_members_that_a_known_one_sees(method):
    known, unknown = (json.loads(method.begin(details(name)).extra["challenge"]) for name in ("plain", "no"))
    assert list(known) == list(unknown)
    assert unknown["authid"] == "no"


class TestKeys:
    @pytest.fixture(autouse=True)
    def count(self, monkeypatch):
        self.derived = []
        original = hashlib.pbkdf2_hmac
        monkeypatch.setattr(hashlib, "pbkdf2_hmac", lambda *a: self.derived.append(a[1]) or original(*a))

    def test_are_derived_once_and_never_for_unknown_users(self):
        method = make()
        assert self.derived == ["pässword".encode()]
        for authid in ("saltéd", "saltéd", "nobody", "somebody", "anybody"):
            method.begin(details(authid))
        assert len(self.derived) == 1

    def test_of_users_found_later_are_remembered_up_to_a_bound(self, monkeypatch):
        monkeypatch.setattr(wampcra, "MAX_KEYS", 2)
        directory = LateDirectory()
        method = make(directory, {})
        for password in ("a", "a", "b", "c", "a"):
            later = method.begin(details("joe", locale="de"))
            directory.settle(user("joe", wampcra=WampcraSecret(secret=password, salt="s", iterations=1)))
            question = outcome_of(later)
            assert question.answer(signature_of(question, password), {}).authid == "joe"
        assert self.derived == [b"a", b"b", b"c", b"a"]
        assert directory.asked[0] == ("wampcra", "joe", {"locale": "de"})


def test_a_directory_that_answers_later_may_know_nobody():
    directory = LateDirectory()
    later = make(directory, {}).begin(details("joe"))
    directory.settle(None)
    question = outcome_of(later)
    assert refusal(question.answer, signature_of(question), {}) == REFUSED
