"""nats-servers for tests: one for all of them, three for those that kill some."""

import pytest
from engine.nats.servers import Servers


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
