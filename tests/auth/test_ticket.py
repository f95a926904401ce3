"""Tickets: compared here, or by a directory that is told them."""

import pytest
from autobahn.wamp.auth import create_authenticator
from autobahn.wamp.types import Challenge
from support.logins import LateDirectory, details, outcome_of, refusal, user

from radiod.auth.directory import StaticDirectory
from radiod.auth.ticket import Ticket
from radiod.core.promises import Promise
from radiod.errors import AUTHENTICATION_DENIED, Denied

REFUSED = (AUTHENTICATION_DENIED, "unknown authid or wrong ticket")
JOE = user("joe", "reader", ticket=lambda candidate: candidate == "jöes-ticket")


@pytest.fixture
def ticket():
    return Ticket(StaticDirectory({"joe": JOE, "keyed": user("keyed", cryptosign=(bytes(32),))}))


def test_the_right_one_lets_its_user_in(ticket):
    question = ticket.begin(details("joe"))
    assert question.extra == {}
    client = create_authenticator("ticket", ticket="jöes-ticket")
    principal = question.answer(client.on_challenge(None, Challenge("ticket", question.extra)), {})
    assert (principal.authid, principal.authrole, principal.authmethod) == ("joe", "reader", "ticket")
    assert principal.authprovider == "static"
    assert principal.authextra is None


@pytest.mark.parametrize("authid", ["joe", "nobody", "keyed", "", None, "jöe", "j" * 1024])
@pytest.mark.parametrize("wrong", ["", "x", "jöes-ticket ", "\ud800", "\0", "x" * 65_536])
def test_everything_else_is_refused_in_the_same_words(ticket, authid, wrong):
    assert refusal(ticket.begin(details(authid)).answer, wrong, {}) == REFUSED


@pytest.mark.parametrize("authid", ["nobody", "keyed", "", None])
def test_somebody_elses_ticket_is_refused_in_the_same_words(ticket, authid):
    assert refusal(ticket.begin(details(authid)).answer, "jöes-ticket", {}) == REFUSED


@pytest.mark.parametrize("extra", [{"pubkey": bytes(32)}, {"pubkey": []}, {"ticket": "jöes-ticket"}])
@pytest.mark.parametrize("authid", ["joe", "keyed", "", None])
def test_nothing_in_extra_stands_in_for_the_ticket(ticket, authid, extra):
    assert refusal(ticket.begin(details(authid, **extra)).answer, "wrong", extra) == REFUSED


class TestWithADirectoryThatAnswersLater:
    def begin(self, authid="joe"):
        directory = LateDirectory()
        return directory, Ticket(directory).begin(details(authid, locale="de", ticket="not this"))

    def test_it_is_asked_once_the_ticket_is_known_and_told_it(self):
        directory, question = self.begin()
        assert directory.asked == []
        question.answer("given", {"otp": 7, "ticket": "nor this"})
        assert directory.asked == [("ticket", "joe", {"locale": "de", "otp": 7, "ticket": "given"})]

    def test_it_may_have_checked_the_ticket_itself(self):
        directory, question = self.begin()
        later = question.answer("given", {})
        directory.settle(user("joseph", provider="dynamic"))
        principal = outcome_of(later)
        assert (principal.authid, principal.authprovider) == ("joseph", "dynamic")

    def test_it_may_leave_the_comparison_to_us(self):
        for given, is_right in (("jöes-ticket", True), ("other", False)):
            directory, question = self.begin()
            later = question.answer(given, {})
            directory.settle(JOE)
            assert isinstance(outcome_of(later), Denied) is not is_right

    @pytest.mark.parametrize("outcome", [None, Denied(*REFUSED)])
    def test_it_may_know_nobody(self, outcome):
        directory, question = self.begin()
        later = question.answer("given", {})
        directory.settle(outcome)
        error = outcome_of(later)
        assert (error.uri, error.text) == REFUSED

    @pytest.mark.parametrize("authid", ["", None])
    def test_it_is_not_asked_about_nobody(self, authid):
        directory, question = self.begin(authid)
        assert refusal(question.answer, "given", {}) == REFUSED
        assert directory.asked == []


class TestTime:
    """Where the tickets of some take time, wrong ones of others take as long."""

    SLOW = user("slow", ticket=lambda candidate: TestTime.later)

    def begin(self, authid, spend):
        directory = StaticDirectory({"joe": JOE, "slow": self.SLOW})
        return Ticket(directory, spend).begin(details(authid))

    @pytest.fixture(autouse=True)
    def _later(self):
        TestTime.later = Promise()

    @pytest.mark.parametrize("is_right", [True, False])
    def test_a_ticket_may_be_checked_later(self, is_right):
        answer = self.begin("slow", lambda ticket: None).answer("x", {})
        assert isinstance(answer, Promise)
        self.later.settle(is_right)
        if is_right:
            assert outcome_of(answer).authid == "slow"
        else:
            assert refusal(lambda: answer) == REFUSED

    @pytest.mark.parametrize("authid", ["joe", "nobody", "", None])
    def test_a_wrong_one_waits(self, authid):
        spent = []
        answer = self.begin(authid, lambda ticket: spent.append(ticket) or self.later).answer("x", {})
        assert spent == ["x"]
        self.later.settle(False)
        assert refusal(lambda: answer) == REFUSED

    def test_even_what_was_spent_rightly_is_wrong(self):
        answer = self.begin("nobody", lambda ticket: self.later).answer("x", {})
        self.later.settle(True)
        assert refusal(lambda: answer) == REFUSED

    def test_a_right_one_does_not_wait(self):
        assert self.begin("joe", lambda ticket: self.later).answer("jöes-ticket", {}).authid == "joe"

    def test_one_that_is_checked_later_is_paid_for(self):
        spent = []
        self.begin("slow", spent.append).answer("x", {})
        self.later.settle(False)
        assert spent == []
