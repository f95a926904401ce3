"""Crossbar's dialect of /publish: its options, over HTTP as over WAMP."""

import pytest
from support import http
from support.http import Answer

KEY = """
[realms.radio.keys.all]
key = "key-of-all"
publish = ["*"]
"""


@pytest.fixture
def world(world):
    return world.start(KEY)


def publish(world, method="POST", **options):
    body = {"topic": "weather.harbour", "args": [1], "options": options}
    asked = http.post("/publish", body, "API-KEY: key-of-all").replace(b"POST", method.encode(), 1)
    return Answer(world.ask(asked).received())


def listening(world, authid, role):
    """A session of a user. Returns: its connection, and its id."""
    wire = world.connect(type(world.join()))
    wire.ask([1, "radio", {"roles": {"subscriber": {}}, "authmethods": ["ticket"], "authid": authid}])
    welcome = wire.ask([5, f"{authid}-ticket", {}])
    assert welcome[2]["authrole"] == role
    wire.ask([32, None, {}, "weather.harbour"])
    return wire, welcome[1]


@pytest.mark.parametrize(
    ("options", "hears"),
    [
        ({}, (True, True)),
        ({"exclude_me": False}, (True, True)),
        ({"exclude": ["joe's id"]}, (False, True)),
        ({"exclude_authid": ["joe"]}, (False, True)),
        ({"exclude_authrole": ["open"]}, (False, True)),
        ({"eligible": ["joe's id"]}, (True, False)),
        ({"eligible_authid": ["joe"]}, (True, False)),
        ({"eligible_authrole": ["open"]}, (True, False)),
        ({"eligible_authrole": ["open"], "exclude_authid": ["joe"]}, (False, False)),
        # Who somebody else is, is nobody's to say.
        ({"forward_for": [{"session": 1, "authid": "boss", "authrole": "admin"}]}, (True, True)),
        ({"unknown": 3}, (True, True)),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_who_hears_it(world, options, hears, method):
    joe, id = listening(world, "joe", "open")
    other, _ = listening(world, "listener", "listener")
    options = {name: [id] if value == ["joe's id"] else value for name, value in options.items()}
    answer = publish(world, method, **options)
    assert (answer.status, list(answer.json)) == (200, ["id"])
    heard = [joe.heard(), other.heard()]
    assert tuple(map(bool, heard)) == hears
    assert all(event[3] == {} for events in heard for event in events)


@pytest.mark.parametrize("is_retained", [True, False])
def test_a_retained_event_waits_for_those_who_ask_for_it(world, is_retained):
    assert publish(world, retain=is_retained).status == 200
    late = world.join()
    late.say([32, None, {"get_retained": True}, "weather.harbour"])
    assert len(late.heard()) == 1 + is_retained


@pytest.mark.parametrize(
    "options",
    [
        {"retain": 1},
        {"exclude": 3},
        {"exclude": ["x"]},
        {"exclude_authid": [3]},
        {"exclude_authrole": "x"},
        {"eligible": [0]},
        {"eligible_authid": "x"},
        {"eligible_authrole": [None]},
        {"exclude_me": "yes"},
    ],
)
def test_wrong_types_are_told(world, options):
    answer = publish(world, **options)
    assert answer.status == 400
    (name,) = options
    assert name in answer.json["error"]
    assert (answer.json["args"], answer.json["kwargs"]) == ([], {})
