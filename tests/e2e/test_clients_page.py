"""docs/clients.md: its lines are run, and its table says what the clients have."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.programs import Program
from support.running import ROOT, environment, program, radiod, wait_until

PAGE = (ROOT / "docs" / "clients.md").read_text()
CONFIG = """
[realms.radio]
anonymous = "open"

[realms.radio.roles.open]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
"""

LANGUAGES = {"Python": "python", "JavaScript": "js", "R": "r", "MATLAB, Octave": "matlab"}

# Feature → in which file of each client which words show that it is there.
SHOWN: dict[str, tuple[str, str, str, str]] = {
    "listen, and come back": (
        "def listen",
        "listen(options",
        "export(radio_listen)",
        "lost] = listen(self",
    ),
    "go on behind a position": ("after: str", "after?: string", "after = NULL", "'after'"),
    "tell what was lost": ("class Gap", "class Gap", "lost = ", "lost, how many"),
    "begin with the last samples": ("last: int", "last?: number", "last = 0", "'last'"),
    "settings of the server's buffer": ("min_interval", "min_interval", "min_interval", "min_interval"),
    "change them while listening": ("def tune", "async tune(", "radio_tune", "= tune("),
    "history": ("def history", "async history(", "export(radio_history)", "= history(self"),
    "the latest sample": ("def latest", "async latest(", "export(radio_latest)", "= latest(self"),
    "so many samples at once": ("def collect", "collect(", "export(radio_collect)", "= collect(self"),
    "several channels at once": ("def channel", "demultiplex(", "/listen?", "/listen?"),
    "publish": ("def publish", "async publish(", "export(radio_publish)", "= publish(self"),
    "publish over HTTP, once": (
        "class HttpPublisher",
        "Idempotency-Key",
        "Idempotency-Key",
        "Idempotency-Key",
    ),
    "write only while somebody listens": ("def writer", "async writer(", "radio_writer", "= writer("),
    "streams of samples that belong together": (
        "def stream",
        "class Stream",
        "radio_stream",
        "= stream(self, id",
    ),
    "create a channel": ("def create", "async create(", "radio_create", "= create("),
    "who listens": ("def presence", "presence() {", "radio_presence", "= presence("),
    "call a procedure": ("def call", "async call(", "export(radio_call)", "= call(self"),
    "results before the last": ("on_progress", "onProgress", "receive_progress", "receive_progress"),
    "offer a procedure": ("def register", "register(procedure", "radio_register", "= register("),
    "serve an object, and call one": ("def proxy", "proxy(name)", "radio_proxy", "= proxy("),
    "arrays": (
        "def decode",
        "export async function decodeArray",
        "export(radio_decode_array)",
        "decode_array(value",
    ),
    "log in with a key or ticket": ("ticket", "ticket", "key = NULL", "'key'"),
    "with a listen token": ("token=", "token:", "listen token", "token"),
    "with a password or key pair": ("private_key", "privateKey", "private_key", "private_key"),
    "a command at the terminal": ("argparse", "process.argv", "commandArgs", "argv()"),
}
SOURCES = {
    "Python": ("clients/python/radiod_client", "**/*.py"),
    "JavaScript": ("clients/js", "*.js"),
    "R": ("clients/r", "[RN]*"),
    "MATLAB, Octave": ("clients/matlab", "**/*.m"),
}


def source_of(language: str) -> str:
    """All of a client; of R what it exports, and its code."""
    folder, pattern = SOURCES[language]
    found = sorted((ROOT / folder).glob(pattern))
    files = [inner for one in found for inner in ([one] if one.is_file() else sorted(one.glob("*.R")))]
    return "\n".join(file.read_text() for file in files)


def table() -> dict[str, dict[str, str]]:
    rows = re.findall(r"^\| (.*) \|$", PAGE.partition("## What each can do")[2], re.MULTILINE)
    head, *features = [row.split(" | ") for row in rows]
    return {name: dict(zip(head[1:], cells, strict=True)) for name, *cells in features}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_is_true(language: str) -> None:
    text, place = source_of(language), list(LANGUAGES).index(language)
    assert list(table()) == list(SHOWN)
    has = {feature: SHOWN[feature][place] in text for feature in SHOWN}
    assert has == {feature: cells[language] == "yes" for feature, cells in table().items()}


def lines_of(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert len(found.strip().splitlines()) <= 5
    return found


def python(folder: Path, code: str) -> tuple[list[str], dict[str, str]]:
    return [sys.executable, "-c", code], {"PYTHONPATH": str(ROOT / "clients" / "python")}


def js(folder: Path, code: str) -> tuple[list[str], dict[str, str]]:
    shutil.copy(ROOT / "clients" / "js" / "radiod.js", folder)
    (folder / "listen.mjs").write_text(code)
    return ["node", "--experimental-websocket", str(folder / "listen.mjs")], {}


def r(folder: Path, code: str) -> tuple[list[str], dict[str, str]]:
    install = ["R", "CMD", "INSTALL", "--no-docs", f"--library={folder}", str(ROOT / "clients" / "r")]
    subprocess.run(install, check=True, capture_output=True)
    return ["Rscript", "-e", code], {"R_LIBS": str(folder)}


def matlab(folder: Path, code: str) -> tuple[list[str], dict[str, str]]:
    return ["octave-cli", "--quiet", "--eval", code], {}


@pytest.mark.e2e
@pytest.mark.parametrize("started", [python, js, r, matlab], ids=lambda one: one.__name__)
def test_the_lines_are_run(tmp_path: Path, started) -> None:
    program_of = {"js": "node", "r": "Rscript", "matlab": "octave-cli"}.get(started.__name__)
    if program_of and shutil.which(program_of) is None:
        pytest.skip(f"no language: {program_of} is not installed")
    with radiod(tmp_path, CONFIG) as server, contextlib.closing(Program(server.port)) as publisher:
        code = lines_of(started.__name__).replace("http://127.0.0.1:8080", server.url)
        command, variables = started(tmp_path, code)
        log = tmp_path / "listener.log"
        with program(command, log, env={**environment(), **variables}) as process:

            def has_printed() -> bool:
                publisher.publish("hello", {"n": 4711})
                return "4711" in log.read_text()

            wait_until(has_printed, process, log)
