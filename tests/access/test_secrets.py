"""Secrets and ids of keys: what is made is known again, and nothing else is."""

import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.access import secrets

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

ZEROS = "rdk_" + 43 * "0" + "2CZclj"
"""Computed by hand: CRC-32 of 43 zeros is 0x7849568f."""


def test_a_secret_has_256_bits_and_a_check():
    made = {secrets.make_secret() for _ in range(100)}
    assert len(made) == 100
    for secret in made:
        assert re.fullmatch("rdk_[0-9A-Za-z]{49}", secret)
        assert secrets.is_secret(secret)
        assert not secrets.is_mistyped(secret)
    assert 62**43 > 2**256


def test_a_secret_that_was_written_down_is_one():
    assert secrets.is_secret(ZEROS)


def test_the_check_is_the_crc_of_the_random_digits():
    secret = secrets.make_secret()
    value = sum(DIGITS.index(digit) * 62**place for place, digit in enumerate(reversed(secret[-6:])))
    assert value == zlib.crc32(secret[4:47].encode())


@given(st.integers(4, 52), st.sampled_from(DIGITS))
def test_one_wrong_character_is_a_mistyped_secret(place, digit):
    secret = secrets.make_secret()
    wrong = secret[:place] + digit + secret[place + 1 :]
    assert secrets.is_mistyped(wrong) is (wrong != secret)


@given(st.text())
def test_no_other_text_is_a_secret(text):
    assert not secrets.is_secret(text)
    assert secrets.is_mistyped("rdk_" + text)


@pytest.mark.parametrize("text", ["", "station", "rdk", "RDK_", " rdk_", "rds_"])
def test_what_does_not_begin_as_a_secret_is_not_mistyped(text):
    assert not secrets.is_mistyped(text)


@pytest.mark.parametrize("change", [str.upper, str.lower, "{} ".format, " {}".format, "{}\n".format])
def test_nothing_is_overlooked(change):
    assert not secrets.is_secret(change(secrets.make_secret()))


def test_what_signs_is_no_secret_that_opens():
    signing = secrets.make_signing_secret()
    assert re.fullmatch("rds_[0-9A-Za-z]{49}", signing)
    assert not secrets.is_secret(signing)


def test_ids_are_known_by_their_looks():
    made = {secrets.make_key_id() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch("k_[0-9A-Za-z]{12}", id) and secrets.is_key_id(id) for id in made)
    for other in ("station", "k_", "k_123456789012 ", "k_1234567890123", "K_123456789012", "k_12345678901-"):
        assert not secrets.is_key_id(other)


def test_a_hint_is_the_last_four_characters():
    assert secrets.hint("rdk_abcdef") == "cdef"
