"""Batches against the specification's description, and whatever is not one."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.errors import PeerError
from radiod.wire.batches import MOST_MESSAGES, SEPARATED, sized, split_separated, split_sized

SEPARATORS = [0x1E, 0x18]

texts = st.text(min_size=1).map(str.encode).filter(lambda data: not {0x1E, 0x18} & set(data))
binaries = st.binary(min_size=1, max_size=300)


@given(st.lists(texts, min_size=1, max_size=20), st.data())
def test_separated_messages_are_split_again(messages, data):
    separators = [data.draw(st.sampled_from(SEPARATORS)) for _ in messages]
    batch = b"".join(text + bytes([end]) for text, end in zip(messages, separators, strict=True))
    assert split_separated(batch) == (messages, separators[-1])


@given(texts)
@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_separated_message_has_its_separator_behind_it(separator, message):
    assert SEPARATED[separator](message) == message + bytes([separator])
    assert split_separated(SEPARATED[separator](message)) == ([message], separator)


@given(st.lists(binaries, min_size=1, max_size=20))
def test_sized_messages_are_split_again(messages):
    batch = b"".join(struct.pack("!L", len(message)) + message for message in messages)
    assert batch == b"".join(map(sized, messages))
    assert split_sized(batch) == messages


@given(st.binary(max_size=60))
def test_anything_is_a_batch_or_a_peer_error(data):
    for split in (split_separated, split_sized):
        try:
            found = split(data)
        except PeerError:
            continue
        messages = found[0] if isinstance(found, tuple) else found
        assert messages
        assert all(messages)


@pytest.mark.parametrize("batch", [b"", b"\x1e", b"\x18", b"[]", b"[]\x1e[]", b"[]\x1e\x1e", b"\x1e[]\x1e"])
def test_a_separated_batch_without_messages_or_unfinished_is_malformed(batch):
    with pytest.raises(PeerError):
        split_separated(batch)


@given(st.lists(binaries, min_size=1, max_size=3), st.data())
def test_a_sized_batch_cut_within_a_message_is_malformed(messages, data):
    batch = b"".join(map(sized, messages))
    borders = [len(b"".join(map(sized, messages[:count]))) for count in range(1, len(messages) + 1)]
    cut = data.draw(st.integers(0, len(batch)).filter(lambda at: at not in borders))
    with pytest.raises(PeerError):
        split_sized(batch[:cut])


@pytest.mark.parametrize("batch", [b"", bytes(3), bytes(4), sized(b"x") + bytes(4), b"\xff\xff\xff\xffx"])
def test_a_sized_batch_without_messages_or_with_a_wrong_length_is_malformed(batch):
    with pytest.raises(PeerError):
        split_sized(batch)


@pytest.mark.parametrize(
    ("split", "one"), [(split_separated, b"1\x1e"), (split_sized, sized(b"1"))], ids=["separated", "sized"]
)
def test_as_many_messages_as_allowed_are_taken_and_one_more_is_not(split, one):
    assert split(one * MOST_MESSAGES)
    with pytest.raises(PeerError, match="more than 1024 messages"):
        split(one * (MOST_MESSAGES + 1))
