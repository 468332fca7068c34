"""What a file has said of a cell over time, and how often and how far a source changes what it had said."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from db import database, store
from db.claims import STANDING
from db.contents import Contents, Receipt, Source
from db.vintages import TypicalRevision, Vintages, claims_over_time, typical_revision, typical_size, vintages
from db.vocabulary import ALL, OTHER, Cadence, Obtained, States

JANUARY, FEBRUARY, MARCH, APRIL = (date(2026, month, 15) for month in range(1, 5))

ALPHA = Source(
    slug="alpha",
    title="Alpha's table",
    publisher="Alpha",
    url="https://alpha.example",
    licence="CC0",
    licence_url="https://licence.example",
    states=States.MARKET,
    cadence=Cadence.MONTHLY,
    lag_days=30,
    precedence=100,
    warning="",
)
BETA = replace(ALPHA, slug="beta", title="Beta's table", publisher="Beta", precedence=200)

Figure = tuple[str, str, int]
"""Maker or `maker model`, the period as `2025-01` (a month), `2025-Q1` or `2025`, and cars."""


def cell(name: str, period: str, *, market: str, basis: str, powertrain: str) -> tuple[str | date, ...]:
    maker, _, model = name.partition(" ")
    year, _, part = period.partition("-")
    if not part:
        grain, month = "year", 1
    elif part.startswith("Q"):
        grain, month = "quarter", int(part[1:]) * 3 - 2
    else:
        grain, month = "month", int(part)
    slug = ALL if not model else OTHER if model == OTHER else f"{maker}-{model}"
    return market, basis, powertrain, "passenger_car", grain, maker, slug, date(int(year), month, 1)


def publish(
    engine: Engine,
    known_on: date,
    figures: Iterable[Figure],
    *,
    source: Source = ALPHA,
    market: str = "DE",
    basis: str = "registration",
    powertrain: str = "BEV",
    file: str = "figures.csv",
) -> None:
    """Load one vintage of a made-up file."""
    rows = [
        (*cell(name, period, market=market, basis=basis, powertrain=powertrain), units, line, "cited")
        for line, (name, period, units) in enumerate(figures, start=2)
    ]
    _write(engine, rows, source=source, file=file, known_on=known_on, obtained=Obtained.FOLDER)


def transcribe(
    engine: Engine,
    figures: Iterable[tuple[date, Figure]],
    *,
    source: Source = BETA,
    market: str = "WORLD",
    basis: str = "delivery",
    powertrain: str = "BEV",
) -> None:
    """Load a made-up file that is its own history: each figure with the day on which it was published."""
    rows = [
        (*cell(name, period, market=market, basis=basis, powertrain=powertrain), units, line, "cited", day)
        for line, (day, (name, period, units)) in enumerate(figures, start=2)
    ]
    last = max(row[-1] for row in rows)
    _write(engine, rows, source=source, file="own.csv", known_on=last, obtained=Obtained.CURATED)


def _write(
    engine: Engine,
    rows: list[tuple[str | date | int, ...]],
    *,
    source: Source,
    file: str,
    known_on: date,
    obtained: Obtained,
) -> None:
    makers = {str(row[5]): str(row[5]).title() for row in rows} | {ALL: "All makers", OTHER: "Other"}
    models = {str(row[6]): (str(row[5]), str(row[6]).removeprefix(f"{row[5]}-").upper()) for row in rows}
    contents = Contents(
        sales=rows,
        groups=(),
        makers={slug: name for slug, name in makers.items() if slug not in (ALL, OTHER)},
        models={slug: of for slug, of in models.items() if slug not in (ALL, OTHER)},
        evidence={"cited": ("https://alpha.example", "")},
        rows_read=len(rows),
    )
    receipt = Receipt(
        source=source.slug,
        file=file,
        known_on=known_on,
        origin_url="https://alpha.example/figures.csv",
        retrieved_at=None,
        sha256=sha256(f"{source.slug} {file} {known_on} {rows}".encode()).hexdigest(),
        bytes=1,
        obtained=obtained,
    )
    write = store.load_dated if obtained is Obtained.CURATED else store.load_snapshot
    with database.writing(engine) as connection:
        write(connection, source=source, receipt=receipt, contents=contents)


def told(engine: Engine, *, as_of: date | None = None) -> list[tuple[str, int, date, bool]]:
    """Maker, units, since when, and whether it stood."""
    with engine.connect() as connection:
        frame = claims_over_time(connection, markets=["DE"], bases=["registration"], powertrains=["BEV"], as_of=as_of)
    return sorted(
        (str(row.maker), int(row.units), date.fromordinal(int(row.known_from) + 719163), row.known_to == STANDING)
        for row in frame.itertuples()
    )


def typical(engine: Engine, source: str = "alpha", *, as_of: date | None = None) -> TypicalRevision:
    with engine.connect() as connection:
        return typical_revision(connection, as_of=as_of)[source]


# Claims over time


def test_every_claim_is_told_also_one_that_was_withdrawn(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025-01", 100), ("byd", "2025-01", 200)])
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 110)])
    assert told(empty_engine) == [
        ("byd", 200, JANUARY, False),
        ("tesla", 100, JANUARY, False),
        ("tesla", 110, FEBRUARY, True),
    ]


def test_what_is_closed_later_stood_on_the_day(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025-01", 100)])
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 110)])
    assert told(empty_engine, as_of=date(2026, 2, 14)) == [("tesla", 100, JANUARY, True)]
    assert told(empty_engine, as_of=FEBRUARY) == [("tesla", 100, JANUARY, False), ("tesla", 110, FEBRUARY, True)]
    assert told(empty_engine, as_of=date(2026, 1, 14)) == []


def test_a_quarter_and_a_year_are_told_by_their_first_month(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025-Q2", 100), ("tesla model-y", "2025", 200)])
    with empty_engine.connect() as connection:
        frame = claims_over_time(connection, markets=["DE"], bases=["registration"], powertrains=["BEV"])
    columns = ["source", "file", "grain", "month", "model", "units"]
    assert sorted(frame[columns].itertuples(index=False, name=None)) == [
        ("alpha", "figures.csv", "quarter", 2025 * 12 + 3, "all", 100),
        ("alpha", "figures.csv", "year", 2025 * 12, "tesla-model-y", 200),
    ]


# Vintages


def test_a_file_has_a_vintage_for_each_day_on_which_it_was_read(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025-01", 100)])
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 100), ("tesla", "2025-02", 100)])
    transcribe(empty_engine, [(MARCH, ("tesla", "2025", 100))])
    with empty_engine.connect() as connection:
        now, then = vintages(connection), vintages(connection, as_of=JANUARY)
    own = Vintages(days=(MARCH,), is_own_history=True)
    assert now == {
        ("alpha", "figures.csv"): Vintages(days=(JANUARY, FEBRUARY), is_own_history=False),
        ("beta", "own.csv"): own,
    }
    assert then == {
        ("alpha", "figures.csv"): Vintages(days=(JANUARY,), is_own_history=False),
        ("beta", "own.csv"): own,
    }


# The typical revision


def test_a_source_is_judged_by_the_figures_that_a_later_vintage_could_change(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025-01", 100), ("byd", "2025-01", 200)])
    assert typical(empty_engine) == TypicalRevision(judged=0, revised=0, share=None, median=None, p90=None)
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 110), ("byd", "2025-01", 200), ("byd", "2025-02", 300)])
    assert typical(empty_engine) == TypicalRevision(judged=2, revised=1, share=0.5, median=0.1, p90=0.1)


def test_the_change_is_the_last_figure_against_the_first(empty_engine: Engine) -> None:
    for day, units in ((JANUARY, 100), (FEBRUARY, 150), (MARCH, 120)):
        publish(empty_engine, day, [("tesla", "2025-01", units)])
    assert typical(empty_engine) == TypicalRevision(judged=1, revised=1, share=1.0, median=0.2, p90=0.2)
    assert typical(empty_engine, as_of=FEBRUARY).median == 0.5
    assert typical(empty_engine, as_of=JANUARY).judged == 0


def test_a_figure_that_comes_or_goes_is_no_revision(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025-01", 100), ("byd", "2025-01", 200)])
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 100), ("kia", "2025-01", 300)])
    publish(empty_engine, MARCH, [("tesla", "2025-01", 100), ("kia", "2025-01", 300), ("byd", "2025-01", 200)])
    assert typical(empty_engine) == TypicalRevision(judged=3, revised=0, share=0.0, median=None, p90=None)


def test_a_figure_that_was_taken_back_and_came_back_changed_was_revised(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025-01", 100), ("byd", "2025-01", 200)])
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 100)])
    publish(empty_engine, MARCH, [("tesla", "2025-01", 100), ("byd", "2025-01", 300)])
    assert typical(empty_engine) == TypicalRevision(judged=2, revised=1, share=0.5, median=0.5, p90=0.5)


def test_a_first_figure_of_zero_has_no_relative_change(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025-01", 0)])
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 100)])
    assert typical(empty_engine) == TypicalRevision(judged=1, revised=1, share=1.0, median=None, p90=None)


def test_each_file_is_judged_by_its_own_last_vintage(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025-01", 100)])
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 200)])
    publish(empty_engine, JANUARY, [("tesla", "2025-01", 100)], file="other.csv", market="FR")
    assert typical(empty_engine) == TypicalRevision(judged=1, revised=1, share=1.0, median=1.0, p90=1.0)


def test_in_a_transcribed_file_only_what_was_restated_is_judged(empty_engine: Engine) -> None:
    figures = [
        (JANUARY, ("tesla", "2024", 100)),
        (FEBRUARY, ("tesla", "2024", 104)),
        (MARCH, ("tesla", "2025", 200)),
    ]
    transcribe(empty_engine, figures)
    assert typical(empty_engine, "beta") == TypicalRevision(judged=1, revised=1, share=None, median=0.04, p90=0.04)
    assert typical(empty_engine, "beta", as_of=JANUARY) == TypicalRevision(0, 0, None, None, None)


def test_a_source_that_says_nothing_yet_has_no_entry(empty_engine: Engine) -> None:
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 100)])
    with empty_engine.connect() as connection:
        assert typical_revision(connection, as_of=JANUARY) == {}


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30))
def test_the_typical_size_lies_between_the_least_and_the_largest(sizes: list[int]) -> None:
    median, p90 = typical_size([float(size) for size in sizes])
    assert median is not None
    assert p90 is not None
    assert min(sizes) <= median <= p90 <= max(sizes)
    assert typical_size([]) == (None, None)


@pytest.mark.parametrize("as_of", [None, date(2025, 1, 22), date(2024, 5, 27)])
def test_the_bundled_vintages_give_what_a_count_cell_by_cell_gives(bundled_engine: Engine, as_of: date | None) -> None:
    day = (as_of or date(9999, 12, 30)).isoformat()
    with bundled_engine.connect() as connection:
        found = typical_revision(connection, as_of=as_of)["open-ev-charts"]
        claims = connection.execute(
            text(
                "SELECT series_id, period_start, known_from, units, last FROM sales "
                "JOIN series ON series.id = series_id JOIN source ON source.id = series.source_id "
                "JOIN (SELECT source_id, file, MAX(known_on) AS last FROM snapshot WHERE known_on <= :day "
                "AND status = 'loaded' GROUP BY 1, 2) AS read "
                "ON read.source_id = source.id AND read.file = series.file "
                "WHERE slug = 'open-ev-charts' AND known_from <= :day ORDER BY known_from"
            ),
            {"day": day},
        ).all()
    cells: dict[tuple[int, str], list[int]] = {}
    judged = set()
    for series_id, period_start, known_from, units, last in claims:
        cells.setdefault((series_id, period_start), []).append(units)
        if known_from < last:
            judged.add((series_id, period_start))
    sizes = sorted(abs(of[-1] - of[0]) / of[0] for of in cells.values() if len(set(of)) > 1)
    assert (found.judged, found.revised) == (len(judged), len(sizes))
    assert found.median == pytest.approx(statistics.median(sizes))
    assert found.share == pytest.approx(len(sizes) / len(judged))
