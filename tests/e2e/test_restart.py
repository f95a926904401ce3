"""Stock clients when the server is restarted: all of them come back, after SIGTERM as after kill -9.

One server and all the clients at once for each way to end it; each client's fate is a test of its own.
"""

import contextlib
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from selenium import webdriver
from support.config import configuration
from support.running import environment, free_port, radiod
from support.sockets import RawClient

HERE = Path(__file__).parent
HAS_JS = shutil.which("node") is not None and (HERE / "js" / "node_modules" / "eventsource").is_dir()
CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
HAS_BROWSER = CHROMIUM.exists() and DRIVER.exists()
SECONDS = 60
PAUSE = 0.2
WAMPY = HERE / "js" / "node_modules" / "wampy" / "dist" / "browser" / "wampy.js"

pytestmark = pytest.mark.e2e

PYTHON = [
    "twisted-websocket",
    "twisted-rawsocket",
    "twisted-websocket-leaving",
    "asyncio-websocket",
    "asyncio-rawsocket",
    "asyncio-websocket-leaving",
    "runner",
    "websockets",
]
JAVASCRIPT = [
    *(f"autobahn-{way}" for way in ("json", "msgpack", "cbor", "longpoll")),
    *(f"wampy-{way}" for way in ("json", "msgpack", "cbor")),
    "eventsource",
]
LISTENERS = {"websockets", "eventsource", "chromium"}
"""Those that speak no WAMP, and so have no procedure."""


class Client:
    """One program that listens to sample_net and answers calls to ``procedure``."""

    def __init__(self, kind, port, stack):
        self.kind = kind
        self.procedure = f"test.{kind.replace('-', '_')}"
        self.heard = []
        self.output = []
        self.answered = 0
        script = ["clients/comeback.py"] if kind in PYTHON else ["js/comeback.js"]
        program = (
            [sys.executable] if kind in PYTHON else ["node", "--experimental-websocket", "--no-warnings"]
        )
        self.process = stack.enter_context(
            subprocess.Popen(
                [*program, *script, kind, str(port), self.procedure],
                cwd=HERE,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        stack.callback(self._reader.join, SECONDS)
        stack.callback(self.process.kill)

    def _read(self):
        for line in self.process.stdout:
            if line.strip().isdigit():
                self.heard.append(int(line))
            else:
                self.output.append(line)

    def is_there(self, number):
        """True when it has heard this sample, and answered a call since it was published."""
        return number in self.heard and (self.kind in LISTENERS or self.answered >= number)


class Browser:
    """A page in Chromium with an EventSource of its own, and what else ``listen`` begins."""

    kind = "chromium"
    output = ()

    def __init__(self, server, folder):
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for switch in ("--headless=new", "--no-sandbox", f"--user-data-dir={folder}"):
            options.add_argument(switch)
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
        self.driver.get(f"{server.url}/healthz")
        self.listen()

    def listen(self):
        """Begin."""
        self.driver.execute_script(
            "heard = []; source = new EventSource('/listen/sample_net');"
            "source.onmessage = ({data}) => heard.push(JSON.parse(data).n)"
        )

    def is_there(self, number):
        """True when it has heard this sample, and answered where it can."""
        return number in self.driver.execute_script("return heard") and (
            self.kind in LISTENERS or self.answered >= number
        )


class WampyPage(Browser):
    """A page in Chromium with wampy, over the browser's own WebSocket."""

    kind = "chromium-wampy"
    procedure = "test.chromium_wampy"
    answered = 0

    def listen(self):
        """Begin."""
        self.driver.execute_script(
            "const script = document.createElement('script'); script.text = arguments[0];"
            "document.documentElement.append(script)",
            WAMPY.read_text(),
        )
        failed = self.driver.execute_async_script(
            """
            const [procedure, done] = arguments;
            heard = [];
            const member = new Wampy(`ws://${location.host}/ws`, { realm: "radio" });
            member
              .connect()
              .then(() => member.subscribe("sample_net", ({ argsList: [sample] }) => heard.push(sample.n)))
              .then(() => member.register(procedure, () => ({ argsList: ["here"] })))
              .then(() => done(null), (error) => done(String(error)));
            """,
            self.procedure,
        )
        assert failed is None


def all_there(server, clients, number):
    """Publish sample ``number``, and call everybody, again and again until all are there, or for too long."""
    end = time.monotonic() + SECONDS
    with contextlib.closing(RawClient(server.port)) as caller:
        request = 0
        while not all(client.is_there(number) for client in clients) and time.monotonic() < end:
            publish(server, number)
            for client in clients:
                if client.kind not in LISTENERS and client.answered < number:
                    request += 1
                    answer = caller.ask([48, request, {"timeout": 5000}, client.procedure])
                    client.answered = number if answer[3:] == [["here"]] else client.answered
            time.sleep(PAUSE)


def wait_until_refused(clients):
    """Wait until one of them has not come through, and goes on trying."""
    end = time.monotonic() + SECONDS
    for client in clients:
        while client.kind == "autobahn-json" and "".join(client.output).count("auto-reconnecting") < 2:
            assert time.monotonic() < end, "".join(client.output)
            time.sleep(PAUSE)


def publish(server, number):
    body = {"network": "sample_net", "data": {"n": number}}
    answer = requests.post(
        f"{server.url}/publish", json=body, headers={"API-KEY": "sample-key"}, timeout=SECONDS
    )
    assert answer.status_code == 200


@pytest.fixture(scope="module", params=["SIGTERM", "SIGKILL"])
def clients(request, tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("radiod"), free_port()
    kinds = [*PYTHON, *(JAVASCRIPT if HAS_JS else [])]
    with contextlib.ExitStack() as stack:
        with radiod(folder, configuration(), port) as server:
            clients = [Client(kind, port, stack) for kind in kinds]
            for page in (Browser, WampyPage) if HAS_BROWSER and HAS_JS else ():
                clients.append(page(server, tmp_path_factory.mktemp("chromium")))
                stack.callback(clients[-1].driver.quit)
            all_there(server, clients, 1)
            assert [client.kind for client in clients if not client.is_there(1)] == []
            if request.param == "SIGKILL":
                server.process.kill()
                server.process.wait()
            else:
                assert server.stop() == 0
        wait_until_refused(clients)
        with radiod(folder, configuration(), port) as server:
            all_there(server, clients, 2)
            yield {client.kind: client for client in clients}


@pytest.mark.parametrize("kind", PYTHON)
def test_python_hears_and_answers_again(clients, kind):
    client = clients[kind]
    assert client.is_there(2), "".join(client.output)


@pytest.mark.skipif(not HAS_JS, reason="node or its packages are missing")
@pytest.mark.parametrize("kind", JAVASCRIPT)
def test_javascript_hears_and_answers_again(clients, kind):
    client = clients[kind]
    assert client.is_there(2), "".join(client.output)


@pytest.mark.skipif(
    not (HAS_BROWSER and HAS_JS),
    reason="needs the packages chromium and chromium-driver, node and its packages",
)
@pytest.mark.parametrize("kind", [Browser.kind, WampyPage.kind])
def test_a_page_in_a_browser_hears_and_answers_again(clients, kind):
    assert clients[kind].is_there(2)
