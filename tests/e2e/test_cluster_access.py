"""Access that real nodes share: keys, tokens, limits, cookies, and requests that are repeated."""

import contextlib
import json
import sys
import time

import pytest
import requests
from engine.nats.servers import Servers
from support import nursery
from support.cluster.running import node
from support.running import ROOT, environment
from support.signing import signed_query
from support.sockets import RawClient
from support.tokens import token as sign

pytestmark = pytest.mark.e2e

SECONDS = 30

CONFIG = """
[[listen]]
endpoint = "tcp:8080:interface=127.0.0.1"

[store]
path = "{name}.db"

[realms.radio]
cookie_lifetime_s = 60

[realms.radio.roles.reader]
subscribe = ["*"]

"""


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three nodes, each with a store of its own, that nobody stops."""
    folder = tmp_path_factory.mktemp("access")
    with contextlib.ExitStack() as stack:
        servers = stack.enter_context(Servers(folder / "nats"))
        secret = f'secret = "{"s" * 44}"\n'
        found = [
            stack.enter_context(node(folder, name, servers.urls, CONFIG.format(name=name), more=secret))
            for name in "abc"
        ]
        for one in found:
            one.wait_ready()
        yield found
        assert "Traceback" not in "".join(one.log for one in found)


def radioctl(node, *command):
    """What radioctl answers on a node's admin socket, as JSON."""
    file = node.server.log.with_suffix(".toml")
    told = nursery.run(
        [sys.executable, "-m", "radiod.ctl", "--config", str(file), *command, "--json"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    return json.loads(told.stdout)


def publish(node, key, **more):
    return requests.post(
        f"{node.server.url}/publish",
        json={"topic": "a.b", "args": [1]},
        headers={"API-KEY": key, **more},
        timeout=SECONDS,
    )


class TestKeys:
    def test_a_key_works_everywhere_once_radioctl_has_answered_and_ends_everywhere(self, three):
        issued = radioctl(three[0], "key", "issue", "--publish", "a.*", "--listen", "a.*")
        answers = [publish(one, issued["key"]) for one in three]
        assert [answer.status_code for answer in answers] == [200] * 3
        clients = [RawClient(one.server.port, login=(issued["id"], issued["key"])) for one in three]
        told = radioctl(three[2], "key", "get", issued["id"])
        assert (told["sessions"], "unanswered" in told) == (3, False)
        assert told["secrets"][0]["last_used"] is not None
        assert radioctl(three[1], "key", "revoke", issued["id"])["state"] == "revoked"
        for client in clients:
            goodbye = client.hear()
            assert (goodbye[0], goodbye[2]) == (6, "radiod.close.revoked")
            client.close()
        answers = [publish(one, issued["key"]) for one in three]
        assert [answer.json()["reason"] for answer in answers] == ["revoked"] * 3


class TestTokens:
    def test_what_a_customer_or_any_node_signs_is_good_on_all_until_the_key_ends(self, three):
        issued = radioctl(three[0], "key", "issue", "--listen", "a.*", "--signed")
        plain = radioctl(three[1], "key", "issue", "--listen", "a.*")
        signed = sign("a.*", secret=issued["signing"], kid=issued["id"])
        given = [token_of(one, key["key"]) for one in three for key in (issued, plain)]
        for token in (signed, *given):
            assert [listen(one, token).status_code for one in three] == [204] * 3
        for key in (issued, plain):
            radioctl(three[2], "key", "revoke", key["id"])
        for token in (signed, *given):
            assert [listen(one, token).json()["reason"] for one in three] == ["revoked"] * 3
        assert not any("secret" in line for one in three for line in one.log.splitlines())


class TestSignedRequests:
    def test_one_that_was_sent_to_a_node_counts_on_no_other_a_moment_later(self, three):
        issued = radioctl(three[0], "key", "issue", "--publish", "a.*", "--signed")
        body = b'{"topic": "a.b", "args": [1]}'
        query = signed_query(body, secret=issued["signing"], key=issued["id"])
        statuses = [send_signed(three[1], query, body)]
        # Of what comes behind this answer the others know what came before.
        radioctl(three[1], "cluster", "--check")
        statuses += [send_signed(one, query, body) for one in three]
        assert statuses == [200, 401, 401, 401]


def send_signed(node, query, body):
    answer = requests.post(f"{node.server.url}/publish?{query}", data=body, timeout=SECONDS)
    return answer.status_code


def token_of(node, key):
    """What POST /tokens of a node gives."""
    answer = requests.post(
        f"{node.server.url}/tokens", json={"listen": ["a.*"]}, headers={"API-KEY": key}, timeout=SECONDS
    )
    return answer.json()["token"]


def listen(node, token):
    """The answer to a poll that does not wait."""
    return requests.get(f"{node.server.url}/listen/a.b", params={"token": token, "wait": 0}, timeout=SECONDS)


class TestPlans:
    def test_a_quota_and_usage_are_those_of_all_nodes(self, three):
        radioctl(three[0], "plan", "set", "small", "publish_day=6")
        radioctl(three[0], "account", "set", "acme", "--plan", "small")
        issued = radioctl(three[1], "key", "issue", "--account", "acme", "--publish", "a.*")
        for one in three:
            assert [publish(one, issued["key"]).status_code for _ in range(2)] == [200, 200]

        def is_refused(one):
            assert publish(one, issued["key"]).status_code == 429

        for one in three:
            wait_for(lambda one=one: is_refused(one))
        (row,) = radioctl(three[2], "usage", "--account", "acme")["rows"]
        # Until they heard of each other some more came through, and no more than that.
        assert 6 <= row["published"] <= 3 * 6


class TestCookies:
    def test_who_logged_in_at_one_node_comes_back_to_another_until_the_key_ends(self, three):
        issued = radioctl(three[0], "key", "issue", "--listen", "a.*")
        first = RawClient(three[0].server.port, login=(issued["id"], issued["key"]))
        for one in three[1:]:
            again = wait_for(lambda one=one: RawClient(one.server.port, cookie=first.cookie))
            assert again.authid == issued["id"]
            again.close()
        radioctl(three[1], "key", "revoke", issued["id"])
        for one in three:
            with pytest.raises(AssertionError):
                RawClient(one.server.port, cookie=first.cookie)
        first.close()


def wait_for(what):
    """What comes of this once it does not fail any more."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            return what()
        except AssertionError:
            if time.monotonic() > until:
                raise


class TestRepeatedRequests:
    def test_a_request_that_is_sent_to_all_nodes_is_done_once(self, three):
        issued = radioctl(three[0], "key", "issue", "--publish", "a.*", "--listen", "a.*")
        listener = RawClient(three[2].server.port, login=(issued["id"], issued["key"]))
        assert listener.ask([32, None, {}, "a.b"])[0] == 33
        fields = {"Idempotency-Key": "one"}
        answers = [publish(one, issued["key"], **fields) for one in three]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert [answer.headers.get("Idempotency-Replayed") for answer in answers] == [None, "true", "true"]
        assert len({answer.content for answer in answers}) == 1
        publish(three[0], issued["key"], **{"Idempotency-Key": "two"})
        assert [listener.hear()[0] for _ in range(2)] == [36, 36]
        listener.say([32, None, {}, "a.c"])
        assert listener.hear()[0] == 33
        listener.close()
