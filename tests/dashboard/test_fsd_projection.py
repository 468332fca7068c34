"""The fan: when ten million would be reached, what stands beside it, and that no projection looks like a figure."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard import downloads, framing, projected
from dashboard.charts import projection_words
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Point, Reading
from dashboard.charts.fsd_projection import FSD_PROJECTION, drawn_others
from dashboard.charts.fsd_projection_words import Projection, crossing, difference_note, title
from dashboard.selection import InvalidSelection, NotPublished, NotYetMade
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look
from tests.world import cards
from tests.world import projections as made_up
from tests.world.projections import TODAY

pytestmark = pytest.mark.xdist_group("projection")

ROUTES = "region=cn&scenario=both&compare=local"
NARROW = replace(SCREEN, height=320, font_px=12)


def read(engine: Engine, query: str = "") -> Reading:
    return cards.read(engine, FSD_PROJECTION, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(FSD_PROJECTION, reading, look)


def with_draws(engine: Engine, *ends: float, query: str = "") -> Projection:
    """A projection whose draws stand still at these numbers of users."""
    found: Projection = read(engine, query).content
    draws = np.repeat(np.array(ends, dtype=float)[:, None], found.draws.shape[1], axis=1)
    return replace(found, draws=draws, made=projection_words.quantiles(draws), others=())


# Titles


def test_the_title_says_when_ten_million_are_reached_by_the_median_draw(fitted: Engine) -> None:
    found = with_draws(fitted, *[9e6] * 10)
    first = found.asked.first
    # Every draw reaches ten million two quarters before the last, but for one that has them a year before that.
    draws = found.draws.copy()
    draws[:, -3:] = 11e6
    draws[:1, -7:] = 11e6
    found = replace(found, draws=draws, made=projection_words.quantiles(draws))
    assert first + draws.shape[1] - 3 == 2035 * 4 + 1
    assert title(found) == "FSD reaches 10 M users in Q2 2035 by the median draw (80 %: Q2 2035 to Q2 2035)"


def test_an_interval_that_runs_beyond_the_projection_is_told_as_such(fitted: Engine) -> None:
    found = with_draws(fitted, *[9e6] * 10)
    draws = found.draws.copy()
    draws[:6, -3:] = 11e6
    found = replace(found, draws=draws, made=projection_words.quantiles(draws))
    assert title(found) == "FSD reaches 10 M users in Q2 2035 by the median draw (80 %: Q2 2035 to after 2035)"


def test_where_the_median_does_not_get_there_the_title_says_how_many_draws_do_not(fitted: Engine) -> None:
    found = with_draws(fitted, *[2e6] * 7, *[12e6] * 3)
    assert title(found) == "No 10 M FSD users by 2035 in 70 % of draws; the median then is 2.00 M"
    assert title(with_draws(fitted, 2e6, 2e6)) == "No 10 M FSD users by 2035 in all draws; the median then is 2.00 M"


def test_other_areas_and_definitions_are_told_by_how_far_they_come(fitted: Engine) -> None:
    found = with_draws(fitted, *[100e3, 200e3, 300e3], query="region=cn")
    assert title(found) == "China: 200,000 FSD users at the end of 2035 (80 %: 120,000 to 280,000)"
    found = with_draws(fitted, 0.1, 0.2, 0.3, query="attach_basis=fleet_attach&until=2030-12")
    assert title(found) == "World: 20.0 % of cars in use have FSD at the end of 2030 (80 %: 12.0 % to 28.0 %)"


def test_two_worlds_are_told_by_their_difference_draw_by_draw(fitted: Engine) -> None:
    found = with_draws(fitted, 100e3, 200e3, 300e3, query="region=us&scenario=unsupervised&compare=history")
    apart = replace(found, beside=found.draws - 50e3)
    assert "+50,000 users (80 %: +50,000 to +50,000)" in title(apart) or "come to the same" in title(apart)
    wider = replace(found, beside=found.draws * 0.5)
    assert "+100,000 users (80 %: +60,000 to +140,000)" in title(wider)
    same = replace(found, beside=found.draws)
    assert "come to the same" in title(same)
    assert "+100,000" in difference_note(wider)


def test_chinas_data_routes_are_told_side_by_side(fitted: Engine) -> None:
    reading = read(fitted, f"{ROUTES}&attach_basis=fleet_attach&until=2030-12")
    for name in ("both routes ", "local ", "export ", "none "):
        assert name in reading.title
    assert "draw by draw" in " ".join(reading.notes)
    # With a lever moved the other routes as they stand are no longer the same question.
    assert "export" not in read(fitted, f"{ROUTES}&demand=high").title


@given(st.floats(0, 1e8), st.floats(0, 1e8), st.floats(0, 1e8))
def test_no_definition_words_a_title_beyond_ninety_characters(a: float, b: float, c: float) -> None:
    for definition in projection_words.DEFINITIONS.values():
        low, middle, high = sorted((a, b, c))
        scale = 1e8 if definition.is_share else 1.0
        text = [definition.text(each / scale) for each in (low, middle, high)]
        assert len(f"World, end of 2035: {text[1]} (80 %: {text[0]} to {text[2]})") <= 90


@given(st.lists(st.lists(st.floats(0, 2), min_size=4, max_size=4), min_size=1, max_size=6))
def test_a_draw_crosses_where_it_first_is_at_the_mark_and_never_otherwise(draws: list[list[float]]) -> None:
    found = crossing(np.array(draws), 1.0)
    for at, draw in zip(found.tolist(), draws, strict=True):
        assert all(value < 1 for value in draw[:at])
        assert at == len(draw) or draw[at] >= 1


# What is drawn


def names(figure: Figure) -> list[str]:
    return [trace.get("name", "") for trace in figure["data"]]


def test_published_figures_are_solid_points_and_the_projection_is_a_dashed_line_behind_the_data_end(
    fitted: Engine,
) -> None:
    figure = drawn(read(fitted))
    published = next(trace for trace in figure["data"] if trace.get("name") == "Published")
    assert published["mode"] == "markers"
    assert published["y"] == [300_000, 400_000, 500_000]
    assert set(published["marker"]["symbol"]) == {"circle"}
    fan = next(trace for trace in figure["data"] if trace.get("name") == "History as known")
    assert fan["line"]["dash"] == "dash"
    assert min(fan["x"]) == "2026-06-30" == figure["layout"]["shapes"][0]["x0"]
    assert max(published["x"]) <= "2026-06-30"
    assert figure["layout"]["annotations"][0]["text"] == "data end Q2 2026"


def test_the_bands_hold_half_and_four_fifths_of_the_draws(fitted: Engine) -> None:
    reading = read(fitted)
    found: Projection = reading.content
    bands = [trace for trace in drawn(reading)["data"] if trace.get("fill") == "tonexty"]
    assert len(bands) == 3  # 80 % of the past, 80 % and 50 % of the future
    inside = (found.draws >= found.made[0]) & (found.draws <= found.made[4])
    assert inside.mean() == pytest.approx(0.8, abs=0.02)
    half = (found.draws >= found.made[1]) & (found.draws <= found.made[3])
    assert half.mean() == pytest.approx(0.5, abs=0.02)


def test_every_projection_says_how_many_parameter_sets_carried_weight(fitted: Engine) -> None:
    of = read(fitted).content.asked
    made = projected.fit(of.told)
    said = f"at least {made.least_effective:,.0f} of {made.particles:,} parameter sets effective at every step"
    assert said in " ".join(read(fitted).notes)


def test_the_straight_line_goes_on_through_the_published_counts(fitted: Engine) -> None:
    found: Projection = read(fitted).content
    # 50,000 more a quarter from 500,000 in the second quarter of 2026: in two quarters 600,000.
    at = 2026 * 4 + 3 - found.asked.first
    assert found.line[at] == pytest.approx(600_000)
    assert np.isnan(found.line[at - 3])
    assert "through the published figures of Q2 2025 and Q2 2026" in " ".join(read(fitted).notes)


def test_without_two_figures_the_straight_line_is_the_models_own_and_says_so(fitted: Engine) -> None:
    assert "for want of two figures" in " ".join(read(fitted, "region=cn").notes)
    for query in ("region=us", "attach_basis=eligible", "attach_basis=new_sales_take_rate&region=kr"):
        line = read(fitted, query).content.line
        assert np.nanmin(line) >= 0
        assert "attach" not in query or np.nanmax(line) <= 1


def test_what_others_forecast_of_the_same_stands_beside_and_of_nothing_else(fitted: Engine) -> None:
    marks = next(trace for trace in drawn(read(fitted))["data"] if trace.get("name") == "Others' forecasts")
    assert (marks["x"], marks["y"]) == (["2030-12-31"], [1_000_000])
    assert "Somebody (Bank) 1 M by 2030" in " ".join(read(fitted).notes)
    for query in ("region=us", "attach_basis=fleet_attach", "until=2029-12"):
        assert "Others' forecasts" not in names(drawn(read(fitted, query)))
        assert "No published forecast" in " ".join(read(fitted, query).notes)


def test_other_scenarios_are_drawn_dashed_and_only_where_they_end_apart(fitted: Engine) -> None:
    found: Projection = read(fitted).content
    end = float(found.made[2, -1])
    assert len(found.others) == 8
    assert drawn_others(found)
    ends = [end, *(other.end[0] for other in drawn_others(found))]
    gaps = [abs(one - other) for n, one in enumerate(ends) for other in ends[n + 1 :]]
    assert min(gaps) > 0.01 * end
    none = replace(found, others=tuple(replace(other, end=(end, end, end)) for other in found.others))
    assert drawn_others(none) == ()


def test_every_picture_says_scenario_data_end_draws_seed_and_what_it_rests_on(fitted: Engine) -> None:
    said = " ".join(read(fitted, "scenario=sunset").notes)
    for part in ("Prices up by half", "Data to Q2 2026", "200 draws", "seed 1", "3 disclosed", "22 Jul 2026"):
        assert part in said
    assert "cannot know" in said


def test_as_of_may_2024_nothing_later_is_drawn_or_told(fitted: Engine) -> None:
    reading = read(fitted, "as_of=2024-05-31")
    figure = drawn(reading)
    assert figure["layout"]["annotations"][0]["text"] == "data end Q1 2024"
    assert "Published" not in names(figure)
    told = json.dumps(figure) + " ".join((reading.title, *reading.notes))
    for later in ("500,000", "Somebody", "Price war", "Unsupervised"):
        assert later not in told
    # What a dollar or a tax was is a fact of its month, whenever it was downloaded.
    known = {cited.known_on for cited in reading.citations if not cited.slug.endswith("rates")}
    assert max(known) <= made_up.PAST


@pytest.mark.parametrize(
    "query",
    [
        "", "region=cn", "region=nam", "attach_basis=fleet_attach", "attach_basis=eligible&region=jp", ROUTES,
        "attach_basis=new_sales_take_rate&compare=sunset", "since=2035-12", "until=2021-12", "until=2021-06",
        "attach_basis=new_sales_take_rate&until=2021-06", "price.US=1@2027-01&compare=history", "as_of=2024-05-31",
    ],
)  # fmt: skip
def test_any_selection_draws_in_any_look(fitted: Engine, query: str) -> None:
    reading = read(fitted, query)
    assert 0 < len(reading.title) <= 90
    FSD_PROJECTION.table(reading)
    for look in (SCREEN, NARROW, PICTURE, SHEET, replace(SCREEN, theme="dark")):
        figure = drawn(reading, look)
        assert figure["data"]
        if look.width:
            framing.framed(figure, title=reading.title, subtitle=reading.subtitle, notes=reading.notes, look=look)


# What is refused


def test_what_is_not_projected_is_refused_by_its_name(fitted: Engine) -> None:
    for query, name in (
        ("region=mars", "region"),
        ("attach_basis=net_adds", "attach_basis"),
        ("scenario=nope", "scenario"),
        ("compare=nope", "compare"),
        ("price.CN=free", "price.CN"),
    ):
        with pytest.raises(InvalidSelection) as caught:
            read(fitted, query)
        assert caught.value.name == name
        assert caught.value.valid


def test_a_refusal_leads_to_a_selection_that_draws(fitted: Engine) -> None:
    for query in ("since=2036-01", "as_of=2020-01-31", "scenario=price-war&as_of=2024-05-31", "makers=byd"):
        with pytest.raises(NotPublished) as caught:
            read(fitted, query)
        nearest = caught.value.nearest
        assert nearest is not None
        with fitted.connect() as connection:
            FSD_PROJECTION.load(connection, nearest, today=TODAY)


def test_a_page_does_not_wait_for_a_fit_and_a_download_makes_it(
    empty_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up.tell(empty_engine)
    with pytest.raises(NotYetMade):
        read(empty_engine)

    def make(record: object, folder: object, **_: object) -> None:
        made_up.fit(made_up.read(empty_engine), particles=40)

    monkeypatch.setattr("dashboard.projections.fitting.make", make)
    found = downloads.download(empty_engine, FSD_PROJECTION, "", format=downloads.Format.CSV, site="", today=TODAY)
    assert found.body.startswith(b"period_start,")


def test_what_it_does_not_look_at_is_said(fitted: Engine) -> None:
    assert "does not look at: grain" in " ".join(read(fitted, "grain=year").notes)
    assert "does not look at" not in " ".join(read(fitted, "region=cn").notes)


# Download and receipts


def test_the_download_keeps_figures_projections_and_forecasts_apart(fitted: Engine) -> None:
    rows = FSD_PROJECTION.rows(read(fitted))
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    assert set(rows["kind"]) == {"published", "model", "projection", "scenario", "straight line", "forecast"}
    assert rows[rows["kind"] == "published"]["value"].tolist() == [300_000, 400_000, 500_000]
    projected = rows[rows["kind"] == "projection"]
    assert (projected["period_start"] > "2026-06-30").all()
    assert (projected["low"] <= projected["value"]).all()
    assert (projected["value"] <= projected["high"]).all()
    assert set(projected["draws"]) == {200}


def test_a_published_point_has_its_receipt_and_a_projection_has_none(fitted: Engine) -> None:
    reading = read(fitted)
    published = next(trace for trace in drawn(reading)["data"] if trace.get("name") == "Published")
    market, maker, model, day = published["customdata"][-1]
    with fitted.connect() as connection:
        claims = FSD_PROJECTION.receipts(connection, reading, Point(market, maker, model, day))  # type: ignore[misc]
        all_claims = FSD_PROJECTION.row_receipts(connection, reading)  # type: ignore[misc]
    assert claims["period_start"].tolist() == ["2026-06-30"]
    assert all_claims["row"].tolist() == [0, 1, 2]
    others = [trace for trace in drawn(reading)["data"] if trace.get("name") != "Published"]
    assert not any("customdata" in trace for trace in others)


def test_the_document_of_a_projection_can_be_had_as_json(fitted: Engine) -> None:
    made = downloads.download(fitted, FSD_PROJECTION, "region=cn", format=downloads.Format.JSON, site="", today=TODAY)
    told: dict[str, Any] = json.loads(made.body)
    assert told["title"].startswith("China:")
    assert {row["kind"] for row in told["rows"]} >= {"projection", "model"}
