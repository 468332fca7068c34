"""Files that are their own history, and how little a history takes: what stood when, and what a changed file leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from types import ModuleType
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from db import facts, store
from db.contents import Outcome, Source
from db.database import open_engine
from db.schema import RECORDS
from db.vocabulary import Cadence, Obtained, States
from etl import pipeline
from etl.pipeline import DatedFile, Refusal
from tests import world
from tests.world import rows
from tests.world.rows import NewDatabase

SOURCE: Final = Source(
    slug="made-up",
    title="Made-up figures",
    publisher="Nobody",
    url="https://made-up.example",
    licence="none",
    licence_url="https://made-up.example/licence",
    states=States.MAKERS,
    cadence=Cadence.MONTHLY,
    lag_days=30,
    precedence=900,
    warning="",
)
JANUARY, FEBRUARY = date(2026, 2, 3), date(2026, 3, 3)
"""The days on which the figures of these months are published."""
RESTATED = date(2026, 3, 10)


def row(units: int, published_on: date, *, period: str = "2026-01", maker: str = "Example") -> str:
    return f"{period},DE,registration,BEV,{maker},{units},{published_on},https://made-up.example/{published_on}"


def file(*lines: str, obtained: Obtained = Obtained.CURATED) -> DatedFile:
    """A curated file of these rows, or an import of the day of `RESTATED`."""
    text = "\n".join(["period,market,basis,powertrain,maker,units,published_on,source_url", *lines, ""])
    known_on = RESTATED if obtained is Obtained.IMPORTED else None
    return DatedFile(SOURCE, "made-up.csv", text.encode(), obtained, known_on)


def load(engine: Engine, dated: DatedFile) -> Outcome:
    told: list[Outcome | Refusal] = []
    pipeline.load_dated(engine, [dated], tell=told.append)
    (outcome,) = told
    assert isinstance(outcome, Outcome), outcome
    return outcome


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    return outcome.read, outcome.loaded, outcome.unchanged, outcome.closed


def january(engine: Engine, as_of: date | None = None) -> int | None:
    found = rows.figures(engine, source="made-up", as_of=as_of)
    return found.get(("DE", "BEV", "month", "2026-01-01", "example", "all"))


FIRST: Final = file(row(100, JANUARY), row(200, FEBRUARY, period="2026-02"))


# What stood when


def test_a_figure_is_known_from_the_day_of_its_publication_on(empty_engine: Engine) -> None:
    assert counts(load(empty_engine, FIRST)) == (2, 2, 0, 0)
    assert [january(empty_engine, day) for day in (JANUARY - timedelta(1), JANUARY, FEBRUARY)] == [None, 100, 100]
    assert len(rows.figures(empty_engine, source="made-up", as_of=FEBRUARY - timedelta(1))) == 1


def test_a_restated_figure_is_a_second_row_from_its_own_day_on(empty_engine: Engine) -> None:
    restated = file(row(100, JANUARY), row(200, FEBRUARY, period="2026-02"), row(110, RESTATED))
    assert counts(load(empty_engine, restated)) == (3, 3, 0, 1)
    assert [january(empty_engine, day) for day in (JANUARY, RESTATED - timedelta(1), RESTATED, None)] == [
        100,
        100,
        110,
        110,
    ]
    rows.healthy(empty_engine)


def test_a_figure_that_a_later_row_confirms_stands_since_the_first_and_counts_as_unchanged(
    empty_engine: Engine,
) -> None:
    confirmed = file(row(100, JANUARY), row(100, RESTATED))
    assert counts(load(empty_engine, confirmed)) == (2, 1, 1, 0)
    assert rows.query(empty_engine, "SELECT known_from, known_to, units, line FROM sales") == [
        ("2026-02-03", "9999-12-31", 100, 2)
    ]


def test_a_figure_that_is_restated_and_taken_back_stands_three_times(empty_engine: Engine) -> None:
    back = file(row(100, JANUARY), row(110, FEBRUARY), row(100, RESTATED))
    assert counts(load(empty_engine, back)) == (3, 3, 0, 2)
    assert [january(empty_engine, day) for day in (JANUARY, FEBRUARY, RESTATED)] == [100, 110, 100]


def test_the_order_of_the_rows_does_not_matter(empty_engine: Engine) -> None:
    load(empty_engine, file(row(110, RESTATED), row(100, JANUARY)))
    assert [january(empty_engine, day) for day in (JANUARY, RESTATED)] == [100, 110]


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 3)), min_size=1, max_size=8, unique_by=lambda each: each[0])
)
def test_every_day_shows_what_was_published_last_before_its_end(published: list[tuple[int, int]]) -> None:
    engine = open_engine("sqlite://")  # what is held against the days is the same on any engine, and quick to make here
    pipeline.create(engine)
    by_day = {JANUARY + timedelta(days): units * 100 for days, units in published}
    load(engine, file(*(row(units, day) for day, units in by_day.items())))
    for day in (JANUARY + timedelta(n) for n in range(-1, 62)):
        said = [units for published_on, units in sorted(by_day.items()) if published_on <= day]
        assert january(engine, day) == (said[-1] if said else None)
    assert rows.overlapping(engine) == []
    engine.dispose()


# A file that is loaded again


def test_loading_twice_changes_nothing(empty_engine: Engine) -> None:
    load(empty_engine, FIRST)
    before = rows.dump(empty_engine)
    assert load(empty_engine, FIRST).already
    assert rows.dump(empty_engine) == before


def test_a_changed_file_takes_the_place_of_all_its_rows(empty_engine: Engine) -> None:
    load(empty_engine, FIRST)
    load(empty_engine, file(row(120, JANUARY), row(300, FEBRUARY, period="2026-02", maker="Second")))
    assert [january(empty_engine, day) for day in (JANUARY, None)] == [120, 120]
    assert sorted(rows.figures(empty_engine, source="made-up").values()) == [120, 300]
    assert rows.query(empty_engine, "SELECT count(*) FROM snapshot") == [(1,)]
    rows.healthy(empty_engine)


def test_a_changed_file_leaves_the_same_as_it_alone_would_have(empty_engine: Engine, new_database: NewDatabase) -> None:
    later = file(row(100, JANUARY), row(110, RESTATED), row(300, RESTATED, period="2026-02", maker="Second"))
    load(empty_engine, FIRST)
    load(empty_engine, later)
    alone = open_engine(new_database("alone"))
    pipeline.create(alone)
    load(alone, later)
    assert rows.claims(empty_engine) == rows.claims(alone)
    alone.dispose()


def test_a_file_described_anew_is_not_loaded_again_and_its_source_says_the_new(empty_engine: Engine) -> None:
    load(empty_engine, FIRST)
    before = rows.claims(empty_engine)
    assert load(empty_engine, replace(FIRST, source=replace(SOURCE, precedence=0))).already
    assert rows.query(empty_engine, "SELECT slug, precedence FROM source") == [("made-up", 0)]
    assert rows.claims(empty_engine) == before


def test_another_sources_figures_are_left_alone(empty_engine: Engine) -> None:
    pipeline.load(empty_engine, [world.snapshot(world.text("data/data-DE.js"))], keep=None, tell=lambda _: None)
    load(empty_engine, FIRST)
    before = rows.figures(empty_engine)
    load(empty_engine, file(row(120, JANUARY)))
    assert rows.figures(empty_engine) == before


@pytest.mark.parametrize(
    ("module", "at"),
    [
        (store, "save_source"),
        (store, "_remove_claims"),
        (store, "_evidence_ids"),
        (facts, "_insert_facts"),
        (store, "_save_rejections"),
    ],
)
def test_a_crash_while_a_changed_file_is_loaded_leaves_the_old(
    empty_engine: Engine, monkeypatch: pytest.MonkeyPatch, module: ModuleType, at: str
) -> None:
    class Crash(Exception):
        pass

    whole: Callable[..., object] = getattr(module, at)

    def crash(*given: object, **named: object) -> None:
        whole(*given, **named)
        raise Crash

    load(empty_engine, FIRST)
    before = rows.dump(empty_engine)
    changed = file(row(120, JANUARY), row(130, RESTATED))
    with monkeypatch.context() as broken:
        broken.setattr(module, at, crash)
        with pytest.raises(Crash):
            load(empty_engine, changed)
    assert rows.dump(empty_engine) == before
    load(empty_engine, changed)
    assert january(empty_engine) == 130


def test_a_file_with_one_bad_row_is_refused_whole_and_the_old_stays(empty_engine: Engine) -> None:
    load(empty_engine, FIRST)
    before = rows.figures(empty_engine, source="made-up")
    told: list[Outcome | Refusal] = []
    bad = file(row(120, JANUARY), row(130, RESTATED).replace("130", "many"))
    pipeline.load_dated(empty_engine, [bad, replace(FIRST, source=replace(SOURCE, slug="second"))], tell=told.append)
    refusal, second = told
    assert isinstance(refusal, Refusal)
    assert refusal.message.startswith("made-up.csv line 3: column units: is no whole number of cars")
    assert isinstance(second, Outcome)
    assert second.loaded == 2
    assert rows.figures(empty_engine, source="made-up") == before


def test_the_day_of_a_curated_file_is_that_of_its_latest_row_and_of_an_import_that_of_the_import(
    empty_engine: Engine,
) -> None:
    assert load(empty_engine, FIRST).receipt.known_on == FEBRUARY
    assert load(empty_engine, file(row(100, JANUARY), obtained=Obtained.IMPORTED)).receipt.known_on == RESTATED


# The bundled database


def test_every_row_of_every_bundled_file_is_accounted_for(bundled_engine: Engine) -> None:
    found = rows.query(
        bundled_engine,
        "SELECT file, rows_read - (rows_loaded + rows_unchanged + rows_rejected + rows_out_of_scope + rows_duplicate) "
        "FROM snapshot WHERE status = 'loaded'",
    )
    assert len(found) > 100
    assert [file_ for file_, difference in found if difference] == []


def test_the_figures_that_stand_are_those_that_the_files_counted(bundled_engine: Engine) -> None:
    """What a source's latest files loaded or left unchanged is what stands of them now."""
    counted = rows.query(
        bundled_engine,
        "SELECT slug, sum(rows_loaded + rows_unchanged) FROM snapshot JOIN source ON source.id = source_id "
        "WHERE obtained = 'bundled' AND snapshot.id IN (SELECT max(id) FROM snapshot GROUP BY source_id, file) "
        "GROUP BY slug",
    )
    stands = "known_to = '9999-12-31' GROUP BY slug"
    facts = "JOIN series ON series.id = series_id JOIN source ON source.id = series.source_id WHERE"
    standing: dict[str, int] = {}
    for sql in (
        f"SELECT slug, count(*) FROM sales {facts} {stands}",
        f"SELECT slug, count(*) FROM penetration {facts} {stands}",
        f"SELECT slug, count(*) FROM maker_group JOIN source ON source.id = source_id WHERE {stands}",
        *(
            f"SELECT slug, count(*) FROM {table.name} JOIN source ON source.id = source_id WHERE {stands}"
            for table in RECORDS
        ),
    ):
        for slug, count in rows.query(bundled_engine, sql):
            standing[slug] = standing.get(slug, 0) + count
    assert counted == sorted((slug, standing[slug]) for slug, _ in counted)


# How little a history takes

MONTHS: Final = [f"{year}-{month:02d}" for year in range(2016, 2026) for month in range(1, 11)]
MODELS: Final = [f"Maker{n // 10}|Model{n}" for n in range(100)]
WEEKS: Final = 12
MOST: Final = {"sqlite": (1.03, 1.15), "postgresql": (1.05, 1.25)}
"""By how much the database may grow a week, and in all, where a hundredth changes. PostgreSQL writes the row of a claim
that is closed anew, and after ten such weeks splits the full leaves of its indices, nearly all at once."""


def weekly(engine: Engine, changed: Callable[[int], list[tuple[str, str]]]) -> list[int]:
    """Load 10,000 figures, and weekly again with some changed: the bytes that they take after each."""
    units = {(month, model): 100 for month in MONTHS for model in MODELS}
    sizes = []
    for week in range(WEEKS + 1):
        for cell in changed(week) if week else []:
            units[cell] += 1
        records = [world.record({model: units[month, model] for model in MODELS}, period=month) for month in MONTHS]
        day = world.DAY + timedelta(weeks=week)
        pipeline.load(
            engine, [world.snapshot(world.market_file(*records), known_on=day)], keep=None, tell=lambda _: None
        )
        assert rows.query(engine, "SELECT count(*) FROM sales") == [(10_000 + 100 * week,)]
        sizes.append(rows.size(engine))
    return sizes


def test_a_weekly_file_of_which_a_hundredth_changes_costs_a_hundredth_a_week(empty_engine: Engine) -> None:
    """One figure of each model changes, in another month every week."""
    sizes = weekly(empty_engine, lambda week: [(MONTHS[(7 * week + n) % 100], model) for n, model in enumerate(MODELS)])
    a_week, in_all = MOST[empty_engine.dialect.name]
    assert max(after / before for before, after in pairwise(sizes)) < a_week
    assert sizes[-1] / sizes[0] < in_all


def test_a_month_that_is_restated_week_by_week_costs_its_own_rows_only(empty_engine: Engine) -> None:
    sizes = weekly(empty_engine, lambda _: [(MONTHS[-1], model) for model in MODELS])
    assert sizes[-1] / sizes[0] < 1.2
