"""Publishes in a thread of its own: no request waits for the radio, also when it is not there."""

import logging
import queue
import threading

from django.conf import settings
from radiod_client import HttpPublisher, PublishRefused, RadioError

logger = logging.getLogger(__name__)


class Background:
    """Takes what is to be published; above ``size`` messages the oldest go, and the log says how many."""

    def __init__(self, size=1000):
        self.waiting = queue.Queue(size)
        self.lost = 0
        self._starting = threading.Lock()
        self._thread = None

    def tell(self, message):
        """Have it published, soon. Never waits."""
        with self._starting:
            # Servers fork: the thread is the child's, who is the one that publishes.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="radio", daemon=True)
                self._thread.start()
        while True:
            try:
                self.waiting.put_nowait(message)
            except queue.Full:
                self._forget_oldest()
            else:
                return

    def _forget_oldest(self):
        try:
            self.waiting.get_nowait()
        except queue.Empty:
            return
        self.lost += 1
        if self.lost & (self.lost - 1) == 0:
            logger.warning("the radio does not listen: %d messages were not published", self.lost)

    def _run(self):
        publisher = HttpPublisher(**settings.RADIO)
        while True:
            message = self.waiting.get()
            try:
                publisher.publish(message)
            except PublishRefused as refusal:
                logger.error("not published: %s", refusal)
            except RadioError as error:
                logger.warning("not published: %s", error)


tell = Background().tell
