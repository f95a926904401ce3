"""Who a client is: as the nkeys library writes keys, and nothing of a secret in an error."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from engine.nats.nkeys import make_nkey
from hypothesis import given
from hypothesis import strategies as st

from radiod.engine.nats.credentials import BadCredentials, Nkey, Password, Token, UserJwt

# The pair of the tests of NATS's own library in Python.
SEED = "SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU"
PUBLIC = "UCK5N7N66OBOINFXAYC2ACJQYFSOD4VYNU6APEJTAVFZB2SVHLKGEW7L"

CREDS = """-----BEGIN NATS USER JWT-----
head.body.signature
------END NATS USER JWT------

************************* IMPORTANT *************************
NKEY Seed printed below can be used to sign and prove identity.

-----BEGIN USER NKEY SEED-----
{}
------END USER NKEY SEED------
"""


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_token_and_a_password_are_fields_of_connect():
    assert Token("t").fields("nonce") == {"auth_token": "t"}
    assert Password("u", "p").fields("") == {"user": "u", "password": "p"}


@given(st.binary(min_size=32, max_size=32), st.text(max_size=30))
def test_an_nkey_signs_the_nonce_so_that_its_public_half_verifies_it(secret, nonce):
    seed, public = make_nkey("U", secret)
    fields = Nkey(f" {seed}\n").fields(nonce)
    assert fields["nkey"] == public
    raw = base64.b32decode(public)
    Ed25519PublicKey.from_public_bytes(raw[1:33]).verify(decoded(fields["sig"]), nonce.encode())


def test_a_seed_of_the_nkeys_library_is_read():
    assert Nkey(SEED).public == PUBLIC


@pytest.mark.parametrize(
    ("seed", "said"),
    [
        ("", "letters are missing"),
        ("SU", "base 32|letters"),
        ("not base 32!", "not base 32"),
        (SEED[:-1] + "A", "letters are missing or wrong"),
        (SEED[:-8], "letters are missing or wrong"),
        (PUBLIC, "letters are missing or wrong"),
        (make_nkey("A", bytes(32))[0], "begin with SU"),
    ],
)
def test_what_is_no_seed_is_refused_and_not_shown(seed, said):
    with pytest.raises(BadCredentials, match=said) as refused:
        Nkey(seed)
    assert not seed or seed not in str(refused.value)


def test_a_file_of_credentials_has_a_jwt_and_signs():
    fields = UserJwt(CREDS.format(SEED)).fields("nonce")
    assert fields == {"jwt": "head.body.signature", "sig": Nkey(SEED).fields("nonce")["sig"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no NATS USER JWT"),
        (CREDS.split("*")[0], "no USER NKEY SEED"),
        (CREDS.format("SUAAA"), "no seed"),
    ],
)
def test_a_file_without_one_of_them_is_refused(text, said):
    with pytest.raises(BadCredentials, match=said):
        UserJwt(text)
