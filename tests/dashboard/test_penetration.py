"""How far markets have gone electric: shares of all cars, worked out by hand, and quarters that belong together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard.charts.chart import DOWNLOAD_COLUMNS, TITLE_LENGTH, Reading
from dashboard.charts.penetration import PENETRATION
from dashboard.metrics import pooled_share
from dashboard.pages.points import points
from dashboard.selection import Incomparable, NotPublished, Refusal, Selection
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look
from tests.dashboard.test_sales_lines import fill
from tests.db.test_queries_events import event, fill_events
from tests.world import cards

TODAY = date(2026, 7, 24)
LOOKS = (SCREEN, Look(height=320, font_px=12), Look(theme="dark"), PICTURE, SHEET)

Quarters = Mapping[str, tuple[int, int]]
"""Quarter to electric cars and all cars."""


def fill_shares(engine: Engine, markets: Mapping[str, Quarters]) -> Engine:
    """Load made-up totals by quarter, in a world without events."""
    bev, every = (
        {
            code: {quarter: {"other": cars[n]} for quarter, cars in quarters.items()}
            for code, quarters in markets.items()
        }
        for n in (0, 1)
    )
    fill(engine, bev, all_cars=every)
    fill_events(engine, [])
    return engine


def read(engine: Engine, query: str = "") -> Reading:
    return cards.read(engine, PENETRATION, query, today=TODAY)


def refused(engine: Engine, query: str) -> Refusal:
    return cards.refused(engine, PENETRATION, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(PENETRATION, reading, look)


def lines_of(figure: Figure) -> dict[str, list[float | None]]:
    return {trace["name"]: trace["y"] for trace in figure["data"] if trace.get("name")}


YEAR: Quarters = {f"2025-Q{n}": (10 * n, 200) for n in (1, 2, 3, 4)}
THREE = {
    "DE": YEAR | {"2026-Q1": (40, 200)},
    "NO": YEAR | {"2026-Q1": (180, 200), "2026-Q2": (190, 200)},
    "US": YEAR | {"2026-Q1": (20, 200)},
}
SET = "market=DE,NO,US"


# What is drawn


def test_a_line_is_a_markets_electric_cars_of_all_its_cars(empty_engine: Engine) -> None:
    fill_shares(empty_engine, THREE)
    lines = lines_of(drawn(read(empty_engine, SET)))
    assert lines["Germany"] == [0.05, 0.1, 0.15, 0.2, 0.2, None]
    assert lines["Norway"] == [0.05, 0.1, 0.15, 0.2, 0.9, 0.95]


@pytest.mark.parametrize("also", ["by=maker", "by=group", "by=model", "by=model&models=", "of=BEV", "of=NEV"])
def test_whatever_lines_and_denominator_are_chosen_it_is_markets_of_all_cars(empty_engine: Engine, also: str) -> None:
    fill_shares(empty_engine, THREE)
    plain, asked = read(empty_engine, SET), read(empty_engine, f"{SET}&{also}")
    assert lines_of(drawn(asked)) == lines_of(drawn(plain))
    assert asked.title == plain.title
    said = "This chart is always by market, and does not tell models apart." in asked.notes
    assert said is also.startswith("by="), "what it leaves out of the selection it says"


def test_quarters_stand_beside_months_and_are_never_cut(empty_engine: Engine) -> None:
    months = {f"2025-{n:02d}": {"other": 10} for n in (1, 2, 3)}
    fill(
        empty_engine,
        {"DE": months, "US": {"2025-Q1": {"other": 30}}},
        all_cars={"DE": {month: {"other": 100} for month in months}, "US": {"2025-Q1": {"other": 600}}},
    )
    together = PENETRATION.rows(read(empty_engine, "market=DE,US"))
    assert dict(zip(together["market"], together["value"], strict=True)) == {"DE": 0.1, "US": 0.05}
    assert set(PENETRATION.rows(read(empty_engine, "market=DE,US&grain=month"))["market"]) == {"DE"}
    refusal = refused(empty_engine, "market=US&grain=month")
    assert "never cut into months" in str(refusal)
    assert refusal.nearest == Selection.from_query("market=US", defaults=PENETRATION.defaults)


def test_a_makers_share_of_all_cars_is_named_so_and_markets_that_do_not_name_it_are_listed(
    empty_engine: Engine,
) -> None:
    fill(
        empty_engine,
        {
            "DE": {"2025-Q1": {"Tesla": 30, "BYD": 70}},
            "NO": {"2025-Q1": {"Tesla": 60, "BYD": 40}},
            "US": {"2025-Q1": {"BYD": 90, "other": 10}},
        },
        all_cars={code: {"2025-Q1": {"other": 1000}} for code in ("DE", "NO", "US")},
    )
    reading = read(empty_engine, f"{SET}&makers=tesla")
    assert reading.title == "Tesla: Norway 6.0 % of all cars, Germany 3.0 % in Q1 2025"
    assert "Not named there, and not drawn: United States." in reading.notes
    assert [line.name for line in reading.content.lines] == ["Norway", "Germany"]


def test_at_most_seven_markets_are_drawn_and_the_rest_is_in_the_download(empty_engine: Engine) -> None:
    codes = ("AT", "BE", "DE", "DK", "ES", "FI", "FR", "NO")
    fill_shares(empty_engine, {code: {"2025-Q1": (10 + n, 100)} for n, code in enumerate(codes)})
    reading = read(empty_engine, f"market={','.join(codes)}")
    assert len(reading.content.lines) == 7
    assert "Not drawn: 1 more market with lower shares; all are in the download." in reading.notes
    assert set(PENETRATION.rows(reading)["market"]) == set(codes)


# Titles


def test_the_title_says_how_far_the_first_and_the_last_are_and_who_gained_most(empty_engine: Engine) -> None:
    fill_shares(empty_engine, THREE)
    assert read(empty_engine, SET).title == (
        "BEVs are 90.0 % of Norwegian and 10.0 % of US cars in Q1 2026; Norway up most, +85.0 pp"
    )


def test_the_title_is_of_the_newest_period_that_all_lines_have(empty_engine: Engine) -> None:
    fill_shares(empty_engine, THREE)
    reading = read(empty_engine, SET)
    assert "Q1 2026" in reading.title
    assert "The title is about Q1 2026, which all lines have." in reading.notes
    alone = read(empty_engine, "market=NO")
    assert alone.title.startswith("BEVs are 95.0 % of Norwegian cars in Q2 2026")
    assert not any("The title is about" in note for note in alone.notes)


@pytest.mark.parametrize(
    ("before", "now"),
    [((100, 100), (150, 150)), ((100, 100), (90, 80)), ((100, None), (150, 120))],
    ids=["both gained as much", "both lost", "one was not there a year before"],
)
def test_nobody_gained_most_who_did_not(
    empty_engine: Engine, before: tuple[int, int | None], now: tuple[int, int]
) -> None:
    fill_shares(
        empty_engine,
        {
            code: {"2026-Q1": (new, 1000)} | ({"2025-Q1": (old, 1000)} if old else {})
            for code, old, new in zip(("DE", "US"), before, now, strict=True)
        },
    )
    title = read(empty_engine, "market=DE,US").title
    assert len(title + "; Germany gained most, +5.0 pp") <= TITLE_LENGTH, "there would be room to say it"
    assert "most" not in title
    assert "in Q1 2026" in title


def test_of_one_market_the_title_has_the_change_on_the_year(empty_engine: Engine) -> None:
    fill_shares(empty_engine, THREE)
    title = read(empty_engine, "market=DE").title
    assert title == "BEVs are 20.0 % of German cars in Q1 2026, +15.0 pp on a year before"
    assert read(empty_engine, "market=DE&until=2025-12").title == "BEVs are 20.0 % of German cars in Q4 2025"


def test_markets_without_a_period_in_common_have_a_title_all_the_same(empty_engine: Engine) -> None:
    fill_shares(empty_engine, {"DE": {"2025-Q1": (10, 100)}, "NO": {"2025-Q2": (90, 100)}})
    assert read(empty_engine, "market=DE,NO").title == "BEVs: Norway 90.0 % of all cars in Q2 2025"


# Quarters that belong together

PULLED = YEAR | {"2025-Q3": (30, 200), "2025-Q4": (10, 600), "2026-Q1": (20, 400)}
"""A credit ends with the third quarter: 40 of 800 cars in it and the next one, 5 %, and 5 % in the one after."""


def pulled(engine: Engine, quarters: Quarters = PULLED, *, day: date = date(2025, 9, 30), **changes: str) -> Reading:
    fill_shares(engine, {"US": quarters})
    fill_events(engine, [event(day, "US", "Credit ends", **changes)])
    return read(engine, "market=US")


def dotted(reading: Reading) -> list[tuple[list[str], list[float]]]:
    return [(t["x"], t["y"]) for t in drawn(reading)["data"] if t.get("line", {}).get("dash") == "dot"]


@pytest.mark.parametrize("day", [date(2025, 9, 30), date(2025, 10, 1)])
def test_quarters_at_whose_border_a_subsidy_changes_are_drawn_as_one(empty_engine: Engine, day: date) -> None:
    reading = pulled(empty_engine, day=day)
    assert dotted(reading) == [(["2025-07-01", "2025-10-01"], [0.05, 0.05])], "40 of 800, not the mean of 15 and 1.7 %"
    assert "Dotted: Q3 and Q4 2025 5.0 % (1)." in reading.notes[0]


@pytest.mark.parametrize(
    "changes",
    [{"kind": "tariff"}, {"maker": "tesla"}, {"day": date(2025, 9, 29)}, {"day": date(2025, 8, 31)}],
    ids=["a duty", "one maker's subsidy", "a day before the last", "the end of a month"],
)
def test_other_events_put_no_quarters_together(empty_engine: Engine, changes: dict[str, str]) -> None:
    reading = pulled(empty_engine, **changes)  # type: ignore[arg-type]
    assert dotted(reading) == []
    assert "together" not in reading.title
    assert reading.events.marks


def test_months_years_and_windows_are_not_put_together(empty_engine: Engine) -> None:
    pulled(empty_engine)
    assert dotted(read(empty_engine, "market=US&grain=year")) == []
    assert dotted(read(empty_engine, "market=US&window=ttm")) == []


@pytest.mark.parametrize(("electric", "stands"), [(20, "like"), (40, "above"), (4, "below")])
def test_the_title_sets_the_newest_quarter_against_the_two(empty_engine: Engine, electric: int, stands: str) -> None:
    reading = pulled(empty_engine, {**PULLED, "2026-Q1": (electric, 400)})
    share = {20: "5.0", 40: "10.0", 4: "1.0"}[electric]
    assert reading.title == f"BEVs are {share} % of US cars in Q1 2026, {stands} the 5.0 % of Q3 and Q4 2025 together"


def test_where_the_two_are_the_newest_the_title_gives_them_together(empty_engine: Engine) -> None:
    reading = pulled(empty_engine, {quarter: cars for quarter, cars in PULLED.items() if quarter < "2026"})
    assert reading.title == "BEVs are 1.7 % of US cars in Q4 2025; Q3 and Q4 2025 together 5.0 %"


def test_a_year_later_the_title_leaves_them_alone(empty_engine: Engine) -> None:
    later = {f"2026-Q{n}": (20, 400) for n in (1, 2, 3, 4)}
    assert "together" not in pulled(empty_engine, PULLED | later).title


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**7)), min_size=1, max_size=8).map(
        lambda pairs: [(min(part, whole), whole) for part, whole in pairs]
    )
)
def test_a_pooled_share_lies_between_the_shares_that_it_pools(pairs: list[tuple[int, int]]) -> None:
    units, of = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    pooled = pooled_share(units, of=of)
    assert (units / of).min() - 1e-12 <= pooled <= (units / of).max() + 1e-12


def test_a_pooled_share_of_something_missing_is_missing() -> None:
    assert pooled_share(np.array([30.0, 10.0]), of=np.array([200.0, 600.0])) == 0.05
    assert np.isnan(pooled_share(np.array([30.0, np.nan]), of=np.array([200.0, 600.0])))
    assert np.isnan(pooled_share(np.array([0.0]), of=np.array([0.0])))


# Refusals, rows, looks


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (f"{SET}&powertrain=ALL", "all cars are all of all cars"),
        (f"{SET}&measure=growth", "this chart draws share, not growth"),
        (f"{SET}&basis=reported", "there is no share across them"),
        ("market=FR", "no source loaded states ALL totals"),
        ("market=DE,FR", "France: no source loaded states ALL totals"),
        (f"{SET}&powertrain=NEV", "no source loaded states NEV"),
        (f"{SET}&since=2030-01", "no period in the range"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_way_on_that_can(empty_engine: Engine, query: str, words: str) -> None:
    fill_shares(empty_engine, THREE)
    fill(empty_engine, {"FR": {"2025-Q1": {"other": 10}}})
    refusal = refused(empty_engine, query)
    assert words in str(refusal)
    if query != "market=FR":
        assert refusal.nearest is not None
        with empty_engine.connect() as connection:
            assert PENETRATION.load(connection, refusal.nearest, today=TODAY).title


def test_the_way_on_keeps_the_markets_that_have_figures(empty_engine: Engine) -> None:
    fill_shares(empty_engine, THREE)
    fill(empty_engine, {"FR": {"2025-Q1": {"other": 10}}})
    refusal = refused(empty_engine, "market=DE,FR,NO")
    assert isinstance(refusal, NotPublished)
    assert not isinstance(refusal, Incomparable)
    assert refusal.nearest is not None
    assert refusal.nearest.market == ("DE", "NO")


def test_groups_are_refused_by_name(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2025-Q1": {"Volkswagen": 10, "Audi": 5}}},
        all_cars={"DE": {"2025-Q1": {"other": 100}}},
        groups={"Volkswagen Group": ("Volkswagen", "Audi")},
    )
    refusal = refused(empty_engine, "market=DE&by=group&makers=volkswagen-group")
    assert "groups are drawn by market share" in str(refusal)
    assert refusal.nearest is not None
    assert refusal.nearest.makers == ()


def test_rows_are_one_a_market_and_period_and_points_have_receipts(empty_engine: Engine) -> None:
    fill_shares(empty_engine, THREE)
    reading = read(empty_engine, SET)
    rows = PENETRATION.rows(reading)
    assert tuple(rows.columns) == DOWNLOAD_COLUMNS
    assert len(rows) == 5 + 6 + 5
    assert not rows.duplicated(["market", "period_start"]).any()
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["value"] <= rows["high"]).all()
    assert PENETRATION.receipts is not None
    with empty_engine.connect() as connection:
        claims = PENETRATION.receipts(connection, reading, points(drawn(reading))[0].point)
    assert claims["units"].tolist() == [10]


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("query", [SET, "market=US", "market=US&until=2025-03", f"{SET}&window=ttm"])
def test_every_look_of_every_reading_is_a_figure(empty_engine: Engine, look: Look, query: str) -> None:
    fill_shares(empty_engine, THREE | {"US": PULLED})
    fill_events(empty_engine, [event(date(2025, 9, 30), "US", "Credit ends")])
    reading = read(empty_engine, query)
    assert len(reading.title) <= TITLE_LENGTH
    assert drawn(reading, look)["data"]
    assert PENETRATION.table(reading).rows


def test_the_us_have_not_come_back_to_the_quarters_around_the_credits_end(bundled_engine: Engine) -> None:
    """Open EV Charts, as known on 2026-07-23: read off the file, 10.1 % and 5.9 % around the end, then 5.9 %."""
    reading = read(bundled_engine, "market=US&grain=quarter&until=2026-03&as_of=2026-07-23")
    (together,) = (each for each in reading.content.together if each.name == "Q3 and Q4 2025")
    assert together.share == pytest.approx(0.0804, abs=0.0005)
    assert reading.title == "BEVs are 5.9 % of US cars in Q1 2026, below the 8.0 % of Q3 and Q4 2025 together"
