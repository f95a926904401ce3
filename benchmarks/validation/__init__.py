"""Is the simulator right? Real towns load and run, and towns are compared with those of other simulators.

``towns``: real towns of PyPI's packages. ``uxsim``, ``sumo``: beside UXsim, beside SUMO micro. ``speed``: how
fast all of them are. ``compare``: what is measured of two simulators, and what is wanted. ``packages``: what
others wrote, in folders of its own.
"""
