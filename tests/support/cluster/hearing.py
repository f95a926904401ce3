"""What listeners of a simulated cluster must have heard, by a plain count of what was published."""

from collections import defaultdict

from radiod.core.uris import selects

__all__ = ["Air", "Ear"]


class Ear:
    """One listener: what it asked for, when, and what came.

    ``asked``, ``begun``: how many events had been published everywhere when it asked, and when it was
    answered; ``is_sure``: nothing was in the way of the answer.
    """

    def __init__(self, air, node, match, topic):
        self.air, self.node, self.match, self.topic = air, node, match, topic
        self.peer = node.join()
        self.asked = len(air.published)
        self.begun = None
        self.is_sure = air.world.is_whole
        # Nothing has been in the way of any event since it asked.
        self.is_calm = self.is_sure
        self.came = []
        self.lost = 0
        self.peer.request(32, {"match": match} if match != "exact" else {}, topic)

    def listen(self):
        """Take what came."""
        for message in self.peer.received():
            if message[0] == 33:
                self.begun = len(self.air.published)
            elif message[0] == 36:
                assert self.begun is not None, "an event before SUBSCRIBED"
                self.lost += message[3].get("_lost", 0)
                self.came.append((message[2], *message[4]))

    def disturb(self):
        """Something is in the way."""
        self.is_calm = False
        if self.begun is None:
            self.is_sure = False

    def check(self):
        """Everything was in order, nothing came twice, and what did not come was told."""
        assert self.begun is not None, "no SUBSCRIBED"
        ids = [id for id, *_ in self.came]
        assert len(ids) == len(set(ids)), "an event came twice"
        last = defaultdict(int)
        for _, publisher, topic, number in self.came:
            assert number > last[publisher, topic], "an event overtook another"
            last[publisher, topic] = number
        if self.is_sure:
            self._check_count()

    def _check_count(self):
        came = {(publisher, topic, number) for _, publisher, topic, number in self.came}
        wanted = [
            (place, event)
            for place, event in enumerate(self.air.published)
            if selects(self.match, self.topic, event[1])
        ]
        certain = {event for place, event in wanted if place >= self.begun}
        possible = {event for place, event in wanted if place >= self.asked}
        assert came <= possible
        dead = self.air.dead
        least = sum(event[0] not in dead for event in certain - came)
        most = len(possible - came)
        assert least <= self.lost <= most, f"{least} to {most} are missing, {self.lost} were told"
        if self.is_calm:
            assert certain <= came, "an event was lost, and nothing was in its way"
            assert not self.lost


class Air:
    """All that is published and listened to. ``dead``: publishers whose node died, and its counts."""

    def __init__(self, world):
        self.world = world
        self.ears = []
        # Each (publisher, topic, number), in the order of publishing.
        self.published = []
        self.dead = set()
        self._publishers = {}
        self._numbers = defaultdict(int)
        self._names = 0

    def listen(self, name, match, topic):
        ear = Ear(self, self.world[name], match, topic)
        self.ears.append(ear)
        return ear

    def publish(self, name, topic):
        node = self.world[name]
        if node not in self._publishers:
            self._names += 1
            self._publishers[node] = (f"{name}{self._names}", node.join())
        publisher, peer = self._publishers[node]
        self._numbers[publisher, topic] += 1
        event = publisher, topic, self._numbers[publisher, topic]
        self.published.append(event)
        peer.request(16, {}, topic, list(event))
        self.hear()

    def hear(self):
        for ear in self.ears:
            ear.listen()

    def advance(self, seconds):
        self.world.advance(seconds)
        self.hear()

    def disturb(self):
        """Something is in the way of events now."""
        for ear in self.ears:
            ear.disturb()

    def node_died(self, node):
        """Its listeners are gone, and what its publishers had counted."""
        self.ears = [ear for ear in self.ears if ear.node is not node]
        if node in self._publishers:
            self.dead.add(self._publishers.pop(node)[0])

    def stop(self, ear):
        """It does not listen any more, and must have heard what it should; only while nothing is missing."""
        self.ears.remove(ear)
        ear.peer.leave()

    def check(self, topics):
        """Have everything told, and count."""
        for topic in topics:
            for name in self.world.nodes:
                self.publish(name, topic)
        self.advance(0.1)
        for ear in self.ears:
            ear.check()
