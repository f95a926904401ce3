"""Holders: what they have open is on their account, and ends with them."""

from radiod.core.holders import MAX_PASSING, Account, Accounts, Holder


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
    assert account.end("suspended") == 3
    assert (ended, others) == ([("a", "suspended"), ("b", "suspended")], [("c", "suspended")])
    assert (account.busy, account.connections, idle.connections) == ({}, 0, 0)


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
