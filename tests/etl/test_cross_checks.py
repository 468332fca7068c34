"""Rules across figures: each on a market of three figures, and all of them on the bundled ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from db import market_claims
from db.store import CrossCheck
from etl import cross_checks
from tests.world import rows

WORDS: Final = ("source", "states", "market", "basis", "powertrain", "vehicle_scope", "grain", "maker", "model")
JANUARY: Final = 2026 * 12
"""January 2026 as `market_claims.standing_claims` writes a month."""

Claim = Mapping[str, Any]


def claim(units: int, **cells: Any) -> Claim:
    """A maker's own figure of all its battery cars in January; other cells as given."""
    plain = {
        "source": "made-up",
        "states": "makers",
        "market": "CN",
        "basis": "wholesale",
        "powertrain": "BEV",
        "vehicle_scope": "passenger_car",
        "grain": "month",
        "maker": "example",
        "model": "all",
        "month": JANUARY,
    }
    return {**plain, **cells, "units": float(units)}


def frame(*claims: Claim) -> pd.DataFrame:
    """Claims as `market_claims.standing_claims` gives them."""
    made = pd.DataFrame(list(claims), columns=[*WORDS, "month", "units"])
    return made.astype({**dict.fromkeys(WORDS, "category"), "month": "int64", "units": "float64"})


def result(rule: str, *claims: Claim) -> CrossCheck:
    (found,) = (check for check in cross_checks.run(frame(*claims)) if check.rule == rule)
    return found


def months(*units: int, **cells: Any) -> list[Claim]:
    return [claim(each, month=JANUARY + n, **cells) for n, each in enumerate(units)]


def quarters(*units: int, **cells: Any) -> list[Claim]:
    return [claim(each, month=JANUARY + 3 * n, grain="quarter", **cells) for n, each in enumerate(units)]


def total(units: int, **cells: Any) -> Claim:
    """A market's total in January, as a publisher of markets states it."""
    return claim(units, **{"source": "publisher", "states": "market", "maker": "all", **cells})


@dataclass(frozen=True, kw_only=True)
class Case:
    """Parts that are as many cars as the whole; `fill` where fewer would be wrong too. `about`: the rule's column."""

    rule: str
    parts: Sequence[Claim]
    whole: Claim
    cars: int
    about: str = "grain"
    fill: bool = True


CASES: Final = {
    "months of a quarter": Case(
        rule="months add up to the quarter",
        parts=months(100, 200, 300),
        whole=claim(600, grain="quarter"),
        cars=600,
    ),
    "quarters of a year": Case(
        rule="quarters add up to the year",
        parts=quarters(100, 200, 300, 400),
        whole=claim(1000, grain="year"),
        cars=1000,
    ),
    "months of a year": Case(
        rule="months add up to the year",
        parts=months(*[100] * 12),
        whole=claim(1200, grain="year"),
        cars=1200,
    ),
    "powertrains": Case(
        rule="BEV + PHEV = both",
        parts=[claim(100), claim(200, powertrain="PHEV")],
        whole=claim(300, powertrain="BEV+PHEV"),
        cars=300,
        about="powertrain",
    ),
    "scopes": Case(
        rule="passenger + commercial = all",
        parts=[claim(100), claim(200, vehicle_scope="commercial_vehicle")],
        whole=claim(300, vehicle_scope="all_vehicles"),
        cars=300,
        about="vehicle_scope",
    ),
    "wholesale": Case(
        rule="wholesale = retail + exports",
        parts=[claim(100, basis="retail"), claim(200, basis="export")],
        whole=claim(300),
        cars=300,
        about="basis",
    ),
    "models": Case(
        rule="models within their maker",
        parts=[claim(100, model="one"), claim(200, model="two")],
        whole=claim(300),
        cars=300,
        about="model",
        fill=False,
    ),
    "makers": Case(
        rule="makers within their market",
        parts=[claim(100), claim(200, maker="other-example")],
        whole=total(300),
        cars=300,
        about="maker",
        fill=False,
    ),
    "overseas": Case(
        rule="overseas within the world",
        parts=[claim(300, market="OVERSEAS")],
        whole=claim(300, market="WORLD"),
        cars=300,
        about="market",
        fill=False,
    ),
    "electric": Case(
        rule="electric within all cars",
        parts=[claim(300, states="market")],
        whole=claim(300, states="market", powertrain="ALL"),
        cars=300,
        about="powertrain",
        fill=False,
    ),
}

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_sum = pytest.mark.parametrize("case", [case for case in CASES.values() if case.fill])


def test_every_rule_has_a_case() -> None:
    assert {check.rule for check in cross_checks.run(frame())} == {case.rule for case in CASES.values()}


@every_case
def test_a_rule_that_holds_has_compared_one_pair_and_found_nothing(case: Case) -> None:
    found = result(case.rule, *case.parts, case.whole)
    assert (found.checked, list(found.differences)) == (1, [])


@every_case
def test_parts_that_exceed_the_whole_by_one_car_are_a_difference_at_its_place(case: Case) -> None:
    found = result(case.rule, *case.parts, {**case.whole, "units": case.cars - 1.0})
    (difference,) = found.differences
    assert (found.checked, difference.stated, difference.computed) == (1, case.cars - 1, case.cars)
    for name in ("source", "market", "basis", "powertrain", "maker", "grain"):
        assert getattr(difference, name) == case.whole[name]
    assert difference.period_start == date(2026, 1, 1)


@every_case
def test_parts_that_fall_short_are_a_difference_only_where_they_have_to_fill_the_whole(case: Case) -> None:
    found = result(case.rule, *case.parts, {**case.whole, "units": case.cars + 7.0})
    assert [each.computed - each.stated for each in found.differences] == [-7] * case.fill


@every_case
def test_without_the_whole_nothing_is_compared(case: Case) -> None:
    assert result(case.rule, *case.parts).checked == 0


@every_case
def test_without_the_parts_nothing_is_compared(case: Case) -> None:
    assert result(case.rule, case.whole).checked == 0


@every_sum
def test_with_one_part_missing_nothing_is_compared(case: Case) -> None:
    for n in range(len(case.parts)):
        assert result(case.rule, *case.parts[:n], *case.parts[n + 1 :], case.whole).checked == 0


ELSEWHERE: Final = {
    "market": "DE",
    "basis": "delivery",
    "powertrain": "FCEV",
    "vehicle_scope": "all_vehicles",
    "maker": "third-example",
    "month": JANUARY + 12,
}


@pytest.mark.parametrize(
    ("case", "column"),
    [(case, column) for case in CASES.values() for column in ELSEWHERE if column != case.about],
)
def test_figures_about_different_things_are_not_compared(case: Case, column: str) -> None:
    assert result(case.rule, *case.parts, {**case.whole, column: ELSEWHERE[column]}).checked == 0


def test_months_that_begin_in_the_middle_of_a_quarter_are_none() -> None:
    shifted = [{**each, "month": each["month"] + 1} for each in months(100, 200, 300)]
    assert result("months add up to the quarter", *shifted, claim(600, grain="quarter")).checked == 0


def test_two_publishers_totals_of_one_market_are_no_sum() -> None:
    """They contradict each other, which is shown as a conflict."""
    found = result(
        "quarters add up to the year",
        *quarters(100, 100, 100, 100, states="market", maker="all"),
        total(500, grain="year"),
    )
    assert found.checked == 0


def test_the_quarters_of_each_source_are_held_against_the_year_by_themselves() -> None:
    found = result(
        "quarters add up to the year",
        *quarters(100, 100, 100, 100),
        *quarters(100, 100, 100, source="second"),
        *quarters(100, 100, 100, 200, source="third"),
        claim(400, source="fourth", grain="year"),
    )
    (difference,) = found.differences
    assert (found.checked, difference.computed, difference.source) == (2, 500, "fourth")
    assert difference.note == "quarters as first printed, of third; year as restated"


@pytest.mark.parametrize(("stated", "note"), [(3000, "rounded to thousands by the publisher"), (3001, "")])
def test_a_sum_that_misses_by_its_rounding_says_so(stated: int, note: str) -> None:
    found = result(
        "BEV + PHEV = both",
        claim(1000),
        claim(1000, powertrain="PHEV"),
        claim(stated, powertrain="BEV+PHEV"),
    )
    (difference,) = found.differences
    assert (difference.computed, difference.note) == (2000, note)


def test_two_sources_of_one_makers_figure_count_once_within_their_market() -> None:
    found = result("makers within their market", claim(200), claim(190, source="second"), total(200))
    assert (found.checked, list(found.differences)) == (1, [])


def test_a_makers_total_beside_its_models_is_not_counted_twice() -> None:
    """Two models of 40 and their maker's total of 80 battery cars, among 100 cars in all."""
    battery = [claim(units, states="market", model=model) for model, units in (("one", 40), ("two", 40), ("all", 80))]
    found = result("electric within all cars", *battery, claim(100, states="market", powertrain="ALL"))
    assert (found.checked, list(found.differences)) == (1, [])
    models_only = result("electric within all cars", *battery[:2], claim(79, states="market", powertrain="ALL"))
    assert [(each.stated, each.computed) for each in models_only.differences] == [(79, 80)]


def test_a_record_that_names_more_cars_than_its_total_is_a_difference() -> None:
    """Two makers of 100 and 150 and an unnamed rest of 50 among 300 cars, and among 299."""
    named = [total(units, maker=maker) for maker, units in (("example", 100), ("second-example", 150), ("other", 50))]
    assert not result("makers within their market", *named, total(300)).differences
    (over,) = result("makers within their market", *named, total(299)).differences
    assert (over.stated, over.computed) == (299, 300)


def test_a_makers_models_count_once_within_the_total_of_their_record() -> None:
    """Two models of 40 with their maker's total of 80, and one of 20 whose maker states no total: 100 cars."""
    named = [total(units, maker="example", model=model) for model, units in (("one", 40), ("two", 40), ("all", 80))]
    alone = total(20, maker="second-example", model="one")
    assert not result("makers within their market", *named, alone, total(100)).differences
    (over,) = result("makers within their market", *named, alone, total(99)).differences
    assert (over.stated, over.computed) == (99, 100)


def test_two_sources_records_of_one_market_are_not_added_up() -> None:
    found = result("makers within their market", total(90, maker="example", source="second"), total(80))
    assert found.checked == 0


def test_battery_cars_and_all_vehicles_are_not_compared() -> None:
    battery = claim(300, states="market", vehicle_scope="all_vehicles")
    assert result("electric within all cars", battery, claim(200, states="market", powertrain="ALL")).checked == 0


def test_no_figures_are_compared_where_there_are_none() -> None:
    assert [(check.checked, list(check.differences)) for check in cross_checks.run(frame())] == [(0, [])] * len(CASES)


@given(st.lists(st.integers(min_value=0, max_value=10**7), min_size=4, max_size=4), st.integers(-1000, 1000))
def test_the_difference_is_what_the_year_was_changed_by(units: list[int], change: int) -> None:
    year = max(0, sum(units) + change)
    found = result("quarters add up to the year", *quarters(*units), claim(year, grain="year"))
    assert sum(each.stated - each.computed for each in found.differences) == year - sum(units)


# The bundled figures


def test_teslas_quarters_miss_its_years_by_what_was_restated(bundled_engine: Engine) -> None:
    found = rows.query(
        bundled_engine,
        "SELECT period_start, computed - stated, note FROM cross_check_difference "
        "WHERE rule = 'quarters add up to the year' AND maker = 'tesla' AND basis = 'delivery'",
    )
    differences = {start[:4]: difference for start, difference, _ in found}
    assert [differences[year] for year in ("2019", "2020", "2021")] == [-300, -727, -222]
    assert {note for *_, note in found} == {"quarters as first printed, of tesla-deliveries; year as restated"}


def test_the_first_print_of_teslas_year_2020_was_missed_by_630(bundled_engine: Engine) -> None:
    """499,550 cars at the beginning of 2021, 499,647 with the fourth quarter's results; the quarters sum to 498,920."""

    for as_of, missed_by in (("2021-01-26", 630), ("2021-01-27", 727)):
        known = rows.query(
            bundled_engine,
            "SELECT slug, grain, period_start, units FROM sales "
            "JOIN series ON series.id = series_id JOIN source ON source.id = source_id "
            "WHERE slug IN ('tesla-deliveries', 'annual-totals') AND basis = 'delivery' AND maker = 'tesla' "
            "AND model = 'all' AND period_start BETWEEN '2020-01-01' AND '2020-12-31' "
            "AND known_from <= :day AND known_to > :day",
            day=as_of,
        )
        claims = [
            claim(units, source=source, grain=grain, month=2020 * 12 + date.fromisoformat(start).month - 1)
            for source, grain, start, units in known
        ]
        (difference,) = result("quarters add up to the year", *claims).differences
        assert difference.stated - difference.computed == missed_by


def test_in_42_complete_months_tesla_in_china_ships_what_it_sells_and_exports(bundled_engine: Engine) -> None:
    with bundled_engine.connect() as connection:
        claims = market_claims.standing_claims(connection)
    (found,) = (
        check
        for check in cross_checks.run(claims[claims["source"] == "tesla-china"])
        if check.rule == "wholesale = retail + exports"
    )
    assert (found.checked, list(found.differences)) == (42, [])


def test_what_differs_is_kept_and_nothing_is_refused_for_it(bundled_engine: Engine) -> None:
    with bundled_engine.connect() as connection:
        found = cross_checks.run(market_claims.standing_claims(connection))
    stored = dict(rows.query(bundled_engine, "SELECT rule, checked FROM cross_check"))
    assert stored == {check.rule: check.checked for check in found}
    assert all(count > 0 for count in stored.values())
    assert rows.query(bundled_engine, "SELECT count(*) FROM cross_check_difference") == [
        (sum(len(check.differences) for check in found),)
    ]
    assert rows.query(bundled_engine, "SELECT count(*) FROM snapshot WHERE status = 'refused'") == [(0,)]
