"""Access given while a server ran: after kill -9 it is as it was answered, and no file has a secret."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from support.config import configuration
from support.running import Server, free_port, radiod
from websockets.sync.client import connect

SECONDS = 60

pytestmark = pytest.mark.e2e

ADMIN = """
[store]
path = "radiod.sqlite"

[realms.radio.roles.boss]
call = ["radiod.admin.*"]

[realms.radio.users.boss]
role = "boss"
ticket = "boss-ticket"
"""


class Session:
    """A session over WebSocket, opened by ticket; ``opened``: what the login ended in."""

    def __init__(self, opened: ExitStack, server: Server, authid: str, ticket: str) -> None:
        wire = connect(f"{server.ws}/ws", subprotocols=["wamp.2.json"], open_timeout=SECONDS)
        self._wire = opened.enter_context(wire)
        self._requests = 0
        roles = {"caller": {}, "publisher": {}, "subscriber": {}}
        self._say([1, "radio", {"roles": roles, "authmethods": ["ticket"], "authid": authid}])
        assert self.hear()[0] == 4
        self._say([5, ticket, {}])
        self.opened = self.hear()

    def _say(self, message: Any) -> None:
        self._wire.send(json.dumps(message))

    def hear(self) -> Any:
        """The next message."""
        return json.loads(self._wire.recv(SECONDS))

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """What ``radiod.admin.`` and this answers."""
        self._requests += 1
        self._say([48, self._requests, {}, f"radiod.admin.{procedure}", args, kwargs])
        answer = self.hear()
        assert answer[0] == 50, answer
        return answer[3][0]


def publish(server: Server, secret: str) -> tuple[int, Any]:
    answer = requests.post(
        f"{server.url}/publish",
        json={"topic": "news", "args": [1]},
        headers={"API-KEY": secret},
        timeout=SECONDS,
    )
    return answer.status_code, answer.json().get("reason")


def logins(server: Server, keys: dict[str, Any], ticket: str) -> dict[str, Any]:
    """Who gets in, and how."""
    told: dict[str, Any] = {name: publish(server, key["key"]) for name, key in keys.items()}
    with ExitStack() as opened:
        told["session"] = Session(opened, server, keys["good"]["id"], keys["good"]["key"]).opened[0]
        told["user"] = [Session(opened, server, "ann", word).opened[0] for word in (ticket, "wrong")]
    return told


def test_what_was_answered_is_there_after_kill(tmp_path: Path) -> None:
    port, text, ticket = free_port(), configuration(ADMIN), "a ticket that ann chose"
    with radiod(tmp_path, text, port) as server, ExitStack() as opened:
        boss = Session(opened, server, "boss", "boss-ticket")
        boss.call("account.set", "acme", label="ACME Ltd")
        good = boss.call("key.issue", account="acme", publish=["news"], label="good", signed=True)
        rotated = {**good, **boss.call("key.rotate", good["id"], overlap=0)}
        revoked = boss.call("key.issue", publish=["news"])
        watcher = Session(opened, server, revoked["id"], revoked["key"])
        ended = boss.call("key.revoke", revoked["id"], "contract ended")
        assert ended == {"id": revoked["id"], "state": "revoked", "ended": 1}
        assert watcher.hear()[2] == "radiod.close.revoked"
        over = boss.call("key.issue", publish=["news"], valid_until=time.time() + 0.5)
        boss.call("user.set", "ann", "listener", account="acme", ticket=ticket)
        keys = {"good": rotated, "old": good, "revoked": revoked}
        before = logins(server, keys, ticket)
        listed = boss.call("key.list")["keys"]
        server.process.kill()
        server.process.wait()
    assert before == {
        "good": (200, None),
        "old": (403, "rotated"),
        "revoked": (403, "revoked"),
        "session": 2,
        "user": [2, 3],
    }
    with radiod(tmp_path, text, port) as server, ExitStack() as opened:
        assert logins(server, keys, ticket) == before
        assert publish(server, over["key"]) == (403, "expired")
        boss = Session(opened, server, "boss", "boss-ticket")
        now = boss.call("key.list")["keys"]
        # Hours of use, sessions and the times of the configuration's keys are of the moment.
        assert [key["id"] for key in now] == [key["id"] for key in listed]
        assert [key["state"] for key in now] == [key["state"] for key in listed]
        assert boss.call("account.get", "acme")["label"] == "ACME Ltd"
    secrets = [good["key"], rotated["key"], revoked["key"], over["key"], ticket]
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any(file.suffix == ".sqlite" for file in files)
    for file in files:
        data = file.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in data], file
