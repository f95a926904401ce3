"""Listen tokens in other people's hands: signed by Node, renewed by a page whose server is started again."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait
from support.access import KEYS
from support.config import configuration
from support.running import Server, free_port, radiod
from support.tokens import PEN, token

HERE = Path(__file__).parent / "js"
CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
SECONDS = 60

pytestmark = pytest.mark.e2e


def publish(server: Server, number: int) -> None:
    answer = requests.post(
        f"{server.url}/publish",
        json={"topic": "log", "args": [number]},
        headers={"API-KEY": "sample-key"},
        timeout=SECONDS,
    )
    assert answer.status_code == 200


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_node_signs_as_we_do(tmp_path: Path) -> None:
    def signed(secret: str) -> str:
        command = ["node", "sign.mjs", "sample", secret, "60", "a", "b.*"]
        told = subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True, timeout=SECONDS)
        return told.stdout.strip()

    with radiod(tmp_path, configuration(KEYS)) as server:

        def status(shown: str, channel: str) -> int:
            query = {"token": shown, "wait": "0"}
            return requests.get(f"{server.url}/listen/{channel}", query, timeout=SECONDS).status_code

        shown = signed(PEN)
        assert [status(shown, channel) for channel in ("a", "b.c", "c")] == [204, 204, 403]
        assert status(signed("another secret"), "a") == 403
        log = server.log.read_text()
    assert "refused" in log
    assert shown.rpartition(".")[2] not in log


PAGE = """<!doctype html><title>tokens</title><script>
const heard = [], ends = [], renewed = [];
let last = "";
async function listen() {
  const token = await (await fetch("/token")).text();
  renewed.push(token);
  const query = `last=100&token=${token}&lastEventId=${encodeURIComponent(last)}`;
  const source = new EventSource(`RADIO/listen/log?${query}`);
  source.onmessage = (event) => { last = event.lastEventId; heard.push(JSON.parse(event.data)); };
  source.addEventListener("end", (event) => {
    ends.push(JSON.parse(event.data).reason);
    source.close();
    listen();
  });
  // A token that is over is refused, at which an EventSource gives up: the page asks for another.
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) setTimeout(listen, 100); };
}
listen();
</script>"""


IS_OVER = "return JSON.parse(atob(renewed.at(-1).split('.')[1])).exp * 1000 < Date.now()"


class PageServer:
    """A server of somebody else, who signs tokens for his page: short ones."""

    ttl = 3

    def __init__(self, radio: str) -> None:
        page = PAGE.replace("RADIO", radio).encode()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = token("log", ttl=outer.ttl).encode() if self.path == "/token" else page
                self.send_response(200)
                self.send_header("Content-Type", "text/plain" if self.path == "/token" else "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for switch in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(switch)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.mark.skipif(
    not (CHROMIUM.exists() and DRIVER.exists()), reason="needs the packages chromium and chromium-driver"
)
def test_an_event_source_goes_on_after_a_restart_with_a_token_that_its_page_renews(
    tmp_path: Path, browser: webdriver.Chrome
) -> None:
    store = json.dumps(str(tmp_path / "store.sqlite"))
    text = configuration(f"{KEYS}\n[store]\npath = {store}\n[realms.radio.channels.log]\ndurable = true\n")
    port = free_port()
    page = PageServer(f"http://127.0.0.1:{port}")

    def wait_for(count: int) -> list[int]:
        return WebDriverWait(browser, SECONDS).until(
            lambda driver: (found := driver.execute_script("return heard")) and len(found) >= count and found
        )

    try:
        with radiod(tmp_path, text, port) as server:
            browser.get(page.url)
            publish(server, 1)
            assert wait_for(1) == [1]
            # Its first token ends while it listens, and it goes on with another.
            WebDriverWait(browser, SECONDS).until(lambda driver: driver.execute_script("return ends.length"))
            publish(server, 2)
            assert wait_for(2) == [1, 2]
            assert server.stop() == 0
        # The token that it has is over when the server comes back.
        WebDriverWait(browser, SECONDS).until(lambda driver: driver.execute_script(IS_OVER))
        with radiod(tmp_path, text, port) as server:
            publish(server, 3)
            publish(server, 4)
            assert wait_for(4) == [1, 2, 3, 4]
            renewed = browser.execute_script("return renewed")
            assert set(browser.execute_script("return ends")) == {"expired"}
            log = server.log.read_text()
        assert len(renewed) >= 3
        assert not [shown for shown in renewed if shown.rpartition(".")[2] in log]
    finally:
        page.close()
