"""What is to happen later: in order, at most once, and no more of it kept than will happen."""

from radiod_client._deadlines import Deadlines


def test_in_order_of_their_time_and_what_is_said_meanwhile_waits():
    now, done = [0.0], []
    deadlines = Deadlines(lambda: now[0])
    deadlines.after(2, lambda: done.append("second"))
    deadlines.after(1, lambda: (done.append("first"), deadlines.after(0, lambda: done.append("later"))))
    deadlines.after(1.5, lambda: done.append("never")).cancel()
    assert deadlines.next() == 1
    now[0] = 3.0
    deadlines.run()
    assert done == ["first", "second"]
    deadlines.run()
    assert done == ["first", "second", "later"]
    assert deadlines.next() is None


def test_those_of_answered_calls_are_not_kept_until_their_time():
    deadlines, done = Deadlines(lambda: 0.0), []
    lasting = [deadlines.after(30 + number, lambda: done.append(1)) for number in range(500)]
    for _ in range(100_000):
        deadlines.after(20, lambda: done.append(1)).cancel()
    assert len(deadlines._heap) <= 1001
    assert deadlines.next() == 30
    assert len(lasting) == 500
