"""What belongs to sessions, over nodes to which all may happen: told once, and in the end as it is."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from support.cluster.desks import DeskWorld

NAMES = ("a", "b", "c")
ROOM = "room.one"

names = st.sampled_from(NAMES)
people = st.sampled_from(["p", "q", "r"])


class PresenceWorld(DeskWorld):
    def start(self, name):
        node = super().start(name)
        node.realm.presence.show_matching(("room.*",))
        return node


class Watcher:
    """Who is there, by what one listener of a node was told; what was told twice fails."""

    TOPICS = ("wamp.session.on_join", "wamp.session.on_leave", "wamp.subscription.", "radiod.presence.room.")

    def __init__(self, node):
        self.node = node
        self.peer = node.join("watcher")
        for topic in self.TOPICS:
            self.peer.request(32, {"match": "prefix"} if topic.endswith(".") else {}, topic)
        self.is_begun = False
        self.sessions = set()
        self.pairs = set()
        self.subscriptions = set()
        self.crowd = {}

    def begin(self, sessions, pairs, crowd):
        """It knows all by now, and what it is told from now on are changes."""
        self.peer.received()
        self.sessions, self.pairs, self.crowd = set(sessions), set(pairs), dict(crowd)
        self.subscriptions = {id for id, _ in pairs}
        self.is_begun = True

    def hear(self):
        if not self.is_begun:
            return
        for message in self.peer.received():
            if message[0] != 36:
                continue
            details, args = message[3], message[4]
            topic = details.get("topic", "")
            if topic.startswith("wamp.subscription."):
                self.subscription(topic.rpartition(".")[2], *args)
            elif topic:
                self.change(args[0])
            else:
                self.session(*args)

    def session(self, what, *rest):
        if isinstance(what, dict):
            assert what["session"] not in self.sessions, "it joins twice"
            self.sessions.add(what["session"])
        else:
            assert what in self.sessions, "it leaves twice"
            self.sessions.remove(what)

    def subscription(self, event, session, told):
        if event == "on_create":
            assert told["id"] not in self.subscriptions, "it is created twice"
            self.subscriptions.add(told["id"])
        elif event == "on_delete":
            assert not any(id == told for id, _ in self.pairs), "it is deleted while somebody listens"
            self.subscriptions.remove(told)
        elif event == "on_subscribe":
            assert told in self.subscriptions, "it is not created"
            assert (told, session) not in self.pairs, "it subscribes twice"
            self.pairs.add((told, session))
        else:
            self.pairs.remove((told, session))

    def change(self, told):
        before, now = self.crowd.pop(told["authid"], 0), told["sessions"]
        event = "change" if before and now else "join" if now else "leave"
        assert (told["event"], before != now) == (event, True)
        if now:
            self.crowd[told["authid"]] = now
        assert (told["users"], told["total"]) == (len(self.crowd), sum(self.crowd.values()))


class SessionsSimulation(RuleBasedStateMachine):
    """Three nodes, a watcher on each, and people who come, leave testaments, and go."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed):
        self.world = PresenceWorld(*NAMES, seed=seed)
        self.people = []
        self.watchers = {}
        self.heard = Counter()
        self.wills = 0
        self.owed = set()
        for name in NAMES:
            self.watch(name)
        self.settle()

    def watch(self, name):
        node = self.world[name]
        self.watchers[name] = Watcher(node)
        ear = self.watchers[name].ear = node.join("ear")
        ear.request(32, {}, "last.words")

    def runs(self, name):
        return name in self.world.nodes and not self.world[name].clock.is_paused

    def listen(self):
        for watcher in self.watchers.values():
            watcher.hear()
            words = [one[4][0] for one in watcher.ear.received() if one[0] == 36]
            self.heard.update((watcher, word) for word in words)
        assert set(self.heard.values()) <= {1}, "a testament is published twice"

    def advance(self, seconds):
        self.world.advance(seconds)
        self.listen()

    # --- what people do

    @rule(name=names, who=people, is_leaving_words=st.booleans())
    def come(self, name, who, is_leaving_words):
        if self.runs(name) and len(self.people) < 12:
            person = self.world[name].join(who)
            person.name, person.will = name, None
            person.request(32, {}, ROOM)
            if is_leaving_words:
                self.wills += 1
                person.will = self.wills
                arguments = ["last.words", [self.wills], {}]
                person.request(48, {}, "wamp.session.add_testament", arguments)
            self.people.append(person)
            self.listen()

    @rule(data=st.data())
    def go(self, data):
        here = [one for one in self.people if self.runs(one.name)]
        if here:
            person = data.draw(st.sampled_from(here))
            self.people.remove(person)
            person.leave()
            self.listen()

    # --- what happens to nodes

    @rule(seconds=st.sampled_from([0.0007, 0.05, 1, 8]))
    def pass_time(self, seconds):
        self.advance(seconds)

    @rule(pair=st.sampled_from([("a", "b"), ("a", "c"), ("b", "c")]))
    def cut(self, pair):
        if set(pair) <= set(self.world.nodes):
            self.world.cut(*pair)

    @rule()
    def heal(self):
        self.world.heal()

    @rule(name=names)
    def kill(self, name):
        if name in self.world.nodes and len(self.world.nodes) > 2:
            self.world.kill(name)
            del self.watchers[name]
            self.people = [one for one in self.people if one.name != name]

    @rule(name=names)
    def pause(self, name):
        if self.runs(name):
            self.world.pause(name)

    @rule()
    def resume(self):
        for name in NAMES:
            if name in self.world.nodes and not self.runs(name):
                self.world.resume(name)

    # --- what must hold

    @rule()
    def settle(self):
        self.resume()
        self.heal()
        self.advance(20)
        for name in NAMES:
            if name not in self.world.nodes:
                self.world.start(name)
                self.advance(3)
                self.watch(name)
        self.advance(20)
        assert self.world.is_whole
        self.census()

    def census(self):
        """Every watcher knows exactly what is."""
        realms = [node.realm for node in self.world.nodes.values()]
        sessions = {id for realm in realms for id in realm.sessions}
        pairs = {key for realm in realms for key in realm.events.keys("subscribers")}
        crowd = Counter(one.session.principal.authid for one in self.people if one.session.is_open)
        for watcher in self.watchers.values():
            if not watcher.is_begun:
                watcher.begin(sessions, pairs, crowd)
            assert (watcher.sessions, watcher.pairs) == (sessions, pairs)
            assert (watcher.crowd, watcher.subscriptions) == (crowd, {id for id, _ in pairs})
        for realm in realms:
            assert realm.presence.headcount.snapshot(realm.space.at(ROOM))["users"] == dict(crowd)
            assert realm.events.pairs == Counter(id for id, _ in pairs)
        claimed = {int(one.key) for one in self.world["a"].cluster.claims.of("radio testaments")}
        assert claimed <= sessions, "what nobody leaves is claimed"

    def teardown(self):
        if hasattr(self, "world"):
            self.settle()


TestSessions = SessionsSimulation.TestCase
TestSessions.settings = settings(max_examples=25, stateful_step_count=25)
