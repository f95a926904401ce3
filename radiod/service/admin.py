"""The admin socket's file: made for its owner alone, held against a second server, and gone at the end.

A lock beside it (``.lock``, held by ``flock``) says whether somebody listens. It lives through twistd's
detaching, and ends with its process however that ends: what a killed server left is taken over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ServerFactory

from radiod import config
from radiod.auth.administrator import Administrator
from radiod.core.holders import Accounts
from radiod.core.realm.handshake import Gate, Tally
from radiod.core.realm.realm import Realm
from radiod.endpoints import BoundPort
from radiod.process import Process, StartError

__all__ = ["AdminSocket", "open_gates"]

MODE: Final = 0o600

BACKLOG: Final = 128

MAX_NAME: Final = 107
"""Bytes of a path that a Unix socket can have (``sockaddr_un``)."""


def open_gates(
    realms: Mapping[str, Realm],
    settings: Mapping[str, config.Realm],
    accounts: Accounts,
    tallies: Mapping[str, Tally],
    uid: int,
) -> dict[str, Gate]:
    """The ways in for one user of this machine who may open the admin socket: into every realm, as member of
    all its private channels of the configuration. The first has a second name, ``ADMIN_REALM``.
    ``tallies``: where logins are counted.
    """
    gates = {}
    account = accounts.of(f"socket:{uid}")
    for name, realm in realms.items():
        private = tuple(n for n, channel in settings[name].channels.items() if not channel.public)
        ways = {"anonymous": Administrator(uid, private, account)}
        gates[name] = Gate(realm, ways, tally=tallies[name])
    gates.setdefault(config.ADMIN_REALM, next(iter(gates.values())))
    return gates


class AdminSocket:
    """One admin socket. ``path``: where; empty: there is none.

    Args:
        is_asked_for: by the configuration; else a folder that cannot be written to is no reason to fail.
    """

    def __init__(self, path: str, process: Process, *, is_asked_for: bool) -> None:
        self.path = path
        self.note = ""
        self._process = process
        self._is_asked_for = is_asked_for
        self._port: BoundPort | None = None
        # Of the folder: it is reached so whatever becomes of the root and the working directory.
        self._folder = -1
        self._lock = -1

    @property
    def is_open(self) -> bool:
        """Whether somebody could connect."""
        return self._port is not None

    def listen(self, factory: ServerFactory, reactor: Any) -> None:
        """Make the file, and accept connections. ``note``: why there is none, perhaps, after all.

        Raises: StartError: it cannot be made, or another server has it.
        """
        if not self.path:
            return
        try:
            bound = self._make()
        except OSError as error:
            self._let_go()
            why = f"admin.socket: cannot make {self.path}: {error.strerror or error}"
            if self._is_asked_for or isinstance(error, FileExistsError):
                raise StartError(why) from None
            self.note = why
            return
        except BaseException:
            self._let_go()
            raise
        self._port = BoundPort(bound, factory, reactor)
        self._port.startListening()

    def _make(self) -> socket.socket:
        """The file and its lock, made by whom the process will be. Raises: StartError, OSError.

        Where that user may not write, root makes them, and gives them away: nobody could put other files in
        their place meanwhile.
        """
        folder = os.path.dirname(self.path) or "."
        with self._process.acting():
            is_effective = os.access in os.supports_effective_ids
            may_write = os.access(folder, os.W_OK | os.X_OK, effective_ids=is_effective)
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with self._process.acting() if may_write else contextlib.nullcontext():
            self._take_lock()
            return self._bind()

    @property
    def _name(self) -> str:
        return os.path.basename(self.path)

    def _take_lock(self) -> None:
        """Raises: StartError: somebody else has it; OSError."""
        name, flags = f"{self._name}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        while self._lock < 0:
            lock = os.open(name, flags, MODE, dir_fd=self._folder)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                raise StartError(f"admin.socket: another radiod has {self.path}") from None
            # Its last owner may have removed it before we had it.
            if self._is_still(lock, name):
                self._lock = lock
            else:
                os.close(lock)
        self._give(name)

    def _is_still(self, lock: int, name: str) -> bool:
        try:
            return os.path.samestat(os.fstat(lock), os.stat(name, dir_fd=self._folder))
        except FileNotFoundError:
            return False

    def _bind(self) -> socket.socket:
        """Raises: OSError; FileExistsError: what is there is no socket."""
        self._remove_stale()
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        mask = os.umask(0o777 & ~MODE)
        try:
            bound.bind(self._address())
            bound.listen(BACKLOG)
        except OSError:
            bound.close()
            raise
        finally:
            os.umask(mask)
        self._give(self._name)
        return bound

    def _address(self) -> str:
        """What to bind to: the path, or a shorter way to the same if it is too long for that."""
        if len(os.fsencode(self.path)) <= MAX_NAME:
            return self.path
        return f"/proc/self/fd/{self._folder}/{self._name}"

    def _remove_stale(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat(self._name, dir_fd=self._folder, follow_symlinks=False).st_mode
            if not stat.S_ISSOCK(mode):
                raise FileExistsError(0, "it is there, and is no socket")
            os.unlink(self._name, dir_fd=self._folder)

    def _give(self, name: str) -> None:
        """Let a file belong to whom the process will be."""
        self._process.give(os.path.join(os.path.dirname(self.path), name))

    def stop(self) -> Deferred[Any]:
        """Accept no more, and remove the file. Returns: fires when that has happened."""
        port, self._port = self._port, None
        if port is None:
            return succeed(None)
        for name in (self._name, f"{self._name}.lock"):
            # Where the folder is not ours to write to, the next server finds them stale.
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=self._folder)
        self._let_go()
        stopped: Deferred[Any] = port.stopListening() or succeed(None)
        return stopped

    def _let_go(self) -> None:
        for descriptor in (self._lock, self._folder):
            if descriptor >= 0:
                os.close(descriptor)
        self._lock = self._folder = -1
