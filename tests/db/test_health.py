"""What is loaded, what is late and what was refused: counts and days that one can check by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, insert

from db import health, schema, store
from db.contents import Contents, Outcome, Receipt, Source
from db.database import writing
from db.health import Expected, Rows, SourceHealth, Stated, refused_files, rejected_rows, source_health, status
from db.queries import first_known
from db.vocabulary import Cadence, Grain, Obtained, States
from etl import pipeline
from tests import world

MADE_UP = Source(
    slug="made-up",
    title="Made-up figures",
    publisher="Nobody",
    url="https://made-up.example",
    licence="CC0",
    licence_url="https://made-up.example/licence",
    states=States.MARKET,
    cadence=Cadence.MONTHLY,
    lag_days=10,
    precedence=50,
    warning="Not one of them is true.",
)

Row = tuple[str, str, str, int]
"""Market, grain, first day of the period, cars."""


def load(engine: Engine, content: str, *, day: int) -> None:
    """Load this as Germany's file of the n-th of March."""
    pipeline.load(engine, [world.snapshot(content, known_on=date(2026, 3, day))], keep=None, tell=lambda _: None)


def receipt(known_on: date, *, file: str = "figures.csv", obtained: Obtained = Obtained.FOLDER) -> Receipt:
    return Receipt(
        source=MADE_UP.slug,
        file=file,
        known_on=known_on,
        origin_url="https://made-up.example/figures.csv",
        retrieved_at=None,
        sha256=f"{file}{known_on}".ljust(64, "0"),
        bytes=100,
        obtained=obtained,
    )


def claims(rows: Sequence[Row], *, basis: str = "registration") -> list[tuple[object, ...]]:
    return [
        (code, basis, "BEV", "passenger_car", grain, "all", "all", date.fromisoformat(start), units, line, "cited")
        for line, (code, grain, start, units) in enumerate(rows, start=2)
    ]


def publish(
    engine: Engine,
    rows: Sequence[Row],
    *,
    known_on: date,
    source: Source = MADE_UP,
    rejected: Sequence[tuple[int, str, str, str]] = (),
    out_of_scope: int = 0,
    duplicate: int = 0,
) -> Outcome:
    """Load a made-up file of a made-up source."""
    contents = Contents(
        sales=claims(rows),
        groups=(),
        makers={},
        models={},
        evidence={"cited": ("https://made-up.example", "")},
        rows_read=len(rows) + len(rejected) + out_of_scope + duplicate,
        rejected=rejected,
        out_of_scope=out_of_scope,
        duplicate=duplicate,
    )
    with writing(engine) as connection:
        return store.load_snapshot(connection, source=source, receipt=receipt(known_on), contents=contents)


def of(engine: Engine, *, as_of: date | None = None, markets: Sequence[str] = ()) -> SourceHealth:
    """The only source."""
    with engine.connect() as connection:
        (found,) = source_health(connection, as_of=as_of, markets=markets)
    return found


# The status


def test_an_empty_database_has_no_sources(empty_engine: Engine) -> None:
    assert status(empty_engine, on=world.DAY) == {"sources": []}


def test_the_status_counts_figures_now_and_with_revisions(empty_engine: Engine) -> None:
    load(empty_engine, world.text("data/data-DE.js"), day=1)
    load(empty_engine, world.text("data/data-DE.js").replace(": 50", ": 60"), day=4)
    (found,) = status(empty_engine, on=date(2026, 3, 5))["sources"]
    assert (found["slug"], found["licence"], found["bases"]) == ("open-ev-charts", "GPL-3.0", ["registration"])
    assert (found["snapshots"], found["last_snapshot"]) == (2, date(2026, 3, 4))
    assert (found["figures"], found["figures_all_vintages"]) == (15, 16)
    assert found["markets"] == [
        {
            "market": "DE",
            "basis": "registration",
            "powertrain": powertrain,
            "grain": "month",
            "first_period": date(2026, 1, 1),
            "last_period": date(2026, 2, 1),
            "figures": figures,
        }
        for powertrain, figures in (("ALL", 7), ("BEV", 8))
    ]


def test_a_series_that_was_wholly_taken_back_is_not_shown_as_a_market(empty_engine: Engine) -> None:
    load(empty_engine, world.record({"other": 300}, period="2025-Q4"), day=1)
    load(empty_engine, "".join(world.record({"other": 100}, period=f"2025-{m}") for m in (10, 11, 12)), day=2)
    (found,) = status(empty_engine, on=world.DAY)["sources"]
    assert [market["grain"] for market in found["markets"]] == ["month"]


def test_a_refused_file_is_shown_with_its_line_column_value_and_reason(empty_engine: Engine) -> None:
    load(empty_engine, world.text("data/data-DE.js").replace(": 50", ": 0"), day=2)
    (found,) = status(empty_engine, on=world.DAY)["sources"]
    (refused,) = found["refused"]
    assert (refused["file"], refused["line"], refused["known_on"]) == ("data/data-DE.js", 14, date(2026, 3, 2))
    assert "0 is not a number of cars" in refused["reason"]
    assert refused.keys() == {"known_on", "file", "line", "column", "value", "reason"}
    assert (found["snapshots"], found["figures"], found["last_snapshot"], found["next_due"]) == (0, 0, None, None)
    assert not found["overdue"]


def test_the_bundled_status_is_plain_values_that_json_can_hold(bundled_engine: Engine) -> None:
    sources = json.loads(json.dumps(status(bundled_engine, on=date(2026, 7, 24)), default=str))["sources"]
    found = next(source for source in sources if source["slug"] == "open-ev-charts")
    assert found["figures"] == 108_954
    assert sum(market["figures"] for market in found["markets"]) == 108_954
    assert (found["last_period"], found["next_due"], found["overdue"]) == ("2026-06-01", "2026-08-31", False)
    assert {late["market"]: late["next_due"] for late in found["late_markets"]} == {
        "NO": "2026-07-01",
        "CH": "2026-07-01",
    }
    groups = next(source for source in sources if source["slug"] == "maker-groups")
    assert (groups["next_due"], groups["overdue"], groups["markets"]) == (None, False, [])


def test_a_market_can_be_shown_from_the_day_of_its_first_snapshot(empty_engine: Engine) -> None:
    load(empty_engine, world.text("data/data-DE.js"), day=3)
    load(empty_engine, world.text("data/data-DE.js").replace(": 50", ": 60"), day=4)
    with empty_engine.connect() as connection:
        assert first_known(connection, markets=["DE", "FR"], basis="registration") == {"DE": date(2026, 3, 3)}


# What is due


def test_the_next_month_is_due_at_its_end_and_the_usual_lag(empty_engine: Engine) -> None:
    publish(empty_engine, [("DE", "month", "2026-01-01", 100)], known_on=date(2026, 2, 5))
    found = of(empty_engine)
    assert found.latest is not None
    # February ends with the 28th: the 1st of March and ten days.
    assert found.latest.next_due == date(2026, 3, 11)
    assert not found.is_overdue(on=date(2026, 3, 11))
    assert found.is_overdue(on=date(2026, 3, 12))


def test_a_source_is_as_far_as_its_furthest_market_and_the_others_are_late(empty_engine: Engine) -> None:
    rows = [
        ("DE", "month", "2026-03-01", 100),
        ("FR", "month", "2026-01-01", 100),
        ("US", "quarter", "2026-01-01", 300),
    ]
    publish(empty_engine, rows, known_on=date(2026, 4, 5))
    found = of(empty_engine)
    assert found.latest is not None
    assert (found.latest.market, found.latest.next_due) == ("DE", date(2026, 5, 11))
    assert [late.market for late in found.late_markets(on=date(2026, 4, 5))] == ["FR"]
    assert not found.is_overdue(on=date(2026, 4, 5))
    # The quarter to June and ten days.
    assert [late.market for late in found.late_markets(on=date(2026, 7, 12))] == ["FR", "DE", "US"]


def test_a_market_told_in_months_and_quarters_is_expected_by_the_month(empty_engine: Engine) -> None:
    rows = [("DE", "month", "2026-02-01", 100), ("DE", "quarter", "2026-01-01", 300)]
    publish(empty_engine, rows, known_on=date(2026, 4, 5))
    found = of(empty_engine).latest
    assert found is not None
    assert (found.last_period, found.grain, found.next_due) == (date(2026, 1, 1), Grain.MONTH, date(2026, 5, 11))


def test_months_that_ended_years_ago_are_not_expected(empty_engine: Engine) -> None:
    rows = [("DE", "month", "2020-02-01", 100), ("DE", "quarter", "2026-01-01", 300)]
    publish(empty_engine, rows, known_on=date(2026, 4, 5))
    found = of(empty_engine).latest
    assert found is not None
    assert (found.grain, found.next_due) == (Grain.QUARTER, date(2026, 7, 11))


def test_makers_own_figures_are_judged_as_a_whole(empty_engine: Engine) -> None:
    rows = [("DE", "month", "2026-03-01", 100), ("FR", "month", "2024-01-01", 100)]
    publish(empty_engine, rows, known_on=date(2026, 4, 5), source=replace(MADE_UP, states=States.MAKERS))
    assert of(empty_engine).late_markets(on=date(2026, 12, 1)) == ()
    assert of(empty_engine).is_overdue(on=date(2026, 12, 1))


def test_only_the_markets_asked_for_are_judged(empty_engine: Engine) -> None:
    rows = [("DE", "month", "2026-03-01", 100), ("FR", "month", "2026-01-01", 100)]
    publish(empty_engine, rows, known_on=date(2026, 4, 5))
    found = of(empty_engine, markets=["FR"])
    assert [stated.market for stated in found.stated] == ["FR"]
    assert found.is_overdue(on=date(2026, 4, 5))


@given(
    months=st.lists(st.integers(2020 * 12, 2027 * 12 - 1), min_size=1, max_size=8),
    grain=st.sampled_from(list(Grain)),
    lag=st.integers(0, 400),
)
def test_what_is_due_next_lies_a_period_and_the_lag_after_the_last_end(
    months: list[int], grain: Grain, lag: int
) -> None:
    starts = [date(month // 12, month % 12 + 1, 1) for month in months]
    stated = tuple(Stated("DE", "Germany", "registration", "BEV", grain, start, start, 1) for start in starts)
    source = replace(MADE_UP, lag_days=lag)
    found = SourceHealth(source, ("registration",), 1, world.DAY, Rows(), 0, 0, stated, (), len(stated))
    latest = found.latest
    assert isinstance(latest, Expected)
    assert latest.published_to == max(each.published_to for each in stated)
    wait = (latest.next_due - latest.published_to).days - lag
    assert {1: 28, 3: 90, 12: 365}[grain.months] <= wait <= {1: 31, 3: 92, 12: 366}[grain.months]
    assert found.is_overdue(on=latest.next_due + timedelta(days=1))
    assert not found.is_overdue(on=latest.next_due)


# As known on a day


def test_a_day_in_the_past_shows_what_was_there_then(empty_engine: Engine) -> None:
    publish(empty_engine, [("DE", "month", "2026-01-01", 100)], known_on=date(2026, 2, 5))
    rows = [("DE", "month", "2026-01-01", 100), ("DE", "month", "2026-02-01", 200)]
    publish(empty_engine, rows, known_on=date(2026, 3, 5))
    before, then = of(empty_engine, as_of=date(2026, 2, 4)), of(empty_engine, as_of=date(2026, 2, 6))
    assert (before.last_snapshot, before.snapshots, before.figures, before.latest) == (None, 0, 0, None)
    assert (then.last_snapshot, then.snapshots, then.figures) == (date(2026, 2, 5), 1, 1)
    assert then.latest is not None
    assert then.latest.last_period == date(2026, 1, 1)
    assert (of(empty_engine).figures, of(empty_engine).snapshots) == (2, 2)


def test_a_file_that_is_its_own_history_is_as_old_as_its_newest_row_of_the_time(empty_engine: Engine) -> None:
    published = [date(2026, 2, 5), date(2026, 3, 5)]
    rows = claims([("DE", "month", "2026-01-01", 100), ("DE", "month", "2026-02-01", 200)])
    contents = Contents(
        sales=[(*row, day) for row, day in zip(rows, published, strict=True)],
        groups=(),
        makers={},
        models={},
        evidence={"cited": ("", "")},
        rows_read=2,
    )
    own = receipt(published[-1], obtained=Obtained.CURATED)
    with writing(empty_engine) as connection:
        store.load_dated(connection, source=MADE_UP, receipt=own, contents=contents)
    assert of(empty_engine).last_snapshot == date(2026, 3, 5)
    assert of(empty_engine, as_of=date(2026, 3, 4)).last_snapshot == date(2026, 2, 5)
    assert of(empty_engine, as_of=date(2026, 2, 4)).last_snapshot is None


# Rows that were left out


def test_the_rows_of_the_last_file_are_counted_by_what_became_of_them(empty_engine: Engine) -> None:
    first = [("DE", "month", "2026-01-01", 100)]
    publish(empty_engine, first, known_on=date(2026, 2, 5), rejected=[(7, "units", "x", "is no number")] * 4)
    publish(
        empty_engine,
        [*first, ("DE", "month", "2026-02-01", 200)],
        known_on=date(2026, 3, 5),
        rejected=[(9, "units", "-1", "is no number of cars")],
        out_of_scope=3,
        duplicate=5,
    )
    found = of(empty_engine)
    assert found.rows == Rows(accepted=2, rejected=1, out_of_scope=3, duplicate=5)
    assert found.rejected_rows == 5
    with empty_engine.connect() as connection:
        (row,) = rejected_rows(connection)
        assert (row.file, row.line, row.column, row.value) == ("figures.csv", 9, "units", "-1")
        assert len(rejected_rows(connection, as_of=date(2026, 2, 6))) == 4
        assert len(rejected_rows(connection, as_of=date(2026, 2, 6), limit=3)) == 3
    (entry,) = status(empty_engine, on=world.DAY)["sources"]
    assert entry["rows"] == {"accepted": 2, "rejected": 1, "out_of_scope": 3, "duplicate": 5}
    assert [each["reason"] for each in entry["rejections"]] == ["is no number of cars"]


def test_a_refused_file_counts_until_a_good_one_replaces_it(empty_engine: Engine) -> None:
    good = world.text("data/data-DE.js")
    load(empty_engine, good.replace(": 50", ": 0"), day=2)
    assert of(empty_engine).refused_files == 1
    load(empty_engine, good, day=3)
    assert of(empty_engine).refused_files == 0
    assert of(empty_engine, as_of=date(2026, 3, 2)).refused_files == 1
    with empty_engine.connect() as connection:
        (refused,) = refused_files(connection)
        assert refused.is_replaced
        assert refused_files(connection, as_of=date(2026, 3, 1)) == ()
    load(empty_engine, good.replace(": 50", ": -1"), day=4)
    assert of(empty_engine).refused_files == 1, "the good one came before it"


# Cross-checks


def test_cross_checks_come_with_what_was_stated_and_computed(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        connection.execute(
            insert(schema.cross_check), [{"rule": "sums", "meaning": "parts add up", "checked": 2, "differing": 1}]
        )
        found = {
            "id": 1,
            "rule": "sums",
            "source": "made-up",
            "market": "DE",
            "basis": "registration",
            "powertrain": "BEV",
            "maker": "all",
            "period_start": date(2026, 1, 1),
            "grain": "month",
            "stated": 300,
            "computed": 200,
            "note": "",
        }
        connection.execute(insert(schema.cross_check_difference), [found])
    with empty_engine.connect() as connection:
        (check,) = health.cross_checks(connection)
        (difference,) = check.differences
        assert (check.rule, check.checked) == ("sums", 2)
        assert (difference.stated, difference.computed, difference.period_start) == (300, 200, date(2026, 1, 1))


@pytest.mark.parametrize("day", [date(2024, 1, 1), date(2025, 1, 1), date(2026, 7, 24)])
def test_the_bundled_sources_never_claim_more_than_was_known(bundled_engine: Engine, day: date) -> None:
    with bundled_engine.connect() as connection:
        for each in source_health(connection, as_of=day):
            assert each.last_snapshot is None or each.last_snapshot <= day
            assert each.figures <= each.figures_all_vintages
