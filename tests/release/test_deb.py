"""The Debian package: installed, run, upgraded and removed under a real systemd."""

import os
import re
import subprocess

import pytest
from support.private_systemd import DEBIAN, OWN_DEPENDENCIES, ROOT, Machine
from support.releases import TOOLS, clone, dist, do, needs_tools, only

import radiod as package

pytestmark = [pytest.mark.e2e, pytest.mark.soak]

URL = "http://127.0.0.1:8080"
NEWER = "0.1.1"
KEY = '\n[realms.radio.keys.station]\nkey = "of-the-station"\npublish = ["*"]\nlisten = ["*"]\n'
CHANNEL = "\n[realms.radio.channels.weather]\ndurable = true\nhistory = { size = 10 }\n"
WRITABLE = r"""
set -eu
# What dpkg writes to, which is the machine's own otherwise.
mkdir -p /run/usr/upper /run/usr/work
mount -t overlay overlay -o lowerdir=/usr,upperdir=/run/usr/upper,workdir=/run/usr/work /usr
tar -C /var/lib -xf /run/dpkg.tar
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Debian packages of two versions, by version."""
    needs_tools()
    folder = tmp_path_factory.mktemp("packages")
    made = {}
    for version in (package.__version__, NEWER):
        source = clone(folder / f"source-{version}")
        if version == NEWER:
            init = source / "radiod" / "__init__.py"
            init.write_text(init.read_text().replace(package.__version__, version))
            do("git", "-C", source, "commit", "--quiet", "--all", "--message", "Another version")
        out = dist(source, folder / version, 1_790_000_000)
        make(source, out, folder)
        made[version] = only(out, "*.deb")
    return made


def make(source, out, seen):
    """A package of the wheel in ``out``, by the Debian for which it is; ``seen`` has both."""
    variables = {"TOOLS": "/srv/release" if DEBIAN else str(TOOLS), "SOURCE_DATE_EPOCH": "1790000000"}
    words = ["env", *(f"{key}={value}" for key, value in variables.items())]
    if DEBIAN:
        words = [ROOT / "tests" / "debian.sh", "run", DEBIAN, *words]
    do(*words, source / "release" / "deb.sh", out, variables={"SEEN": str(seen)})


@pytest.fixture(scope="module")
def machine(packages, tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    subprocess.run(["cp", "-r", f"{DEBIAN}/var/lib/dpkg", folder], check=True)
    units = {f"{name}.d/own.conf": OWN_DEPENDENCIES for name in ("radiod.service", "radiod.socket")}
    with Machine(folder, units) as machine:
        machine.take_away()
        subprocess.run(["tar", "-C", folder, "-cf", folder / "dpkg.tar", "dpkg"], check=True)
        machine.copy(folder / "dpkg.tar", "/run/dpkg.tar")
        for file in packages.values():
            machine.copy(file, f"/run/{file.name}")
        machine.run("bash", "-c", WRITABLE)
        machine.run("systemctl", "daemon-reload")
        yield machine


def get(machine, path="/healthz", *options):
    return machine.run("curl", "-sS", "--fail-with-body", "--max-time", "30", *options, f"{URL}{path}").stdout


class TestAPackage:
    """In this order: one machine, from the first installation to the end."""

    def test_it_is_sound(self, packages):
        said = do("dpkg-deb", "--info", packages[package.__version__])
        assert f"Version: {package.__version__.replace('.dev', '~dev')}\n" in said
        listed = do("dpkg-deb", "--contents", packages[package.__version__])
        assert f"/opt/radiod/{package.__version__}/bin/radiod" in listed
        assert set(re.findall(r" (\w+/\w+) ", listed)) == {"root/root"}
        assert "/radiod.cdx.json" in listed

    def test_no_path_of_the_builder_is_in_it(self, packages, tmp_path):
        do("dpkg-deb", "--raw-extract", packages[NEWER], tmp_path / "root")
        builder = str(packages[NEWER].parents[1])
        for folder in (builder, "/tmp/tmp."):
            found = subprocess.run(
                ["grep", "-rlF", folder, tmp_path / "root"], capture_output=True, text=True
            )
            assert found.stdout == ""

    def test_it_is_installed_and_nothing_is_started(self, machine, packages):
        machine.run("dpkg", "--install", f"/run/{packages[package.__version__].name}", seconds=300)
        assert machine.run("radiod", "--version").stdout == f"radiod {package.__version__}\n"
        assert package.__version__ in machine.run("radioctl", "--version").stdout
        assert "/share/radiod" in machine.run("radiod", "paths").stdout
        assert machine.run("getent", "passwd", "radiod").stdout
        assert machine.show("radiod.service", "ActiveState") == "inactive"
        machine.run("radiod", "check", "--config", "/etc/radiod/radiod.toml")

    def test_it_runs_with_its_units(self, machine):
        add = 'printf %s "$1" >>/etc/radiod/radiod.toml'
        machine.run("bash", "-c", add, "-", KEY + CHANNEL)
        machine.run("systemctl", "start", "radiod.socket", "radiod.service")
        assert package.__version__ in get(machine)
        assert "<!doctype html>" in get(machine, "/").lower()
        sent = '{"network": "weather", "data": {"n": 1}}'
        get(machine, "/publish", "-H", "API-KEY: of-the-station", "-d", sent)
        pid = machine.show("radiod.service", "MainPID")
        status = machine.run("cat", f"/proc/{pid}/status").stdout
        assert re.search(r"^CapEff:\s+0+$", status, re.M)
        assert re.search(r"^Seccomp:\s+2$", status, re.M)
        assert not re.search(r"^Uid:\s+0\s", status, re.M)

    def test_an_upgrade_restarts_what_runs(self, machine, packages):
        machine.run("dpkg", "--install", f"/run/{packages[NEWER].name}", seconds=300)
        assert machine.show("radiod.service", "ActiveState") == "active"
        assert NEWER in get(machine)
        # What an operator wrote stays, and what was published.
        assert '"n": 1' in get(machine, "/listen/weather?last=1", "-H", "API-KEY: of-the-station")
        assert machine.run("ls", "/opt/radiod").stdout.split() == [NEWER]
        assert "Traceback" not in machine.journal("-u", "radiod")

    def test_a_numeric_user_who_is_nobody_runs_it(self, machine):
        """As in the container: without systemd, writing to no other place than its folder."""
        script = """
        install -d -o 10001 -g 10001 /run/state && cd /run/state
        setpriv --reuid=10001 --regid=10001 --clear-groups env HOME=/nosuch radiod run \
            --store /run/state/store --listen tcp:8099:interface=127.0.0.1 >/run/state.log 2>&1 &
        for _ in $(seq 300); do grep -q 'on the air' /run/state.log && break; sleep 0.1; done
        curl -sS --fail http://127.0.0.1:8099/healthz && kill $! && ! wait $!
        """
        assert NEWER in machine.run("bash", "-c", script).stdout
        assert "Traceback" not in machine.run("cat", "/run/state.log").stdout

    def test_removed_it_leaves_data_alone_and_purged_nothing(self, machine):
        machine.run("dpkg", "--remove", "radiod", seconds=300)
        assert machine.show("radiod.service", "ActiveState") in ("inactive", "failed")
        machine.run("test", "-e", "/var/lib/radiod/radiod.sqlite")
        machine.run("test", "-e", "/etc/radiod/radiod.toml")
        assert machine.run("test", "-e", "/opt/radiod", check=False).returncode
        machine.run("dpkg", "--purge", "radiod", seconds=300)
        for path in ("/var/lib/radiod", "/var/lib/private/radiod", "/etc/radiod/radiod.toml"):
            assert machine.run("test", "-e", path, check=False).returncode, path


def test_the_same_wheel_makes_the_same_package(packages, tmp_path):
    wheel = only(packages[NEWER].parent, "*.whl")
    os.link(wheel, tmp_path / wheel.name)
    source = packages[NEWER].parents[1] / f"source-{NEWER}"
    make(source, tmp_path, tmp_path.parent)
    assert only(tmp_path, "*.deb").read_bytes() == packages[NEWER].read_bytes()
