"""The client's side of WAMP-SCRAM beside the server's, and challenges that are none."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from radiod_client import LoginRefused
from radiod_client._scram import Exchange, check_password, make_nonce
from support.logins import details

from radiod.auth.directory import Credentials
from radiod.auth.scram import Scram, make_scram
from radiod.auth.unknown_users import UnknownUsers
from radiod.core.ids import RandomIds
from radiod.errors import Denied
from radiod.testing import ALLOW_ALL

SALT = b"salt of a user, 16"
KDFS = {"pbkdf2": {"iterations": 4}, "argon2id13": {"iterations": 1, "memory": 8}}


class Users:
    """A directory of one."""

    def __init__(self, authid, password, kdf):
        verifier = make_scram(password, kdf, SALT, **KDFS[kdf])
        self.user = Credentials(authid=authid, role="open", permissions=ALLOW_ALL, scram=verifier)

    def find(self, method, authid, told):
        return self.user if authid == self.user.authid else None


def login(exchange, authid, users):
    """The whole of it. Returns: WELCOME's authextra. Raises: Denied."""
    scram = Scram(users, UnknownUsers([users.user], "pepper"), RandomIds())
    asked = scram.begin(details(authid, nonce=exchange.nonce))
    if not hasattr(asked, "answer"):
        found = []
        asked.then(found.append)
        asked = found[0]
    signature, extra = exchange.answer(asked.extra)
    return asked.answer(signature, extra).authextra


@pytest.mark.parametrize("kdf", KDFS)
@pytest.mark.parametrize("authid", ["joe", "jo,e=2", "Jürgen"])
def test_both_ends_know_the_password(kdf, authid):
    exchange = Exchange(authid, "pass wörd", make_nonce())
    exchange.check(login(exchange, authid, Users(authid, "pass wörd", kdf)))


@given(st.text(min_size=1, max_size=20))
@settings(max_examples=30)
def test_any_password_that_can_be(password):
    try:
        check_password(password)
    except ValueError:
        with pytest.raises(ValueError):
            make_scram(password, "pbkdf2", SALT, 4)
        return
    exchange = Exchange("joe", password, make_nonce())
    exchange.check(login(exchange, "joe", Users("joe", password, "pbkdf2")))


@pytest.mark.parametrize("authid", ["joe", "somebody else"])
def test_a_wrong_one_is_refused(authid):
    with pytest.raises(Denied):
        login(Exchange(authid, "wrong", make_nonce()), authid, Users("joe", "right", "pbkdf2"))


def test_salting_is_done_once():
    known = {}
    users = Users("joe", "right", "pbkdf2")
    for _ in range(2):
        exchange = Exchange("joe", "right", make_nonce(), known)
        exchange.check(login(exchange, "joe", users))
    assert len(known) == 1
    first = next(iter(known.values()))
    users.user = Users("joe", "right", "argon2id13").user
    login(Exchange("joe", "right", make_nonce(), known), "joe", users)
    assert len(known) == 1
    assert first not in known.values()


def test_a_server_that_does_not_know_it_is_found_out():
    exchange = Exchange("joe", "right", make_nonce())
    login(exchange, "joe", Users("joe", "right", "pbkdf2"))
    for told in (
        None,
        {},
        {"verifier": 7},
        {"verifier": base64.b64encode(b"x" * 32).decode()},
        {"verifier": ""},
    ):
        with pytest.raises(LoginRefused, match="does not know"):
            exchange.check(told)


def test_one_that_never_asked_is_found_out():
    with pytest.raises(LoginRefused):
        Exchange("joe", "right", make_nonce()).check({"verifier": ""})


CHALLENGE = {"nonce": "YWJjMTIz", "salt": "c2FsdHNhbHQ=", "kdf": "pbkdf2", "iterations": 4, "memory": None}


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": None},
        {"nonce": "YWJj"},
        {"nonce": "b3RoZXI="},
        {"salt": 7},
        {"salt": "no base64!"},
        {"iterations": "4"},
        {"iterations": 0},
        {"iterations": 2_000_000},
        {"kdf": "md5"},
        {"kdf": ["pbkdf2"]},
        {"kdf": "argon2id13"},
        {"kdf": "argon2id13", "memory": 1 << 30},
        {"kdf": "argon2id13", "memory": 1 << 12, "iterations": 1 << 12},
    ],
    ids=str,
)
def test_a_challenge_that_is_none(wrong):
    exchange = Exchange("joe", "right", "YWJj")
    assert exchange.answer(CHALLENGE)[1]["nonce"] == "YWJjMTIz"
    with pytest.raises(LoginRefused):
        exchange.answer({**CHALLENGE, **wrong})
