"""``python -m simulator.bench``: how fast the engine is on this machine, for a town of 9,800 streets."""

from __future__ import annotations

import time

from simulator.network import Town
from simulator.simulation import Simulator

WARM_UP = 600.0
MEASURED = 600.0


def main() -> None:
    """Print street-steps a second, the real-time factor and the start-up time."""
    begin = time.perf_counter()
    simulator = Simulator(Town.grid(50, 50))
    started = time.perf_counter() - begin
    simulator.run(WARM_UP)
    begin = time.perf_counter()
    simulator.run(MEASURED)
    seconds = time.perf_counter() - begin
    streets = len(simulator.town.street_ids)
    print(f"{streets} streets, dt 1 s: {streets * MEASURED / seconds:.2e} street-steps/s")
    print(f"real-time factor {MEASURED / seconds:.0f}, start-up {started:.2f} s")


if __name__ == "__main__":
    main()
