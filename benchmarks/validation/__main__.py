"""``make validate``, or ``benchmarks/validate.py [--only PART,…] [--seeds N] [--plots FOLDER]``."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from .settings import Settings

__all__ = ["main"]

PARTS = {
    "towns": "Real towns of PyPI's packages",
    "uxsim": "Beside UXsim",
    "causes": "Beside UXsim: why a 5x5 town differs",
    "sumo": "Beside SUMO micro",
    "speed": "Speed",
}
"""Modules of this package: ``run(settings)`` prints, and returns how much is not as wanted."""

USUAL = [part for part in PARTS if part != "speed"]
"""What is run without asking: how fast something is depends on who else is at work."""


def main() -> int:
    """Run the parts. Returns: the exit status; 1: something is not as wanted, and not known to be so."""
    parser = argparse.ArgumentParser(prog="validate.py", description="Is the simulator right?")
    parser.add_argument("--packages", type=Path, default=Path("build/validate"), help="what is downloaded")
    parser.add_argument("--only", default=",".join(USUAL), help="parts (%(default)s; or speed)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each comparison (%(default)s)")
    parser.add_argument("--plots", type=Path, help="a folder for pictures; needs matplotlib")
    options = parser.parse_args()
    chosen = options.only.split(",")
    unknown = set(chosen) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if options.seeds < 1:
        parser.error("--seeds is at least 1")
    settings = Settings(options.packages.resolve(), options.seeds, options.plots)
    faults = 0
    for part in chosen:
        print(f"\n{PARTS[part]}\n", flush=True)
        faults += importlib.import_module(f".{part}", __package__).run(settings)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
