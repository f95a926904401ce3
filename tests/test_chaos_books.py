"""Several nodes in chaos: what is lost, repeated, out of order or told otherwise is really found."""

import asyncio
import os
from random import Random
from types import SimpleNamespace

import pytest
from chaos import runs
from chaos.cluster import herd, scenarios, told_book
from chaos.cluster.comers import Comers
from chaos.cluster.crew import Crew
from chaos.cluster.load import Scale
from chaos.cluster.logged_book import Book, Event, Place, Reader
from chaos.cluster.masses import Watcher
from chaos.cluster.memory import Memory, rise
from chaos.cluster.other_books import Call, Holding, Readiness, Window, idle, late_calls, outcomes, overlaps
from chaos.cluster.plain_book import Hearing, Life, judge
from chaos.cluster.players import PlainListener
from chaos.cluster.told_book import CAME, CHANNEL, SESSION, WENT, WILL, Being, Rules, Watch
from chaos.scene import Scene
from support.config import configuration
from support.running import radiod

SMALL = Scale(pasts=2, publishers=2, listeners=2, topics=1, calls=2.0)


@pytest.mark.e2e
def test_listeners_of_a_node_that_is_killed_miss_nothing(tmp_path):
    try:
        told = scenarios.node_killed(Scene(tmp_path, runs.Random(5), 0.0), SMALL)
    except runs.Skipped as reason:
        pytest.skip(str(reason))
    assert " 0 lost, 0 repeated, 0 reordered, 0 told" in told


@pytest.mark.e2e
@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(runs.CLUSTER))
def test_a_scenario_of_several_nodes_is_ok(tmp_path, name):
    try:
        assert runs.CLUSTER[name][1](Scene(tmp_path, runs.Random(1), 0.0))
    except runs.Skipped as reason:
        pytest.skip(str(reason))


def event(number, name="w", life=0):
    return Event(name, life, number)


class Subscribed:
    """A session whose first event comes in one read with SUBSCRIBED."""

    async def answer(self, *request):
        self.before()
        self.on_event([36, 1, 2, {}, ["v", 0, 4, "a", 0.0]])
        self.on_end()


@pytest.mark.parametrize("began", ["before", "meanwhile"])
def test_what_was_published_until_subscribed_is_not_missing(began):
    crew = Crew([], Random(1), [], ["live"])
    door = SimpleNamespace(name="a", process=1)
    session, listener = Subscribed(), PlainListener(crew, "p", "a", "live")

    def begin():
        crew.life("v", 0, door, "live").sent = 5

    session.before = begin if began == "meanwhile" else lambda: None
    if began == "before":
        begin()
    asyncio.run(listener.live(door, session))
    assert listener.is_listening
    assert (listener.hearing.heard, listener.hearing.missing) == (1, {})


class TestBook:
    """Two readers of one channel."""

    def book(self, *heard, acknowledged=(), epochs=None):
        """Each of ``heard``: numbers, in the order in which one reader heard them, from place 1 on."""
        book = Book("past.0")
        readers = [Reader(book) for _ in heard]
        book.acknowledged = {event(number) for number in acknowledged}
        for reader, numbers in zip(readers, heard, strict=True):
            for number in numbers:
                reader.take(Place("e", number + 1), event(number), 0, True, float(number))
        return book

    def figures(self, book):
        return book.lost, book.repeated, book.reordered, book.misplaced, len(book.missing())

    def test_all_is_well(self):
        book = self.book([0, 1, 2], [0, 1, 2], acknowledged=[0, 1, 2])
        assert self.figures(book) == (0, 0, 0, 0, 0)
        assert (book.epochs, book.silence, book.told) == (["e"], 1.0, 0)

    @pytest.mark.parametrize(
        ("heard", "figures"),
        [
            (([0, 1, 2], [0, 2]), (1, 0, 0, 0, 0)),
            (([0, 1, 2], [0, 1]), (1, 0, 0, 0, 0)),
            (([0, 1, 2], [0, 1, 1, 2]), (0, 1, 0, 0, 0)),
            (([0, 1, 2], [0, 2, 1]), (0, 0, 1, 0, 0)),
            (([0, 1], [0, 1]), (0, 0, 0, 0, 1)),
            (([0, 2, 1], [0, 2, 1]), (0, 0, 2, 0, 0)),
        ],
    )
    def test_what_is_wrong_is_counted(self, heard, figures):
        assert self.figures(self.book(*heard, acknowledged=[0, 1, 2])) == figures

    def test_an_event_that_others_went_past_is_found(self):
        book = self.book([0, 2], [0, 1, 2])
        assert book.misplaced == 1

    def test_one_event_has_one_place(self):
        book = self.book([0])
        reader = Reader(book)
        reader.take(Place("e", 7), event(0), 0, True, 0.0)
        assert book.misplaced == 1

    def test_a_new_epoch_must_be_told(self):
        book = self.book([0])
        silent, told = book.readers[0], Reader(book)
        silent.is_resuming = True
        told.take(Place("e", 1), event(0), 0, True, 0.0)
        silent.take(Place("f", 1), event(1), 0, True, 0.0)
        told.take(Place("f", 1), event(1), 0, False, 0.0)
        assert (silent.changed, silent.untold, told.changed, told.untold) == (1, 1, 1, 0)
        assert book.told == 1
        book.append(Place("e", 9), event(2), 0.0)
        assert book.reordered == 1

    def test_what_was_refused_must_not_happen(self):
        book = self.book([0, 1])
        book.refused = {event(1), event(5)}
        assert book.denied() == {event(1)}


class TestPlain:
    """One publisher of ten events, and a listener."""

    def life(self, process=1, sent=10, taken=10):
        return Life("v", process, "t", sent, taken)

    def hearing(self, life, numbers, lost=()):
        hearing = Hearing("t", 2)
        for number in numbers:
            hearing.take(life, number, dict(lost).get(number, 0))
        return hearing

    def judged(self, hearing, life, dead=()):
        sums = judge([hearing], [life], set(dead))
        return sums.missing, sums.told, len(sums.wrong)

    @pytest.mark.parametrize(
        ("numbers", "lost", "sums"),
        [
            (range(10), {}, (0, 0, 0)),
            ([0, 1, 4, 5, 6, 7, 8, 9], {4: 2}, (2, 2, 0)),
            ([0, 1, 4, 5, 6, 7, 8, 9], {}, (2, 0, 1)),
            ([0, 1, 4, 5, 6, 7, 8, 9], {4: 3}, (2, 3, 1)),
            ([3, 4, 5, 6, 7, 8, 9], {3: 3}, (3, 3, 0)),
            (range(8), {}, (2, 0, 1)),
            (range(8), {7: 2}, (2, 2, 0)),
        ],
    )
    def test_what_is_missing_must_be_told(self, numbers, lost, sums):
        life = self.life()
        assert self.judged(self.hearing(life, numbers, lost), life) == sums

    def test_what_a_node_that_died_had_not_sent_nobody_can_tell(self):
        life = self.life()
        assert self.judged(self.hearing(life, range(8)), life, dead=[1]) == (0, 0, 0)

    def test_one_that_began_late_need_not_hear_what_was_before(self):
        life = self.life()
        hearing = Hearing("t", 2)
        hearing.begin([life])
        for number in range(4, 10):
            hearing.take(life, number, 0)
        assert self.judged(hearing, life) == (0, 0, 0)
        assert hearing.before == 1

    def test_what_comes_twice_or_late_is_counted(self):
        life = self.life()
        hearing = self.hearing(life, [0, 1, 1, 3, 2])
        assert (hearing.repeated, hearing.reordered, hearing.count()) == (1, 1, 0)


class TestCalls:
    CALLS = [Call("a", "b", 10.0, 10.1, "ok"), Call("a", "b", 11.0, 18.0, "late"), Call("a", "c", 12.0)]

    def test_a_call_that_takes_too_long_or_never_ends_is_found(self):
        assert late_calls(self.CALLS, [], 6.0, 10.0) == self.CALLS[1:]
        assert outcomes(self.CALLS) == {"ok": 1, "late": 1, "never": 1}

    def test_but_not_one_whose_caller_was_away(self):
        assert late_calls(self.CALLS, [Window("a", 11.5, 20.0)], 6.0, 10.0) == []
        assert late_calls(self.CALLS, [Window("b", 11.5, 20.0)], 6.0, 10.0) == self.CALLS[1:]


class TestHoldings:
    """``single``: a holds it from 10 on, b from 20 on."""

    @pytest.mark.parametrize(
        ("ended", "windows", "count"),
        [
            (19.0, [], 0),
            (21.0, [], 1),
            (None, [], 1),
            # a was away for long enough, and gave it up when it was back.
            (31.0, [Window("a", 12.0, 30.0)], 0),
            (45.0, [Window("a", 12.0, 30.0)], 1),
            (31.0, [Window("a", 19.5, 30.0)], 1),
            (31.0, [Window("b", 12.0, 30.0)], 1),
        ],
    )
    def test_two_at_once_are_found(self, ended, windows, count):
        holdings = [Holding("b", 20.0, 22.0), Holding("a", 10.0, ended)]
        assert len(overlaps(holdings, windows, 5.0, 10.0)) == count


def test_the_longest_time_in_which_nobody_had_a_slot():
    assert idle([]) == 0
    holdings = [Holding("b", 20.0, 22.0), Holding("a", 10.0, 12.0), Holding("a", 11.0, 19.0)]
    assert idle([*holdings, Holding("c", 25.0)]) == 3


class TestTold:
    """One of node a (process 1), a watcher at b from 0 to 100."""

    def judged(self, being, *told, windows=(), deaths=None, lossy=False, lost=0):
        watch = Watch("b", 2, 0.0, lost=lost)
        for moment, what in told:
            watch.note(being.kind, being.key, what, moment)
        limits = dict.fromkeys(told_book.KINDS, 7.0)
        return told_book.judge([watch], [being], Rules(list(windows), limits, 100.0, deaths or {}, lossy))

    def being(self, kind=SESSION, came=10.0, went=None, is_killed=False):
        return Being(kind, "x", "a", 1, came, went, is_killed)

    @pytest.mark.parametrize(
        ("told", "went", "is_killed", "wrong"),
        [
            ([(10, CAME)], None, False, ""),
            ([], None, False, "was never told to have come"),
            ([(10, CAME), (20, WENT)], None, False, "is there, and was told to have gone"),
            ([(10, CAME), (20, WENT)], 20.0, False, ""),
            ([(10, CAME)], 20.0, False, "has gone, and nobody said so"),
            ([(10, CAME), (11, CAME), (20, WENT)], 20.0, False, "was told twice"),
            ([(10, CAME), (20, WENT), (20, WENT)], 20.0, False, "was told twice"),
            ([(10, CAME), (12, WENT), (12, CAME), (20, WENT)], 20.0, False, "came again"),
            ([(9, WENT), (10, CAME)], None, False, "went before it came"),
            ([(10, CAME), (26, WENT)], 20.0, True, ""),
            ([(10, CAME), (28, WENT)], 20.0, True, "was told after 8.0 s"),
        ],
    )
    def test_what_was_told_otherwise_is_found(self, told, went, is_killed, wrong):
        tally = self.judged(self.being(went=went, is_killed=is_killed), *told)
        assert [one.split(": ")[0] for one in tally.wrong] == ([f"session x {wrong}"] if wrong else [])

    def test_who_was_taken_for_dead_may_come_again(self):
        told = [(10, CAME), (20, WENT), (30, CAME)]
        assert self.judged(self.being(), *told, windows=[Window("a", 15.0, 25.0)]).wrong == []

    @pytest.mark.parametrize(("node", "wrong"), [("a", 0), ("b", 0), ("c", 1)])
    def test_who_came_and_went_while_a_node_was_away_need_not_be_told(self, node, wrong):
        windows = [Window(node, 9.0, 21.0), Window(node, 30.0, 31.0)]
        assert len(self.judged(self.being(went=20.0), windows=windows).wrong) == wrong

    def test_deaths_are_told_with_their_time(self):
        tally = self.judged(self.being(CHANNEL, went=20.0, is_killed=True), (10, CAME), (26, WENT))
        assert (tally.dead[CHANNEL], tally.slowest[CHANNEL], tally.told[CHANNEL]) == (1, 6.0, 2)

    @pytest.mark.parametrize(
        ("told", "options", "wrong"),
        [
            ([(21, WENT)], {}, ""),
            ([], {}, "was never heard"),
            ([], {"lossy": True, "lost": 1}, ""),
            ([], {"deaths": {1: 21.0}}, ""),
            ([], {"deaths": {1: 25.0}}, "was never heard"),
            ([(21, WENT), (22, WENT)], {}, "was heard 2 times"),
        ],
    )
    def test_testaments_are_heard_once(self, told, options, wrong):
        tally = self.judged(self.being(WILL, went=20.0), *told, **options)
        assert [one.split(": ")[0] for one in tally.wrong] == ([f"will x {wrong}"] if wrong else [])
        assert (len(tally.unheard), tally.lost) == (not told, options.get("lost", 0))

    def test_a_testament_of_somebody_who_is_there_is_wrong_unless_its_node_was_away(self):
        assert len(self.judged(self.being(WILL), (20, WENT)).wrong) == 1
        assert self.judged(self.being(WILL), (20, WENT), windows=[Window("a", 15.0, 25.0)]).wrong == []


class TestHerd:
    """One channel, a publisher, and listeners; no connection."""

    def herd(self, *heard, acknowledged=(), denied=()):
        """Each of ``heard``: (place, event) in turn."""
        flock = herd.Herd([("127.0.0.1", 1)], 1, len(heard), 1.0, 0)
        for listener, events in zip(flock.listeners, heard, strict=True):
            for seq, tag in events:
                event = b'[36,1,2,{"_epoch":"e","_seq":%d},[%d]]' % (seq, tag)
                listener.hear(event)
        flock.publishers[0].taken.extend(acknowledged)
        flock.publishers[0].denied.extend(denied)
        figures = flock.figures()
        bad = [name for name in herd.NAMES if name not in ("heard", "epochs")]
        return {name: figures[name] for name in bad if figures[name]}

    ALL = ((2, 1), (5, 2), (7, 3))

    def test_all_is_well(self):
        assert self.herd(self.ALL, self.ALL, acknowledged=[1, 2, 3]) == {"acknowledged": 3}

    @pytest.mark.parametrize(
        ("heard", "wrong"),
        [
            (((2, 1), (7, 3)), {"lost": 1}),
            (((2, 1), (5, 2), (5, 2)), {"lost": 1, "repeated": 1, "otherwise": 1}),
            (((2, 1), (6, 2), (7, 3)), {"otherwise": 1}),
        ],
    )
    def test_what_one_heard_otherwise_is_counted(self, heard, wrong):
        assert self.herd(self.ALL, heard) == wrong

    def test_what_is_missing_denied_or_out_of_order_is_counted(self):
        assert self.herd(self.ALL, acknowledged=[1, 4]) == {"acknowledged": 2, "missing": 1}
        assert self.herd(self.ALL, denied=[3, 4]) == {"denied": 1}
        assert self.herd(((2, 1), (5, 3), (7, 2))) == {"reordered": 1}
        # The next session of a publisher may overtake what its last one left on the way.
        assert self.herd(((2, 1), (5, herd.LIFE + 1), (7, 2))) == {}

    def test_who_was_told_of_loss_is_counted(self):
        flock = herd.Herd([("127.0.0.1", 1)], 1, 1, 1.0, 0)
        flock.listeners[0].hear(b'[36,1,2,{"_epoch":"e","_seq":5,"_lost":2},[1]]')
        flock.listeners[0].hear(b'[36,1,2,{"_epoch":"f","_seq":6,"_recovered":false},[2]]')
        assert (flock.figures()["told"], flock.figures()["epochs"]) == (2, 2)


def test_readiness_knows_when_a_node_first_said_so():
    told = Readiness("a")
    for moment, status in ((1.0, 200), (2.0, 200), (3.0, 503), (4.0, 200)):
        told.note(moment, status)
    assert told.changes == [(1.0, 200), (3.0, 503), (4.0, 200)]
    assert (told.status, told.first(503, 2.5), told.first(503, 3.5), told.first(503, 4.5)) == (
        200,
        3.0,
        3.5,
        None,
    )


class TestMemory:
    def test_a_line_that_rises_in_the_second_half_is_found(self):
        steady = [(float(at), 100.0 + at % 2) for at in range(40)]
        assert abs(rise(steady)) < 1
        assert rise([(at, mib + max(0.0, at - 20)) for at, mib in steady]) == pytest.approx(19, abs=1)

    def test_what_was_gathered_in_the_first_half_is_none(self):
        assert rise([(float(at), min(at, 20.0)) for at in range(41)]) == pytest.approx(0)
        assert rise([]) == rise([(0.0, 1.0)]) == 0.0

    def test_a_process_is_looked_at(self):
        with Memory(lambda: {"me": os.getpid(), "nobody": 0}) as memory:
            pass
        assert memory.most("me") > 1
        assert memory.most("nobody") == 0


class TestWatcher:
    def watcher(self):
        return Watcher(Crew([], Random(1), [], []), "w", "a")

    def hear(self, watcher, *args, **details):
        watcher._hear([36, 1, 2, details, list(args)])

    def test_who_comes_twice_is_counted(self):
        watcher = self.watcher()
        for session in (1, 2, 1):
            self.hear(watcher, {"session": session, "authmethod": "anonymous"})
        assert (watcher.odd, watcher.here, watcher.heard["joins"]) == (1, {1, 2}, 3)

    def test_who_leaves_may_come_again(self):
        watcher = self.watcher()
        self.hear(watcher, {"session": 1, "authmethod": "anonymous"})
        self.hear(watcher, 1, "somebody", "anybody", _lost=2)
        self.hear(watcher, {"session": 1, "authmethod": "anonymous"})
        self.hear(watcher, 1, {"uri": "x"})
        assert (watcher.odd, watcher.here, watcher.lost) == (0, {1}, 2)
        assert watcher.heard == {"joins": 2, "leaves": 1, "others": 1}


@pytest.mark.e2e
def test_comers_come_and_go(tmp_path):
    with radiod(tmp_path, configuration()) as server:
        comers = Comers(300.0, 0.01, [("127.0.0.1", server.port)])
        told = []
        comers.run(lambda: comers.counts["joined"] >= 100, lambda counts: told.append(dict(counts)))
    counts = told[-1]
    assert counts["joined"] >= 100
    # Who was on the way in when it was over has joined, too.
    assert counts["left"] + counts["went"] == counts["joined"]
    assert counts["deeds"] >= 5
    assert not [name for name in counts if name.startswith(("aborted", "hung", "not let", "refused wamp"))]
    assert comers.present == 0
