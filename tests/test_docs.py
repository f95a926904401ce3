"""The documentation says what the code does: error URIs, procedures, examples."""

import re
from pathlib import Path

import pytest
from support.realms import SIGNATURES

from radiod import errors
from radiod.auth import hook, replays, signed_request
from radiod.config import Config
from radiod.config.nodes import Limits
from radiod.core.budgets import guesses, idempotency
from radiod.core.realm.handshake import EXTENSIONS, FEATURES
from radiod.logs import limiter, tail
from radiod.store import sqlite
from radiod.transport import driver, schedule
from radiod.webhooks import sending, waiting
from radiod.wire import heads

ROOT = Path(__file__).parents[1]
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
README = (ROOT / "README.md").read_text()

SECURITY = (ROOT / "docs" / "security.md").read_text()

URIS = sorted(
    value
    for name, value in vars(errors).items()
    if name.isupper() and isinstance(value, str) and value.startswith(("wamp.error.", "radiod.error."))
)


@pytest.mark.parametrize("uri", URIS)
def test_every_error_uri_is_documented(uri):
    family, _, name = uri.rpartition(".")
    section = PROTOCOL.split("## Error URIs")[1].split("\n## ")[0]
    paragraph = next(part for part in section.split("\n\n") if part.strip().startswith(f"`{family}.`"))
    assert f"`{name}`" in paragraph


@pytest.mark.parametrize(("procedure", "parameters"), SIGNATURES.items(), ids=SIGNATURES)
def test_every_procedure_is_documented_with_its_parameters_in_order(procedure, parameters):
    row = next(line for line in PROTOCOL.splitlines() if line.startswith(f"| `{procedure}` |"))
    documented = re.findall(r"(\w+)(?:=[^,]+)?", row.split("|")[2].replace("`", ""))
    assert [word for word in documented if word in parameters] == list(parameters)


@pytest.mark.parametrize(
    "feature", [name for role in FEATURES.values() for name in role["features"]], ids=str
)
def test_every_announced_feature_is_documented(feature):
    assert f"`{feature}`" in PROTOCOL


@pytest.mark.parametrize("option", EXTENSIONS)
def test_every_option_beyond_wamps_is_documented(option):
    assert option in PROTOCOL


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/**/*.md")), ids=lambda page: page.name)
def test_links_lead_to_pages_and_sections_that_are_there(page):
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]+))?\)", page.read_text()):
        aim = page.parent / target if target else page
        assert aim.exists(), target
        if anchor:
            assert anchor in anchors(aim), f"{target}#{anchor}"


def test_the_protocols_contents_are_its_sections():
    contents = re.findall(r"\]\(#([^)]+)\)", PROTOCOL.split("\n## ")[0])
    assert contents == [anchor_of(title) for title in re.findall(r"^## (.*)$", PROTOCOL, re.MULTILINE)]


def anchor_of(title):
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def anchors(page):
    return {anchor_of(title) for title in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)}


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", README, re.DOTALL))
def test_the_readmes_configurations_are_some(tmp_path, monkeypatch, example):
    monkeypatch.setenv("STATION_KEY", "key")
    monkeypatch.setenv("HOOK_TOKEN", "token")
    (tmp_path / "model.ticket").write_text("ticket\n")
    assert Config.parse(example, tmp_path).not_yet() == []


def test_every_file_the_readme_links_to_is_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_demos_configuration_is_one():
    assert Config.load(ROOT / "demo" / "radiod.toml").not_yet() == []


@pytest.mark.parametrize("limit", Limits.__struct_fields__)
def test_every_limit_has_its_reason(limit):
    assert f"`{limit}`" in SECURITY or f"`{limit} = " in SECURITY


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        (driver.OPENING_BYTES, "128 KiB for what comes before WELCOME"),
        (heads.MAX_HEAD_BYTES, "heads: 16,384 bytes"),
        (schedule.READ_PAUSE, "64 KiB of unread answers"),
        (limiter.MAX_BYTES, "64 KiB an interval"),
        (tail.MAX_LINES, "500 lines, of 2,048 characters at most"),
        (tail.MAX_TEXT, "500 lines, of 2,048 characters at most"),
        (guesses.MAX_WAITING, "256 in line"),
        (sqlite.MAX_WAITING, "10,000 events, 64 MiB that wait for the disk"),
        (sqlite.MAX_WAITING_BYTES, "64 MiB that wait for the disk"),
        (hook.MAX_ANSWER, "answers of 64 KiB"),
        (idempotency.MOST_OF_ONE, "10,000 for each key, 64 MiB for all, 4 MiB each"),
        (idempotency.MOST_BYTES, "10,000 for each key, 64 MiB for all, 4 MiB each"),
        (idempotency.MOST_BYTES // 16, "10,000 for each key, 64 MiB for all, 4 MiB each"),
        (replays.MOST, "300 s behind their timestamp, 100,000 of all keys"),
        (waiting.MOST, "1,000 events, 16 MiB that wait for each webhook"),
        (waiting.MOST_BYTES, "1,000 events, 16 MiB that wait for each webhook"),
        (sending.TIMEOUT_S, "15 s for a request; 64 KiB of an answer's body"),
        (sending.MAX_ANSWER, "15 s for a request; 64 KiB of an answer's body"),
        (signed_request.FRESH_S, "300 s behind their timestamp, 100,000 of all keys"),
    ],
    ids=str,
)
def test_bounds_that_cannot_be_configured_are_as_they_are_said(bound, said):
    numbers = re.findall(r"(\d[\d,]*)( [KM]iB)?", said)
    factors = {"": 1, " KiB": 1 << 10, " MiB": 1 << 20}
    assert bound in [int(number.replace(",", "")) * factors[unit] for number, unit in numbers]
    assert said in SECURITY


def test_what_is_promised_names_what_keeps_it():
    promised = SECURITY.split("## What is promised")[1].split("\n## ")[0]
    files = re.findall(r"`((?:tests|benchmarks)/[^`]+)`", promised)
    assert files
    for file in files:
        assert (ROOT / file).exists(), file


@pytest.mark.parametrize("page", ["README.md", "SECURITY.md", "CONTRIBUTING.md"])
def test_links_of_pages_at_the_top_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#:\s]+)(?:#([^)\s]+))?\)", (ROOT / page).read_text()):
        assert (ROOT / target).exists(), target
        if anchor:
            assert anchor in anchors(ROOT / target), f"{target}#{anchor}"


def test_what_contributors_are_shown_is_there():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^)make ([a-z0-9-]+)", page, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"`((?:radiod|tests|docs)/[^` ]*)", page):
        assert (ROOT / path).exists(), path
    for path, name in (
        ("radiod/wire/messages.py", "ClientMessage"),
        ("radiod/wire/messages.py", "RouterMessage"),
        ("radiod/core/realm/handshake.py", "FEATURES"),
        ("radiod/transport/port.py", "class Doorkeeper"),
        ("radiod/config/nodes.py", "class Limits"),
        ("tests/wire/test_codecs.py", "HEADS"),
        ("tests/wire/test_codecs.py", "ROUTER"),
        ("tests/support/peers.py", "TRANSPORTS"),
        ("tests/house.py", "KNOWN"),
    ):
        assert name.removeprefix("class ") in page
        assert re.search(rf"^{name}\b", (ROOT / path).read_text(), re.MULTILINE), (path, name)
