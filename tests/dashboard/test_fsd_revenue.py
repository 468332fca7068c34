"""Revenue: parts that add up, a deferred balance between cash and books, and what a hedge was worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import Engine

from dashboard import framing, style
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Reading
from dashboard.charts.fsd_revenue import FSD_REVENUE, PARTS, summed
from dashboard.charts.fsd_revenue_words import Revenue, money, title
from dashboard.projected import Hedge, Outlook
from dashboard.projections.record import START
from dashboard.selection import NotPublished
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look
from tests.world import cards
from tests.world.projections import TODAY

pytestmark = pytest.mark.xdist_group("projection")

ROUTES = "region=cn&scenario=both&compare=local"
NARROW = replace(SCREEN, height=320, font_px=12)


def read(engine: Engine, query: str = "") -> Reading:
    return cards.read(engine, FSD_REVENUE, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(FSD_REVENUE, reading, look)


def flowing(**quarterly: float) -> Outlook:
    """An outlook of two draws with the same money every quarter; what is not named is nothing."""
    quarters = np.arange(START, START + 12)
    names = [name for name in Outlook.__dataclass_fields__ if name != "quarters"]
    return Outlook(quarters=quarters, **{name: np.full((2, 12), quarterly.get(name, 0.0)) for name in names})


def test_flows_are_summed_over_a_period_and_balances_are_those_of_its_end() -> None:
    found = summed(flowing(cash=300, booked=200, released=50, subscription=100, deferred=700), (2022 * 4,), 4)
    assert found.recognised.tolist() == [[1400.0], [1400.0]]
    assert found.received.tolist() == [[1600.0], [1600.0]]
    assert {name: part.tolist() for name, part in found.parts.items()} == {
        "subscription": [400.0], "booked": [800.0], "released": [200.0], "licence": [0.0],
    }  # fmt: skip
    rising = replace(flowing(), deferred=np.tile(np.arange(12.0) * 100, (2, 1)))
    # The last quarter of 2022 is the seventh of an outlook.
    assert summed(rising, (2022 * 4,), 4).deferred.tolist() == [[600.0], [600.0]]


def test_what_is_recognised_and_deferred_is_the_cash(fitted: Engine) -> None:
    found: Revenue = read(fitted, "grain=quarter").content
    sums = found.sums
    # Of each quarter: cash less what is recognised of it is what the deferred balance rises by.
    rises = np.diff(sums.deferred, axis=1)
    kept = (sums.received - sums.recognised)[:, 1:]
    assert np.allclose(rises, kept, rtol=1e-3, atol=2e5)


def test_parts_add_up_to_the_mean_of_what_is_recognised(fitted: Engine) -> None:
    found: Revenue = read(fitted, "scenario=licence").content
    whole = found.sums.recognised.mean(axis=0, dtype=np.float64)
    assert np.allclose(sum(found.sums.parts[name] for name in PARTS), whole, rtol=1e-4)
    assert found.sums.parts["licence"][-1] > 0


def test_without_a_licence_none_brings_anything(fitted: Engine) -> None:
    reading = read(fitted)
    assert not reading.content.sums.parts["licence"].any()
    assert "Licences" not in [trace.get("name") for trace in drawn(reading)["data"]]
    assert "No licence income" in " ".join(reading.notes)
    assert not read(fitted, "region=us&scenario=licence").content.sums.parts["licence"].any()


# Titles


def with_revenue(engine: Engine, *draws: float, query: str = "") -> Revenue:
    """What is drawn where each draw brings the same in every period."""
    found: Revenue = read(engine, query).content
    made = np.repeat(np.array(draws)[:, None], len(found.starts), axis=1)
    return replace(found, sums=replace(found.sums, recognised=made))


def test_the_title_tells_2030_by_the_median_draw(fitted: Engine) -> None:
    found = with_revenue(fitted, 1e9, 2e9, 3e9)
    assert title(found) == "World: FSD brings 2 bn USD in 2030 by the median draw (80 %: 1.2 to 2.8 bn USD)"
    short = with_revenue(fitted, 1e9, 2e9, 3e9, query="until=2027-12")
    assert "in 2027" in title(short)
    assert title(with_revenue(fitted, 0.0, 0.0)) == "World: no FSD revenue by the end of 2035"


def test_between_two_worlds_the_title_tells_the_difference(fitted: Engine) -> None:
    found = with_revenue(fitted, 1e9, 2e9, 3e9, query="scenario=sunset&compare=history&since=2027-01&until=2028-12")
    assert found.beside is not None
    less = replace(found, beside=replace(found.beside, recognised=found.sums.recognised + 1e9))
    assert "2 bn USD less (80 %: 2 to 2 bn USD)" in title(less)
    same = replace(found, beside=found.sums)
    assert "bring the same" in title(same)


def test_where_routes_are_compared_the_title_tells_what_the_hedge_was_worth(fitted: Engine) -> None:
    found: Revenue = read(fitted, f"{ROUTES}&as_of=2024-05-31").content
    worth = replace(found, hedge=Hedge(8096, 3e8, 1e8, {"local": 1e9, "export": 5e8, "both": 1.3e9}))
    assert title(worth) == "China: both data routes bring 300 M USD more than the better one (100 M USD at 10 %)"
    nothing = replace(found, hedge=Hedge(8096, 0.0, 0.0, {"local": 1e9, "export": 5e8, "both": 1e9}))
    assert title(nothing) == "China: trying both data routes brings no more than the better one, to 2035"


def test_the_hedge_is_told_with_both_rates_and_what_is_left_out(fitted: Engine) -> None:
    for query in (ROUTES, f"{ROUTES}&as_of=2024-05-31"):
        reading = read(fitted, query)
        assert reading.content.hedge is not None
        assert reading.content.hedge.plain >= -1
        said = " ".join(reading.notes)
        assert "at 10 % a year" in said
        assert "What the routes cost is left out." in said
    assert read(fitted, "region=cn&scenario=both&compare=shut").content.hedge is None


def test_amounts_are_told_in_words() -> None:
    assert [money(each) for each in (0, 100, 3e6, 350e6, 999.9e6, 4.607e9, -2e9)] == [
        "no USD", "<1 M USD", "3 M USD", "350 M USD", "1 bn USD", "4.61 bn USD", f"{style.MINUS}2 bn USD",
    ]  # fmt: skip


# Drawing


@pytest.mark.parametrize(
    "query",
    [
        "", "grain=quarter", "grain=month&region=eu", ROUTES, "scenario=licence&region=cn", "until=2022-12",
        "since=2035-01", "as_of=2024-05-31", "region=jp",
    ],
)  # fmt: skip
def test_any_selection_draws_in_any_look(fitted: Engine, query: str) -> None:
    reading = read(fitted, query)
    assert 0 < len(reading.title) <= 90
    FSD_REVENUE.table(reading)
    for look in (SCREEN, NARROW, PICTURE, SHEET, replace(SCREEN, theme="dark")):
        figure = drawn(reading, look)
        assert figure["layout"]["yaxis"]["range"][0] == 0
        if look.width:
            framing.framed(figure, title=reading.title, subtitle=reading.subtitle, notes=reading.notes, look=look)


def test_by_month_there_is_nothing_and_that_is_said(fitted: Engine) -> None:
    assert "there is nothing by month" in " ".join(read(fitted, "grain=month").notes)


def test_a_range_without_a_whole_year_is_refused_with_a_way_on(fitted: Engine) -> None:
    with pytest.raises(NotPublished) as caught:
        read(fitted, "since=2027-04&until=2027-11")
    nearest = caught.value.nearest
    assert nearest is not None
    with fitted.connect() as connection:
        FSD_REVENUE.load(connection, nearest, today=TODAY)


def test_the_download_has_every_period_and_quantity(fitted: Engine) -> None:
    rows = FSD_REVENUE.rows(read(fitted, "since=2026-01&until=2028-12"))
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    assert set(rows["measure"]) == {"recognised", "received", "deferred", "arr", *PARTS}
    assert sorted(set(rows["period_start"])) == ["2026-01-01", "2027-01-01", "2028-01-01"]
    assert set(rows["flags"]) == {"projected"}
