"""nkeys and JWTs of a test's own, as NATS's operators make them."""

import base64
import binascii
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KINDS = {"O": 14 << 3, "A": 0, "U": 20 << 3}
SEED = 18 << 3


def make_nkey(kind, secret):
    """(seed, public key) of an operator, account or user, of 32 bytes."""
    first = KINDS[kind]
    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    seed = bytes([SEED | first >> 5, (first & 31) << 3]) + secret
    return _written(seed), _written(bytes([first]) + public)


def _written(body):
    return base64.b32encode(body + binascii.crc_hqx(body, 0).to_bytes(2, "little")).rstrip(b"=").decode()


def make_jwt(secret, issuer, subject, kind, **claims):
    """A JWT that ``issuer``, whose secret that is, writes of ``subject``."""
    body = {"iat": 1_700_000_000, "iss": issuer, "sub": subject, "name": kind}
    body["nats"] = {"type": kind, "version": 2, **claims}
    body["jti"] = base64.b32encode(hashlib.sha256(json.dumps(body).encode()).digest()).decode().rstrip("=")
    signed = b".".join([_part({"typ": "JWT", "alg": "ed25519-nkey"}), _part(body)])
    signature = Ed25519PrivateKey.from_private_bytes(secret).sign(signed)
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def _part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
