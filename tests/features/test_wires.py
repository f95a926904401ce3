"""Which of the six wires a test goes over in a run."""

from collections import Counter

SHORT = "not soak"
MANY = "tests/features/test_sessions.py::test_what_has_no_place_is_answered_by_abort"


def test_each_case_of_many_goes_over_one_wire(request):
    config = request.config
    is_short = config.option.markexpr.startswith(SHORT) and config.getoption("--nodes") == 1
    ids = [item.nodeid for item in request.session.items if item.nodeid.startswith(MANY)]
    cases = Counter(name.partition("[")[2].split("-", 2)[2] for name in ids)
    most = 1 if is_short and not config.getoption("--every-wire") else 6
    assert max(cases.values(), default=most) == most
