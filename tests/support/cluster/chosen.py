"""Tests that always run with each peer at another of three real nodes, too: each feature has some."""

from __future__ import annotations

__all__ = ["SLICE"]

SLICE: dict[str, tuple[str, ...]] = {
    "test_pubsub.py": (
        "test_publisher_identification",
        "test_publisher_exclusion",
        "test_subscriber_blackwhite_listing_does_not_overrule_publisher_exclusion",
        "test_pattern_based_subscription_gives_each_match_its_event_under_one_publication",
        "test_pattern_based_subscription_leaves_out_what_a_role_may_not_hear",
        "test_unsubscribe",
        "test_acknowledge_makes_refusals_heard",
        "test_event_retention",
        "test_event_history_of_a_pattern",
        "test_payload_passthru_mode",
    ),
    "test_rpc.py": (
        "test_a_call_and_its_error",
        "test_unregister",
        "test_a_procedure_has_one_callee_unless_shared",
        "test_caller_identification",
        "test_call_timeout_interrupts_with_killnowait",
        "test_call_canceling_with_kill_lets_a_result_win",
        "test_a_callee_that_leaves_cancels_the_calls_it_had",
        "test_progressive_call_results",
        "test_progressive_call_invocations_go_both_ways_at_once",
        "test_pattern_based_registration_prefers_the_wildcard_that_fits_longer",
        "test_shared_registration_goes_on_without_those_who_left",
        "test_shared_registration_with_concurrency",
        "test_call_reroute_ends_with_the_first_who_answers",
        "test_registration_revocation_is_silent_towards_those_who_did_not_announce_it",
        "test_force_reregister",
    ),
    "test_meta.py": (
        "test_session_count_and_list",
        "test_session_get",
        "test_session_kill_with_a_reason",
        "test_session_kill_by_authrole",
        "test_meta_api_stays_in_its_realm",
        "test_testament_of_a_killed_session",
        "test_registration_meta_api",
        "test_registration_remove_callee",
    ),
    "test_over_nodes.py": ("test_each_peer_is_at_the_next_node",),
    "test_sessions.py": (
        "test_ticket",
        "test_goodbye_and_join_again",
        "test_abort",
        "test_a_session_that_is_aborted_leaves_nothing_behind",
    ),
    "test_validation.py": ("test_integer_options_may_be_whole_floats", "test_ids_that_nobody_has"),
}
"""File -> tests of which each feature has one, that take no time."""
