"""A real journald with ``/run`` of its own: nothing outside is touched, and it ends with this process.

Only root can make one. Whoever runs beside it shares the network and all other files with the rest.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from types import TracebackType
from typing import Any

__all__ = ["PrivateJournal"]

SECONDS = 30
JOURNALD = "/lib/systemd/systemd-journald"
BOOT = f"""
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
printf '[Journal]\\nStorage=volatile\\nReadKMsg=no\\nAudit=no\\nRateLimitBurst=0\\n' \
    >/run/systemd/journald.conf.d/test.conf
exec {JOURNALD}
"""


class PrivateJournal:
    """One journald, while the block lasts."""

    def __enter__(self) -> PrivateJournal:
        unshare = shutil.which("unshare")
        assert unshare is not None
        # journald is this very process: without --fork its number is that of its namespace.
        self._process = subprocess.Popen(
            [unshare, "--mount", "bash", "-c", BOOT], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self._wait_for(f"/proc/{self._process.pid}/root/run/systemd/journal/socket")
        return self

    def inside(self, *command: str) -> list[str]:
        """A command that sees this journal."""
        return ["nsenter", f"--mount=/proc/{self._process.pid}/ns/mnt", f"--wd={os.getcwd()}", *command]

    def entries(self, *matches: str) -> list[dict[str, Any]]:
        """What it holds, oldest first."""
        command = self.inside("journalctl", "--no-pager", "--output=json", "--all", *matches)
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def _wait_for(self, path: str) -> None:
        end = time.monotonic() + SECONDS
        while not os.path.exists(path):
            assert self._process.poll() is None, self._process.communicate()
            assert time.monotonic() < end, path
            time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
