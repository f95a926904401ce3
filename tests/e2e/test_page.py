"""The live page in a real Chromium, fed by the real server and the real traffic simulator."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from support.browsers import NEEDS_CHROMIUM, PATIENCE, chromium

from simulator import Simulator, Town
from simulator.maps import parts, topic
from simulator.publish import Publisher

ROOT = Path(__file__).parents[2]
TWISTD = Path(sys.executable).with_name("twistd")
EVIL = "<img/src=x/onerror=document.title='taken'>"
CONFIG = f"""
[[listen]]
endpoint = "tcp:PORT:interface=127.0.0.1"
[realms.radio]
anonymous = "listener"
[realms.radio.roles.town]
register = ["*"]
[realms.radio.users.town]
role = "town"
ticket = "town-ticket"
[realms.radio.keys.sample]
key = "test-key"
publish = ["*"]
[realms.radio.channels.sample_net]
history = {{ size = 500 }}
[realms.radio.channels.plain]
[realms.radio.channels."{EVIL}"]
"""

pytestmark = [
    pytest.mark.e2e,
    NEEDS_CHROMIUM,
]


class Program:
    """A process of ours: ready once it has printed ``ready``, gone after ``stop``."""

    def __init__(self, *command: str, directory: Path, ready: str = "") -> None:
        path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
        self._process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self._reader.start()
        if not self._ready.wait(PATIENCE) or (ready and self._process.poll() is not None):
            self.stop()
            raise RuntimeError(f"{command[0]} did not start:\n{''.join(self.output)}")

    def _read(self, ready: str) -> None:
        if not ready:
            self._ready.set()
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line)
            if ready in line:
                self._ready.set()
        self._ready.set()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for whatever does not hear it."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)


class Radio:
    """A radiod of our own on one port, started and stopped as often as wanted."""

    def __init__(self, directory: Path) -> None:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._directory = directory
        self._config = directory / "radiod.toml"
        self._config.write_text(CONFIG.replace("PORT", str(self.port)))
        self._program: Program | None = None

    def start(self) -> None:
        """Returns once it listens."""
        self._program = Program(
            *(str(TWISTD), "-n", "radiod", "--config", str(self._config)),
            directory=self._directory,
            ready="on the air",
        )

    def stop(self) -> None:
        """Returns once it is gone."""
        if self._program is not None:
            self._program.stop()
            self._program = None

    def publish(self, topic: str, data: Any, *, retain: bool = False) -> None:
        """Send one sample."""
        answer = requests.post(
            f"{self.url}/publish",
            json={"topic": topic, "args": [data], "options": {"retain": retain}},
            headers={"API-KEY": "test-key"},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        assert "error" not in answer.json()

    def readers(self, channel: str) -> int:
        """How many listen to a public channel."""
        channels = requests.get(f"{self.url}/channels", timeout=10).json()["channels"]
        return next(int(each["readers"]) for each in channels if each["name"] == channel)

    def is_heard(self, topic: str) -> bool:
        """Whether anybody listens: a page has a channel's map before it has its samples."""
        answer = requests.get(f"{self.url}/channels/{topic}", timeout=10)
        return answer.status_code == 200 and int(answer.json()["readers"]) > 0


class Page:
    """The page in a browser, in the words of its reader."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> Page:
        """Load it anew, whatever was open; what was logged before is forgotten."""
        self.driver.get("about:blank")
        self.log()
        self.driver.get(url)
        return self

    def find(self, selector: str) -> Any:
        """The element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def script(self, text: str, *arguments: Any) -> Any:
        """Run a script as the reader's own tools would."""
        return self.driver.execute_script(text, *arguments)

    def mark(self, name: str) -> str:
        """A data attribute of the whole document; empty when it is not there."""
        return str(self.script("return document.documentElement.dataset[arguments[0]] ?? ''", name))

    def until(self, what: Callable[[], Any]) -> Any:
        """Wait until ``what`` gives something true, and return that."""
        wait = WebDriverWait(
            self.driver, PATIENCE, poll_frequency=0.1, ignored_exceptions=[StaleElementReferenceException]
        )
        return wait.until(lambda _: what())

    def until_mark(self, name: str, value: str) -> None:
        """Wait for a data attribute's value."""
        self.until(lambda: self.mark(name) == value)

    def until_samples(self, more_than: int = 0) -> int:
        """Wait for samples of the channel being listened to; how many came."""
        return int(self.until(lambda: (count := int(self.mark("samples") or 0)) > more_than and count))

    def choose(self, channel: str) -> None:
        """Click a channel in the list."""
        row = f"#channels li[data-name={json.dumps(channel)}]"
        self.until(lambda: self.driver.find_elements(By.CSS_SELECTOR, row))
        self.find(f"{row} button").click()
        self.until_mark("channel", channel)

    def picture(self) -> str:
        """The map's pixels."""
        return str(self.script("return document.querySelector('#map').toDataURL()"))

    def log(self) -> list[dict[str, Any]]:
        """What the browser logged since the last call."""
        return list(self.driver.get_log("browser"))  # type: ignore[no-untyped-call]  # selenium's


@pytest.fixture(scope="module")
def radio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radio]:
    """A server, and the simulator feeding it."""
    directory = tmp_path_factory.mktemp("radio")
    radio = Radio(directory)
    radio.start()
    try:
        simulator = Program(
            *(sys.executable, "-m", "simulator"),
            *("--town", "grid:10x10", "--network", "sample_net", "--key", "test-key", "--speed", "20"),
            *("--url", f"{radio.url}/publish", "--vehicles"),
            directory=directory,
        )
        yield radio
        simulator.stop()
    finally:
        radio.stop()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A Chromium with an empty profile."""
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture
def page(driver: webdriver.Chrome, radio: Radio) -> Iterator[Page]:
    """The page, on the air; afterwards it must have logged nothing."""
    page = Page(driver).open(f"{radio.url}/")
    page.until_mark("state", "open")
    yield page
    assert page.log() == []


def test_the_page_finds_the_town_by_itself_and_shows_it_moving(page: Page) -> None:
    page.until_mark("channel", "sample_net")
    page.until_mark("streets", "360")
    count = page.until_samples()
    picture = page.picture()
    page.until_samples(more_than=count)
    page.until(lambda: page.picture() != picture)
    page.until(lambda: float(page.mark("total")) > 0)
    assert page.find("#map-view").is_displayed()
    assert not page.find("#data-view").is_displayed()
    page.until(lambda: re.fullmatch(r"(day \d+, )?\d\d:\d\d:\d\d", page.find("#clock").text))
    assert "sample_net" in page.driver.title


def test_the_list_tells_listeners_and_rates_and_leaves_descriptions_out(page: Page) -> None:
    row = "#channels li[data-name=sample_net] "
    rates = page.until(
        lambda: [
            rate[1]
            for element in page.driver.find_elements(By.CSS_SELECTOR, f"{row}.channel-rate")
            if (rate := re.fullmatch(r"([\d.]+)/s", element.text))
        ]
    )
    assert float(rates[0]) > 0
    page.until(lambda: page.find(f"{row}.channel-readers").text == "1 listener")
    names = page.script("return [...document.querySelectorAll('#channels li')].map(row => row.dataset.name)")
    assert sorted(names) == sorted(["plain", "sample_net", EVIL])
    assert page.find("#channels [aria-current=true]").text.startswith("sample_net")


def test_a_street_tells_its_numbers_to_keyboard_and_pointer(page: Page) -> None:
    page.until_samples()
    street_map = page.find("#map")
    street_map.send_keys(Keys.ARROW_RIGHT)
    tip = page.find("#tip")
    page.until(tip.is_displayed)
    street = page.find("#tip-street").text
    assert street
    assert re.fullmatch(r"[\d.,]+ vehicles", page.find("#tip-vehicles").text)
    assert re.fullmatch(r"[\d.,]+ per km, \d+ % of jam", page.find("#tip-density").text)
    assert page.find("#said").get_attribute("textContent").startswith(street)
    left, top = (float(tip.value_of_css_property(side)[:-2]) for side in ("left", "top"))
    street_map.send_keys(Keys.ESCAPE)
    page.until(lambda: not tip.is_displayed())
    size = street_map.size
    pointer = ActionChains(page.driver)
    pointer.move_to_element_with_offset(
        street_map, round(left - size["width"] / 2), round(top - size["height"] / 2)
    ).perform()
    page.until(tip.is_displayed)
    assert page.find("#tip-street").text == street


def test_a_channel_without_a_map_shows_its_latest_sample(page: Page, radio: Radio) -> None:
    page.choose("plain")
    assert page.find("#waiting").is_displayed()
    page.until(lambda: radio.readers("plain") == 1)
    radio.publish("plain", {"wind": 7.5, "ok": True, "where": ["harbour", None]})
    page.until_samples()
    page.until(lambda: '"wind": 7.5' in page.find("#data").text)
    assert json.loads(page.find("#data").text) == {"wind": 7.5, "ok": True, "where": ["harbour", None]}
    assert not page.find("#map-view").is_displayed()
    assert page.driver.current_url.endswith("#plain")
    page.driver.back()
    page.choose("sample_net")
    page.until_mark("streets", "360")


def test_the_snippets_name_this_server_and_the_channel(page: Page, radio: Radio) -> None:
    page.until_mark("channel", "sample_net")
    address = f"127.0.0.1:{radio.port}/listen/sample_net"
    curl = page.find("#snippet-curl")
    page.until(lambda: curl.text == f"curl -N -H 'Accept: text/event-stream' http://{address}")
    for way, expected in [("browser", f'"ws://{address}"'), ("python", f'"http://{address}"')]:
        page.find(f"#tab-{way}").click()
        assert expected in page.find(f"#snippet-{way}").text
        assert not curl.is_displayed()
    page.find("[data-copies=snippet-python]").click()
    page.until(lambda: page.find("[data-copies=snippet-python]").text == "Copied")


def test_the_python_snippet_prints_samples(page: Page, tmp_path: Path) -> None:
    page.until_samples()
    snippet = page.find("#snippet-python").get_attribute("textContent")
    Program(sys.executable, "-u", "-c", snippet, directory=tmp_path, ready="'green': ").stop()


def test_markup_from_the_network_stays_text(page: Page, radio: Radio) -> None:
    script = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
    page.choose(EVIL)
    assert page.find("#channel").text == EVIL
    page.until(lambda: radio.readers(EVIL) == 1)
    radio.publish(EVIL, {script: [script]})
    page.until_samples()
    page.until(lambda: page.find("#data").text)
    assert json.loads(page.find("#data").text) == {script: [script]}
    street = {"id": script, "from": "a", "to": "b", "length_m": 500, "points": [[0, 0], [500, 0]]}
    radio.publish(f"{EVIL}.map", {"name": script, "k_jam": 0.1, "streets": [street]})
    page.until_mark("streets", "1")
    radio.publish(EVIL, {"time": 0, "n": [5], "k": [0.01], "green": [script]})
    page.until_mark("total", "5.00")
    page.find("#map").send_keys(Keys.ARROW_RIGHT)
    page.until(lambda: page.find("#tip-street").text == script)
    assert page.script("return document.querySelectorAll('img, script').length") == 2
    assert "taken" not in page.driver.title.replace(EVIL, "")


def test_a_refusal_is_told_with_its_reason(page: Page) -> None:
    page.script("location.hash = '..no..name'")
    page.until(lambda: "wamp.error.invalid_uri" in page.find("#waiting").text)
    page.choose("sample_net")
    page.until_samples()
    assert not page.find("#waiting").is_displayed()


@pytest.mark.parametrize(
    "sample",
    [None, 7, "text", [], {"n": 7, "k": "x"}, {"n": [1]}, {"n": [None] * 360}, {"time": "", "k": [{}] * 360}],
    ids=["null", "number", "text", "list", "no-lists", "too-short", "nulls", "objects"],
)
def test_a_sample_that_makes_no_sense_harms_nothing(page: Page, radio: Radio, sample: Any) -> None:
    page.until_mark("streets", "360")
    count = page.until_samples()
    radio.publish("sample_net", sample)
    page.until_samples(more_than=count + 3)
    # Those may have come before it.
    page.until(lambda: float(page.mark("total")) > 0)


@pytest.mark.parametrize("width", [360, 390, 768, 1024])
def test_nothing_is_wider_than_the_screen(page: Page, width: int) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 2, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page.until_samples()
        assert page.script("return document.documentElement.scrollWidth") <= width
        sharp = "const map = document.querySelector('#map'); return map.width === 2 * map.clientWidth"
        page.until(lambda: page.script(sharp))
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_scale_of_densities_reads_in_grey(page: Page, theme: str) -> None:
    lightness = page.driver.execute_async_script(
        "const [theme, done] = arguments; import('/static/colours.js').then(({oklab, scale}) =>"
        " done(scale(theme).map((colour) => oklab(colour)[0])))",
        theme,
    )
    steps = [after - before for before, after in pairwise(lightness)]
    assert all(step < 0 for step in steps) or all(step > 0 for step in steps)
    assert abs(lightness[0] - lightness[-1]) > 0.4


def test_the_page_goes_off_the_air_with_the_server_and_comes_back_with_it(
    driver: webdriver.Chrome, radio: Radio
) -> None:
    page = Page(driver).open(f"{radio.url}/")
    page.until_mark("channel", "sample_net")
    count = page.until_samples()
    assert page.log() == []
    radio.stop()
    page.until_mark("state", "closed")
    page.until(lambda: re.search(r"Off air . retrying in \d+ s", page.find("#state").text))
    assert page.find("#announce").get_attribute("textContent") == "Off air, retrying"
    assert "(off air)" in page.driver.title
    count = int(page.mark("samples"))
    radio.start()
    page.until_mark("state", "open")
    page.until_samples(more_than=count)
    picture = page.picture()
    page.until(lambda: page.picture() != picture)
    assert page.mark("streets") == "360"
    # Chromium itself reports each connection that was refused; nothing else may be there.
    assert [entry for entry in page.log() if entry["source"] != "network"] == []


def test_a_town_of_ten_thousand_streets_is_published_with_default_limits(page: Page, radio: Radio) -> None:
    simulator = Simulator(Town.grid(51, 51), "metropolis")
    with closing(Publisher(f"{radio.url}/publish", "test-key")) as publisher:
        for number, part in reversed(list(enumerate(parts(simulator.map()), 1))):
            publisher.publish_topic(topic("metropolis", number), [part])
        page.script("location.hash = 'metropolis'")
        page.until_mark("streets", "10200")
        simulator.run(120)
        publisher.publish_topic("metropolis", [simulator.dump_state()], retain=False)
    page.until_samples()
    assert float(page.mark("total")) == pytest.approx(simulator.stats()["inside"], rel=0.01)


def test_a_map_in_parts_is_put_together_and_each_street_has_its_own_jam(page: Page, radio: Radio) -> None:
    town = Simulator(Town.grid(10, 10), "large").map()
    pieces = parts(town, 9000)
    assert len(pieces) > 3
    for number, part in reversed(list(enumerate(pieces, 1))):
        radio.publish(topic("large", number), part, retain=True)
    page.script("location.hash = 'large'")
    page.until_mark("channel", "large")
    page.until_mark("streets", "360")
    assert page.find("#legend-title").text == "Density, vehicles per km"
    # The source comes back with another town: the parts first, the one that names them last.
    for street in town["streets"][::2]:
        street.update(k_jam=0.5, lanes=4)
    town["streets"] = town["streets"][:-1]
    for number, part in reversed(list(enumerate(parts(town, 8000), 1))):
        radio.publish(topic("large", number), part, retain=True)
    page.until_mark("streets", "359")
    assert page.find("#legend-title").text == "Density, % of jam"
    page.find("#map").send_keys(Keys.ARROW_RIGHT)
    for density, per_km in ((0.5, "500"), (0.125, "125")):
        # One of the two kinds of street is full.
        radio.publish("large", {"time": 1, "k": [density] * 359})
        page.until(lambda per_km=per_km: page.find("#tip-density").text.startswith(f"{per_km} per km"))
        assert page.find("#tip-density").text in (
            f"{per_km} per km, {share} % of jam" for share in (25, 100, 400)
        )


def zoomed(page: Page) -> bool:
    """Whether the map is nearer than the whole town."""
    return str(page.find("#map").get_attribute("data-whole")) == "false"


def test_the_map_is_zoomed_and_moved_by_keys_wheel_and_buttons(page: Page) -> None:
    page.until_samples()
    street_map = page.find("#map")
    street_map.send_keys("+")
    page.until(lambda: zoomed(page))
    picture = page.picture()
    street_map.send_keys(Keys.SHIFT + Keys.ARROW_LEFT)
    page.until(lambda: page.picture() != picture)
    street_map.send_keys("0")
    page.until(lambda: not zoomed(page))
    ActionChains(page.driver).scroll_from_origin(ScrollOrigin.from_element(street_map), 0, -200).perform()
    page.until(lambda: zoomed(page))
    page.find("#zoom-whole").click()
    page.until(lambda: not zoomed(page))
    page.find("#zoom-in").click()
    page.until(lambda: zoomed(page))
    ActionChains(page.driver).drag_and_drop_by_offset(street_map, 40, 30).perform()
    # What was dragged was no click.
    assert page.mark("pinned") == ""
    street_map.send_keys("0")


def test_fingers_pinch_and_tap(page: Page) -> None:
    page.until_samples()
    page.script("arguments[0].scrollIntoView()", page.find("#map"))
    box = page.find("#map").rect
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 - page.script("return scrollY")

    def touch(kind: str, *places: float) -> None:
        points = [{"x": place, "y": y, "id": number} for number, place in enumerate(places)]
        page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", x - 20, x + 20)
    for apart in (40, 80, 120):
        touch("touchMove", x - apart, x + apart)
    touch("touchEnd")
    page.until(lambda: zoomed(page))
    assert page.mark("pinned") == ""
    page.find("#map").send_keys("0", Keys.ARROW_RIGHT)
    tip = page.find("#tip")
    page.until(tip.is_displayed)
    x = box["x"] + float(tip.value_of_css_property("left")[:-2])
    y = box["y"] - page.script("return scrollY") + float(tip.value_of_css_property("top")[:-2])
    street = page.find("#tip-street").text
    touch("touchStart", x)
    touch("touchEnd")
    page.until_mark("pinned", street)
    page.find("#street-close").click()
    page.until_mark("pinned", "")


def test_a_street_that_is_kept_shows_its_last_minutes(page: Page) -> None:
    page.until_samples()
    page.find("#map").send_keys(Keys.ARROW_RIGHT, Keys.ENTER)
    page.until(lambda: page.mark("pinned"))
    assert page.find("#street-name").text == page.mark("pinned")
    assert page.find("#street-about").text == "500 m · 1 lane · 50 km/h when free"
    page.until(lambda: re.fullmatch(r"[\d.,]+ per km", page.find("#street-density").text))
    page.until(lambda: re.fullmatch(r"\d+ km/h", page.find("#street-speed").text))
    page.until(lambda: re.fullmatch(r"Last [\d.]+ (s|min)", page.find("#street-span").text))
    page.find("#map").send_keys(Keys.ESCAPE, Keys.ESCAPE)
    page.until(lambda: not page.find("#street").is_displayed())


def test_colours_mean_density_or_speed(page: Page) -> None:
    page.until_samples()
    page.find("#by-speed").click()
    assert page.find("#legend-title").text == "Speed, % of free speed"
    assert page.find("#by-speed").get_attribute("aria-pressed") == "true"
    assert [tick.text for tick in page.driver.find_elements(By.CSS_SELECTOR, "#legend-ticks span")] == [
        *("100", "75", "50", "25", "0")
    ]
    page.find("#by-density").click()
    assert page.find("#legend-title").text == "Density, vehicles per km"


def seconds(page: Page) -> int:
    """What the town's clock shows."""
    *_, hours, minutes, rest = re.findall(r"\d+", page.find("#clock").text)
    return int(hours) * 3600 + int(minutes) * 60 + int(rest)


def test_the_past_that_the_channel_keeps_can_be_wound_back_to(page: Page) -> None:
    page.until(lambda: int(page.mark("remembered") or 0) > 0 and page.find("#play").is_displayed())
    assert seconds(page) >= 6 * 3600
    page.find("#map").send_keys(" ")
    page.until_mark("timeline", "held")
    now = seconds(page)
    scrub = page.find("#scrub")
    scrub.send_keys(Keys.ARROW_LEFT)
    page.until(lambda: seconds(page) == now - 5)
    scrub.send_keys(Keys.HOME)
    page.until(lambda: seconds(page) < now - 5)
    count = page.until_samples()
    # It is held, whatever comes.
    page.until_samples(more_than=count + 2)
    assert seconds(page) < now - 5
    page.find("#play").click()
    page.until(lambda: page.mark("timeline") in ("behind", "live"))
    page.find("#live").click() if page.mark("timeline") == "behind" else None
    page.until_mark("timeline", "live")
    page.until(lambda: seconds(page) > now)


def test_a_stranger_is_told_what_this_is_and_when_it_is_rush_hour(page: Page, radio: Radio) -> None:
    page.until_samples()
    assert page.find("#what").text.startswith("A simulated town, live")
    town = Simulator(Town.grid(2, 2), "small").map()
    town["rush"] = {"day": 86_400, "hours": [[3600, 7200]]}
    radio.publish("small.map", town, retain=True)
    page.script("location.hash = 'small'")
    page.until_mark("streets", "8")
    page.until(lambda: radio.is_heard("small"))
    moments = [
        (3600, "rush hour", "07:00:00"),
        (90_100, "rush hour", "day 2, 07:01:40"),
        (7200, "", "08:00:00"),
    ]
    for seconds, told, shown in moments:
        date = datetime(2026, 1, 1, 6, tzinfo=UTC) + timedelta(seconds=seconds)
        radio.publish("small", {"time": seconds, "timestamp": date.isoformat(), "n": [1] * 8})
        page.until(lambda shown=shown: page.find("#clock").text == shown)
        assert page.find("#rush").text == told


def test_closed_streets_are_seen_told_and_found(page: Page, radio: Radio) -> None:
    town = Simulator(Town.grid(3, 3), "roadworks")
    radio.publish("roadworks.map", town.map(), retain=True)
    page.script("location.hash = 'roadworks'")
    page.until_mark("streets", "24")
    page.until(lambda: radio.is_heard("roadworks"))
    radio.publish("roadworks", town.dump_state())
    page.until_samples()
    assert not page.find("#legend-shut").is_displayed()
    page.until(lambda: page.find("#clock").text == "06:00:00")
    picture = page.picture()
    town.close_street("r0c1-r0c2")
    town.close_street("r1c0-r1c1")
    town.set_capacity("r2c1-r2c2", 0.5)
    radio.publish("roadworks", town.dump_state("q8"))
    page.until(lambda: page.find("#legend-shut").text == "2 closed, 1 narrowed")
    page.until(lambda: page.picture() != picture)
    # By keyboard, one after the other.
    for street, notice in [
        ("r0c1-r0c2", "Closed"),
        ("r1c0-r1c1", "Closed"),
        ("r2c1-r2c2", "Narrowed to 50 % of its capacity"),
        ("r0c1-r0c2", "Closed"),
    ]:
        page.find("#legend-shut").send_keys(Keys.ENTER)
        page.until_mark("pinned", street)
        page.until(lambda notice=notice: page.find("#street-shut").text == notice)
    page.find("#map").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    page.until(lambda: page.find("#tip-street").text == "r0c1-r0c2")
    assert page.find("#tip-shut").text == "closed"
    assert "closed" in page.find("#said").get_attribute("textContent")
    for id in ("r0c1-r0c2", "r1c0-r1c1"):
        town.open_street(id)
    town.set_capacity("r2c1-r2c2", 1)
    radio.publish("roadworks", town.dump_state())
    page.until(lambda: not page.find("#legend-shut").is_displayed())
    page.until(lambda: page.find("#street-shut").text == "")


def test_a_signal_is_told_where_a_light_was_red_once(page: Page, radio: Radio) -> None:
    town = Simulator(Town.grid(2, 2), "crossing")
    radio.publish("crossing.map", town.map(), retain=True)
    page.script("location.hash = 'crossing'")
    page.until_mark("streets", "8")
    page.until(lambda: radio.is_heard("crossing"))
    for seconds, green, told in [
        (0, [1] * 8, ""),
        (5, [0] + [1] * 7, "signal: red"),
        (10, [1] * 8, "signal: green"),
    ]:
        radio.publish("crossing", {**town.dump_state(), "time": seconds, "green": green})
        page.until_samples()
        page.find("#map").send_keys(Keys.ESCAPE, Keys.ARROW_RIGHT)
        page.until(lambda told=told: page.find("#tip-signal").text == told)
        assert page.find("#tip-street").text == town.town.street_ids[0]
    page.find("#map").send_keys(Keys.ARROW_RIGHT)
    page.until(lambda: page.find("#tip-street").text == town.town.street_ids[1])
    assert page.find("#tip-signal").text == ""


def test_streets_that_only_go_on_leave_no_gap(page: Page) -> None:
    ends = page.driver.execute_async_script("""
      const done = arguments[0];
      const names = ["layout", "town"].map((name) => import(`/static/${name}.js`));
      Promise.all(names).then(([{ Layout }, { readTown }]) => {
        const street = (from, to, ...points) => ({ id: `${from}-${to}`, from, to, length_m: 100, points });
        const town = readTown({ streets: [
          street("a", "b", [0, 0], [100, 0]), street("b", "c", [100, 0], [200, 0]),
          street("c", "d", [200, 0], [200, 100]), street("c", "e", [200, 0], [300, 0]),
        ]});
        const layout = new Layout(town);
        const ends = [];
        for (const zoom of [0.1, 2]) {
          const camera = { x: 0, y: 0, zoom, width: 0, height: 0 };
          for (const street of [0, 1]) {
            const size = layout.trace(street, camera);
            ends.push(layout.line[0] / zoom, layout.line[size - 2] / zoom);
          }
        }
        done(ends);
      });
    """)
    # Far off there is none at all; near, only where three ways meet.
    assert ends[:4] == pytest.approx([0, 100, 100, 200])
    assert ends[4:7] == pytest.approx([0, 100, 100])
    assert 180 < ends[7] < 200


@pytest.mark.parametrize(
    "told",
    [
        {"closed": "all", "narrowed": 7},
        {
            "closed": [-1, 99, 1.5, "x", None, {}],
            "narrowed": [None, [0], [0, "x"], [-1, 0.5], [99, 0.5], [1, 7]],
        },
    ],
)
def test_closed_streets_that_make_no_sense_harm_nothing(page: Page, radio: Radio, told: Any) -> None:
    town = Simulator(Town.grid(2, 2), "nonsense")
    radio.publish("nonsense.map", town.map(), retain=True)
    page.script("location.hash = 'nonsense'")
    page.until_mark("streets", "8")
    page.until(lambda: radio.is_heard("nonsense"))
    radio.publish("nonsense", {**town.dump_state(), **told})
    page.until_samples()
    page.until(lambda: page.find("#clock").text == "06:00:00")
    assert not page.find("#legend-shut").is_displayed()


@pytest.mark.soak
def test_controls_are_there_for_whom_the_server_lets_call_them(page: Page) -> None:
    page.until_samples()
    assert not page.find("#controls").is_displayed()
    script = """
      const done = arguments[0];
      import("/static/radiod.js").then(async ({ Radio }) => {
        globalThis.callee = new Radio("/ws", {authid: "town", ticket: "town-ticket"});
        globalThis.calls = [];
        await callee.connect();
        const offer = (name, answer) =>
          callee.register(`sample_net.control.${name}`, (...args) => {
            calls.push([name, ...args]);
            return answer;
          });
        await offer("state", { paused: false, speed: 7, time: 60, engine: "ltm" });
        const others = ["pause", "resume", "speed", "close_street", "open_street", "set_demand"];
        for (const name of [...others, "set_light", "set_reactive"]) await offer(name, null);
        const greens = { "r0c0-r0c1": [0, 30], "r1c1-r0c1": [35, 20] };
        await offer("light", { light: { kind: "plan", cycle: 60, offset: 5, greens } });
        done();
      });
    """
    page.driver.execute_async_script(script)
    page.until(lambda: page.find("#controls").is_displayed())
    page.until(lambda: page.find("#control-speed").get_attribute("value") == "7")
    page.find("#control-pause").click()
    page.find("#map").send_keys(Keys.ARROW_RIGHT, Keys.ENTER)
    page.until(lambda: page.find("#control-close").is_displayed())
    page.find("#control-close").click()
    page.until(lambda: "is closed" in page.find("#control-said").text)
    page.find("#control-demand-form button").click()
    street = page.mark("pinned")
    assert street == "r0c0-r0c1"
    page.until(lambda: page.find("#light-title").text == "Light at r0c1")
    fields = "return [...document.querySelectorAll('#light input')].map((input) => input.value)"
    # Streets that the plan does not name have no green.
    page.until(lambda: page.script(fields) == ["60", "5", "0", "30", "0", "0", "35", "20"])
    rows = page.driver.find_elements(By.CSS_SELECTOR, "#light-greens th")
    assert [row.text for row in rows] == ["→ r0c0-r0c1", "← r0c2-r0c1", "↑ r1c1-r0c1"]
    cycle = page.find("#light-cycle")
    cycle.send_keys(Keys.CONTROL + "a" + Keys.NULL, "90", Keys.ENTER)
    page.until(lambda: "follows this plan" in page.find("#control-said").text)
    page.find("#light-kind").send_keys("who comes")
    page.until(lambda: not page.find("#light-plan").is_displayed())
    page.find("#light button[type=submit]").click()
    page.until(lambda: "reacts" in page.find("#control-said").text)

    def done() -> Any:
        return [call for call in page.script("return calls") if call[0] != "state"]

    assert done() == [
        ["pause"],
        ["light", "r0c1"],
        ["close_street", street, 60, 660],
        ["set_demand", street.split("-")[0], pytest.approx(1 / 6)],
        ["set_light", "r0c1", 90, 5, {"r0c0-r0c1": [0, 30], "r1c1-r0c1": [35, 20]}],
        ["set_reactive", "r0c1", "actuated"],
    ]
    page.script("callee.close()")
    page.until(lambda: not page.find("#controls").is_displayed())


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """The address of another site, with pages of ours in ``tmp_path``."""
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def test_the_page_stands_in_a_page_of_another_site(
    driver: webdriver.Chrome, radio: Radio, host: str, tmp_path: Path
) -> None:
    frame = '<iframe width="600" height="400" src="{}"></iframe>'
    frames = frame.format(f"{radio.url}/?embed#sample_net") + frame.format(radio.url)
    (tmp_path / "host.html").write_text(frames)
    page = Page(driver).open(f"{host}/host.html")
    page.driver.switch_to.frame(0)
    page.until_mark("streets", "360")
    page.until_samples()
    assert page.find("#map").is_displayed()
    for gone in (".bar", ".channels", ".side"):
        assert not page.find(gone).is_displayed()
    assert page.find("#whole-page").is_displayed()
    assert page.script("return document.documentElement.scrollHeight") <= 400
    page.driver.switch_to.default_content()
    page.driver.switch_to.frame(1)
    # The page with controls stands in no other.
    assert page.driver.find_elements(By.CSS_SELECTOR, "#map") == []
    page.driver.switch_to.default_content()


@pytest.mark.parametrize("format_", ["q8", "delta"])
def test_small_samples_are_seen_like_others(page: Page, radio: Radio, format_: str) -> None:
    town = Simulator(Town.grid(4, 4), f"small_{format_}")
    town.run(1500)
    radio.publish(f"{town.name}.map", town.map(), retain=True)
    page.script("location.hash = arguments[0]", town.name)
    page.until_mark("streets", "48")
    page.until(lambda: radio.is_heard(town.name))
    for _ in range(2):
        town.next()
        radio.publish(town.name, town.dump_state(format_))
    page.until_samples(more_than=1)
    assert float(page.mark("total")) == pytest.approx(town.stats()["inside"], rel=0.05)
