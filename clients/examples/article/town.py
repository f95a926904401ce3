"""What is published: vehicles on each of thirteen roads, and when."""

import itertools
import random

ROADS = [str(number) for number in range(1, 14)]


def samples():
    """Samples of the shape that the article's listeners know, for ever."""
    state = dict.fromkeys(ROADS, 10)
    for timestamp in itertools.count():
        for road in ROADS:
            state[road] = max(state[road] + random.choice([-1, 0, 1]), 0)
        yield {"timestamp": timestamp, "state": dict(state)}
