"""A town's road traffic as a source of live data: the Link Transmission Model on NumPy arrays."""

try:
    from simulator.errors import TownError
    from simulator.network import Town
    from simulator.simulation import Simulator
except ModuleNotFoundError as missing:
    if missing.name != "numpy":
        raise
    raise ModuleNotFoundError("the simulator needs NumPy: pip install 'radiod[sim]'", name="numpy") from None

__all__ = ["Simulator", "Town", "TownError"]
