"""Rows 19 to 28 of docs/stream_service.md that concern the server: statistics, information, calls, logins."""

import base64
import time

import pytest
from support.programs import Failed

CREATE, OPEN_WRITE, CHANNEL_STATS = (
    "radiod.channel.create",
    "radiod.channel.open_write",
    "radiod.channel.stats",
)
SERVER_STATS, ON_STATS = "radiod.server.stats", "radiod.server.on_stats"
DESCRIBE = "radiod.rpc.describe"


class TestRow19Statistics:
    def test_the_server_tells_what_goes_on(self, program, channel):
        writer, reader = program(), program()
        reader.listen(channel)
        before = writer.call(SERVER_STATS)
        writer.send(channel, *range(100))
        after = writer.call(SERVER_STATS)
        assert after["published"] - before["published"] == 100
        assert after["delivered"] - before["delivered"] >= 100
        assert after["bytes_out"] > before["bytes_out"]
        assert after["sessions"] >= 2
        assert set(after["dropped"]) == {"ring", "skip", "clear", "wait", "raise"}
        assert after["loop_lag"]["max"] >= after["loop_lag"]["mean"] >= 0

    def test_it_is_told_at_an_interval_to_whoever_listens_and_ends_for_nobody_else(self, program):
        first, second = program(), program()
        subscription = first.listen(ON_STATS)
        second.listen(ON_STATS)
        assert first.event().data["interval"] == 1
        first.stop_listening(subscription)
        uptimes = [second.event().data["uptime"] for _ in range(2)]
        assert 0.5 < uptimes[1] - uptimes[0] < 5
        assert len(first.heard()) <= 1

    def test_a_channel_tells_its_events_and_its_writers_each_readers_queue(self, program, channel):
        writer, reader = program(), program()
        writer.call(CREATE, channel)
        reader.listen(channel, _radiod_buffer={"size": 10, "min_interval": 3600})
        writer.send(channel, *range(100))
        stats = writer.call(CHANNEL_STATS, channel)
        assert (stats["name"], stats["readers"], stats["writers"], stats["events"]) == (channel, 1, 1, 100)
        assert stats["bytes"] > 100
        assert (stats["queued"], stats["lost"]) == (10, 89)
        assert stats["listeners"] == [{"session": reader.id, "queued": 10, "lost": 89}]
        assert reader.call(CHANNEL_STATS, channel)["listeners"] is None


class TestRow20Information:
    def test_the_clients_are_listed_in_pages(self, program):
        programs = [program() for _ in range(5)]
        seen, after = [], None
        while not seen or after is not None:
            page = programs[0].call("radiod.client.list", limit=3, after=after)
            seen += [client["id"] for client in page["clients"]]
            after = page["next"]
        assert seen == sorted(seen)
        assert {one.id for one in programs} <= set(seen)

    def test_one_is_found_by_id_and_by_name_with_what_it_answers(self, program, channel):
        joe, other = program("joe", agent="Calculator-1"), program()
        joe.register(f"rpc.{channel}.add")
        for id in (joe.id, "joe"):
            told = other.call("radiod.client.get", id)
            assert (told["session"], told["authid"], told["authrole"]) == (joe.id, "joe", "open")
            assert (told["agent"], told["procedures"]) == ("Calculator-1", [f"rpc.{channel}.add"])

    @pytest.mark.parametrize("unknown", ["nobody", 2**53])
    def test_an_unknown_one_is_answered(self, program, unknown):
        assert program().refusal("radiod.client.get", unknown) == "wamp.error.no_such_session"

    def test_echo(self, program):
        assert program().call("radiod.echo", {"any": [1, "thing"]}) == {"any": [1, "thing"]}

    def test_a_client_may_be_ended(self, program):
        victim, other = program(), program()
        other.call("wamp.session.kill", victim.id)
        assert victim.hear()[0] == 6
        assert victim.id not in other.call("wamp.session.list")


class TestRow21Rpc:
    def test_procedures_of_one_program_are_called_by_others(self, program, channel):
        callee, caller = program(), program()
        callee.register(f"rpc.{channel}.add")
        call = caller.begin_call(f"rpc.{channel}.add", 3, 4)
        invocation = callee.asked()
        callee.give(invocation, sum(invocation[4]))
        assert caller.result(call) == 7

    def test_an_error_reaches_the_caller_and_the_callee_lives(self, program, channel):
        callee, caller = program(), program()
        callee.register(f"rpc.{channel}.fail")
        for _ in range(2):
            call = caller.begin_call(f"rpc.{channel}.fail")
            callee.fail(callee.asked(), "wamp.error.runtime_error", "ValueError: no")
            with pytest.raises(Failed) as failure:
                caller.result(call)
            assert (failure.value.uri, failure.value.text) == ("wamp.error.runtime_error", "ValueError: no")

    def test_a_slow_procedure_stops_neither_side(self, program, channel):
        callee, caller = program(), program()
        for name in ("slow", "fast"):
            callee.register(f"rpc.{channel}.{name}")
        slow = caller.begin_call(f"rpc.{channel}.slow")
        slow_invocation = callee.asked()
        fast = caller.begin_call(f"rpc.{channel}.fast")
        callee.give(callee.asked(), "fast")
        assert caller.result(fast) == "fast"
        assert caller.call("radiod.echo", 1) == 1
        callee.give(slow_invocation, "slow")
        assert caller.result(slow) == "slow"

    def test_nobody_answers_when_the_callee_has_died(self, program, channel):
        callee, caller = program(), program()
        callee.register(f"rpc.{channel}.add")
        call = caller.begin_call(f"rpc.{channel}.add")
        callee.asked()
        callee.close()
        with pytest.raises(Failed) as failure:
            caller.result(call)
        assert failure.value.uri == "wamp.error.canceled"


class TestRow22NestedNames:
    def test_a_proxy_finds_what_is_below_a_name(self, program, channel):
        callee, caller = program(), program()
        for name in ("calc.add", "calc.sub", "calc.trig.sin", "ping"):
            callee.register(f"rpc.{channel}.{name}")
        assert caller.call(DESCRIBE, f"rpc.{channel}.calc")["children"] == [
            f"rpc.{channel}.calc.add",
            f"rpc.{channel}.calc.sub",
            f"rpc.{channel}.calc.trig.sin",
        ]
        listed = caller.call("radiod.rpc.list", prefix=f"rpc.{channel}.")["procedures"]
        assert [one["procedure"] for one in listed] == [
            f"rpc.{channel}.calc.add",
            f"rpc.{channel}.calc.sub",
            f"rpc.{channel}.calc.trig.sin",
            f"rpc.{channel}.ping",
        ]


class TestRow23Signatures:
    ADD = {
        "parameters": [
            {"name": "a", "kind": "positional_or_keyword", "annotation": "float"},
            {"name": "b", "kind": "keyword_only", "default": 1},
        ],
        "returns": "float",
    }

    def test_a_callee_tells_how_it_is_called(self, program, channel):
        callee, caller = program(), program()
        callee.register(f"rpc.{channel}.add", _radiod_signature=self.ADD)
        assert caller.call(DESCRIBE, f"rpc.{channel}.add")["signature"] == self.ADD

    def test_or_tells_it_afterwards_as_stock_clients_must(self, program, channel):
        callee, caller = program(), program()
        callee.register(f"rpc.{channel}.add")
        assert caller.call(DESCRIBE, f"rpc.{channel}.add")["signature"] is None
        callee.call("radiod.rpc.document", f"rpc.{channel}.add", self.ADD)
        assert caller.call(DESCRIBE, f"rpc.{channel}.add")["signature"] == self.ADD

    def test_it_goes_with_the_callee(self, program, channel):
        callee, caller = program(), program()
        callee.register(f"rpc.{channel}.add", _radiod_signature=self.ADD)
        callee.close()
        while callee.id in caller.call("wamp.session.list"):
            pass
        assert caller.refusal(DESCRIBE, f"rpc.{channel}.add") == "wamp.error.no_such_procedure"


class TestRow24Timeout:
    def test_a_call_ends_in_time_and_the_callee_is_told(self, program, channel):
        callee, caller = program(), program()
        callee.register(f"rpc.{channel}.slow")
        began = time.monotonic()
        assert caller.refusal(f"rpc.{channel}.slow", timeout=300) == "wamp.error.timeout"
        assert 0.25 < time.monotonic() - began < 2
        invocation, interrupt = callee.asked(), callee.asked()
        assert interrupt[:2] == [69, invocation[1]]


class TestRow25Transactions:
    def test_more_calls_than_the_original_had_numbers(self, program):
        caller = program()
        for start in range(0, 66_000, 1000):
            calls = [caller.begin_call("radiod.echo", number) for number in range(start, start + 1000)]
            assert [caller.result(call) for call in calls] == list(range(start, start + 1000))


class TestRow26Serialisers:
    ARRAY = {"_nd": 1, "dtype": "<f4", "shape": [2, 3], "enc": "raw"}
    DATA = bytes(range(24))
    SERIALIZERS = ("json", "msgpack", "cbor")

    def binary(self, serializer):
        return "\0" + base64.b64encode(self.DATA).decode() if serializer == "json" else self.DATA

    @pytest.mark.parametrize("sender", SERIALIZERS)
    @pytest.mark.parametrize("receiver", SERIALIZERS)
    def test_any_value_passes_between_serialisers(self, program, channel, sender, receiver):
        writer, reader = program(serializer=sender), program(serializer=receiver)
        reader.listen(channel)
        value = {"text": "é", "list": [1, 2.5, None, True], "big": 2**53, "nested": {"a": {"b": []}}}
        writer.publish(channel, value)
        assert reader.event().data == value

    @pytest.mark.parametrize("sender", SERIALIZERS)
    @pytest.mark.parametrize("receiver", SERIALIZERS)
    def test_arrays_keep_their_type_shape_and_bytes(self, program, channel, sender, receiver):
        writer, reader = program(serializer=sender), program(serializer=receiver)
        reader.listen(channel)
        writer.publish(channel, {**self.ARRAY, "data": self.binary(sender)})
        assert reader.event().data == {**self.ARRAY, "data": self.binary(receiver)}


class TestRow28Authentication:
    def test_the_right_ticket_opens_a_session(self, program):
        assert program("joe").welcome["authid"] == "joe"

    @pytest.mark.parametrize("authid", ["joe", "nobody"])
    def test_a_wrong_one_is_refused_at_once_with_a_reason(self, program, authid):
        with pytest.raises(Failed) as failure:
            program(authid, ticket="wrong")
        assert failure.value.uri == "wamp.error.authentication_denied"
        assert failure.value.text
