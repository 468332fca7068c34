"""PostgreSQL as the engine: the same figures as SQLite's, by its indices; and its troubles in one line each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from dashboard.charts import CHARTS
from dashboard.charts.chart import Chart
from dashboard.downloads import Format, download
from dashboard.selection import InvalidSelection, Refusal
from db import market_claims, queries, schema
from db.changes import _windows
from db.database import StoreError, explained, open_engine, ready, writing
from db.memory import MEMORY
from etl import bundle, pipeline
from etl.snapshots import SnapshotStore
from tests import world
from tests.postgres import GUARDED, Server
from tests.world import rows
from tests.world.rows import NewDatabase

pytestmark = pytest.mark.only("postgresql", "it is held against SQLite, or SQLite has no such thing")

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 7, 24)


# The same figures


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The bundled figures on SQLite."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'ev.sqlite'}")
    pipeline.create(engine)
    pipeline.load_bundled(engine, bundle.sources(), keep=None, tell=lambda _: None)
    pipeline.load_curated(engine, keep=None, tell=lambda _: None)
    pipeline.cross_check(engine)
    yield engine
    engine.dispose()


def downloaded(engine: Engine, chart: Chart, query: str) -> bytes | str:
    """The figures of a chart as CSV, or why there are none."""
    try:
        return download(engine, chart, query, format=Format.CSV, site="", today=TODAY, is_patient=False).body
    except (InvalidSelection, Refusal) as error:
        return f"{error} {getattr(error, 'nearest', None)}"


@pytest.mark.parametrize(
    "query", ["", "as_of=2025-03-01", "market=CN&window=ttm", "market=DE,NO&grain=quarter", "market=GB&by=model"]
)
def test_every_chart_has_the_same_figures_to_the_last_byte(
    bundled_engine: Engine, on_sqlite: Engine, query: str
) -> None:
    assert len(CHARTS) > 20
    said = [(chart.slug, downloaded(on_sqlite, chart, query)) for chart in CHARTS]
    assert sum(isinstance(body, bytes) for _, body in said) > (15 if query == "" else 3)
    for chart, (slug, expected) in zip(CHARTS, said, strict=True):
        assert downloaded(bundled_engine, chart, query) == expected, (slug, query)


def test_every_row_is_the_same(bundled_engine: Engine, on_sqlite: Engine) -> None:
    assert rows.claims(bundled_engine) == rows.claims(on_sqlite)
    assert rows.snapshots(bundled_engine) == rows.snapshots(on_sqlite)


def test_a_bundle_has_the_same_bytes(bundled_engine: Engine, on_sqlite: Engine, tmp_path: Path) -> None:
    for slug in bundle.sources():
        bundle.write(on_sqlite, slug, folder=tmp_path / "one")
        bundle.write(bundled_engine, slug, folder=tmp_path / "two")
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) > 10
    assert [
        file for file in files if (tmp_path / "one" / file).read_bytes() != (tmp_path / "two" / file).read_bytes()
    ] == []


def test_words_sort_byte_by_byte_whatever_the_servers_language(empty_engine: Engine) -> None:
    """In English `bmw` is before `BYD` and `Zeekr`; by their bytes capitals come first, and accents last."""
    names = ["BYD", "Zeekr", "bmw", "e_go", "eagle", "Ärger"]
    with writing(empty_engine) as connection:
        for number, name in enumerate(names):
            connection.exec_driver_sql("INSERT INTO maker VALUES (%s, %s)", (f"made-up-{number}", name))
    with empty_engine.connect() as connection:
        by_language = connection.exec_driver_sql('SELECT name COLLATE "default" FROM maker ORDER BY 1').scalars().all()
        plain = connection.exec_driver_sql("SELECT name FROM maker ORDER BY name").scalars().all()
    assert [name for name in plain if name in names] == ["BYD", "Zeekr", "bmw", "e_go", "eagle", "Ärger"]
    assert by_language != plain, "the server's own order must differ, or this shows nothing"


# Its indices


def plan(engine: Engine, query: object) -> str:
    """How a query is answered."""
    with engine.connect() as connection:
        text = str(query.compile(engine, compile_kwargs={"literal_binds": True}))  # type: ignore[attr-defined]
        return "\n".join(connection.exec_driver_sql(f"EXPLAIN {text}").scalars())


def test_a_market_and_a_week_are_read_by_an_index_and_not_by_reading_all(bundled_engine: Engine) -> None:
    with bundled_engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    sales, series = schema.sales, schema.series
    of_market = select(sales.c.units).join(series, series.c.id == sales.c.series_id).where(series.c.market == "IS")
    assert "Seq Scan on sales" not in plan(bundled_engine, of_market)
    for window in _windows(sales, after=date(2026, 7, 1), until=date(2026, 7, 8)):
        assert "Seq Scan on sales" not in plan(bundled_engine, select(sales.c.units).where(window))


# In bad hands


def says(error: pytest.ExceptionInfo[StoreError]) -> str:
    """The one line that the error is."""
    message = str(error.value)
    assert "\n" not in message
    return message


def complaint(url: str) -> str:
    """What is said where a database cannot be read."""
    engine = open_engine(url)
    with pytest.raises(StoreError) as error:
        ready(engine)
    engine.dispose()
    return says(error)


def test_a_server_that_is_away_is_named(tmp_path: Path) -> None:
    said = complaint(f"postgresql+psycopg://me:secret@/ev?host={tmp_path}")
    assert "the server does not answer; see that it runs and that DATABASE_URL names it" in said
    assert "secret" not in said


def test_a_database_that_is_not_there_says_how_to_make_it(postgresql: Server) -> None:
    assert "there is no such database; make it with createdb" in complaint(postgresql.url("nowhere"))


def test_a_wrong_password_and_an_unknown_user_are_told(postgresql: Server) -> None:
    postgresql.run("CREATE ROLE {} LOGIN PASSWORD 'right'", GUARDED)
    try:
        for user in (f"{GUARDED}:wrong", GUARDED, "nobody_at_all"):
            assert "does not let this user in; check user and password in DATABASE_URL" in complaint(
                postgresql.url("postgres", user=user)
            )
    finally:
        postgresql.run("DROP ROLE {}", GUARDED)


def test_a_user_who_may_only_read_reads_and_is_told_when_it_would_write(postgresql: Server, bundled_copy: str) -> None:
    owner = open_engine(bundled_copy)
    with owner.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE reader LOGIN")
        connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    reader = open_engine(bundled_copy.replace("postgres@", "reader@"))
    try:
        ready(reader)
        with reader.connect() as connection:
            assert queries.nouns(connection).markets
        with pytest.raises(StoreError) as error:
            pipeline.load(reader, [world.snapshot(world.text("data/data-DE.js"))], keep=None, tell=lambda _: None)
        assert "this user may not do that; grant it the right" in says(error)
    finally:
        reader.dispose()
        with owner.begin() as connection:
            connection.exec_driver_sql("DROP OWNED BY reader")
            connection.exec_driver_sql("DROP ROLE reader")
        owner.dispose()


def test_a_table_that_is_gone_asks_for_a_rebuild(new_database: NewDatabase) -> None:
    engine = open_engine(new_database("torn"))
    pipeline.create(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE price CASCADE")
    with pytest.raises(StoreError) as error, explained(engine), engine.connect() as connection:
        queries.records(connection, "price")
    assert "a table is missing; run 'python -m etl rebuild'" in says(error)
    engine.dispose()


def test_a_connection_that_the_server_cut_is_replaced(empty_engine: Engine) -> None:
    """As after a restart of the server: the next page is answered."""
    with empty_engine.connect() as connection:
        number = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    other = open_engine(str(empty_engine.url))
    with other.connect() as connection:
        connection.exec_driver_sql(f"SELECT pg_terminate_backend({number})")
    other.dispose()
    ready(empty_engine)


def test_who_reads_during_a_rebuild_waits_and_then_sees_all_of_it(empty_engine: Engine, tmp_path: Path) -> None:
    keep = SnapshotStore(tmp_path / "snapshots")
    told: list[object] = []
    pipeline.load(empty_engine, [world.snapshot(world.text("data/data-DE.js"))], keep=keep, tell=told.append)
    hasty = open_engine(f"{empty_engine.url}&options=-clock_timeout%3D50")

    def look(_: object) -> None:
        with pytest.raises(StoreError) as error, explained(hasty):
            rows.figures(hasty)
        told.append(says(error))

    pipeline.rebuild(empty_engine, keep=keep, tell=look)
    assert "wait for it and try again" in str(told[-1])
    assert len(told) == 2
    assert len(rows.figures(hasty)) == 15
    hasty.dispose()


def test_days_are_read_right_whatever_way_the_server_writes_them(new_database: NewDatabase) -> None:
    engine = open_engine(new_database("german"))
    pipeline.create(engine)
    pipeline.load(engine, [world.snapshot(world.text("data/data-DE.js"))], keep=None, tell=lambda _: None)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {engine.url.database} SET DateStyle TO 'German, DMY'")
    engine.dispose()
    MEMORY.forget()
    with engine.connect() as connection:
        told = market_claims.told(connection, ["DE"])["DE"]
    assert {int(month) for month in told.claims.month} == {2026 * 12, 2026 * 12 + 1}
    engine.dispose()


def test_more_cars_than_two_to_the_31_are_kept(empty_engine: Engine) -> None:
    many = 3_000_000_000
    content = world.record({"Tesla|Model Y": 100})
    pipeline.load(empty_engine, [world.snapshot(content)], keep=None, tell=lambda _: None)
    with writing(empty_engine) as connection:
        connection.exec_driver_sql(f"UPDATE sales SET units = {many}")
    with empty_engine.connect() as connection:
        assert market_claims.told(connection, ["DE"])["DE"].claims.units.tolist() == [many]


def test_a_name_of_any_length_is_kept(empty_engine: Engine) -> None:
    slug = "x" * 300
    with writing(empty_engine) as connection:
        connection.exec_driver_sql("INSERT INTO maker VALUES (%s, 'Long')", (slug,))
    assert (slug,) in rows.query(empty_engine, "SELECT slug FROM maker")


# The server that the tests start


def test_the_tests_server_ends_with_whoever_started_it_however_that_ends() -> None:
    code = (
        "import os, signal\nfrom tests.postgres import HASTY, server\n"
        "with server(HASTY) as one:\n print(one.folder, flush=True)\n os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    # The keeper holds the other end of our pipes: that they are closed says that it is gone.
    assert done.stderr == ""
    assert not Path(done.stdout.strip()).exists()
