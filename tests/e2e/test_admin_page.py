"""The page of operators in a real Chromium, on a real server with real clients, some of them hostile."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from support.browsers import NEEDS_CHROMIUM, PATIENCE, chromium
from support.config import configuration
from support.running import Server, free_port, radiod
from support.sockets import RawClient

EVIL = "<img/src=x/onerror=document.title='taken'>"
TURNED = "a\u202etxt.exe\u200b"
"""Text that shows as something else: turned around, and with a space that has no width."""

CONFIG = f"""
[[listen]]
endpoint = "tcp:8080:interface=127.0.0.1"
serve = ["radio", "admin"]

[realms.radio.roles.operator]
subscribe = ["*"]
call = ["*", "radiod.admin.*", "wamp.session.kill"]

[realms.radio.users.boss]
role = "operator"
ticket = "TICKET"

[realms.radio.roles.watcher]
call = ["*", "radiod.admin.channels"]

[realms.radio.users.watcher]
role = "watcher"
ticket = "t"

[realms.radio.users.{json.dumps(EVIL)}]
role = "open"
ticket = "t"
"""
TICKET = "boss-ticket"

# What the page sends, counted before it is there.
COUNTED = """
window.sent = [];
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) { window.sent.push(data); return send.call(this, data); };
"""

pytestmark = [
    pytest.mark.e2e,
    NEEDS_CHROMIUM,
]


def config(ticket: str = TICKET) -> str:
    return configuration(CONFIG.replace("TICKET", ticket))


class Page:
    """The page in a browser, in the words of its reader."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> Page:
        """Load it anew; what was logged before is forgotten."""
        self.driver.get("about:blank")
        self.log()
        self.driver.get(f"{url}/admin")
        return self

    def find(self, selector: str) -> Any:
        """The element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, id: str) -> str:
        """What is to be read there."""
        return str(self.find(f"#{id}").text)

    def script(self, text: str, *arguments: Any) -> Any:
        """Run a script as the reader's own tools would."""
        return self.driver.execute_script(text, *arguments)

    def until(self, what: Callable[[], Any]) -> Any:
        """Wait until ``what`` gives something true, and return that."""
        passing = [StaleElementReferenceException, NoSuchElementException]
        wait = WebDriverWait(self.driver, PATIENCE, poll_frequency=0.1, ignored_exceptions=passing)
        return wait.until(lambda _: what())

    def log(self) -> list[dict[str, Any]]:
        """What the browser logged since the last call."""
        return list(self.driver.get_log("browser"))  # type: ignore[no-untyped-call]  # selenium's

    def enter(self, authid: str = "boss", ticket: str = TICKET) -> Page:
        """Log in, by keyboard alone."""
        for id, value in (("authid", authid), ("ticket", ticket)):
            self.find(f"#{id}").clear()
            self.find(f"#{id}").send_keys(value)
        self.find("#ticket").send_keys(Keys.ENTER)
        return self

    def login(self) -> Page:
        """Log in, and see the first answers."""
        self.enter()
        self.until(lambda: self.rows("sessions"))
        return self

    def rows(self, table: str) -> list[list[str]]:
        """What a table says, by rows."""
        script = "return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)]"
        cells = ".map((row) => [...row.cells].map((cell) => cell.innerText))"
        return list(self.script(script + cells, table))

    def row(self, table: str, first: str) -> list[str]:
        """The row about that; empty: there is none."""
        return next((cells for cells in self.rows(table) if cells[0] == first), [])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with radiod(tmp_path_factory.mktemp("operated"), config()) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Callable[..., RawClient]]:
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(contextlib.closing(RawClient(server.port, **options)))


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A Chromium with an empty profile."""
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": COUNTED})
        yield driver


@pytest.fixture
def page(driver: webdriver.Chrome, server: Server) -> Iterator[Page]:
    """The page, not logged in; afterwards it must have logged nothing."""
    page = Page(driver).open(server.url)
    yield page
    assert page.log() == []


def stalled(client: Callable[..., RawClient], topic: str, agent: str = "Stalled") -> RawClient:
    """A listener that reads nothing more, and for whom events wait and were lost."""
    slow = client(receive_buffer=4096, agent=agent)
    slow.ask([32, 1, {}, topic])
    writer = client(agent="Writer")
    for _ in range(20):
        writer.say(*([16, None, {}, topic, ["x" * 10_000]] for _ in range(50)))
        # An answer: the server has taken all of them.
        writer.ask([48, None, {}, "radiod.echo"])
    return slow


def test_a_wrong_ticket_is_told_and_not_tried_again(page: Page) -> None:
    page.enter(ticket="guessed")
    page.until(lambda: "unknown authid or wrong ticket" in page.text("problem"))
    assert page.find("#login").is_displayed()
    assert not page.find("#views").is_displayed()
    assert page.script("return document.activeElement.id") == "ticket"
    assert page.find("#ticket").get_attribute("value") == ""
    # HELLO and AUTHENTICATE, once.
    assert [json.loads(data.rstrip("\x1e"))[0] for data in page.script("return window.sent")] == [1, 5]


def test_the_ticket_is_in_memory_alone_and_nothing_comes_from_elsewhere(page: Page, server: Server) -> None:
    page.login()
    stored = page.script("return [localStorage.length, sessionStorage.length, document.cookie]")
    assert stored == [0, 0, ""]
    assert TICKET not in page.driver.page_source
    assert TICKET not in page.driver.current_url
    loaded = page.script("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert loaded
    assert all(one.startswith(f"{server.url}/") for one in loaded)
    assert (
        page.script("return document.querySelectorAll('script:not([src]), style, [style], [onclick]').length")
        == 0
    )
    page.find("#logout").click()
    assert page.find("#login").is_displayed()
    assert page.rows("sessions") == []
    page.driver.refresh()
    assert page.find("#login").is_displayed()


def test_what_goes_on(page: Page, client: Callable[..., RawClient], server: Server) -> None:
    stalled(client, "weather.island")
    for number in range(7):
        body = {"network": "sample_net", "data": {"n": number}}
        key = {"API-KEY": "sample-key"}
        assert requests.post(f"{server.url}/publish", json=body, headers=key, timeout=10).status_code == 200
    requests.post(f"{server.url}/publish", json={}, headers={"API-KEY": "wrong"}, timeout=10)
    page.login()
    page.until(lambda: page.text("ready") == "ready")
    who = page.until(lambda: next((row for row in page.rows("sessions") if "Stalled" in row), None))
    assert who[1:3] == ["open", "anonymous"]
    assert who[4].startswith("tcp:127.0.0.1:")
    assert who[5] == "1"
    # Each table is filled when its own answer has come.
    (slow,) = page.until(lambda: [row for row in page.rows("listeners") if row[0] == who[0]])
    assert slow[1:3] == ["weather.island", "100 of 100"]
    assert int(slow[4].replace(",", "")) > 0
    assert slow[5] == "ring"
    assert page.until(lambda: page.row("channels", "weather.island"))[5] == "1,000"
    assert page.until(lambda: page.row("keys", "sample"))[2] == "7"
    page.until(lambda: "API-KEY not valid" in page.text("log"))
    assert "boss as operator by ticket" in page.text("log")
    figures = page.text("figures")
    assert re.search(r"Sessions\n[\d,]+", figures)
    assert re.search(r"Loop late by\n[\d.,]+ ms", figures)


def test_text_of_clients_stays_text_that_is_what_it_looks_like(
    page: Page, client: Callable[..., RawClient], server: Server
) -> None:
    hostile = client(login=(EVIL, "t"), agent=TURNED)
    for topic in (EVIL, TURNED):
        hostile.ask([32, None, {}, topic])
        hostile.ask([16, None, {"acknowledge": True}, topic, [1]])
    turned = "a\\u{202e}txt.exe\\u{200b}"
    page.login()
    row = page.until(lambda: page.row("sessions", EVIL))
    assert row[3] == turned
    page.until(lambda: page.row("channels", EVIL) and page.row("channels", turned))
    assert page.row("keys", EVIL)
    page.until(lambda: f"joined: {EVIL} as" in page.text("log"))
    # As it is said to whoever does not see it, and in the question.
    button = page.find(f"#sessions button[aria-label*={json.dumps(EVIL)}]")
    button.send_keys(Keys.ENTER)
    assert EVIL in page.text("ask-text")
    page.find("#ask-no").send_keys(Keys.ENTER)
    assert page.script("return document.querySelectorAll('main img, main script, main iframe').length") == 0
    assert page.driver.title == "admin · radiod"
    assert "\u202e" not in page.find("body").get_attribute("textContent")
    assert "\u202e" not in page.driver.page_source


def test_markup_cannot_be_made_of_text_even_by_mistake(page: Page) -> None:
    """The page's policy has no way from text to markup."""
    made = page.script(
        "try { document.body.innerHTML = '<b>x</b>'; return 'made' } catch (error) { return error.name }"
    )
    assert made == "TypeError"
    assert [line for line in page.log() if "TrustedHTML" not in line["message"]] == []


def test_a_session_is_ended_by_keyboard(page: Page, client: Callable[..., RawClient]) -> None:
    victim = client(agent="Victim")
    page.login()
    page.find("#find").send_keys("victim")
    row = page.until(lambda: len(page.rows("sessions")) == 1 and page.rows("sessions")[0])
    assert row[3] == "Victim"
    page.find("#sessions tbody button").send_keys(Keys.ENTER)
    assert page.script("return document.activeElement.id") == "ask-no"
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not page.find("#ask").is_displayed()
    page.find("#sessions tbody button").send_keys(Keys.ENTER)
    page.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert page.script("return document.activeElement.id") == "ask-yes"
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert victim.hear() == [6, {"message": "ended by an operator"}, "wamp.close.killed"]
    # The row stays where the keyboard is, and is nothing to act on any more.
    page.until(lambda: page.find("#sessions tbody tr").get_attribute("class") == "gone")
    assert not page.find("#sessions tbody button").is_enabled()
    page.find("#find").click()
    page.until(lambda: page.rows("sessions") == [])
    assert page.find("[data-for=sessions]").is_displayed()
    assert page.text("problem") == ""


def test_focus_stays_where_it_is_while_rows_come_and_go(page: Page, client: Callable[..., RawClient]) -> None:
    client(agent="First")
    page.login()
    page.until(lambda: any("First" in row for row in page.rows("sessions")))
    before = page.rows("sessions")
    page.script("document.querySelector('#sessions tbody tr:last-child button').focus()")
    label = page.script("return document.activeElement.getAttribute('aria-label')")
    others = [client(agent=f"Later-{number}") for number in range(5)]
    page.until(lambda: sum("Later-" in row[3] for row in page.rows("sessions")) == 5)
    assert page.script("return document.activeElement.getAttribute('aria-label')") == label
    assert [row[:5] for row in page.rows("sessions")][: len(before)] == [row[:5] for row in before]
    for other in others:
        other.close()


def test_sessions_are_told_by_pages(page: Page, client: Callable[..., RawClient]) -> None:
    for _ in range(55):
        client(agent="Crowd")
    page.login()
    page.find("#find").send_keys("crowd")
    page.until(
        lambda: len(page.rows("sessions")) == 50 and all(row[3] == "Crowd" for row in page.rows("sessions"))
    )
    assert not page.find("#first").is_enabled()
    page.find("#next").send_keys(Keys.ENTER)
    page.until(lambda: len(page.rows("sessions")) == 5)
    assert not page.find("#next").is_enabled()
    page.find("#first").send_keys(Keys.ENTER)
    page.until(lambda: len(page.rows("sessions")) == 50)


def test_it_asks_only_while_it_can_be_seen(page: Page) -> None:
    page.login()
    count = page.script("return window.sent.length")
    page.until(lambda: page.script("return window.sent.length") > count)
    # Six questions a round, once in two seconds.
    told = page.driver.execute_async_script(
        """
        const done = arguments[0];
        const see = (hidden) => {
          Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        };
        see(true);
        // What was asked before is answered; nothing follows.
        setTimeout(() => {
          const before = window.sent.length;
          setTimeout(() => {
            const after = window.sent.length;
            see(false);
            done([before, after]);
          }, 2500);
        }, 500);
        """
    )
    assert told[0] == told[1]
    page.until(lambda: page.script("return window.sent.length") >= told[1] + 6)


def test_who_has_no_right_is_told_so_in_each_place(page: Page) -> None:
    page.enter("joe", "joe-ticket")
    page.until(lambda: page.find("#views").is_displayed())
    for card in ("listeners", "channels", "sessions", "keys", "log"):
        warning = f"#{card}-title + .warning"
        page.until(lambda warning=warning: "not_authorized" in page.find(warning).text)
    assert page.until(lambda: re.search(r"Sessions\n\d+", page.text("figures")))


def drain(page: Page, seconds: int) -> None:
    page.find("#over").clear()
    page.find("#over").send_keys(str(seconds))
    page.find("#drain").send_keys(Keys.ENTER)
    page.find("#ask-yes").click()


def test_the_server_is_drained_and_lets_everybody_in_again(page: Page, server: Server) -> None:
    page.login()
    page.until(lambda: page.text("ready") == "ready")
    assert not page.find("#undrain").is_displayed()
    # So long that it is hardly this page's turn within the test.
    drain(page, 80_000)
    page.until(lambda: page.text("ready").startswith("draining"))
    assert requests.get(f"{server.url}/readyz", timeout=10).status_code == 503
    page.find("#undrain").send_keys(Keys.ENTER)
    page.until(lambda: page.text("ready") == "ready")
    assert requests.get(f"{server.url}/readyz", timeout=10).status_code == 200
    # Chromium itself reports answers of 503.
    assert [entry for entry in page.log() if "503" not in entry["message"]] == []


def test_who_may_not_drain_is_told_why_and_cannot_try_again(page: Page) -> None:
    page.enter("watcher", "t")
    page.until(lambda: page.find("#views").is_displayed())
    drain(page, 30)
    page.until(lambda: "not_authorized" in page.text("drain-why"))
    assert not page.find("#drain").is_enabled()
    assert "radiod.admin.drain: wamp.error.not_authorized" in page.text("problem")
    page.until(lambda: page.text("ready") == "ready")


@pytest.mark.parametrize("width", [360, 390, 768, 1024])
def test_nothing_is_wider_than_the_screen(page: Page, client: Callable[..., RawClient], width: int) -> None:
    stalled(client, "a.channel" + ".with.a.long.name" * 8, agent="An agent " * 12)
    page.login()
    page.until(lambda: page.rows("listeners") and page.rows("channels"))
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert page.script("return document.documentElement.scrollWidth") <= width
        cards = "return [...document.querySelectorAll('main .card')]"
        cut = page.script(
            cards + ".filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.innerText)"
        )
        assert width in (768, 1024) or cut == []
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_it_comes_back_with_the_server_and_asks_again_if_it_is_not_let_in(
    driver: webdriver.Chrome, tmp_path: Path
) -> None:
    port = free_port()
    page = Page(driver)
    with radiod(tmp_path, config(), port) as server:
        page.open(server.url).login()
        page.until(lambda: "on the air" in page.text("log"))
    page.until(lambda: page.script("return document.documentElement.dataset.state") == "closed")
    assert page.find("#views").is_displayed()
    with radiod(tmp_path, config(), port):
        page.script("if (!retry.hidden) retry.click()")
        page.until(lambda: page.script("return document.documentElement.dataset.state") == "open")
        page.until(lambda: "The server was started anew." in page.text("log"))
        assert page.find("#views").is_displayed()
    page.until(lambda: page.script("return document.documentElement.dataset.state") == "closed")
    with radiod(tmp_path, config("another-ticket"), port):
        page.script("if (!retry.hidden) retry.click()")
        page.until(lambda: "wrong ticket" in page.text("problem"))
        assert page.find("#login").is_displayed()
        page.enter(ticket="another-ticket")
        page.until(lambda: page.rows("sessions"))
    # Chromium itself reports each connection that was refused; nothing else may be there.
    assert [entry for entry in page.log() if entry["source"] != "network"] == []
