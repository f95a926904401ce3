"""Every module of the pure layers has its own test file, at the same place below ``tests``."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PURE = [
    path.relative_to(ROOT / "radiod")
    for layer in ("wire", "core")
    for path in sorted((ROOT / "radiod" / layer).glob("**/*.py"))
    if path.name != "__init__.py"
]
OF_NO_MODULE = {"vectors.py"}
"""Tests of a layer as a whole: the protocol's own test vectors."""


def test_the_pure_layers_were_found():
    assert {"wire/codecs.py", "core/pubsub/broker.py"} <= {path.as_posix() for path in PURE}


@pytest.mark.parametrize("module", PURE, ids=str)
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
