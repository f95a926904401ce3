"""What is written of an event beside its payload comes back, and takes next to no room."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.history.written import Told, read_told, write_details, write_options
from radiod.wire.options import PublishOptions

IDS = st.none() | st.lists(st.integers(1, 2**53), max_size=3)
TEXTS = st.none() | st.lists(st.text(max_size=5), max_size=3)
OPTIONS = st.builds(
    PublishOptions,
    acknowledge=st.booleans(),
    exclude_me=st.booleans(),
    retain=st.booleans(),
    exclude=IDS,
    eligible=IDS,
    exclude_authid=TEXTS,
    eligible_authrole=TEXTS,
    ppt_scheme=st.none() | st.text(max_size=5),
)
DETAILS = st.dictionaries(st.text(max_size=5), st.none() | st.integers(-(2**53), 2**53) | st.text(max_size=5))


@given(options=OPTIONS, details=DETAILS, role=st.text(max_size=5))
def test_it_comes_back(options, details, role):
    assert read_told(write_options(options, role), write_details(details)) == Told(options, details, role)


def test_what_is_the_default_takes_no_room():
    assert (write_options(PublishOptions()), write_details({})) == (b"{}", b"{}")


@pytest.mark.parametrize("role", ["", "open"])
def test_the_mark_of_a_stream_is_not_written(role):
    # Its place is in the details; beside what counts a client may have said anything, here what no JSON has.
    mark = {"id": 1, "more": {b"key": object()}}
    options = PublishOptions(stream=mark, retain=True)
    assert read_told(write_options(options, role), b"{}").options == PublishOptions(retain=True)
    assert options.stream is mark


@pytest.mark.parametrize(
    ("options", "details"), [(b"", b"{}"), (b"{}", b"[]"), (b'{"exclude":1}', b"{}"), (b"[1]", b"{}")]
)
def test_what_no_radiod_wrote_is_refused(options, details):
    with pytest.raises(msgspec.MsgspecError):
        read_told(options, details)
