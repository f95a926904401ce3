"""Handles that are good for those who may still have them, and for nobody else."""

import json
import re

import pytest
from msgspec.structs import replace
from support import http
from support.http import Answer
from support.lives import Life
from support.memory import HELLO, WebSocketWire, upgrade
from support.signing import KEYS, signed_query

from radiod.core.rights import Principal
from radiod.service.webhooks import Webhooks
from radiod.webhooks.waiting import Letter

COOKIES = "[realms.radio]\ncookie_lifetime_s = 1000\n"
ANN = '[realms.radio.users.ann]\nrole = "listener"\nticket = "ann-ticket"\n'
DYNAMIC = '[realms.radio.dynamic]\nprocedure = "who"\nmethods = ["ticket"]\n'


class Browser(WebSocketWire):
    """A WebSocket whose opening request may bring a cookie; ``given``: the one it is answered with."""

    def __init__(self, life, cookie=None):
        brought = f"Cookie: radiod={cookie}\r\n" if cookie else ""
        self.opening = upgrade("/ws", self.subprotocol, extra=brought)
        super().__init__(life.radio, life.reactor)

    def open(self):
        self.send(self.opening)
        self.given = next(iter(re.findall(r"\r\nSet-Cookie: radiod=(\w+);", self.received().decode())), None)


def hello(*methods, **details):
    return [1, "radio", {**HELLO[2], "authmethods": list(methods), **details}]


class TestCookies:
    @pytest.fixture
    def life(self):
        return Life(COOKIES + ANN)

    @pytest.fixture
    def cookie(self, life):
        """That of a browser in which ann has logged in."""
        browser = Browser(life)
        browser.ask(hello("ticket", authid="ann"))
        assert browser.ask([5, "ann-ticket", {}])[0] == 2
        return browser.given

    def come_back(self, life, cookie):
        """The authid and role of whom the cookie lets in; None: it does not."""
        answer = Browser(life, cookie).ask(hello("cookie", "ticket", authid="ann"))
        return (answer[2]["authid"], answer[2]["authrole"]) if answer[0] == 2 else None

    def test_who_logged_in_comes_back(self, life, cookie):
        after = life.next()
        assert self.come_back(after, cookie) == ("ann", "listener")
        assert self.come_back(after.next(away=997), cookie) == ("ann", "listener")
        assert self.come_back(life.next(away=1000), cookie) is None

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(COOKIES, id="who is no user any more"),
            pytest.param(COOKIES + ANN.replace('"listener"', '"open"'), id="who has another role"),
            pytest.param(ANN, id="anybody, where nobody may come back"),
            pytest.param(
                COOKIES + ANN.replace("ticket", "cryptosign").replace('"ann-cryptosign"', f'["{"1" * 64}"]'),
                id="who may not log in so any more",
            ),
        ],
    )
    def test_nobody_does(self, life, cookie, text):
        after = life.next(text)
        assert self.come_back(after, cookie) is None

    def test_nor_longer_than_is_allowed_now(self, life, cookie):
        after = life.next(COOKIES.replace("1000", "10") + ANN)
        after.reactor.advance(9)
        assert self.come_back(after, cookie) == ("ann", "listener")
        after.reactor.advance(2)
        assert self.come_back(after, cookie) is None

    def test_whom_somebody_else_knows_is_not_asked_for_again(self):
        life = Life(COOKIES + DYNAMIC)
        admission = life.radio.admissions["radio"]
        permissions = admission.roles["listener"]
        principal = Principal(
            authid="ann",
            authrole="listener",
            authmethod="ticket",
            authprovider="dynamic",
            permissions=permissions,
        )
        id = "0" * 32
        admission.cookies.remember(id, principal)
        after = life.next()
        assert self.come_back(after, id) == ("ann", "listener")
        holder = after.radio.admissions["radio"].cookies.recall(id).holder
        assert holder.account is after.radio.access.accounts.of("ann")
        # Nobody is asked any more, or for other methods; or the role, or the method, is gone.
        assert self.come_back(life.next(COOKIES), id) is None
        assert self.come_back(life.next(COOKIES + DYNAMIC.replace("ticket", "scram")), id) is None
        for other in ({"authrole": "gone"}, {"authmethod": "odd"}):
            admission.cookies.remember(id, replace(principal, **other))
            assert self.come_back(life.next(), id) is None


def test_a_signed_request_counts_once_over_a_restart():
    life = Life(KEYS)
    body = json.dumps({"topic": "a", "args": [1]}).encode()
    path = f"/publish?{signed_query(body)}"

    def ask(life):
        return Answer(life.ask(http.post(path, body)).received()).status

    assert ask(life) == 200
    after = life.next()
    assert ask(after) == 401
    assert ask(after.next()) == 401


class TestWebhooks:
    TABLE = """
[realms.radio.webhooks.h]
url = "http://127.0.0.1:9/in"
secret = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
channels = ["sample_net"]
"""

    def test_what_waits_for_one_waits_for_it_afterwards(self):
        life = Life(self.TABLE)
        letters = [Letter("msg_1", b"{}", 2), Letter("msg_2", b"[]")]
        life.radio.webhooks.resume("radio", "h", letters)
        after = life.next()
        assert after.radio.webhooks.kept() == [("radio", "h", letters)]
        assert life.next("").radio.webhooks.kept() == []
        assert isinstance(after.radio.webhooks, Webhooks)
