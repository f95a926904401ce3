"""Who is in the cluster, and what its nodes say to each other: one for each process, for all its realms.

Each node says every second that it is there, and of whom it knows. Two let each other in once each knows that
the other knows it. Then letters are numbered for each pair of them: what did not come is noticed at the next
letter, or beat, and the other is told of that, too.

What is told to all, and must have been taken in, is written again when it may have been lost, and taken in
once. Everything else is written once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from radiod.core.cluster.letters import (
    PROTOCOL,
    Answer,
    Beat,
    Buried,
    Bye,
    Failed,
    Missed,
    Told,
    decode,
)
from radiod.core.cluster.membership import MAX_NODES, MISSING_SHARE, Membership, OtherNode
from radiod.core.cluster.peers import Answers, Handler, PeerWatcher
from radiod.core.cluster.ports import Bus
from radiod.core.cluster.post import Post
from radiod.core.cluster.questions import MAX_OPEN
from radiod.core.ids import Ids
from radiod.core.promises import Promise
from radiod.core.timers import Clock, Deadline, Timers
from radiod.errors import NETWORK_FAILURE, RadiodError, Refused

__all__ = ["BEAT_S", "NodeSettings", "Nodes"]

BEAT_S: Final = 1.0
"""Seconds between two beats, and for which a node looks around before it is settled."""


SOON_S: Final[tuple[float, ...]] = (0.05, 0.3)
"""Seconds behind a new connection at which a node beats besides: it may not have known who listens."""

MAX_DIGITS: Final = 20
"""Of the number of a node."""

MAX_NOTICED: Final = 1000
"""Different lines that are said once each."""


class NodeSettings(NamedTuple):
    """What a node is told about itself.

    ``prefix``: of all subjects of the cluster; ``digest``: of the configuration that all are to have;
    ``hold_s``: how long an event may wait to be stored; ``max_record``: bytes of one that is, with all that
    goes with it; ``closes``: whoever is cut off sends its sessions elsewhere, so that nothing is there twice.
    """

    prefix: str
    name: str
    digest: str = ""
    dead_after_s: float = 5.0
    hold_s: float = 15.0
    max_record: int = 2_000_000
    closes: bool = False


class Nodes:
    """All nodes as one sees them: ``Peers``, and the ``BusUser`` of the bus for control.

    ``notice``: takes one line for the log; ``probe``: finds out whether most of the engine's servers agree
    to something, and says so later, if they do: a node that hears nobody and reaches these is not isolated;
    ``reborn``: called when we have become a new incarnation, behind ``left`` of everybody: what we had is
    gone for the others, and everybody joins again; ``post``: what is written; ``malformed``: what came and
    no node of this version writes.
    """

    def __init__(
        self,
        settings: NodeSettings,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        notice: Callable[[str], None],
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._timers = timers
        self._ids = ids
        self._notice = notice
        self.probe: Callable[[Callable[[], None]], None] | None = None
        self.reborn: list[Callable[[], None]] = []
        self._formerly = 0
        self._members = Membership(settings.dead_after_s, clock.seconds())
        self.post = Post(
            settings.prefix, ids.next(), self._members, clock, timers, self._note_gap, self.note_malformed
        )
        self._watchers: list[PeerWatcher] = []
        self._noticed: dict[str, None] = {}
        self.malformed = 0
        self._next_beat: Deadline | None = None
        self._beat_due = 0.0
        self._settling: Promise[None] | None = None
        self._is_settled = False

    # --- its life

    def start(self, bus: Bus) -> Promise[None]:
        """Be there. Returns: kept once there is an engine, and all who answer are known."""
        self.post.bus = bus
        self._settling = Promise()
        bus.listen(f"{self.settings.prefix}.nodes")
        self.post.listen()
        self._plan_beat()
        return self._settling

    def stop(self) -> None:
        """Say goodbye; nothing is sent afterwards."""
        if self._next_beat is not None:
            self._next_beat.cancel()
            self._next_beat = None
        self.post.spread(Bye(self.post.me))
        self.post.bus = None

    # --- Peers

    @property
    def me(self) -> int:
        return self.post.me

    @property
    def is_isolated(self) -> bool:
        return self._members.is_isolated

    @property
    def others(self) -> list[OtherNode]:
        """All others that are there, for whoever looks."""
        return self._members.inside

    def live(self) -> list[int]:
        return [other.incarnation for other in self._members.inside]

    @property
    def settled_at(self) -> float:
        return self._members.born + BEAT_S

    def is_gone(self, node: int) -> bool:
        return self._members.is_gone(node, self._clock.seconds())

    def name(self, node: int) -> str:
        return self.settings.name if node == self.post.me else self._members.name(node)

    def take(self, about: str, handler: Handler) -> None:
        self.post.take(about, handler)

    def watch(self, watcher: PeerWatcher) -> None:
        self._watchers.append(watcher)
        for node in self.live():
            watcher.joined(node)

    def tell(self, node: int, about: str, data: bytes) -> bool:
        return self.post.tell(node, about, data)

    def ask(self, node: int, about: str, data: bytes, seconds: float) -> Promise[bytes]:
        answer: Promise[bytes] = Promise()
        self.post.ask(node, about, data, seconds, answer.settle)
        return answer

    def tell_all(self, about: str, data: bytes) -> Promise[None]:
        done: Promise[None] = Promise()
        live = self.live()
        if not self.post.questions.has_room(len(live)):
            done.settle(Refused(NETWORK_FAILURE, f"{MAX_OPEN} questions to other nodes wait for an answer"))
            return done
        left = set(live)

        def taken_in(node: int) -> None:
            left.discard(node)
            if not left:
                done.settle(None)

        for node in live:
            self.post.tell_surely(node, about, data, taken_in)
        if not live:
            done.settle(None)
        return done

    def ask_all(self, about: str, data: bytes, seconds: float) -> Promise[Answers]:
        answers: Promise[Answers] = Promise()
        live = {node: self.name(node) for node in self.live()}
        given: dict[int, bytes] = {}
        silent: set[int] = set()

        def answered(node: int, outcome: bytes | RadiodError) -> None:
            if isinstance(outcome, RadiodError):
                silent.add(node)
            else:
                given[node] = outcome
            if len(given) + len(silent) == len(live):
                answers.settle(Answers(given, tuple([live[node] for node in live if node in silent])))

        for node in live:
            self.post.ask(node, about, data, seconds, partial(answered, node))
        if not live:
            answers.settle(Answers({}, ()))
        return answers

    def note_malformed(self, about: str, node: int = 0) -> None:
        self.malformed += 1
        whose = f"node {self.name(node)}" if node else "somebody"
        self._notice_once(f"{whose} sends what no node of this version writes, of {about}: it is dropped")

    # --- BusUser

    def up(self) -> None:
        now = self._clock.seconds()
        self._members.connect(now)
        self._beat()
        for soon in SOON_S:
            self._timers.at(now + soon, self._beat)
        if not self._is_settled:
            self._timers.at(now + BEAT_S, self._settle)

    def down(self) -> None:
        now = self._clock.seconds()
        self._members.disconnect(now)
        # Before anybody else can have what is ours, whenever the next beat is due.
        then = now + self.settings.dead_after_s * MISSING_SHARE
        self._timers.at(then, lambda: self._note_isolation(self._clock.seconds()))

    def unreachable(self, reply: str) -> None:
        # Whoever can publish may answer there.
        node = reply.rpartition(".")[2]
        other = self._members.known.get(int(node)) if node.isdecimal() and len(node) < MAX_DIGITS else None
        if other is not None and other.missing is None:
            other.missing = self._clock.seconds()

    def came(self, subject: str, reply: str, data: bytes) -> None:
        letter = decode(data)
        if letter is None:
            self.note_malformed("nodes")
        elif isinstance(letter, Beat):
            self._take_beat(letter)
        elif isinstance(letter, Bye):
            self._take_bye(letter)
        elif subject == self.post.subject(self.post.me):
            if isinstance(letter, Buried):
                self._take_burial(letter)
            else:
                self._take_letter(letter)

    def _take_bye(self, letter: Bye) -> None:
        other = self._members.say_goodbye(letter.node)
        if other is not None and other.is_in:
            self._notice(f"node {other.name} has gone")
        self._lose(other)

    def _settle(self) -> None:
        bus = self.post.bus
        if bus is not None and bus.is_up and not self._is_settled and self._settling is not None:
            self._is_settled = True
            self._settling.settle(None)

    # --- beats

    def _plan_beat(self) -> None:
        self._beat_due = self._clock.seconds() + BEAT_S
        self._next_beat = self._timers.at(self._beat_due, self._on_beat)

    def _on_beat(self) -> None:
        now = self._clock.seconds()
        if now - self._beat_due > self.settings.dead_after_s / 2:
            # We slept, and what others have sent meanwhile waits for us.
            self._members.be_patient(now)
        self._plan_beat()
        self._look_around(now)
        self._beat()

    def _beat(self) -> None:
        """Say that we are here, and write what could not be written."""
        self.post.spread(self._own_beat())
        for question in self.post.questions.unsent():
            self.post.put(question)

    def _own_beat(self) -> Beat:
        settings = self.settings
        told = {other.incarnation: other.told for other in self._members.known.values()}
        return Beat(self.post.me, settings.name, PROTOCOL, self._formerly, settings.digest, told)

    def _look_around(self, now: float) -> None:
        """Find out who is dead, and whether it is perhaps us."""
        members = self._members
        for node in members.dead(now):
            members.is_in_doubt = members.is_in_doubt or members.is_isolated
            self._notice(f"node {self.name(node)} is silent, and taken for dead")
            self._lose(members.bury(node))
        for other in members.known.values():
            if now - other.heard > BEAT_S * 1.5:
                self.post.look_for(other.incarnation, self._own_beat())
        if members.is_quiet(now) and self.probe is not None:
            self.probe(lambda: self._reached_most(now))
        self._note_isolation(now)

    def _reached_most(self, asked: float) -> None:
        if self._members.is_in_doubt:
            # We hear nobody yet: as what we were we would take what is theirs.
            self._be_reborn("it was alone, and others may have taken it for dead")
        self._members.reached_most(asked)

    def _note_isolation(self, now: float) -> None:
        members = self._members
        is_isolated = members.is_cut_off(now)
        if is_isolated == members.is_isolated:
            return
        members.is_isolated = is_isolated
        self._notice("this node hears no other any more" if is_isolated else "this node hears others again")
        for watcher in tuple(self._watchers):
            if is_isolated:
                watcher.isolated()
            else:
                watcher.healed()

    def _take_beat(self, beat: Beat) -> None:
        members, now = self._members, self._clock.seconds()
        if not self._is_welcome(beat):
            return
        if members.is_in_doubt:
            self._be_reborn("it was alone, and others have taken it for dead")
        if members.is_buried(beat.node):
            self.post.send(beat.node, Buried(self.post.me, len(members.inside)))
            return
        if beat.formerly in members.known:
            self._lose(members.bury(beat.formerly))
        other = members.known.get(beat.node)
        if other is None:
            other = self._meet(beat, now)
            if other is None:
                return
        members.hear(other, now)
        told = beat.told.get(self.post.me)
        if told is None:
            return
        self._let_in(other)
        if told > other.had:
            self.post.miss(other, told)

    def _is_welcome(self, beat: Beat) -> bool:
        if beat.node == self.post.me:
            return False
        if beat.version != PROTOCOL:
            self._notice_once(
                f"node {beat.name} speaks version {beat.version} of the protocol, this one {PROTOCOL}: "
                "they do not let each other in"
            )
            return False
        if beat.name == self.settings.name:
            if beat.node != self._formerly and not self._members.is_buried(beat.node):
                self._notice_once(f"another node is called {beat.name}: they do not let each other in")
            return False
        return True

    def _meet(self, beat: Beat, now: float) -> OtherNode | None:
        """Get to know a node, unless one of the same name is alive, or there are too many."""
        namesake = self._members.named(beat.name)
        if namesake is not None:
            if namesake.missing is None:
                self.post.look_for(namesake.incarnation, self._own_beat())
                self._notice_once(f"two nodes are called {beat.name}: the second is not let in")
                return None
            self._lose(self._members.bury(namesake.incarnation))
        if self._members.is_full:
            self._notice_once(f"{MAX_NODES} other nodes are known: no more are let in")
            return None
        if beat.digest != self.settings.digest:
            self._notice_once(f"node {beat.name} has another configuration")
        other = self._members.meet(beat.node, beat.name, beat.digest, now)
        self.post.send(beat.node, self._own_beat())
        return other

    def _let_in(self, other: OtherNode) -> None:
        if other.is_in:
            return
        now = self._clock.seconds()
        self._members.let_in(other, now)
        self._notice(f"node {other.name} is there")
        # It is to know before anything else comes of us.
        self.post.send(other.incarnation, self._own_beat())
        for watcher in tuple(self._watchers):
            watcher.joined(other.incarnation)
        if self._members.is_isolated:
            self._note_isolation(now)

    def _lose(self, other: OtherNode | None) -> None:
        """It has gone, or is dead."""
        if other is not None and other.is_in:
            self._end(other)

    def _end(self, other: OtherNode) -> None:
        self.post.questions.end(other.incarnation, f"node {other.name} is gone")
        for watcher in tuple(self._watchers):
            watcher.left(other.incarnation)

    def _take_burial(self, letter: Buried) -> None:
        members = self._members
        if members.is_buried(letter.node):
            # Each has taken the other for dead: one of the two stays what it is.
            own = len(members.inside), -self.post.me
            if (letter.others, -letter.node) < own:
                return
        self._be_reborn("another has taken it for dead")

    def _be_reborn(self, reason: str) -> None:
        self._notice(f"this node comes back as a new one: {reason}")
        self.post.spread(Bye(self.post.me))
        self.post.unlisten()
        inside = self._members.begin_anew(self.post.me, self._clock.seconds())
        self._formerly, self.post.me = self.post.me, self._ids.next()
        self.post.listen()
        for other in inside:
            self._end(other)
        for reborn in self.reborn:
            reborn()
        self._beat()

    def _take_letter(self, letter: Told | Answer | Failed | Missed) -> None:
        members = self._members
        other = members.known.get(letter.node)
        if other is None:
            if members.is_buried(letter.node):
                self.post.send(letter.node, Buried(self.post.me, len(members.inside)))
            return
        # Whoever writes to us knows us.
        self._let_in(other)
        members.hear(other, self._clock.seconds())
        self.post.receive(other, letter)

    def _note_gap(self, node: int) -> None:
        for watcher in tuple(self._watchers):
            watcher.gap(node)

    def _notice_once(self, line: str) -> None:
        if line not in self._noticed and len(self._noticed) < MAX_NOTICED:
            self._noticed[line] = None
            self._notice(line)
