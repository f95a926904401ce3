"""Samples as columns of Parquet: their types come from the first samples, and hold for the whole file.

Numbers are doubles, arrays nested lists of their own type, everything else is JSON. What does not fit the
column, or has none, goes into ``_more``, as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

import msgspec
import pyarrow as pa

from radiod_client.recordings.numbers import is_object, plain
from radiod_client.recordings.records import Record, from_json, json_text
from radiod_client.samples import Gap

__all__ = ["read_rows", "schema_for", "table_of"]

DATA, MORE = "_data", "_more"
OWN = [
    pa.field("_position", pa.string()),
    pa.field("_time", pa.timestamp("us", tz="UTC")),
    pa.field("_gap", pa.string()),
    pa.field("_lost", pa.int64()),
]
RESERVED = frozenset({*(field.name for field in OWN), DATA, MORE})
JSON = {b"radio": b"json"}
"""Marks columns of text that is JSON."""
ELEMENTS = {
    "b1": pa.bool_(), "i1": pa.int8(), "i2": pa.int16(), "i4": pa.int32(), "i8": pa.int64(),
    "u1": pa.uint8(), "u2": pa.uint16(), "u4": pa.uint32(), "u8": pa.uint64(),
    "f2": pa.float16(), "f4": pa.float32(), "f8": pa.float64(),
}  # fmt: skip


def schema_for(records: Sequence[Record], metadata: dict[str, str]) -> Any:
    """Columns for samples like these."""
    objects = [record.data for record in records if is_object(record.data)]
    if objects:
        names = dict.fromkeys(str(key) for data in objects for key in data)
        fields = [
            _field(name, (data[name] for data in objects if name in data))
            for name in names
            if name not in RESERVED
        ]
    else:
        fields = [_field(DATA, (record.data for record in records))]
    return pa.schema([*OWN, *fields, pa.field(MORE, pa.string(), metadata=JSON)], metadata)


def _field(name: str, values: Iterable[Any]) -> Any:
    found: Any = pa.null()
    for value in values:
        found = _common(found, _type_of(value))
    if found is None or _has_nulls_only(found):
        return pa.field(name, pa.string(), metadata=JSON)
    return pa.field(name, found)


def _type_of(value: Any) -> Any:
    """The type of a value; None if only JSON can say it."""
    if value is None:
        return pa.null()
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int | float):
        return pa.float64() if -(2**53) <= value <= 2**53 or isinstance(value, float) else None
    if isinstance(value, str):
        return pa.string()
    if isinstance(value, list | tuple):
        found: Any = pa.null()
        for item in value:
            found = _common(found, _type_of(item))
        return None if found is None or pa.types.is_string(found) else pa.list_(found)
    return _type_of_array(value)


def _type_of_array(value: Any) -> Any:
    if isinstance(value, dict):
        if isinstance(plain(value), dict):
            return None
        name, dimensions = value["dtype"][1:], len(value["shape"])
    else:
        dtype = getattr(value, "dtype", None)
        name, dimensions = "" if dtype is None else dtype.str[1:], getattr(value, "ndim", 0)
    found = ELEMENTS.get(name)
    for _ in range(dimensions if found is not None else 0):
        found = pa.list_(found)
    return found


def _common(one: Any, other: Any) -> Any:
    """The type of both; None if there is none."""
    if one is None or other is None or one == other:
        return None if one is None or other is None else one
    if pa.types.is_null(one) or pa.types.is_null(other):
        return other if pa.types.is_null(one) else one
    if pa.types.is_list(one) and pa.types.is_list(other):
        inner = _common(one.value_type, other.value_type)
        return None if inner is None else pa.list_(inner)
    return None


def _has_nulls_only(found: Any) -> bool:
    while pa.types.is_list(found):
        found = found.value_type
    return bool(pa.types.is_null(found))


def table_of(records: Sequence[Record], schema: Any) -> Any:
    """Rows for these samples."""
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    fields = [field for field in schema if field.name not in RESERVED or field.name == DATA]
    for record in records:
        gap = record.gap
        columns["_position"].append(record.position)
        columns["_time"].append(datetime.fromtimestamp(record.time, timezone.utc))
        columns["_gap"].append(None if gap is None else gap.reason)
        columns["_lost"].append(None if gap is None else gap.lost)
        more = _put(record.data, fields, columns)
        rest = {**more, **record.rest}
        columns[MORE].append(json_text(rest).decode() if rest else None)
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _put(data: Any, fields: list[Any], columns: dict[str, list[Any]]) -> dict[str, Any]:
    """The values of one sample into their columns. Returns: what does not fit."""
    is_bare = _is_bare(fields)
    if not (is_bare or is_object(data)):
        for field in fields:
            columns[field.name].append(None)
        return {"data": data}
    found = {DATA: data} if is_bare else data
    names = {field.name for field in fields}
    others = {key: value for key, value in found.items() if key not in names}
    for field in fields:
        value = found.get(field.name)
        is_fit, cell = _fitted(value, field)
        columns[field.name].append(cell)
        if not is_fit:
            others[field.name] = value
    if is_bare:
        return {"data": data} if others else {}
    return {"keys": others} if others else {}


def _fitted(value: Any, field: Any) -> tuple[bool, Any]:
    if value is None:
        return True, None
    if field.metadata == JSON:
        return True, json_text(value).decode()
    found = _type_of(value)
    is_fit = found is not None and _common(found, field.type) == field.type
    return is_fit, plain(value) if is_fit else None


def read_rows(table: Any) -> Iterable[Record]:
    """The samples of a table."""
    fields = [field for field in table.schema if field.name not in RESERVED or field.name == DATA]
    for row in table.to_pylist():
        more = msgspec.json.decode(row[MORE]) if row[MORE] else {}
        values = {}
        for field in fields:
            value = row[field.name]
            if value is not None:
                values[field.name] = (
                    from_json(msgspec.json.decode(value)) if field.metadata == JSON else value
                )
        more = from_json(more)
        values.update(more.pop("keys", {}))
        data = more.pop("data", None) if "data" in more else values.get(DATA) if _is_bare(fields) else values
        gap = None if row["_gap"] is None else Gap(row["_lost"], row["_gap"])
        yield Record(row["_position"], row["_time"].timestamp(), data, gap, more)


def _is_bare(fields: list[Any]) -> bool:
    return len(fields) == 1 and bool(fields[0].name == DATA)
