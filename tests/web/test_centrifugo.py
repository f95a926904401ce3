"""Centrifugo's server API byte for byte: statuses, shapes, codes and rights."""

import base64

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import http
from support.http import Answer

from radiod import __version__
from radiod.core.budgets.guesses import FREE

CONFIG = """
[realms.radio.keys.server]
key = "server-key"
publish = ["*"]
listen = ["*"]
call = ["wamp.session.kill_by_authid", "wamp.subscription.remove_subscriber"]

[realms.radio.keys.weather]
key = "weather-key"
publish = ["weather.*"]
listen = ["weather.*"]
call = ["*"]

[realms.radio.channels.kept]
history = { size = 3 }
presence = true

[realms.radio.channels."weather.secret"]
public = false
key = "channels-key"
history = { size = 3 }
presence = true

[realms.radio.channels.plain]
"""


@pytest.fixture
def world(world):
    return world.start(CONFIG)


def ask(world, method, body, *lines, key="server-key"):
    """One request with a key. Returns: the whole answer."""
    shown = [] if key is None else [f"X-API-Key: {key}"]
    return Answer(world.ask(http.post(f"/api/{method}", body, *shown, *lines)).received())


def reply(world, method, body, key="server-key"):
    answer = ask(world, method, body, key=key)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json


def code(world, method, body, key="server-key"):
    answer = reply(world, method, body, key)
    assert list(answer) == ["error"], answer
    assert list(answer["error"]) == ["code", "message"]
    return answer["error"]["code"]


def result(world, method, body, key="server-key"):
    answer = reply(world, method, body, key)
    assert list(answer) == ["result"], answer
    return answer["result"]


def listening(world, *topics, authid=None):
    """A session that listens. ``authid``: whose; a ticket is shown."""
    wire = world.connect(type(world.join()))
    if authid is None:
        wire.join()
    else:
        details = {"roles": {"subscriber": {}}, "authmethods": ["ticket"], "authid": authid}
        wire.ask([1, "radio", details])
        wire.session = wire.ask([5, f"{authid}-ticket", {}])[1]
    for topic in topics:
        wire.ask([32, None, {}, topic])
    return wire


class TestTheKey:
    @pytest.mark.parametrize(
        "line",
        ["X-API-Key: server-key", "Authorization: apikey server-key", "authorization: ApiKey server-key"],
    )
    def test_is_shown_in_a_header(self, world, line):
        assert ask(world, "publish", {"channel": "a", "data": 1}, line, key=None).json == {"result": {}}

    @pytest.mark.parametrize("lines", [[], ["X-API-Key: wrong"], ["API-KEY: server-key"], ["X-API-Key: "]])
    def test_that_is_missing_or_wrong_is_401_whatever_is_asked(self, world, lines):
        for method in ("history", "nothing", "batch"):
            answer = ask(world, method, b"nonsense", *lines, key=None)
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "apikey")
            assert answer.json == {"error": {"code": 101, "message": "unauthorized"}}

    def test_is_not_taken_from_the_query(self, world):
        answer = world.ask(http.post("/api/info?api_key=server-key", {})).received()
        assert answer.startswith(b"HTTP/1.1 401 ")

    def test_twice_is_refused(self, world):
        assert ask(world, "info", {}, "X-API-Key: server-key").status == 400

    def test_guesses_are_counted(self, world):
        for _ in range(FREE):
            ask(world, "info", {}, key="wrong")
        assert world.radio.statistics.refused["wrong_keys"] == FREE
        assert ask(world, "info", {}).status == 0


class TestThePathOfPublish:
    ARTICLE = {"network": "sample_net", "data": {}}

    def test_is_the_articles_where_its_header_is(self, world):
        wire = world.ask(http.post("/api/publish", self.ARTICLE, "API-KEY: sample-key"))
        assert Answer(wire.received()).json == {"message": "OK"}

    def test_is_the_articles_without_a_key_too(self, world):
        answer = Answer(world.ask(http.post("/api/publish", self.ARTICLE)).received())
        assert (answer.status, answer.json) == (400, {"error": "API-KEY missing in headers"})

    def test_is_centrifugos_where_its_header_is(self, world):
        assert code(world, "publish", self.ARTICLE) == 107


def test_only_post_is_answered(world):
    answer = Answer(world.ask(http.get("/api/info", "X-API-Key: server-key")).received())
    assert (answer.status, answer.headers["Allow"]) == (405, "POST, OPTIONS")


@pytest.mark.parametrize(
    ("path", "status"), [("", 404), ("publish/", 404), ("/publish", 404), ("a%2Fb", 404), ("%FF", 400)]
)
def test_a_path_that_is_no_method_leads_nowhere(world, path, status):
    assert ask(world, path, {"channel": "a", "data": 1}).status == status


TABLE = [
    # method, what is sent, code
    ("nothing", {}, 104),
    ("PUBLISH", {}, 104),
    *[(name, {}, 108) for name in ("subscribe", "refresh", "history_remove", "map_publish", "rpc")],
    ("publish", b"nonsense", 107),
    ("publish", b"[]", 107),
    ("publish", b"", 107),
    ("publish", b'{"channel":"a","data":"\xff"}', 107),
    ("publish", {"data": 1}, 107),
    ("publish", {"channel": "a"}, 107),
    ("publish", {"channel": 1, "data": 1}, 107),
    ("publish", {"channel": "a..b", "data": 1}, 107),
    ("publish", {"channel": "", "data": 1}, 107),
    ("publish", {"channel": "wamp.x", "data": 1}, 107),
    ("publish", b'{"channel":"a","data":NaN}', 107),
    ("publish", {"channel": "a", "b64data": "%"}, 107),
    ("publish", {"channel": "a", "data": 1, "idempotency_key": "k" * 256}, 107),
    ("publish", {"channel": "a", "data": 1, "skip_history": True}, 108),
    ("publish", {"channel": "a", "data": 1, "tags": {"a": "b"}}, 108),
    ("publish", {"channel": "a", "data": 1, "delta": True}, 108),
    ("publish", {"channel": "a", "data": 1, "version": 3}, 108),
    ("publish", {"channel": "a", "data": 1, "version_epoch": "x"}, 108),
    ("broadcast", {"data": 1}, 107),
    ("broadcast", {"channels": [], "data": 1}, 107),
    ("broadcast", {"channels": ["a"]}, 107),
    ("broadcast", {"channels": ["a"], "data": 1, "tags": {"a": "b"}}, 108),
    ("history", {}, 107),
    ("history", {"channel": "a b"}, 107),
    ("history", {"channel": "plain"}, 108),
    ("history", {"channel": "kept", "limit": "x"}, 107),
    ("history", {"channel": "kept", "limit": 1, "since": {"offset": 1, "epoch": "gone"}}, 112),
    ("history", {"channel": "kept", "limit": 1, "since": {"offset": 1}}, 112),
    (
        "history",
        {"channel": "kept", "limit": 1, "since": {"offset": 1, "epoch": "gone"}, "reverse": True},
        112,
    ),
    ("presence", {}, 107),
    ("presence", {"channel": "plain"}, 108),
    ("presence_stats", {"channel": "plain"}, 108),
    ("presence_stats", {"channel": "a#"}, 107),
    ("channels", {"pattern": "["}, 107),
    ("channels", {"pattern": 3}, 107),
    ("disconnect", {}, 107),
    ("disconnect", {"user": "joe", "session": "x"}, 108),
    ("unsubscribe", {"user": "joe"}, 107),
    ("unsubscribe", {"user": "joe", "channel": "a..b"}, 107),
    ("batch", b"nonsense", 107),
    ("batch", {"commands": 3}, 107),
]


@pytest.mark.parametrize(("method", "body", "expected"), TABLE, ids=lambda value: str(value)[:60])
def test_errors_are_answers_with_a_code(world, method, body, expected):
    assert code(world, method, body) == expected


DENIED = [
    ("publish", {"channel": "a", "data": 1}, 103),
    ("publish", {"channel": "a..b", "data": 1}, 107),
    ("history", {"channel": "kept"}, 103),
    ("history", {"channel": "a..b"}, 107),
    ("presence", {"channel": "kept"}, 103),
    ("presence_stats", {"channel": "kept"}, 103),
    ("disconnect", {"user": "joe"}, 103),
    ("unsubscribe", {"user": "joe", "channel": "kept"}, 103),
]


@pytest.mark.parametrize(("method", "body", "expected"), DENIED, ids=lambda value: str(value)[:60])
def test_what_the_key_may_not_is_103_and_no_uri_107_before(world, method, body, expected):
    """``call = ["*"]`` does not include what ends other people's sessions."""
    joe = listening(world, "kept", authid="joe")
    assert code(world, method, body, "weather-key") == expected
    assert not joe.is_closed
    assert joe.heard() == []


def test_channels_that_have_ended_or_need_to_be_declared_are_unknown(world):
    world.start(CONFIG + "\n[realms.radio]\nundeclared_topics = false\n")
    for method, more in (("publish", {"data": 1}), ("history", {}), ("presence", {}), ("presence_stats", {})):
        assert code(world, method, {"channel": "a", **more}) == 102


def test_an_ended_channel_is_unknown(world):
    owner = world.join()
    answer = owner.ask([48, None, {}, "radiod.channel.create", ["brief"]])
    owner.ask([48, None, {}, "radiod.channel.delete", ["brief", answer[3][0]["control_key"]]])
    assert code(world, "publish", {"channel": "brief", "data": 1}) == 102


class TestPublish:
    def test_byte_for_byte(self, world):
        answer = ask(world, "publish", {"channel": "a", "data": 1})
        assert answer.body == b'{"result":{}}'

    @pytest.mark.parametrize("data", [{"a": [1, "b"]}, [1, 2], "text", 3, None, False])
    def test_reaches_those_who_listen(self, world, data):
        wire = listening(world, "a")
        assert result(world, "publish", {"channel": "a", "data": data}) == {}
        assert [event[4] for event in wire.heard()] == [[data]]

    def test_tells_where_the_event_is(self, world):
        first = result(world, "publish", {"channel": "kept", "data": 1})
        assert (list(first), first["offset"]) == (["offset", "epoch"], 1)
        assert result(world, "publish", {"channel": "kept", "data": 1}) == {**first, "offset": 2}

    def test_binary_counts_before_data(self, world):
        wire = listening(world, "a")
        data = base64.b64encode(b"\xff\0").decode()
        result(world, "publish", {"channel": "a", "data": "not this", "b64data": data})
        assert wire.heard()[0][4] == ["\0" + data]

    def test_options_that_are_not_asked_for_are_none(self, world):
        options = {"skip_history": False, "tags": {}, "delta": False, "version": 0, "version_epoch": ""}
        assert result(world, "publish", {"channel": "a", "data": 1, **options, "unknown": 1}) == {}

    def test_half_a_character_is_called_by_its_name(self, world):
        told = reply(world, "publish", b'{"channel":"a","data":"\\ud83d"}')
        text = "bad request: a text holds half a character, a lone surrogate"
        assert told == {"error": {"code": 107, "message": text}}


class TestIdempotency:
    def test_a_key_publishes_once_for_each_channel(self, world):
        wire = listening(world, "kept", "a")
        first = result(world, "publish", {"channel": "kept", "data": 1, "idempotency_key": "k"})
        assert result(world, "publish", {"channel": "kept", "data": 2, "idempotency_key": "k"}) == first
        assert result(world, "publish", {"channel": "a", "data": 3, "idempotency_key": "k"}) == {}
        assert result(world, "publish", {"channel": "kept", "data": 4, "idempotency_key": "l"})["offset"] == 2
        assert [event[4] for event in wire.heard()] == [[1], [3], [4]]

    def test_a_broadcast_is_repeated_as_a_whole(self, world):
        wire = listening(world, "kept", "a")
        body = {"channels": ["a", "kept"], "data": 1, "idempotency_key": "k"}
        assert result(world, "broadcast", body) == result(world, "broadcast", body)
        assert len(wire.heard()) == 2

    def test_errors_are_not_kept(self, world):
        body = {"channel": "other", "data": 1, "idempotency_key": "k"}
        assert code(world, "publish", body, "weather-key") == 103
        assert code(world, "publish", body, "weather-key") == 103
        assert result(world, "publish", body) == {}

    def test_keys_of_others_are_others(self, world):
        wire = listening(world, "weather.a")
        for key in ("server-key", "weather-key"):
            result(world, "publish", {"channel": "weather.a", "data": 1, "idempotency_key": "k"}, key)
        assert len(wire.heard()) == 2


def test_a_broadcast_tells_of_each_channel(world):
    wire = listening(world, "weather.a", "weather.b")
    body = {"channels": ["weather.a", "other", "a..b", "weather.b"], "data": {"x": 1}}
    responses = result(world, "broadcast", body, "weather-key")["responses"]
    assert [list(one) for one in responses] == [["result"], ["error"], ["error"], ["result"]]
    assert [responses[at]["error"]["code"] for at in (1, 2)] == [103, 107]
    assert [event[4] for event in wire.heard()] == [[{"x": 1}], [{"x": 1}]]


class TestHistory:
    @pytest.fixture(autouse=True)
    def events(self, world):
        for data in range(1, 6):
            self.epoch = result(world, "publish", {"channel": "kept", "data": data})["epoch"]

    def ask(self, world, **members):
        told = result(world, "history", {"channel": "kept", **members})
        assert list(told) == ["publications", "offset", "epoch"]
        assert (told["offset"], told["epoch"]) == (5, self.epoch)
        assert all(one["data"] == one["offset"] for one in told["publications"])
        return [one["offset"] for one in told["publications"]]

    def test_byte_for_byte(self, world):
        body = ask(world, "history", {"channel": "kept", "limit": 1}).body
        assert body == b'{"result":{"publications":[{"data":3,"offset":3}],"offset":5,"epoch":"%b"}}' % (
            self.epoch.encode()
        )

    def test_without_a_limit_only_the_position_is_told(self, world):
        assert self.ask(world) == self.ask(world, limit=0) == []

    def test_as_much_as_is_asked_for(self, world):
        assert self.ask(world, limit=2) == [3, 4]
        assert self.ask(world, limit=100) == self.ask(world, limit=-1) == [3, 4, 5]

    def test_behind_a_position(self, world):
        assert self.ask(world, limit=5, since={"offset": 4, "epoch": self.epoch}) == [5]
        assert self.ask(world, limit=5, since={"offset": 5, "epoch": self.epoch}) == []
        assert self.ask(world, limit=1, since={"offset": 2, "epoch": self.epoch}) == [3]
        assert self.ask(world, limit=5, since={"offset": 3}) == [4, 5]

    def test_backwards(self, world):
        assert self.ask(world, limit=2, reverse=True) == [5, 4]
        assert self.ask(world, limit=5, reverse=True) == [5, 4, 3]
        assert self.ask(world, limit=5, since={"offset": 5, "epoch": self.epoch}, reverse=True) == [4, 3]
        assert self.ask(world, limit=1, since={"offset": 4, "epoch": self.epoch}, reverse=True) == [3]

    @pytest.mark.parametrize("offset", [0, 1, 6])
    @pytest.mark.parametrize("is_reversed", [False, True])
    def test_a_position_that_is_not_held_is_gone(self, world, offset, is_reversed):
        since = {"offset": offset, "epoch": self.epoch}
        body = {"channel": "kept", "limit": 5, "since": since, "reverse": is_reversed}
        assert code(world, "history", body) == 112

    def test_what_is_no_single_value_is_told_as_to_plain_listeners(self, world):
        wire = world.join()
        wire.say([16, None, {}, "kept", [1, 2], {"a": 3}])
        told = result(world, "history", {"channel": "kept", "limit": 1, "reverse": True})
        assert told["publications"] == [{"data": {"args": [1, 2], "kwargs": {"a": 3}}, "offset": 6}]

    def test_a_private_channel_is_for_keys_that_name_it(self, world):
        world.start(CONFIG.replace('listen = ["weather.*"]', 'listen = ["weather.secret"]'))
        assert result(world, "history", {"channel": "weather.secret"}, "weather-key")["publications"] == []
        assert code(world, "history", {"channel": "weather.secret"}) == 108


class TestPresence:
    def test_of_nobody(self, world):
        assert ask(world, "presence", {"channel": "kept"}).body == b'{"result":{"presence":{}}}'
        answer = ask(world, "presence_stats", {"channel": "kept"})
        assert answer.body == b'{"result":{"num_clients":0,"num_users":0}}'

    def test_tells_each_session_and_whose_it_is(self, world):
        joes = [listening(world, "kept", authid="joe") for _ in range(2)]
        told = result(world, "presence", {"channel": "kept"})
        ids = [str(one.session) for one in joes]
        assert told == {"presence": {id: {"client": id, "user": "joe"} for id in ids}}
        assert result(world, "presence_stats", {"channel": "kept"}) == {"num_clients": 2, "num_users": 1}

    def test_listeners_without_wamp_are_there_too(self, world):
        stream = world.ask(http.get("/listen/kept", "Accept: text/event-stream"))
        assert len(result(world, "presence", {"channel": "kept"})["presence"]) == 1
        stream.hang_up()
        assert result(world, "presence", {"channel": "kept"}) == {"presence": {}}


class TestChannels:
    @pytest.fixture(autouse=True)
    def listeners(self, world):
        self.wires = [
            listening(world, "weather.a", "kept"),
            listening(world, "weather.a", "radiod.presence.kept"),
        ]

    def test_are_those_that_somebody_listens_to(self, world):
        expected = {"weather.a": {"num_clients": 2}, "kept": {"num_clients": 1}}
        assert result(world, "channels", {}) == {"channels": expected}

    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("*", {"weather.a", "kept"}),
            ("", {"weather.a", "kept"}),
            ("weather.*", {"weather.a"}),
            ("w*.?", {"weather.a"}),
            ("{kept,other}", {"kept"}),
            ("[j-l]ept", {"kept"}),
            ("[!k]ept", set()),
            ("weather", set()),
        ],
    )
    def test_may_be_chosen_by_a_pattern(self, world, pattern, names):
        assert set(result(world, "channels", {"pattern": pattern})["channels"]) == names

    def test_are_those_that_the_key_may_listen_to(self, world):
        assert set(result(world, "channels", {}, "weather-key")["channels"]) == {"weather.a"}

    def test_private_ones_are_for_keys_that_name_them(self, world):
        world.start(CONFIG.replace('listen = ["weather.*"]', 'listen = ["weather.secret"]'))
        world.ask(http.get("/listen/weather.secret?key=channels-key", "Accept: text/event-stream"))
        assert result(world, "channels", {}) == {"channels": {}}
        expected = {"channels": {"weather.secret": {"num_clients": 1}}}
        assert result(world, "channels", {}, "weather-key") == expected


def test_info_tells_of_the_keys_realm(world):
    listening(world, "a", "b", authid="joe")
    listening(world, "a", authid="joe")
    world.wait(3.5)
    told = result(world, "info", {}, "weather-key")
    (node,) = told["nodes"]
    uid = node.pop("uid")
    assert uid
    assert node == {
        "name": "radiod",
        "version": __version__,
        "num_clients": 4,
        "num_users": node["num_users"],
        "num_subs": 3,
        "num_channels": 2,
        "uptime": 3,
    }
    assert result(world, "info", {})["nodes"][0]["uid"] == uid


class TestDisconnect:
    def test_ends_the_sessions_of_a_user(self, world):
        joes = [listening(world, "a", authid="joe") for _ in range(2)]
        other = listening(world, "a", authid="listener")
        body = {"user": "joe", "disconnect": {"code": 4500, "reason": "bye"}}
        assert ask(world, "disconnect", body).body == b'{"result":{}}'
        for joe in joes:
            assert joe.heard() == [[6, {"message": "bye"}, "wamp.close.killed"]]
        assert other.heard() == []

    def test_needs_nobody_to_be_there(self, world):
        assert result(world, "disconnect", {"user": "nobody"}) == {}

    def test_may_mean_one_client_or_spare_some(self, world):
        a, b, c = (listening(world, "a", authid="joe") for _ in range(3))
        assert result(world, "disconnect", {"user": "joe", "client": str(a.session)}) == {}
        assert [bool(one.heard()) for one in (a, b, c)] == [True, False, False]
        assert result(world, "disconnect", {"user": "joe", "client": "x"}) == {}
        assert result(world, "disconnect", {"user": "joe", "whitelist": [str(b.session), "x"]}) == {}
        assert [bool(one.heard()) for one in (b, c)] == [False, True]


class TestUnsubscribe:
    def test_takes_a_channel_from_a_user(self, world):
        joe, other = listening(world, "a", "b", authid="joe"), listening(world, "a", authid="listener")
        assert ask(world, "unsubscribe", {"user": "joe", "channel": "a"}).body == b'{"result":{}}'
        for topic in "ab":
            result(world, "publish", {"channel": topic, "data": topic})
        assert [event[4] for event in joe.heard()] == [["b"]]
        assert [event[4] for event in other.heard()] == [["a"]]

    @pytest.mark.parametrize("kind", ["text/event-stream", "application/x-ndjson"])
    def test_ends_the_stream_of_a_listener_without_wamp(self, world, kind):
        stream = world.ask(http.get("/listen/weather.a", f"Accept: {kind}", "API-KEY: weather-key"))
        stream.received()
        assert result(world, "unsubscribe", {"user": "weather", "channel": "weather.a"}) == {}
        world.wait(0)
        assert stream.received().endswith(b"0\r\n\r\n")

    def test_may_mean_one_client(self, world):
        a, b = (listening(world, "a", authid="joe") for _ in range(2))
        result(world, "unsubscribe", {"user": "joe", "channel": "a", "client": str(a.session)})
        result(world, "publish", {"channel": "a", "data": 1})
        assert [len(one.heard()) for one in (a, b)] == [0, 1]

    def test_needs_nobody_to_be_there(self, world):
        assert result(world, "unsubscribe", {"user": "joe", "channel": "a"}) == {}


class TestBatch:
    @pytest.mark.parametrize("parallel", [False, True])
    def test_answers_each_command_without_result_around_it(self, world, parallel):
        wire = listening(world, "weather.a")
        commands = [
            {"publish": {"channel": "weather.a", "data": 1}},
            {"publish": {"channel": "other", "data": 1}},
            {"broadcast": {"channels": ["weather.a"], "data": 2}},
            {"presence_stats": {"channel": "weather.a"}},
            {"nothing": {}},
            {"batch": {}},
            {},
            {"info": {}, "publish": {}},
            {"channels": {}},
        ]
        body = {"commands": commands, "parallel": parallel}
        answer = reply(world, "batch", body, "weather-key")
        assert list(answer) == ["replies"]
        replies = answer["replies"]
        assert [one.get("error", {}).get("code") for one in replies] == [
            None, 103, None, 108, 104, 104, 107, 107, None,
        ]  # fmt: skip
        assert replies[0] == {"publish": {}}
        assert replies[2] == {"broadcast": {"responses": [{"result": {}}]}}
        assert replies[8] == {"channels": {"channels": {"weather.a": {"num_clients": 1}}}}
        assert [event[4] for event in wire.heard()] == [[1], [2]]

    def test_of_nothing(self, world):
        assert ask(world, "batch", {"commands": []}).body == b'{"replies":[]}'

    def test_of_many_keeps_their_order(self, world):
        wire = listening(world, "kept")
        commands = [{"publish": {"channel": "kept", "data": n}} for n in range(500)]
        commands.append({"history": {"channel": "kept", "limit": 1}})
        asked = world.ask(http.post("/api/batch", {"commands": commands}, "X-API-Key: server-key"))
        world.wait(1)
        replies = Answer(asked.received()).json["replies"]
        assert [one["publish"]["offset"] for one in replies[:-1]] == list(range(1, 501))
        assert replies[-1]["history"]["offset"] == 500
        assert [event[4] for event in wire.heard()] == [[n] for n in range(500)]


NAMES = st.sampled_from(["kept", "weather.secret", "a", "a..b", "", "wamp.x", "\0", "x" * 300])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = [
    "channel", "channels", "data", "b64data", "idempotency_key", "skip_history", "tags", "limit", "since",
    "reverse", "pattern", "user", "client", "whitelist", "disconnect", "commands", "parallel", "offset",
    "epoch", "reason",
]  # fmt: skip
BODIES = st.fixed_dictionaries({}, optional=dict.fromkeys(MEMBERS, VALUES | NAMES))
METHODS = st.sampled_from(
    [
        "publish",
        "broadcast",
        "history",
        "presence",
        "presence_stats",
        "channels",
        "info",
        "unsubscribe",
        "batch",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(METHODS, BODIES | VALUES, st.lists(st.dictionaries(METHODS, BODIES, max_size=2), max_size=3))
def test_whatever_is_asked_is_answered(world, method, body, commands):
    if method == "batch" and isinstance(body, dict):
        body = {**body, "commands": commands}
    told = reply(world, method, body)
    assert len(told) == 1
    assert set(told) <= {"result", "error", "replies"}
    assert told.get("error", {}).get("code") != 100
