"""From the publisher's spelling to our ids: by one rule, one id a thing, and never two things under one id."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.contents import Contents
from db.vocabulary import BEGINNING, OPEN_END
from etl.harmonize import Reference, harmonize, reference, slug
from etl.sources import open_ev_charts
from tests import world

NOTHING = Reference(markets=(), makers={}, events=())


def contents(content: str, *, known: Reference = NOTHING) -> Contents:
    """What a German file with this content claims in our ids."""
    return harmonize(open_ev_charts.parse(world.snapshot(content)), known)


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("Tesla", "tesla"),
        ("Škoda", "skoda"),
        ("Citroën", "citroen"),
        ("Lynk & Co", "lynk-and-co"),
        ("C-HR+", "c-hr-plus"),
        ("ID.4/ID.5", "id-4-id-5"),
        ("iEV7 S/E", "iev7-s-e"),
        ("Große Straße", "grosse-strasse"),
        ("Mørk", "mork"),
        ("  spaced  out ", "spaced-out"),
        ("比亚迪", ""),
    ],
)
def test_an_id_is_the_spelling_in_plain_letters_and_hyphens(spelling: str, expected: str) -> None:
    assert slug(spelling) == expected


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_an_id_is_always_plain_and_stays_itself(spelling: str) -> None:
    assert re.fullmatch(r"(?:[a-z0-9]+(?:-[a-z0-9]+)*)?", slug(spelling))
    assert slug(slug(spelling)) == slug(spelling)


def test_the_tiny_world_has_the_ids_that_one_expects() -> None:
    found = contents(world.text("data/data-DE.js"))
    assert {row[5:7] for row in found.sales} == {
        ("volkswagen", "all"),
        ("tesla", "all"),
        ("citroen", "all"),
        ("other", "all"),
        ("volkswagen", "volkswagen-id-3"),
        ("volkswagen", "volkswagen-id-4-id-5"),
        ("tesla", "tesla-model-y"),
        ("tesla", "other"),
        ("skoda", "skoda-enyaq"),
    }
    assert found.makers == {"volkswagen": "Volkswagen", "tesla": "Tesla", "citroen": "Citroën", "skoda": "Škoda"}
    assert found.models["skoda-enyaq"] == ("skoda", "Enyaq")


def test_the_reference_names_a_maker_and_an_unknown_one_keeps_its_spelling() -> None:
    file = world.record({"TESLA|Model Y": 100, "Nobody Yet|One": 1})
    makers = contents(file, known=Reference(markets=(), makers={"tesla": "Tesla"}, events=())).makers
    assert makers == {"tesla": "Tesla", "nobody-yet": "Nobody Yet"}


def test_groups_are_given_by_maker_with_an_id_and_a_name() -> None:
    claims = open_ev_charts.parse(world.snapshot(world.text("config.js"), file="config.js"))
    found = harmonize(claims, reference())
    assert found.groups[1] == ("skoda", "volkswagen-group", "Volkswagen Group", BEGINNING, OPEN_END, 15)
    assert found.makers["skoda"] == "Škoda"
    assert found.sales == []


def test_two_spellings_of_one_cell_are_refused_with_the_line_of_the_second() -> None:
    with pytest.raises(ValueError, match=r"line 3: 'Tesla\|Model-Y' is the same as 'Tesla\|Model Y' in line 2"):
        contents(world.record({"Tesla|Model Y": 100, "Tesla|Model-Y": 200}))


def test_two_spellings_in_two_periods_are_one_series() -> None:
    found = contents(world.record({"Tesla|Model Y": 100}) + world.record({"Tesla|Model-Y": 200}, period="2026-02"))
    assert [row[6] for row in found.sales] == ["tesla-model-y", "tesla-model-y"]


@pytest.mark.parametrize(("key", "says"), [("比亚迪|Han", "'比亚迪' gives no id"), ("BYD|汉", "'BYD|汉' gives no id")])
def test_a_name_that_leaves_no_id_is_refused(key: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        contents(world.record({key: 100}))


def test_the_reference_holds_each_maker_and_market_once_under_the_id_of_its_name() -> None:
    known = reference()
    assert len(known.makers) > 50
    assert len(known.markets) > 26
    assert all(slug(name) == id_ for id_, name in known.makers.items())
    for column in ("code", "name"):
        values = [market[column] for market in known.markets]
        assert len(set(values)) == len(values)
