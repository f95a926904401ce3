"""Python programs that start at once: they are forked from a process that has imported what they import.

Most of what a start costs is imports: a second of a slow processor, and several hundred tests start a server
or one of the commands. Each process of the tests has a nursery for each kind of program, from the first one
that it wants until its own end. A program of a nursery is a child of the tests' own process, with the files,
the folder and the variables that it was given, like one that ``subprocess`` started: ``Popen`` here is
``subprocess.Popen`` with another way to make the process.

What a nursery cannot make is made as always: other programs; with variables of the environment that imports
may read; as another user; with a function before the start. Tests of starting itself want it so, too.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import importlib
import inspect
import json
import os
import runpy
import select
import socket
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any, Final, NoReturn

__all__ = ["RADIOD", "TWISTD", "Popen", "run"]

_ROOT: Final = Path(__file__).resolve().parents[2]
_TESTS: Final = _ROOT / "tests"

TWISTD: Final = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
RADIOD: Final = [sys.executable, "-c", "import sys; from radiod.command import main; sys.exit(main())"]

_SERVER: Final = ("radiod.tap", "radiod.command")
_MODULES: Final = {
    "radiod.ctl": ("radiod.ctl.app",),
    "radiod.store": ("radiod.store.repair",),
    "radiod_client.command": ("radiod_client.command.app",),
    "simulator": ("simulator.__main__",),
}
"""What is run by ``-m``, and what it imports before anything else."""

_INERT: Final = ("RADIOD_", "RADIOCTL_", "SSL_CERT_FILE", "COLUMNS", "LINES", "PYTEST_CURRENT_TEST")
"""How names of variables begin that nothing reads while it is imported."""

_OWN: Final = ("PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONIOENCODING")
"""Variables of which a nursery may have others than the tests' process has."""

_LONGEST_WISH: Final = 1 << 17
_MOST_FILES: Final = 64
_MOST_DESCRIPTORS: Final = 1 << 16
# PR_SET_CHILD_SUBREAPER of prctl(2)
_SET_CHILD_SUBREAPER: Final = 36
_libc = ctypes.CDLL(None, use_errno=True)

# Private to the standard library, and so bound by name: Python 3.11 to 3.13 have the same.
_making = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]
_ENDS: Final = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
"""Both ends of the three pipes, -1 where there is none."""


class Popen(subprocess.Popen[Any]):
    """``subprocess.Popen``, by a nursery where one can make it."""

    def _execute_child(self, *arguments: Any) -> None:
        asked = _making.bind(self, *arguments).arguments
        nursery = _nursery_for(asked)
        if nursery is None:
            super()._execute_child(*arguments)  # type: ignore[misc]
            return
        try:
            self.pid = nursery.fork(_wish(asked), _files(asked))
            self._child_created = True
        finally:
            self._close_pipe_fds(*(asked[name] for name in _ENDS))  # type: ignore[attr-defined]

    def wait(self, timeout: float | None = None) -> int:
        """As always, but it looks when the program ends, not from time to time."""
        if timeout is not None and self.poll() is None:
            ended = os.pidfd_open(self.pid)
            try:
                # Not select(), which takes no descriptor above 1023.
                waiting = select.poll()
                waiting.register(ended, select.POLLIN)
                waiting.poll(1000 * timeout)
            finally:
                os.close(ended)
            timeout = 0
        return super().wait(timeout)


def run(
    command: list[str],
    *,
    input: Any = None,
    timeout: float | None = None,
    check: bool = False,
    capture_output: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """``subprocess.run``, by a nursery where one can."""
    if input is not None:
        options["stdin"] = subprocess.PIPE
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Popen(command, **options) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(command, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


# --- the tests' end of it


class _Nursery:
    def __init__(self, modules: tuple[str, ...], environment: dict[str, str]) -> None:
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        code = "from support.nursery import main; main()"
        path = [environment.get("PYTHONPATH", ""), str(_TESTS)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, str(theirs.fileno()), *modules],
            pass_fds=[theirs.fileno()],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            env={**environment, "PYTHONPATH": os.pathsep.join(path)},
        )
        theirs.close()
        atexit.register(self.close)

    def fork(self, wish: dict[str, Any], files: list[int]) -> int:
        """Returns: the process."""
        with self._lock:
            # The process between the nursery and the program ends at once; whoever is marked gets its child.
            _libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            try:
                socket.send_fds(self._socket, [json.dumps(wish).encode()], files)
                return int(self._socket.recv(64))
            finally:
                _libc.prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

    def close(self) -> None:
        """End it; its programs go on."""
        if self._owner == os.getpid():
            self._socket.close()
            self._process.wait()


_nurseries: dict[tuple[Any, ...], _Nursery] = {}
_founding = threading.Lock()


def _nursery_for(asked: dict[str, Any]) -> _Nursery | None:
    """The one that can make what is asked for; None if none can."""
    modules = _imported_by(asked["args"])
    if not modules or not _is_simple(asked):
        return None
    given = _given(asked)
    if _read(given) != _read(dict(os.environ)):
        return None
    key = (os.getpid(), modules, *(given.get(name) for name in _OWN))
    with _founding:
        if key not in _nurseries:
            _nurseries[key] = _Nursery(modules, {**_read(given), **{n: given[n] for n in _OWN if n in given}})
        return _nurseries[key]


def _read(variables: dict[str, str]) -> dict[str, str]:
    """Those that imports may read, and that a nursery has from the tests' process."""
    return {name: value for name, value in variables.items() if not name.startswith((*_INERT, *_OWN))}


def _imported_by(command: Any) -> tuple[str, ...]:
    """What its nursery imports; nothing: there is none for it."""
    if not isinstance(command, list) or len(command) < 3 or command[0] != sys.executable:
        return ()
    how, what = command[1:3]
    if how == "-c":
        return _SERVER if what in (TWISTD[-1], RADIOD[-1]) else ()
    return _MODULES.get(what, ()) if how == "-m" else ()


def _is_simple(asked: dict[str, Any]) -> bool:
    unusual = [asked[name] for name in ("executable", "preexec_fn", "shell", "gid", "gids", "uid")]
    return not any(unusual) and asked["umask"] == -1 and os.geteuid() == os.getuid()


def _given(asked: dict[str, Any]) -> dict[str, str]:
    return dict(os.environ if asked["env"] is None else asked["env"])


def _wish(asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "words": [os.fspath(word) for word in asked["args"][1:]],
        "folder": os.path.abspath(asked["cwd"] or "."),
        "variables": _given(asked),
        "is_apart": asked["start_new_session"],
        "passed": sorted(asked["pass_fds"]),
    }


def _files(asked: dict[str, Any]) -> list[int]:
    usual = enumerate(asked[name] for name in ("p2cread", "c2pwrite", "errwrite"))
    return [number if file == -1 else file for number, file in usual] + sorted(asked["pass_fds"])


# --- the nursery's end


def main() -> None:
    """The nursery itself: a child for each wish, until the tests have closed their end."""
    number, *modules = sys.argv[1:]
    sys.path.remove(str(_TESTS))
    for module in modules:
        importlib.import_module(module)
    if (site := sys.modules.get("radiod.web.site")) is not None:
        # What each server would pack for itself.
        site.Site({}, {})
    assert "twisted.internet.reactor" not in sys.modules, (
        "programs would share what the kernel keeps for a reactor"
    )
    wishes = socket.socket(fileno=int(number))
    while True:
        wish, files, _, _ = socket.recv_fds(wishes, _LONGEST_WISH, _MOST_FILES)
        if not wish:
            return
        read, write = os.pipe()
        between = os.fork()
        if between == 0:
            pid = os.fork()
            if pid == 0:
                wishes.detach()
                _be(json.loads(wish), files)
            os.write(write, str(pid).encode())
            os._exit(0)
        os.waitpid(between, 0)
        wishes.send(os.read(read, 64))
        for mine in (read, write, *files):
            os.close(mine)


def _be(wish: dict[str, Any], files: list[int]) -> NoReturn:
    """Become the program that is wished for, and end as it does."""
    if wish["is_apart"]:
        os.setsid()
    _place(files, [0, 1, 2, *wish["passed"]])
    os.chdir(wish["folder"])
    os.environ.clear()
    os.environ.update(wish["variables"])
    how, what, *words = wish["words"]
    sys.argv = ["-c", *words]
    if how == "-m":
        sys.path[0] = wish["folder"]
        sys.argv[0] = what
        # Imported by the nursery under another name than it has as a program.
        sys.modules.pop(f"{what}.__main__", None)
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        exec(compile(what, "<string>", "exec"), module.__dict__)
    sys.exit()


def _place(files: list[int], numbers: list[int]) -> None:
    """Give each file the number that it is to have, and leave no other open."""
    above = max(numbers) + 1
    copies = [fcntl.fcntl(file, fcntl.F_DUPFD, above) for file in files]
    for copy, number in zip(copies, numbers, strict=True):
        os.dup2(copy, number)
    first = 3
    for number in [*numbers[3:], _MOST_DESCRIPTORS]:
        os.closerange(first, number)
        first = number + 1
    # What was standard output when the nursery began was another file.
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
