"""``radioctl reload``."""

import json

import pytest
from support.admin_server import Refuse

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
