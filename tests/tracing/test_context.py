"""The headers of W3C Trace Context: what is read, and what is as if it were not there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.tracing.context import Context, context_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


def test_what_a_sender_says():
    found = context_of(GOOD)
    assert found == Context(TRACE, SPAN, 1, "")
    assert found.is_sampled
    assert found.traceparent == GOOD
    assert found.of("1" * 16).traceparent == f"00-{TRACE}-{'1' * 16}-01"


@pytest.mark.parametrize(
    ("flags", "is_sampled", "told"), [("00", False, "00"), ("03", True, "01"), ("fe", False, "00")]
)
def test_flags_that_nobody_knows_are_not_passed_on(flags, is_sampled, told):
    found = context_of(f"00-{TRACE}-{SPAN}-{flags}")
    assert found.is_sampled is is_sampled
    assert found.traceparent.endswith(f"-{told}")


@pytest.mark.parametrize("version", ["01", "cc", "fe"])
@pytest.mark.parametrize("rest", ["", "-", "-what the future brings"])
def test_a_later_version_is_read_as_far_as_it_is_known(version, rest):
    assert context_of(f"{version}-{TRACE}-{SPAN}-01{rest}") == Context(TRACE, SPAN, 1, "")


# Those of the specification's own test suite among them.
@pytest.mark.parametrize(
    "text",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}0-{SPAN}-01",
        f"00-{TRACE}-{SPAN}0-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01.",
        f"01-{TRACE}-{SPAN}-01.more",
        f" {GOOD}",
        f"{GOOD}\n",
        f".0-{TRACE}-{SPAN}-01",
        f"00-{TRACE[:-1]}.-{SPAN}-01",
        f"{GOOD},{GOOD}",
        "00",
        f"00-{TRACE}-{SPAN}",
        7,
        True,
        [GOOD],
        {"traceparent": GOOD},
        None,
        b"00",
    ],
    ids=repr,
)
def test_what_is_malformed_is_as_if_it_were_not_there(text):
    assert context_of(text, "a=b") is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("congo=t61rcWkgMzE", "congo=t61rcWkgMzE"),
        ("a=1,b=2", "a=1,b=2"),
        ("a=1 ,\t b=2,, ", "a=1,b=2"),
        ("fw529a3039@dt=FfSD", "fw529a3039@dt=FfSD"),
        ("0a@b=c", "0a@b=c"),
        ("", ""),
        (None, ""),
        ("A=1", ""),
        ("0a=1", ""),
        ("a=1=2", ""),
        ("a=", ""),
        ("=1", ""),
        ("a", ""),
        ("a=ü", ""),
        ("a=\x7f", ""),
        ("a@=1", ""),
        (f"a={'x' * 257}", ""),
        (",".join(f"k{n}=1" for n in range(32)), ",".join(f"k{n}=1" for n in range(32))),
        (",".join(f"k{n}=1" for n in range(33)), ""),
        (",".join(f"k{n}={'x' * 120}" for n in range(5)), ""),
        (["a=1"], ""),
        (7, ""),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_vendors_add_is_passed_on_or_dropped_as_a_whole(given, told):
    assert context_of(GOOD, given).state == told


@given(st.text(), st.text())
def test_anything_is_read_or_not(parent, state):
    assert context_of(parent, state) is None
    assert context_of(GOOD, state).trace == TRACE
