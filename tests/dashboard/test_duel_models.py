"""Two makers' models side by side: named ones exact, lumped ones called so, no change where bounds leave it open."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from sqlalchemy import Engine

from dashboard.charts.chart import Point, Reading
from dashboard.charts.duel_models import DUEL_MODELS, MOST
from dashboard.selection import NotPublished, Selection
from dashboard.style import Look
from tests.dashboard import test_duel_lines as duel_lines
from tests.dashboard.test_duel_lines import LOOKS, holds
from tests.dashboard.test_sales_lines import fill, selections

MONTH = "window=none"


def read(engine: Engine, query: str = "") -> Reading:
    return duel_lines.read(engine, query, chart=DUEL_MODELS)


def drawn(reading: Reading, look: Look = LOOKS[0]) -> dict[str, Any]:
    return duel_lines.drawn(reading, look, chart=DUEL_MODELS)


def bars(reading: Reading) -> list[list[float]]:
    """The solid bars, maker by maker."""
    return [trace["x"] for trace in drawn(reading)["data"] if trace["type"] == "bar" and "customdata" in trace]


# Titles


def test_the_best_named_models_meet_in_the_title(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla|Model Y": 300, "Tesla|Model 3": 100, "BYD|Seal": 200}}})
    reading = read(empty_engine, MONTH)
    assert reading.title == "Tesla Model Y outsells BYD Seal in German BEVs: 300 to 200, Jan 2026"
    assert bars(reading) == [[200], [300, 100]]


def test_a_model_that_could_be_ahead_is_not_outsold(empty_engine: Engine) -> None:
    months = {
        "2026-01": {"Tesla|Model Y": 100, "BYD|Seal": 100, "other": 100},
        "2026-02": {"Tesla|Model Y": 100, "BYD|Dolphin": 1, "other": 100},
        "2026-03": {"Tesla|Model Y": 100, "BYD|Seal": 100, "other": 100},
    }
    fill(empty_engine, {"DE": months})
    reading = read(empty_engine, "window=3m")
    assert "outsells" not in reading.title
    assert reading.title == "German BEVs, 3 months to Mar 2026: Tesla Model Y 300, BYD Seal at least 200"


def test_a_bounded_model_is_marked_where_it_is_outsold(empty_engine: Engine) -> None:
    months = {
        "2026-01": {"Tesla|Model Y": 300, "BYD|Seal": 100, "other": 50},
        "2026-02": {"Tesla|Model Y": 300, "BYD|Dolphin": 1, "other": 50},
        "2026-03": {"Tesla|Model Y": 300, "BYD|Seal": 100, "other": 50},
    }
    fill(empty_engine, {"DE": months})
    assert read(empty_engine, "window=3m").title == (
        "Tesla Model Y outsells BYD Seal in German BEVs: 900 to ≥200, 3 months to Mar 2026"
    )


def test_a_maker_without_a_named_model_is_said_to_have_none(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla|Model Y": 300, "other": 100}, "2025-01": {"BYD|Seal": 1}}})
    reading = read(empty_engine, MONTH)
    assert reading.title == "Tesla Model Y has 300 in German BEVs, Jan 2026; no model of BYD is named"
    assert "No model of BYD is named: at most 100." in reading.notes


# Changes


def test_a_change_is_told_between_two_exact_figures_only(empty_engine: Engine) -> None:
    before = {"Tesla|Model Y": 200, "Tesla|Model 3": 100, "BYD|Seal": 100}
    now = {"Tesla|Model Y": 300, "Tesla|Model S": 50, "BYD|Seal": 50, "BYD|other": 20}
    fill(empty_engine, {"DE": {"2025-01": before, "2026-01": now}})
    rows = {row[1]: row[2:] for row in DUEL_MODELS.table(read(empty_engine, MONTH)).rows}
    assert rows["Model Y"] == ("300", "200", "+50.0 %")
    assert rows["Seal"] == ("50", "100", "−50.0 %")
    assert rows["Model S"] == ("50", "new", "–")
    assert rows["other models"] == ("20", "–", "–")
    assert "Model 3" not in rows, "it is not on the list any more"


def test_a_window_that_a_model_was_listed_in_part_has_no_change(empty_engine: Engine) -> None:
    record = {"Tesla|Model Y": 100, "BYD|Seal": 100, "other": 10}
    without = {"Tesla|Model Y": 100, "BYD|Dolphin": 100, "other": 10}
    months = {f"{year}-0{n}": record for year in (2025, 2026) for n in (1, 2, 3)} | {"2026-02": without}
    fill(empty_engine, {"DE": months})
    rows = {row[1]: row[2:] for row in DUEL_MODELS.table(read(empty_engine, "window=3m")).rows}
    assert rows["Seal"] == ("200 to 210", "300", "–")
    assert rows["Model Y"] == ("300", "300", "0 %")


# What is lumped


def test_smaller_models_stand_together_and_own_rests_last(empty_engine: Engine) -> None:
    record = {f"BYD|Car{n}": 100 - n for n in range(MOST + 3)} | {"BYD|other": 500, "Tesla|Model Y": 1}
    fill(empty_engine, {"DE": {"2026-01": record}})
    reading = read(empty_engine, MONTH)
    names = [row[1] for row in DUEL_MODELS.table(reading).rows if row[0] == "BYD"]
    assert names == [*(f"Car{n}" for n in range(MOST)), "3 smaller models", "other models"]
    assert bars(reading)[0][-2:] == [93 + 92 + 91, 500]
    rows = DUEL_MODELS.rows(reading)
    assert len(rows[rows["maker"] == "byd"]) == MOST + 4, "the file holds every model and no fold"


def test_groups_bring_the_models_of_all_their_brands(empty_engine: Engine) -> None:
    record = {"Volkswagen|ID.3": 300, "Škoda|Enyaq": 200, "Tesla|Model Y": 100}
    fill(empty_engine, {"DE": {"2026-01": record}}, groups={"Volkswagen Group": ("Volkswagen", "Škoda")})
    reading = read(empty_engine, f"{MONTH}&by=group&makers=volkswagen-group,tesla")
    names = [row[:2] for row in DUEL_MODELS.table(reading).rows]
    assert names == [
        ("Tesla", "Model Y"),
        ("Volkswagen Group", "Volkswagen ID.3"),
        ("Volkswagen Group", "Škoda Enyaq"),
    ]


def test_growth_is_told_beside_cars(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla|Model Y": 300, "BYD|Seal": 200}}})
    reading = read(empty_engine, f"{MONTH}&measure=growth")
    assert "Cars are drawn: the change of each model stands beside it." in reading.notes
    assert set(DUEL_MODELS.rows(reading)["measure"]) == {"units"}


# Periods and markets


def test_quarters_fill_a_window_where_there_are_no_months(empty_engine: Engine) -> None:
    fill(empty_engine, {"US": {f"2025-Q{n}": {"Tesla|Model Y": 300, "BYD|Seal": 100} for n in (1, 2, 3, 4)}})
    reading = read(empty_engine, "market=US")
    assert reading.title == "Tesla Model Y outsells BYD Seal in US BEVs: 1,200 to 400, 12 months to Dec 2025"


def test_markets_without_models_are_refused_with_a_way_on(bundled_engine: Engine) -> None:
    with pytest.raises(NotPublished, match="Israel: figures are published by maker, not by model") as refused:
        read(bundled_engine, "market=IL")
    assert refused.value.nearest == DUEL_MODELS.defaults


# Drawing and receipts


def test_both_columns_have_one_scale(bundled_engine: Engine) -> None:
    layout = drawn(read(bundled_engine))["layout"]
    assert layout["xaxis"]["range"] == layout["xaxis2"]["range"]
    assert layout["xaxis"]["range"][0] == 0
    widths = [layout[name]["domain"][1] - layout[name]["domain"][0] for name in ("xaxis", "xaxis2")]
    assert widths[0] == pytest.approx(widths[1])


@pytest.mark.parametrize("look", LOOKS, ids=["screen", "dark", "narrow", "picture", "sheet"])
@pytest.mark.parametrize("query", ["", "market=CN", "market=US", "market=DE,NO&measure=share", "by=group&makers=audi"])
def test_real_figures_are_drawn_as_plain_values(bundled_engine: Engine, query: str, look: Look) -> None:
    figure = drawn(read(bundled_engine, query), look)
    assert any(value for trace in figure["data"] if trace["type"] == "bar" for value in trace["x"])


def test_names_from_data_are_never_markup(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"BYD|<b>x</b>": 300, "Tesla|Model Y": 200}}})
    words = [str(text) for trace in drawn(read(empty_engine, MONTH))["data"] for text in trace.get("text", ())]
    assert "&lt;b&gt;x&lt;/b&gt;" in words
    assert "<b>x</b>" not in words


def test_the_claims_behind_a_model_add_up_to_it(bundled_engine: Engine) -> None:
    reading = read(bundled_engine, "until=2026-06")
    rows = DUEL_MODELS.rows(reading)
    value = rows[(rows["model"] == "tesla-model-y") & (rows["period_start"] == "2026-06-01")]["value"].item()
    assert DUEL_MODELS.receipts is not None
    with bundled_engine.connect() as connection:
        point = Point(market="DE", maker="tesla", model="tesla-model-y", period_start=2026 * 12 + 5)
        assert DUEL_MODELS.receipts(connection, reading, point)["units"].sum() == value > 0


@settings(deadline=None, max_examples=40)
@given(selection=selections())
def test_whatever_is_asked_is_drawn_truly_or_refused_with_a_way_on_that_is_drawn(
    bundled_engine: Engine, selection: Selection
) -> None:
    holds(bundled_engine, DUEL_MODELS, selection)


def test_who_has_no_model_chosen_keeps_all_of_its(empty_engine: Engine) -> None:
    record = {"Tesla|Model Y": 90, "Tesla|Model 3": 40, "BYD|Seal": 30, "BYD|Dolphin": 20}
    fill(empty_engine, {"DE": {"2026-01": record}})
    reading = read(empty_engine, "window=none&models=tesla-model-y")
    named = {side.name: [entry.name for entry in side.entries] for side in reading.content.sides}
    assert named == {"BYD": ["Seal", "Dolphin"], "Tesla": ["Model Y"]}
    assert not any("no model" in text.lower() for text in (reading.title, *reading.notes))
