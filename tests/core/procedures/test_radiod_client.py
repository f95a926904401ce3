"""Who is there."""

from itertools import chain

import pytest

from radiod.errors import INVALID_ARGUMENT, NO_SUCH_SESSION

LIST = "radiod.client.list"
GET = "radiod.client.get"


class TestList:
    def test_each_session_is_told_by_id(self, world):
        ann = world.caller(authid="ann", authrole="writer", agent="Sim-1.0")
        bob = world.caller(authid="bob")
        assert ann.call(LIST) == {
            "clients": [
                {"id": ann.id, "authid": "ann", "authrole": "writer", "agent": "Sim-1.0"},
                {"id": bob.id, "authid": "bob", "authrole": "tester", "agent": None},
            ],
            "next": None,
        }

    def test_pages_follow_each_other_without_gap_or_repeat(self, world, caller):
        ids = {caller.id, *(world.join().id for _ in range(24))}
        seen, after = [], None
        for _ in range(3):
            page = caller.call(LIST, limit=10, after=after)
            seen.append([client["id"] for client in page["clients"]])
            after = page["next"]
        assert [len(page) for page in seen] == [10, 10, 5]
        assert list(chain(*seen)) == sorted(ids)
        assert after is None

    def test_a_page_goes_on_behind_a_session_that_has_left(self, world, caller):
        others = [world.join() for _ in range(3)]
        after = caller.call(LIST, limit=2)["next"]
        others[0].leave()
        assert [client["id"] for client in caller.call(LIST, 2, after)["clients"]] == [
            others[1].id,
            others[2].id,
        ]

    @pytest.mark.parametrize("limit", [0, 1001, 1.5, True, "1", None])
    def test_a_wrong_limit_is_refused(self, caller, limit):
        assert caller.call(LIST, limit=limit) == INVALID_ARGUMENT

    @pytest.mark.parametrize("after", [0, -1, "1", 1.5, True, 2**53 + 1, []])
    def test_a_wrong_place_to_go_on_is_refused(self, caller, after):
        assert caller.call(LIST, after=after) == INVALID_ARGUMENT


class TestGet:
    def test_one_client_with_what_it_answers(self, world, caller):
        callee = world.join("joe", "member", agent="Calc-2")
        callee.register("rpc.joe.sub")
        callee.register("rpc.joe.add")
        callee.register("rpc.joe.add", match="prefix")
        told = {
            "session": callee.id,
            "authid": "joe",
            "authrole": "member",
            "authmethod": "anonymous",
            "authprovider": "static",
            "agent": "Calc-2",
            "procedures": ["rpc.joe.add", "rpc.joe.sub"],
            "sessions": [callee.id],
        }
        assert caller.call(GET, callee.id) == told
        assert caller.call(GET, float(callee.id)) == told
        assert caller.call(GET, "joe") == told

    def test_of_several_sessions_of_one_authid_the_newest_is_told(self, world, caller):
        first, second = world.join("joe"), world.join("joe")
        assert caller.call(GET, "joe")["session"] == second.id
        assert caller.call(GET, first.id)["sessions"] == [first.id, second.id]
        second.leave()
        assert caller.call(GET, "joe")["session"] == first.id

    @pytest.mark.parametrize("unknown", [2**53, "nobody", "", "x" * 10_000, "a\nb"])
    def test_nobody(self, caller, unknown):
        assert caller.call(GET, unknown) == NO_SUCH_SESSION

    @pytest.mark.parametrize("wrong", [None, 0, -1, 1.5, True, [], {}, b"a", 2**60])
    def test_what_is_neither_id_nor_authid_is_refused(self, caller, wrong):
        assert caller.call(GET, wrong) == INVALID_ARGUMENT
