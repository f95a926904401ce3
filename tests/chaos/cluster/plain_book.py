"""What plain topics told their listeners: what is missing must be what was told as missing."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Hearing", "Life", "Sums", "judge"]


@dataclass(eq=False)
class Life:
    """One publisher's session: ``sent`` events, of which the first ``taken`` were acknowledged.

    ``process``: the node's, which may have died; ``topic``: its only one.
    """

    name: str
    process: int
    topic: str
    sent: int = 0
    taken: int = 0


@dataclass(eq=False)
class Hearing:
    """One listener's session. ``process``: its node's.

    ``last``: life -> the number heard last, or from which on it listens; ``before``: life -> how many of
    its events may have come before it listened; ``missing``: numbers between that did not come; ``told``:
    sum of ``_lost``; ``is_over``: it has ended, and heard nothing of what came later; ``again``: of what
    came twice: the publisher, its node's process, the number, and the last one.
    """

    topic: str
    process: int
    last: dict[Life, int] = field(default_factory=dict)
    before: int = 0
    missing: dict[Life, set[int]] = field(default_factory=dict)
    told: int = 0
    heard: int = 0
    repeated: int = 0
    reordered: int = 0
    is_over: bool = False
    again: list[tuple[str, int, int, int]] = field(default_factory=list)

    def begin(self, lives: list[Life]) -> None:
        """What these have published so far, it need not hear: it did not listen yet."""
        for life in lives:
            self.last.setdefault(life, -2)

    def take(self, life: Life, number: int, lost: int) -> None:
        """An event came."""
        self.heard += 1
        self.told += lost
        last = self.last.get(life, -1)
        if last == -2:
            # The first of one that had begun before.
            self.before += 1
        elif number <= last:
            missing = self.missing.get(life, set())
            self.reordered += number in missing
            if number not in missing:
                self.repeated += 1
                self.again.append((life.name, life.process, number, last))
            missing.discard(number)
            return
        elif number > last + 1:
            self.missing.setdefault(life, set()).update(range(last + 1, number))
        self.last[life] = number

    def count(self) -> int:
        """Events between others that did not come."""
        return sum(map(len, self.missing.values()))

    def tails(self, lives: list[Life], dead: set[int]) -> tuple[int, int]:
        """Events at the ends of lives that did not come.

        Returns: those that must be told, and those that may be: of a node that died, not acknowledged, or
        of one of which nothing came.
        """
        certain = possible = 0
        for life in lives:
            last = self.last.get(life, -1)
            if last == -2:
                possible += life.sent
                continue
            tail, unsure = max(0, life.taken - 1 - last), life.sent - max(life.taken, last + 1)
            if life.process in dead:
                possible += tail + unsure
            else:
                certain += tail
                possible += unsure
        return certain, possible


@dataclass
class Sums:
    """Over all hearings: ``exact`` of them from the first to the last event; ``wrong``: told otherwise."""

    hearings: int = 0
    exact: int = 0
    heard: int = 0
    missing: int = 0
    told: int = 0
    untellable: int = 0
    repeated: int = 0
    reordered: int = 0
    wrong: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)


def judge(hearings: list[Hearing], lives: list[Life], dead: set[int]) -> Sums:
    """Compare what is missing with what was told.

    Of hearings that have ended, or began late, it is only known between which bounds.
    """
    sums = Sums()
    for hearing in hearings:
        sums.hearings += 1
        sums.heard += hearing.heard
        sums.repeated += hearing.repeated
        sums.again += [f"{hearing.topic} at {hearing.process}: {one}" for one in hearing.again]
        sums.reordered += hearing.reordered
        inner = hearing.count()
        own = [life for life in lives if life.topic == hearing.topic]
        certain, possible = hearing.tails(own, dead)
        if hearing.is_over or hearing.before:
            least, most = inner, inner + certain + possible + sum(life.sent for life in own)
        else:
            least, most = inner + certain, inner + certain + possible
            sums.exact += 1
            sums.missing += least
            sums.told += hearing.told
            sums.untellable += possible
        if not least <= hearing.told <= most:
            gaps = {
                f"{life.name} {life.process}": sorted(numbers)[:12]
                for life, numbers in hearing.missing.items()
                if numbers
            }
            told = f"{hearing.told} told, {least} to {most} missing"
            sums.wrong.append(f"{hearing.topic} at {hearing.process}: {told}; {gaps}")
    return sums
