import pytest

from radiod.core.cluster.callee_claims import check_speakable, holders_of, joined, key_of, text_of
from radiod.core.cluster.callee_letters import Holders, write_holders
from radiod.core.cluster.claim import Claim
from radiod.errors import Refused

HOLDERS = Holders("prefix", "a.b", "last", 1.0, (1, 2))


def claim(key="prefix a.b", value=b""):
    return Claim("realm registrations", key, value, 1, 1)


def test_the_claim_of_a_registration_is_known_by_its_name():
    assert key_of(claim(text_of(("prefix", "a.b")))) == ("prefix", "a.b")


@pytest.mark.parametrize("key", ["", "a.b", "other a.b"])
def test_a_name_that_no_node_gives_is_none(key):
    assert key_of(claim(key)) is None


def test_a_claim_says_who_has_it():
    assert holders_of(claim(value=write_holders(HOLDERS))) == HOLDERS


@pytest.mark.parametrize("found", [None, claim(value=b"\xff")])
def test_what_is_no_claim_says_nothing(found):
    assert holders_of(found) is None


@pytest.mark.parametrize(
    ("nodes", "others", "found"),
    [((1, 2, 3), [1, 3], (1, 3, 9)), ((1, 9, 3), [1, 3], (1, 9, 3)), ((9,), [], (9,)), ((), [], (9,))],
)
def test_those_who_may_be_alive_keep_their_places_and_a_new_one_is_last(nodes, others, found):
    assert joined(nodes, others, 9) == found


def test_what_is_no_unicode_cannot_be_told():
    with pytest.raises(Refused, match="no Unicode"):
        check_speakable("a.\ud800")
    check_speakable("a.ü")
