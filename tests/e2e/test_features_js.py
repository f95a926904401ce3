"""The advanced profile, driven by Autobahn|JS and wampy.js on Node, unmodified, with every serializer.

``EXPECTED`` says which of them drives which feature. The third client is Autobahn|Python, in
``test_features_autobahn_python``; it also is the callee here where one has to be interrupted, which no client
in JavaScript can be, and calls theirs.

- Autobahn|JS cannot: pass payloads through; show trust levels; send chunks of a call; be interrupted; cancel
  other than with ``kill``: with the others it forgets its call and then takes the error that ends it for a
  violation of the protocol.
- wampy.js cannot: publish without acknowledgement, to itself, or what is retained (it has options for the
  last two and does not send them); register with a concurrency, or in another's place; tell why it was
  closed; be told of revocations; announce what it can do besides its defaults.
- No client can: announce call rerouting, or that it ends its calls at their deadline itself.
"""

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.features import SEEN, config, log_is_clean
from support.running import program, wait_until

HERE = Path(__file__).parent / "js"
PYTHON_CLIENT = Path(__file__).parent / "clients" / "autobahn_features.py"
SECONDS = 40

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(not (HERE / "node_modules" / "wampy").is_dir(), reason="npm packages are missing"),
]

BOTH = {
    "plain subscription": ["event"],
    "refused disclosure": ["wamp.error.option_disallowed.disclose_me"] * 2,
    "progress of a callee that cannot be interrupted": [
        "asked",
        [1, 2, 3],
        "not asked",
        [[1, 2, 3], "asked"],
        [[1], "asked"],
    ],
    "canceling without the callee": ["wamp.error.canceled", "still here"],
}
CANNOT = {
    "autobahn": {"payload passthru mode"},
    "wampy": {"publisher exclusion", "taking over a registration", "concurrency"},
}
OWN = {
    "autobahn": {
        # How the call ended, and how often its callee was interrupted; the callee's answer is its own.
        "call canceling": {"kill": ["test.interrupted", 1]},
        "being told of revocations": ["test.reason", "test.reason", None],
    },
    "wampy": {
        "acknowledgement": True,
        "call canceling": {
            "skip": ["wamp.error.canceled", 0],
            "kill": ["test.interrupted", 1],
            "killnowait": ["wamp.error.canceled", 1],
        },
        "killing sessions": {**SEEN["killing sessions"], "reason": [None, None], "reasons": [None] * 3},
        "trust levels": [7, None, 7, None],
        # Serialized by the client or not, it is the same at the other end.
        "payload passthru mode": [[[1, "two"], {"key": [3]}, 5], True],
        # With wampy.js made to announce it: the chunks and which are not the last, progress, result.
        "progressive call invocations": [[[1, True], [2, True], [3, False]], [1, 3], 6, None],
        # As it comes wampy.js does not announce it, which WAMP wants to be the end of anybody's session.
        "progressive call as documented": [15],
    },
}
EXPECTED = {
    client: {
        name: value for name, value in {**SEEN, **BOTH, **OWN[client]}.items() if name not in CANNOT[client]
    }
    for client in OWN
}
"""Client -> feature -> what it sees."""

ALONE = {
    "being told of revocations",
    "trust levels",
    "progressive call invocations",
    "progressive call as documented",
}
"""Features that one stock client has and no other."""

RUNS = [(client, serializer) for client in EXPECTED for serializer in ("json", "msgpack", "cbor")]
CASES = [(client, serializer, feature) for client, serializer in RUNS for feature in EXPECTED[client]]


@pytest.fixture(scope="module")
def server(shared_world):
    realms = ["_".join(run) for run in RUNS]
    return shared_world.serve(config(realms), base="")


@contextlib.contextmanager
def python_callee(server, realm):
    """The callee that sends progress and can be interrupted."""
    log = server.log.parent / f"{realm}.log"
    command = [sys.executable, str(PYTHON_CLIENT), "asyncio", "websocket", "json", str(server.port), realm]
    with program([*command, "serve"], log) as process:
        wait_until(lambda: "ready" in log.read_text(), process, log)
        yield


@pytest.fixture(scope="module")
def seen(server):
    """Run -> feature -> what the client saw; each run happens once."""
    runs = {}

    def see(run):
        if run not in runs:
            realm = "_".join(run)
            # Autobahn|JS wants the platform's WebSocket, which Node 20 has behind a flag.
            node = ["node", "--experimental-websocket", "--no-warnings", "features.mjs"]
            command = [*node, *run, str(server.port), realm]
            with python_callee(server, realm):
                done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=SECONDS)
            assert done.stdout, done.stderr
            runs[run] = json.loads(done.stdout.splitlines()[-1])
        return runs[run]

    return see


@pytest.mark.parametrize(("client", "serializer", "feature"), CASES)
def test_a_stock_client_can_use_the_feature(server, seen, client, serializer, feature):
    assert seen((client, serializer))[feature] == EXPECTED[client][feature]
    assert log_is_clean(server.log.read_text())


@pytest.mark.parametrize("client", EXPECTED)
def test_everything_the_client_does_is_looked_at(seen, client):
    assert sorted(seen((client, "json"))) == sorted(EXPECTED[client])


def test_two_stock_clients_drive_every_feature_that_two_have():
    drivers = [set(SEEN), *map(set, EXPECTED.values())]
    driven = {feature: sum(feature in driver for driver in drivers) for feature in set.union(*drivers)}
    assert {feature for feature, count in driven.items() if count < 2} == ALONE
