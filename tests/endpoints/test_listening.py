"""Every kind of endpoint opens; every mistake in one is a sentence of one line."""

import os
import socket
import stat

import pytest
from support.tls import Issued, certificate, rsa_key
from twisted.internet import defer, reactor
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from zope.interface import implementer

from radiod.endpoints import EndpointError, address, listen, listening


class Refused(AssertionError):
    """An endpoint was told to have failed late, where nothing is late."""


def failed(why):
    raise Refused(why)


@pytest.fixture
def opened():
    ports = []
    yield ports
    for port in ports:
        port.stopListening()


def refusal(description):
    with pytest.raises(EndpointError) as refused:
        listen(reactor, description, Factory(), lambda port: failed(port), failed)
    line = str(refused.value)
    assert line
    assert "\n" not in line
    return line


TCP_ARGUMENTS = "there are port, interface, backlog, shared"
SSL_ARGUMENTS = (
    "there are port, privateKey, certKey, sslmethod, interface, backlog, extraCertChain, dhParameters, shared"
)
KINDS = "there are tcp, tcp6, ssl, tls, unix, systemd, haproxy"


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("", "it must begin with its kind, as tcp:8080 does"),
        (":8080", "it must begin with its kind, as tcp:8080 does"),
        ("8080", f"unknown kind '8080'; {KINDS}"),
        ("fd:3", f"unknown kind 'fd'; {KINDS}"),
        ("carrier:pigeon", f"unknown kind 'carrier'; {KINDS}"),
        ("http://localhost", f"unknown kind 'http'; {KINDS}"),
        ("kärrier:pigeon", f"unknown kind 'kärrier'; {KINDS}"),
        ("stdio:", "stdio has no port that others could connect to"),
        ("stdio", "stdio has no port that others could connect to"),
        ("tcp", "port is missing"),
        ("tcp:", "port is missing"),
        ("tcp:http", "port: 'http' is no number from 0 to 65535"),
        ("tcp:-1", "port: '-1' is no number from 0 to 65535"),
        ("tcp:65536", "port: '65536' is no number from 0 to 65535"),
        ("tcp:127.0.0.1:8080", "port: '127.0.0.1' is no number from 0 to 65535"),
        ("tcp:0:backlog=x", "backlog: 'x' is no number from 1 to 2147483648"),
        ("tcp:0:host=x", f"unknown argument 'host'; {TCP_ARGUMENTS}"),
        ("tcp:0:a:1:0:b", f"'b' is one argument too many; {TCP_ARGUMENTS}"),
        ("tcp:0:interface=a:interface=b", "interface is given twice"),
        ("tcp:0\\", "it ends in a backslash, which wants a character behind it"),
        ("tcp6:", "port is missing"),
        ("tcp6:x", "port: 'x' is no number from 0 to 65535"),
        ("tcp6:0:backlog=-1", "backlog: '-1' is no number from 1 to 2147483648"),
        ("ssl:", "port is missing"),
        ("ssl:x", "port: 'x' is no number from 0 to 65535"),
        ("ssl:0:cert=x", f"unknown argument 'cert'; {SSL_ARGUMENTS}"),
        ("ssl:0:privateKey=/nowhere", "privateKey '/nowhere': No such file or directory"),
        (
            "ssl:0:sslmethod=TLSv1_METHOD",
            "sslmethod: leave it out: TLS 1.2 and 1.3 are spoken, and nothing older",
        ),
        ("tls:", "path is missing"),
        ("tls:/nowhere", "path '/nowhere': there is no such folder"),
        ("tls:/nowhere:x", "port: 'x' is no number from 0 to 65535"),
        ("unix:", "address is missing"),
        ("unix:/x:mode=rw", "mode: 'rw' are no permissions in octal, such as 660"),
        ("unix:/x:lockfile=yes", "lockfile: 'yes' is none of 0, 1"),
        ("systemd:", "give one of index and name"),
        ("systemd:INET:index=0", "no socket of index 0 was passed on; is the socket unit active?"),
        ("systemd:domain=INET:name=http", "no socket named 'http' was passed on; is the socket unit active?"),
        ("systemd:INET", "give one of index and name"),
        ("systemd:INET:index=0:name=http", "give one of index and name"),
        ("systemd:INET:index=-1", "index: '-1' is no number from 0 to 2147483648"),
        ("systemd:INET:index=first", "index: 'first' is no number from 0 to 2147483648"),
        ("systemd:IPX:index=0", "domain: 'IPX' is none of INET, INET6, UNIX"),
        ("systemd:domain=FOO:name=http", "domain: 'FOO' is none of INET, INET6, UNIX"),
        ("haproxy:", "it must begin with its kind, as tcp:8080 does"),
        ("haproxy", "it must begin with its kind, as tcp:8080 does"),
        ("haproxy:8080", f"unknown kind '8080'; {KINDS}"),
        ("haproxy:tcp:x", "port: 'x' is no number from 0 to 65535"),
        ("haproxy:ssl:0:privateKey=/nowhere", "privateKey '/nowhere': No such file or directory"),
        ("autobahn:tcp\\:0", "URL needed"),
    ],
)
def test_a_malformed_description_is_a_sentence(description, message):
    assert refusal(description) == message


@pytest.mark.parametrize(
    ("description", "part"),
    [
        ("tcp:0:interface=no.such.host.invalid", "no.such.host.invalid"),
        ("tcp:0:interface=192.0.2.1", "Cannot assign requested address"),
        ("tcp:0:interface=" + "x" * 300, "xxx"),
        ("unix:/no/such/folder/socket", "No such file or directory"),
        ("unix:FOLDER/" + "x" * 200, "too long"),
        ("unix:/", "/"),
    ],
)
def test_what_the_system_refuses_is_a_sentence(tmp_path, description, part):
    # A folder of its own: a run that was killed leaves its lock there.
    assert part in refusal(description.replace("FOLDER", str(tmp_path)))


def test_a_taken_port_is_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "already in use" in refusal(f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1")


class TestKeysAndCertificates:
    """``ssl:``; each file may be missing, unreadable, or something else than it should be."""

    @pytest.fixture
    def file(self, tmp_path):
        def make(name, data):
            path = tmp_path / name
            path.write_bytes(data)
            return path

        return make

    def test_a_key_that_is_none(self, file):
        path = file("key", b"\x00\xff garbage")
        assert (
            refusal(f"ssl:0:privateKey={path}") == f"privateKey '{path}': there is no private key (PEM) in it"
        )

    def test_a_key_that_is_broken(self, file):
        path = file("key", b"-----BEGIN PRIVATE KEY-----\nbm9uZQ==\n-----END PRIVATE KEY-----\n")
        assert refusal(f"ssl:0:privateKey={path}") == f"privateKey '{path}': the key cannot be read"

    def test_a_key_that_is_encrypted(self, file):
        issued = Issued("localhost")
        path = file("key", issued.key_pem(b"password") + issued.certificate_pem())
        assert "the key is encrypted" in refusal(f"ssl:0:privateKey={path}")

    def test_a_folder_for_a_key(self, tmp_path):
        assert refusal(f"ssl:0:privateKey={tmp_path}") == f"privateKey '{tmp_path}': Is a directory"

    def test_a_certificate_that_is_missing(self, file):
        path = file("key", Issued("localhost").key_pem())
        assert refusal(f"ssl:0:privateKey={path}").endswith("there is no certificate (PEM) in it")
        assert refusal(f"ssl:0:privateKey={path}:certKey=/nowhere").startswith("certKey '/nowhere': No such")

    def test_a_certificate_that_is_broken(self, file):
        key = file("key", Issued("localhost").key_pem())
        path = file("cert", b"-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n")
        assert refusal(f"ssl:0:privateKey={key}:certKey={path}") == (
            f"certKey '{path}': a certificate cannot be read"
        )

    def test_a_certificate_of_another_key(self, file):
        key, path = (
            file("key", Issued("localhost").key_pem()),
            file("cert", Issued("localhost").certificate_pem()),
        )
        assert "does not belong to" in refusal(f"ssl:0:privateKey={key}:certKey={path}")

    def test_a_key_that_is_too_short_for_openssl(self, file):
        issued = Issued("localhost", key=rsa_key(1024))
        path = file("pem", issued.key_pem() + issued.certificate_pem())
        assert refusal(f"ssl:0:privateKey={path}").startswith("TLS cannot use this key")

    def test_a_chain_that_is_none(self, tmp_path, file):
        pem = certificate(tmp_path)
        path = file("chain", b"none")
        assert refusal(f"ssl:0:privateKey={pem}:extraCertChain={path}").startswith(f"extraCertChain '{path}'")

    def test_parameters_that_are_none(self, tmp_path, file):
        pem = certificate(tmp_path)
        path = file("dh", b"none")
        assert refusal(f"ssl:0:privateKey={pem}:dhParameters={path}") == (
            f"dhParameters '{path}': they cannot be read"
        )
        assert "No such file" in refusal(f"ssl:0:privateKey={pem}:dhParameters=/nowhere")

    def test_a_folder_without_a_pair(self, tmp_path, file):
        file("a.pem", Issued("localhost").key_pem())
        file("b.pem", Issued("localhost").certificate_pem())
        assert (
            refusal(f"tls:{tmp_path}:0") == f"path '{tmp_path}': no .pem file has a key and its certificate"
        )

    def test_a_folder_with_a_broken_file(self, tmp_path, file):
        path = file("a.pem", b"-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n")
        assert refusal(f"tls:{tmp_path}:0") == f"path '{path}': a certificate cannot be read"


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ("tcp:0:interface=127.0.0.1", "http://127.0.0.1:PORT/"),
        ("tcp:0", "http://localhost:PORT/ (on every network)"),
        (r"tcp:0:interface=\:\:1", "http://[::1]:PORT/"),
        (r"tcp6:0:interface=\:\:1", "http://[::1]:PORT/"),
        ("ssl:0:privateKey=PEM:interface=127.0.0.1", "https://127.0.0.1:PORT/"),
        (r"tls:FOLDER:0:interface=\:\:1", "https://[::1]:PORT/"),
        ("unix:FOLDER/socket", "unix:FOLDER/socket"),
        ("unix:FOLDER/socket:mode=660:backlog=9:lockfile=0", "unix:FOLDER/socket"),
        (
            "haproxy:tcp:0:interface=127.0.0.1",
            "http://127.0.0.1:PORT/ (behind a proxy that speaks the PROXY protocol)",
        ),
        (
            "haproxy:ssl:0:privateKey=PEM:interface=127.0.0.1",
            "https://127.0.0.1:PORT/ (behind a proxy that speaks the PROXY protocol)",
        ),
        ("haproxy:unix:FOLDER/socket", "unix:FOLDER/socket (behind a proxy that speaks the PROXY protocol)"),
    ],
)
def test_each_kind_opens_and_says_where(tmp_path, opened, description, said):
    pem = certificate(tmp_path)
    description = description.replace("PEM", str(pem)).replace("FOLDER", str(tmp_path))
    listen(reactor, description, Factory(), opened.append, failed)
    number = str(getattr(opened[0].getHost(), "port", ""))
    assert address(opened[0]) == said.replace("PORT", number).replace("FOLDER", str(tmp_path))


def test_the_permissions_of_a_unix_socket_are_those_asked_for(tmp_path, opened):
    listen(reactor, f"unix:{tmp_path}/socket:mode=640", Factory(), opened.append, failed)
    assert os.stat(tmp_path / "socket").st_mode & 0o777 == 0o640


@implementer(IStreamServerEndpoint)
class Plugin:
    """An endpoint of somebody else's, whose port comes later, or is none, or fails."""

    def __init__(self):
        self.ready = defer.Deferred()

    def listen(self, protocolFactory):
        if isinstance(self.ready, Exception):
            raise self.ready
        return self.ready


@implementer(IListeningPort)
class Port:
    """A port as a plugin gives it."""


class TestPlugins:
    @pytest.fixture
    def plugin(self, monkeypatch):
        plugin = Plugin()
        # Twisted finds plugins in the file system; this one is found here.
        monkeypatch.setattr(listening, "serverFromString", lambda reactor, description: plugin)
        return plugin

    def test_a_port_may_come_later(self, plugin):
        ports, failures = [], []
        listen(reactor, "onion:80", Factory(), ports.append, failures.append)
        assert ports == []
        plugin.ready.callback(port := Port())
        assert (ports, failures) == ([port], [])

    def test_that_it_fails_may_come_later_too(self, plugin):
        ports, failures = [], []
        listen(reactor, "onion:80", Factory(), ports.append, failures.append)
        plugin.ready.errback(OSError(1, "no\nnetwork"))
        assert (ports, failures) == ([], ["[Errno 1] no network"])

    def test_what_is_no_port_is_refused(self, plugin):
        plugin.ready.callback(object())
        assert refusal("onion:80") == "it is no port that can be listened on"

    @pytest.mark.parametrize("error", [KeyError("x"), RuntimeError(), OSError(9, "Bad file descriptor")])
    def test_whatever_it_raises_is_a_sentence(self, plugin, error):
        plugin.ready = error
        assert refusal("onion:80") == (str(error) or "RuntimeError")


@pytest.mark.parametrize(("mode", "expected"), [("", 0o660), (":mode=600", 0o600), (":mode=666", 0o666)])
def test_a_unix_socket_is_for_owner_and_group(opened, tmp_path, mode, expected):
    listen(reactor, f"unix:{tmp_path}/radio{mode}", Factory(), opened.append, failed)
    assert stat.S_IMODE((tmp_path / "radio").stat().st_mode) == expected


@pytest.mark.parametrize(
    ("kind", "servers"),
    [
        ("tcp:0", "tcpServers"),
        ("unix:radio", "unixServers"),
        ("haproxy:tcp:0", "tcpServers"),
        ("HAProxy:unix:radio", "unixServers"),
    ],
)
def test_thousands_may_wait_to_be_accepted(kind, servers):
    memory = MemoryReactor()
    listen(memory, kind, Factory(), lambda port: None, failed)
    assert 4096 in getattr(memory, servers)[0]
