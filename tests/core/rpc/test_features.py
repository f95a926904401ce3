"""What callees must have announced."""

import pytest

from radiod.core.rpc.features import CALLEES_OWN, CANCELING, CHUNKS, PASSTHRU, check_callee
from radiod.core.sessions.session import KNOWN_FEATURES, UNSTOPPABLE_CHUNKS
from radiod.errors import FEATURE_NOT_SUPPORTED, Refused
from radiod.wire.options import CallOptions

PROGRESS = CallOptions(progress=True)
OPAQUE = CallOptions(ppt_scheme="x_scheme")


def assert_taken(features, options):
    check_callee(frozenset(features), options)


def assert_refused(features, options):
    with pytest.raises(Refused) as refusal:
        check_callee(frozenset(features), options)
    assert refusal.value.uri == FEATURE_NOT_SUPPORTED


def test_a_plain_call_asks_for_nothing():
    assert_taken((), CallOptions())
    assert_taken((), CallOptions(receive_progress=True, timeout=5, disclose_me=True))


def test_chunks_are_for_those_who_take_them_and_can_be_told_to_stop():
    assert_taken(CHUNKS, PROGRESS)
    for feature in CHUNKS:
        assert_refused(CHUNKS - {feature}, PROGRESS)
    assert_refused((), PROGRESS)


def test_or_who_have_nothing_to_be_stopped():
    assert_taken([UNSTOPPABLE_CHUNKS], PROGRESS)
    assert_taken([UNSTOPPABLE_CHUNKS, CANCELING], PROGRESS)


def test_payloads_are_passed_through_to_those_who_take_them():
    assert_taken([PASSTHRU], OPAQUE)
    assert_refused(CHUNKS, OPAQUE)
    assert_refused(["caller.payload_passthru_mode"], OPAQUE)


def test_a_call_that_is_both_asks_for_both():
    both = CallOptions(progress=True, ppt_scheme="x_scheme")
    assert_taken(CHUNKS | {PASSTHRU}, both)
    assert_refused(CHUNKS, both)
    assert_refused([PASSTHRU], both)


def test_everything_asked_about_is_remembered_of_a_hello():
    assert {*CHUNKS, PASSTHRU} <= KNOWN_FEATURES


def test_what_depends_on_a_callee_is_named_as_in_the_options():
    assert set(CALLEES_OWN) <= set(CallOptions.__struct_fields__)
