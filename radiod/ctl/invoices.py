"""``usage --format invoice``: quantity, unit, price and sum for each account whose plan has prices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from radiod.core.prices import invoice, total
from radiod.ctl import show
from radiod.ctl.session import Session
from radiod.ctl.state import State

__all__ = ["invoices", "lines_of"]

TITLES = ("what", "quantity", "unit", "price", "sum")


def invoices(
    state: State, session: Session, since: float, account: str | None, rows: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """One invoice for each account, or this one, that has something to pay for; also without usage.

    Args:
        since: when the month begins, seconds since 1970.
        rows: usage of the month by account.
    Returns: ``{account, label, month, plan, currency, lines: [{what, quantity, unit, price, sum}], sum}``;
        numbers as text, since money is decimal.
    """
    plans = {plan["name"]: plan["limits"] for plan in session.call("radiod.admin.plan.list")["plans"]}
    used = {row["account"]: row for row in rows}
    month = f"{datetime.fromtimestamp(since, UTC):%Y-%m}"
    found = []
    for one in _accounts(state, session, account):
        limits = plans.get(one["plan"], {})
        lines = invoice(limits.get("price", {}), used.get(one["id"], {}))
        if lines:
            found.append(
                {
                    "account": one["id"],
                    "label": one["label"],
                    "month": month,
                    "plan": one["plan"],
                    "currency": limits.get("currency"),
                    "lines": [{name: str(value) for name, value in line._asdict().items()} for line in lines],
                    "sum": str(total(lines)),
                }
            )
    return found


def _accounts(state: State, session: Session, account: str | None) -> list[dict[str, Any]]:
    if account is not None:
        return [session.call("radiod.admin.account.get", id=account)]
    return state.pages(session, "radiod.admin.account.list", "accounts", None)


def lines_of(bills: Iterable[dict[str, Any]]) -> str:
    """Invoices as people read them."""
    return "\n\n".join(map(_sheet, bills))


def _sheet(bill: dict[str, Any]) -> str:
    currency = f" {bill['currency']}" if bill["currency"] else ""
    rows = [[line[name] for name in TITLES] for line in bill["lines"]]
    rows.append(["total", "", "", "", bill["sum"] + currency])
    label = f"  {bill['label']}" if bill["label"] else ""
    head = f"{bill['account']}{label}  {bill['month']}  plan {bill['plan']}"
    return f"{head}\n{show.columns(TITLES, rows, [1, 3, 4])}"
