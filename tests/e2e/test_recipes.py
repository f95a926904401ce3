"""docs/recipes.md: its examples print what the page says."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.running import ROOT, environment, radiod

JS = Path(__file__).parent / "js"
SECONDS = 60
PAGE = (ROOT / "docs" / "recipes.md").read_text()
SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\dT.*\n", re.MULTILINE)
POSITION = re.compile(r"[0-9a-f]{12}(?=:\d)")

HAS_NODE = shutil.which("node") is not None and (JS / "node_modules" / "autobahn").is_dir()

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(shared_world):
    [config] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    return shared_world.enter(radiod(shared_world.folder, config))


def title(section):
    return section.split("\n")[0]


@pytest.mark.parametrize("section", SECTIONS, ids=title)
def test_examples_print_what_the_page_says(server, section):
    blocks = re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL)
    assert blocks
    for (kind, text), (_, behind) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        text = text.replace(":8080", f":{server.port}")
        if kind == "console":
            type_in(text)
        elif kind == "js":
            if not HAS_NODE:
                pytest.skip("node or its packages are missing")
            # Node 20 has WebSocket behind a flag.
            assert printed(["node", "--experimental-websocket", "--no-warnings", "-e", text], JS) == behind
        elif kind == "python":
            assert printed([sys.executable, "-c", text], ROOT) == behind


def type_in(console):
    """Run the commands of a console and compare what they print; epochs are what they happen to be."""
    epochs = {}
    for command, expected in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", console, re.MULTILINE):
        for shown, real in epochs.items():
            command = command.replace(shown, real)
        answer = printed(shlex.split(command), ROOT).rstrip("\n")
        epochs.update(zip(POSITION.findall(expected), POSITION.findall(answer), strict=False))
        for shown, real in epochs.items():
            expected = expected.replace(shown, real)
        assert answer == expected.rstrip("\n")


def printed(command, folder):
    ended = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return LOG_LINE.sub("", ended.stdout)
