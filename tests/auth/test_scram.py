"""SCRAM in both dialects: RFC 7677's vector, a client after the specification, and Autobahn's own."""

import base64
import hashlib
import hmac
from types import SimpleNamespace

import pytest
from autobahn.wamp import auth
from autobahn.wamp.types import Challenge
from support.logins import AWKWARD, LateDirectory, details, outcome_of, refusal, user

from radiod.auth.directory import ScramVerifier, StaticDirectory
from radiod.auth.scram import (
    AUTOBAHN,
    SPECIFIED,
    Scram,
    _verifies,
    auth_message,
    make_scram,
    prepare,
    signature_for,
)
from radiod.auth.unknown_users import UnknownUsers
from radiod.errors import AUTHENTICATION_DENIED
from radiod.testing import SequentialIds

REFUSED = (AUTHENTICATION_DENIED, "unknown authid or wrong password")
SALT = bytes(range(16))
NONCE = base64.b64encode(b"client's nonce!!").decode()
needs_autobahns = pytest.mark.skipif(not auth.HAS_ARGON, reason="needs argon2-cffi and passlib")


def pbkdf2(password="pencil"):
    return make_scram(password, "pbkdf2", SALT, 20)


def argon(password="pencil", dialect=SPECIFIED):
    return make_scram(password, "argon2id13", SALT, 1, 8, dialect)


def make(dialect=SPECIFIED, directory=None, **verifiers):
    users = {name: user(name, scram=verifier) for name, verifier in verifiers.items()}
    users["other"] = user("other", ticket=lambda _: True)
    decoys = UnknownUsers(users.values(), "pepper")
    return Scram(directory or StaticDirectory(users), decoys, SequentialIds(), dialect)


class SpecifiedClient:
    """A client of ``wamp-scram`` that follows the specification's pseudocode, and shares nothing with us."""

    def __init__(self, authid, password):
        self.authid = authid
        self.password = password

    def on_challenge(self, extra):
        salt = base64.b64decode(extra["salt"])
        if extra["kdf"] == "pbkdf2":
            assert extra["memory"] is None
            salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), salt, extra["iterations"])
        else:
            from argon2.low_level import Type, hash_secret_raw

            assert extra["kdf"] == "argon2id13"
            salted = hash_secret_raw(
                self.password.encode(), salt, extra["iterations"], extra["memory"], 1, 32, Type.ID
            )
        escaped = "".join({",": "=2C", "=": "=3D"}.get(c, c) for c in self.authid)
        server_first = f"r={extra['nonce']},s={extra['salt']},i={extra['iterations']}"
        self.signed = f"n={escaped},r={NONCE},{server_first},c=biws,r={extra['nonce']}".encode()
        client_key = self._mac(salted, b"Client Key")
        mask = self._mac(hashlib.sha256(client_key).digest(), self.signed)
        self.server_key = self._mac(salted, b"Server Key")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, mask, strict=True))).decode()
        return proof, {"nonce": extra["nonce"], "channel_binding": None, "cbind_data": None}

    def verifier(self):
        return base64.b64encode(self._mac(self.server_key, self.signed)).decode()

    def _mac(self, key, text):
        return hmac.new(key, text, "sha256").digest()


class TestRfc7677:
    """RFC 7677, section 3. Its nonces are no base64: they do not come through a HELLO."""

    CLIENT = "rOprNGfwEbeRWgbNEkqO"
    SERVER = CLIENT + "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    VERIFIER = make_scram("pencil", "pbkdf2", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    PROOF = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

    def signed(self):
        return auth_message(SPECIFIED, "user", self.CLIENT, self.SERVER, self.VERIFIER)

    def test_the_signed_text(self):
        assert self.signed().decode() == (
            f"n=user,r={self.CLIENT},r={self.SERVER},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={self.SERVER}"
        )

    def test_the_clients_proof(self):
        assert _verifies(self.PROOF, self.VERIFIER.stored_key, self.signed())
        assert not _verifies(self.PROOF, self.VERIFIER.stored_key, self.signed() + b" ")

    def test_the_servers_signature(self):
        expected = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        assert signature_for(self.VERIFIER.server_key, self.signed()) == expected


class TestTheSpecifiedDialect:
    @pytest.mark.parametrize("verifier", [pbkdf2(), argon()], ids=["pbkdf2", "argon2id13"])
    @pytest.mark.parametrize("authid", ["ann", "a=n,n", "änn 💧"])
    def test_the_right_password_lets_its_user_in_and_proves_the_server(self, authid, verifier):
        question = make(**{authid: verifier}).begin(details(authid, nonce=NONCE, channel_binding=None))
        client = SpecifiedClient(authid, "pencil")
        principal = question.answer(*client.on_challenge(question.extra))
        assert (principal.authid, principal.authmethod) == (authid, "wamp-scram")
        assert principal.authextra == {"verifier": client.verifier()}

    def test_the_challenge_says_what_the_specification_wants(self):
        assert make(ann=argon()).begin(details("ann", nonce=NONCE)).extra == {
            "nonce": NONCE + f"{1:032x}",
            "salt": base64.b64encode(SALT).decode(),
            "kdf": "argon2id13",
            "iterations": 1,
            "memory": 8,
        }

    @pytest.mark.parametrize("extra", [{}, *({"nonce": value} for value in (*AWKWARD, NONCE))])
    def test_the_nonce_must_come_back(self, extra):
        question = make(ann=pbkdf2()).begin(details("ann", nonce=NONCE))
        proof, _ = SpecifiedClient("ann", "pencil").on_challenge(question.extra)
        assert refusal(question.answer, proof, extra) == REFUSED

    @pytest.mark.parametrize("authid", ["ann", "nobody"])
    @pytest.mark.parametrize("name", ["channel_binding", "cbind_data"])
    def test_channel_binding_is_refused(self, authid, name):
        method = make(ann=pbkdf2())
        words = refusal(method.begin, details(authid, nonce=NONCE, **{name: "tls-unique"}))
        assert words[1] == "channel binding is not supported: channel_binding must be null"
        question = method.begin(details(authid, nonce=NONCE))
        proof, extra = SpecifiedClient(authid, "pencil").on_challenge(question.extra)
        assert refusal(question.answer, proof, {**extra, name: "x"}) == words

    def test_a_verifier_of_the_other_dialect_fits_no_password(self):
        question = make(ann=argon(dialect=AUTOBAHN)).begin(details("ann", nonce=NONCE))
        answer = SpecifiedClient("ann", "pencil").on_challenge(question.extra)
        assert refusal(question.answer, *answer) == REFUSED


@needs_autobahns
class TestAutobahnsDialect:
    def client(self, authid="ann", password="pencil"):
        return auth.create_authenticator("scram", authid=authid, password=password)

    def begin(self, client, authid="ann", verifier=None):
        method = make(AUTOBAHN, ann=verifier or argon(dialect=AUTOBAHN))
        return method.begin(details(authid, **client.authextra))

    def answer(self, client, question):
        return client.on_challenge(None, Challenge("scram", question.extra)).decode()

    def test_the_right_password_lets_its_user_in_and_proves_the_server(self):
        client = self.client()
        question = self.begin(client)
        principal = question.answer(self.answer(client, question), {})
        assert (principal.authid, principal.authmethod) == ("ann", "scram")
        log = SimpleNamespace(info=lambda _: None, error=lambda _: None)
        session = SimpleNamespace(log=log)
        assert client.on_welcome(session, principal.authextra) is None
        other = {"scram_server_signature": base64.b64encode(bytes(32)).decode()}
        assert client.on_welcome(session, other) is not None

    def test_an_authid_is_not_escaped(self):
        client = self.client("a=n,n")
        method = make(AUTOBAHN, **{"a=n,n": argon(dialect=AUTOBAHN)})
        question = method.begin(details("a=n,n", **client.authextra))
        assert question.answer(self.answer(client, question), {}).authid == "a=n,n"

    @pytest.mark.slow
    def test_what_autobahn_derives_is_what_we_make(self):
        theirs = auth.derive_scram_credential("ann@example.com", "pencil")
        salt = bytes.fromhex(theirs["salt"])
        ours = make_scram("pencil", "argon2id13", salt, theirs["iterations"], theirs["memory"], AUTOBAHN)
        assert (ours.stored_key.hex(), ours.server_key.hex()) == (theirs["stored-key"], theirs["server-key"])

    @pytest.mark.parametrize("authid", ["ann", "nobody", "other", ""])
    def test_a_wrong_password_is_refused(self, authid):
        client = self.client(authid, "pen")
        question = self.begin(client, authid)
        assert refusal(question.answer, self.answer(client, question), {}) == REFUSED

    def test_a_verifier_of_the_other_dialect_fits_no_password(self):
        client = self.client()
        question = self.begin(client, verifier=argon())
        assert refusal(question.answer, self.answer(client, question), {}) == REFUSED

    def test_memory_is_left_out_where_there_is_none(self):
        extra = self.begin(self.client(), verifier=pbkdf2()).extra
        assert set(extra) == {"nonce", "salt", "kdf", "iterations"}


@pytest.mark.parametrize("dialect", [SPECIFIED, AUTOBAHN], ids=lambda dialect: dialect.method)
class TestBothDialects:
    @pytest.mark.parametrize("authid", ["ann", "nobody", "other", "", None, "n" * 1024])
    @pytest.mark.parametrize(
        "wrong", ["", "x", "é", "\ud800", "\0", "====", base64.b64encode(bytes(32)).decode(), "A" * 65_536]
    )
    def test_a_wrong_proof_is_refused_in_the_same_words(self, dialect, authid, wrong):
        question = make(dialect, ann=pbkdf2()).begin(details(authid, nonce=NONCE))
        assert refusal(question.answer, wrong, {"nonce": question.extra["nonce"]}) == REFUSED

    @pytest.mark.parametrize("nonce", [*AWKWARD, "abc", "ab==ab==", "a,b=", "YWJj\n", "A" * 260])
    @pytest.mark.parametrize("authid", ["ann", "nobody"])
    def test_a_nonce_must_be_short_base64(self, dialect, authid, nonce):
        words = refusal(make(dialect, ann=pbkdf2()).begin, details(authid, nonce=nonce))[1]
        assert words == "HELLO.Details.authextra.nonce must be base64 of 1 to 256 characters"

    def test_a_nonce_must_be_there(self, dialect):
        assert "nonce must be" in refusal(make(dialect, ann=pbkdf2()).begin, details("ann"))[1]

    def test_an_unknown_user_sees_what_a_known_one_sees_and_the_same_each_time(self, dialect):
        method = make(dialect, ann=argon())

        def challenge(authid):
            extra = dict(method.begin(details(authid, nonce=NONCE)).extra)
            assert extra.pop("nonce").startswith(NONCE)
            return extra

        assert challenge("nobody") == challenge("nobody") != challenge("somebody")
        known, unknown = challenge("ann"), challenge("nobody")
        assert list(known) == list(unknown)
        assert len(known.pop("salt")) == len(unknown.pop("salt"))
        assert known == unknown

    def test_the_nonce_is_another_each_time(self, dialect):
        method = make(dialect, ann=pbkdf2())
        nonces = {method.begin(details("ann", nonce=NONCE)).extra["nonce"] for _ in range(3)}
        assert len(nonces) == 3

    def test_a_directory_that_answers_later_is_not_told_what_changes_each_time(self, dialect):
        directory = LateDirectory()
        method = make(dialect, directory)
        later = method.begin(details("ann", nonce=NONCE, channel_binding=None, locale="de"))
        assert directory.asked == [(dialect.method, "ann", {"locale": "de"})]
        directory.settle(user("ann", scram=pbkdf2()))
        assert outcome_of(later).extra["kdf"] == "pbkdf2"


def test_the_salt_made_up_for_an_authid_is_the_same_in_both_dialects():
    salts = {
        make(one, ann=pbkdf2()).begin(details("x", nonce=NONCE)).extra["salt"]
        for one in (SPECIFIED, AUTOBAHN)
    }
    assert len(salts) == 1


def test_an_old_proof_is_no_use():
    method = make(ann=pbkdf2())
    first, second = (method.begin(details("ann", nonce=NONCE)) for _ in range(2))
    proof, extra = SpecifiedClient("ann", "pencil").on_challenge(first.extra)
    assert refusal(second.answer, proof, extra) == REFUSED
    assert refusal(second.answer, proof, {"nonce": second.extra["nonce"]}) == REFUSED
    first.answer(proof, extra)


class TestVerifiers:
    def test_hold_what_a_login_needs(self):
        verifier = argon()
        assert isinstance(verifier, ScramVerifier)
        assert (verifier.kdf, verifier.salt, verifier.iterations, verifier.memory) == (
            "argon2id13",
            SALT,
            1,
            8,
        )
        assert (len(verifier.stored_key), len(verifier.server_key)) == (32, 32)

    @pytest.mark.parametrize(("kdf", "memory"), [("argon2id13", None), ("pbkdf2", 8), ("argon2id-13", 8)])
    def test_need_a_kdf_that_fits(self, kdf, memory):
        with pytest.raises(ValueError, match="kdf must be"):
            make_scram("pencil", kdf, SALT, 1, memory)

    # RFC 4013, section 3, and Unicode that looks alike
    @pytest.mark.parametrize(
        ("text", "normal"),
        [
            ("I\u00adX", "IX"),
            ("user", "user"),
            ("USER", "USER"),
            ("ª", "a"),
            ("Ⅸ", "IX"),
            ("a\u00a0b", "a b"),
        ],
    )
    def test_are_the_same_for_passwords_that_are(self, text, normal):
        assert prepare(text) == normal
        assert pbkdf2(text) == pbkdf2(normal)

    @pytest.mark.parametrize("text", ["\u0007", "\u06271", "\u0627a\u0627", "\ue000", "\ud800"])
    def test_are_not_made_of_forbidden_passwords(self, text):
        with pytest.raises(ValueError, match="SASLprep"):
            prepare(text)

    def test_of_passwords_from_right_to_left_are_made(self):
        assert prepare("\u0627\u0031\u0628") == "\u0627\u0031\u0628"
