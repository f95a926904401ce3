"""WAMP's names as subjects of the engine: topics and patterns there, and back.

A subject is tokens with dots between, as a URI is components. Three things differ:

* In what is listened to, the tokens ``*`` and ``>`` stand for others: a component that is one is escaped.
* Tokens hold no whitespace and no control characters. URIs have none either; realms and other names may.
* A prefix that ends within a component has no subject: the one that encloses it brings more than it should.
  Whoever listens looks at what comes by WAMP's own rules.

What is escaped is ``#`` and two digits (hexadecimal) for each byte of UTF-8: ``#`` is in no URI.
"""

from __future__ import annotations

import re
from typing import Final

from radiod.wire.options import MatchPolicy

__all__ = ["escape", "listened", "of_topic", "unescape"]

# Lone surrogates, which JSON can hold, are no UTF-8.
UNFIT: Final = re.compile(r"[\x00-\x20\x7f-\xa0#.\ud800-\udfff]")
ESCAPED: Final = re.compile("((?:#[0-9a-f]{2})+)")
LONELY: Final = {"*": "#2a", ">": "#3e", "": "#"}


def escape(name: str) -> str:
    """A name as one token, whatever is in it; dots are escaped, too. ``unescape`` reads it."""
    token = UNFIT.sub(_escaped, name)
    return LONELY.get(token, token)


def unescape(token: str) -> str:
    """The name that ``escape`` has written so."""
    return "" if token == "#" else ESCAPED.sub(_plain, token)


def _escaped(found: re.Match[str]) -> str:
    return "".join([f"#{byte:02x}" for byte in found[0].encode("utf-8", "surrogatepass")])


def _plain(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("#", "")).decode("utf-8", "surrogatepass")


def of_topic(root: str, topic: str) -> str:
    """What events of a topic are sent on, below ``root``."""
    return root + "." + _tokens(topic)


def listened(root: str, match: MatchPolicy, topic: str) -> str:
    """What is listened to, to have all that a pattern matches; for some prefixes it brings more."""
    if match == "exact":
        return of_topic(root, topic)
    if match == "prefix":
        # What is behind the last dot is a part of a component.
        whole = topic.rpartition(".")[0]
        return f"{of_topic(root, whole)}.>" if whole else f"{root}.>"
    return root + "." + ".".join(["*" if part == "" else escape(part) for part in topic.split(".")])


def _tokens(topic: str) -> str:
    if "*" not in topic and ">" not in topic and topic.isascii():
        # Nearly always: a URI has nothing else that is unfit.
        return topic
    return ".".join([escape(part) for part in topic.split(".")])
