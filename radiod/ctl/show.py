"""Answers as people read them: lines and columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from radiod.ctl.values import date, number, size

__all__ = [
    "columns",
    "details",
    "ended",
    "key_details",
    "key_line",
    "key_row",
    "plan_line",
    "rights",
    "usage_lines",
]

RIGHTS: Final = ("publish", "listen", "call", "register")

COUNTS: Final = (
    ("published", "published"),
    ("delivered", "delivered"),
    ("dropped", " dropped"),
    ("bytes_out", "bytes out"),
    ("seconds", "hours connected"),
)
"""Counts of usage that are shown -> their titles."""

EMPTY: Final = "-"


def columns(titles: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    """A table: two spaces between columns; those with these indexes stand to the right."""
    table = [list(titles), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    to_the_right = frozenset(right)
    lines = []
    for row in table:
        cells = (
            cell.rjust(width) if index in to_the_right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


# --- keys


def rights(key: dict[str, Any]) -> str:
    """What a key opens."""
    return "   ".join(f"{right} {' '.join(key[right])}" for right in RIGHTS if key.get(right))


def key_line(key: dict[str, Any], account: dict[str, Any] | None) -> str:
    """A key that was just issued, and whose it is."""
    parts = [f"{key['id']}  {_owner(key, account)}", rights(key)]
    if key.get("valid_from") is not None:
        parts.append(f"from {date(key['valid_from'])}")
    if key.get("valid_until") is not None:
        parts.append(f"until {date(key['valid_until'])}")
    return "   ".join(part for part in parts if part)


def _owner(key: dict[str, Any], account: dict[str, Any] | None) -> str:
    if account is None:
        return str(key["account"])
    plan = account.get("plan")
    return f"{account.get('label') or account['id']}, {f'plan {plan}' if plan else 'no plan'}"


def key_row(key: dict[str, Any]) -> list[str]:
    """A key in a list."""
    return [
        key["id"],
        key["account"],
        _state(key),
        key.get("label") or EMPTY,
        rights(key) or EMPTY,
        date(key.get("valid_until"), EMPTY),
        number(key.get("sessions", 0)),
    ]


def _state(one: dict[str, Any]) -> str:
    reason = one.get("reason")
    return f"{one['state']} ({reason})" if reason else str(one["state"])


def key_details(key: dict[str, Any]) -> str:
    """A key, one thing a line."""
    lines = [("account", key["account"]), ("realm", key.get("realm")), ("label", key.get("label"))]
    lines += [(right, " ".join(key.get(right) or ())) for right in (*RIGHTS, "origins", "addresses")]
    lines += [("from", date(key.get("valid_from"))), ("until", date(key.get("valid_until")))]
    lines += [("state", _state(key)), ("created", date(key.get("created")))]
    lines.append(("open", number(key.get("sessions", 0))))
    lines += [("secret", _secret(secret)) for secret in key.get("secrets", ())]
    return "\n".join([key["id"], *(f"  {name:9}  {value}" for name, value in lines if value)])


def _secret(secret: dict[str, Any]) -> str:
    parts = [f"…{secret['hint']}", f"since {date(secret.get('created'))}"]
    if secret.get("expires") is not None:
        parts.append(f"until {date(secret['expires'])}")
    parts.append(f"last used {date(secret['last_used'])}" if secret.get("last_used") else "never used")
    return ", ".join(parts)


def ended(answer: dict[str, Any], name: str = "id") -> str:
    """What became of something, and how many connections that ended."""
    count = answer.get("ended", 0)
    tail = f"; {number(count)} connection{'' if count == 1 else 's'} ended" if "ended" in answer else ""
    return f"{answer[name]} {answer['state']}{tail}"


# --- plans and usage


def plan_line(plan: dict[str, Any]) -> str:
    """A plan on one line: its limits in the order they have."""
    limits = plan.get("limits")
    if limits is None:
        limits = {name: value for name, value in plan.items() if name not in ("name", "created")}
    told = [_limit(name, value) for name, value in limits.items() if value is not None]
    return f"{plan['name']}   {' · '.join(told) or 'no limits'}"


def _limit(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if isinstance(value, dict):
        return f"{name} {', '.join(f'{of} {number(price)}' for of, price in value.items())}"
    if isinstance(value, str):
        return f"{name} {value}"
    return f"{name} {number(value)}{'/s' if name.endswith('_rate') else ''}"


def usage_lines(rows: Sequence[dict[str, Any]], by: Sequence[str]) -> str:
    """Usage as a table; nothing for no rows."""
    if not rows:
        return ""
    titles = [*by, *(title for _, title in COUNTS)]
    cells = [
        [*(_group(name, row.get(name)) for name in by), *(_count(name, row[name]) for name, _ in COUNTS)]
        for row in rows
    ]
    return columns(titles, cells, range(len(by), len(titles)))


def _group(name: str, value: Any) -> str:
    if name in ("hour", "day", "month") and isinstance(value, int | float):
        told = date(value)
        return {"hour": told, "day": told[:10], "month": told[:7]}[name]
    return EMPTY if value in (None, "") else str(value)


def _count(name: str, value: float) -> str:
    if name == "bytes_out":
        return size(value)
    return number(round(value / 3600)) if name == "seconds" else number(value)


def details(one: dict[str, Any], name: str) -> str:
    """Anything, one thing a line, under its ``name``; what is empty is left out."""
    lines = [(key, value) for key, value in one.items() if key != name and value not in (None, "", [], {})]
    width = max((len(key) for key, _ in lines), default=0)
    return "\n".join([str(one[name]), *(f"  {key:{width}}  {_told(key, value)}" for key, value in lines)])


def _told(key: str, value: Any) -> str:
    if key in ("created", "expires") and isinstance(value, int | float):
        return date(value)
    if isinstance(value, dict):
        return ", ".join(f"{of} {_told(of, inner)}" for of, inner in value.items())
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
