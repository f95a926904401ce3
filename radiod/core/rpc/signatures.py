"""What callees tell about their procedures: parameters, result and purpose, for proxies and for people.

The router checks the shape, so that a proxy can trust it, and nothing else: kinds are those of Python's
``inspect``, annotations are text, and a default is told, never used.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from radiod.errors import INVALID_ARGUMENT, Refused
from radiod.wire.codecs import JSON, MSGPACK, Undecodable

__all__ = ["MAX_SIGNATURE", "read_signature"]

MAX_SIGNATURE: Final = 16 << 10
"""Bytes of one signature as JSON."""

Word = Annotated[str, Meta(min_length=1, max_length=255)]
Kind = Literal["positional_only", "positional_or_keyword", "var_positional", "keyword_only", "var_keyword"]


class Parameter(Struct, forbid_unknown_fields=True):
    """One parameter of a procedure."""

    name: Word
    kind: Kind
    default: Any = UNSET
    annotation: str | UnsetType = UNSET


class Shape(Struct, forbid_unknown_fields=True):
    """One procedure."""

    parameters: Annotated[list[Parameter], Meta(max_length=256)]
    returns: str | UnsetType = UNSET
    doc: str | UnsetType = UNSET


def read_signature(name: str, value: Any) -> bytes:
    """Check ``{parameters: [{name, kind, default?, annotation?}, …], returns?, doc?}``.

    Args:
        name: what to call it in a refusal.
    Returns: the same as JSON that every serializer can be made of, at most ``MAX_SIGNATURE`` bytes.
    Raises: Refused: ``invalid_argument``: another shape, a name twice, too long, or not sayable in JSON.
    """
    try:
        signature = msgspec.convert(value, Shape)
        data = JSON.dump(value)
        MSGPACK.dump(JSON.load(data))
    except (msgspec.ValidationError, Undecodable) as error:
        raise Refused(INVALID_ARGUMENT, f"{name}: {str(error)[:200]!r}") from None
    if len(data) > MAX_SIGNATURE:
        raise Refused(INVALID_ARGUMENT, f"{name} has {len(data)} bytes as JSON, {MAX_SIGNATURE} at most")
    names = [parameter.name for parameter in signature.parameters]
    if len(set(names)) != len(names):
        raise Refused(INVALID_ARGUMENT, f"{name} has two parameters of the same name")
    return data
