"""The names of all that is measured, with their labels: docs/operations.md has the same table.

What a label can be is bounded by the configuration, or by the code. No client chooses one, but for channels,
of which there are as many as ``metrics.max_channels`` allows, and no private ones.
"""

from __future__ import annotations

from typing import Final

from radiod.metrics.exposition import COUNTER, GAUGE, HISTOGRAM

__all__ = ["FAMILIES"]

FAMILIES: Final[tuple[tuple[str, str, str, tuple[str, ...]], ...]] = (
    ("radiod_build_info", GAUGE, "Always 1; the label says which radiod this is.", ("version",)),
    ("radiod_connections", GAUGE, "Open connections.", ("transport", "kind")),
    ("radiod_connections_total", COUNTER, "Connections so far.", ("transport", "kind")),
    (
        "radiod_connections_refused_total",
        COUNTER,
        "What peers were refused, by the bound that they met.",
        ("reason",),
    ),
    ("radiod_connections_cut_total", COUNTER, "Connections that radiod cut.", ("reason",)),
    ("radiod_sessions", GAUGE, "Open sessions, those of plain listeners included.", ("realm",)),
    ("radiod_logins_total", COUNTER, "WAMP logins by how they ended.", ("realm", "method", "outcome")),
    ("radiod_http_requests_total", COUNTER, "Answers over HTTP, by route.", ("path", "status")),
    ("radiod_events_published_total", COUNTER, "Events that were accepted.", ("realm", "via")),
    (
        "radiod_events_delivered_total",
        COUNTER,
        "Events given to a listener's connection, each listener counted.",
        ("realm",),
    ),
    ("radiod_delivered_bytes_total", COUNTER, "Payload bytes of these.", ("realm",)),
    (
        "radiod_events_dropped_total",
        COUNTER,
        "Events that a listener lost, by the policy of its buffer.",
        ("realm", "policy"),
    ),
    ("radiod_buffered_events", GAUGE, "Events that wait for a listener.", ("realm",)),
    ("radiod_buffered_bytes", GAUGE, "Payload bytes of these.", ("realm",)),
    (
        "radiod_recoveries_total",
        COUNTER,
        "Listeners that went on behind a position; gap: it was not held any more.",
        ("realm", "outcome"),
    ),
    ("radiod_calls_total", COUNTER, "Calls by how they ended.", ("realm", "outcome")),
    ("radiod_calls_pending", GAUGE, "Calls that wait for their callee.", ("realm",)),
    ("radiod_call_seconds", HISTOGRAM, "Time from invocation to the end of a call.", ("realm",)),
    (
        "radiod_publish_deliver_seconds",
        HISTOGRAM,
        "Time from receipt of what was published to the first write of its fan-out.",
        (),
    ),
    ("radiod_loop_lag_seconds", GAUGE, "How late the loop was at most in the last interval.", ()),
    ("radiod_store_queue_requests", GAUGE, "Requests that wait to be stored.", ()),
    ("radiod_store_queue_bytes", GAUGE, "Bytes of these.", ()),
    ("radiod_store_commit_seconds", HISTOGRAM, "Time of each transaction that reached the disk.", ()),
    ("radiod_store_failures_total", COUNTER, "Transactions that failed.", ()),
    ("radiod_channels", GAUGE, "Channels, private ones included.", ("realm",)),
    ("radiod_subscriptions", GAUGE, "Subscriptions that have a listener.", ("realm",)),
    ("radiod_registrations", GAUGE, "Registrations that have a callee.", ("realm",)),
    ("radiod_history_bytes", GAUGE, "Bytes of events that histories hold in memory.", ("realm",)),
    ("radiod_draining", GAUGE, "Whether nobody new is let in, since clients are sent away.", ()),
    ("radiod_sent_away_total", COUNTER, "Listeners and sessions that were sent away so.", ()),
    (
        "radiod_certificate_not_after_seconds",
        GAUGE,
        "When the first certificate of an endpoint ends, in seconds since 1970.",
        ("listen",),
    ),
    ("radiod_cluster_nodes", GAUGE, "Nodes that this one knows, itself included.", ()),
    ("radiod_cluster_isolated_seconds", GAUGE, "For how long this node has reached no other.", ()),
    ("radiod_cluster_connected", GAUGE, "Whether there is a NATS server, by what for.", ("what",)),
    ("radiod_cluster_lost_total", COUNTER, "Messages of other nodes that did not come.", ()),
    ("radiod_cluster_dropped_total", COUNTER, "Messages to other nodes that were not sent.", ()),
    ("radiod_cluster_malformed_total", COUNTER, "What came between nodes that none of them writes.", ()),
    ("radiod_cluster_overflowed_total", COUNTER, "What other nodes told that had no room here.", ()),
    ("radiod_spans_total", COUNTER, "Spans of traces by what became of them.", ("outcome",)),
    (
        "radiod_config_last_reload_successful",
        GAUGE,
        "Whether the configuration that was read last is in force.",
        (),
    ),
    (
        "radiod_config_last_reload_timestamp_seconds",
        GAUGE,
        "When the configuration in force was read, in seconds since 1970.",
        (),
    ),
    (
        "radiod_channel_published_total",
        COUNTER,
        "Events published on the busiest public channels; all the others are other.",
        ("realm", "channel"),
    ),
    (
        "radiod_channel_delivered_total",
        COUNTER,
        "Events that listeners of a channel, or of a pattern, were given.",
        ("realm", "channel"),
    ),
    (
        "radiod_channel_dropped_total",
        COUNTER,
        "Events that listeners of a channel, or of a pattern, lost.",
        ("realm", "channel"),
    ),
)
"""Name, kind, help, labels."""
