"""A town's road traffic as a source of live data: the Link Transmission Model on NumPy arrays."""

from simulator.network import Town
from simulator.simulation import Simulator

__all__ = ["Simulator", "Town"]
