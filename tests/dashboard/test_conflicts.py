"""Where sources contradict each other: what is compared, what is rounding, and what is said where nothing differs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard.charts.chart import DOWNLOAD_COLUMNS, Reading
from dashboard.charts.conflicts import CONFLICTS
from dashboard.conflicts import Pair, compared
from dashboard.downloads import csv_text
from dashboard.selection import InvalidSelection
from dashboard.style import PICTURE, SCREEN, Figure, Look
from db.provenance import Citation
from db.vocabulary import ALL, OTHER, States
from tests.db.test_vintages import ALPHA, BETA, FEBRUARY, JANUARY, MARCH, publish, transcribe
from tests.db.test_vintages import Figure as Published
from tests.world import cards

TODAY = date(2026, 7, 24)
IEA = replace(BETA, slug="iea-global-ev-data", title="Rounded table")


def read(engine: Engine, query: str = "market=DE") -> Reading:
    return cards.read(engine, CONFLICTS, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(CONFLICTS, reading, look)


def months(name: str, *units: int, year: int = 2025) -> list[Published]:
    return [(name, f"{year}-{month:02d}", cars) for month, cars in enumerate(units, start=1)]


def flags(reading: Reading) -> list[tuple[str, str, float, float, str]]:
    """Maker, kind, the chosen figure, the other, and what becomes of the pair."""
    rows = CONFLICTS.rows(reading)
    columns = ["maker", "kind", "value", "other_value", "flags"]
    return list(rows[columns].itertuples(index=False, name=None))


# What is compared


def test_the_source_that_comes_first_is_chosen_and_the_other_one_shown(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025", 110), ("byd", "2025", 200)], source=BETA)
    publish(empty_engine, JANUARY, [("tesla", "2025", 100), ("byd", "2025", 200)], source=ALPHA)
    reading = read(empty_engine, "market=DE&makers=tesla,byd")
    assert flags(reading) == [("byd", "same cell", 200, 200, "agrees"), ("tesla", "same cell", 100, 110, "differs")]
    assert set(CONFLICTS.rows(reading)["source"]) == {"alpha;beta"}
    assert reading.title == "Sources differ on 1 of 2 figures of German BEVs by +10.0 % (Tesla 2025)"
    assert "1 of 2 cells that two sources state differ" in reading.subtitle


def test_twelve_months_are_compared_with_the_year(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, months("tesla", *[100] * 12))
    publish(empty_engine, JANUARY, [("tesla", "2025", 1260)], source=BETA)
    assert flags(read(empty_engine, "market=DE&makers=tesla")) == [("tesla", "sum of months", 1200, 1260, "differs")]


def test_a_sum_that_lacks_a_month_is_none(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, months("tesla", *[100] * 11))
    publish(empty_engine, JANUARY, [("tesla", "2025", 1260)], source=BETA)
    reading = read(empty_engine)
    assert flags(reading) == []
    assert reading.title == "No figure of German BEVs is stated by two sources"


def test_quarters_are_compared_with_the_year_and_months_with_quarters(empty_engine: Engine) -> None:
    quarters = [("tesla", f"2025-Q{n}", 100) for n in range(1, 5)]
    publish(empty_engine, JANUARY, quarters)
    publish(empty_engine, JANUARY, [("tesla", "2025", 404)], source=BETA)
    assert flags(read(empty_engine, "market=DE&makers=tesla")) == [("tesla", "sum of quarters", 400, 404, "differs")]
    gamma = replace(BETA, slug="gamma", precedence=300)
    publish(empty_engine, JANUARY, months("tesla", 30, 30, 30), source=gamma)
    kinds = {kind for _, kind, *_ in flags(read(empty_engine, "market=DE&makers=tesla&until=2025-03"))}
    assert kinds == {"sum of months"}


def test_two_sums_are_not_compared(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, months("tesla", *[100] * 12))
    publish(empty_engine, JANUARY, [("tesla", f"2025-Q{n}", 200) for n in range(1, 5)], source=BETA)
    kinds = {(row["grain"], row["kind"]) for row in CONFLICTS.rows(read(empty_engine)).to_dict("records")}
    assert kinds == {("quarter", "sum of months")}, "each quarter, and no year that nobody states"


def test_the_total_of_an_itemised_record_is_what_it_holds(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025", 100), ("byd", "2025", 200), (OTHER, "2025", 50)])
    publish(empty_engine, JANUARY, [(ALL, "2025", 357)], source=BETA)
    assert flags(read(empty_engine)) == [("all", "same cell", 350, 357, "differs")]


def test_single_makers_own_figures_add_up_to_no_total(empty_engine: Engine) -> None:
    makers = replace(ALPHA, states=States.MAKERS)
    publish(empty_engine, JANUARY, [("tesla", "2025", 100), ("byd", "2025", 200)], source=makers)
    publish(empty_engine, JANUARY, [(ALL, "2025", 357)], source=BETA)
    assert flags(read(empty_engine)) == []


def test_two_unnamed_rests_are_not_about_the_same_cars(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025", 100), (OTHER, "2025", 200), ("byd other", "2025", 30)])
    rest = [("tesla", "2025", 100), (OTHER, "2025", 100), ("byd other", "2025", 130)]
    publish(empty_engine, JANUARY, rest, source=BETA)
    assert flags(read(empty_engine)) == [
        ("all", "same cell", 330, 330, "agrees"),
        ("tesla", "same cell", 100, 100, "agrees"),
    ]


def test_both_powertrains_are_compared_with_their_published_sum(empty_engine: Engine) -> None:
    for powertrain, units in (("BEV", 100), ("PHEV", 60)):
        publish(empty_engine, JANUARY, [(ALL, "2025", units)], powertrain=powertrain, file=f"{powertrain}.csv")
    publish(empty_engine, JANUARY, [(ALL, "2025", 200)], powertrain="BEV+PHEV", source=BETA)
    reading = read(empty_engine, "market=DE&powertrain=NEV")
    assert flags(reading) == [("all", "sum of powertrains", 160, 200, "differs")]
    assert reading.title == "Sources differ on 1 of 1 figures of German NEVs by +25.0 % (2025)"


def test_unlike_bases_are_never_compared(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025", 100)], basis="retail")
    publish(empty_engine, JANUARY, [("tesla", "2025", 200)], basis="wholesale", source=BETA)
    for basis in ("retail", "wholesale"):
        assert flags(read(empty_engine, f"market=DE&basis={basis}")) == []


def test_a_day_in_the_past_compares_what_stood_then(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025", 100)])
    publish(empty_engine, MARCH, [("tesla", "2025", 110)])
    publish(empty_engine, FEBRUARY, [("tesla", "2025", 110)], source=BETA)
    then = read(empty_engine, "market=DE&makers=tesla&as_of=2026-02-20")
    assert flags(then) == [("tesla", "same cell", 100, 110, "differs")]
    assert flags(read(empty_engine, "market=DE&makers=tesla")) == [("tesla", "same cell", 110, 110, "agrees")]
    assert flags(read(empty_engine, "market=DE&as_of=2026-02-01")) == []


# Rounding


@pytest.mark.parametrize(
    ("exact", "rounded", "flag"),
    [
        (4_250_001, 4_300_000, "rounding"),
        (4_349_999, 4_300_000, "rounding"),
        (4_300_000, 4_300_000, "agrees"),
        (4_200_000, 4_300_000, "differs"),
        (4_290, 4_000, "differs"),
        (4_040, 4_000, "rounding"),
        (7, 8, "differs"),
        (4_320_001, 4_310_000, "differs"),
    ],
)
def test_what_rounding_explains_is_no_conflict(empty_engine: Engine, exact: int, rounded: int, flag: str) -> None:
    publish(empty_engine, JANUARY, [(ALL, "2025", exact)])
    publish(empty_engine, JANUARY, [(ALL, "2025", rounded)], source=IEA)
    ((*_, found),) = flags(read(empty_engine))
    assert found == flag


def test_the_roundings_of_parts_add_up(empty_engine: Engine) -> None:
    for powertrain, units in (("BEV", 9_500_000), ("PHEV", 4_300_000)):
        publish(
            empty_engine, JANUARY, [(ALL, "2025", units)], powertrain=powertrain, source=IEA, file=f"{powertrain}.csv"
        )
    publish(empty_engine, JANUARY, [(ALL, "2025", 13_890_000)], powertrain="BEV+PHEV")
    assert [flag for *_, flag in flags(read(empty_engine, "market=DE&powertrain=NEV"))] == ["rounding"]
    publish(empty_engine, FEBRUARY, [(ALL, "2025", 13_910_000)], powertrain="BEV+PHEV")
    assert [flag for *_, flag in flags(read(empty_engine, "market=DE&powertrain=NEV"))] == ["differs"]


def cited(*sources: tuple[str, int]) -> list[Citation]:
    return [
        Citation(
            slug=slug,
            title=slug,
            publisher=slug,
            url="",
            licence="",
            licence_url="",
            known_on=JANUARY,
            warning="",
            states="makers",
            precedence=precedence,
            lag_days=0,
        )
        for slug, precedence in sources
    ]


def frame(rows: Iterable[tuple[str, int, int]]) -> pd.DataFrame:
    """Yearly figures of one maker: source, year and cars."""
    return pd.DataFrame(
        [(slug, "DE", "registration", "BEV", "year", year * 12, "tesla", ALL, units, 1) for slug, year, units in rows],
        columns=[
            "source", "market", "basis", "powertrain", "grain", "month", "maker", "model", "units", "known_from",
        ],
    )  # fmt: skip


@given(
    alpha=st.dictionaries(st.integers(2015, 2025), st.integers(0, 10**7), min_size=1),
    beta=st.dictionaries(st.integers(2015, 2025), st.integers(0, 10**7), min_size=1),
)
def test_every_cell_of_two_sources_is_compared_once(alpha: dict[int, int], beta: dict[int, int]) -> None:
    rows = [(slug, *item) for slug, figures in (("alpha", alpha), ("beta", beta)) for item in figures.items()]
    pairs = compared(frame(rows), cited(("beta", 2), ("alpha", 1)))
    assert [pair.cell.month // 12 for pair in pairs] == sorted(alpha.keys() & beta.keys())
    for pair in pairs:
        year = pair.cell.month // 12
        assert (pair.chosen.units, pair.other.units) == (alpha[year], beta[year])
        assert pair.differs == (alpha[year] != beta[year])


def test_a_chosen_figure_of_zero_has_no_relative_difference() -> None:
    (pair,) = compared(frame([("alpha", 2025, 0), ("beta", 2025, 5)]), cited(("alpha", 1), ("beta", 2)))
    assert (pair.difference, pair.relative, pair.differs) == (5, None, True)


def test_three_sources_are_compared_two_by_two() -> None:
    rows = [("alpha", 2025, 100), ("beta", 2025, 110), ("gamma", 2025, 120)]
    pairs: tuple[Pair, ...] = compared(frame(rows), cited(("alpha", 1), ("beta", 2), ("gamma", 3)))
    assert {(pair.chosen.source, pair.other.source) for pair in pairs} == {
        ("alpha", "beta"),
        ("alpha", "gamma"),
        ("beta", "gamma"),
    }


# Words


def test_where_all_agree_it_is_said(empty_engine: Engine) -> None:
    for source in (ALPHA, BETA):
        publish(empty_engine, JANUARY, [("tesla", "2024", 100), ("tesla", "2025", 200)], source=source)
    reading = read(empty_engine, "market=DE&makers=tesla")
    assert reading.title == "Sources agree on all 2 figures of German BEVs that two of them state"
    assert not reading.badge.amber
    assert read(empty_engine, "market=DE&makers=tesla&since=2025-01").title == (
        "The one figure of German BEVs that two sources state agrees"
    )
    assert CONFLICTS.table(reading).rows == ()
    (trace,) = drawn(reading)["data"]
    assert trace["marker"]["symbol"] == ["circle-open"] * 2


def test_where_there_is_nothing_to_compare_it_is_said(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025", 100)])
    reading = read(empty_engine)
    assert reading.title == "No figure of German BEVs is stated by two sources"
    assert reading.badge.text == "nothing to compare"
    assert [cited.slug for cited in reading.citations] == ["alpha"]
    (note,) = drawn(reading)["layout"]["annotations"]
    assert note["text"].replace("<br>", " ") == reading.title + "."
    assert list(CONFLICTS.rows(reading).columns[: len(DOWNLOAD_COLUMNS)]) == list(DOWNLOAD_COLUMNS)
    assert csv_text(CONFLICTS.rows(reading)).count("\n") == 1


def test_the_title_names_the_largest_difference_in_proportion(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025", 1000), ("byd", "2024", 10)])
    publish(empty_engine, JANUARY, [("tesla", "2025", 1100), ("byd", "2024", 5)], source=BETA)
    reading = read(empty_engine, "market=DE&makers=tesla,byd")
    assert reading.title == "Sources differ on 2 of 2 figures of German BEVs, most by −50.0 % (Byd 2024)"
    assert reading.badge.amber


def test_several_markets_are_named(empty_engine: Engine) -> None:
    for market in ("DE", "FR"):
        publish(empty_engine, JANUARY, [(ALL, "2025", 100)], market=market, file=f"{market}.csv")
        publish(
            empty_engine,
            JANUARY,
            [(ALL, "2025", 100 + (market == "FR"))],
            market=market,
            source=BETA,
            file=f"{market}.csv",
        )
    reading = read(empty_engine, "market=DE,FR")
    assert reading.title == "Sources differ on 1 of 2 figures of BEVs in 2 markets by +1.0 % (France 2025)"
    assert CONFLICTS.table(reading).rows == (
        ("2025", "France", "All makers", "same cell", "100 (Alpha's table)", "101 (Beta's table)", "+1", "+1.0 %"),
    )


def test_the_download_spans_both_figures(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025", 110)])
    publish(empty_engine, FEBRUARY, [("tesla", "2025", 99)], source=BETA)
    (row,) = CONFLICTS.rows(read(empty_engine, "market=DE&makers=tesla")).to_dict("records")
    assert (row["low"], row["value"], row["high"]) == (99, 110, 110)
    assert (row["difference"], row["relative"]) == (-11, pytest.approx(-0.1))
    assert (row["source"], row["known_from"], row["grain"]) == ("alpha;beta", "2026-02-15", "year")


def test_a_maker_that_nobody_knows_is_refused(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025", 110)])
    with pytest.raises(InvalidSelection, match="makers=nobody"):
        read(empty_engine, "market=DE&makers=nobody")


# The plot


def test_each_pair_of_sources_has_a_row_and_older_periods_stand_above(empty_engine: Engine) -> None:
    years = ("2023", "2024", "2025")
    publish(empty_engine, JANUARY, [("tesla", year, 100) for year in years])
    publish(empty_engine, JANUARY, [("tesla", year, 110) for year in years], source=BETA)
    publish(empty_engine, JANUARY, [("tesla", "2024", 90)], source=replace(BETA, slug="gamma", title="Gamma"))
    figure = drawn(read(empty_engine, "market=DE&makers=tesla"))
    assert figure["layout"]["yaxis"]["ticktext"] == [
        "Beta's table<br>against Alpha's table",
        "Gamma<br>against Alpha's table",
        "Gamma<br>against Beta's table",
    ]
    (trace,) = figure["data"]
    of_beta = [y for x, y in zip(trace["x"], trace["y"], strict=True) if x > 0]
    assert of_beta == sorted(of_beta, reverse=True)
    assert len(of_beta) == 3
    low, high = figure["layout"]["yaxis"]["range"]
    assert all(low < y < high for y in trace["y"])


def test_a_difference_beyond_the_axis_is_marked_at_its_edge(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla", "2025", 1), ("byd", "2025", 0)])
    publish(empty_engine, JANUARY, [("tesla", "2025", 500), ("byd", "2025", 500)], source=BETA)
    reading = read(empty_engine, "market=DE&makers=tesla,byd")
    (trace,) = drawn(reading)["data"]
    assert trace["marker"]["symbol"] == ["triangle-right"] * 2
    assert max(trace["x"]) < drawn(reading)["layout"]["xaxis"]["range"][1]
    assert reading.title == "Sources differ on 2 of 2 figures of German BEVs, most by +500 cars (Byd 2025)"


def test_names_from_data_are_never_markup(empty_engine: Engine) -> None:
    for source, units in ((ALPHA, 100), (replace(BETA, title="<i>Beta</i>"), 110)):
        publish(empty_engine, JANUARY, [("<b>x</b>", "2025", units)], source=source)
    figure = json.dumps(drawn(read(empty_engine)), ensure_ascii=False).lower()
    assert "<b>" not in figure
    assert "<i>" not in figure


@pytest.mark.parametrize(
    "query",
    [
        "",
        "powertrain=NEV",
        "market=CN,DE,ES,FR,GB,NO,US",
        "basis=delivery",
        "basis=reported",
        "market=PT&powertrain=ALL",
    ],
)
@pytest.mark.parametrize("look", [SCREEN, PICTURE], ids=["screen", "picture"])
def test_real_data_are_drawn_as_plain_values_under_a_short_title(
    bundled_engine: Engine, query: str, look: Look
) -> None:
    reading = read(bundled_engine, query)
    assert len(reading.title) <= 90
    assert drawn(reading, look)["layout"]["height"] == look.height
    rows = CONFLICTS.rows(reading)
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["value"] <= rows["high"]).all()


def test_teslas_quarters_fall_short_of_three_published_years(bundled_engine: Engine) -> None:
    """First prints of quarters against years as restated: 300, 727 and 222 cars (DATA.md, section 3)."""
    rows = CONFLICTS.rows(read(bundled_engine, "basis=delivery&makers=tesla&since=2019-01&until=2025-12"))
    differing = rows[rows["flags"] == "differs"].set_index("period_start")["difference"].to_dict()
    assert differing == {"2019-01-01": 300, "2020-01-01": 727, "2021-01-01": 222}


def test_restated_years_are_compared_as_known_on_a_day(empty_engine: Engine) -> None:
    transcribe(empty_engine, [(JANUARY, ("tesla", "2025", 400)), (MARCH, ("tesla", "2025", 402))])
    quarters = [("tesla", f"2025-Q{n}", 100) for n in range(1, 5)]
    publish(empty_engine, JANUARY, quarters, market="WORLD", basis="delivery")
    then, now = (read(empty_engine, f"basis=delivery&makers=tesla{day}") for day in ("&as_of=2026-02-01", ""))
    assert [flag for *_, flag in flags(then)] == ["agrees"]
    assert [flag for *_, flag in flags(now)] == ["differs"]
