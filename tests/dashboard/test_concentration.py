"""Concentration between the ends that an unnamed rest leaves open, and titles that say when nothing can be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard.charts.chart import DOWNLOAD_COLUMNS, Point, Reading
from dashboard.charts.concentration import CONCENTRATION
from dashboard.metrics import concentration
from dashboard.selection import Incomparable, NotPublished, Refusal, Selection
from dashboard.style import LINE_END, PICTURE, SCREEN, SHEET, Figure, Look
from tests.dashboard.test_sales_lines import fill
from tests.world import cards

TODAY = date(2026, 7, 24)
NARROW = replace(SCREEN, height=320, font_px=12)
PLAIN = "window=none"


def read(engine: Engine, query: str = PLAIN) -> Reading:
    return cards.read(engine, CONCENTRATION, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(CONCENTRATION, reading, look)


def labels(figure: Figure) -> list[str]:
    return [note["text"] for note in figure["layout"]["annotations"] if note.get("name") == LINE_END]


def of(low: list[float], high: list[float], hidden: float) -> tuple[float, float, float, float]:
    """HHI and share of the four largest of one period: low and high of each."""
    found = concentration(low=np.array([low]), high=np.array([high]), hidden=np.array([hidden]))
    ends = (found.hhi_low, found.hhi_high, found.top4_low, found.top4_high)
    low_hhi, high_hhi, low_four, high_four = (float(end[0]) for end in ends)
    return low_hhi, high_hhi, low_four, high_four


def ends_of(reading: Reading, measure: str) -> tuple[float, float]:
    rows = CONCENTRATION.rows(reading)
    last = rows[rows["measure"] == measure].iloc[-1]
    assert last["value"] == last["low"]
    return float(last["low"]), float(last["high"])


# The measure


def test_where_everything_is_named_both_are_exact() -> None:
    assert of([0.5, 0.3, 0.2], [0.5, 0.3, 0.2], 0.0) == pytest.approx((3800, 3800, 1, 1))
    assert of([1.0], [1.0], 0.0) == pytest.approx((10_000, 10_000, 1, 1))
    assert of([0.2] * 5, [0.2] * 5, 0.0) == pytest.approx((2000, 2000, 0.8, 0.8))


def test_the_rest_makes_most_of_it_where_the_largest_has_it_all() -> None:
    # 50² + 30² at the least; 70² + 30² at the most.
    assert of([0.5, 0.3], [0.7, 0.5], 0.2) == pytest.approx((3400, 5800, 0.8, 1))


def test_exact_makers_leave_the_rest_to_a_hidden_one() -> None:
    # 50² + 30² and 20² of one whom nobody names.
    assert of([0.5, 0.3], [0.5, 0.3], 0.2) == pytest.approx((3400, 3800, 0.8, 1))
    # Five of 16 % are named exactly: the hidden one takes the place of one of the four.
    assert of([0.16] * 5, [0.16] * 5, 0.2) == pytest.approx((1280, 1680, 0.64, 0.68))


def test_what_a_limit_keeps_from_the_largest_goes_where_it_makes_most() -> None:
    # Both can be filled up: 40² + 39², more than with the second half hidden (40² + 29² + 10²).
    assert of([0.3, 0.29], [0.4, 0.39], 0.2)[1] == pytest.approx(1600 + 1521)


def test_a_limit_above_all_that_is_there_is_none() -> None:
    assert of([0.5, 0.3], [0.7, 0.5], 0.2) == of([0.5, 0.3], [9.0, 0.5], 0.2)


def test_a_period_without_makers_has_no_concentration() -> None:
    assert all(np.isnan(end) for end in of([np.nan], [np.nan], 1.0))


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=7),
    st.integers(0, 40),
    st.data(),
)
def test_no_way_to_split_the_rest_leads_out_of_the_range(
    cars: list[tuple[int, int]], hidden: int, data: st.DataObject
) -> None:
    total = sum(least for least, _ in cars) + hidden
    if not total:
        return
    low = [least / total for least, _ in cars]
    high = [(least + min(room, hidden)) / total for least, room in cars]
    left, true = hidden, []
    for least, room in cars:
        more = data.draw(st.integers(0, min(left, room)))
        left -= more
        true.append((least + more) / total)
    while left:
        one = data.draw(st.integers(1, left))
        left -= one
        true.append(one / total)
    hhi = 10_000 * sum(share**2 for share in true)
    four = sum(sorted(true)[-4:])
    found = of(low, high, hidden / total)
    assert found[0] - 1e-6 <= hhi <= found[1] + 1e-6
    assert found[2] - 1e-9 <= four <= found[3] + 1e-9
    assert 0 <= found[0] <= found[1] <= 10_000 + 1e-6
    assert 0 <= found[2] <= found[3] <= 1 + 1e-9


@given(st.lists(st.integers(1, 50), min_size=2, max_size=6))
def test_a_merger_never_makes_a_market_less_concentrated(cars: list[int]) -> None:
    shares = [each / sum(cars) for each in cars]
    merged = [shares[0] + shares[1], *shares[2:]]
    assert of(shares, shares, 0)[0] <= of(merged, merged, 0)[0] + 1e-6


# The chart


def test_the_market_set_is_the_entity_and_the_makers_chosen_do_not_change_it(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla": 50, "BYD": 30, "Kia": 20}}})
    for query in (PLAIN, f"{PLAIN}&makers=tesla", f"{PLAIN}&measure=growth", f"{PLAIN}&by=market"):
        rows = CONCENTRATION.rows(read(empty_engine, query))
        assert tuple(rows.columns) == DOWNLOAD_COLUMNS
        assert rows[["market", "maker", "model", "measure", "value", "low", "high", "unit"]].values.tolist() == [
            ["DE", "all", "all", "hhi", 3800, 3800, 3800, "points"],
            ["DE", "all", "all", "top4_share", 1, 1, 1, "fraction"],
        ]
    assert any("whichever are chosen" in note for note in read(empty_engine, f"{PLAIN}&makers=tesla").notes)
    assert not any("whichever are chosen" in note for note in read(empty_engine).notes)


def test_the_rest_bounds_both_measures(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla|Model Y": 50, "BYD|Seal": 30, "other": 20}}})
    reading = read(empty_engine)
    assert ends_of(reading, "hhi") == pytest.approx((3400, 5800))
    assert ends_of(reading, "top4_share") == pytest.approx((0.8, 1))
    assert reading.badge.amber
    assert labels(drawn(reading)) == ["3,400–5,800", "80.0 %–100 %"]


def test_groups_are_concentrated_as_groups(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2026-01": {"Tesla": 50, "BYD": 30, "Kia": 20}}},
        groups={"Korean Group": ("Kia", "BYD")},
    )
    assert ends_of(read(empty_engine, f"{PLAIN}&by=group"), "hhi") == pytest.approx((5000, 5000))
    assert "HHI of groups 5,000" in read(empty_engine, f"{PLAIN}&by=group").title


def test_what_is_lumped_together_of_a_makers_models_is_unnamed(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla|Model Y": 50, "Tesla|other": 20, "BYD|Seal": 30}}})
    assert ends_of(read(empty_engine, f"{PLAIN}&by=model"), "hhi") == pytest.approx((3400, 3800))
    assert ends_of(read(empty_engine), "hhi") == pytest.approx((5800, 5800))


EVEN: Mapping[str, int] = {f"Maker{n}": 100 for n in range(10)}
UNEVEN: Mapping[str, int] = {**EVEN, "Maker0": 600}


@pytest.mark.parametrize(
    ("before", "now", "title"),
    [
        (EVEN, UNEVEN, "German BEVs are more concentrated than a year before: HHI 2,000 in Jan 2026"),
        (UNEVEN, EVEN, "German BEVs are less concentrated than a year before: HHI 1,000 in Jan 2026"),
        (EVEN, EVEN, "German BEVs: HHI 1,000 in Jan 2026, moderately concentrated"),
    ],
    ids=["rising", "falling", "the same"],
)
def test_a_change_is_said_where_there_is_one(
    empty_engine: Engine, before: Mapping[str, int], now: Mapping[str, int], title: str
) -> None:
    fill(empty_engine, {"DE": {"2025-01": before, "2026-01": now}})
    assert read(empty_engine).title == title


def test_ranges_that_overlap_are_no_change(empty_engine: Engine) -> None:
    before = {"Tesla|Model Y": 50, "BYD|Seal": 40, "other": 10}
    fill(empty_engine, {"DE": {"2025-01": before, "2026-01": {"Tesla|Model Y": 54, "BYD|Seal": 36, "other": 10}}})
    title = read(empty_engine).title
    assert "year" not in title
    assert title.startswith("German BEVs: HHI 4,212–5,392 in Jan 2026")


def test_a_range_from_nothing_to_everything_says_so(empty_engine: Engine) -> None:
    fill(empty_engine, {"CN": {"2026-01": {"BYD|Seal": 20, "Tesla|Model Y": 10, "other": 70}}})
    assert read(empty_engine, f"{PLAIN}&market=CN").title == (
        "Chinese BEVs, Jan 2026: HHI between 500 and 8,200; 70.0 % unnamed, too much to tell"
    )
    fill(empty_engine, {"NO": {"2026-01": {"BYD|Seal": 80, "Tesla|Model Y": 10, "other": 10}}})
    assert "too much to tell" not in read(empty_engine, f"{PLAIN}&market=NO").title


def test_an_unfinished_period_is_hollow_and_no_change(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2025-06": EVEN, "2026-06": UNEVEN}},
        known_on=date(2026, 6, 20),
    )
    reading = read(empty_engine)
    assert reading.title == "German BEVs: HHI 2,000 in Jun 2026 (incomplete), highly concentrated"
    assert drawn(reading)["data"][0]["marker"]["symbol"][-1] == "circle-open"


def test_markets_are_side_by_side_by_market_and_one_otherwise(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2026-01": {"Tesla": 50, "BYD": 50}}, "NO": {"2026-01": {"Tesla": 100}}},
    )
    side = read(empty_engine, f"{PLAIN}&market=DE,NO&by=market")
    assert side.title == "HHI of BEVs, Jan 2026: Norway 10,000, Germany 5,000"
    assert CONCENTRATION.rows(side)["market"].tolist() == ["DE", "NO", "DE", "NO"]
    together = read(empty_engine, f"{PLAIN}&market=DE,NO")
    assert ends_of(together, "hhi") == pytest.approx((75**2 + 25**2, 75**2 + 25**2))


def test_a_missing_period_is_a_gap(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": EVEN, "2026-03": EVEN}})
    hhi = next(trace for trace in drawn(read(empty_engine))["data"] if trace.get("name") == "HHI")
    assert hhi["y"] == [pytest.approx(1000), None, pytest.approx(1000)]
    assert hhi["connectgaps"] is False


def test_both_panels_begin_at_zero_and_the_thresholds_are_labelled(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": EVEN, "2026-02": EVEN}})
    layout = drawn(read(empty_engine))["layout"]
    assert layout["yaxis"]["range"][0] == layout["yaxis2"]["range"][0] == 0
    assert [shape["y0"] for shape in layout["shapes"]] == [1000, 1800]
    texts = [note["text"] for note in layout["annotations"]]
    assert "1,000: moderately concentrated" in texts
    assert "1,800: highly concentrated" in texts


def test_the_table_is_the_plots_labels(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla|Model Y": 50, "BYD|Seal": 30, "other": 20}}})
    table = CONCENTRATION.table(read(empty_engine))
    assert table.header == ("Period", "HHI", "four largest")
    assert table.rows == (("Jan 2026", "3,400–5,800", "80.0 %–100 %"),)


def test_a_points_receipts_are_the_markets_claims(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla": 50, "BYD": 30}, "2026-02": {"Tesla": 7}}})
    reading = read(empty_engine)
    keys: list[Any] = [key for trace in drawn(reading)["data"] for key in trace.get("customdata", []) if key]
    assert CONCENTRATION.receipts is not None
    with empty_engine.connect() as connection:
        claims = CONCENTRATION.receipts(connection, reading, Point(*keys[0]))
    assert sorted(claims["units"].tolist()) == [30, 50]


# Refusals


def refused(engine: Engine, query: str, kind: type[Refusal]) -> Selection | None:
    with pytest.raises(kind) as error:
        read(engine, query)
    if error.value.nearest is not None:
        read(engine, error.value.nearest.query(defaults=CONCENTRATION.defaults))
    return error.value.nearest


def test_totals_alone_have_no_concentration(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"other": 200}}})
    assert refused(empty_engine, PLAIN, NotPublished) is None
    assert refused(empty_engine, f"{PLAIN}&by=market", NotPublished) is None


def test_a_window_that_no_figures_fill_leads_to_the_months(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": EVEN}})
    assert refused(empty_engine, "", NotPublished) is not None


def test_overlapping_markets_are_not_added(bundled_engine: Engine) -> None:
    assert refused(bundled_engine, "market=DE,EU", Incomparable) is not None


def test_makers_own_figures_add_up_to_no_market(bundled_engine: Engine) -> None:
    with pytest.raises(Incomparable):
        read(bundled_engine, "basis=reported&market=WORLD")
    # Beside the market's total a few makers state their own: shares of it, and far from all of them.
    found = refused(bundled_engine, f"{PLAIN}&market=CN&basis=wholesale", Incomparable)
    assert found is not None
    assert found.market == ("CN",)


# The bundled figures


@pytest.mark.parametrize("look", [SCREEN, NARROW, PICTURE, SHEET, replace(SCREEN, theme="dark")])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "market=CN",
        "market=US&grain=quarter",
        "market=DE,NO",
        "makers=tesla",
        "as_of=2025-03-01",
        "by=model",
        "by=group",
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
    rows = CONCENTRATION.rows(reading)
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["value"] <= rows["high"]).all()
    lower, upper = (figure["layout"][axis]["domain"] for axis in ("yaxis2", "yaxis"))
    assert all(a < b for a, b in pairwise([*lower, *upper]))


def test_china_is_too_open_to_tell(bundled_engine: Engine) -> None:
    assert read(bundled_engine, "market=CN&until=2026-06").title == (
        "Chinese BEVs: HHI 321 to 4,564, 12 months to Jun 2026; 53.7 % unnamed, too much to tell"
    )
