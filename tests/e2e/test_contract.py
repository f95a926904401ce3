"""``clients/contract.toml``, played with every client: one story, whatever the language."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from engine.nats.servers import Servers
from support.bad_line import BadLine, bad_line
from support.browsers import chromium
from support.cluster.running import Node
from support.cluster.running import node as node_of
from support.programs import Failed, Program
from support.running import ROOT, Server, environment, free_port, radiod

pytestmark = pytest.mark.e2e

CONTRACT = tomllib.loads((ROOT / "clients" / "contract.toml").read_text())
CONFIGURATION = f'{CONTRACT["radiod"]}\n[http]\npages = "pages"\n'
DRIVERS = Path(__file__).parent / "contract"
SECONDS = 40.0
ARRAY = {
    "_nd": 1,
    "dtype": "<f4",
    "shape": [2, 3],
    "data": "\0AADAPwAAAMAAAFBAAACAQAAAoEAAAMBA",
    "enc": "raw",
}


class World:
    """What is not the client: a radiod that ends and comes back, what others publish, the line between."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.ports = [self.port]
        self.published: dict[str, int] = {}
        self.line: BadLine | None = None
        self._server = contextlib.ExitStack()
        self._start()

    def _start(self) -> None:
        self.server: Server = self._server.enter_context(radiod(self.folder, CONFIGURATION, self.port))
        self._publisher = Program(self.port, ticket="world-ticket", authid="world", authmethods=["ticket"])
        # Asked, and never answered.
        self._publisher.register("slow")

    def do(self, what: dict[str, Any]) -> None:
        """One ``world`` of a step, or one of its ``meanwhile``."""
        arguments = dict(what)
        getattr(self, arguments.pop("do"))(**arguments)

    def gaps(self, step: dict[str, Any]) -> str:
        """What a step wants to be missing."""
        return str(step["gaps"])

    def publish(self, channel: str, count: int, filling: int = 0) -> None:
        first = self.published.get(channel, 0)
        for number in range(first, first + count):
            # Nothing that a line could make small.
            more = {"filling": secrets.token_hex(filling // 2)} if filling else {}
            self._publisher.publish(channel, {"n": number, **more})
        self.published[channel] = first + count

    def array(self, channel: str) -> None:
        number = self.published[channel]
        self._publisher.publish(channel, {"n": number, "array": ARRAY})
        self.published[channel] = number + 1

    def cut(self) -> None:
        self.line.cut()

    def stall(self) -> None:
        self.line.stall()

    def flow(self) -> None:
        self.line.flow()

    def delay(self, seconds: float) -> None:
        self.line.delay(seconds)

    def until_heard(self, channel: str) -> None:
        """Until somebody listens to it."""
        end = time.monotonic() + SECONDS
        while not self._readers(channel):
            assert time.monotonic() < end, f"nobody listens to {channel}"
            time.sleep(0.02)

    def _readers(self, channel: str) -> int:
        try:
            return self._publisher.call("radiod.channel.get", channel)["readers"]
        except Failed:
            return 0

    def restart(self) -> None:
        self.server.process.terminate()
        self._again()

    def kill(self) -> None:
        self.server.process.kill()
        self._again()

    def _again(self) -> None:
        self.server.process.wait(SECONDS)
        self._publisher.close()
        self._server.close()
        self._start()

    def close(self) -> None:
        self._publisher.close()
        self._server.close()


class Nodes(World):
    """Three nodes behind the line, each connection to the next: the one that ends is where the client is."""

    def __init__(self, folder: Path) -> None:
        self.published = {}
        self.line = None
        self._server = contextlib.ExitStack()
        self._urls = self._server.enter_context(Servers(folder / "nats", 3)).urls
        self._pages = folder / "pages"
        self._nodes: dict[int, tuple[str, Node, contextlib.ExitStack]] = {}
        for name in "abc":
            (folder / name).mkdir()
            self._begin(folder / name, free_port())
        for _, node, _ in self._nodes.values():
            node.wait_ready()
        self.ports = list(self._nodes)
        self._meet()
        self._publisher.register("slow")

    def _begin(self, folder: Path, port: int) -> None:
        stack = contextlib.ExitStack()
        text = CONFIGURATION.replace('"pages"', json.dumps(str(self._pages)))
        started = stack.enter_context(node_of(folder, folder.name, self._urls, text, port))
        self._nodes[port] = folder.name, started, stack

    def _meet(self) -> None:
        """Publish at a node that is there."""
        self._home = next(iter(self._nodes))
        self._publisher = Program(self._home, ticket="world-ticket", authid="world", authmethods=["ticket"])

    def gaps(self, step: dict[str, Any]) -> str:
        return str(step.get("gaps_over_nodes", step["gaps"]))

    def restart(self) -> None:
        self._end(lambda process: process.terminate())

    def kill(self) -> None:
        self._end(lambda process: process.kill())

    def _end(self, end: Callable[[Any], None]) -> None:
        """End the node that has the client, and begin it again when the others do without it."""
        ((port, _),) = self.line.open.most_common(1)
        _, ended, stack = self._nodes.pop(port)
        end(ended.server.process)
        ended.server.process.wait(SECONDS)
        stack.close()
        if port == self._home:
            self._publisher.close()
            self._meet()
        self._begin(ended.server.log.parent, port)
        self._nodes[port][1].wait_ready()

    def close(self) -> None:
        self._publisher.close()
        for _, _, stack in self._nodes.values():
            stack.close()
        self._server.close()


class Process:
    """A client's driver, in a process of its own."""

    def __init__(self, *command: str, **variables: str) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment(), **variables},
        )

    def do(self, request: dict[str, Any]) -> dict[str, Any]:
        """What the driver answers. One that says nothing for too long is ended."""
        watch = threading.Timer(2 * SECONDS, self._process.kill)
        watch.start()
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        finally:
            watch.cancel()
        assert answer, f"the driver ended, or was silent for {2 * SECONDS} s, at {request}"
        return json.loads(answer)

    def ended(self) -> int:
        """Its exit status, soon after ``close`` was asked of it."""
        return self._process.wait(SECONDS)

    def kill(self) -> None:
        """Whatever happened."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


class Story:
    """The steps, one after the other."""

    def __init__(self, world: World, client: Any) -> None:
        self.world, self.client = world, client
        self.last: dict[str, int] = {}

    def play(self, step: dict[str, Any]) -> None:
        if "world" in step:
            self.world.do(step["world"])
            return
        request = dict(step["client"])
        if request["do"] == "connect":
            request["url"] = f"http://127.0.0.1:{self.world.line.port}"
        if request["do"] == "take":
            request["seconds"] = SECONDS
        with ThreadPoolExecutor(1) as aside:
            answering = aside.submit(self.client.do, request)
            for what in step.get("meanwhile", []):
                self.world.do(what)
            answer = answering.result()
        self.check(step, request, answer)

    def check(self, step: dict[str, Any], request: dict[str, Any], answer: dict[str, Any]) -> None:
        expected = step.get("error", "")
        expected = expected if isinstance(expected, list) else [expected]
        assert answer.get("error", "") in expected, answer
        if "ok" in step:
            assert answer["ok"] == step["ok"]
        if request["do"] == "take":
            self.check_samples(step, request["channel"], answer["ok"])

    def check_samples(self, step: dict[str, Any], channel: str, samples: list[Any]) -> None:
        """Nothing twice, nothing out of order, and what is missing is told."""
        last, told, missing = self.last.get(channel, -1), [], []
        for data, position, lost, reason in samples:
            skipped = data["n"] - last - 1
            assert skipped >= 0, (data, last)
            last = data["n"]
            assert position or step["client"].get("live"), data
            if skipped or lost is not None or reason is not None:
                missing.append(skipped)
                told.append((lost, reason))
        self.last[channel] = last
        GAPS[self.world.gaps(step)](told, missing)
        if "array" in step:
            assert samples[-1][0]["array"] == step["array"]


def _none(told: list[Any], missing: list[int]) -> None:
    assert (told, missing) == ([], [])


def _exact(told: list[Any], missing: list[int]) -> None:
    assert missing, "nothing was lost: the story wants something to be"
    assert [lost for lost, _ in told] == missing


def _unknown(told: list[Any], missing: list[int]) -> None:
    assert len(told) == 1, told
    assert told[0][0] is None


GAPS: dict[str, Callable[[list[Any], list[int]], None]] = {
    "none": _none,
    "exact": _exact,
    "unknown": _unknown,
}


class Page:
    """A client's driver in a page of radiod's own, in a real browser."""

    def __init__(self, world: World, folder: Path) -> None:
        self._opened = chromium(folder)
        self._browser = self._opened.__enter__()
        self._browser.set_script_timeout(2 * SECONDS)
        self._browser.get(f"http://127.0.0.1:{world.line.port}/pages/")
        self._browser.execute_async_script(BEGIN)

    def do(self, request: dict[str, Any]) -> dict[str, Any]:
        """What the driver answers."""
        return self._browser.execute_async_script(ASK, request)

    def ended(self) -> int:
        """A page has no exit status."""
        return 0

    def kill(self) -> None:
        """Whatever happened."""
        self._opened.__exit__(None, None, None)


BEGIN = """
const done = arguments[0];
import("./driver.js").then(({ Driver }) => { window.driver = new Driver(); done(); });
"""
ASK = "const [request, done] = arguments; driver.answer(request).then(done);"


def python(face: str) -> Callable[[World, Path], Any]:
    """One of the faces of the Python client."""
    path = f"{ROOT}:{ROOT / 'clients' / 'python'}"
    return lambda world, folder: Process(sys.executable, str(DRIVERS / "driver.py"), face, PYTHONPATH=path)


def node(world: World, folder: Path) -> Process:
    """The JavaScript client in Node."""
    with_javascript(folder)
    shutil.copy(DRIVERS / "node.mjs", folder)
    # "ws", where Node has no WebSocket of its own.
    (folder / "node_modules").symlink_to(ROOT / "tests" / "e2e" / "js" / "node_modules")
    return Process("node", str(folder / "node.mjs"))


def with_javascript(folder: Path) -> None:
    """The client and its driver, side by side."""
    folder.mkdir()
    for file in (DRIVERS / "driver.js", *(ROOT / "clients" / "js").glob("*.js")):
        shutil.copy(file, folder)
    (folder / "index.html").write_text("<!doctype html><title>contract</title>")


def r(world: World, folder: Path) -> Process:
    """The R client, installed as its users install it."""
    if shutil.which("Rscript") is None:
        pytest.skip("no language: R is not installed")
    folder.mkdir()
    command = ["R", "CMD", "INSTALL", "--no-docs", f"--library={folder}", str(ROOT / "clients" / "r")]
    subprocess.run(command, check=True, capture_output=True)
    return Process("Rscript", str(DRIVERS / "driver.R"), R_LIBS=str(folder))


def octave(world: World, folder: Path) -> Process:
    """The client for MATLAB and Octave, in Octave."""
    if shutil.which("octave-cli") is None:
        pytest.skip("no language: Octave is not installed")
    where = f"addpath('{ROOT / 'clients' / 'matlab'}'); addpath('{DRIVERS}'); driver"
    return Process("octave-cli", "--quiet", "--eval", where)


CLIENTS: dict[str, Callable[[World, Path], Any]] = {
    "python": python("blocking"),
    "python-aio": python("aio"),
    "python-tx": python("tx"),
    "node": node,
    "chromium": Page,
    "r": r,
    "octave": octave,
}
"""Name -> its driver."""


@pytest.fixture(params=[World, pytest.param(Nodes, marks=pytest.mark.soak)], ids=["alone", "over nodes"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with_javascript(tmp_path / "pages")
    world = request.param(tmp_path)
    with bad_line(*world.ports) as line:
        world.line = line
        yield world
        world.close()


@pytest.mark.parametrize("name", CLIENTS)
def test_the_contract(world: World, tmp_path: Path, name: str) -> None:
    client = CLIENTS[name](world, tmp_path / "client")
    try:
        story = Story(world, client)
        for place, step in enumerate(CONTRACT["step"]):
            try:
                story.play(step)
            except AssertionError as error:
                raise AssertionError(f"step {place}, {step}: {error}") from error
        assert client.ended() == 0
    finally:
        client.kill()
