from radiod.core.cluster.claim_jobs import ClaimJobs
from radiod.testing import FakeClock


class Jobs:
    def __init__(self):
        self.clock = FakeClock()
        self.done = []
        self.jobs = ClaimJobs(self.clock, self.clock.timers, self.done.append)

    def job(self, name):
        return lambda: self.done.append(name)


def test_jobs_of_a_key_are_done_one_after_the_other():
    world = Jobs()
    world.jobs.add("a", world.job(1))
    world.jobs.add("a", world.job(2))
    world.jobs.add("b", world.job(3))
    assert world.done == [1, 3]
    world.jobs.end("a")
    assert world.done == [1, 3]
    world.clock.advance(0)
    assert world.done == [1, 3, 2]
    world.jobs.end("a")
    world.jobs.end("b")
    assert len(world.jobs) == 0


def test_many_that_end_at_once_nest_in_nothing():
    world = Jobs()

    def job():
        world.done.append(1)
        world.jobs.end("a")

    world.jobs.add("a", world.job(0))
    for _ in range(3000):
        world.jobs.add("a", job)
    world.jobs.end("a")
    world.clock.advance(0)
    assert (len(world.done), len(world.jobs)) == (3001, 0)


def test_a_key_is_looked_at_once_however_often_that_is_asked_for():
    world = Jobs()
    world.jobs.look_in(1, ["a", "b"])
    world.jobs.look_in(0.5, ["a", "c"])
    world.jobs.look_in(0.5, ["c"])
    assert len(world.jobs) == 3
    world.clock.advance(2)
    assert world.done == ["c", "a", "b"]
    world.jobs.look_in(1, ["a"])
    world.clock.advance(2)
    assert world.done == ["c", "a", "b", "a"]
