"""The advanced profile, driven by Autobahn|Python, unmodified: all of ``support.features.SEEN``.

Autobahn|JS and wampy.js drive the same in ``test_features_js``; its ``EXPECTED`` says which of them what.
What Autobahn|Python cannot do: ask for disclosure (the router's configuration discloses instead), choose the
mode of a cancel, see trust levels, send chunks of a call, be told of revocations, announce call rerouting.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.features import SEEN, config, log_is_clean
from support.running import environment

pytestmark = pytest.mark.e2e

CLIENT = Path(__file__).parent / "clients" / "autobahn_features.py"
SECONDS = 40
RUNS = [
    ("asyncio", "websocket", "json"),
    ("asyncio", "websocket", "msgpack"),
    ("asyncio", "websocket", "cbor"),
    ("asyncio", "rawsocket", "json"),
    ("twisted", "websocket", "json"),
    ("twisted", "rawsocket", "cbor"),
]


@pytest.fixture(scope="module")
def server(shared_world):
    realms = ["_".join(run) for run in RUNS]
    return shared_world.serve(config(realms), base="")


@pytest.fixture(scope="module")
def seen(server):
    """Run -> feature -> what the client saw; each run happens once."""
    runs = {}

    def see(run):
        if run not in runs:
            command = [sys.executable, str(CLIENT), *run, str(server.port), "_".join(run)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=environment())
            assert done.stdout, done.stderr
            runs[run] = json.loads(done.stdout.splitlines()[-1])
        return runs[run]

    return see


@pytest.mark.parametrize("feature", SEEN)
@pytest.mark.parametrize("run", RUNS, ids="-".join)
def test_a_stock_client_can_use_the_feature(server, seen, run, feature):
    assert seen(run)[feature] == SEEN[feature]
    assert log_is_clean(server.log.read_text())


def test_everything_the_client_does_is_looked_at(seen):
    assert sorted(seen(RUNS[0])) == sorted(SEEN)
