"""Who leads where: each market by its own newest period, open where it is open, and never ahead of what is certain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from sqlalchemy import Engine

from dashboard.charts.chart import Point, Reading
from dashboard.charts.duel_markets import DUEL_MARKETS
from dashboard.selection import Incomparable, NotPublished, Refusal, Selection
from dashboard.style import Look
from tests.dashboard import test_duel_lines as duel_lines
from tests.dashboard.test_duel_lines import LOOKS, answer, holds
from tests.dashboard.test_sales_lines import fill, monthly, selections

MONTH = "window=none"


def read(engine: Engine, query: str = "") -> Reading:
    return duel_lines.read(engine, query, chart=DUEL_MARKETS)


def drawn(reading: Reading, look: Look = LOOKS[0]) -> dict[str, Any]:
    return duel_lines.drawn(reading, look, chart=DUEL_MARKETS)


def year(units: Mapping[str, int]) -> dict[str, Mapping[str, int]]:
    return monthly(2025, units)


# Titles

WORLD = {
    "DE": {"2026-01": {"Tesla": 300, "BYD": 100}},
    "NO": {"2026-01": {"Tesla": 300, "BYD": 200}},
    "SE": {"2026-01": {"Tesla": 100, "BYD": 300}},
}


def test_markets_are_counted_by_who_leads(empty_engine: Engine) -> None:
    fill(empty_engine, WORLD)
    assert read(empty_engine, MONTH).title == "Tesla leads BYD in BEVs in 2 of 3 markets; BYD in 1"


def test_whom_the_rest_could_overtake_is_not_counted_as_leading(empty_engine: Engine) -> None:
    fill(empty_engine, WORLD | {"CN": {"2026-01": {"Tesla|Model Y": 300, "BYD|Seal": 200, "other": 100}}})
    reading = read(empty_engine, MONTH)
    assert reading.title == "Tesla leads BYD in BEVs in 2 of 4 markets; BYD in 1, 1 open"
    assert reading.badge.amber
    assert DUEL_MARKETS.table(reading).rows[-1][4].startswith("open: ")


def test_where_all_is_open_nobody_leads(empty_engine: Engine) -> None:
    record = {"Tesla|Model Y": 300, "BYD|Seal": 200, "other": 200}
    fill(empty_engine, {"CN": {"2026-01": record}, "DE": {"2026-01": record}})
    assert read(empty_engine, MONTH).title == "BEVs: unnamed cars leave open who leads in all 2 markets"


def test_a_market_in_which_neither_was_ever_named_is_left_out_unless_it_is_asked_for(empty_engine: Engine) -> None:
    fill(empty_engine, WORLD | {"IT": {"2026-01": {"Fiat": 300, "other": 10}}})
    assert read(empty_engine, MONTH).title == "Tesla leads BYD in BEVs in 2 of 3 markets; BYD in 1"
    assert "Italy" in read(empty_engine, f"{MONTH}&market=DE,IT").content.standings[-1].name


def test_two_that_lead_as_often_are_both_named(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": WORLD["DE"], "SE": WORLD["SE"]})
    assert read(empty_engine, MONTH).title == "BYD and Tesla each lead BEVs in 1 of 2 markets"


def test_level_everywhere_is_no_lead(empty_engine: Engine) -> None:
    level = {"2026-01": {"Tesla": 100, "BYD": 100}}
    fill(empty_engine, {"DE": level, "SE": level})
    title = read(empty_engine, MONTH).title
    assert title == "Nobody leads BEVs in any of 2 markets: level, or left open by unnamed cars"
    one = read(empty_engine, f"{MONTH}&market=DE").title
    assert one == "Germany, Jan 2026: BYD and Tesla are level"


def test_how_many_led_a_year_before_is_told_where_all_markets_tell_it(empty_engine: Engine) -> None:
    before = {"2025-01": {"Tesla": 300, "BYD": 200}}
    fill(empty_engine, {code: before | record for code, record in WORLD.items()})
    assert read(empty_engine, MONTH).title == ("Tesla leads BYD in BEVs in 2 of 3 markets (3 a year before); BYD in 1")


def test_one_market_is_named(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2025-12": {"Tesla": 100, "BYD": 300}, **WORLD["DE"]}})
    assert read(empty_engine, f"{MONTH}&market=DE&measure=units").title == (
        "Germany: Tesla leads BYD in BEVs by 200, Jan 2026"
    )


# Periods


def test_each_market_is_told_up_to_its_own_newest_window_and_prints_it(empty_engine: Engine) -> None:
    late = year({"Tesla": 300, "BYD": 100}) | {"2026-01": {"Tesla": 300, "BYD": 100}}
    fill(empty_engine, {"DE": late, "NO": year({"Tesla": 100, "BYD": 300}), "SE": late})
    reading = read(empty_engine, "measure=units")
    told = {row[0]: row[1:5] for row in DUEL_MARKETS.table(reading).rows}
    assert told["Germany"] == ("12 months to Jan 2026", "1,200", "3,600", "Tesla by 2,400")
    assert told["Norway"] == ("12 months to Dec 2025", "3,600", "1,200", "BYD by 2,400")
    assert drawn(reading)["data"][1]["y"] == ["Norway, to Dec 2025", "Germany", "Sweden"]
    starts = dict(DUEL_MARKETS.rows(reading)[["market", "period_start"]].values.tolist())
    assert starts == {"DE": "2026-01-01", "NO": "2025-12-01", "SE": "2026-01-01"}


def test_quarters_fill_a_window_of_months_and_are_labelled_with_its_last(empty_engine: Engine) -> None:
    quarters = {f"2025-Q{n}": {"Tesla": 300, "BYD": 100} for n in (1, 2, 3, 4)}
    fill(empty_engine, {"US": quarters, "DE": year({"Tesla": 100, "BYD": 300})})
    reading = read(empty_engine, "measure=units")
    assert {row[0]: row[4] for row in DUEL_MARKETS.table(reading).rows} == {
        "United States": "Tesla by 800",
        "Germany": "BYD by 2,400",
    }
    rows = DUEL_MARKETS.rows(reading)
    assert set(rows["period_start"]) == {"2025-12-01"}
    assert set(rows["grain"]) == {"month"}
    assert [row[0] for row in DUEL_MARKETS.table(read(empty_engine, MONTH)).rows] == ["Germany"]


def test_what_ended_long_ago_is_left_out_and_named_unless_it_was_asked_for(empty_engine: Engine) -> None:
    fill(empty_engine, WORLD | {"BE": {"2023-12": {"Tesla": 300, "BYD": 100}}})
    reading = read(empty_engine, MONTH)
    assert "Belgium" not in {row[0] for row in DUEL_MARKETS.table(reading).rows}
    assert any("Belgium (to Dec 2023)" in note for note in reading.notes)
    asked = read(empty_engine, f"{MONTH}&market=BE,DE")
    assert "Belgium" in {row[0] for row in DUEL_MARKETS.table(asked).rows}


def test_since_when_one_is_ahead(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "DE": {
                "2026-01": {"Tesla": 100, "BYD": 300},
                "2026-02": {"Tesla": 300, "BYD": 100},
                "2026-03": {"Tesla": 300, "BYD": 100},
            },
            "NO": {f"2026-0{n}": {"Tesla": 300, "BYD": 100} for n in (1, 2, 3)},
        },
    )
    since = {row[0]: row[-1] for row in DUEL_MARKETS.table(read(empty_engine, MONTH)).rows}
    assert since == {"Germany": "Feb 2026", "Norway": "Jan 2026 or longer"}


# What cannot be compared


def test_regions_overlap_their_countries_and_are_left_out(bundled_engine: Engine) -> None:
    reading = read(bundled_engine, "market=DE,EU")
    assert any("overlaps its countries: European Union" in note for note in reading.notes)
    with pytest.raises(NotPublished, match="overlaps the countries") as refused:
        read(bundled_engine, "market=EU")
    assert refused.value.nearest == DUEL_MARKETS.defaults


def test_headlines_are_no_markets(bundled_engine: Engine) -> None:
    with pytest.raises(Incomparable, match="worldwide and on unlike bases") as refused:
        read(bundled_engine, "basis=reported")
    assert refused.value.nearest == DUEL_MARKETS.defaults


# Drawing, download, receipts


def test_a_bar_points_to_who_is_ahead_solid_to_what_is_certain(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "CN": {"2026-01": {"Tesla|Model Y": 300, "BYD|Seal": 100, "other": 50}},
            "DE": {"2026-01": {"Tesla|Model Y": 300, "BYD|Seal": 100, "other": 300}},
            "SE": WORLD["SE"],
        },
    )
    hatched, solid = drawn(read(empty_engine, f"{MONTH}&measure=units"))["data"][:2]
    assert solid["y"] == ["Sweden", "China", "Germany"]
    assert solid["x"] == [200, -150, 0]
    assert (hatched["base"], hatched["x"]) == ([200, -150, -500], [0, -100, 600])
    assert [key[:2] for key in solid["customdata"]] == [["SE", "byd"], ["CN", "tesla"], ["DE", "byd"]]


def test_the_download_has_the_gap_and_who_is_ahead_beside_both_makers(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla|Model Y": 300, "BYD|Seal": 100, "other": 50}}})
    rows = DUEL_MARKETS.rows(read(empty_engine, f"{MONTH}&measure=units"))
    own = rows[["maker", "value", "high", "gap", "gap_low", "gap_high", "ahead", "ahead_since"]]
    byd, other, tesla = own.values.tolist()
    assert byd == ["byd", 100, 150, -200, -250, -150, "tesla", "2026-01-01"]
    assert tesla == ["tesla", 300, 350, -200, -250, -150, "tesla", "2026-01-01"]
    assert other[0] == "other"
    assert other[3] != other[3], "the rest has no gap"


def test_receipts_are_of_both_makers_over_the_whole_window(bundled_engine: Engine) -> None:
    reading = read(bundled_engine, "market=DE&until=2026-06&measure=units")
    rows = DUEL_MARKETS.rows(reading).set_index("maker")["value"]
    assert (rows["tesla"], rows["byd"]) == (39_295, 17_004)
    assert DUEL_MARKETS.receipts is not None
    with bundled_engine.connect() as connection:
        point = Point(market="DE", maker="tesla", model="all", period_start=2026 * 12 + 5)
        claims = DUEL_MARKETS.receipts(connection, reading, point)
    assert claims.groupby("maker")["units"].sum().to_dict() == {"Tesla": 39_295, "BYD": 17_004}


@pytest.mark.parametrize("look", LOOKS, ids=["screen", "dark", "narrow", "picture", "sheet"])
@pytest.mark.parametrize("query", ["", "market=US", "market=CN,DE&measure=units", "measure=growth&window=3m"])
def test_real_figures_are_drawn_as_plain_values(bundled_engine: Engine, query: str, look: Look) -> None:
    figure = drawn(read(bundled_engine, query), look)
    assert any(value is not None for trace in figure["data"] for value in trace["x"])
    names = figure["data"][0]["y"]
    assert len(names) == len(set(names))


@settings(deadline=None, max_examples=40)
@given(selection=selections())
def test_whatever_is_asked_is_drawn_truly_or_refused_with_a_way_on_that_is_drawn(
    bundled_engine: Engine, selection: Selection
) -> None:
    holds(bundled_engine, DUEL_MARKETS, selection)


def test_all_markets_are_told_without_naming_one(bundled_engine: Engine) -> None:
    assert not isinstance(answer(bundled_engine, DUEL_MARKETS, DUEL_MARKETS.defaults), Refusal)
    told = {row[0] for row in DUEL_MARKETS.table(read(bundled_engine)).rows}
    assert {"China", "Germany", "United States", "Norway", "Israel"} <= told
    assert not {"World", "European Union"} & told
