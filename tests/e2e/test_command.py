"""``radiod``: run, check, paths; and every start that fails is one line."""

import contextlib
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import pytest
from support import nursery
from support.config import configuration
from support.running import RADIOD, ROOT, TWISTD, environment, free_port, program, radiod, wait_until
from support.sweeps import crossed
from support.tls import Issued

import radiod as package

pytestmark = pytest.mark.e2e

SECONDS = 30


def run(*command, start=nursery.run, **options):
    return start(
        [*map(str, command)],
        **{
            "capture_output": True,
            "text": True,
            "timeout": SECONDS,
            "cwd": ROOT,
            "env": environment(),
            **options,
        },
    )


def test_the_version_is_on_the_first_line():
    for command in ([*RADIOD, "--version"], [*TWISTD, "radiod", "--version"]):
        done = run(*command, start=subprocess.run)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"radiod {package.__version__}\n", "")


def test_the_script_is_installed():
    done = run(os.path.join(os.path.dirname(sys.executable), "radiod"), "--version")
    assert done.stdout == f"radiod {package.__version__}\n"


def test_run_is_what_twistd_runs(tmp_path):
    port, log = free_port(), tmp_path / "log"
    (tmp_path / "radiod.toml").write_text(configuration())
    more = ["--listen", f"tcp:{port}:interface=127.0.0.1", "--store", tmp_path / "store"]
    command = [*RADIOD, "run", "--config", tmp_path / "radiod.toml", *more]
    with program([*map(str, command)], log, start=subprocess.Popen) as process:
        wait_until(lambda: "on the air" in log.read_text(), process, log)
        assert f"http://127.0.0.1:{port}/" in log.read_text()
        assert (tmp_path / "store").exists()
        process.terminate()
        assert process.wait(SECONDS) in (0, -signal.SIGTERM)
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["walk"], "invalid choice: 'walk'"),
        (["run", "--daemon"], "unrecognized arguments: --daemon"),
        (["check"], "the following arguments are required: --config"),
        (["run", "--config", "/nosuch"], "/nosuch: No such file or directory"),
        (["run", "--logfile", "/nosuch/log"], "--logfile: cannot write /nosuch/log"),
        (["check", "--config", "/nosuch"], "/nosuch: No such file or directory"),
    ],
)
def test_what_is_wrong_is_one_line(words, message):
    done = run(*RADIOD, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("radiod: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_paths_are_there():
    done = run(*RADIOD, "paths")
    found = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert found["version"] == package.__version__
    assert os.path.exists(os.path.join(found["pages"], "index.html"))
    for name in ("radiod.service", "radiod.socket", "radiod@.service", "radiod.toml"):
        assert os.path.exists(os.path.join(found["packaging"], name))


class TestCheck:
    @pytest.fixture
    def check(self, tmp_path):
        def ask(text, *options, start=nursery.run):
            file = tmp_path / "radiod.toml"
            file.write_text(text)
            before = sorted(tmp_path.iterdir())
            done = run(*RADIOD, "check", "--config", file, *options, start=start)
            assert sorted(tmp_path.iterdir()) == before
            assert "Traceback" not in done.stderr
            return done.returncode, done.stdout + done.stderr

        return ask

    def pair(self, folder, key=None, **options):
        issued = Issued("localhost", **options)
        (folder / "cert.pem").write_bytes(issued.certificate_pem())
        (folder / "key.pem").write_bytes((key or issued).key_pem())

    def test_a_good_file_is_one_line(self, tmp_path, check):
        told = check(configuration(), start=subprocess.run)
        assert told == (0, f"{tmp_path}/radiod.toml: a server can start with it\n")

    def test_nothing_is_bound_and_no_store_made(self, tmp_path, check):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listen = f'[[listen]]\nendpoint = "tcp:{taken.getsockname()[1]}:interface=127.0.0.1"\n'
            unix = '[[listen]]\nendpoint = "unix:socket"\n[[listen]]\nendpoint = "systemd:name=http"\n'
            assert check(f"{listen}{unix}[store]\npath = 'store'\n")[0] == 0

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("port = 1", "port: unknown key"),
            (
                "[realms.r.keys.k]\nkey_file = 'nosuch'",
                "realms.r.keys.k.key_file: cannot be read: No such file",
            ),
            ("[realms.r.channels.c]\ndurable = true", "realms.r.channels.c.durable: needs a store"),
            (
                "[[listen]]\nendpoint = 'tcp:x'",
                "listen.[0].endpoint: cannot listen on 'tcp:x': port: 'x' is no",
            ),
            ("[[listen]]\nendpoint = 'systemd:domain=IPX:name=x'", "listen.[0].endpoint: cannot listen on"),
            ("[[listen]]\nendpoint = 'tls:nosuch'", "there is no such folder"),
            (
                "[[listen]]\nendpoint = 'tcp:1'\ntls = {certificate = 'nosuch'}",
                "listen.[0].tls: key '",
            ),
            (
                "[[listen]]\nendpoint = 'ssl:1'\ntls = {certificate = 'a'}",
                "listen.[0].tls: endpoints of kind ssl speak TLS already",
            ),
            ("[[listen]]\nendpoint = 'tcp:1'\ntls = {key = 'a'}", "listen.[0].tls: give one of certificate"),
        ],
    )
    def test_a_bad_one_is_one_line_with_file_and_key(self, tmp_path, check, text, message):
        status, told = check(text)
        assert status == 1
        assert told.startswith(f"radiod: {tmp_path}/radiod.toml: ")
        assert message in told
        assert told.count("\n") == 1

    LISTENS = (
        "[[listen]]\nendpoint = 'tcp:1'\ntls = {certificate = 'cert.pem', key = 'key.pem'}",
        "[[listen]]\nendpoint = 'ssl:1:privateKey=key.pem:certKey=cert.pem'",
        "[[listen]]\nendpoint = 'haproxy:ssl:1:privateKey=key.pem:certKey=cert.pem'",
    )

    @pytest.mark.parametrize("text", LISTENS)
    def test_certificates_are_looked_at(self, tmp_path, check, text):
        self.pair(tmp_path, days=30)
        assert check(text) == (0, f"{tmp_path}/radiod.toml: a server can start with it\n")
        self.pair(tmp_path, days=13)
        status, told = check(text)
        assert status == 0
        assert "the certificate ends on " in told
        assert "in 12 days" in told
        self.pair(tmp_path, days=-1)
        status, told = check(text)
        assert status == 1
        assert "the certificate has ended on " in told
        self.pair(tmp_path, key=Issued("other"), days=30)
        status, told = check(text)
        assert status == 1
        assert "does not belong to" in told

    @pytest.mark.parametrize("text", LISTENS)
    def test_without_secrets_only_certificates_are_read(self, tmp_path, check, text):
        self.pair(tmp_path, days=30)
        (tmp_path / "key.pem").unlink()
        secret = "\n[realms.r.keys.k]\nkey_credential = 'k'"
        assert check(text + secret)[0] == 1
        assert check(text + secret, "--no-secrets")[0] == 0
        self.pair(tmp_path, days=-1)
        assert "has ended on" in check(text, "--no-secrets")[1]


class TestFailedStarts:
    """Those that other files do not try already."""

    WHAT = ("newer store", "locked store", "key not fitting", "pid file in use")
    MODES = {"foreground": ["-n"], "daemon": []}

    @pytest.mark.parametrize(("mode", "what"), crossed(MODES, WHAT))
    def test_is_one_line(self, tmp_path, mode, what):
        store, pidfile = tmp_path / "store", tmp_path / "pid"
        file = tmp_path / "radiod.toml"
        file.write_text(f"[store]\npath = '{store}'")
        with contextlib.ExitStack() as stack:
            if what == "newer store":
                assert run(*RADIOD, "run", "--config", file, "--listen", "tcp:x").returncode == 1
                with radiod(tmp_path, f"[store]\npath = '{store}'\n"):
                    """It makes one."""
                with contextlib.closing(sqlite3.connect(store)) as database:
                    database.execute("PRAGMA user_version = 99")
            elif what == "locked store":
                stack.enter_context(radiod(tmp_path, f"[store]\npath = '{store}'\n"))
            elif what == "key not fitting":
                (tmp_path / "cert.pem").write_bytes(Issued("localhost").certificate_pem())
                (tmp_path / "key.pem").write_bytes(Issued("localhost").key_pem())
                file.write_text(TestCheck.LISTENS[0])
            else:
                pidfile.write_text(str(os.getpid()))
            own = [f"--pidfile={pidfile}", f"--logfile={tmp_path}/log"]
            listen = ["--listen", f"tcp:{free_port()}:interface=127.0.0.1"]
            done = run(
                *TWISTD,
                *mode,
                *own,
                "radiod",
                "--config",
                file,
                *([] if what == "key not fitting" else listen),
            )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("radiod: "), done.stderr
        assert done.stderr.count("\n") == 1

    def test_an_option_that_is_none_is_one_line(self):
        done = run(*TWISTD, "-n", "--pidfile=", "radiod", "--nosuch")
        assert (done.returncode, done.stderr) == (1, "radiod: option --nosuch not recognized\n")


class TestDescriptors:
    def limited(self, soft, hard):
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    @pytest.mark.parametrize(("soft", "hard", "is_short"), [(256, 4096, False), (256, 500, True)])
    def test_the_limit_is_raised_as_far_as_it_can_be(self, tmp_path, soft, hard, is_short):
        port, log, config = free_port(), tmp_path / "log", tmp_path / "radiod.toml"
        config.write_text(configuration(max_connections=1000))
        listen = f"tcp:{port}:interface=127.0.0.1"
        command = [*RADIOD, "run", "--config", str(config), "--listen", listen]
        with program(command, log, preexec_fn=self.limited(soft, hard)) as process:
            wait_until(lambda: "on the air" in log.read_text(), process, log)
            assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[0] == hard
            process.terminate()
            process.wait(SECONDS)
        warning = "500 files may be open, limits.max_connections needs 1064"
        assert log.read_text().count(warning) == is_short

    def test_five_hundred_who_come_while_it_hangs_are_all_connected(self, tmp_path):
        with radiod(tmp_path, configuration()) as server, contextlib.ExitStack() as stack:
            server.process.send_signal(signal.SIGSTOP)
            begin = time.monotonic()
            clients = []
            for _ in range(500):
                client = stack.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", server.port))
                clients.append(client)
            # Who found no room tries again after a second; others are connected, although nobody accepts.
            assert all(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 for client in clients)
            assert all(client.getpeername() for client in clients)
            assert time.monotonic() - begin < 60
            server.process.send_signal(signal.SIGCONT)
            assert server.stop() == 0
