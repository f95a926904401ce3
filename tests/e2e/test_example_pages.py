"""``clients/examples``, as users run them: pages in a real Chromium, programs as processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from support.browsers import NEEDS_CHROMIUM, PATIENCE, chromium
from support.running import ROOT, Server, environment, free_port, program, radiod, wait_until

pytestmark = [pytest.mark.e2e, NEEDS_CHROMIUM]

EXAMPLES = ROOT / "clients" / "examples"
PYTHON = {**environment(), "PYTHONPATH": f"{ROOT}:{ROOT / 'clients' / 'python'}", "PYTHONUNBUFFERED": "1"}


TEXTS = """
return [...document.querySelectorAll(arguments[0])].map(
  (found) => found.matches("input, output") ? found.value : found.textContent
)
"""
# Headless browsers show nothing.
NOTIFICATIONS = """
window.shown = [];
window.Notification = class extends EventTarget {
  static permission = "granted";
  constructor(title, options) {
    super();
    shown.push({ title, ...options, click: () => this.dispatchEvent(new Event("click")) });
  }
  close() {}
};
"""


class Tab:
    """One tab of a browser, with what is looked at in it."""

    def __init__(self, browser: Any, url: str) -> None:
        browser.switch_to.new_window("tab")
        self.browser, self.handle = browser, browser.current_window_handle
        browser.get(url)

    def see(self) -> Any:
        """The browser, showing this tab."""
        self.browser.switch_to.window(self.handle)
        return self.browser

    def find(self, selector: str) -> Any:
        return self.see().find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """Of all that is found, a line each; that of an output or input is its value."""
        return "\n".join(self.see().execute_script(TEXTS, selector))

    def until(self, selector: str, text: str) -> None:
        """Wait until this is what it says."""
        try:
            WebDriverWait(self.browser, PATIENCE, 0.02).until(lambda _: self.text(selector) == text)
        except Exception as late:
            said = self.browser.get_log("browser")
            raise AssertionError(f"{selector}: {self.text(selector)!r}, not {text!r}; {said}") from late

    def ready(self) -> Tab:
        """When the page follows what it shows."""
        WebDriverWait(self.browser, PATIENCE, 0.02).until(
            lambda _: self.see().execute_script("return document.body.dataset.ready") == "yes"
        )
        return self

    def log_in(self, name: str) -> Tab:
        self.find("[name=name]").send_keys(name)
        self.find("[name=ticket]").send_keys(f"{name}-ticket")
        self.find("#login button").click()
        return self

    def close(self) -> None:
        self.see().close()
        self.browser.switch_to.window(self.browser.window_handles[0])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("examples")) as driver:
        yield driver


@pytest.fixture
def example(tmp_path: Path, browser: Any) -> Iterator[Callable[[str], Server]]:
    """Starts the radiod of an example, from a copy of its folder; closes all tabs."""
    running = []

    def start(name: str) -> Server:
        folder = tmp_path / name
        shutil.copytree(EXAMPLES / name, folder)
        opened = radiod(folder, (folder / "radiod.toml").read_text())
        running.append(opened)
        return opened.__enter__()

    try:
        yield start
    finally:
        for handle in browser.window_handles[1:]:
            browser.switch_to.window(handle)
            browser.close()
        browser.switch_to.window(browser.window_handles[0])
        for opened in running:
            opened.__exit__(None, None, None)


def publish(server: Server, key: str, network: str, data: dict[str, Any]) -> None:
    body = json.dumps({"network": network, "data": data}).encode()
    request = urllib.request.Request(f"{server.url}/publish", body, {"API-KEY": key})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("name", sorted(folder.name for folder in EXAMPLES.iterdir() if folder.is_dir()))
def test_each_tells_in_ten_lines_what_it_is(name: str) -> None:
    lines = (EXAMPLES / name / "README.md").read_text().splitlines()
    assert len(lines) <= 16
    assert f"[{name}]({name}/README.md)" in (EXAMPLES / "README.md").read_text()


class TestUserCounter:
    def test_a_person_counts_once(self, example: Any, browser: Any, tmp_path: Path) -> None:
        url = example("user_counter").url + "/pages/"
        first = Tab(browser, url).log_in("ann")
        first.until("#count", "1")
        second = Tab(browser, url).log_in("ann")
        second.until("#names li", "ann")
        with chromium(tmp_path / "other") as other:
            bob = Tab(other, url).log_in("bob")
            bob.until("#count", "2")
            first.until("#names li", "ann\nbob")
            second.close()
            # Whoever was told of the tab that has gone knows that it was not a person.
            bob.until("#count", "2")
            first.until("#names li", "ann\nbob")
            os.kill(other.capabilities["goog:processID"], signal.SIGKILL)
            first.until("#count", "1")
            first.until("#names li", "ann")

    def test_a_wrong_ticket_is_told(self, example: Any, browser: Any) -> None:
        tab = Tab(browser, example("user_counter").url + "/pages/")
        tab.find("[name=name]").send_keys("ann")
        tab.find("[name=ticket]").send_keys("wrong")
        tab.find("#login button").click()
        tab.until("#error", "unknown authid or wrong ticket (wamp.error.authentication_denied)")


def test_documents(example: Any, browser: Any) -> None:
    url = example("documents").url + "/pages/"
    every = Tab(browser, url).log_in("ann").ready()
    ann = Tab(browser, f"{url}document.html?budget").log_in("ann")
    ann.until("#read", "ann")
    bob = Tab(browser, f"{url}document.html?budget").log_in("bob")
    for tab in (ann, bob):
        tab.until("#read", "ann, bob")
    every.until("#budget .read", "ann, bob")
    for tab in (ann, bob):
        tab.find("#edit").click()
    for tab in (ann, bob):
        tab.until("#update", "ann, bob")
        tab.until("#read", "")
    every.until("#budget .update", "ann, bob")
    every.until("#harbour-map .update", "")
    bob.close()
    ann.until("#update", "ann")
    every.until("#budget .update", "ann")


def test_notifications(example: Any, browser: Any) -> None:
    server = example("notifications")
    url = f"{server.url}/pages/"
    tab = Tab(browser, url).ready()
    tab.see().execute_script(NOTIFICATIONS)
    publish(server, "editor-key", "news", {"text": "A new bridge"})
    publish(server, "editor-key", "alarms", {"title": "Harbour", "text": "Water", "link": "?harbour"})
    publish(server, "editor-key", "alarms", {"title": "Away", "text": "Evil", "link": "https://example.org/"})
    tab.until("#alarms li", "Evil\nWater")
    tab.until("#news li", "A new bridge")
    shown = tab.see().execute_script("return shown.map(({ title, body, icon }) => [title, body, icon])")
    assert shown == [["Harbour", "Water", "alarm.svg"], ["Away", "Evil", "alarm.svg"]]
    tab.see().execute_script("shown[1].click(); shown[0].click()")
    WebDriverWait(browser, PATIENCE, 0.02).until(lambda _: tab.see().current_url == f"{url}?harbour")


def test_binding(example: Any, browser: Any, tmp_path: Path) -> None:
    server = example("binding")
    folder = tmp_path / "binding"
    command = [sys.executable, str(folder / "notes.py")]
    log = tmp_path / "notes.log"
    with program([*command, server.url, str(folder / "notes.sqlite")], log, env=PYTHON) as process:
        wait_until(lambda: "serving" in log.read_text(), process, log)
        ann = Tab(browser, f"{server.url}/pages/?ann").ready()
        anybody = Tab(browser, f"{server.url}/pages/").ready()
        ann.find("[name=title]").send_keys("Bread")
        ann.find("#add button").click()
        anybody.until("#notes input", "Bread")
        ann.until("#notes input", "Bread")
        subprocess.run([*command, "--add", "Elsewhere", str(folder / "notes.sqlite")], check=True, env=PYTHON)
        for tab in (ann, anybody):
            tab.until("#notes input", "Bread\nElsewhere")
        title = ann.find("#notes input")
        title.clear()
        title.send_keys("Butter\t")
        anybody.until("#notes input", "Butter\nElsewhere")
        anybody.find("#notes button").click()
        anybody.until("[role=alert]", "wamp.error.not_authorized: only editors may change notes")
        ann.find("#notes button").click()
        for tab in (ann, anybody):
            tab.until("#notes input", "Elsewhere")
        assert Tab(browser, f"{server.url}/pages/").ready().text("#notes input") == "Elsewhere"
        server.process.kill()
        server.process.wait()
        subprocess.run([*command, "--add", "Meanwhile", str(folder / "notes.sqlite")], check=True, env=PYTHON)
        with radiod(folder, (folder / "radiod.toml").read_text(), server.port):
            for tab in (ann, anybody):
                tab.until("#notes input", "Elsewhere\nMeanwhile")
            with contextlib.closing(sqlite3.connect(folder / "notes.sqlite")) as database:
                left = "SELECT count(*) FROM changes"
                # It goes on, and forgets what has been told.
                wait_until(lambda: database.execute(left).fetchone() == (0,), process, log)


class TestDjango:
    @pytest.fixture
    def django(self, example: Any, tmp_path: Path) -> Iterator[Any]:
        """The project and its radiod: (its address, the radiod)."""
        server = example("django")
        folder, port = tmp_path / "django", free_port()
        variables = {**PYTHON, "RADIO_URL": server.url, "DATABASE": str(tmp_path / "documents.sqlite")}
        manage = [sys.executable, str(folder / "manage.py")]
        subprocess.run([*manage, "migrate", "--verbosity=0"], check=True, env=variables)
        log = tmp_path / "django.log"
        command = [*manage, "runserver", "--noreload", f"127.0.0.1:{port}"]
        with program(command, log, env=variables) as process:
            url = f"http://127.0.0.1:{port}/"
            wait_until(lambda: _answers(url), process, log)
            yield url, server

    def test_its_pages_follow_its_database(self, django: Any, browser: Any) -> None:
        url, _ = django
        every = Tab(browser, url).ready()
        save(url, "budget", "Budget")
        every.until("#documents a", "Budget")
        document = Tab(browser, f"{url}budget/").ready()
        document.until("#open", "1")
        every.until("#documents .open", "1")
        save(url, "budget", "Budget 2027")
        every.until("#documents a", "Budget 2027")
        document.until("h1", "Budget 2027")
        document.close()
        every.until("#documents .open", "")

    def test_a_dead_radio_slows_no_request(self, django: Any, browser: Any) -> None:
        url, server = django
        server.stop()
        for number in range(20):
            save(url, f"document-{number}", "Written")
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            assert answer.read().count(b"Written") == 20


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def save(url: str, slug: str, title: str) -> None:
    """What the page's form sends."""
    jar = urllib.request.HTTPCookieProcessor()
    opener = urllib.request.build_opener(jar)
    with opener.open(url, timeout=PATIENCE) as page:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())[1]
    body = f"csrfmiddlewaretoken={token}&slug={slug}&title={title.replace(' ', '+')}".encode()
    # More than any request here takes, and less than a radio that is not there.
    with opener.open(url, body, timeout=PATIENCE) as answer:
        assert answer.status == 200
