"""One real radiod for all rows, programs on real WebSockets, and a channel's name for each test."""

import contextlib
from itertools import count

import pytest
from support.programs import Program
from support.world import World

STATION = """
[realms.radio.keys.station]
key = "station-key"
publish = ["*"]
listen = ["*"]
"""


def pytest_collection_modifyitems(items):
    for item in items:
        if "stream_service/test_" in item.path.as_posix():
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with World(tmp_path_factory) as world:
        yield world.serve(STATION, stats_interval_s=1, wait_timeout_s=2)


@pytest.fixture
def program(server):
    """Opens programs; as ``joe`` or ``listener`` they log in, else they are anonymous."""
    with contextlib.ExitStack() as stack:

        def open_program(authid=None, **options):
            if authid is not None:
                options = {
                    "authid": authid,
                    "authmethods": ["ticket"],
                    "ticket": f"{authid}-ticket",
                    **options,
                }
            return stack.enter_context(contextlib.closing(Program(server.port, **options)))

        yield open_program


NUMBERS = count()


@pytest.fixture
def channel():
    """A name that no other test has used."""
    return f"stream.service.{next(NUMBERS)}"
