"""A chart asks the database for no more than it shows, and shows the same as if it had asked for all there is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import pytest
from sqlalchemy import Engine

from dashboard import counted, sales_lines
from dashboard.charts.market_share import MEASURES
from dashboard.sales_lines import MarketFigures, market_figures
from dashboard.selection import Selection
from db import market_claims
from db.memory import MEMORY
from tests.dashboard.test_market_share import read
from tests.dashboard.test_sales_lines import fill, monthly

QUERIES = (
    "by=market&market=CN,DE,GB,NO&window=ttm",
    "by=market&market=CN,DE,FR,US&of=ALL&grain=quarter",
    "by=market&market=DE,FR,NO&makers=tesla,byd&window=ttm&of=ALL",
    "by=market&market=DE&grain=year&measure=growth",
    "market=CN&makers=byd,tesla&window=ttm",
    "market=CN&makers=byd&since=2025-02&window=3m",
    "market=DE&makers=tesla&powertrain=ALL&since=2024-01&until=2024-12",
    "market=GB&since=2023-05&grain=quarter",
    "market=GB&since=2024-01&measure=growth&window=ytd",
    "market=NO&by=model&makers=tesla&since=2025-01",
    "market=NO&models=tesla-model-y&by=model&window=ttm",
    "market=DE,NO&by=group&makers=volkswagen-group,geely-holding-group&window=ytd",
    "market=DE&by=group&since=2021-07&until=2022-06",
    "market=DE&until=2020-06&window=ttm",
    "market=DE&until=2020-06&as_of=2025-03-01&makers=tesla",
    "market=FR&since=2025-11&until=2025-12",
    "market=US&grain=quarter&since=2025-01&makers=tesla",
    "market=WORLD&basis=reported&measure=units&makers=tesla,byd&grain=quarter&since=2024-01",
    "market=CN&basis=wholesale&measure=units&makers=tesla",
    "market=CN&powertrain=NEV&basis=retail&by=market&measure=units",
)


def figures(engine: Engine, query: str) -> MarketFigures:
    with engine.connect() as connection:
        return market_figures(connection, Selection.from_query(query, defaults=Selection()), measures=MEASURES)


@pytest.mark.parametrize("query", QUERIES)
def test_the_figures_are_those_of_all_claims(
    bundled_engine: Engine, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = figures(bundled_engine, query)
    with monkeypatch.context() as everything:
        whole = sales_lines._claimed
        everything.setattr(
            sales_lines,
            "_claimed",
            lambda connection, selection, *, scope, **_: whole(connection, selection, scope=scope),
        )
        of_all = figures(bundled_engine, query)
    if "since" in query:
        assert len(asked.dataset.frame) < len(of_all.dataset.frame)
    assert asked.start.tolist() == of_all.start.tolist()
    assert asked.reach == of_all.reach
    assert asked.unfinished.tolist() == of_all.unfinished.tolist()
    assert [cited.slug for cited in asked.dataset.citations] == [cited.slug for cited in of_all.dataset.citations]
    assert len(asked.lines) == len(of_all.lines) > 0
    for one, other in zip(asked.lines, of_all.lines, strict=True):
        assert (one.market, one.maker, one.model, one.name, one.basis) == (
            other.market,
            other.maker,
            other.model,
            other.name,
            other.basis,
        )
        for name in ("value", "low", "high", "units", "named", "known"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def years(first: int, last: int) -> dict[str, Mapping[str, int]]:
    """Every month of some years with Tesla at 100 cars and BYD at 50."""
    return {
        period: record
        for year in range(first, last + 1)
        for period, record in monthly(year, {"Tesla": 100, "BYD": 50}).items()
    }


def test_periods_before_the_range_are_not_read_and_of_later_ones_the_newest_two_years(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": years(2019, 2025)})
    with empty_engine.connect() as connection:
        frame = market_claims.sales_figures(
            connection,
            markets=["DE"],
            bases=["registration"],
            powertrains=["BEV"],
            first=date(2020, 1, 1),
            last=date(2020, 12, 1),
        ).frame
    assert sorted({month // 12 for month in frame["month"]}) == [2020, 2024, 2025]


@pytest.mark.parametrize("first_year", [2010, 2020])
def test_rows_read_do_not_grow_with_the_years_that_are_not_shown(empty_engine: Engine, first_year: int) -> None:
    fill(empty_engine, {"DE": years(first_year, 2025)})
    found = figures(empty_engine, "since=2025-07&until=2025-12")
    assert len(found.dataset.frame) == 24, "two makers in the twelve months of 2025"


def test_that_a_range_names_nobody_is_said_of_the_range_alone(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "DE": {"2023-12": {"Tesla": 100}, "2025-01": {"other": 70}},
            "FR": {"2023-12": {"Tesla": 100}, "2025-01": {"Tesla": 70}},
        },
    )
    reading = read(empty_engine, "market=DE,FR&by=market&makers=tesla&since=2025-01")
    assert "Since 2025 only totals are published for Germany: no makers." in reading.notes
    reading = read(empty_engine, "market=DE,FR&by=market&makers=tesla")
    assert "After Dec 2023 only totals are published for Germany: no makers." in reading.notes


def test_every_day_between_two_changes_of_a_market_is_the_first_of_them(bundled_engine: Engine) -> None:
    with bundled_engine.connect() as connection:
        of = market_claims.told(connection, ["CN", "DE", "US", "SC"])
    assert len(of) == 4
    days = [date(2019, 1, 1) + timedelta(days=97 * n) for n in range(40)]
    for told in of.values():
        first = {told.became_known(day) for day in days}
        assert 1 < len(first) < len(days)
        for day in [*days, None, date.max]:
            since = told.became_known(day)
            assert day is None or since <= day or not told.stood(day).any()
            assert (told.stood(since) == told.stood(day)).all()


@pytest.mark.parametrize("query", QUERIES)
def test_the_figures_of_markets_with_a_long_history_are_the_same(
    bundled_engine: Engine, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for asked in (query, query if "as_of" in query else f"{query}&as_of=2026-05-14"):
        one = figures(bundled_engine, asked)
        with monkeypatch.context() as long:
            long.setattr(market_claims, "LONG", -1)
            other = figures(bundled_engine, asked)
        assert all(of.told.stood(of.asked.as_of).all() for of in other.dataset.markets.values())
        assert [line.name for line in other.lines] == [line.name for line in one.lines]
        for mine, theirs in zip(other.lines, one.lines, strict=True):
            for name in ("value", "low", "high", "named", "known"):
                np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
        assert other.dataset.citations == one.dataset.citations


def test_of_a_long_history_no_more_is_read_than_stood_on_the_day(
    bundled_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def claimed(as_of: date) -> list[tuple[str, int, float, int]]:
        with bundled_engine.connect() as connection:
            found = market_claims.sales_figures(
                connection, markets=["CN"], bases=["retail"], powertrains=["BEV"], as_of=as_of
            ).claims
        columns = found.maker.texts(), found.month.tolist(), found.units.tolist(), found.known_from.tolist()
        return sorted(zip(*columns, strict=True))

    with bundled_engine.connect() as connection:
        told = market_claims.told(connection, ["CN"])["CN"]
    changed = [date(1970, 1, 1) + timedelta(days=day) for day in told.days.tolist()]
    days = sorted({day + timedelta(days=more) for day in (changed[0], *changed[-8:]) for more in (-1, 0, 1)})
    wanted = [claimed(day) for day in days]
    assert len({len(each) for each in wanted}) > 3, "something changed on some of them"
    monkeypatch.setattr(market_claims, "LONG", -1)
    assert [claimed(day) for day in days] == wanted


def test_two_days_on_which_the_same_was_known_are_worked_out_once(
    bundled_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bundled_engine.connect() as connection:
        told = market_claims.told(connection, ["DE"])["DE"]
    since = told.became_known(date(2026, 7, 1))
    assert since < date(2026, 7, 1)
    MEMORY.forget()
    one = figures(bundled_engine, f"market=DE&as_of={since}")
    monkeypatch.setattr(counted, "records", lambda *_, **__: pytest.fail("it was worked out again"))
    other = figures(bundled_engine, "market=DE&as_of=2026-07-01")
    assert [line.value.tolist() for line in other.lines] == [line.value.tolist() for line in one.lines]
    assert (one.dataset.as_of, other.dataset.as_of) == (since, date(2026, 7, 1))
