#!/usr/bin/env python3
"""What TLS costs: server CPU for each delivery, plain, over radiod's own TLS, and behind an nginx with TLS.

    ./tls.py [--repeat 5] [--duration 3] [--idle 2000]

radiod and nginx run on CPU 0 and are counted together. wsload speaks no TLS: a haproxy beside it on CPU 1
does so for it, and passes plain bytes on where there is none; it is not counted. The ways are measured in
turn; the table has medians. Needs nginx, haproxy and openssl.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import CONFIG, HERE, free_port, raise_file_limit, twistd, wait_for_port

WAYS = ("plain", "TLS", "nginx")
WORKLOADS = {
    "fan-out to 1, window 64": ["--subs", "1", "--window", "64"],
    "fan-out to 1, window 1": ["--subs", "1", "--window", "1"],
    "fan-out to 100, window 16": ["--subs", "100", "--window", "16"],
    "fan-out to 100, window 1": ["--subs", "100", "--window", "1"],
    "fan-out to 1,000, window 8": ["--subs", "1000", "--window", "8"],
    "fan-out to 1,000, window 1": ["--subs", "1000", "--window", "1"],
}
NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 16000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{nginx} ssl backlog=4096;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        location / {{
            proxy_pass http://127.0.0.1:{plain};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_read_timeout 1h;
        }}
    }}
}}
"""
HAPROXY = """
global
    maxconn 8000
    nbthread 1
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
"""


def main() -> int:
    """Measure, print two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--duration", type=float, default=3.0)
    parser.add_argument("--idle", type=int, default=2000, help="connections for the table of memory")
    options = parser.parse_args()
    raise_file_limit()
    measured: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="radiod-tls-") as folder, servers(Path(folder)) as (ports, pids):
        for _ in range(options.repeat):
            for name, workload in WORKLOADS.items():
                for way in WAYS:
                    found = fan_out(ports[way], pids[way], workload, options.duration)
                    measured.setdefault((name, way), []).append(found)
                    print(f"  {name}, {way}: {found:.2f}", file=sys.stderr, flush=True)
    print("| server CPU, us/delivery | plain | TLS | | behind nginx | |\n|---|---|---|---|---|---|")
    for name in WORKLOADS:
        plain, tls, nginx = (statistics.median(measured[name, way]) for way in WAYS)
        ratios = [f"{cost:.2f} | {cost / plain:.1f} x" for cost in (tls, nginx)]
        print(f"| {name} | {plain:.2f} | {' | '.join(ratios)} |")
    if options.idle:
        print("\n| idle subscribed connection | resident KiB |\n|---|---|")
        for way in WAYS:
            with (
                tempfile.TemporaryDirectory(prefix="radiod-tls-") as folder,
                servers(Path(folder)) as started,
            ):
                ports, pids = started
                print(f"| {way} | {idle(ports[way], pids[way], options.idle):.1f} |", flush=True)
    return 0


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[tuple[dict[str, int], dict[str, list[int]]]]:
    """Everything running. Yields: way -> the port for wsload; way -> the processes that count."""
    subject = [
        "-subj",
        "/CN=localhost",
        "-days",
        "2",
        "-nodes",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(["openssl", "req", "-x509", *subject, *files], check=True, capture_output=True)
    pem = folder / "server.pem"
    pem.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    behind = {"plain": free_port(), "TLS": free_port(), "nginx": free_port()}
    ports = {way: free_port() for way in WAYS}
    secure = f"ssl:{behind['TLS']}:privateKey={pem}:interface=127.0.0.1:backlog=4096"
    config = CONFIG.format(port=behind["plain"], limits="ping_interval_s = 3600")
    (folder / "radiod.toml").write_text(f'[[listen]]\nendpoint = "{secure}"\n{config}')
    (folder / "nginx.conf").write_text(
        NGINX.format(folder=folder, nginx=behind["nginx"], plain=behind["plain"])
    )
    relays = "".join(
        f"listen {way}\n    bind 127.0.0.1:{ports[way]} backlog 4096\n    server s 127.0.0.1:{behind[way]}"
        f"{'' if way == 'plain' else ' ssl verify none'}\n"
        for way in WAYS
    )
    (folder / "haproxy.cfg").write_text(HAPROXY + relays)
    with contextlib.ExitStack() as stack:

        def start(cpu: int, port: int, *command: str) -> int:
            process: Any = stack.enter_context(
                subprocess.Popen(
                    ["taskset", "-c", str(cpu), *command],
                    cwd=folder,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
            stack.callback(process.terminate)
            wait_for_port(port, process)
            return int(process.pid)

        radiod = start(
            0,
            behind["plain"],
            twistd(),
            "-n",
            "--pidfile=",
            "--logfile=radiod.log",
            "radiod",
            "-c",
            "radiod.toml",
        )
        nginx = start(0, behind["nginx"], "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"))
        start(1, ports["plain"], "haproxy", "-db", "-f", "haproxy.cfg")
        yield ports, {"plain": [radiod], "TLS": [radiod], "nginx": [radiod, nginx]}


def wsload(port: int, pids: list[int], mode: str, *options: str) -> dict[str, Any]:
    """One run's account."""
    target = [
        "--port",
        str(port),
        "--path",
        "/ws",
        "--wamp",
        "json",
        "--server-pid",
        ",".join(map(str, pids)),
    ]
    command = ["taskset", "-c", "1", str(HERE / "wsload"), mode, *target, "--quiet", *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def fan_out(port: int, pids: list[int], workload: list[str], duration: float) -> float:
    """Server CPU for each delivery, us."""
    return float(wsload(port, pids, "fanout", *workload, "--duration", str(duration))["cpu_us_per_delivery"])


def idle(port: int, pids: list[int], count: int) -> float:
    """Resident memory for each connection, KiB."""
    found = wsload(
        port, pids, "idle", "--subs", str(count), "--subscribe", "--hold", "3", "--connect-par", "16"
    )
    return float(found["bytes_per_conn"]) / 1024


if __name__ == "__main__":
    sys.exit(main())
