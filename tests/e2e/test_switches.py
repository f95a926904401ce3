"""twistd's own switches, each lived with: users, folders, signals, logs."""

import contextlib
import json
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
from support import nursery
from support.config import configuration
from support.running import ROOT, TWISTD, environment, free_port, program, wait_until
from support.sweeps import crossed
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import radiod
from radiod.ctl.failures import NoServer
from radiod.ctl.links import open_unix
from radiod.ctl.session import Session
from radiod.process import Process

pytestmark = pytest.mark.e2e

SECONDS = 20
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the user")
NOBODY = pwd.getpwnam("nobody")
OTHER = pwd.getpwnam("daemon")

HELLO = json.dumps([1, "radio", {"roles": {"subscriber": {}}}])
DURABLE = configuration(
    """
[store]
path = "radiod.sqlite"

[realms.radio.channels.kept]
durable = true

[realms.radio.keys.kept]
key_file = "kept.key"
publish = ["kept"]
listen = ["*"]
"""
)


NO_FILE = "reload refused: there is no configuration file to read"
"""What SIGHUP comes to without one."""


def run(*arguments, start=nursery.run, **options):
    command = [*TWISTD, *map(str, arguments)]
    return start(
        command,
        **{
            "cwd": ROOT,
            "capture_output": True,
            "text": True,
            "timeout": SECONDS,
            "env": environment(),
            **options,
        },
    )


def wait_for(is_so, told=lambda: ""):
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, told()
        time.sleep(0.02)


class Home:
    """A folder of a server that any user may enter, and what runs in it."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.endpoint = f"tcp:{self.port}:interface=127.0.0.1"
        self.log = folder / "log"
        self.pidfile = folder / "pid"
        self.key = folder / "kept.key"
        # As an editor of another system writes it.
        self.key.write_bytes("\ufeffkept-key\r\n".encode())
        self.key.chmod(0o600)
        (folder / "radiod.toml").write_bytes(("\ufeff" + DURABLE).replace("\n", "\r\n").encode())

    @contextlib.contextmanager
    def server(self, mode, *twistd, radiod=(), how=("radiod",), env=(), cwd=None, start=nursery):
        """Run ``twistd``, detached unless ``mode`` is ``-n``, until the block ends. Yields its pid.

        Args:
            start: what has ``run`` and ``Popen``: ``subprocess``, if it is to import everything itself.
        """
        own = [f"--pidfile={self.pidfile}", f"--logfile={self.log}", *twistd]
        options = {"cwd": cwd or self.folder, "env": {**environment(), **dict(env)}}
        command = [*TWISTD, *([mode] if mode else []), *map(str, [*own, *how, *radiod])]
        with self.program(command, options, start) if mode else contextlib.nullcontext():
            if not mode:
                done = run(*own, *how, *radiod, start=start.run, **options)
                assert done.returncode == 0, done.stderr + self.told()
            wait_for(self.answers, self.told)
            pid = int(self.pidfile.read_text())
            try:
                yield pid
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                wait_for(lambda: has_ended(pid), self.told)
                # Users may not delete what root has made; and where nobody reaps it, the pid is in use yet.
                self.pidfile.unlink(missing_ok=True)

    @contextlib.contextmanager
    def program(self, command, options, start):
        with start.Popen(command, stderr=subprocess.DEVNULL, **options) as process:
            yield
            process.wait(SECONDS)

    def told(self):
        return self.log.read_text() if self.log.exists() else ""

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def publish(self):
        body = json.dumps({"network": "kept", "data": {"n": 1}}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/publish", body, {"API-KEY": "kept-key"}
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)

    def history(self):
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}/listen/kept?last=9", timeout=SECONDS
        ) as answer:
            return [sample["data"] for sample in json.load(answer)]


def has_ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def home():
    # pytest's own folders are their owner's alone, and made so again by every other run of it.
    with tempfile.TemporaryDirectory(prefix="radiod-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield Home(folder)


MODES = {"foreground": "-n", "daemon": ""}
modes = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
WAYS = ("plugin", "tac")
SIGNALS = {name: getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGQUIT")}
TAC = ("-y", ROOT / "radiod.tac")


def test_the_version_is_radiods():
    done = run("radiod", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"radiod {radiod.__version__}\n", "")


@needs_root
@pytest.mark.parametrize(("mode", "how"), crossed(MODES, WAYS))
def test_the_stores_files_belong_to_the_user_who_runs_the_server(home, mode, how):
    data = home.folder / "data"
    data.mkdir()
    os.chown(data, NOBODY.pw_uid, NOBODY.pw_gid)
    (home.folder / "radiod.toml").write_text(DURABLE.replace("radiod.sqlite", "data/radiod.sqlite"))
    config = home.folder / "radiod.toml"
    if how == "tac":
        listen = f'[[listen]]\nendpoint = "{home.endpoint}"\n'
        config.write_text(configuration(listen, base=config.read_text(encoding="utf-8-sig")))
        start = {"how": TAC, "env": {"RADIOD_CONFIG": str(config)}}
    else:
        start = {"radiod": ("--config", config, "--listen", home.endpoint)}
    for times in (1, 2):
        with home.server(mode, "--uid=nobody", **start) as pid:
            assert os.stat(f"/proc/{pid}").st_uid == NOBODY.pw_uid
            assert home.publish() == {"message": "OK"}
            assert home.history() == [{"n": 1}] * times
            files = sorted(data.iterdir())
            assert [file.name for file in files] == [
                "radiod.sqlite",
                "radiod.sqlite-acked",
                "radiod.sqlite-wal",
            ]
            for file in files:
                found = file.stat()
                assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (*NOBODY[2:4], 0o600)
        # What it has left to the next one.
        found = (data / "radiod.sqlite.state").stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (*NOBODY[2:4], 0o600)
        assert "Traceback" not in home.told()


@needs_root
@modes
@pytest.mark.parametrize("is_there", [False, True], ids=["new", "of root"])
def test_a_store_that_the_user_cannot_write_is_one_line_before_the_start(home, mode, is_there):
    store = home.folder / "radiod.sqlite"
    if is_there:
        store.touch(0o600)
    before = set(home.folder.iterdir())
    done = run(
        *([mode] if mode else []),
        "--uid=nobody",
        f"--pidfile={home.pidfile}",
        f"--logfile={home.log}",
        "radiod",
        f"--config={home.folder / 'radiod.toml'}",
        f"--listen={home.endpoint}",
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"radiod: store {store}: ")
    assert done.stderr.count("\n") == 1
    assert set(home.folder.iterdir()) == before
    assert os.geteuid() == 0


@pytest.mark.parametrize(("mode", "given"), crossed(MODES, ("config", "command line")))
def test_a_relative_store_is_where_it_says_wherever_twistd_goes(home, mode, given):
    elsewhere = home.folder / "elsewhere"
    elsewhere.mkdir()
    folder = home.folder / "configs"
    folder.mkdir()
    config = folder / "radiod.toml"
    config.write_text(DURABLE)
    (folder / "kept.key").write_text("kept-key\n")
    more = ("--store", "typed.sqlite") if given == "command line" else ()
    with home.server(
        mode,
        "--rundir=elsewhere",
        radiod=("--config", "configs/radiod.toml", "--listen", home.endpoint, *more),
    ):
        assert home.publish() == {"message": "OK"}
        place = home.folder / "typed.sqlite" if more else folder / "radiod.sqlite"
        assert place.exists()
    stores = set(home.folder.rglob("*.sqlite*"))
    assert stores == {place, place.with_name(f"{place.name}.state")}


@needs_root
def test_a_store_in_the_new_root_folder_is_found_there(home):
    data = home.folder / "data"
    data.mkdir()
    more = ("--config", "radiod.toml", "--listen", home.endpoint, "--store", "data/radiod.sqlite")
    home.pidfile = data / "pid"
    # There it finds nothing more to import.
    with home.server("-n", f"--chroot={data}", "--pidfile=/pid", radiod=more, start=subprocess):
        assert home.publish() == {"message": "OK"}
        store = {"radiod.sqlite", "radiod.sqlite-acked", "radiod.sqlite-wal"}
        assert {path.name for path in data.iterdir()} == {*store, "pid"}
    assert (data / "radiod.sqlite.state").exists()
    assert "Traceback" not in home.told()
    done = run(
        "-n",
        f"--chroot={data}",
        "--pidfile=",
        "radiod",
        "--config=radiod.toml",
        f"--listen={home.endpoint}",
        cwd=home.folder,
    )
    assert (done.returncode, done.stderr) == (
        1,
        f"radiod: {home.folder / 'radiod.sqlite'} is not in --chroot {data}\n",
    )


NEVER = {
    "--rundir=/nosuch": "--rundir: cannot enter /nosuch",
    "--pidfile=/nosuch/pid": "--pidfile: cannot write /nosuch/pid",
    "--logfile=/nosuch/log": "--logfile: cannot write /nosuch/log",
    "--uid=54321": "--uid: no user has number 54321",
}


@pytest.mark.parametrize(("mode", "switch"), crossed(MODES, tuple(NEVER)))
def test_what_twistd_would_fail_with_later_is_one_line_before_the_start(home, mode, switch):
    own = [f"--pidfile={home.pidfile}", f"--logfile={home.log}", switch]
    done = run(*([mode] if mode else []), *own, "radiod", "--listen", home.endpoint)
    assert (done.returncode, done.stderr) == (1, f"radiod: {NEVER[switch]}\n")


@modes
def test_a_unix_socket_is_the_servers_own_until_it_stops(home, mode):
    path = home.folder / "socket"
    more = ("--listen", home.endpoint, "--listen", "unix:socket:mode=660")
    with home.server(mode, "--rundir=/", radiod=more) as pid:
        assert os.readlink(f"{path}.lock") == str(pid)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        second = run("-n", "--pidfile=", "radiod", f"--listen=unix:{path}")
        assert second.returncode == 1
        assert second.stderr.count("\n") == 1
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")
    assert not path.exists()
    assert not os.path.lexists(f"{path}.lock")
    assert "Traceback" not in home.told()


@needs_root
@modes
@pytest.mark.parametrize("may_write", [True, False])
def test_a_unix_socket_belongs_to_the_user_and_the_server_stops(home, mode, may_write):
    folder = home.folder / "run"
    folder.mkdir()
    if may_write:
        os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    path = folder / "socket"
    more = ("--listen", home.endpoint, "--listen", f"unix:{path}")
    # Where nobody reaps a daemon, the process that its lock names is there yet.
    for _ in range(2 if mode or may_write else 1):
        with home.server(mode, "--uid=nobody", radiod=more):
            assert path.stat().st_uid == os.lstat(f"{path}.lock").st_uid == NOBODY.pw_uid
        assert path.exists() is not may_write
        assert "Traceback" not in home.told()


@modes
def test_a_server_whose_unix_socket_was_removed_stops(home, mode):
    path = home.folder / "socket"
    with home.server(mode, radiod=("--listen", home.endpoint, "--listen", f"unix:{path}")):
        path.unlink()
    assert "Traceback" not in home.told()


def whoami(path, realm="radio"):
    """Who one is that comes by an admin socket, and who may open it."""
    session = Session(open_unix(str(path), SECONDS), realm, authid=None, ticket=None, seconds=SECONDS)
    try:
        assert session.call("radiod.server.info")["name"] == "radiod"
        return session.details["authid"]
    finally:
        session.close()


@pytest.mark.parametrize(("mode", "how"), crossed(MODES, WAYS))
def test_the_admin_socket_is_beside_the_configuration_and_gone_afterwards(home, mode, how):
    """A daemon's lock is held by a process that is another one than the one that took it."""
    elsewhere = home.folder / "elsewhere"
    elsewhere.mkdir()
    socket_path, config = home.folder / "radiod-admin.sock", home.folder / "radiod.toml"
    if how == "plugin":
        start = {"radiod": ("--config", "radiod.toml", "--listen", home.endpoint)}
    else:
        config.write_text(f'{DURABLE}[[listen]]\nendpoint = "{home.endpoint}"\n')
        start = {"how": TAC, "env": {"RADIOD_CONFIG": "radiod.toml"}}
    for _ in range(2):
        with home.server(mode, "--rundir=elsewhere", **start):
            assert whoami(socket_path) == f"socket:{os.getuid()}"
            mode_of = stat.S_IMODE(socket_path.stat().st_mode)
            assert mode_of == stat.S_IMODE(Path(f"{socket_path}.lock").stat().st_mode) == 0o600
            other = f"tcp:{free_port()}:interface=127.0.0.1"
            more = ("--config", config, "--listen", other, "--store", "other.sqlite")
            second = run("-n", "--pidfile=", "radiod", *more, cwd=elsewhere)
            told = f"radiod: admin.socket: another radiod has {socket_path}\n"
            assert (second.returncode, second.stderr) == (1, told)
            assert whoami(socket_path) == f"socket:{os.getuid()}"
        assert not socket_path.exists()
        assert not Path(f"{socket_path}.lock").exists()
    assert "Traceback" not in home.told()


@modes
def test_an_admin_socket_that_a_killed_server_left_is_taken_over(home, mode):
    path = home.folder / "a.sock"
    more = ("--listen", home.endpoint, "--admin", "a.sock")
    with home.server(mode, radiod=more) as pid:
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: has_ended(pid))
    assert path.exists()
    # As in a container, where the next process has the same number: the lock does not know numbers.
    with home.server(mode, radiod=more):
        assert whoami(path) == f"socket:{os.getuid()}"
    assert not path.exists()


@needs_root
@modes
@pytest.mark.parametrize("may_write", [True, False])
def test_the_admin_socket_belongs_to_the_user_who_runs_the_server(home, mode, may_write):
    folder = home.folder / "run"
    folder.mkdir()
    if may_write:
        os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    path = folder / "radiod-admin.sock"
    more = ("--listen", home.endpoint, "--admin", str(path))
    for start in (subprocess, nursery):
        with home.server(mode, "--uid=nobody", radiod=more, start=start):
            for made in (path, Path(f"{path}.lock")):
                found = made.stat()
                assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (*NOBODY[2:4], 0o600)
            assert whoami(path) == "socket:0"
            with Process(uid=OTHER.pw_uid, gid=OTHER.pw_gid).acting():
                assert os.geteuid() == OTHER.pw_uid
                with pytest.raises(NoServer, match="Permission denied"):
                    whoami(path)
        assert path.exists() is not may_write
    assert "Traceback" not in home.told()


@needs_root
def test_an_admin_socket_outside_of_the_new_root_folder_is_made_and_removed(home):
    data = home.folder / "data"
    data.mkdir()
    home.pidfile = data / "pid"
    path = home.folder / "radiod-admin.sock"
    more = ("--config", "radiod.toml", "--listen", home.endpoint, "--store", "data/radiod.sqlite")
    # There it finds nothing more to import.
    with home.server("-n", f"--chroot={data}", "--pidfile=/pid", radiod=more, start=subprocess):
        assert whoami(path) == f"socket:{os.getuid()}"
    assert not path.exists()
    assert "Traceback" not in home.told()


@needs_root
@modes
def test_a_default_admin_socket_that_cannot_be_made_is_a_warning(home, mode):
    """Whoever has a configuration in a folder that is not to be written to could start without."""
    fixed = home.folder / "fixed"
    (fixed / "radiod-admin.sock.lock").mkdir(parents=True)
    (fixed / "radiod.toml").write_text("[realms.radio]\nanonymous = 'listener'\n")
    more = ("--config", str(fixed / "radiod.toml"), "--listen", home.endpoint)
    with home.server(mode, radiod=more):
        assert (
            f"no admin socket: admin.socket: cannot make {fixed}/radiod-admin.sock: Is a dir" in home.told()
        )
    asked = run("-n", "--pidfile=", "radiod", *more, "--admin", str(fixed / "radiod-admin.sock"))
    assert (asked.returncode, asked.stderr.count("\n")) == (1, 1)
    assert asked.stderr.startswith("radiod: admin.socket: cannot make ")


@modes
def test_a_server_without_a_configuration_file_has_no_admin_socket(home, mode):
    (home.folder / "radiod.toml").unlink()
    before = {path.name for path in home.folder.iterdir()}
    with home.server(mode, radiod=("--listen", home.endpoint)):
        assert {path.name for path in home.folder.iterdir()} - before == {"pid", "log"}


@contextlib.contextmanager
def joined(home):
    """A WAMP session. Yields: its socket."""
    url = f"ws://127.0.0.1:{home.port}/ws"
    with connect(url, subprotocols=["wamp.2.json"], compression=None, close_timeout=0.5) as client:
        client.send(HELLO)
        assert json.loads(client.recv(SECONDS))[0] == 2
        yield client


@modes
@pytest.mark.parametrize("logs_to", ["file", "syslog"])
def test_no_signal_that_is_not_to_stop_ends_the_server(home, mode, logs_to):
    other = ["--syslog"] if logs_to == "syslog" else []
    with home.server(mode, *other, radiod=("--listen", home.endpoint)) as pid, joined(home) as client:
        for name in ("SIGHUP", "SIGUSR1", "SIGUSR2"):
            os.kill(pid, getattr(signal, name))
        if not other:
            wait_for(lambda: NO_FILE in home.told(), home.told)
        client.send('[32,1,{},"a"]')
        assert json.loads(client.recv(SECONDS))[0] == 33
        assert home.answers()


@modes
def test_sigusr1_goes_on_in_a_new_file_and_nothing_else_does(home, mode):
    moved = home.folder / "moved"
    home.log.write_text("old\n" * 500_000)
    home.log.chmod(0o640)
    with home.server(mode, radiod=("--listen", home.endpoint)) as pid:
        assert home.told().startswith("old\n")
        home.log.rename(moved)
        with joined(home):
            wait_for(lambda: "joined" in moved.read_text())
        assert not home.log.exists()
        os.kill(pid, signal.SIGUSR1)
        wait_for(home.log.exists)
        os.kill(pid, signal.SIGHUP)
        wait_for(lambda: NO_FILE in home.told(), home.told)
        assert NO_FILE not in moved.read_text()
        assert stat.S_IMODE(home.log.stat().st_mode) == 0o640
    assert {path.name for path in home.folder.iterdir() if "log" in path.name} == {"log"}


@needs_root
def test_a_log_that_the_user_cannot_open_anew_goes_on_where_it_was(home):
    with home.server("-n", "--uid=nobody", radiod=("--listen", home.endpoint)) as pid:
        moved = home.folder / "moved"
        home.log.rename(moved)
        os.kill(pid, signal.SIGUSR1)
        wait_for(lambda: f"{home.log} not opened anew: Permission denied" in moved.read_text())
        assert home.answers()


@modes
def test_sigusr2_tells_what_goes_on(home, mode):
    more = ("--config", home.folder / "radiod.toml", "--listen", home.endpoint)
    with home.server(mode, radiod=more) as pid, joined(home):
        os.kill(pid, signal.SIGUSR2)
        wait_for(lambda: "radiod.server.stats of radio: counters" in home.told(), home.told)
        told = home.told()
        for part in ("thread MainThread, ", "thread store, ", " mainLoop", "_write_until_closed"):
            assert part in told
        assert re.search(r"radiod.server.stats of radio: sessions \d", told), told
        assert home.answers()


def closed_with(client):
    """Answer a goodbye, if one comes. Returns: the code that the connection is closed with."""
    try:
        while True:
            assert json.loads(client.recv(SECONDS))[0] == 6
            client.send('[6,{},"wamp.close.goodbye_and_out"]')
    except ConnectionClosed as closed:
        return closed.rcvd and closed.rcvd.code


@pytest.mark.parametrize(("mode", "number"), crossed(MODES, SIGNALS))
def test_every_signal_to_stop_says_goodbye(home, mode, number):
    with home.server(mode, radiod=("--listen", home.endpoint)) as pid, joined(home) as client:
        os.kill(pid, number)
        # Told in words of WebSocket, at least: not cut.
        assert closed_with(client) in (1000, 1001, 1012)
        wait_for(lambda: has_ended(pid), home.told)
    assert not home.pidfile.exists()
    assert "Traceback" not in home.told()
    assert "Main loop terminated" in home.told()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_another_one_does_not_wait_for_anybody(home, number):
    more = ("--config", home.folder / "radiod.toml", "--listen", home.endpoint)
    half = b"POST /publish HTTP/1.1\r\nHost: [::1]\r\nAPI-KEY: kept-key\r\nContent-Length: 100\r\n\r\nhalf"
    with home.server("-n", radiod=more) as pid, socket.create_connection(("127.0.0.1", home.port)) as client:
        client.sendall(half)
        # Once it has answered another one, it has read this.
        assert home.publish() == {"message": "OK"}
        started = time.monotonic()
        for times in range(1, 5):
            os.kill(pid, number)
            if times == 1:
                wait_for(lambda: "(TCP Port" in home.told())
        wait_for(lambda: has_ended(pid), home.told)
        # Waiting for the rest of the request would take 4 s.
        assert time.monotonic() - started < 3.9
        assert not (home.folder / "radiod.sqlite-wal").exists()
    assert "Traceback" not in home.told()
    assert "while stopping: not waiting for anybody" in home.told()


HANGS = """
import os, signal, time

def hang(number, frame):
    while True:
        time.sleep(0.05)

signal.signal(signal.SIGRTMIN, hang)
write = os.pwrite

def write_or_hang(*arguments):
    return hang(0, None) if os.path.exists(os.environ["DISK_HANGS"]) else write(*arguments)

os.pwrite = write_or_hang
"""


@pytest.mark.parametrize(("mode", "what", "number"), crossed(MODES, ("the loop", "the disk"), SIGNALS))
def test_another_one_ends_the_server_in_a_second_whatever_hangs(home, mode, what, number):
    (home.folder / "sitecustomize.py").write_text(HANGS)
    more = ("--config", home.folder / "radiod.toml", "--listen", home.endpoint)
    variables = {"PYTHONPATH": f"{home.folder}:{ROOT}", "DISK_HANGS": str(home.folder / "hangs")}
    with home.server(mode, radiod=more, env=variables) as pid:
        if what == "the loop":
            os.kill(pid, signal.SIGRTMIN)
        else:
            (home.folder / "hangs").touch()
            body = json.dumps({"network": "kept", "data": 1}).encode()
            head = "POST /publish HTTP/1.1\r\nHost: localhost\r\nAPI-KEY: kept-key"
            client = socket.create_connection(("127.0.0.1", home.port))
            client.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            # Once it has answered another one, it has read this.
            assert home.answers()
        os.kill(pid, number)
        if what == "the disk":
            wait_for(lambda: "(TCP Port" in home.told(), home.told)
        begin = time.monotonic()

        def has_ended_when_told_again():
            # Of signals that wait there is one of each kind.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            return has_ended(pid)

        wait_for(has_ended_when_told_again, home.told)
        assert time.monotonic() - begin < 2
        assert not home.pidfile.exists()
    assert "Traceback" not in home.told()


def test_twisteds_other_runner_serves_as_well(home):
    command = [sys.executable, "-c", "from twisted.application.twist._twist import Twist; Twist.main()"]
    log = home.folder / "twist.log"
    with program([*command, "radiod", "--listen", home.endpoint], log) as process:
        wait_until(home.answers, process, log)
    assert "Traceback" not in log.read_text()
