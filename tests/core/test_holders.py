"""Holders: what they have open is on their account, and ends with them."""

from radiod.core.holders import Account, Holder


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
