"""Python runs a handler while the main thread does something else, and may need nothing that is held then."""

import signal
import subprocess
import sys

import pytest

# Twisted's log file has a lock that who has it may take again; but for a moment after it was taken it is
# nobody's, and a handler that writes a line in this moment waits for ever. Threads are counted under another
# lock while they start.
PROGRAM = """
import signal
import sys
import threading

from twisted.internet import reactor
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver
from twisted.python.logfile import LogFile
from twisted.python.threadable import synchronize

from radiod.signals import Signals

path, *numbers = sys.argv[1:]
synchronize(LogFile)
file = LogFile.fromFullPath(path)
globalLogBeginner.beginLoggingTo([textFileLogObserver(file)], redirectStandardIO=False)
Logger().info("the file has its lock")
left = lambda: Logger().info("left")
nothing = lambda: None
signals = Signals(reactor, hurry=nothing, reload=nothing, reopen=nothing, describe=dict, leave=left)
signals.watch()


def main():
    with file._threadable_lock._block, threading._active_limbo_lock:
        for number in numbers:
            signal.raise_signal(int(number))
    if signal.SIGUSR2 in map(int, numbers):
        reactor.callLater(0, reactor.stop)
    elif len(numbers) == 2:
        threading.Event().wait()


reactor.callWhenRunning(main)
reactor.run()
"""

STOP = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]


@pytest.fixture
def run(tmp_path):
    def run(*numbers):
        log = tmp_path / "log"
        command = [sys.executable, "-c", PROGRAM, log, *map(str, map(int, numbers))]
        status = subprocess.run(command, timeout=20).returncode
        return status, log.read_text()

    return run


@pytest.mark.parametrize("number", STOP)
def test_one_that_comes_while_a_line_is_written_stops_the_server(run, number):
    status, told = run(number)
    assert status == 0
    assert f"{number.name}, shutting down" in told


def test_one_that_comes_while_a_line_is_written_tells_what_threads_do(run):
    status, told = run(signal.SIGUSR2)
    assert status == 0
    assert "thread MainThread, " in told
    assert " main\n" in told


@pytest.mark.parametrize("number", STOP)
def test_another_one_ends_a_server_that_hangs_whatever_it_holds(run, number):
    status, told = run(number, number)
    assert status == 128 + number
    assert told.endswith("left\n")
