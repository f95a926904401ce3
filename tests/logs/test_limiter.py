"""How many lines are written: the first of a kind, then numbers; nothing is uncounted, nothing unbounded."""

from hypothesis import given
from hypothesis import strategies as st

from radiod.logs.limiter import MAX_PEERS, Limiter, Rest

INTERVAL = 10.0
MAX_BYTES = 100
MAX_KINDS = 5


def limiter(**options):
    return Limiter(INTERVAL, len, **options)


def test_the_first_of_a_kind_is_written_and_the_rest_counted():
    log = limiter()
    assert log.admit("kind", "first", 0.0)
    assert [log.admit("kind", f"line {n}", 1.0) for n in range(1999)] == [False] * 1999
    assert log.admit("other", "another", 2.0)
    assert log.ends == INTERVAL
    assert log.turn(INTERVAL) == [Rest(1999, "line 1998")]


def test_what_goes_on_is_told_each_interval_until_it_has_been_silent_for_one():
    log = limiter()
    log.admit("kind", "1", 0.0)
    log.admit("kind", "2", 1.0)
    assert log.turn(10.0) == [Rest(1, "2")]
    assert not log.admit("kind", "3", 11.0)
    assert log.turn(20.0) == [Rest(1, "3")]
    assert log.turn(30.0) == []
    assert log.ends is None
    assert log.admit("kind", "4", 40.0)
    assert log.ends == 50.0


def test_the_most_frequent_is_told_first():
    log = limiter()
    for kind in "abbaccc":
        log.admit(kind, kind, 0.0)
    assert [rest.last for rest in log.turn(INTERVAL)] == ["c", "a", "b"]


def test_many_kinds_share_one():
    log = limiter(max_kinds=2)
    assert [log.admit(kind, kind, 0.0) for kind in "abcde"] == [True, True, True, False, False]
    assert log.turn(INTERVAL) == [Rest(2, "e")]


def test_what_does_not_fit_into_the_interval_is_counted():
    log = limiter(max_bytes=5)
    assert log.admit("a", "12345", 0.0)
    assert not log.admit("b", "1", 0.0)
    assert log.turn(INTERVAL) == [Rest(1, "1")]
    assert log.has_room("12345")
    assert not log.has_room("1")


lines = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 40), st.sampled_from([0.0, 0.5, 3.0, 25.0])))


@given(lines)
def test_every_line_is_written_or_told_and_bounds_hold(lines):
    log = limiter(max_bytes=MAX_BYTES, max_kinds=MAX_KINDS)
    now, written, told, bytes_of_interval = 0.0, 0, 0, 0
    turns = []

    def turn():
        rests = log.turn(log.ends)
        assert all(rest.count > 0 for rest in rests)
        return sum(rest.count for rest in rests)

    for kind, size, wait in lines:
        now += wait
        while log.ends is not None and log.ends <= now:
            told += turn()
            bytes_of_interval = 0
        if log.admit(kind, "x" * size, now):
            written += 1
            bytes_of_interval += size
        assert bytes_of_interval <= MAX_BYTES
        assert len(log._kinds) <= MAX_KINDS + 1
        assert now < log.ends <= now + INTERVAL
    while log.ends is not None:
        told += turn()
        turns.append(log.ends)
    assert written + told == len(lines)
    assert len(turns) <= 2


def test_each_peer_has_a_kind_of_its_own_until_there_are_too_many():
    log = limiter(max_bytes=1 << 20)
    peers = [f"peer {number}" for number in range(MAX_PEERS + 10)]
    written = [log.admit("kind", peer, 0.0, peer) for peer in peers]
    # Those beyond share one kind, of which the first is written.
    assert written == [True] * (MAX_PEERS + 1) + [False] * 9
    assert not any(log.admit("kind", peer, 1.0, peer) for peer in peers)
    rests = log.turn(INTERVAL)
    assert [rest.count for rest in rests] == [19] + [1] * MAX_PEERS


def test_a_peer_that_was_silent_gives_its_place_to_another():
    log = limiter(max_bytes=1 << 20)
    for number in range(MAX_PEERS):
        log.admit("kind", "line", 0.0, f"peer {number}")
    log.turn(INTERVAL)
    assert log.admit("kind", "line", 11.0, "another")
    assert not log.admit("kind", "line", 11.0, "another")
    assert log.turn(20.0) == [Rest(1, "line")]
