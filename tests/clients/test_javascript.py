"""The JavaScript client without a network: its own tests on two Nodes, its types, its size, no imports."""

import gzip
import json
import re
import subprocess

import pytest
from support.javascript import CLIENT, MODULES, NEEDS_NODE, NEW_NODE, OLD_NODE
from support.running import ROOT

pytestmark = [pytest.mark.slow, NEEDS_NODE]

SECONDS = 120
SOURCE = (CLIENT / "radiod.js").read_text(encoding="utf-8")
SERVICES = re.compile(r"[ ]*// #region services\n.*?// #endregion\n", re.DOTALL)


def run(*command, text=None, cwd=ROOT):
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=SECONDS, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def compressed(source):
    """Bytes of it, minified and compressed by gzip."""
    minified = run(str(MODULES / ".bin" / "esbuild"), "--minify", "--format=esm", "--loader=js", text=source)
    return len(gzip.compress(minified.encode(), 9))


@pytest.mark.parametrize("node", [OLD_NODE, NEW_NODE], ids=["system", "current"])
@pytest.mark.parametrize("name", ["radiod", "msgpack"])
def test_its_own_tests(node, name):
    run(str(node), "--test", f"tests/clients/js/{name}.test.mjs")


def test_it_is_one_module_without_imports():
    assert not re.search(r"^import|\bimport\s*\(|\brequire\(", SOURCE, re.MULTILINE)


@pytest.mark.parametrize(
    ("source", "most"),
    [(SOURCE, 12), (SERVICES.sub("", SOURCE), 8), ((CLIENT / "msgpack.js").read_text(encoding="utf-8"), 4)],
    ids=["all", "core", "msgpack"],
)
def test_it_is_small(source, most):
    assert compressed(source) <= most * 1024


def test_types_are_checked_and_made_for_users(tmp_path):
    tsc = str(MODULES / ".bin" / "tsc")
    package = tmp_path / "node_modules" / "radiod"
    package.mkdir(parents=True)
    run(tsc, "--project", str(CLIENT), "--outDir", str(package))
    for name in json.loads((CLIENT / "package.json").read_text())["files"]:
        if not name.endswith(".d.ts"):
            (package / name).write_bytes((CLIENT / name).read_bytes())
    (package / "package.json").write_bytes((CLIENT / "package.json").read_bytes())
    (tmp_path / "user.ts").write_bytes((ROOT / "tests" / "clients" / "js" / "user.ts").read_bytes())
    options = {
        "strict": True,
        "noEmit": True,
        "module": "nodenext",
        "target": "es2024",
        "lib": ["es2024", "dom"],
        "types": [],
    }
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["user.ts"]}))
    run(tsc, "--project", str(tmp_path))
