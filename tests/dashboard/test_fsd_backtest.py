"""The back-test: what came, beside what was said, and the simple rules on the same predictions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from dashboard import framing, projected
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Reading
from dashboard.charts.fsd_backtest import FSD_BACKTEST, Backtest, like_for_like, scored_text, title
from dashboard.projections.scoring import PSEUDO, STRICT
from dashboard.selection import NotPublished, NotYetMade
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look
from tests.world import cards
from tests.world import projections as made_up
from tests.world.projections import TODAY

pytestmark = pytest.mark.xdist_group("projection")

NARROW = replace(SCREEN, height=320, font_px=12)


@pytest.fixture(autouse=True)
def made_up_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-tests that need no fit: each median 10 % too low, two of three counts inside, the line right."""
    monkeypatch.setattr(projected.scoring, "stored", lambda *_: made_up.predictions())
    monkeypatch.setattr(projected, "_BACKTESTS", projected._Recent(2))


def read(engine: Engine, query: str = "") -> Reading:
    return cards.read(engine, FSD_BACKTEST, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(FSD_BACKTEST, reading, look)


def test_the_title_tells_coverage_and_error_beside_a_straight_lines(fitted: Engine) -> None:
    assert read(fitted).title == "2 of 3 counts in the 80 % interval; mean error 10.0 %, a straight line's 0 %"


def test_the_line_is_compared_on_the_predictions_that_have_one(fitted: Engine) -> None:
    found: Backtest = read(fitted).content
    first, *others = found.predictions[PSEUDO]
    worse = replace(first, p50=first.actual * 0.5, line=None)
    alike = like_for_like((worse, *others))
    assert alike is not None
    assert (alike.model, alike.predictions) == (pytest.approx(0.1), 2)
    assert "line 0 % (model there 10.0 %)" in scored_text((worse, *others))
    without = {kind: (replace(first, line=None),) for kind in found.predictions}
    assert title(replace(found, predictions=without)) == "1 of 1 counts in the 80 % interval; mean error 10.0 %"
    even = {kind: (replace(first, line=0.9 * first.actual),) for kind in found.predictions}
    assert title(replace(found, predictions=even)).endswith("errors as a straight line's: 10.0 %")


def test_scores_are_told_in_words() -> None:
    said = scored_text(made_up.predictions()[:3])
    assert said == ("2 of 3 inside, error 10.0 %, bias −10.0 %, CRPS 10,000, last value 26.4 %, line 0 %")
    assert scored_text(()) == "no count to meet"


def test_what_came_is_a_solid_point_and_what_was_said_an_interval(fitted: Engine) -> None:
    figure = drawn(read(fitted))
    came = [trace for trace in figure["data"] if trace["name"] == "Published count"]
    assert len(came) == 3  # a panel a kind
    assert came[0]["y"] == [350_000, 400_000, 500_000]
    said = next(trace for trace in figure["data"] if trace["name"] == "80 % interval")
    assert said["error_y"]["array"] == pytest.approx([70_000, 80_000, 25_000])


def test_a_range_keeps_its_own_targets_and_none_is_refused(fitted: Engine) -> None:
    assert len(read(fitted, "since=2026-01").content.predictions[STRICT]) == 1
    with pytest.raises(NotPublished) as caught:
        read(fitted, "since=2030-01")
    nearest = caught.value.nearest
    assert nearest is not None
    with fitted.connect() as connection:
        FSD_BACKTEST.load(connection, nearest, today=TODAY)


def test_before_two_counts_were_published_there_is_nothing_to_hold_it_against(fitted: Engine) -> None:
    with pytest.raises(NotPublished, match="fewer than two counts") as caught:
        read(fitted, "as_of=2024-05-31")
    assert caught.value.nearest is not None
    assert caught.value.nearest.as_of is None


def test_missing_back_tests_are_told_with_what_to_do(fitted: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projected.scoring, "stored", lambda *_: None)
    with pytest.raises(NotYetMade, match=r"python -m dashboard\.fit"):
        read(fitted)


@pytest.mark.parametrize("query", ["", "since=2026-01", "region=cn&attach_basis=eligible&demand=high"])
def test_any_selection_draws_in_any_look(fitted: Engine, query: str) -> None:
    reading = read(fitted, query)
    assert len(reading.title) <= 90
    assert ("does not look at" in " ".join(reading.notes)) == ("region" in query)
    FSD_BACKTEST.table(reading)
    for look in (SCREEN, NARROW, PICTURE, SHEET, replace(SCREEN, theme="dark")):
        figure = drawn(reading, look)
        if look.width:
            framing.framed(figure, title=reading.title, subtitle=reading.subtitle, notes=reading.notes, look=look)


def test_the_download_has_each_prediction_with_what_came(fitted: Engine) -> None:
    rows = FSD_BACKTEST.rows(read(fitted))
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    assert len(rows) == 9
    assert rows["actual"].tolist()[:3] == [350_000, 400_000, 500_000]
