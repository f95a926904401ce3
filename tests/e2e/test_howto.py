"""docs/howto: what operators do, command by command, on machines of their own under a real systemd."""

import concurrent.futures
import contextlib
import json
import re
import time
import zipfile
from pathlib import Path

import pytest
from support.consoles import Reader, sections
from support.private_systemd import OWN_DEPENDENCIES, Machine
from support.releases import clone, do, needs_tools, only, tool
from support.running import ROOT
from support.tls import Issued

import radiod as package

pytestmark = pytest.mark.e2e

PAGES = ROOT / "docs" / "howto"
NEWER = "99.0"
SECONDS = 40
UNITS = ("radiod.service", "radiod.socket", "radiod-backup.service", "radio-watch.service")
DROPINS = {f"{unit}.d/test.conf": OWN_DEPENDENCIES for unit in UNITS}


def page(name):
    return (PAGES / name).read_text()


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Folders of wheels: radiod's with all that it needs, and that of a newer radiod."""
    needs_tools()
    folder = tmp_path_factory.mktemp("wheels")
    source, now, newer = clone(folder / "source"), folder / "now", folder / "newer"
    do(tool("python"), "-m", "build", "--wheel", "--no-isolation", "--outdir", now, source)
    wheel = only(now, "radiod-*.whl")
    # For the Python of the machine, which may be another than that of the tests.
    version = do("/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    for_it = ["--python-version", version, "--only-binary", ":all:"]
    do(tool("python"), "-m", "pip", "download", "--quiet", "--dest", now, *for_it, wheel)
    newer.mkdir()
    renumber(wheel, newer / wheel.name.replace(package.__version__, NEWER))
    return now, newer


def renumber(wheel, new):
    """The same wheel as another version."""
    was, now = package.__version__, NEWER
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in old.namelist():
            data = old.read(name)
            if name == "radiod/__init__.py" or ".dist-info/" in name:
                data = data.replace(was.encode(), now.encode())
            archive.writestr(name.replace(f"-{was}.", f"-{now}."), data)


@pytest.fixture(scope="module")
def machine(tmp_path_factory, wheels):
    """A machine on which nothing of radiod is installed, and whose pip finds the wheels, and nothing else."""
    with Machine(tmp_path_factory.mktemp("machine"), DROPINS) as machine:
        machine.take_away()
        machine.run("mkdir", "/run/wheels", "/run/newer")
        machine.run("mount", "--bind", str(wheels[0]), "/run/wheels")
        machine.variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/run/wheels /run/newer"}
        yield machine


@pytest.fixture(scope="module")
def reader(machine):
    return Reader(machine)


class TestAsAService:
    """In this order: one machine, from nothing to an upgrade."""

    TITLES = tuple(sections(page("service.md")))

    @pytest.mark.parametrize("title", TITLES)
    def test_it_is_as_the_page_says(self, machine, wheels, reader, title):
        if title == "7. Upgrade":
            machine.run("cp", "-r", f"{wheels[1]}/.", "/run/newer")
        done = reader.follow(sections(page("service.md"))[title])
        assert done or title == "Further"

    def test_it_went_well(self, machine):
        assert machine.shell("radiod --version") == f"radiod {NEWER}\n"
        assert "Traceback" not in machine.journal("-u", "radiod")


PROXIES = (ROOT / "docs" / "proxies.md").read_text()
WITH_UNITS = sections(PROXIES)["With radiod.service"]
PROXY_PROGRAMS = {
    "nginx": ["nginx", "-g", "daemon off; error_log stderr;", "-c", "/run/proxy/nginx.conf"],
    "haproxy": ["haproxy", "-db", "-f", "/run/proxy/haproxy.cfg"],
    "caddy": ["caddy", "run", "--adapter", "caddyfile", "--config", "/run/proxy/Caddyfile"],
}
"""As they are started in the foreground; their configurations are those of the page."""


def proxy_configuration(name):
    """(path, text) of the page's first example, with the Unix socket in the place of the port."""
    example = next(
        text for kind, text in re.findall(r"^```(\w+)\n(.*?)^```", PROXIES, re.S | re.M) if kind == name
    )
    [place] = re.findall(rf"^\| {name} \| `(.*?)` \|", WITH_UNITS, re.M | re.I)
    was = {"nginx": "server 127.0.0.1:8080;", "haproxy": "server radiod 127.0.0.1:8080 check",
           "caddy": "reverse_proxy 127.0.0.1:8080 {"}[name]  # fmt: skip
    assert example.count(was) == 1
    text = example.replace(was, place).replace("radio.example.org {", "{\nauto_https disable_redirects\n}\n"
        "https://localhost:443 {\ntls /etc/ssl/radio.pem /etc/ssl/radio.pem\n")  # fmt: skip
    if name == "nginx":
        text = f"user www-data;\nevents {{}}\nhttp {{\naccess_log off;\n{text}}}\n"
    return PROXY_PROGRAMS[name][-1], text


@pytest.mark.soak
@pytest.mark.parametrize("name", PROXY_PROGRAMS)
def test_behind_a_proxy_nobody_is_refused_while_it_restarts(installed, name):
    [(path, socket)] = re.findall(r"^`(/[^`]*)`[^\n]*:\n\n```ini\n(.*?)^```", WITH_UNITS, re.S | re.M)
    [listen] = re.findall(r"^```toml\n(.*?)^```", WITH_UNITS, re.S | re.M)
    config = RADIO.replace('[[listen]]\nendpoint = "systemd:name=http"\n', listen)
    assert config != RADIO
    units = [
        (
            path.removeprefix("/etc/systemd/system/"),
            socket if name == "nginx" else socket.replace("www-data", name),
        )
    ]
    fresh(installed, config, units=units)
    issued = Issued("localhost", "radio.example.org")
    installed.write("/etc/ssl/radio.pem", (issued.key_pem() + issued.certificate_pem()).decode())
    where, text = proxy_configuration(name)
    installed.write(where, text)
    installed.run("mkdir", "-p", "/var/lib/nginx", "/var/log/nginx")
    url = "https://localhost"
    with beside(installed, *PROXY_PROGRAMS[name]):
        until(installed, f"curl -ksS --fail --output /dev/null {url}/healthz")
        # The client's address is known, although all come by one socket.
        installed.run("curl", "-ksS", "-H", "API-KEY: wrong", f"{url}/listen/weather.memory?last=1")
        refused = installed.journal("-u", "radiod", "RADIOD_EVENT=key_refused")
        assert "refused tcp:127.0.0.1" in refused
        curl = f"curl -ksS --fail --max-time 30 -o /dev/null {url}/healthz"
        asking = f"for i in $(seq 100); do {curl} || exit 1; done"
        with concurrent.futures.ThreadPoolExecutor() as pool:
            asked = pool.submit(installed.run, "bash", "-c", asking, check=False, seconds=120)
            restarts = 0
            while not asked.done() and restarts < 3:
                installed.run("systemctl", "restart", "radiod.service")
                restarts += 1
            assert restarts
            assert asked.result().returncode == 0, asked.result().stderr


def fresh(machine, config=None, *, start=True, units=()):
    """Nothing of before is left: a server with this configuration, and no other drop-in than ``units``."""
    machine.run("systemctl", "stop", "radiod.socket", "radiod.service", check=False)
    machine.run("systemctl", "reset-failed", check=False)
    machine.run(
        "bash", "-c", "rm -rf /etc/systemd/system/radiod.*.d /var/lib/private/radiod/* /etc/radiod/tls"
    )
    for name, text in units:
        machine.write(f"/etc/systemd/system/{name}", text)
    machine.write("/etc/radiod/radiod.toml", config or RADIO)
    machine.run("systemctl", "daemon-reload")
    machine.run("bash", "-c", "journalctl --rotate --quiet && journalctl --vacuum-time=1us --quiet")
    if start:
        machine.run("systemctl", "start", "radiod.socket", "radiod.service")


@pytest.fixture(scope="module")
def installed(machine):
    """The machine, on which radiod and its units are, at least."""
    if machine.run("test", "-e", "/opt/radiod/bin/radiod", check=False).returncode:
        for title, text in list(sections(page("service.md")).items())[:2]:
            assert title[0] in "12"
            Reader(machine).follow(text)
    machine.variables["RADIOCTL_CONFIG"] = "/etc/radiod/radiod.toml"
    return machine


RADIO = """
[[listen]]
endpoint = "systemd:name=http"

[admin]
socket = "/run/radiod/admin.sock"

[store]
path = "/var/lib/radiod/radiod.sqlite"

[realms.radio]
anonymous = "listener"

[realms.radio.keys.station]
key = "of-the-station"
publish = ["weather.*"]

[realms.radio.keys.visitor]
key = "of-the-visitor"
listen = ["*"]
valid_until = 1900000000

[realms.radio.channels."weather.harbour"]
durable = true
history = { size = 100 }

[realms.radio.channels."weather.memory"]
history = { size = 100 }
"""


def publish(machine, channel, data, key="of-the-station", check=True):
    body = json.dumps({"network": channel, "data": data})
    command = ["curl", "-sS", "--fail", "-H", f"API-KEY: {key}", "-d", body, "http://127.0.0.1:8080/publish"]
    return machine.run(*command, check=check)


CERTBOT = """#!/bin/bash
# As certbot does: a new key and certificate, and at a renewal what lies in the folder of hooks.
set -eu
lineage=/etc/letsencrypt/live/radio.example.org
make() {
    mkdir -p "$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 90 \\
        -subj /CN=radio.example.org -addext subjectAltName=DNS:radio.example.org \\
        -keyout "$1/privkey.pem" -out "$1/fullchain.pem" 2>/dev/null
}
make "$lineage"
make "$lineage/next"
if [ "$1" = renew ]; then
    for hook in /etc/letsencrypt/renewal-hooks/deploy/*; do RENEWED_LINEAGE=$lineage "$hook"; done
fi
"""


@pytest.mark.soak
class TestTuning:
    def test_it_is_as_the_page_says(self, installed):
        fresh(installed)
        reader = Reader(installed)
        assert sum(reader.follow(text) for text in sections(page("tuning.md")).values()) > 10


@pytest.mark.parametrize("name", sorted(path.name for path in PAGES.glob("*.md")))
def test_what_a_page_sets_in_the_kernel_is_there(name):
    for key in re.findall(
        r"(?<![\w.])(?:net|fs|kernel|vm)\.[a-z0-9_]+(?:\.[a-z0-9_]+)*(?![\w./])", page(name)
    ):
        assert Path("/proc/sys", key.replace(".", "/")).exists(), key


@pytest.mark.soak
class TestUpgrade:
    def test_it_is_as_the_page_says_and_nobody_misses_anything(self, installed, wheels):
        installed.run("bash", "-c", "rm -f /run/newer/*")
        was = f"radiod=={package.__version__}"
        assert installed.shell(f"/opt/radiod/bin/pip install --quiet {was}") == ""
        fresh(installed)
        reader = Reader(installed)
        reader.write("/etc/radiod/radiod.toml", RADIO)
        for title, text in sections(page("upgrade.md")).items():
            if title == "2. Upgrade":
                installed.run("cp", "-r", f"{wheels[1]}/.", "/run/newer")
            reader.follow(text.replace("radiod==0.1.0", was))
            if title == "3. Look":
                assert installed.shell("radiod --version") == f"radiod {NEWER}\n"
        assert installed.shell("radiod --version") == f"radiod {package.__version__}\n"


@pytest.mark.soak
class TestTls:
    def test_it_is_as_the_page_says_and_nobody_is_disconnected(self, installed):
        fresh(installed, start=False)
        installed.write("/usr/local/bin/certbot", CERTBOT, 0o755)
        reader, text = Reader(installed), sections(page("tls.md"))
        for number, (title, section) in enumerate(text.items(), 1):
            assert title.startswith(f"{number}. ")
            assert reader.follow(section) or number == len(text)
            if number == 3:
                url = "https://localhost/listen/weather"
                stream = ["curl", "-sSkN", "-H", "Accept: text/event-stream", url]
                start = ["systemd-run", "--quiet", "--property=DefaultDependencies=no", "--unit=listener"]
                installed.run(*start, *stream)
        assert installed.show("listener.service", "ActiveState") == "active"
        installed.run("systemctl", "stop", "listener.service")


@pytest.mark.soak
class TestBackup:
    def test_it_is_as_the_page_says_on_two_machines(self, installed):
        fresh(installed)
        publish(installed, "weather.harbour", {"wind": 4})
        issued = installed.shell("radioctl key issue --publish 'weather.*'").split()
        reader, text = Reader(installed), sections(page("backup.md"))
        for title, section in text.items():
            if title == "4. On another machine":
                # Of the first one only what was copied is left.
                fresh(installed, start=False)
                installed.run("rm", "-r", "/var/lib/private/radiod", "/var/lib/radiod")
            assert reader.follow(section)
        [secret] = [word for word in issued if word.startswith("rdk_")]
        publish(installed, "weather.memory", {"n": 1}, secret)


@pytest.mark.soak
class TestTrouble:
    """Each section on a server in that state: what is to be seen, then what to do."""

    TROUBLES = tuple(sections(page("trouble.md")))

    @pytest.mark.parametrize("title", TROUBLES)
    def test_it_is_as_the_page_says(self, installed, title):
        look, _, do = sections(page("trouble.md"))[title].partition("**Do.**")
        state = STATES[title](installed)
        reader = Reader(installed)
        with contextlib.closing(state):
            next(state)
            assert reader.follow(look)
            next(state)
            # Some is done by itself, or elsewhere.
            reader.follow(do)


def well(machine):
    fresh(machine)
    yield
    yield


def wrong_configuration(machine):
    fresh(machine, RADIO + "[limits]\nmax_connections = 0\n", start=False)
    machine.run("systemctl", "start", "radiod.socket")
    yield
    machine.write("/etc/radiod/radiod.toml", RADIO)
    yield


def taken_port(machine):
    fresh(machine, start=False)
    with beside(machine, "/usr/bin/python3", "-m", "http.server", "8080"):
        until(machine, "curl -sS --output /dev/null http://127.0.0.1:8080/")
        yield
    yield


def no_socket(machine):
    fresh(machine, start=False)
    yield
    yield


def damaged_store(machine):
    fresh(machine)
    for number in range(20):
        publish(machine, "weather.harbour", {"n": number})
    machine.run("systemctl", "stop", "radiod.service")
    damage = "dd of=/var/lib/radiod/radiod.sqlite bs=1 seek=4096 conv=notrunc status=none"
    machine.run("bash", "-c", f"printf XXXXXXXXXXXXXXXX | {damage}")
    yield
    yield


def stopped(machine):
    fresh(machine, start=False)
    yield
    yield


def full_disk(machine):
    fresh(machine, start=False)
    machine.run("mkdir", "-p", "/var/lib/private/radiod")
    machine.run("mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs", "/var/lib/private/radiod")
    machine.run("systemctl", "start", "radiod.socket", "radiod.service")
    machine.run("bash", "-c", "head -c 8M /dev/zero >/var/lib/private/radiod/logs 2>/dev/null || true")
    until(machine, "curl -sS http://127.0.0.1:8080/readyz | grep false")
    yield
    machine.run("rm", "/var/lib/private/radiod/logs")
    yield
    machine.run("systemctl", "stop", "radiod.socket", "radiod.service")
    machine.run("umount", "/var/lib/private/radiod")


def wrong_clock(machine):
    [library] = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    lines = [f"LD_PRELOAD={library}", "FAKETIME_TIMESTAMP_FILE=/run/clock", "FAKETIME_NO_CACHE=1",
             "FAKETIME_DONT_FAKE_MONOTONIC=1"]  # fmt: skip
    machine.write("/run/clock", "+2000d")
    text = "[Service]\n" + "".join(f"Environment={line}\n" for line in lines)
    fresh(machine, units=[("radiod.service.d/clock.conf", text)])
    publish(machine, "weather.memory", {"n": 1})
    yield
    machine.write("/run/clock", "+0")
    yield


def refused_logins(machine):
    fresh(machine)
    machine.shell("radioctl key issue --publish 'weather.*'")
    publish(machine, "weather.memory", {"n": 1}, "wrong", check=False)
    ticket = "--url ws://127.0.0.1:8080 --authid joe --ticket-file -"
    machine.shell(f"echo wrong | radioctl {ticket} publish weather.memory 1")
    yield
    yield


def slow_listener(machine):
    fresh(machine)
    with beside(machine, "/usr/bin/python3", "-c", NEVER_READS):
        until(machine, "curl -sS http://127.0.0.1:8080/channels/weather.memory | grep 'readers\":1'")
        machine.run("/usr/bin/python3", "-c", MUCH)
        yield
        yield


def few_descriptors(machine):
    fresh(machine, units=[("radiod.service.d/few.conf", "[Service]\nLimitNOFILE=96\n")])
    yield
    machine.run("rm", "/etc/systemd/system/radiod.service.d/few.conf")
    yield


def watchdog(machine):
    fresh(machine, units=[("radiod.service.d/soon.conf", "[Service]\nWatchdogSec=3\n")])
    machine.run("systemctl", "kill", "--signal=STOP", "radiod.service")
    until(machine, "systemctl show --property=NRestarts --value radiod | grep 1")
    until(machine, "systemctl is-active radiod")
    yield
    yield


STATES = dict(
    zip(
        TestTrouble.TROUBLES,
        (well, wrong_configuration, taken_port, no_socket, damaged_store, stopped, full_disk, wrong_clock,
         refused_logins, slow_listener, few_descriptors, watchdog),
        strict=True,
    )
)  # fmt: skip

NEVER_READS = """
import socket, time
client = socket.create_connection(("127.0.0.1", 8080))
client.sendall(b"GET /listen/weather.memory HTTP/1.1\\r\\nHost: x\\r\\nAccept: text/event-stream\\r\\n\\r\\n")
time.sleep(3600)
"""


MUCH = """
import json, urllib.request
body = json.dumps({"network": "weather.memory", "data": {"n": "x" * 500_000}}).encode()
for _ in range(40):
    request = urllib.request.Request("http://127.0.0.1:8080/publish", body, {"API-KEY": "of-the-station"})
    urllib.request.urlopen(request, timeout=20).close()
"""
"""20 MB: more than any buffer."""


@contextlib.contextmanager
def beside(machine, *command):
    """A program of the machine, until the block ends."""
    words = ["systemd-run", "--quiet", "--collect", "--property=DefaultDependencies=no", "--unit=beside"]
    machine.run(*words, *command)
    try:
        yield
    finally:
        machine.run("systemctl", "stop", "beside.service")


def until(machine, command):
    end = time.monotonic() + SECONDS
    while machine.run("bash", "-c", command, check=False).returncode:
        assert time.monotonic() < end, f"{command}\n{machine.journal('-n', '40')}"
        time.sleep(0.1)
