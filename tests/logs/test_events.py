"""One vocabulary: the code's, the table's in the documentation, and each line's."""

import ast
import re
from pathlib import Path

import pytest

from radiod.logs.events import EVENTS, FIELDS, MAX_FIELD, OTHER, PER_PEER, fields, name

ROOT = Path(__file__).parents[2]
LOGS = (ROOT / "docs" / "logs.md").read_text()
LEVELS = {"debug", "info", "warn", "error", "critical", "failure"}
MODULES = sorted((ROOT / "radiod").rglob("*.py"))


def rows(section):
    text = LOGS.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)


def is_logging(call):
    """Whether a call is ``log.info(…)``, ``self.log.warn(…)``, ``self._log.error(…)`` or the like."""
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr not in LEVELS:
        return False
    owner = function.value
    named = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return named in ("log", "_log")


def lines_of(module):
    """Each line that a module logs, as its call."""
    tree = ast.parse(module.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and is_logging(node)]


def test_the_table_is_the_codes():
    assert rows("Events") == list(EVENTS)
    assert rows("Fields") == list(dict.fromkeys(FIELDS.values()))


def test_every_line_names_an_event():
    without = [
        f"{module.relative_to(ROOT)}:{line.lineno}"
        for module in MODULES
        for line in lines_of(module)
        if "event" not in [keyword.arg for keyword in line.keywords]
    ]
    assert without == []
    assert sum(len(lines_of(module)) for module in MODULES) > 50


def test_every_event_is_one_of_the_vocabulary():
    for module in MODULES:
        for line in lines_of(module):
            told = next(keyword.value for keyword in line.keywords if keyword.arg == "event")
            if isinstance(told, ast.Constant):
                assert told.value in EVENTS, f"{module}:{line.lineno}"


@pytest.mark.parametrize("event", [event for event in EVENTS if event != OTHER])
def test_every_event_is_said_somewhere(event):
    said = f'"{event}"'
    table = ROOT / "radiod" / "logs" / "events.py"
    assert any(said in module.read_text() for module in MODULES if module != table)


def test_whoever_names_none_or_another_is_other():
    assert name({}) == name({"event": "nosuch"}) == name({"event": ["started"]}) == OTHER
    assert name({"event": "started"}) == "started"
    assert set(PER_PEER) <= set(EVENTS)


def test_fields_are_known_ones_cleaned_and_cut():
    event = {"authid": "a\n\x1b" + "x" * 1000, "session": 5, "realm": None, "text": "no field", "peer": ""}
    told = fields(event)
    assert told["authid"].startswith(r"a\n\x1bx")
    assert len(told["authid"]) <= 2 * MAX_FIELD
    assert told == {"authid": told["authid"], "session": 5}


def test_the_method_tried_is_told_as_the_one_that_proved():
    assert fields({"authmethod": "ticket"}) == fields({"tried": "ticket"}) == {"method": "ticket"}
