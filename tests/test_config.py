"""The configuration: defaults, every kind of mistake, secrets that stay secret."""

import contextlib
import datetime
import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from radiod import config
from radiod.config import Config, ConfigError, Disclose, Isolated, Kdf, Method, Policy
from radiod.config.places import placed_endpoint
from radiod.config.tracing import headers_of
from radiod.core.delivery import settings
from radiod.core.plans import Plan

HERE = Path()
DOCS = Path(__file__).parents[1] / "docs" / "configuration.md"

EVERYTHING = """
[[listen]]
endpoint = "tcp:8080:interface=127.0.0.1"

[[listen]]
endpoint = "unix:/run/radiod.sock"

[http]
origins = ["https://www.example.org", "http://localhost:3000", "null", "*"]

[store]
path = "radiod.sqlite"

[admin]
socket = "admin.sock"

[limits]
max_message_bytes = 65536
call_timeout_s = 2.5
max_upload_bytes = 10_000_000_000
idempotency_s = 60

[realms.radio]
anonymous = "listener"
undeclared_topics = false
cookie_lifetime_s = 3600

[realms.radio.roles.writer]
subscribe = ["*"]
publish = ["traffic.*", "a..c", "exact.name"]
call = ["*"]
register = ["town.*"]
deny = ["traffic.private"]
disclose = "always"
disclosed = ["who.*"]

[realms.radio.roles.guest]
authorizer = "com.example.authorize"
authorizer_timeout_s = 2.5
authorizer_cache_s = 0

[realms.radio.dynamic]
methods = ["ticket", "wampcra", "wamp-scram", "scram", "cryptosign"]
hook = "https://example.com/authenticate"
hook_token = "very-secret-token"
timeout_s = 2
cache_s = 0
max_cache = 10

[realms.radio.users.generator]
role = "writer"
ticket = "very-secret-ticket"
wampcra = { secret = "very-secret-password", salt = "x", iterations = 2000, keylen = 32 }
cryptosign = ["abababababababababababababababababababababababababababababababab"]

[realms.radio.users.generator.scram]
kdf = "argon2id13"
salt = "00ff"
iterations = 2
memory = 64
stored_key = "5ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3"
server_key = "5ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3"

[realms.radio.keys.sample]
key = "very-secret-key"
publish = ["sample_net"]
listen = ["*"]
call = ["town.*", "wamp.session.count"]
signing = "very-secret-signer"

[realms.radio.channels.sample_net]
history = { size = 1000, seconds = 3600 }
buffer = { size = 10, policy = "skip", every = 2, min_interval = 0.5, latest = true, max_bytes = 1000 }
aliases = ["/macro/sample/"]

[realms.radio.channels."traffic.*"]
durable = true

[realms.radio.channels."idle.*"]
"""


SECRETS = ("very-secret", "5ec3e7")


def parse(text):
    return Config.parse(text, HERE)


def mistake(text):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_without_a_file_radiod_serves_listeners_on_loopback():
    default = Config()
    assert default == parse("")
    assert [listen.endpoint for listen in default.listen] == ["tcp:8080:interface=127.0.0.1"]
    realm = default.realms["radio"]
    assert realm.anonymous == "listener"
    assert realm.roles["listener"] == config.Role(subscribe=("*",), call=("*",))
    assert realm.keys == {}


def test_a_realm_that_does_not_name_anonymous_refuses_anonymous_sessions():
    assert parse("[realms.radio]").realms["radio"].anonymous is None


def test_every_key_is_parsed():
    parsed = parse(EVERYTHING)
    assert [listen.endpoint for listen in parsed.listen][1] == "unix:/run/radiod.sock"
    assert parsed.limits.call_timeout_s == 2.5
    assert (parsed.limits.max_upload_bytes, parsed.limits.idempotency_s) == (10_000_000_000, 60)
    assert parsed.http.origins == ("https://www.example.org", "http://localhost:3000", "null", "*")
    realm = parsed.realms["radio"]
    assert realm.cookie_lifetime_s == 3600
    assert set(realm.roles) == {"listener", "writer", "guest"}
    guest = realm.roles["guest"]
    assert (guest.authorizer, guest.authorizer_timeout_s) == ("com.example.authorize", 2.5)
    assert guest.authorizer_cache_s == 0
    assert realm.roles["writer"].publish == ("traffic.*", "a..c", "exact.name")
    assert realm.users["generator"].ticket.matches("very-secret-ticket")
    assert realm.keys["sample"].key.reveal() == "very-secret-key"
    assert realm.keys["sample"].call == ("town.*", "wamp.session.count")
    assert realm.keys["sample"].signing.matches("very-secret-signer")
    assert realm.roles["writer"].disclose is Disclose.ALWAYS
    assert [method.value for method in realm.dynamic.methods] == documented_methods()
    assert realm.dynamic.hook == "https://example.com/authenticate"
    assert realm.dynamic.hook_token.matches("very-secret-token")
    generator = realm.users["generator"]
    assert generator.wampcra.secret.matches("very-secret-password")
    assert (generator.wampcra.salt, generator.wampcra.iterations) == ("x", 2000)
    assert (generator.scram.kdf, generator.scram.memory) == (Kdf.ARGON2ID13, 64)
    assert realm.channels["sample_net"].history == config.History(size=1000, seconds=3600)
    assert realm.channels["sample_net"].aliases == ("/macro/sample/",)
    buffer = realm.channels["sample_net"].buffer
    assert (buffer.policy, buffer.every, buffer.latest) == (Policy.SKIP, 2, True)


def test_what_has_no_effect_yet_is_named():
    assert parse(EVERYTHING).not_yet() == [
        "realms.radio.channels.'idle.*': a pattern that sets nothing",
    ]
    assert Config().not_yet() == []


USER = "[realms.r.users.u]\nrole = 'listener'\n"
WHSEC = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
WEBHOOK = "[realms.r.webhooks.h]\n"
HOOKED = f"{WEBHOOK}url = 'https://a'\nsecret = '{WHSEC}'\n"
DYNAMIC = "[realms.r.dynamic]\nmethods = ['ticket']\n"
DECIDED_BY_THE_AUTHORIZER = {
    "subscribe": "['*']",
    "publish": "['a']",
    "call": "['a']",
    "register": "['a']",
    "deny": "['a']",
    "disclose": "'never'",
    "disclosed": "['a']",
    "trustlevel": "0",
}
CALL_HINT = "realms.r.keys.k.call: 'a*' is no URI pattern; did you mean 'a.*'?"
SCRAM = (
    "scram = {kdf = 'argon2id13', salt = '00', iterations = 2, memory = 8, "
    "stored_key = 'very-secret', server_key = 'very-secret'}"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "port = 1",
            "port: unknown key; there are "
            "listen, http, store, admin, log, usage, metrics, operations, otel, cluster, limits, plans, "
            "accounts, realms",
        ),
        ("[limit]", "limit: unknown key; did you mean limits?"),
        ("[limits]\nmax_conections = 3", "limits.max_conections: unknown key; did you mean max_connections?"),
        ("[limits]\nmax_connections = 0", "limits.max_connections: Expected `int` >= 1"),
        ("[limits]\nmax_connections = true", "limits.max_connections: Expected `int`, got `bool`"),
        ("[limits]\ncall_timeout_s = -1", "limits.call_timeout_s: Expected `float` >= 0.1"),
        ("[limits]\ncall_timeout_s = nan", "limits.call_timeout_s: Expected `float` >= 0.1"),
        ("[limits]\nmax_message_bytes = 16777217", "limits.max_message_bytes: Expected `int` <= 16777216"),
        ("limits = 3", "limits: expected a table"),
        ("listen = []", "listen: at least one endpoint is needed"),
        ("listen = 'tcp:1'", "listen: expected an array of tables"),
        ("[[listen]]\nendpoint = 3", "listen.[0].endpoint: Expected `str`, got `int`"),
        ("[realms]", "realms: at least one realm is needed"),
        ("[realms.'a b']", "realms.'a b': a realm's name must be a URI"),
        ("[realms.r]\nanonymous = 'x'", "realms.r.anonymous: no such role 'x' (known: listener)"),
        ("[realms.r.users.u]\nrole = 'x'", "realms.r.users.u.role: no such role 'x' (known: listener)"),
        ("[realms.r.users.u]", "realms.r.users.u.role: missing"),
        ("[realms.r.users.u]\nrole = 'listener'\nticket = ''", "realms.r.users.u.ticket: is empty"),
        ("[realms.r.keys.k]", "realms.r.keys.k.key: missing; give key, key_file, key_env or key_credential"),
        ("[realms.r.keys.k]\nkey = 'a'\nsigning = ''", "realms.r.keys.k.signing: is empty"),
        (
            "[realms.r.keys.k]\nkey = 'a'\nsigning = 'a'\nsigning_file = 'b'",
            "realms.r.keys.k.signing_file: given together with signing",
        ),
        ("[realms.r.keys.k]\nkey = 'a'\ncall = ['a*']", CALL_HINT),
        *(
            (
                f"[realms.r.keys.k]\nkey = 'x'\n{first}\n[realms.s.keys.k]\nkey = 'y'\n{second}",
                "realms.s.keys.k: the same name as realms.r.keys.k, and one of the two has signing",
            )
            for first, second in (("signing = 'a'", ""), ("", "signing = 'a'"))
        ),
        ("[http]\norigin = []", "http.origin: unknown key; did you mean origins?"),
        ("[http]\norigins = 'a'", "http.origins: Expected `array`, got `str`"),
        *(
            (
                f"[http]\norigins = ['null', '{origin}']",
                f'http.origins.[1]: \'{origin}\' must be as "https://www.example.org", "null" or "*"',
            )
            for origin in ("", "www.example.org", "https://a/", "HTTPS://a", "ws://a")
        ),
        ("[limits]\nidempotency_s = 0", "limits.idempotency_s: Expected `float` >= 0.1"),
        ("[limits]\nmax_upload_bytes = 1", "limits.max_upload_bytes: Expected `int` >= 512"),
        ("[realms.r.keys.k]\nkey = 3", "realms.r.keys.k.key: expected a string"),
        ("[realms.r.keys.k]\nkey = 'a'\nkey_env = 'B'", "realms.r.keys.k.key_env: given together with key"),
        ("[realms.r.keys.k]\nkey_env = 'NOT_SET'", "realms.r.keys.k.key_env: no such environment variable"),
        (
            "[realms.r.keys.k]\nkey_file = '/no'",
            "realms.r.keys.k.key_file: cannot be read: No such file or directory",
        ),
        ("[realms.r.keys.k]\nkey = 'a'\nlisten = ['a b']", "realms.r.keys.k.listen: 'a b' is no URI pattern"),
        (
            '[realms.r.keys.k]\nkey = "a\\n"',
            "realms.r.keys.k.key: no header can carry control characters, or spaces at its ends",
        ),
        (
            "[realms.r.keys.k]\nkey = ' a'",
            "realms.r.keys.k.key: no header can carry control characters, or spaces at its ends",
        ),
        ("[limits]\nping_interval_s = 1e-9", "limits.ping_interval_s: Expected `float` >= 0.1"),
        ("[limits]\nlog_interval_s = 0", "limits.log_interval_s: Expected `float` >= 0.1"),
        (
            "[realms.r.keys.a]\nkey = 'x'\n[realms.r.keys.b]\nkey = 'x'",
            "realms.r.keys.b: the same key as realms.r.keys.a",
        ),
        (
            "[realms.r.roles.l]\nsubscribe = ['a*']",
            "realms.r.roles.l.subscribe: 'a*' is no URI pattern; did you mean 'a.*'?",
        ),
        ("[realms.r.roles.l]\npublish = ['a.*.b']", "realms.r.roles.l.publish: 'a.*.b' is no URI pattern"),
        ("[realms.r.roles.l]\npublish = ['']", "realms.r.roles.l.publish: '' is no URI pattern"),
        ("[realms.r.roles.l]\ndisclose = 'x'", "realms.r.roles.l.disclose: Invalid enum value 'x'"),
        (
            "[realms.r.channels.'wamp.x']",
            "realms.r.channels.'wamp.x': names under wamp. and radiod. belong to the router",
        ),
        (
            "[realms.r.channels.a]\npublic = false",
            "realms.r.channels.a.key: missing: a private channel needs one; "
            "give key, key_file, key_env or key_credential",
        ),
        ("[realms.r.channels.a]\nkey = 'k'", "realms.r.channels.a.key: goes with public = false"),
        (
            "[realms.r.channels.'a.*']\npublic = false\nkey = 'k'",
            "realms.r.channels.'a.*'.public: goes with one channel, not with a pattern",
        ),
        (
            "[realms.r.channels.'a.*']\nkey = 'k'",
            "realms.r.channels.'a.*'.key: goes with one channel, not with a pattern",
        ),
        (
            "[realms.r.channels.'a.*']\nsingle_writer = true",
            "realms.r.channels.'a.*'.single_writer: goes with one channel, not with a pattern",
        ),
        (
            "[realms.r.channels.a]\naliases = ['x']",
            "realms.r.channels.a.aliases.[0]: 'x' must be a path that is not radiod's own",
        ),
        (
            "[realms.r.channels.a]\naliases = ['/listen/x']",
            "realms.r.channels.a.aliases.[0]: '/listen/x' must be a path that is not radiod's own",
        ),
        (
            "[realms.r.channels.a]\naliases = ['/x']\n[realms.r.channels.b]\naliases = ['/x']",
            "realms.r.channels.b.aliases.[0]: '/x' is realms.r.channels.a.aliases.[0] already",
        ),
        (
            "[realms.r.channels.a]\nbuffer = {size = -1}",
            "realms.r.channels.a.buffer.size: Expected `int` >= 0",
        ),
        ("a = [", "not TOML: Invalid value (at line 1, column 6)"),
        ("[limits]\nx = 'ab", 'not TOML: Expected "\'" (at line 2, column 8)'),
        ("[limits]\nx = \ny = 1", "not TOML: Invalid value (at line 2, column 5)"),
        ("x = " + "9" * 5000, "not TOML: a number is too long"),
        ("x = " + "[" * 5000, "not TOML: nested too deep"),
        ("[[listen]]", "listen.[0].endpoint: missing"),
        ("[[listen]]\nendpont = 'x'", "listen.[0].endpont: unknown key; did you mean endpoint?"),
        ("[limits]\ncall_timeout_s = inf", "limits.call_timeout_s: Expected `float` <= 86400.0"),
        (f"[limits]\ncall_timeout_s = {'9' * 400}", "limits.call_timeout_s: Number out of range"),
        (
            "[realms.r.channels.a]\nbuffer = {sise = 1}",
            "realms.r.channels.a.buffer.sise: unknown key; did you mean size?",
        ),
        (
            "[realms.r.channels.a]\naliases = ['/x', '/x']",
            "realms.r.channels.a.aliases.[1]: '/x' is realms.r.channels.a.aliases.[0] already",
        ),
        (
            "[realms.r.channels.'a.*']\naliases = ['/x']",
            "realms.r.channels.'a.*'.aliases: a path leads to one channel, not to a pattern",
        ),
        (
            "[realms.r.roles.\"a\\nb\"]\n[realms.r.users.u]\nrole = 'x'",
            "realms.r.users.u.role: no such role 'x' (known: listener, 'a\\nb')",
        ),
        (
            "[realms.r.keys.\"a\\nb\"]\nkey = 'x'\n[realms.r.keys.b]\nkey = 'x'",
            "realms.r.keys.b: the same key as realms.r.keys.'a\\nb'",
        ),
        (
            "[realms.r.roles.l]\ndisclose = 'x - at `$.y`'",
            "realms.r.roles.l.disclose: Invalid enum value 'x - at `$.y`'",
        ),
        ("[realms.r]\nanonymous = 2020-01-01", "realms.r.anonymous: Expected `str | null`, got `date`"),
        ("[realms.r.roles.l]\ndeny = ['a', 3]", "realms.r.roles.l.deny.[1]: Expected `str`, got `int`"),
        ('[realms.r.keys.k]\nkey_file = "a\\u0000"', "realms.r.keys.k.key_file: no path"),
        (
            USER + "wampcra = {salt = 'x'}",
            "realms.r.users.u.wampcra.secret: missing; "
            "give secret, secret_file, secret_env or secret_credential",
        ),
        (
            USER + "wampcra = {secrt = 'x'}",
            "realms.r.users.u.wampcra.secrt: unknown key; did you mean secret?",
        ),
        (
            USER + "cryptosign = ['ab']",
            "realms.r.users.u.cryptosign.[0]: Expected `str` matching regex '^[0-9a-fA-F]{64}$'",
        ),
        (
            USER + SCRAM.replace("memory = 8, ", ""),
            "realms.r.users.u.scram.memory: goes with kdf argon2id13, and only with it",
        ),
        (
            USER + SCRAM.replace("argon2id13", "pbkdf2"),
            "realms.r.users.u.scram.memory: goes with kdf argon2id13, and only with it",
        ),
        ("[realms.r.roles.l]\nburst = 5", "realms.r.roles.l.burst: without rate it means nothing"),
        *(
            (
                f"[realms.r.roles.l]\nauthorizer = 'a.b'\n{key} = {value}",
                f"realms.r.roles.l.{key}: the authorizer decides this: leave out one of the two",
            )
            for key, value in DECIDED_BY_THE_AUTHORIZER.items()
        ),
        *(
            (
                f"[realms.r.roles.l]\nauthorizer = '{procedure}'",
                f"realms.r.roles.l.authorizer: '{procedure}' is no procedure that a client may register",
            )
            for procedure in ("a b", "a..b", "a.*", "*", "wamp.authorize", "radiod.x")
        ),
        ("[realms.r.dynamic]\nprocedure = 'a'", "realms.r.dynamic.methods: missing"),
        (
            "[realms.r.dynamic]\nmethods = []\nprocedure = 'a'",
            "realms.r.dynamic.methods: at least one method is needed",
        ),
        (
            "[realms.r.dynamic]\nmethods = ['anonymous']",
            "realms.r.dynamic.methods.[0]: Invalid enum value 'anonymous'",
        ),
        (DYNAMIC, "realms.r.dynamic: give one of procedure and hook"),
        (
            DYNAMIC + "procedure = 'a'\nhook = 'https://a'",
            "realms.r.dynamic: give one of procedure and hook",
        ),
        (
            DYNAMIC + "procedure = 'wamp.a'",
            "realms.r.dynamic.procedure: 'wamp.a' is no procedure that a client may register",
        ),
        (
            DYNAMIC + "procedure = 'a'\nhook_token = 'very-secret'",
            "realms.r.dynamic.hook_token: goes with hook, and only with it",
        ),
        (
            DYNAMIC + "hook = 'https://a'\nhook_token = 'very-secret\u00e9'",
            "realms.r.dynamic.hook_token: must be printable ASCII without spaces",
        ),
        (
            DYNAMIC + "hook = 'https://a'\nhook_token = 'a'\nhook_token_env = 'A'",
            "realms.r.dynamic.hook_token_env: given together with hook_token",
        ),
        (WEBHOOK, "realms.r.webhooks.h.url: missing"),
        (
            f"{WEBHOOK}url = 'https://a'\nchannels = ['a']",
            "realms.r.webhooks.h.secret: missing; give secret, secret_file, secret_env or secret_credential",
        ),
        *(
            (
                f"{HOOKED.replace(WHSEC, wrong)}channels = ['a']",
                "realms.r.webhooks.h.secret: must be whsec_ and the base64 of 24 to 64 bytes",
            )
            for wrong in ("secret", WHSEC[6:], f"{WHSEC}!", "whsec_YWFh", "whsec_" + "A" * 88)
        ),
        (
            f"{HOOKED}channels = ['a']\nold_secret = 'very-secret'",
            "realms.r.webhooks.h.old_secret: must be whsec_ and the base64 of 24 to 64 bytes",
        ),
        (HOOKED, "realms.r.webhooks.h.channels: goes with events of channels, and only with them"),
        (
            f"{HOOKED}channels = ['a']\nevents = ['key.revoked']",
            "realms.r.webhooks.h.channels: goes with events of channels, and only with them",
        ),
        (f"{HOOKED}channels = ['a']\nevents = []", "realms.r.webhooks.h.events: at least one is needed"),
        (f"{HOOKED}channels = ['a b']", "realms.r.webhooks.h.channels: 'a b' is no URI pattern"),
        (
            f"{HOOKED}channels = ['radiod.*']",
            "realms.r.webhooks.h.channels: names under wamp. and radiod. belong to the router",
        ),
        (
            f"{HOOKED}channels = ['a']\nevents = ['channel.evnt']",
            "realms.r.webhooks.h.events.[0]: Invalid enum value 'channel.evnt'",
        ),
        (
            USER + SCRAM.replace("very", "nearly"),
            "realms.r.users.u.scram.stored_key: must be 32 bytes in hex",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(text, message):
    assert mistake(text) == message


HOOKS = {
    "https://example.com/auth": True,
    "https://example.com:8443/auth?realm=1": True,
    "http://localhost:9000/": True,
    "http://127.0.0.1:9000/auth": True,
    "http://[::1]:9000/auth": True,
    "http://example.com/auth": False,
    "http://127.0.0.1.example.com/": False,
    "http://localhost@example.com/": False,
    "https://user:secret@example.com/": False,
    "https://": False,
    "https://:443/": False,
    "https://example.com:0/": False,
    "https://example.com:99999/": False,
    "https://example.com:x/": False,
    "https://[::1/": False,
    "https://exa mple.com/": False,
    "https://exämple.com/": False,
    "ftp://example.com/": False,
    "example.com": False,
    "/auth": False,
}


@pytest.mark.parametrize(("hook", "is_right"), HOOKS.items())
def test_a_hook_is_asked_where_nobody_else_reads_it(hook, is_right):
    text = f"{DYNAMIC}hook = '{hook}'"
    if is_right:
        assert parse(text).realms["r"].dynamic.hook == hook
    else:
        assert mistake(text).endswith("hook: must be an https: URL, or an http: URL of this machine")
    text = HOOKED.replace("https://a", hook) + "channels = ['a']"
    if is_right:
        assert parse(text).realms["r"].webhooks["h"].url == hook
    else:
        assert mistake(text).endswith("url: must be an https: URL, or an http: URL of this machine")


ENDPOINTS = {
    "http://127.0.0.1:4318": "http://127.0.0.1:4318/v1/traces",
    "http://collector.lan:4318/": "http://collector.lan:4318/v1/traces",
    "https://collector.example/own/way": "https://collector.example/own/way",
    "http://[::1]:4318": "http://[::1]:4318/v1/traces",
    "collector:4318": None,
    "127.0.0.1:4318": None,
    "grpc://collector:4317": None,
    "https://": None,
    "http://h:0": None,
    "http://h:99999": None,
    "http://h h/": None,
    "http://me:secret@h/": None,
    "http://h/?key=secret": None,
    "http://h/#x": None,
}


@pytest.mark.parametrize(("endpoint", "url"), ENDPOINTS.items())
def test_spans_go_to_a_url_that_shows_no_secret(endpoint, url):
    text = f"[otel]\nendpoint = '{endpoint}'"
    if url is None:
        told = mistake(text)
        assert told.startswith("otel.endpoint: ")
        assert "secret" not in told.removesuffix("what is secret belongs into headers")
    else:
        assert parse(text).otel.url == url
    assert parse("").otel.url == ""


NATS = '[cluster]\nnats = ["nats://10.0.0.1:4222"]\n'


class TestCluster:
    """``[cluster]``: what is taken, and the line that each mistake is."""

    def test_is_on_where_servers_are_named(self):
        assert not parse("").cluster.is_on
        on = parse('[cluster]\nnats = ["nats://a:4222", "tls://[::1]:4222"]\nnode = "n-1"').cluster
        assert (on.is_on, on.name, on.node, on.replicas, on.isolated) == (
            True,
            "radiod",
            "n-1",
            3,
            Isolated.ISLAND,
        )

    def test_paths_are_beside_the_file(self, tmp_path):
        text = NATS + 'ca = "ca.pem"\ncertificate = "/c.pem"\nkey = "k.pem"'
        made = Config.parse(text, tmp_path).cluster
        assert (made.ca, made.certificate, made.key) == (
            str(tmp_path / "ca.pem"),
            "/c.pem",
            str(tmp_path / "k.pem"),
        )

    def test_the_secret_of_all_nodes_is_given_in_a_file_or_otherwise(self, tmp_path, monkeypatch):
        (tmp_path / "secret").write_text("s" * 44 + "\n")
        monkeypatch.setenv("OTHER", "o" * 44)
        text = NATS + 'secret_file = "secret"\nother_secret_env = "OTHER"'
        made = Config.parse(text, tmp_path).cluster
        assert made.secret.reveal() == "s" * 44
        assert made.other_secret.reveal() == "o" * 44
        assert "sss" not in repr(made)

    @pytest.mark.parametrize(
        "url", ["", "a:4222", "http://a", "nats://", "nats://a:0", "nats://a/x", "nats://a?b"]
    )
    def test_a_server_is_a_url(self, url):
        told = mistake(f'[cluster]\nnats = ["{url}"]')
        assert told == "cluster.nats.[0]: must be a URL as nats://127.0.0.1:4222 or tls://nats.example:4222"

    def test_a_password_in_a_url_is_not_shown(self):
        told = mistake('[cluster]\nnats = ["nats://me:secret@a"]')
        assert told.startswith("cluster.nats.[0]: no user here")
        assert "secret" not in told

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ('node = "a"', "cluster.node: goes with nats, and only with it"),
            ('token = "t"', "cluster.token: goes with nats, and only with it"),
            ("replicas = 1", "cluster.replicas: goes with nats, and only with it"),
        ],
    )
    def test_nothing_is_said_without_servers(self, text, told):
        assert mistake("[cluster]\n" + text) == told

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ('name = "a.b"', "cluster.name: must have 1 to 64 letters, digits, - and _"),
            ('node = ""', "cluster.node: must have 1 to 64 letters, digits, - and _"),
            ('user = "me"', "cluster.user: user and password go together"),
            ('password = "p"', "cluster.user: user and password go together"),
            ('token = "t"\nnkey = "n"', "cluster.nkey: one way to log in is enough: there is token"),
            ('key = "k.pem"', "cluster.certificate: certificate and key go together"),
            (f'other_secret = "{"x" * 32}"', "cluster.other_secret: goes with secret, and only with it"),
            (
                f'secret = "{"x" * 31}"',
                "cluster.secret: must have at least 32 characters: `openssl rand -base64 32` makes one",
            ),
            (
                f'secret = "{"x" * 32}"\nother_secret = "y"',
                "cluster.other_secret: must have at least 32 characters: `openssl rand -base64 32` makes one",
            ),
        ],
    )
    def test_a_mistake_names_the_key(self, text, told):
        assert mistake(NATS + text) == told

    def test_a_port_is_shared_among_nodes_only(self):
        listen = '[[listen]]\nendpoint = "tcp:8080:shared=1:interface=127.0.0.1"\n'
        assert mistake(listen).startswith("listen.[0].endpoint: shared=1 needs [cluster]")
        assert parse(listen + NATS).cluster.is_on
        assert parse(listen.replace("shared=1", "shared=0")).listen


class TestHeadersOfSpans:
    @pytest.mark.parametrize(
        ("given", "headers"),
        [
            ("x-api-key=very%20secret", {"x-api-key": "very secret"}),
            (
                "Authorization=Basic YTpi,x-t = town ",
                {"authorization": "Basic YTpi", "x-t": "town"},
            ),
            ("a=1\\n\\nb=2\\n", {"a": "1", "b": "2"}),
            ("a=b=c", {"a": "b=c"}),
        ],
    )
    def test_are_as_the_environment_has_them(self, given, headers):
        parsed = parse(f'[otel]\nendpoint = "https://h"\nheaders = "{given}"')
        assert headers_of(parsed.otel.headers) == headers

    @pytest.mark.parametrize(
        "given",
        ["secret", "=secret", "a b=secret", "a=", "a=%0asecret", "ä=secret", "host=secret", "a=secrét"],
    )
    def test_that_are_none_are_told_without_them(self, given):
        told = mistake(f'[otel]\nendpoint = "https://h"\nheaders = "{given}"')
        assert told == "otel.headers: header 1 must be as name=value"

    def test_go_only_where_nobody_else_reads_them(self):
        for host, is_right in (("http://localhost:1", True), ("https://h", True), ("http://h", False)):
            text = f'[otel]\nendpoint = "{host}"\nheaders = "a=1"'
            if is_right:
                assert parse(text).otel.headers is not None
            else:
                assert mistake(text) == (
                    "otel.endpoint: with headers it must be an https: URL, or an http: URL of this machine"
                )

    def test_go_somewhere(self):
        assert mistake('[otel]\nheaders = "a=1"') == "otel.headers: goes with endpoint, and only with it"

    def test_that_are_not_read_are_not_looked_at(self):
        text = '[otel]\nendpoint = "https://h"\nheaders_file = "none"'
        assert Config.parse(text, HERE, secrets=False).otel.headers is not None


PATTERNS = {
    "*": True,
    "a.b.c": True,
    "a.b.*": True,
    "a..c": True,
    "..": True,
    "ä.#": False,
    "ä.ö-1_@/x": True,
    "": False,
    "a b": False,
    "a\t": False,
    "a\n": False,
    "a\x01b": False,
    "a*": False,
    "*a": False,
    "a.*.b": False,
    "a.*.*": False,
    "*.*": False,
    ".*": False,
    "a..*": False,
    "x" * 255: True,
    "x" * 256: False,
}


@pytest.mark.parametrize(("pattern", "is_right"), PATTERNS.items(), ids=repr)
@pytest.mark.parametrize("table", ["roles", "keys", "channels"])
def test_patterns_are_exact_or_a_prefix_or_a_wildcard_or_everything(pattern, is_right, table):
    node = {
        "roles": {"r": {"call": [pattern]}},
        "keys": {"k": {"key": "very-secret", "listen": [pattern]}},
        "channels": {pattern: {}},
    }
    tree = {"realms": {"r": {table: node[table]}}}
    if is_right:
        assert config.from_tree(tree, HERE)
    else:
        with pytest.raises(ConfigError, match="is no URI pattern"):
            config.from_tree(tree, HERE)


@pytest.mark.parametrize("name", ["radiod.x", "radiod.*", "wamp.x", "wamp..x"])
def test_channels_stay_out_of_the_routers_own_names(name):
    assert "belong to the router" in mistake(f"[realms.r.channels.'{name}']")


@pytest.mark.parametrize(
    "alias", ["/macro/sample/", "/x", "/x/", "/wsx", "/a/listen", "/.well-known", "/%C3%A4"]
)
def test_an_alias_is_any_path_of_its_own(alias):
    assert parse(f"[realms.r.channels.a]\naliases = ['{alias}']")


@pytest.mark.parametrize(
    "alias",
    ["/", "", "x", "//x", "/a//b", "/a/../b", "/.", "/a?b", "/a#b", "/a b", "/ä", "/ws", "/ws/"]
    + [f"/{own}" for own in sorted(config.OWN_PATHS)]
    + ["/api/publish", "/channels/x", "/listen/sample_net"],
)
def test_an_alias_that_no_request_reaches_or_radiod_answers_itself_is_refused(alias):
    assert "must be a path that is not radiod's own" in mistake(
        f"[realms.r.channels.a]\naliases = ['{alias}']"
    )


@pytest.mark.parametrize("realm", ["''", "'a b'", "'a..b'", "'a.'", "x" * 256])
def test_a_realm_is_named_by_a_uri(realm):
    assert mistake(f"[realms.{realm}]").endswith("a realm's name must be a URI")


def test_realms_may_have_keys_of_one_name_that_sign_nothing():
    parsed = parse("[realms.r.keys.k]\nkey = 'x'\n[realms.s.keys.k]\nkey = 'y'")
    assert [list(realm.keys) for realm in parsed.realms.values()] == [["k"], ["k"]]


def test_an_error_carries_its_key_and_message(tmp_path):
    file = tmp_path / "radiod.toml"
    file.write_text("[realms.radio.users.'my user']\nrole = 'x'")
    with pytest.raises(ConfigError) as caught:
        Config.load(file)
    assert caught.value.path == ("realms", "radio", "users", "my user", "role")
    assert caught.value.message == "no such role 'x' (known: listener)"
    assert str(caught.value) == f"{file}: realms.radio.users.'my user'.role: {caught.value.message}"


def test_the_built_in_role_may_be_redefined():
    realm = parse("[realms.r.roles.listener]\nsubscribe = ['a.*']").realms["r"]
    assert realm.roles == {"listener": config.Role(subscribe=("a.*",))}


@pytest.mark.parametrize("key", ["ticket_file", "ticket_env", "ticket_credential"])
def test_secrets_that_are_elsewhere_need_not_be_looked_at(tmp_path, key):
    scram = SCRAM.replace("very-secret", "0" * 64).replace("stored_key =", "stored_key_credential =")
    text = f"{USER}{key} = 'nosuch'\n{scram}"
    with pytest.raises(ConfigError):
        Config.parse(text, tmp_path)
    assert Config.parse(text, tmp_path, secrets=False).realms["r"].users["u"].ticket is not None
    with pytest.raises(ConfigError, match="ticket_file: expected a string"):
        Config.parse(f"{USER}ticket_file = 3", tmp_path, secrets=False)
    # What the file itself holds is looked at all the same.
    with pytest.raises(ConfigError, match="ticket: is empty"):
        Config.parse(f"{USER}ticket = ''", tmp_path, secrets=False)


def test_secrets_come_from_files_and_the_environment(tmp_path, monkeypatch):
    (tmp_path / "key").write_text("from-file\n")
    monkeypatch.setenv("RADIOD_TEST_TICKET", "from-environment")
    text = (
        "[realms.r.keys.k]\nkey_file = 'key'\n"
        "[realms.r.users.u]\nrole = 'listener'\nticket_env = 'RADIOD_TEST_TICKET'"
    )
    realm = Config.parse(text, tmp_path).realms["r"]
    assert realm.keys["k"].key.matches("from-file")
    assert realm.users["u"].ticket.matches("from-environment")


def is_silent(text):
    return not any(secret in text for secret in SECRETS)


def test_secrets_show_nowhere():
    parsed = parse(EVERYTHING)
    assert is_silent(repr(parsed))
    assert is_silent(str(parsed))
    assert repr(parsed).count("Secret('…')") == 7
    assert str(parsed.realms["radio"].keys["sample"].key) == "Secret('…')"


LINES = EVERYTHING.splitlines()
HARM = {
    "dropped": lambda line: "",
    "doubled": lambda line: f"{line}\n{line}",
    "cut": lambda line: line[: len(line) * 2 // 3],
    "number": lambda line: re.sub("= .*", "= 0", line),
    "misspelt": lambda line: "x" + line,
    "unquoted": lambda line: line.replace('"', ""),
    "wrong way": lambda line: re.sub(r"^(\w+|.*\bsecret) =", r"\1_file =", line),
    "wrong variable": lambda line: re.sub(r"^(\w+|.*\bsecret) =", r"\1_env =", line),
    "in a list": lambda line: re.sub("= (.*)", r"= [\1]", line),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
@pytest.mark.parametrize("number", range(len(LINES)))
def test_no_mistake_tells_a_secret(number, harm):
    text = "\n".join([*LINES[:number], harm(LINES[number]), *LINES[number + 1 :]])
    try:
        told = repr(parse(text))
    except ConfigError as error:
        told = str(error)
        assert len(told.splitlines()) == 1
    assert is_silent(told)


@pytest.mark.parametrize(
    ("content", "end"),
    [
        (b"\xff", "not UTF-8"),
        ("x=1".encode("utf-16"), "UTF-16, not UTF-8"),
        (b"\0", "with NUL characters, as UTF-16 and binary files have, not UTF-8"),
        (b"x = ", "not TOML: Invalid value (at line 1, column 5)"),
        (b"x=1", ""),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, content, end):
    file = tmp_path / "radiod.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Config.load(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert str(caught.value).endswith(end)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        Config.load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        Config.load(tmp_path)


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/mem"])
def test_a_file_that_never_ends_or_fails_is_refused(path):
    with pytest.raises(ConfigError) as caught:
        Config.load(Path(path))
    assert str(caught.value) in (f"{path}: longer than 16777216 bytes", f"{path}: Input/output error")


@pytest.mark.parametrize(
    ("text", "socket"),
    [("", "radiod-admin.sock"), ("[admin]\nsocket = 'a/b.sock'", "a/b.sock"), ("[admin]\nsocket = ''", None)],
)
def test_the_admin_socket_is_beside_the_file_unless_it_says_otherwise(tmp_path, text, socket, monkeypatch):
    file = tmp_path / "radiod.toml"
    file.write_text(text)
    monkeypatch.chdir(tmp_path)
    for path in (file, Path("radiod.toml")):
        assert Config.load(path).admin.path(path) == ("" if socket is None else str(tmp_path / socket))


def test_without_a_file_there_is_an_admin_socket_only_if_it_is_asked_for():
    assert Config().admin.path(None) == ""
    assert config.Admin(socket="a.sock").placed(Path("/run")).path(None) == "/run/a.sock"


def test_a_byte_order_mark_and_line_ends_of_any_kind_are_no_part_of_the_text(tmp_path):
    file = tmp_path / "radiod.toml"
    file.write_bytes(b"\xef\xbb\xbf[limits]\r\nmax_connections = 5\r\n")
    assert Config.load(file).limits.max_connections == 5


def test_paths_are_relative_to_the_file_wherever_the_process_goes(tmp_path, monkeypatch):
    file = tmp_path / "folder" / "radiod.toml"
    file.parent.mkdir()
    file.write_text("[store]\npath = 'data.sqlite'")
    monkeypatch.chdir(tmp_path)
    for path in (file, file.relative_to(tmp_path), Path("folder", "..", "folder", "radiod.toml")):
        loaded = Path(Config.load(path).store.path)
        assert loaded.is_absolute()
        assert loaded.resolve() == file.parent / "data.sqlite"


@pytest.mark.parametrize(
    ("endpoint", "placed"),
    [
        ("tcp:8080:interface=127.0.0.1", "tcp:8080:interface=127.0.0.1"),
        ("unix:radiod.sock", "unix:/base/radiod.sock"),
        ("unix:/run/radiod.sock:mode=660", "unix:/run/radiod.sock:mode=660"),
        ("unix:mode=660:address=a b", "unix:mode=660:address=/base/a b"),
        (r"unix:a\:b", r"unix:/base/a\:b"),
        ("unix:\0name", "unix:\0name"),
        ("ssl:443", "ssl:443"),
        ("ssl:443:key.pem:cert.pem", "ssl:443:/base/key.pem:/base/cert.pem"),
        (
            "ssl:443:privateKey=key.pem:certKey=/cert.pem:extraCertChain=chain.pem:dhParameters=dh.pem",
            "ssl:443:privateKey=/base/key.pem:certKey=/cert.pem"
            ":extraCertChain=/base/chain.pem:dhParameters=/base/dh.pem",
        ),
        ("tls:certificates:443", "tls:/base/certificates:443"),
        ("haproxy:unix:radiod.sock", "haproxy:unix:/base/radiod.sock"),
        ("systemd:domain=INET:index=0", "systemd:domain=INET:index=0"),
        ("unix", "unix"),
        ("unix:", "unix:"),
        ("unix:a\\", "unix:a\\"),
        ("carrier:pigeon", "carrier:pigeon"),
    ],
)
def test_paths_of_endpoints_are_relative_to_the_file(endpoint, placed):
    (listen,) = Config.parse(f"[[listen]]\nendpoint = {json.dumps(endpoint)}", Path("/base")).listen
    assert listen.endpoint == placed
    assert listen.placed(Path("/elsewhere")).endpoint == placed


@given(st.text() | st.text("unix:sladre=\\/\0."))
def test_any_text_is_an_endpoint_with_a_place(text):
    once = placed_endpoint(text, Path("/base"))
    assert placed_endpoint(once, Path("/elsewhere")) == once


def fields_of(*kinds):
    return [field.name for kind in kinds for field in msgspec.structs.fields(kind)]


NODES = {
    "The file": Config,
    "`[[listen]]`": config.Listen,
    "`tls`": config.Tls,
    "`[http]`": config.Http,
    "`[store]`": config.Store,
    "`[log]`": config.Log,
    "`[metrics]`": config.Metrics,
    "`[usage]`": config.Usage,
    "`[otel]`": config.Otel,
    "`[cluster]`": config.Cluster,
    "`[limits]`": config.Limits,
    "`[plans.<name>]`": config.Plan,
    "`[realms.<realm>]`": config.Realm,
    "`roles`": config.Role,
    "`users`": config.User,
    "`dynamic`": config.Dynamic,
    "`wampcra`": config.Wampcra,
    "`scram`": config.Scram,
    "`keys`": config.Key,
    "`accounts`": config.Account,
    "`channels`": config.Channel,
    "`buffer`": config.Buffer,
    "`history`": config.History,
    "`webhooks`": config.Webhook,
}

KEYS = st.sampled_from([*fields_of(*NODES.values()), "ticket_file", "key_env"]) | st.text(max_size=3)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, 0, 1, "listener", "a.*", "/x", "ring", "/", "\0", "\u2028"])
    | st.floats()
    | st.text(max_size=5)
    | st.just(datetime.date(2026, 1, 1))
    | st.just(datetime.time(1))
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def tables(kind):
    """Mostly what belongs into a table of this kind, so that mistakes are reached at every depth."""
    match kind:
        case inspect.StructType():
            fields = {field.name: tables(field.type) for field in kind.fields}
            return st.fixed_dictionaries({}, optional=fields) | st.dictionaries(KEYS, VALUES, max_size=2)
        case inspect.UnionType():
            return tables(kind.types[0])
        case inspect.DictType():
            return st.dictionaries(
                st.sampled_from(["radio", "listener", "a.*", "\n", ""]), tables(kind.value_type), max_size=2
            )
        case inspect.VarTupleType():
            return st.lists(tables(kind.item_type), max_size=2)
        case inspect.EnumType():
            return st.sampled_from([one.value for one in kind.cls]) | LEAVES
        case inspect.IntType():
            return st.integers(0, 1000) | LEAVES
        case inspect.FloatType():
            return st.floats(0, 1000) | LEAVES
    return LEAVES


@given(st.dictionaries(KEYS, VALUES, max_size=4) | tables(inspect.type_info(Config)))
def test_any_tree_is_a_configuration_or_a_config_error(tree):
    # Anything but ConfigError fails the test by escaping.
    try:
        parsed = config.from_tree(tree, HERE)
    except ConfigError as error:
        lines = [str(error)]
    else:
        assert parsed.realms
        assert parsed.listen
        lines = parsed.not_yet()
    assert all(len(line.splitlines()) == 1 for line in lines)


@given(st.text() | st.text("[]={}'\"\\.,#\n\r a1-:"))
def test_any_text_is_a_configuration_or_a_config_error(text):
    with contextlib.suppress(ConfigError):
        assert parse(text)


def documented(heading):
    """The table below a heading. Returns: key -> (default, bounds)."""
    sections = re.split(r"^## ", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (section,) = (part for part in sections if part.startswith(heading + "\n"))
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.+) \|$", section, flags=re.MULTILINE)
    return {key: (default.strip("`"), bounds) for key, default, bounds, _ in rows}


def default_of(field, kind):
    if kind is Config and field.name in ("listen", "realms"):
        return {"listen": "tcp:8080:interface=127.0.0.1", "realms": "radio"}[field.name]
    if kind is config.Realm and field.name == "roles":
        return "listener"
    if field.required:
        return "required"
    default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if isinstance(default, msgspec.Struct):
        return "as below"
    if isinstance(default, tuple) and default:
        return json.dumps([one.value for one in default])
    if isinstance(default, config.Policy | Disclose | config.LogFormat | config.Isolated):
        default = default.value
    if isinstance(default, str):
        return f'"{default}"'
    if isinstance(default, float):
        return f"{default:g}"
    return {"None": "absent", "()": "[]", "True": "true", "False": "false"}.get(str(default), str(default))


def documented_methods():
    return documented("`dynamic`")["methods"][1].split(", ")


@pytest.mark.parametrize(("heading", "kind"), NODES.items(), ids=NODES)
def test_the_documentation_tells_every_key_and_its_default(heading, kind):
    told = {key: default for key, (default, _) in documented(heading).items()}
    assert told == {field.name: default_of(field, kind) for field in inspect.type_info(kind).fields}


@pytest.mark.parametrize(("heading", "kind"), NODES.items(), ids=NODES)
def test_the_documentation_tells_every_numbers_bounds(heading, kind):
    told = documented(heading)
    for field in inspect.type_info(kind).fields:
        number = field.type.types[0] if isinstance(field.type, inspect.UnionType) else field.type
        if isinstance(number, inspect.IntType | inspect.FloatType):
            low = f"above {number.gt:.0f}" if number.gt is not None else f"{number.ge:g}"
            assert told[field.name][1] == f"{low} … {number.le:.0f}", field.name


def test_the_documentation_tells_every_policy_and_every_path_of_radiods_own():
    assert documented("`buffer`")["policy"][1] == ", ".join(policy.value for policy in Policy)
    assert documented("`[log]`")["format"][1] == ", ".join(one.value for one in config.LogFormat)
    assert documented("`roles`")["disclose"][1] == ", ".join(one.value for one in Disclose)
    assert documented("`scram`")["kdf"][1] == ", ".join(one.value for one in Kdf)
    assert documented_methods() == [method.value for method in Method]
    own = re.search(r"radiod's own: (.*)\.", DOCS.read_text(encoding="utf-8"))
    assert set(re.findall("`/(.*?)`", own[1])) == config.OWN_PATHS


def test_the_documented_example_parses():
    example = re.search(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)[1]
    assert set(parse(example).realms["radio"].channels) == {"weather.harbour", "traffic.*"}


def test_a_configured_buffer_is_what_a_listener_may_ask_for():
    defaults = {**msgspec.structs.asdict(config.Buffer()), "policy": config.Buffer().policy.value}
    assert settings.settings_from(defaults, settings.DEFAULTS, 1 << 40) == settings.DEFAULTS
    assert {policy.value for policy in Policy} == set(settings.POLICIES)
    largest = parse(f"[realms.r.channels.a]\nbuffer = {{size = {settings.MAX_SIZE}}}")
    assert largest.realms["r"].channels["a"].buffer.size == settings.MAX_SIZE
    assert "<= 100000" in mistake(f"[realms.r.channels.a]\nbuffer = {{size = {settings.MAX_SIZE + 1}}}")


def test_a_channels_buffer_keeps_within_the_servers_bound():
    text = "[limits]\nmax_buffer_bytes = 1000\n[realms.r.channels.a]\nbuffer = {max_bytes = 1001}"
    assert mistake(text) == "realms.r.channels.a.buffer.max_bytes: above limits.max_buffer_bytes, 1000"


class TestPlans:
    def test_have_the_same_fields_bounds_and_defaults_as_those_made_at_run_time(self):
        assert config.Plan is Plan

    def test_are_the_plans_that_they_say(self):
        text = "[plans.basic]\npublish_rate = 10\nconnections = 5\nprice = {base = 9.5, delivered = 0.01}"
        (plan,) = parse(text).plans.values()
        assert plan == Plan(publish_rate=10, connections=5, price={"base": 9.5, "delivered": 0.01})

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("[plans.basic]\npublish_burst = 5", "plans.basic: publish_burst needs a publish_rate"),
            ("[plans.basic]\npublish_rates = 5", "plans.basic.publish_rates: unknown key; did you mean"),
            ("[plans.basic]\nover = 'stop'", "plans.basic.over: Invalid enum value 'stop'"),
            ("[plans.basic]\nprice = {drops = 1}", "plans.basic: Invalid enum value 'drops'"),
            ("[plans.basic]\nprice = {base = -1}", "plans.basic.price"),
            ("[plans.'a b']", "a plan's name has 1 to 64 letters"),
            ("[plans.'']", "a plan's name has 1 to 64 letters"),
        ],
    )
    def test_that_make_no_sense_are_told_so(self, text, complaint):
        assert complaint in mistake(text)


def test_only_the_first_realms_channels_have_aliases():
    text = "[realms.first]\n[realms.second.channels.a]\naliases = ['/x']"
    assert mistake(text) == "realms.second.channels.a.aliases: only channels of the first realm have aliases"


class TestAccess:
    def key(self, more):
        return parse(f"[realms.r.keys.k]\nkey = 'a'\n{more}").realms["r"].keys["k"]

    def test_keys_and_users_have_accounts(self):
        found = parse(
            """
            [accounts.acme]
            label = "ACME Ltd"
            plan = "basic"
            [realms.r.roles.reader]
            [realms.r.users.joe]
            role = "reader"
            account = "acme"
            [realms.r.keys.k]
            key = "a"
            account = "acme"
            label = "dashboard"
            register = ["a.b"]
            """
        )
        assert found.accounts == {"acme": config.Account(label="ACME Ltd", plan="basic")}
        realm = found.realms["r"]
        assert realm.users["joe"].account == realm.keys["k"].account == "acme"
        assert (realm.keys["k"].label, realm.keys["k"].register) == ("dashboard", ("a.b",))

    @pytest.mark.parametrize(
        ("date", "seconds"),
        [
            ("2027-12-31", 1830211200.0),
            ("2027-12-31T12:00:00Z", 1830254400.0),
            ("2027-12-31 12:00:00.5", 1830254400.5),
            ("2027-12-31T12:00:00+01:00", 1830250800.0),
            ("1830211200", 1830211200.0),
            ("1.5", 1.5),
        ],
    )
    def test_a_date_is_a_date_of_toml_or_seconds(self, date, seconds):
        key = self.key(f"valid_from = {date}\nvalid_until = 3000-01-01")
        assert key.valid_from == seconds

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("valid_from = 12:00:00", "valid_from: Expected `float | null`, got `time`"),
            ("valid_from = '2027-12-31'", "valid_from: Expected `float | null`, got `str`"),
            ("valid_from = 1969-12-31", "valid_from: Expected `float` >= 0.0"),
            ("valid_from = 0001-01-01T00:00:00+23:59", "valid_from: Expected `float` >= 0.0"),
            ("valid_from = 10\nvalid_until = 10", "valid_until: must be later than valid_from"),
            ("origins = ['example.org']", "origins.[0]: 'example.org' must be as \"https://example.org\""),
            ("origins = ['*']", "origins.[0]: '*' must be as \"https://example.org\""),
            (
                "addresses = ['unix', '10.1']",
                'addresses.[1]: \'10.1\' is no address, no network such as "10.0.0.0/8", and not "unix"',
            ),
            ('label = "a\\n"', "label: must be printable, and at most 255 characters"),
            ("account = ' a'", "account: must be a name of 1 to 255 printable characters"),
            ("register = ['a*']", "register: 'a*' is no URI pattern; did you mean 'a.*'?"),
        ],
    )
    def test_a_mistake_is_told(self, line, message):
        with pytest.raises(ConfigError) as error:
            self.key(line)
        assert str(error.value) == f"realms.r.keys.k.{message}"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('[accounts."a "]', "accounts.'a ': must be a name of 1 to 255 printable characters"),
            (
                "[accounts.a]\nlabel = '" + 256 * "x" + "'",
                "accounts.a.label: must be printable, and at most 255 characters",
            ),
            ("[accounts.a]\nplan = 7", "accounts.a.plan: Expected `str | null`, got `int`"),
            (
                "[realms.r.users.u]\nrole = 'listener'\naccount = 'a '",
                "realms.r.users.u.account: must be a name of 1 to 255 printable characters",
            ),
        ],
    )
    def test_a_mistake_elsewhere_is_told(self, text, message):
        with pytest.raises(ConfigError) as error:
            parse(text)
        assert str(error.value) == message
