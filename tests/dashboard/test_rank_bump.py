"""Ranks with what the unnamed rest leaves open: ties, ranges, entrants, and titles that claim no more than is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard.charts.chart import DOWNLOAD_COLUMNS, Point, Reading
from dashboard.charts.rank_bump import RANK_BUMP
from dashboard.metrics import ranks
from dashboard.selection import Incomparable, InvalidSelection, NotPublished, Refusal, Selection
from dashboard.style import LINE_END, PICTURE, SCREEN, SHEET, Figure, Look
from tests.dashboard.test_sales_lines import fill
from tests.world import cards

TODAY = date(2026, 7, 24)
NARROW = replace(SCREEN, height=320, font_px=12)
PLAIN = "window=none"


def read(engine: Engine, query: str = PLAIN) -> Reading:
    return cards.read(engine, RANK_BUMP, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(RANK_BUMP, reading, look)


def heights(figure: Figure) -> dict[str, list[Any]]:
    """The places of the drawn lines by name; the plot has them upside down."""
    return {
        trace["name"]: [None if y is None else -y for y in trace["y"]] for trace in figure["data"] if "name" in trace
    }


def labels(figure: Figure) -> list[str]:
    return [note["text"] for note in figure["layout"]["annotations"] if note["name"] == LINE_END]


def placed(reading: Reading) -> dict[str, tuple[float, float, float]]:
    """Low, value and high of the last period by maker."""
    rows = RANK_BUMP.rows(reading)
    last = rows[rows["period_start"] == rows["period_start"].max()]
    return {row["maker"]: (row["low"], row["value"], row["high"]) for row in last.to_dict("records")}


def of(low: list[float], high: list[float], hidden: float = 0.0) -> dict[str, list[float]]:
    found = ranks(low=np.array([low]), high=np.array([high]), hidden=np.array([hidden]))
    return {name: getattr(found, name)[0].tolist() for name in ("value", "best", "worst", "tied")}


# The measure


def test_the_largest_is_first_and_equal_figures_share_a_place() -> None:
    found = of([300, 100, 200, 200], [300, 100, 200, 200])
    assert found["value"] == found["best"] == found["worst"] == [1, 4, 2, 2]
    assert found["tied"] == [False, False, True, True]


def test_the_rest_could_raise_whoever_it_could_belong_to() -> None:
    found = of([300, 200, 100], [300, 260, 210], hidden=110)
    assert found["value"] == [1, 2, 3]
    assert found["best"] == [1, 2, 2]
    assert found["worst"] == [1, 3, 4], "somebody who is behind could be ahead, or one whom nobody names"


def test_a_hidden_one_has_to_have_more_to_be_ahead() -> None:
    assert of([100], [100], hidden=100)["worst"] == [1]
    assert of([100], [100], hidden=101)["worst"] == [2]
    assert of([100], [100], hidden=201)["worst"] == [3]
    assert of([0], [10], hidden=10)["worst"] == [np.inf]


def test_who_has_no_figure_has_no_place() -> None:
    found = of([np.nan, 100], [np.nan, 100])
    assert np.isnan(found["value"][0])
    assert found["value"][1] == 1


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 30)), min_size=1, max_size=8),
    st.integers(0, 60),
    st.data(),
)
def test_no_way_to_give_the_rest_away_leads_out_of_the_range(
    cars: list[tuple[int, int]], hidden: int, data: st.DataObject
) -> None:
    low = [float(least) for least, _ in cars]
    high = [float(least + min(room, hidden)) for least, room in cars]
    found = of(low, high, float(hidden))
    left, true = hidden, []
    for least, most in zip(low, high, strict=True):
        more = data.draw(st.integers(0, min(left, int(most - least))))
        left -= more
        true.append(least + more)
    unnamed = []
    while left:
        one = data.draw(st.integers(1, left))
        left -= one
        unnamed.append(one)
    for n, mine in enumerate(true):
        place = 1 + sum(other > mine for other in [*true, *unnamed])
        assert found["best"][n] <= place <= found["worst"][n]
        assert found["best"][n] <= found["value"][n] <= found["worst"][n]


# The chart


def test_ranks_are_of_everybody_whoever_is_drawn(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla": 100, "BYD": 300, "Kia": 200}}})
    reading = read(empty_engine, f"{PLAIN}&makers=tesla")
    assert placed(reading) == {"tesla": (3, 3, 3)}
    assert list(heights(drawn(reading))) == ["Tesla"]
    assert reading.title == "Tesla ranks 3 in German BEVs in Jan 2026"


def test_a_tie_is_marked_and_the_next_place_left_out(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla": 200, "BYD": 200, "Kia": 100}}})
    reading = read(empty_engine)
    assert labels(drawn(reading)) == ["=1 BYD", "=1 Tesla", "3 Kia"]
    assert reading.title == "BYD and Tesla share first place in German BEVs in Jan 2026"
    assert any(note.startswith("= marks") for note in reading.notes)


def test_what_the_unnamed_rest_could_raise_is_a_range(empty_engine: Engine) -> None:
    record = {"Tesla|Model Y": 300, "BYD|Seal": 200, "Kia|EV6": 100, "other": 150}
    fill(empty_engine, {"CN": {"2026-01": record, "2026-02": record}})
    reading = read(empty_engine, f"{PLAIN}&market=CN")
    assert placed(reading) == {"tesla": (1, 1, 1), "byd": (1, 2, 2), "kia": (2, 3, 3)}
    assert labels(drawn(reading)) == ["1 Tesla", "1–2 BYD", "2–3 Kia"]
    rows = RANK_BUMP.rows(reading)
    assert rows["flags"].tolist()[-3:] == ["bounded", "bounded", ""]
    assert rows["worst"].tolist()[-3:] == [3, 4, 2]
    assert reading.badge.amber


def test_a_band_is_drawn_where_few_are_chosen(empty_engine: Engine) -> None:
    record = {"Tesla|Model Y": 300, "BYD|Seal": 200, "Kia|EV6": 100, "other": 150}
    fill(empty_engine, {"CN": {"2026-01": record, "2026-02": record}})
    chosen = drawn(read(empty_engine, f"{PLAIN}&market=CN&makers=byd"))
    assert [trace["y"] for trace in chosen["data"] if "name" not in trace] == [[-2, -2], [-1, -1]]
    assert all("name" in trace for trace in drawn(read(empty_engine, f"{PLAIN}&market=CN"))["data"])


def test_first_place_is_said_only_where_nobody_could_be_ahead(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "DE": {"2026-01": {"Tesla|Model Y": 300, "BYD|Seal": 200, "other": 10}},
            "CN": {"2026-01": {"Tesla|Model Y": 300, "BYD|Seal": 200, "other": 500}},
            "NO": {"2026-01": {"Tesla|Model Y": 300, "BYD|Seal": 295, "other": 10}},
        },
    )
    assert read(empty_engine).title == "Tesla is first in German BEVs in Jan 2026"
    assert read(empty_engine, f"{PLAIN}&market=CN").title == (
        "Tesla first in Chinese BEVs by named cars in Jan 2026; 50.0 % unnamed leaves it open"
    )
    assert read(empty_engine, f"{PLAIN}&market=NO").title == (
        "Tesla is first by named cars in Norwegian BEVs in Jan 2026"
    )


def test_a_climb_is_told_where_it_is_certain(empty_engine: Engine) -> None:
    before = {"Tesla": 400, "Kia": 300, "BMW": 200, "BYD": 100}
    fill(empty_engine, {"DE": {"2025-01": before, "2026-01": before | {"BYD": 350}}})
    assert read(empty_engine).title == "Tesla is first in German BEVs in Jan 2026; BYD up from 4 to 2 in a year"


def test_a_climb_that_the_rest_could_undo_is_not_told(empty_engine: Engine) -> None:
    before = {"Tesla|Model Y": 400, "Kia|EV6": 300, "BMW|iX": 200, "BYD|Seal": 190, "other": 15}
    after = before | {"BYD|Seal": 210}
    fill(empty_engine, {"DE": {"2025-01": before, "2026-01": after}})
    title = read(empty_engine).title
    assert title == "Tesla is first in German BEVs in Jan 2026"


def test_who_took_first_place_is_said(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "DE": {"2025-01": {"Tesla": 300, "BYD": 200}, "2026-01": {"Tesla": 200, "BYD": 300}},
            "NO": {"2025-01": {"Tesla|Model Y": 300, "BYD|Seal": 290, "other": 20}, "2026-01": {"Tesla": 1, "BYD": 3}},
        },
    )
    assert read(empty_engine).title == "BYD has taken first place in German BEVs from Tesla within a year, Jan 2026"
    assert "taken" not in read(empty_engine, f"{PLAIN}&market=NO").title, "a year before it was open who was first"


def test_markets_are_ranked_by_their_totals_and_a_maker_within_each(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2026-01": {"Tesla": 100, "BYD": 300}}, "NO": {"2026-01": {"Tesla": 200, "BYD": 100}}},
    )
    query = f"{PLAIN}&market=DE,NO&by=market"
    assert read(empty_engine, query).title == "Markets ranked by BEVs, Jan 2026: Germany 1, Norway 2"
    tesla = read(empty_engine, f"{query}&makers=tesla")
    assert tesla.title == "Tesla's rank in BEVs, Jan 2026: Norway 1, Germany 2"
    assert labels(drawn(tesla)) == ["1 Norway", "2 Germany"]


def test_a_missing_period_is_a_gap(empty_engine: Engine) -> None:
    record = {"Tesla": 200, "BYD": 100}
    fill(empty_engine, {"DE": {"2026-01": record, "2026-03": record}})
    figure = drawn(read(empty_engine))
    assert heights(figure) == {"Tesla": [1, None, 1], "BYD": [2, None, 2]}
    assert all(trace["connectgaps"] is False for trace in figure["data"])


def test_an_entrant_is_marked_and_a_leaver_ends(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2026-01": {"Tesla": 200, "Kia": 100}, "2026-02": {"Tesla": 200, "BYD": 100}}},
    )
    traces = {trace["name"]: trace for trace in drawn(read(empty_engine))["data"]}
    assert traces["BYD"]["marker"]["symbol"] == ["circle", "diamond"]
    assert traces["Tesla"]["marker"]["symbol"] == ["circle", "circle"]
    assert traces["Kia"]["y"] == [-2, None]
    assert "Pale: Kia, among the first 10 once." in read(empty_engine).notes
    assert labels(drawn(read(empty_engine, f"{PLAIN}&makers=kia"))) == ["2 Kia (Jan 2026)"]


def test_of_a_long_history_one_period_each_half_year_is_drawn_and_all_are_in_the_download(empty_engine: Engine) -> None:
    months = {f"{year}-{month:02d}": {"Tesla": 200, "BYD": 100} for year in range(2020, 2026) for month in range(1, 13)}
    fill(empty_engine, {"DE": months})
    reading = read(empty_engine)
    assert drawn(reading)["data"][0]["x"] == [
        f"{year}-{month}-01" for year in range(2020, 2026) for month in ("06", "12")
    ]
    assert len(RANK_BUMP.rows(reading)) == 6 * 12 * 2
    assert "One period is drawn for each half year; the others are in the download." in reading.notes


def test_an_unfinished_last_period_is_hollow_and_tells_no_finding(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2026-05": {"Tesla": 200, "BYD": 100}, "2026-06": {"Tesla": 20, "BYD": 10}}},
        known_on=date(2026, 6, 20),
    )
    reading = read(empty_engine)
    assert reading.title == "Tesla is first by named cars in German BEVs in Jun 2026 (incomplete)"
    assert drawn(reading)["data"][0]["marker"]["symbol"][-1] == "circle-open"


def test_the_download_is_everybody_once_a_period(empty_engine: Engine) -> None:
    record = {f"Maker{n}|A": 100 - n for n in range(14)} | {"other": 1}
    fill(empty_engine, {"DE": {"2026-01": record, "2026-02": record}})
    reading = read(empty_engine)
    rows = RANK_BUMP.rows(reading)
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    assert len(rows) == 28
    assert set(rows["measure"]) == set(rows["unit"]) == {"rank"}
    assert "other" not in set(rows["maker"])
    assert len(heights(drawn(reading))) == 10
    assert any("10 of 14" in note for note in reading.notes)


def test_a_points_receipts_are_its_makers_cars(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla": 200, "BYD": 100}}})
    reading = read(empty_engine)
    point = Point(market="DE", maker="byd", model="all", period_start=2026 * 12)
    with empty_engine.connect() as connection:
        assert RANK_BUMP.receipts is not None
        assert RANK_BUMP.receipts(connection, reading, point)["units"].tolist() == [100]


# Refusals


def nearest(engine: Engine, query: str, kind: type[Refusal]) -> Selection | None:
    with pytest.raises(kind) as refused:
        read(engine, query)
    if refused.value.nearest is not None:
        found = refused.value.nearest
        read(engine, found.query(defaults=RANK_BUMP.defaults))
    return refused.value.nearest


def test_one_market_alone_has_no_rank(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla": 200, "BYD": 100}}})
    found = nearest(empty_engine, f"{PLAIN}&by=market", NotPublished)
    assert found is not None
    assert found.query(defaults=RANK_BUMP.defaults) == PLAIN


def test_a_maker_that_nobody_names_has_no_rank(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla": 200}}, "NO": {"2026-01": {"BYD": 200}}})
    assert nearest(empty_engine, f"{PLAIN}&makers=byd", NotPublished) is not None
    with pytest.raises(InvalidSelection, match="makers=nobody"):
        read(empty_engine, "makers=nobody")


def test_headline_figures_on_unlike_bases_are_not_ranked(bundled_engine: Engine) -> None:
    with pytest.raises(Incomparable, match="no rank across them"):
        read(bundled_engine, "basis=reported&market=WORLD")
    with pytest.raises(Incomparable, match="single makers' own"):
        read(bundled_engine, f"{PLAIN}&market=CN&basis=wholesale")


def test_totals_have_no_ranks(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"other": 200}}})
    assert nearest(empty_engine, PLAIN, NotPublished) is None


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
        "measure=growth",
        "since=2026-06",
        "by=market&market=CN,DE,NO",
        "makers=audi,bmw,byd,cupra,fiat,ford,hyundai,kia,mg,mini,opel,skoda,tesla,volkswagen,volvo",
    ],
)
def test_real_figures_are_drawn_with_a_title_that_fits(bundled_engine: Engine, query: str, look: Look) -> None:
    reading = read(bundled_engine, query)
    figure = drawn(reading, look)
    assert any(y is not None for trace in figure["data"] for y in trace["y"])
    assert figure["layout"]["height"] == look.height
    assert 0 < len(reading.title) <= 90
    rows = RANK_BUMP.rows(reading)
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["value"] <= rows["high"]).all()


def test_china_says_that_its_first_place_is_open(bundled_engine: Engine) -> None:
    assert read(bundled_engine, "market=CN&until=2026-06").title.endswith("53.7 % unnamed leaves it open")
