import pytest
from support.cluster.fake_peers import FakePeers

from radiod.core.cluster.call_letters import Invoke, Stop, pack, read_call
from radiod.core.cluster.proxies import Proxies, RemoteSession, RoutingOutbox, Unreachable, remote_principal
from radiod.core.rights import Action
from radiod.core.rpc.features import REROUTE
from radiod.core.sessions.session import Session
from radiod.errors import NETWORK_FAILURE
from radiod.testing import RecordingOutbox, make_principal
from radiod.wire.codecs import Payload
from radiod.wire.messages import Interrupt, Invocation, Result


def remote(node=2, id=7):
    return RemoteSession(node, id, remote_principal("them", "role"), frozenset({"callee.x"}))


class TestTheWayOut:
    def test_of_sessions_here_is_the_outbox(self):
        outbox, peers = RecordingOutbox(), FakePeers(2)
        session = Session(1, make_principal(), None)
        RoutingOutbox(outbox, peers, "calls").send(session, Result(1, {}), Payload.of(1))
        assert [sent.message for sent in outbox.take(session)] == [Result(1, {})]
        assert peers.told == []

    def test_of_others_is_their_node(self):
        peers, payload = FakePeers(2), Payload.of(1)
        routing = RoutingOutbox(RecordingOutbox(), peers, "calls")
        routing.send(remote(), Invocation(3, 4, {"a": 1}), payload)
        routing.send(remote(), Interrupt(3, {"mode": "kill", "reason": "why"}))
        assert peers.take_told(read_call) == [
            (2, Invoke(7, 3, 4, {"a": 1}, pack(payload))),
            (2, Stop(3, "kill", "why")),
        ]

    def test_that_is_none_is_said_of_calls_only(self):
        routing = RoutingOutbox(RecordingOutbox(), FakePeers(), "calls")
        session = remote()
        with pytest.raises(Unreachable) as raised:
            routing.send(session, Invocation(3, 4, {}), Payload.of())
        assert (raised.value.session, raised.value.uri) == (session, NETWORK_FAILURE)
        routing.send(session, Interrupt(3, {"mode": "kill", "reason": "why"}))


class TestProxies:
    def test_are_found_by_node_and_id(self):
        proxies, one, other = Proxies(), remote(2, 7), remote(3, 8)
        proxies.add(one)
        proxies.add(other)
        assert (proxies.get(2, 7), proxies.get(3, 7), proxies.get(4, 7)) == (one, None, None)
        assert (proxies.find(8), proxies.find(9)) == (other, None)
        assert (len(proxies), list(proxies), proxies.nodes()) == (2, [one, other], [2, 3])

    def test_that_are_dropped_are_not_there(self):
        proxies, one = Proxies(), remote()
        proxies.add(one)
        proxies.drop(one)
        assert (len(proxies), proxies.of(2), proxies.nodes(), one.is_open) == (0, [], [], False)

    def test_may_have_the_next_callee_asked(self):
        assert remote().features == {"callee.x", REROUTE}


@pytest.mark.parametrize("may_all", [True, False])
def test_what_others_may_their_nodes_know(may_all):
    permissions = remote_principal("a", "b", may_all=may_all).permissions
    assert permissions.decide(None, Action.CALL, "a", None).is_allowed is may_all
    assert permissions.allows(Action.CALL, "a") is may_all
    assert permissions.may_act_on_others("a") is may_all
    assert (permissions.hides("a"), permissions.hides_procedure("a")) == (not may_all, not may_all)
