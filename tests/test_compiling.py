"""Which modules are compiled, and what their source must not do."""

import ast
from pathlib import Path

import pytest

from compiling import PYTHON, modules

ROOT = Path(__file__).parents[1]
COMPILED = modules()

BOUNDED = {
    "radiod/wire/lenient.py": {"_defined"},
    # Once: whoever took the place of a history that was dropped is there.
    "radiod/core/pubsub/replay.py": {"self._read"},
    "radiod/core/cluster/encoding.py": {"_whole"},
}
"""Functions that call themselves, so many times and no more."""


def test_what_every_message_passes_is_compiled():
    assert {"radiod/core/pubsub/broker.py", "radiod/core/rpc/dealer.py", "radiod/wire/codecs.py"} <= set(
        COMPILED
    )


def test_structs_stay_python():
    assert "radiod/wire/messages.py" not in COMPILED
    assert "radiod/core/ports.py" not in COMPILED


@pytest.mark.parametrize("module", PYTHON)
def test_what_is_left_out_by_name_is_there(module):
    assert (ROOT / "radiod" / module).is_file()
    assert f"radiod/{module}" not in COMPILED


def test_compiled_functions_do_not_call_themselves():
    found = {}
    for module in COMPILED:
        tree = ast.parse((ROOT / module).read_text())
        found[module] = {name for name, function in named_functions(tree) if name in called_by(function)}
    assert {module: names for module, names in found.items() if names} == BOUNDED


def named_functions(tree):
    """(what it says to call itself, the function) of each function and method."""
    methods = {node for one in ast.walk(tree) if isinstance(one, ast.ClassDef) for node in one.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield f"self.{node.name}" if node in methods else node.name, node


def called_by(function):
    """What a function calls itself: what it hands to others to be called later has a stack of its own."""
    return {ast.unparse(node.func) for node in own_nodes(function) if isinstance(node, ast.Call)}


def own_nodes(node):
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda):
            yield child
            yield from own_nodes(child)


def test_the_rule_sees_what_calls_itself():
    tree = ast.parse(
        "def f(x):\n    return [f(y) for y in x]\nclass C:\n    def g(self):\n        self.g(g())"
    )
    assert [name in called_by(function) for name, function in named_functions(tree)] == [True, True]


def test_the_rule_does_not_mind_what_is_called_later():
    tree = ast.parse("class C:\n    def g(self):\n        self.ask(lambda answer: self.g())")
    assert [name in called_by(function) for name, function in named_functions(tree)] == [False]


def test_the_rule_lets_a_method_call_a_function_of_its_name():
    tree = ast.parse("class C:\n    def g(self):\n        g(self.other.g())")
    assert [name in called_by(function) for name, function in named_functions(tree)] == [False]


def test_a_name_of_an_error_has_one_type_in_a_function():
    assert [module for module in COMPILED if error_names((ROOT / module).read_text())] == []


def error_names(source):
    """Those that have several."""
    return [
        name
        for function in ast.walk(ast.parse(source))
        if isinstance(function, ast.FunctionDef)
        for name, types in error_types(function).items()
        if len(types) > 1
    ]


def error_types(function):
    """Name -> types, of what is caught there."""
    found = {}
    for node in ast.walk(function):
        if isinstance(node, ast.ExceptHandler) and node.name is not None:
            found.setdefault(node.name, set()).add(ast.unparse(node.type))
    return found


def test_the_rule_sees_two_types_of_one_name():
    source = "def f():\n  try:\n    g()\n  except A as error:\n    pass\n  except {} as {}:\n    pass"
    assert error_names(source.format("B", "error")) == ["error"]
    assert error_names(source.format("A", "error")) == []
    assert error_names(source.format("B", "other")) == []


def test_a_final_tuple_of_floats_has_no_fixed_length():
    """mypyc takes one for a value that was never set: ``Final[tuple[float, ...]]`` is safe."""
    assert [module for module in COMPILED if unset_tuples((ROOT / module).read_text())] == []


def unset_tuples(source):
    """Constants of a module that are tuples of nothing but floats, and not ``tuple[float, ...]``."""
    floats, unset = set(), []
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and node.value is not None and is_float(node.value, floats):
            floats.add(node.target.id)
            declared = ast.unparse(node.annotation)
            if isinstance(node.value, ast.Tuple) and "Final" in declared and "..." not in declared:
                unset.append(node.target.id)
    return unset


def is_float(node, floats):
    """Whether an expression is a float, or a tuple of nothing else. ``floats``: names of such."""
    match node:
        case ast.Constant():
            return isinstance(node.value, float)
        case ast.Name():
            return node.id in floats
        case ast.UnaryOp():
            return is_float(node.operand, floats)
        case ast.BinOp():
            return isinstance(node.op, ast.Div) or is_float(node.left, floats) or is_float(node.right, floats)
        case ast.Tuple():
            return bool(node.elts) and all(is_float(one, floats) for one in node.elts)
    return False


@pytest.mark.parametrize(
    "value", ["(0.5, 1.0)", "(-0.5,)", "(A, 1 / 3)", "((0.5, 1.0), (0.5, 2.0))", "(2 * A, A)"]
)
def test_the_rule_sees_a_tuple_of_floats(value):
    assert unset_tuples(f"A: Final = 0.5\nB: Final = {value}") == ["B"]
    assert unset_tuples(f"A: Final = 0.5\nB: Final[tuple[float, ...]] = {value}") == []


@pytest.mark.parametrize("value", ["(1, 2)", "(True, 0.5)", "(0.5, 'a')", "((0.5, 1.0), 2)", "()"])
def test_the_rule_lets_other_tuples_be(value):
    assert unset_tuples(f"B: Final = {value}") == []
