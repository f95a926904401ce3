"""Key pairs: the specification's vectors, and Autobahn's client."""

import pytest
import txaio
from autobahn.wamp import auth
from autobahn.wamp.types import Challenge
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.logins import AWKWARD, LateDirectory, details, outcome_of, refusal, user

from radiod.auth.cryptosign import Cryptosign, _verifies
from radiod.auth.directory import StaticDirectory
from radiod.errors import AUTHENTICATION_DENIED
from radiod.testing import SequentialIds

REFUSED = (AUTHENTICATION_DENIED, "unknown key or wrong signature")
PRIVATE, STRANGERS = bytes(range(32)), bytes(range(1, 33))


def public(private):
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def sign(question, private=PRIVATE):
    challenge = question.extra["challenge"]
    signature = Ed25519PrivateKey.from_private_bytes(private).sign(bytes.fromhex(challenge))
    return signature.hex() + challenge


PUBKEY, STRANGE_PUBKEY = public(PRIVATE).hex(), public(STRANGERS).hex()
USERS = {
    "ann": user("ann", cryptosign=(bytes(32), public(PRIVATE))),
    "bob": user("bob", cryptosign=(public(bytes(32)),)),
    "tick": user("tick", ticket=lambda _: True),
}


@pytest.fixture
def method():
    return Cryptosign(StaticDirectory(USERS), SequentialIds())


# WAMP specification, "WAMP-Cryptosign", test vectors without a channel id: private key, challenge, signature.
VECTORS = [
    (
        "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "b32675b221f08593213737bef8240e7c15228b07028e19595294678c90d11c0c"
        "ae80a357331bfc5cc9fb71081464e6e75013517c2cf067ad566a6b7b728e5d03",
    ),
    (
        "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd",
        "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
        "d4209ad10d5aff6bfbc009d7e924795de138a63515efc7afc6b01b7fe5201372"
        "190374886a70207b042294af5bd64ce725cd8dceb344e6d11c09d1aaaf4d660f",
    ),
    (
        "6e1fde9cf9e2359a87420b65a87dc0c66136e66945196ba2475990d8a0c3a25b",
        "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2",
        "7beb282184baadd08f166f16dd683b39cab53816ed81e6955def951cb2ddad1e"
        "c184e206746fd82bda075af03711d3d5658fc84a76196b0fa8d1ebc92ef9f30b",
    ),
]


@pytest.mark.parametrize(("private", "challenge", "signature"), VECTORS)
def test_the_specifications_vectors(private, challenge, signature):
    pubkey = public(bytes.fromhex(private))
    assert _verifies(pubkey, signature + challenge, bytes.fromhex(challenge))
    assert not _verifies(pubkey, signature + challenge, bytes(32))
    assert not _verifies(pubkey, signature[:-1] + "e" + challenge, bytes.fromhex(challenge))


@pytest.mark.parametrize("authid", ["ann", None])
@pytest.mark.parametrize("pubkey", [PUBKEY, PUBKEY.upper()])
def test_the_right_key_lets_its_user_in(method, authid, pubkey):
    question = method.begin(details(authid, pubkey=pubkey, channel_binding=None))
    assert set(question.extra) == {"challenge"}
    assert len(question.extra["challenge"]) == 64
    principal = question.answer(sign(question), {})
    assert (principal.authid, principal.authmethod) == ("ann", "cryptosign")


def test_autobahns_client_gets_in(method):
    pytest.importorskip(
        "autobahn.wamp.cryptosign", reason="needs pynacl, base58 and ecdsa", exc_type=ImportError
    )
    pytest.importorskip("nacl")
    txaio.use_twisted()
    client = auth.create_authenticator("cryptosign", authid="ann", privkey=PRIVATE.hex())
    question = method.begin(details("ann", **client.authextra))

    class Session:
        class _transport:
            class transport_details:
                channel_id = {}

    answers = []
    client.on_challenge(Session, Challenge("cryptosign", question.extra)).addCallback(answers.append)
    assert question.answer(answers[0], {}).authid == "ann"


@pytest.mark.parametrize("authid", ["ann", "bob", "tick", "nobody", "", None, "é" * 1024])
@pytest.mark.parametrize(
    "wrong",
    ["", "x", "é", "\ud800", "0" * 192, "0" * 191, " " * 192, "g" * 192, "0" * 65_536, "0" * 192 + "\n"],
)
@pytest.mark.parametrize("pubkey", [PUBKEY, STRANGE_PUBKEY, "00" * 32, "ff" * 32])
def test_malformed_signatures_are_refused_in_the_same_words(method, authid, wrong, pubkey):
    question = method.begin(details(authid, pubkey=pubkey))
    assert refusal(question.answer, wrong, {}) == REFUSED


@pytest.mark.parametrize("authid", ["bob", "tick", "nobody", ""])
def test_a_known_key_is_no_use_to_somebody_else(method, authid):
    question = method.begin(details(authid, pubkey=PUBKEY))
    assert refusal(question.answer, sign(question), {}) == REFUSED


@pytest.mark.parametrize("authid", ["ann", None])
def test_an_unknown_key_is_refused_even_with_its_own_signature(method, authid):
    question = method.begin(details(authid, pubkey=STRANGE_PUBKEY))
    assert refusal(question.answer, sign(question, STRANGERS), {}) == REFUSED


def test_a_key_cannot_be_claimed_without_its_other_half(method):
    question = method.begin(details("ann", pubkey=PUBKEY))
    assert refusal(question.answer, sign(question, STRANGERS), {}) == REFUSED


def test_an_old_signature_is_no_use(method):
    first, second = (method.begin(details("ann", pubkey=PUBKEY)) for _ in range(2))
    old = sign(first)
    assert refusal(second.answer, old, {}) == REFUSED
    assert refusal(second.answer, old[:128] + second.extra["challenge"], {}) == REFUSED
    first.answer(old, {})


@pytest.mark.parametrize("extra", [{}, *({"pubkey": value} for value in (*AWKWARD, "0" * 63, "g" * 64))])
def test_a_pubkey_must_be_in_hex(method, extra):
    assert (
        refusal(method.begin, details("ann", **extra))[1]
        == "HELLO.Details.authextra.pubkey must be 64 hex digits"
    )


@pytest.mark.parametrize("binding", ["tls-unique", "tls-exporter", 1, ""])
def test_channel_binding_is_refused(method, binding):
    words = refusal(method.begin, details("ann", pubkey=PUBKEY, channel_binding=binding))[1]
    assert words == "channel binding is not supported: channel_binding must be null"


def test_a_directory_that_answers_later_is_told_the_key():
    directory = LateDirectory()
    later = Cryptosign(directory, SequentialIds()).begin(details(None, pubkey=PUBKEY, challenge="00", x=1))
    assert directory.asked == [("cryptosign", None, {"pubkey": public(PRIVATE), "x": 1})]
    directory.settle(USERS["ann"])
    question = outcome_of(later)
    assert question.answer(sign(question), {}).authid == "ann"
