"""``radioctl reload`` and ``radioctl drain``."""

import json

import pytest
from support.admin_server import Refuse

DRAIN = "radiod.admin.drain"
RELOAD = "radiod.admin.reload"
REFUSED = "radiod.error.reload_refused"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"live": [], "new_connections": []}, "nothing new\n"),
        (
            {"live": ["realms.town.keys.a"], "new_connections": ["listen.[0].hosts"]},
            "realms.town.keys.a  live\nlisten.[0].hosts  for new connections\n",
        ),
    ],
)
def test_what_a_reload_has_changed(run, server, answer, told):
    server.answers[RELOAD] = lambda: answer
    assert run("reload") == (0, told, "")
    assert run("reload", "--json").json == answer


def test_why_it_is_refused(run, server):
    def refuse():
        raise Refuse(REFUSED, "limits.max_channels: only a restart changes this")

    server.answers[RELOAD] = refuse
    done = run("reload")
    assert (done.status, done.out) == (1, "")
    assert done.err == f"radioctl: {REFUSED}: limits.max_channels: only a restart changes this\n"
    assert json.loads(run("reload", "--json").err)["error"] == REFUSED


@pytest.mark.parametrize("over", [None, 0, 30, 2.5])
def test_a_drain_says_what_has_begun(run, server, over):
    asked = []
    server.answers[DRAIN] = lambda **given: asked.append(given) or {"listeners": 12, "over": 2.5}
    words = [] if over is None else ["--over", over]
    assert run("drain", *words) == (0, "12 listeners end over 2.5 s, nobody new is let in\n", "")
    assert run("drain", *words, "--json").json == {"listeners": 12, "over": 2.5}
    assert asked == 2 * [{} if over is None else {"over": float(over)}]


@pytest.mark.parametrize(
    ("was_draining", "told"), [(True, "everybody is let in\n"), (False, "it was not being drained\n")]
)
def test_a_drain_is_cancelled(run, server, was_draining, told):
    server.answers[f"{DRAIN}.cancel"] = lambda: {"was_draining": was_draining}
    assert run("drain", "--cancel") == (0, told, "")
    assert run("drain", "--cancel", "--over", 3).status == 2
    assert run("drain", "--over", -1).status == 2
