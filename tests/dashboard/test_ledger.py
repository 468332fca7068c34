"""What changed between two days: each kind of change, what it moves, and what is no change."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard import ledger
from dashboard.ledger import Ledger
from dashboard.ledger_entries import Entry, record_said
from dashboard.selection import Selection
from dashboard.what_changed import Kind, as_day, changed_figures
from db.changes import CELL
from db.health import source_health
from db.vocabulary import ALL, OTHER, States
from tests.db.test_vintages import APRIL, BETA, FEBRUARY, JANUARY, MARCH, publish, transcribe
from tests.world import records


def between(engine: Engine, after: date, until: date, *, query: str = "") -> Ledger:
    selection = Selection.from_query(query, defaults=ledger.EVERYTHING)
    with engine.connect() as connection:
        return ledger.between(connection, after=after, until=until, selection=selection)


def told(found: Ledger, *kinds: Kind) -> list[tuple[str, str, str, float | None, float | None, int]]:
    """Kind, maker, model, before, now and the number of figures of each entry of some kinds, or of all news."""
    entries = found.of(*kinds) if kinds else found.news
    return [(of.kind.value, of.maker, of.model, of.before, of.now, of.figures) for of in entries]


OWN = replace(BETA, slug="own", title="Own figures", states=States.MAKERS)

OLD = [("tesla", "2025-01", 100), ("byd", "2025-01", 200), (OTHER, "2025-01", 300)]


def test_what_stays_as_it_was_is_no_change(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, OLD)
    publish(empty_engine, FEBRUARY, OLD)
    found = between(empty_engine, JANUARY, FEBRUARY)
    assert found.is_silent
    assert found.entries == found.of(Kind.OVERDUE)


def test_a_new_period_of_a_market_is_one_entry_with_what_it_adds_up_to(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, OLD)
    publish(empty_engine, FEBRUARY, [*OLD, ("tesla", "2025-02", 100), ("byd", "2025-02", 200), (OTHER, "2025-02", 300)])
    (entry,) = between(empty_engine, JANUARY, FEBRUARY).news
    assert (entry.kind, entry.market, entry.maker, entry.now, entry.figures) == (Kind.NEW, "DE", ALL, 600, 3)
    assert entry.month == 2025 * 12 + 1


def test_a_total_that_is_stated_is_not_added_to_its_makers(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, OLD)
    publish(empty_engine, FEBRUARY, [*OLD, ("tesla", "2025-02", 100), (ALL, "2025-02", 700)])
    (entry,) = between(empty_engine, JANUARY, FEBRUARY).news
    assert entry.now == 700


def test_a_revised_figure_has_what_was_said_before_and_since_when(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, OLD)
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 150), *OLD[1:]])
    found = between(empty_engine, JANUARY, FEBRUARY)
    assert told(found) == [("revised", "tesla", ALL, 100, 150, 1)]
    assert found.news[0].relative == 0.5
    (row,) = found.figures.to_dict("records")
    assert as_day(row["before_since"]) == JANUARY
    assert as_day(row["since"]) == FEBRUARY
    assert row["before_snapshot_id"] != row["snapshot_id"]


def test_a_figure_that_is_taken_back_and_comes_again_is_told_as_that(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, OLD)
    publish(empty_engine, FEBRUARY, OLD[1:])
    publish(empty_engine, MARCH, OLD)
    assert told(between(empty_engine, JANUARY, FEBRUARY)) == [("vanished", "tesla", ALL, 100, None, 1)]
    assert told(between(empty_engine, FEBRUARY, MARCH)) == [("restored", "tesla", ALL, None, 100, 1)]


def test_what_came_and_went_in_between_is_no_change(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, OLD)
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 150), *OLD[1:]])
    publish(empty_engine, MARCH, OLD)
    assert between(empty_engine, JANUARY, MARCH).is_silent


def test_a_figure_of_an_earlier_period_is_added_and_not_new(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025-02", 100)])
    publish(empty_engine, FEBRUARY, [("tesla", "2025-02", 100), ("byd", "2025-01", 200)])
    assert told(between(empty_engine, JANUARY, FEBRUARY)) == [("added", "byd", ALL, None, 200, 1)]


def test_a_new_name_for_the_same_cars_is_no_change(empty_engine: Engine) -> None:
    months = [("2025-01", 1000), ("2025-02", 2000), ("2025-03", 3000)]
    publish(empty_engine, JANUARY, [*(("byd yuan", month, cars) for month, cars in months), ("tesla", "2025-01", 7)])
    publish(empty_engine, FEBRUARY, [*(("byd atto", month, cars) for month, cars in months), ("tesla", "2025-01", 7)])
    assert between(empty_engine, JANUARY, FEBRUARY).is_silent


def test_a_total_told_by_its_makers_is_no_change_unless_they_add_up_to_another_one(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [(ALL, "2025-01", 600)])
    publish(empty_engine, FEBRUARY, OLD)
    same = between(empty_engine, JANUARY, FEBRUARY)
    assert not same.of(Kind.VANISHED, Kind.REVISED)
    assert same.count(Kind.ADDED) == 3
    assert {entry.weight for entry in same.news} == {0.0}, "that it is told by maker moves no car"
    publish(empty_engine, MARCH, [(ALL, "2025-01", 700)])
    assert (("revised", ALL, ALL, 600, 700, 1)) in told(between(empty_engine, FEBRUARY, MARCH))


def test_a_file_read_for_the_first_time_is_counted_and_no_news(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, OLD)
    found = between(empty_engine, date(2026, 1, 1), JANUARY)
    assert found.is_silent
    assert not len(found.figures)
    (entry,) = found.of(Kind.FIRST_READ)
    assert (entry.market, entry.figures, entry.month) == ("DE", 3, 2025 * 12)


def test_each_row_of_a_transcribed_file_is_news_of_its_own_day(empty_engine: Engine) -> None:
    transcribe(empty_engine, [(JANUARY, ("tesla", "2025-Q3", 100)), (APRIL, ("tesla", "2025-Q4", 200))], source=OWN)
    assert told(between(empty_engine, date(2026, 1, 14), JANUARY)) == [("new", "tesla", ALL, None, 100, 1)]
    assert between(empty_engine, JANUARY, MARCH).is_silent
    assert told(between(empty_engine, MARCH, APRIL)) == [("new", "tesla", ALL, None, 200, 1)]


# What it moves


def world(engine: Engine, known_on: date) -> None:
    """A world of 1,000 electric cars a month, of which 400 are Germany's, and 300 of BYD's own."""
    publish(engine, known_on, [(ALL, "2025-12", 1000)], market="WORLD", source=BETA, file="world.csv")
    publish(engine, known_on, [(ALL, "2025-12", 400)], market="DE", source=BETA, file="de.csv")
    transcribe(engine, [(known_on, ("byd", "2025-12", 300))], source=OWN, basis="wholesale")


def test_entries_are_ranked_by_what_they_move_and_not_by_how_many_figures_they_are(empty_engine: Engine) -> None:
    world(empty_engine, JANUARY)
    many = [(f"maker-{n}", "2025-12", 1) for n in range(30)]
    publish(empty_engine, JANUARY, [("tesla", "2025-12", 100), *many], market="NO")
    publish(
        empty_engine, FEBRUARY, [("tesla", "2025-12", 300), *((name, month, 2) for name, month, _ in many)], market="NO"
    )
    entries = between(empty_engine, JANUARY, FEBRUARY).news
    assert entries[0].maker == "tesla"
    assert entries[0].weight > 10 * entries[1].weight


def test_a_headline_makers_own_figure_weighs_as_its_part_of_what_it_states(empty_engine: Engine) -> None:
    world(empty_engine, JANUARY)
    transcribe(
        empty_engine,
        [(JANUARY, ("byd", "2025-12", 300)), (FEBRUARY, ("byd", "2026-01", 300))],
        source=OWN,
        basis="wholesale",
    )
    (entry,) = between(empty_engine, JANUARY, FEBRUARY).news
    assert entry.weight == 1.0


def test_a_market_weighs_its_part_of_the_world(empty_engine: Engine) -> None:
    world(empty_engine, JANUARY)
    publish(empty_engine, JANUARY, [(ALL, "2025-12", 400)])
    publish(empty_engine, FEBRUARY, [(ALL, "2025-12", 400), (ALL, "2026-01", 500)])
    (entry,) = between(empty_engine, JANUARY, FEBRUARY).news
    assert entry.weight == pytest.approx(0.5)


def test_what_is_stated_as_a_whole_is_not_counted_again_with_its_parts(empty_engine: Engine) -> None:
    world(empty_engine, JANUARY)
    first = [(ALL, "2025-12", 400), ("tesla", "2025-12", 100)]
    publish(empty_engine, JANUARY, first)
    publish(empty_engine, FEBRUARY, [*first, (ALL, "2026-01", 500), ("tesla", "2026-01", 100)])
    publish(empty_engine, JANUARY, first[1:], market="NO", file="no.csv")
    parts = [("tesla", "2026-01", 100), ("tesla y", "2026-01", 60), ("kia", "2026-01", 100)]
    publish(empty_engine, FEBRUARY, [*first[1:], *parts], market="NO", file="no.csv")
    germany, norway = between(empty_engine, JANUARY, FEBRUARY).news
    assert (germany.now, germany.weight) == (500, pytest.approx(0.5))
    assert (norway.now, norway.weight) == (200, pytest.approx(0.2))


def test_a_period_of_long_ago_weighs_half_with_each_year(empty_engine: Engine) -> None:
    world(empty_engine, JANUARY)
    publish(empty_engine, JANUARY, [("tesla", "2026-01", 100), ("byd", "2025-01", 100)], market="NO")
    publish(empty_engine, FEBRUARY, [("tesla", "2026-01", 300), ("byd", "2025-01", 300)], market="NO")
    weights = {entry.maker: entry.weight for entry in between(empty_engine, JANUARY, FEBRUARY).news}
    assert weights["tesla"] == pytest.approx(0.2)
    # BYD's own cars are the smaller whole: 200 of its 300 a month.
    assert weights["byd"] == pytest.approx(200 / 300 / 2)


# Records


def test_a_record_is_new_revised_or_taken_back_like_a_figure(empty_engine: Engine) -> None:
    first, later = {"effective_from": "2025-01-10"}, {"effective_from": "2025-03-10", "published_on": "2025-03-10"}
    records.prices(
        empty_engine,
        first,
        later | {"amount": "200"},
        first | {"amount": "100", "published_on": "2025-04-10"},
    )
    new = between(empty_engine, date(2025, 3, 1), date(2025, 3, 31))
    assert [(entry.kind, entry.table, entry.now, entry.said) for entry in new.news] == [
        (Kind.NEW, "price", 200, "200 KRW")
    ]
    revised = between(empty_engine, date(2025, 4, 1), date(2025, 4, 30))
    assert [(entry.kind, entry.before, entry.now) for entry in revised.news] == [(Kind.REVISED, 300, 100)]


# What a selection narrows


def test_a_ledger_can_be_of_some_markets_makers_and_periods(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025-01", 100), ("byd", "2025-02", 100)])
    publish(empty_engine, JANUARY, [("tesla", "2025-01", 100)], market="NO", file="no.csv")
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 200), ("byd", "2025-02", 200)])
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 200)], market="NO", file="no.csv")

    def makers(query: str) -> list[tuple[str, str]]:
        return sorted(
            (entry.market, entry.maker) for entry in between(empty_engine, JANUARY, FEBRUARY, query=query).news
        )

    assert makers("") == [("DE", "byd"), ("DE", "tesla"), ("NO", "tesla")]
    assert makers("market=NO") == [("NO", "tesla")]
    assert makers("makers=byd") == [("DE", "byd")]
    assert makers("until=2025-01") == [("DE", "tesla"), ("NO", "tesla")]


# What is overdue


def test_what_is_overdue_is_what_the_health_of_the_sources_says(bundled_engine: Engine) -> None:
    for day in (date(2026, 7, 26), date(2025, 3, 2), date(2026, 10, 4)):
        with bundled_engine.connect() as connection:
            found = ledger.between(connection, after=day - ledger.WEEK, until=day)
            judged = {of.source.slug for of in source_health(connection, as_of=day) if of.is_overdue(on=day)}
        assert {entry.source for entry in found.of(Kind.OVERDUE)} == judged


def test_of_the_real_week_of_teslas_third_quarter_that_is_the_first_entry(bundled_engine: Engine) -> None:
    first = between(bundled_engine, date(2026, 9, 27), date(2026, 10, 4)).entries[0]
    assert (first.maker, first.basis, first.now, first.weight) == ("tesla", "delivery", 486_532, 1.0)


# Always


CELLS = st.dictionaries(
    st.tuples(st.sampled_from(["tesla", "byd", OTHER]), st.sampled_from([24300, 24301])),
    st.integers(0, 3),
    max_size=6,
)


def claims(before: dict[tuple[str, int], int], now: dict[tuple[str, int], int]) -> pd.DataFrame:
    """The touched claims of a file that says `before` on one day and `now` on another."""
    rows = []
    for (maker, month), units in before.items():
        if now.get((maker, month)) != units:
            rows.append((maker, month, units, 10, 20))
    for (maker, month), units in now.items():
        if before.get((maker, month)) != units:
            rows.append((maker, month, units, 20, 2932896))
    words = dict(zip(CELL, ("a", "f", "DE", "registration", "BEV", "passenger_car", "month", "", ALL), strict=True))
    frame = pd.DataFrame(rows, columns=["maker", "month", "value", "known_from", "known_to"])
    frame = frame.assign(table="sales", earlier=float("nan"), snapshot_id=1, line=1, evidence_id=1)
    for name, word in words.items():
        if name != "maker":
            frame[name] = word
    return frame.astype({"value": float, "maker": str, "month": "int64", "known_from": "int64", "known_to": "int64"})


@settings(max_examples=25)
@given(before=CELLS, now=CELLS)
def test_the_changes_lead_from_what_was_said_to_what_is_said(
    before: dict[tuple[str, int], int], now: dict[tuple[str, int], int]
) -> None:
    found = changed_figures(claims(before, now), {}, after=as_day(15), until=as_day(25))
    said = dict(before)
    for row in found.to_dict("records"):
        key = (row["maker"], row["month"])
        assert (before.get(key) is None) == pd.isna(row["before"])
        if pd.isna(row["now"]):
            del said[key]
        else:
            said[key] = int(row["now"])
    assert said == now


def test_an_entry_without_a_figure_before_has_no_relative_change() -> None:
    assert Entry(Kind.NEW, "sales", "alpha", now=100).relative is None
    assert Entry(Kind.REVISED, "sales", "alpha", before=0, now=100).relative is None


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        ("0.1 to 0.15", "share", "10.0 to 15.0 %"),
        ("0.333", "share", "33.3 %"),
        ("35000000 to 40000000", "count", "35,000,000 to 40,000,000"),
        ("500", "usd", "500 usd"),
        ("2026-03-31", "date", "2026-03-31"),
    ],
)
def test_a_forecast_is_told_as_the_range_or_the_day_that_it_is(value: str, unit: str, words: str) -> None:
    assert record_said("forecast", {"value": value, "unit": unit, "outcome": ""}) == words
