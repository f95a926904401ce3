"""Programs of lights that are letters a connection, made into one green a street."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Program", "green_of"]


@dataclass(slots=True)
class Program:
    """Phases: seconds, and a letter for each connection; g and G are green."""

    where: str
    offset: float = 0.0
    phases: list[tuple[float, str]] = field(default_factory=list)

    @property
    def cycle(self) -> float:
        """Seconds."""
        return sum(seconds for seconds, _ in self.phases)


def green_of(program: Program, places: list[int]) -> tuple[float, float, int]:
    """When a street is green: in the phases in which at least half of its connections are.

    Args: places: of its connections' letters.
    Returns: seconds into the cycle, seconds that its longest green lasts, and how many greens it has.
    """
    shares = [sum(state[at] in "gG" for at in places) / len(places) for _, state in program.phases]
    least = 0.5 if max(shares) >= 0.5 else max(max(shares), 1e-9)
    is_green = [share >= least for share in shares]
    seconds = [duration for duration, _ in program.phases]
    if all(is_green):
        return 0.0, program.cycle, 1
    runs = []
    begins = [sum(seconds[:at]) for at in range(len(seconds))]
    for at, green in enumerate(is_green):
        # Phase -1 is the last one: greens may go on from a cycle's end into the next.
        if green and not is_green[at - 1]:
            length, on = 0.0, at
            while is_green[on % len(seconds)]:
                length += seconds[on % len(seconds)]
                on += 1
            runs.append((length, begins[at]))
    if not runs:
        return 0.0, 0.0, 0
    longest, begin = max(runs, key=lambda run: (run[0], -run[1]))
    return (begin + program.offset) % program.cycle, longest, len(runs)
