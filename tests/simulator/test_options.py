"""What goes together on the command line, and what does not. The rest is in test_cli."""

from pathlib import Path

import pytest

from simulator.options import Usage, key, parse, secret

FILE = ["--replay", "file"]


def test_a_town_has_its_defaults():
    options = parse([])
    assert (options.town, options.step, options.dt, options.engine) == ("grid:10x10", 5.0, 1.0, "ltm")
    assert (options.url, options.realm, options.format) == ("http://127.0.0.1:8080/publish", "radio", "dense")


def test_what_was_asked_for_stays():
    options = parse(
        ["--step", "10", "--dt", "0.5", "--engine", "ltm", "--format", "q16", "--always", "--wamp", "u"]
    )
    assert (options.step, options.dt, options.format, options.always) == (10.0, 0.5, "q16", True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--always"], "--always: only with --wamp"),
        (["--user", "a", "--ticket-file", "f"], "--user: only with --wamp"),
        (["--realm", "a"], "--realm: only with --wamp"),
        (["--wamp", "ws://a", "--user", "a"], "--user and --ticket-file: both or none"),
        (["--wamp", "ws://a", "--ticket-file", "a"], "--user and --ticket-file: both or none"),
        (["--wamp", "ws://a", "--key", "a"], "--key: of HTTP; not with --wamp"),
        (["--wamp", "ws://a", "--url", "a"], "--url: of HTTP"),
        (["--wamp", "ws://a", "--key-file", "a"], "--key-file: of HTTP"),
        ([*FILE, "--town", "ring:3"], "--town: a recording has its own"),
        ([*FILE, "--warm-up", "5"], "--warm-up: a recording has its own"),
        ([*FILE, "--fast"], "--fast: a recording has its own"),
        ([*FILE, "--units", "m,s"], "--units: a recording has its own"),
        ([*FILE, "--plot", "d"], "--plot: of a town; not with --replay"),
        (["--engine", "none"], "argument --engine: invalid choice: 'none'"),
        (["--dt", "0"], "--dt must be above 0"),
        (["--dt", "nan"], "--dt must be above 0"),
        (["--format", "q9"], "argument --format: invalid choice"),
        (["--plot-as", "gif"], "argument --plot-as: invalid choice"),
    ],
)
def test_what_does_not_go_together_is_said(arguments, message):
    with pytest.raises(Usage) as raised:
        parse(arguments)
    assert str(raised.value).startswith(message)


def test_a_key_is_needed(monkeypatch):
    monkeypatch.delenv("RADIOD_KEY", raising=False)
    with pytest.raises(Usage, match="an API key is needed"):
        key(parse([]))


def test_a_secret_is_what_stands_in_its_file(tmp_path):
    (tmp_path / "ticket").write_text("a ticket\n")
    assert secret("--ticket-file", tmp_path / "ticket") == "a ticket"
    with pytest.raises(Usage, match="--ticket-file /nowhere: FileNotFoundError"):
        secret("--ticket-file", Path("/nowhere"))
