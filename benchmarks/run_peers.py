#!/usr/bin/env python3
"""Run the same workloads against every peer server, in one session.

    ./run_peers.py                       all installed peers, all workloads; others are skipped
    ./run_peers.py --peers crossbar,floor-send --only fanout-100,rpc-64
    ./run_peers.py --extra mine.json     add servers (format: see README.md)

The server is pinned to one CPU and the load generator to another.  Every number
is the median of --repeat runs, and each workload gets a freshly started server:
what an earlier workload left behind (dead subscribers, stale groups) otherwise
changes the next number several times over.  `cpu us` is server CPU per delivery
(or call, connect, publish).  Marks: G the generator was the limit, u the server
was below 85 % of its CPU (so the rate is not its limit), n somebody else used more
than 20 % of a CPU, "lost N" deliveries that never came.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WSLOAD = os.path.join(HERE, "wsload")
PEERS_HOME = os.environ.get("PEERS_HOME") or os.path.expanduser("~/.cache/bench-peers")

RADIOD = os.environ.get("RADIOD") or os.path.join(HERE, "..", ".venv", "bin", "twistd")
NGINX = os.environ.get("NGINX") or "/usr/sbin/nginx"

JSON_HDR = ["--pub-header", "Content-Type: application/json"]
NATS_CONNECT = 'CONNECT {"verbose":true,"pedantic":false}\r\n'

# start   command, relative to this folder, that stays in the foreground
# needs   what must be there to start it, files or commands; see peers/README.md
# port    where to wait for the listener
# base    wsload options for every mode (a subscriber's view of the server)
# pub     wsload options for the publisher that drives the fan-out
# http    wsload options for HTTP publishing, None if the server has none
# rpc     whether it routes WAMP calls
# idle    extra options for idle and connect (e.g. --subscribe)
# slow    smaller windows: a message to 1000 subscribers takes about a second
PEERS = {
    "floor-send": {
        "start": ["./floor", "7001", "send"],
        "needs": [os.path.join(HERE, "floor")],
        "port": 7001,
        "base": ["--port", "7001"],
        "pub": ["--pub", "ws", "--pub-path", "/pub"],
        "http": ["--pub", "http"],
    },
    "floor-batch": {
        "start": ["./floor", "7002", "batch"],
        "needs": [os.path.join(HERE, "floor")],
        "port": 7002,
        "base": ["--port", "7002"],
        "pub": ["--pub", "ws", "--pub-path", "/pub"],
        "http": ["--pub", "http"],
    },
    "radiod": {
        "start": ["peers/radiod/start.sh"],
        "needs": [RADIOD],
        "port": 7171,
        "base": ["--port", "7171", "--path", "/ws", "--wamp", "json"],
        "pub": [],
        "http": [
            "--pub",
            "http",
            *JSON_HDR,
            "--pub-header",
            "API-KEY: bench-key",
            "--pub-body",
            '{"topic":"bench.topic","args":["@PAYLOAD@"]}',
        ],
        "rpc": True,
        "idle": ["--subscribe"],
    },
    # What make compiled has installed.
    "radiod-compiled": {
        "start": ["peers/radiod/compiled.sh"],
        "needs": [os.path.join(HERE, "..", "build", "compiled", ".ready")],
        "port": 7171,
        "base": ["--port", "7171", "--path", "/ws", "--wamp", "json"],
        "pub": [],
        "rpc": True,
        "idle": ["--subscribe"],
    },
    "radiod-msgpack": {
        "start": ["peers/radiod/start.sh"],
        "needs": [RADIOD],
        "port": 7171,
        "base": ["--port", "7171", "--path", "/ws", "--wamp", "msgpack"],
        "pub": [],
        "rpc": True,
        "only": ["fanout-1", "fanout-100", "fanout-1000", "rpc-1", "rpc-64"],
    },
    "crossbar": {
        "start": ["peers/crossbar/start.sh"],
        "needs": [PEERS_HOME + "/crossbar/bin/crossbar"],
        "port": 7102,
        "base": ["--port", "7101", "--wamp", "json"],
        "pub": [],
        "http": [
            "--pub",
            "http",
            "--pub-port",
            "7102",
            *JSON_HDR,
            "--pub-body",
            '{"topic":"bench.topic","args":["@PAYLOAD@"]}',
        ],
        "rpc": True,
        "idle": ["--subscribe"],
    },
    "crossbar-msgpack": {
        "start": ["peers/crossbar/start.sh"],
        "needs": [PEERS_HOME + "/crossbar/bin/crossbar"],
        "port": 7102,
        "base": ["--port", "7101", "--wamp", "msgpack"],
        "pub": [],
        "rpc": True,
        "only": ["fanout-1", "fanout-100", "fanout-1000", "rpc-1", "rpc-64"],
    },
    "nchan": {
        "start": ["peers/nchan/start.sh"],
        "needs": [NGINX, "/usr/lib/nginx/modules/ngx_nchan_module.so"],
        "port": 7121,
        "base": ["--port", "7121", "--path", "/sub"],
        "pub": ["--pub", "ws", "--pub-path", "/pub"],
        "http": ["--pub", "http", "--pub-path", "/publish"],
    },
    "channels": {
        "start": ["peers/channels/start.sh"],
        "needs": [PEERS_HOME + "/channels/bin/daphne", "redis-server"],
        "port": 7131,
        "base": ["--port", "7131", "--path", "/ws/bench"],
        "pub": [
            "--pub",
            "http",
            "--pub-conns",
            "8",
            *JSON_HDR,
            "--pub-header",
            "API-KEY: bench-key",
            "--pub-body",
            '{"network":"bench","data":"@PAYLOAD@"}',
        ],
        "http": [
            "--pub",
            "http",
            *JSON_HDR,
            "--pub-header",
            "API-KEY: bench-key",
            "--pub-body",
            '{"network":"bench","data":"@PAYLOAD@"}',
        ],
        "slow": True,
    },
    "nats": {
        "start": ["peers/nats/start.sh"],
        "needs": ["nats-server"],
        "port": 7142,
        "base": [
            "--port",
            "7142",
            "--greet",
            "1",
            "--binary",
            "--sub-msg",
            NATS_CONNECT,
            "--sub-msg",
            "SUB bench 1\r\n",
        ],
        "pub": [
            "--pub",
            "ws",
            "--pub-path",
            "/",
            "--pub-greet",
            "1",
            "--pub-msg",
            'CONNECT {"verbose":false}\r\nPING\r\n',
            "--pub-body",
            "PUB bench {size}\r\n@PAYLOAD@\r\n",
        ],
    },
    "xconn": {
        "start": ["peers/xconn/start.sh"],
        "needs": [PEERS_HOME + "/xconn/bin/python"],
        "port": 7151,
        "base": ["--port", "7151", "--path", "/ws", "--wamp", "json"],
        "pub": [],
        "rpc": True,
        "idle": ["--subscribe"],
    },
    "fox-wamp": {
        "start": ["peers/fox-wamp/start.sh"],
        "needs": ["node", PEERS_HOME + "/fox/node_modules/fox-wamp"],
        "port": 7161,
        "base": ["--port", "7161", "--wamp", "json"],
        "pub": [],
        "rpc": True,
        "idle": ["--subscribe"],
    },
}

# name -> (mode, wsload options, options for slow servers)
WORK = {
    "fanout-1": ("fanout", ["--subs", "1", "--window", "64"], []),
    "fanout-1-w1": ("fanout", ["--subs", "1", "--window", "1"], []),
    "fanout-10": ("fanout", ["--subs", "10", "--window", "32"], ["--window", "8"]),
    "fanout-100": ("fanout", ["--subs", "100", "--window", "16"], ["--window", "4"]),
    "fanout-1000": ("fanout", ["--subs", "1000", "--window", "8"], ["--window", "2", "--warmup", "0.1"]),
    "fanout-1000-w1": ("fanout", ["--subs", "1000", "--window", "1"], ["--warmup", "0.1"]),
    "fanout-100-1k": ("fanout", ["--subs", "100", "--window", "16", "--size", "1024"], ["--window", "4"]),
    "fanout-100-16k": ("fanout", ["--subs", "100", "--window", "8", "--size", "16384"], []),
    "fanout-100-256k": ("fanout", ["--subs", "100", "--window", "4", "--size", "262144"], []),
    "fanout-100-1m": ("fanout", ["--subs", "100", "--window", "2", "--size", "1000000"], []),
    "rate-1000x10": (
        "fanout",
        ["--subs", "1000", "--rate", "10", "--duration", "3"],
        ["--duration", "1", "--warmup", "0.1"],
    ),
    "http-1": ("http", ["--subs", "1", "--pub-conns", "8", "--window", "64"], []),
    "rpc-1": ("rpc", ["--window", "1"], []),
    "rpc-64": ("rpc", ["--window", "64"], []),
    "connect": ("connect", ["--count", "2000"], []),
    "idle-2000": ("idle", ["--subs", "2000"], []),
    "idle-10000": ("idle", ["--subs", "10000"], []),
}


class Server:
    def __init__(self, name, peer, opts):
        self.name = name
        cmd = list(peer["start"])
        if cmd[0].startswith((".", "peers/")):
            cmd[0] = os.path.join(HERE, cmd[0])
        pre = ["taskset", "-c", str(opts.server_cpu)]
        if opts.nice:
            pre = ["nice", "-n", str(opts.nice), *pre]
        # Closed in stop(): the server writes to it as long as it lives.
        self.log = open(os.path.join(opts.logdir, name + ".log"), "ab")  # noqa: SIM115
        self.p = subprocess.Popen(
            pre + cmd,
            stdout=self.log,
            stderr=self.log,
            stdin=subprocess.DEVNULL,
            cwd=HERE,
            start_new_session=True,
        )
        end = time.time() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", peer["port"]), 1).close()
                break
            except OSError:
                if self.p.poll() is not None or time.time() > end:
                    self.stop()
                    raise RuntimeError(f"{name} did not start, see {self.log.name}") from None
                time.sleep(0.2)
        time.sleep(1)

    def stop(self):
        """End the session that we started: first politely, then all of it."""
        if self.p.poll() is None:
            self.p.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.p.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.p.pid, signal.SIGKILL)
        self.p.wait()
        self.log.close()


def wsload_command(server, peer, work, opts):
    """The generator's command line for one workload against one server."""
    mode, args, slow = WORK[work]
    if peer.get("slow"):
        args = args + slow
    size = args[args.index("--size") + 1] if "--size" in args else "100"
    cmd = [WSLOAD, "fanout" if mode == "http" else mode, "--label", server.name]
    cmd += ["--server-pid", str(server.p.pid), "--quiet", *peer["base"]]
    if mode in ("fanout", "rpc", "http"):
        cmd += ["--repeat", str(opts.repeat), "--duration", str(opts.duration)]
    cmd += peer.get({"fanout": "pub", "http": "http", "idle": "idle", "connect": "idle"}.get(mode, ""), [])
    cmd = [c.replace("{size}", size) for c in cmd + args]
    pre = ["taskset", "-c", str(opts.load_cpu)]
    return [*(["nice", "-n", str(opts.nice)] if opts.nice else []), *pre, *cmd]


def wsload(server, peer, work, opts):
    """Run one workload; the medians of its repeats."""
    cmd = wsload_command(server, peer, work, opts)
    try:
        r = subprocess.run(cmd, capture_output=True, text=True, timeout=240)
    except subprocess.TimeoutExpired:
        return {"error": "timeout"}
    rows = [json.loads(x) for x in r.stdout.splitlines() if x.startswith("{")]
    if not rows:
        return {"error": r.stderr.strip()[-300:]}
    out = {}
    for k, v in rows[0].items():
        vals = [x[k] for x in rows]
        out[k] = statistics.median(vals) if isinstance(v, (int, float)) and not isinstance(v, bool) else v
    out["gen_bound"] = any(x.get("gen_bound") for x in rows)
    out["runs"] = len(rows)
    for k in (
        "deliveries_per_s",
        "calls_per_s",
        "cpu_us_per_delivery",
        "cpu_us_per_call",
        "other_cpu_pct",
        "lost",
    ):
        if k in rows[0]:
            out["all_" + k] = [x[k] for x in rows]
    return out


def missing(peer):
    """What the peer needs and this machine has not; nothing when it can start."""
    return [x for x in peer.get("needs", []) if not (os.path.exists(x) or shutil.which(x))]


def installed(names, peers):
    """The names whose servers can start; one line on each of the others."""
    for name in names:
        if name not in peers:
            sys.exit(f"no peer {name}; there are {', '.join(peers)}")
        lacking = missing(peers[name])
        if lacking:
            print(f"{name}: skipped, not installed ({', '.join(lacking)}; see peers/README.md)", flush=True)
        else:
            yield name


def wanted(peer, work):
    if peer.get("only") and work not in peer["only"]:
        return False
    mode = WORK[work][0]
    return not ((mode == "http" and not peer.get("http")) or (mode == "rpc" and not peer.get("rpc")))


def cell(r):
    """One table cell: rate, and in brackets the noise-robust CPU cost."""
    if r is None:
        return "-"
    if (
        r.get("error")
        and not r.get("delivered")
        and not r.get("calls")
        and not r.get("ready")
        and not r.get("conns")
    ):
        return "failed"
    mark = "".join(
        (
            " G" if r.get("gen_bound") else "",
            " u" if not r.get("rate") and r.get("server_cpu_pct", 100) < 85 and r["mode"] != "idle" else "",
            " n" if r.get("other_cpu_pct", 0) > 20 else "",
            f" lost {r['lost']:.0f}" if r.get("lost") else "",
            f" lost {r['lost_conns']:.0f} conns" if r.get("lost_conns") else "",
            f" {r['http_errors']:.0f} http errors" if r.get("http_errors") else "",
        )
    )
    if r["mode"] == "rpc":
        return f"{r['calls_per_s']:.0f}/s ({r['cpu_us_per_call']:.0f} us){mark}"
    if r["mode"] == "idle":
        return f"{r['bytes_per_conn'] / 1024:.1f} KiB ({r['connects_per_s']:.0f}/s){mark}"
    if r["mode"] == "connect":
        return f"{r['connects_per_s']:.0f}/s ({r['cpu_us_per_connect']:.0f} us){mark}"
    if r["rate"]:
        latency = f"p50 {r['lat_p50_us'] / 1e3:.1f} p99 {r['lat_p99_us'] / 1e3:.1f} ms"
        return f"{latency} ({r['cpu_us_per_delivery']:.1f} us){mark}"
    return f"{r['deliveries_per_s']:.0f}/s ({r['cpu_us_per_delivery']:.2f} us){mark}"


def table(res):
    works = [w for w in WORK if any(w in v for v in res.values())]
    print("\n| peer | " + " | ".join(works) + " |")
    print("|---" * (len(works) + 1) + "|")
    for name, v in res.items():
        print(f"| {name} | " + " | ".join(cell(v.get(w)) for w in works) + " |")
    fl = res.get("floor-send", {})
    fanouts = [w for w in works if w.startswith(("fanout", "http"))]
    if fl and fanouts:
        print("\nserver CPU per delivery as a multiple of floor-send")
        print("\n| peer | " + " | ".join(fanouts) + " |")
        print("|---" * (len(fanouts) + 1) + "|")
        for name, v in res.items():
            cells = []
            for w in fanouts:
                a, b = v.get(w, {}).get("cpu_us_per_delivery"), fl.get(w, {}).get("cpu_us_per_delivery")
                cells.append(f"{a / b:.1f}x" if a and b else "-")
            print(f"| {name} | " + " | ".join(cells) + " |")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--peers", help="comma separated; default all")
    ap.add_argument("--only", help="workloads, comma separated; default all")
    ap.add_argument("--extra", help="JSON file with more servers")
    ap.add_argument("--out", default=os.path.join(HERE, "results", "peers.json"))
    ap.add_argument("--repeat", type=int, default=3)
    ap.add_argument("--duration", type=float, default=2)
    ap.add_argument("--server-cpu", type=int, default=0)
    ap.add_argument("--load-cpu", type=int, default=1)
    ap.add_argument("--nice", type=int, default=0, help="run server and generator with this niceness")
    opts = ap.parse_args()
    peers = dict(PEERS)
    if opts.extra:
        with open(opts.extra) as file:
            peers.update(json.load(file))
    if not os.path.exists(WSLOAD):
        sys.exit("wsload is missing: run make in this folder")
    names = list(installed(opts.peers.split(",") if opts.peers else list(peers), peers))
    works = opts.only.split(",") if opts.only else list(WORK)
    os.makedirs(os.path.dirname(opts.out), exist_ok=True)
    opts.logdir = os.path.dirname(opts.out)
    res = {}
    if os.path.exists(opts.out):
        with open(opts.out) as file:
            res = json.load(file)  # later runs add to, and replace in, the same file
    # Workload by workload, so that the servers to be compared are measured within minutes of each other.
    for work in works:
        for name in names:
            if wanted(peers[name], work):
                measure(name, peers[name], work, opts, res)
        with open(opts.out, "w") as file:
            json.dump(res, file, indent=1)
    table(res)


def measure(name, peer, work, opts, res):
    """One workload against one freshly started server, into ``res``."""
    try:
        server = Server(name, peer, opts)
    except (RuntimeError, OSError) as e:
        print(f"{name}: {e}", file=sys.stderr)
        return
    try:
        r = wsload(server, peer, work, opts)
    finally:
        server.stop()
    res.setdefault(name, {})[work] = r
    busy = " ".join(f"{who} {r.get(who + '_cpu_pct', 0):.0f}%" for who in ("server", "gen", "other"))
    print(f"{name:16} {work:15} {cell(r)}  {busy} {r.get('error') or ''}", flush=True)


if __name__ == "__main__":
    main()
