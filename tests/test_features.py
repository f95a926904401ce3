"""The feature matrix says what is there: announced features, meta API, and tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from radiod.core.realm.handshake import FEATURES
from radiod.testing import make_realm

ROOT = Path(__file__).parents[1]
MATRIX = (ROOT / "docs" / "features.md").read_text()
COLUMNS = 5


class Row:
    """One row: names of features, role, state, tests as (path, names), and what Crossbar does."""

    def __init__(self, line):
        self.line = line
        self.cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        self.feature, self.role, self.state, tests, self.crossbar = (*self.cells, *[""] * COLUMNS)[:COLUMNS]
        self.names = re.findall(r"`([^`]+)`", self.feature)
        self.tests = [test.split("::") for test in re.findall(r"`([^`]+)`", tests)]

    def __str__(self):
        return f"{self.feature} ({self.role})"


def rows():
    for table in re.findall(r"^\|---.*\n((?:\|.*\n)+)", MATRIX, re.MULTILINE):
        yield from map(Row, table.splitlines())


ROWS = list(rows())
EACH = pytest.mark.parametrize("row", ROWS, ids=str)


@cache
def named_in(path):
    """Names of the tests in a file; those of a class behind the class's name."""
    found = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        methods = node.body if isinstance(node, ast.ClassDef) else []
        for function in (node, *methods):
            if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
                found.add((function.name,) if function is node else (node.name, function.name))
    return found


def announced():
    return {(role, name) for role, details in FEATURES.items() for name in details["features"]}


def test_the_tables_were_found():
    assert len(ROWS) > 60


@EACH
def test_every_row_is_complete(row):
    assert len(row.cells) == COLUMNS, row.line
    assert all(row.cells), row.line
    assert re.match(r"(yes|no)\b", row.state), row.line


@EACH
def test_every_row_has_tests_that_exist(row):
    assert row.tests, f"{row} lacks a test"
    for path, *names in row.tests:
        assert (ROOT / path).is_file(), f"{row}: {path} is missing"
        assert tuple(names) in named_in(path), f"{row}: no {'::'.join(names)} in {path}"


@pytest.mark.parametrize(("role", "feature"), sorted(announced()))
def test_every_announced_feature_has_a_row(role, feature):
    states = [row.state for row in ROWS if row.role == role and feature in row.names]
    assert len(states) == 1, states
    assert states[0].startswith("yes")


@EACH
def test_every_feature_with_a_row_is_announced_if_it_is_there(row):
    if row.role in FEATURES and row.names:
        is_announced = (row.role, row.names[0]) in announced()
        assert is_announced is row.state.startswith("yes")


@pytest.mark.parametrize("feature", sorted({name for _, name in announced()}))
def test_every_feature_has_a_test_named_after_it(feature):
    files = (ROOT / "tests" / "features").glob("test_*.py")
    names = {names[-1] for file in files for names in named_in(file.relative_to(ROOT))}
    assert f"test_{feature}" in names


def test_the_meta_api_is_what_the_matrix_says():
    said = {state: set() for state in ("yes", "no")}
    for row in ROWS:
        if row.role in ("procedure", "event"):
            said[row.state].update((row.role, name) for name in row.names)
    procedures = {("procedure", name) for name in make_realm().procedures.table if name.startswith("wamp.")}
    source = (ROOT / "radiod" / "core" / "realm" / "meta_events.py").read_text()
    events = {("event", name) for name in re.findall(r'"(wamp\.\w+\.on_\w+)"', source)}
    assert said["yes"] == procedures | events
    assert not said["no"] & (procedures | events)
