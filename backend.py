"""setuptools' build backend; a compiled wheel (``RADIOD_COMPILE=1``) needs the compiler besides.

``build-system.requires`` knows no conditions, and a wheel of pure Python needs neither mypy nor Twisted.
"""

import os
from typing import Any

from setuptools.build_meta import *  # noqa: F403 # the rest of the interface stays as it is

COMPILER = ["mypy==2.4.1", "mypy-zope==1.0.17"]
"""Exactly these: another compiler makes another radiod, which nobody has tested."""

TYPED = ["msgspec", "cbor2", "twisted", "autobahn"]
"""What compiled modules import: types that are not found become ``Any``, and code slow."""


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """What to install before a wheel is built."""
    return [*COMPILER, *TYPED] if os.environ.get("RADIOD_COMPILE") == "1" else []


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    """What to install before an editable install. A compiled one would hide every change of the source."""
    if os.environ.get("RADIOD_COMPILE") == "1":
        raise SystemExit("RADIOD_COMPILE=1 is for wheels: pip install . (without --editable), or make wheel")
    return []
