"""Reading a database back for comparison: by what the rows say, never by the numbers that the database gave them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, inspect, text

from db.database import open_engine
from db.schema import RECORDS

NewDatabase = Callable[[str], str]
"""The fixture `new_database`: the URL of an empty database of the test's own, the same one for the same name."""

_CLAIMS = """
SELECT source.slug, series.file, series.market, series.basis, series.powertrain, series.vehicle_scope, series.grain,
       series.maker, series.model, sales.period_start, sales.known_from, sales.known_to, sales.units, sales.line,
       evidence.text, evidence.urls, evidence.remark, snapshot.sha256, snapshot.known_on
FROM sales JOIN series ON series.id = sales.series_id JOIN source ON source.id = series.source_id
JOIN evidence ON evidence.id = sales.evidence_id JOIN snapshot ON snapshot.id = sales.snapshot_id
"""
_GROUPS = """
SELECT source.slug, maker_group.file, maker_group.maker, maker_group.group_slug, maker_group.group_name,
       maker_group.known_from, maker_group.known_to, maker_group.line, snapshot.sha256, snapshot.known_on
FROM maker_group JOIN source ON source.id = maker_group.source_id JOIN snapshot ON snapshot.id = maker_group.snapshot_id
"""
_SNAPSHOTS = """
SELECT file, known_on, sha256, bytes, status, rows_read, rows_loaded, rows_unchanged, rows_rejected,
       rows_out_of_scope, rows_duplicate, rows_closed
FROM snapshot
"""


def claims(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the publishers have claimed, all vintages, with its receipts."""
    return {
        "sales": query(engine, _CLAIMS),
        "groups": query(engine, _GROUPS),
        "makers": query(engine, "SELECT slug, name FROM maker"),
        "models": query(engine, "SELECT slug, maker, name FROM model"),
        **{table.name: query(engine, _records_of(table)) for table in RECORDS},
    }


def _records_of(table: Table) -> str:
    own = ", ".join(f"{table.name}.{name}" for name in (*table.info["fields"], "known_from", "known_to"))
    return (
        f"SELECT source.slug, {table.name}.file, {own}, snapshot.sha256, snapshot.known_on FROM {table.name} "
        f"JOIN source ON source.id = {table.name}.source_id JOIN snapshot ON snapshot.id = {table.name}.snapshot_id"
    )


def snapshots(engine: Engine) -> list[tuple[Any, ...]]:
    """The snapshots with their counts."""
    return query(engine, _SNAPSHOTS)


def dump(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, to the letter, without the identity of the data: every write has its own."""
    names = inspect(engine).get_table_names()
    names.remove("data_state")
    return {name: query(engine, f"SELECT * FROM {name}") for name in names}


def figures(
    engine: Engine, *, as_of: date | None = None, file: str | None = None, source: str = "open-ev-charts"
) -> dict[tuple[str, ...], int]:
    """A source's units by market, powertrain, grain, period, maker and model, as known on a day, by default now."""
    day = as_of or date(9999, 12, 30)
    rows = query(
        engine,
        "SELECT file, market, powertrain, grain, period_start, maker, model, units FROM sales "
        "JOIN series ON series.id = sales.series_id JOIN source ON source.id = series.source_id "
        "WHERE slug = :source AND known_from <= :day AND known_to > :day",
        day=day,
        source=source,
    )
    return {key: units for own, *key_, units in rows if file in (None, own) for key in (tuple(key_),)}


def query(engine: Engine, sql: str, **bound: Any) -> list[tuple[Any, ...]]:
    """The rows of a query, sorted: days as ISO text, yes and no as 1 and 0, counts as whole numbers, on any engine."""
    with engine.connect() as connection:
        found = [tuple(map(_plain, row)) for row in connection.execute(text(sql), bound)]
    try:
        return sorted(found)
    except TypeError:  # an empty value among others
        return sorted(found, key=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    return int(value) if isinstance(value, (bool, Decimal)) else value


def untouched(url: str) -> bool:
    """Whether nothing was ever written to a database: there is no file, or no table in it."""
    if url.startswith("sqlite"):
        return not Path(url.removeprefix("sqlite:///")).exists()
    engine = open_engine(url)
    names = inspect(engine).get_table_names()
    engine.dispose()
    return not names


def lose(engine: Engine) -> None:
    """Lose a database with all that is in it, as when its disk is gone."""
    if engine.dialect.name == "sqlite":
        engine.dispose()
        path = Path(str(engine.url.database))
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        return
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


def size(engine: Engine) -> int:
    """How many bytes the tables and their indices take, once what nobody sees any more is cleared away."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return Path(str(engine.url.database)).stat().st_size
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT", writing=True) as connection:
        connection.exec_driver_sql("VACUUM")
    ((total,),) = query(engine, "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables")
    return int(total)


def healthy(engine: Engine) -> None:
    """Fail where the file is damaged, a reference dangles, a cell has two claims at once or a count is off."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    assert overlapping(engine) == []
    assert query(
        engine,
        "SELECT * FROM snapshot WHERE status <> 'refused' AND rows_read <> "
        "rows_loaded + rows_unchanged + rows_rejected + rows_out_of_scope + rows_duplicate",
    ) == []  # fmt: skip


def overlapping(engine: Engine) -> list[tuple[Any, ...]]:
    """Cells with two claims that stood on the same day."""
    return query(
        engine,
        "SELECT a.series_id, a.period_start, a.known_from, b.known_from FROM sales a JOIN sales b "
        "ON a.series_id = b.series_id AND a.period_start = b.period_start AND a.known_to < b.known_to "
        "WHERE b.known_from < a.known_to",
    ) + query(
        engine,
        "SELECT a.maker, a.known_from, b.known_from FROM maker_group a JOIN maker_group b "
        "ON a.source_id = b.source_id AND a.file = b.file AND a.maker = b.maker AND a.known_to < b.known_to "
        "WHERE b.known_from < a.known_to",
    )
