"""A key with a thousand things open is revoked: all of them are told, and nobody else notices."""

from __future__ import annotations

import json
import selectors
import socket
import time
from typing import Any

import pytest
import requests
from support.memory import upgrade
from support.sockets import RawClient, frame

pytestmark = pytest.mark.e2e

SECONDS = 60
BOSS = """
[realms.radio.roles.open]
call = ["*", "radiod.admin.*"]

[realms.radio.keys.bystander]
key = "bystander-key"
listen = ["*"]
"""
EACH = 200
"""Of five kinds."""


class Open:
    """One connection that waits for its end. ``is_over``: whether it has been told all."""

    def __init__(self, port: int, request: bytes, last: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.socket.sendall(request)
        self.last = last
        self.data = b""

    def read(self, until: bytes) -> None:
        while until not in self.data:
            data = self.socket.recv(65_536)
            assert data, self.data
            self.data += data

    def take(self) -> None:
        data = self.socket.recv(65_536)
        assert data or self.is_over, self.data
        self.data += data

    @property
    def is_over(self) -> bool:
        return self.last in self.data


def get(path: str, secret: str, accept: str = "*/*") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAPI-KEY: {secret}\r\nAccept: {accept}\r\n\r\n".encode()


def session(port: int, id: str, secret: str) -> Open:
    opened = Open(port, upgrade("/ws", "wamp.2.json"), b'"radiod.close.revoked"]')
    opened.read(b"\r\n\r\n")
    hello = [1, "radio", {"roles": {"subscriber": {}}, "authmethods": ["ticket"], "authid": id}]
    for message, until in ((hello, b"[4,"), ([5, secret, {}], b"[2,"), ([32, 1, {}, "news"], b"[33,1,")):
        opened.socket.sendall(frame(json.dumps(message).encode()))
        opened.read(until)
    return opened


def opened_with(port: int, id: str, secret: str) -> list[Open]:
    """A thousand things of one key."""
    plain = upgrade("/listen/news", extra=f"API-KEY: {secret}\r\n")
    kinds: list[tuple[bytes, bytes, bytes]] = [
        (
            get("/listen/news", secret, "text/event-stream"),
            b'event: end\ndata: {"reason": "revoked"}',
            b":\n\n",
        ),
        (get("/listen/news", secret, "application/x-ndjson"), b'{"end": "revoked"}\n\n', b"\r\n\n"),
        (plain, b"\x88\x09\x0f\xa1revoked", b"\r\n\r\n"),
        (get("/listen/quiet?wait=60", secret), b'"reason":"revoked"', b""),
    ]
    found = [session(port, id, secret) for _ in range(EACH)]
    for request, last, until in kinds:
        some = [Open(port, request, last) for _ in range(EACH)]
        for each in some:
            each.read(until)
        found += some
    return found


def call(boss: RawClient, procedure: str, **arguments: Any) -> Any:
    answer = boss.ask([48, None, {}, f"radiod.admin.{procedure}", [], arguments])
    assert answer[0] == 50, answer
    return answer[3][0]


def test_a_thousand_end_and_nobody_else_does(world: Any) -> None:
    server = world.serve(BOSS, max_connections_per_address=2000)
    boss = RawClient(server.port)
    key = call(boss, "key.issue", listen=["*"])
    mine = opened_with(server.port, key["id"], key["key"])
    other = Open(server.port, get("/listen/news", "bystander-key", "text/event-stream"), b"event: end")
    other.read(b":\n\n")
    # The last polls are waiting by now, or they would not be ended.
    while call(boss, "key.get", id=key["id"])["sessions"] < len(mine):
        pass
    began = time.monotonic()
    boss.say([48, None, {}, "radiod.admin.key.revoke", [key["id"]], {}])
    # select knows no descriptor above 1023.
    with selectors.DefaultSelector() as waiting:
        for each in mine:
            waiting.register(each.socket, selectors.EVENT_READ, each)
        while waiting.get_map():
            ready = waiting.select(SECONDS)
            assert ready, f"{len(waiting.get_map())} were not told"
            for one, _ in ready:
                one.data.take()
                if one.data.is_over:
                    waiting.unregister(one.fileobj)
    print(f"{len(mine)} were told in {time.monotonic() - began:.2f} s")
    assert boss.hear()[3][0] == {"id": key["id"], "state": "revoked", "ended": len(mine)}
    answer = requests.get(
        f"{server.url}/listen/news", headers={"API-KEY": key["key"]}, params={"wait": 0}, timeout=SECONDS
    )
    assert (answer.status_code, answer.json()["reason"]) == (403, "revoked")
    published = boss.ask([16, None, {"acknowledge": True}, "news", [{"n": 1}]])
    assert published[0] == 17
    other.read(b'data: {"n": 1}')
    assert not other.is_over
