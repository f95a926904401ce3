"""``radioctl publish``, ``listen``, ``call``, ``channel``."""

import json

import pytest

EVENT = ({"topic": "weather.harbour", "_epoch": "e", "_seq": 7}, [{"wind": 5}])


class TestPublish:
    @pytest.mark.parametrize(
        ("words", "args", "kwargs"),
        [
            (["1"], [1], {}),
            (["a text"], ["a text"], {}),
            (['{"x": [1, null]}'], [{"x": [1, None]}], {}),
            (["1", "x=2", 'y="a=b"', '"a=b"'], [1, "a=b"], {"x": 2, "y": "a=b"}),
            ([], [], {}),
        ],
    )
    def test_values_are_json_or_text(self, run, server, words, args, kwargs):
        assert run("publish", "weather.harbour", *words) == (0, "", "")
        assert server.published == [[{"acknowledge": True}, "weather.harbour", args, kwargs]]

    def test_each_line_of_stdin_is_an_event(self, run, server):
        done = run("publish", "a", "--stdin", "--json", stdin='{"x":1}\n\ntext\n2')
        assert [json.loads(line)["id"] for line in done.out.splitlines()] == [77, 77, 77]
        assert [args for _, _, args, _ in server.published] == [[{"x": 1}], ["text"], [2]]
        assert run("publish", "a", "1", "--stdin").status == 2

    def test_a_private_channels_key_comes_from_a_file(self, run, server, tmp_path):
        (tmp_path / "key").write_text("the-key")
        assert run("publish", "a", "1", "--key-file", tmp_path / "key", "--retain").status == 0
        assert server.published[0][0] == {"acknowledge": True, "_radiod_key": "the-key", "retain": True}


class TestListen:
    def test_events_of_several_channels(self, run, server):
        server.events["weather."] = [EVENT]
        server.events["a"] = [({}, [1, 2])]
        done = run("listen", "weather.*", "a", "--count", "2")
        assert done.out == 'weather.harbour  {"wind":5}\na  {"args":[1,2],"kwargs":{}}\n'
        assert server.subscribed == [[{"match": "prefix"}, "weather."], [{"match": "exact"}, "a"]]

    def test_json_is_a_line_each(self, run, server):
        server.events["a"] = [EVENT]
        done = run("listen", "a", "--count", "1", "--after", "e:6", "--retained", "--json")
        assert done.json == {"channel": "weather.harbour", "position": "e:7", "data": {"wind": 5}}
        assert server.subscribed[0][0] == {"match": "exact", "_radiod_after": "e:6", "get_retained": True}

    def test_what_is_missing_is_told(self, run, server):
        server.events["a"] = [({"_lost": 3, "_recovered": False}, [1])]
        done = run("listen", "a", "--count", "1")
        assert (done.out, done.err.splitlines()) == (
            "a  1\n",
            [
                "radioctl: 3 events of a are lost here",
                "radioctl: after that position of a not all is there",
            ],
        )
        done = run("listen", "a", "--count", "1", "--json")
        assert done.json == {"channel": "a", "lost": 3, "recovered": False, "data": 1}
        assert done.err == ""

    @pytest.mark.parametrize("char", ["\x1b", "\x9b", "\x07", "\r", "\u202e", "\U000e0001"])
    def test_nothing_that_others_say_does_anything_to_the_terminal(self, run, server, char):
        server.events["a"] = [({"topic": f"a{char}[31m"}, [f"x{char}]0;y"])]
        for words in ((), ("--json",)):
            done = run("listen", "a", "--count", "1", *words)
            assert done.out.removesuffix("\n").isprintable()
        assert done.json == {"channel": f"a{char}[31m", "data": f"x{char}]0;y"}
        server.abort = ({"message": f"a{char}b"}, "an.error")
        assert run("call", "a").err.removesuffix("\n").isprintable()

    def test_what_is_no_channel_is_wrong_usage(self, run, server):
        assert run("listen", "a b").status == 2
        assert run("listen").status == 2


def test_call(run, server):
    server.answers["a.p"] = lambda *args, **kwargs: [list(args), kwargs]
    assert run("call", "a.p", "1", "x=two").out == '[[1],{"x":"two"}]\n'
    assert run("call", "a.p", "--json").json == {"args": [[[], {}]], "kwargs": {}}
    done = run("call", "no.such")
    assert (done.status, done.err.split(": ")[1]) == (1, "wamp.error.no_such_procedure")


class TestChannels:
    def test_list(self, run, server):
        one = {"name": "a", "readers": 1200, "writers": 1, "events": 5, "expires": None, "position": None}
        server.answers["radiod.channel.list"] = lambda **_: {"channels": [one], "next": None}
        assert run("channel", "list", "a").out.splitlines()[1] == "a          1,200        1       5  -"
        assert server.calls[0][2] == {"prefix": "a", "limit": 1000, "after": None}

    def test_create_stays_and_its_control_key_is_shown_once(self, run, server):
        answer = {"name": "a", "control_key": "ck", "expires": None, "readers": 0}
        server.answers["radiod.channel.create"] = lambda **_: answer
        done = run("channel", "create", "a", "--lifetime", "60", "--history", "5", "--durable", "--presence")
        assert done.out == "a   until it is deleted\nck  (control key, shown once)\n"
        given = {"lifetime": 60.0, "history": {"size": 5}, "durable": True, "presence": True}
        assert server.calls[0][2] == {"name": "a", "on_owner_leave": "keep", "public": True, **given}

    def test_a_private_channel_has_a_key_given_or_made(self, run, server, tmp_path):
        answer = {"name": "a", "control_key": "ck", "key": "kk", "expires": None, "readers": 0}
        server.answers["radiod.channel.create"] = lambda **_: answer
        assert "kk  (key, shown once)" in run("channel", "create", "a", "--private").out
        (tmp_path / "key").write_text("kk")
        assert "kk" not in run("channel", "create", "a", "--private", "--key-file", tmp_path / "key").out
        assert server.calls[1][2]["key"] == "kk"
        assert run("channel", "create", "a", "--key-file", tmp_path / "key").status == 2

    def test_extend_and_delete(self, run, server):
        server.answers["radiod.channel.extend"] = lambda **given: {"name": "a", "expires": 1830211200.0}
        server.answers["radiod.channel.delete"] = lambda **given: {"name": "a"}
        done = run("channel", "extend", "a", "60", "--control-key-file", "-", stdin="ck\n")
        assert done.out == "a   until 2027-12-31 00:00 UTC\n"
        assert run("channel", "delete", "a") == (0, "", "")
        run("channel", "delete", "a", "--control-key-file", "-", stdin="ck\n")
        extend, mine, others = (call[2] for call in server.calls)
        assert extend == {"name": "a", "lifetime": 60.0, "control_key": "ck"}
        assert (mine, others) == ({"name": "a"}, {"name": "a", "control_key": "ck"})

    def test_watch(self, run, server):
        server.events["radiod.channel.on_delete"] = [({}, [{"name": "a", "reason": "expired"}])]
        done = run("channel", "watch", "--count", "1")
        assert done.out == 'radiod.channel.on_delete  {"name":"a","reason":"expired"}\n'
