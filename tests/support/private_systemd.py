"""A real systemd in namespaces of its own: nothing outside is touched, and it ends with this process.

It boots in a second, with a network, ``/run``, ``/etc``, ``/opt``, ``/usr/local`` and most of ``/var`` of its
own, in which the checkout's radiod is installed for everybody. What is in ``/run/python`` can be imported
there before anything else. Only root can make one.

``RADIOD_TEST_DEBIAN`` names the folder of another Debian (``tests/debian.sh``): then its systemd boots, on a
copy of it that is thrown away, and its Python runs radiod.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What a login has: not the interpreter that runs the tests."""

DEBIAN = os.environ.get("RADIOD_TEST_DEBIAN", "")
VENV = "srv/venv"
"""Of another Debian: where its radiod's libraries are."""

OTHER_DEBIAN = r"""
mount -t tmpfs tmpfs /run
mkdir /run/upper /run/work /run/root
mount -t overlay overlay -o lowerdir="$DEBIAN",upperdir=/run/upper,workdir=/run/work /run/root
cd /run/root
mkdir -p old
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
umount -R sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --bind "$ROOT" mnt
mount --bind "$UNITS" media
pivot_root . old
umount -l /old
PATH=/usr/local/bin:/usr/sbin:/usr/bin
"""
"""Makes it the root. A ``chroot`` would not do: what a service may see of the machine begins at its root."""

BOOT = r"""
set -eu
mount --make-rprivate /
if [ -n "$DEBIAN" ]; then
    eval "$OTHER_DEBIAN"
    ROOT=/mnt UNITS=/media
fi
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/system /run/systemd/journald.conf.d /run/etc/upper /run/etc/work
printf '[Journal]\nReadKMsg=no\nRateLimitBurst=0\n' >/run/systemd/journald.conf.d/test.conf
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
for folder in /var/lib /var/log /var/cache /var/backups /usr/local/bin /usr/local/sbin /opt; do
    mkdir -p "$folder"
    mount -t tmpfs -o mode=755 tmpfs "$folder"
done
mkdir -p /opt/radiod /opt/python /opt/packages
mount --bind "$ROOT" /opt/radiod
mount --bind "$PYTHON" /opt/python
# Wherever they lie: a dynamic user may not come there.
mount --bind "$PACKAGES" /opt/packages
for script in radiod:radiod.command radioctl:radiod.ctl.app; do
    main="import sys; from ${script#*:} import main; sys.exit(main())"
    cat >"/usr/local/bin/${script%%:*}" <<END
#!/bin/sh
export PYTHONPATH=/run/python:/opt/radiod:/opt/packages LD_LIBRARY_PATH=/opt/python/lib
exec /opt/python/bin/$INTERPRETER -c "$main" "\$@"
END
    chmod 755 "/usr/local/bin/${script%%:*}"
done
if [ -e /sys/fs/cgroup/cgroup.procs ]; then
    umount /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
    umount /sys/fs/cgroup/systemd /sys/fs/cgroup/unified
    mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
fi
mount --make-rshared /
ip link set lo up
cp -r "$UNITS"/. /run/systemd/system/
printf '[Unit]\nDefaultDependencies=no\nWants=systemd-journald.service\nAfter=systemd-journald.service\n' \
    >/run/systemd/system/test.target
exec env -i container=test PATH="$PATH" /lib/systemd/systemd --system --unit=test.target --show-status=no
"""

ENTER = r"""
set -eu
for folder in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    if [ -e "$folder/cgroup.procs" ]; then
        mkdir -p "$folder/radiod-$$"
        echo $$ >"$folder/radiod-$$/cgroup.procs"
    fi
done
exec unshare --cgroup --pid --fork --mount --mount-proc --uts --ipc --net --kill-child bash -c "$BOOT"
"""

OWN_DEPENDENCIES = "[Unit]\nDefaultDependencies=no\n"
"""Else half of a machine would start with the first unit."""


def tool(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the Debian under test, which sees this folder and the checkout. It may fail."""
    if DEBIAN:
        command = (str(ROOT / "tests" / "debian.sh"), "run", DEBIAN, *command)
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "SEEN": str(folder)},
    )


def _python() -> tuple[str, str, str]:
    """Where Python is, its program's name, and where what radiod needs lies, before the machine is one."""
    if DEBIAN:
        (packages,) = Path(DEBIAN, VENV, "lib").glob("python3.*/site-packages")
        return "/usr", packages.parent.name, f"/{packages.relative_to(DEBIAN)}"
    import twisted

    site = Path(twisted.__path__[0]).parent
    interpreter = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return sys.base_prefix, interpreter, str(site)


PYTHON = f"/opt/python/bin/{_python()[1]}"
"""In the machine; it finds its libraries in ``/opt/python/lib``."""


class Machine:
    """One systemd, while the block lasts.

    Args:
        folder: for what is put into it.
        units: name -> text, below ``/run/systemd/system``; drop-ins as ``radiod.service.d/test.conf``.
    """

    def __init__(self, folder: Path, units: Mapping[str, str]) -> None:
        self._units = folder / "units"
        self._log = folder / "systemd.log"
        for name, text in units.items():
            path = self._units / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self.variables: dict[str, str] = {}
        """Of the environment, for ``shell``."""

    def __enter__(self) -> Machine:
        prefix, interpreter, packages = _python()
        variables = {
            "ROOT": str(ROOT),
            "UNITS": str(self._units),
            "BOOT": BOOT,
            "DEBIAN": DEBIAN and os.path.abspath(DEBIAN),
            "OTHER_DEBIAN": OTHER_DEBIAN,
            "PYTHON": prefix,
            "INTERPRETER": interpreter,
            "PACKAGES": packages,
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", ENTER],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **variables},
            )
        self._wait_until_booted()
        return self

    def _wait_until_booted(self) -> None:
        assert self._process is not None
        end = time.monotonic() + SECONDS
        while True:
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < end, self._log.read_text()
            children = (
                Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
            )
            if children:
                self._pid = int(children[0])
                if Path(f"/proc/{self._pid}/root/run/systemd/private").exists() and self._is_running():
                    return
            time.sleep(0.1)

    def _is_running(self) -> bool:
        return self.run("systemctl", "is-active", "test.target", check=False).stdout.strip() == "active"

    def _enter(self) -> list[str]:
        return ["nsenter", "--target", str(self._pid), "--mount", "--uts", "--ipc", "--net", "--pid"]

    def run(
        self, *command: str, check: bool = True, seconds: float = SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in it. Raises: AssertionError: it failed, and ``check``."""
        done = subprocess.run(
            [*self._enter(), *command],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(
                f"{shlex.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}{self.journal()}"
            )
        return done

    def talk(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        """Start a program of the outside on the network of the inside, to talk with."""
        return subprocess.Popen(
            ["nsenter", "--target", str(self._pid), "--net", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Put a file into it."""
        script = 'mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1" && chmod "$3" "$1"'
        self.run("bash", "-c", script, "-", path, text, f"{mode:o}")

    def copy(self, file: Path, path: str) -> None:
        """Put a file of outside into it."""
        with file.open("rb") as source:
            done = subprocess.run([*self._enter(), "tee", path], stdin=source, stdout=subprocess.DEVNULL)
        assert done.returncode == 0, path

    def show(self, unit: str, key: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--property", key, "--value", unit).stdout.strip()

    def journal(self, *arguments: str) -> str:
        """What was logged."""
        done = self.run("journalctl", "--no-pager", "--output=short", *arguments, check=False)
        return done.stdout

    def shell(self, command: str) -> str:
        """What a command prints to who is logged in there; if it fails in silence, its exit status.

        It may take minutes, as installations do on a busy machine.
        """
        variables = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **self.variables}
        given = [f"{key}={value}" for key, value in variables.items()]
        done = self.run("env", "-i", *given, "bash", "-c", f"exec 2>&1; {command}", check=False, seconds=300)
        return done.stdout or (f"exit status {done.returncode}" if done.returncode else "")

    def take_away(self) -> None:
        """Nothing of radiod is installed any more, for who installs it otherwise."""
        script = """
        umount /opt/radiod /opt/python /opt/packages
        rmdir /opt/radiod /opt/python /opt/packages
        rm /usr/local/bin/radiod /usr/local/bin/radioctl
        """
        self.run("bash", "-ec", script)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process is not None
        # Whoever runs unshare is gone, and takes everybody in the namespaces along.
        self._process.kill()
        self._process.wait()
        for folder in ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"):
            _remove_cgroup(Path(folder, f"radiod-{self._process.pid}"))


def _remove_cgroup(folder: Path) -> None:
    """With those below it, once the last process is out."""
    end = time.monotonic() + SECONDS
    while folder.exists() and time.monotonic() < end:
        for one in sorted(folder.rglob("*"), reverse=True):
            if one.is_dir():
                try:
                    one.rmdir()
                except OSError:
                    """Somebody is in it yet."""
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.05)
