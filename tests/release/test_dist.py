"""What ``make dist`` makes: the same bytes each time, no more than it should be, and it works."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile

import pytest
from support.releases import clone, dist, do, install_with_uv, needs_tools, only, tool
from support.running import ROOT, free_port, program, wait_until

import radiod as package

# Minutes on a busy machine: `make dist-check` and `make soak` run them.
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.soak]

EPOCH = 1_790_000_000


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two releases of one commit, from clones with other paths, in other environments."""
    needs_tools()
    folder = tmp_path_factory.mktemp("made")
    one = dist(clone(folder / "one"), folder / "dist", EPOCH)
    other_clone = clone(folder / "somewhere" / "else", 0o077, folder / "one")
    # The times of the files, too.
    for path in other_clone.rglob("*.py"):
        os.utime(path, (1, 1))
    variables = {"SOURCE_DATE_EPOCH": str(EPOCH), "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "HOME": "/nosuch"}
    build = [tool("python"), "-m", "build", "--no-isolation", "--outdir", folder / "again", other_clone]
    do(*build, variables=variables, umask=0o077)
    return one, folder / "again"


@pytest.fixture(scope="module")
def installed(made, tmp_path_factory):
    """The wheel, installed by uv: the folder with its commands."""
    folder = tmp_path_factory.mktemp("installed")
    return install_with_uv(only(made[0], "*.whl"), folder, "--python", sys.executable)


def environment(installed):
    return installed.parent / "tools" / "radiod"


class TestTheFiles:
    @pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"])
    def test_two_clones_make_the_same_bytes(self, made, pattern):
        one, other = (only(folder, pattern) for folder in made)
        assert one.name == other.name
        assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()

    def test_the_sdist_is_the_repository(self, made):
        with tarfile.open(only(made[0], "*.tar.gz")) as archive:
            members = archive.getmembers()
        names = {each.name.partition("/")[2] for each in members if each.isfile()}
        tracked = set(
            do("git", "-C", made[0].parent / "one", "ls-tree", "-r", "-z", "--name-only", "HEAD").split("\0")
        ) - {""}
        assert tracked - names == set()
        assert {each for each in names - tracked if not each.startswith("radiod.egg-info/")} == {
            "PKG-INFO",
            "setup.cfg",
        }
        assert {(each.mtime, each.uid, each.uname) for each in members} == {(EPOCH, 0, "")}

    def test_the_wheel_is_what_is_used(self, made):
        with zipfile.ZipFile(only(made[0], "*.whl")) as archive:
            names = archive.namelist()
            readable = {each.external_attr >> 16 & 0o777 for each in archive.infolist()}
        assert {name.split("/")[0] for name in names if ".dist-info" not in name and ".data" not in name} == {
            "radiod",
            "simulator",
            "twisted",
        }
        assert readable <= {0o644, 0o755}

    def test_no_path_of_this_machine_is_told(self, made):
        folder = str(made[0].parent).encode()
        for path in made[0].iterdir():
            assert folder not in path.read_bytes()

    def test_the_checksums_fit(self, made):
        do("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=made[0])

    def test_others_find_nothing_to_say(self, made):
        wheel, sdist = only(made[0], "*.whl"), only(made[0], "*.tar.gz")
        # As the project's, which has the list of what lies at the top.
        do(tool("check-wheel-contents"), "--config", ROOT / "pyproject.toml", wheel)
        do(tool("twine"), "check", "--strict", wheel, sdist)

    def test_what_is_told_of_it_is_complete_once_its_makers_are_found(self, tmp_path):
        needs_tools()
        source = clone(tmp_path / "source")
        contact = 'author_email = "radiod@radio.example"\nurl = "https://radio.example/"\n'
        (source / "release" / "contact.toml").write_text(contact)
        do(tool("python"), "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path, source)
        said = do(tool("pyroma"), "--min", "9", only(tmp_path, "*.tar.gz"))
        assert "Final rating: 10/10" in said, said


def test_the_bill_of_materials_is_what_is_installed(made):
    bill = json.loads(only(made[0], "*.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert all(each.get("licenses") for each in bill["components"])
    listed = {(re.sub(r"[._]", "-", each["name"]).lower(), each["version"]) for each in bill["components"]}
    assert len(listed) == len(bill["components"])
    # Installed once more, by the same pip.
    again = made[0].parent / "again-installed"
    do(tool("python"), "-m", "venv", "--without-pip", again)
    pip = [tool("python"), "-m", "pip", "--python", again / "bin" / "python"]
    do(*pip, "install", "--quiet", only(made[0], "*.whl"))
    do(*pip, "check")
    found = json.loads(do(*pip, "list", "--format=json", "--disable-pip-version-check").splitlines()[-1])
    assert listed == {(re.sub(r"[._]", "-", each["name"]).lower(), each["version"]) for each in found}


class TestInstalled:
    def test_there_are_two_commands(self, installed):
        assert sorted(each.name for each in installed.iterdir()) == ["radioctl", "radiod"]
        assert do(installed / "radiod", "--version") == f"radiod {package.__version__}\n"
        assert package.__version__ in do(installed / "radioctl", "--version")

    def test_units_and_examples_are_found(self, installed):
        told = dict(line.split(maxsplit=1) for line in do(installed / "radiod", "paths").splitlines())
        assert told["version"] == package.__version__
        for name, there in (("pages", "index.html"), ("package", "py.typed")):
            assert os.path.exists(os.path.join(told[name], there)), told
        shipped = {path.name for path in (ROOT / "packaging").iterdir()}
        assert set(os.listdir(told["packaging"])) == shipped
        assert told["packaging"].startswith(str(environment(installed)))

    def test_twistd_lists_it(self, installed):
        assert re.search(r"^ +radiod +", do(environment(installed) / "bin" / "twistd", "--help"), re.M)

    def test_pages_are_served(self, installed, tmp_path):
        port, log = free_port(), tmp_path / "log"
        command = [str(installed / "radiod"), "run", "--listen", f"tcp:{port}:interface=127.0.0.1"]
        # Where no source is.
        folder = ["env", "-C", str(tmp_path), "-u", "PYTHONPATH"]
        with program([*folder, *command], log) as process:
            wait_until(lambda: "on the air" in log.read_text(), process, log)
            page = do("curl", "-sS", "--fail", f"http://127.0.0.1:{port}/")
            assert "<!doctype html>" in page.lower()
            for path in re.findall(r'(?:src|href)="/?(static/[^"]+)"', page):
                do("curl", "-sS", "--fail", "--output", "/dev/null", f"http://127.0.0.1:{port}/{path}")
            process.terminate()
            process.wait(10)

    @pytest.mark.parametrize(
        "words", [["-c", "import simulator"], ["-c", "import simulator.network"], ["-m", "simulator"]]
    )
    def test_the_simulator_says_which_extra_it_needs(self, installed, words):
        done = subprocess.run(
            [environment(installed) / "bin" / "python", *words],
            capture_output=True,
            text=True,
            cwd=installed,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        )
        assert done.returncode == 1
        told = "the simulator needs NumPy: pip install 'radiod[sim]'"
        assert told in done.stderr.strip().splitlines()[-1]
