"""The same months against each other, and a season that is told only where the figures are whole enough for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard.charts.chart import DOWNLOAD_COLUMNS, Point, Reading
from dashboard.charts.seasonal_years import SEASONAL_YEARS
from dashboard.metrics import trend_and_season
from dashboard.selection import Incomparable, NotPublished, Refusal, Selection
from dashboard.style import LINE_END, PICTURE, SCREEN, SHEET, Figure, Look
from db.claims import Floats
from tests.dashboard.test_sales_lines import fill
from tests.world import cards

TODAY = date(2026, 7, 24)
NARROW = replace(SCREEN, height=320, font_px=12)

SEASON = (0.6, 0.8, 1.2, 0.9, 1.0, 1.2, 0.9, 0.9, 1.1, 1.0, 1.1, 1.3)
"""What a made-up season makes of each month."""


def read(engine: Engine, query: str = "") -> Reading:
    return cards.read(engine, SEASONAL_YEARS, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(SEASONAL_YEARS, reading, look)


def traces(figure: Figure) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in figure["data"] if "name" in trace}


def months(first: int, last: str, cars: int = 1000, growth: float = 0.0) -> dict[str, Mapping[str, int]]:
    """Every month from a January on with the made-up season, in each so much more than in the one before."""
    found: dict[str, Mapping[str, int]] = {}
    for n in range(12 * 20):
        period = f"{first + n // 12}-{n % 12 + 1:02d}"
        found[period] = {"Tesla": round(cars * SEASON[n % 12] * (1 + growth) ** n)}
        if period == last:
            return found
    raise ValueError(last)


# Trend and season


def planted(years: int, *, rate: float = 0.01, season: tuple[float, ...] = SEASON) -> tuple[Floats, Floats]:
    """Figures with a trend and a season that are known, and their trend."""
    n = np.arange(years * len(season))
    level = 1000 * (1 + rate) ** n
    factors = np.array(season) / np.exp(np.mean(np.log(season)))
    return np.asarray(level * factors[n % len(season)]), np.asarray(level)


def test_a_planted_trend_and_season_are_found() -> None:
    values, level = planted(6)
    parts = trend_and_season(values, per_year=12)
    factors = np.array(SEASON) / np.exp(np.mean(np.log(SEASON)))
    assert parts.trend == pytest.approx(level, rel=0.01)
    assert parts.season == pytest.approx(np.tile(factors, 6), rel=0.01)
    assert parts.adjusted == pytest.approx(level, rel=0.01)
    assert parts.usual_step < 0.005


def test_quarters_have_a_season_too() -> None:
    values, level = planted(6, rate=0.03, season=(0.7, 1.0, 1.1, 1.2))
    parts = trend_and_season(values, per_year=4)
    assert parts.trend == pytest.approx(level, rel=0.01)


def test_one_odd_month_bends_neither_trend_nor_season() -> None:
    values, level = planted(6)
    values[40] *= 3
    parts = trend_and_season(values, per_year=12)
    assert parts.trend == pytest.approx(level, rel=0.03)
    assert parts.remainder[40] == pytest.approx(3, rel=0.05)


@given(
    st.integers(4, 7),
    st.floats(-0.03, 0.03),
    st.lists(st.floats(0.5, 2.0), min_size=12, max_size=12),
)
@settings(max_examples=20, deadline=None)
def test_the_parts_always_multiply_to_the_figures(years: int, rate: float, season: list[float]) -> None:
    values, level = planted(years, rate=rate, season=tuple(season))
    parts = trend_and_season(values, per_year=12)
    assert parts.trend * parts.season * parts.remainder == pytest.approx(values, rel=1e-9)
    assert parts.trend == pytest.approx(level, rel=0.05)


@pytest.mark.parametrize("values", [planted(4)[0][:-1], np.append(planted(4)[0][:-1], np.nan), planted(4)[0] * 0])
def test_less_than_four_years_a_gap_and_nothing_have_no_season(values: Floats) -> None:
    with pytest.raises(ValueError, match="a season needs"):
        trend_and_season(values, per_year=12)


# Years


def test_years_lie_over_each_other_and_the_current_one_ends_where_figures_do(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": months(2025, "2026-03", cars=1000)})
    figure = drawn(read(empty_engine))
    years = traces(figure)
    assert list(years) == ["2025", "2026"]
    assert years["2025"]["x"] == list(range(1, 13))
    assert (years["2026"]["x"], years["2026"]["y"]) == ([1, 2, 3], [600, 800, 1200])
    assert years["2026"]["line"]["width"] > years["2025"]["line"]["width"]
    notes = figure["layout"]["annotations"]
    assert [note["text"] for note in notes if note.get("name") == LINE_END] == ["2025"]
    assert [(note["x"], note["y"]) for note in notes if note["text"] == "2026"] == [(3, 1200)]


def test_a_missing_month_is_a_gap(empty_engine: Engine) -> None:
    figures = months(2025, "2025-04")
    del figures["2025-02"]
    fill(empty_engine, {"DE": figures})
    year = traces(drawn(read(empty_engine)))["2025"]
    assert year["y"] == [600, None, 1200, 900]
    assert year["connectgaps"] is False


def test_six_years_are_drawn_and_all_are_in_the_download(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": months(2018, "2026-01")})
    reading = read(empty_engine)
    assert [name for name in traces(drawn(reading)) if name.isdigit()] == [str(year) for year in range(2021, 2027)]
    rows = SEASONAL_YEARS.rows(reading)
    assert len(rows) == 8 * 12 + 1
    assert tuple(rows.columns) == (*DOWNLOAD_COLUMNS, "trend", "season")
    assert set(rows["maker"]) == {"all"}


def test_january_and_february_are_one_place_in_china(empty_engine: Engine) -> None:
    fill(empty_engine, {"CN": months(2025, "2026-02"), "DE": months(2025, "2026-02")})
    figure = drawn(read(empty_engine, "market=CN"))
    year = traces(figure)["2026"]
    assert (year["x"], year["y"], year["text"]) == ([1.5], [700], ["Jan+Feb together 1,400"])
    assert figure["layout"]["xaxis"]["ticktext"][:2] == ["Jan+Feb", "Mar"]
    assert traces(drawn(read(empty_engine, "market=DE")))["2026"]["x"] == [1, 2]
    assert traces(drawn(read(empty_engine, "market=CN,DE")))["2026"]["x"] == [1.5]


def test_beside_china_other_markets_keep_their_months(empty_engine: Engine) -> None:
    fill(empty_engine, {"CN": months(2025, "2026-02"), "DE": months(2025, "2026-02")})
    reading = read(empty_engine, "market=CN,DE&by=market")
    layout = drawn(reading)["layout"]
    assert [layout[axis]["ticktext"][0] for axis in ("xaxis", "xaxis2")] == ["Jan+Feb", "Jan"]
    assert any(note.startswith("January and February of China are") for note in reading.notes)


def test_without_february_there_is_no_january_in_china(empty_engine: Engine) -> None:
    figures = months(2025, "2025-04")
    del figures["2025-02"]
    fill(empty_engine, {"CN": figures})
    assert traces(drawn(read(empty_engine, "market=CN")))["2025"]["x"] == [3, 4]


def test_both_months_are_the_receipts_of_the_place_that_they_share(empty_engine: Engine) -> None:
    fill(empty_engine, {"CN": months(2025, "2025-03")})
    reading = read(empty_engine, "market=CN")
    keys = traces(drawn(reading))["2025"]["customdata"]
    assert SEASONAL_YEARS.receipts is not None
    with empty_engine.connect() as connection:
        shared, march = (SEASONAL_YEARS.receipts(connection, reading, Point(*key)) for key in keys)
    assert sorted(shared["units"].tolist()) == [600, 800]
    assert march["units"].tolist() == [1200]


def test_quarters_are_drawn_where_no_months_are_published(empty_engine: Engine) -> None:
    quarters = {f"{year}-Q{n}": {"Tesla": 100 * n} for year in (2024, 2025) for n in (1, 2, 3, 4)}
    fill(empty_engine, {"US": quarters})
    reading = read(empty_engine, "market=US")
    figure = drawn(reading)
    assert traces(figure)["2025"]["y"] == [100, 200, 300, 400]
    assert figure["layout"]["xaxis"]["ticktext"] == ["Q1", "Q2", "Q3", "Q4"]
    assert "Drawn by quarter: no months are published." in reading.notes
    assert "Drawn by month: a year has no season." not in reading.notes


def test_an_unfinished_month_is_hollow_and_no_part_of_the_comparison(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": months(2025, "2026-06")},
        known_on=date(2026, 6, 20),
    )
    reading = read(empty_engine)
    assert traces(drawn(reading))["2026"]["marker"]["symbol"][-2:] == ["circle", "circle-open"]
    assert "Jan to May 2026" in reading.title


# Who


def test_the_total_is_drawn_unless_somebody_is_named(empty_engine: Engine) -> None:
    record = {"Tesla": 100, "BYD": 50}
    fill(empty_engine, {"DE": {"2025-01": record, "2026-01": {"Tesla": 150, "BYD": 75}}})
    assert read(empty_engine).title == "German BEVs: +50.0 % in Jan 2026 on a year before"
    assert traces(drawn(read(empty_engine)))["2026"]["y"] == [225]
    assert traces(drawn(read(empty_engine, "makers=byd")))["2026"]["y"] == [75]
    assert read(empty_engine, "makers=byd").title == "BYD, German BEVs: +50.0 % in Jan 2026 on a year before"


def test_several_have_a_panel_each_and_further_ones_are_named(empty_engine: Engine) -> None:
    record = {name: 100 * n for n, name in enumerate(("Audi", "BMW", "BYD", "Kia", "Tesla"), start=1)}
    fill(empty_engine, {"DE": {"2025-01": record, "2026-01": record}})
    reading = read(empty_engine, "makers=audi,bmw,byd,kia,tesla")
    figure = drawn(reading)
    assert len({trace["xaxis"] for trace in figure["data"]}) == 4
    assert "Not drawn: Audi; all are in the download." in reading.notes
    assert set(SEASONAL_YEARS.rows(reading)["maker"]) == {"audi", "bmw", "byd", "kia", "tesla"}


def test_a_set_of_markets_is_a_sum_or_panels_by_market(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2025-01": {"Tesla": 100}, "2026-01": {"Tesla": 200}}, "NO": {"2025-01": {"Tesla": 50}}},
    )
    together = read(empty_engine, "market=DE,NO")
    assert traces(drawn(together))["2025"]["y"] == [150], "2026 has no figure of Norway"
    assert together.title == "DE+NO BEVs: 150 in Jan 2025"
    assert SEASONAL_YEARS.rows(together)["market"].tolist() == ["DE+NO"]
    panels = read(empty_engine, "market=DE,NO&by=market")
    assert sorted(traces(drawn(panels))) == ["Germany 2025", "Germany 2026", "Norway 2025"]


# What is said


def test_growth_is_of_the_same_months_only(empty_engine: Engine) -> None:
    figures = months(2025, "2026-03") | {"2026-01": {"Tesla": 1200}, "2026-02": {"Tesla": 1600}}
    fill(empty_engine, {"DE": figures | {"2026-03": {"Tesla": 1100}}})
    # 1,200 + 1,600 + 1,100 against 600 + 800 + 1,200.
    assert read(empty_engine).title == "German BEVs: +50.0 % in Jan to Mar 2026 on a year before"


def test_without_the_same_months_nothing_is_compared(empty_engine: Engine) -> None:
    figures = months(2025, "2026-03")
    del figures["2025-02"]
    fill(empty_engine, {"DE": figures})
    assert read(empty_engine).title == "German BEVs: 1,200 in Mar 2026"


def test_growth_that_the_rest_leaves_open_is_a_range(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "DE": {
                "2025-01": {"Tesla|Model Y": 80, "other": 20},
                "2026-01": {"Tesla|Model Y": 150, "other": 10},
            }
        },
    )
    reading = read(empty_engine, "makers=tesla")
    assert reading.title == "Tesla, German BEVs: +50.0 % to +100.0 % in Jan 2026 on a year before"
    bands = [trace["y"] for trace in drawn(reading)["data"] if "name" not in trace]
    assert bands == [[150], [160]]
    assert reading.badge.amber


def test_waves_of_deliveries_are_told_where_they_are(empty_engine: Engine) -> None:
    wave = {f"2025-{n:02d}": {"Tesla": 200 if n % 3 == 0 else 100} for n in range(1, 13)}
    even = {f"2025-{n:02d}": {"Tesla": 120 if n % 3 == 0 else 100} for n in range(1, 13)}
    fill(empty_engine, {"DE": wave, "NO": even})
    said = "The last months of quarters have 2.0 times the mean of their first two: deliveries come in waves."
    assert said in read(empty_engine).notes
    assert not any("waves" in note for note in read(empty_engine, "market=NO").notes)


def test_a_trend_is_drawn_under_the_years_where_there_are_four(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": months(2022, "2026-03", growth=0.01), "NO": months(2023, "2026-03")})
    reading = read(empty_engine)
    trend = traces(drawn(reading))["Trend"]
    assert (trend["yaxis"], len(trend["x"])) == ("y2", 4 * 12 + 3)
    rows = SEASONAL_YEARS.rows(reading)
    assert rows["trend"].notna().all()
    assert rows["season"].iloc[0] == pytest.approx(0.6 / 0.98, rel=0.05)
    short = read(empty_engine, "market=NO")
    assert "Trend" not in traces(drawn(short))
    assert any(note.startswith("Trend and season are not worked out") for note in short.notes)
    assert SEASONAL_YEARS.rows(short)["trend"].isna().all()


def test_a_gap_or_an_open_figure_leaves_no_trend(empty_engine: Engine) -> None:
    gap = months(2021, "2026-03")
    del gap["2024-05"]
    fill(empty_engine, {"DE": gap})
    assert "Trend" not in traces(drawn(read(empty_engine)))
    open_ = {
        period: {"Tesla|Model Y": record["Tesla"], "other": 100} for period, record in months(2021, "2026-03").items()
    }
    fill(empty_engine, {"NO": open_})
    reading = read(empty_engine, "market=NO&makers=tesla")
    assert "Trend" not in traces(drawn(reading))
    assert any("leaves the figures open" in note for note in reading.notes)
    assert "Trend" in traces(drawn(read(empty_engine, "market=NO"))), "its total is exact"


def test_a_step_larger_than_noise_is_told_and_the_season_alone_is_not(empty_engine: Engine) -> None:
    usual = months(2020, "2026-06", cars=100_000)
    # Noise that comes round every five months is no season of twelve.
    noise = (1.03, 0.99, 1.0, 0.97, 1.01)
    noisy = {
        period: {"Tesla": round(record["Tesla"] * noise[n % 5])} for n, (period, record) in enumerate(usual.items())
    }
    odd = {**noisy, "2026-06": {"Tesla": 2 * noisy["2026-06"]["Tesla"]}}
    fill(empty_engine, {"DE": noisy, "NO": odd, "SE": usual})
    for market in ("DE", "SE"):
        title = read(empty_engine, f"market={market}").title
        assert "season removed" not in title, "June is a fifth above May, as every year"
    assert "season removed, Jun is " in read(empty_engine, "market=NO").title


def test_what_is_ignored_is_said(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": months(2025, "2026-03")})
    assert any("stands by itself" in note for note in read(empty_engine, "window=ttm").notes)
    assert "Drawn by month: a year has no season." in read(empty_engine, "grain=year").notes
    assert read(empty_engine, "measure=growth").title == read(empty_engine).title


def test_the_table_has_a_column_for_each_year(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": months(2025, "2026-02")})
    table = SEASONAL_YEARS.table(read(empty_engine))
    assert table.header == ("Period", "2026", "2025")
    assert table.rows[0] == ("Jan", "600", "600")
    assert table.rows[2] == ("Mar", "–", "1,200")


# Refusals


def refused(engine: Engine, query: str, kind: type[Refusal]) -> Selection | None:
    with pytest.raises(kind) as error:
        read(engine, query)
    if error.value.nearest is not None:
        read(engine, error.value.nearest.query(defaults=SEASONAL_YEARS.defaults))
    return error.value.nearest


def test_yearly_figures_have_no_season(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": months(2025, "2025-03"), "NO": {"2025-01": {"BYD": 1}}})
    found = refused(empty_engine, "makers=byd", NotPublished)
    assert found is not None
    assert found.makers == ()


def test_overlapping_markets_are_not_added_and_stand_side_by_side(bundled_engine: Engine) -> None:
    assert refused(bundled_engine, "market=DE,EU", Incomparable) is not None
    assert read(bundled_engine, "market=DE,EU&by=market").title


# The bundled figures


@pytest.mark.parametrize("look", [SCREEN, NARROW, PICTURE, SHEET, replace(SCREEN, theme="dark")])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "market=CN",
        "market=US",
        "market=DE,NO",
        "makers=tesla",
        "makers=tesla,byd,volkswagen",
        "as_of=2025-03-01",
        "by=model&makers=tesla",
        "market=CN&makers=tesla",
        "since=2026-06",
        "by=market&market=CN,DE,NO",
    ],
)
def test_real_figures_are_drawn_with_a_title_that_fits(bundled_engine: Engine, query: str, look: Look) -> None:
    reading = read(bundled_engine, query)
    figure = drawn(reading, look)
    assert any(y is not None for trace in figure["data"] for y in trace["y"])
    assert figure["layout"]["height"] == look.height
    assert 0 < len(reading.title) <= 90
    assert all(axis["range"][0] == 0 for name, axis in figure["layout"].items() if name.startswith("yaxis"))
    rows = SEASONAL_YEARS.rows(reading)
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["value"] <= rows["high"]).all()


def test_german_battery_cars_grew_in_the_first_half_of_2026(bundled_engine: Engine) -> None:
    assert read(bundled_engine, "until=2026-06").title == "German BEVs: +48.0 % in Jan to Jun 2026 on a year before"


def test_one_quarter_makes_no_wave(empty_engine: Engine) -> None:
    cars = {f"2025-{n:02d}": {"Tesla": 100} for n in range(1, 13)} | {"2025-03": {"Tesla": 9000}}
    fill(empty_engine, {"DE": cars})
    assert not any("waves" in note for note in read(empty_engine).notes)


def test_a_chinese_january_alone_is_no_year_so_far(empty_engine: Engine) -> None:
    fill(empty_engine, {"CN": {**months(2024, "2025-12"), "2026-01": {"Tesla": 10}}})
    assert "2025 on a year before" in read(empty_engine, "market=CN").title


def test_a_change_that_unnamed_cars_leave_open_is_no_finding(empty_engine: Engine) -> None:
    record = {f"{year}-01": {"Tesla|Model Y": 10 + year % 2, "BYD|Seal": 10, "other": 80} for year in (2025, 2026)}
    fill(empty_engine, {"DE": record})
    title = read(empty_engine, "makers=tesla").title
    assert title == "Tesla, German BEVs, Jan 2026: unnamed cars leave open whether they grew on a year before"
