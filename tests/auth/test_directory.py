"""Users known from the start, and the made up ones that stand in for those who are not."""

import pytest
from msgspec.structs import replace
from support.logins import LateDirectory, outcome_of, user

from radiod.auth.directory import (
    PROOFS,
    DynamicDirectory,
    OrderedDirectory,
    ScramVerifier,
    StaticDirectory,
    WampcraSecret,
)
from radiod.auth.unknown_users import UnknownUsers
from radiod.core.holders import Account, Holder
from radiod.core.rights import Action

KEY, OTHER_KEY = bytes(range(32)), bytes(32)
SCRAM = ScramVerifier(
    kdf="pbkdf2", salt=b"12345678", iterations=5000, memory=None, stored_key=bytes(32), server_key=bytes(32)
)
ANN = user("ann", ticket=lambda candidate: candidate == "t", wampcra=WampcraSecret(secret="s"))
BOB = user("bob", scram=SCRAM, cryptosign=(KEY,))
DIRECTORY = StaticDirectory({"ann": ANN, "bob": BOB})


@pytest.mark.parametrize(
    ("method", "authid", "found"),
    [
        ("ticket", "ann", ANN),
        ("wampcra", "ann", ANN),
        ("wamp-scram", "ann", None),
        ("scram", "ann", None),
        ("cryptosign", "ann", None),
        ("ticket", "bob", None),
        ("wampcra", "bob", None),
        ("wamp-scram", "bob", BOB),
        ("scram", "bob", BOB),
        ("cryptosign", "bob", BOB),
        ("ticket", "nobody", None),
        ("ticket", "", None),
    ],
)
def test_finds_users_by_authid_who_have_the_method(method, authid, found):
    assert DIRECTORY.find(method, authid, {"pubkey": KEY}) is found


def test_finds_the_owner_of_a_key():
    assert DIRECTORY.find("cryptosign", None, {"pubkey": KEY}) is BOB
    assert DIRECTORY.find("cryptosign", None, {"pubkey": OTHER_KEY}) is None


@pytest.mark.parametrize("method", sorted(set(PROOFS) - {"cryptosign"}))
@pytest.mark.parametrize("details", [{}, {"pubkey": KEY}, {"pubkey": []}])
def test_a_key_finds_nobody_for_another_method(method, details):
    assert DIRECTORY.find(method, None, details) is None


def test_a_user_becomes_a_principal():
    principal = ANN.principal("ticket", {"a": 1})
    assert (principal.authid, principal.authrole, principal.authmethod) == ("ann", "member", "ticket")
    assert (principal.authprovider, principal.authextra) == ("static", {"a": 1})


class TestDynamicDirectory:
    """Some users known from the start, others whom somebody else knows."""

    @pytest.fixture
    def others(self):
        return LateDirectory()

    @pytest.fixture
    def learned(self):
        return []

    @pytest.fixture
    def directory(self, others, learned):
        return DynamicDirectory(DIRECTORY, others, {"wampcra", "cryptosign"}, learned.append)

    @pytest.mark.parametrize(
        ("method", "authid", "found"),
        [
            ("wampcra", "ann", ANN),
            ("wampcra", "bob", None),
            ("cryptosign", "bob", BOB),
            ("cryptosign", None, BOB),
            ("cryptosign", "ann", None),
            ("ticket", "nobody", None),
        ],
    )
    def test_nobody_is_asked_about_known_names_and_by_other_methods(
        self, directory, others, method, authid, found
    ):
        assert directory.find(method, authid, {"pubkey": KEY}) is found
        assert others.asked == []

    @pytest.mark.parametrize(
        ("method", "authid"),
        [("wampcra", "joe"), ("wampcra", ""), ("cryptosign", None), ("cryptosign", "joe")],
    )
    @pytest.mark.parametrize("found", [user("joe"), None], ids=["found", "unknown"])
    def test_others_are_asked_about(self, directory, others, learned, method, authid, found):
        later = directory.find(method, authid, {"pubkey": OTHER_KEY})
        assert others.asked == [(method, authid, {"pubkey": OTHER_KEY})]
        others.settle(found)
        assert outcome_of(later) is found
        assert learned == ([found] if found else [])


class TestOrderedDirectory:
    """The configuration's users come before others; a name is nobody else's, by whatever method."""

    CAT = user("cat", ticket=lambda candidate: True)
    FALSE_BOB = user("bob", ticket=lambda candidate: True, cryptosign=(OTHER_KEY,))

    @pytest.fixture
    def directory(self):
        return OrderedDirectory(DIRECTORY, StaticDirectory({"bob": self.FALSE_BOB, "cat": self.CAT}))

    @pytest.mark.parametrize(
        ("method", "authid", "found"),
        [
            ("ticket", "ann", ANN),
            ("ticket", "cat", CAT),
            ("scram", "bob", BOB),
            ("ticket", "bob", None),
            ("ticket", "dan", None),
        ],
    )
    def test_the_first_that_knows_a_name_answers(self, directory, method, authid, found):
        assert directory.find(method, authid, {}) is found

    def test_public_keys_are_looked_for_in_all(self, directory):
        assert directory.find("cryptosign", None, {"pubkey": KEY}) is BOB
        assert directory.find("cryptosign", None, {"pubkey": OTHER_KEY}) is self.FALSE_BOB

    def test_it_knows_whom_they_know(self, directory):
        assert [authid in directory for authid in ("ann", "cat", "dan", None)] == [True, True, False, False]

    def test_nobody_else_is_asked_about_them(self, directory):
        others = LateDirectory()
        holders = []

        def holder_of(authid):
            holders.append(Holder(authid, Account(authid)))
            return holders[-1]

        dynamic = DynamicDirectory(directory, others, ("ticket",), lambda user: None, holder_of)
        assert dynamic.find("ticket", "cat", {}) is self.CAT
        assert dynamic.find("ticket", "bob", {}) is None
        later = dynamic.find("ticket", "dan", {})
        others.settle(user("dan"))
        assert outcome_of(later).holder is holders[0]
        assert holders[0].id == "dan"


class TestDecoys:
    SALTED = user("s", "salty", wampcra=WampcraSecret(secret="p", salt="NaCl", iterations=7, keylen=20))
    USERS = (ANN, BOB, SALTED)

    def test_are_the_same_each_time(self):
        decoys = UnknownUsers(self.USERS, "pepper")
        for authid in ("x", "", "é", "\ud800"):
            assert decoys.wampcra(authid)[1] == UnknownUsers(self.USERS, "pepper").wampcra(authid)[1]
            assert decoys.scram(authid)[1] == UnknownUsers(self.USERS, "pepper").scram(authid)[1]

    def test_differ_with_authid_and_pepper(self):
        decoys = UnknownUsers(self.USERS, "pepper")
        salts = {decoys.scram(authid)[1].salt for authid in ("x", "y", "z")}
        assert len(salts | {UnknownUsers(self.USERS, "salt").scram("x")[1].salt}) == 4

    def test_look_like_the_users_who_have_the_method(self):
        decoys = UnknownUsers(self.USERS, "pepper")
        shown = [decoys.wampcra(str(number)) for number in range(50)]
        shapes = {(user.role, len(one.salt), one.iterations, one.keylen) for user, one in shown}
        assert shapes == {("member", 0, 1000, 32), ("salty", 4, 7, 20)}
        assert {letter for _, one in shown for letter in one.salt} <= set("NaCl")
        verifier = decoys.scram("x")[1]
        assert (verifier.kdf, len(verifier.salt), verifier.iterations, verifier.memory) == (
            "pbkdf2",
            8,
            5000,
            None,
        )
        assert verifier.salt != SCRAM.salt
        assert verifier.stored_key != SCRAM.stored_key

    def test_may_do_nothing(self):
        decoys = UnknownUsers(self.USERS, "pepper")
        for somebody in (decoys.wampcra("x")[0], decoys.scram("x")[0]):
            assert somebody.authid == "x"
            assert not any(somebody.permissions.allows(action, "a.b") for action in Action)

    def test_look_like_the_first_user_whom_somebody_else_knows(self):
        decoys = UnknownUsers(self.USERS, "pepper", elsewhere={"wampcra", "scram"})
        somebody, secret = decoys.wampcra("x")
        assert (somebody.provider, secret.salt) == ("dynamic", "")
        assert decoys.scram("x")[1].kdf == "argon2id13"
        decoys.learn(user("t", ticket=lambda ticket: True))
        decoys.learn(self.SALTED)
        decoys.learn(user("s", scram=SCRAM))
        for later in (ANN, user("s", scram=replace(SCRAM, iterations=1))):
            decoys.learn(later)
        assert {len(decoys.wampcra(str(number))[1].salt) for number in range(20)} == {4}
        assert {decoys.scram(str(number))[1].iterations for number in range(20)} == {5000}

    @pytest.mark.parametrize(
        ("elsewhere", "told"), [((), ("member", "static")), (("wampcra",), ("user", "dynamic"))]
    )
    def test_hide_the_roles_of_all_where_somebody_else_knows_users(self, elsewhere, told):
        assert UnknownUsers(self.USERS, "pepper", elsewhere=elsewhere).told(ANN) == told

    def test_exist_where_no_user_is_known(self):
        decoys = UnknownUsers((), "pepper", role="guest")
        somebody, secret = decoys.wampcra("x")
        assert (somebody.role, somebody.provider, secret.salt) == ("guest", "dynamic", "")
        assert len(decoys.scram("x")[1].salt) == 16


class TestNewLooks:
    """Users who were added at run time have decoys, too."""

    NAMES = [f"nobody {number}" for number in range(200)]
    OTHER = replace(SCRAM, iterations=7000)

    def looks(self, decoys):
        return {name: decoys.scram(name)[1].iterations for name in self.NAMES}

    def test_the_first_one_is_what_all_look_like(self):
        decoys = UnknownUsers([], "pepper")
        assert set(self.looks(decoys).values()) == {4096}
        decoys.resemble(user("ann", ticket=lambda candidate: True))
        assert set(self.looks(decoys).values()) == {4096}
        decoys.resemble(user("bob", scram=SCRAM))
        assert set(self.looks(decoys).values()) == {5000}

    def test_a_new_look_changes_some_and_none_of_the_others(self):
        decoys = UnknownUsers([BOB], "pepper")
        salts = {name: decoys.scram(name)[1].salt for name in self.NAMES}
        decoys.resemble(user("carl", scram=self.OTHER))
        after = self.looks(decoys)
        assert set(after.values()) == {5000, 7000}
        assert {name: decoys.scram(name)[1].salt for name in self.NAMES} == salts
        decoys.resemble(user("dora", scram=replace(self.OTHER, salt=b"87654321")))
        assert self.looks(decoys) == after
        decoys.resemble(user("emil", scram=replace(SCRAM, iterations=9000)))
        assert {look for name, look in self.looks(decoys).items() if look != after[name]} == {9000}

    def test_many_users_of_one_look_are_one(self):
        many = [replace(BOB, authid=str(number)) for number in range(50)]
        decoys = UnknownUsers([*many, user("carl", scram=self.OTHER)], "pepper")
        looks = list(self.looks(decoys).values())
        assert 50 < looks.count(7000) < 150
