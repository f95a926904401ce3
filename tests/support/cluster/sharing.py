"""Nodes that share access: books and a store each, over the fake engine."""

from random import Random

from radiod.access.shared.all_books import AccessBooks
from radiod.access.shared.everywhere import Everywhere
from radiod.access.shared.mirror import NOBODY, AccessMirror
from radiod.access.shared.secret_check import SecretCheck
from radiod.access.shared.store import KINDS, SharedAccess
from radiod.access.shared.vault import Vault
from radiod.core.cluster.cluster import Cluster
from radiod.core.cluster.nodes import NodeSettings
from radiod.core.cluster.shared_limits import SharedLimits
from radiod.errors import NoAccess
from radiod.secret import Secret
from radiod.testing import FakeClock
from support.books import Books, Keeper
from support.cluster.engine import FakeEngine
from support.cluster.nodes import DrawnIds
from support.cluster.world import NodeClock, Way

__all__ = ["AccessNode", "AccessWorld", "answer_of", "stored"]


class AccessNode:
    """One node: its books, ``keeper`` its store, and what it has told the log.

    ``secrets``: that it has in common with others, one or two, or none.
    """

    def __init__(self, world, name, keeper, secrets=()):
        self.name = name
        self.keeper = keeper
        self.clock = NodeClock(world.clock)
        self.lines = []
        self.vault = Vault([Secret(secret) for secret in secrets], "r") if secrets else None
        self.books = Books(keeper, clock=self.clock, kinds=KINDS)
        ids = DrawnIds(world.chance)
        settings = NodeSettings("r", name)
        self.cluster = Cluster(settings, self.clock, self.clock.timers, ids, self.lines.append)
        nodes, records = self.cluster.nodes, self.cluster.records
        control = world.engine.attach(name, Way(self.clock, nodes, records))
        events = world.engine.attach(f"{name}.events", Way(self.clock, self.cluster.way))
        self.cluster.attach(events, control)
        self._load(keeper.load())
        self._share()
        self.cluster.start(control)

    def _load(self, records):
        books = self.books
        books.plans.load(records.plans)
        books.accounts.load(records.accounts)
        books.keys.load(records.keys, records.secrets)
        books.users.load(records.users)

    def _share(self):
        books, claims = self.books, self.cluster.claims
        all_books = AccessBooks(books.accounts, books.plans, books.keys, books.users, self.vault)
        self.everywhere = Everywhere(all_books, self.cluster.nodes)
        self.everywhere.wrap(books.realm.procedures.table)
        self.mirror = AccessMirror(
            all_books,
            self.keeper,
            claims,
            books.realm.slices,
            self.clock,
            self.clock.timers,
            node=self.name,
            notice=self.lines.append,
        )
        self.shared = books.desk.store = SharedAccess(
            self.keeper, self.mirror, claims, self.cluster.nodes, self.clock, self.clock.timers, self.name
        )
        self.mirror.start()
        SecretCheck(self.vault, self.cluster.nodes, self.lines.append)
        self.reviewed = []
        self.limits = SharedLimits(
            self.name,
            self.cluster.nodes,
            self.clock,
            books.table,
            lambda account: self.reviewed.append(account.id),
        )
        books.plans.on_change = self.limits.changed
        self._tick()

    def _tick(self):
        self.limits.tick()
        self.clock.timers.at(self.clock.seconds() + 1.0, self._tick)

    @property
    def ports(self):
        return self.name, f"{self.name}.events"

    def signing(self, id):
        """What a key signs with here; None: nothing."""
        found = self.books.keys.find(id).key.signing
        return None if found is None else found.reveal()

    def opens(self, secret):
        """Whether a secret opens a key here: empty: it does; the reason why not; None: nobody knows it."""
        try:
            found = self.books.ring.find(secret)
            if found is None:
                return None
            found.check(None, "192.0.2.1")
        except NoAccess as refusal:
            return refusal.reason
        return ""


class AccessWorld:
    """Nodes by name, and the time and the engine that they share. ``secrets``: of each node."""

    def __init__(self, *names, seed=0, mishaps=0.0, keepers=None, secrets=()):
        self.clock = FakeClock()
        self.chance = Random(seed)
        self.engine = FakeEngine(self.clock, self.chance, mishaps=mishaps)
        self.nodes = {}
        for name in names:
            self.start(name, (keepers or {}).get(name), secrets)
        self.wait(2)

    def __getitem__(self, name):
        return self.nodes[name]

    def __iter__(self):
        return iter(self.nodes.values())

    def start(self, name, keeper=None, secrets=()):
        """A node, also one that was stopped, begins with what is in a store."""
        self.nodes[name] = AccessNode(self, name, keeper or Keeper(), secrets)
        return self.nodes[name]

    def stop(self, name):
        """As by kill -9. Returns: its store."""
        node = self.nodes.pop(name)
        node.clock.is_dead = True
        for port in node.ports:
            self.engine.kill(port)
        return node.keeper

    def wait(self, seconds):
        self.clock.advance(seconds)

    def begin(self, name, procedure, *args, **kwargs):
        """Ask, and do not wait. Returns: the client that did."""
        return self.nodes[name].books.begin(procedure, *args, **kwargs)

    def ask(self, name, procedure, *args, seconds=0.5, **kwargs):
        """What ``radiod.admin.`` and this answers within so many seconds, or the error's URI."""
        client = self.begin(name, procedure, *args, **kwargs)
        self.wait(seconds)
        return answer_of(client)

    def isolate(self, name):
        """Nothing passes between a node and all others."""
        for other in self.nodes.values():
            if other.name != name:
                for port in self.nodes[name].ports:
                    for further in other.ports:
                        self.engine.cut(port, further)

    def heal(self):
        self.engine.heal()

    def access(self, name):
        """All that a node knows, as its books tell it: told from what is the same on all."""
        node = self.nodes[name]
        keeper = node.keeper.load()
        memory = {
            name: node.mirror.books.entity(name, NOBODY, "").record for name in node.mirror.books.names()
        }
        stored = (keeper.accounts, keeper.plans, keeper.keys, keeper.secrets, keeper.users)
        return memory, tuple(sorted(map(repr, kept)) for kept in stored)


def answer_of(client):
    """The one result of the one call that a client made; the error's URI; None: there is none yet."""
    for message in client.received():
        if message[0] == 50:
            return message[3][0]
        if message[0] == 8:
            client.sentence = message[5][0]
            return message[4]
    return None


def stored(keeper):
    """The same, as if it were a file: it outlives its server."""
    return FileLike(keeper)


class FileLike:
    """A store that is not memory, over one that is."""

    def __init__(self, keeper):
        self._keeper = keeper

    def __getattr__(self, name):
        return getattr(self._keeper, name)

    def __setattr__(self, name, value):
        if name == "_keeper":
            super().__setattr__(name, value)
        else:
            setattr(self._keeper, name, value)
