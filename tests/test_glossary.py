"""docs/glossary.md: each word once, in plain words, and what it names in the code is there."""

import ast
import re

import pytest
from house import ROOT, read_modules

PAGE = (ROOT / "docs" / "glossary.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| word")
]
CLASSES = {
    node.name
    for module in read_modules(ROOT, ["radiod"])
    for node in ast.walk(module.tree)
    if isinstance(node, ast.ClassDef)
}


def test_words_are_explained_once():
    words = [word for row in ROWS for word in row[0].split(", ")]
    assert len(words) > 40
    assert len(words) == len(set(words))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_word_has_a_short_meaning_and_a_place_that_is_there(row):
    word, meaning, place = row
    assert word
    assert meaning.endswith(".")
    assert len(meaning.split()) <= 25
    [name] = re.findall(r"^`([^`]+)`$", place)
    assert (ROOT / name).exists() if "/" in name else name in CLASSES
