"""Tests that do not pass with each peer at another node, and why: all of them, by name.

Those that are run must fail: what begins to hold leaves this list, and is moved in docs/cluster.md. Only what
goes by chance may pass.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["EXCEPTED", "Excepted", "find"]


class Excepted(NamedTuple):
    """Tests with one reason.

    Args:
        tests: names of them behind their files; one ``*`` stands for anything.
        is_run: they say something with nodes.
        is_chance: whether they fail is decided by who comes first.
    """

    reason: str
    tests: tuple[str, ...]
    is_run: bool = True
    is_chance: bool = False


EXCEPTED = (
    Excepted(
        "looks into a server in memory",
        (
            "test_rpc.py::test_progressive_call_invocations_are_not_remembered_without_end[*",
            "test_losses.py::test_the_log_says_what_was_not_told_and_why",
            "test_usage.py::test_private_channels_are_counted_under_their_names_and_told_nowhere_else",
            "test_usage.py::test_time_counts_for_sessions_streams_and_polls_that_wait",
        ),
        is_run=False,
    ),
    Excepted(
        "has what a damaged store told: whatever can be published can be said in JSON",
        (
            "test_losses.py::test_an_event_stream_tells_a_loss_at_once_and_from_where_to_go_on",
            "test_losses.py::test_lines_of_json_tell_a_loss_with_the_next_record_or_with_the_heartbeat",
            "test_losses.py::test_a_replay_that_ends_with_what_cannot_be_said_tells_so",
            "test_losses.py::test_a_poll_of_nothing_but_losses_is_answered_with_their_number",
            "test_losses.py::test_a_poll_tells_losses_behind_its_samples_too",
            "test_losses.py::test_a_live_poll_tells_losses_of_its_turn",
        ),
        is_run=False,
    ),
    Excepted(
        "stalls a connection that takes nothing: a real one has the kernel's buffers",
        (
            "test_losses.py::test_a_loss_before_one_that_cannot_be_said_counts_too",
            "test_losses.py::test_an_event_stream_that_was_stalled_tells_what_was_lost_last_with_the_heartbeat",
        ),
        is_run=False,
    ),
    Excepted(
        "statistics of a channel are those of one node",
        ("test_losses.py::test_statistics_of_a_channel_tell_to_whom",),
        is_run=False,
    ),
)


def find(nodeid: str) -> Excepted | None:
    """What a test is excepted for; None: it must pass."""
    name = nodeid[nodeid.partition("::")[0].rfind("/") + 1 :]
    return next((one for one in EXCEPTED if any(_is_meant(name, test) for test in one.tests)), None)


def _is_meant(name: str, test: str) -> bool:
    start, _, end = test.partition("*")
    return name.startswith(start) and name.endswith(end)
