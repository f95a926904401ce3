"""What keys sign with, on nodes that have a secret in common, and on those that do not."""

import pytest
from support.books import Books, Keeper
from support.cluster.sharing import AccessWorld, answer_of

ONE, TWO = "1" * 44, "2" * 44


@pytest.fixture
def world():
    return AccessWorld("a", "b", "c", secrets=[ONE])


def signing(world, id):
    return [node.signing(id) for node in world]


def stored(world):
    return [[key.signing for key in node.keeper.load().keys] for node in world]


def issue(world, name="a"):
    return world.ask(name, "key.issue", publish=["a"], signed=True)


def restart(world, name, secrets):
    keeper = world.stop(name)
    world.wait(10)
    world.start(name, keeper, secrets)
    world.wait(5)


def acts(node, id):
    found = []
    node.keeper.audit(0, 1000).then(found.append)
    return [(one.action, one.detail.get("node")) for one in found[0] if one.object == id]


class TestNodesWithASecretInCommon:
    def test_all_sign_with_it_once_that_is_answered(self, world):
        issued = issue(world)
        assert signing(world, issued["id"]) == [issued["signing"]] * 3
        assert stored(world) == [[issued["signing"].encode()]] * 3

    def test_the_engine_never_sees_one(self, world):
        issued = issue(world)
        again = world.ask("b", "key.update", issued["id"], signed=True)
        for streams in world.engine.streams.values():
            data = b"".join(record.data for record in streams.records)
            for secret in (issued["signing"], again["signing"], issued["key"], ONE):
                assert secret.encode() not in data

    def test_another_one_is_so_everywhere_and_none_is_none(self, world):
        issued = issue(world)
        again = world.ask("b", "key.update", issued["id"], signed=True)
        assert again["signing"] != issued["signing"]
        assert signing(world, issued["id"]) == [again["signing"]] * 3
        world.ask("c", "key.update", issued["id"], label="new")
        assert signing(world, issued["id"]) == [again["signing"]] * 3
        world.ask("a", "key.suspend", issued["id"])
        world.ask("b", "key.resume", issued["id"])
        assert signing(world, issued["id"]) == [again["signing"]] * 3
        world.ask("c", "key.update", issued["id"], signed=False)
        assert signing(world, issued["id"]) == [None] * 3
        assert stored(world) == [[None]] * 3

    def test_two_at_the_same_moment_come_to_one(self, world):
        issued = issue(world)
        clients = [world.begin(name, "key.update", issued["id"], signed=True) for name in "ab"]
        clients.append(world.begin("c", "key.update", issued["id"], label="new"))
        world.wait(1)
        told = [answer_of(client) for client in clients]
        (one,) = set(signing(world, issued["id"]))
        assert one in [each["signing"] for each in told[:2]]
        assert stored(world) == [[one.encode()]] * 3

    def test_a_node_that_comes_later_has_it_too(self, world):
        issued = issue(world)
        world.start("d", None, [ONE])
        world.wait(5)
        assert world["d"].signing(issued["id"]) == issued["signing"]

    def test_a_node_that_was_away_has_what_was_changed(self, world):
        issued = issue(world)
        keeper = world.stop("c")
        world.wait(10)
        again = world.ask("a", "key.update", issued["id"], signed=True)
        world.start("c", keeper, [ONE])
        world.wait(5)
        assert signing(world, issued["id"]) == [again["signing"]] * 3

    def test_what_a_store_brings_in_is_known_to_all(self):
        alone = Books(Keeper())
        issued = alone.issue(publish=["a"], signed=True)
        world = AccessWorld("a", secrets=[ONE])
        world.start("b", alone.keeper, [ONE])
        world.wait(5)
        assert signing(world, issued["id"]) == [issued["signing"]] * 2
        assert ("cluster.seal", "b") in acts(world["a"], issued["id"])

    def test_nothing_is_said(self, world):
        issue(world)
        assert not any("secret" in line for node in world for line in node.lines)


class TestNodesWithout:
    def test_the_one_that_made_it_signs_and_each_log_says_so_once(self):
        world = AccessWorld("a", "b")
        issued, other = issue(world), issue(world)
        assert signing(world, issued["id"]) == [issued["signing"], None]
        why = "the nodes have no [cluster] secret in common"
        assert [line for line in world["a"].lines if "secret" in line] == [
            f"key {issued['id']} signs on this node alone: {why}"
        ]
        assert [line for line in world["b"].lines if "secret" in line] == [
            f"key {issued['id']} signs nothing on this node: {why}"
        ]
        world.ask("a", "key.update", other["id"], signed=False)
        assert world["a"].signing(other["id"]) is None

    def test_given_one_later_all_sign(self):
        world = AccessWorld("a", "b")
        issued = issue(world)
        # The node that has it comes first, and last.
        for name in "ab":
            restart(world, name, [ONE])
        assert signing(world, issued["id"]) == [issued["signing"]] * 2
        other = AccessWorld("a", "b")
        issued = issue(other)
        for name in "ba":
            restart(other, name, [ONE])
        assert signing(other, issued["id"]) == [issued["signing"]] * 2

    def test_what_one_of_them_made_meanwhile_is_named(self):
        world = AccessWorld("a", secrets=[ONE])
        world.start("b")
        world.wait(5)
        issued = issue(world, "b")
        assert signing(world, issued["id"]) == [None, issued["signing"]]
        why = "no node that can sign with it has sealed it"
        assert f"key {issued['id']} signs nothing on this node: {why}" in world["a"].lines


class TestAWrongSecret:
    @pytest.fixture
    def world(self):
        world = AccessWorld("a", "b", secrets=[ONE])
        world.start("c", None, [TWO])
        world.wait(5)
        return world

    def test_is_named_by_all(self, world):
        lines = [[line for line in node.lines if "another [cluster] secret" in line] for node in world]
        assert [len(each) for each in lines] == [1, 1, 2]
        assert lines[0][0].startswith("node c has another [cluster] secret than this node:")

    def test_opens_nothing_and_mixes_nothing(self, world):
        issued, other = issue(world, "a"), issue(world, "c")
        assert signing(world, issued["id"]) == [issued["signing"]] * 2 + [None]
        assert signing(world, other["id"]) == [None, None, other["signing"]]
        why = "it is sealed with another [cluster] secret than this node's"
        assert f"key {issued['id']} signs nothing on this node: {why}" in world["c"].lines
        assert f"key {other['id']} signs nothing on this node: {why}" in world["a"].lines
        world.ask("c", "key.update", issued["id"], label="new")
        restart(world, "c", [TWO])
        restart(world, "b", [ONE])
        assert signing(world, issued["id"])[0] == issued["signing"]

    def test_that_is_put_right_is_well(self, world):
        issued = issue(world, "a")
        other = issue(world, "c")
        restart(world, "c", [ONE])
        by_name = {node.name: (node.signing(issued["id"]), node.signing(other["id"])) for node in world}
        # What only the wrong secret has sealed is that node's own until it signs anew.
        assert by_name["c"] == (issued["signing"], other["signing"])
        assert by_name["a"] == (issued["signing"], None)
        again = world.ask("c", "key.update", other["id"], signed=True)
        assert set(signing(world, other["id"])) == {again["signing"]}


def test_the_secret_is_changed_node_by_node_and_all_sign_all_the_time():
    world = AccessWorld("a", "b", "c", secrets=[ONE])
    issued = issue(world)
    made = [issued]
    for secrets in ([ONE, TWO], [TWO, ONE], [TWO]):
        for name in "abc":
            restart(world, name, secrets)
            made.append(issue(world, name))
            for each in made:
                assert set(signing(world, each["id"])) == {each["signing"]}
    # A node that never knew them has all of them by the new one alone.
    world.start("d", None, [TWO])
    world.wait(5)
    for each in made:
        assert world["d"].signing(each["id"]) == each["signing"]
    assert not any("another [cluster] secret" in line for node in world for line in node.lines)
