"""Levers and scenarios: what can be played out, in words of a link, and since when it could be thought of."""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.projections import scenarios
from dashboard.projections.levers import NAMES, ImpossibleLever, Levers, Step, When
from dashboard.projections.parameters import PRIORS, known

TODAY = date(2026, 10, 15)
MAY_2024 = date(2024, 5, 31)

VALUES = {
    "data_route": st.sampled_from(["none", "local", "export", "both"]),
    "data_ready": st.sampled_from(["2026-02-06", "drawn"]),
    "export_chance": st.floats(0, 1).map(lambda share: f"{share:.6g}"),
    "partner": st.sampled_from(["on", "off"]),
    "chip_supply": st.sampled_from(["open", "licensed", "blocked"]),
    "demand": st.sampled_from(["low", "base", "high"]),
    "licence": st.sampled_from(["on", "off"]),
    "licence_royalty": st.sampled_from(["drawn", "250"]),
    "transfer": st.sampled_from(["on", "off"]),
    "approval.EU": st.sampled_from(["never", "2027-03-31", "2027-03-31+late", "none"]),
    "level.US": st.sampled_from(["partial", "eyes_off@2027-01-01,unsupervised@2028-01-01", "none"]),
    "price.CN": st.sampled_from(["99@2027-01-01", "+50%@2027-01-01", "-30%@2027-01-01,149@2028-06-01", "none"]),
    "one_off.CN": st.sampled_from(["64000", "32000@2027-01-01"]),
    "sub_only.CN": st.sampled_from(["2027-01-01", "none"]),
    "basic_free.EU": st.sampled_from(["2027-01-01", "none"]),
    "free_adas.CN": st.sampled_from(["0.6", "0.2@2023-01-01,0.9@2027-01-01"]),
}


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_levers_written_to_a_link_are_read_back(texts: dict[str, str]) -> None:
    usual = scenarios.defaults(TODAY)
    made = Levers.from_text(texts, defaults=usual)
    assert Levers.from_text(made.text(defaults=usual), defaults=usual) == made
    assert hash(made) == hash(Levers.from_text(made.text(defaults=usual), defaults=usual))


def test_the_default_needs_no_words() -> None:
    assert scenarios.defaults(TODAY).text(defaults=scenarios.defaults(TODAY)) == {}


def test_what_a_lever_says() -> None:
    made = Levers.from_text(
        {"approval.CN": "2027-03+late", "price.cn": "99@2027-01,+10%@2028-01", "PARTNER": "no"}, defaults=Levers()
    )
    assert made.of("approval", "CN") == When(date(2027, 3, 1), late=True)
    assert made.of("price", "CN") == (Step(99, date(2027, 1, 1)), Step(0.1, date(2028, 1, 1), relative=True))
    assert made.of("price", "US") is None
    assert not made.partner


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("price.US", "-5", "a number from 0.01"),
        ("price.US", "-100%", "a number from -99 to 900"),
        ("one_off.US", "nan", "a number from 0.01"),
        ("approval.CN", "2015-01", "a day from 2016-10-01 to 2035-12-31"),
        ("approval.CN", "2036-01", "a day from 2016-10-01 to 2035-12-31"),
        ("approval.CN", "2027-02-30", "a day from"),
        ("approval.CN", "soon", "a day from"),
        ("free_adas.CN", "1.5", "a number from 0 to 1"),
        ("export_chance", "1.01", "a number from 0 to 1"),
        ("licence_fit", "2", "a number from 0 to 1"),
        ("approval.MARS", "2027-01", "approval.US, approval.CA"),
        ("level.US", "flying", "partial, city, eyes_off, unsupervised"),
        ("level.US", "city@2028-01,eyes_off@2027-01", "with later dates later"),
        ("data_route", "smuggle", "none, local, export, both"),
        ("approval", "2027-01", "approval.US, approval.CA"),
        ("demand.US", "high", "demand"),
        ("wings", "on", "data_route"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name_with_what_can(name: str, value: str, valid: str) -> None:
    with pytest.raises(ImpossibleLever) as caught:
        Levers.from_text({name: value}, defaults=Levers())
    assert name.split(".")[0] in str(caught.value)
    assert valid in caught.value.valid


def test_every_lever_of_the_list_can_be_set() -> None:
    plain = {name for name in NAMES if not name.endswith(".REGION")}
    regional = {name.removesuffix(".REGION") for name in NAMES} - plain
    made = Levers()
    assert plain | regional == set(vars(made))


def test_the_scenarios_are_those_asked_for_and_set_what_they_say() -> None:
    found = {one.slug: one for one in scenarios.scenarios(TODAY)}
    assert list(found) == [
        "history", "local", "export", "both", "shut", "licence", "price-war", "unsupervised", "sunset",
    ]  # fmt: skip
    assert found["history"].levers == scenarios.defaults(TODAY)
    assert found["price-war"].levers.of("price", "CN") == (Step(99, date(2027, 1, 1)),)
    for one in found.values():
        texts = {choice.lever: choice.central for choice in one.choices}
        assert one.levers == Levers.from_text(texts, defaults=scenarios.defaults(TODAY))


def test_an_unknown_scenario_is_refused_with_those_that_could_be_thought_of() -> None:
    with pytest.raises(scenarios.NoScenario, match=r"there are: history, local, export, both, shut, licence$"):
        scenarios.scenario("sunset", MAY_2024)


@pytest.mark.parametrize("day", [MAY_2024, date(2022, 6, 30), date(2025, 6, 30)])
def test_nothing_that_became_known_later_is_seen_from_a_day(day: date) -> None:
    choices = [*scenarios.default_choices(day), *(c for one in scenarios.scenarios(day) for c in one.choices)]
    dated = [*known(day), *choices, *scenarios.approvals(day), *scenarios.scenarios(day)]
    assert [one for one in dated if one.known_from > day] == []


def test_no_entry_rests_on_what_happened_after_it_was_known() -> None:
    for choice in [*scenarios.default_choices(date.max), *scenarios.default_choices(MAY_2024)]:
        assert choice.date <= choice.known_from, choice.lever
    for prior in PRIORS:
        years = [int(year) for year in re.findall(r"\b20\d\d\b", prior.rationale)]
        assert all(year <= prior.known_from.year for year in years), prior
        assert prior.citation == "judgement" or prior.citation.startswith("http"), prior.name
        dated = re.search(r"/(20\d\d)/(\d\d)/", prior.citation)
        if dated:
            assert (int(dated[1]), int(dated[2])) <= (prior.known_from.year, prior.known_from.month), prior.name


def test_may_2024_has_its_own_beliefs() -> None:
    then, now = ({prior.name: prior for prior in known(day)} for day in (MAY_2024, TODAY))
    assert "forced" not in then
    assert "forced" in now
    assert (then["local_build"].a, then["local_build"].b) == (18.0, 0.6)
    assert (now["local_build"].a, now["local_build"].b) == (21.0, 0.25)
    assert then["late"] != now["late"]
    assert then["growth"] != now["growth"]
    assert scenarios.defaults(MAY_2024).of("basic_free", "US") is None
    assert scenarios.defaults(MAY_2024).data_ready is None
    assert {one.region for one in scenarios.approvals(MAY_2024)} == {"US", "CA"}


ENTRY = """
[[default]]
lever = "{lever}"
low = "low"
central = "{central}"
high = "high"
rationale = "{why}"
citation = "judgement"
date = 2026-01-01
known_from = 2026-01-01
"""


@pytest.mark.parametrize(
    ("lever", "central", "why", "words"),
    [
        ("demand", "medium", "because", "'medium' is not known"),
        ("wings", "on", "because", "'wings' is no lever"),
        ("demand", "base", "", "'rationale' is wrong"),
    ],
)
def test_a_wrong_entry_of_the_file_is_named(lever: str, central: str, why: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        scenarios.parse(ENTRY.format(lever=lever, central=central, why=why))


def test_priors_are_ordered_and_their_normal_form_is_their_quantile() -> None:
    for prior in PRIORS:
        assert prior.low <= prior.central <= prior.high
        assert prior.of_normal(np.zeros(1))[0] == pytest.approx(prior.central, rel=1e-3)
