"""What keys are called and opened by: made here, and known by their looks.

A secret is ``rdk_``, 43 random digits in base 62 (256 bits), and the CRC-32 of those in 6 more: programs that
look for leaked secrets know it when they see one, and one that was mistyped need not be looked for.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib
from typing import Final

__all__ = [
    "HINT_LENGTH",
    "hint",
    "is_key_id",
    "is_mistyped",
    "is_secret",
    "make_key_id",
    "make_secret",
    "make_signing_secret",
]

DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
"""Of base 62, from zero on."""

PREFIX: Final = "rdk_"
SIGNING: Final = "rds_"
KEY_ID: Final = "k_"

RANDOM_DIGITS: Final = 43
CHECK_DIGITS: Final = 6
KEY_ID_DIGITS: Final = 12

HINT_LENGTH: Final = 4

WELL_FORMED: Final = re.compile(f"{PREFIX}([0-9A-Za-z]{{{RANDOM_DIGITS}}})([0-9A-Za-z]{{{CHECK_DIGITS}}})")
KEY_ID_FORM: Final = re.compile(f"{KEY_ID}[0-9A-Za-z]{{{KEY_ID_DIGITS}}}")


def make_secret() -> str:
    """A new secret for a key."""
    digits = _random(RANDOM_DIGITS)
    return PREFIX + digits + _check(digits)


def make_signing_secret() -> str:
    """A new secret to sign with: text whose UTF-8 bytes are the key of HMAC."""
    digits = _random(RANDOM_DIGITS)
    return SIGNING + digits + _check(digits)


def make_key_id() -> str:
    """A name for a key, most likely nobody's yet."""
    return KEY_ID + _random(KEY_ID_DIGITS)


def is_secret(text: str) -> bool:
    """Whether that is a secret as ``make_secret`` makes them."""
    found = WELL_FORMED.fullmatch(text)
    return found is not None and found[2] == _check(found[1])


def is_mistyped(text: str) -> bool:
    """Whether that begins as a secret, and can be none."""
    return text.startswith(PREFIX) and not is_secret(text)


def is_key_id(text: str) -> bool:
    """Whether that is a name as ``make_key_id`` makes them."""
    return KEY_ID_FORM.fullmatch(text) is not None


def hint(secret: str) -> str:
    """What people tell secrets apart by: the last characters."""
    return secret[-HINT_LENGTH:]


def _random(count: int) -> str:
    return "".join(secrets.choice(DIGITS) for _ in range(count))


def _check(digits: str) -> str:
    rest, check = zlib.crc32(digits.encode()), ""
    for _ in range(CHECK_DIGITS):
        rest, digit = divmod(rest, len(DIGITS))
        check = DIGITS[digit] + check
    return check
