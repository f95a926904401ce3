"""What is sealed opens for nobody but who has the secret, and for what it was sealed for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.access.shared.vault import Vault
from radiod.secret import Secret

ONE, TWO = Secret("1" * 44), Secret("2" * 44)

SIGNING = b"rds_what-the-key-signs-with"


@pytest.fixture
def vault():
    return Vault([ONE], "radiod")


def test_who_has_the_secret_opens_what_another_sealed(vault):
    sealed = vault.seal(SIGNING, "k_1")
    assert SIGNING not in sealed
    assert Vault([ONE], "radiod").open(sealed, "k_1") == SIGNING
    assert vault.is_current(sealed)
    assert not vault.is_foreign(sealed)
    assert sealed != vault.seal(SIGNING, "k_1")


@pytest.mark.parametrize("other", [Vault([TWO], "radiod"), Vault([ONE], "another")])
def test_who_has_another_secret_or_is_of_another_cluster_does_not(vault, other):
    sealed = vault.seal(SIGNING, "k_1")
    assert other.open(sealed, "k_1") is None
    assert other.is_foreign(sealed)
    assert not other.is_current(sealed)
    assert not set(other.names) & set(vault.names)
    assert not set(other.tokens) & set(vault.tokens)


def test_what_was_sealed_for_one_key_is_not_another_ones(vault):
    assert vault.open(vault.seal(SIGNING, "k_1"), "k_2") is None


def test_every_changed_byte_is_noticed(vault):
    sealed = vault.seal(SIGNING, "k_1")
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        assert vault.open(changed, "k_1") is None
        assert vault.open(sealed[:at], "k_1") is None


@given(st.binary(max_size=80))
def test_what_nobody_sealed_opens_nothing(data):
    vault = Vault([ONE], "radiod")
    assert vault.open(data, "k_1") is None
    assert vault.open(b"\x01" + bytes.fromhex(vault.names[0]) + data, "k_1") is None


def test_while_the_secret_changes_both_open_and_the_first_seals(vault):
    both = Vault([TWO, ONE], "radiod")
    old = vault.seal(SIGNING, "k_1")
    assert both.open(old, "k_1") == SIGNING
    assert not both.is_current(old)
    assert not both.is_foreign(old)
    new = both.seal(SIGNING, "k_1")
    assert Vault([TWO], "radiod").open(new, "k_1") == SIGNING
    assert vault.is_foreign(new)
    assert both.names == (*Vault([TWO], "radiod").names, *vault.names)
    assert both.tokens == (*Vault([TWO], "radiod").tokens, *vault.tokens)


def test_nothing_of_the_secret_is_in_its_names(vault):
    assert [len(name) for name in vault.names] == [12]
    assert [len(secret) for secret in vault.tokens] == [64]
    assert ONE.reveal() not in repr(vars(vault))


def test_nothing_sealed_is_nobodys(vault):
    assert not vault.is_foreign(b"")
    assert not vault.is_current(b"")
