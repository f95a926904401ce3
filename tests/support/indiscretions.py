"""Everything that a client can show or say which must not be in the log: secrets, and what acts on a reader.

Every secret that is chosen here, right or wrong, has ``hush`` in it. What the server makes is returned.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.sockets import frame
from support.tokens import token

__all__ = ["EVIL", "EVIL_CLEANED", "HUSH", "configured", "say_everything"]

SECONDS = 20
HUSH = re.compile(r"hush\S*", re.IGNORECASE)
EVIL = "a\nforged\r\x1b[2J\x85\u2028\u202eb"
EVIL_CLEANED = r"a\nforged\r\x1b[2J\x85\u2028\u202eb"
SIGNING = "hush-signing-0123456789abcdef-0123456789"
WEBHOOK = "whsec_YSB3ZWJob29rJ3Mgc2VjcmV0IG9mIHRoZSB0ZXN0"
METHODS = ("ticket", "wampcra", "wamp-scram", "scram", "cryptosign", "cookie", "anonymous", "no-method")


def configured(folder: Path, format: str) -> str:
    """A configuration with a secret of each kind; one is in a file in ``folder``."""
    (folder / "credential").write_text("hush-in-a-file\n")
    return f"""
[log]
format = "{format}"

[limits]
log_interval_s = 0.1

[realms.radio]
anonymous = "open"
cookie_lifetime_s = 3600

[realms.radio.roles.open]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
register = ["*"]

[realms.radio.users.joe]
role = "open"
ticket = "hush-ticket"

[realms.radio.users.file]
role = "open"
ticket_file = "credential"

[realms.radio.users.ann]
role = "open"
wampcra = {{ secret = "hush-cra" }}

[realms.radio.users.cryptosign]
role = "open"
cryptosign = ["{"ab" * 32}"]

[realms.radio.keys.station]
key = "hush-key"
publish = ["*"]
listen = ["*"]
signing = "{SIGNING}"

[realms.radio.channels.hidden]
public = false
key = "hush-channel-key"

[realms.radio.webhooks.hook]
url = "http://127.0.0.1:9/hook"
secret = "{WEBHOOK}"
channels = ["*"]

[realms.hooked.dynamic]
methods = ["ticket"]
hook = "http://127.0.0.1:9/login"
hook_token = "hush-hook-token"
timeout_s = 0.5
"""


def say_everything(port: int, admin: Path) -> list[str]:
    """Be indiscreet in every way. Returns: secrets that the server made, and told."""
    made = [WEBHOOK, *_channel(port), *_issued(admin), *_over_http(port)]
    for authid, ticket in {"joe": "hush-ticket", "file": "hush-in-a-file"}.items():
        assert _login(port, authid, "ticket", ticket) == 2
    for method in METHODS:
        for realm in ("radio", "hooked", "nosuch"):
            for authid in ("joe", "ann", "cryptosign", "nobody", EVIL):
                _login(port, authid, method, f"hush-wrong-{method}", realm)
    for message in _said():
        with _session(port) as wire:
            _send(wire, message)
            wire.shutdown(socket.SHUT_WR)
            while wire.recv(65_536):
                pass
    return made


def _said() -> Iterator[list[Any]]:
    yield [6, {"message": EVIL}, EVIL]
    yield [6, {"message": EVIL}, "hush.reason"]
    yield [3, {"message": EVIL}, "wamp.error.abort"]
    yield [32, 1, {}, EVIL]
    yield [32, 1, {"_radiod_key": "hush-wrong-option"}, "hidden"]
    yield [16, 1, {"_radiod_key": "hush-wrong-option"}, "hidden", [EVIL]]
    yield [16, 1, {}, "a", ["hush-payload"], {"hush": EVIL}]
    yield [48, 1, {}, EVIL]
    yield [48, 1, {}, "radiod.channel.delete", ["a"], {"control_key": "hush-wrong-control-key"}]
    yield [48, 1, {}, "radiod.channel.join", ["hidden"], {"key": "hush-wrong-join"}]
    yield [99, EVIL, "hush-what"]


def _over_http(port: int) -> Iterator[str]:
    shown = token("*", secret=SIGNING, kid="station")
    assert _ask(port, "POST /publish", {"API-KEY": "hush-key"}, '{"topic": "a"}').startswith("HTTP/1.1 200")
    assert _ask(port, f"GET /listen/a?wait=0&token={shown}").startswith("HTTP/1.1 20")
    assert _ask(port, "GET /listen/hidden?wait=0&key=hush-channel-key").startswith("HTTP/1.1 20")
    answer = _ask(port, "POST /tokens", {"API-KEY": "hush-key"}, '{"listen": ["*"]}')
    yield json.loads(answer.partition("\r\n\r\n")[2])["token"]
    over = token("*", secret=SIGNING, kid="station", ttl=-100)
    yield from (shown, over)
    for query in (
        f"token={over}",
        f"token={shown[:-4]}hush",
        "token=hush-token",
        "key=hush-wrong-channel-key",
    ):
        for what in (f"GET /listen/hidden?wait=0&{query}", f"POST /publish?{query}"):
            _ask(port, what)
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    for key in ("station", "nosuch", "a%0Aforged%1B%5B2J%E2%80%A8"):
        query = f"key={key}&seq=1&timestamp={now}&nonce=5&signature=hush-wrong-signature"
        _ask(port, f"POST /publish?{query}", body='{"topic": "hush-body"}')
    for headers in (
        {"API-KEY": "hush-wrong-key"},
        {"Authorization": "Bearer hush-wrong-bearer"},
        {"Authorization": "Basic hush-wrong-basic"},
        {"Authorization": f"Bearer {shown}"},
        {"API-KEY": "hush-key", "Channel-Key": "hush-wrong-channel"},
        {"Cookie": "radiod=hush-cookie", "Origin": "null"},
        {"User-Agent": "hush-agent\x1b[2J", "Referer": "http://hush"},
        {"API-KEY": "a\x1b[2J\x85hush"},
    ):
        for what in (
            "POST /publish",
            "GET /listen/hidden?wait=0",
            "GET /nosuch%0d%0aforged%1b?hush=1",
            "X /hush",
        ):
            _ask(port, what, headers, '{"topic": "hidden"}')
    for path in ("/ws?hush=1", "/listen/hidden?key=hush-wrong", f"/listen/a?token={over}", "/a%0d%0aforged"):
        for protocol in ("wamp.2.json", "hush\x1b[2J", ""):
            answer = _upgrade(port, path, protocol)
            cookie = re.search(r"(?i)set-cookie: [^=]*=([^;\s]+)", answer)
            if cookie is not None:
                yield cookie[1]


def _channel(port: int) -> Iterator[str]:
    with _session(port) as wire:
        _send(wire, [48, 1, {}, "radiod.channel.create", ["mine"], {"public": False}])
        told = _receive(wire)[3][0]
        yield told["control_key"]
        yield told["key"]


def _issued(admin: Path) -> Iterator[str]:
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(SECONDS)
        wire.connect(str(admin))
        _hello(wire, "radio", {})
        for realm in ({}, {"realm": "radio"}):
            _send(
                wire, [48, 1, {}, "radiod.admin.key.issue", [], {"publish": ["*"], "signed": True, **realm}]
            )
            told = _receive(wire)
            if told[0] == 50:
                yield from (told[3][0][secret] for secret in ("key", "signing"))
                return
        raise AssertionError(told)


# --- the wires


SOURCES = itertools.count(1)


def _dial(port: int) -> socket.socket:
    # Each from an address of its own: who guesses from one has to wait.
    number = next(SOURCES)
    source = (f"127.2.{number >> 8}.{number & 255}", 0)
    return socket.create_connection(("127.0.0.1", port), SECONDS, source)


def _session(port: int) -> socket.socket:
    wire = _dial(port)
    assert _hello(wire, "radio", {})[0] == 2
    return wire


def _login(port: int, authid: str, method: str, signature: str, realm: str = "radio") -> int:
    """Returns: what the last answer was."""
    with _dial(port) as wire:
        extra = {"nonce": "hush-nonce", "pubkey": "hush-pubkey"}
        details = {"authid": authid, "authmethods": [method], "authextra": extra, "agent": f"hush {EVIL}"}
        answer = _hello(wire, realm, details)
        if answer[0] == 4:
            _send(wire, [5, signature, {"nonce": "hush-nonce", "proof": signature}])
            answer = _receive(wire)
        return int(answer[0])


def _hello(wire: socket.socket, realm: str, details: dict[str, Any]) -> list[Any]:
    wire.sendall(b"\x7f\xf1\0\0")
    assert len(_exactly(wire, 4)) == 4
    _send(wire, [1, realm, {"roles": {"caller": {}, "publisher": {}, "subscriber": {}}, **details}])
    return _receive(wire)


def _send(wire: socket.socket, message: list[Any]) -> None:
    data = json.dumps(message).encode()
    wire.sendall(len(data).to_bytes(4, "big") + data)


def _receive(wire: socket.socket) -> list[Any]:
    message: list[Any] = json.loads(_exactly(wire, int.from_bytes(_exactly(wire, 4), "big")))
    return message


def _exactly(wire: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = wire.recv(size - len(data))
        assert more, data
        data += more
    return data


def _ask(port: int, what: str, headers: dict[str, str] | None = None, body: str = "") -> str:
    told = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{told}"
    with _dial(port) as wire:
        wire.sendall(f"{head}\r\n{body}".encode())
        return _rest(wire)


def _upgrade(port: int, path: str, protocol: str) -> str:
    head = (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    )
    head += f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
    with _dial(port) as wire:
        wire.sendall(f"{head}\r\n".encode() + frame(b'[3,{},"wamp.error.hush"]') + frame(b"hush-what"))
        wire.shutdown(socket.SHUT_WR)
        return _rest(wire)


def _rest(wire: socket.socket) -> str:
    data = b""
    try:
        while more := wire.recv(65_536):
            data += more
    except ConnectionResetError:
        """It was cut."""
    return data.decode("utf-8", "replace")
