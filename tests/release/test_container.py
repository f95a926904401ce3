"""The container's recipe: as others' linter wants it, and as radiod needs it. No image is built here."""

import json
import os
import re
import shutil
import signal
import subprocess

import pytest
from support.releases import do, needs_tools, tool
from support.running import RADIOD, ROOT, environment, free_port, program, wait_until

from radiod.config import Config

pytestmark = pytest.mark.e2e

RECIPE = ROOT / "packaging" / "Containerfile"
INSTRUCTIONS = [
    tuple(line.split(maxsplit=1))
    for line in re.sub(r"\\\n\s*", "", RECIPE.read_text()).splitlines()
    if line.strip() and not line.startswith("#")
]
LAST = INSTRUCTIONS[max(number for number, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM") :]


def given(instruction):
    """What the last stage says to it."""
    (found,) = [rest for word, rest in LAST if word == instruction]
    return found


def test_a_linter_finds_nothing_to_say():
    needs_tools()
    assert do(tool("hadolint"), "--failure-threshold", "info", RECIPE) == ""


def test_what_builds_stays_behind():
    assert [word for word, _ in INSTRUCTIONS].count("FROM") == 2
    assert [rest for word, rest in LAST if word == "RUN" and "pip" in rest] == []


def test_nobody_on_the_machine_runs_it():
    assert re.fullmatch(r"[1-9][0-9]+:[1-9][0-9]+", given("USER"))
    assert f"--chown={given('USER')} " in " ".join(rest for word, rest in LAST if word == "COPY")


@pytest.mark.parametrize("instruction", ["ENTRYPOINT", "CMD", "HEALTHCHECK", "RUN"])
def test_no_shell_is_between(instruction):
    words = given(instruction)
    assert isinstance(json.loads(words[words.index("[") :]), list)


def test_it_ends_with_0_on_its_signal(tmp_path):
    """As the first process there, which no signal kills that it does not handle."""
    assert given("STOPSIGNAL") == "SIGTERM"
    port, log = free_port(), tmp_path / "log"
    text = (ROOT / "packaging" / "container.toml").read_text()
    config = Config.parse(text, tmp_path)
    assert [each.endpoint for each in config.listen] == ["tcp:8080:backlog=4096"]
    (tmp_path / "radiod.toml").write_text(
        text.replace("tcp:8080", f"tcp:{port}:interface=127.0.0.1").replace("/var/lib/radiod", str(tmp_path))
    )
    words = json.loads(given("CMD"))
    words[words.index("/etc/radiod/radiod.toml")] = str(tmp_path / "radiod.toml")
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *RADIOD, *words]
    with program(command, log) as process:
        wait_until(lambda: "on the air" in log.read_text(), process, log)
        check = json.loads(given("HEALTHCHECK").partition("CMD ")[2])
        python = shutil.which("python3")
        told = [word.replace(":8080", f":{port}") for word in check[1:]]
        assert subprocess.run([python, *told], env=environment()).returncode == 0
        nobody = [word.replace(":8080", f":{free_port()}") for word in check[1:]]
        assert subprocess.run([python, *nobody], env=environment(), stderr=subprocess.DEVNULL).returncode == 1
        # unshare itself takes no signals; its child is 1 in there.
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
            os.kill(int(children.read().split()[0]), signal.SIGTERM)
        assert process.wait(20) == 0, log.read_text()
    assert "Traceback" not in log.read_text()
