"""What a server leaves to the next one: the state in its memory, which is used once, or never.

It lies where ``operations.state`` says; else in systemd's descriptor store, if that keeps it; else beside the
store. A server takes it, so that it is nowhere any more, before it looks at it: whatever happens then, nobody
uses it again. A server that is killed leaves none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from twisted.logger import Logger

from radiod.process import StartError
from radiod.service import parcels
from radiod.service.parcels import ParcelError
from radiod.state.format import StateError
from radiod.systemd.descriptors import DescriptorStore, inherited

__all__ = ["NAME", "Inheritance", "default_place"]

NAME: Final = "radiod-state"
"""What systemd calls it."""

SUFFIX: Final = ".state"
"""Behind the store's path."""


def default_place(asked: str | None, store: str) -> str:
    """The path of the file. ``asked``: ``operations.state``. Empty: there is none."""
    if asked is not None:
        return asked
    return f"{store}{SUFFIX}" if store else ""


class Inheritance:
    """Takes what the last server left, and leaves what the next one takes.

    Args:
        capture: gives the state, in pieces. Raises: StateError.
        restore: goes on with it, or not at all. Returns: what of it cannot be had any more. Raises:
            StateError: it cannot be read.
        file: where, if systemd does not keep it; empty: nowhere.
        is_asked_for: the file, also where systemd would keep it.
        progress: is called now and then while that takes time.
    """

    log = Logger()

    def __init__(
        self,
        capture: Callable[[], Iterable[bytes]],
        restore: Callable[[memoryview], Sequence[str]],
        descriptors: DescriptorStore,
        file: str,
        progress: Callable[[], object],
        *,
        is_asked_for: bool = False,
    ) -> None:
        self._capture = capture
        self._restore = restore
        self._descriptors = descriptors
        self._file = Path(file) if file else None
        self._progress = progress
        self._is_asked_for = is_asked_for
        self._is_taken = False

    # --- the start

    def take(self, environment: Mapping[str, str]) -> None:
        """Use what was left, if anything was. A state that cannot be used is one warning.

        Raises: StartError: restoring it failed half-way; it will not be tried again.
        """
        self._is_taken = True
        if self._file is not None and not os.access(self._file.parent, os.W_OK | os.X_OK):
            why = f"cannot write to {self._file.parent}"
            self.log.warn("no state can be left: {why}", why=why, event="configuration")
        began = time.monotonic()
        states = [*self._take_files(), *self._take_descriptors(environment)]
        if not states:
            return
        self._progress()
        try:
            notes = self._restore(states[-1])
        except StateError as error:
            self._tell_lost(error)
            return
        except Exception as error:
            self.log.failure("the state cannot be restored", event="failure")
            told = "start again: it will not be tried again"
            raise StartError(f"the state of the last server cannot be restored ({error}); {told}") from None
        for note in notes:
            self.log.warn("state: {note}", note=note, event="state_lost")
        self.log.info(
            "the state of the last server is restored: {size} bytes, {seconds} s",
            size=len(states[-1]),
            seconds=round(time.monotonic() - began, 2),
            event="state_restored",
        )

    def _take_descriptors(self, environment: Mapping[str, str]) -> list[memoryview]:
        descriptors = inherited(NAME, environment)
        found = []
        for descriptor in descriptors:
            try:
                found.append(parcels.open_once(descriptor))
            except (ParcelError, OSError) as error:
                self._tell_lost(error)
            finally:
                os.close(descriptor)
        if descriptors:
            self._descriptors.forget(NAME)
        return found

    def _take_files(self) -> list[memoryview]:
        try:
            found = None if self._file is None else parcels.take_file(self._file)
        except (ParcelError, OSError) as error:
            self._tell_lost(error)
            return []
        return [] if found is None else [found]

    def _tell_lost(self, error: Exception) -> None:
        self.log.warn(
            "the state of the last server cannot be used: {why}; what was in memory only is gone, "
            "and listeners are told",
            why=getattr(error, "strerror", None) or error,
            event="state_lost",
        )

    # --- the end

    def leave(self) -> None:
        """Leave the state, when nothing changes it any more; that it cannot be left is told in the log."""
        if not self._is_taken:
            # What is there is the next one's still.
            return
        began = time.monotonic()
        try:
            where, size = self._leave()
        except (OSError, StateError) as error:
            self.log.error(
                "the state cannot be left to the next server: {why}",
                why=getattr(error, "strerror", None) or error,
                event="state_lost",
            )
            return
        except Exception:
            # The rest of the end must not fail for it.
            self.log.failure("the state cannot be left to the next server", event="failure")
            return
        if where:
            self.log.info(
                "the state is left to the next server, in {where}: {size} bytes, {seconds} s",
                where=where,
                size=size,
                seconds=round(time.monotonic() - began, 2),
                event="state_left",
            )

    def _leave(self) -> tuple[str, int]:
        """Returns: where it is, empty: nowhere; its bytes. Raises: OSError, StateError."""
        if self._file is not None and (self._is_asked_for or not self._descriptors.is_there):
            return str(self._file), parcels.put(self._file, self._capture(), self._progress)
        if self._is_asked_for or not self._descriptors.is_there:
            return "", 0
        descriptor = parcels.in_memory(NAME)
        try:
            size = parcels.write(descriptor, self._capture(), self._progress)
            if self._descriptors.keep(NAME, descriptor):
                return "systemd's descriptor store", size
            if self._file is None:
                self.log.warn(
                    "systemd keeps no state: give the unit FileDescriptorStoreMax=1, or operations.state",
                    event="state_lost",
                )
                return "", 0
            return str(self._file), parcels.put(self._file, parcels.copy(descriptor), self._progress)
        finally:
            os.close(descriptor)
