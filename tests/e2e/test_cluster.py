"""Three real nodes beside real NATS servers are one radio."""

import contextlib
import json
import re
import sys
import time

import pytest
import requests
from engine.nats.servers import Servers
from support import nursery
from support.cluster.running import Node, node, nodes
from support.peers import hello_roles
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

[realms.radio.channels.crowd]
presence = true

[realms.radio.channels.past]
history = { size = 100 }

[realms.radio.channels."pasts.*"]
history = { size = 100 }
"""


def radioctl(node, *command):
    """Run radioctl on a node's admin socket."""
    file = node.server.log.with_suffix(".toml")
    return nursery.run(
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


def test_an_operator_sees_whether_all_nodes_know_the_same(three):
    with contextlib.closing(RawClient(three[0].server.port)) as watcher:
        assert watcher.ask([32, None, {}, "wamp.session.on_join"])[0] == 33
        told = radioctl(three[1], "cluster", "--check", "--json")
        checked = json.loads(told.stdout)
        assert (told.returncode, checked["is_same"], checked["unanswered"]) == (0, True, [])
        rows = {(one["node"], one["what"], one["of"]): one for one in checked["mirrors"]}
        wanted = {
            ("a", "sessions", "b"),
            ("c", "callees", "a"),
            ("b", "claims", "NATS"),
            ("b", "access", "claims"),
        }
        assert wanted <= set(rows)
        shown = radioctl(three[2], "cluster", "--check").stdout
        assert re.search(r"^a +radio sessions +b +\d+ +\d+ +same$", shown, re.MULTILINE)


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
        clients = [RawClient(one.server.port, roles=hello_roles()) for one in three]
        yield [stack.enter_context(contextlib.closing(client)) for client in clients]


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


class TestHistories:
    """Channels with a history: one order and one past for all nodes."""

    def test_events_come_everywhere_in_one_order(self, peers):
        for peer in peers:
            assert peer.ask([32, None, {}, "pasts.order"])[0] == 33
        for number in range(50):
            for at, peer in enumerate(peers):
                peer.say([16, None, {"exclude_me": False}, "pasts.order", [at, number]])
        heard = [[tuple(peer.hear()[4]) for _ in range(150)] for peer in peers]
        assert heard[0] == heard[1] == heard[2]
        for at in range(3):
            assert [number for sender, number in heard[0] if sender == at] == list(range(50))

    def test_a_position_of_one_node_is_good_on_any_other(self, three, peers):
        first, second, _ = peers
        first.ask([32, None, {"_radiod_position": True}, "pasts.place"])
        for number in range(10):
            answer = second.ask([16, None, {"acknowledge": True}, "pasts.place", [number]])
            assert answer[0] == 17
        details = [first.hear()[3] for _ in range(10)]
        positions = [f"{one['_epoch']}:{one['_seq']}" for one in details]
        for one in three:
            late = RawClient(one.server.port)
            late.say([32, None, {"_radiod_after": positions[3]}, "pasts.place"])
            assert late.hear()[0] == 33
            assert [late.hear()[4] for _ in range(6)] == [[number] for number in range(4, 10)]
            late.close()
            answer = requests.get(
                f"{one.server.url}/listen/pasts.place", params={"after": positions[7]}, timeout=SECONDS
            )
            assert answer.status_code == 200, answer.text
            assert [event["data"] for event in answer.json()] == [8, 9]


def call(peer, procedure, *args, **kwargs):
    """What a procedure answers: its result, or the error's URI."""
    answer = peer.ask([48, None, {}, procedure, list(args), kwargs])
    return answer[3][0] if answer[0] == 50 else answer[4]


class TestChannels:
    """Channels that sessions create: made at one node, there at all."""

    def test_one_that_is_created_is_there_at_once(self, peers):
        for number in range(30):
            name = f"club.{number}"
            owner, guest = peers[number % 3], peers[(number + 1 + number // 3 % 2) % 3]
            created = call(owner, "radiod.channel.create", name, history={"size": 5} if number % 2 else {})
            assert created["name"] == name
            assert call(guest, "radiod.channel.create", name) == "radiod.error.channel_exists"
            assert guest.ask([32, None, {}, name])[0] == 33
            owner.say([16, None, {}, name, [number]])
            assert guest.hear()[4] == [number]

    def test_it_is_created_once_when_all_want_it(self, peers):
        for number in range(10):
            for peer in peers:
                peer.say([48, number + 1, {}, "radiod.channel.create", [f"race.{number}"]])
            answers = [peer.hear() for peer in peers]
            assert sorted(answer[0] for answer in answers) == [8, 8, 50], answers

    def test_its_end_is_told_on_every_node_once(self, peers):
        owner, other, _ = peers
        for peer in peers:
            assert peer.ask([32, None, {}, "radiod.channel.on_delete"])[0] == 33
        key = call(owner, "radiod.channel.create", "brief", lifetime=600)["control_key"]
        assert call(other, "radiod.channel.extend", "brief", 0.3, key)["name"] == "brief"
        assert [peer.hear()[4] for peer in peers] == [[{"name": "brief", "reason": "expired"}]] * 3
        assert call(other, "radiod.channel.delete", "brief", key) == "radiod.error.channel_closed"

    @pytest.mark.parametrize("history", [{}, {"size": 5}])
    def test_a_private_one_is_on_every_node_for_those_with_the_key(self, three, peers, history):
        name, key = f"private.{len(history)}", "a-key"
        assert (
            call(peers[0], "radiod.channel.create", name, public=False, key=key, history=history)["key"]
            == key
        )
        for peer in peers:
            assert call(peer, "radiod.channel.join", name, "wrong") == "radiod.error.bad_key"
            assert peer.ask([32, None, {"_radiod_key": key}, name])[0] == 33
        peers[1].say([16, None, {"exclude_me": False}, name, ["by WAMP"]])
        assert [peer.hear()[4] for peer in peers] == [["by WAMP"]] * 3
        for one in three:
            answer = requests.post(
                f"{one.server.url}/publish",
                json={"topic": name, "args": [one.name], "options": {"_radiod_key": key}},
                headers={"API-KEY": "town-key"},
                timeout=SECONDS,
            )
            assert answer.status_code == 200, answer.text
            assert [peer.hear()[4] for peer in peers] == [[one.name]] * 3
        url, headers = f"{three[2].server.url}/listen/{name}", {"Channel-Key": key}
        assert requests.get(url, headers={"Channel-Key": "wrong"}, timeout=SECONDS).status_code == 403
        with requests.get(
            url, headers={**headers, "Accept": "text/event-stream"}, stream=True, timeout=SECONDS
        ) as stream:
            assert stream.status_code == 200
            peers[0].say([16, None, {}, name, ["to HTTP"]])
            assert any("to HTTP" in line for line in stream.iter_lines(decode_unicode=True))

    def test_one_session_writes_where_only_one_may(self, peers):
        made = call(peers[0], "radiod.channel.create", "solo", single_writer=True)
        for peer in peers[1:]:
            assert call(peer, "radiod.channel.open_write", "solo") == "wamp.error.not_authorized"
            assert peer.ask([16, None, {"acknowledge": True}, "solo"])[4] == "wamp.error.not_authorized"
        assert call(peers[0], "radiod.channel.close_write", "solo") == {"name": "solo"}
        assert call(peers[1], "radiod.channel.open_write", "solo")["readers"] == 0
        assert peers[0].ask([16, None, {"acknowledge": True}, "solo"])[4] == "wamp.error.not_authorized"
        taken = call(peers[2], "radiod.channel.open_write", "solo", control_key=made["control_key"])
        assert taken["readers"] == 0
        assert peers[2].ask([16, None, {"acknowledge": True}, "solo"])[0] == 17


class TestCalls:
    """Calls, from every node to every node."""

    def test_a_call_behind_registered_is_answered(self, peers):
        for number in range(30):
            procedure = f"add.{number}"
            callee, caller = peers[number % 3], peers[(number + 1 + number // 3 % 2) % 3]
            assert callee.ask([64, None, {}, procedure])[0] == 65
            caller.say([48, None, {}, procedure, [number, 1]])
            invocation = callee.hear()
            assert (invocation[0], invocation[4]) == (68, [number, 1])
            callee.say([70, invocation[1], {}, [number + 1]])
            result = caller.hear()
            assert (result[0], result[3]) == (50, [number + 1])

    def test_a_procedure_is_registered_once(self, peers):
        answers = [peer.ask([64, None, {}, "only.once"]) for peer in peers]
        assert [answer[0] for answer in answers] == [65, 8, 8]
        assert answers[1][4] == "wamp.error.procedure_already_exists"
        assert peers[0].ask([66, None, answers[0][2]])[0] == 67
        assert peers[1].ask([64, None, {}, "only.once"])[0] == 65

    def test_progress_errors_and_cancelling_cross(self, peers):
        callee, caller, _ = peers
        callee.ask([64, None, {}, "long.work"])
        caller.say([48, 1, {"receive_progress": True}, "long.work"])
        invocation = callee.hear()
        assert invocation[3]["receive_progress"] is True
        callee.say([70, invocation[1], {"progress": True}, [1]], [70, invocation[1], {"progress": True}, [2]])
        callee.say([8, 68, invocation[1], {}, "my.error", ["why"]])
        assert [caller.hear()[3] for _ in range(2)] == [[1], [2]]
        assert caller.hear()[4:] == ["my.error", ["why"]]
        caller.say([48, 2, {}, "long.work"], [49, 2, {"mode": "kill"}])
        second = callee.hear()[1]
        assert callee.hear()[:2] == [69, second]
        callee.say([8, 68, second, {}, "wamp.error.canceled"])
        assert caller.hear()[4] == "wamp.error.canceled"

    def test_sessions_are_those_of_all_nodes(self, peers):
        counts = {peer.ask([48, None, {}, "wamp.session.count"])[3][0] for peer in peers}
        assert counts == {3}
        listed = peers[0].ask([48, None, {}, "wamp.session.list"])[3][0]
        assert sorted(listed) == sorted(peer.session for peer in peers)


class TestWhatBelongsToSessions:
    """Presence, meta events and testaments, over all nodes."""

    def test_everybody_who_is_present_is_told_once_on_each_node(self, three, peers):
        for peer in peers:
            assert peer.ask([32, None, {}, "radiod.presence.crowd"])[0] == 33
        listeners = [RawClient(one.server.port) for one in three]
        for count, listener in enumerate(listeners, 1):
            listener.ask([32, None, {}, "crowd"])
            changes = [peer.hear()[4][0] for peer in peers]
            assert [(one["event"], one["total"]) for one in changes] == [("join", count)] * 3
        for peer in peers:
            (found,) = peer.ask([48, None, {}, "radiod.presence.get", ["crowd"]])[3]
            assert (found["count"], found["total"]) == (3, 3)
        for count, listener in enumerate(listeners):
            listener.close()
            changes = [peer.hear()[4][0] for peer in peers]
            assert [(one["event"], one["total"]) for one in changes] == [("leave", 2 - count)] * 3

    def test_a_subscription_is_created_and_deleted_once(self, peers):
        watcher, first, second = peers
        watcher.ask([32, None, {"match": "prefix"}, "wamp.subscription."])
        _, _, id = first.ask([32, None, {}, "one.song"])
        assert second.ask([32, None, {}, "one.song"])[2] == id
        for peer in (first, second):
            assert peer.ask([34, None, id])[0] == 35
        told = [watcher.hear()[3]["topic"].rpartition(".")[2] for _ in range(6)]
        assert told == ["on_create", *["on_subscribe"] * 2, *["on_unsubscribe"] * 2, "on_delete"]

    def test_what_a_session_leaves_is_published_once(self, three, peers):
        for peer in peers:
            peer.ask([32, None, {}, "last.words"])
        session = RawClient(three[1].server.port)
        answer = session.ask([48, None, {}, "wamp.session.add_testament", ["last.words", ["bye"], {}]])
        assert answer[0] == 50
        session.close()
        for peer in peers:
            assert peer.hear()[4] == ["bye"]
            assert peer.ask([48, None, {}, "radiod.echo"])[0] == 50


def watch(node, *topics):
    """A session that listens."""
    client = RawClient(node.server.port)
    for topic in topics:
        assert client.ask([32, None, {}, topic])[0] == 33
    return client


def test_calls_to_a_node_that_is_killed_fail_in_time_and_its_sessions_leave(tmp_path, nats):
    more = 'name = "deadly"\n'
    with nodes(tmp_path, nats.urls, 2, CONFIG, more) as (home, away):
        callee, caller = RawClient(away.server.port), RawClient(home.server.port)
        callee.ask([32, None, {}, "crowd"])
        callee.ask([48, None, {}, "wamp.session.add_testament", ["last.will", ["bye"], {}]])
        left = watch(home, "wamp.session.on_leave", "radiod.presence.crowd", "last.will")
        caller.ask([32, None, {}, "radiod.channel.on_delete"])
        for name, rule in (("last.stand", "delete"), ("last.stays", "keep")):
            assert call(callee, "radiod.channel.create", name, on_owner_leave=rule)["name"] == name
        callee.ask([64, None, {}, "last.words"])
        caller.say([48, None, {}, "last.words"])
        assert callee.hear()[0] == 68
        began = time.monotonic()
        away.server.process.kill()
        error = caller.hear()
        assert (error[0], error[4]) == (8, "wamp.error.network_failure")
        assert time.monotonic() < began + 6 + 4
        # And the procedure is free.
        assert caller.ask([64, None, {}, "last.words"])[0] == 65
        told = {json.dumps(left.hear()[4][0]) for _ in range(3)}
        assert {str(callee.session), '"bye"'} < told
        assert any('"leave"' in one for one in told)
        # What its sessions owned ends, once.
        assert caller.hear()[4] == [{"name": "last.stand", "reason": "owner_left"}]
        assert call(caller, "radiod.channel.get", "last.stays")["name"] == "last.stays"


class Told:
    """What one listener has heard of a publisher that numbers its events from 0: all losses are told."""

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


class Resuming:
    """A listener to a channel with a history, which may go on at another node: it misses nothing."""

    def __init__(self, node):
        self.heard = []
        self._position = None
        self.connect(node)

    def connect(self, node):
        self._client = RawClient(node.server.port)
        after = {} if self._position is None else {"_radiod_after": self._position}
        assert self._client.ask([32, None, after, "pasts.numbers"])[0] == 33

    def hear(self, count):
        while len(self.heard) < count:
            event = self._client.hear()
            assert "_lost" not in event[3]
            assert event[3].get("_recovered", True)
            self._position = f"{event[3]['_epoch']}:{event[3]['_seq']}"
            self.heard.append(event[4][0])


def test_what_was_acknowledged_is_heard_once_through_the_death_of_servers_and_nodes(tmp_path):
    with (
        Servers(tmp_path / "nats", 3) as servers,
        nodes(tmp_path, servers.urls, 3, CONFIG) as (home, away, third),
    ):
        listener = Resuming(away)
        publisher = RawClient(home.server.port)
        publisher.give_up_after(SECONDS)
        for number in range(300):
            if number == 100:
                leader = next(filter(None, (servers.leader(name) for name in log_streams(servers))))
                leader.kill()
            if number == 200:
                listener.hear(150)
                away.server.process.kill()
                listener.connect(third)
            answer = publisher.ask([16, None, {"acknowledge": True}, "pasts.numbers", [number]])
            assert answer[0] == 17, answer
        listener.hear(300)
        assert listener.heard == list(range(300))


def log_streams(servers):
    """The streams of events."""
    pages = [server.look("jsz?streams=1") for server in servers.all if server.is_running]
    return sorted({name for page in pages for name in re.findall(r'"name": "([\w-]*log[\w-]*)"', page)})
