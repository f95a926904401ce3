"""``radiod.admin.audit`` and ``radiod.admin.backup``, called in a realm."""

import pytest

from radiod.access.changes import Desk
from radiod.access.procedures.audit import AuditProcedures
from radiod.access.procedures.backup import BackupProcedures
from radiod.core.access.memory import MemoryAccessStore
from radiod.core.access.records import Act
from radiod.core.promises import Promise
from radiod.errors import INVALID_ARGUMENT, Refused
from radiod.testing import FakeClock, Peer, RecordingOutbox, make_realm

CALL, RESULT, ERROR = 48, 50, 8


class Store(MemoryAccessStore):
    """One whose copies wait in ``copies`` for what becomes of them."""

    def __init__(self):
        super().__init__()
        self.copies = []

    def backup(self, path):
        promise = Promise()
        self.copies.append((path, promise))
        return promise


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def peer(store):
    outbox = RecordingOutbox()
    realm = make_realm(outbox)
    for family in (AuditProcedures(Desk(store)), BackupProcedures(Desk(store), FakeClock())):
        realm.procedures.table |= family.procedures
    return Peer(realm, outbox)


def call(peer, procedure, **kwargs):
    """The answer to the next request, a whole message."""
    ask(peer, procedure, **kwargs)
    (message,) = peer.received()
    return message


def ask(peer, procedure, **kwargs):
    peer.requests = getattr(peer, "requests", 0) + 1
    peer.send(CALL, peer.requests, {}, procedure, [], kwargs)


def answer(peer, procedure, **kwargs):
    message = call(peer, procedure, **kwargs)
    return message[3][0] if message[0] == RESULT else message[4]


def entries(store, count):
    for number in range(count):
        act = Act(
            time=1.5, actor="a", address="unix", action="key.issue", object=f"k{number}", detail={"n": number}
        )
        store.change([], act)


class TestAudit:
    def test_entries_have_all_but_their_chain(self, peer, store):
        entries(store, 1)
        told = answer(peer, "radiod.admin.audit")
        entry = {
            "seq": 1,
            "time": 1.5,
            "actor": "a",
            "address": "unix",
            "action": "key.issue",
            "object": "k0",
        }
        assert told == {"entries": [{**entry, "detail": {"n": 0}}], "next": None}

    def test_pages_lead_through_all(self, peer, store):
        entries(store, 5)
        seen, after = [], 0
        while after is not None:
            page = answer(peer, "radiod.admin.audit", after=after, limit=2)
            seen += [entry["seq"] for entry in page["entries"]]
            after = page["next"]
        assert seen == [1, 2, 3, 4, 5]
        assert answer(peer, "radiod.admin.audit", after=5) == {"entries": [], "next": None}

    @pytest.mark.parametrize(
        "wrong", [{"after": -1}, {"after": "1"}, {"limit": 0}, {"limit": 1001}, {"x": 1}]
    )
    def test_wrong_arguments(self, peer, wrong):
        assert answer(peer, "radiod.admin.audit", **wrong) == INVALID_ARGUMENT


class TestBackup:
    def test_it_is_answered_when_the_copy_is_made_and_the_audit_tells(self, peer, store):
        ask(peer, "radiod.admin.backup", path="/b")
        assert peer.received() == []
        ((path, promise),) = store.copies
        assert path == "/b"
        assert store.audit(0, 10)._outcome == []
        promise.settle(12345)
        ((code, _, _, (told,)),) = peer.received()
        assert (code, told) == (RESULT, {"path": "/b", "bytes": 12345})
        (entry,) = store.audit(0, 10)._outcome
        assert (entry.action, entry.object, entry.actor) == ("backup", "/b", peer.session.principal.authid)

    def test_what_did_not_happen_is_in_no_audit(self, peer, store):
        ask(peer, "radiod.admin.backup", path="/b")
        store.copies[0][1].settle(Refused(INVALID_ARGUMENT, "it is there already"))
        assert peer.received()[0][4] == INVALID_ARGUMENT
        assert store.audit(0, 10)._outcome == []

    @pytest.mark.parametrize("path", ["b", "", "./b", "/b\0", "/" * 5000, 5, None])
    def test_a_path_must_be_whole(self, peer, store, path):
        assert answer(peer, "radiod.admin.backup", path=path) == INVALID_ARGUMENT
        assert store.copies == []
