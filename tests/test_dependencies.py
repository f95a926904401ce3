"""The architecture's rules about imports, checked on the syntax trees of all of radiod.

errors <- wire <- core <- {admin, auth, store, tracing, transport, web, webhooks, metrics} <- state;
state <- service <- tap; wire <- endpoints <- service; errors <- engine <- service

Within the core the packages stand on floors (``house.FLOORS``). Imports for type checking count everywhere.
"""

import ast
import sys
from pathlib import Path

import pytest
from house import FLOORS, KNOWN, all_imports, count_upwards, read_modules, upwards_in_words

ROOT = Path(__file__).parents[1]
EDGES = frozenset({"admin", "auth", "store", "transport", "web", "webhooks", "metrics", "tracing"})

# part of radiod -> the parts it may import; imports inside a part are free, and so is the bare package.
ALLOWED = {
    "errors": frozenset(),
    "wire": frozenset({"errors"}),
    "core": frozenset({"errors", "wire"}),
    **dict.fromkeys(EDGES, frozenset({"errors", "wire", "core"})),
    # What carries messages between nodes knows nothing of what they say.
    # Of the core the ports, and in two modules only: see the test of that.
    "engine": frozenset({"errors", "core"}),
    # What is written of all of these.
    "state": frozenset({"errors", "wire", "core", "auth", "webhooks"}),
    "admin": frozenset({"errors", "wire", "core", "stacks"}),
    # Of the core only its URI rules, and what a plan says: see the test of that.
    "config": frozenset({"errors", "wire", "core", "secret", "files"}),
    "secret": frozenset({"errors", "files"}),
    "files": frozenset(),
    "endpoints": frozenset({"errors", "wire"}),
    "process": frozenset(),
    "unixports": frozenset({"process"}),
    "service": frozenset(
        {
            "errors",
            "wire",
            "core",
            "config",
            "secret",
            "process",
            "unixports",
            "endpoints",
            "access",
            "systemd",
            "state",
            "logs",
            "engine",
            *EDGES,
        }
    ),
    "access": frozenset({"errors", "wire", "core", "auth", "secret"}),
    "systemd": frozenset({"errors", "core"}),
    "checking": frozenset({"config", "endpoints", "service"}),
    # Speaks to the server by the wire alone; of the core only its URI rules. Reads files as servers do.
    "ctl": frozenset({"errors", "wire", "core", "config", "secret", "files", "store", "checking"}),
    "signals": frozenset({"stacks"}),
    "stacks": frozenset(),
    "logs": frozenset(),
    "tap": frozenset({"errors", "config", "secret", "service", "process", "signals", "logs"}),
    "command": frozenset({"config", "checking", "tap"}),
    "testing": frozenset({"errors", "wire", "core"}),
    "__init__": frozenset(),
}

# The pure layers may use all of the standard library but what reaches outside the process.
IMPURE = frozenset(
    {
        "_thread", "asyncio", "concurrent", "ctypes", "http", "logging", "multiprocessing", "os", "pathlib",
        "queue", "random", "sched", "select", "selectors", "shutil", "signal", "socket", "socketserver",
        "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib",
    }
)  # fmt: skip
THIRD_PARTY = {"errors": frozenset(), "wire": {"msgspec", "cbor2"}, "core": {"msgspec"}}

UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}


class Source:
    """One module of radiod: its name in dots, its part (``core`` of ``radiod.core.uris``), its tree."""

    def __init__(self, path):
        parts = path.relative_to(ROOT).with_suffix("").parts
        self.path = path
        self.package = list(parts[:-1])
        self.part = parts[1]
        self.tree = ast.parse(path.read_text(), str(path))

    def __str__(self):
        return str(self.path.relative_to(ROOT))

    def imports(self, nodes=None):
        """(line, dotted name) of everything imported, wherever the statement stands."""
        for node in ast.walk(self.tree) if nodes is None else nodes:
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)

    def _absolute(self, node):
        if not node.level:
            return node.module
        stem = self.package[: len(self.package) - node.level + 1]
        return ".".join([*stem, *([node.module] if node.module else [])])

    def module_level_imports(self):
        """Imports that happen when the module is imported: all but those inside functions."""
        return self.imports(list(_outside_functions(self.tree)))

    def names_called(self):
        """(line, last part of the name) of every call."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                if isinstance(node.func, ast.Name):
                    yield node.lineno, node.func.id
                elif isinstance(node.func, ast.Attribute):
                    yield node.lineno, node.func.attr


def _outside_functions(node):
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _outside_functions(child)


def part_of(dotted):
    """The part of radiod that a dotted name lies in; None for other packages and for the package itself."""
    package, *rest = dotted.split(".")
    is_a_part = package == "radiod" and rest and (ROOT / "radiod" / rest[0]).with_suffix(".py").exists()
    is_a_layer = package == "radiod" and rest and (ROOT / "radiod" / rest[0]).is_dir()
    return rest[0] if is_a_part or is_a_layer else None


SOURCES = [Source(path) for path in sorted((ROOT / "radiod").rglob("*.py"))]
PURE = [source for source in SOURCES if source.part in ("errors", "wire", "core")]


def in_each_part(sources):
    """The test of a module, once for each part: 3,000 tests more cost more than what they do."""

    def decorate(test):
        @pytest.mark.parametrize("part", sorted({source.part for source in sources}))
        def test_all(part):
            for source in sources:
                if source.part == part:
                    test(source)

        test_all.__name__ = test.__name__
        return test_all

    return decorate


every_source = in_each_part(SOURCES)


def assert_none(source, found, rule):
    listed = "\n".join(f"{source}:{line}: {what}" for line, what in found)
    assert not listed, f"{rule}\n{listed}"


@every_source
def test_parts_import_only_what_lies_before_them(source):
    allowed = ALLOWED[source.part] | {source.part, None}
    wrong = [(line, name) for line, name in source.imports() if part_of(name) not in allowed]
    assert_none(source, wrong, f"{source.part} may import only {sorted(ALLOWED[source.part])} of radiod")


def test_the_engine_knows_of_the_core_only_the_ports():
    for source in (source for source in SOURCES if source.part == "engine"):
        names = [(line, name) for line, name in source.imports() if part_of(name) == "core"]
        if source.path.name in ("bus.py", "records.py"):
            names = [each for each in names if not each[1].startswith("radiod.core.cluster.ports.")]
        else:
            names = [each for each in names if not each[1].startswith("radiod.core.timers.")]
        assert_none(source, names, "a client for NATS, and two modules that make ports of it")


def test_the_configuration_knows_nothing_of_the_core_but_what_values_it_takes():
    sources = [source for source in SOURCES if source.part == "config"]
    assert sources
    for source in sources:
        wrong = [
            (line, name)
            for line, name in source.imports()
            if part_of(name) == "core"
            and not name.startswith(
                ("radiod.core.uris.", "radiod.core.plans.", "radiod.core.delivery.buffers.")
            )
        ]
        assert_none(source, wrong, "the configuration is parsed before anything is built")


class TestTheFloorsOfTheCore:
    def test_every_package_stands_on_one(self):
        standing = [package for floor in FLOORS for package in floor]
        found = {".".join(source.package[1:]) for source in SOURCES if source.part == "core"}
        assert sorted(standing) == sorted(found)

    def test_packages_import_only_those_below_them(self):
        imports = all_imports(read_modules(ROOT, ["radiod"]))
        known = KNOWN.get("imports upwards", {})
        wrong = {arrow: n for arrow, n in count_upwards(imports).items() if n > known.get(arrow, 0)}
        assert not wrong, f"{wrong}, of these:\n{upwards_in_words(imports)}"


@in_each_part(PURE)
def test_the_pure_layers_import_nothing_that_reaches_outside(source):
    packages = THIRD_PARTY[source.part] | (sys.stdlib_module_names - IMPURE) | {"radiod"}
    wrong = [(line, name) for line, name in source.imports() if name.split(".")[0] not in packages]
    assert_none(source, wrong, "the pure layers know no reactor, socket, clock or file")


@in_each_part(PURE)
def test_the_pure_layers_open_no_files(source):
    wrong = [call for call in source.names_called() if call[1] in ("open", "print", "input")]
    assert_none(source, wrong, "the pure layers do no input or output")


@every_source
def test_autobahn_is_imported_at_the_edge_only(source):
    if source.part not in ("transport", "auth"):
        wrong = [(line, name) for line, name in source.imports() if name.split(".")[0] == "autobahn"]
        assert_none(source, wrong, "only transport and auth know Autobahn")


@every_source
def test_nobody_imports_the_global_reactor_with_the_module(source):
    if source.part not in ("tap", "service"):
        wrong = [i for i in source.module_level_imports() if i[1].startswith("twisted.internet.reactor")]
        assert_none(source, wrong, "the reactor is an argument")


@every_source
def test_nothing_unpickles_or_evaluates(source):
    wrong = [(line, name) for line, name in source.imports() if UNSAFE_MODULES & set(name.split("."))]
    wrong += [
        (node.lineno, node.func.id)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in UNSAFE_CALLS
    ]
    assert_none(source, wrong, "design D10: no pickle, marshal or eval anywhere")


@every_source
def test_one_adapter_owns_the_only_call_later(source):
    if str(source) != "radiod/transport/clock.py":
        wrong = [
            (node.lineno, "callLater")
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Attribute) and node.attr == "callLater"
        ]
        assert_none(source, wrong, "deadlines go through core.timers; transport.clock drives them")


class TestTheCheckerItself:
    """A rule that finds nothing proves nothing: each is shown something to find."""

    @pytest.fixture
    def source(self, tmp_path):
        def make(text):
            found = Source(ROOT / "radiod" / "core" / "uris.py")
            found.tree = ast.parse(text)
            return found

        return make

    def test_sees_imports_for_type_checking_and_inside_functions(self, source):
        text = "if TYPE_CHECKING:\n    import radiod.web\ndef f():\n    from radiod.transport import clock"
        assert [part_of(name) for _, name in source(text).imports()] == ["web", "transport"]

    def test_resolves_relative_imports(self, source):
        text = "from . import broker\nfrom ..wire.codecs import JSON"
        names = [name for _, name in source(text).imports()]
        assert names == ["radiod.core.broker", "radiod.wire.codecs.JSON"]

    def test_tells_a_part_from_a_name_of_the_bare_package(self):
        assert part_of("radiod.__version__") is None
        assert part_of("radiod.errors.Refused") == "errors"
        assert part_of("twisted.web") is None

    def test_tells_module_level_from_function_level(self, source):
        text = "from twisted.internet import reactor\ndef f():\n    from twisted.internet import task"
        assert [name for _, name in source(text).module_level_imports()] == ["twisted.internet.reactor"]

    def test_every_part_of_radiod_has_a_rule(self):
        assert {source.part for source in SOURCES} <= set(ALLOWED)
