"""Where peers are when the tests of this folder run over nodes; and that what is said of that names tests."""

import ast
from pathlib import Path

import pytest
from support.cluster.balancing import Balancer
from support.cluster.chosen import SLICE
from support.cluster.excepted import EXCEPTED, find

TESTS = Path(__file__).parents[1]
FOLDERS = ("features", "e2e")


def test_each_peer_is_at_the_next_node(router):
    nodes = [peer.result("radiod.server.info").get("node") for peer in router.peers(4)]
    assert nodes in (["a", "b", "c", "a"], [None] * 4)


def names(path):
    """Names of the test functions of a file."""
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("file", SLICE)
def test_what_is_chosen_are_tests_of_which_none_is_excepted(file):
    assert set(SLICE[file]) <= names(TESTS / "features" / file)
    assert [name for name in SLICE[file] if find(f"{file}::{name}[") is not None] == []


@pytest.mark.parametrize("excepted", EXCEPTED, ids=lambda one: one.reason)
def test_what_is_excepted_are_tests(excepted):
    for name in excepted.tests:
        file, _, function = name.partition("::")
        found = [names(TESTS / folder / file) for folder in FOLDERS if (TESTS / folder / file).exists()]
        assert function == "*" or function.partition("[")[0] in found[0], name


def test_connections_go_round_and_long_poll_stays():
    balancer = Balancer(3)
    opening = b"POST /lp/open HTTP/1.1\r\n"
    assert [balancer.choose(b"GET /ws HTTP/1.1\r\n") for _ in range(4)] == [0, 1, 2, 0]
    home = balancer.choose(opening)
    assert Balancer.is_opening(opening)
    balancer.learn(home, b'HTTP/1.1 200 OK\r\n\r\n{"protocol":"wamp.2.json","transport":"abc"}')
    sending = b"POST /lp/abc/send HTTP/1.1\r\n"
    assert not Balancer.is_opening(sending)
    assert [balancer.choose(sending) for _ in range(3)] == [home] * 3
    assert balancer.choose() != home
