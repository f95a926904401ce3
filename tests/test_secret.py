"""Secrets: where they come from, what they match, that they do not show."""

import re
from pathlib import Path

import pytest

from radiod.secret import Secret, obtain, stand_in, ways


def refusal(key, value, base=Path()):
    with pytest.raises(ValueError) as caught:
        obtain(key, value, base, "key")
    return str(caught.value)


def test_a_secret_matches_itself_alone():
    secret = Secret("geheim-ß")
    assert secret.matches("geheim-ß")
    assert not secret.matches("geheim-s")
    assert not secret.matches("")
    assert not secret.matches("\ud800")


def test_a_secret_does_not_show():
    assert repr(Secret("geheim")) == str(Secret("geheim")) == f"{Secret('geheim')}" == "Secret('…')"
    assert Secret("geheim").reveal() == "geheim"


def test_secrets_are_not_compared_by_content():
    # "==" takes longer the more characters agree.
    assert Secret("geheim") != Secret("geheim")


def test_a_secret_is_given_in_four_ways(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("from-file\n")
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "station.key").write_text("from-systemd\n")
    monkeypatch.setenv("RADIOD_TEST_KEY", "from-environment")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    values = dict(zip(ways("key"), ["itself", "file", "RADIOD_TEST_KEY", "station.key"], strict=True))
    secrets = [obtain(key, value, tmp_path, "key").reveal() for key, value in values.items()]
    assert secrets == ["itself", "from-file", "from-environment", "from-systemd"]


@pytest.mark.parametrize("name", ["", ".", "..", "../key", "/etc/passwd", "a/b", "a\0b"])
def test_a_credential_lies_in_its_folder(tmp_path, monkeypatch, name):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert refusal("key_credential", name) == "a credential's name is no path"


@pytest.mark.parametrize("folder", [None, ""])
def test_without_systemd_there_are_no_credentials(monkeypatch, folder):
    if folder is None:
        monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    else:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", folder)
    told = "no credentials were passed on: they are systemd's, see LoadCredential="
    assert refusal("key_credential", "key") == told


def test_a_credential_that_was_not_passed_on_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert refusal("key_credential", "nosuch") == "cannot be read: No such file or directory"


def test_what_stands_in_for_a_secret_is_like_one_and_like_no_other():
    first, second = stand_in("any.file"), stand_in("any.file")
    assert re.fullmatch("[0-9a-f]{64}", first.reveal())
    assert not first.matches(second.reveal())
    with pytest.raises(ValueError, match="expected a string"):
        stand_in(3)


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"x\n", "x"),
        (b"x\r\n", "x"),
        (b"x\n\n", "x\n"),
        (b" x", " x"),
        (b"\xef\xbb\xbfx\r\n", "x"),
        (b"a\r\nb", "a\r\nb"),
    ],
)
def test_what_editors_put_around_a_secret_is_removed(tmp_path, monkeypatch, content, secret):
    (tmp_path / "file").write_bytes(content)
    assert obtain("key_file", "file", tmp_path, "key").reveal() == secret
    monkeypatch.setenv("RADIOD_TEST_KEY", content.decode())
    assert obtain("key_env", "RADIOD_TEST_KEY", tmp_path, "key").reveal() == secret


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\xff", "not UTF-8"),
        ("x".encode("utf-16"), "UTF-16, not UTF-8"),
        ("x".encode("utf-16-be"), "with NUL characters, as UTF-16 and binary files have, not UTF-8"),
        (b"x" * 65537, "longer than 65536 bytes"),
    ],
)
def test_a_file_without_a_secret_is_refused(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    assert refusal("key_file", "file", tmp_path) == message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("key", "", "is empty"),
        ("key", 3, "expected a string"),
        ("key", "\ud800", "not UTF-8"),
        ("key_file", "very-secret", "cannot be read: No such file or directory"),
        ("key_file", "/", "cannot be read: Is a directory"),
        ("key_file", "very\0secret", "no path"),
        ("key_file", "very\ud800secret", "no path"),
        ("key_file", "/dev/zero", "longer than 65536 bytes"),
        ("key_env", "very-secret", "no such environment variable"),
        ("key_env", "very\0secret", "no such environment variable"),
    ],
)
def test_a_secret_that_cannot_be_had_is_refused_without_its_text(key, value, message):
    assert refusal(key, value) == message


def test_an_environment_that_is_not_utf8_gives_no_secret(monkeypatch):
    # Secret.matches would raise on it, with every login.
    monkeypatch.setenv("RADIOD_TEST_KEY", "\udcff")
    assert refusal("key_env", "RADIOD_TEST_KEY") == "not UTF-8"
