"""A channel from somewhere in its past into the present, as one row of samples."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from radiod_client import Radio
from radiod_client.command.past import Past
from radiod_client.samples import Sample

__all__ = ["QUEUE", "TICK_S", "follow"]

TICK_S = 0.25
QUEUE = 10_000


def follow(radio: Radio, name: str, key: str | None, after: str | None, last: int) -> Iterator[Sample | None]:
    """Its samples, the past with the times of publishing; and None, now and then, while nothing comes.

    Args:
        after: a position to begin behind: what is not kept any more is a gap.
        last: begin with so many of the past, or as many as there are.
    """
    past = Past(radio.call, name, key)
    begin = past.beginning(last) if last else after
    if begin is not None:
        for samples, going_on in past.behind(begin, is_promised=not last):
            yield from samples
            begin = going_on
    with radio.channel(name, key).listen(after=begin, queue=QUEUE, size=0) as listening:
        while True:
            try:
                sample = listening.get(TICK_S)
            except TimeoutError:
                yield None
                continue
            if past.pending is not None:
                sample = structs.replace(sample, gap=past.pending.joined(sample.gap))
                past.pending = None
            yield sample
