"""Files of arrays and a few words: npz, which numpy reads too, with a header in JSON, and nothing pickled.

Whatever is read is bounded before it is unpacked: a few kilobytes can say that they are gigabytes.
"""

from __future__ import annotations

import json
import os
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from tempfile import NamedTemporaryFile
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from simulator.errors import TownError

__all__ = ["Arrays", "Path", "Reader", "texts", "write"]

Path = str | PathLike[str]
Arrays = Mapping[str, NDArray[Any]]

HEADER: Final = "header.json"
MAX_HEADER: Final = 1 << 20
MAX_MEMBERS: Final = 1000
MAX_BYTES: Final = 1 << 30
"""Of all arrays together, unpacked: ten times the state of 100,000 streets."""

MAX_FREE: Final = 64 << 20
"""Bytes of an array whose length nothing else tells."""

HEAD: Final = 1 << 14
"""Bytes that the head of an array takes at most."""

KINDS: Final = "fiub?"
"""Floats, integers, truth values."""

BROKEN: Final = (
    *(zipfile.BadZipFile, zlib.error, ValueError, SyntaxError, EOFError),
    *(OSError, NotImplementedError, RuntimeError, tokenize.TokenError),
)
"""What a package of broken bytes raises."""


def write(path: Path, header: Mapping[str, Any], arrays: Arrays) -> None:
    """Write a file in one go: it is the old one, or none, until all of it is there.

    Raises: OSError: it cannot be written.
    """
    place = fspath(path)
    folder = os.path.dirname(place) or "."
    with NamedTemporaryFile(dir=folder, prefix=".saving-", delete=False) as file:
        try:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
                packed.writestr(HEADER, json.dumps(header, allow_nan=False))
                for name, array in arrays.items():
                    with packed.open(f"{name}.npy", "w", force_zip64=True) as member:
                        npy.write_array(member, np.asanyarray(array), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, place)
        except BaseException:
            os.unlink(file.name)
            raise


def texts(name: str, lines: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Texts as arrays: ``Reader.texts`` has them again."""
    encoded = [line.encode("utf-8", "surrogatepass") for line in lines]
    return {
        f"{name}_text": np.frombuffer(b"".join(encoded), np.uint8),
        f"{name}_end": np.cumsum([len(line) for line in encoded], dtype=np.int64),
    }


class Reader:
    """A file that is open for reading; every fault in it is a TownError that begins with its path."""

    def __init__(self, path: Path) -> None:
        self.path = fspath(path)
        self._file: IO[bytes] | None = None
        try:
            self._file = open(self.path, "rb")  # noqa: SIM115 - open as long as the reader is
            self._packed = zipfile.ZipFile(self._file)
        except OSError as error:
            self.close()
            raise self.fault(f"cannot be read: {error.strerror}") from None
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            self.close()
            raise self.fault("is no saved simulator, or was cut") from None
        members = self._packed.infolist()
        if len(members) > MAX_MEMBERS or sum(one.file_size for one in members) > MAX_BYTES + MAX_HEADER:
            self.close()
            raise self.fault(f"holds more than {MAX_MEMBERS} arrays or {MAX_BYTES >> 20} MiB")
        self._members = {one.filename: one for one in members}

    @property
    def most(self) -> int:
        """Bytes that arrays of any length take at most."""
        return MAX_FREE

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fault(self, what: str) -> TownError:
        """What is wrong, as an error to be raised."""
        return TownError(f"{self.path}: {what}")

    def header(self) -> dict[str, Any]:
        """The words of the file. Raises: TownError: it has none."""
        found = self._members.get(HEADER)
        if found is None or found.file_size > MAX_HEADER:
            raise self.fault("is no saved simulator: it has no header")
        try:
            header = json.loads(self._bytes(found))
        except (ValueError, RecursionError):
            raise self.fault("its header is no JSON") from None
        if not isinstance(header, dict):
            raise self.fault("its header is no object")
        return header

    def has(self, name: str) -> bool:
        """Whether there is such an array."""
        return f"{name}.npy" in self._members

    def array(self, name: str, kind: type, shape: Sequence[int | None]) -> NDArray[Any]:
        """An array of numbers of one kind. Args: shape: None: any length, up to ``MAX_FREE`` bytes."""
        known = [length for length in shape if length is not None]
        room = np.dtype(kind).itemsize * int(np.prod(known, dtype=object))
        found = self._array(name, room if len(known) == len(shape) else MAX_FREE)
        fits = len(shape) == found.ndim and all(
            wanted is None or wanted == has for wanted, has in zip(shape, found.shape, strict=True)
        )
        if found.dtype != np.dtype(kind) or not fits:
            raise self.fault(f"{name} is {found.dtype} of {found.shape}, not what this town has")
        return found

    def floats(
        self, name: str, shape: Sequence[int | None], least: float = -np.inf, most: float = np.inf
    ) -> NDArray[np.float64]:
        """Numbers within bounds, which may be infinite where the bound is."""
        found = self.array(name, float, shape)
        if not ((found >= least) & (found <= most)).all():
            raise self.fault(f"{name}: not all numbers are from {least:g} to {most:g}")
        return found

    def places(self, name: str, shape: Sequence[int | None], count: int) -> NDArray[np.intp]:
        """Places among ``count`` things."""
        found = self.array(name, np.intp, shape)
        if found.size and not 0 <= found.min() <= found.max() < count:
            raise self.fault(f"{name}: not all are places among {count}")
        return found

    def texts(self, name: str, count: int | None = None) -> list[str]:
        """What ``texts`` has made arrays of."""
        text = self.array(f"{name}_text", np.uint8, (None,)).tobytes()
        ends = self.array(f"{name}_end", np.int64, (count,))
        begins = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
        if (begins > ends).any() or (ends[-1] if len(ends) else 0) != len(text):
            raise self.fault(f"{name}: its texts do not fit together")
        try:
            return [
                text[begin:end].decode("utf-8", "surrogatepass")
                for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
            ]
        except UnicodeDecodeError:
            raise self.fault(f"{name}: not all is text") from None

    def group(self, name: str, room: int) -> dict[str, NDArray[Any]]:
        """All arrays whose names begin with ``name/``, by what follows. Args: room: bytes of all of them."""
        begin = f"{name}/"
        names = [
            one.removesuffix(".npy")
            for one in self._members
            if one.startswith(begin) and one.endswith(".npy")
        ]
        if sum(self._members[f"{one}.npy"].file_size for one in names) > room + HEAD * len(names):
            raise self.fault(f"{name} is larger than anything that this town has")
        return {one.removeprefix(begin): self._array(one, room) for one in names}

    def _array(self, name: str, room: int) -> NDArray[Any]:
        member = self._members.get(f"{name}.npy")
        if member is None:
            raise self.fault(f"has no {name}")
        if member.file_size > room + HEAD:
            raise self.fault(f"{name} is larger than what this town has")
        try:
            with self._packed.open(member) as content:
                return self._npy(name, member.file_size, content)
        except BROKEN:
            raise self.fault(f"{name} cannot be unpacked") from None

    def _npy(self, name: str, size: int, content: IO[bytes]) -> NDArray[Any]:
        """An array whose shape is believed only as far as its bytes are there."""
        version = npy.read_magic(content)
        if version != (1, 0):
            raise ValueError(version)
        shape, is_fortran, dtype = npy.read_array_header_1_0(content)
        count = 1
        for length in shape:
            count *= length
        if dtype.kind not in KINDS or not dtype.isnative or is_fortran or count * dtype.itemsize > size:
            raise ValueError(name)
        data = content.read(count * dtype.itemsize + 1)
        if len(data) != count * dtype.itemsize:
            raise ValueError(name)
        return np.frombuffer(data, dtype).reshape(shape).copy()

    def _bytes(self, member: zipfile.ZipInfo) -> bytes:
        try:
            with self._packed.open(member) as content:
                return content.read(MAX_HEADER)
        except BROKEN:
            raise self.fault("its header cannot be unpacked") from None
