"""Who somebody is, and what a decision says."""

import pytest
from msgspec import structs

from radiod.core.rights import Action, Disclose, Principal, Verdict
from radiod.testing import ALLOW_ALL, make_principal


def test_a_principal_cannot_be_changed_once_established():
    principal = make_principal()
    with pytest.raises(AttributeError):
        principal.authrole = "admin"


def test_a_principal_says_everything_by_name():
    with pytest.raises(TypeError):
        Principal("authid", "role", "method", "provider", ALLOW_ALL)


@pytest.mark.parametrize(("method", "is_anonymous"), [("anonymous", True), ("ticket", False)])
def test_only_who_came_as_nobody_is_anonymous(method, is_anonymous):
    assert structs.replace(make_principal(), authmethod=method).is_anonymous is is_anonymous


def test_actions_are_told_by_the_words_of_the_configuration():
    assert [str(action) for action in Action] == ["subscribe", "publish", "call", "register"]


def test_a_verdict_tells_nothing_of_who_acts_unless_asked_and_takes_nothing_from_others():
    verdict = Verdict(is_allowed=True)
    assert (verdict.disclose, verdict.trustlevel, verdict.may_take_over) == (Disclose.ASKED, None, False)
    with pytest.raises(AttributeError):
        verdict.is_allowed = False
