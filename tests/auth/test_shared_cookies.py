"""Cookies that one node gave, on the others."""

import hashlib

import pytest
from support.cluster.claiming import ClaimWorld

from radiod.auth.shared_cookies import SharedCookieJar
from radiod.core.cluster.claim import Claim
from radiod.core.holders import Account, Holder
from radiod.core.sessions.authentication import BrowserCookie
from radiod.testing import SequentialIds, make_principal

ANN = make_principal("ann", "writer")
COOKIE = "c" * 32


class Jars:
    """Three nodes with a jar each. ``users``: who there is now, by authid, on all of them."""

    def __init__(self, lifetime_s=1000.0):
        self.world = ClaimWorld()
        self.users = {"ann": ANN}
        self.asked = []
        self.all = [
            SharedCookieJar(
                self.world.clock,
                self.world.clock.timers,
                SequentialIds(),
                lifetime_s,
                3,
                realm="radio",
                claims=node.claims,
                returning=self.returning,
            )
            for node in self.world.nodes
        ]

    def returning(self, authid, role, method, provider):
        self.asked.append((authid, role, method, provider))
        return self.users.get(authid)

    def wait(self, seconds=0.1):
        self.world.wait(seconds)

    def who(self, cookie=COOKIE):
        found = [jar.recall(cookie) for jar in self.all]
        return [principal.authid if principal is not None else None for principal in found]


@pytest.fixture
def jars():
    return Jars()


class TestACookie:
    def test_is_good_on_all_nodes_a_moment_later(self, jars):
        jars.all[0].remember(COOKIE, ANN)
        assert jars.who() == ["ann", None, None]
        jars.wait()
        assert jars.who() == ["ann"] * 3
        assert jars.asked == [("ann", "writer", ANN.authmethod, ANN.authprovider)] * 2
        assert jars.all[1].authenticator(COOKIE).begin.__self__ is not None
        assert jars.who("d" * 32) == [None] * 3

    def test_lets_in_with_the_rights_of_now(self, jars):
        jars.all[0].remember(COOKIE, ANN)
        jars.wait()
        jars.users["ann"] = make_principal("ann", "reader")
        assert jars.all[1].recall(COOKIE).authrole == "reader"
        del jars.users["ann"]
        assert jars.who() == ["ann", None, None]

    def test_lies_with_the_engine_as_a_digest(self, jars):
        jars.all[0].remember(COOKIE, ANN)
        jars.wait()
        assert not any(COOKIE.encode() in record.data for record in jars.world.stream.records)

    def test_that_is_forgotten_is_so_everywhere(self, jars):
        jars.all[0].remember(COOKIE, ANN)
        jars.wait()
        jars.all[1].forget(COOKIE)
        assert jars.who() == ["ann", None, "ann"]
        jars.wait()
        assert jars.who() == [None] * 3
        jars.all[2].remember(COOKIE, ANN)
        jars.wait()
        assert jars.who() == ["ann"] * 3

    def test_that_is_forgotten_at_once_is_known_by_nobody(self, jars):
        jars.all[0].remember(COOKIE, ANN)
        jars.all[0].remember(COOKIE, ANN)
        jars.all[0].forget(COOKIE)
        assert jars.who() == [None] * 3
        jars.wait()
        assert jars.who() == [None] * 3

    def test_that_nobody_knows_is_forgotten_without_a_word(self, jars):
        stored = jars.world.stream.seq
        jars.all[0].forget(COOKIE)
        jars.wait()
        assert jars.world.stream.seq == stored

    def test_that_another_logs_in_with_stands_for_nobody(self, jars):
        jars.all[0].bind(BrowserCookie(COOKIE, True), ANN)
        jars.wait()
        jars.all[1].bind(BrowserCookie(COOKIE, False), make_principal("mallory", "writer"))
        jars.wait()
        assert jars.who() == [None] * 3

    def test_of_somebody_who_has_other_rights_now_is_forgotten(self, jars):
        holder = Holder("ann", Account("ann"))
        jars.all[0].remember(COOKIE, ANN)
        jars.all[0].remember("b" * 32, make_principal("bob", "writer"))
        jars.users["bob"] = make_principal("bob", "writer")
        jars.wait()
        jars.all[1].forget_holder(holder)
        jars.wait()
        assert jars.who() == [None] * 3
        assert jars.who("b" * 32) == ["bob"] * 3

    def test_ends_everywhere_at_its_time(self, jars):
        jars.all[0].remember(COOKIE, ANN)
        jars.wait()
        jars.wait(1001)
        assert jars.who() == [None] * 3
        # Those that are over are dropped when another comes.
        jars.all[1].remember("d" * 32, ANN)
        jars.wait()
        assert [len(list(node.claims.of("cookies radio"))) for node in jars.world.nodes] == [1] * 3
        assert jars.who("d" * 32) == ["ann"] * 3


class TestWithoutAMajority:
    def test_a_cookie_is_good_where_it_was_given(self, jars):
        jars.world.engine.elect(100)
        jars.all[0].remember(COOKIE, ANN)
        jars.wait(20)
        assert jars.who() == ["ann", None, None]

    def test_one_that_is_forgotten_is_forgotten_by_the_others_when_they_can_be_told(self, jars):
        jars.all[0].remember(COOKIE, ANN)
        jars.wait()
        jars.world.engine.elect(30)
        jars.all[0].forget(COOKIE)
        jars.all[0].forget(COOKIE)
        jars.wait(20)
        assert jars.who() == [None, "ann", "ann"]
        jars.wait(30)
        assert jars.who() == [None] * 3


def test_what_is_no_cookie_is_nobodys(jars):
    claims = jars.world.nodes[0].claims
    name = hashlib.sha256(COOKIE.encode()).hexdigest()
    jars.world.come(claims.create("cookies radio", name, b"?"))
    assert jars.who() == [None] * 3
    jars.all[0].forget_holder(Holder("ann", Account("ann")))
    jars.all[0].claimed(Claim("cookies radio", name, b"?", 1, 1))
