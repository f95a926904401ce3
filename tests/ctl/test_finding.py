"""Which server ``radioctl`` speaks to, and what it says when there is none."""

import pytest
from support.admin_server import AdminServer

PROCEDURE = "radiod.admin.key.get"


@pytest.fixture
def server(server):
    server.answers[PROCEDURE] = lambda id: {"id": id}
    server.answers["radiod.server.stats"] = lambda: {}
    return server


def test_it_is_the_one_beside_the_configuration_file_and_its_first_realm(run, server):
    assert run("key", "get", "k", "--json").status == 0
    assert server.hellos[0][1] == "town"
    assert server.hellos[0][2]["agent"].startswith("radioctl-")
    assert "authid" not in server.hellos[0][2]


def test_another_realm_may_be_named(run, server):
    assert run("--realm", "other", "key", "get", "k", "--json").status == 0
    assert server.hellos[0][1] == "other"


@pytest.mark.parametrize("text", ["", "[admin]\nsocket = 'radiod-admin.sock'\n", "[admin]\n", "[realms]\n"])
def test_the_file_may_say_little(run, server, tmp_path, text):
    (tmp_path / "radiod.toml").write_text(text)
    assert run("key", "get", "k", "--json").status == 0
    assert server.hellos[0][1] == "radio"


def test_the_file_may_be_elsewhere_and_the_socket_too(run, server, tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x.toml").write_text("[admin]\nsocket = '../radiod-admin.sock'\n[realms.a]\n[realms.b]\n")
    monkeypatch.chdir("/")
    assert run("--config", folder / "x.toml", "key", "get", "k", "--json").status == 0
    assert run("--socket", tmp_path / "radiod-admin.sock", "key", "get", "k", "--json").status == 0
    assert [hello[1] for hello in server.hellos] == ["a", "radiod.admin"]


def test_no_secret_of_the_file_is_read(run, server, tmp_path):
    (tmp_path / "radiod.toml").write_text("[realms.town.keys.k]\nkey_file = '/nowhere'\n")
    assert run("key", "get", "k", "--json").status == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "radiod.toml: No such file or directory; give --config, --socket or --url"),
        ("[admin]\nsocket = ''\n", "radiod.toml has no admin socket: admin.socket is empty"),
        ("a = [", "radiod.toml: not TOML"),
    ],
)
def test_without_a_place_it_is_wrong_usage(run, tmp_path, monkeypatch, text, told):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "radiod.toml").write_text(text)
    done = run("key", "get", "k")
    assert done.status == 2
    assert told in done.err


def test_a_file_that_cannot_be_read_does_not_hide_the_server_of_the_unit(run, server, tmp_path, monkeypatch):
    folder = tmp_path / "runtime"
    folder.mkdir()
    (tmp_path / "radiod.toml").write_text("a = [")
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{folder}:/elsewhere")
    assert "not TOML" in run("key", "get", "k").err
    (folder / "admin.sock").symlink_to(tmp_path / "radiod-admin.sock")
    assert run("key", "get", "k", "--json").status == 0
    assert server.hellos[-1][1] == "radiod.admin"


def test_nobody_there_is_status_3(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "radiod.toml").touch()
    path = tmp_path / "radiod-admin.sock"
    told = f"radioctl: no server at {path}: No such file or directory\n"
    assert run("key", "get", "k") == (3, "", told)
    AdminServer(path).close()
    path.touch()
    assert run("key", "get", "k").status == 3


def test_a_path_may_be_longer_than_a_socket_can_have(run, tmp_path, monkeypatch):
    folder = tmp_path.joinpath(*["a-long-name-of-a-folder"] * 8)
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    server = AdminServer(folder.joinpath("a.sock").relative_to(folder))
    server.answers[PROCEDURE] = lambda id: {"id": id}
    try:
        assert run("--socket", folder / "a.sock", "key", "get", "k", "--json").status == 0
    finally:
        server.close()


@pytest.mark.parametrize(
    "url", ["http://x", "ws:", "x", "ws://:80", "ws://x:0", "ws://me:secret@x", "rs://x:70000"]
)
def test_what_is_no_url_is_wrong_usage(run, url):
    done = run("--url", url, "key", "get", "k")
    assert done.status == 2
    assert "secret@" not in done.err


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1:9", "rs://127.0.0.1:9", "wss://127.0.0.1:9/ws", "rss://127.0.0.1:9"]
)
def test_nobody_at_a_url_is_status_3(run, url):
    done = run("--url", url, "key", "get", "k")
    assert done.status == 3
    assert done.err.startswith("radioctl: no server at ")


class TestLogins:
    def test_a_ticket_from_a_file(self, run, server, tmp_path):
        server.ticket = "the-ticket"
        (tmp_path / "ticket").write_text("the-ticket\n")
        words = ("--authid", "joe", "--ticket-file", tmp_path / "ticket", "key", "get", "k", "--json")
        assert run(*words).status == 0
        assert {"authid": "joe", "authmethods": ["ticket"]}.items() <= server.hellos[0][2].items()

    def test_a_wrong_one_is_refused(self, run, server):
        server.ticket = "the-ticket"
        done = run("--authid", "joe", "--ticket-file", "-", "key", "get", "k", stdin="wrong")
        assert done == (
            1,
            "",
            "radioctl: wamp.error.authentication_failed: the ticket is wrong\n",
        )

    @pytest.mark.parametrize(
        "words", [("--ticket-file", "x"), ("--authid", "joe", "--ticket-file", "nowhere")]
    )
    def test_half_of_a_login_is_wrong_usage(self, run, server, words):
        assert run(*words, "key", "get", "k").status == 2

    def test_an_abort_is_a_refusal(self, run, server):
        server.abort = ({"message": "no realm town"}, "wamp.error.no_such_realm")
        assert run("key", "get", "k").err == "radioctl: wamp.error.no_such_realm: no realm town\n"


@pytest.mark.parametrize(
    ("reason", "status", "told"),
    [
        ("wamp.close.system_shutdown", 3, "radioctl: the server stops\n"),
        ("radiod.close.revoked", 1, "radioctl: radiod.close.revoked: why\n"),
    ],
)
def test_the_end_of_a_session_is_told(run, server, reason, status, told):
    server.goodbye = ({"message": "why"}, reason)
    assert run("listen", "a") == (status, "", told)


def test_an_answer_that_does_not_come_is_status_3(run, server):
    from threading import Event

    asked = Event()
    server.answers[PROCEDURE] = lambda id: {"id": asked.wait(5)}
    done = run("--timeout", "0.1", "key", "get", "k")
    asked.set()
    assert done == (3, "", "radioctl: no answer within 0.1 s\n")
