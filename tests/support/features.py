"""The advanced profile as stock clients see it: how the router is configured, and what they should see."""

REALM = """
[realms.{realm}]
anonymous = "open"

[realms.{realm}.roles.open]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
register = ["*"]
disclosed = ["told.*"]

[realms.{realm}.roles.rated]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
register = ["*"]
trustlevel = 7

[realms.{realm}.roles.secretive]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
disclose = "never"

[realms.{realm}.users.joe]
role = "open"
ticket = "joe-ticket"

[realms.{realm}.users.rita]
role = "rated"
ticket = "rita-ticket"

[realms.{realm}.users.sue]
role = "secretive"
ticket = "sue-ticket"

[realms.{realm}.channels.past]
history = {{ size = 3 }}
"""


def config(realms: list[str]) -> str:
    """A realm for each run: what its sessions count is theirs alone."""
    return "".join(REALM.format(realm=realm) for realm in realms)


SEEN = {
    "prefix subscription": ["prefix.ab", "prefix.abc", "prefix.ab.c.d", "prefix.ab.end"],
    "wildcard subscription": ["wild.a.end", "wild.b.end"],
    # For each subscription: how many events, of which topic, with the publication's id.
    "overlapping subscriptions": [[1, "over.lap.ped", True]] * 3,
    "publisher identification": [[True, "joe", "open"], [None, None, None]],
    "black- and whitelisting": {"nobody": [2, 3, 5, 7, 8], "joe": [1, 4, 5, 8], "rita": [1, 3, 6, 8]},
    # Published without exclude_me, with true, with false.
    "publisher exclusion": [2],
    "acknowledgement": [True, True, "wamp.error.invalid_uri"],
    "event retention": [
        [["kept.a", True], ["live", False]],
        [["kept.a", "kept.a", True], ["kept.b", "kept.b", True], ["live", "kept.a", False]],
        0,
    ],
    "event history": [
        [[[[2], "past"], [[3], "past"], [[4], "past"]], {"is_limit_reached": False}],
        [[[[2], "past"], [[3], "past"]], {"is_limit_reached": True}],
        [[[[4], "past"]], {"is_limit_reached": True}],
        "wamp.error.history_unavailable",
    ],
    "subscription revocation": [[1], None],
    "pattern-based registration": [
        ["exact call.p.q.r", "call.p.q.r"],
        ["prefix call.p.q", "call.p.q.s"],
        ["prefix call.p", "call.p.x.r"],
        ["wildcard call.a..c", "call.a.b.c"],
        ["wildcard call..b.c", "call.x.b.c"],
        "wamp.error.no_such_procedure",
    ],
    "shared registration": {
        "roundrobin": [0, 1, 2, 0, 1, 2],
        "first": [0] * 6,
        "last": [2] * 6,
        # Of 60 calls.
        "random": [0, 1, 2],
        "other policy": "wamp.error.procedure_already_exists",
        "single": "wamp.error.procedure_already_exists",
        "one left": [1, 1],
    },
    # Who answers, and what the first one's call that was pending ended in.
    "taking over a registration": ["first", "second", "first, late", 1],
    "concurrency": ["radiod.error.max_concurrency", "done", "done"],
    "caller identification": [[True, "joe", "open"], [None, None, None]],
    "progressive call results": [[0, 1, 2], "asked", "not asked"],
    "call canceling": ["canceled", 1, "still here"],
    "canceled by leaving": 1,
    "call timeout": ["wamp.error.timeout", True, 1],
    "callee leaves": ["wamp.error.canceled", "wamp.error.no_such_procedure"],
    "registration revocation": ["answer", "wamp.error.no_such_procedure", "again"],
    "session meta API": {
        "count": [4, 1],
        "list": True,
        "list by role": True,
        "get": [True, "joe", "open", "ticket"],
        "on_join": [["joe", "open"], ["rita", "rated"]],
        "on_leave": [True, "open"],
        "unknown": "wamp.error.no_such_session",
    },
    "killing sessions": {
        "kill": None,
        "reason": ["test.reason", "because"],
        "kill_by_authid": True,
        "kill_by_authrole": 1,
        "kill_all": 1,
        "reasons": ["wamp.close.killed", "wamp.close.killed", "test.everybody"],
        "oneself": "wamp.error.no_such_session",
        "invalid reason": "wamp.error.invalid_uri",
    },
    "subscription meta API": {
        "get": [True, "meta.topic", "exact", True],
        "list": [True, True, []],
        "lookup": [True, True, None],
        "match": [True, None],
        "subscribers": True,
        "count": 2,
        "events": [
            *[["on_create", "one"], ["on_create", "two"]],
            *[["on_delete", "two"], ["on_delete", "two"]],
            *[["on_subscribe", "one"], ["on_subscribe", "two"], ["on_subscribe", "two"]],
            *[["on_unsubscribe", "one"], ["on_unsubscribe", "two"], ["on_unsubscribe", "two"]],
        ],
        "unknown": "wamp.error.no_such_subscription",
    },
    "registration meta API": {
        "get": [True, "meta.procedure", "exact", "roundrobin", True],
        "list": [True, True, []],
        "lookup": [True, True, None],
        "match": [True, True, None],
        "callees": True,
        "count": 2,
        "events": [
            *[["on_create", "one"], ["on_create", "two"]],
            *[["on_delete", "two"], ["on_delete", "two"]],
            *[["on_register", "one"], ["on_register", "two"], ["on_register", "two"]],
            *[["on_unregister", "one"], ["on_unregister", "two"], ["on_unregister", "two"]],
        ],
        "unknown": "wamp.error.no_such_registration",
    },
    # A session is detached before it is destroyed.
    "testaments": [
        [[["detached"], {"who": "left"}], [["destroyed"], {"who": "left"}], [["lost"], {}]],
        "wamp.error.invalid_uri",
    ],
    "options of testaments": [[1, 2], [2]],
    "payload passthru mode": [[[[1, "two"], {"key": [3]}]], 5, [0, 1], "test.error", 0, None],
}
"""Feature -> what a client that can use all of it sees."""


def log_is_clean(log: str) -> bool:
    """True when nothing went wrong inside the router, whatever its clients saw."""
    return "Traceback" not in log and "Unhandled" not in log
