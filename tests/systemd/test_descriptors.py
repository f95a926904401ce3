"""systemd's descriptor store, as its manager and the next process see it."""

import array
import os
import select
import socket
import subprocess
import sys
import threading

import pytest

from radiod.systemd.descriptors import DescriptorStore, inherited
from radiod.systemd.notify import Notifier

SECONDS = 20
RIGHTS = socket.CMSG_SPACE(4)


class Manager(threading.Thread):
    """Does what systemd does with what it is sent; ``most``: descriptors that it keeps."""

    def __init__(self, receiver, most):
        super().__init__(daemon=True)
        self.receiver, self.most = receiver, most
        self.said = []
        self.kept = {}

    def run(self):
        while True:
            data, rights, _, _ = self.receiver.recvmsg(1000, RIGHTS)
            files = [file for _, _, piece in rights for file in array.array("i", piece)]
            if data == b"END":
                return
            self.said.append(data.decode())
            lines = dict(line.split("=") for line in data.decode().split("\n"))
            if "FDSTOREREMOVE" in lines:
                for file in self.kept.pop(lines["FDNAME"], []):
                    os.close(file)
            elif "FDSTORE" in lines and len(self.kept) < self.most:
                self.kept.setdefault(lines["FDNAME"], []).extend(files)
                continue
            for file in files:
                os.close(file)


@pytest.fixture
def manager(tmp_path):
    running = []

    def start(most=1):
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        receiver.bind(str(tmp_path / "notify"))
        one = Manager(receiver, most)
        one.start()
        running.append(one)
        return one, DescriptorStore(Notifier(receiver.getsockname()))

    yield start
    for one in running:
        Notifier(one.receiver.getsockname()).send("END")
        one.join(SECONDS)
        one.receiver.close()
        for file in (file for files in one.kept.values() for file in files):
            os.close(file)


def file_with(data):
    descriptor = os.memfd_create("test")
    os.write(descriptor, data)
    return descriptor


def test_what_is_kept_is_the_file_itself(manager):
    systemd, store = manager()
    mine = file_with(b"state")
    assert store.keep("radiod-state", mine)
    (theirs,) = systemd.kept["radiod-state"]
    os.pwrite(mine, b"S", 0)
    os.close(mine)
    assert os.pread(theirs, 10, 0) == b"State"
    assert systemd.said == [
        "FDSTOREREMOVE=1\nFDNAME=radiod-state",
        "FDSTORE=1\nFDNAME=radiod-state\nFDPOLL=0",
        "BARRIER=1",
    ]


def test_the_last_one_takes_the_place_of_the_one_before(manager):
    systemd, store = manager()
    for data in (b"old", b"new"):
        mine = file_with(data)
        assert store.keep("radiod-state", mine)
        os.close(mine)
    (theirs,) = systemd.kept["radiod-state"]
    assert os.pread(theirs, 10, 0) == b"new"
    store.forget("radiod-state")
    mine = file_with(b"")
    store.keep("another", mine)
    os.close(mine)
    assert list(systemd.kept) == ["another"]


def test_a_manager_that_keeps_nothing_is_found_out(manager):
    systemd, store = manager(most=0)
    mine = file_with(b"state")
    assert not store.keep("radiod-state", mine)
    assert systemd.kept == {}
    os.close(mine)


def test_without_a_manager_nothing_is_kept():
    mine = file_with(b"state")
    store = DescriptorStore(Notifier(None))
    assert not store.is_there
    assert not store.keep("radiod-state", mine)
    os.close(mine)


def test_a_manager_that_has_gone_is_not_waited_for(tmp_path):
    mine = file_with(b"state")
    assert not DescriptorStore(Notifier(str(tmp_path / "nobody"))).keep("radiod-state", mine)
    os.close(mine)


def test_nothing_is_left_open(manager):
    _, store = manager(most=0)
    mine = file_with(b"state")
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        store.keep("radiod-state", mine)
    assert len(os.listdir("/proc/self/fd")) <= len(before)
    os.close(mine)


CHILD = """
import os, sys
names, count = sys.argv[1:]
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=count, LISTEN_FDNAMES=names)
from twisted.internet import reactor
from radiod.systemd.descriptors import inherited
found = inherited("radiod-state", os.environ)
print([(os.pread(one, 10, 0).decode(), os.get_inheritable(one)) for one in found])
"""


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["radiod-state"], [0]),
        (["http", "radiod-state"], [1]),
        (["http", "http", "radiod-state", "tls"], [2]),
        (["radiod-state", "http"], [0]),
        (["http"], []),
    ],
)
def test_it_is_found_by_its_name_among_sockets(names, found):
    files = [file_with(b"file %d" % place) for place, _ in enumerate(names)]
    script = "".join(f"exec {place}<&{file}; " for place, file in enumerate(files, 3))
    # Above those that they are to have.
    highest = [os.dup2(file, 200 + place) for place, file in enumerate(files)]
    script = "".join(f"exec {place}<&{file}; " for place, file in enumerate(highest, 3))
    command = ["bash", "-c", f'{script} exec "$@"', "-", sys.executable, "-c", CHILD]
    done = subprocess.run(
        [*command, ":".join(names), str(len(names))],
        pass_fds=highest,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    for file in (*files, *highest):
        os.close(file)
    assert done.stdout.strip() == str([(f"file {place}", False) for place in found]), done.stderr


def test_names_that_are_left_over_from_another_process_are_nothing():
    assert inherited("radiod-state", {"LISTEN_FDNAMES": "radiod-state"}) == []
    assert inherited("radiod-state", {}) == []


def test_the_barrier_is_over_when_it_is_read(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        mine = file_with(b"state")
        done = []
        store = DescriptorStore(Notifier(receiver.getsockname()))
        thread = threading.Thread(target=lambda: done.append(store.keep("radiod-state", mine)))
        thread.start()
        for _ in range(2):
            _, rights, _, _ = receiver.recvmsg(1000, RIGHTS)
            for _, _, piece in rights:
                os.close(array.array("i", piece)[0])
        _, [(_, _, piece)], _, _ = receiver.recvmsg(1000, RIGHTS)
        (barrier,) = array.array("i", piece)
        # It waits: the other end is open.
        assert select.select([barrier], [], [], 0)[0] == []
        assert thread.is_alive()
        os.close(barrier)
        thread.join(SECONDS)
        os.close(mine)
    assert done == [False]
