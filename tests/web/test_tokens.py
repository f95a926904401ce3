"""Listen tokens: who gets one, what it opens, for how long, and all that it does not open."""

import base64
import contextlib
import functools
import json
import time

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import http
from support.access import KEYS, end, key_of, refuse
from support.config import parsed
from support.http import Answer, dechunked
from support.memory import client_frame, server_frames, upgrade
from support.signing import signed_query
from support.tokens import PEN, encoded, sign, token
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher

from radiod.auth.tokens import MAX_TOKEN, Tokens, is_token
from radiod.core.budgets.guesses import FREE
from radiod.errors import NoAccess, RadiodError
from radiod.service.radio import Radio
from radiod.wire.doors import Visit

SSE, LINES, KEY = "Accept: text/event-stream", "Accept: application/x-ndjson", "API-KEY: sample-key"
MORE = """
[realms.radio.keys.deaf]
key = "deaf-key"
publish = ["*"]

[realms.radio.keys.weather]
key = "weather-key"
listen = ["weather.*"]

[realms.closed.keys.weather]
key = "closed-key"
listen = ["weather.*", "secret"]

[realms.radio.channels.private_net]
public = false
key = "channel-key"
"""


@pytest.fixture
def world(world):
    return started(world, KEYS + MORE)


def started(world, text):
    """Its dates go by the clock that the test turns; it begins where tokens are signed."""
    world.start(text)
    began, clock = time.time(), world.radio.clock
    clock.time = lambda: began + clock.seconds()
    return world


def issue(world, body, *lines, key=KEY):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(
        world.ask(http.request("POST", "/tokens", *([key] if key else []), *lines, body=data)).received()
    )


def issued(world, *listen, key=KEY, **more):
    answer = issue(world, {"listen": list(listen), **more}, key=key)
    assert answer.status == 200, answer.body
    return answer.json["token"]


def listen(world, shown, path="/listen/a", *lines):
    """The connection of a poll, with the token in the query."""
    mark = "&" if "?" in path else "?"
    return world.ask(http.get(f"{path}{mark}token={shown}", *lines))


def told(world, shown, path="/listen/a", *lines):
    """(status, body) of the answer to a poll that does not wait."""
    mark = "&" if "?" in path else "?"
    answer = Answer(listen(world, shown, f"{path}{mark}wait=0", *lines).received())
    return answer.status, answer.json if answer.body else None


OPEN = (204, None)
INVALID = (403, {"error": "token not valid"})


def no(reason):
    return 403, {"error": "token not valid", "reason": reason}


def wrong(text):
    return 403, {"error": f"token not valid: {text}"}


class TestIssuing:
    def test_a_token_names_channels_and_ends(self, world):
        answer = issue(
            world, {"listen": ["a", "b.*"], "ttl": 60, "sub": "joe", "origins": ["https://a.example"]}
        )
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        shown, expires = answer.json["token"], answer.json["expires"]
        assert jwt.get_unverified_header(shown) == {"alg": "HS256", "kid": "sample", "typ": "JWT"}
        assert jwt.decode(shown, PEN, algorithms=["HS256"], options={"verify_iat": False}) == {
            "exp": expires,
            "iat": expires - 60,
            "listen": ["a", "b.*"],
            "sub": "joe",
            "origins": ["https://a.example"],
        }
        assert abs(expires - 60 - time.time()) < 60

    def test_it_is_good_for_ten_minutes_unless_told_otherwise(self, world):
        answer = issue(world, {"listen": ["a"]})
        assert answer.json["expires"] == int(world.radio.clock.time()) + 600

    @pytest.mark.parametrize("key", [KEY, "Authorization: Bearer sample-key", "API-KEY: deaf-key"])
    def test_any_key_may_ask(self, world, key):
        assert is_token(issued(world, "a", key=key))

    def test_a_signed_request_may_ask(self, world):
        body = b'{"listen":["a"]}'
        query = signed_query(body, key="sample", secret=PEN)
        answer = Answer(world.ask(http.request("POST", f"/tokens?{query}", body=body)).received())
        assert told(world, answer.json["token"]) == OPEN

    @pytest.mark.parametrize("key", ["API-KEY: sample-key", "API-KEY: other-key"])
    def test_with_and_without_a_signing_secret_it_opens_streams(self, world, key):
        shown = issued(world, "a", key=key)
        assert told(world, shown) == OPEN
        assert told(world, shown, "/listen/b")[0] == 403

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            (b"", "Input data was truncated"),
            (b"[]", "Expected `object`, got `array`"),
            (b"[" * 100_000, ""),
            ({}, "Object missing required field `listen`"),
            ({"listen": []}, "Expected `array` of length >= 1 - at `$.listen`"),
            ({"listen": ["a"] * 65}, "Expected `array` of length <= 64 - at `$.listen`"),
            ({"listen": "a"}, "Expected `array`, got `str` - at `$.listen`"),
            ({"listen": [1]}, "Expected `str`, got `int` - at `$.listen[0]`"),
            ({"listen": ["a b"]}, "listen: not a valid URI: 'a b'"),
            ({"listen": ["a*"]}, "listen: 'a*': a pattern ends with '.*'"),
            ({"listen": [""]}, "Expected `str` of length >= 1 - at `$.listen[0]`"),
            ({"listen": ["a" * 255] * 20}, f"a token has at most {MAX_TOKEN} characters"),
            ({"listen": ["a"], "ttl": 0}, "Expected `int` >= 1 - at `$.ttl`"),
            ({"listen": ["a"], "ttl": 86_401}, "Expected `int` <= 86400 - at `$.ttl`"),
            ({"listen": ["a"], "ttl": 1.5}, "Expected `int`, got `float` - at `$.ttl`"),
            ({"listen": ["a"], "ttl": True}, "Expected `int`, got `bool` - at `$.ttl`"),
            ({"listen": ["a"], "sub": "x" * 129}, "Expected `str` of length <= 128 - at `$.sub`"),
            ({"listen": ["a"], "sub": ""}, "Expected `str` of length >= 1 - at `$.sub`"),
            ({"listen": ["a"], "origins": ["x"] * 17}, "Expected `array` of length <= 16 - at `$.origins`"),
            ({"listen": ["a"], "publish": ["a"]}, "Object contains unknown field `publish`"),
        ],
    )
    def test_what_is_asked_for_wrongly_is_said(self, world, body, text):
        answer = issue(world, body)
        assert (answer.status, text in answer.json["error"]) == (400, True), answer.json

    @pytest.mark.parametrize("key", [None, "API-KEY: nobody's"])
    def test_nobody_else_gets_one(self, world, key):
        assert issue(world, {"listen": ["a"]}, key=key).status == 400

    def test_a_key_that_is_not_let_in_gets_none(self, world):
        refuse(world, "suspended")
        answer = issue(world, {"listen": ["a"]})
        assert (answer.status, answer.json) == (403, {"error": "API-KEY not valid", "reason": "suspended"})

    def test_a_token_gets_no_token(self, world):
        shown = issued(world, "a")
        for key in (f"API-KEY: {shown}", f"Authorization: Bearer {shown}"):
            answer = issue(world, {"listen": ["a"]}, key=key)
            assert (answer.status, answer.json) == (
                403,
                {"error": "a token only opens streams: show an API key here"},
            )

    def test_by_post_alone(self, world):
        assert Answer(world.ask(http.get("/tokens", KEY)).received()).status == 405


class TestListening:
    @pytest.mark.parametrize("path", ["/listen/a", "/listen?channel=a&channel=b.*"])
    def test_streams(self, world, path):
        shown = token("a", "b.*")
        for accept in (SSE, LINES):
            stream = listen(world, shown, path, accept)
            assert stream.received().startswith(b"HTTP/1.1 200 ")
            world.join().say([16, 1, {}, "a", [{"n": 1}]])
            assert '"n":1' in dechunked(stream.received())

    @pytest.mark.parametrize("path", ["/listen/a?", "/listen?channel=a&channel=b.*&"])
    def test_plain_websockets(self, world, path):
        wire = world.ask(upgrade(f"{path}token={token('a', 'b.*')}"))
        assert b" 101 " in wire.received()
        world.join().say([16, 1, {}, "a", [{"n": 1}]])
        ((opcode, payload),), _ = server_frames(wire.received())
        assert (opcode, b'"n":1' in payload) == (1, True)

    def test_a_poll_that_waits(self, world):
        poll = listen(world, token("a"))
        world.join().say([16, 1, {}, "a", [{"n": 1}]])
        assert Answer(poll.received()).json == [{"position": None, "data": {"n": 1}}]

    def test_in_a_header(self, world):
        shown = token("a")
        assert (
            Answer(
                world.ask(http.get("/listen/a?wait=0", f"Authorization: Bearer {shown}")).received()
            ).status
            == 204
        )
        wire = world.ask(upgrade("/listen/a", extra=f"Authorization: Bearer {shown}\r\n"))
        assert b" 101 " in wire.received()

    def test_what_it_names_and_what_its_key_has(self, world):
        shown = issued(world, "*", key="API-KEY: weather-key")
        assert told(world, shown, "/listen/weather.x") == OPEN
        assert told(world, shown, "/listen?channel=weather.*") == OPEN
        assert told(world, shown, "/listen/sport")[0] == 403
        assert told(world, shown, "/listen?channel=*")[0] == 403
        shown = issued(world, "weather.x", key="API-KEY: weather-key")
        assert told(world, shown, "/listen/weather.x") == OPEN
        assert told(world, shown, "/listen/weather.y")[0] == 403
        assert told(world, shown, "/listen?channel=weather.*")[0] == 403
        assert told(world, issued(world, "a", key="API-KEY: deaf-key"))[0] == 403

    def test_events_that_a_pattern_brings_are_those_of_both(self, world):
        stream = listen(world, token("weather.*", "sport.*"), "/listen?channel=sport.*", LINES)
        stream.received()
        world.join().say([16, 1, {}, "sport.x", [1]], [16, 2, {}, "weather.x", [2]])
        assert dechunked(stream.received()).count("channel") == 1

    def test_of_keys_of_one_name_each_has_its_own_tokens(self, world):
        here, there = (issued(world, "*", key=f"API-KEY: {key}") for key in ("weather-key", "closed-key"))
        assert told(world, here, "/listen/secret")[0] == 403
        assert told(world, there, "/listen/secret") == OPEN
        assert told(world, there, "/listen/weather.x") == OPEN
        assert world.radio.realms["closed"].sessions == {}

    def test_private_channels_need_their_key_besides(self, world):
        shown = token("private_net", "a")
        assert told(world, shown, "/listen/private_net?key=another-key")[0] == 403
        assert told(world, shown, "/listen/private_net?key=channel-key") == OPEN
        assert told(world, token("a"), "/listen/private_net?key=channel-key")[0] == 403

    def test_publishers_do_not_wait_for_it(self, world):
        status, body = told(world, token("a"), "/listen/a?policy=wait")
        assert (status, "policy" in body["error"]) == (403, True), body

    def test_others_know_its_holder_by_key_and_subject(self, world):
        watcher = world.join()
        watcher.ask([32, None, {}, "wamp.session.on_join"])
        listen(world, token("a", sub="joe"), "/listen/a", SSE)
        ((*_, (joined,)),) = watcher.heard()
        assert (joined["authid"], joined["authrole"], joined["authmethod"]) == (
            "sample/joe",
            "key:sample",
            "token",
        )


class TestEnding:
    def test_it_ends_on_time_while_streams_are_open(self, world):
        shown = token("a", ttl=30, iat=int(time.time()))
        streams = [listen(world, shown, "/listen/a", accept) for accept in (SSE, LINES)]
        wire = world.ask(upgrade(f"/listen/a?token={shown}"))
        other = listen(world, token("a", ttl=600), "/listen/a", SSE)
        for each in (*streams, wire, other):
            each.received()
        world.wait(28)
        assert key_of(world).holder.connections == 4
        world.wait(3)
        for each in streams:
            each.settle()
        assert b'event: end\ndata: {"reason": "expired"}\n\n' in streams[0].received()
        assert b'{"end": "expired"}\n\n' in streams[1].received()
        assert server_frames(wire.received())[0][-1] == (8, b"\x0f\xa1expired")
        assert b"end" not in other.received()
        assert key_of(world).holder.connections == 1
        assert told(world, shown) == no("expired")

    def test_a_poll_that_waits_is_told(self, world):
        poll = listen(world, token("a", ttl=5))
        world.wait(6)
        answer = Answer(poll.received())
        assert (answer.status, answer.json["reason"]) == (403, "expired")

    def test_a_clock_that_was_set_back_changes_nothing_before_its_time(self, world):
        stream = listen(world, token("a", ttl=30), "/listen/a", SSE)
        stream.received()
        world.radio.clock.time = lambda: 0.0
        world.wait(40)
        assert b"end" not in stream.received()

    def test_one_that_was_left_leaves_nothing_behind(self, world):
        stream = listen(world, token("a"), "/listen/a", SSE)
        stream.hang_up()
        assert (len(world.radio.clock.timers), key_of(world).holder.connections) == (0, 0)

    @pytest.mark.parametrize("reason", ["revoked", "suspended", "expired"])
    def test_it_ends_with_its_key(self, world, reason):
        shown = token("a")
        stream = listen(world, shown, "/listen/a", LINES)
        stream.received()
        assert end(world, reason) == 1
        assert dechunked(stream.received()) == f'{{"end": "{reason}"}}\n\n'
        assert told(world, shown) == no(reason)

    def test_another_process_knows_only_what_a_signing_secret_signed(self, world):
        made = issued(world, "a", key="API-KEY: other-key")
        tokens = Tokens(world.radio.keys, world.radio.clock, "another process")
        # Pages come back with it after a restart: that is no guess.
        with pytest.raises(NoAccess, match="token not valid") as refusal:
            tokens.read(made, Visit("x"))
        assert refusal.value.reason == "expired"
        assert tokens.read(issued(world, "a"), Visit("x"))[0].id == "sample"

    def test_nodes_with_a_secret_in_common_know_each_others_also_while_it_changes(self, world):
        keys, clock = world.radio.keys, world.radio.clock
        old = Tokens(keys, clock, "a", ["one"])
        both = Tokens(keys, clock, "b", ["two", "one"])
        new = Tokens(keys, clock, "c", ["two"])
        key = keys.by_id("other")
        for signer, readers, strangers in ((old, (old, both), (new,)), (both, (both, new), (old,))):
            made, _ = signer.issue(key, ("a",), 60)
            for tokens in readers:
                assert tokens.read(made, Visit("x"))[0] is key
            for tokens in strangers:
                with pytest.raises(NoAccess):
                    tokens.read(made, Visit("x"))

    def test_a_secret_that_nodes_have_in_common_is_not_left_to_the_next_process(self, world):
        tokens = Tokens(world.radio.keys, world.radio.clock, "a", ["one"])
        assert tokens.secret is None
        made, _ = tokens.issue(world.radio.keys.by_id("other"), ("a",), 60)
        tokens.resume("an older one")
        assert tokens.read(made, Visit("x"))[0].id == "other"
        assert tokens.secret is None

    def test_it_is_told_for_whom_the_server_signs(self, world):
        told = []
        world.radio.tokens.on_issue = told.append
        issued(world, "a")
        issued(world, "a", key="API-KEY: other-key")
        assert [key.id for key in told] == ["other"]

    @pytest.mark.parametrize("signer", [["x"], {"x": 1}, 7, None, "0" * 12])
    def test_a_head_that_names_no_secret_of_ours_is_that_of_another_process(self, world, signer):
        claims = {"exp": world.radio.clock.time() + 60, "listen": ["a"]}
        made = jwt.encode(claims, "x" * 32, "HS256", headers={"kid": "other", "srv": signer})
        with pytest.raises(NoAccess, match="token not valid"):
            world.radio.tokens.read(made, Visit("x"))


class TestClaims:
    @pytest.mark.parametrize(
        ("claims", "outcome"),
        [
            ({}, OPEN),
            ({"iat": 0, "ttl": 60}, None),
            ({"jti": "x", "sub": "y"}, OPEN),
            ({"ttl": -1}, no("expired")),
            ({"ttl": 0}, no("expired")),
            ({"ttl": 86_500}, wrong("exp is more than 86400 seconds after now, since it has no iat")),
            ({"exp": None}, wrong('Token is missing the "exp" claim')),
            ({"exp": "soon"}, wrong("Expected `float`, got `str` - at `$.exp`")),
            ({"exp": True}, wrong("Expected `float`, got `bool` - at `$.exp`")),
            ({"exp": 1e300}, wrong("Expected `float` <= 100000000000.0 - at `$.exp`")),
            ({"exp": float("nan")}, wrong("Expected `float` >= 0.0 - at `$.exp`")),
            ({"exp": 10**400}, wrong("Number out of range - at `$.exp`")),
            ({"listen": None}, wrong("Object missing required field `listen`")),
            ({"listen": "a"}, wrong("Expected `array`, got `str` - at `$.listen`")),
            ({"listen": {"a": 1}}, wrong("Expected `array`, got `object` - at `$.listen`")),
            ({"listen": []}, wrong("Expected `array` of length >= 1 - at `$.listen`")),
            ({"listen": [None]}, wrong("Expected `str`, got `null` - at `$.listen[0]`")),
            ({"listen": ["a", "b c"]}, wrong("listen: not a valid URI: 'b c'")),
            ({"listen": ["a"] * 65}, wrong("Expected `array` of length <= 64 - at `$.listen`")),
            ({"aud": "others"}, wrong("Invalid audience")),
            ({"sub": 7}, wrong("Subject must be a string")),
            ({"nbf": "x"}, wrong("Expected `float`, got `str` - at `$.nbf`")),
            ({"iat": "x"}, wrong("Expected `float | null`, got `str` - at `$.iat`")),
        ],
    )
    def test_each(self, world, claims, outcome):
        found = told(world, token("a", **claims))
        if outcome is None:
            assert found[1]["error"] == "token not valid: exp is more than 86400 seconds after iat"
        else:
            assert found == outcome

    def test_dates_to_come(self, world):
        now = world.radio.clock.time()
        assert told(world, token("a", nbf=now + 50)) == OPEN
        assert told(world, token("a", nbf=now + 70)) == no("not_yet_valid")
        assert told(world, token("a", iat=now + 50)) == OPEN
        assert told(world, token("a", iat=now + 70)) == no("not_yet_valid")
        assert told(world, token("a", iat=now - 10, exp=now + 86_380)) == OPEN
        assert told(world, token("a", iat=now - 10, exp=now + 86_400))[0] == 403

    def test_pages_of_other_origins(self, world):
        shown = token("a", origins=["https://a.example:443"])
        assert told(world, shown, "/listen/a", "Origin: https://a.example") == OPEN
        assert told(world, shown, "/listen/a", "Origin: https://b.example") == no("origin")
        assert told(world, shown, "/listen/a", "Origin: null") == no("origin")
        assert told(world, shown) == OPEN

    def test_where_its_key_may_be_used(self, world):
        key_of(world).holder.restrict(["https://a.example"], ["192.0.2.0/24"])
        shown = token("a")
        assert told(world, shown) == no("address")
        key_of(world).holder.restrict(["https://a.example"], ["127.0.0.0/8"])
        assert told(world, shown) == OPEN
        assert told(world, shown, "/listen/a", "Origin: https://b.example") == no("origin")


RS256 = {"alg": "RS256", "typ": "JWT", "kid": "sample"}
GOOD = {"exp": 99_999_999_999, "listen": ["a"]}


class TestHostile:
    @pytest.mark.parametrize(
        "shown",
        [
            f"{encoded({'alg': 'none', 'kid': 'sample'})}.{encoded(GOOD)}.",
            f"{encoded({'alg': 'None', 'kid': 'sample'})}.{encoded(GOOD)}.",
            sign({"alg": "none", "kid": "sample"}, GOOD),
            sign(RS256, GOOD),
            sign({"alg": "HS384", "kid": "sample"}, GOOD, algorithm="sha384"),
            sign({"alg": "HS512", "kid": "sample"}, GOOD, algorithm="sha512"),
            sign({"alg": "hs256", "kid": "sample"}, GOOD),
            sign({"alg": ["HS256"], "kid": "sample"}, GOOD),
            sign({"kid": "sample"}, GOOD),
            sign({"alg": "HS256"}, GOOD),
            sign({"alg": "HS256", "kid": "other"}, GOOD),
            sign({"alg": "HS256", "kid": "nobody"}, GOOD),
            sign({"alg": "HS256", "kid": ["sample"]}, GOOD),
            sign({"alg": "HS256", "kid": 7}, GOOD),
            sign({"alg": "HS256", "kid": None}, GOOD),
            sign({"alg": "HS256", "kid": "x" * 1000}, GOOD),
            sign({"alg": "HS256", "kid": "sample", "crit": ["exp"], "exp": 1}, GOOD),
            sign({"alg": "HS256", "kid": "sample", "b64": False, "crit": ["b64"]}, GOOD),
            sign({"alg": "HS256", "kid": "sample", "jwk": {"kty": "oct", "k": "eA"}}, GOOD, "x"),
            sign({"alg": "HS256", "kid": "sample"}, GOOD, "another secret"),
            sign({"alg": "HS256", "kid": "sample"}, GOOD, ""),
            sign({"alg": "HS256", "kid": "sample"}, [1, 2]),
            sign({"alg": "HS256", "kid": "sample"}, "text"),
            sign({"alg": "HS256", "kid": "sample"}, b"no JSON"),
            sign({"alg": "HS256", "kid": "sample"}, b"[" * 2000),
            sign({"alg": "HS256", "kid": "sample"}, b"\xff\xfe"),
            sign(b"{" + b'"a":{' * 600, GOOD),
            sign(b"[1]", GOOD),
            "e..",
            "eyJ.eyJ.eyJ",
            token("a")[:-1] + "!",
            token("a")[:-4],
            token("a") + "AAAA",
            token("a").replace(".", ".e", 1),
            token(*(["a" * 200] * 16)),
        ],
    )
    def test_what_nobody_signed_opens_nothing(self, world, shown):
        header = world.ask(http.get("/listen/a?wait=0", f"Authorization: Bearer {shown}"))
        assert Answer(header.received()).status == 403
        status, body = told(world, shown)
        assert (status, body["error"].startswith("token not valid")) == (403, True)

    def test_wrong_tokens_are_guesses_that_are_slowed(self, world):
        bad = sign({"alg": "HS256", "kid": "sample"}, GOOD, "a guess")
        for _ in range(FREE + 1):
            told(world, bad)
        assert world.radio.fan_out.guesses.networks
        # Whoever shows anything from there waits for a turn.
        assert listen(world, token("a"), "/listen/a?wait=0").received() == b""

    @pytest.mark.parametrize("header", [{}, {"srv": "OURS"}])
    def test_wrong_tokens_of_a_key_without_a_signing_secret_are_guesses_too(self, world, header):
        made = jwt.get_unverified_header(issued(world, "a", key="API-KEY: other-key"))
        head = {"alg": "HS256", "kid": "other", **{name: made[name] for name in header}}
        for _ in range(FREE + 1):
            told(world, sign(head, GOOD, "a guess"))
        assert world.radio.fan_out.guesses.networks

    def test_a_token_that_is_over_is_no_guess(self, world):
        for _ in range(FREE + 20):
            assert told(world, token("a", ttl=-5)) == no("expired")
        assert not world.radio.fan_out.guesses.networks

    @given(
        header=st.dictionaries(
            st.sampled_from(["alg", "kid", "typ", "crit", "b64"]),
            st.one_of(
                st.sampled_from(["HS256", "sample", "none"]), st.integers(), st.none(), st.lists(st.none())
            ),
        ),
        claims=st.dictionaries(
            st.sampled_from(["exp", "listen", "sub", "nbf", "iat", "jti", "aud", "iss", "origins"]),
            st.recursive(
                st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
                lambda inner: st.lists(inner, max_size=3),
                max_leaves=4,
            ),
        ),
    )
    def test_whatever_it_says_it_is_refused_or_read(self, header, claims):
        tokens = self.tokens()
        shown = sign({"alg": "HS256", "kid": "sample", **header}, claims)
        with contextlib.suppress(RadiodError):
            _, principal, until = tokens.read(shown, Visit("x"))
            assert (principal.authmethod, until) == ("token", claims["exp"])

    @given(st.text(alphabet="eyJ0.-_AZ9!é\x00", max_size=50))
    def test_whatever_it_is(self, shown):
        with pytest.raises(RadiodError, match="token not valid"):
            self.tokens().read(shown, Visit("x"))

    @staticmethod
    @functools.cache
    def tokens():
        return Radio(parsed(KEYS), MemoryReactorClock()).tokens


class TestElsewhere:
    """A token opens streams, and nothing else."""

    TEXT = "a token only opens streams: show an API key here"

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/publish", b'{"network":"a","data":{}}'),
            ("/publish", b'{"topic":"a"}'),
            ("/publish", b"[]"),
            ("/call", b'{"procedure":"p"}'),
            ("/tokens", b'{"listen":["a"]}'),
        ],
    )
    def test_posts(self, world, path, body):
        shown = token("a")
        for lines, query in (
            ([f"Authorization: Bearer {shown}"], ""),
            ([f"API-KEY: {shown}"], ""),
            ([], f"?token={shown}"),
        ):
            answer = Answer(world.ask(http.request("POST", path + query, *lines, body=body)).received())
            assert (answer.status, answer.json) == (403, {"error": self.TEXT})

    def test_centrifugo(self, world):
        answer = Answer(
            world.ask(http.request("POST", "/api/info", f"X-API-Key: {token('a')}", body=b"{}")).received()
        )
        assert answer.status == 401

    def test_wamp_upgrades(self, world):
        wire = world.ask(upgrade(f"/ws?token={token('a')}", "wamp.2.json"))
        answer = Answer(wire.received())
        assert (answer.status, answer.json) == (
            403,
            {"error": "a token only opens streams: log in by WAMP here"},
        )

    def test_wamp_tickets(self, world):
        wire = world.connect(world.join().__class__)
        wire.ask([1, "radio", {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "joe"}])
        (abort,) = [wire.ask([5, token("a"), {}])]
        assert abort[0] == 3
        assert "a listen token is no ticket" in abort[1]["message"]

    @pytest.mark.parametrize("name", ["api_key", "api-key", "API-KEY", "apikey", "apiKey", "x-api-key"])
    @pytest.mark.parametrize(
        "ask",
        [
            lambda query: http.get(f"/listen/a?{query}"),
            lambda query: http.get(f"/listen/a?{query}", KEY),
            lambda query: http.request("POST", f"/publish?{query}", KEY, body=b'{"network":"a","data":{}}'),
            lambda query: http.request("POST", f"/call?{query}", body=b"{}"),
            lambda query: http.request("POST", f"/tokens?{query}", body=b"{}"),
            lambda query: upgrade(f"/listen/a?{query}"),
            lambda query: upgrade(f"/ws?{query}", "wamp.2.json"),
        ],
    )
    def test_keys_in_a_query(self, world, name, ask):
        answer = Answer(world.ask(ask(f"{name}=sample-key")).received())
        assert (answer.status, "never in the query" in answer.json["error"]) == (400, True)

    def test_a_key_in_the_place_of_a_token(self, world):
        for key in ("sample-key", "nobody's"):
            status, body = told(world, key)
            assert (status, "never in the query" in body["error"]) == (403, True)

    def test_both(self, world):
        status, body = told(world, token("a"), "/listen/a", KEY)
        assert (status, body) == (
            400,
            {"error": "show an API key in a header, or a token in the query, not both"},
        )


class TestSilence:
    def test_the_log_has_no_token(self, world):
        lines = []

        def observe(event):
            lines.append(repr(event))

        globalLogPublisher.addObserver(observe)
        try:
            good, bad = token("a"), sign({"alg": "HS256", "kid": "sample"}, GOOD, "x")
            for shown in (good, bad, token("b"), token("a", ttl=-1)):
                told(world, shown, "/listen/a", f"Referer: https://a.example/?token={shown}")
                world.ask(upgrade(f"/listen/a?token={shown}"))
                world.ask(upgrade(f"/ws?token={shown}", "wamp.2.json"))
                world.ask(http.request("POST", f"/publish?token={shown}", body=b"{}"))
                world.ask(http.get(f"/nowhere?token={shown}"))
                world.ask(http.get("/listen/a?wait=0", f"Authorization: Bearer {shown}"))
        finally:
            globalLogPublisher.removeObserver(observe)
        text = "".join(lines)
        assert lines
        assert "refused" in text
        for shown in (good, bad):
            assert shown.rpartition(".")[2] not in text


class TestOtherHands:
    def test_pyjwt_signs_as_we_do(self, world):
        claims = {"exp": int(time.time()) + 60, "listen": ["a"]}
        assert told(world, jwt.encode(claims, PEN, "HS256", headers={"kid": "sample"})) == OPEN

    def test_a_short_signing_secret_is_what_it_is(self, world):
        started(world, '[realms.radio.keys.short]\nkey = "short-key"\nlisten = ["*"]\nsigning = "short"\n')
        assert told(world, token("a", kid="short", secret="short")) == OPEN
        assert told(world, issued(world, "a", key="API-KEY: short-key")) == OPEN
        assert told(world, token("a", kid="short", secret="shor")) == INVALID

    def test_text_of_a_secret_is_utf_8(self, world):
        pen = "schlüssel-ß-0123456789-0123456789-"
        started(world, f'[realms.radio.keys.umlaut]\nkey = "k"\nlisten = ["*"]\nsigning = "{pen}"\n')
        assert told(world, token("a", kid="umlaut", secret=pen)) == OPEN

    def test_base64_is_that_of_urls(self, world):
        shown = token("a", jti="??>>~~")
        assert told(world, shown) == OPEN
        assert told(world, base64.b64encode(shown.encode()).decode())[0] == 403


def test_a_plain_websocket_that_answers_its_close_is_closed(world):
    wire = world.ask(upgrade(f"/listen/a?token={token('a', ttl=5)}"))
    wire.received()
    world.wait(6)
    assert server_frames(wire.received())[0] == [(8, b"\x0f\xa1expired")]
    wire.send(client_frame(0x88, b"\x0f\xa1"))
    assert wire.is_closed


class TestKeysAtRunTime:
    """Keys that were issued while the server runs, and change while tokens of theirs are out."""

    @pytest.fixture
    def world(self, world):
        return started(world, '[realms.radio.roles.open]\ncall = ["*", "radiod.admin.*"]\n')

    @pytest.fixture
    def boss(self, world):
        wire = world.join()

        def call(procedure, *args, **kwargs):
            answer = wire.ask([48, None, {}, f"radiod.admin.key.{procedure}", list(args), kwargs])
            assert answer[0] == 50, answer
            return answer[3][0]

        return call

    @pytest.mark.parametrize("signed", [True, False])
    def test_their_tokens_open_streams_until_they_are_revoked(self, world, boss, signed):
        key = boss("issue", listen=["a"], signed=signed)
        shown = issued(world, "*", key=f"API-KEY: {key['key']}")
        assert told(world, shown) == OPEN
        stream = listen(world, shown, "/listen/a", LINES)
        stream.received()
        assert boss("revoke", key["id"]) == {"id": key["id"], "state": "revoked", "ended": 1}
        assert dechunked(stream.received()) == '{"end": "revoked"}\n\n'
        assert told(world, shown) == no("revoked")

    def test_they_may_be_signed_with_the_secret_that_was_told(self, world, boss):
        key = boss("issue", listen=["a"], signed=True)
        assert told(world, token("a", kid=key["id"], secret=key["signing"])) == OPEN

    def test_what_a_key_may_not_any_more_ends_for_its_tokens(self, world, boss):
        key = boss("issue", listen=["a", "b"], signed=True)
        shown = token("a", "b", kid=key["id"], secret=key["signing"])
        a, b = (listen(world, shown, f"/listen/{channel}", SSE) for channel in "ab")
        for stream in (a, b):
            stream.received()
        boss("update", key["id"], listen=["b", "c"])
        world.wait(0)
        assert (a.received()[-5:], b.received()) == (b"0\r\n\r\n", b"")
        assert (told(world, shown)[0], told(world, shown, "/listen/c")[0]) == (403, 403)
        world.join().say([16, 1, {}, "b", [7]])
        assert dechunked(b.received()) == "data: 7\n\n"

    def test_a_rotated_secret_gets_no_more_tokens(self, world, boss):
        key = boss("issue", listen=["a"])
        boss("rotate", key["id"], overlap=0)
        answer = issue(world, {"listen": ["a"]}, key=f"API-KEY: {key['key']}")
        assert (answer.status, answer.json["reason"]) == (403, "rotated")
