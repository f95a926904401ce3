"""The mirror of all claims that a node has: the newest record of each, whatever comes again or late.

The mirror is *whole* up to a number when everything below has been read: what comes below that, and is not
known, was changed or released since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from radiod.core.cluster.claim import Claim, ClaimWatcher
from radiod.core.cluster.claim_records import ClaimRecord, read_claim
from radiod.core.cluster.ports import Stored

__all__ = ["MAX_GONE", "ClaimMirror"]

MAX_GONE: Final = 10_000
"""Ends of claims that are remembered: whoever claims the same again need not ask for its number first."""


class ClaimMirror:
    """The claims that a node knows of.

    ``whole_to``: up to which number it is whole.

    Args:
        note_malformed: called with every record that is none.
    """

    def __init__(self, note_malformed: Callable[[], object]) -> None:
        self._note_malformed = note_malformed
        self._held: dict[str, Claim] = {}
        # subject -> number of the end of its claim, oldest first
        self._gone: dict[str, int] = {}
        self._by_about: dict[str, dict[str, Claim]] = {}
        self._watchers: dict[str, ClaimWatcher] = {}
        self.whole_to = 0

    def __len__(self) -> int:
        """Claims that are held."""
        return len(self._held)

    # --- looking

    def watch(self, about: str, watcher: ClaimWatcher) -> None:
        """Have somebody learn what becomes of the claims of one part; at once of those that are there."""
        self._watchers[about] = watcher
        for claim in list(self.of(about)):
            watcher.claimed(claim)

    def get(self, about: str, key: str) -> Claim | None:
        """The claim of one part under this key."""
        claims = self._by_about.get(about)
        return None if claims is None else claims.get(key)

    def of(self, about: str) -> Iterator[Claim]:
        """All claims of one part."""
        return iter(self._by_about.get(about, {}).values())

    def at(self, subject: str) -> Claim | None:
        """The claim on this subject."""
        return self._held.get(subject)

    def revision(self, subject: str) -> int:
        """The number of the last record on a subject, which may be its end; 0: none is known."""
        claim = self._held.get(subject)
        return self._gone.get(subject, 0) if claim is None else claim.revision

    def up_to(self, number: int) -> Iterator[tuple[str, int, bytes]]:
        """Subject, number and value of all claims that have changed last with this number, or before."""
        for subject, claim in self._held.items():
            if claim.revision <= number:
                yield subject, claim.revision, claim.value

    @property
    def latest(self) -> int:
        """The number of the claim that was heard of last; 0: there is none."""
        return self._held[next(reversed(self._held))].revision if self._held else 0

    def oldest(self) -> tuple[str, int] | None:
        """Subject and number of the claim that has not changed for longest; None: there is none."""
        if not self._held:
            return None
        subject = next(iter(self._held))
        return subject, self._held[subject].revision

    # --- learning

    def apply(self, record: Stored) -> ClaimRecord | None:
        """Take a record in, unless something newer is known. Returns: what it says; None: nothing."""
        said = read_claim(record.data)
        if said is None:
            self._note_malformed()
        elif record.seq > self.revision(record.subject):
            self.note(record.subject, record.seq, said)
        return said

    def note(self, subject: str, seq: int, said: ClaimRecord) -> None:
        """This is the newest record on a subject."""
        if said.value is None:
            self.drop(subject, seq, said.why)
            return
        claim = Claim(said.about, said.key, said.value, said.node, seq)
        self._gone.pop(subject, None)
        before = self._held.pop(subject, None)
        if before is not None and (before.about, before.key) != (said.about, said.key):
            # No node writes that, but whoever can publish may.
            self._forget(before)
        self._held[subject] = claim
        self._by_about.setdefault(said.about, {})[said.key] = claim
        watcher = self._watchers.get(said.about)
        if watcher is not None:
            watcher.claimed(claim)

    def learn(self, subject: str, last: Stored | None, known: int) -> ClaimRecord | None:
        """Take in what the leader says that the last record of a subject is; returns as ``apply``.

        ``known``: ``revision`` when it was asked: what is stored later may be told before it answers.
        """
        if last is not None:
            return self.apply(last)
        if self.revision(subject) == known:
            # Its end is not kept any more, or all is gone.
            self.drop(subject, 0)
        return None

    def drop(self, subject: str, seq: int, why: str = "") -> None:
        """The claim on a subject has ended, with this number; 0: with none that is known."""
        claim = self._held.pop(subject, None)
        self._gone.pop(subject, None)
        if seq:
            self._gone[subject] = seq
            self._forget_oldest()
        if claim is None:
            return
        self._forget(claim)
        watcher = self._watchers.get(claim.about)
        if watcher is not None:
            watcher.released(claim._replace(end=why))

    def _forget(self, claim: Claim) -> None:
        about = self._by_about.get(claim.about, {})
        if about.get(claim.key) is claim:
            del about[claim.key]
            if not about:
                del self._by_about[claim.about]

    def _forget_oldest(self) -> None:
        while len(self._gone) > MAX_GONE:
            oldest = next(iter(self._gone))
            if self._gone[oldest] > self.whole_to:
                return  # a late copy of what was before would look new
            del self._gone[oldest]

    def sweep(self, seen: set[str], target: int) -> None:
        """Drop what the stream does not have: ``seen`` are the subjects read, up to ``target``."""
        for subject, claim in list(self._held.items()):
            if claim.revision <= target and subject not in seen:
                self.drop(subject, claim.revision)

    def forget(self, why: str = "") -> None:
        """The stream is another one, or counts anew: what is known of it is worth nothing."""
        self.whole_to = 0
        self._gone.clear()
        for subject in list(self._held):
            self.drop(subject, 0, why)
