"""Access on the real server and disk: what was answered survives kill -9, and no secret is written."""

import contextlib
import json
import os
import random
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from support.config import configuration
from support.running import radiod
from support.sweeps import sweep

from radiod.ctl.links import open_unix
from radiod.ctl.session import Session
from radiod.store.repair import WHOLE, check

pytestmark = pytest.mark.e2e

SECONDS = 60
MAYBE = "maybe"


@contextlib.contextmanager
def admin(folder):
    """A session by the admin socket."""
    link = open_unix(str(folder / "radiod-admin.sock"), SECONDS)
    session = Session(link, "radio", authid=None, ticket=None, seconds=SECONDS)
    try:
        yield session
    finally:
        session.close()


def config(folder):
    return configuration(
        f"[admin]\nsocket = {json.dumps(str(folder / 'radiod-admin.sock'))}\n"
        f"[store]\npath = {json.dumps(str(folder / 'store.sqlite'))}\n"
    )


def without(description, *names):
    return {name: value for name, value in description.items() if name not in names}


class Seller:
    """Calls what changes access, and remembers what it was answered."""

    def __init__(self, chance):
        self.chance = chance
        self.number = 0
        self.keys = {}
        self.accounts = {}
        self.plans = {}
        self.users = {}
        self.acts = []
        # Key -> its last secret, of those that are let in.
        self.secrets = {}

    def call(self, session, procedure, object, **asked):
        answer = session.call(f"radiod.admin.{procedure}", **asked)
        self.acts.append((procedure, answer.get("id", object)))
        return answer

    def sell(self, session):
        """One change, and its answer."""
        self.number += 1
        does = [self.issue, self.set_account, self.set_plan, self.set_user]
        if self.keys:
            does += [self.update, self.rotate, self.suspend, self.resume, self.revoke]
        self.chance.choice(does)(session, f"x{self.number}")

    def issue(self, session, name):
        account = self.chance.choice([None, *self.accounts])
        answer = self.call(
            session,
            "key.issue",
            "",
            account=account,
            publish=["sold.*"],
            listen=["sold.*"],
            label=name,
            signed=True,
        )
        self.secrets[answer["id"]] = answer["key"]
        self.keys[answer["id"]] = without(answer, "key", "signing", "sessions")

    def some(self, *states):
        found = [id for id, key in self.keys.items() if key["state"] in states]
        return self.chance.choice(found) if found else None

    def update(self, session, name):
        if id := self.some("active", "suspended"):
            self.keys[id] = without(self.call(session, "key.update", id, id=id, label=name), "sessions")

    def rotate(self, session, name):
        if id := self.some("active"):
            secret = self.call(session, "key.rotate", id, id=id, overlap=3600)["key"]
            self.secrets[id] = secret
            # What it says of its secrets since: asked for, not made up.
            self.keys[id]["secrets"] = secret[-4:]

    def suspend(self, session, name):
        if id := self.some("active"):
            answer = self.call(session, "key.suspend", id, id=id, reason=name)
            self.keys[id] |= {"state": answer["state"], "reason": name}

    def resume(self, session, name):
        if id := self.some("suspended"):
            self.keys[id] |= without(self.call(session, "key.resume", id, id=id), "sessions", "secrets")

    def revoke(self, session, name):
        if id := self.some("active", "suspended"):
            answer = self.call(session, "key.revoke", id, id=id, reason=name)
            self.keys[id] |= {"state": answer["state"], "reason": name}

    def set_account(self, session, name):
        self.accounts[name] = self.call(session, "account.set", name, id=name, label=f"{name} Ltd")

    def set_plan(self, session, name):
        self.plans[name] = self.call(session, "plan.set", name, name=name, publish_rate=self.number)

    def set_user(self, session, name):
        asked = {"authid": name, "role": "listener", "ticket": f"ticket of {name}"}
        self.users[name] = self.call(session, "user.set", name, **asked)

    def must_find(self, server, session):
        """Everything is as it was answered, and each act is in the audit, in order."""
        for id, expected in self.keys.items():
            found = session.call("radiod.admin.key.get", id=id)
            if isinstance(expected["secrets"], str):
                assert expected["secrets"] in [secret["hint"] for secret in found["secrets"]]
                expected = expected | {"secrets": found["secrets"]}
            assert without(found, "sessions") == expected
            assert published(server, self.secrets[id]) == (found["state"] == "active")
        for listing, of, expected in (
            ("account.list", "accounts", self.accounts),
            ("plan.list", "plans", self.plans),
            ("user.list", "users", self.users),
        ):
            rows = session.call(f"radiod.admin.{listing}")[of]
            found = {row.get("id", row.get("name", row.get("authid"))): row for row in rows}
            for name, told in expected.items():
                assert told.items() <= found[name].items()
        entries, after = [], 0
        while page := session.call("radiod.admin.audit", after=after, limit=1000)["entries"]:
            entries += page
            after = page[-1]["seq"]
        assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
        acts = [(entry["action"], entry["object"]) for entry in entries]
        assert [act for act in acts if MAYBE not in act[1]] == self.acts
        assert {entry["actor"] for entry in entries} <= {f"socket:{os.getuid()}"}


def published(server, secret):
    """Whether somebody with this key may publish."""
    body = json.dumps({"topic": "sold.thing", "args": [1]}).encode()
    request = urllib.request.Request(f"{server.url}/publish", body, {"API-KEY": secret})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS):
            return True
    except urllib.error.HTTPError as error:
        with error:
            return bool(json.load(error)["error"] != "API-KEY not valid")


@pytest.mark.parametrize("seed", sweep(range(10), short=1))
def test_what_an_admin_call_answered_survives_each_of_five_kills(tmp_path, seed):
    chance = random.Random(seed)
    seller = Seller(chance)
    for number in range(6):
        with radiod(tmp_path, config(tmp_path)) as server, admin(tmp_path) as session:
            seller.must_find(server, session)
            if number == 5:
                break
            for _ in range(chance.randint(1, 12)):
                seller.sell(session)
            if chance.random() < 0.5:
                # Nobody was told of this one: it is there wholly, or not at all.
                session._say(48, 10_000, {}, "radiod.admin.account.set", [], {"id": f"{MAYBE}{number}"})
            server.process.kill()
            server.process.wait(SECONDS)
    said = []
    assert check(str(tmp_path / "store.sqlite"), said.append) == WHOLE, said


def test_no_secret_of_a_key_is_in_a_file_or_in_the_log(tmp_path):
    secrets, tickets = [], ["ticket-of-a-customer"]
    with radiod(tmp_path, config(tmp_path)) as server, admin(tmp_path) as session:
        session.call("radiod.admin.account.set", id="acme")
        issued = session.call("radiod.admin.key.issue", publish=["sold.*"], listen=["sold.*"], account="acme")
        secrets.append(issued["key"])
        assert published(server, issued["key"])
        rotated = session.call("radiod.admin.key.rotate", id=issued["id"], overlap=3600)
        secrets.append(rotated["key"])
        assert all(published(server, secret) for secret in secrets)
        session.call("radiod.admin.key.suspend", id=issued["id"])
        assert not published(server, issued["key"])
        session.call("radiod.admin.user.set", authid="customer", role="listener", ticket=tickets[0])
        # Mistyped, and of another server.
        assert not published(server, f"{secrets[0][:-1]}!")
        with pytest.raises(Exception, match="no key"):
            session.call("radiod.admin.key.get", id=secrets[0])
        session.call("radiod.admin.backup", path=str(tmp_path / "copy.sqlite"))
        assert_in_no_file(tmp_path, [*secrets, *tickets])
        server.process.kill()
        server.process.wait(SECONDS)
        assert_in_no_file(tmp_path, [*secrets, *tickets])
    with radiod(tmp_path, config(tmp_path)) as server, admin(tmp_path) as session:
        session.call("radiod.admin.key.resume", id=issued["id"])
        assert all(published(server, secret) for secret in secrets)
        assert server.stop() == 0
    assert_in_no_file(tmp_path, [*secrets, *tickets])


def assert_in_no_file(folder, secrets):
    files = [path for path in folder.iterdir() if path.is_file()]
    assert {"store.sqlite", "copy.sqlite"} <= {path.name for path in files}
    assert any(path.suffix == ".log" and path.stat().st_size for path in files)
    for path in files:
        data = path.read_bytes()
        for secret in secrets:
            # Not even most of it.
            part = secret.removeprefix("rdk_")[:24]
            assert len(part) > 10
            assert not re.search(re.escape(part.encode()), data, re.IGNORECASE), f"{path.name} has a secret"


def test_the_search_would_find_one(tmp_path):
    for name in ("store.sqlite", "copy.sqlite", "a.log"):
        Path(tmp_path / name).write_bytes(b"x rdk_" + b"a" * 49)
    with pytest.raises(AssertionError, match="has a secret"):
        assert_in_no_file(tmp_path, ["rdk_" + "a" * 49])
