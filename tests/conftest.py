"""Hypothesis profile, signals for servers, and a straight way for tests that need no reactor."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

PURE = tuple(Path(__file__).parent / layer for layer in ("wire", "core"))

# No deadlines: the machines are shared. On CI the same examples every time.
settings.register_profile(
    "radiod",
    deadline=None,
    max_examples=50,
    stateful_step_count=40,
    derandomize=bool(os.environ.get("CI")),
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("radiod")

# What is ignored here, under nohup or in a shell's background, would be in every server that a test starts.
for number, handler in {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}.items():
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Call tests of the pure layers as pytest itself would, past pytest-twisted.

    pytest-twisted sends every example through the reactor, and wraps a ``@given`` function once more for
    each of its parameters, which fails from the second parameter on.
    """
    if not any(pyfuncitem.path.is_relative_to(layer) for layer in PURE):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    return True
