"""The database in bad hands: whatever happens to it, it opens, it is sound, or one line says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, inspect
from sqlalchemy.exc import IntegrityError

from db import schema
from db.database import StoreError, open_engine, ready, writing
from db.health import status
from db.vocabulary import OPEN_END
from etl import pipeline
from etl.snapshots import SnapshotStore
from tests import world
from tests.world import rows
from tests.world.rows import NewDatabase


@pytest.fixture
def engine(new_database: NewDatabase) -> Iterator[Engine]:
    """A database with the tiny German file, and little patience."""
    made = open_engine(new_database("ev"), busy_seconds=0.05)
    pipeline.create(made)
    pipeline.load(made, [world.snapshot(world.text("data/data-DE.js"))], keep=None, tell=lambda _: None)
    yield made
    made.dispose()


def says(error: pytest.ExceptionInfo[StoreError]) -> str:
    """The one line that the error is."""
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("url", ["", "ev.sqlite", "sqlite:/ev.sqlite", "://"])
def test_what_is_no_database_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(StoreError) as error:
        open_engine(url)
    assert "an example is sqlite:///ev_market.sqlite" in says(error)


@pytest.mark.parametrize("url", ["oracledb://db.example/ev", "nonsense://x", "mysql://db.example/ev"])
def test_another_engine_is_refused_by_name_with_those_that_serve(url: str) -> None:
    with pytest.raises(StoreError) as error:
        open_engine(url)
    assert f"not in {url.partition(':')[0]}; examples are sqlite:///" in says(error)


@pytest.mark.parametrize("url", ["postgresql+pygresql://db.example/ev", "postgresql+nonsense://db.example/ev"])
def test_a_driver_that_is_not_there_is_named_with_how_to_install_the_one_that_serves(url: str) -> None:
    with pytest.raises(StoreError) as error:
        open_engine(url)
    assert f"no driver for {url.partition(':')[0]} is installed" in says(error)
    assert "pip install 'psycopg[binary]'" in says(error)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as error:
        open_engine(f"sqlite:///{tmp_path}/nowhere/ev.sqlite")
    assert f"the folder {tmp_path}/nowhere does not exist" in says(error)


def test_a_database_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/none.sqlite")
    with pytest.raises(StoreError) as error:
        ready(engine)
    assert "python -m etl load" in says(error)
    assert not (tmp_path / "none.sqlite").exists()


def test_an_empty_database_says_how_to_fill_it(new_database: NewDatabase, tmp_path: Path) -> None:
    url = new_database("empty")
    if url.startswith("sqlite"):
        (tmp_path / "empty.sqlite").touch()
    engine = open_engine(url)
    with pytest.raises(StoreError) as error:
        ready(engine)
    engine.dispose()
    assert "the database is empty; run 'python -m etl load'" in says(error)


@pytest.mark.only("sqlite", "a server keeps files of its own, whose damage it tells itself")
@pytest.mark.parametrize("content", [b"rubbish" * 1000, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_file_that_is_no_database_is_left_alone_and_has_to_be_moved_away(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "rubbish.sqlite"
    file.write_bytes(content)
    keep = SnapshotStore(tmp_path / "snapshots")
    engine = open_engine(f"sqlite:///{file}")
    for attempt in (ready, pipeline.create, lambda e: pipeline.rebuild(e, keep=keep, tell=lambda _: None)):
        with pytest.raises(StoreError) as error:
            attempt(engine)
        assert "damaged or no database; move it away and run 'python -m etl rebuild'" in says(error)
    engine.dispose()
    assert file.read_bytes() == content


@pytest.mark.parametrize("version", ["UPDATE schema_version SET version = 99", "DELETE FROM schema_version"])
def test_another_schema_version_is_refused_and_a_rebuild_mends_it(engine: Engine, tmp_path: Path, version: str) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql(version)
    for attempt in (ready, pipeline.create, partial(status, on=date(2026, 3, 9))):
        with pytest.raises(StoreError) as error:
            attempt(engine)
        assert "python -m etl rebuild" in says(error)
    keep = SnapshotStore(tmp_path / "snapshots")
    keep.keep(world.snapshot(world.text("data/data-DE.js")))
    pipeline.rebuild(engine, keep=keep, tell=lambda _: None)
    assert len(rows.figures(engine)) == 15


def test_a_database_that_cannot_tell_what_it_has_read_is_rebuilt_all_the_same(engine: Engine, tmp_path: Path) -> None:
    """Of another schema version, whose table of snapshots had other columns."""
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE schema_version SET version = 99")
        connection.exec_driver_sql("ALTER TABLE snapshot RENAME COLUMN sha256 TO checksum")
    keep = SnapshotStore(tmp_path / "snapshots")
    keep.keep(world.snapshot(world.text("data/data-NO.js"), file="data/data-NO.js"))
    pipeline.rebuild(engine, keep=keep, tell=lambda _: None)
    assert {market for market, *_ in rows.figures(engine)} == {"NO"}


def test_another_programs_database_is_neither_written_nor_emptied(new_database: NewDatabase, tmp_path: Path) -> None:
    engine = open_engine(new_database("family_photos"))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE photo (id INTEGER)")
        connection.exec_driver_sql("INSERT INTO photo VALUES (100)")
    keep = SnapshotStore(tmp_path / "snapshots")
    for attempt in (pipeline.create, lambda e: pipeline.rebuild(e, keep=keep, tell=lambda _: None)):
        with pytest.raises(StoreError) as error:
            attempt(engine)
        assert "holds tables of another program (photo)" in says(error)
    assert rows.query(engine, "SELECT id FROM photo") == [(100,)]
    assert inspect(engine).get_table_names() == ["photo"]
    engine.dispose()


def test_a_writer_that_waits_in_vain_says_so_and_changes_nothing(engine: Engine) -> None:
    before = rows.dump(engine)
    other = open_engine(str(engine.url), busy_seconds=0.05)
    with writing(other), pytest.raises(StoreError) as error:
        pipeline.load(engine, [world.snapshot(world.text("data/data-UK.js"), file="data/data-UK.js")],
                      keep=None, tell=lambda _: None)  # fmt: skip
    assert "another load is writing to the database" in says(error)
    assert rows.dump(engine) == before
    other.dispose()


def test_readers_are_not_kept_waiting_by_a_writer_and_see_none_of_its_half_work(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql("DELETE FROM sales")
        assert len(rows.figures(engine)) == 15
    assert rows.figures(engine) == {}


def test_a_reader_under_way_neither_stops_a_writer_nor_sees_what_it_wrote_meanwhile(engine: Engine) -> None:
    with engine.connect() as reader:
        before = reader.exec_driver_sql("SELECT count(*) FROM sales").scalar()
        with writing(engine) as connection:
            connection.exec_driver_sql("DELETE FROM sales")
        assert reader.exec_driver_sql("SELECT count(*) FROM sales").scalar() == before == 15
    assert rows.figures(engine) == {}


_FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE SQLSTATE '53100' USING MESSAGE = 'could not extend file: No space left on device'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON sales EXECUTE FUNCTION full_disk()
"""
"""What a server says whose disk is full: it cannot be filled for a test."""


def test_a_full_disk_is_one_line_and_what_was_loaded_stays(engine: Engine, tmp_path: Path) -> None:
    before = rows.dump(engine)
    full = open_engine(str(engine.url))
    is_file = engine.dialect.name == "sqlite"

    @event.listens_for(full, "connect")
    def _full(connection: Any, _: object) -> None:
        if is_file:
            connection.execute("PRAGMA max_page_count = 1")  # SQLite raises it to what is there: not one page more

    if not is_file:
        with engine.begin() as connection:
            connection.exec_driver_sql(_FULL)
    figures = {f"Maker {n}|Model {n}": n for n in range(1, 3000)}
    big = world.snapshot(world.record(figures, period="2026-02", country="FR"), file="data/data-FR.js")
    keep = SnapshotStore(tmp_path / "snapshots")
    with pytest.raises(StoreError) as error:
        pipeline.load(full, [big], keep=keep, tell=lambda _: None)
    assert "the disk is full; nothing of this snapshot was loaded" in says(error)
    assert rows.dump(engine) == before
    full.dispose()
    if not is_file:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP FUNCTION full_disk CASCADE")
    pipeline.load(engine, [big], keep=keep, tell=lambda _: None)
    assert len(rows.figures(engine, file="data/data-FR.js")) == 2999
    rows.healthy(engine)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sales SET units = -1",
        "UPDATE sales SET known_to = known_from",
        "UPDATE sales SET series_id = 999",
        "UPDATE sales SET evidence_id = 999",
        "UPDATE sales SET known_from = NULL",
        "UPDATE series SET market = 'XX'",
        "UPDATE series SET powertrain = 'NEV'",
        "UPDATE series SET basis = 'guess'",
        "UPDATE series SET model = 'tesla-model-y' WHERE maker = 'other'",
        "UPDATE snapshot SET rows_read = 1",
        "DELETE FROM snapshot",
        "INSERT INTO sales SELECT series_id, period_start, known_to, '2026-02-01', snapshot_id, 1, 1, 1 FROM sales",
    ],
)
def test_the_database_itself_refuses_what_cannot_be(engine: Engine, statement: str) -> None:
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.exec_driver_sql(statement)


def test_no_column_of_a_key_may_be_empty() -> None:
    tables = list(schema.metadata.tables.values())
    assert len(tables) > 8
    for table in tables:
        assert [column.name for column in table.primary_key if column.nullable] == []


def test_an_open_claim_ends_on_the_last_day_that_a_date_can_say(engine: Engine) -> None:
    assert date.max == OPEN_END
    assert {to for (to,) in rows.query(engine, "SELECT known_to FROM sales")} == {"9999-12-31"}
