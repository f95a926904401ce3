"""Limits of plans over several nodes."""

import pytest
from support.cluster.sharing import AccessWorld

from radiod.core.cluster.limit_letters import Spending, Spent, write_limits
from radiod.core.quotas import DAY
from radiod.errors import OverLimit


@pytest.fixture
def world():
    return AccessWorld("a", "b", "c")


def plan(world, **limits):
    """Account acme has this plan, on all nodes."""
    world.ask("a", "plan.set", "basic", **limits)
    world.ask("a", "account.set", "acme", plan="basic")
    world.wait(2)


def acme(node):
    return node.books.table.of("acme")


def publish(node, count=1):
    """How many of so many events are let through."""
    passed = 0
    for _ in range(count):
        try:
            acme(node).allowances.publish.take()
        except OverLimit:
            break
        passed += 1
    return passed


class TestAQuota:
    def test_is_that_of_all_nodes_within_two_seconds(self, world):
        plan(world, publish_day=100)
        assert [publish(node, 30) for node in world] == [30, 30, 30]
        world.wait(2)
        assert [acme(node).allowances.publish_day.left(world.clock.time()) for node in world] == [10] * 3
        assert publish(world["b"], 30) == 10
        world.wait(2)
        assert [publish(node) for node in world] == [0, 0, 0]

    def test_is_overshot_by_what_the_others_let_through_until_then(self, world):
        plan(world, publish_day=100)
        assert sum(publish(node, 100) for node in world) == 300
        world.wait(2)
        assert [publish(node) for node in world] == [0, 0, 0]
        used = [acme(node).allowances.publish_day for node in world]
        assert [(quota.used, quota.elsewhere) for quota in used] == [(300, 200)] * 3

    def test_begins_anew_with_its_period_everywhere(self, world):
        plan(world, publish_day=100, publish_month=200)
        assert publish(world["a"], 150) == 100
        world.clock.set_date(DAY)
        world.wait(2)
        assert publish(world["b"], 150) == 100
        world.wait(2)
        assert [publish(node) for node in world] == [0, 0, 0]
        world.clock.set_date(40 * DAY)
        world.wait(2)
        assert publish(world["c"], 150) == 100

    def test_of_what_listeners_get_is_looked_at_again(self, world):
        plan(world, deliver_day=10, bytes_day=1000)
        world["a"].books.table.of("acme").allowances.delivered(20, 10)
        for node in world:
            node.reviewed.clear()
        world.wait(2)
        assert acme(world["b"]).allowances.used_up.name == "deliver_day"
        assert [set(node.reviewed) for node in world] == [set(), {"acme"}, {"acme"}]

    def test_counts_what_was_used_before_there_was_a_plan_elsewhere(self, world):
        plan(world, publish_day=100)
        publish(world["a"], 40)
        late = world.start("d")
        world.wait(3)
        assert acme(late).allowances.publish_day.elsewhere == 40

    def test_counts_what_a_node_had_used_that_died(self, world):
        plan(world, publish_day=100)
        publish(world["a"], 60)
        world.wait(2)
        world.stop("a")
        world.wait(10)
        assert publish(world["b"], 100) == 40
        # Whoever comes hears of it from the others.
        late = world.start("d")
        world.wait(3)
        assert acme(late).allowances.publish_day.elsewhere == 100

    def test_counts_a_node_that_is_back_once(self, world):
        plan(world, publish_day=100)
        publish(world["a"], 60)
        world.wait(2)
        keeper = world.stop("a")
        world.wait(10)
        again = world.start("a", keeper)
        world.wait(3)
        # It asks its ledger what it had used; before it knows, the others do.
        assert acme(world["b"]).allowances.publish_day.elsewhere == 60
        acme(again).allowances.restore((60, 0, 0), (60, 0, 0))
        world.wait(2)
        quotas = [acme(node).allowances.publish_day for node in world]
        assert [quota.used for quota in quotas] == [60] * 3

    def test_of_two_sides_of_a_cut_is_one_again_behind_it(self, world):
        plan(world, publish_day=100)
        world.isolate("a")
        world.wait(10)
        assert [publish(node, 50) for node in world] == [50, 50, 50]
        world.heal()
        world.wait(15)
        assert [acme(node).allowances.publish_day.used for node in world] == [150] * 3


class TestARate:
    def test_is_that_of_all_nodes_in_the_long_run(self, world):
        plan(world, publish_rate=10, publish_burst=10)
        passed = 0
        for _ in range(600):
            passed += sum(publish(node, 5) for node in world)
            world.wait(0.1)
        # One node alone lets 10 + 600 through in this minute.
        assert 600 <= passed <= 610 + 3 * 20

    def test_of_calls_likewise(self, world):
        plan(world, call_rate=10, call_burst=10)
        for _ in range(10):
            acme(world["a"]).allowances.call.take()
        world.wait(1.05)
        # Full again by that, it has lost as many as were taken elsewhere.
        with pytest.raises(OverLimit):
            acme(world["b"]).allowances.call.take()

    def test_is_not_made_up_for_behind_a_cut(self, world):
        plan(world, publish_rate=10, publish_burst=10)
        world.isolate("a")
        for _ in range(600):
            publish(world["a"], 5)
            world.wait(0.1)
        world.heal()
        world.wait(20)
        assert publish(world["b"], 5) == 5


class TestConnections:
    def test_are_those_of_all_nodes(self, world):
        plan(world, connections=2)
        issued = world.ask("a", "key.issue", account="acme", listen=["a"])
        world["a"].books.join(issued)
        client = world["b"].books.join(issued)
        world.wait(2)
        holder = world["c"].books.keys.find(issued["id"]).holder
        with pytest.raises(OverLimit):
            holder.check_room()
        world["b"].books.realm.leave(client.session)
        world.wait(2)
        holder.check_room()

    def test_end_with_their_node(self, world):
        plan(world, connections=1)
        issued = world.ask("a", "key.issue", account="acme", listen=["a"])
        world["a"].books.join(issued)
        world.wait(2)
        holder = world["c"].books.keys.find(issued["id"]).holder
        with pytest.raises(OverLimit):
            holder.check_room()
        world.stop("a")
        world.wait(10)
        holder.check_room()

    def test_channels_are_those_of_all_nodes(self, world):
        plan(world, channels=2)
        for name in "ab":
            acme(world[name]).channels = 1
        world.wait(2)
        with pytest.raises(OverLimit):
            acme(world["c"]).allowances.check_channel(0)
        assert acme(world["a"]).allowances.channels_elsewhere == 1


class TestLetters:
    def test_that_are_lost_are_told_again(self, world):
        plan(world, publish_day=1000)
        for _ in range(30):
            publish(world["a"], 1)
            world.engine.cut("a", "b")
            world.wait(1.1)
            world.engine.heal()
            world.wait(0.7)
        world.wait(3)
        assert [acme(node).allowances.publish_day.used for node in world] == [30] * 3

    def test_that_cannot_be_sent_are_told_later(self, world):
        plan(world, publish_day=1000)
        for port in world["a"].ports:
            world.engine.disconnect(port)
        publish(world["a"], 5)
        world.wait(1.5)
        for port in world["a"].ports:
            world.engine.connect(port)
        world.wait(5)
        assert [acme(node).allowances.publish_day.used for node in world] == [5] * 3

    def test_of_many_accounts_come_in_parts(self, world):
        plan(world, publish_day=1000)
        for number in range(700):
            account = world["a"].books.table.keep(f"x{number}")
            world["a"].books.plans.assign(account, "basic")
            account.allowances.publish.take()
        world.wait(2)
        assert len(world["b"].limits.known["a"]) == 700

    def test_of_nobody_are_counted_and_dropped(self, world):
        limits, me = world["a"].limits, world["b"].cluster.nodes.me
        for data in (b"?", b"\xff"):
            limits._take(me, data)
        # Nobody tells of another that is there, nor of us.
        spent = Spent("acme", 0, 0, (1, 1, 1, 1, 1, 1))
        for name in ("a", "c"):
            limits._take(me, write_limits(Spending(name, [spent])))
        malformed = world["a"].cluster.nodes.malformed
        assert (malformed, limits.known.get("a"), limits.known.get("c", {})) == (2, None, {})

    def test_of_an_account_without_a_plan_wait_for_one(self, world):
        plan(world, publish_day=100)
        publish(world["a"], 40)
        world.wait(2)
        world.ask("b", "account.set", "acme")
        # Its plan is gone, and it goes on counting: the next one must not begin with nothing used.
        publish(world["a"], 1)
        world.wait(2)
        assert acme(world["c"]).allowances.publish_day.used == 41
        limits = world["b"].limits
        limits.changed(world["b"].books.table.keep("nobody"))


def test_what_a_node_used_that_is_gone_is_forgotten_with_its_month(world):
    plan(world, publish_day=100)
    publish(world["a"], 40)
    world.wait(2)
    world.stop("a")
    world.wait(7)
    world.clock.set_date(40 * DAY)
    world.wait(2)
    assert [sorted(node.limits.known) for node in world] == [["c"], ["b"]]


def test_what_is_of_a_later_month_stays(world):
    # Its clock was ahead.
    world["b"].limits.known["x"] = {"acme": Spent("acme", 0, 2**40, (1, 1, 1, 1, 1, 1), connections=1)}
    world.clock.set_date(40 * DAY)
    world.wait(2)
    assert "x" in world["b"].limits.known


def test_connections_of_accounts_that_nobody_knows_here_end_silently(world):
    limits, me = world["b"].limits, world["a"].cluster.nodes.me
    spent = Spent("other", 0, 0, (1, 1, 1, 1, 1, 1), connections=1)
    limits._take(me, write_limits(Spending("a", [spent])))
    # As if it had come back before it was missed.
    limits.joined(7)
    limits._names[7] = "a"
    limits.left(7)
    assert limits.known["a"]["other"].connections == 1
    limits.left(me)
    assert limits.known["a"]["other"].connections == 0
