"""A source's samples in a file, and played from it.

One JSON text a line: first ``{"recording": 1, "map": …}``, then the samples, in any format but ``legacy``.
Each line is written at once: a program that is killed leaves whole samples, and perhaps a part of one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from simulator.errors import TownError
from simulator.pace import complain
from simulator.packing import FORMATS, Packing
from simulator.samples import Decoder
from simulator.source import Ended, Source, Watched

__all__ = ["Recorded", "Replay"]

VERSION: Final = 1

MAX_LINE: Final = 256 * 2**20
"""Bytes: a map of 250,000 streets takes 60 MB."""


class Recorded(Watched):
    """A source whose samples are written to a file while it goes on.

    Args: format: of the samples in the file; "legacy" is written as "dense", which says more.
    Raises: TownError: there is such a file, with something in it, or it cannot be written.
    """

    def __init__(self, source: Source, path: Path, format: str = "dense") -> None:
        super().__init__(source)
        self._path = path
        self._format = "dense" if format == "legacy" else format
        try:
            self._file: BinaryIO | None = path.open("ab")
        except OSError as error:
            raise TownError(f"{path}: {error.strerror}") from None
        if self._file.tell():
            self._file.close()
            raise TownError(f"{path}: there is something in this file already")
        self._begin: dict[str, Any] | None = {"recording": VERSION, "map": source.map()}

    def next(self) -> None:
        """Write the sample that is over, and advance. Raises: Ended."""
        self._keep()
        self._source.next()

    def close(self) -> None:
        """Write the last sample, and close the file."""
        self._keep()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _keep(self) -> None:
        """A disk that is full ends the recording, not the broadcast."""
        try:
            if self._begin is not None:
                self._write(self._begin)
                self._begin = None
            self._write(self._source.dump_state(self._format))
        except OSError as error:
            complain(f"{self._path}: {error.strerror}; recorded no further than {self.time:g} s")
            assert self._file is not None
            file, self._file = self._file, None
            # What could not be written is still in its buffer.
            with contextlib.suppress(OSError):
                file.close()

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
            self._file.flush()


class Replay:
    """A recording as a source.

    Args: name: of the channel; default: as recorded.
    Attributes: ``step`` is that of the samples.
    Raises: TownError: there is no recording in the file.
    """

    def __init__(self, path: Path, name: str | None = None) -> None:
        self._path = path
        self._lines = _lines(path)
        begin = next(self._lines, (1, None))[1]
        if not isinstance(begin, dict) or begin.get("recording") != VERSION:
            raise TownError(f"{path}:1: no recording of a town")
        try:
            self._decoder = Decoder(begin["map"])
            self._map = begin["map"]
            self._packing = Packing(np.array([street["k_jam"] for street in self._map["streets"]], float))
            self.name = str(self._map["name"]) if name is None else name
        except (KeyError, TypeError, ValueError) as error:
            raise TownError(f"{path}:1: {error}") from None
        try:
            self.next()
        except Ended as ended:
            raise TownError(str(ended) or f"{path}: there is no sample in it") from None
        self.step = float(self._sample["step"])

    @property
    def time(self) -> float:
        """Simulated seconds of the sample."""
        return float(self._sample["time"])

    def next(self) -> None:
        """Read the next sample. Raises: Ended: there is none; the text says where the file is cut."""
        for number, line in self._lines:
            try:
                if line is None:
                    raise ValueError("cut")
                sample = self._decoder.decode(line)
                if sample is None:
                    continue
                if not (sample["step"] > 0 and sample["time"] >= 0):
                    raise ValueError("no time")
            except (KeyError, TypeError, ValueError):
                raise Ended(f"{self._path}:{number}: the recording is cut there") from None
            self._sample = sample
            return
        raise Ended

    def dump_state(self, format: str = "dense") -> dict[str, Any]:
        """As of ``Simulator``."""
        if format not in FORMATS:
            raise ValueError(f"no format {format!r}; there are {', '.join(FORMATS)}")
        sample = {**self._sample, "name": self.name}
        if format == "dense":
            return sample
        if format == "legacy":
            ids = (street["id"] for street in self._map["streets"])
            return {"state": dict(zip(ids, sample["n"], strict=True)), "timestamp": sample["timestamp"]}
        _, k, green = (sample.pop(name) for name in ("n", "k", "green"))
        return self._packing.pack(format, sample, np.array(k, float), np.array(green))

    def forget_key(self) -> None:
        """As of ``Simulator``."""
        self._packing.forget_key()

    def map(self) -> dict[str, Any]:
        """As recorded, but for the name."""
        return {**self._map, "name": self.name}


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    """(number, what JSON says) for each line; None for one that is not whole. Raises: TownError: no file."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE):
                number += 1
                if not line.endswith(b"\n"):
                    yield number, None
                    return
                try:
                    yield number, json.loads(line)
                except ValueError:
                    yield number, None
    except OSError as error:
        raise TownError(f"{path}: {error.strerror}") from None
