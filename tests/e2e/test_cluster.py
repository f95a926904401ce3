"""Three real nodes beside real NATS servers are one radio."""

import contextlib
import json
import subprocess
import sys

import pytest
import requests
from engine.nats.servers import Servers
from support.cluster.running import Node, node, nodes
from support.running import ROOT, environment, free_port, radiod
from support.scrapes import scrape
from support.sockets import RawClient

pytestmark = pytest.mark.e2e

SECONDS = 30

CONFIG = """
[[listen]]
endpoint = "tcp:8080:interface=127.0.0.1"
serve = ["radio", "metrics"]

[realms.radio]
anonymous = "anybody"

[realms.radio.roles.anybody]
subscribe = ["*", "wamp.*", "radiod.*"]
publish = ["*"]
call = ["*", "wamp.*", "radiod.*"]
register = ["*"]

[realms.radio.keys.town]
key = "town-key"
publish = ["*"]
"""


def radioctl(node, *command):
    """Run radioctl on a node's admin socket."""
    file = node.server.log.with_suffix(".toml")
    return subprocess.run(
        [sys.executable, "-m", "radiod.ctl", "--config", str(file), *command],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


@pytest.fixture(scope="module")
def nats(tmp_path_factory):
    """One server, which nobody stops."""
    with Servers(tmp_path_factory.mktemp("nats")) as servers:
        yield servers


@pytest.fixture(scope="module")
def three(tmp_path_factory, nats):
    """Three nodes that know each other, and that nobody stops."""
    with nodes(tmp_path_factory.mktemp("nodes"), nats.urls, config=CONFIG) as found:
        yield found


def test_nodes_find_each_other(three):
    three[-1].wait_for("cluster radiod: node c is there, with a, b")
    assert "Traceback" not in "".join(one.log for one in three)


def test_an_operator_sees_the_nodes(three):
    told = radioctl(three[0], "cluster", "--json")
    cluster = json.loads(told.stdout)
    assert (cluster["cluster"], cluster["node"], cluster["isolated_s"]) == ("radiod", "a", None)
    assert sorted(one["node"] for one in cluster["nodes"]) == ["b", "c"]
    assert all(one["same_config"] for one in cluster["nodes"])
    shown = radioctl(three[0], "cluster").stdout
    assert "a, of cluster radiod: reaches others" in shown
    assert scrape(three[0].server).value("radiod_cluster_nodes") == 3


def test_a_server_that_is_alone_says_so(tmp_path):
    with radiod(tmp_path, CONFIG) as server:
        told = radioctl(Node("alone", server), "cluster")
        assert told.returncode == 1
        assert "this server is no node of a cluster" in told.stderr


def test_a_node_without_a_server_is_alive_and_not_ready(tmp_path):
    with node(tmp_path, "a", [f"nats://127.0.0.1:{free_port()}"]) as alone:
        alone.wait_ready(False)
        alone.wait_for("cluster: ")


def test_a_wrong_password_is_one_line(tmp_path):
    with Servers(tmp_path / "nats", more='authorization { user: "u", password: "right" }') as servers:
        more = 'user = "u"\npassword = "secret-of-ours"\n'
        with node(tmp_path, "a", servers.urls, more=more) as refused:
            refused.wait_for("uthorization")
            refused.wait_ready(False)
            assert "secret-of-ours" not in refused.log
            assert refused.log.count("does not take our credentials") == 1


@pytest.fixture
def peers(three):
    """A session at each node."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(RawClient(one.server.port))) for one in three]


class TestEvents:
    """Plain events, from every node to every node."""

    def test_what_is_published_behind_subscribed_comes(self, peers):
        for number in range(60):
            topic = f"town.street{number}"
            listener, publisher = peers[number % 3], peers[(number + 1 + number // 3 % 2) % 3]
            _, _, subscription = listener.ask([32, None, {}, topic])
            publisher.say([16, None, {}, topic, [number]])
            event = listener.hear()
            assert (event[0], event[1], event[4]) == (36, subscription, [number])

    def test_each_publishers_events_come_in_order_and_once(self, peers):
        for peer in peers:
            # Overlapping ones: the engine brings a copy for each.
            for options, topic in (
                ({"match": "prefix"}, "order."),
                ({}, "order.a"),
                ({"match": "wildcard"}, "order."),
            ):
                assert peer.ask([32, None, options, topic])[0] == 33
        for at, peer in enumerate(peers):
            for number in range(200):
                peer.say(
                    [16, None, {"exclude_me": False}, "order.a" if number % 2 else "order.b", [at, number]]
                )
        for peer in peers:
            heard = {}
            for _ in range(3 * (200 * 2 + 100)):
                _, subscription, _, _, (at, number) = peer.hear()
                heard.setdefault((subscription, at), []).append(number)
            assert sorted(map(len, heard.values())) == [100] * 3 + [200] * 6
            assert all(numbers == sorted(set(numbers)) for numbers in heard.values())

    def test_http_reaches_every_node(self, three, peers):
        for peer in peers:
            peer.ask([32, None, {}, "by.http"])
        for one in three:
            answer = requests.post(
                f"{one.server.url}/publish",
                json={"topic": "by.http", "args": [one.name]},
                headers={"API-KEY": "town-key"},
                timeout=SECONDS,
            )
            assert answer.status_code == 200, answer.text
            assert [peer.hear()[4] for peer in peers] == [[one.name]] * 3

    def test_lists_of_sessions_hold_on_every_node(self, peers):
        publisher, chosen, other = peers
        for peer in (chosen, other):
            peer.ask([32, None, {}, "for.some"])
        publisher.say([16, None, {"eligible": [chosen.session]}, "for.some", ["chosen"]])
        publisher.say([16, None, {"exclude": [chosen.session]}, "for.some", ["others"]])
        assert chosen.hear()[4] == ["chosen"]
        assert other.hear()[4] == ["others"]

    def test_joins_are_told_on_every_node(self, three, peers):
        for peer in peers:
            assert peer.ask([32, None, {}, "wamp.session.on_join"])[0] == 33
        newcomer = RawClient(three[1].server.port)
        assert [peer.hear()[4][0]["session"] for peer in peers] == [newcomer.session] * 3
        newcomer.close()


class Told:
    """What one listener has heard of a publisher that numbers its events from 0: lost ones are told, exactly."""

    def __init__(self):
        self.last = -1
        self.lost = 0

    def take(self, event):
        details, (number,) = event[3], event[4]
        lost = details.get("_lost", 0)
        assert number == self.last + 1 + lost, f"{number} behind {self.last}, {lost} told"
        self.last = number
        self.lost += lost


def test_what_the_death_of_a_server_costs_is_told(tmp_path):
    with Servers(tmp_path / "nats", 3) as servers, nodes(tmp_path, servers.urls, 2, CONFIG) as (home, away):
        publisher, listener = RawClient(home.server.port), RawClient(away.server.port)
        listener.ask([32, None, {}, "numbers"])
        told = Told()
        number = 0
        for _ in range(3):
            cluster = json.loads(radioctl(home, "cluster", "--json").stdout)
            address = cluster["nats"]["events"]
            (killed,) = [one for one in servers.all if address.endswith(f":{one.port}")]
            for _ in range(300):
                publisher.say([16, None, {}, "numbers", [number]])
                number += 1
                if number % 300 == 150:
                    killed.kill()
            # The next ones tell of all before.
            while told.last < number - 1:
                publisher.say([16, None, {}, "numbers", [number]])
                number += 1
                with contextlib.suppress(TimeoutError):
                    listener.give_up_after(0.2)
                    while told.last < number - 1:
                        told.take(listener.hear())
            servers.start([killed])
        assert told.last == number - 1
