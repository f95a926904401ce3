"""Access: what an operator's mistakes, and strangers with keys and tokens, can do to the books."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import jwt
from support.config import configuration
from support.running import ROOT, environment

from fuzz.inputs import procedures
from fuzz.octets import mutated
from fuzz.pipes import LOAD, SERIALIZERS, Pipe, RawSocket, http, request
from fuzz.target import CONFIG, Finding, Oracle
from fuzz.values import Maker, Pairs, encoded

__all__ = ["Books", "config"]

ADMIN = "radiod.admin."
PROCEDURES = {name: taken for name, taken in procedures().items() if name.startswith(ADMIN)}
SHOW = {f"{ADMIN}key.issue", f"{ADMIN}key.rotate"}
"""Nothing else shows a secret, and these each but once."""

SIGNING = "what signs tokens of the key `signer`"
SECRET = re.compile(r"rdk_[0-9A-Za-z]{49}")
PATTERNS = ("*", "news.*", "sample_net", "a.b", "own.events")


def config(folder: Path) -> str:
    """A server with a store and an admin socket, both in this folder."""
    return configuration(
        f"""
[admin]
socket = {json.dumps(str(folder / "admin.sock"))}

[store]
path = {json.dumps(str(folder / "store.sqlite"))}

[realms.radio.keys.signer]
key = "signer-key"
signing = {json.dumps(SIGNING)}
listen = ["*"]
""",
        base=CONFIG,
    )


class Books:
    """One server's books: an operator who errs, and strangers. ``secrets``: those that were shown."""

    def __init__(self, folder: Path, oracle: Oracle) -> None:
        self.folder = folder
        self.oracle = oracle
        self.secrets: set[str] = set()
        self.ids = ["sample", "signer", "k_000000000000"]
        # serializer -> (its connection, requests on it so far)
        self._pipes: dict[str, tuple[RawSocket, int]] = {}

    # --- the operator

    def operate(self, random: Random, calls: int = 12) -> None:
        """Calls of ``radiod.admin.*`` with arguments of all kinds. Raises: Finding."""
        for _ in range(calls):
            serializer = random.choice(SERIALIZERS)
            maker = Maker(random, serializer)
            name = random.choice(list(PROCEDURES))
            self._look(name, serializer, self._answer(serializer, name, self._arguments(maker, name)))

    def _arguments(self, maker: Maker, name: str) -> Pairs:
        random = maker.random
        taken = Pairs(
            (each, self._argument(maker, each)) for each in PROCEDURES[name] if random.random() < 0.6
        )
        if random.random() < 0.05:
            taken.append((maker.text(), maker.value()))
        return taken

    def _argument(self, maker: Maker, name: str) -> Any:
        random = maker.random
        if name == "path":
            # Of a backup: nowhere else is anything written.
            return random.choice((str(self.folder / f"{random.randrange(10**9)}"), 1, None, []))
        if name in MEANT and random.random() < 0.7:
            return MEANT[name](maker)
        return random.choice(self.ids) if name == "id" and random.random() < 0.7 else maker.value()

    def _answer(self, serializer: str, name: str, taken: Pairs) -> list[bytes]:
        pipe, number = self._pipes.get(serializer, (None, 0))
        if pipe is None or pipe.is_closed:
            pipe, number = RawSocket(str(self.folder / "admin.sock"), serializer), 0
            pipe.join()
        self._pipes[serializer] = pipe, number + 1
        pipe.say(encoded(serializer, [48, number + 1, {}, name, [], taken]))
        heard = pipe.hear()
        if not heard and not pipe.is_closed:
            raise Finding(f"{name} is not answered: {taken}"[:1000])
        return heard

    def _look(self, name: str, serializer: str, heard: list[bytes]) -> None:
        for data in heard:
            answer = LOAD[serializer](data)
            said = json.dumps(answer, default=repr)
            if told := self.secrets.intersection(SECRET.findall(said)):
                raise Finding(f"{name} shows {len(told)} secrets again")
            if name in SHOW and answer[0] == 50:
                shown = answer[3][0]
                self.secrets.add(shown["key"])
                self.ids.append(shown["id"])

    # --- strangers

    def knock(self, random: Random, times: int = 6) -> None:
        """Requests with keys and tokens that are nearly right. Raises: Finding."""
        for _ in range(times):
            pipe = Pipe(self.oracle.target.port)
            data = random.choice((self._asks_for_a_token, self._asks_for_its_account, self._shows_a_token))(
                random
            )
            try:
                pipe.send(data)
                answer, _ = http(b"".join(pipe.hear()), data.startswith(b"HEAD"))
                if answer is not None and answer[0] >= 500 and answer[0] not in (501, 503, 505):
                    raise Finding(f"answered {answer!r} for {data!r}"[:2000])
            finally:
                pipe.close()

    def _key(self, random: Random) -> str:
        secret = random.choice(("sample-key", "signer-key", *self.secrets))
        if random.random() < 0.3:
            secret = mutated(random, secret.encode()).decode("latin-1")
        return re.sub(r"[\r\n]", "", f"API-KEY: {secret}")

    def _asks_for_a_token(self, random: Random) -> bytes:
        maker = Maker(random, "json")
        body = Pairs(
            (name, TOLD[name](maker) if random.random() < 0.7 else maker.value())
            for name in ("listen", "ttl", "sub", "origins", "x")
            if random.random() < (0.02 if name == "x" else 0.7)
        )
        return request("POST", "/tokens", encoded("json", body), [self._key(random)])

    def _asks_for_its_account(self, random: Random) -> bytes:
        maker = Maker(random, "json")
        kind = random.randrange(3)
        if kind == 0:
            return request("GET", "/account", b"", [self._key(random)])
        if kind == 1:
            month = random.choice(("2026-11", "1970-00", "9999-12", "%0d", "", "2026-11-01"))
            return request("GET", f"/account/usage.csv?month={month}", b"", [self._key(random)])
        body = encoded("json", random.choice((Pairs([("overlap", maker.value())]), maker.value())))
        # The secret of a key that was issued may change so: nobody else is told of it.
        return request("POST", "/account/rotate", body, ["API-KEY: sample-key"])

    def _shows_a_token(self, random: Random) -> bytes:
        maker = Maker(random, "json")
        claims = {name: claim(maker) for name, claim in CLAIMS.items() if random.random() < 0.8}
        kid = random.choice(("signer", "signer", "sample", "nobody"))
        token = jwt.encode(claims, SIGNING, "HS256", headers={"kid": kid}).encode()
        if random.random() < 0.4:
            token = re.sub(rb"[^!-~]", b"", mutated(random, token))
        shown = token.decode("ascii")
        if random.random() < 0.5:
            return request("GET", f"/listen/a?wait=0&token={re.sub('[#?&%]', '', shown)}")
        return request("GET", "/listen/a?wait=0", b"", [f"Authorization: Bearer {shown}"])

    # --- afterwards

    def check_end(self) -> None:
        """The books are whole, and the log has no secret. Raises: Finding."""
        log = self.oracle.target.log().decode(errors="replace")
        if told := self.secrets.intersection(SECRET.findall(log)):
            raise Finding(f"the log shows {len(told)} secrets")
        command = [sys.executable, "-m", "radiod.store", "check", str(self.folder / "store.sqlite")]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
        if done.returncode:
            raise Finding(f"the store is not whole: {done.stdout}{done.stderr}"[:2000])


def _among(*values: Any) -> Callable[[Maker], Any]:
    return lambda maker: maker.random.choice(values)


def _patterns(maker: Maker) -> Any:
    return maker.random.sample(PATTERNS, maker.random.randrange(4))


def _soon(maker: Maker) -> Any:
    return int(time.time()) + maker.random.choice((-90_000, -5, 0, 1, 60, 100_000))


MEANT: dict[str, Callable[[Maker], Any]] = {
    "account": _among("acme", "beta", "anonymous", None), "plan": _among("basic", "gold", None),
    "name": _among("basic", "gold"), "realm": _among("radio", "closed"),
    "publish": _patterns, "listen": _patterns, "call": _patterns, "register": _patterns,
    "origins": _among([], ["https://a.example"], ["null"]), "addresses": _among([], ["10.0.0.0/8"], ["::1"]),
    "valid_from": _soon, "valid_until": _soon, "since": _soon, "until": _soon,
    "overlap": _among(0, 0.5, 60, 86_400, -1), "authid": _among("ann", "owner", "socket:0"),
    "role": _among("listener", "owner", "no"), "ticket": _among("a-ticket", None),
    "limit": _among(1, 100, 1000),
    "after": _among(0, 5, "sample", "[]", None), "state": _among("active", "suspended", "revoked"),
    "by": _among([], ["hour"], ["month", "account", "key", "channel"], ["day", "day"]),
    "publish_rate": _among(0.001, 1, 1e6, 0), "publish_burst": _among(1, 100),
    "connections": _among(0, 1, 100),
    "reason": Maker.text, "label": Maker.text,
}  # fmt: skip
TOLD: dict[str, Callable[[Maker], Any]] = {
    "listen": _patterns, "ttl": _among(1, 600, 86_400, 0), "sub": Maker.text,
    "origins": _among([], ["https://a.example"]), "x": Maker.text,
}  # fmt: skip
CLAIMS: dict[str, Callable[[Maker], Any]] = {
    "exp": _soon, "nbf": _soon, "iat": _soon, "listen": _patterns,
    "sub": _among("ann", "", "\n", "x" * 200, 1, None), "origins": _among([], ["https://a.example"], "x"),
    "jti": _among("a", 1, []),
}  # fmt: skip
