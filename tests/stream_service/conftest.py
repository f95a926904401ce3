"""One real radiod for all rows, programs on real WebSockets, and a channel's name for each test."""

import contextlib
from itertools import count

import pytest
from support.programs import Program
from support.running import radiod

CONFIG = """
[limits]
stats_interval_s = 1
wait_timeout_s = 2

[realms.radio]
anonymous = "open"

[realms.radio.roles.open]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
register = ["*"]
hold_publishers = true

[realms.radio.roles.listener]
subscribe = ["*"]
call = ["*"]

[realms.radio.users.listener]
role = "listener"
ticket = "listener-ticket"

[realms.radio.users.joe]
role = "open"
ticket = "joe-ticket"

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
    with radiod(tmp_path_factory.mktemp("stream_service"), CONFIG) as server:
        yield server


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
