"""The control bar: what it shows of a selection, and what a change of one control makes of it."""

from __future__ import annotations

import json
from datetime import date

import pytest
from dash.development.base_component import Component
from hypothesis import given
from hypothesis import strategies as st

from dashboard import controls
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.selection import By, InvalidSelection, Measure, PowertrainChoice, Selection, Window
from db.queries import Nouns
from db.vocabulary import Grain

DEFAULTS = Selection()
NOUNS = Nouns(
    markets={"DE": "Germany", "GB": "United Kingdom", "WORLD": "World", "EU": "European Union"},
    adjectives={"DE": "German", "GB": "British", "WORLD": "World", "EU": "EU"},
    regions=frozenset({"WORLD", "EU"}),
    makers={"tesla": "Tesla", "volkswagen": "Volkswagen", "skoda": "Škoda", "byd": "BYD"},
    models={"tesla-model-y": "Model Y", "skoda-enyaq": "Enyaq"},
    model_makers={"tesla-model-y": "tesla", "skoda-enyaq": "skoda"},
    groups={"volkswagen-group": "Volkswagen Group"},
    members={"volkswagen-group": ("skoda", "volkswagen")},
)


def edited(selection: Selection, name: str, value: object) -> Selection:
    return controls.edited(selection, name, value, defaults=DEFAULTS, nouns=NOUNS)


def components(root: object) -> list[Component]:
    """Every component of a tree."""
    if isinstance(root, list | tuple):
        return [found for child in root for found in components(child)]
    if not isinstance(root, Component):
        return []
    return [root, *components(getattr(root, "children", None))]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("market", ["GB", "DE"], Selection(market=("DE", "GB"))),
        ("market", [], Selection()),
        ("makers", ["tesla", "byd"], Selection(makers=("byd", "tesla"))),
        ("makers", None, Selection()),
        ("by", "model", Selection(by=By.MODEL)),
        ("measure", "growth", Selection(measure=Measure.GROWTH)),
        ("powertrain", "ALL", Selection(powertrain=PowertrainChoice.ALL)),
        ("of", "ALL", Selection(of=PowertrainChoice.ALL)),
        ("of", "BEV", Selection()),
        ("grain", "quarter", Selection(grain=Grain.QUARTER)),
        ("window", "ttm", Selection(window=Window.TTM)),
        ("since", "2024-03", Selection(since=date(2024, 3, 1))),
        ("until", " 2024-03 ", Selection(until=date(2024, 3, 1))),
        ("until", "", Selection()),
        ("as_of", "2026-02-28", Selection(as_of=date(2026, 2, 28))),
    ],
)
def test_a_control_edits_its_name(name: str, value: object, expected: Selection) -> None:
    assert edited(DEFAULTS, name, value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("since", "2024-13"),
        ("since", "March 2024"),
        ("as_of", "2024-02-30"),
        ("until", "<script>alert(1)</script>"),
        ("since", "2024-01&market=CN"),
        ("by", "colour"),
        ("nothing", "x"),
    ],
)
def test_what_is_no_value_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidSelection):
        edited(DEFAULTS, name, value)


def test_the_powertrain_takes_its_own_denominator_along() -> None:
    assert edited(DEFAULTS, "powertrain", "ALL").denominator is PowertrainChoice.ALL
    of_all = Selection(of=PowertrainChoice.ALL)
    assert edited(of_all, "powertrain", "NEV").of is PowertrainChoice.ALL


def test_makers_become_their_groups_and_back() -> None:
    by_group = edited(Selection(makers=("skoda", "tesla")), "by", "group")
    assert by_group.makers == ("tesla", "volkswagen-group")
    assert edited(by_group, "by", "maker").makers == ("skoda", "tesla", "volkswagen")


def test_models_stay_only_where_models_are_drawn_and_their_makers_are_chosen() -> None:
    by_model = Selection(by=By.MODEL, models=("skoda-enyaq", "tesla-model-y"))
    assert edited(by_model, "by", "maker").models == ()
    assert edited(by_model, "makers", ["tesla"]).models == ("tesla-model-y",)
    assert edited(by_model, "makers", []).models == by_model.models


def test_a_range_that_is_turned_round_loses_its_other_end() -> None:
    ranged = Selection(since=date(2022, 1, 1), until=date(2022, 12, 1))
    assert edited(ranged, "since", "2024-01") == Selection(since=date(2024, 1, 1))
    assert edited(ranged, "until", "2021-01") == Selection(until=date(2021, 1, 1))


selections = st.builds(
    Selection,
    market=st.sampled_from([("DE",), ("DE", "GB"), ("EU",)]),
    by=st.sampled_from(By),
    measure=st.sampled_from(MARKET_SHARE.measures),
    powertrain=st.sampled_from(PowertrainChoice),
    of=st.sampled_from([None, *PowertrainChoice]),
    makers=st.sampled_from([(), ("byd", "tesla")]),
    models=st.sampled_from([(), ("tesla-model-y",)]),
    grain=st.sampled_from(Grain),
    window=st.sampled_from(Window),
    since=st.sampled_from([None, date(2020, 1, 1)]),
    until=st.sampled_from([None, date(2024, 1, 1)]),
    as_of=st.sampled_from([None, date(2026, 1, 31)]),
)


@given(selection=selections)
def test_controls_that_show_a_selection_change_nothing_of_it(selection: Selection) -> None:
    for name, value in controls.values(selection).items():
        assert controls.same(value, controls.values(selection)[name])
        again = edited(selection, name, value)
        assert (again, again.denominator) == (selection, selection.denominator) or name in ("of", "by", "makers")
        assert controls.values(again)[name] == value


def test_regions_come_before_countries_and_the_uk_is_found_under_gb() -> None:
    options = controls.options("market", DEFAULTS, NOUNS)
    assert [option["value"] for option in options] == ["EU", "WORLD", "DE", "GB"]
    assert "UK" in options[-1]["search"]


def test_makers_offered_are_brands_or_groups_with_the_brands_of_no_group() -> None:
    brands = [option["value"] for option in controls.options("makers", DEFAULTS, NOUNS)]
    assert brands == ["byd", "skoda", "tesla", "volkswagen"] or set(brands) == NOUNS.makers.keys()
    groups = [option["value"] for option in controls.options("makers", Selection(by=By.GROUP), NOUNS)]
    assert groups == ["volkswagen-group", "byd", "tesla"]


def test_every_chosen_value_is_among_the_options() -> None:
    chosen = Selection(by=By.GROUP, makers=("skoda",), models=("tesla-model-y",))
    assert {"skoda"} <= {option["value"] for option in controls.options("makers", chosen, NOUNS)}
    assert {"tesla-model-y"} <= {option["value"] for option in controls.options("models", chosen, NOUNS)}


def test_models_offered_are_those_of_the_makers_chosen() -> None:
    chosen = Selection(by=By.MODEL, makers=("tesla",))
    assert [option["label"] for option in controls.options("models", chosen, NOUNS)] == ["Tesla Model Y"]


def test_controls_without_a_meaning_are_hidden() -> None:
    assert controls.hidden(DEFAULTS) == {"models"}
    assert controls.hidden(Selection(by=By.MODEL, measure=Measure.UNITS)) == {"of"}


def test_the_bar_has_every_control_with_a_label_and_the_chart_s_measures_only() -> None:
    found = components(controls.bar(MARKET_SHARE, DEFAULTS, NOUNS))
    ids = [getattr(each, "id", None) for each in found]
    places = [ids.index(controls.control_id(name)) for name in controls.CONTROLS]
    assert places == sorted(places)
    measures = next(each for each in found if getattr(each, "id", None) == controls.control_id("measure"))
    assert [option["value"] for option in measures.options] == [str(measure) for measure in MARKET_SHARE.measures]
    labelled = [each.htmlFor for each in found if type(each).__name__ == "Label"]
    assert len(labelled) + sum(type(each).__name__ == "Fieldset" for each in found) == len(controls.CONTROLS)


def test_the_bar_has_the_controls_that_are_asked_for_in_their_order() -> None:
    found = components(controls.bar(MARKET_SHARE, DEFAULTS, NOUNS, names=("as_of", "market")))
    ids = [each.id["control"] for each in found if isinstance(getattr(each, "id", None), dict) and "control" in each.id]
    assert ids == ["as_of", "market"]


def test_a_label_names_its_control_as_the_browser_does() -> None:
    found = components(controls.bar(MARKET_SHARE, DEFAULTS, NOUNS))
    assert '{"control":"as_of"}' in [each.htmlFor for each in found if type(each).__name__ == "Label"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (controls.CONTROLS, "Germany · BEV · share by brand · month · as known on 2025-12-31"),
        (("market", "as_of"), "Germany · as known on 2025-12-31"),
        (("measure", "grain"), "share · month"),
        (("since",), ""),
    ],
)
def test_the_summary_is_about_the_controls_that_there_are(names: tuple[str, ...], expected: str) -> None:
    assert controls.summary(Selection(as_of=date(2025, 12, 31)), NOUNS, names=names) == expected


def test_the_bar_is_small_enough_for_every_page_load() -> None:
    assert len(json.dumps(controls.bar(MARKET_SHARE, DEFAULTS, NOUNS).to_plotly_json(), default=str)) < 60_000
