"""Nodes whose secret is another one are named, once each."""

import msgspec
import pytest
from support.cluster.fake_peers import FakePeers

from radiod.access.shared.secret_check import SECRETS, SecretCheck
from radiod.access.shared.vault import Vault
from radiod.secret import Secret

ONE, TWO = Secret("1" * 44), Secret("2" * 44)


def names(*secrets):
    return list(Vault(secrets, "radiod").names) if secrets else []


def checking(*secrets):
    peers, lines = FakePeers(2), []
    check = SecretCheck(Vault(secrets, "radiod") if secrets else None, peers, lines.append)
    return peers, lines, check


def test_each_node_is_told_the_names_of_both_secrets():
    peers, _, check = checking(ONE, TWO)
    assert peers.take_told(msgspec.msgpack.decode) == [(2, names(ONE, TWO))]
    peers.nodes.append(3)
    check.joined(3)
    assert [node for node, _ in peers.take_told(msgspec.msgpack.decode)] == [3]


@pytest.mark.parametrize(
    ("own", "theirs", "line"),
    [
        ([ONE], [TWO], "node n2 has another [cluster] secret than this node"),
        ([ONE], [], "node n2 has no [cluster] secret, and this node has one"),
        ([], [ONE], "node n2 has a [cluster] secret, and this node has none"),
        ([ONE], [ONE], None),
        ([ONE, TWO], [TWO], None),
        ([TWO], [ONE, TWO], None),
        ([], [], None),
    ],
)
def test_one_with_another_is_named_once(own, theirs, line):
    peers, lines, _ = checking(*own)
    for _ in range(3):
        peers.handlers[SECRETS](2, msgspec.msgpack.encode(names(*theirs)))
    more = "signing secrets and tokens of one are not good at the other"
    assert lines == ([] if line is None else [f"{line}: {more}"])


def test_what_is_no_list_of_names_is_nothing():
    peers, lines, _ = checking(ONE)
    for data in (b"", b"?", b"\xc0", b"\x91\xa1\xff", b"\x91\x01"):
        assert peers.handlers[SECRETS](2, data) is None
    assert lines == []


def test_as_many_lines_are_said_as_there_may_be():
    peers, lines, _ = checking(ONE)
    for node in range(200):
        peers.handlers[SECRETS](node, msgspec.msgpack.encode([]))
    assert len(lines) == 100
