"""Holders: what they have open is on their account, and ends with them."""

import pytest

from radiod.core.holders import MAX_PASSING, Account, Accounts, Holder
from radiod.errors import NoAccess


def run(work):
    """Do it to the end, and return what comes of it."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def opened(holder, *names):
    ended = []

    def end(thing, reason):
        holder.leave(thing)
        ended.append((thing, reason))

    for name in names:
        holder.enter(name, end)
    return ended


def test_what_is_open_counts_for_the_account():
    account = Account("acme")
    one, two = Holder("k_1", account), Holder("k_2", account)
    opened(one, "a", "b")
    opened(two, "c")
    assert (one.connections, two.connections, account.connections) == (2, 1, 3)


def test_leaving_twice_counts_once():
    holder = Holder("k_1", Account("acme"))
    opened(holder, "a", "b")
    holder.leave("a")
    holder.leave("a")
    assert (holder.connections, holder.account.connections) == (1, 1)


def test_all_that_is_open_ends_with_a_reason():
    holder = Holder("k_1", Account("acme"))
    ended = opened(holder, "a", "b")
    assert holder.end("revoked") == 2
    assert ended == [("a", "revoked"), ("b", "revoked")]
    assert (holder.connections, holder.account.connections) == (0, 0)
    assert holder.end("revoked") == 0


def test_its_own_reason_comes_before_the_accounts():
    holder = Holder("k_1", Account("acme", "ACME Ltd"))
    assert holder.why_refused == ""
    holder.account.refused = "suspended"
    assert holder.why_refused == "suspended"
    holder.refused = "revoked"
    assert holder.why_refused == "revoked"


def test_they_say_who_they_are():
    assert repr(Holder("k_1", Account("acme"))) == "<Holder k_1 on acme>"
    assert repr(Account("acme")) == "<Account acme>"


def test_all_of_an_account_ends():
    account = Account("acme")
    one, two, idle = Holder("k_1", account), Holder("k_2", account), Holder("k_3", account)
    ended = opened(one, "a", "b")
    others = opened(two, "c")
    assert list(account.busy) == [one, two]
    assert run(account.ending("suspended")) == 3
    assert (ended, others) == ([("a", "suspended"), ("b", "suspended")], [("c", "suspended")])
    assert (account.busy, account.connections, idle.connections) == ({}, 0, 0)


def test_a_holder_moves_with_all_that_it_has_open():
    acme, other = Account("acme"), Account("other")
    busy, idle = Holder("k_1", acme), Holder("k_2", acme)
    opened(busy, "a", "b")
    busy.move(other)
    idle.move(other)
    assert (acme.connections, acme.busy, other.connections, list(other.busy)) == (0, {}, 2, [busy])
    assert (busy.account, idle.account, busy.things) == (other, other, ("a", "b"))
    busy.leave("a")
    assert other.connections == 1


class TestChecks:
    def refusal(self, holder, origin=None, address="192.0.2.1"):
        with pytest.raises(NoAccess) as refusal:
            holder.check(origin, address)
        return refusal.value.reason

    def restricted(self, origins=(), addresses=()):
        holder = Holder("k_1", Account("acme"))
        holder.restrict(origins, addresses)
        return holder

    def test_a_holder_is_let_in(self):
        holder = Holder("k_1", Account("acme"))
        holder.check(None, None)
        holder.check("https://www.example.org", "192.0.2.1")

    def test_why_it_is_refused_is_told(self):
        holder = Holder("k_1", Account("acme"))
        holder.account.refused = "suspended"
        assert self.refusal(holder) == "suspended"
        holder.refused = "revoked"
        assert self.refusal(holder) == "revoked"

    def test_pages_of_other_origins_are_refused(self):
        holder = self.restricted(["https://www.example.org:443", "http://localhost:8000"])
        holder.check("https://www.example.org", None)
        holder.check("http://localhost:8000", None)
        for origin in ("http://www.example.org", "https://example.org", "null"):
            assert self.refusal(holder, origin) == "origin"

    def test_what_has_no_origin_is_no_page(self):
        self.restricted(["https://www.example.org"]).check(None, None)

    def test_other_addresses_are_refused(self):
        holder = self.restricted((), ["192.0.2.0/24", "2001:db8::/32"])
        for address in ("192.0.2.255", "::ffff:192.0.2.1", "2001:db8::1"):
            holder.check(None, address)
        for address in ("192.0.3.1", "2001:db9::1", "", None):
            assert self.refusal(holder, None, address) == "address"

    def test_unix_sockets_are_addresses_too(self):
        holder = self.restricted((), ["unix"])
        holder.check(None, None)
        assert self.refusal(holder) == "address"

    def test_restrictions_can_change(self):
        holder = self.restricted(["https://www.example.org"])
        holder.restrict([], ["192.0.2.1"])
        holder.check(None, "192.0.2.1")
        assert self.refusal(holder, None, "192.0.2.2") == "address"


class TestAccounts:
    def test_each_is_there_once(self):
        accounts = Accounts()
        acme = accounts.of("acme")
        assert accounts.of("acme") is acme
        assert accounts.keep("acme") is acme
        assert accounts.keep("acme") is accounts.of("acme") is acme
        assert list(accounts.kept) == ["acme"]

    def test_those_that_nobody_set_up_are_bounded(self):
        accounts = Accounts()
        kept, first, second = accounts.keep("kept"), accounts.of("first"), accounts.of("second")
        for number in range(MAX_PASSING):
            accounts.of(f"passing {number}")
        assert accounts.of("kept") is kept
        assert accounts.of("first") is not first
        assert accounts.of("second") is not second

    def test_those_that_have_something_open_stay(self):
        accounts = Accounts()
        busy, idle = accounts.of("busy"), accounts.of("idle")
        opened(Holder("somebody", busy), "a")
        for number in range(2 * MAX_PASSING):
            accounts.of(f"passing {number}")
        assert accounts.of("busy") is busy
        assert accounts.of("idle") is not idle

    def test_where_all_have_something_open_one_more_comes(self):
        accounts = Accounts()
        busy = [accounts.of(str(number)) for number in range(MAX_PASSING)]
        for account in busy:
            opened(Holder(account.id, account), "a")
        accounts.of("more")
        assert all(accounts.of(account.id) is account for account in busy)


def through(work):
    """What work comes to, and in how many steps."""
    steps = 0
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value, steps
        steps += 1


class TestEndingInSteps:
    def test_each_is_a_step(self):
        holder = Holder("k_1", Account("acme"))
        ended = opened(holder, "a", "b", "c")
        work = holder.ending("revoked")
        next(work)
        assert ended == [("a", "revoked")]
        assert through(work) == (3, 2)
        assert (len(ended), holder.connections) == (3, 0)

    def test_what_closes_by_itself_meanwhile_is_left_alone_and_counts(self):
        holder = Holder("k_1", Account("acme"))
        ended = opened(holder, "a", "b", "c")
        work = holder.ending("revoked")
        next(work)
        holder.leave("b")
        assert through(work) == (3, 1)
        assert [thing for thing, _ in ended] == ["a", "c"]

    def test_an_account_ends_holder_by_holder(self):
        account = Account("acme")
        one, two = opened(Holder("k_1", account), "a", "b"), opened(Holder("k_2", account), "c")
        assert through(account.ending("suspended")) == (3, 3)
        assert [thing for thing, _ in (*one, *two)] == ["a", "b", "c"]
        assert account.connections == 0

    def test_what_fails_to_end_keeps_nothing_else_open(self):
        account, ended = Account("acme"), []
        for id in ("k_1", "k_2"):
            holder = Holder(id, account)
            for name in ("worse", "worst"):
                holder.enter(name, lambda thing, reason: [][ended.append(f"{thing} tried")])
            holder.enter("good", lambda thing, reason: ended.append(thing))
        with pytest.raises(TypeError):
            through(account.ending("suspended"))
        assert ended == ["worse tried", "worst tried", "good"] * 2

    def test_a_holder_alone_tells_the_first_failure_when_all_have_ended(self):
        holder, ended = Holder("k_1", Account("acme")), []

        def fail(thing, reason):
            raise ValueError(thing)

        holder.enter("worse", fail)
        holder.enter("worst", fail)
        holder.enter("good", lambda thing, reason: ended.append(thing))
        with pytest.raises(ValueError, match="worse"):
            through(holder.ending("revoked"))
        assert ended == ["good"]

    def test_nothing_is_no_step(self):
        assert through(Holder("k_1", Account("acme")).ending("revoked")) == (0, 0)


def test_whoever_is_refused_is_refused_from_anywhere():
    holder = Holder("k_1", Account("acme"))
    holder.check_open()
    holder.account.refused = "suspended"
    with pytest.raises(NoAccess) as refusal:
        holder.check_open()
    assert refusal.value.reason == "suspended"


def test_only_what_is_meant_ends():
    holder = Holder("k_1", Account("acme"))
    ended = opened(holder, "a", "b")
    assert holder.end("quota", lambda thing: thing == "b") == 1
    assert ended == [("b", "quota")]
    assert holder.things == ("a",)


def test_who_counts_by_account_is_told_before_a_holder_moves():
    accounts = Accounts()
    holder = Holder("k_1", accounts.of("acme"))
    told = []
    accounts.moving.append(lambda: told.append(holder.account.id))
    accounts.move(holder, "other")
    assert (told, holder.account) == (["acme"], accounts.kept["other"])
