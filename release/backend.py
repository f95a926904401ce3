"""setuptools' build backend, with two things of its own.

A compiled wheel (``RADIOD_COMPILE=1``) needs the compiler besides: ``build-system.requires`` knows no
conditions, and a wheel of pure Python needs neither mypy nor Twisted.

With ``SOURCE_DATE_EPOCH`` (seconds since 1970) wheel and sdist are the same bytes, whoever builds them
from one commit, whenever: setuptools keeps the files' times, their owner and what the umask left of their
rights in the sdist, and the rights in the wheel.

It does not lie beside the folder ``packaging``: that would hide the package of this name, which setuptools
needs.
"""

import gzip
import io
import os
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 # the rest of the interface stays as it is

COMPILER = ["mypy==2.4.1", "mypy-zope==1.0.17"]
"""Exactly these: another compiler makes another radiod, which nobody has tested."""

TYPED = ["msgspec", "cbor2", "twisted", "autobahn"]
"""What compiled modules import: types that are not found become ``Any``, and code slow."""

OLDEST = 315532800
"""1980: a zip file knows no earlier time."""


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """What to install before a wheel is built."""
    return [*COMPILER, *TYPED] if os.environ.get("RADIOD_COMPILE") == "1" else []


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    """What to install before an editable install. A compiled one would hide every change of the source."""
    if os.environ.get("RADIOD_COMPILE") == "1":
        raise SystemExit("RADIOD_COMPILE=1 is for wheels: pip install . (without --editable), or make wheel")
    return []


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: Any = None) -> str:
    """Build it. Returns: the name of the file."""
    name: str = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    if "SOURCE_DATE_EPOCH" in os.environ:
        _settle_wheel(Path(wheel_directory, name), int(os.environ["SOURCE_DATE_EPOCH"]))
    return name


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """Build it. Returns: the name of the file."""
    name: str = build_meta.build_sdist(sdist_directory, config_settings)
    if "SOURCE_DATE_EPOCH" in os.environ:
        _settle_sdist(Path(sdist_directory, name), int(os.environ["SOURCE_DATE_EPOCH"]))
    return name


def _settle_wheel(path: Path, epoch: int) -> None:
    date = time.gmtime(max(epoch, OLDEST))[:6]
    with zipfile.ZipFile(path) as archive:
        files = [(each, archive.read(each)) for each in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for old, content in files:
            new = zipfile.ZipInfo(old.filename, date)
            new.external_attr = (0o100000 | _rights(old.external_attr >> 16)) << 16
            archive.writestr(new, content, zipfile.ZIP_DEFLATED, 9)


def _settle_sdist(path: Path, epoch: int) -> None:
    settled = io.BytesIO()
    with (
        tarfile.open(path) as old,
        gzip.GzipFile("", "wb", 9, settled, mtime=epoch) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda each: each.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.mode, member.pax_headers = 0o755 if member.isdir() else _rights(member.mode), {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    path.write_bytes(settled.getvalue())


def _rights(mode: int) -> int:
    """Those that a file has in git."""
    return 0o755 if mode & 0o100 else 0o644
