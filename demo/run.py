"""What ``make run`` runs: radiod, and a simulated town that feeds it, until you press Ctrl-C.

python demo/run.py [--port 8080] [--town grid:10x10] [--log demo.log]
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
START_SECONDS = 30
"""Whoever has not started then, and has said nothing in the log for so long, will not start any more."""
PATIENCE_SECONDS = 3
KEY = "demo-key"


def main() -> int:
    """Start both, say where the page is, and wait. Returns: the exit status."""
    options = arguments()
    url = f"http://127.0.0.1:{options.port}"
    with Path(options.log).open("wb") as log, contextlib.ExitStack() as stack:
        radiod = start(stack, log, *radiod_command(options.port))
        if not wait_for([radiod], options.log, f"{url}/healthz"):
            return fail(radiod, log, "radiod")
        town = start(stack, log, *simulator_command(options.town, url, options.units))
        if not wait_for([town, radiod], options.log, f"{url}/channels/sample_net", b'"events":0,'):
            return fail(town, log, "the simulator")
        print(f"log: {options.log}\nstop: Ctrl-C\n\nOn the air: {url}/", flush=True)
        return watch({"radiod": radiod, "the simulator": town}, options.log)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="radiod with a simulated town")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--town", default="grid:10x10")
    parser.add_argument("--units", help="of a tntp town, as in ft,min")
    parser.add_argument("--log", default="demo.log")
    return parser.parse_args()


def radiod_command(port: int) -> list[str]:
    """twistd of the same environment as this program, in the foreground."""
    twistd = [
        sys.executable,
        "-c",
        "from twisted.scripts.twistd import run; run()",
        "--nodaemon",
        "--pidfile=",
    ]
    config = str(HERE / "radiod.toml")
    return [*twistd, "radiod", "--config", config, "--listen", f"tcp:{port}:interface=127.0.0.1"]


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
