"""Every authentication method of configured users, from bytes to bytes."""

import base64
import hashlib
import hmac
import json

import pytest
from autobahn.wamp import auth
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.memory import HELLO, RawSocketWire, WebSocketWire

from radiod.auth.scram import make_scram

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBKEY = PRIVATE.public_key().public_bytes_raw().hex()
SALT = bytes(16)
SCRAM = make_scram("pencil", "pbkdf2", SALT, 10)
NONCE = base64.b64encode(bytes(16)).decode()
USERS = f"""
[realms.radio.users.cara]
role = "listener"
wampcra = {{ secret = "pencil", salt = "salty", iterations = 10 }}

[realms.radio.users.sam]
role = "listener"

[realms.radio.users.sam.scram]
kdf = "pbkdf2"
salt = "{SALT.hex()}"
iterations = 10
stored_key = "{SCRAM.stored_key.hex()}"
server_key = "{SCRAM.server_key.hex()}"

[realms.radio.users.kay]
role = "listener"
cryptosign = ["{PUBKEY}"]

[realms.tickets.users.tim]
role = "listener"
ticket = "tims"
"""


@pytest.fixture(params=[WebSocketWire, RawSocketWire], ids=["websocket", "rawsocket"])
def wire(world, request):
    return world.start(USERS, base="").connect(request.param)


def hello(method, authid=None, realm="radio", **authextra):
    return [1, realm, {**HELLO[2], "authmethods": [method], "authid": authid, "authextra": authextra}]


def prove_scram(authid, extra):
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", base64.b64decode(extra["salt"]), extra["iterations"])
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    signed = (
        f"n={authid},r={NONCE},r={extra['nonce']},s={extra['salt']},i={extra['iterations']},"
        f"c=biws,r={extra['nonce']}"
    ).encode()
    mask = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
    proof = bytes(one ^ other for one, other in zip(client_key, mask, strict=True))
    verifier = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
    return base64.b64encode(proof).decode(), base64.b64encode(verifier).decode()


@pytest.mark.parametrize(("authid", "is_known"), [("cara", True), ("sam", False), ("nobody", False)])
def test_wampcra(wire, authid, is_known):
    kind, method, extra = wire.ask(hello("wampcra", authid))
    assert (kind, method) == (4, "wampcra")
    key = auth.derive_key("pencil", extra["salt"], extra["iterations"], extra["keylen"])
    answer = wire.ask([5, auth.compute_wcs(key, extra["challenge"]).decode(), {}])
    assert answer[0] == (2 if is_known else 3)
    if not is_known:
        assert answer[2] == "wamp.error.authentication_denied"
    else:
        assert [answer[2][f"auth{what}"] for what in ("id", "method", "role")] == [
            authid,
            "wampcra",
            "listener",
        ]
        assert json.loads(extra["challenge"])["session"] == answer[1]


@pytest.mark.parametrize(("authid", "is_known"), [("sam", True), ("cara", False), ("nobody", False)])
def test_wamp_scram(wire, authid, is_known):
    kind, method, extra = wire.ask(hello("wamp-scram", authid, nonce=NONCE))
    assert (kind, method) == (4, "wamp-scram")
    proof, verifier = prove_scram(authid, extra)
    answer = wire.ask([5, proof, {"nonce": extra["nonce"]}])
    assert answer[0] == (2 if is_known else 3)
    if is_known:
        assert answer[2]["authextra"] == {"verifier": verifier}


def test_scram_in_autobahns_dialect_is_offered_too(wire):
    assert wire.ask(hello("scram", "sam", nonce=NONCE))[:2] == [4, "scram"]


@pytest.mark.parametrize(("authid", "is_known"), [("kay", True), (None, True), ("cara", False)])
def test_cryptosign(wire, authid, is_known):
    kind, method, extra = wire.ask(hello("cryptosign", authid, pubkey=PUBKEY))
    assert (kind, method) == (4, "cryptosign")
    signature = PRIVATE.sign(bytes.fromhex(extra["challenge"])).hex()
    answer = wire.ask([5, signature + extra["challenge"], {}])
    assert answer[0] == (2 if is_known else 3)
    if is_known:
        assert answer[2]["authid"] == "kay"


@pytest.mark.parametrize("method", ["wampcra", "wamp-scram", "scram", "cryptosign"])
def test_a_method_that_no_user_of_the_realm_has_is_not_offered(wire, method):
    answer = wire.ask(hello(method, "tim", "tickets", nonce=NONCE, pubkey=PUBKEY))
    assert (answer[0], answer[2]) == (3, "wamp.error.no_matching_auth_method")


def test_a_ticket_is_not_offered_where_nobody_has_one(wire):
    assert wire.ask(hello("ticket", "sam"))[2] == "wamp.error.no_matching_auth_method"
