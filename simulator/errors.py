"""What is wrong with a town, its lights or its demand, in one line; and the check that most of them need."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["TownError", "numbers"]


class TownError(ValueError):
    """Something cannot be simulated.

    The text begins with what it is about: ``street a: …``; ``FILE:LINE: …`` where it stands in a file.
    """


def numbers(what: str, values: ArrayLike, least: float = -np.inf) -> NDArray[np.float64]:
    """A list of finite numbers of at least ``least``.

    Raises: TownError: it is none; the text begins with ``what`` and names the first value that is wrong.
    """
    try:
        array = np.array(values, float)
    except (TypeError, ValueError):
        raise TownError(f"{what}: not a list of numbers") from None
    if array.ndim != 1:
        raise TownError(f"{what}: not a list of numbers, one for each")
    wrong = ~(np.isfinite(array) & (array >= least))
    if wrong.any():
        at = int(wrong.argmax())
        limit = "" if least == -np.inf else f" of at least {least:g}"
        raise TownError(f"{what}: number {at} is {array[at]:g}, not a finite number{limit}")
    return array
