"""The notify protocol, as its receiver sees it."""

import array
import os
import socket

import pytest
from twisted.logger import globalLogPublisher

from radiod.systemd.notify import Notifier, notifier_of


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        yield receiver


@pytest.fixture
def logged():
    events = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def test_lines_are_one_datagram(manager):
    Notifier(manager.getsockname()).send("READY=1", "STATUS=on the air")
    assert manager.recv(1000) == b"READY=1\nSTATUS=on the air"


def test_an_address_without_a_file_begins_with_an_at():
    name = f"radiod-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name)
        Notifier("@" + name).send("READY=1")
        receiver.setblocking(False)
        assert receiver.recv(1000) == b"READY=1"


def test_descriptors_go_along(manager):
    reading, writing = os.pipe()
    Notifier(manager.getsockname()).send("FDSTORE=1", descriptors=[writing])
    data, [(level, kind, rights)], _, _ = manager.recvmsg(1000, socket.CMSG_SPACE(4))
    assert (data, level, kind) == (b"FDSTORE=1", socket.SOL_SOCKET, socket.SCM_RIGHTS)
    (received,) = array.array("i", rights)
    os.write(received, b"x")
    assert os.read(reading, 1) == b"x"
    for descriptor in (reading, writing, received):
        os.close(descriptor)


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_a_manager_nothing_is_sent_or_logged(environment, logged):
    notifier = notifier_of(environment)
    assert not notifier.is_heard
    notifier.send("READY=1")
    assert logged == []


def test_the_environment_is_for_this_process_alone(manager):
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "PATH": "/bin"}
    assert notifier_of(environment).is_heard
    assert environment == {"PATH": "/bin"}


@pytest.mark.parametrize("address", ["/nosuch/socket", "vsock:2:1", "x" * 300, "a\0b"])
def test_an_address_that_leads_nowhere_is_one_warning(logged, address):
    notifier = Notifier(address)
    for _ in range(3):
        notifier.send("WATCHDOG=1")
    (event,) = logged
    assert event["log_level"].name == "warn"


def test_a_manager_that_takes_nothing_is_not_waited_for_long(manager, logged):
    notifier = Notifier(manager.getsockname())
    for _ in range(100_000):
        if logged:
            break
        notifier.send("WATCHDOG=1")
    assert logged
