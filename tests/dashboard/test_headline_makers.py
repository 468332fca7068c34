"""The headline makers' newest own figures: each beside its own past, none against another's."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine

from dashboard.charts.chart import DOWNLOAD_COLUMNS, TITLE_LENGTH, Point, Reading
from dashboard.charts.headline_makers import NEWEST
from dashboard.selection import Refusal
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look
from db.vocabulary import States
from tests.dashboard.test_precedence import state
from tests.world import cards

TODAY = date(2026, 7, 24)
NARROW = Look(height=320, font_px=12)


def own(engine: Engine, maker: str, basis: str, **quarters: int) -> None:
    """A maker's own worldwide figures by month or quarter, such as `q2026_1=200` or `m2026_01=100`."""
    rows = [
        (f"{at[1:5]}-Q{at[6:]}" if at[0] == "q" else f"{at[1:5]}-{at[6:]}", maker, cars)
        for at, cars in quarters.items()
    ]
    known = date(2026, 6, 1)
    state(engine, f"{maker}-own", *rows, states=States.MAKERS, market="WORLD", basis=basis, published_on=known)


def read(engine: Engine, query: str = "") -> Reading:
    return cards.read(engine, NEWEST, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(NEWEST, reading, look)


@pytest.fixture
def two(empty_engine: Engine) -> Engine:
    own(empty_engine, "tesla", "delivery", q2025_1=100, q2025_2=100, q2025_3=100, q2025_4=100, q2026_1=200)
    own(empty_engine, "byd", "wholesale", q2025_3=300, q2025_4=400)
    state(empty_engine, "german", ("2026-01", "tesla", 5), market="DE")
    return empty_engine


def test_each_maker_is_told_with_its_newest_period_and_its_change_on_the_year(two: Engine) -> None:
    assert read(two).title == "BYD sold 400 BEVs in Q4 2025; Tesla delivered 200 in Q1 2026 (+100.0 % on the year)"


def test_without_the_same_period_of_the_year_before_there_is_no_change(empty_engine: Engine) -> None:
    own(empty_engine, "tesla", "delivery", q2025_4=100, q2026_1=200)
    assert read(empty_engine).title == "Tesla delivered 200 BEVs in Q1 2026"


def test_unlike_bases_and_periods_are_said_and_alike_ones_are_not(two: Engine, empty_engine: Engine) -> None:
    said = " ".join(read(two).notes)
    assert "Unlike bases: BYD states sales to dealers and abroad and Tesla states deliveries" in said
    assert "of unlike periods: BYD Q4 2025, Tesla Q1 2026" in said
    alone = " ".join(read(two, "makers=tesla").notes)
    assert "Unlike bases" not in alone
    assert "unlike periods" not in alone


def test_a_maker_without_figures_of_the_kind_is_named(two: Engine) -> None:
    state(two, "nio-own", ("2026-01", "nio", 5), states=States.MAKERS, market="WORLD", basis="delivery")
    assert "No such figures are published of NIO by quarter." in read(two, "makers=nio,tesla").notes


def test_the_panels_have_one_scale_from_zero_and_a_place_for_each_period(two: Engine) -> None:
    figure = drawn(read(two))
    assert [axis["range"] for name, axis in figure["layout"].items() if name.startswith("yaxis")] == [[0, 472.0]] * 2
    byd, tesla = figure["data"]
    assert byd["x"] == tesla["x"] == [0, 1, 2, 3, 4]
    assert byd["y"] == [None, None, 300, 400, None]
    assert tesla["y"] == [100, 100, 100, 100, 200]


def test_a_period_that_nobody_states_keeps_its_place(empty_engine: Engine) -> None:
    own(empty_engine, "byd", "wholesale", m2025_01=100, m2025_02=100, m2025_05=100)
    reading = read(empty_engine, "grain=month")
    assert drawn(reading)["data"][0]["x"] == [0, 1, 4]
    assert "Where there is no bar, nothing is published yet or not all of a period: BYD." in reading.notes


def test_the_newest_and_the_same_period_of_the_year_before_stand_out(two: Engine) -> None:
    _, tesla = drawn(read(two))["data"]
    assert tesla["marker"]["opacity"] == [1.0, 0.4, 0.4, 0.4, 1.0]


def test_a_point_has_the_receipt_of_its_figure(two: Engine) -> None:
    reading = read(two)
    key: list[Any] = drawn(reading)["data"][1]["customdata"][-1]
    assert NEWEST.receipts is not None
    with two.connect() as connection:
        claims = NEWEST.receipts(connection, reading, Point(*key))
    assert [int(units) for units in claims["units"]] == [200]


@pytest.mark.parametrize(
    "query",
    ["market=DE", "basis=registration", "measure=share", "powertrain=PHEV", "grain=month", "makers=byd&until=2019-12"],
)
def test_what_is_no_makers_own_figure_leads_to_one_that_is(two: Engine, query: str) -> None:
    with pytest.raises(Refusal) as caught:
        read(two, query)
    assert caught.value.nearest is not None
    assert read(two, caught.value.nearest.query(defaults=NEWEST.defaults)).title


@pytest.mark.parametrize(
    "query", ["", "grain=month", "grain=year&powertrain=NEV", "as_of=2024-05-01", "makers=nio,xpeng"]
)
def test_the_real_figures_are_drawn_in_every_size_and_theme(bundled_engine: Engine, query: str) -> None:
    reading = read(bundled_engine, query)
    assert len(reading.title) <= TITLE_LENGTH
    for look in (SCREEN, NARROW, PICTURE, SHEET, Look(theme="dark")):
        assert drawn(reading, look)["data"]
    rows = NEWEST.rows(reading)
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    assert NEWEST.table(reading).rows
