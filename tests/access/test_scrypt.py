"""Tickets kept as scrypt: what is kept tells nothing, and who waits has a seat."""

import hashlib

import pytest
from support.logins import outcome_of

from radiod.access.scrypt import Scrypt, derive
from radiod.core.budgets.seats import Seats
from radiod.core.promises import Promise
from radiod.errors import QUOTA, RUNTIME_ERROR, Refused


class Work:
    """What runs in threads, when ``do`` is called."""

    def __init__(self):
        self.waiting = []

    def __call__(self, work):
        self.waiting.append((work, Promise()))
        return self.waiting[-1][1]

    def do(self):
        work, promise = self.waiting.pop(0)
        promise.settle(work())

    def fail(self):
        self.waiting.pop(0)[1].settle(Refused(RUNTIME_ERROR, "it failed"))


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def seats():
    return Seats(3, {"logins": 0}, "logins", "tickets")


@pytest.fixture
def scrypt(work, seats):
    return Scrypt(work, seats)


def kept(scrypt, work, ticket="jöes ticket"):
    made = scrypt.make(ticket)
    work.do()
    return outcome_of(made)


def test_it_is_scrypt_with_a_salt_of_its_own(scrypt, work):
    one, other = kept(scrypt, work), kept(scrypt, work)
    assert one != other
    assert len(one) == 48
    expected = hashlib.scrypt("jöes ticket".encode(), salt=one[:16], n=16_384, r=8, p=1, dklen=32)
    assert one == one[:16] + expected == derive("jöes ticket", one[:16])


@pytest.mark.parametrize(
    ("ticket", "is_right"), [("jöes ticket", True), ("jöes ticket ", False), ("", False), ("\ud800", False)]
)
def test_only_the_ticket_is_right(scrypt, work, ticket, is_right):
    told = scrypt.check(kept(scrypt, work), ticket)
    work.do()
    assert outcome_of(told) is is_right


@pytest.mark.parametrize("ticket", ["", "x"])
def test_nobodys_is_never_right(scrypt, work, ticket):
    told = scrypt.spend(ticket)
    work.do()
    assert outcome_of(told) is False


def test_who_waits_has_a_seat_and_gives_it_back(scrypt, work, seats):
    waiting = [scrypt.spend("x") for _ in range(3)]
    with pytest.raises(Refused) as refusal:
        scrypt.spend("x")
    assert refusal.value.uri == QUOTA
    assert len(seats) == 3
    work.fail()
    work.do()
    assert len(seats) == 1
    assert outcome_of(waiting[0]).uri == RUNTIME_ERROR
    assert outcome_of(waiting[1]) is False
