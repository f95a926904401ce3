#!/usr/bin/env python3
"""What webhooks cost everybody else: the latency of a WAMP listener beside receivers of several kinds.

    ./webhooks.py                       five kinds, alternating; some two minutes
    ./webhooks.py --rounds 3            shorter, a look only
    ./webhooks.py --hooks 10            so many webhooks of each kind, for each event

Two servers: one without webhooks, one with --hooks of each kind: receivers that answer at once (ok), that
take the request and say nothing (slow), that are not there (dead); and a topic that no webhook hears (none).
Each round publishes --events on each topic in turn, one each --pause seconds, and takes the time from the
publisher's send to the listener's recv. The percentiles are medians of the rounds, since the machine has
other things to do; the ratio is the median of each round's p99 over that of the server without webhooks in
the same round. "cpu" is what the server used for each event. At the end it tells what became of the webhooks,
and how fast an ok receiver is served.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import selectors
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from harness import CALL, CONFIG, EVENT, PUBLISH, RESULT, SUBSCRIBE, SUBSCRIBED, Server, Session, free_port

SECRET = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
WITH_ADMIN = CONFIG.replace('call = ["*"]', 'call = ["*", "radiod.admin.webhook.*"]')
KINDS = ("ok", "slow", "dead")


def serve(listener: socket.socket, *, is_silent: bool) -> None:
    """Answer every request at once, or none."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            peer = key.fileobj
            assert isinstance(peer, socket.socket)
            if peer is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            try:
                data = peer.recv(1 << 16)
            except ConnectionError:
                data = b""
            if not data:
                selector.unregister(peer)
                peer.close()
            elif not is_silent and data.endswith(b"}"):
                peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


@contextmanager
def receiver(*, is_silent: bool) -> Iterator[int]:
    """A receiver in a process of its own. Returns: its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    process = multiprocessing.Process(
        target=serve, args=(listener,), kwargs={"is_silent": is_silent}, daemon=True
    )
    process.start()
    try:
        yield listener.getsockname()[1]
    finally:
        process.kill()
        process.join()


def tables(ports: dict[str, int], hooks: int) -> str:
    """The configuration of the webhooks."""
    return "".join(
        f'[realms.realm1.webhooks.{kind}-{number}]\nurl = "http://127.0.0.1:{port}/"\n'
        f'secret = "{SECRET}"\nchannels = ["{kind}.topic"]\n'
        for kind, port in ports.items()
        for number in range(hooks)
    )


class Pair:
    """A publisher and a listener of one server."""

    def __init__(self, port: int, topics: list[str]) -> None:
        self.publisher, self.listener = Session(port), Session(port)
        for topic in topics:
            self.listener.request(SUBSCRIBE, {}, topic)
            self.listener.expect(SUBSCRIBED)

    def latencies(self, topic: str, events: int, pause: float) -> list[float]:
        """Seconds of each event."""
        found = []
        for number in range(events):
            began = time.perf_counter()
            self.publisher.request(PUBLISH, {}, topic, [number, "x" * 100])
            self.listener.expect(EVENT)
            found.append(time.perf_counter() - began)
            time.sleep(pause)
        return found

    def told(self) -> list[dict[str, object]]:
        """What became of the webhooks."""
        self.publisher.request(CALL, {}, "radiod.admin.webhook.list")
        return list(self.publisher.expect(RESULT)[3][0]["webhooks"])


Round = tuple[list[float], float]
"""Seconds of each event, and of CPU for all."""


def row(name: str, rounds: list[Round], usual: list[Round]) -> str:
    """One line of the table, of as many rounds as the usual has."""
    cuts = [statistics.quantiles(found, n=1000) for found, _ in rounds]
    p50, p99, p999 = (1e6 * statistics.median(cut[at] for cut in cuts) for at in (499, 989, 998))
    others = [statistics.quantiles(found, n=1000)[989] for found, _ in usual]
    ratio = statistics.median(cut[989] / other for cut, other in zip(cuts, others, strict=True))
    cpu = 1e6 * sum(cpu for _, cpu in rounds) / sum(len(found) for found, _ in rounds)
    return f"{name:<14}{p50:>9.0f}{p99:>9.0f}{p999:>9.0f}{ratio:>11.2f}{cpu:>9.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--events", type=int, default=200, help="of each topic in each round")
    parser.add_argument("--hooks", type=int, default=1, help="of each kind")
    parser.add_argument("--pause", type=float, default=0.005, help="seconds between events")
    options = parser.parse_args()
    os.sched_setaffinity(0, {1})
    with ExitStack() as stack:
        ports = {
            "ok": stack.enter_context(receiver(is_silent=False)),
            "slow": stack.enter_context(receiver(is_silent=True)),
            "dead": free_port(),
        }
        bare = stack.enter_context(Server(0))
        hooked = stack.enter_context(Server(0, realm=tables(ports, options.hooks), config=WITH_ADMIN))
        topics = [f"{kind}.topic" for kind in ("none", *KINDS)]
        with_hooks = Pair(hooked.port, topics)
        places = {"no webhooks": (bare, Pair(bare.port, topics), topics[0])}
        places |= {topic.removesuffix(".topic"): (hooked, with_hooks, topic) for topic in topics}
        found: dict[str, list[Round]] = {name: [] for name in places}
        for _, pair, topic in places.values():
            pair.latencies(topic, 50, options.pause)
        for _ in range(options.rounds):
            for name, (server, pair, topic) in places.items():
                before = server.cpu()
                latencies = pair.latencies(topic, options.events, options.pause)
                found[name].append((latencies, server.cpu() - before))
        print(f"{'us':<14}{'p50':>9}{'p99':>9}{'p99.9':>9}{'p99 ratio':>11}{'cpu':>9}")
        for name, rounds in found.items():
            print(row(name, rounds, found["no webhooks"]))
        tell(with_hooks)


def tell(pair: Pair) -> None:
    """What became of the webhooks, and how many requests a second an ok receiver gets."""
    ok = next(hook for hook in pair.told() if hook["name"] == "ok-0")
    before, began = ok["delivered"], time.perf_counter()
    for number in range(500):
        pair.publisher.request(PUBLISH, {}, "ok.topic", [number])
    while ok["delivered"] != before + 500:
        ok = next(hook for hook in pair.told() if hook["name"] == "ok-0")
        time.sleep(0.01)
    print(f"an ok receiver got {500 / (time.perf_counter() - began):.0f} requests a second")
    for hook in pair.told():
        print(
            *(
                f"{name} {hook[name]}"
                for name in ("name", "state", "waiting", "delivered", "failed", "given_up")
            )
        )


if __name__ == "__main__":
    main()
