"""``release/version.py``: a tree becomes a release, and goes on behind it."""

import re
import subprocess
import sys

import pytest
from support.running import ROOT

NAMES = ("CHANGELOG.md", "SECURITY.md", "radiod/__init__.py", "release/version.py", "release/0.1.0.txt")


@pytest.fixture
def tree(tmp_path):
    for name in NAMES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path


def become(tree, *words):
    command = [sys.executable, tree / "release" / "version.py", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def version(tree):
    return re.search('__version__ = "(.*)"', (tree / "radiod/__init__.py").read_text())[1]


def test_the_first_release_is_prepared(tree):
    changes = (tree / "CHANGELOG.md").read_text()
    if "## Unreleased\n" not in changes:
        assert re.search(rf"^## {re.escape(version(tree))} \(\d{{4}}-\d\d-\d\d\)$", changes, re.MULTILINE)
        return
    done = become(tree, "0.1.0", "2026-12-01")
    assert done.returncode == 0, done.stderr
    assert version(tree) == "0.1.0"
    assert (tree / "CHANGELOG.md").read_text() == changes.replace(
        "## Unreleased\n", "## 0.1.0 (2026-12-01)\n"
    )
    security = (tree / "SECURITY.md").read_text()
    assert "no release yet" not in security
    assert "## Supported versions\n\nThe newest release" in security
    assert "## Reporting a hole" in security
    done = become(tree, "0.2.0.dev0")
    assert done.returncode == 0, done.stderr
    assert version(tree) == "0.2.0.dev0"
    assert "## Unreleased\n\n## 0.1.0 (2026-12-01)\n" in (tree / "CHANGELOG.md").read_text()
    # Nothing to tell yet, neither of changes nor by the tag.
    (tree / "release/0.2.0.txt").write_text("radiod 0.2.0\n")
    assert "nothing unreleased" in become(tree, "0.2.0").stderr


@pytest.mark.parametrize("words", [(), ("0.1",), ("v0.1.0",), ("0.9.0",), ("0.1.0.dev1",)])
def test_what_is_no_version_or_has_no_text_changes_nothing(tree, words):
    before = {name: (tree / name).read_text() for name in NAMES}
    assert become(tree, *words).returncode == 1
    assert {name: (tree / name).read_text() for name in NAMES} == before
