"""WAMP's names as NATS's: topics and patterns to subjects, and back. Pure.

A subject is words with dots between, as a URI is components. Three things differ:

* In a subscription the words ``*`` and ``>`` stand for others: a component that is one of them is escaped.
* Words have no whitespace and no control characters. URIs have none either; realms and other names may.
* NATS knows words only: a prefix that ends within a component becomes the enclosing subject, which brings
  more than it should. Whoever subscribes looks at what comes by WAMP's own rules.

What is escaped is ``#`` and two digits (hexadecimal) for each byte of UTF-8: ``#`` is in no URI.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final, Literal

__all__ = ["Match", "Topics", "escape", "hidden", "is_wider", "root", "stream_name", "unescape"]

Match = Literal["exact", "prefix", "wildcard"]
"""WAMP's match policies."""

# Lone surrogates, which JSON can hold, are no UTF-8: subjects are written into JSON by servers, too.
UNFIT: Final = re.compile(rb"[\x00-\x20\x7f#]|\xed[\xa0-\xbf][\x80-\xbf]")
UNFIT_IN_NAME: Final = re.compile(rb"[\x00-\x20\x7f#.]|\xed[\xa0-\xbf][\x80-\xbf]")
UNFIT_IN_STREAM: Final = re.compile(r"[^A-Za-z0-9]")
ESCAPED: Final = re.compile(rb"#([0-9a-f]{2})")
LONELY: Final = {b"*": b"#2a", b">": b"#3e", b"": b"#"}

MANY: Final = 10_000
"""Topics whose subjects are remembered; then all are forgotten."""


def escape(name: str) -> bytes:
    """A name as one word of a subject, whatever is in it; dots are escaped, too. ``unescape`` reads it."""
    word = UNFIT_IN_NAME.sub(_escaped, name.encode("utf-8", "surrogatepass"))
    return LONELY.get(word, word)


def unescape(word: bytes) -> str:
    """The name that ``escape`` has written so.

    Raises: ValueError: it has written no such word.
    """
    if word == b"#":
        return ""
    return ESCAPED.sub(_plain, word).decode("utf-8", "surrogatepass")


def root(*names: str) -> bytes:
    """What subjects begin with: the names of a cluster, a realm, a kind, each one word."""
    return b".".join([escape(name) for name in names])


def stream_name(*names: str) -> str:
    """A name for a stream: letters, digits, ``_`` and ``-``. Different names make different ones."""
    return "-".join([UNFIT_IN_STREAM.sub(lambda found: f"_{ord(found[0]):x}_", name) for name in names])


def hidden(name: str, key: bytes) -> bytes:
    """A word for a private channel, of which neither its name nor its key can be told.

    ``key``: a digest of the channel's key, 64 bytes at most.
    """
    return blake2b(name.encode("utf-8", "surrogatepass"), key=key, digest_size=20).hexdigest().encode()


def is_wider(match: Match, topic: str) -> bool:
    """Whether the subject of a pattern brings topics that the pattern does not match."""
    return match == "prefix" and not topic.endswith(".") and topic != ""


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"".join([b"#%02x" % byte for byte in found[0]])


def _plain(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)])


class Topics:
    """Subjects of topics below one root, as ``root`` makes it.

    URIs are taken as they are: ``core.uris`` says what is one. With 255 characters at most, no subject is
    longer than the 4,096 bytes that servers take in a line.
    """

    def __init__(self, root: bytes) -> None:
        self._prefix: Final = root + b"."
        self._known: dict[str, bytes] = {}

    def subject(self, topic: str) -> bytes:
        """What a topic's events are published on."""
        subject = self._known.get(topic)
        if subject is None:
            subject = self._prefix + _components(topic)
            if len(self._known) >= MANY:
                self._known.clear()
            self._known[topic] = subject
        return subject

    def topic(self, subject: bytes) -> str:
        """The topic of a subject. Raises: ValueError: it is not below the root, or nobody writes one so."""
        if not subject.startswith(self._prefix):
            raise ValueError(f"not below {self._prefix!r}: {subject[:80]!r}")
        words = subject[len(self._prefix) :].split(b".")
        return ".".join([unescape(word) for word in words])

    def pattern(self, match: Match, topic: str) -> bytes:
        """What to subscribe to, to hear all that a pattern matches; see ``is_wider``."""
        if match == "exact":
            return self.subject(topic)
        if match == "prefix":
            # What is behind the last dot is a part of a component.
            whole, _, _ = topic.rpartition(".")
            return self._prefix + (_components(whole) + b".>" if whole else b">")
        words = [b"*" if component == "" else _component(component) for component in topic.split(".")]
        return self._prefix + b".".join(words)


def _components(topic: str) -> bytes:
    return b".".join([_component(component) for component in topic.split(".")])


def _component(component: str) -> bytes:
    word = UNFIT.sub(_escaped, component.encode("utf-8", "surrogatepass"))
    return LONELY.get(word, word)
