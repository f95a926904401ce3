"""What ``/metrics`` tells, read as Prometheus does; and a real Prometheus that reads it."""

from __future__ import annotations

import contextlib
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.running import Server, free_port, program

__all__ = ["Prometheus", "Scrape", "prometheus", "scrape"]

SECONDS = 60
LINE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
ESCAPED = {"n": "\n", "\\": "\\", '"': '"'}


class Scrape:
    """One text. ``series``: name -> {labels, in pairs: value}."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.series: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, labels, value = self._parts(line)
                assert labels not in self.series.setdefault(name, {}), f"twice: {line}"
                self.series[name][labels] = float(value)

    def _parts(self, line: str) -> tuple[str, frozenset[tuple[str, str]], str]:
        match = LINE.fullmatch(line)
        assert match is not None, line
        found = LABEL.findall(match[2] or "")
        return match[1], frozenset((name, _plain(value)) for name, value in found), match[3]

    def value(self, name: str, **labels: str) -> float:
        """Of all series with these labels together, whatever else they have; there must be one."""
        wanted = labels.items()
        found = [value for has, value in self.series[name].items() if wanted <= has]
        assert found, f"no {name} with {labels}"
        return sum(found)

    def by(self, name: str, label: str) -> dict[str, float]:
        """Value of the label -> that of the series, without those that are 0."""
        found: dict[str, float] = {}
        for has, value in self.series.get(name, {}).items():
            key = dict(has)[label]
            found[key] = found.get(key, 0) + value
        return {key: value for key, value in found.items() if value}

    @property
    def names(self) -> set[str]:
        """Of all series; a histogram has three."""
        return set(self.series)


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", lambda match: ESCAPED[match[1]], value)


def scrape(server: Server, **fields: str) -> Scrape:
    """Read a server's."""
    request = urllib.request.Request(f"{server.url}/metrics", headers=fields)
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return Scrape(answer.read().decode())


class Prometheus:
    """One that runs."""

    def __init__(self, port: int, log: Path) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._log = log

    def get(self, path: str, **query: str) -> Any:
        """What its API tells."""
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            told = json.load(answer)
        assert told["status"] == "success", told
        return told["data"]

    def query(self, expression: str) -> list[Any]:
        """An instant vector's series."""
        found: list[Any] = self.get("query", query=expression)["result"]
        return found

    def wait_for(self, expression: str) -> list[Any]:
        """Ask until there is something."""
        end = time.monotonic() + SECONDS
        while True:
            with contextlib.suppress(OSError):
                found = self.query(expression)
                if found:
                    return found
            assert time.monotonic() < end, f"{expression} has nothing: {self._log.read_text()[-2000:]}"
            time.sleep(0.1)


@contextlib.contextmanager
def prometheus(folder: Path, target: int, rules: Path | None = None) -> Iterator[Prometheus]:
    """Run one that scrapes a port of this machine each second, until the block ends."""
    port, log = free_port(), folder / "prometheus.log"
    file = folder / "prometheus.yml"
    loaded = json.dumps([] if rules is None else [str(rules)])
    file.write_text(
        f"global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n"
        f"rule_files: {loaded}\n"
        f"scrape_configs: [{{ job_name: radiod, static_configs: [{{ targets: ['127.0.0.1:{target}'] }}] }}]\n"
    )
    command = [
        "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with program(command, log):
        yield Prometheus(port, log)
