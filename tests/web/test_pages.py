"""Pages of other sites: which of them may publish and call."""

import pytest
from support import http
from support.http import Answer

BODY = {"network": "sample_net", "data": {}}
CONFIGURATION = """
[http]
origins = ["https://app.example.org:443", "http://other.example.org:8080"]
"""
APP = "Origin: https://app.example.org"


def post(world, *lines, path="/publish"):
    return Answer(world.ask(http.post(path, BODY, "API-KEY: sample-key", *lines)).received())


def preflight(world, *lines, path="/publish"):
    return Answer(world.ask(http.request("OPTIONS", path, *lines)).received())


@pytest.mark.parametrize("path", ["/publish", "/api/publish", "/call"])
@pytest.mark.parametrize("origin", ["https://app.example.org", "http://other.example.org:8080"])
def test_pages_that_are_named_are_served(world, path, origin):
    world.start(CONFIGURATION)
    answer = preflight(world, f"Origin: {origin}", path=path)
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", origin)
    methods = answer.headers["Access-Control-Allow-Methods"].split(", ")
    assert sorted(methods) == ["OPTIONS", "POST", "PUT"]
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"API-KEY", "Content-Encoding", "Content-Type", "Idempotency-Key", "Prefer"} <= set(allowed)
    answer = post(world, f"Origin: {origin}", path=path)
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", origin)
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Idempotency-Replayed", "Preference-Applied", "Retry-After"} <= set(exposed)


@pytest.mark.parametrize("origin", ["https://evil.example.org", "http://app.example.org", "null"])
@pytest.mark.parametrize("configuration", ["", CONFIGURATION])
def test_all_others_are_told_nothing(world, configuration, origin):
    world.start(configuration)
    for answer in (preflight(world, f"Origin: {origin}"), post(world, f"Origin: {origin}")):
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("origin", ["https://anybody.example.org", "null"])
def test_a_star_is_for_pages_of_all_sites(world, origin):
    world.start('[http]\norigins = ["*"]')
    assert "Access-Control-Allow-Origin" in post(world, f"Origin: {origin}").headers


def test_streams_of_lines_are_told_the_same(world):
    world.start(CONFIGURATION)
    lines = ("API-KEY: sample-key", "Content-Type: application/x-ndjson", APP)
    answer = Answer(world.ask(http.post("/publish", b"{}\n", *lines)).received())
    assert answer.status == 200
    assert "Access-Control-Allow-Origin" in answer.headers


def test_what_may_be_read_is_for_all_pages(world):
    world.start(CONFIGURATION)
    answer = Answer(world.ask(http.get("/channels", "Origin: https://evil.example.org")).received())
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
