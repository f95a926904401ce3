"""What a running server writes to its log: no traceback, no query, no more than strangers sent."""

import contextlib
import socket

import pytest
from support.running import OPEN, radiod

pytestmark = pytest.mark.e2e

SECONDS = 20


def dial(port):
    return socket.create_connection(("127.0.0.1", port), SECONDS)


def stream(port, media_type):
    """Open a stream whose query holds what nobody else may see."""
    client = dial(port)
    client.sendall(
        b"GET /listen/a?size=5&_=my-secret HTTP/1.1\r\nHost: x\r\nAccept: %b\r\n\r\n" % media_type.encode()
    )
    assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    return client


@pytest.mark.parametrize("media_type", ["text/event-stream", "application/x-ndjson"])
def test_streams_that_end_leave_no_traceback_and_no_query(tmp_path, media_type):
    with contextlib.ExitStack() as stack, radiod(tmp_path, OPEN) as server:
        clients = [stack.enter_context(stream(server.port, media_type)) for _ in range(20)]
        clients.pop().close()
        assert server.stop() == 0
        log = server.log.read_text()
    assert "Traceback" not in log
    assert "my-secret" not in log
    assert "Main loop terminated" in log
