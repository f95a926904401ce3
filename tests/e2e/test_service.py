"""The units that are shipped, under a real systemd: started, hardened, watched, restarted."""

import contextlib
import json
import re
import shutil
import threading
import time

import pytest
from support.private_systemd import OWN_DEPENDENCIES, PYTHON, ROOT, Machine, tool
from support.tls import Issued

pytestmark = pytest.mark.e2e

SECONDS = 40
PACKAGING = ROOT / "packaging"
UNITS = ("radiod.service", "radiod.socket", "radiod@.service")
URL = "http://127.0.0.1:8080"
EXPOSURE = {252: 1.3, 257: 1.1}
"""What the tool of each systemd may count at most."""


def shipped(**dropins):
    """The units as they are shipped, each with what it needs here; ``dropins``: more keys of the service."""
    units = {name: (PACKAGING / name).read_text() for name in UNITS}
    for name in UNITS:
        units[f"{name}.d/own.conf"] = OWN_DEPENDENCIES
    if dropins:
        # A second socket, of which the first configuration knows nothing.
        units["radiod.socket.d/test.conf"] = "[Socket]\nListenStream=8443\n"
        units["radiod.service.d/test.conf"] = "[Service]\n" + "".join(
            f"{key}={value}\n" for key, values in dropins.items() for value in values
        )
    return units


@pytest.fixture
def boot(tmp_path):
    """Boots a machine with the shipped units, and a configuration."""
    machines = []

    def start(config, **dropins):
        machine = Machine(tmp_path, shipped(**dropins)).__enter__()
        machines.append(machine)
        machine.write("/etc/radiod/radiod.toml", config)
        return machine

    yield start
    for machine in machines:
        machine.__exit__(None, None, None)


BASE = (PACKAGING / "radiod.toml").read_text()
KEYS = """
[realms.radio.keys.station]
key_credential = "station.key"
publish = ["*"]
listen = ["*"]
"""


def get(machine, path="/healthz", *options, check=True):
    """What curl gets."""
    command = ["curl", "-sS", "--fail-with-body", "--max-time", str(SECONDS), *options, f"{URL}{path}"]
    return machine.run(*command, check=check).stdout


def wait_for(is_so, told=lambda: ""):
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, told()
        time.sleep(0.1)


def main_pid(machine):
    return machine.show("radiod.service", "MainPID")


class TestTheFiles:
    @pytest.mark.parametrize("name", UNITS)
    def test_systemd_finds_nothing_to_say_of_a_unit(self, tmp_path, name):
        for unit in UNITS:
            # A program that is there.
            text = re.sub(
                "^(Exec[A-Z][a-z]+)=radio[a-z]+ ",
                r"\1=/bin/true ",
                (PACKAGING / unit).read_text(),
                flags=re.M,
            )
            (tmp_path / unit).write_text(text)
        instance = tmp_path / name.replace("@.", "@one.")
        done = tool(tmp_path, "systemd-analyze", "verify", "--man=no", str(instance))
        # What other units of the machine are blamed for is none of ours.
        ours = [line for line in done.stderr.splitlines() if "radiod" in line]
        assert ours == []

    @pytest.mark.parametrize("name", ["radiod.service", "radiod@.service"])
    def test_little_is_exposed(self, tmp_path, name):
        version = int(tool(tmp_path, "systemd-analyze", "--version").stdout.split()[1])
        asked = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(PACKAGING / name)]
        done = tool(tmp_path, *asked)
        (level,) = re.findall(r"Overall exposure level for .*: ([0-9.]+)", done.stdout)
        assert float(level) <= EXPOSURE[max(one for one in EXPOSURE if one <= version)], done.stdout

    def test_an_instance_differs_by_its_name_alone(self):
        one, several = ((PACKAGING / name).read_text() for name in ("radiod.service", "radiod@.service"))
        plain = several.replace("-%i", "").replace("%i.toml", "radiod.toml").replace("radiod@%i", "radiod")
        plain = plain.replace("radiod %i,", "radiod,")
        assert plain.splitlines()[1:] == [
            line for line in one.splitlines()[1:] if not line.startswith("Also=")
        ]

    def test_the_first_configuration_is_one(self, tmp_path):
        from radiod.config import Config

        text = re.sub(r"^#(?=[\[a-z])", "", BASE, flags=re.MULTILINE)
        config = Config.parse(text, tmp_path, secrets=False)
        assert config.listen[0].tls.key_credential == "tls.key"
        assert Config.parse(BASE, tmp_path).listen[0].tls is None

    def test_users_and_folders_are_made(self, tmp_path):
        for folder in ("etc", "usr/lib/sysusers.d", "usr/lib/tmpfiles.d"):
            (tmp_path / folder).mkdir(parents=True)
        for kind in ("sysusers", "tmpfiles"):
            shutil.copy(PACKAGING / f"radiod.{kind}", tmp_path / "usr" / "lib" / f"{kind}.d" / "radiod.conf")
        for command in (["systemd-sysusers"], ["systemd-tmpfiles", "--create"]):
            done = tool(tmp_path, *command, f"--root={tmp_path}", "radiod.conf")
            assert done.returncode == 0, done.stderr
        assert re.search(
            r"^radiod:.*:/var/lib/radiod:/usr/sbin/nologin$", (tmp_path / "etc/passwd").read_text(), re.M
        )
        assert (tmp_path / "etc/radiod/credentials").stat().st_mode & 0o777 == 0o700

    def test_logrotate_takes_its_file(self, tmp_path):
        config = tmp_path / "logrotate.conf"
        config.write_text(
            (PACKAGING / "radiod.logrotate").read_text().replace("/var/log/radiod", str(tmp_path))
        )
        state = f"--state={tmp_path / 'state'}"
        (tmp_path / "radiod.log").write_text("a line\n")
        done = tool(tmp_path, "logrotate", "--debug", "--force", state, str(config))
        assert done.returncode == 0, done.stderr
        assert "error" not in done.stderr
        assert "systemctl kill --signal=USR1" in done.stderr


class TestAStart:
    def test_everything_works_inside_the_sandbox(self, boot):
        issued, root = Issued("localhost"), "/etc/radiod/credentials"
        config = BASE + KEYS + DURABLE + HOOK + TLS
        machine = boot(
            config,
            LoadCredential=[f"{name}:{root}/{name}" for name in ("station.key", "tls.crt", "tls.key")],
            Environment=["SSL_CERT_FILE=/etc/radiod/hook.pem"],
        )
        machine.write(f"{root}/station.key", "secret-of-station\n", 0o600)
        machine.write(f"{root}/tls.crt", issued.certificate_pem().decode())
        machine.write(f"{root}/tls.key", issued.key_pem().decode(), 0o600)
        machine.write("/etc/radiod/hook.pem", issued.certificate_pem().decode())
        machine.write("/run/hook/hook.py", HOOK_SERVER)
        machine.run(
            "systemd-run", "--property=DefaultDependencies=no", "env", LIBRARIES, PYTHON, "/run/hook/hook.py"
        )
        machine.run("systemctl", "start", "radiod.socket", "radiod.service")
        for channel in ("plain", "kept"):
            body = json.dumps({"network": channel, "data": {"n": 1}})
            answer = get(machine, "/publish", "-H", "API-KEY: secret-of-station", "-d", body)
            assert json.loads(answer) == {"message": "OK"}
        assert "<html" in get(machine, "/").lower()
        over_tls = ["curl", "-sS", "--cacert", "/etc/radiod/hook.pem", "https://localhost:8443/healthz"]
        assert json.loads(machine.run(*over_tls).stdout)["status"] == "ok"
        assert json.loads(get(machine, "/listen/kept?last=1"))[0]["data"] == {"n": 1}
        events = get(
            machine, "/listen/kept?last=1", "-H", "Accept: text/event-stream", "--max-time", "2", check=False
        )
        assert 'data: {"n":1}' in events.replace('": ', '":')
        answer = machine.run("env", LIBRARIES, PYTHON, "-c", LOGIN).stdout
        assert answer.startswith("[2, "), machine.journal()
        status = machine.run("cat", f"/proc/{main_pid(machine)}/status").stdout
        assert re.search(r"^CapEff:\t0+$", status, re.M)
        assert re.search(r"^Seccomp:\t2$", status, re.M)
        assert re.search(r"^NoNewPrivs:\t1$", status, re.M)
        assert "Uid:\t0\t" not in status
        modes = machine.run("bash", "-c", "stat -c '%a %n' /var/lib/private/radiod/*").stdout
        assert {line.split()[0] for line in modes.splitlines()} == {"600"}
        assert machine.run("stat", "-L", "-c", "%a", "/run/radiod/admin.sock").stdout.strip() == "600"
        assert "secret-of-station" not in machine.journal()
        assert "Traceback" not in machine.journal()

    def test_it_is_over_when_the_server_answers_and_says_how_many_listen(self, boot):
        # Without a socket unit: a request that came before would be refused.
        machine = boot(BASE.replace("systemd:name=http", "tcp:8080"))
        for _ in range(5):
            machine.run("systemctl", "restart", "radiod.service")
            assert json.loads(get(machine))["status"] == "ok"
        assert machine.show("radiod.service", "StatusText") == "on the air, 0 connections"
        script = "exec 3<>/dev/tcp/127.0.0.1/8080; sleep 60"
        machine.run(
            "systemd-run", "--property=DefaultDependencies=no", "--unit=visitor", "bash", "-c", script
        )
        wait_for(lambda: machine.show("radiod.service", "StatusText") == "on the air, 1 connection")
        machine.run("systemctl", "stop", "radiod.service", "visitor.service")
        assert machine.show("radiod.service", "Result") == "success"
        assert "Traceback" not in machine.journal()

    @pytest.mark.soak
    def test_a_hundred_of_a_hundred(self, boot):
        machine = boot(BASE.replace("systemd:name=http", "tcp:8080"))
        for _ in range(100):
            machine.run("systemctl", "restart", "radiod.service")
            assert json.loads(get(machine))["status"] == "ok"

    def test_one_that_fails_says_why(self, boot):
        machine = boot(BASE + "\n[limits]\nmax_connections = 0\n", Restart=["no"])
        machine.run("systemctl", "start", "radiod.socket")
        assert machine.run("systemctl", "start", "radiod.service", check=False).returncode == 1
        lines = [line for line in machine.journal("-u", "radiod.service").splitlines() if "radiod[" in line]
        (line,) = lines
        told = "radiod: /etc/radiod/radiod.toml: limits.max_connections: Expected `int` >= 1"
        assert line.endswith(told)

    def test_the_socket_takes_the_server_along(self, boot):
        machine = boot(BASE)
        machine.run("systemctl", "start", "radiod.socket", "radiod.service")
        machine.write(
            "/etc/systemd/system/radiod.socket.d/port.conf", "[Socket]\nListenStream=\nListenStream=81\n"
        )
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "restart", "radiod.socket")
        assert json.loads(machine.run("curl", "-sS", "http://127.0.0.1:81/healthz").stdout)["status"] == "ok"
        assert get(machine, check=False) == ""
        machine.run("systemctl", "stop", "radiod.socket")
        assert machine.show("radiod.service", "ActiveState") == "inactive"
        # An instance has lines of the same name, whoever writes them.
        machine.write(
            "/etc/radiod/one.toml",
            BASE.replace("systemd:name=http", "tcp:8081").replace("radiod/", "radiod-one/"),
        )
        machine.run("systemctl", "start", "radiod@one.service")
        machine.run("systemctl", "reload", "radiod@one.service")
        said = machine.journal("-t", "radiod", "-u", "radiod@one.service", "--output=cat")
        assert "on the air" in said
        assert "nothing new" in said
        assert machine.journal("-t", "radiod-one", "--quiet") == ""

    def test_it_is_back_once_what_kept_it_from_starting_is_gone(self, boot):
        machine = boot(BASE + "\n[limits]\nmax_connections = 0\n", RestartSec=["100ms"])
        machine.run("systemctl", "start", "radiod.socket")
        assert machine.run("systemctl", "start", "radiod.service", check=False).returncode == 1
        # More often than systemd bears unless it is told to.
        wait_for(lambda: int(machine.show("radiod.service", "NRestarts")) >= 6, machine.journal)
        machine.write("/etc/radiod/radiod.toml", BASE)
        # Who came meanwhile has waited.
        assert json.loads(get(machine))["status"] == "ok"
        assert machine.show("radiod.socket", "Result") == "success"

    def test_a_reload_is_over_when_it_is_in_force_and_fails_with_the_reason(self, boot):
        machine = boot(BASE)
        machine.run("systemctl", "start", "radiod.socket", "radiod.service")
        pid = main_pid(machine)
        machine.write("/etc/radiod/radiod.toml", BASE + "[realms.radio.channels.news]\n")
        machine.run("systemctl", "reload", "radiod.service")
        assert [one["name"] for one in json.loads(get(machine, "/channels"))["channels"]] == ["news"]
        # Who asked for it is not counted.
        assert machine.show("radiod.service", "StatusText") == "on the air, 0 connections"
        machine.write("/etc/radiod/radiod.toml", BASE + "[limits]\nmax_connections = 0\n")
        assert machine.run("systemctl", "reload", "radiod.service", check=False).returncode != 0
        why = "limits.max_connections: Expected `int` >= 1"
        assert why in machine.journal("-u", "radiod.service")
        assert why in machine.show("radiod.service", "StatusText")
        # Neither does a file that says not even where the admin socket is, or says nothing at all.
        for text, mode, why in (("[[listen\n" + BASE, 0o644, "not TOML"), (BASE, 0o600, "Permission denied")):
            machine.write("/etc/radiod/radiod.toml", text, mode)
            assert machine.run("systemctl", "reload", "radiod.service", check=False).returncode != 0
            assert why in machine.show("radiod.service", "StatusText")
            lines = machine.journal("-u", "radiod.service", "--output=cat").splitlines()
            assert len([line for line in lines if line.startswith("radioctl: ") and why in line]) == 1
        assert (main_pid(machine), machine.show("radiod.service", "ActiveState")) == (pid, "active")
        assert [one["name"] for one in json.loads(get(machine, "/channels"))["channels"]] == ["news"]

    def test_a_stop_may_drain_for_longer_than_systemd_waits_for_others(self, boot):
        machine = boot(BASE + "[operations]\ndrain_s = 6\n", TimeoutStopSec=["1"])
        machine.run("systemctl", "start", "radiod.socket", "radiod.service")
        command = ["curl", "-sN", "-H", "Accept: text/event-stream", f"{URL}/listen/news"]
        with contextlib.ExitStack() as stack:
            # The last of so many ends after more than a second.
            listeners = [stack.enter_context(machine.talk(*command)) for _ in range(8)]
            status = f"on the air, {len(listeners)} connections"
            wait_for(lambda: machine.show("radiod.service", "StatusText") == status)
            machine.run("systemctl", "stop", "radiod.socket", "radiod.service")
            assert all("retry: " in listener.stdout.read() for listener in listeners)
        assert machine.show("radiod.service", "Result") == "success"
        journal = machine.journal("-u", "radiod.service", "--output=cat")
        assert "drain: 8 listeners end over 6 s, nobody new is let in" in journal
        assert "radiod stopped" in journal

    def test_a_reload_shows_another_certificate_and_refuses_one_that_does_not_fit(self, boot):
        first, second = Issued("localhost"), Issued("localhost")
        tls = TLS.replace("certificate_credential", "certificate").replace("key_credential", "key")
        machine = boot(BASE + tls.replace('"tls.', '"/etc/radiod/tls.'), Restart=["no"])
        # The user who runs it has a name before it is started, and so files of its own.
        machine.run("systemd-sysusers", "/opt/radiod/packaging/radiod.sysusers")

        def write(certificate, key):
            for name, pem in (("crt", certificate.certificate_pem()), ("key", key.key_pem())):
                machine.write(f"/etc/radiod/tls.{name}", pem.decode(), 0o600)
                machine.run("chown", "radiod", f"/etc/radiod/tls.{name}")

        def shown():
            told = machine.run("bash", "-c", f"{DIAL} </dev/null | openssl x509 -noout -serial").stdout
            return int(told.strip().removeprefix("serial="), 16)

        write(first, first)
        machine.run("systemctl", "start", "radiod.socket", "radiod.service")
        machine.run(
            "systemd-run", "--property=DefaultDependencies=no", "--unit=listener", "bash", "-c", LISTENER
        )
        wait_for(lambda: machine.show("radiod.service", "StatusText") == "on the air, 1 connection")
        assert shown() == first.certificate.serial_number
        write(second, second)
        machine.run("systemctl", "reload", "radiod.service")
        assert shown() == second.certificate.serial_number
        write(first, second)
        assert machine.run("systemctl", "reload", "radiod.service", check=False).returncode != 0
        assert "does not belong to" in machine.show("radiod.service", "StatusText")
        assert shown() == second.certificate.serial_number
        assert machine.show("listener.service", "ActiveState") == "active"

    def test_nobody_is_refused_while_it_restarts(self, boot):
        machine = boot(BASE)
        machine.run("systemctl", "start", "radiod.socket", "radiod.service")
        curl = f"curl -sS --fail --max-time 30 -o /dev/null {URL}/healthz"
        script = f"for i in $(seq 200); do {curl} || exit 1; done"
        asking = threading.Thread(target=lambda: done.append(machine.run("bash", "-c", script, check=False)))
        done = []
        asking.start()
        restarts = 0
        while asking.is_alive() and restarts < 3:
            machine.run("systemctl", "restart", "radiod.service")
            restarts += 1
        asking.join()
        assert restarts
        assert done[0].returncode == 0, done[0].stderr


HANGS = """
import os, signal, time

def the_loop_hangs_here(number, frame):
    while True:
        time.sleep(0.1)

signal.signal(signal.SIGRTMIN, the_loop_hangs_here)
write = os.pwrite

def the_disk_hangs_here(*arguments):
    while os.path.exists("/run/python/disk-hangs"):
        time.sleep(0.1)
    return write(*arguments)

os.pwrite = the_disk_hangs_here
"""
WATCHDOG = 3
"""Seconds, so that a test need not wait for long."""


class TestTheWatchdog:
    @pytest.fixture
    def machine(self, boot):
        machine = boot(
            BASE + KEYS + DURABLE,
            WatchdogSec=[str(WATCHDOG)],
            LoadCredential=["station.key:/etc/radiod/credentials/station.key"],
        )
        machine.write("/etc/radiod/credentials/station.key", "secret-of-station\n", 0o600)
        machine.write("/run/python/sitecustomize.py", HANGS)
        machine.run("systemctl", "start", "radiod.socket", "radiod.service")
        return machine

    def restarted(self, machine):
        """Wait until the server was aborted, and there is another one."""

        def is_so():
            return machine.show("radiod.service", "NRestarts") == "1" and main_pid(machine) != "0"

        wait_for(is_so, machine.journal)
        assert json.loads(get(machine))["status"] == "ok"
        journal = machine.journal("-u", "radiod.service")
        assert "Watchdog timeout" in journal
        assert "killed, status=6/ABRT" in journal
        assert "Fatal Python error: Aborted" in journal
        return journal

    @pytest.mark.parametrize("how", ["STOP", "RTMIN"])
    def test_a_server_that_hangs_is_aborted_and_who_waits_is_answered(self, machine, how):
        machine.run("kill", f"-{how}", main_pid(machine))
        # Connects while nobody accepts. A stopped process goes on for the moment before it is aborted:
        # whoever it accepts in that is cut, and tries again.
        assert json.loads(get(machine, "/healthz", "--retry", "1", "--retry-all-errors"))["status"] == "ok"
        journal = self.restarted(machine)
        assert ("in the_loop_hangs_here" in journal) is (how == "RTMIN")

    def test_a_store_that_hangs_too(self, machine):
        machine.run("touch", "/run/python/disk-hangs")
        body = json.dumps({"network": "kept", "data": {"n": 1}})
        publish = threading.Thread(
            target=lambda: get(
                machine, "/publish", "-H", "API-KEY: secret-of-station", "-d", body, check=False
            )
        )
        publish.start()
        wait_for(lambda: "watchdog is not fed: the store hangs" in machine.journal(), machine.journal)
        wait_for(lambda: "Fatal Python error" in machine.journal(), machine.journal)
        machine.run("rm", "/run/python/disk-hangs")
        assert "in the_disk_hangs_here" in self.restarted(machine)
        publish.join()

    def test_a_server_that_has_much_to_do_is_left_alone(self, machine):
        script = f"for i in $(seq 20); do curl -sS --fail -o /dev/null {URL}/openapi.json || exit 1; done"
        began = time.monotonic()
        while time.monotonic() - began < 3 * WATCHDOG:
            machine.run("bash", "-c", script)
        assert machine.show("radiod.service", "NRestarts") == "0"

    @pytest.mark.soak
    def test_five_minutes_of_more_than_it_can_do_are_no_reason_to_restart(self, machine):
        def worked():
            """Seconds that it ran, or wanted to: others want the processor, too."""
            ran, waited, _ = machine.run("cat", f"/proc/{pid}/schedstat").stdout.split()
            return (int(ran) + int(waited)) / 1e9

        pid = main_pid(machine)
        machine.write("/run/load/load.py", LOAD)
        before, began = worked(), time.monotonic()
        done = machine.run(
            "env", LIBRARIES, PYTHON, "/run/load/load.py", str(LOADED), seconds=LOADED + SECONDS
        )
        share = (worked() - before) / (time.monotonic() - began)
        print(done.stdout, f"at work {share:.0%} of the time")
        assert share > 0.9
        assert (machine.show("radiod.service", "NRestarts"), main_pid(machine)) == ("0", pid)
        assert "watchdog" not in machine.journal("-u", "radiod.service").lower()


LOADED = 300
"""Seconds."""
LOAD = """
import collections, select, socket, sys, time

LISTENERS, PUBLISHERS, AT_ONCE = 50, 40, 100
body = b'{"network": "plain", "data": {"n": 1}}'
lines = [b" HTTP/1.1", b"Host: localhost", b"API-KEY: secret-of-station", b"Accept: text/event-stream"]
head = b"\\r\\n".join([b"POST /publish" + lines[0], *lines[1:], b"Content-Length: %d", b"", b""]) % len(body)
ask = b"\\r\\n".join([b"GET /listen/plain" + lines[0], *lines[1:], b"", b""])
poll = select.poll()
clients, under_way, count = {}, {}, collections.Counter()
for number in range(LISTENERS + PUBLISHERS):
    client = socket.create_connection(("127.0.0.1", 8080))
    clients[client.fileno()] = client
    poll.register(client, select.POLLIN)
    if number < LISTENERS:
        client.sendall(ask)
    else:
        under_way[client.fileno()] = 0
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    for file, left in under_way.items():
        if left < AT_ONCE:
            clients[file].sendall((head + body) * AT_ONCE)
            under_way[file] += AT_ONCE
    for file, _ in poll.poll(1000):
        data = clients[file].recv(1 << 20)
        assert data, "cut"
        if file in under_way:
            assert data.count(b"HTTP/1.1 ") == data.count(b"HTTP/1.1 200"), data
            answers = data.count(b"HTTP/1.1 200")
            under_way[file] -= answers
            count["published"] += answers
        else:
            count["delivered"] += data.count(b"data: ")
print(dict(count))
"""
DURABLE = """
[realms.radio.channels.kept]
durable = true
history = { size = 10 }

[realms.radio.channels.plain]
"""
TLS = """
[[listen]]
endpoint = "systemd:name=http"
tls = { certificate_credential = "tls.crt", key_credential = "tls.key" }
"""
DIAL = "openssl s_client -connect localhost:8443"
LISTENER = f"sleep 1000 | {DIAL}; exit 1"
HOOK = """
[realms.radio.dynamic]
methods = ["ticket"]
hook = "https://localhost:9443/login"
"""
HOOK_SERVER = """
import http.server, json, ssl

class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"role": "listener", "ticket": "anns-ticket"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("/etc/radiod/credentials/tls.crt", "/etc/radiod/credentials/tls.key")
server = http.server.HTTPServer(("127.0.0.1", 9443), Hook)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
LOGIN = """
import json, socket

def say(message):
    data = json.dumps(message).encode()
    client.sendall(len(data).to_bytes(4, "big") + data)

def hear():
    return json.loads(file.read(int.from_bytes(file.read(4), "big")))

client = socket.create_connection(("127.0.0.1", 8080), 20)
file = client.makefile("rb")
client.sendall(bytes([0x7F, 0xF1, 0, 0]))
assert file.read(4)[1] & 15 == 1
say([1, "radio", {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "ann"}])
assert hear()[0] == 4
say([5, "anns-ticket", {}])
print(hear())
"""
LIBRARIES = "LD_LIBRARY_PATH=/opt/python/lib"
