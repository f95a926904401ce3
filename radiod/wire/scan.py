"""Runs over one serialized value without building it: where does it end, and may it be passed on?

What a sender wrote goes to other people's programs, so it is looked at once, where it comes in. A scan
follows the grammar (what breaks it is a ``ValueError``, and no message), counts how deep lists and
dictionaries go, and notes what decoders of other languages cannot take (``fault``), and what must be put in
other words for some of them (``is_odd``) or for other serializers (``is_rich``).

Cost: at most some tenths of a microsecond for each byte, whatever the bytes are; long lists of numbers of one
size are skipped in one step. The serializers add their tables: ``sizes``, ``handlers``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

__all__ = ["MOST_NESTING", "NESTING", "PROTO", "UNDERSCORE", "Scan", "Undecodable", "has_key_proto"]

NESTING: Final = 64
"""How deep lists and dictionaries of a payload go by default, ``args`` itself being the first."""

MOST_NESTING: Final = 90
"""The most that may be configured: msgpack5, in Autobahn|JS, ends at 100 with what the router puts around."""

MOST_PARSED: Final = 500
"""Deeper than this is not even followed."""

MOST_ODD_KEYS: Final = 256
"""In one dictionary, of keys that are no text: their hashes can be made to collide, at a square's cost."""

MOST_KEYS_WITHIN_KEYS: Final = 8

PROTO: Final = b"__proto__"
"""A key that msgpack5 (Autobahn|JS) takes for an attack, and ends its session."""

UNDERSCORE: Final = ord("_")

ENDLESS: Final = 1 << 62
"""Elements left in a container that ends with a mark."""

ALIKE: Final = 8
"""Lists from this length on are tried in one step."""


def has_key_proto(data: bytes) -> bool:
    """Whether a key may be ``__proto__``."""
    return UNDERSCORE in data and PROTO in data


class Undecodable(ValueError):
    """A payload cannot be parsed, or cannot be said in another serializer, or must not be passed on."""


class Scan(ABC):
    """One run over values in ``data``.

    ``depth``: of the deepest container; ``fault``: why it must not be passed on, empty: nothing is known yet;
    ``is_odd``: it has to be said in other words, to all; ``is_rich``: to those with another serializer;
    ``has_odd_keys``: a dictionary has a key that is no text; ``has_tags``: what tags say is to be checked;
    ``has_proto``: one of the keys may be ``__proto__``.
    """

    __slots__ = (
        "_is_map",
        "_left",
        "_level",
        "_odd_keys",
        "_stack",
        "data",
        "depth",
        "fault",
        "has_odd_keys",
        "has_proto",
        "has_tags",
        "is_odd",
        "is_rich",
        "keys",
        "texts",
    )

    sizes: ClassVar[Sequence[int]]
    """First byte -> bytes of the whole value; 0: there is more to be looked at."""
    handlers: ClassVar[Sequence[Callable[[Any, int], int]]]
    """First byte -> what takes a value of size 0, and gives its end, or where its elements begin."""
    ones: ClassVar[bytes]
    """First bytes of values of one byte."""
    short_text: ClassVar[int]
    """First byte of the empty text; those of longer ones follow."""
    short_texts: ClassVar[int]
    """How many such texts there are."""

    def __init__(self, data: bytes, level: int = 0, has_proto: bool | None = None) -> None:
        self.data = data
        self.depth = 0
        self.fault = ""
        self.is_odd = self.is_rich = self.has_odd_keys = self.has_tags = False
        self.texts: list[bytes] = []
        self.keys: list[bytes] = []
        # Of the innermost container: elements still to come, its kind, its keys that were no texts.
        self._left = 0
        self._is_map = False
        self._odd_keys = 0
        # The same of those around it.
        self._stack: list[tuple[int, bool, int]] = []
        self._level = level
        self.has_proto = has_key_proto(data) if has_proto is None else has_proto

    def item(self, at: int) -> int:
        """Where the value at ``at`` ends. Raises: ValueError: it is none, or ``data`` ends within it."""
        self._left, self._is_map = 1, False
        try:
            at = self._walk(at)
        except IndexError:
            at = len(self.data) + 1
        if at > len(self.data):
            raise ValueError("the data ends within a value")
        return at

    def whole(self) -> None:
        """Run over all of ``data``. Raises: Undecodable: it is not one value."""
        try:
            end = self.item(0)
        except ValueError as error:
            raise Undecodable(str(error)) from None
        if end != len(self.data):
            raise Undecodable("bytes behind the value")

    def check(self, max_nesting: int) -> None:
        """Raises: Undecodable: what was run over must not be passed on."""
        if self.fault:
            raise Undecodable(self.fault)
        if self.depth > max_nesting:
            raise Undecodable(f"nested {self.depth} deep, {max_nesting} at most")
        self.check_texts()

    def check_texts(self) -> None:
        """Raises: Undecodable: a text is not UTF-8, or no name for a key."""
        try:
            # Between texts a byte that belongs to none, so that two halves do not make a whole.
            b"\0".join(self.keys + self.texts).decode()
        except UnicodeDecodeError:
            raise Undecodable("a text is not UTF-8") from None
        if self.has_proto and PROTO in self.keys:
            raise Undecodable("a key must not be __proto__")

    def _walk(self, at: int) -> int:
        stack = self._stack
        while True:
            while not self._left:
                if not stack:
                    return at
                self._left, self._is_map, self._odd_keys = stack.pop()
            at = self._entry(at) if self._is_map else self._elements(at)

    def _elements(self, at: int) -> int:
        """Go on in a list until it ends, or something opens."""
        data, sizes, left = self.data, self.sizes, self._left
        while left:
            size = sizes[data[at]]
            if not size:
                self._left = left - 1
                return self.handlers[data[at]](self, at)
            at += size
            left -= 1
        self._left = 0
        return at

    def _entry(self, at: int) -> int:
        """One key of a dictionary, and its value, or the value's beginning."""
        data = self.data
        length = data[at] - self.short_text
        if 0 <= length < self.short_texts:
            end = at + 1 + length
            self.keys.append(data[at + 1 : end])
        else:
            end = self._key(at)
            if not self._left:
                return end
        self._left -= 2
        return self._value(end)

    def _value(self, at: int) -> int:
        first = self.data[at]
        size = self.sizes[first]
        return at + size if size else self.handlers[first](self, at)

    @abstractmethod
    def _key(self, at: int) -> int:
        """A key that is no short text; ends the dictionary where there is none."""

    def _note_odd_key(self) -> None:
        self.is_rich = self.has_odd_keys = True
        self._odd_keys += 1
        if self._odd_keys > MOST_ODD_KEYS:
            self.fault = f"a dictionary has more than {MOST_ODD_KEYS} keys that are no texts"

    def _strange_key(self, at: int) -> int:
        """The end of a key that no dictionary can have."""
        if self._level == MOST_KEYS_WITHIN_KEYS:
            raise ValueError("keys within keys")
        self.has_odd_keys = True
        self.fault = "a dictionary's key is neither a text nor a number"
        within = type(self)(self.data, self._level + 1, self.has_proto)
        return within.item(at)

    def _open(self, at: int, count: int, is_map: bool) -> int:
        """A list of ``count`` elements, or a dictionary of so many pairs, begins at ``at``."""
        if count > len(self.data) and count != ENDLESS:
            raise ValueError("the data ends within a value")
        stack = self._stack
        stack.append((self._left, self._is_map, self._odd_keys))
        if len(stack) > self.depth:
            self.depth = len(stack)
            if self.depth > MOST_PARSED:
                raise ValueError(f"nested deeper than {MOST_PARSED}")
        self._left = 2 * count if is_map and count != ENDLESS else count
        self._is_map = is_map
        self._odd_keys = 0
        if ALIKE <= count < ENDLESS and not is_map and len(stack) <= MOST_NESTING:
            return self._alike(at, count)
        return at

    def _alike(self, at: int, count: int) -> int:
        """Skip the elements of a list if all have the same size, a fixed one."""
        data, first = self.data, self.data[at]
        size = self.sizes[first]
        end = at + count * size
        if size and end <= len(data):
            # The first few tell at once of most lists that are not alike.
            if size == 1:
                is_alike = not data[at:end].translate(None, self.ones)
            else:
                few = data[at : at + ALIKE * size : size].count(first)
                is_alike = few == ALIKE and data[at:end:size].count(first) == count
            if is_alike:
                self._left = 0
                return end
        return at
