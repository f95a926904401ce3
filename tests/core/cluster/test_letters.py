import msgspec
import pytest

from radiod.core.cluster.letters import Answer, Beat, Buried, Bye, Failed, Missed, Told, decode, encode

LETTERS = [
    Beat(1, "a", 1, 0, "digest", {2: 5}),
    Bye(1),
    Buried(1, 2),
    Told(1, 1, "it", b"x", 3, True),
    Answer(1, 2, 3, b"x"),
    Failed(1, 2, 3, "com.example.no", "never"),
    Missed(1, 2, 3, 4),
]


@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: type(letter).__name__)
def test_a_letter_can_be_read_again(letter):
    assert decode(encode(letter)) == letter


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x93", msgspec.msgpack.encode(["other", 1])])
def test_what_is_no_letter_is_none(data):
    assert decode(data) is None


def test_a_beat_of_a_later_version_can_be_read_as_far_as_it_is_the_same():
    data = msgspec.msgpack.encode(["beat", 1, "a", 2, 0, "digest", {}, "more"])
    assert decode(data).version == 2
