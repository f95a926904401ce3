"""What each message's types let through, and what they refuse, before anybody else looks at it."""

import msgspec
import pytest

from radiod.wire.codecs import JSON
from radiod.wire.messages import Abort, ClientMessage, Publish, RouterMessage, name_of, shows_secret

ROLES = {"roles": {"subscriber": {}}}

VALID = {
    "HELLO": [1, "radio", ROLES],
    "ABORT": [3, {}, "a.reason"],
    "AUTHENTICATE": [5, "signature", {}],
    "GOODBYE": [6, {}, "a.reason"],
    "ERROR": [8, 68, 1, {}, "an.error"],
    "PUBLISH": [16, 1, {}, "a.topic"],
    "SUBSCRIBE": [32, 1, {}, "a.topic"],
    "UNSUBSCRIBE": [34, 1, 2],
    "CALL": [48, 1, {}, "a.procedure"],
    "CANCEL": [49, 1, {}],
    "REGISTER": [64, 1, {}, "a.procedure"],
    "UNREGISTER": [66, 1, 2],
    "YIELD": [70, 1, {}],
}

WITH_PAYLOAD = {"ABORT", "ERROR", "PUBLISH", "CALL", "YIELD"}

# Where each message has an id of the session scope, and where a URI or name.
ID_AT = {
    "ERROR": [2],
    "PUBLISH": [1],
    "SUBSCRIBE": [1],
    "UNSUBSCRIBE": [1, 2],
    "CALL": [1],
    "CANCEL": [1],
    "REGISTER": [1],
    "UNREGISTER": [1, 2],
    "YIELD": [1],
}
TEXT_AT = {
    "HELLO": [1],
    "ABORT": [2],
    "AUTHENTICATE": [1],
    "GOODBYE": [2],
    "ERROR": [4],
    "PUBLISH": [3],
    "SUBSCRIBE": [3],
    "CALL": [3],
    "REGISTER": [3],
}
DICT_AT = {
    "HELLO": 2,
    "ABORT": 1,
    "AUTHENTICATE": 2,
    "GOODBYE": 1,
    "ERROR": 3,
    "PUBLISH": 2,
    "SUBSCRIBE": 2,
    "CALL": 2,
    "CANCEL": 2,
    "REGISTER": 2,
    "YIELD": 2,
}

ID_PLACES = [(name, at) for name, places in ID_AT.items() for at in places]
TEXT_PLACES = [(name, at) for name, places in TEXT_AT.items() for at in places]


def parse(message):
    return msgspec.json.decode(msgspec.json.encode(message), type=ClientMessage)


def with_element(name, at, value):
    return [*VALID[name][:at], value, *VALID[name][at + 1 :]]


def assert_refused(message):
    with pytest.raises(msgspec.ValidationError):
        parse(message)


@pytest.mark.parametrize("name", VALID)
def test_the_shortest_form_of_each_message_is_accepted(name):
    assert parse(VALID[name]).__struct_config__.tag == VALID[name][0]


@pytest.mark.parametrize("name", VALID)
def test_each_message_is_called_what_wamp_calls_it(name):
    assert name_of(parse(VALID[name])) == name


def test_an_abort_with_arguments_is_one():
    assert isinstance(parse([3, {}, "a.reason", ["why"], {"code": 7}]), Abort)


@pytest.mark.parametrize("name", VALID)
def test_a_message_that_lacks_its_last_element_is_refused(name):
    assert_refused(VALID[name][:-1])


@pytest.mark.parametrize("name", VALID)
def test_an_element_too_many_is_refused(name):
    message = VALID[name] + ([[], {}] if name in WITH_PAYLOAD else [])
    assert parse(message) is not None
    assert_refused([*message, {}])


@pytest.mark.parametrize(("name", "at"), ID_PLACES)
@pytest.mark.parametrize("id", [1, 2**53])
def test_ids_reach_from_1_to_two_to_the_53rd(name, at, id):
    # The tag is no field, so fields count from 0 where elements count from 1.
    assert msgspec.structs.astuple(parse(with_element(name, at, id)))[at - 1] == id


@pytest.mark.parametrize(("name", "at"), ID_PLACES)
@pytest.mark.parametrize("id", [0, -1, 2**53 + 1, 2**64, 1.5, True, "1", None, [], {}])
def test_whatever_is_no_id_is_refused(name, at, id):
    assert_refused(with_element(name, at, id))


@pytest.mark.parametrize(("name", "at"), TEXT_PLACES)
@pytest.mark.parametrize("text", [1, None, [], {}, True, "x" * 65_537])
def test_whatever_is_no_text_of_sensible_length_is_refused(name, at, text):
    assert_refused(with_element(name, at, text))


@pytest.mark.parametrize(("name", "at"), [place for place in TEXT_PLACES if place[0] != "AUTHENTICATE"])
def test_uris_and_names_are_at_most_1024_characters(name, at):
    assert parse(with_element(name, at, "é" * 1024)) is not None
    assert_refused(with_element(name, at, "é" * 1025))


@pytest.mark.parametrize("name", DICT_AT)
@pytest.mark.parametrize("value", [1, None, [], "{}", True])
def test_options_and_details_are_dictionaries(name, value):
    assert_refused(with_element(name, DICT_AT[name], value))


@pytest.mark.parametrize("name", sorted(set(DICT_AT) - {"HELLO"}))
def test_unknown_options_are_ignored(name):
    assert parse(with_element(name, DICT_AT[name], {"x_unknown": [1], "_private": None})) is not None


@pytest.mark.parametrize("code", [0, 2, 4, 7, 17, 33, 35, 36, 49, 50, 65, 67, 68, 69, 71, 255, -1, 2**70])
def test_codes_that_no_client_sends_are_refused(code):
    assert_refused([code, 1, {}, "a.b"])


@pytest.mark.parametrize("kind", [8, 32, 48, 64, 67, 69, 0, "68", None])
def test_an_error_answers_an_invocation_and_nothing_else(kind):
    assert_refused(with_element("ERROR", 1, kind))


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"roles": {}},
        {"roles": []},
        {"roles": None},
        {"roles": {"x" * 1025: {}}},
        {"roles": {"caller": {"features": []}}},
        {**ROLES, "authmethods": "ticket"},
        {**ROLES, "authmethods": ["a"] * 33},
        {**ROLES, "authmethods": [1]},
        {**ROLES, "authid": 7},
        {**ROLES, "authid": "x" * 1025},
        {**ROLES, "authextra": []},
        {**ROLES, "agent": 1},
    ],
)
def test_hello_details_of_the_wrong_kind_are_refused(details):
    assert_refused([1, "radio", details])


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("PUBLISH", "acknowledge", 1),
        ("PUBLISH", "exclude_me", "no"),
        ("PUBLISH", "retain", None),
        ("PUBLISH", "exclude", [0]),
        ("PUBLISH", "exclude", ["x"]),
        ("PUBLISH", "eligible", 5),
        ("PUBLISH", "eligible", list(range(1, 10_002))),
        ("PUBLISH", "exclude_authid", [1]),
        ("PUBLISH", "eligible_authrole", "role"),
        ("SUBSCRIBE", "match", "suffix"),
        ("SUBSCRIBE", "get_retained", 0),
        ("REGISTER", "match", None),
        ("REGISTER", "invoke", "all"),
        ("CALL", "timeout", -1),
        ("CALL", "timeout", 1.5),
        ("CALL", "timeout", True),
        ("CALL", "timeout", 2**53 + 1),
    ],
)
def test_options_of_the_wrong_kind_are_refused(name, option, value):
    assert_refused(with_element(name, DICT_AT[name], {option: value}))


def test_publish_options_have_the_defaults_of_the_specification():
    options = parse(VALID["PUBLISH"]).options
    assert (options.acknowledge, options.exclude_me, options.retain) == (False, True, False)
    assert not options.narrows()


def test_no_two_messages_of_one_direction_share_a_code():
    for union in (ClientMessage, RouterMessage):
        codes = [kind.__struct_config__.tag for kind in union.__args__]
        assert len(codes) == len(set(codes))


def test_an_absent_payload_is_empty():
    message = parse(VALID["PUBLISH"])
    assert isinstance(message, Publish)
    assert (bytes(message.args), bytes(message.kwargs)) == (b"", b"")


@pytest.mark.parametrize(
    ("message", "is_secret"),
    [
        ([5, "t", {}], True),
        ([16, 1, {"_radiod_key": "k"}, "a"], True),
        ([16, 1, {}, "a"], False),
        ([32, 1, {"_radiod_key": "k"}, "a"], True),
        ([32, 1, {}, "a"], False),
        ([48, 1, {}, "radiod.channel.join", ["a", "k"]], True),
        ([48, 1, {}, "radiod.channel.list"], False),
        ([64, 1, {}, "a"], False),
    ],
)
def test_some_messages_show_a_secret(message, is_secret):
    assert shows_secret(JSON.decode(JSON.dump(message))) is is_secret
