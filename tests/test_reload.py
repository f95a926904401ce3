"""Another configuration for a server that runs: all of it, or nothing."""

import json

import pytest
from support.config import parsed as parse
from support.http import Answer, get, post
from support.memory import HELLO, RawSocketWire, WebSocketWire
from twisted.logger import capturedLogs, formatEvent

from radiod.access.secrets import make_secret
from radiod.config import ConfigError
from radiod.errors import RELOAD_REFUSED, Refused
from radiod.service.listening import Endpoints
from radiod.service.reload import Reloading

BASE = """
[realms.radio]
anonymous = "listener"

[realms.radio.roles.boss]
call = ["radiod.admin.*"]

[realms.radio.users.boss]
role = "boss"
ticket = "boss-ticket"

[realms.radio.roles.reader]
subscribe = ["news.*", "weather.*"]
publish = ["news.*"]
register = ["add.*"]
"""
ANN = """
[realms.radio.users.ann]
role = "reader"
ticket = "ann-ticket"
"""
KEY = """
[realms.radio.keys.feed]
key = "feed-secret"
publish = ["news.*"]
listen = ["news.*"]
"""


WRONG_KEY = 400
DETAILS = {**HELLO[2], "_radiod_revocation": True}


class Server:
    """A radiod in memory, with a file that can be another one."""

    def __init__(self, world, text):
        self.world = world
        world.start(BASE + text, base="")
        self.text = BASE + text
        self.reloading = Reloading(
            parse(self.text, base=""), world.radio, Endpoints(world.reactor, world.radio.port), self.load
        )

    def load(self):
        return parse(self.text, base="")

    def reload(self, text, base=BASE):
        """What a reload with this file answers."""
        self.text = base + text
        told = self.reloading.reload()
        self.world.wait(0)
        return told

    def refuses(self, text, base=BASE):
        """Why a reload with this file is refused; nothing has changed then."""
        before = self.reloading.config
        with pytest.raises(Refused) as caught:
            self.reload(text, base)
        assert caught.value.uri == RELOAD_REFUSED
        assert self.reloading.config is before
        assert not self.world.radio.metrics.reload[0]
        return caught.value.text

    def login(self, authid, ticket, kind=WebSocketWire):
        """A session, or the URI of ABORT."""
        wire = self.world.connect(kind)
        details = {**DETAILS, "authmethods": ["ticket"], "authid": authid}
        answer = wire.ask([1, "radio", details])
        if answer[0] == 4:
            wire.say([5, ticket, {}])
            answer = wire.heard()[0]
        return wire if answer[0] == 2 else answer[2]

    def publish(self, secret="feed-secret", topic="news.a"):
        """The status of a publish over HTTP."""
        body = json.dumps({"network": topic, "data": {"n": 1}}).encode()
        return Answer(self.world.ask(post("/publish", body, f"API-KEY: {secret}")).received()).status


@pytest.fixture
def serve(world):
    return lambda text="": Server(world, text)


class TestKeysOfAnAccount:
    def keys(self, server, account):
        return [entry.record.id for entry in server.world.radio.access.keys.of_account(account)]

    def test_are_those_that_it_has_now(self, serve):
        server = serve(KEY)
        assert self.keys(server, "feed") == ["feed"]
        server.reload(KEY + 'account = "acme"\n')
        assert (self.keys(server, "feed"), self.keys(server, "acme")) == ([], ["feed"])
        server.reload("")
        assert self.keys(server, "acme") == []
        server.reload(KEY)
        assert self.keys(server, "feed") == ["feed"]


@pytest.mark.parametrize("kind", [WebSocketWire, RawSocketWire])
class TestUsers:
    def test_an_added_one_logs_in(self, serve, kind):
        server = serve()
        assert server.login("ann", "ann-ticket", kind) == "wamp.error.authentication_denied"
        assert server.reload(ANN) == {"live": ["realms.radio.users.ann"], "new_connections": []}
        assert server.login("ann", "ann-ticket", kind).ask([32, None, {}, "news.a"])[0] == 33

    def test_a_removed_one_is_told_goodbye(self, serve, kind):
        server = serve(ANN)
        ann, boss = server.login("ann", "ann-ticket", kind), server.login("boss", "boss-ticket", kind)
        server.reload("")
        assert [message[::2] for message in ann.heard()] == [[6, "radiod.close.revoked"]]
        assert boss.ask([48, None, {}, "radiod.admin.key.list"])[0] == 50
        assert server.login("ann", "ann-ticket", kind) == "wamp.error.authentication_denied"

    def test_with_another_ticket_who_is_in_stays(self, serve, kind):
        server = serve(ANN)
        ann = server.login("ann", "ann-ticket", kind)
        assert server.reload(ANN.replace("ann-ticket", "new-ticket"))["live"] == [
            "realms.radio.users.ann.ticket"
        ]
        assert ann.ask([32, None, {}, "news.a"])[0] == 33
        assert server.login("ann", "ann-ticket", kind) == "wamp.error.authentication_denied"
        assert server.login("ann", "new-ticket", kind).ask([32, None, {}, "news.a"])[0] == 33

    def test_another_role_acts_on_who_is_in(self, serve, kind):
        server = serve(ANN)
        ann = server.login("ann", "ann-ticket", kind)
        ann.ask([32, None, {}, "weather.a"])
        server.reload(ANN.replace('"reader"', '"boss"'))
        assert ann.heard()[0][:2] == [35, 0]
        assert ann.ask([48, None, {}, "radiod.admin.key.list"])[0] == 50


@pytest.mark.parametrize("kind", [WebSocketWire, RawSocketWire])
class TestRoles:
    def test_what_is_lost_is_revoked_and_nothing_else(self, serve, kind):
        server = serve(ANN)
        ann = server.login("ann", "ann-ticket", kind)
        ann.ask([32, None, {}, "news.a"])
        weather = ann.ask([32, None, {}, "weather.a"])[2]
        ann.ask([64, None, {}, "add.two"])
        less = BASE.replace('subscribe = ["news.*", "weather.*"]', 'subscribe = ["news.*"]')
        less = less.replace('publish = ["news.*"]', "publish = []")
        told = server.reload(ANN, less)
        assert told["live"] == ["realms.radio.roles.reader.subscribe", "realms.radio.roles.reader.publish"]
        revoked = ann.heard()
        assert [message[0] for message in revoked] == [35]
        assert revoked[0][2]["subscription"] == weather
        assert ann.ask([16, None, {"acknowledge": True}, "news.a"])[4] == "wamp.error.not_authorized"
        assert ann.ask([32, None, {}, "news.b"])[0] == 33

    def test_what_is_gained_is_there_at_once(self, serve, kind):
        server = serve(ANN)
        ann = server.login("ann", "ann-ticket", kind)
        assert ann.ask([32, None, {}, "sport.a"])[0] == 8
        server.reload(ANN, BASE.replace('"weather.*"', '"weather.*", "sport.*"'))
        assert ann.ask([32, None, {}, "sport.a"])[0] == 33

    def test_strangers_have_theirs_too(self, serve, kind):
        server = serve()
        guest = server.world.join(kind, [1, "radio", DETAILS])
        guest.ask([32, None, {}, "news.a"])
        server.reload('[realms.radio.roles.listener]\nsubscribe = ["weather.*"]\n')
        assert guest.heard()[0][:2] == [35, 0]

    def test_one_that_is_gone_allows_nothing_until_it_is_back(self, serve, kind):
        other = '\n[realms.radio.roles.other]\nsubscribe = ["*"]\n'
        server = serve(other + ANN.replace('"reader"', '"other"'))
        ann = server.login("ann", "ann-ticket", kind)
        ann.ask([32, None, {}, "a"])
        server.reload(ANN)
        assert ann.heard()[0][:2] == [35, 0]
        server.reload(other + ANN.replace('"reader"', '"other"'))
        assert ann.ask([32, None, {}, "a"])[0] == 33


class TestKeys:
    def test_an_added_one_publishes_and_a_removed_one_does_not(self, serve):
        server = serve()
        assert server.publish() == WRONG_KEY
        server.reload(KEY)
        assert server.publish() == 200
        server.reload("")
        assert server.publish() == WRONG_KEY
        server.reload(KEY)
        assert server.publish() == 200

    @pytest.mark.parametrize("accept", ["text/event-stream", "application/x-ndjson"])
    def test_what_a_removed_one_has_open_ends_with_the_reason(self, serve, accept):
        server = serve(KEY)
        stream = server.world.ask(get("/listen/news.a", f"API-KEY: feed-secret\r\nAccept: {accept}"))
        assert b"200" in stream.received()
        poll = server.world.ask(get("/listen/news.a?wait=30", "API-KEY: feed-secret"))
        session = server.login("feed", "feed-secret")
        server.reload("")
        server.world.wait(0)
        assert b"revoked" in stream.received()
        assert session.heard()[0][2] == "radiod.close.revoked"
        assert poll.received()

    def test_other_rights_act_on_what_is_open(self, serve):
        server = serve(KEY)
        session = server.login("feed", "feed-secret")
        session.ask([32, None, {}, "news.a"])
        server.reload(KEY.replace('["news.*"]', '["sport.*"]'))
        assert session.heard()[0][:2] == [35, 0]
        assert server.publish() == 403
        assert server.publish(topic="sport.a") == 200

    def test_who_came_with_another_secret_has_to_leave(self, serve):
        server = serve(KEY)
        session = server.login("feed", "feed-secret")
        server.reload(KEY.replace("feed-secret", "new-secret"))
        server.world.wait(0)
        assert session.heard()[0][2] == "radiod.close.rotated"
        assert (server.publish(), server.publish("new-secret")) == (WRONG_KEY, 200)

    def test_the_right_to_read_metrics_comes_and_goes(self, serve):
        server = serve(KEY)

        def status():
            asked = server.world.ask(get("/metrics", "API-KEY: feed-secret"))
            server.world.wait(1)
            return Answer(asked.received()).status

        before = status()
        server.reload(KEY + "metrics = true\n")
        assert (before, status()) == (404, 200)
        server.reload(KEY)
        assert status() == before

    def test_dates_act_at_once(self, serve):
        server = serve(KEY)
        server.reload(KEY + "valid_until = 1577836800.0\n")
        assert server.publish() == WRONG_KEY

    def test_a_mistyped_one_is_refused(self, serve):
        server = serve()
        assert "keys.feed.key" in server.refuses(KEY.replace("feed-secret", make_secret()[:-1]))


class TestChannels:
    HISTORY = '\n[realms.radio.channels."news.a"]\nhistory = {size = 5}\n'

    def past(self, server):
        told = server.world.join().ask([48, None, {}, "radiod.channel.history", ["news.a"]])
        return len(told[3][0]["events"])

    def test_an_added_one_is_there_at_once(self, serve):
        server = serve()
        server.reload(self.HISTORY)
        listing = Answer(server.world.ask(get("/channels")).received())
        assert [one["name"] for one in listing.json["channels"]] == ["news.a"]

    def test_a_shrunk_history_is_trimmed_and_a_grown_one_kept(self, serve):
        server = serve(KEY + self.HISTORY)
        for _ in range(5):
            server.publish()
        assert self.past(server) == 5
        server.reload(KEY + self.HISTORY.replace("size = 5", "size = 2"))
        assert self.past(server) == 2
        server.reload(KEY + self.HISTORY.replace("size = 5", "size = 9"))
        assert self.past(server) == 2
        for _ in range(9):
            server.publish()
        assert self.past(server) == 9

    def test_a_patterns_history_likewise(self, serve):
        pattern = self.HISTORY.replace("news.a", "news.*")
        server = serve(KEY + pattern)
        for _ in range(5):
            server.publish()
        server.reload(KEY + pattern.replace("size = 5", "size = 2"))
        assert self.past(server) == 2

    def test_a_buffer_is_for_new_listeners(self, serve):
        server = serve(self.HISTORY)
        told = server.reload(self.HISTORY + "buffer = {size = 7}\n")
        assert told == {"live": [], "new_connections": ["realms.radio.channels.'news.a'.buffer.size"]}

    def test_one_that_a_session_has_created_is_in_the_way(self, serve):
        server = serve('[realms.radio.roles.listener]\nsubscribe=["*"]\npublish=["*"]\ncall=["*"]\n')
        base = BASE + '[realms.radio.roles.listener]\nsubscribe=["*"]\npublish=["*"]\ncall=["*"]\n'
        assert server.world.join().ask([48, None, {}, "radiod.channel.create", ["news.a"]])[0] == 50
        assert "created" in server.refuses(self.HISTORY, base)


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "key"),
        [
            ("[limits]\nmax_channels = 7\n", "limits.max_channels"),
            ('[http]\norigins = ["*"]\n', "http.origins"),
            ('[store]\npath = "x.sqlite"\n', "store.path"),
            ("[realms.other]\n", "realms.other"),
            ('[realms.radio.channels.a]\npublic = false\nkey = "k"\n', "realms.radio.channels.a.public"),
            ('[realms.radio.channels.a]\naliases = ["/a"]\n', "realms.radio.channels.a.aliases"),
            ('[realms.radio.dynamic]\nmethods = ["ticket"]\nprocedure = "a.b"\n', "realms.radio.dynamic"),
        ],
    )
    def test_what_needs_a_restart_is_named_and_nothing_is_applied(self, serve, text, key):
        server = serve()
        why = server.refuses(ANN + text)
        assert why.startswith(f"{key}: only a restart")
        assert server.login("ann", "ann-ticket") == "wamp.error.authentication_denied"

    def test_an_authorizer_that_comes_needs_a_restart(self, serve):
        server = serve()
        text = "\n[realms.radio.roles.x]\n"
        server.reload(text)
        assert "roles.x.authorizer" in server.refuses(text + 'authorizer = "a.b"\n')

    def test_a_bad_file_is_refused_with_the_key(self, serve):
        server = serve(KEY)
        assert "realms.radio.users.ann.role" in server.refuses(ANN.replace('"reader"', '"nobody"'))
        assert server.publish() == 200

    def test_it_is_told_in_the_log_and_to_the_procedures_caller(self, serve):
        server = serve()
        boss = server.login("boss", "boss-ticket")
        server.text = BASE + ANN
        assert boss.ask([48, None, {}, "radiod.admin.reload"])[3] == [
            {"live": ["realms.radio.users.ann"], "new_connections": []}
        ]
        server.text = BASE + "[limits]\nmax_channels = 7\n"
        with capturedLogs() as events:
            answer = boss.ask([48, None, {}, "radiod.admin.reload"])
        assert answer[4] == RELOAD_REFUSED
        assert "reload refused" in formatEvent(events[0])
        guest = server.world.join()
        assert guest.ask([48, None, {}, "radiod.admin.reload"])[4] == "wamp.error.not_authorized"

    def test_without_a_file_and_while_it_stops(self, serve):
        server = serve()
        server.reloading._load, load = None, server.reloading._load
        assert "--config" in server.refuses("")
        server.reloading._load = load
        server.reloading.stop()
        assert "stops" in server.refuses("")


class TestAccounts:
    PLAN = '\n[plans.small]\nconnections = 1\n[accounts.acme]\nplan = "small"\n'

    def test_plans_act_at_once_and_go(self, serve):
        user = ANN + 'account = "acme"\n'
        server = serve(user)
        server.login("ann", "ann-ticket")
        server.reload(user + self.PLAN)
        assert server.login("ann", "ann-ticket") == "radiod.error.quota"
        server.reload(user + self.PLAN.replace("= 1", "= 9"))
        assert server.login("ann", "ann-ticket").ask([32, None, {}, "news.a"])[0] == 33
        server.reload(user + self.PLAN)
        server.reload(user)
        assert server.login("ann", "ann-ticket").ask([32, None, {}, "news.a"])[0] == 33


def test_what_was_made_at_run_time_is_in_the_way(serve):
    server = serve()
    boss = server.login("boss", "boss-ticket")

    def call(procedure, *args, **kwargs):
        answer = boss.ask([48, None, {}, f"radiod.admin.{procedure}", args, kwargs])
        assert answer[0] == 50, answer

    call("plan.set", "small", connections=1)
    call("account.set", "acme", plan="small")
    assert "plans.small" in server.refuses("[plans.small]\n")
    assert "accounts.acme" in server.refuses("[accounts.acme]\n")


def test_config_errors_of_loading_are_refusals(serve):
    server = serve()

    def load():
        raise ConfigError(("a", "b"), "wrong")

    server.reloading._load = load
    assert server.refuses("") == "a.b: wrong"
