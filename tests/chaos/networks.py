"""What lies between: proxies that reuse connections, and peers that vanish without a packet."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from fuzz.pipes import frame, http, request, upgrade
from fuzz.target import Oracle
from support.config import configuration
from support.namespaces import Impossible, Namespace
from support.programs import Program
from support.running import free_port, program, wait_until

from chaos.kills import OWNER
from chaos.machine import get
from chaos.scene import CONFIG, Scene, Skipped, must, patient, watched

__all__ = ["proxies", "vanish"]

NGINX = """
worker_processes 1;
daemon off;
error_log stderr;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
    upstream radio {{ server 127.0.0.1:{backend}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://radio;
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
}}
"""
HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
frontend door
    bind 127.0.0.1:{port}
    default_backend radio
backend radio
    http-reuse always
    server radio 127.0.0.1:{backend}
"""
PROXIES: dict[str, tuple[str, Callable[[Path], list[str]]]] = {
    "nginx": (NGINX, lambda file: ["nginx", "-c", str(file), "-e", "stderr"]),
    "haproxy": (HAPROXY, lambda file: ["haproxy", "-db", "-f", str(file)]),
}
ROUND = 20
PEERS = 20
SILENT_S = 2


def proxies(scene: Scene) -> str:
    """Requests and WebSockets through proxies that reuse connections; upgrades come behind requests."""
    found = [name for name in PROXIES if shutil.which(name)]
    if not found:
        raise Skipped("neither nginx nor HAProxy is installed")
    done = 0
    with watched(scene) as (server, oracle), contextlib.ExitStack() as stack:
        ports = [stack.enter_context(behind(name, scene.folder, server.port)) for name in found]
        for _ in scene.rounds():
            for port in ports:
                for _ in range(ROUND):
                    through(port, scene)
                    done += 1
            oracle.check()
    told = f"{', '.join(found)}: {done} WebSockets behind {4 * done} requests"
    return f"{told}, some cut off in the middle: all served"


@contextlib.contextmanager
def behind(name: str, folder: Path, backend: int) -> Iterator[int]:
    """A proxy. Returns: its port."""
    text, command = PROXIES[name]
    port, file, log = free_port(), folder / f"{name}.conf", folder / f"{name}.log"
    file.write_text(text.format(folder=folder, port=port, backend=backend))
    with program(command(file), log) as process:
        wait_until(lambda: _answers(port), process, log)
        yield port


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        return get(port) == 200
    return False


def through(port: int, scene: Scene) -> None:
    """Some requests, one of which stops in the middle, and then a WebSocket. Raises: Finding."""
    for target in ("/healthz", "/channels", "/nothing"):
        status = get(port, target)
        must(status in (200, 404), f"{target} through a proxy is answered {status}")
    with socket.create_connection(("127.0.0.1", port), 20) as leaver:
        data = request("POST", "/publish", b'{"topic": "sample_net", "args": [1]}', ["API-KEY: sample-key"])
        leaver.sendall(data[: scene.random.randrange(1, len(data))])
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(upgrade("/ws", "Sec-WebSocket-Protocol: wamp.2.json\r\n"))
        data = b""
        while http(data)[0] is None:
            more = connection.recv(1 << 16)
            must(more, f"an upgrade through a proxy is answered {data!r}")
            data += more
        must(data.startswith(b"HTTP/1.1 101 "), f"an upgrade through a proxy is answered {data[:200]!r}")
        connection.sendall(frame(0x81, b'[1,"radio",{"roles":{"caller":{}}}]'))
        must(b"[2," in connection.recv(1 << 16), "a session through a proxy is not welcome")


def vanish(scene: Scene) -> str:
    """Peers that listen and answer calls vanish: they are gone after a ping and its timeout."""
    if shutil.which("ip") is None:
        raise Skipped("ip is not installed")
    config = configuration(base=CONFIG, ping_interval_s=SILENT_S, ping_timeout_s=SILENT_S, log_interval_s=1)
    gone = 0
    for _ in scene.rounds():
        with contextlib.ExitStack() as stack:
            try:
                network = stack.enter_context(Namespace())
            except Impossible as reason:
                raise Skipped(f"no network namespaces: {reason}") from None
            port = free_port()
            listen = ("--listen", f"tcp:{port}:interface={network.here}")
            with watched(scene, config, *listen) as (server, oracle):
                begun = [listener(network, port) for _ in range(PEERS)]
                with contextlib.closing(Program(server.port, **OWNER)) as caller:
                    patient(lambda: listening(caller) == PEERS, "not all peers listen")
                    network.vanish()
                    patient(lambda: unheard(oracle, caller), "peers that vanished are still there", 40)
                for one in begun:
                    one.close()
                gone += PEERS
    return f"{gone} peers vanished without a packet, and were gone after a ping and its timeout"


def listener(network: Namespace, port: int) -> socket.socket:
    """A WebSocket session in the namespace, which listens."""
    connection = network.dial(port)
    connection.sendall(upgrade("/ws", "Sec-WebSocket-Protocol: wamp.2.json\r\n"))
    must(b" 101 " in connection.recv(1 << 16), "an upgrade is refused")
    connection.sendall(frame(0x81, b'[1,"radio",{"roles":{"subscriber":{}}}]'))
    must(b"[2," in connection.recv(1 << 16), "a session is not welcome")
    connection.sendall(frame(0x81, b'[32,1,{},"gone"]'))
    return connection


def listening(caller: Program) -> int:
    """How many listen to ``gone``."""
    subscription = caller.call("wamp.subscription.lookup", "gone")
    return 0 if subscription is None else caller.call("wamp.subscription.count_subscribers", subscription)


def unheard(oracle: Oracle, caller: Program) -> bool:
    """Publish to those who vanished, and see whether any is left."""
    caller.publish("gone", "anybody?")
    oracle.check()
    return caller.call("wamp.subscription.lookup", "gone") is None
