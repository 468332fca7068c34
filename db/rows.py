"""Rows as the driver hands them over, frames of them, and which of them stood on a day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, Select, Table, and_

from db.claims import Ints
from db.vocabulary import OPEN_END

EPOCH: Final = date(1970, 1, 1)
"""The day from which days are counted in columns of numbers."""


def day_number(day: date) -> int:
    """A day in days since 1970-01-01."""
    return (day - EPOCH).days


def month_of(day: date) -> int:
    """A day's month as year * 12 + month - 1."""
    return day.year * 12 + day.month - 1


def each_day(days: Sequence[str | date], number: Callable[[date], int]) -> Ints:
    """Days, as the driver hands them over, as numbers: each different one is read once."""
    known = {day: number(day if isinstance(day, date) else date.fromisoformat(day)) for day in set(days)}
    return np.array([known[day] for day in days], dtype=np.int64)


_IDS_AT_ONCE: Final = 10_000
"""SQLite takes 32,766 values in one question, PostgreSQL 65,535."""


def stood_on(table: Table, as_of: date | None) -> ColumnElement[bool]:
    """The claims that stood on a day; without one, those that stand now."""
    if as_of is None or as_of >= OPEN_END:
        return table.c.known_to == OPEN_END
    return and_(table.c.known_from <= as_of, table.c.known_to > as_of)


def driver_rows(connection: Connection, query: Select[Any]) -> Sequence[Any]:
    """Rows as the driver hands them over, dates as SQLite's ISO text or another engine's dates.

    A third faster than as rows that know their columns.
    """
    with connection.execute(query) as result:
        assert result.cursor is not None
        return list(result.cursor.fetchall())


def rows_with(
    connection: Connection, query: Select[Any], column: ColumnElement[int], ids: Iterable[int]
) -> Iterator[Any]:
    """The rows of a query whose column has one of some ids, however many these are: asked for by ascending ids."""
    wanted = sorted(set(ids))
    for begin in range(0, len(wanted), _IDS_AT_ONCE):
        yield from connection.execute(query.where(column.in_(wanted[begin : begin + _IDS_AT_ONCE]))).tuples()


def frame_of(connection: Connection, query: Select[Any]) -> pd.DataFrame:
    """A frame of a query's rows: numbers as numbers, days as ISO text, words as text, what is missing empty.

    The rows are the driver's, which engines word differently: each column is what its type in the schema says.
    """
    columns = query.selected_columns
    rows = driver_rows(connection, query)
    # By column: pandas takes several times as long to look at rows one by one.
    of_columns = zip(*rows, strict=True) if rows else ((),) * len(columns)
    return pd.DataFrame(
        {
            column.name: _values(column.type.python_type, values)
            for column, values in zip(columns, of_columns, strict=True)
        }
    )


def _values(kind: type, values: Sequence[Any]) -> list[Any]:
    """A column's values as its kind; equal texts are one object."""
    if kind in (bool, float, int) and not all(value is None for value in values):
        return [None if value is None else kind(value) for value in values]
    plain = {value: "" if value is None else str(value) for value in set(values)}
    return [plain[value] for value in values]
