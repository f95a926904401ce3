"""CPU that a sample costs Octave: clients/matlab beside a plain ``fgetl`` loop, live and catching up.

``PYTHONPATH=.:tests python benchmarks/octave.py``: samples of 100 B and 10 kB from a channel with a history,
live ones in bursts of 100 or 5, ``--rate`` kB a second (five times that of large ones). Microseconds of
Octave's own CPU (curl's is not in it) from the first sample to the last, medians of alternating turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import requests
from support.config import configuration
from support.running import ROOT, Server, environment, radiod

CONFIG = configuration(
    """
[realms.radio.channels.bench]
history = { size = 100000, bytes = 100000000 }
buffer = { size = 100000, max_bytes = 16000000 }

[realms.radio.keys.bench]
key = "bench-key"
publish = ["*"]
"""
)
SETUP = """
global left begun count
count = %(count)d; left = count;
function heard(sample)
  global left begun count
  if left == count
    begun = cputime();
  end
  left = left - 1;
  if left == 0
    printf('%%.6f\\n', (cputime() - begun) / (count - 1));
  end
end
"""
PLAIN = """
stream = popen('curl -sN -H "Accept: application/x-ndjson" "%(url)s/listen/bench%(query)s"', 'r');
disp('ready'); fflush(stdout);
while left > 0
  line = fgetl(stream);
  if ~isempty(line)
    heard(jsondecode(line));
  end
end
"""
OURS = """
addpath('%(client)s');
r = radiod.Radio('%(url)s');
disp('ready'); fflush(stdout);
r.listen('bench', @heard, 'n', count%(options)s);
"""
LOOPS = {"fgetl": PLAIN, "radiod.Radio": OURS}


def publish(server: Server, count: int, size: int, rate_kb: float) -> None:
    """Bursts of up to 100 samples, ``rate_kb`` a second; all at once if that is 0."""
    burst = max(1, min(100, 10_000 * 5 // size))
    headers = {
        "API-KEY": "bench-key",
        "Content-Type": "application/x-ndjson",
        "Prefer": "return=minimal",
    }
    line = json.dumps({"topic": "bench", "args": [{"data": "x" * size}]}) + "\n"
    with requests.Session() as http:
        for _ in range(count // burst):
            http.post(f"{server.url}/publish", line * burst, headers=headers, timeout=60).raise_for_status()
            if rate_kb:
                time.sleep(burst * size / 1000 / rate_kb)


def readers(server: Server) -> int:
    answer = requests.get(f"{server.url}/channels/bench", timeout=60).json()
    return int(answer["readers"])


def cost(server: Server, loop: str, count: int, size: int, rate_kb: float) -> float:
    """Microseconds of one sample, live with a rate, else out of the history."""
    begin = requests.get(f"{server.url}/listen/bench?wait=0", timeout=60).headers["X-Radiod-Position"]
    given = {"url": server.url, "client": ROOT / "clients" / "matlab", "count": count}
    if rate_kb:
        given |= {"query": "", "options": ""}
    else:
        publish(server, count, size, 0)
        given |= {"query": f"?after={begin}", "options": f", 'after', '{begin}'"}
    command = ["octave-cli", "--quiet", "--eval", (SETUP + LOOPS[loop]) % given]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(), text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if rate_kb:
            while readers(server) == 0:
                time.sleep(0.05)
            publish(server, count, size, rate_kb)
        figure = float(process.stdout.readline())
        process.kill()
    while readers(server):
        publish(server, 100, 100, 0)  # curl notices that nobody reads when it writes
    return figure * 1e6


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=500, help="kB a second, live")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, radiod(Path(folder), CONFIG) as server:
        for size, count in ((100, 20_000), (10_000, 1_500)):
            for rate in (options.rate, 0):
                costs: dict[str, list[float]] = {loop: [] for loop in LOOPS}
                for _ in range(options.turns):
                    for loop in LOOPS:
                        costs[loop].append(cost(server, loop, count, size, rate * (1 if size == 100 else 5)))
                for loop, figures in costs.items():
                    what = f"{size} B {'live' if rate else 'catching up'}"
                    print(f"{what:20} {loop:14} {statistics.median(figures):7.1f} µs", figures, flush=True)


if __name__ == "__main__":
    main()
