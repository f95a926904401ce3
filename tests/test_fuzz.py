"""The fuzzer itself: the same again from its seed; its judge sees what is quadratic."""

import json
from random import Random

import cbor2
import msgpack
import pytest
from fuzz import guided, messages, octets, rights, strict, values
from fuzz.inputs import procedures
from fuzz.known import allowance
from fuzz.pipes import http
from fuzz.rule import BASE_S, Rule
from fuzz.runs import PARTS, Seed
from fuzz.sinks import head_is_clean
from fuzz.target import TEXT, Finding, speed

SERIALIZERS = ("json", "msgpack", "cbor")


def server(seconds_of):
    """A measured server that never was: size -> (bytes sent, seconds of CPU)."""
    return lambda size: (size, seconds_of(size))


def faults(seconds_of, size=60_000, factor=1.0):
    return [fault for cost in Rule(factor).judge("x", server(seconds_of), size) for fault in cost.faults]


class TestRule:
    def test_what_costs_by_the_byte_is_fine(self):
        assert faults(lambda size: size * 0.9e-6) == []

    def test_what_is_quadratic_is_found_by_twice_the_size(self):
        found = faults(lambda size: (size / 60_000) ** 2 * 0.02)
        assert len(found) == 1
        assert "4.0 times" in found[0]

    def test_what_is_dear_is_found_at_any_size(self):
        assert any("CPU" in fault for fault in faults(lambda size: 2e-6 * size))
        assert any("CPU" in fault for fault in faults(lambda size: 2 * BASE_S, size=50))

    def test_a_slow_machine_is_allowed_more(self):
        assert faults(lambda size: 3e-6 * size, factor=4.0) == []

    def test_a_disturbed_measurement_is_made_again(self):
        durations = iter([0.3, 0.2, 0.01, 0.01])
        assert faults(lambda size: next(durations)) == []

    def test_what_others_slow_down_is_no_fault_of_the_server_s(self):
        rule = Rule(now=lambda: 3.0)
        costs = rule.judge("x", server(lambda size: 2e-6 * size), 60_000)
        assert [cost.faults for cost in costs] == [[], []]

    def test_what_is_known_to_be_dear_may_not_become_quadratic(self):
        quadratic = server(lambda size: (size / 60_000) ** 2 * 0.1)
        first, second = Rule().judge("x", quadratic, 60_000, allowance=9.0)
        assert first.faults == []
        assert len(second.faults) == 1

    def test_an_allowance_is_for_what_it_names(self):
        assert allowance("cbor PUBLISH.args: empty lists")[0] > 1
        assert allowance("cbor radiod.channel.get(name=many of depth 60)")[0] > 1
        assert allowance("cbor PUBLISH.args: map of colliding integers") == (1.0, "")
        assert allowance("POST /publish, text/plain: form fields") == (1.0, "")

    def test_a_quadratic_function_that_really_runs_is_found(self):
        def work(size):
            # Counted, not timed: what else the processors do would be measured, too.
            compared = 0
            seen = []
            for number in range(size // 400):
                # As a dictionary is, whose keys all have one hash.
                for other in seen:
                    compared += 1
                    if other == number:
                        break
                else:
                    seen.append(number)
            return compared * 400e-9

        assert any("times that of half of it" in fault for fault in faults(work, size=400_000))


def test_the_machine_s_factor_is_never_below_one():
    assert 1.0 <= speed(2) < 1000


class TestSeeds:
    @pytest.mark.parametrize("make", [messages.burst, octets.burst, rights.random_roles])
    def test_the_same_seed_makes_the_same_burst(self, make):
        assert make(Random("1/x/2")) == make(Random("1/x/2"))
        assert make(Random("1/x/2")) != make(Random("1/x/3"))

    def test_a_burst_can_be_run_alone(self):
        assert [name for name, _ in Seed("5/messages/17").bursts("messages")] == ["5/messages/17"]
        whole = Seed("5").bursts("messages")
        assert [next(whole)[0] for _ in range(2)] == ["5/messages/0", "5/messages/1"]

    def test_the_parts_take_all_of_the_time(self):
        assert sum(share for share, _ in PARTS.values()) == pytest.approx(1)

    def test_a_failing_burst_is_made_smaller(self):
        actors = messages.burst(Random(1))
        guilty = actors[3].messages[-1]
        small = messages.fewer(actors, lambda trial: any(guilty in actor.messages for actor in trial))
        assert [actor.messages for actor in small] == [(guilty,)]


class TestValues:
    LOADS = {
        "json": json.loads,
        "msgpack": lambda data: msgpack.unpackb(data, strict_map_key=False),
        "cbor": cbor2.loads,
    }
    VALUE = [
        1,
        -5,
        2**63,
        -(2**40),
        1.5,
        "é" * 40,
        "",
        None,
        True,
        {"a": [1] * 20},
        {str(n): n for n in range(20)},
    ]

    @pytest.mark.parametrize("serializer", SERIALIZERS)
    def test_values_are_what_libraries_read(self, serializer):
        assert self.LOADS[serializer](values.encoded(serializer, self.VALUE)) == self.VALUE

    @pytest.mark.parametrize("serializer", SERIALIZERS)
    @pytest.mark.parametrize("kind", values.CONTAINERS)
    def test_containers_grow_with_their_size(self, kind, serializer):
        small, large = (values.CONTAINERS[kind](serializer, size) for size in (2000, 4000))
        if small is not None:
            assert 1.5 < len(large) / len(small) < 2.5

    def test_colliding_keys_collide(self):
        keys = cbor2.loads(values.CONTAINERS["map of colliding integers"]("cbor", 500))
        assert len(keys) > 10
        assert len({hash(key) for key in keys}) == 1

    def test_every_procedure_of_the_router_is_called(self):
        assert {
            "radiod.echo",
            "radiod.channel.create",
            "wamp.session.kill",
            "wamp.subscription.get_events",
        } <= set(procedures())


class TestStrictness:
    @pytest.mark.parametrize(
        ("serializer", "data"),
        [
            ("json", b"[NaN]"),
            ("json", b"[1e400]"),
            ("json", b'["\xff"]'),
            ("msgpack", b"\x91\x81\x01\x02"),
            ("msgpack", b"\x91\xa1\xff"),
            ("cbor", b"\x81\xa1\x80\x01"),
            ("cbor", b"\x81\x61\xff"),
        ],
    )
    def test_what_not_everybody_reads_is_refused(self, serializer, data):
        with pytest.raises(Exception, match=r"."):
            strict.strictly(serializer, data)

    def test_node_decodes_strictly_too(self):
        decoders = strict.Decoders()
        try:
            decoders.check([(one, values.encoded(one, [1, "a", {"b": None}])) for one in SERIALIZERS])
            if decoders.has_node:
                with pytest.raises(Finding, match="Node"):
                    decoders.check([("json", b'{"no": "list"}')])
        finally:
            decoders.close()


class TestReference:
    ROLE = {
        "subscribe": ["a.*", "b..c"],
        "publish": ["*"],
        "call": ["a"],
        "register": ["a.*"],
        "deny": ["a.x"],
    }

    @pytest.mark.parametrize(
        ("action", "uri", "match", "is_allowed"),
        [
            ("subscribe", "a.b", "exact", True),
            ("subscribe", "a", "exact", False),
            ("subscribe", "b.x.c", "exact", True),
            ("subscribe", "a.x", "exact", False),
            ("subscribe", "a.", "prefix", True),
            ("subscribe", "a", "prefix", False),
            ("subscribe", "b..c", "wildcard", True),
            ("subscribe", "..c", "wildcard", False),
            ("publish", "z", "exact", True),
            ("call", "a.b", "exact", False),
            ("register", "a.", "prefix", False),
        ],
    )
    def test_rights_are_what_the_documentation_says(self, action, uri, match, is_allowed):
        assert rights.allows(self.ROLE, action, uri, match) is is_allowed

    def test_what_is_new_each_time_is_left_out(self):
        one = {
            "id": 123456789,
            "epoch": "abc:17",
            "key": "x" * 24,
            "time": "2026-11-27T01:02:03.5Z",
            "age": 1,
        }
        other = {
            "id": 987654321,
            "epoch": "fgh:29",
            "key": "y" * 24,
            "time": "2027-01-01T01:02:03Z",
            "age": 2,
        }
        assert rights.normal(one) == rights.normal(other)
        assert rights.normal(["a", 5]) == ["a", 5]


class TestSinks:
    @pytest.mark.parametrize("act", ["\r\nX-Evil: yes", "\nx", "\x1b[2J", "\x85", "\u2028"])
    def test_a_head_in_which_something_acts_is_found(self, act):
        with pytest.raises(Finding, match="not clean"):
            head_is_clean(f"HTTP/1.1 404 no {act}\r\nA: b\r\n\r\n".encode(), b"")

    def test_a_clean_head_is_fine(self):
        head_is_clean(b"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n\x1b\x85", b"")

    @pytest.mark.parametrize("act", ["\r", "\x1b", "\0", "\x9b", "\u2028", "\u2029", "\x7f"])
    def test_a_line_of_the_log_in_which_something_acts_is_found(self, act):
        assert TEXT.search(f"refused {act}".encode())
        assert not TEXT.search("refused é 𝄞…".encode())


def test_an_answer_is_cut_off_where_it_ends():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert http(answer + answer) == ((200, answer[:-6], b"ok"), answer)
    assert http(answer[:-1])[0] is None
    assert http(answer[:-2], is_head=True)[0] == (200, answer[:-6], b"")


@pytest.mark.parametrize("seed", range(40))
def test_the_guided_fuzzer_s_targets_take_anything(seed):
    random = Random(seed)
    for data in octets.burst(random):
        for first in range(len(guided.TARGETS)):
            guided.one_input(bytes((first,)) + data)
    for serializer in SERIALIZERS:
        maker = values.Maker(random, serializer)
        for number in range(1, 20):
            data = values.encoded(serializer, messages.random_message(maker, number))
            guided.one_input(bytes((SERIALIZERS.index(serializer),)) + data)
