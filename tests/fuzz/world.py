"""A server that is in use: what makes requests expensive is not what they hold, but what is there already."""

from __future__ import annotations

from fuzz.pipes import DUMP, LOAD, RawSocket, WebSocket
from fuzz.target import Target

__all__ = ["LONG", "World"]

LONG = "p" * 249
"""A topic that matches every prefix of ``World``."""

CHANNELS, TOPICS, EVENTS, SUBSCRIPTIONS, SHAPES = 1000, 40, 1000, 3000, 300


class World:
    """Channels, kept events, subscriptions and registrations; ``ears`` listen in each serializer."""

    def __init__(self, target: Target, share: float = 1.0) -> None:
        """``share`` of the usual numbers."""
        self.target = target
        self._channels(int(CHANNELS * share))
        self.history = self._events(int(EVENTS * share))
        self.holder = self._subscriptions(int(SUBSCRIPTIONS * share))
        self.ears = [WebSocket(target.port, name) for name in ("json", "msgpack", "cbor")]
        for ear in self.ears:
            ear.join()
            answer = ear.ask([32, 1, {}, "heard"])
            assert answer[0] == 33, answer
        self.subscription, self.registration = self._ids

    def _channels(self, count: int) -> None:
        for first in range(0, count, 100):
            owner = RawSocket(self.target.port, "msgpack")
            owner.join()
            calls = [
                [
                    48,
                    number + 1,
                    {},
                    "radiod.channel.create",
                    [f"room.{first + number}"],
                    {"on_owner_leave": "keep"},
                ]
                for number in range(min(100, count - first))
            ]
            _ask_all(owner, calls)
            owner.close()

    def _events(self, count: int) -> int:
        """Returns the subscription that holds them all."""
        publisher = RawSocket(self.target.port, "msgpack")
        publisher.join()
        answer = publisher.ask([32, 1, {"match": "prefix"}, "kept."])
        assert answer[0] == 33, answer
        for number in range(count):
            publisher.say(
                *(
                    DUMP["msgpack"]([16, 2 + number * TOPICS + topic, {}, f"kept.t{topic}", [number]])
                    for topic in range(TOPICS)
                )
            )
        assert publisher.ask([48, 2 + count * TOPICS, {}, "radiod.echo"])[0] == 50
        self._publisher = publisher
        return int(answer[2])

    def _subscriptions(self, count: int) -> RawSocket:
        holder = RawSocket(self.target.port, "msgpack")
        holder.join()
        asked: list[list[object]] = []
        for number in range(count):
            asked.append([32, len(asked) + 1, {}, f"topic.{number}"])
            asked.append([64, len(asked) + 1, {}, f"procedure.{number}"])
        for length in range(1, 250):
            asked.append([32, len(asked) + 1, {"match": "prefix"}, LONG[:length]])
        for shape in range(1, SHAPES):
            name = ".".join("" if shape >> bit & 1 else "w" for bit in range(9))
            asked.append([32, len(asked) + 1, {"match": "wildcard"}, name])
        answers = _ask_all(holder, asked)
        self._ids = int(answers[0][2]), int(answers[1][2])
        return holder

    def drain(self) -> None:
        """Read what the listeners were sent: they are no slow ones."""
        for ear in self.ears:
            ear.hear(0)


def _ask_all(pipe: RawSocket, messages: list[list[object]]) -> list[list[object]]:
    """Say requests, and hear the answer of each."""
    answers: list[list[object]] = []
    for first in range(0, len(messages), 200):
        part = messages[first : first + 200]
        pipe.say(*(DUMP[pipe.serializer](message) for message in part))
        end = first + len(part)
        while len(answers) < end:
            heard = pipe.hear()
            assert heard, "no answer"
            answers += [LOAD[pipe.serializer](data) for data in heard]
    wrong = [answer for answer in answers if answer[0] in (3, 8)]
    assert not wrong, wrong[0]
    return answers
