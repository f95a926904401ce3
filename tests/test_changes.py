"""What differs between two configurations, and what a reload does with each key: compared with the docs."""

import re
from pathlib import Path

import msgspec
import pytest

from radiod import config
from radiod.config.changes import Change, Effect, Kind, changes, effect_of

DOCS = Path(__file__).parents[1] / "docs" / "operations.md"

TABLES = {
    "the file": (config.Config, ()),
    "[[listen]]": (config.Listen, ("listen", "[0]")),
    "tls": (config.Tls, ("listen", "[0]", "tls")),
    "[http]": (config.Http, ("http",)),
    "[store]": (config.Store, ("store",)),
    "[admin]": (config.Admin, ("admin",)),
    "[log]": (config.Log, ("log",)),
    "[metrics]": (config.Metrics, ("metrics",)),
    "[operations]": (config.Operations, ("operations",)),
    "[otel]": (config.Otel, ("otel",)),
    "[cluster]": (config.Cluster, ("cluster",)),
    "[usage]": (config.Usage, ("usage",)),
    "[limits]": (config.Limits, ("limits",)),
    "[plans.<name>]": (config.Plan, ("plans", "x")),
    "[realms.<realm>]": (config.Realm, ("realms", "r")),
    "roles": (config.Role, ("realms", "r", "roles", "x")),
    "users": (config.User, ("realms", "r", "users", "x")),
    "wampcra": (config.Wampcra, ("realms", "r", "users", "x", "wampcra")),
    "scram": (config.Scram, ("realms", "r", "users", "x", "scram")),
    "dynamic": (config.Dynamic, ("realms", "r", "dynamic")),
    "keys": (config.Key, ("realms", "r", "keys", "x")),
    "accounts": (config.Account, ("accounts", "x")),
    "channels": (config.Channel, ("realms", "r", "channels", "x")),
    "buffer": (config.Buffer, ("realms", "r", "channels", "x", "buffer")),
    "history": (config.History, ("realms", "r", "channels", "x", "history")),
    "webhooks": (config.Webhook, ("realms", "r", "webhooks", "x")),
}
"""As docs/configuration.md calls them -> what they are, and where one may be."""


def fields(kind):
    return [field.name for field in msgspec.structs.fields(kind)]


KEYS = [(table, key) for table, (kind, _) in TABLES.items() for key in fields(kind)]


def documented():
    """(table, key) -> what the docs say of it; a key of no name: of all others."""
    rows = re.findall(
        r"^\| `(.+?)` \| (.+?) \| \*\*(.+?)\*\*", DOCS.read_text(encoding="utf-8"), re.MULTILINE
    )
    found = {}
    for table, keys, effect in rows:
        for key in re.findall(r"`(\w+)`", keys) or [""]:
            assert (table, key) not in found
            found[table, key] = Effect(effect)
    return found


@pytest.mark.parametrize(("table", "key"), KEYS, ids=[f"{table} {key}" for table, key in KEYS])
def test_the_documentation_says_of_every_key_what_a_reload_does(table, key):
    told = documented()
    at = TABLES[table][1]
    expected = effect_of((*at, key))
    if (table, key) == ("[[listen]]", "endpoint"):
        # Another endpoint is one that goes and one that comes.
        expected = effect_of(("listen", "[0]"), Kind.ADDED)
    assert told.get((table, key), told.get((table, ""))) is expected


def test_the_documentation_names_no_other_key():
    assert {key for key in documented() if key[1]} <= set(KEYS)
    assert {table for table, _ in documented()} == set(TABLES)


@pytest.mark.parametrize(
    ("path", "kind", "effect"),
    [
        ("plans.x", Kind.REMOVED, Effect.LIVE),
        ("accounts.x", Kind.ADDED, Effect.LIVE),
        ("realms.r", Kind.ADDED, Effect.RESTART),
        ("realms.r", Kind.REMOVED, Effect.RESTART),
        ("realms.r.keys.x", Kind.REMOVED, Effect.LIVE),
        ("realms.r.channels.x", Kind.ADDED, Effect.LIVE),
        ("realms.r.channels.x", Kind.REMOVED, Effect.RESTART),
        ("realms.r.webhooks.x", Kind.ADDED, Effect.RESTART),
        ("listen.[1]", Kind.REMOVED, Effect.LIVE),
    ],
)
def test_tables_that_come_and_go(path, kind, effect):
    assert Change(tuple(path.split(".")), kind).effect is effect


NUMBERS = [
    (name, field.name)
    for name in ("usage", "limits")
    for field in msgspec.structs.fields(type(getattr(config.Config(), name)))
]


@pytest.mark.parametrize(("table", "key"), NUMBERS, ids=[".".join(each) for each in NUMBERS])
def test_a_number_that_differs_is_named(table, key):
    before = config.Config()
    node = getattr(before, table)
    other = not getattr(node, key) if isinstance(getattr(node, key), bool) else getattr(node, key) + 1
    after = msgspec.structs.replace(before, **{table: msgspec.structs.replace(node, **{key: other})})
    assert changes(before, after) == [Change((table, key), Kind.CHANGED)]


def parse(text):
    return config.Config.parse(text, Path())


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "", []),
        ("[realms.r.keys.a]\nkey = 'k'", "[realms.r.keys.a]\nkey = 'k'", []),
        ("[realms.r.keys.a]\nkey = 'k'", "[realms.r.keys.a]\nkey = 'l'", ["realms.r.keys.a.key changed"]),
        ("[realms.r.keys.a]\nkey = 'k'", "[realms.r.keys.b]\nkey = 'k'",
            ["realms.r.keys.a removed", "realms.r.keys.b added"]),
        ("[realms.a]\n[realms.b]", "[realms.b]\n[realms.a]", ["realms changed"]),
        ("[[listen]]\nendpoint = 'tcp:1'\n[[listen]]\nendpoint = 'tcp:2'",
            "[[listen]]\nendpoint = 'tcp:2'\nhosts = ['a']\n[[listen]]\nendpoint = 'tcp:3'",
            ["listen.[0] removed", "listen.[1] added", "listen.[0].hosts changed"]),
        ("[[listen]]\nendpoint = 'tcp:1'\n[[listen]]\nendpoint = 'tcp:1'", "[[listen]]\nendpoint = 'tcp:1'",
            ["listen.[1] removed"]),
        ("[realms.r.channels.a]", "[realms.r.channels.a]\nhistory = {}",
            ["realms.r.channels.a.history changed"]),
        ("[realms.r.channels.a.history]", "[realms.r.channels.a.history]\nsize = 7",
            ["realms.r.channels.a.history.size changed"]),
        ("[realms.r.channels.'a.b']", "", ["realms.r removed", "realms.radio added", "realms changed"]),
    ],
)  # fmt: skip
def test_what_differs(before, after, expected):
    found = changes(parse(before), parse(after))
    assert [f"{each} {each.kind}" for each in found] == expected
