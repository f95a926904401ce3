"""What a server leaves to the next one: whole, for its owner alone, and used once."""

import os
import stat

import pytest
from twisted.logger import globalLogPublisher

from radiod.process import StartError
from radiod.service import parcels, state
from radiod.service.parcels import ParcelError
from radiod.service.state import NAME, Inheritance, default_place
from radiod.state.format import StateError
from radiod.systemd.descriptors import DescriptorStore
from radiod.systemd.notify import Notifier

PIECES = [b"one", b"", b"two" * 100_000]
CONTENT = b"".join(PIECES)


@pytest.fixture
def logged():
    events = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def told(events):
    return [event["event"] for event in events if event.get("event")]


class Kept(DescriptorStore):
    """A manager's that is there; ``keeps``: whether it keeps anything."""

    def __init__(self, *, keeps=True):
        super().__init__(Notifier(None))
        self.keeps = keeps
        self.descriptors = []

    is_there = True

    def keep(self, name, descriptor):
        assert name == NAME
        if self.keeps:
            self.descriptors = [os.dup(descriptor)]
        return self.keeps

    def forget(self, name):
        self.descriptors = []


class Server:
    """Leaves ``pieces``; ``restored``: what it was given."""

    def __init__(self, file, descriptors=None, *, is_asked_for=False):
        self.pieces = PIECES
        self.restored = []
        self.notes = []
        self.descriptors = descriptors or DescriptorStore(Notifier(None))
        self.progress = 0
        self.inheritance = Inheritance(
            lambda: iter(self.pieces),
            self.restore,
            self.descriptors,
            str(file or ""),
            self.get_on,
            is_asked_for=is_asked_for,
        )

    def restore(self, view):
        self.restored.append(bytes(view))
        return self.notes

    def get_on(self):
        self.progress += 1

    def start(self):
        self.inheritance.take({})
        return self

    def stop(self):
        self.inheritance.leave()


@pytest.fixture
def passed_on(monkeypatch):
    """Gives what a manager has kept to whoever starts next."""

    def give(kept):
        files = list(kept.descriptors)
        monkeypatch.setattr(state, "inherited", lambda name, environment: files)

    return give


class TestParcels:
    @pytest.fixture
    def parcel(self):
        descriptor = parcels.in_memory("test")
        yield descriptor
        os.close(descriptor)

    def test_one_is_opened_once(self, parcel):
        assert parcels.write(parcel, PIECES, lambda: None) == len(CONTENT)
        other = os.open(f"/proc/self/fd/{parcel}", os.O_RDWR)
        assert bytes(parcels.open_once(other)) == CONTENT
        os.close(other)
        with pytest.raises(ParcelError, match="was used before"):
            parcels.open_once(parcel)

    def test_what_was_opened_can_be_read_when_the_file_is_closed(self):
        parcel = parcels.in_memory("test")
        parcels.write(parcel, PIECES, lambda: None)
        view = parcels.open_once(parcel)
        os.close(parcel)
        assert bytes(view) == CONTENT

    def test_one_of_the_first_kind_is_read_for_ever(self, parcel):
        head = b"radiod\0S\1\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0"
        os.write(parcel, head + b"state")
        assert bytes(parcels.open_once(parcel)) == b"state"

    def test_an_empty_one_is_one(self, parcel):
        parcels.write(parcel, [], lambda: None)
        assert bytes(parcels.open_once(parcel)) == b""

    def test_one_that_was_not_finished_is_none(self, parcel):
        def pieces():
            yield b"one"
            raise OSError("full")

        with pytest.raises(OSError, match="full"):
            parcels.write(parcel, pieces(), lambda: None)
        with pytest.raises(ParcelError, match="not whole"):
            parcels.open_once(parcel)

    @pytest.mark.parametrize("content", [b"", b"x", b"x" * 100, parcels.KIND])
    def test_what_is_none_is_refused(self, parcel, content):
        os.write(parcel, content)
        with pytest.raises(ParcelError, match="no state of radiod's"):
            parcels.open_once(parcel)

    def test_what_has_lost_its_end_is_refused(self, parcel):
        parcels.write(parcel, PIECES, lambda: None)
        os.truncate(parcel, 1000)
        with pytest.raises(ParcelError, match="not whole"):
            parcels.open_once(parcel)


class TestOnDisk:
    def test_it_is_for_its_owner_alone_and_gone_when_it_is_read(self, tmp_path):
        path = tmp_path / "radiod.sqlite.state"
        before = os.umask(0)
        try:
            parcels.put(path, PIECES, lambda: None)
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert bytes(parcels.take_file(path)) == CONTENT
        assert list(tmp_path.iterdir()) == []
        assert parcels.take_file(path) is None

    def test_it_is_whole_or_not_there(self, tmp_path):
        path = tmp_path / "state"

        def pieces():
            yield b"one"
            raise OSError("full")

        with pytest.raises(OSError, match="full"):
            parcels.put(path, pieces(), lambda: None)
        assert list(tmp_path.iterdir()) == []

    def test_what_a_killed_server_did_not_finish_is_removed(self, tmp_path):
        path = tmp_path / "state"
        (tmp_path / "state.new").write_bytes(b"half")
        assert parcels.take_file(path) is None
        (tmp_path / "state.new").write_bytes(b"half")
        parcels.put(path, PIECES, lambda: None)
        assert [one.name for one in tmp_path.iterdir()] == ["state"]

    def test_a_link_is_not_followed(self, tmp_path):
        path, other = tmp_path / "state", tmp_path / "other"
        parcels.put(other, PIECES, lambda: None)
        path.symlink_to(other)
        with pytest.raises(OSError, match="symbolic links"):
            parcels.take_file(path)
        # What was to be used once is not tried again.
        assert [one.name for one in tmp_path.iterdir()] == ["other"]

    @pytest.mark.parametrize("content", [b"", b"x" * 100])
    def test_what_cannot_be_used_is_gone_all_the_same(self, tmp_path, content):
        path = tmp_path / "state"
        path.write_bytes(content)
        with pytest.raises(ParcelError):
            parcels.take_file(path)
        assert list(tmp_path.iterdir()) == []

    def test_something_else_is_not_waited_for(self, tmp_path):
        path = tmp_path / "state"
        os.mkfifo(path)
        with pytest.raises(ParcelError, match="no file"):
            parcels.take_file(path)


class TestWhere:
    def test_beside_the_store_unless_it_is_said(self):
        assert default_place(None, "/var/lib/radiod/radiod.sqlite") == "/var/lib/radiod/radiod.sqlite.state"
        assert default_place(None, "") == ""
        assert default_place("/x", "/y") == "/x"
        assert default_place("", "/y") == ""

    def test_without_systemd_it_is_the_file(self, tmp_path, logged):
        file = tmp_path / "state"
        server = Server(file).start()
        server.stop()
        assert server.progress == len(PIECES) + 1
        assert Server(file).start().restored == [CONTENT]
        assert Server(file).start().restored == []
        assert told(logged) == ["state_left", "state_restored"]

    def test_systemd_keeps_it_and_no_disk_is_used(self, tmp_path, passed_on):
        kept = Kept()
        Server(tmp_path / "state", kept).start().stop()
        assert list(tmp_path.iterdir()) == []
        passed_on(kept)
        assert Server(tmp_path / "state", kept).start().restored == [CONTENT]
        assert kept.descriptors == []

    def test_where_it_keeps_nothing_it_is_the_file(self, tmp_path, passed_on):
        kept = Kept(keeps=False)
        Server(tmp_path / "state", kept).start().stop()
        assert Server(tmp_path / "state", kept).start().restored == [CONTENT]

    def test_where_there_is_no_file_that_is_a_warning(self, logged):
        Server(None, Kept(keeps=False)).start().stop()
        (event,) = [event for event in logged if event.get("event") == "state_lost"]
        assert event["log_level"].name == "warn"

    def test_a_file_that_is_asked_for_is_used_under_systemd_too(self, tmp_path):
        kept = Kept()
        Server(tmp_path / "state", kept, is_asked_for=True).start().stop()
        assert kept.descriptors == []
        assert Server(tmp_path / "state", kept, is_asked_for=True).start().restored == [CONTENT]

    @pytest.mark.parametrize("descriptors", [None, Kept()])
    def test_none_is_none(self, tmp_path, logged, descriptors):
        is_asked_for = descriptors is not None
        Server(None, descriptors, is_asked_for=is_asked_for).start().stop()
        assert told(logged) == []

    def test_systemds_is_newer_than_a_file_and_both_are_gone(self, tmp_path, passed_on):
        file, kept = tmp_path / "state", Kept()
        server = Server(file).start()
        server.pieces = [b"older"]
        server.stop()
        other = Server(None, kept).start()
        other.pieces = [b"newer"]
        other.stop()
        passed_on(kept)
        assert Server(file, kept).start().restored == [b"newer"]
        assert list(tmp_path.iterdir()) == []


class TestUsedOnce:
    def test_a_server_that_was_killed_leaves_none(self, tmp_path):
        file = tmp_path / "state"
        Server(file).start().stop()
        Server(file).start()
        # Killed here.
        assert Server(file).start().restored == []

    def test_what_systemd_gives_twice_is_used_once(self, tmp_path, passed_on, logged):
        kept = Kept()
        Server(None, kept).start().stop()
        # Of the same file, as systemd has one when the server is killed before it was told to forget it.
        again = [os.open(f"/proc/self/fd/{kept.descriptors[0]}", os.O_RDWR)]
        passed_on(kept)
        assert Server(None, kept).start().restored == [CONTENT]
        kept.descriptors = again
        passed_on(kept)
        assert Server(None, kept).start().restored == []
        assert told(logged) == ["state_left", "state_restored", "state_lost"]

    def test_it_is_nowhere_any_more_when_it_is_looked_at(self, tmp_path):
        file = tmp_path / "state"
        Server(file).start().stop()
        found = []
        server = Server(file)
        server.inheritance._restore = lambda view: found.extend(tmp_path.iterdir()) or []
        server.start()
        assert found == []

    def test_a_server_that_did_not_start_leaves_what_is_there(self, tmp_path):
        file = tmp_path / "state"
        Server(file).start().stop()
        other = Server(file)
        other.pieces = []
        other.stop()
        assert Server(file).start().restored == [CONTENT]


class TestWhatFails:
    def failing(self, file, error):
        Server(file).start().stop()
        server = Server(file)

        def restore(view):
            raise error

        server.inheritance._restore = restore
        return server

    def test_a_state_that_cannot_be_read_is_one_warning(self, tmp_path, logged):
        file = tmp_path / "state"
        self.failing(file, StateError("of a newer radiod")).start()
        (event,) = [event for event in logged if event["log_level"].name != "info"]
        assert (event["event"], event["log_level"].name) == ("state_lost", "warn")
        assert str(event["why"]) == "of a newer radiod"
        assert Server(file).start().restored == []

    def test_what_fails_half_way_ends_the_start_once(self, tmp_path):
        file = tmp_path / "state"
        with pytest.raises(StartError, match="will not be tried again"):
            self.failing(file, KeyError("x")).start()
        assert Server(file).start().restored == []

    def test_what_is_missing_in_it_is_told(self, tmp_path, logged):
        file = tmp_path / "state"
        Server(file).start().stop()
        server = Server(file)
        server.notes = ["realm radio is not configured any more"]
        server.start()
        (event,) = [event for event in logged if event.get("event") == "state_lost"]
        assert event["note"] == "realm radio is not configured any more"

    @pytest.mark.parametrize(
        "error", [OSError(28, "No space left on device"), StateError("x"), KeyError("x")]
    )
    def test_a_state_that_cannot_be_left_does_not_stop_the_end(self, tmp_path, logged, error):
        server = Server(tmp_path / "state").start()

        def pieces():
            yield b"one"
            raise error

        server.inheritance._capture = pieces
        server.stop()
        assert list(tmp_path.iterdir()) == []
        (event,) = logged
        assert event["log_level"].name in ("error", "critical")

    def test_a_folder_that_is_not_there_is_told_at_the_start_and_at_the_end(self, tmp_path, logged):
        Server(tmp_path / "nowhere" / "state").start().stop()
        assert told(logged) == ["configuration", "state_lost"]
