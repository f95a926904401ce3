"""docs/architecture.md draws what the code does."""

import re

import pytest
from house import FLOORS, ROOT, all_imports, read_modules
from support.outlets import ENDING, READING, WRITING

from radiod.transport.driver import STATES

PAGE = (ROOT / "docs" / "architecture.md").read_text()


def drawing(behind, kind):
    """The first drawing of that kind behind a text."""
    drawings = re.findall(r"```mermaid\n(.*?)```", PAGE.split(behind)[1], re.DOTALL)
    return next(text for text in drawings if text.startswith(kind))


def arrows(text):
    return set(re.findall(r"^ +(\w+) --> (\w+)$", text, re.MULTILINE))


def reachable(drawn):
    """All pairs that lie on a way of arrows."""
    pairs = set(drawn)
    while more := {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs:
        pairs |= more
    return pairs


def parts_imported():
    """(part, part) of radiod, as the code has it."""
    pairs = {(part(each.who), part(each.whom)) for each in all_imports(read_modules(ROOT, ["radiod"]))}
    return {(who, whom) for who, whom in pairs if who != whom}


def part(module):
    return module.name.split(".")[1] if "." in module.name else module.name


def test_the_parts_are_drawn_as_they_import_each_other():
    drawn, imported = arrows(drawing("## The parts", "flowchart")), parts_imported()
    assert drawn <= imported
    # Whatever nobody may import is of no interest: testing is for tests.
    assert {pair for pair in imported if "testing" not in pair} <= reachable(drawn)


def test_the_floors_are_drawn_from_the_highest():
    text = drawing("## The floors of the core", "flowchart")
    drawn = [set(re.findall(r"^ {8}(\w+)$", floor, re.MULTILINE)) for floor in text.split("subgraph")[1:]]
    assert drawn == [{package.removeprefix("core.") for package in floor} for floor in reversed(FLOORS)]


def test_every_floor_has_its_words():
    section = PAGE.split("## The floors of the core")[1].split("\n## ")[0]
    for package in {package.removeprefix("core.") for floor in FLOORS for package in floor}:
        assert f"| `{package}` " in section


@pytest.mark.parametrize(
    ("heading", "table"),
    [
        ("## The states of a session's driver", STATES),
        ("**Writing.**", WRITING),
        ("**Reading.**", READING),
        ("**Ending.**", ENDING),
    ],
)
def test_states_are_drawn_from_their_tables(heading, table):
    text = drawing(heading, "stateDiagram-v2")
    names = {name: said for said, name in re.findall(r'state "([^"]+)" as (\w+)', text)}
    drawn = [
        tuple(names.get(word, word) for word in transition)
        for transition in re.findall(r"^ +(\w+) --> (\w+): (.*)$", text, re.MULTILINE)
    ]
    assert drawn == [
        (state, then, what) for state, happens in table.items() for what, then in happens.items()
    ]
    [first] = re.findall(r"^ +\[\*\] --> (\w+)$", text, re.MULTILINE)
    assert names.get(first, first) == next(iter(table))


def test_files_that_are_named_are_there():
    for path in re.findall(r"`((?:radiod|tests)/[^`]*)`", PAGE):
        assert (ROOT / path).exists(), path


def test_drawings_hold_nothing_that_ends_a_line_of_theirs():
    for text in re.findall(r"```mermaid\n(.*?)```", PAGE, re.DOTALL):
        assert ";" not in text


def test_every_port_has_its_type_tests():
    table = PAGE.split("### The ports")[1].split("\n## ")[0]
    ports = set(
        re.findall(r"`([A-Z]\w+)`", "".join(line.split("|")[1] for line in table.splitlines() if "|" in line))
    )
    assert len(ports) > 10
    annotated = re.findall(
        r"-> ([^:]+):$", (ROOT / "tests" / "typing" / "ports_api.py").read_text(), re.MULTILINE
    )
    assert ports <= set(re.findall(r"\w+", " ".join(annotated)))
