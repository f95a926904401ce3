"""Access at run time, from an administrator's call to the bytes that others get."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.http import Answer, post
from support.logins import AWKWARD
from support.memory import HELLO, RawSocketWire, WebSocketWire
from twisted.logger import capturedLogs, formatEvent

from radiod import config
from radiod.access.by import By
from radiod.access.secrets import make_secret
from radiod.auth.scram import SPECIFIED, make_scram
from radiod.core.promises import Promise
from radiod.service.access import USED_S

ADMIN = """
[realms.radio.roles.boss]
call = ["radiod.admin.*"]

[realms.radio.users.boss]
role = "boss"
ticket = "boss-ticket"

[realms.radio.roles.member]
subscribe = ["news.*"]
"""
DENIED, FAILED = "wamp.error.authentication_denied", "wamp.error.authentication_failed"
NO_MATCH = "wamp.error.no_matching_auth_method"


@pytest.fixture(params=[WebSocketWire, RawSocketWire], ids=["websocket", "rawsocket"])
def connect(request, world):
    return lambda: world.connect(request.param)


@pytest.fixture
def world(world):
    world.start(ADMIN)
    # No thread is needed where nobody waits.
    world.radio.access.scrypt._work = at_once
    return world


def at_once(work):
    promise = Promise()
    promise.settle(work())
    return promise


def hello(method, authid, realm="radio", **extra):
    return [1, realm, {**HELLO[2], "authmethods": [method], "authid": authid, "authextra": extra}]


def login(wire, authid, ticket, *, is_slow=False):
    """What a login by ticket ends in: WELCOME's details, or ABORT's URI; None: nothing yet, which is_slow."""
    answer = wire.ask(hello("ticket", authid))
    if answer[0] == 4:
        wire.say([5, ticket, {}])
        answer = [None] * 3 if is_slow else wire.heard()[0]
    return answer[2]


@pytest.fixture
def boss(world):
    """Calls ``radiod.admin.`` and something."""
    wire = world.connect(WebSocketWire)
    assert login(wire, "boss", "boss-ticket")["authid"] == "boss"

    def call(procedure, *args, **kwargs):
        answer = wire.ask([48, None, {}, f"radiod.admin.{procedure}", list(args), kwargs])
        if answer[0] == 8:
            return answer[4]
        return answer[3][0]

    return call


class TestKeys:
    def test_a_key_opens_a_session_with_its_rights(self, boss, connect):
        issued = boss("key.issue", listen=["news.*"], publish=["news.local"], register=["mine"])
        wire = connect()
        welcome = login(wire, issued["id"], issued["key"])
        assert {name: welcome[name] for name in ("authid", "authrole", "authmethod", "authprovider")} == {
            "authid": issued["id"],
            "authrole": f"key:{issued['id']}",
            "authmethod": "ticket",
            "authprovider": "managed",
        }
        told = [
            wire.ask(message)[0]
            for message in (
                [32, None, {}, "news.world"],
                [32, None, {}, "other"],
                [16, None, {"acknowledge": True}, "news.local"],
                [16, None, {"acknowledge": True}, "news.world"],
                [64, None, {}, "mine"],
                [48, None, {}, "radiod.admin.key.list"],
            )
        ]
        assert told == [33, 8, 17, 8, 65, 8]
        assert boss("key.get", issued["id"])["sessions"] == 1

    def test_a_key_of_the_configuration_does_too(self, world, connect):
        wire = connect()
        welcome = login(wire, "sample", "sample-key")
        assert (welcome["authid"], welcome["authrole"]) == ("sample", "key:sample")
        assert welcome["authprovider"] == "static"
        assert wire.ask([16, None, {"acknowledge": True}, "sample_net"])[0] == 17

    @pytest.mark.parametrize("ticket", ["", "sample-key ", "other", "joe-ticket", "rdk_" + 49 * "0"])
    def test_nothing_else_opens_it(self, world, connect, ticket):
        assert login(connect(), "sample", ticket) == DENIED

    def test_the_secret_of_another_key_does_not(self, boss, connect):
        one, other = boss("key.issue"), boss("key.issue")
        assert login(connect(), one["id"], other["key"]) == DENIED
        assert login(connect(), "joe", one["key"]) == DENIED
        assert login(connect(), "nobody", one["key"]) == DENIED

    def test_an_old_secret_was_rotated(self, boss, connect):
        issued = boss("key.issue")
        rotated = boss("key.rotate", issued["id"], overlap=0)
        assert login(connect(), issued["id"], issued["key"]) == FAILED
        assert login(connect(), issued["id"], rotated["key"])["authid"] == issued["id"]

    def test_it_ends_with_a_reason(self, world, boss, connect):
        issued = boss("key.issue", listen=["*"])
        wire = connect()
        login(wire, issued["id"], issued["key"])
        assert boss("key.revoke", issued["id"], "contract ended")["ended"] == 1
        goodbye = wire.heard()[0]
        assert goodbye[0] == 6
        assert goodbye[2] == "radiod.close.revoked"
        assert login(connect(), issued["id"], issued["key"]) == FAILED

    def test_it_publishes_over_http_until_it_may_not(self, world, boss):
        issued = boss("key.issue", publish=["news"])

        def publish():
            body = {"network": "news", "data": {"a": 1}}
            wire = world.ask(post("/publish", body, f"API-KEY: {issued['key']}"))
            answer = Answer(wire.received())
            return answer.status, json.loads(answer.body)

        assert publish()[0] == 200
        boss("key.suspend", issued["id"])
        status, said = publish()
        assert status == 400
        assert (said["error"], said["reason"]) == ("API-KEY not valid", "suspended")
        boss("key.resume", issued["id"])
        assert publish()[0] == 200

    def test_a_session_has_the_keys_new_rights(self, boss, connect):
        issued = boss("key.issue", listen=["news.*"])
        wire = connect()
        login(wire, issued["id"], issued["key"])
        wire.ask([32, None, {}, "news.world"])
        boss("key.update", issued["id"], listen=["sport.*"])
        told = [wire.ask([32, None, {}, topic])[0] for topic in ("news.world", "sport.today")]
        assert told == [8, 33]

    def test_one_thousand_sessions_end_and_nobody_else(self, world):
        world.start(ADMIN, max_connections_per_address=2000)
        boss = administrator(world)
        issued, other = boss("key.issue", listen=["*"]), boss("key.issue", listen=["*"])
        gone = [world.connect(RawSocketWire) for _ in range(1000)]
        for wire in gone:
            login(wire, issued["id"], issued["key"])
        stays = world.connect(RawSocketWire)
        login(stays, other["id"], other["key"])
        holder = world.radio.keys.by_id(issued["id"]).holder
        assert holder.connections == 1000
        world.radio.access.keys.revoke(By("boss", ""), issued["id"], "")
        world.wait(0.5)
        assert holder.connections == 0
        assert {wire.heard()[0][2] for wire in gone} == {"radiod.close.revoked"}
        assert stays.heard() == []
        assert stays.ask([48, None, {}, "radiod.echo"])[0] == 8


class TestConfiguration:
    @pytest.mark.parametrize("act", ["update", "rotate", "suspend", "resume", "revoke"])
    def test_its_keys_are_not_changed(self, boss, act):
        assert boss(f"key.{act}", "sample") == "wamp.error.invalid_argument"

    def test_its_keys_are_listed(self, boss):
        told = boss("key.get", "sample")
        assert (told["id"], told["account"], told["realm"]) == ("sample", "sample", "radio")
        assert told["publish"] == ["sample_net", "other_net", "other"]
        (secret,) = told["secrets"]
        assert secret["hint"] == ""
        assert [key["id"] for key in boss("key.list")["keys"]] == ["sample"]

    @pytest.mark.parametrize("act", ["suspend", "resume", "delete"])
    def test_its_users_are_not_changed(self, boss, act):
        assert boss(f"user.{act}", "joe") == "wamp.error.invalid_argument"
        assert boss("user.set", "joe", "member", ticket="x") == "wamp.error.invalid_argument"

    def test_its_users_are_listed_by_realm(self, boss):
        told = [(user["authid"], user["realm"], user["methods"]) for user in boss("user.list")["users"]]
        assert told == [
            ("boss", "radio", ["ticket"]),
            ("joe", "closed", ["ticket"]),
            ("joe", "radio", ["ticket"]),
            ("listener", "radio", ["ticket"]),
        ]

    def test_its_accounts_are_not_changed(self, world):
        world.start('[accounts.acme]\nlabel = "ACME Ltd"\nplan = "x"\n[plans.x]\n' + ADMIN)
        book = world.radio.access.book
        assert book.get("acme")["label"] == "ACME Ltd"
        for act in (lambda: book.set(None, "acme", None, ""), lambda: book.suspend(None, "acme", "")):
            with pytest.raises(Exception, match="the configuration's"):
                act()

    def test_everybody_is_on_an_account(self, world, boss):
        told = [account["id"] for account in boss("account.list")["accounts"]]
        assert told == ["anonymous", "boss", "joe", "listener", "sample"]
        world.join()
        assert boss("account.get", "anonymous")["connections"] == 1

    def test_a_key_that_was_mistyped_is_told(self, world):
        secret = make_secret()
        wrong = secret[:-1] + ("a" if secret[-1] != "a" else "b")
        with pytest.raises(config.ConfigError, match=r"realms\.radio\.keys\.sample\.key: .*mistyped"):
            world.start(f'[realms.radio.keys.sample]\nkey = "{wrong}"')
        world.start(f'[realms.radio.keys.sample]\nkey = "{secret}"')
        assert login(world.connect(WebSocketWire), "sample", secret)["authid"] == "sample"

    def test_a_key_of_dates_and_places(self, world):
        world.start(
            """
            [realms.radio.keys.sample]
            valid_until = 1577836800
            addresses = ["192.0.2.0/24"]
            """
        )
        key = world.radio.keys.by_id("sample")
        assert key.holder.refused == "expired"


class TestAccounts:
    def test_all_of_a_suspended_account_ends(self, world, boss, connect):
        boss("account.set", "acme", label="ACME Ltd")
        issued = boss("key.issue", account="acme", listen=["*"])
        boss("user.set", "ann", "member", account="acme", ticket="ann-ticket")
        wires = [connect(), connect()]
        login(wires[0], issued["id"], issued["key"])
        login(wires[1], "ann", "ann-ticket")
        assert boss("account.suspend", "acme", "late")["ended"] == 2
        assert [wire.heard()[0][2] for wire in wires] == ["radiod.close.suspended"] * 2
        assert login(connect(), "ann", "ann-ticket") == FAILED
        boss("account.resume", "acme")
        assert login(connect(), "ann", "ann-ticket")["authid"] == "ann"

    def test_strangers_are_on_an_account_too(self, world, boss, connect):
        stranger = connect()
        stranger.join()
        assert boss("account.suspend", "anonymous")["ended"] == 1
        assert stranger.heard()[0][2] == "radiod.close.suspended"
        assert connect().ask(HELLO)[2] == FAILED


class TestUsers:
    def test_a_user_logs_in_by_ticket(self, boss, connect):
        told = boss("user.set", "ann", "member", ticket="ann-ticket")
        assert told["methods"] == ["ticket"]
        wire = connect()
        welcome = login(wire, "ann", "ann-ticket")
        assert (welcome["authid"], welcome["authrole"], welcome["authprovider"]) == (
            "ann",
            "member",
            "managed",
        )
        assert [wire.ask([32, None, {}, topic])[0] for topic in ("news.world", "other")] == [33, 8]

    @pytest.mark.parametrize("wrong", [each for each in AWKWARD if isinstance(each, str)])
    def test_a_wrong_ticket_is_refused(self, boss, connect, wrong):
        boss("user.set", "ann", "member", ticket="ann-ticket")
        assert login(connect(), "ann", wrong) == DENIED

    def test_a_user_logs_in_by_scram(self, boss, connect):
        made = make_scram("pencil", "argon2id13", bytes(range(16)), 4, 512, SPECIFIED)
        scram = {
            "kdf": made.kdf,
            "salt": made.salt.hex(),
            "iterations": made.iterations,
            "memory": made.memory,
            "stored_key": made.stored_key.hex(),
            "server_key": made.server_key.hex(),
        }
        boss("user.set", "ann", "member", scram=scram)
        told = [connect().ask(hello("wamp-scram", authid, nonce="abcd"))[2] for authid in ("ann", "nobody")]
        assert [(each["kdf"], each["iterations"], each["memory"]) for each in told] == [
            ("argon2id13", 4, 512)
        ] * 2

    def test_a_user_logs_in_by_cryptosign(self, boss, connect):
        key = Ed25519PrivateKey.generate()
        pubkey = key.public_key().public_bytes_raw().hex()
        boss("user.set", "ann", "member", cryptosign=[pubkey])
        for authid in ("ann", None):
            wire = connect()
            challenge = wire.ask(hello("cryptosign", authid, pubkey=pubkey))[2]["challenge"]
            signature = key.sign(bytes.fromhex(challenge)).hex() + challenge
            assert wire.ask([5, signature, {}])[2]["authid"] == "ann"
        assert boss("user.set", "bob", "member", cryptosign=[pubkey]) == "wamp.error.invalid_argument"

    def test_it_is_suspended_and_deleted(self, boss, connect):
        boss("user.set", "ann", "member", ticket="ann-ticket")
        for act, reason in (("suspend", "suspended"), ("delete", "revoked")):
            wire = connect()
            login(wire, "ann", "ann-ticket")
            assert boss(f"user.{act}", "ann")["ended"] == 1
            assert wire.heard()[0][2] == f"radiod.close.{reason}"
            assert login(connect(), "ann", "ann-ticket") in (FAILED, DENIED, NO_MATCH)
            if act == "suspend":
                boss("user.resume", "ann")
        assert boss("user.suspend", "ann") == "radiod.error.no_such_user"


class TestMethods:
    def offered(self, world, realm="closed"):
        found = []
        for method, extra in (
            ("ticket", {}),
            ("wampcra", {}),
            ("wamp-scram", {"nonce": "abcd"}),
            ("scram", {"nonce": "abcd"}),
            ("cryptosign", {"pubkey": 64 * "0"}),
        ):
            answer = world.connect(WebSocketWire).ask(hello(method, "nobody", realm, **extra))
            if answer[0] == 4:
                found.append(method)
            else:
                assert answer[2] == NO_MATCH
        return found

    def test_those_are_offered_that_somebody_can_use_now(self, world):
        world.start(ADMIN + '[realms.empty]\nanonymous = "listener"\n')
        world.radio.access.scrypt._work = at_once
        boss = administrator(world)
        assert self.offered(world, "empty") == []
        boss("key.issue", realm="empty")
        assert self.offered(world, "empty") == ["ticket"]
        boss("user.set", "ann", "listener", realm="empty", cryptosign=[64 * "1"])
        assert self.offered(world, "empty") == ["ticket", "cryptosign"]
        boss("user.delete", "ann", realm="empty")
        assert self.offered(world, "empty") == ["ticket"]


class TestTime:
    """Whoever does not exist, and who has another kind of ticket, takes as long as a user with scrypt."""

    @pytest.fixture
    def work(self, world):
        asked = []

        def work(job):
            asked.append(job)
            return at_once(job)

        world.radio.access.scrypt._work = work
        return asked

    def test_wrong_tickets_all_cost_the_same(self, boss, connect, work):
        issued = boss("key.issue")
        boss("user.set", "ann", "member", ticket="ann-ticket")
        work.clear()
        for authid in ("ann", "nobody", "joe", "sample", issued["id"], "k_123456789012"):
            assert login(connect(), authid, "wrong") == DENIED
            assert len(work) == 1, authid
            work.clear()

    def test_without_such_users_nobody_waits(self, connect, work):
        for authid in ("nobody", "joe", "sample"):
            assert login(connect(), authid, "wrong") == DENIED
        assert work == []

    def test_too_many_at_once_are_refused(self, world, connect):
        world.start(ADMIN, max_connections_per_address=2000)
        world.radio.access.scrypt._work = at_once
        administrator(world)("user.set", "ann", "member", ticket="ann-ticket")
        world.radio.access.scrypt._work = lambda job: Promise()
        told = [login(connect(), "ann", "x", is_slow=True) for _ in range(200)]
        # One address gets half of the 256 seats.
        assert told == [None] * 128 + ["radiod.error.quota"] * 72
        assert world.radio.statistics.refused["logins"] == 72


def administrator(world):
    wire = world.connect(WebSocketWire)
    login(wire, "boss", "boss-ticket")

    def call(procedure, *args, **kwargs):
        answer = wire.ask([48, None, {}, f"radiod.admin.{procedure}", list(args), kwargs])
        return answer[4] if answer[0] == 8 else answer[3][0]

    return call


def test_uses_of_keys_are_written_down_from_time_to_time(world, boss, connect):
    issued = boss("key.issue")
    world.radio.access.start()
    login(connect(), issued["id"], issued["key"])
    assert last_written(world, issued["id"]) is None
    world.wait(USED_S)
    assert last_written(world, issued["id"]) == boss("key.get", issued["id"])["secrets"][0]["last_used"]
    world.radio.access.stop()


def last_written(world, key):
    """When the store has it that the one secret of a key was used last."""
    [secret] = [each for each in world.radio.access.desk.store.load().secrets if each.key == key]
    return secret.last_used


def test_who_asks_is_told_of_uses_at_once(world, boss, connect):
    issued = boss("key.issue")
    assert boss("key.get", issued["id"])["secrets"][0]["last_used"] is None
    login(connect(), issued["id"], issued["key"])
    assert boss("key.get", issued["id"])["secrets"][0]["last_used"] is not None
    [listed] = [each for each in boss("key.list")["keys"] if each["id"] == issued["id"]]
    assert listed["secrets"][0]["last_used"] is not None


def test_that_the_clock_was_set_back_is_logged(world):
    with capturedLogs() as logged:
        world.radio.access.calendar.on_set_back()
    assert "the clock was set back: dates of keys are looked at again" in map(formatEvent, logged)
