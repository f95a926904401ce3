"""What receivers learn about the one who acts."""

import pytest

from radiod.core.disclosure import CALLER, NO_DETAILS, PUBLISHER, Visitor, disclosed, identity
from radiod.core.rights import Disclose, Verdict
from radiod.core.sessions.session import Session
from radiod.errors import DISCLOSE_ME, Refused
from radiod.testing import make_principal


@pytest.fixture
def session():
    return Session(7, make_principal("joe", "writer"), None)


@pytest.mark.parametrize(
    ("disclose", "is_asked", "is_told"),
    [
        (Disclose.ALWAYS, False, True),
        (Disclose.ALWAYS, True, True),
        (Disclose.ASKED, False, False),
        (Disclose.ASKED, True, True),
        (Disclose.NEVER, False, False),
    ],
)
@pytest.mark.parametrize("names", [PUBLISHER, CALLER], ids=["publisher", "caller"])
def test_the_identity_is_told_always_or_when_asked(session, names, disclose, is_asked, is_told):
    details = disclosed(names, session, is_asked, Verdict(is_allowed=True, disclose=disclose))
    assert details == (dict(zip(names, (7, "joe", "writer"), strict=True)) if is_told else {})


def test_asking_where_it_never_is_told_is_refused(session):
    with pytest.raises(Refused) as refusal:
        disclosed(PUBLISHER, session, True, Verdict(is_allowed=True, disclose=Disclose.NEVER))
    assert refusal.value.uri == DISCLOSE_ME


@pytest.mark.parametrize("level", [0, 3])
def test_the_trust_level_is_told_with_and_without_the_identity(session, level):
    verdict = Verdict(is_allowed=True, trustlevel=level)
    assert disclosed(CALLER, session, False, verdict) == {"trustlevel": level}
    assert disclosed(CALLER, session, True, verdict) == {
        "caller": 7,
        "caller_authid": "joe",
        "caller_authrole": "writer",
        "trustlevel": level,
    }


def test_those_who_tell_nothing_share_one_dictionary(session):
    assert disclosed(PUBLISHER, session, False, Verdict(is_allowed=True)) is NO_DETAILS


def test_who_tells_nothing_leaves_that_dictionary_as_it_is(session):
    disclosed(PUBLISHER, session, False, Verdict(is_allowed=True))
    disclosed(CALLER, session, True, Verdict(is_allowed=True, trustlevel=1))
    assert NO_DETAILS == {}


@pytest.mark.parametrize("names", [PUBLISHER, CALLER], ids=["publisher", "caller"])
def test_a_visitor_acts_under_a_name_as_a_session_does(session, names):
    visitor = Visitor(7, session.principal)
    assert visitor.outlet is None
    assert identity(names, visitor) == identity(names, session)
    always = Verdict(is_allowed=True, disclose=Disclose.ALWAYS)
    assert disclosed(names, visitor, False, always) == dict(zip(names, (7, "joe", "writer"), strict=True))


def test_each_identity_is_a_dictionary_of_its_own(session):
    told = identity(CALLER, session)
    told["trustlevel"] = 5
    assert "trustlevel" not in identity(CALLER, session)
