"""What endpoint strings mean to Twisted, once radiod has added what they leave out."""

import socket
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.running import OPEN, TWISTD, environment, program, wait_until
from twisted.internet import endpoints
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor

from radiod.endpoint_defaults import with_defaults

TLS = "privateKey=k.pem"


@pytest.mark.parametrize(
    ("given", "added"),
    [
        ("tcp:80", ":backlog=4096"),
        ("TCP:80", ":backlog=4096"),
        ("tcp:port=80", ":backlog=4096"),
        ("tcp:80:interface=127.0.0.1", ":backlog=4096"),
        (r"tcp:80:interface=\:\:1", ":backlog=4096"),
        ("tcp:80:127.0.0.1", ":backlog=4096"),
        ("tcp:80:127.0.0.1:7", ""),
        ("tcp:80:backlog=7", ""),
        ("tcp:backlog=7:80", ""),
        ("tcp6:80", ":backlog=4096"),
        ("tcp6:80:7", ""),
        ("tcp6:80:interface=x", ":backlog=4096"),
        (f"ssl:443:{TLS}", ":backlog=4096"),
        ("ssl:443:k.pem:c.pem:m:i:7", ""),
        (f"ssl:443:{TLS}:backlog=7", ""),
        ("unix:/run/x", ":mode=660:backlog=4096"),
        ("unix:address=/run/x", ":mode=660:backlog=4096"),
        ("unix:/run/x:mode=666", ":backlog=4096"),
        ("unix:/run/x:666", ":backlog=4096"),
        ("unix:/run/x:600:7", ""),
        ("unix:/run/x:lockfile=0", ":mode=660:backlog=4096"),
        # The name is part of the path.
        (r"unix:/run/x\:mode\=666", ":mode=660:backlog=4096"),
        (r"unix:/run/x\:mode=666", ":mode=660:backlog=4096"),
        (r"unix:/run/x\\:mode=666", ":backlog=4096"),
        ("unix:/run/x\\", ""),
        ("haproxy:tcp:80:interface=127.0.0.1", ":backlog=4096"),
        ("HAProxy:unix:/run/x", ":mode=660:backlog=4096"),
        ("haproxy:tcp:80:backlog=7", ""),
        ("haproxy", ""),
        ("systemd:domain=INET:index=0", ""),
        ("tls:/etc/certificates:tcp:443", ""),
        ("fd:3", ""),
        ("", ""),
    ],
)
def test_only_what_is_left_out_is_added(given, added):
    assert with_defaults(given) == given + added


values = st.text(st.sampled_from("a7:=\\/."), min_size=1, max_size=6).map(
    lambda text: "".join(f"\\{one}" if one in ":=\\" else one for one in text)
)
arguments = st.one_of(values, st.builds("{}={}".format, st.sampled_from(["mode", "backlog", "x"]), values))


@given(st.sampled_from(["unix", "tcp", "tcp6", "ssl", "other"]), st.lists(arguments, max_size=4))
def test_twisted_reads_what_was_there_as_before(kind, parts):
    text = ":".join([kind, *parts])
    args, named = endpoints._parse(text)
    later, completed = endpoints._parse(with_defaults(text))
    assert later == args
    assert {**completed, **named} == completed
    assert set(completed) - set(named) <= {"mode", "backlog"}


@pytest.mark.e2e
@pytest.mark.parametrize(("mode", "expected"), [("", 0o660), (":mode=600", 0o600), (":mode=666", 0o666)])
def test_a_unix_socket_is_for_owner_and_group(tmp_path, mode, expected):
    path, file, log = tmp_path / "radio", tmp_path / "radiod.toml", tmp_path / "log"
    file.write_text(OPEN)
    arguments = ["--config", str(file), "--listen", f"unix:{path}{mode}"]
    with program([*TWISTD, "-n", "--pidfile=", "radiod", *arguments], log, env=environment()) as process:
        wait_until(lambda: b"on the air" in log.read_bytes(), process, log)
        assert stat.S_IMODE(path.stat().st_mode) == expected
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.")


def test_thousands_may_wait_to_be_accepted():
    """What the kernel is asked for, by Twisted's own reading of the string."""
    reactor = MemoryReactor()
    endpoints.serverFromString(reactor, with_defaults("tcp:0:interface=127.0.0.1")).listen(Factory())
    assert [backlog for _, _, backlog, _ in reactor.tcpServers] == [4096]
