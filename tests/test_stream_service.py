"""The table of what stream_service promised names exactly the tests that there are."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "docs" / "stream_service.md").read_text()
PROMISES = [*range(1, 31)]


def rows():
    for line in re.findall(r"^\| \d+ \|.*", TABLE, re.MULTILINE):
        yield [cell.strip() for cell in line.strip("|").split("|")]


@functools.cache
def classes():
    """Name -> names of the tests in it, of every class of every module."""
    found = {}
    for path in (ROOT / "tests" / "stream_service").glob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                assert node.name not in found
                methods = [one.name for one in node.body if isinstance(one, ast.FunctionDef)]
                found[node.name] = [name for name in methods if name.startswith("test_")]
    return found


ROWS = list(rows())


def test_there_is_a_row_for_everything():
    assert [int(row[0]) for row in ROWS] == PROMISES


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_row_is_complete_and_names_its_test(row):
    assert len(row) == 5
    assert all(row)
    (name,) = re.fullmatch(r"`(\w+)`", row[4]).groups()
    assert name.startswith(f"TestRow{int(row[0]):02}")
    assert classes()[name], f"{name} has no test"


def test_every_test_has_a_row():
    assert set(classes()) == {row[4].strip("`") for row in ROWS}


def test_nothing_is_skipped_or_expected_to_fail():
    for path in (ROOT / "tests" / "stream_service").glob("*.py"):
        assert not re.search(r"skip\(|skipif|xfail", path.read_text()), path.name
