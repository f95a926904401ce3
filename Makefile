# radiod: `make run` shows it, `make test` tests it. Needs python3.11+ with venv, and make.

PYTHON ?= python3
PORT ?= 8080
TOWN ?= grid:10x10
NODES ?= 1
VENV := .venv
BIN := $(VENV)/bin
JS := tests/e2e/js
# Processes that share the tests; auto is two for each processor.
WORKERS ?= auto
PYTEST = $(BIN)/python -m pytest -q -n $(WORKERS)
PYTEST_FLAGS ?=
# An environment of the oldest versions that setup.py allows, and what is tested there.
OLDEST := build/oldest
OLDEST_TESTS ?= tests
# Another Debian, with another Python and another systemd than this machine's. Only root can make and use it.
SUITE := trixie
DEBIAN := build/$(SUITE)
IN_DEBIAN := tests/debian.sh run $(DEBIAN)
SYSTEMD257_TESTS ?= tests/e2e/test_service.py tests/release/test_deb.py
# Not there: what runs a systemd, a journal or a Prometheus beside; `make systemd257` has the units and the package.
PYTHON313_TESTS ?= tests --ignore=tests/stream_service --ignore=tests/release \
	$(addprefix --ignore=tests/e2e/test_,service.py survival.py howto.py journal.py watching.py) \
	--deselect tests/e2e/test_metrics.py::test_promtool_finds_nothing_wrong \
	--deselect tests/e2e/test_debug.py::test_metrics_are_there_without_an_endpoint_for_them \
	--deselect tests/e2e/test_vanished.py::test_whoever_is_only_silent_stays \
	--deselect 'tests/test_chaos.py::test_a_short_scenario_is_ok[no_tmp]'
COMPILED := build/compiled
# How hard the C compiler optimises: 2 is what users get, 0 takes a third of its time.
COMPILE_LEVEL ?= 2
SOURCES := $(shell find radiod simulator twisted -name '*.py' -o -name '*.json' -o -path '*/pages/*')
BUILT := radiod simulator twisted packaging release setup.py compiling.py pyproject.toml MANIFEST.in README.md LICENSE
BESIDE := tests docs demo packaging clients benchmarks pyproject.toml README.md CHANGELOG.md Makefile radiod.tac
# The tools of a release, in an environment of their own: they and the server would argue about versions.
RELEASE := build/release
# Of the tests end to end those that go through what is compiled, in each way that there is; pages, units, tools, clients,
# starts that fail and clients that come back are no others for it. Features are tested there without sockets.
# Of several nodes nothing that waits for kills, and no long simulations: what goes between nodes goes through it without them.
COMPILED_TESTS ?= tests/core $(addprefix --deselect tests/core/cluster/test_,realm.py::test_a_server_that_is_alone_imports_nothing_of_it \
	follower.py::test_more_than_may_wait_is_read_from_the_stream rpc.py::TestCallers \
	calls.py::test_calls_right_behind_registered_succeed_from_everywhere claim_writes.py::test_more_than_can_be_on_their_way_are_refused \
	callees.py::TestInTrouble::test_a_node_that_comes_late_knows_all) tests/wire tests/transport tests/features \
	$(addprefix tests/e2e/test_cluster.py::Test,Events Histories Calls) \
	$(addprefix tests/e2e/test_,autobahn_js.py autobahn_python.py buffers.py channels.py compression.py durable.py event_source.py \
	fairness.py http_sockets.py slow_listeners.py state.py tls.py)
# All features, byte by byte and with clients that are not ours: what make features runs, over NODES nodes.
FEATURES_TESTS ?= tests/features $(addprefix tests/e2e/test_,features_autobahn_python.py features_js.py autobahn_python.py autobahn_js.py)
FUZZ_S ?= 90
FUZZ_SEED ?=
CHAOS_S ?= 300
CHAOS_SEED ?=
CHAOS_ONLY ?=
HOUSE ?=
# What make bench compares; see benchmarks/peers/README.md for installing the others.
PEERS ?= floor-send,floor-batch,radiod,radiod-msgpack,crossbar

# Servers that tests start, and pytest's rewritten assertions, would be compiled again each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run quick test features oldest python313 systemd257 lint house coverage fuzz fuzz-coverage chaos bench validate soak wheel compiled dist dist-check deb clean

help:
	@echo "make run       start radiod with a simulated town and print the live page's address (PORT=8080 TOWN=grid:10x10 NODES=1)"
	@echo "make quick     the tests that need no server, with fewer examples: some 20 seconds"
	@echo "make test      run all tests; those that need Node or Chromium are skipped where these are missing"
	@echo "make features NODES=3  all features, each peer at another of three real nodes; WORKERS=2 is enough for two processors"
	@echo "make oldest    all tests with the oldest versions that setup.py allows"
	@echo "make lint      ruff, mypy and make house"
	@echo "make house     circles, floors, sizes, complexity, and the rooms that a message passes, beside their limits"
	@echo "make coverage  branch coverage of radiod/wire and radiod/core from their own tests"
	@echo "make fuzz      hostile input against a real server for FUZZ_S=90 seconds; FUZZ_SEED= runs a finding again"
	@echo "make fuzz-coverage  coverage-guided fuzzing of the decoders for FUZZ_S seconds"
	@echo "make chaos     kill -9, torn logs, full disks, hostile crowds and the like for CHAOS_S=300 seconds; CHAOS_ONLY=kills,torn"
	@echo "make chaos CHAOS_ONLY=cluster  nodes and their NATS servers killed, paused, cut off, restarted and wiped; CHAOS_S=1800 for most of them several times"
	@echo "make bench     reproduce the tables of docs/performance.md: peers, and HTTP beside WAMP"
	@echo "make wheel     a compiled wheel in dist/; needs a C compiler and Python's headers"
	@echo "make compiled  tests of core, wire, transport, features and end to end on the compiled build, in .venv-compiled"
	@echo "make dist      wheel, sdist, SBOM and checksums in dist/, from the commit that is checked out"
	@echo "make deb       a Debian package in dist/, for this machine's Python; needs make dist before"
	@echo "make dist-check  all tests of what is released: built, linted, installed in every way, run under systemd"
	@echo "make validate  is the simulator right? Real towns load and run; towns beside those of other simulators"
	@echo "make soak      long runs: whole sweeps, leaks, stalled listeners, kill -9 under durable publishes"
	@echo "make soak HOURS=8  mixed load for eight hours: curves in benchmarks/results; fails when memory or the like grows"

run: $(VENV)/.run $(if $(filter-out 1,$(NODES)),$(VENV)/.nats)
	@$(BIN)/python demo/run.py --port $(PORT) --town '$(TOWN)' --nodes $(NODES) $(if $(UNITS),--units '$(UNITS)')

quick: $(VENV)/.dev
	$(PYTEST) --hypothesis-profile=quick -m 'not slow and not soak' $(PYTEST_FLAGS) tests/wire tests/core tests/auth tests/web

test: $(VENV)/.dev $(RELEASE)/.ready $(JS)/node_modules
	$(PYTEST) $(PYTEST_FLAGS)

# With NODES=3 each peer of a test is at another of three real nodes; for each of WORKERS three nodes and three NATS servers.
features: $(VENV)/.dev $(JS)/node_modules
	$(PYTEST) --nodes $(NODES) --every-wire $(PYTEST_FLAGS) $(FEATURES_TESTS)

oldest: $(OLDEST)/.dev $(JS)/node_modules
	$(OLDEST)/bin/python -m pytest -q -n $(WORKERS) --hypothesis-profile=quick $(PYTEST_FLAGS) $(OLDEST_TESTS)

python313: $(DEBIAN)/srv/venv/.dev
	$(IN_DEBIAN) /srv/venv/bin/python -m pytest -q -n $(WORKERS) --hypothesis-profile=quick $(PYTEST_FLAGS) $(PYTHON313_TESTS)

systemd257: $(VENV)/.dev $(RELEASE)/.ready $(DEBIAN)/srv/venv/.dev $(DEBIAN)/srv/release/.ready
	RADIOD_TEST_DEBIAN=$(DEBIAN) $(BIN)/python -m pytest -q -s -m 'soak or not soak' $(PYTEST_FLAGS) $(SYSTEMD257_TESTS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tests/house.py

# HOUSE=--circles, --upwards or --known: names what is counted.
house: $(VENV)/.dev
	@$(BIN)/python tests/house.py $(HOUSE)

# Examples that Hypothesis draws reach a branch today and not tomorrow, and take nearly three times as long when each line is noted.
coverage: $(VENV)/.dev
	$(PYTEST) --cov --cov-fail-under=100 -m 'not hypothesis and not soak' $(PYTEST_FLAGS) tests/wire tests/core
	$(PYTEST) -m 'hypothesis and not soak' $(PYTEST_FLAGS) tests/wire tests/core

fuzz: $(VENV)/.dev $(JS)/node_modules
	@FUZZ_S="$(FUZZ_S)" FUZZ_SEED="$(FUZZ_SEED)" PYTHONPATH=.:tests $(BIN)/python -m fuzz

fuzz-coverage: $(VENV)/.dev
	@$(BIN)/pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable '.[dev,fuzz]'
	@mkdir -p build/corpus
	@PYTHONPATH=.:tests $(BIN)/python -m fuzz.guided -max_total_time=$(FUZZ_S) -max_len=4096 build/corpus

chaos: $(VENV)/.dev
	@CHAOS_S="$(CHAOS_S)" CHAOS_SEED="$(CHAOS_SEED)" CHAOS_ONLY="$(CHAOS_ONLY)" PYTHONPATH=.:tests $(BIN)/python -m chaos

# Real towns and other simulators, from PyPI: downloaded into build/validate, 800 MB, which no other target uses.
validate: $(VENV)/.dev
	$(BIN)/python benchmarks/validate.py

bench: $(VENV)/.dev
	$(MAKE) -C benchmarks
	$(BIN)/python benchmarks/run_peers.py --peers $(PEERS)
	$(BIN)/python benchmarks/http.py

# make soak HOURS=8: the mixed load alone, for so long.
ifdef HOURS
soak: $(VENV)/.dev
	$(BIN)/python benchmarks/soak.py --hours $(HOURS)
else
soak: $(VENV)/.dev $(RELEASE)/.ready
	$(PYTEST) --hypothesis-profile=soak -m 'soak or hypothesis' $(PYTEST_FLAGS)
	$(MAKE) -C benchmarks
	$(BIN)/python benchmarks/stalled.py
	$(BIN)/python benchmarks/bounded.py --peers radiod
	$(BIN)/python benchmarks/leak.py
	$(BIN)/python benchmarks/recovery.py
	$(BIN)/python benchmarks/state.py
	$(BIN)/python benchmarks/durable.py
	$(BIN)/python benchmarks/scrapes.py
	$(BIN)/python benchmarks/soak.py
endif

dist: $(RELEASE)/.ready
	release/dist.sh

deb: $(RELEASE)/.ready
	release/deb.sh

dist-check: $(VENV)/.dev $(RELEASE)/.ready
	$(BIN)/python -m pytest -q -m 'soak or not soak' $(PYTEST_FLAGS) tests/release

$(RELEASE)/.ready: release/requirements.txt
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/pip install --quiet --disable-pip-version-check --requirement release/requirements.txt
	touch $@

wheel:
	@rm -rf build/lib* build/temp*
	RADIOD_COMPILE=1 RADIOD_COMPILE_LEVEL=$(COMPILE_LEVEL) $(PYTHON) -m pip wheel --quiet --disable-pip-version-check \
	    --no-deps --wheel-dir dist .

# A tree in which the tests find, in the place of the source, what was installed.
compiled: $(COMPILED)/.ready-$(COMPILE_LEVEL) $(JS)/node_modules
	@cd $(COMPILED) && rm -rf $(BESIDE) && cp -rl $(addprefix $(CURDIR)/,$(BESIDE)) .
	cd $(COMPILED) && $(CURDIR)/.venv-compiled/bin/python -c 'import radiod.core.build as b; assert b.BUILD == "compiled"'
	cd $(COMPILED) && RADIOD_NATS_SERVER=$(CURDIR)/$(BIN)/nats-server $(CURDIR)/.venv-compiled/bin/python -m pytest -q -n $(WORKERS) --hypothesis-profile=quick \
	    -m 'not soak and not interpreted' $(PYTEST_FLAGS) $(COMPILED_TESTS)

# The wheel, installed as users install it. It is built apart, so that it can be while tests run.
$(COMPILED)/.ready-$(COMPILE_LEVEL): setup.py pyproject.toml release/backend.py compiling.py $(SOURCES) .venv-compiled/bin/python
	@rm -rf $(COMPILED) build/source && mkdir -p $(COMPILED) build/source
	@cp -rl $(BUILT) build/source
	cd build/source && RADIOD_COMPILE=1 RADIOD_COMPILE_LEVEL=$(COMPILE_LEVEL) $(CURDIR)/.venv-compiled/bin/python -m pip wheel \
	    --quiet --disable-pip-version-check --no-deps --wheel-dir wheels .
	.venv-compiled/bin/pip install --quiet --disable-pip-version-check --force-reinstall --no-deps build/source/wheels/*.whl
	@ln -s "$$(cd build/source/wheels && $(CURDIR)/.venv-compiled/bin/python -c 'import radiod; print(*radiod.__path__)')" $(COMPILED)/radiod
	@touch $@

# Nothing but radiod is installed there: everything else it finds where .venv has it.
.venv-compiled/bin/python: | $(VENV)/.dev
	$(PYTHON) -m venv .venv-compiled
	@sed '1s|.*|#!$(CURDIR)/.venv-compiled/bin/python|' $(BIN)/twistd >.venv-compiled/bin/twistd && chmod +x .venv-compiled/bin/twistd
	@where='import sysconfig; print(sysconfig.get_path("purelib"))'; \
	    $(BIN)/python -c "$$where" >"$$(.venv-compiled/bin/python -c "$$where")/others.pth"

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: setup.py $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable '.[sim]'
	touch $@

$(VENV)/.nats: $(VENV)/.run
	$(BIN)/pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable '.[sim,nats]'
	touch $@

$(VENV)/.dev: setup.py $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable '.[dev]'
	touch $@

# The bounds of setup.py are the versions themselves here, so that what is said and what is tested are one.
$(OLDEST)/.dev: setup.py $(VENV)/.dev
	$(PYTHON) -m venv $(OLDEST)
	$(BIN)/python -c 'from importlib.metadata import requires; print(*(each.replace(">=", "==") for each in \
	    requires("radiod") if "extra" not in each), sep="\n")' >$(OLDEST)/constraints.txt
	$(OLDEST)/bin/pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat \
	    --constraint $(OLDEST)/constraints.txt --editable '.[dev]'
	touch $@

$(DEBIAN)/.ready: tests/debian.sh
	tests/debian.sh build $(SUITE) $(DEBIAN)
	touch $@

$(DEBIAN)/srv/venv/.dev: setup.py $(DEBIAN)/.ready
	$(IN_DEBIAN) python3 -m venv /srv/venv
	$(IN_DEBIAN) /srv/venv/bin/pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat \
	    --editable '.[dev]'
	touch $@

$(DEBIAN)/srv/release/.ready: release/requirements.txt $(DEBIAN)/.ready
	$(IN_DEBIAN) python3 -m venv /srv/release
	$(IN_DEBIAN) /srv/release/bin/pip install --quiet --disable-pip-version-check --requirement release/requirements.txt
	touch $@

# Stock WAMP clients for the end-to-end tests; without npm those tests are skipped.
$(JS)/node_modules: $(JS)/package.json
	@if command -v npm >/dev/null; then cd $(JS) && npm install --no-audit --no-fund --silent && touch node_modules; \
	else echo "npm is missing: the JavaScript clients' tests will be skipped"; fi

clean:
	rm -rf $(VENV) .venv-compiled $(JS)/node_modules build dist *.egg-info
