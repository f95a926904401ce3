"""What an operator may look at over WAMP: ``radiod.admin.*`` that change nothing, in every realm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from radiod.admin.channels import ChannelsView
from radiod.admin.cluster import ClusterSource, ClusterView
from radiod.admin.debug import DebugView
from radiod.admin.listeners import ListenersView
from radiod.admin.log import LogView, Tail
from radiod.admin.metrics import MetricsView
from radiod.admin.sessions import SessionsView
from radiod.admin.usage import HourView
from radiod.core.procedures.family import Family
from radiod.core.realm.realm import Realm
from radiod.core.timers import Clock
from radiod.metrics.process import process_families
from radiod.service.metrics import Metrics

__all__ = ["add_views"]


def add_views(
    realms: Mapping[str, Realm],
    *,
    clock: Clock,
    metrics: Metrics,
    tail: Tail,
    connections: Callable[[], int],
    cluster: ClusterSource | None,
) -> None:
    """Have the sessions of all realms find them, as far as they may call them."""

    def figures() -> dict[str, float]:
        return {
            **_process(),
            "threads": threading.active_count(),
            "connections": connections(),
            "gc_pauses": metrics.pauses.pauses.count,
            "gc_pause_seconds": round(metrics.pauses.pauses.sum, 6),
        }

    for name, realm in realms.items():
        listeners = ListenersView(realm)
        families: list[Family] = [
            SessionsView(realm),
            listeners,
            ChannelsView(realm, clock),
            HourView(realm.ledger, realm.slices),
            LogView(tail, realms, name, realm.slices),
            MetricsView(metrics.read),
            ClusterView(cluster),
            DebugView(realm, listeners, figures),
        ]
        for family in families:
            realm.procedures.table |= family.procedures


def _process() -> dict[str, float]:
    """Figures of the process, by the names that Prometheus knows; what cannot be read is left out."""
    return {family.name: float(list(family.lines())[-1].rpartition(" ")[2]) for family in process_families()}
