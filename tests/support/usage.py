"""What knows the usage of one server, without a bookkeeper."""

from radiod.core.access.port import UsagePage
from radiod.core.promises import Promise
from radiod.errors import RadiodError

__all__ = ["OwnUsage"]


class OwnUsage:
    """A ``UsageSource``: what is in a store. ``failure``: what it answers instead."""

    def __init__(self, store):
        self._store = store
        self.failure = None

    def usage(self, query):
        promise = Promise()

        def told(outcome):
            promise.settle(outcome if isinstance(outcome, RadiodError) else UsagePage(*outcome))

        if self.failure is None:
            self._store.usage(query).then(told)
        else:
            promise.settle(self.failure)
        return promise
