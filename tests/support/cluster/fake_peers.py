"""Other nodes that only note what they are told."""

from radiod.core.promises import Promise
from radiod.errors import NETWORK_FAILURE, Refused

__all__ = ["FakePeers"]


class FakePeers:
    """``Peers`` of a node 1, whose others are in ``nodes``; ``deaf``: those that cannot be told anything."""

    def __init__(self, *nodes):
        self.me = 1
        self.is_isolated = False
        self.nodes = list(nodes)
        self.deaf = set()
        self.told = []
        self.handlers = {}
        self.asked = []
        self.seconds = []
        self.acknowledgements = []
        self.malformed = []

    def live(self):
        return list(self.nodes)

    settled_at = 0.0

    def is_gone(self, node):
        return node not in self.live()

    def name(self, node):
        return f"n{node}"

    def take(self, about, handler):
        self.handlers[about] = handler

    def watch(self, watcher):
        for node in self.nodes:
            watcher.joined(node)

    def tell(self, node, about, data):
        if node in self.deaf or node not in self.nodes:
            return False
        self.told.append((node, data))
        return True

    def ask(self, node, about, data, seconds):
        answer = Promise()
        self.seconds.append(seconds)
        if not self.tell(node, about, data):
            answer.settle(Refused(NETWORK_FAILURE, f"node n{node} cannot be reached"))
        self.asked.append(answer)
        return answer

    def tell_all(self, about, data):
        for node in self.nodes:
            self.told.append((node, data))
        done = Promise()
        self.acknowledgements.append(done)
        return done

    def note_malformed(self, about, node=0):
        self.malformed.append((about, node))

    def take_told(self, read):
        """What was told since: (node, letter)."""
        told, self.told = self.told, []
        return [(node, read(data)) for node, data in told]
