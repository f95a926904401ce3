"""The admin socket's file: made for one, held against a second, and gone at the end."""

import os
import socket
import stat

import pytest
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock

from radiod.process import Process, StartError
from radiod.service.admin import AdminSocket


@pytest.fixture
def make():
    """Makes admin sockets, and stops them."""
    made = []

    def make(path, *, is_asked_for=True):
        one = AdminSocket(str(path), Process(), is_asked_for=is_asked_for)
        reactor = MemoryReactorClock()
        made.append((one, reactor))
        one.listen(Factory(), reactor)
        return one

    yield make
    for one, reactor in made:
        one.stop()
        reactor.advance(0)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def connects(path):
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_its_owner_alone_may_open_it(make, tmp_path, mask):
    before = os.umask(mask)
    try:
        make(tmp_path / "a.sock")
        now = os.umask(mask)
    finally:
        os.umask(before)
    assert now == mask
    assert stat.S_IMODE((tmp_path / "a.sock").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a.sock.lock").stat().st_mode) == 0o600
    assert connects(tmp_path / "a.sock")


def test_it_is_gone_when_the_server_stops(make, tmp_path):
    one = make(tmp_path / "a.sock")
    assert one.is_open
    one.stop()
    assert names(tmp_path) == []
    one.stop()


def test_a_second_server_is_told_and_the_first_goes_on(make, tmp_path):
    path = tmp_path / "a.sock"
    make(path)
    with pytest.raises(StartError) as caught:
        make(path)
    assert str(caught.value) == f"admin.socket: another radiod has {path}"
    assert connects(path)
    make(tmp_path / "b.sock")


def test_a_second_server_is_told_even_where_it_did_not_ask(make, tmp_path):
    make(tmp_path / "a.sock")
    with pytest.raises(StartError, match="another radiod"):
        make(tmp_path / "a.sock", is_asked_for=False)


def test_what_a_killed_server_left_is_taken_over(make, tmp_path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "a.sock"))
    (tmp_path / "a.sock.lock").touch()
    assert not connects(tmp_path / "a.sock")
    make(tmp_path / "a.sock")
    assert connects(tmp_path / "a.sock")


@pytest.mark.parametrize("is_asked_for", [True, False])
def test_what_is_no_socket_is_left_alone(make, tmp_path, is_asked_for):
    (tmp_path / "a.sock").write_text("precious")
    with pytest.raises(StartError, match="it is there, and is no socket"):
        make(tmp_path / "a.sock", is_asked_for=is_asked_for)
    assert (tmp_path / "a.sock").read_text() == "precious"
    (tmp_path / "a.sock").unlink()
    make(tmp_path / "a.sock")


def test_a_link_in_the_place_of_the_lock_is_not_followed(make, tmp_path):
    (tmp_path / "a.sock.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StartError, match="cannot make"):
        make(tmp_path / "a.sock")
    assert not (tmp_path / "elsewhere").exists()


def test_a_path_may_be_longer_than_a_socket_can_have(make, tmp_path):
    folder = tmp_path.joinpath(*["a-long-name-of-a-folder"] * 8)
    folder.mkdir(parents=True)
    assert len(str(folder)) > 180
    one = make(folder / "a.sock")
    assert names(folder) == ["a.sock", "a.sock.lock"]
    one.stop()
    assert names(folder) == []


def test_a_name_that_is_too_long_itself_is_an_error(make, tmp_path):
    with pytest.raises(StartError, match="cannot make"):
        make(tmp_path / ("x" * 110))


def test_a_relative_path_is_one_of_the_working_directory_of_the_start(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = make("a.sock")
    assert names(tmp_path) == ["a.sock", "a.sock.lock"]
    monkeypatch.chdir("/")
    one.stop()
    assert names(tmp_path) == []


@pytest.mark.parametrize("is_asked_for", [True, False])
def test_a_folder_that_is_not_there_matters_only_to_who_named_it(make, tmp_path, is_asked_for):
    path = tmp_path / "nowhere" / "a.sock"
    if is_asked_for:
        with pytest.raises(StartError) as caught:
            make(path)
        assert str(caught.value) == f"admin.socket: cannot make {path}: No such file or directory"
    else:
        one = make(path, is_asked_for=False)
        assert not one.is_open
        assert one.note == f"admin.socket: cannot make {path}: No such file or directory"


def test_none_is_made_where_there_is_no_path(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not make("").is_open
    assert names(tmp_path) == []
