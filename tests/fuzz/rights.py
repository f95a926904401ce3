"""Rights: what a stranger may not see has no effect on what it is told, and roles do what their patterns say.

Two servers side by side differ by a private world alone; the same stranger must hear the same from both.
"""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

from fuzz.inputs import procedures
from fuzz.pipes import SERIALIZERS, Pipe, RawSocket, WebSocket, http, loaded, request
from fuzz.target import Finding, Oracle, Target
from fuzz.values import encoded

__all__ = ["PRIVATE", "WORLD", "Twins", "allows", "compare_roles", "normal", "random_roles", "roles_config"]

WORLD = """
[realms.radio]
anonymous = "stranger"

[realms.radio.roles.stranger]
subscribe = ["*"]
publish = ["open.*", "secret.*", "hidden.*", "own.*"]
call = ["*"]
register = ["open.*"]
deny = ["secret.*", "own.*"]

[realms.radio.roles.owner]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
register = ["*"]

[realms.radio.users.owner]
role = "owner"
ticket = "owner-ticket"

[realms.radio.keys.sample]
key = "sample-key"
publish = ["open.*"]
listen = ["open.*"]

[realms.radio.channels."open.a"]
history = { size = 5 }

[realms.radio.channels."secret.*"]
history = {}
"""
PRIVATE = """
[realms.radio.channels."hidden.a"]
public = false
key = "hidden-key"
history = {}

[realms.radio.channels."hidden.b"]
public = false
key = "other-key"
"""
"""What the second server has besides."""

NAMES = (
    "hidden.a",
    "hidden.b",
    "hidden.c",
    "hidden.none",
    "secret.a",
    "secret.b",
    "secret.none",
    "open.a",
    "open.b",
)
PATTERNS = ("", "hidden", "hidden.", "secret.", "s", "open.", ".a", "hidden.")


class Twins:
    """A server without, and one with, a private world; in the second, others are at work there."""

    def __init__(self, bare: Target, full: Target) -> None:
        self.bare = Oracle(bare)
        self.full = Oracle(full)
        self.others = RawSocket(full.port, "msgpack")
        self.others.join("owner")
        # The other server has a session there, too: how many there are is no secret.
        self.dummy = RawSocket(bare.port, "msgpack")
        self.dummy.join("owner")
        self._request = 0

    def stir(self, random: Random) -> None:
        """Something happens in the private world."""
        name = random.choice([name for name in NAMES if not name.startswith("open")])
        key = {"hidden.a": "hidden-key", "hidden.b": "other-key"}.get(name)
        with_key = {"_radiod_key": key} if key else {}
        messages = (
            [32, {**with_key}, name],
            [16, {"acknowledge": True, "retain": random.random() < 0.5, **with_key}, name, [random.random()]],
            [48, {}, "radiod.channel.create", [name], {"public": name.startswith("secret"), "key": None}],
            [48, {}, "radiod.channel.create", ["hidden.c"], {"public": False, "key": "c"}],
            [64, {}, f"secret.procedure.{random.randrange(9)}"],
            [48, {}, "radiod.channel.join", [name, key or ""]],
        )
        code, *rest = random.choice(messages)
        if name.startswith("hidden") and key is None and code != 48:
            return
        self._request += 1
        self.others.say(encoded("msgpack", [code, self._request, *rest]))
        self.full.settled(self.others)

    def compare(self, random: Random) -> None:
        """A stranger says the same to both. Raises: Finding: it can tell them apart."""
        if random.random() < 0.6:
            serializer = random.choice(SERIALIZERS)
            messages = [_message(random, number + 1) for number in range(random.randrange(1, 12))]
            heard = [self._heard(oracle, serializer, messages) for oracle in (self.bare, self.full)]
            what: Any = messages
        else:
            what = _request(random)
            heard = [self._answered(oracle, what) for oracle in (self.bare, self.full)]
        if heard[0] != heard[1]:
            raise Finding(
                f"a stranger tells the private world by {what}:\nwithout: {heard[0]}\nwith:    {heard[1]}"
            )

    def _heard(self, oracle: Oracle, serializer: str, messages: list[Any]) -> list[Any]:
        pipe: Pipe = WebSocket(oracle.target.port, serializer)
        pipe.join()
        found = []
        for message in messages:
            pipe.say(encoded(serializer, message))
            answers = loaded(serializer, oracle.settled(pipe))
            found += [normal(_without_id(answer, message)) for answer in answers]
        pipe.close()
        oracle.latency()
        return found

    def _answered(self, oracle: Oracle, data: bytes) -> Any:
        pipe = Pipe(oracle.target.port)
        pipe.send(data)
        answer = b"".join(oracle.settled(pipe))
        pipe.close()
        whole, _ = http(answer)
        if whole is None:
            return answer[:40]
        status, head, body = whole
        head = re.sub(rb"(?i)\r\n(Date|Sec-WebSocket-Accept|Content-Length):[^\r]*", b"", head)
        try:
            return status, normal(head.decode("latin-1")), normal(json.loads(body))
        except ValueError:
            return status, normal(head.decode("latin-1")), normal(body.decode("latin-1"))

    def check(self) -> None:
        """Ask both oracles."""
        self.bare.check()
        self.full.check()


TOLD_TO_ALL = {
    "radiod.server.stats", "radiod.client.list", "radiod.client.get", "radiod.echo", "wamp.session.list",
    "wamp.session.get", "wamp.session.count",
    "wamp.session.kill_all", "wamp.session.kill_by_authrole",
}  # fmt: skip
"""About the server as a whole, or sessions, which are no secret; or what ends the test."""

CALLABLE = [one for one in procedures().items() if one[0] not in TOLD_TO_ALL]


def _message(random: Random, number: int) -> list[Any]:
    name = random.choice(NAMES)
    pattern = random.choice(
        (
            ("exact", name),
            ("prefix", random.choice(PATTERNS)),
            ("wildcard", random.choice(("hidden.", ".a", "secret.", "."))),
        )
    )
    key = {"_radiod_key": random.choice(("wrong", "", "x" * 100))} if random.random() < 0.3 else {}
    kind = random.randrange(6)
    if kind == 0:
        options: dict[str, Any] = {"match": pattern[0], **key}
        if random.random() < 0.4:
            options["_radiod_after"] = "a:0"
        if random.random() < 0.4:
            options["get_retained"] = True
        return [32, number, options, pattern[1]]
    if kind == 1:
        return [16, number, {"acknowledge": True, **key}, name, [1]]
    if kind == 2:
        return [64, number, {"match": pattern[0]}, pattern[1]]
    if kind == 3:
        return [48, number, {}, random.choice((name, f"secret.procedure.{random.randrange(9)}")), [1]]
    procedure, signature = random.choice(CALLABLE)
    kwargs = {
        key: {
            "match": pattern[0], "prefix": random.choice(PATTERNS), "options": {"match": pattern[0]},
            "limit": 50, "subscription": 1, "registration": 1,
            "session": 1, "public": random.random() < 0.5, "args": [], "kwargs": {}, "signature": {},
            "lifetime": 5, "key": random.choice(("wrong", "k")),
            "control_key": "wrong", "topic": random.choice((name, *PATTERNS)),
        }.get(key, name)
        for key in signature
        if key in ("name", "topic", "procedure", "channel", "key", "control_key", "prefix", "options",
        "subscription", "registration", "session", "args", "kwargs",
                   "signature", "authid", "id", "public", "lifetime")
    }  # fmt: skip
    if "on_owner_leave" in signature:
        # Else what is left on one of them is what the next one finds.
        kwargs["on_owner_leave"] = "delete"
    return [48, number, {}, procedure, [], kwargs]


def _request(random: Random) -> bytes:
    name = random.choice(NAMES)
    key = random.choice(("", "?key=wrong&wait=0", "?last=5&wait=0", "?after=0:0&wait=0", "?wait=0"))
    body = random.choice(({"network": name, "data": {}}, {"topic": name, "args": [1]}))
    fields = random.choice(
        ([], ["API-KEY: sample-key"], ["Channel-Key: wrong"], ["API-KEY: sample-key", "Channel-Key: wrong"])
    )
    return random.choice(
        (
            request("GET", f"/channels/{name}", b"", fields),
            request("GET", f"/channels?prefix={random.choice(PATTERNS)}", b"", fields),
            request("GET", f"/listen/{name}{key or '?wait=0'}", b"", fields),
            request("POST", "/publish", json.dumps(body).encode(), fields),
        )
    )


def _without_id(answer: list[Any], asked: list[Any]) -> list[Any]:
    """Ids count through the server: how many there are is no secret."""
    if answer[0] == 50 and asked[3].startswith(("wamp.subscription.", "wamp.registration.")):
        return [50, re.sub(r"\d+", "#", str(answer[3:]))] if "count" not in asked[3] else answer
    return (
        answer[:2]
        if answer[0] in (17, 33, 65)
        else [answer[0], answer[2], *answer[4:]]
        if answer[0] == 36
        else [68, answer[1], *answer[3:]]
        if answer[0] == 68
        else answer
    )


NEW = re.compile(r"[0-9a-f]{12,}|[A-Za-z0-9_-]{20,}|\d{4}-\d\d-\d\dT[\d:.+Z-]*|[0-9a-z]+:\d+|\d{5,}")


def normal(value: Any) -> Any:
    """``value`` without what is new each time: ids, dates, keys, epochs."""
    if isinstance(value, dict):
        return {key: normal(item) for key, item in sorted(value.items()) if key not in ("age", "uptime")}
    if isinstance(value, (list, tuple)):
        return [normal(item) for item in value]
    if isinstance(value, str):
        return NEW.sub("…", value)
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and value > 1000):
        return "#"
    return value


# --- roles --------------------------------------------------------------------------------------------

ROLES = 20
ACTIONS = ("subscribe", "publish", "call", "register")
PARTS = ("a", "b", "c")


def random_roles(random: Random, count: int = ROLES) -> list[dict[str, list[str]]]:
    """Roles with a few patterns for each action, and some that are denied."""
    return [
        {action: [_pattern(random) for _ in range(random.randrange(3))] for action in (*ACTIONS, "deny")}
        for _ in range(count)
    ]


def _pattern(random: Random) -> str:
    parts = [random.choice(PARTS) for _ in range(random.randrange(1, 4))]
    kind = random.randrange(5)
    if kind == 0:
        return ".".join(parts)
    if kind == 1:
        return "*"
    if kind == 2 and len(parts) > 1:
        parts[random.randrange(len(parts))] = ""
        return ".".join(parts)
    return ".".join([*parts, "*"])


def roles_config(roles: list[dict[str, list[str]]]) -> str:
    """The configuration that has them: users r0, r1, …"""
    lines = ["[realms.radio]", "[realms.radio.roles.owner]", *(f'{action} = ["*"]' for action in ACTIONS)]
    lines += ["[realms.radio.users.owner]", 'role = "owner"', 'ticket = "owner-ticket"']
    for number, role in enumerate(roles):
        lines += [
            f"[realms.radio.roles.r{number}]",
            *(f"{key} = {json.dumps(patterns)}" for key, patterns in role.items()),
        ]
        lines += [f"[realms.radio.users.r{number}]", f'role = "r{number}"', f'ticket = "r{number}-ticket"']
    return "\n".join(lines) + "\n"


def falls_under(uri: str, pattern: str) -> bool:
    """The reference: what docs/configuration.md says of patterns, in the simplest words."""
    if pattern in ("*", uri):
        return True
    if pattern.endswith(".*"):
        return uri.startswith(pattern[:-1])
    parts, wanted = uri.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(
        want in ("", part) for part, want in zip(parts, wanted, strict=True)
    )


def all_fall_under(asked: str, match: str, pattern: str) -> bool:
    """Whether all that ``asked`` may stand for falls under ``pattern``: tried with what there may be."""
    if match == "exact":
        return falls_under(asked, pattern)
    ends = ("", "z", "zz", ".z", ".z.z", "z.z", "z.z.z.z", "a", "a.a", ".a", "b.a.z")
    if match == "prefix":
        uris = [asked + end for end in ends]
    else:
        uris = [asked]
        for word in ("z", "zz", "a"):
            uris.append(".".join(part or word for part in asked.split(".")))
        uris = uris[1:]
    return all(falls_under(uri, pattern) for uri in uris if uri and "" not in uri.split("."))


def allows(role: dict[str, list[str]], action: str, asked: str, match: str = "exact") -> bool:
    """Whether the role may do it."""
    if match == "exact":
        denied = any(falls_under(asked, pattern) for pattern in role["deny"])
    else:
        denied = action == "register" and bool(role["deny"])
    return not denied and any(all_fall_under(asked, match, pattern) for pattern in role[action])


def compare_roles(oracle: Oracle, roles: list[dict[str, list[str]]], random: Random) -> None:
    """One user asks for much, and gets what the reference says. Raises: Finding."""
    number = random.randrange(len(roles))
    pipe = WebSocket(oracle.target.port, "json")
    pipe.join(f"r{number}")
    for count in range(1, 25):
        action = random.choice(ACTIONS)
        parts = [random.choice(PARTS) for _ in range(random.randrange(1, 5))]
        match = (
            random.choice(("exact", "exact", "prefix", "wildcard"))
            if action in ("subscribe", "register")
            else "exact"
        )
        if match == "wildcard":
            parts[random.randrange(len(parts))] = ""
        uri = ".".join(parts) + ("." if match == "prefix" and random.random() < 0.5 else "")
        code = {"subscribe": 32, "publish": 16, "call": 48, "register": 64}[action]
        options: dict[str, Any] = (
            {"acknowledge": True} if code == 16 else {} if match == "exact" else {"match": match}
        )
        answer = pipe.ask([code, count, options, uri])
        is_allowed = answer[0] != 8 or answer[4] != "wamp.error.not_authorized"
        expected = allows(roles[number], action, uri, match)
        if is_allowed != expected:
            raise Finding(
                f"{action} {match} {uri!r}, {roles[number]}: allowed {is_allowed}, not {expected}: {answer}"
            )
    pipe.close()
