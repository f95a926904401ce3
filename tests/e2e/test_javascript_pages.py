"""The JavaScript client in pages of a real Chromium: back button, frozen tab, no network, silent server."""

import signal
import time

import pytest
import requests
from support.browsers import NEEDS_CHROMIUM, chromium
from support.config import configuration
from support.running import radiod

pytestmark = [pytest.mark.e2e, NEEDS_CHROMIUM]

SECONDS = 30
HISTORY = "[realms.radio.channels.sample_net]\nhistory = { size = 10000 }\n"
LISTEN = """
const done = arguments[0];
globalThis.seen = [];
globalThis.states = [];
globalThis.signs = [];
for (const name of ["pageshow", "online", "offline"])
  addEventListener(name, (event) => signs.push(event.persisted ? `${name} persisted` : name));
for (const name of ["freeze", "resume"]) document.addEventListener(name, () => signs.push(name));
import("/static/radiod.js").then(async ({ Radio }) => {
  globalThis.radio = new Radio("/", { onState: (state) => states.push(state) });
  await radio.connect();
  await radio.channel("sample_net").subscribe(({ data, gap }) => seen.push([data.n, gap]));
  done(radio.session);
});
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with radiod(tmp_path_factory.mktemp("pages"), configuration(HISTORY)) as server:
        yield server


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        driver.set_script_timeout(SECONDS)
        yield driver


class Listener:
    """A page that listens, and somebody who publishes numbers."""

    def __init__(self, driver, server):
        self.driver = driver
        self.server = server
        self.count = 0
        driver.get(f"{server.url}/static/radiod.svg")
        self.session = driver.execute_async_script(LISTEN)

    def ask(self, code):
        return self.driver.execute_script(f"return {code}")

    def publish(self, count):
        for _ in range(count):
            body = {"network": "sample_net", "data": {"n": self.count}}
            answer = requests.post(
                f"{self.server.url}/publish", json=body, headers={"API-KEY": "sample-key"}, timeout=SECONDS
            )
            assert answer.status_code == 200
            self.count += 1

    def until(self, is_so):
        end = time.monotonic() + SECONDS
        while not is_so():
            assert time.monotonic() < end
            time.sleep(0.02)

    def readers(self):
        answer = requests.get(f"{self.server.url}/channels/sample_net", timeout=SECONDS)
        return answer.json()["readers"]

    def has_all(self):
        """Nothing missed, nothing twice, no gap."""
        self.until(lambda: self.ask("seen.length") >= self.count)
        assert self.ask("seen") == [[n, None] for n in range(self.count)]


@pytest.fixture
def page(driver, server):
    page = Listener(driver, server)
    page.until(lambda: page.readers() == 1)
    yield page
    driver.get("about:blank")
    page.until(lambda: page.readers() == 0)


def test_a_page_that_comes_back_by_the_back_button_has_missed_nothing(page):
    page.publish(3)
    page.has_all()
    page.driver.get(f"{page.server.url}/healthz")
    # A page that nobody sees is no listener.
    page.until(lambda: page.readers() == 0)
    page.publish(50)
    page.driver.back()
    page.until(lambda: page.ask("globalThis.signs ?? []") != [])
    assert page.ask("signs.filter((sign) => sign.startsWith('pageshow'))") == ["pageshow persisted"]
    page.publish(3)
    page.has_all()
    assert page.ask("radio.session") != page.session


def test_a_tab_that_was_frozen_has_missed_nothing(page):
    page.publish(3)
    page.has_all()
    page.driver.execute_cdp_cmd("Page.setWebLifecycleState", {"state": "frozen"})
    page.publish(100)
    page.driver.execute_cdp_cmd("Page.setWebLifecycleState", {"state": "active"})
    page.until(lambda: page.ask("signs.includes('resume')"))
    page.publish(3)
    page.has_all()


def test_no_network_for_a_while_is_no_reason_to_connect_anew(page):
    page.driver.execute_cdp_cmd("Network.enable", {})
    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **conditions})
    page.until(lambda: page.ask("signs.includes('offline')"))
    page.publish(20)
    page.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **conditions})
    page.until(lambda: page.ask("signs.includes('online')"))
    page.publish(3)
    page.has_all()


@pytest.mark.parametrize("sign", ["pageshow", "online", "resume", "visibilitychange"])
def test_a_server_that_is_silent_is_asked_and_left_at_once(page, sign):
    page.publish(3)
    page.has_all()
    page.server.process.send_signal(signal.SIGSTOP)
    try:
        target = "document" if sign in ("resume", "visibilitychange") else "window"
        page.ask(f"{target}.dispatchEvent(new Event('{sign}'))")
        page.until(lambda: page.ask("states.length") > 2)
    finally:
        page.server.process.send_signal(signal.SIGCONT)
    page.until(lambda: page.ask("radio.state") == "open")
    # It did not wait before it tried again.
    assert page.ask("states") == ["connecting", "open", "connecting", "open"]
    page.publish(3)
    page.has_all()
