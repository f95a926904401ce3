"""``radio``: what the shell starts."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence

from radiod_client.command.ending import Ending, Stopped
from radiod_client.command.failures import PIPE_CLOSED, Failed, exit_code, one_line
from radiod_client.command.listening import listen
from radiod_client.command.options import parser
from radiod_client.command.plotting import plot
from radiod_client.command.publishing import call, publish
from radiod_client.command.recording import record
from radiod_client.command.replaying import replay
from radiod_client.command.terminal import Notes, Output
from radiod_client.errors import ConnectFailed, RadioError
from radiod_client.recordings.errors import RecordingError

__all__ = ["main", "run"]

VERBS: dict[str, Callable[[Namespace, Notes, Ending], None]] = {
    "listen": listen,
    "publish": publish,
    "call": call,
    "record": record,
    "replay": replay,
    "plot": plot,
}


def main() -> int:
    """As the shell starts it. After a signal nothing is waited for, not even threads of others."""
    # A signal may come between the making of a request and its sending: that is no mistake of anybody's.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    code = run()
    if code > 128:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code)
    return code


def run(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. Returns: the exit code."""
    options = parser().parse_args(arguments)
    notes = Notes()
    try:
        with Ending() as ending:
            VERBS[options.verb](options, notes, ending)
    except Stopped as stopped:
        notes.clear()
        return stopped.code
    except BrokenPipeError:
        notes.clear()
        Output().abandon()
        return PIPE_CLOSED
    except ConnectFailed as error:
        notes.say(f"no connection to {options.url}: {one_line(error)}")
        return exit_code(error)
    except (Failed, RecordingError, RadioError, OSError, ValueError, TypeError) as error:
        notes.say(one_line(error))
        return exit_code(error)
    return 0
