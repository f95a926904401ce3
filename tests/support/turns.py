"""A clock for what takes shares of turns."""


class ManualClock:
    """Time that passes with each look alone, by ``look_s``, and turns that are made one by one."""

    def __init__(self):
        self.now = 0.0
        self.look_s = 0.0
        self._due = []

    def seconds(self):
        self.now += self.look_s
        return self.now

    def soon(self, what):
        self._due.append(what)

    def turn(self):
        due, self._due = self._due, []
        for what in due:
            what()

    @property
    def is_idle(self):
        return not self._due
