"""What pages cost on their way, and who may show them."""

import gzip
import re

import pytest
from support import http
from support.http import Answer

from radiod.web.packing import takes_gzip, without_comments
from radiod.web.site import CLIENTS, PAGES

LIVE = {"index.html", "style.css", "radiod.svg"}
MOST = 200_000
"""Bytes of the live page with all it can load, as they are before they are packed."""


def fetch(world, path, *lines):
    return Answer(world.ask(http.get(path, *lines)).received())


def policy(answer):
    parts = (part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    return dict(parts)


@pytest.mark.parametrize(
    ("accepted", "is_taken"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5, br", True),
        ("*", True),
        ("gzip;q=0, *", False),
        ("gzip;q=0.000", False),
        ("br", False),
        ("", False),
    ],
)
def test_only_who_takes_gzip_gets_it(accepted, is_taken):
    assert takes_gzip(accepted) is is_taken


@pytest.mark.parametrize(
    "path", ["/", "/?embed", "/static/main.js", "/static/radiod.js", "/static/style.css"]
)
def test_a_page_is_the_same_packed_and_not(world, path):
    plain = fetch(world, path)
    packed = fetch(world, path, "Accept-Encoding: gzip, br")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 2
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"


def test_scripts_come_without_their_comments():
    script = b"/** What it is. */\n/**\n * Long.\n *\n * @param {number} a\n */\nfunction f(a) {\n  // Why.\n"
    kept = b"\n  /** @type {number} */ let b = a * 2; // Kept.\n  return b\n  * 3;\n}\n"
    assert without_comments(script + kept) == b"function f(a) {\n" + kept.replace(b"  * 3;\n", b"")


@pytest.mark.parametrize("name", sorted(file.name for file in PAGES.glob("*.js")))
def test_no_line_of_a_script_looks_like_a_comment_and_is_none(name):
    """In texts of several lines none begins as comments do, and no factor is on a line of its own."""
    text = (PAGES / name).read_text(encoding="utf-8")
    is_open = False
    for line in text.splitlines():
        bare = line.strip()
        assert is_open or not re.match(r"\*( |/|$)", bare), line
        is_open = (is_open or bare.startswith("/**")) and "*/" not in bare
    # Comments have such quotes, too, for code.
    bare = re.sub(r"^[ \t]*/\*\*.*?\*/|^[ \t]*// [^\n]*$", "", text, flags=re.MULTILINE | re.DOTALL)
    for literal in re.findall(r"`[^`]*`", bare):
        assert not re.search(r"^\s*(//|/\*|\*)", literal.partition("\n")[2], re.MULTILINE)


@pytest.mark.parametrize("name", sorted(CLIENTS))
def test_files_of_the_clients_say_what_they_are_and_are_else_as_bare_as_others(world, name):
    served, whole = fetch(world, f"/static/{name}").body, (PAGES / name).read_bytes()
    head, end, rest = whole.partition(b" */\n")
    assert head.startswith(b"/**\n * ")
    assert served == head + end + without_comments(rest)
    assert len(served) < len(whole)


def loaded(world, names):
    """The live page's files, and all that these name."""
    found, open_ = {}, set(names)
    while open_:
        name = open_.pop()
        body = fetch(world, "/" if name == "index.html" else f"/static/{name}").body
        found[name] = len(body)
        open_ |= {
            n for n in re.findall(r"[\"/]\./([\w.]+\.js)\"|static/(main\.js)", body.decode()) for n in n if n
        } - set(found)
    return found


def test_the_live_page_is_small(world):
    sizes = loaded(world, LIVE)
    assert "map.js" in sizes
    assert sum(sizes.values()) < MOST, sizes


@pytest.mark.parametrize(
    ("path", "ancestors"),
    [
        ("/", "'none'"),
        ("/?embed", "*"),
        ("/?a=1&embed=1", "*"),
        ("/?embedded", "'none'"),
        ("/?x=embed", "'none'"),
        ("/static/main.js?embed", "'none'"),
    ],
)
def test_only_the_page_that_asks_for_it_may_stand_in_frames_of_others(world, path, ancestors):
    told = policy(fetch(world, path))
    assert told["frame-ancestors"] == ancestors
    assert told["default-src"] == "'self'"
