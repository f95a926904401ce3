"""How a listener wants its events: what is taken, what is refused, and what a query string says."""

import math

import pytest

from radiod.core.delivery.settings import (
    DEFAULTS,
    MAX_SIZE,
    POLICIES,
    BufferSettings,
    from_query,
    settings_from,
)
from radiod.errors import INVALID_ARGUMENT, Refused

LIMIT = 1 << 24


class TestSettings:
    def test_are_the_defaults_where_nothing_is_given(self):
        assert settings_from({}, DEFAULTS, LIMIT) is DEFAULTS
        assert (
            BufferSettings(
                size=100, policy="ring", every=1, min_interval=0, latest=False, weight=1, max_bytes=1 << 20
            )
            == DEFAULTS
        )
        assert not DEFAULTS.is_paced

    def test_given_ones_take_the_place_of_defaults(self):
        channel = settings_from({"size": 7, "every": 2}, DEFAULTS, LIMIT)
        settings = settings_from({"every": 3.0, "min_interval": 1, "policy": "clear"}, channel, LIMIT)
        assert settings == BufferSettings(size=7, every=3, min_interval=1.0, policy="clear")
        assert type(settings.every) is int
        assert type(settings.min_interval) is float

    @pytest.mark.parametrize(
        "given",
        [
            *({"policy": policy} for policy in POLICIES),
            *({"size": size} for size in (0, 1, MAX_SIZE)),
            *({"every": every} for every in (1, 2**53)),
            *({"min_interval": interval} for interval in (0, 0.001, 86_400)),
            *({"weight": weight} for weight in (1, 100)),
            *({"max_bytes": size} for size in (1, LIMIT)),
            *({"latest": latest} for latest in (True, False)),
        ],
        ids=str,
    )
    def test_up_to_their_bounds_are_taken(self, given):
        settings = settings_from(given, DEFAULTS, LIMIT)
        assert {name: getattr(settings, name) for name in given} == given

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(("policy", value) for value in ("", "RING", "drop", 3, None, ["ring"])),
            *(("size", value) for value in (-1, MAX_SIZE + 1, 1.5, "3", None, True, math.inf, math.nan)),
            *(("every", value) for value in (0, -1, 2**53 + 1, 10**400, 1e300, "2", {})),
            *(("min_interval", value) for value in (-0.1, 86_401, math.nan, math.inf, "1", True, 10**400)),
            *(("weight", value) for value in (0, 101, "1")),
            *(("max_bytes", value) for value in (0, LIMIT + 1, -5)),
            *(("latest", value) for value in (1, 0, "true", None)),
            ("sise", 3),
            ("a\x00\n" * 100, 3),
        ],
        ids=lambda value: repr(value)[:20],
    )
    def test_wrong_ones_are_refused_by_name(self, name, value):
        with pytest.raises(Refused) as refusal:
            settings_from({"size": 5, name: value}, DEFAULTS, LIMIT)
        assert refusal.value.uri == INVALID_ARGUMENT
        assert repr(name)[1:5] in refusal.value.text
        assert len(refusal.value.text) < 500

    @pytest.mark.parametrize("given", [None, 3, "size", [], [["size", 3]]], ids=repr)
    def test_are_a_dictionary(self, given):
        with pytest.raises(Refused) as refusal:
            settings_from(given, DEFAULTS, LIMIT)
        assert refusal.value.uri == INVALID_ARGUMENT

    @pytest.mark.parametrize(
        "unusual",
        [{"every": 2}, {"min_interval": 0.5}, {"latest": True}, {"policy": "wait"}, {"policy": "raise"}],
    )
    def test_that_ask_for_more_than_a_buffer_need_a_pacer(self, unusual):
        assert BufferSettings(**unusual).is_paced
        assert not BufferSettings(size=3, policy="skip", weight=9, max_bytes=5).is_paced


class TestQueries:
    def test_are_read_by_kind_and_what_is_no_setting_is_left_alone(self):
        assert from_query(
            {
                "size": "3",
                "policy": "skip",
                "every": "2",
                "min_interval": "0.5",
                "latest": "true",
                "wait": "9",
            }
        ) == {"size": 3, "policy": "skip", "every": 2, "min_interval": 0.5, "latest": True}
        assert from_query({"weight": "5", "max_bytes": "9", "latest": "0"}) == {
            "weight": 5,
            "max_bytes": 9,
            "latest": False,
        }

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("size", ""),
            ("size", "x"),
            ("every", "1.5"),
            ("latest", "yes"),
            ("min_interval", "1,5"),
            ("weight", "9" * 5000),
        ],
        ids=lambda text: text[:9],
    )
    def test_that_cannot_be_read_are_told_what_they_must_be(self, name, text):
        with pytest.raises(Refused, match=f"^{name} must be ") as refusal:
            settings_from(from_query({name: text}), DEFAULTS, LIMIT)
        assert refusal.value.uri == INVALID_ARGUMENT
        assert len(refusal.value.text) < 200

    def test_that_can_be_read_are_checked_like_all_others(self):
        with pytest.raises(Refused, match="min_interval"):
            settings_from(from_query({"min_interval": "nan"}), DEFAULTS, LIMIT)
