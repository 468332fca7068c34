"""The panel of levers: every lever can be moved, is marked, put back, and refused by name."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from dash.development.base_component import Component
from sqlalchemy import Engine

from dashboard import controls, levers_panel
from dashboard.charts.fsd_projection import FSD_PROJECTION
from dashboard.levers_panel import CONTROLS, GROUPS, NAMES, THE_QUESTION, standings
from dashboard.pages import board, card
from dashboard.pages.page import Site
from dashboard.pages.projection import PROJECTION
from dashboard.projections.levers import ImpossibleLever, Levers
from dashboard.selection import Selection
from db import queries
from tests.world.projections import TODAY

pytestmark = pytest.mark.xdist_group("projection")

DEFAULTS = FSD_PROJECTION.defaults


def told(component: Any) -> str:
    """What a component says, as the browser gets it."""
    return json.dumps(component, default=lambda each: each.to_plotly_json(), ensure_ascii=False)


def found(component: Component, kind: str) -> list[dict[str, Any]]:
    """The ids of one kind in a component, in its order."""
    ids = [each.id for each in component._traverse() if isinstance(getattr(each, "id", None), dict)]
    return [each for each in ids if kind in each]


def standing(query: str, name: str, *, today: date = TODAY) -> levers_panel.Standing:
    selection = Selection.from_query(query, defaults=DEFAULTS)
    return next(each for each in standings(selection, today=today) if each.name == name)


def test_every_lever_of_the_model_is_on_the_panel_once() -> None:
    assert sorted(CONTROLS) == sorted(NAMES)
    assert tuple(GROUPS) == (
        "Data route", "Prices and policy", "Approvals and level", "Competition", "Demand", "Licence",
    )  # fmt: skip
    panel = levers_panel.panel("", defaults=DEFAULTS, today=TODAY)
    assert [each["control"] for each in found(panel, "control")] == list(CONTROLS)
    # What stands beside comes back in the order of the page.
    beside = levers_panel.beside("", defaults=DEFAULTS, today=TODAY)
    assert [each["lever"] for each in found(panel, "lever")] == ["presets", *CONTROLS]
    assert len(beside) == 1 + len(CONTROLS)


def test_each_choice_of_a_lever_can_be_and_its_words_are_all_there_are() -> None:
    for kinds in GROUPS.values():
        for kind in kinds:
            for word in kind.words:
                Levers.from_text({kind.lever: word}, defaults=Levers())
            with pytest.raises(ImpossibleLever):
                Levers.from_text({kind.names[0]: "?"}, defaults=Levers())


def test_a_lever_stands_where_the_scenario_of_the_day_has_it() -> None:
    assert standing("", "licence").usual == "off"
    assert standing("scenario=licence", "licence").usual == "on"
    assert standing("", "price.US").usual == "as listed"
    assert standing("scenario=sunset", "price.US").usual == "+50%@2027-01-01"
    assert standing("as_of=2024-05-31", "data_ready").usual == "drawn"
    assert standing("", "data_ready").usual == "2026-02-06"


def test_a_lever_tells_why_it_stands_there_and_where_that_can_be_read() -> None:
    choice = standing("", "data_ready").choice
    assert choice is not None
    assert choice.citation.startswith("https://")
    panel = told(levers_panel.panel("", defaults=DEFAULTS, today=TODAY))
    assert choice.citation in panel
    assert choice.rationale in panel
    assert "It can be a number from 0 to 1" in panel


def test_a_moved_lever_is_marked_and_can_be_put_back() -> None:
    beside = levers_panel.beside("price.CN=99@2027-01&region=cn", defaults=DEFAULTS, today=TODAY)
    mine = told(beside[1 + CONTROLS.index("price.CN")])
    assert "Moved" in mine
    assert '"?region=cn"' in mine
    assert "Moved" not in told(beside[1 + CONTROLS.index("price.US")])
    assert "Put all back" in told(beside[0])
    assert "Put all back" not in told(levers_panel.presets("", defaults=DEFAULTS, today=TODAY))


def test_a_lever_that_cannot_be_is_refused_beside_it_by_name() -> None:
    assert standing("demand=huge", "demand").refusal == "'huge' is not known; it can be low, base, high"
    beside = levers_panel.beside("demand=huge", defaults=DEFAULTS, today=TODAY)
    assert "demand is refused: 'huge' is not known" in told(beside[1 + CONTROLS.index("demand")])
    assert standing("demand=high", "demand").refusal == ""


def test_moving_a_lever_puts_it_in_the_link_and_emptying_takes_it_out(fitted: Engine) -> None:
    with fitted.connect() as connection:
        nouns = queries.nouns(connection)
    moved = controls.edited(DEFAULTS, "price.CN", " 99@2027-01 ", defaults=DEFAULTS, nouns=nouns)
    assert moved.levers == (("price.CN", "99@2027-01"),)
    assert moved.query(defaults=DEFAULTS) == "price.CN=99%402027-01"
    assert levers_panel.values(moved)["price.CN"] == "99@2027-01"
    back = controls.edited(moved, "price.CN", None, defaults=DEFAULTS, nouns=nouns)
    assert back == DEFAULTS


def test_a_move_on_the_page_redraws_and_a_refused_one_leaves_a_way_back(fitted: Engine) -> None:
    site = Site(engine=fitted, address="", today=lambda: TODAY)
    shown = controls.values(DEFAULTS) | levers_panel.values(DEFAULTS)
    on_page = {name: shown[name] for name in (*PROJECTION.controls, *CONTROLS)}
    reply = card.answer(site, PROJECTION, FSD_PROJECTION, "", shown=on_page | {"demand": "high"})
    assert reply.query == "demand=high"
    assert reply.reading is not None
    assert "1 lever moved" in reply.reading.subtitle
    reply = card.answer(site, PROJECTION, FSD_PROJECTION, "", shown=on_page | {"licence_fit": "2"})
    assert reply.query == "licence_fit=2"
    assert reply.notice is not None
    assert "licence_fit" in reply.notice.text.lower()
    assert reply.notice.nearest == DEFAULTS


def test_the_page_has_the_bar_then_the_panel_in_the_order_of_its_controls(fitted: Engine) -> None:
    site = Site(engine=fitted, address="", today=lambda: TODAY)
    page = board.layout(site, PROJECTION, "scenario=both", "light-narrow")
    assert [each["control"] for each in found(page, "control")] == [*PROJECTION.controls, *CONTROLS]
    assert len(found(page, "field")) == len(PROJECTION.controls)


def test_presets_are_links_that_draw(fitted: Engine) -> None:
    presets = told(levers_panel.presets("region=cn&scenario=both&compare=shut", defaults=DEFAULTS, today=TODAY))
    for name in ("Price war in China", "History as known", "share of cars in use", "nothing"):
        assert name in presets
    assert '"?region=cn&compare=shut"' in presets
    with fitted.connect() as connection:
        for each in THE_QUESTION:
            selection = Selection.from_query(each.query, defaults=DEFAULTS)
            assert "China" in FSD_PROJECTION.load(connection, selection, today=TODAY).title
    then = told(levers_panel.presets("as_of=2024-05-31", defaults=DEFAULTS, today=TODAY))
    assert "Price war" not in then
    assert "Both routes" in then
