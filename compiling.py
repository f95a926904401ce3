"""Which modules a compiled build (``RADIOD_COMPILE=1``) hands to mypyc, and which stay Python."""

import ast
from collections.abc import Iterator
from pathlib import Path

__all__ = ["modules"]

HERE = Path(__file__).parent

COMPILED = (
    "core/**/*.py",
    "wire/**/*.py",
    "transport/batched.py",
    "transport/driver.py",
    "transport/formats.py",
    "transport/handing.py",
    "transport/http/answering.py",
    "transport/http/connection.py",
    "transport/http/incoming.py",
    "transport/http/request.py",
    "transport/http/server.py",
    "transport/inbox.py",
    "transport/listening/listeners.py",
    "transport/listening/polls.py",
    "transport/newcomers.py",
    "transport/outbox.py",
    "transport/outlets.py",
    "transport/sockets.py",
    "transport/reading.py",
    "transport/schedule.py",
    "transport/wamp_longpoll.py",
    "transport/websocket/connection.py",
)
"""Below ``radiod``: what is passed by every message."""

PYTHON = {
    "core/access/memory.py": "passed by no message; tests have subclasses of it that wait, or refuse",
    "wire/checked.py": "a class of bytes: compiled classes cannot have built-in ones as bases",
    "wire/forms.py": "walks through values of any depth: compiled code knows no limit of recursion",
}
"""What stays Python, and why. Besides: ``__init__.py``, and modules that define structs."""


def modules() -> list[str]:
    """Paths of all modules to compile, from the repository's root."""
    return [path.relative_to(HERE).as_posix() for path in _candidates() if not _stays_python(path)]


def _candidates() -> Iterator[Path]:
    for pattern in COMPILED:
        yield from sorted((HERE / "radiod").glob(pattern))


def _stays_python(path: Path) -> bool:
    name = path.relative_to(HERE / "radiod").as_posix()
    return name in PYTHON or path.name == "__init__.py" or _defines_struct(path)


def _defines_struct(path: Path) -> bool:
    """mypyc gives msgspec neither options (``frozen``, ``kw_only``) nor constraints (``Meta``, ``field``)."""
    return any(
        isinstance(node, ast.ClassDef) and any("Struct" in ast.unparse(base) for base in node.bases)
        for node in ast.walk(ast.parse(path.read_text()))
    )
