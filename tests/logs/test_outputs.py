"""Lines that wait for nobody: real pipes, sockets and files."""

import fcntl
import io
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
from twisted.internet.task import Clock
from twisted.logger import Logger, LogPublisher, textFileLogObserver

from radiod.logs.observer import LimitedLog
from radiod.logs.outputs import Outputs

PAGE = 4096


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def pipe(stack):
    """A small pipe: its reading end, and a file for its writing end."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 2 * PAGE)
    os.set_blocking(reading, False)
    stack.callback(os.close, reading)
    return reading, stack.enter_context(open(writing, "w"))


def test_a_pipe_takes_lines_while_it_has_room(pipe):
    reading, file = pipe
    outputs = Outputs([textFileLogObserver(file)])
    assert outputs.take()
    os.write(file.fileno(), b"x" * (PAGE + 1))
    assert not outputs.take()
    os.read(reading, PAGE + 1)
    assert outputs.take()


def test_threads_may_ask_at_once(pipe):
    outputs = Outputs([textFileLogObserver(pipe[1])])
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: outputs.take(), range(20_000)))


def test_a_socket_too(stack):
    one, other = (stack.enter_context(end) for end in socket.socketpair())
    outputs = Outputs([textFileLogObserver(stack.enter_context(one.makefile("w")))])
    assert outputs.take()
    one.setblocking(False)
    with suppress(BlockingIOError):
        while one.send(b"x" * PAGE):
            pass
    assert not outputs.take()
    other.close()
    assert outputs.take()


def test_files_and_what_is_no_file_always_do(tmp_path):
    with open(tmp_path / "log", "w") as file, open(os.devnull, "w") as closed:
        closed.close()
        observers = [textFileLogObserver(one) for one in (file, io.StringIO(), closed)]
        assert Outputs([*observers, print]).take()


def test_what_was_not_written_is_told_when_somebody_reads_again(pipe):
    reading, file = pipe
    clock, publisher = Clock(), LogPublisher()
    publisher.addObserver(textFileLogObserver(file))
    door = LimitedLog(1.0, clock.seconds, lambda when, what: clock.callLater(when - clock.seconds(), what))
    door.stand_before(publisher)
    log = Logger(namespace="radiod.service", observer=publisher)
    for number in range(200):
        log.info("line {number} {rest}", number=number, rest="y" * 100)
    first = os.read(reading, 1 << 16).decode()
    assert first.endswith("\n")
    written = first.count("\n")
    assert 0 < written < 200
    log.info("the next one")
    second = os.read(reading, 1 << 16).decode().splitlines()
    assert [line.partition("#info] ")[2] for line in second] == [
        f"… {200 - written} lines were not written: nobody read what the log goes to",
        "the next one",
    ]
