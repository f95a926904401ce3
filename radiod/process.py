"""What twistd makes of this process between ``bind`` and the start: its user, group and root folder.

twistd builds the service as root, in the folder where it was called. Then it changes the root folder, the
working directory, detaches, and gives up its rights. What is opened before must be fit for what comes after.
"""

from __future__ import annotations

import os
import pwd
import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

__all__ = [
    "SPARE_DESCRIPTORS",
    "Process",
    "StartError",
    "allow_descriptors",
    "check_pidfile",
    "process_of",
]

ROOT: Final = 0

SPARE_DESCRIPTORS: Final = 64
"""Files that a server has open beside its connections: the store, the log, ports, requests to hooks."""

LATER: Final = ("email.policy", "encodings.idna")
"""Modules that twisted.web and the look-up of names import when they are first used. By then the process may
have no right to read the interpreter's files, or see none of them."""


class StartError(Exception):
    """The service cannot start; the message is one line for a human."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """``uid``, ``gid``: who it will be; ``chroot``: its root folder. None: as it is.

    ``pidfile``: as it is called in the folder that it will be in; "": there is none.
    """

    uid: int | None = None
    gid: int | None = None
    chroot: Path | None = None
    pidfile: str = ""

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Be who the process will be: files that are made belong to it, and what it may not do fails."""
        if os.geteuid() != ROOT or (self.uid is None and self.gid is None):
            yield
            return
        before = os.getegid(), os.getgroups()
        try:
            if self.gid is not None:
                os.setegid(self.gid)
            if self.uid is not None:
                name = pwd.getpwuid(self.uid).pw_name
                os.setgroups(os.getgrouplist(name, os.getegid()))
                os.seteuid(self.uid)
            yield
        finally:
            os.seteuid(ROOT)
            os.setegid(before[0])
            os.setgroups(before[1])

    def give(self, path: bytes | str) -> None:
        """Let a file of root's, or a symbolic link, belong to whom the process will be."""
        if os.geteuid() == ROOT and not (self.uid is None and self.gid is None):
            uid, gid = (-1 if one is None else one for one in (self.uid, self.gid))
            os.chown(path, uid, gid, follow_symlinks=False)

    def forget(self) -> None:
        """Remove the pid file: the process ends in a way in which twistd does not."""
        if self.pidfile:
            with suppress(OSError):
                os.unlink(self.pidfile)

    def inside(self, path: str) -> str:
        """An absolute path as the process will see it; none stays none. Raises: StartError: it will not."""
        if self.chroot is None or not path:
            return path
        try:
            return str("/" / Path(path).resolve().relative_to(self.chroot))
        except ValueError:
            raise StartError(f"{path} is not in --chroot {self.chroot}") from None


def process_of(twistd: Mapping[str, Any]) -> Process:
    """What twistd's options will make of the process. Raises: StartError: twistd will fail with them."""
    uid, gid, chroot = (twistd.get(key) for key in ("uid", "gid", "chroot"))
    if uid is not None:
        try:
            user = pwd.getpwuid(uid)
        except KeyError:
            raise StartError(f"--uid: no user has number {uid}") from None
        gid = user.pw_gid if gid is None else gid
    is_other = uid not in (None, os.geteuid()) or gid not in (None, os.getegid())
    if (is_other or chroot is not None) and os.geteuid() != ROOT:
        raise StartError("only root may use --uid, --gid and --chroot")
    if is_other or chroot is not None:
        for name in LATER:
            import_module(name)
    if chroot is None:
        _check_files(twistd)
    return Process(
        uid=uid,
        gid=gid,
        chroot=None if chroot is None else Path(chroot).resolve(),
        pidfile=twistd.get("pidfile") or "",
    )


def check_pidfile(name: str | None) -> None:
    """Raises: StartError: a server that runs, perhaps, has this pid file."""
    if not name or not os.path.exists(name):
        return
    try:
        pid = int(Path(name).read_text())
        os.kill(pid, 0)
    except ProcessLookupError:
        return  # twistd removes the file
    except (OSError, ValueError) as error:
        raise StartError(
            f"--pidfile: {name}: {getattr(error, 'strerror', None) or 'no number in it'}"
        ) from None
    raise StartError(f"--pidfile: {name}: a server runs already, as process {pid}")


def _check_files(twistd: Mapping[str, Any]) -> None:
    """twistd opens these later, and would fail with a traceback, or without a word when it has detached."""
    folder = twistd.get("rundir") or "."
    if not os.access(folder, os.X_OK) or not os.path.isdir(folder):
        raise StartError(f"--rundir: cannot enter {folder}")
    if twistd.get("pidfile"):
        _check_writable("pidfile", twistd["pidfile"])
    # Other runners (``twist``) do not detach, and have no such option.
    detaches = "nodaemon" in twistd and not (twistd["nodaemon"] or twistd.get("debug"))
    logfile = twistd.get("logfile") or ("twistd.log" if detaches else "-")
    if isinstance(logfile, str) and logfile != "-" and not (twistd.get("syslog") or twistd.get("logger")):
        _check_writable("logfile", logfile)


def _check_writable(option: str, name: str) -> None:
    path = Path(name)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise StartError(f"--{option}: cannot write {name}")


def allow_descriptors(count: int) -> int:
    """Have the system allow so many open files, as far as it does. Returns: how many it allows now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        # Where the process may not, as in the sandbox of radiod.service, the limit is what it is.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return count if allowed == resource.RLIM_INFINITY else allowed
