"""``make validate``: is the simulator right? Real towns load and run; towns beside those of other simulators.

python benchmarks/validate.py [--only towns,uxsim,causes,sumo,speed] [--seeds 3] [--packages build/validate]
    [--plots FOLDER]

What others wrote is downloaded into the folder of packages, and runs there; nothing of it is a dependency,
and nothing goes into the repository. Tables are printed; exit status 1: an invariant is broken, a town is
refused, or a figure is not as wanted and its row does not say that it is known.
"""

from __future__ import annotations

import sys

from validation.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
