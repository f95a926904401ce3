"""Cost: an input costs 1 µs a byte and 5 ms at most, twice the size 2.2 times; and nobody waits.

What counts is CPU time of the reactor's thread from the first byte of an input until it is answered. Work
that is done in slices may take more than its 5 ms, if others never wait for so long: their round trips tell.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from itertools import zip_longest
from random import Random

from fuzz.inputs import Http, Wamp, http_inputs, procedures, wamp_inputs
from fuzz.known import allowance
from fuzz.pipes import DUMP, LOAD, Pipe, WebSocket, frame, http, request
from fuzz.rule import BURST_S, Cost, Rule
from fuzz.target import Finding, Oracle, Target
from fuzz.values import encoded
from fuzz.world import World

__all__ = ["Costs"]

WORST = 10


class Costs:
    """One run over as many inputs as the time allows, in an order that the seed decides."""

    def __init__(self, target: Target, oracle: Oracle, rule: Rule, world: World) -> None:
        self.target = target
        self.oracle = oracle
        self.rule = rule
        self.world = world
        self.measured: list[Cost] = []
        self.bursts: list[Cost] = []
        self.known: list[str] = []
        self._sessions: dict[str, tuple[WebSocket, int]] = {}

    # --- what is run

    def run(self, random: Random, seconds: float, only: str = "") -> None:
        """Measure until the time is over; ``only``: those whose name holds it, all of them."""
        end = time.monotonic() + seconds
        bursts = [burst for burst in self._bursts() if only in burst[0]]
        inputs: list[Wamp | Http] = [*wamp_inputs(self.world), *http_inputs()]
        inputs = [one for one in inputs if only in one.name]
        random.shuffle(bursts)
        inputs = _in_turns(inputs, random)
        share = end - 0.6 * seconds
        for count, (name, data) in enumerate(bursts):
            if time.monotonic() > share and count > 3 and not only:
                break
            self.burst(name, data)
        for count, one in enumerate(inputs):
            if time.monotonic() > end and not only:
                break
            self.judge(one)
            if count % 50 == 49:
                self.oracle.check()
        for _ in range(MEASURED_AGAIN):
            self._measure_again(inputs, bursts)
        self.oracle.check()

    def _measure_again(
        self, inputs: list[Wamp | Http], bursts: list[tuple[str, Callable[[WebSocket | Pipe], bytes]]]
    ) -> None:
        """What broke the rule counts if it does so again: what else the machine did is not the server's."""
        suspects = {cost.name.removesuffix(IN_SLICES) for cost in self.faults()}
        self.measured = [one for one in self.measured if one.name.removesuffix(IN_SLICES) not in suspects]
        self.bursts = [one for one in self.bursts if one.name not in suspects]
        for one in inputs:
            if one.name in suspects:
                self.judge(one)
        for name, data in bursts:
            if name in suspects:
                self.burst(name, data)

    def judge(self, one: Wamp | Http) -> None:
        """Measure one input by the rule."""
        measure = self._measure_wamp if isinstance(one, Wamp) else self._measure_http
        factor, reason = allowance(one.name)
        costs = self.rule.judge(
            one.name, lambda size: measure(one, size), one.size, doubles=one.doubles, allowance=factor
        )
        if reason and any(cost.seconds > self.rule.limit(cost.sent) for cost in costs):
            self.known.append(f"{costs[-1]}: {reason}")
        for cost in costs:
            if cost.faults and cost.sent < 65_536 and not self._holds_up(one, cost, factor):
                cost.faults = [fault for fault in cost.faults if "times" in fault]
                cost.name += IN_SLICES
        self.measured += costs

    def report(self) -> list[str]:
        """The worst ten by CPU, by CPU beyond their bytes, and those that made others wait longest."""
        spared = sorted(self.measured, key=lambda cost: cost.seconds - 1e-6 * cost.sent, reverse=True)
        return [
            "the worst by CPU time:",
            *map(str, sorted(self.measured, key=lambda cost: cost.seconds, reverse=True)[:WORST]),
            "the worst beyond 1 µs for each byte:",
            *map(str, spared[:WORST]),
            f"how long others waited for {COPIES} copies in one write:",
            *map(str, sorted(self.bursts, key=lambda cost: cost.seconds, reverse=True)[:WORST]),
        ]

    def faults(self) -> list[Cost]:
        """What broke the rule."""
        return [cost for cost in [*self.measured, *self.bursts] if cost.faults]

    # --- one measurement

    @contextlib.contextmanager
    def _spent(self, spent: list[float]) -> Iterator[None]:
        # An answer to somebody else: what came before is done.
        self.oracle.latency()
        before = self.target.cpu()
        yield
        spent.append(self.target.cpu() - before)

    def _measure_wamp(self, one: Wamp, size: int) -> tuple[int, float]:
        if one.stage != "session":
            return self._measure_opening(one, size)
        pipe, number = self._session(one.serializer)
        data = one.make(number, size)
        assert data is not None
        data = frame(0x81 if one.serializer == "json" else 0x82, data)
        end = pipe.framed(DUMP[one.serializer]([48, number + 1, {}, "radiod.echo", ["end"]]))
        spent: list[float] = []
        with self._spent(spent):
            pipe.send(data)
            # Request ids count: who has used one in vain is cut, and that is an answer, too.
            pipe.send(end)
            self._until_end(pipe, one.serializer, number + 1)
        if pipe.is_closed:
            del self._sessions[one.serializer]
            pipe.close()
        else:
            self._sessions[one.serializer] = (pipe, number + 2)
        self.world.drain()
        return len(data), spent[0]

    def _until_end(self, pipe: Pipe, serializer: str, number: int) -> None:
        while not pipe.is_closed:
            heard = pipe.hear()
            if not heard and not pipe.is_closed:
                raise Finding("a call is not answered")
            short = [LOAD[serializer](message) for message in heard if len(message) < 500]
            if any(number in (answer[1], answer[2] if answer[0] == 8 else None) for answer in short):
                return

    def _session(self, serializer: str) -> tuple[WebSocket, int]:
        if serializer not in self._sessions:
            pipe = WebSocket(self.target.port, serializer)
            pipe.join()
            self._sessions[serializer] = (pipe, 1)
        return self._sessions[serializer]

    def _measure_opening(self, one: Wamp, size: int) -> tuple[int, float]:
        pipe = WebSocket(self.target.port, one.serializer)
        if one.stage == "login":
            pipe.ask([1, "radio", {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "owner"}])
        data = one.make(1, size)
        assert data is not None
        data = frame(0x81 if one.serializer == "json" else 0x82, data)
        spent: list[float] = []
        with self._spent(spent):
            pipe.send(data)
            pipe.hear()
        pipe.close()
        return len(data), spent[0]

    def _measure_http(self, one: Http, size: int) -> tuple[int, float]:
        data = one.make(size)
        pipe = Pipe(self.target.port)
        spent: list[float] = []
        with self._spent(spent):
            pipe.send(data)
            self._until_answered(pipe, data.startswith(b"HEAD"))
        pipe.close()
        return len(data), spent[0]

    def _until_answered(self, pipe: Pipe, is_head: bool) -> None:
        data = b""
        while not pipe.is_closed:
            heard = pipe.hear()
            if not heard and not pipe.is_closed:
                raise Finding("a request is not answered")
            data += b"".join(heard)
            if http(data, is_head)[0] is not None:
                return

    # --- others, meanwhile

    def _holds_up(self, one: Wamp | Http, cost: Cost, allowance: float) -> bool:
        """Whether others wait for more than the limit while it is worked on; if so adds that fault."""
        limit = self.rule.limit(cost.sent) * allowance
        size = one.size if cost.sent <= 1.2 * one.size or not one.doubles else 2 * one.size
        waited = self.rule.least(lambda: self._longest(lambda: self._send_one(one, size)), limit)
        if waited > limit:
            cost.faults.append(f"others wait {waited * 1000:.1f} ms for it")
        return waited > limit

    def _send_one(self, one: Wamp | Http, size: int) -> Pipe:
        if isinstance(one, Http):
            pipe = Pipe(self.target.port)
            pipe.send(one.make(size))
            return pipe
        web = WebSocket(self.target.port, one.serializer)
        web.join()
        data = one.make(1, size)
        assert data is not None
        web.send(frame(0x81 if one.serializer == "json" else 0x82, data))
        return web

    def _longest(self, send: Callable[[], Pipe]) -> float:
        """The most that the server works between two answers to the canary, until what was sent is done.

        CPU time, not the clock's: what else runs on this machine makes round trips longer.
        """
        self.oracle.latency()
        pipe = send()
        longest, idle = 0.0, 0
        while idle < 3:
            before = self.target.cpu()
            self.oracle.latency()
            spent = self.target.cpu() - before
            longest = max(longest, spent)
            # It is done when the server does no more than to answer us.
            idle = idle + 1 if spent < IDLE_S * self.rule.factor and not pipe.hear(0) else 0
        pipe.close()
        self.world.drain()
        return longest

    def burst(self, name: str, data: Callable[[WebSocket | Pipe], bytes]) -> None:
        """What others wait for, while a hundred copies in one write are worked on."""
        limit = BURST_S * self.rule.factor
        sent: list[int] = []

        def send() -> Pipe:
            pipe: Pipe
            if name.startswith("HTTP"):
                pipe = Pipe(self.target.port)
            else:
                pipe = WebSocket(self.target.port, name.split()[0], batched="batch" in name)
                pipe.join()
            copies = data(pipe)
            sent.append(len(copies))
            pipe.send(copies)
            return pipe

        waited = self.rule.least(lambda: self._longest(send), limit)
        cost = Cost(name, sent[0], waited)
        if waited > limit:
            cost.faults.append(f"others wait {waited * 1000:.1f} ms, where {limit * 1000:.0f} are allowed")
        self.bursts.append(cost)

    def _bursts(self) -> list[tuple[str, Callable[[WebSocket | Pipe], bytes]]]:
        found = []
        for serializer in ("json", "msgpack", "cbor"):
            for name, signature in procedures().items():
                kwargs: dict[str, object] = {key: 1000 for key in signature if key == "limit"}
                kwargs |= {key: self.world.history for key in signature if key == "subscription"}
                kwargs |= {key: self.world.registration for key in signature if key == "registration"}
                kwargs |= {
                    key: "kept.t1" for key in signature if key in ("name", "topic", "procedure", "channel")
                }
                for what in ("frames", "batch"):
                    message = _calls(serializer, name, kwargs)
                    found.append(
                        (f"{serializer} {name} in one {what}", _copies(serializer, message, what == "batch"))
                    )
            for what, message in _messages(serializer).items():
                found.append((f"{serializer} {what} in frames", _copies(serializer, message, False)))
                found.append((f"{serializer} {what} in one batch", _copies(serializer, message, True)))
        for route in (
            "/listen/kept.t1?last=1000&wait=0",
            "/channels?limit=1000",
            "/healthz",
            "/",
            "/no/such",
        ):
            found.append((f"HTTP GET {route}", lambda pipe, r=route: request("GET", r) * COPIES))
        body = b'{"network":"sample_net","data":{"a":[' + b"1," * 250 + b"1]}}"
        post = request("POST", "/publish", body, ["API-KEY: sample-key"])
        found.append(("HTTP POST /publish", lambda pipe: post * COPIES))
        opened = request("POST", "/lp/open", b'{"protocols":["wamp.2.json"]}')
        found.append(("HTTP POST /lp/open", lambda pipe: opened * COPIES))
        return found


def _in_turns(inputs: list[Wamp | Http], random: Random) -> list[Wamp | Http]:
    """In random order, and some of each group among the first, however small it is."""
    groups: dict[str, list[Wamp | Http]] = {}
    for one in inputs:
        groups.setdefault(one.group, []).append(one)
    for group in groups.values():
        random.shuffle(group)
    rounds = zip_longest(*groups.values())
    return [one for each in rounds for one in each if one is not None]


COPIES = 100
MEASURED_AGAIN = 2
IN_SLICES = " (in slices)"
IDLE_S = 0.4e-3


def _calls(serializer: str, name: str, kwargs: dict[str, object]) -> Callable[[int], bytes]:
    return lambda number: encoded(serializer, [48, number, {}, name, [], kwargs])


def _messages(serializer: str) -> dict[str, Callable[[int], bytes]]:
    """Messages that are no calls of the router's own."""
    lists = {"exclude_authid": [f"n{i}" for i in range(50)], "eligible_authrole": ["open"] * 50}
    kinds: dict[str, Callable[[int], list[object]]] = {
        "PUBLISH under 249 prefixes": lambda n: [16, n, {"exclude_me": False}, "p" * 249, ["x" * 500]],
        "PUBLISH with lists": lambda n: [16, n, lists, "p" * 249, [1]],
        "PUBLISH to ears": lambda n: [16, n, {}, "heard", ["x" * 500]],
        "PUBLISH under wildcards": lambda n: [16, n, {}, ".".join("w" * 9), [1]],
        "SUBSCRIBE with history": lambda n: [32, n, {"_radiod_after": "0:0"}, f"kept.t{n % 40}"],
        "SUBSCRIBE": lambda n: [32, n, {"match": "wildcard"}, f"a{n}." + "." * 100],
        "REGISTER": lambda n: [64, n, {}, f"a.{n}" + ".a" * 100],
        "CALL of nobody": lambda n: [48, n, {}, "no.such", [1]],
    }
    return {name: lambda n, m=message: encoded(serializer, m(n)) for name, message in kinds.items()}


def _copies(
    serializer: str, message: Callable[[int], bytes], is_batch: bool
) -> Callable[[WebSocket | Pipe], bytes]:
    def data(pipe: WebSocket | Pipe) -> bytes:
        messages = [message(number) for number in range(1, COPIES + 1)]
        if is_batch:
            assert isinstance(pipe, WebSocket)
            return frame(0x81 if serializer == "json" else 0x82, pipe.batch(messages))
        return b"".join(map(pipe.framed, messages))

    return data
