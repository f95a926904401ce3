"""Other ways to install radiod, and the sdist as a place to work in: long, so for ``make dist-check``."""

import os
import re
import subprocess
import sys
import tarfile

import pytest
from support.releases import clone, dist, do, needs_tools, only, tool

import radiod as package

pytestmark = [pytest.mark.e2e, pytest.mark.soak]

UNIT_TESTS = ("tests/core", "tests/wire", "tests/auth", "tests/web", "tests/store", "tests/test_config.py")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    needs_tools()
    return clone(tmp_path_factory.mktemp("source") / "radiod")


@pytest.fixture(scope="module")
def made(source, tmp_path_factory):
    return dist(source, tmp_path_factory.mktemp("dist"), 1_790_000_000)


def where(kind, source, made):
    return source if kind == "checkout" else only(made, {"wheel": "*.whl", "sdist": "*.tar.gz"}[kind])


@pytest.mark.parametrize("kind", ["wheel", "sdist", "checkout"])
def test_pipx_installs_the_commands(source, made, tmp_path, kind):
    variables = {"PIPX_HOME": str(tmp_path / "home"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    do(tool("pipx"), "install", where(kind, source, made), variables=variables)
    assert sorted(os.listdir(tmp_path / "bin")) == ["radioctl", "radiod"]
    assert do(tmp_path / "bin" / "radiod", "--version") == f"radiod {package.__version__}\n"


@pytest.mark.parametrize("kind", ["wheel", "sdist", "checkout"])
def test_pip_installs_it(source, made, tmp_path, kind):
    python = tmp_path / "bin" / "python"
    do(sys.executable, "-m", "venv", tmp_path)
    # The newest one: it isolates builds otherwise than older ones.
    do(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
    do(python, "-m", "pip", "install", "--quiet", where(kind, source, made))
    do(python, "-m", "pip", "check")
    assert re.search(r"^ +radiod +", do(tmp_path / "bin" / "twistd", "--help"), re.M)
    told = do(tmp_path / "bin" / "radiod", "paths", cwd=tmp_path)
    assert f"packaging {tmp_path}" in told


def test_an_unpacked_sdist_passes_its_tests_and_makes_itself_again(made, tmp_path):
    with tarfile.open(only(made, "*.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = only(tmp_path, "radiod-*")
    where = "import radiod; print(radiod.__file__)"
    assert do(sys.executable, "-c", where, cwd=folder).startswith(str(folder))
    variables = {"PYTHONPATH": str(folder), "CI": "1"}
    tests = ["-m", "pytest", "-q", "-n", "2", "--hypothesis-profile=quick", *UNIT_TESTS]
    done = subprocess.run(
        [sys.executable, *tests],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stdout[-5000:]
    again = dist(folder, tmp_path / "again", 1_790_000_000)
    assert only(again, "*.whl").read_bytes() == only(made, "*.whl").read_bytes()
