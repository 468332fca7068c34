"""Makers' own figures: told in months, quarters and years by several files, never counted twice, never a market."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard.charts.chart import Point, Reading
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.panels import own_panel, own_rows
from dashboard.selection import Incomparable, Measure, NotPublished, Refusal
from dashboard.style import SCREEN
from db.claims import GRAIN_MONTHS, Claims
from db.vocabulary import ALL, States
from tests.dashboard.test_precedence import state
from tests.dashboard.test_sales_lines import ask, line, periods
from tests.world import cards

TODAY = date(2026, 7, 24)
FIRST = 2024 * 12
TESLA = ("tesla", ALL)
SOURCES = ("alpha", "beta", "gamma")


def read(engine: Engine, query: str) -> Reading:
    return cards.read(engine, MARKET_SHARE, query, today=TODAY)


def claims(rows: list[tuple[str, str, int, int]]) -> Claims:
    """Tesla's own figures: source, grain, first month, units."""
    sources, grains, months, units = zip(*rows, strict=True)
    constant = {"basis": "delivery", "market": "WORLD", "powertrain": "BEV", "maker": "tesla", "model": ALL}
    frame = pd.DataFrame({"source": pd.Categorical(sources, categories=SOURCES), "grain": grains, **constant})
    numbers = {"month": months, "units": np.array(units, dtype=np.float64), "known_from": 1, "evidence_id": 1}
    return Claims.of(frame.astype(dict.fromkeys((*constant, "grain"), "category")).assign(**numbers))


# Property: whatever mixture tells a span, its figure is the sum of its months


Cell = tuple[str, str, int]
"""Source, grain and first month of a figure."""


@st.composite
def cells(draw: st.DrawFn) -> list[Cell]:
    """Which periods of three years are told, by whom: months, quarters and years, overlapping and with gaps."""
    found: list[Cell] = []
    for source in SOURCES:
        for grain, length in GRAIN_MONTHS.items():
            starts = list(range(FIRST, FIRST + 36, length))
            some = draw(st.sets(st.sampled_from(starts)))
            whole = draw(st.booleans()) and length < 12
            found += [(source, grain, start) for start in (starts if whole else sorted(some))]
    return found or [("alpha", "month", FIRST)]


def fillings(spans: set[tuple[int, int]], opening: int, end: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """Every way to lay told periods end to end from one month to another, tried one by one."""
    if opening == end:
        yield ()
    for start, length in spans:
        if start == opening and start + length <= end:
            for rest in fillings(spans, start + length, end):
                yield ((start, length), *rest)


WINDOWS = st.sampled_from([("month", 3), ("month", 12), ("month", "ytd"), ("month", "grain"), ("quarter", 12),
                           ("quarter", "grain"), ("quarter", "ytd"), ("year", "grain")])  # fmt: skip


def opening_of(label: int, grain: str, window: int | str) -> int:
    """The first month of the window of a period."""
    if window == "ytd":
        return label - label % 12
    return label + GRAIN_MONTHS[grain] - (GRAIN_MONTHS[grain] if window == "grain" else int(window))


@given(told=cells(), truth=st.lists(st.integers(1, 9), min_size=36, max_size=36), how=WINDOWS)
def test_a_window_is_the_sum_of_its_months_whatever_mixture_tells_them(
    told: list[Cell], truth: list[int], how: tuple[str, int | str]
) -> None:
    grain, window = how
    frame = claims(
        [
            (source, kind, start, sum(truth[start - FIRST : start - FIRST + GRAIN_MONTHS[kind]]))
            for source, kind, start in told
        ]
    )
    of = own_panel(frame, entity=TESLA, ranks=[10, 20, 30], grain=grain, window=window)
    found = dict(zip(of.start.tolist(), of.low[:, 0].tolist(), strict=True))
    spans = {(start, GRAIN_MONTHS[kind]) for _, kind, start in told}
    expected = {}
    for label in range(FIRST, FIRST + 36, GRAIN_MONTHS[grain]):
        end, opening = label + GRAIN_MONTHS[grain], opening_of(label, grain, window)
        fits = (next(fillings(spans, first, end), None) is not None for first in (label, opening))
        if opening >= FIRST and all(fits):
            expected[label] = float(sum(truth[opening - FIRST : end - FIRST]))
    assert found == expected
    assert of.high.tolist() == of.low.tolist()


@given(told=cells(), data=st.data())
def test_a_span_is_told_by_periods_that_fill_it_once_and_by_the_best_source_where_it_can(
    told: list[Cell], data: st.DataObject
) -> None:
    ranks = data.draw(st.permutations([10, 20, 30]))
    start = data.draw(st.sampled_from(range(FIRST, FIRST + 25)))
    span = range(start, start + 12)
    frame = claims([(*cell, data.draw(st.integers(1, 99))) for cell in told])
    rows = own_rows(frame, entity=TESLA, ranks=ranks, span=span)
    told_by = zip(rows.month.tolist(), rows.grain.texts(), strict=True)
    months = [month for first, kind in told_by for month in range(first, first + GRAIN_MONTHS[kind])]
    assert sorted(months) in ([], list(span)), "each month once, or nothing"
    best = SOURCES[ranks.index(10)]
    of_best = {(first, GRAIN_MONTHS[kind]) for source, kind, first in told if source == best}
    if next(fillings(of_best, span.start, span.stop), None) is not None:
        assert set(rows.source.texts()) == {best}


def test_a_year_of_its_own_stands_where_a_month_is_missing() -> None:
    rows = [("alpha", "month", FIRST + n, 10) for n in range(11)] + [("beta", "year", FIRST, 125)]
    year = own_panel(claims(rows), entity=TESLA, ranks=[10, 20, 30], grain="year", window="grain")
    assert year.low[:, 0].tolist() == [125]
    months = own_panel(claims(rows), entity=TESLA, ranks=[10, 20, 30], grain="month", window="grain")
    assert months.low[:, 0].tolist() == [10] * 11, "and its December is not made up of it"


def test_a_preliminary_quarter_of_a_worse_source_is_not_added_to_the_year() -> None:
    rows = [("alpha", "year", FIRST, 100), *(("beta", "quarter", FIRST + n, 24) for n in (0, 3, 6, 9))]
    for ranks, units in (([10, 20, 30], 100), ([20, 10, 30], 96), ([10, 10, 30], 96)):
        of = own_panel(claims(rows), entity=TESLA, ranks=ranks, grain="year", window="grain")
        assert of.low[:, 0].tolist() == [units]


# Nested figures


def test_a_makers_total_beside_its_models_counts_once(empty_engine: Engine) -> None:
    rows = [("2025-Q1", "tesla", 300), ("2025-Q1", "tesla|Model 3", 200), ("2025-Q1", "tesla|Model Y", 100)]
    state(empty_engine, "own", *rows, states=States.MAKERS, market="WORLD", basis="delivery")
    query = "market=WORLD&basis=delivery&measure=units&grain=quarter"
    assert line(ask(empty_engine, query), "tesla").value.tolist() == [300]
    reading = read(empty_engine, query)
    with empty_engine.connect() as connection:
        assert MARKET_SHARE.receipts is not None
        behind = MARKET_SHARE.receipts(connection, reading, Point("WORLD", "tesla", ALL, 2025 * 12))
    assert behind["units"].tolist() == [300]


def test_a_makers_total_beside_its_models_counts_once_in_a_market_record_too(empty_engine: Engine) -> None:
    rows = [("2025-01", "tesla", 300), ("2025-01", "tesla|Model 3", 200), ("2025-01", "byd|Seal", 100)]
    state(empty_engine, "office", *rows, ("2025-01", "other", 100))
    shares = ask(empty_engine, "market=KR")
    assert {each.maker: each.value.tolist() for each in shares.lines} == {
        "tesla": [0.6],
        "byd": [0.2],
        "other": [0.2],
    }


def test_model_s_and_x_beside_their_sum_are_lines_and_never_added(empty_engine: Engine) -> None:
    rows = [("2025-Q1", "tesla|Model S/X", 30), ("2025-Q1", "tesla|Model S", 20), ("2025-Q1", "tesla|Model X", 10)]
    many = [("2025-Q1", f"tesla|Model {n}", 100 + n) for n in range(8)]
    state(empty_engine, "own", *rows, *many, states=States.MAKERS, market="WORLD", basis="delivery")
    query = "market=WORLD&basis=delivery&measure=units&grain=quarter&by=model"
    reading = read(empty_engine, query)
    assert "Not drawn: 4 others; all are in the download." in reading.notes
    assert not any("together" in note for note in reading.notes)
    names = MARKET_SHARE.draw(reading, SCREEN)["data"][0]["y"]
    assert len(names) == 7, "no bar of a sum"
    with pytest.raises(Refusal):
        ask(empty_engine, f"{query.replace('units', 'share')}")


def test_overseas_is_inside_the_world_and_never_beside_it(empty_engine: Engine) -> None:
    for market, units in (("WORLD", 300), ("OVERSEAS", 100)):
        state(empty_engine, market.lower(), ("2026-01", "byd", units), states=States.MAKERS, market=market,
              basis="wholesale")  # fmt: skip
    with pytest.raises(Incomparable, match="count cars twice"):
        ask(empty_engine, "market=OVERSEAS,WORLD&basis=wholesale&measure=units")


# Makers' own figures make no market


@pytest.fixture
def headlines(empty_engine: Engine) -> Engine:
    """Tesla delivers 100 a quarter, BYD wholesales 300 and says how many of them are plug-in hybrids."""
    for slug, maker, units, basis in (("t", "tesla", 100, "delivery"), ("b", "byd", 300, "wholesale")):
        rows = [(f"{year}-Q{n}", maker, units * (year - 2023)) for year in (2024, 2025) for n in (1, 2, 3, 4)]
        state(empty_engine, slug, *rows, states=States.MAKERS, market="WORLD", basis=basis)
    state(empty_engine, "b2", ("2025-Q4", "byd", 50), states=States.MAKERS, market="WORLD", basis="wholesale",
          powertrain="PHEV")  # fmt: skip
    return empty_engine


REPORTED = "market=WORLD&basis=reported"


@pytest.mark.parametrize("measure", [Measure.SHARE, Measure.RANK, Measure.HHI])
@pytest.mark.parametrize("more", ["", "&makers=tesla", "&window=ttm", "&by=market", "&by=group", "&of=ALL"])
def test_headline_figures_have_no_share_rank_or_concentration(headlines: Engine, measure: Measure, more: str) -> None:
    with pytest.raises(Incomparable, match="Tesla's deliveries, BYD's sales to dealers") as refused:
        ask(headlines, f"{REPORTED}&grain=quarter&measure={measure}{more}")
    nearest = refused.value.nearest
    assert nearest is not None
    assert nearest.measure is Measure.UNITS


@pytest.mark.parametrize("by", ["market", "group"])
@pytest.mark.parametrize("makers", ["", "&makers=byd,tesla"])
def test_headline_figures_have_no_sum(headlines: Engine, by: str, makers: str) -> None:
    with pytest.raises(Incomparable, match="cannot be summed"):
        ask(headlines, f"{REPORTED}&measure=units&by={by}&grain=quarter{makers}")


@pytest.mark.parametrize("query", ["", "&window=ttm", "&window=ytd", "&since=2025-10", "&makers=byd,tesla"])
def test_headlines_stand_side_by_side_each_with_its_basis(headlines: Engine, query: str) -> None:
    reading = read(headlines, f"{REPORTED}&measure=units&grain=quarter{query}")
    assert [each.name for each in reading.content.lines] == ["BYD (wholesale)", "Tesla (deliveries)"]
    assert "BYD (wholesale)" in reading.title
    assert "Tesla (deliveries)" in reading.title
    assert any(note.startswith("Unlike bases (delivery and wholesale)") for note in reading.notes)
    rows = MARKET_SHARE.rows(reading)
    assert dict(zip(rows["maker"], rows["basis"], strict=True)) == {"byd": "wholesale", "tesla": "delivery"}
    assert MARKET_SHARE.table(reading).header == ("Period", "BYD (wholesale)", "Tesla (deliveries)")


def test_a_headlines_growth_is_each_makers_own(headlines: Engine) -> None:
    figures = ask(headlines, f"{REPORTED}&measure=growth&grain=quarter")
    assert periods(figures) == ["2025-01", "2025-04", "2025-07", "2025-10"]
    assert {each.maker: set(each.value.tolist()) for each in figures.lines} == {"byd": {1.0}, "tesla": {1.0}}


def test_headlines_of_all_cars_are_refused_with_the_powertrains_that_there_are(headlines: Engine) -> None:
    with pytest.raises(NotPublished, match="no maker states all cars") as refused:
        ask(headlines, f"{REPORTED}&measure=units&powertrain=ALL&grain=quarter")
    assert "BEV, PHEV and NEV are available" in str(refused.value)
    assert refused.value.nearest is not None


def test_a_day_before_the_first_headline_is_explained_with_it(headlines: Engine) -> None:
    with pytest.raises(NotPublished, match="the first day as known that can be shown is 2026-03-01"):
        ask(headlines, f"{REPORTED}&measure=units&grain=quarter&as_of=2020-01-01")


def test_smaller_headlines_are_never_put_together(empty_engine: Engine) -> None:
    for n in range(9):
        state(empty_engine, f"s{n}", ("2026-01", f"maker{n}", 100 + n), states=States.MAKERS, market="WORLD",
              basis="delivery" if n % 2 else "wholesale")  # fmt: skip
    reading = read(empty_engine, f"{REPORTED}&measure=units")
    assert not any("together" in note for note in reading.notes)
    bars = MARKET_SHARE.draw(reading, SCREEN)["data"][1]["x"]
    assert bars == [108, 107, 106, 105, 104, 103, 102]
    assert len(MARKET_SHARE.rows(reading)) == 9


@pytest.mark.parametrize("basis", ["delivery", "wholesale", "production", "export", "retail", "insurance"])
@pytest.mark.parametrize("measure", ["share", "units", "growth"])
def test_no_maker_leads_by_its_own_figures(empty_engine: Engine, basis: str, measure: str) -> None:
    years = ("2025", "2026")
    state(empty_engine, "office", *((f"{year}-01", "all", 900) for year in years), basis=basis)
    own = [(f"{year}-01", maker, units) for year in years for maker, units in (("tesla", 600), ("byd", 100))]
    state(empty_engine, "own", *own, basis=basis, states=States.MAKERS)
    title = read(empty_engine, f"market=KR&basis={basis}&measure={measure}").title
    assert "leads" not in title
    assert "Tesla" in title


@pytest.mark.parametrize("basis", ["delivery", "wholesale", "production", "export", "retail"])
def test_makers_own_figures_are_no_line_of_a_market(empty_engine: Engine, basis: str) -> None:
    state(empty_engine, "own", ("2026-01", "tesla", 100), ("2026-01", "byd", 200), basis=basis, states=States.MAKERS)
    for query in ("by=market&measure=units", "by=market&measure=growth", "by=market", ""):
        with pytest.raises(Incomparable, match="add up to no market") as refused:
            ask(empty_engine, f"market=KR&basis={basis}&{query}")
        nearest = refused.value.nearest
        assert nearest is not None
        assert nearest.measure is Measure.UNITS


# The real figures, known by heart


def test_teslas_years_are_the_sums_of_its_quarters(bundled_engine: Engine) -> None:
    query = f"{REPORTED}&measure=units&makers=tesla&grain=quarter&window=ttm"
    figures = ask(bundled_engine, query)
    by_period = dict(zip(periods(figures), line(figures, "tesla").value.tolist(), strict=True))
    assert (by_period["2023-10"], by_period["2024-10"], by_period["2025-10"]) == (1_808_581, 1_789_226, 1_636_129)


def test_byd_from_january_to_august_2023(bundled_engine: Engine) -> None:
    figures = ask(bundled_engine, f"{REPORTED}&measure=units&makers=byd&window=ytd&since=2023-08&until=2023-08")
    assert line(figures, "byd").value.tolist() == [897_220]


@pytest.mark.parametrize(
    "query",
    [
        "basis=reported&grain=quarter&window=ttm",
        "basis=reported&powertrain=NEV&grain=year",
        "basis=reported&powertrain=NEV&window=ttm",
        "basis=wholesale&grain=year",
        "basis=delivery&by=model&grain=quarter",
        "basis=production&by=model&grain=year",
    ],
)
def test_the_claims_behind_makers_own_figures_add_up_to_them(bundled_engine: Engine, query: str) -> None:
    reading = read(bundled_engine, f"market=WORLD&measure=units&{query}")
    figures = reading.content.figures
    assert MARKET_SHARE.receipts is not None
    with bundled_engine.connect() as connection:
        for each in figures.lines:
            for at in np.flatnonzero(~np.isnan(each.value))[-2:]:
                point = Point(each.market, each.maker, each.model, int(figures.start[at]))
                assert MARKET_SHARE.receipts(connection, reading, point)["units"].sum() == each.value[at], point
