"""Several nodes in whatever trouble: each call ends once, and in the end all know the same."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.cluster.calling import CallWorld

from radiod.core.cluster.callee_letters import read_holders
from radiod.core.limits import Limits

PROCEDURES = ("p.single", "p.shared", "p.other")
POLICIES = ("single", "roundrobin", "first", "last")
TIMEOUT_S = 20
START = [(0, "p.single", "single"), (1, "p.shared", "roundrobin"), (2, "p.shared", "roundrobin")]


class Callers(RuleBasedStateMachine):
    """Sessions on three nodes register and call, while nodes are cut off, killed and come back."""

    @initialize(seed=st.integers(0, 10_000), mishaps=st.sampled_from([0.0, 0.1]))
    def begin(self, seed, mishaps):
        limits = Limits(call_timeout_s=TIMEOUT_S)
        self.world = CallWorld(3, seed=seed, mishaps=mishaps, limits=limits)
        self.clients = []
        self.kills = 0
        # (client, request) -> answers that ended it; of callers that left, or died, none are expected.
        self.calls = {}
        # (client, request) -> procedure, policy of a REGISTER that was not answered
        self.asked = {}
        # client -> registration id -> procedure, policy
        self.held = {}
        # client -> ids of invocations that it may answer
        self.invoked = {}
        # Nodes that others may take for dead.
        self.troubled = set()
        for name in "abcabc":
            self.join(name, False)
        for number, procedure, policy in START:
            self.register(number, procedure, policy)
        self.world.wait(1)
        self.look()

    # --- what happens

    def look(self):
        """Take in what all sessions have got."""
        for client in list(self.clients):
            for message in client.take():
                self.take(client, message)
            if not client.session.is_open:
                self.forget(client)

    def take(self, client, message):
        match message:
            case [50, request, details, *_]:
                if not details.get("progress"):
                    self.ended(client, request)
            case [8, 48, request, *_]:
                self.ended(client, request)
            case [8, 64, request, *_]:
                del self.asked[client, request]
            case [65, request, registration]:
                self.registered(client, registration, *self.asked.pop((client, request)))
            case [68, invocation, registration, *_]:
                assert registration in self.held[client], "invoked without a registration"
                self.invoked[client].append(invocation)

    def ended(self, client, request):
        self.calls[client, request] += 1
        assert self.calls[client, request] == 1, "a call ended twice"

    def registered(self, client, registration, procedure, policy):
        others = [
            one
            for one, held in self.held.items()
            if one is not client and (procedure, policy) in held.values()
        ]
        if policy == "single":
            assert all(one.node.name in self.troubled for one in others), "two have what is single"
        self.held[client][registration] = (procedure, policy)

    def forget(self, client):
        self.clients.remove(client)
        del self.held[client]
        del self.invoked[client]
        self.calls = {key: count for key, count in self.calls.items() if key[0] is not client}
        self.asked = {key: what for key, what in self.asked.items() if key[0] is not client}

    def one(self, number):
        return self.clients[number % len(self.clients)] if self.clients else None

    @rule(node=st.sampled_from("abc"), is_simple=st.booleans())
    def comes(self, node, is_simple):
        self.join(node, is_simple)

    def join(self, node, is_simple):
        if node in self.world.nodes and len(self.clients) < 9:
            client = self.world[node].join(**({"features": ""} if is_simple else {}))
            self.clients.append(client)
            self.held[client], self.invoked[client] = {}, []

    @precondition(lambda self: self.clients)
    @rule(number=st.integers(0, 8))
    def leave(self, number):
        client = self.one(number)
        client.take()
        client.peer.leave()
        self.forget(client)

    @precondition(lambda self: self.clients)
    @rule(number=st.integers(0, 8), procedure=st.sampled_from(PROCEDURES), policy=st.sampled_from(POLICIES))
    def registers(self, number, procedure, policy):
        self.register(number, procedure, policy)

    def register(self, number, procedure, policy):
        client = self.one(number)
        client.requests += 1
        self.asked[client, client.requests] = (procedure, policy)
        client.send(64, client.requests, {"invoke": policy}, procedure)

    @precondition(lambda self: self.clients)
    @rule(number=st.integers(0, 8))
    def unregister(self, number):
        client = self.one(number)
        self.look()
        # While a REGISTER waits, so does what comes behind it.
        if client in self.held and self.held[client] and not any(one is client for one, _ in self.asked):
            registration = next(iter(self.held[client]))
            del self.held[client][registration]
            client.requests += 1
            client.send(66, client.requests, registration)

    @precondition(lambda self: self.clients)
    @rule(number=st.integers(0, 8), procedure=st.sampled_from(PROCEDURES), wants_progress=st.booleans())
    def calls_(self, number, procedure, wants_progress):
        self.call(number, procedure, wants_progress)

    def call(self, number, procedure, wants_progress):
        client = self.one(number)
        self.calls[client, client.requests + 1] = 0
        client.call(procedure, **({"receive_progress": True} if wants_progress else {}))

    @precondition(lambda self: self.clients)
    @rule(number=st.integers(0, 8), procedure=st.sampled_from(PROCEDURES))
    def call_and_wait(self, number, procedure):
        self.call(number, procedure, True)
        self.world.wait(0.01)

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 50), mode=st.sampled_from(["skip", "kill", "killnowait"]))
    def cancel(self, number, mode):
        client, request = list(self.calls)[number % len(self.calls)]
        client.send(49, request, {"mode": mode})

    @precondition(lambda self: any(self.invoked.values()))
    @rule(
        number=st.integers(0, 8),
        how=st.sampled_from(["result", "progress", "error", "unavailable"]),
    )
    def answer(self, number, how):
        callees = [client for client in self.clients if self.invoked[client]]
        client = callees[number % len(callees)]
        if how == "progress" and "callee.progressive_call_results" in client.session.features:
            client.send(70, self.invoked[client][0], {"progress": True}, [1])
            return
        invocation = self.invoked[client].pop(0)
        if how in ("error", "unavailable"):
            uri = "wamp.error.unavailable" if how == "unavailable" else "an.error"
            client.send(8, 68, invocation, {}, uri)
        else:
            client.send(70, invocation, {}, [2])

    # --- trouble

    @rule(seconds=st.sampled_from([0.0005, 0.002, 0.05, 1.0, 7.0]))
    def wait(self, seconds):
        self.world.wait(seconds)

    @rule(
        kind=st.sampled_from(["cut", "heal", "heal", "drop", "elect", "kill", "restart", "pause", "resume"]),
        number=st.integers(0, 2),
    )
    def trouble(self, kind, number):
        name = sorted(self.world.nodes)[number % len(self.world.nodes)]
        getattr(self, f"_{kind}")(name)

    def _cut(self, name):
        self.world.cut_off(name)
        self.troubled |= set("abc")

    def _heal(self, name):
        self.world.engine.heal()

    def _drop(self, name):
        self.troubled.add(name)
        self.world.disconnect(name)
        self.world.wait(0.01)
        self.world.connect(name)

    def _pause(self, name):
        self.troubled.add(name)
        self.world.pause(name)

    def _resume(self, name):
        for node in list(self.world.nodes):
            self.world.resume(node)

    def _elect(self, name):
        self.world.engine.elect(4.0)

    def _kill(self, name):
        if len(self.world.nodes) == 3 and self.kills < 2:
            self.kills += 1
            self.look()
            self.world.kill(name)
            for client in [client for client in self.clients if client.node.name == name]:
                self.forget(client)

    def _restart(self, name):
        for missing in set("abc") - set(self.world.nodes):
            self.world.start(missing)

    # --- what holds

    @invariant()
    def each_call_ends_once(self):
        self.look()

    def teardown(self):
        if not hasattr(self, "world"):
            return
        self.world.engine.heal()
        self._resume("")
        self.world.wait(15)
        self.look()
        self.world.wait(TIMEOUT_S * 2)
        self.look()
        assert not self.asked, "a REGISTER was not answered"
        assert all(count == 1 for count in self.calls.values()), "a call did not end"
        nodes = list(self.world.nodes.values())
        known = nodes[0].registrations
        for node in nodes[1:]:
            assert node.registrations == known
        for node in nodes:
            assert node.pending() == (0, 0)
        held = {(client.id, procedure) for client, ids in self.held.items() for procedure, _ in ids.values()}
        assert {(id, procedure) for (_, procedure), (_, ids) in known.items() for id in ids} == held
        for policy, ids in known.values():
            assert policy != "single" or len(ids) == 1
        live = {node.nodes.me for node in nodes}
        for claim in nodes[0].cluster.claims.of("radio registrations"):
            assert set(read_holders(claim.value).nodes) <= live


TestCallers = Callers.TestCase
TestCallers.settings = settings(max_examples=1000, stateful_step_count=80)


def test_what_is_no_letter_is_counted():
    world = CallWorld(2)
    world["a"].nodes.tell(world["b"].nodes.me, "radio callees", b"?")
    world.wait(0.1)
    assert world["b"].nodes.malformed == 1
