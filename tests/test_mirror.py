"""Every module of the pure layers has its own test file, at the same place below ``tests``.

But for those that do nothing: modules of protocols, structs without a method, and names of types say what
others must be. They are tested with whoever keeps them, and may have a file of their own all the same.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PURE = [
    path.relative_to(ROOT / "radiod")
    for layer in ("wire", "core")
    for path in sorted((ROOT / "radiod" / layer).glob("**/*.py"))
    if path.name != "__init__.py"
]
PLAIN = {"Struct", "NamedTuple", "Enum"}
"""Bases of classes that do nothing where they have only fields, or values."""

OF_NO_MODULE = {"garbage.py", "vectors.py", "simulation.py", "channel_simulation.py", "session_simulation.py"}
"""Tests of a layer as a whole: the protocol's own test vectors."""


def does_something(source):
    """Whether a module has anything that can be tested by itself."""
    return not all(_is_declaration(statement) for statement in ast.parse(source).body)


def _is_declaration(statement):
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Expr(ast.Constant()):
            return True
        case ast.ClassDef(bases=bases):
            names = {ast.unparse(base).partition("[")[0] for base in bases}
            # What a protocol says has no body but its documentation.
            return "Protocol" in names or (names & PLAIN != set() and _has_only_fields(statement))
        case ast.Assign(targets=[ast.Name("__all__")]):
            return True
        case ast.Assign(value=ast.Call(ast.Name("TypeVar"))):
            return True
        case ast.Assign(value=ast.Subscript() | ast.BinOp() | ast.Name() as value):
            return _is_type(value)
    return False


def _has_only_fields(statement):
    return all(isinstance(one, ast.AnnAssign | ast.Assign | ast.Expr) for one in statement.body)


def _is_type(value):
    """A type, or types in a row with ``|`` between: an alias."""
    match value:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _is_type(left) and _is_type(right)
        case ast.Name() | ast.Subscript(ast.Name()) | ast.Constant(None):
            return True
    return False


TESTABLE = [module for module in PURE if does_something((ROOT / "radiod" / module).read_text())]


def test_the_pure_layers_were_found():
    assert {"wire/codecs.py", "core/pubsub/broker.py"} <= {path.as_posix() for path in TESTABLE}


def test_those_that_do_nothing_were_found():
    nothing = {path.as_posix() for path in PURE} - {path.as_posix() for path in TESTABLE}
    assert {"core/history/log.py", "core/sessions/outbox.py"} <= nothing


@pytest.mark.parametrize(
    "source",
    [
        "def f(): pass",
        "LIMIT = 5",
        "LIMIT: Final = 5",
        "NAMES = A | {1}",
        "SIZE = A + B",
        "class A: pass",
        "class A(Exception): pass",
        "class A(Struct):\n    x: int\n    def f(self): pass",
        "if A:\n    pass",
        "f()",
    ],
)
def test_what_can_be_tested_by_itself(source):
    assert does_something(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""Words."""\nfrom a import b\nimport c\n__all__ = ["A"]',
        'A = Callable[[int], None]\n"""A callback."""',
        "A = B | C[int] | None",
        'T = TypeVar("T")',
        "class A(Protocol):\n    @property\n    def x(self) -> int: ...",
        "class A(Protocol[T]):\n    x: int",
        'class A(Struct, frozen=True):\n    """Words."""\n    x: int = 5',
    ],
)
def test_what_only_says_what_others_must_be(source):
    assert not does_something(source)


@pytest.mark.parametrize("module", TESTABLE, ids=str)
def test_each_module_has_its_test_file(module):
    mirror = ROOT / "tests" / module.with_name(f"test_{module.name}")
    assert mirror.is_file(), f"radiod/{module} has no {mirror.relative_to(ROOT)}"
    assert "def test_" in mirror.read_text() or "TestCase" in mirror.read_text()


@pytest.mark.parametrize("layer", ["wire", "core"])
def test_no_test_file_outlives_its_module(layer):
    modules = {_below(path, "radiod", layer) for path in (ROOT / "radiod" / layer).glob("**/*.py")}
    for path in (ROOT / "tests" / layer).glob("**/test_*.py"):
        tested = path.with_name(path.name.removeprefix("test_"))
        assert tested.name in OF_NO_MODULE or _below(tested, "tests", layer) in modules


def _below(path, folder, layer):
    return path.relative_to(ROOT / folder / layer)
