"""The fixture ``world``; and how tests share the processors, profiles, signals, tests without a reactor."""

import functools
import gc
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import _pytest.unittest
import pytest
from _pytest.assertion import rewrite
from hypothesis import HealthCheck, is_hypothesis_test, settings
from xdist.scheduler import LoadScopeScheduling

PURE = tuple(Path(__file__).parent / layer for layer in ("wire", "core"))

SHARING = (
    "tests/e2e/",
    "tests/engine/",
    "tests/stream_service/",
    "tests/simulator/",
    "tests/store/",
    "tests/release/",
)
"""Folders whose modules start a server, or make another thing that is dear, once for all their tests."""

THREE_NODES = "[three-nodes-"
"""In the names of tests, of whatever folder, that share three real nodes."""

# No deadlines: the machines are shared. On CI the same examples every time.
settings.register_profile(
    "radiod",
    deadline=None,
    max_examples=50,
    stateful_step_count=40,
    derandomize=bool(os.environ.get("CI")),
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("quick", settings.get_profile("radiod"), max_examples=10, stateful_step_count=20)
settings.register_profile("soak", settings.get_profile("radiod"), max_examples=500, derandomize=False)
# Examples and steps that a test gets at most, whatever it asks for. Only a soak gives what was asked for.
MOST = {"quick": (10, 20), "radiod": (50, 40), "soak": (sys.maxsize, sys.maxsize)}
SHARED, LEAST = 100, 5
"""Examples of a property with a table of values: for all of them, and at least for each. Not in a soak."""
settings.load_profile("radiod")
SEVERAL = ("tests/core/cluster/", "tests/access/shared/")
"""Worlds of several nodes: a step of theirs costs what hundreds of others do. But in a soak they get few."""

# What is ignored here, under nohup or in a shell's background, would be in every server that a test starts.
for number, handler in {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}.items():
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

# Octave keeps its history in ~/.local/share, and says so on its way out where there is no such folder yet.
os.environ["OCTAVE_HISTFILE"] = os.devnull

# Before each test pytest reads and parses what is installed of Twisted, to learn its version: a millisecond
# each, a fifth of the time of the pure layers' tests.
if hasattr(_pytest.unittest, "_get_twisted_version"):
    _pytest.unittest._get_twisted_version = functools.cache(_pytest.unittest._get_twisted_version)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Call tests of the pure layers as pytest itself would, past pytest-twisted.

    pytest-twisted sends every example through the reactor, and wraps a ``@given`` function once more for
    each of its parameters, which fails from the second parameter on.
    """
    if not is_pure(pyfuncitem.path):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    return True


def pytest_collection(session):
    """Each worker rewrites the assertions of its share: in a fresh checkout all would do it for all."""
    config = session.config
    if not hasattr(config, "workerinput") or sys.dont_write_bytecode:
        return
    # The worker's own name is the only one that it has: gw0, gw1 ...
    number, count = int(config.workerinput["workerid"][2:]), config.workerinput["workercount"]
    for file in files_below(config.args, config.getoption("ignore") or ())[number::count]:
        keep_rewritten(file, config)


def files_below(arguments, ignored):
    named = [Path(argument.partition("::")[0]) for argument in arguments]
    found = {file for one in named for file in ([one] if one.is_file() else one.rglob("test_*.py"))}
    apart = [Path(one).resolve() for one in ignored]
    return sorted(file for file in found if not any(file.resolve().is_relative_to(one) for one in apart))


def keep_rewritten(file, config):
    """What pytest itself does when it imports a module of tests, up to the import."""
    state = config.stash[rewrite.assertstate_key]
    folder = rewrite.get_cache_dir(file)
    kept = folder / f"{file.stem}{rewrite.PYC_TAIL}"
    if rewrite.try_makedirs(folder) and rewrite._read_pyc(file, kept) is None:
        status, code = rewrite._rewrite_test(file, config)
        rewrite._write_pyc(state, code, status, kept)


def pytest_collection_modifyitems(config, items):
    """Cut what properties and state machines ask for down to the profile's most; mark what does not hold."""
    if config.getoption("--nodes") != 1:
        except_over_nodes(items)
    profile = config.getoption("--hypothesis-profile") or "radiod"
    times = Counter(name_of(item) for item in items)
    for item in items:
        if not is_hypothesis_test(getattr(item, "function", None)):
            continue
        is_dear = profile != "soak" and item.nodeid.startswith(SEVERAL)
        examples, steps = MOST["quick" if is_dear else profile]
        share = sys.maxsize if profile == "soak" else max(LEAST, SHARED // times[name_of(item)])
        most = min(examples, share), steps
        if hasattr(item.cls, "settings"):
            item.cls.settings = cut(item.cls.settings, *most)
        else:
            own = item.function._hypothesis_internal_use_settings
            item.function._hypothesis_internal_use_settings = cut(own, *most)


def name_of(item):
    return item.nodeid.partition("[")[0]


def except_over_nodes(items):
    from support.cluster.excepted import find

    for item in items:
        excepted = find(item.nodeid)
        if excepted is not None and excepted.is_run:
            item.add_marker(pytest.mark.xfail(reason=excepted.reason, strict=not excepted.is_chance))
        elif excepted is not None:
            item.add_marker(pytest.mark.skip(reason=excepted.reason))


def pytest_collection_finish():
    # The tests themselves are for ever: what looks for garbage need not walk through them each time.
    gc.collect()
    gc.freeze()


def is_pure(path):
    return any(path.is_relative_to(layer) for layer in PURE)


def cut(asked, examples, steps):
    return settings(
        asked,
        max_examples=min(asked.max_examples, examples),
        stateful_step_count=min(asked.stateful_step_count, steps),
    )


def pytest_addoption(parser):
    parser.addoption(
        "--nodes",
        type=int,
        default=1,
        help="so many real nodes in the place of each radiod, each connection to the next of them",
    )
    parser.addoption("--every-wire", action="store_true", help="tests of features over all six wires")


@pytest.fixture(scope="session")
def three_nodes(request, tmp_path_factory):
    """Real nodes beside real NATS servers: three, or as many as ``--nodes`` says."""
    from support.cluster.fleet import Fleet

    number = request.config.getoption("--nodes")
    # Without it there are few tests, and each realm costs a start some time.
    chosen = (3, 12) if number == 1 else (number,)
    with Fleet(tmp_path_factory.mktemp("fleet"), *chosen) as fleet:
        yield fleet


@pytest.fixture(scope="session")
def fleet(request):
    """With ``--nodes``: what stands for each radiod; else None."""
    return None if request.config.getoption("--nodes") == 1 else request.getfixturevalue("three_nodes")


@pytest.fixture
def world(request, tmp_path_factory, fleet):
    """Where a test plays, and its clients: all of it ends with the test.

    In the pure ring a realm on fakes (``support.realms``), else radiods in memory and real ones.
    """
    # Only here: what a plugin measures or installs must be there before radiod is imported.
    if is_pure(request.path):
        from support.realms import World

        yield World()
    else:
        from support.world import World

        with World(tmp_path_factory, fleet) as world:
            yield world


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory, fleet):
    """Radiods in memory and real ones for all tests of a module; they end with its last."""
    from support.world import World

    with World(tmp_path_factory, fleet) as world:
        yield world


class Scheduling(LoadScopeScheduling):
    """Whatever shares something dear goes to one worker, file by file; all else function by function."""

    def _split_scope(self, nodeid):
        path, _, _ = nodeid.partition("::")
        if THREE_NODES in nodeid:
            return THREE_NODES
        return path if path.startswith(SHARING) else nodeid.partition("[")[0]

    def mark_test_complete(self, node, item_index, duration=0):
        super().mark_test_complete(node, item_index, duration)
        # It would count what is done already again after each test.
        scope = self._split_scope(self.registered_collections[node][item_index])
        if all(self.assigned_work[node][scope].values()):
            del self.assigned_work[node][scope]


def pytest_xdist_make_scheduler(config, log):
    # In the order of the files: the longest would not be first, but those with the most tests.
    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_xdist_auto_num_workers():
    """Two for each processor: half of the end-to-end tests' time is waiting."""
    return 2 * len(os.sched_getaffinity(0))
