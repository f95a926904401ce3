"""Several channels over one connection, with real servers that end while clients listen."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
import requests
from selenium import webdriver
from support.config import configuration
from support.running import Server, free_port, radiod

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
SECONDS = 60
PAUSE = 0.1
CHANNELS = ("a", "b", "c")
DURABLE = "".join(
    f"[realms.radio.channels.{name}]\ndurable = true\nhistory = {{ size = 10000 }}\n" for name in CHANNELS
)
KEY = '[realms.radio.keys.all]\nkey = "all"\npublish = ["*"]\n'
ADDRESS = "/listen?" + "&".join(f"channel={name}" for name in CHANNELS)

pytestmark = pytest.mark.e2e


def configured(folder: Path) -> str:
    return configuration(f'[store]\npath = "{folder / "store"}"\n{KEY}{DURABLE}')


def publish(server: Server, channel: str, number: int) -> None:
    answer = requests.post(
        f"{server.url}/publish",
        json={"network": channel, "data": {"n": number}},
        headers={"API-KEY": "all"},
        timeout=SECONDS,
    )
    assert answer.status_code == 200, answer.text


class Browser:
    """A page in Chromium with one EventSource."""

    def __init__(self, server: Server, folder: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for switch in ("--headless=new", "--no-sandbox", f"--user-data-dir={folder}"):
            options.add_argument(switch)
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
        self.driver.get(f"{server.url}/healthz")
        self.driver.execute_script(
            f"heard = []; source = new EventSource('{ADDRESS}');"
            "source.onmessage = ({data}) => { const {channel, data: {n}} = JSON.parse(data);"
            " heard.push([channel, n]); };"
            "source.addEventListener('recovered', ({data}) => heard.push(['recovered', data]))"
        )

    def heard(self, count: int) -> list[list[object]]:
        """What it has heard, as soon as that is so much."""
        end = time.monotonic() + SECONDS
        while True:
            heard: list[list[object]] = self.driver.execute_script("return heard")
            if len(heard) >= count or time.monotonic() > end:
                return heard
            time.sleep(PAUSE)

    def is_open(self) -> bool:
        return bool(self.driver.execute_script("return source.readyState === EventSource.OPEN"))


@pytest.mark.skipif(not (CHROMIUM.exists() and DRIVER.exists()), reason="needs chromium and chromium-driver")
@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
def test_chromium_goes_on_after_a_restart_on_all_channels(tmp_path: Path, end: str) -> None:
    port = free_port()
    said = []

    def say(server: Server, *channels: str) -> None:
        for channel in channels:
            said.append([channel, len(said)])
            publish(server, *said[-1])

    with radiod(tmp_path, configured(tmp_path), port) as server:
        # A durable channel keeps its epoch from its first event on.
        for channel in CHANNELS:
            publish(server, channel, -1)
        browser = Browser(server, tmp_path / "profile")
        try:
            limit = time.monotonic() + SECONDS
            while not browser.is_open():
                assert time.monotonic() < limit
                time.sleep(PAUSE)
            # Of c it hears nothing before the restart: its place is in the cursor all the same.
            say(server, "a", "b", "a")
            assert browser.heard(3) == said
            if end == "SIGKILL":
                server.process.kill()
                server.process.wait()
            else:
                assert server.stop() == 0
            with radiod(tmp_path, configured(tmp_path), port) as again:
                say(again, "c", "a", "b", "c")
                heard = browser.heard(7)
        finally:
            browser.driver.quit()
    for channel in CHANNELS:
        assert [n for one, n in heard if one == channel] == [n for one, n in said if one == channel]
    assert len(heard) == len(said)


def test_a_client_that_is_cut_off_200_times_misses_and_repeats_nothing(tmp_path: Path) -> None:
    """With ``requests``, over streams and polls in turn; twice the server itself ends."""
    chance = random.Random(7)
    said = dict.fromkeys(CHANNELS, 0)
    heard: dict[str, list[int]] = {name: [] for name in CHANNELS}
    port = free_port()
    cursor = None

    def say(server: Server) -> None:
        for _ in range(chance.randint(0, 3)):
            channel = chance.choice(CHANNELS)
            said[channel] += 1
            publish(server, channel, said[channel])

    def is_whole() -> bool:
        return all(heard[name][-1:] == [count] or not count for name, count in said.items())

    for part in range(3):
        with radiod(tmp_path, configured(tmp_path), port) as server:
            if cursor is None:
                begun = requests.get(f"{server.url}{ADDRESS}&wait=0", timeout=SECONDS)
                cursor = begun.headers["X-Radiod-Position"]
            for cut in range(200 // 3 + 1):
                say(server)
                form = ("text/event-stream", "application/x-ndjson", "application/json")[cut % 3]
                # Cut off after a few records, wherever in the next one that is.
                cursor = listen(server, form, cursor, heard, chance.randint(0, 3))
            if part == 1:
                server.process.kill()
                server.process.wait()
            elif part == 2:
                while not is_whole():
                    cursor = listen(server, "application/json", cursor, heard, 1000)
    assert heard == {name: list(range(1, count + 1)) for name, count in said.items()}


def listen(server: Server, form: str, cursor: str, heard: dict[str, list[int]], most: int) -> str:
    """Take so many records, or what is there at once, and hang up. Returns: where to go on."""
    url = f"{server.url}{ADDRESS}&after={cursor}&wait=0"
    with requests.get(url, headers={"Accept": form}, timeout=SECONDS, stream=True) as answer:
        assert answer.status_code in (200, 204)
        if form == "application/json":
            for record in answer.json() if answer.content else []:
                heard[record["channel"]].append(record["data"]["n"])
            return answer.headers["X-Radiod-Position"]
        if not most:
            return cursor
        id = ""
        for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
            if line.startswith("id: "):
                id = line.removeprefix("id: ")
            elif line.startswith(("data: ", "{")):
                record = json.loads(line.removeprefix("data: "))
                heard[record["channel"]].append(record["data"]["n"])
                cursor = record.get("id") or id
                most -= 1
            if not most or _is_last(server, cursor):
                return cursor
    raise AssertionError("the stream ended")


def _is_last(server: Server, cursor: str) -> bool:
    """Whether nothing is behind the cursor: a stream would be silent now."""
    return requests.get(f"{server.url}{ADDRESS}&after={cursor}&wait=0", timeout=SECONDS).status_code == 204
