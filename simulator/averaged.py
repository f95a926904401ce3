"""Averaged lights: what a town does on average over the cycles of its lights.

Streets are those of the Link Transmission Model. But what a street sends has the part of the time that is
green as its limit, and the time that vehicles wait for green as its delay: below saturation, so many wait at
the end of a street that lets go a steady flow q:

    m = q r / (1 - q / s) vehicles,  r seconds of mean red, s capacity,

the uniform delay at a light (Webster's first term); and what a street sends at whose end m wait is the q of
that. Nothing pulsates; and nobody sees green waves.
"""

from __future__ import annotations

import numpy as np

from simulator.engine import Lights
from simulator.ltm import LinkTransmission
from simulator.network import Floats

__all__ = ["AveragedLights"]


class AveragedLights(LinkTransmission):
    """The Link Transmission Model under the averages of lights. Attributes: as an ``Engine`` has them."""

    _red: Floats | float = 0.0

    def advance(self, lights: Lights, time: float, rates: Floats) -> Floats:
        """Advance by ``dt`` from ``time`` on. Returns: (F,) vehicles that passed from each feeder."""
        green, self._red = lights.average(time)
        return self.step(green, rates)

    def sending(self, green: np.ndarray | None = None, end: Floats | None = None) -> Floats:
        """(S,) vehicles that could leave each street in this step, by the part of the time that is green.

        Of c vehicles that will have come by the end of the step, q dt leave in it, and the others are those
        who wait: c - q dt = q r / (1 - q / s), of which q is the smaller root. The form that divides by a sum
        loses no digits where q is small. Without a light it is the less of c and s dt.
        """
        come = np.maximum(self._past_entered.at() - self.left, 0.0)
        share = come / self._town.capacity
        rest = self._dt + self._red
        root = np.sqrt((rest - share) ** 2 + 4 * self._red * share)
        most = self.capacity * self._dt
        sent = np.minimum(2 * come * self._dt / (rest + share + root), come)
        return np.minimum(sent, most if green is None else most * green)
