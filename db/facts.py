"""Claims of series, which have a value in each period, and memberships of groups: how a file's are written.

`db.records` does the same for claims of other kinds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, select, update
from sqlalchemy.exc import DBAPIError

from db import schema
from db.contents import SERIES_KEY, Receipt
from db.database import next_id
from db.vocabulary import OPEN_END


def spans(rows: Sequence[tuple[Any, ...]], *, width: int) -> list[tuple[Any, ...]]:
    """Rows with their day of publication as claims with the days from and to which they stand."""
    by_cell: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in sorted(rows, key=lambda row: row[-1]):
        of_cell = by_cell.setdefault(row[:width], [])
        if not of_cell or of_cell[-1][width] != row[width]:
            of_cell.append(row)
    return [
        (*row, following[-1] if following else OPEN_END)
        for of_cell in by_cell.values()
        for row, following in zip(of_cell, [*of_cell[1:], None], strict=True)
    ]


def _series_ids(
    connection: Connection, *, source_id: int, file: str, keys: set[tuple[str, ...]]
) -> dict[tuple[str, ...], int]:
    table = schema.series
    query = select(table.c.id, *(table.c[name] for name in SERIES_KEY)).where(
        table.c.source_id == source_id, table.c.file == file
    )
    known = {tuple(map(str, key)): id_ for id_, *key in connection.execute(query).tuples()}
    new = sorted(keys - known.keys())
    if new:
        first = next_id(connection, table)
        rows = [
            {"id": first + n, "source_id": source_id, "file": file, **dict(zip(SERIES_KEY, key, strict=True))}
            for n, key in enumerate(new)
        ]
        connection.execute(insert(table), rows)
        known |= {key: first + n for n, key in enumerate(new)}
    return known


@dataclass(frozen=True)
class Fact:
    """A table of claims with a value: the name of the table and of the column."""

    table: Table
    value: str


SALES = Fact(schema.sales, "units")

PENETRATION = Fact(schema.penetration, "share")


def load(
    connection: Connection,
    fact: Fact,
    *,
    source_id: int,
    receipt: Receipt,
    snapshot_id: int,
    rows: Sequence[tuple[Any, ...]],
    evidence_ids: Mapping[str, int],
) -> tuple[int, int]:
    """Write the differences to what the file last claimed; how many claims were opened and closed."""
    table, series = fact.table, schema.series
    width = len(SERIES_KEY)
    keys = [row[:width] for row in rows]
    series_ids = _series_ids(connection, source_id=source_id, file=receipt.file, keys=set(keys))
    claimed = {(series_ids[key], row[width]): row for key, row in zip(keys, rows, strict=True)}
    if len(claimed) < len(rows):
        raise ValueError(f"{receipt.file}: two rows claim the same cell")
    query = (
        select(table.c.series_id, table.c.period_start, table.c[fact.value])
        .join(series, series.c.id == table.c.series_id)
        .where(series.c.source_id == source_id, series.c.file == receipt.file, table.c.known_to == OPEN_END)
    )
    standing = {(series_id, start): value for series_id, start, value in connection.execute(query).tuples()}
    opened = [
        (*cell, OPEN_END, receipt.known_on, snapshot_id, line, value, evidence_ids[evidence])
        for cell, row in claimed.items()
        for value, line, evidence in (row[width + 1 :],)
        if standing.get(cell) != value
    ]
    closed = [
        {"in_series": cell[0], "in_period": cell[1]}
        for cell, value in standing.items()
        if cell not in claimed or claimed[cell][width + 1] != value
    ]
    if closed:
        connection.execute(
            update(table)
            .where(
                table.c.series_id == bindparam("in_series"),
                table.c.period_start == bindparam("in_period"),
                table.c.known_to == OPEN_END,
            )
            .values(known_to=receipt.known_on),
            closed,
        )
    _insert_facts(connection, fact, sorted(opened))
    return len(opened), len(closed)


def insert_history(
    connection: Connection,
    fact: Fact,
    *,
    source_id: int,
    file: str,
    rows: Sequence[tuple[Any, ...]],
    evidence_ids: Mapping[str, int],
    snapshot_ids: Mapping[date, int],
) -> None:
    """Insert claims of all vintages: rows of `Contents` with the days from and to which they stood."""
    width = len(SERIES_KEY)
    series_ids = _series_ids(connection, source_id=source_id, file=file, keys={row[:width] for row in rows})
    claims = [
        (
            series_ids[row[:width]],
            start,
            known_to,
            known_from,
            snapshot_ids[known_from],
            line,
            value,
            evidence_ids[text_],
        )
        for row in rows
        for start, value, line, text_, *_, known_from, known_to in (row[width:],)
    ]
    _insert_facts(connection, fact, sorted(claims))


def _insert_facts(connection: Connection, fact: Fact, rows: list[tuple[Any, ...]]) -> None:
    """Insert claims: series, period, known to, known from, snapshot, line, value, evidence.

    By the driver itself, on PostgreSQL by its bulk copy, on SQLite a hundred rows a statement: row by row through
    SQLAlchemy's parameter handling, a hundred thousand rows take four times as long.
    """
    columns = ("series_id", "period_start", "known_to", "known_from", "snapshot_id", "line", fact.value, "evidence_id")
    if connection.dialect.name == "postgresql":
        driver: Any = connection.dialect.loaded_dbapi
        cursor: Any = connection.connection.cursor()
        statement = f"COPY {fact.table.name} ({', '.join(columns)}) FROM STDIN"
        try:
            with cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except driver.Error as error:
            raise DBAPIError.instance(statement, None, error, driver.Error, dialect=connection.dialect) from error
        return
    days = {row[1] for row in rows} | {row[2] for row in rows} | {row[3] for row in rows}
    iso = {day: day.isoformat() for day in days}
    one_row = f"({', '.join(['?'] * len(columns))})"
    for begin in range(0, len(rows), 100):
        chunk = rows[begin : begin + 100]
        values: list[Any] = []
        for series_id, start, known_to, known_from, *rest in chunk:
            values += (series_id, iso[start], iso[known_to], iso[known_from], *rest)
        statement = f"INSERT INTO {fact.table.name} ({', '.join(columns)}) VALUES {', '.join([one_row] * len(chunk))}"
        connection.exec_driver_sql(statement, tuple(values))


def load_groups(
    connection: Connection,
    *,
    source_id: int,
    receipt: Receipt,
    snapshot_id: int,
    groups: Sequence[tuple[str, str, str, date, date, int]],
) -> tuple[int, int]:
    """As for sales: how many memberships were opened and closed."""
    table = schema.maker_group
    own = (table.c.source_id == source_id) & (table.c.file == receipt.file) & (table.c.known_to == OPEN_END)
    members = (table.c.maker, table.c.group_slug, table.c.valid_from, table.c.valid_to)
    standing = {tuple(row) for row in connection.execute(select(*members).where(own))}
    claimed = {(maker, slug, valid_from, valid_to) for maker, slug, _, valid_from, valid_to, _ in groups}
    opened = [row for row in groups if (row[0], row[1], row[3], row[4]) not in standing]
    closed = standing - claimed
    for maker, _, valid_from, _ in closed:
        of_one = (table.c.maker == maker) & (table.c.valid_from == valid_from)
        connection.execute(update(table).where(own, of_one).values(known_to=receipt.known_on))
    if opened:
        rows = [(*row, receipt.known_on, OPEN_END, snapshot_id) for row in opened]
        insert_groups(connection, source_id=source_id, file=receipt.file, rows=rows)
    return len(opened), len(closed)


def insert_groups(connection: Connection, *, source_id: int, file: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert memberships: maker, group slug and name, valid from and to, line, known from and to, snapshot."""
    names = (
        "maker",
        "group_slug",
        "group_name",
        "valid_from",
        "valid_to",
        "line",
        "known_from",
        "known_to",
        "snapshot_id",
    )
    connection.execute(
        insert(schema.maker_group),
        [{"source_id": source_id, "file": file, **dict(zip(names, row, strict=True))} for row in rows],
    )


def covered(connection: Connection, *, source: str, file: str) -> list[tuple[str, str, str, date]]:
    """Market, powertrain, grain and period start of everything that a file says something about today."""
    table, series = schema.sales, schema.series
    query = (
        select(series.c.market, series.c.powertrain, series.c.grain, table.c.period_start)
        .join(series, series.c.id == table.c.series_id)
        .join(schema.source, schema.source.c.id == series.c.source_id)
        .where(schema.source.c.slug == source, series.c.file == file, table.c.known_to == OPEN_END)
        .distinct()
    )
    return [
        (market, str(powertrain), str(grain), start)
        for market, powertrain, grain, start in connection.execute(query).tuples()
    ]


def claims_of_other_files(
    connection: Connection, *, source: str, file: str, markets: set[str]
) -> list[tuple[str, str, str, str, date]]:
    """What a source's other files speak for today in some markets: file, market, powertrain, grain, period start."""
    table, series = schema.sales, schema.series
    query = (
        select(series.c.file, series.c.market, series.c.powertrain, series.c.grain, table.c.period_start)
        .join(series, series.c.id == table.c.series_id)
        .join(schema.source, schema.source.c.id == series.c.source_id)
        .where(schema.source.c.slug == source, series.c.file != file, series.c.market.in_(markets))
        .where(table.c.known_to == OPEN_END)
        .distinct()
    )
    return [
        (name, market, str(powertrain), str(grain), start)
        for name, market, powertrain, grain, start in connection.execute(query).tuples()
    ]
