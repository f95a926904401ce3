"""Sockets passed on as systemd does it: ``LISTEN_FDS``, and descriptors from 3 on."""

import contextlib
import socket
import ssl
import stat
import subprocess
import urllib.request

import pytest
from support.passing import passed_on_by_name
from support.running import ROOT, environment, program, wait_until
from support.sweeps import crossed
from support.tls import Issued, certificate

pytestmark = pytest.mark.e2e

SECONDS = 20
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def passed_on(file, *endpoints):
    """The same for one, as socket ``http``, and what is listened on."""
    listen = [word for endpoint in endpoints for word in ("--listen", endpoint)]
    return passed_on_by_name([file], ["http"], *listen)


ADDRESSES = {"INET": ("127.0.0.1", 0), "INET6": ("::1", 0), "UNIX": None}


@contextlib.contextmanager
def listening(domain, path):
    """A socket as systemd makes it; its file is for owner and group."""
    with socket.socket(getattr(socket, f"AF_{domain}")) as listener:
        listener.bind(ADDRESSES[domain] or str(path))
        if domain == "UNIX":
            path.chmod(0o660)
        listener.listen()
        yield listener


def dialled(listener, wrap=lambda client: client):
    """A connection to it, which has said something."""
    client = socket.socket(listener.family)
    client.settimeout(SECONDS)
    client.connect(listener.getsockname())
    client = wrap(client)
    client.sendall(HEALTH)
    return client


@pytest.mark.parametrize(
    ("domain", "which"),
    crossed(tuple(ADDRESSES), ("domain={}:name=http", "domain={}:index=0", "name=http", "index=0")),
)
def test_an_inherited_socket_is_served_and_named(tmp_path, domain, which):
    path, log = tmp_path / "socket", tmp_path / "log"
    with listening(domain, path) as listener:
        # Who comes before the server does waits.
        early = dialled(listener)
        command, options = passed_on(listener, f"systemd:{which.format(domain)}")
        with program(command, log, **options) as process, early:
            assert early.recv(1000).startswith(b"HTTP/1.1 200 ")
            wait_until(lambda: "on the air" in log.read_text(), process, log)
            said = f"unix:{path}"
            if domain != "UNIX":
                host, port, *_ = listener.getsockname()
                said = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
                with urllib.request.urlopen(f"{said}healthz", timeout=SECONDS) as answer:
                    assert answer.status == 200
            assert f"on the air: {said};" in log.read_text()


@pytest.mark.parametrize("domain", ["INET", "INET6", "UNIX"])
def test_an_inherited_socket_outlives_the_server_as_it_was(tmp_path, domain):
    path, log = tmp_path / "socket", tmp_path / "log"
    with listening(domain, path) as listener:
        command, options = passed_on(listener, "systemd:name=http")
        for _ in range(2):
            # It comes while nobody is there: before the first server, and between the two.
            with dialled(listener) as early, program(command, log, **options) as process:
                assert early.recv(1000).startswith(b"HTTP/1.1 200 ")
                process.terminate()
                process.wait(SECONDS)
            if domain == "UNIX":
                assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert "Traceback" not in log.read_text()


def test_every_socket_of_one_name_is_there_for_one_endpoint(tmp_path):
    log = tmp_path / "log"
    with contextlib.ExitStack() as stack:
        paths = [tmp_path / "first", tmp_path / "second"]
        listeners = [stack.enter_context(listening("UNIX", path)) for path in paths]
        listeners.append(stack.enter_context(listening("INET", None)))
        listen = [f"--listen={one}" for one in ("systemd:name=http", "systemd:domain=INET:name=http")]
        names = ["http", "http", "http"]
        command, options = passed_on_by_name(listeners, names, *listen, "--listen=systemd:name=http")
        early = [stack.enter_context(dialled(listener)) for listener in listeners]
        with program(command, log, **options):
            assert all(client.recv(1000).startswith(b"HTTP/1.1 200 ") for client in early)


@pytest.mark.parametrize(("over", "domain"), crossed({"alone": "", "haproxy": "haproxy:"}, tuple(ADDRESSES)))
def test_an_inherited_socket_speaks_tls(tmp_path, domain, over):
    issued = Issued("localhost")
    (tmp_path / "key.pem").write_bytes(issued.key_pem())
    (tmp_path / "cert.pem").write_bytes(issued.certificate_pem())
    config, log = tmp_path / "radiod.toml", tmp_path / "log"
    tls = 'tls = {certificate = "cert.pem", key = "key.pem"}'
    config.write_text(f'[[listen]]\nendpoint = "{over}systemd:name=http"\n{tls}\n')
    context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    context.set_alpn_protocols(["h2", "http/1.1"])

    def wrap(client):
        if over:
            client.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n")
        client = context.wrap_socket(client, server_hostname="localhost")
        assert client.selected_alpn_protocol() == "http/1.1"
        return client

    with listening(domain, tmp_path / "socket") as listener:
        command, options = passed_on_by_name([listener], ["http"], "--config", str(config))
        with program(command, log, **options) as process:
            with dialled(listener, wrap) as client:
                assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
            wait_until(lambda: "on the air" in log.read_text(), process, log)
            said = "(TLS" if domain == "UNIX" else "on the air: https://"
            assert said in log.read_text()


@pytest.mark.parametrize(("to", "named"), [("127.0.0.1", "tcp:127.0.0.1:"), ("::1", "tcp:[::1]:")])
def test_of_a_socket_for_both_the_log_names_each_by_its_own_address(tmp_path, to, named):
    log = tmp_path / "log"
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        command, options = passed_on(listener, "systemd:name=http")
        with program(command, log, **options) as process:
            with socket.create_connection((to, listener.getsockname()[1]), SECONDS) as client:
                client.sendall(b"GET /listen/a HTTP/1.1\r\nHost: localhost\r\nAPI-KEY: wrong\r\n\r\n")
                assert client.recv(1000).startswith(b"HTTP/1.1 403 ")
                port = client.getsockname()[1]
            wait_until(lambda: "API-KEY not valid" in log.read_text(), process, log)
    assert f"refused {named}{port}: API-KEY not valid" in log.read_text()


def test_the_key_and_the_certificate_are_credentials(tmp_path):
    folder = tmp_path / "credentials"
    folder.mkdir()
    certificate(folder)
    config, log = tmp_path / "radiod.toml", tmp_path / "log"
    config.write_text(
        '[[listen]]\nendpoint = "systemd:name=http"\ntls = {certificate_credential = "server.pem"}\n'
    )
    context = ssl.create_default_context(cafile=str(folder / "server.pem"))
    with listening("INET", None) as listener:
        command, options = passed_on_by_name([listener], ["http"], "--config", str(config))
        options["env"] = {**environment(), "CREDENTIALS_DIRECTORY": str(folder)}
        with (
            program(command, log, **options),
            dialled(listener, lambda one: context.wrap_socket(one, server_hostname="localhost")) as client,
        ):
            assert client.recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("domain", "endpoint", "message"),
    [
        ("INET", "systemd:domain=INET6:name=http", "the socket named 'http' is of domain INET, not INET6"),
        ("INET", "systemd:domain=UNIX:index=0", "the socket of index 0 is of domain INET, not UNIX"),
        ("INET6", "systemd:domain=INET:name=http", "the socket named 'http' is of domain INET6, not INET"),
        ("UNIX", "systemd:domain=INET:name=http", "the socket named 'http' is of domain UNIX, not INET"),
    ],
)
def test_a_socket_of_another_domain_is_one_line(tmp_path, domain, endpoint, message):
    with listening(domain, tmp_path / "socket") as listener:
        command, options = passed_on(listener, endpoint)
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, cwd=ROOT, env=environment(), **options
        )
    line = f"radiod: listen.[0].endpoint: cannot listen on {endpoint!r}: {message}\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)


def test_a_socket_that_is_connected_is_no_listener(tmp_path):
    endpoint = "systemd:name=http"
    with listening("UNIX", tmp_path / "socket") as listener, dialled(listener) as client:
        command, options = passed_on(client, endpoint)
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, cwd=ROOT, env=environment(), **options
        )
    told = "the socket that was passed on does not listen for connections (Accept=no)"
    line = f"radiod: listen.[0].endpoint: cannot listen on {endpoint!r}: {told}\n"
    assert (done.returncode, done.stderr) == (1, line)


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("systemd:domain=INET:index=1", "no socket of index 1 was passed on; is the socket unit active?"),
        (
            "systemd:domain=INET:name=https",
            "no socket named 'https' was passed on; is the socket unit active?",
        ),
        ("systemd:domain=INET:name=http", "Socket operation on non-socket"),
    ],
)
def test_what_was_not_passed_on_or_is_no_socket_is_one_line(tmp_path, endpoint, message):
    with (tmp_path / "file").open("wb") as file:
        command, options = passed_on(file, endpoint)
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd=ROOT,
            env=environment(),
            **options,
        )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"radiod: listen.[0].endpoint: cannot listen on {endpoint!r}: ")
    assert line.endswith(message)
