"""Black- and whitelists: who is meant by them."""

import pytest

from radiod.core.disclosure import Visitor
from radiod.core.pubsub.audience import Audience
from radiod.testing import make_principal
from radiod.wire.options import PublishOptions

PEOPLE = [
    Visitor(1, make_principal("alice", "vowel")),
    Visitor(2, make_principal("bob", "consonant")),
    Visitor(3, make_principal("carol", "consonant")),
]


def meant(**lists):
    audience = Audience(PublishOptions(**lists))
    return "".join(str(one.id) for one in PEOPLE if one in audience)


def test_without_a_list_everybody_is_meant():
    assert meant() == "123"


@pytest.mark.parametrize(
    ("trait", "some", "who"),
    [("", [1, 3], "13"), ("_authid", ["bob", "nobody"], "2"), ("_authrole", ["consonant"], "23")],
)
def test_a_whitelist_means_those_on_it_and_a_blacklist_the_others(trait, some, who):
    assert meant(**{f"eligible{trait}": some}) == who
    assert meant(**{f"exclude{trait}": some}) == "".join(id for id in "123" if id not in who)


@pytest.mark.parametrize("trait", ["", "_authid", "_authrole"])
def test_an_empty_whitelist_means_nobody_and_an_empty_blacklist_everybody(trait):
    assert meant(**{f"eligible{trait}": []}) == ""
    assert meant(**{f"exclude{trait}": []}) == "123"


def test_all_lists_have_to_let_somebody_pass():
    assert meant(eligible=[1, 2], exclude=[2]) == "1"
    assert meant(eligible=[1, 2, 3], eligible_authid=["alice", "bob"], eligible_authrole=["consonant"]) == "2"
    assert meant(eligible_authrole=["consonant"], exclude_authid=["carol"]) == "2"
    assert meant(eligible=[1], exclude_authrole=["vowel"]) == ""


def test_lists_that_change_afterwards_change_nothing():
    eligible = [1]
    audience = Audience(PublishOptions(eligible=eligible))
    eligible.append(2)
    assert [one.id for one in PEOPLE if one in audience] == [1]
