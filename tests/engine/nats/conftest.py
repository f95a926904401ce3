"""nats-servers for tests: one for all of them, three for those that kill some."""

import pytest
import pytest_twisted
from engine.nats.servers import Servers
from engine.nats.watching import Client
from twisted.internet.defer import Deferred


@pytest.fixture(scope="session")
def one_server(tmp_path_factory):
    """One server, which nobody stops."""
    with Servers(tmp_path_factory.mktemp("nats")) as servers:
        yield servers.all[0]


@pytest.fixture(scope="session")
def three_running(tmp_path_factory):
    with Servers(tmp_path_factory.mktemp("nats3"), 3) as servers:
        yield servers


@pytest.fixture
def three(three_running):
    """Three servers that replicate: a test may do to them what it likes, they are mended for the next."""
    yield three_running
    three_running.heal()


@pytest.fixture
def servers(tmp_path):
    """Makes servers of a test's own: ``servers(number, more)``."""
    made = []

    def make(number=1, more=""):
        one = Servers(tmp_path / f"servers{len(made)}", number, more)
        made.append(one)
        return one.__enter__()

    yield make
    for one in made:
        one.end()


@pytest.fixture
def clients():
    """Makes connections: ``await clients(url, …)``; they are closed at the end."""
    made = []

    async def make(*urls, **more):
        client = Client(*urls, **more)
        made.append(client)
        await client.connection.connect()
        return client.connection

    make.made = made
    yield make
    for client in made:
        pytest_twisted.blockon(client.connection.close())
        client.clock.stop()


@pytest.fixture
def connection(clients, one_server):
    """A connection to ``one_server``, which hears what it says itself."""
    return pytest_twisted.blockon(Deferred.fromCoroutine(clients(one_server.url, echo=True)))
