"""The command line: ``FUZZ_S`` seconds in all, ``FUZZ_SEED`` to run one run, or one burst of it, again."""

from __future__ import annotations

import os
import sys

from fuzz.runs import main

if __name__ == "__main__":
    sys.exit(main(float(os.environ.get("FUZZ_S", "90")), os.environ.get("FUZZ_SEED", "")))
