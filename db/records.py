"""Claims that are no figures of a series: prices, rates, offers, published attach figures, forecasts, dated events.

`schema.RECORDS` names their tables. Each has a key (what a row is about) and values (what is claimed of it), and the
same vintages as figures: a changed row closes the earlier claim and opens a new one, a vanished one is closed. This
module writes all of them, since they are alike in it; `queries.records` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

from db import schema
from db.vocabulary import OPEN_END

Rows = Mapping[str, Sequence[tuple[Any, ...]]]
"""By the name of a table of `schema.RECORDS`: rows in the order of its `info["fields"]`."""

_TABLES: Mapping[str, Table] = {table.name: table for table in schema.RECORDS}


@dataclass(frozen=True)
class Field:
    """One member of a row: its name, the type of its values (`str`, `float`, `int`, `bool`, `date` or a list of words),
    and whether it may be left out."""

    name: str
    kind: type
    optional: bool


def fields_of(table: str) -> tuple[Field, ...]:
    """What a row of a table consists of, in order, and then since when and until when it is known."""
    columns = [_TABLES[table].c[name] for name in (*fields(table), "known_from", "known_to")]
    return tuple(Field(column.name, column.type.python_type, bool(column.nullable)) for column in columns)


def table(name: str) -> Table:
    """A table by its name; `KeyError` where it holds no records."""
    return _TABLES[name]


def fields(table: str) -> tuple[str, ...]:
    """The order of a row of a table: its key, its values, address, note, whether the day is inferred, line."""
    return tuple(_TABLES[table].info["fields"])


def load(
    connection: Connection, *, source_id: int, file: str, known_on: date, snapshot_id: int, records: Rows
) -> tuple[int, int]:
    """Write the differences to what the file last claimed; how many claims were opened and closed."""
    opened = closed = 0
    for name, table in _TABLES.items():
        key, values = table.info["key"], table.info["values"]
        width, end = len(key), len(key) + len(values)
        claimed = {row[:width]: row for row in records.get(name, ())}
        if len(claimed) < len(records.get(name, ())):
            raise ValueError(f"{file}: two rows of {name} claim the same")
        own = (table.c.source_id == source_id) & (table.c.file == file) & (table.c.known_to == OPEN_END)
        query = select(*(table.c[column] for column in (*key, *values))).where(own)
        standing = {tuple(row[:width]): tuple(row[width:]) for row in connection.execute(query)}
        new = [row for about, row in claimed.items() if standing.get(about) != _value(table, row[width:end])]
        gone = [
            about
            for about, said in standing.items()
            if about not in claimed or _value(table, claimed[about][width:end]) != said
        ]
        for about in gone:
            of_one = [table.c[column] == value for column, value in zip(key, about, strict=True)]
            connection.execute(update(table).where(own, *of_one).values(known_to=known_on))
        _insert(
            connection,
            table,
            source_id=source_id,
            file=file,
            rows=[(*row, known_on, OPEN_END) for row in new],
            snapshot_ids={known_on: snapshot_id},
        )
        opened, closed = opened + len(new), closed + len(gone)
    return opened, closed


def _value(table: Table, said: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values as the table gives them back: a float column gives a float."""
    kinds = (table.c[name].type.python_type for name in table.info["values"])
    return tuple(
        float(each) if kind is float and each is not None else each for kind, each in zip(kinds, said, strict=True)
    )


def spans(name: str, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows with the day since when they are known behind them, as claims with the days from and to which they stand.

    Of the rows about one thing each stands until the next one; one that only confirms the one before is left out.
    """
    table = _TABLES[name]
    width = len(table.info["key"])
    end = width + len(table.info["values"])
    of_thing: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in sorted(rows, key=lambda row: row[-1]):
        told = of_thing.setdefault(row[:width], [])
        if told and told[-1][-1] == row[-1]:
            raise ValueError(f"line {row[-2]}: says the same thing as line {told[-1][-2]}, known on the same day")
        if not told or told[-1][width:end] != row[width:end]:
            told.append(row)
    return [
        (*row, following[-1] if following else OPEN_END)
        for told in of_thing.values()
        for row, following in zip(told, [*told[1:], None], strict=True)
    ]


def insert_history(
    connection: Connection, *, source_id: int, file: str, records: Rows, snapshot_ids: Mapping[date, int]
) -> None:
    """Insert claims of all vintages: rows with the days from and to which they stood behind them."""
    for name, rows in records.items():
        _insert(connection, _TABLES[name], source_id=source_id, file=file, rows=rows, snapshot_ids=snapshot_ids)


def _insert(
    connection: Connection,
    table: Table,
    *,
    source_id: int,
    file: str,
    rows: Sequence[tuple[Any, ...]],
    snapshot_ids: Mapping[date, int],
) -> None:
    if rows:
        names = (*table.info["fields"], "known_from", "known_to")
        connection.execute(
            insert(table),
            [
                {"source_id": source_id, "file": file, "snapshot_id": snapshot_ids[row[-2]]}
                | dict(zip(names, row, strict=True))
                for row in rows
            ],
        )


def remove(connection: Connection, source_id: int) -> int:
    """Remove all records of a source; how many claims that were."""
    return sum(
        connection.execute(delete(table).where(table.c.source_id == source_id)).rowcount for table in schema.RECORDS
    )


def undo(connection: Connection, *, source_id: int, file: str, known_on: date) -> None:
    """Take back what a file wrote as known on a day, and open again what it closed on it."""
    for table in schema.RECORDS:
        own = (table.c.source_id == source_id) & (table.c.file == file)
        connection.execute(delete(table).where(own, table.c.known_from == known_on))
        connection.execute(update(table).where(own, table.c.known_to == known_on).values(known_to=OPEN_END))
