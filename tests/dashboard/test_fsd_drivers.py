"""What the projection hangs on: the widest bar is named, and each panel has its own unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from dashboard import framing, projected
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Reading
from dashboard.charts.fsd_drivers import FSD_DRIVERS, OUTCOMES, Drivers, bar_name, title
from dashboard.projections import model, scenarios
from dashboard.projections.sensitivity import Bar
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look
from tests.world import cards
from tests.world import projections as made_up
from tests.world.projections import TODAY

pytestmark = pytest.mark.xdist_group("projection")

NARROW = replace(SCREEN, height=320, font_px=12)


def bar(name: str, low: float, high: float, kind: str = "parameter") -> Bar:
    """A bar around 200,000."""
    about = {"name": name, "kind": kind, "meaning": f"what {name} is", "unit": "", "low_at": "1", "high_at": "2"}
    return Bar(**about, low=low, central=200e3, high=high)


BARS = (bar("churn", 300e3, 100e3), bar("price.US", 150e3, 250e3, "lever"), bar("wear", 200e3, 200e3))


@pytest.fixture(autouse=True)
def made_up_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars that need no simulation: the same for every outcome, as shares where that is one."""

    def tornado(*_: object) -> Mapping[str, tuple[Bar, ...]]:
        def scaled(name: str) -> tuple[Bar, ...]:
            by = 1e-6 if name.rpartition(" ")[2] not in ("users", "subscriptions", "revenue") else 1.0
            if name == "cn subscriptions":
                by = 0.0
            return tuple(replace(one, low=one.low * by, central=one.central * by, high=one.high * by) for one in BARS)

        return {name: scaled(name) for name in OUTCOMES}

    monkeypatch.setattr(projected.sensitivity, "tornado", tornado)
    monkeypatch.setattr(projected, "_BARS", projected._Recent(2))


def read(engine: Engine, query: str = "") -> Reading:
    return cards.read(engine, FSD_DRIVERS, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(FSD_DRIVERS, reading, look)


def test_the_title_names_what_moves_2030_most_and_how_far(fitted: Engine) -> None:
    assert read(fitted).title == "World: “Monthly cancellations” moves FSD users of 2030 most: 100,000 to 300,000"
    share = read(fitted, "attach_basis=fleet_attach&region=us")
    assert share.title == "United States: “Monthly cancellations” moves the share of 2030 most: 10.0 % to 30.0 %"


def test_where_nothing_moves_it_none_is_named(fitted: Engine) -> None:
    found: Drivers = read(fitted).content
    assert title(replace(found, reach=(bar("wear", 200e3, 200e3),))) == "World: no assumption moves the end of 2030"
    assert title(replace(found, reach=())) == "World: no assumption moves the end of 2030"


def test_parameters_and_levers_are_told_apart_by_pattern(fitted: Engine) -> None:
    bars = [trace for trace in drawn(read(fitted))["data"] if trace["type"] == "bar"]
    assert len(bars) == 2
    # The third assumption moves nothing, and is left to the table.
    assert bars[0]["marker"]["pattern"]["shape"] == ["", "/"]
    assert (bars[0]["base"], bars[0]["x"]) == ([100e3, 150e3], [200e3, 100e3])
    assert len(FSD_DRIVERS.table(read(fitted)).rows) == 3


def test_where_no_subscription_is_sold_revenue_is_told_in_its_place(fitted: Engine) -> None:
    assert read(fitted, "region=cn").content.revenue_name.startswith("Revenue of 2030")
    assert read(fitted).content.revenue_name.startswith("Subscriptions")


def test_moved_levers_are_not_in_the_bars_and_that_is_said(fitted: Engine) -> None:
    assert "levers moved here are not in them" in " ".join(read(fitted, "demand=high").notes)
    assert "levers moved here" not in " ".join(read(fitted).notes)


def test_every_outcome_is_what_the_paths_say(fitted: Engine) -> None:
    told = made_up.read(fitted)
    draws = projected.fit(told).draws.first(3)
    paths = model.simulate(scenarios.world(told.record), draws)
    at = paths.at(2030 * 4 + 3)
    assert OUTCOMES["us users"](paths) == pytest.approx(paths.active(("US",))[:, at])
    assert OUTCOMES["world fleet_attach"](paths) == pytest.approx(paths.attach_fleet()[:, at])
    assert OUTCOMES["nam eligible"](paths) == pytest.approx(paths.attach_eligible(("US", "CA"))[:, at])
    assert OUTCOMES["eu all_delivered"](paths) == pytest.approx(paths.attach_delivered(("EU",))[:, at])
    assert OUTCOMES["us new_sales_take_rate"](paths) == pytest.approx(paths.take_new(("US",))[:, at])
    assert OUTCOMES["world subscriptions"](paths) == pytest.approx(paths.arr()[:, at])
    year = paths.recognised(("US",))[:, at - 3 : at + 1].sum(axis=1)
    assert OUTCOMES["us revenue"](paths) == pytest.approx(np.asarray(year))


@pytest.mark.parametrize(
    "query", ["", "region=cn", "attach_basis=eligible&region=eu", "scenario=sunset&as_of=2026-07-25"]
)
def test_any_selection_draws_in_any_look(fitted: Engine, query: str) -> None:
    reading = read(fitted, query)
    for look in (SCREEN, NARROW, PICTURE, SHEET, replace(SCREEN, theme="dark")):
        figure = drawn(reading, look)
        if look.width:
            framing.framed(figure, title=reading.title, subtitle=reading.subtitle, notes=reading.notes, look=look)


def test_the_download_has_both_outcomes_of_every_assumption(fitted: Engine) -> None:
    rows = FSD_DRIVERS.rows(read(fitted))
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    first: dict[str, Any] = rows.iloc[0].to_dict()
    assert (first["assumption"], first["low"], first["high"]) == ("churn", 100e3, 300e3)
    assert (first["at_low"], first["at_high"]) == (300e3, 100e3)
    assert set(rows["measure"]) == {"reach", "revenue"}


def test_every_parameter_and_lever_of_the_model_has_words() -> None:
    names = {"price.CN": "Price a month, China", "approval.EU": "Approval, Europe", "demand": "Deliveries (lever)"}
    assert {name: bar_name(bar(name, 0, 1, "lever")) for name in names} == names
    assert bar_name(bar("unheard", 0, 1)) == "What unheard is"
