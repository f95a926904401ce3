"""What the Python client brings along: at most three packages and 8 MiB."""

import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from support.running import ROOT

pytestmark = pytest.mark.e2e

FOLDER = ROOT / "clients" / "python"
MOST_PACKAGES, MOST_BYTES = 3, 8 << 20


def size_of(files):
    return sum(file.stat().st_size for file in files if file.is_file())


def test_what_it_depends_on_is_small():
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    found, waiting = {}, [Requirement(text).name for text in project["dependencies"]]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = distribution(name)
            for text in found[name].requires or ():
                needed = Requirement(text)
                if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                    waiting.append(needed.name)
    files = [Path(str(file.locate())) for each in found.values() for file in each.files or ()]
    own = list((FOLDER / "radiod_client").glob("*"))
    assert len(found) + 1 <= MOST_PACKAGES, sorted(found)
    assert size_of({*files, *own}) <= MOST_BYTES


@pytest.mark.soak
def test_pip_installs_so_much_and_no_more(tmp_path):
    # A build leaves things beside its source.
    source = shutil.copytree(FOLDER, tmp_path / "source", ignore=shutil.ignore_patterns("__pycache__"))
    target = tmp_path / "target"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", target, source]
    subprocess.run(command, check=True)
    packages = sorted(path.name.partition("-")[0] for path in target.glob("*.dist-info"))
    assert packages == ["msgspec", "radiod_client", "websockets"]
    assert size_of(target.rglob("*")) <= MOST_BYTES
    code = "import radiod_client, radiod_client.aio, sys; print(len(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=True,
    )
    print(packages, size_of(target.rglob("*")), "bytes", done.stdout)
