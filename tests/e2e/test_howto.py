"""docs/howto: what operators do, command by command, on machines of their own under a real systemd."""

import contextlib
import json
import time
from pathlib import Path

import pytest
from support.consoles import Reader, sections
from support.private_systemd import OWN_DEPENDENCIES, Machine
from support.releases import clone, do, needs_tools, only, tool
from support.running import ROOT

import radiod as package

pytestmark = pytest.mark.e2e

PAGES = ROOT / "docs" / "howto"
NEWER = "99.0"
DROPINS = {f"{unit}.d/test.conf": OWN_DEPENDENCIES for unit in ("radiod.service", "radiod.socket")}


def page(name):
    return (PAGES / name).read_text()


def wheel(source, folder):
    do(tool("python"), "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source)
    return only(folder, "radiod-*.whl")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Folders of wheels: radiod's with all that it needs, and that of a newer radiod."""
    needs_tools()
    folder = tmp_path_factory.mktemp("wheels")
    source = clone(folder / "source")
    now, newer = folder / "now", folder / "newer"
    built = wheel(source, now)
    # For the Python of the machine, which may be another than that of the tests.
    version = do("/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    for_it = ["--python-version", version, "--only-binary", ":all:"]
    do(tool("python"), "-m", "pip", "download", "--quiet", "--dest", now, *for_it, built)
    init = source / "radiod" / "__init__.py"
    init.write_text(init.read_text().replace(package.__version__, NEWER))
    wheel(source, newer)
    return now, newer


@pytest.fixture(scope="module")
def machine(tmp_path_factory, wheels):
    """A machine on which nothing of radiod is installed, and whose pip finds the wheels, and nothing else."""
    with Machine(tmp_path_factory.mktemp("machine"), DROPINS, installed=False) as machine:
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


def fresh(machine, config=None, *, start=True, units=()):
    """Nothing of before is left: a server with this configuration, and no other drop-in than ``units``."""
    machine.run("systemctl", "stop", "radiod.socket", "radiod.service", check=False)
    machine.run("systemctl", "reset-failed", check=False)
    machine.run("bash", "-c", "rm -rf /etc/systemd/system/radiod.*.d /var/lib/private/radiod/* /etc/radiod/tls")
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
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 90 -subj /CN=radio.example.org \\
        -addext subjectAltName=DNS:radio.example.org -keyout "$1/privkey.pem" -out "$1/fullchain.pem" 2>/dev/null
}
make "$lineage"
make "$lineage/next"
if [ "$1" = renew ]; then
    for hook in /etc/letsencrypt/renewal-hooks/deploy/*; do RENEWED_LINEAGE=$lineage "$hook"; done
fi
"""


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
