"""What all connections share: the clock of those that ask nothing, and the lines of every answer."""

from support.http import Answer as Read
from support.http import get
from support.served import Echo, statuses


def test_who_asks_nothing_is_closed_each_at_its_own_time(served, world):
    home = served(Echo())
    first, second, third = home.connect(), home.connect(), home.connect()
    for client in (first, second, third):
        client.ask(get("/a"))
        world.wait(10)
    # Asking again begins a new time.
    first.ask(get("/a"))
    assert (first.is_closed, second.is_closed, third.is_closed) == (False, False, False)
    world.wait(55.1)
    assert (first.is_closed, second.is_closed, third.is_closed) == (False, True, False)
    world.wait(10)
    assert (first.is_closed, third.is_closed) == (False, True)
    world.wait(10)
    assert first.is_closed
    assert first.received() == b""
    assert home.server.connections == set()


def test_who_is_answered_late_does_not_rest(served, world):
    class Later(Echo):
        def handle(self, request):
            self.request = request

    later = Later()
    client = served(later).connect()
    client.send(get("/a"))
    world.wait(1000)
    assert not client.is_closed
    Echo.handle(later, later.request)
    client.settle()
    assert statuses(client.received()) == [200]
    world.wait(74)
    assert not client.is_closed
    world.wait(2)
    assert client.is_closed


def test_no_clock_goes_on_when_nobody_is_there(served, world):
    home = served(Echo())
    client = home.connect()
    client.ask(get("/a"))
    client.hang_up()
    world.wait(76)
    assert len(world.radio.clock.timers) == 0


def test_the_date_is_told_and_no_version(served, world):
    client = served(Echo()).connect()
    dates = []
    for _ in range(2):
        headers = Read(client.ask(get("/a"))).headers
        assert headers["Server"] == "radiod"
        dates.append(headers["Date"])
        world.wait(1)
    assert all(date.endswith(" GMT") for date in dates)


def test_what_has_left_is_closed_even_if_nobody_reads_it(served, world):
    client = served(Echo()).connect()
    client.transport.room = 10
    client.send(get("/a", "Connection: close"))
    client.settle()
    assert client.transport.connected
    world.wait(76)
    assert not client.transport.connected
    assert client.lost == 1
