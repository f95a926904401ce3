"""The configuration: defaults, every kind of mistake, secrets that stay secret."""

import contextlib
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod import config
from radiod.config import Config, ConfigError, Policy

HERE = Path()
DOCS = Path(__file__).parents[1] / "docs" / "configuration.md"

EVERYTHING = """
[[listen]]
endpoint = "tcp:8080:interface=127.0.0.1"

[[listen]]
endpoint = "unix:/run/radiod.sock"

[store]
path = "radiod.sqlite"

[limits]
max_message_bytes = 65536
call_timeout_s = 2.5

[realms.radio]
anonymous = "listener"
undeclared_topics = false

[realms.radio.roles.writer]
subscribe = ["*"]
publish = ["traffic.*", "a..c", "exact.name"]
call = ["*"]
register = ["town.*"]
deny = ["traffic.private"]
disclose = "always"
disclosed = ["who.*"]

[realms.radio.users.generator]
role = "writer"
ticket = "very-secret-ticket"
wampcra = { secret = "other", salt = "x" }
cryptosign = ["ab"]

[realms.radio.keys.sample]
key = "very-secret-key"
publish = ["sample_net"]
listen = ["*"]

[realms.radio.channels.sample_net]
history = { size = 1000, seconds = 3600 }
buffer = { size = 10, policy = "skip", every = 2, min_interval = 0.5, latest = true, max_bytes = 1000 }
aliases = ["/macro/sample/"]

[realms.radio.channels."traffic.*"]
durable = true
"""


def parse(text):
    return Config.parse(text, HERE)


def mistake(text):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
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
    realm = parsed.realms["radio"]
    assert set(realm.roles) == {"listener", "writer"}
    assert realm.roles["writer"].publish == ("traffic.*", "a..c", "exact.name")
    assert realm.users["generator"].ticket.matches("very-secret-ticket")
    assert realm.keys["sample"].key.reveal() == "very-secret-key"
    buffer = realm.channels["sample_net"].buffer
    assert (buffer.policy, buffer.every, buffer.latest) == (Policy.SKIP, 2, True)


def test_what_has_no_effect_yet_is_named():
    assert parse(EVERYTHING).not_yet() == [
        "store.path: nothing is stored",
        "realms.radio.roles.writer.disclose: identities are not revealed",
        "realms.radio.users.generator.wampcra: this method is not offered",
        "realms.radio.users.generator.cryptosign: this method is not offered",
        "realms.radio.channels.sample_net.history: has no effect",
        "realms.radio.channels.sample_net.buffer: has no effect",
        "realms.radio.channels.traffic.*.durable: has no effect",
        "realms.radio.channels.traffic.*.(pattern): has no effect",
    ]
    assert Config().not_yet() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = 1", "port: unknown key; there are listen, store, limits, realms"),
        ("[limit]", "limit: unknown key; did you mean limits?"),
        ("[limits]\nmax_conections = 3", "limits.max_conections: unknown key; did you mean max_connections?"),
        ("[limits]\nmax_connections = 0", "limits.max_connections: Expected `int` >= 1"),
        ("[limits]\nmax_connections = true", "limits.max_connections: Expected `int`, got `bool`"),
        ("[limits]\ncall_timeout_s = -1", "limits.call_timeout_s: Expected `float` > 0.0"),
        ("[limits]\ncall_timeout_s = nan", "limits.call_timeout_s: Expected `float` > 0.0"),
        ("[limits]\nmax_message_bytes = 16777217", "limits.max_message_bytes: Expected `int` <= 16777216"),
        ("limits = 3", "limits: expected a table"),
        ("listen = []", "listen: at least one endpoint is needed"),
        ("listen = 'tcp:1'", "listen: expected an array of tables"),
        ("[[listen]]\nendpoint = 3", "listen.[0].endpoint: Expected `str`, got `int`"),
        ("[realms]", "realms: at least one realm is needed"),
        ("[realms.'a b']", "realms.'a b': a realm's name must be a URI"),
        ("[realms.r]\nanonymous = 'x'", "realms.r.anonymous: no such role 'x' (known: listener)"),
        ("[realms.r.users.u]\nrole = 'x'", "realms.r.users.u.role: no such role 'x' (known: listener)"),
        ("[realms.r.users.u]", "realms.r.users.u: Object missing required field `role`"),
        ("[realms.r.users.u]\nrole = 'listener'\nticket = ''", "realms.r.users.u.ticket: is empty"),
        ("[realms.r.keys.k]", "realms.r.keys.k.key: missing; give key, key_file or key_env"),
        ("[realms.r.keys.k]\nkey = 3", "realms.r.keys.k.key: expected a string"),
        ("[realms.r.keys.k]\nkey = 'a'\nkey_env = 'B'", "realms.r.keys.k.key_env: given together with key"),
        ("[realms.r.keys.k]\nkey_env = 'NOT_SET'", "realms.r.keys.k.key_env: cannot be read: KeyError"),
        (
            "[realms.r.keys.k]\nkey_file = '/no'",
            "realms.r.keys.k.key_file: cannot be read: FileNotFoundError",
        ),
        ("[realms.r.keys.k]\nkey = 'a'\nlisten = ['a b']", "realms.r.keys.k.listen: 'a b' is no URI pattern"),
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
            "realms.r.channels.a.public: private channels are not supported by this version",
        ),
        (
            "[realms.r.channels.a]\naliases = ['x']",
            "realms.r.channels.a.aliases: 'x' must be a path that is not radiod's own",
        ),
        (
            "[realms.r.channels.a]\naliases = ['/listen/x']",
            "realms.r.channels.a.aliases: '/listen/x' must be a path that is not radiod's own",
        ),
        (
            "[realms.r.channels.a]\naliases = ['/x']\n[realms.r.channels.b]\naliases = ['/x']",
            "realms.r.channels.b.aliases: '/x' is an alias in realms.r.channels.a.aliases already",
        ),
        (
            "[realms.r.channels.a]\nbuffer = {size = 0}",
            "realms.r.channels.a.buffer.size: Expected `int` >= 1",
        ),
        ("a = [", "not TOML: Invalid value (at end of document)"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(text, message):
    assert mistake(text) == message


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


def test_secrets_show_nowhere():
    shown = repr(parse(EVERYTHING))
    assert "very-secret" not in shown
    assert "Secret('…')" in shown


def test_a_secret_matches_itself_alone():
    secret = config.Secret("geheim-ß")
    assert secret.matches("geheim-ß")
    assert not secret.matches("geheim-s")
    assert not secret.matches("\ud800")


@pytest.mark.parametrize(
    ("content", "end"),
    [(b"\xff\xfe", "not UTF-8"), (b"x = ", "not TOML: Invalid value (at end of document)"), (b"x=1", "")],
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


def test_paths_are_relative_to_the_file(tmp_path):
    file = tmp_path / "radiod.toml"
    file.write_text("[store]\npath = 'data.sqlite'")
    assert Config.load(file).store.path == str(tmp_path / "data.sqlite")


KEYS = st.sampled_from(
    ["listen", "store", "limits", "realms", "radio", "roles", "users", "keys", "channels", "role", "key", "x"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_tree_is_a_configuration_or_a_config_error(tree):
    # Anything but ConfigError fails the test by escaping.
    with contextlib.suppress(ConfigError):
        assert config.from_tree(tree, HERE).realms


NODES = {
    "[limits]": config.Limits,
    "[store]": config.Store,
    "[[listen]]": config.Listen,
    "[realms.&lt;realm&gt;]": config.Realm,
    "roles": config.Role,
    "users": config.User,
    "keys": config.Key,
    "channels": config.Channel,
    "buffer": config.Buffer,
    "history": config.History,
}


@pytest.mark.parametrize(("heading", "node"), NODES.items(), ids=str)
def test_the_documentation_names_every_key_and_its_default(heading, node):
    sections = re.split(r"^## ", DOCS.read_text(), flags=re.MULTILINE)
    section = next(
        part for part in sections if part.startswith(f"`{heading}`".replace("&lt;", "<").replace("&gt;", ">"))
    )
    documented = dict(re.findall(r"^\| `(\w+)` \| `?(.*?)`? \|", section, flags=re.MULTILINE))
    for field in msgspec.structs.fields(node):
        assert field.name in documented, f"{heading} {field.name} is not documented"
        if isinstance(field.default, int | float | str | bool) and field.default != "":
            default = documented[field.name].strip('"').replace(",", "")
            expected = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
            assert default == expected or float(default) == float(expected), field.name
