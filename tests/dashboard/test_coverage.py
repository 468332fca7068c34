"""What there is, how detailed, and how much of it has a name: worked out by hand in made-up markets."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard import style
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Reading
from dashboard.charts.coverage import COVERAGE, DRAWN, HUES, shade
from dashboard.coverage import Cell, Detail, in_periods
from dashboard.selection import Incomparable, InvalidSelection, NotPublished
from dashboard.style import PICTURE, SCREEN, Figure, Look
from db.vocabulary import Grain
from etl import harmonize
from tests.dashboard.test_sales_lines import Figures, fill
from tests.dashboard.test_style import THEMES, VISIONS, seen
from tests.world import cards

TODAY = date(2026, 3, 2)
NARROW = Look(height=320, font_px=12)

BY_MODEL = {"Tesla|Model Y": 60, "BYD|Seal": 30, "other": 10}
BY_MAKER = {"Tesla": 60, "BYD": 10, "other": 30}
TOTAL = {"other": 100}
WORLD: dict[str, Figures] = {
    "DE": {"2025-12": TOTAL, "2026-01": BY_MODEL},
    "FR": {"2026-01": BY_MAKER},
    "NO": {"2025-Q4": TOTAL},
}


def read(engine: Engine, query: str = "", *, today: date = TODAY) -> Reading:
    return cards.read(engine, COVERAGE, query, today=today)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(COVERAGE, reading, look)


def cells(reading: Reading) -> dict[tuple[str, str], tuple[str, float]]:
    """By market and period: how detailed, and the named share."""
    rows = COVERAGE.rows(reading)
    return {
        (row.market, f"{row.period_start[:7]} {row.grain}"): (str(row.flags), float(row.value))
        for row in rows.itertuples()
    }


# What is read


def test_a_period_is_told_by_model_by_maker_or_as_a_total(empty_engine: Engine) -> None:
    fill(empty_engine, WORLD)
    assert cells(read(empty_engine)) == {
        ("DE", "2025-12 month"): ("total", 0.0),
        ("DE", "2026-01 month"): ("model", 0.9),
        ("FR", "2026-01 month"): ("maker", 0.7),
        ("NO", "2025-10 quarter"): ("total", 0.0),
    }


def test_all_markets_are_shown_unless_some_are_named(empty_engine: Engine) -> None:
    fill(empty_engine, WORLD)
    assert COVERAGE.defaults.market == ()
    assert {market for market, _ in cells(read(empty_engine))} == {"DE", "FR", "NO"}
    assert {market for market, _ in cells(read(empty_engine, "market=FR,NO"))} == {"FR", "NO"}


def test_months_make_a_quarter_as_detailed_as_the_least_of_them(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2025-10": BY_MODEL, "2025-11": BY_MODEL, "2025-12": TOTAL, "2026-01": BY_MODEL}})
    found = cells(read(empty_engine, "grain=quarter"))
    assert found == {
        # 90 and 90 of 300 cars have a name.
        ("DE", "2025-10 quarter"): ("total", pytest.approx(0.6)),
        ("DE", "2026-01 quarter"): ("model;partial", pytest.approx(0.9)),
    }


def test_a_range_keeps_the_periods_that_lie_wholly_in_it(empty_engine: Engine) -> None:
    fill(empty_engine, WORLD)
    assert set(cells(read(empty_engine, "since=2026-01"))) == {("DE", "2026-01 month"), ("FR", "2026-01 month")}
    assert set(cells(read(empty_engine, "since=2025-11&until=2025-12"))) == {("DE", "2025-12 month")}


def test_the_past_is_shown_as_it_was_known(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": TOTAL}}, known_on=date(2026, 3, 1))
    fill(empty_engine, {"DE": {"2026-01": BY_MODEL}}, known_on=date(2026, 3, 3))
    assert cells(read(empty_engine))["DE", "2026-01 month"] == ("model", 0.9)
    assert cells(read(empty_engine, "as_of=2026-03-02"))["DE", "2026-01 month"] == ("total", 0.0)
    with pytest.raises(NotPublished, match="the first day as known that can be shown is 2026-03-01") as refused:
        read(empty_engine, "as_of=2026-02-28")
    assert refused.value.nearest is not None
    assert refused.value.nearest.as_of == date(2026, 3, 1)


def test_the_download_has_all_columns_and_bounds_that_hold(empty_engine: Engine) -> None:
    rows = COVERAGE.rows(read(fill(empty_engine, WORLD)))
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["value"] <= rows["high"]).all()
    (german,) = rows[(rows["market"] == "DE") & (rows["flags"] == "model")].to_dict("records")
    assert (german["market_name"], german["makers"], german["models"]) == ("Germany", 2, 2)
    assert (german["cars"], german["unnamed_cars"], german["source"]) == (100, 10, "open-ev-charts")
    assert (german["unit"], german["known_from"]) == ("fraction", "2026-03-01")


# Nothing to show


def test_an_empty_database_says_how_to_fill_it(empty_engine: Engine) -> None:
    with pytest.raises(NotPublished, match="no figures are loaded; run 'python -m etl load'"):
        read(empty_engine)


def test_what_nobody_states_is_refused_with_the_way_on(empty_engine: Engine) -> None:
    fill(empty_engine, WORLD)
    with pytest.raises(NotPublished, match="no source states PHEV registration figures of Germany"):
        read(empty_engine, "market=DE&powertrain=PHEV")
    with pytest.raises(NotPublished, match="in these months") as refused:
        read(empty_engine, "since=2030-01")
    assert refused.value.nearest == COVERAGE.defaults
    with pytest.raises(Incomparable, match="one basis at a time"):
        read(empty_engine, "basis=reported")
    with pytest.raises(NotPublished, match="this chart draws share, not units"):
        read(empty_engine, "measure=units")
    with pytest.raises(InvalidSelection):
        read(empty_engine, "market=US")


def test_a_market_that_has_nothing_is_named_beside_one_that_has(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": BY_MODEL}, "FR": {}}, all_cars={"FR": {"2026-01": TOTAL}})
    reading = read(empty_engine, "market=DE,FR")
    assert "Nothing of: France." in reading.notes
    assert reading.title == "Germany: by model to Jan 2026, 10.0 % of the cars are unnamed"


# Titles


NAMED = {"Tesla|Model Y": 60, "BYD|Seal": 40}


@pytest.mark.parametrize(
    ("bev", "title"),
    [
        (WORLD, "3 markets to Jan 2026; makers are named in 2, 30.0 % of France is unnamed"),
        (
            {"DE": {"2026-01": {"Tesla": 600, "other": 400}}, "FR": {"2026-01": {"Tesla": 10, "other": 90}}},
            "2 markets to Jan 2026; makers are named in all, 40.0 % of Germany is unnamed",
        ),
        ({"DE": {"2026-01": NAMED}, "FR": {"2026-01": NAMED}}, "2 markets to Jan 2026; makers are named in all"),
        (
            {"DE": {"2026-01": {"Tesla": 96, "other": 4}}, "FR": {"2026-01": TOTAL}},
            "2 markets to Jan 2026; makers are named in 1",
        ),
        ({"DE": {"2026-01": TOTAL}, "FR": {"2025-12": TOTAL}}, "2 markets to Jan 2026; no makers are named"),
        ({"DE": {"2025-12": TOTAL, "2026-01": NAMED}}, "Germany: by model to Jan 2026"),
        ({"DE": {"2025-12": NAMED, "2026-01": TOTAL}}, "Germany: only totals are published, to Jan 2026"),
        ({"DE": {"2026-01": BY_MAKER}}, "Germany: by maker to Jan 2026, 30.0 % of the cars are unnamed"),
    ],
    ids=["some", "most unnamed cars", "all by name", "a trace unnamed", "totals", "one", "one total", "one by maker"],
)
def test_the_title_says_what_the_newest_periods_say(empty_engine: Engine, bev: dict[str, Figures], title: str) -> None:
    assert read(fill(empty_engine, bev)).title == title


def test_regions_overlap_their_countries_and_are_not_counted_with_them(empty_engine: Engine) -> None:
    fill(empty_engine, {"global": {"2026-01": {"Tesla": 100, "other": 900}}, **WORLD})
    reading = read(empty_engine)
    assert reading.title == "3 markets to Jan 2026; makers are named in 2, 30.0 % of France is unnamed"
    assert COVERAGE.table(reading).rows[0][0] == "World", "it is drawn all the same, the largest first"


def test_the_badge_is_amber_once_newer_figures_are_due(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": BY_MODEL}})
    # February's end and thirty days.
    assert not read(empty_engine, today=date(2026, 3, 31)).badge.amber
    late = read(empty_engine, today=date(2026, 4, 1)).badge
    assert late.amber
    assert late.reason == "Newer figures of Germany were due by 31 Mar 2026."
    assert not read(empty_engine, "as_of=2026-03-02", today=date(2027, 1, 1)).badge.amber
    assert not read(empty_engine, "until=2026-01", today=date(2027, 1, 1)).badge.amber


# The plot


def test_a_row_is_a_market_and_a_gap_is_a_gap(empty_engine: Engine) -> None:
    heat, *key = drawn(read(fill(empty_engine, WORLD)))["data"]
    # A hundred cars in each newest month, two hundred of Germany's; then by name.
    assert heat["y"] == ["Germany", "France", "Norway"]
    levels = {
        name: [None if z is None else int(z) for z in row] for name, row in zip(heat["y"], heat["z"], strict=True)
    }
    total, maker, model = Detail.TOTAL.value, Detail.MAKER.value, Detail.MODEL.value
    assert levels == {
        "Germany": [None, None, total, model],
        "France": [None, None, None, maker],
        "Norway": [total, total, total, None],
    }
    assert [trace["name"] for trace in key] == ["by model", "by maker", "total only", "total of more than a month"]
    assert heat["z"][2][0] < heat["z"][0][2], "a quarter's total is paler than a month's"
    assert heat["text"][0][3] == "Jan 2026: by model, 2 makers, 2 models; 90.0 % of 100 cars named"
    assert heat["text"][2][0] == heat["text"][2][2] == "Q4 2025: total only, 100 cars"


def test_one_point_is_drawn(empty_engine: Engine) -> None:
    heat, *_ = drawn(read(fill(empty_engine, {"DE": {"2026-01": NAMED}})))["data"]
    assert (len(heat["z"]), len(heat["z"][0]), len(heat["x"])) == (1, 1, 1)


def test_the_colour_scale_never_mixes_two_details() -> None:
    for theme in THEMES:
        for detail in (Detail.MAKER, Detail.MODEL):
            assert shade(detail, 1.0, theme) == HUES[detail][theme == "dark"]
            assert shade(detail, 0.0, theme) not in (style.INK[theme].background, HUES[detail][theme == "dark"])
        assert shade(Detail.OWN, 0.0, theme) == shade(Detail.OWN, 1.0, theme)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("theme", THEMES)
def test_details_can_be_told_apart_at_any_strength(theme: style.Theme, vision: str) -> None:
    for share in (0.0, 0.5, 1.0):
        found = {detail: seen(shade(detail, share, theme), vision) for detail in Detail}
        nothing = seen(style.INK[theme].background, vision)
        for one in Detail:
            assert np.linalg.norm(found[one] - nothing) >= 10, (one, share)
            for other in Detail:
                assert one is other or np.linalg.norm(found[one] - found[other]) >= 10, (one, other, share)


def test_a_narrow_screen_gets_longer_periods_and_every_market(bundled_engine: Engine) -> None:
    reading = read(bundled_engine, today=date(2026, 7, 24))
    wide, narrow = drawn(reading), drawn(reading, NARROW)
    (months, periods), rows = (len(each["data"][0]["x"]) for each in (wide, narrow)), len(wide["data"][0]["y"])
    assert 0 < periods <= months / 3
    assert [name[:8] for name in wide["data"][0]["y"]] == [name[:8] for name in narrow["data"][0]["y"]]
    assert narrow["layout"]["height"] >= rows * 14, "each row is as high as a line of text"
    ticks = narrow["layout"]["xaxis"]["tickvals"]
    assert (np.diff(ticks) * 215 / periods >= 30).all()


def test_a_picture_has_its_fixed_height_and_letters_that_fit_the_rows(bundled_engine: Engine) -> None:
    figure = drawn(read(bundled_engine, today=date(2026, 7, 24)), PICTURE)
    assert figure["layout"]["height"] == PICTURE.height
    assert figure["layout"]["yaxis"]["tickfont"]["size"] * len(figure["data"][0]["y"]) <= PICTURE.height * 0.62


def test_more_markets_than_fit_are_in_the_download_and_counted(empty_engine: Engine) -> None:
    reading = read(empty_engine_of_many(empty_engine))
    heat, *_ = drawn(reading)["data"]
    total = len(COVERAGE.rows(reading))
    assert total > DRAWN
    assert len(heat["y"]) == DRAWN
    assert f"Not drawn: {total - DRAWN} smaller markets; all are in the table and the download." in reading.notes
    assert len(COVERAGE.table(reading).rows) == total


def empty_engine_of_many(engine: Engine) -> Engine:
    """Every country that the reference names, with a hundred cars."""
    from tests.db.test_health import publish

    codes = [market["code"] for market in harmonize.reference().markets]
    publish(engine, [(code, "month", "2026-01-01", 100) for code in codes], known_on=date(2026, 2, 5))
    return engine


# Putting periods together


@st.composite
def months(draw: st.DrawFn) -> list[Cell]:
    """Single months of a year, each with some cars, and some of them unnamed."""
    found = []
    for start in draw(st.sets(st.integers(2025 * 12, 2025 * 12 + 11), min_size=1)):
        total = draw(st.integers(1, 1000))
        unnamed = draw(st.integers(0, total))
        detail = draw(st.sampled_from([Detail.MAKER, Detail.MODEL]))
        found.append(Cell(start, 1, 1, detail, total, unnamed, 1, 1, 0, frozenset({"a"})))
    return found


@given(cells=months(), grain=st.sampled_from(list(Grain)))
def test_cars_are_neither_lost_nor_doubled_in_longer_periods(cells: list[Cell], grain: Grain) -> None:
    together = in_periods(cells, grain)
    assert sum(cell.total for cell in together) == sum(cell.total for cell in cells)
    assert sum(cell.unnamed for cell in together) == sum(cell.unnamed for cell in cells)
    assert sum(cell.covered for cell in together) == len(cells)
    assert [cell.start for cell in together] == sorted({cell.start - cell.start % grain.months for cell in cells})
    lowest, highest = min(cell.named for cell in cells), max(cell.named for cell in cells)
    assert all(lowest - 1e-9 <= cell.named <= highest + 1e-9 for cell in together)


@given(cells=months())
def test_putting_together_twice_is_putting_together_once(cells: list[Cell]) -> None:
    assert in_periods(in_periods(cells, Grain.QUARTER), Grain.YEAR) == in_periods(cells, Grain.YEAR)


# Makers' own figures


def test_makers_own_figures_are_no_market_and_have_no_share(bundled_engine: Engine) -> None:
    reading = read(bundled_engine, "basis=delivery&market=WORLD&grain=quarter", today=date(2026, 7, 24))
    rows = COVERAGE.rows(reading)
    assert set(rows["flags"]) <= {"own", "own;partial"}
    assert rows[["value", "low", "high"]].isna().all().all()
    assert reading.title == "World: makers' own figures only, to Sep 2026"


# The real figures


def test_the_bundled_figures_say_what_is_known_by_heart(bundled_engine: Engine) -> None:
    reading = read(bundled_engine, today=date(2026, 7, 24))
    found = cells(reading)
    assert found["FR", "2025-12 month"][0] == "model"
    assert found["FR", "2026-01 month"] == ("total", 0.0)
    assert found["PT", "2026-06 month"][0] == "maker"
    assert found["US", "2026-01 quarter"][0] == "model"
    # BYD is among the named: 685,000 cars, of which 348,000 to a rounding have no name.
    assert found["CN", "2026-06 month"] == ("model", pytest.approx(0.492, abs=5e-4))
    assert found["DE", "2026-06 month"] == ("model", pytest.approx(0.989, abs=5e-4))
    assert len(reading.title) <= 90
    assert reading.title.endswith(" markets to Jun 2026; makers are named in 18, 50.8 % of China is unnamed")
