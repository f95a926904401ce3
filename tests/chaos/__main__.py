"""The command line: ``CHAOS_S`` seconds in all, ``CHAOS_SEED`` to draw the same again, ``--only``."""

from __future__ import annotations

import argparse
import os
import sys

from chaos.runs import CLUSTER, SCENARIOS, main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m chaos")
    parser.add_argument(
        "--only",
        default=os.environ.get("CHAOS_ONLY", ""),
        help=f"of {', '.join(SCENARIOS | CLUSTER)}; cluster: of several nodes",
    )
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("CHAOS_S", "300")))
    parser.add_argument("--seed", default=os.environ.get("CHAOS_SEED", ""))
    options = parser.parse_args()
    sys.exit(main(options.seconds, options.seed, options.only))
