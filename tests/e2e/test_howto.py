"""docs/howto: what operators do, command by command, on machines of their own under a real systemd."""

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
