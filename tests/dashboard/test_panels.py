"""Bounds, periods and windows, on figures that one can add up in the head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.metrics import share
from dashboard.panels import Entity, Panel, Records, added, at, panel, records, window_opening
from db.claims import Claims
from db.queries import Membership
from db.vocabulary import ALL, OTHER

Record = Mapping[str, int]
"""`tesla|model-y` is a model, `tesla|other` a maker's rest, `tesla` a maker, `other` the rest, `all` a total."""


def month(period: str) -> int:
    """`2026-01` or the first month of `2026-Q1`, counted as year * 12 + month - 1."""
    year, rest = period.split("-")
    return int(year) * 12 + (3 * int(rest[1]) - 3 if rest.startswith("Q") else int(rest) - 1)


def claims(published: Mapping[str, Record], *, known: Mapping[str, int] | None = None) -> Claims:
    """Claims about one market; `known` says for a period on which day it became known."""
    rows = [
        ("quarter" if "Q" in period else "month", month(period), *key.partition("|")[::2], units)
        for period, record in published.items()
        for key, units in record.items()
    ]
    grains, months, slugs, models, units = zip(*rows, strict=True)
    constant = {"source": "made-up", "basis": "registration", "market": "DE", "powertrain": "BEV"}
    frame = pd.DataFrame(
        {"grain": grains, "month": months, "maker": slugs, "model": [model or ALL for model in models], **constant}
    ).astype(dict.fromkeys((*constant, "grain", "maker", "model"), "category"))
    days = [(known or {}).get(period, 100) for period, record in published.items() for _ in record]
    return Claims.of(frame.assign(units=np.array(units, dtype=np.float64), known_from=days, evidence_id=1))


def makers(*slugs: str) -> list[Entity]:
    return [(slug, ALL) for slug in slugs]


def bounds_of(of: Records | Panel, *entity: str, row: int = 0) -> tuple[float, float]:
    """Low and high of a maker or a model in one period."""
    column = of.entities.index((entity[0], entity[1] if len(entity) > 1 else ALL))
    return float(of.low[row, column]), float(of.high[row, column])


# Bounds


def test_a_maker_named_by_models_could_have_more_cars_in_the_rest() -> None:
    of = records(
        claims({"2026-01": {"tesla|model-y": 60, "tesla|model-3": 10, "other": 30}}),
        by="maker",
        entities=makers("tesla"),
    )
    assert bounds_of(of, "tesla") == (70, 100)
    assert (of.total[0], of.rest[0]) == (100, 30)


def test_the_all_cars_figure_caps_what_the_rest_can_hide() -> None:
    bev = claims({"2026-01": {"tesla|model-y": 70, "other": 30}})
    of = records(bev, by="maker", entities=makers("tesla"), all_cars=claims({"2026-01": {"tesla": 75, "other": 900}}))
    assert bounds_of(of, "tesla") == (70, 75)


def test_an_all_cars_figure_below_the_named_sum_makes_it_exact_and_not_smaller() -> None:
    bev = claims({"2026-01": {"tesla|model-y": 70, "other": 30}})
    of = records(bev, by="maker", entities=makers("tesla"), all_cars=claims({"2026-01": {"tesla": 65, "other": 900}}))
    assert bounds_of(of, "tesla") == (70, 70)


def test_an_all_cars_figure_of_another_period_caps_nothing() -> None:
    bev = claims({"2026-01": {"tesla|model-y": 70, "other": 30}})
    for other in ("2026-02", "2026-Q1"):
        of = records(bev, by="maker", entities=makers("tesla"), all_cars=claims({other: {"tesla": 75, "other": 900}}))
        assert bounds_of(of, "tesla") == (70, 100)


def test_a_maker_with_a_rest_of_its_own_is_exact_in_that_period_only() -> None:
    of = records(
        claims(
            {
                "2026-01": {"byd|seal": 10, "byd|other": 5, "other": 30},
                "2026-02": {"byd|seal": 10, "other": 30},
            }
        ),
        by="maker",
        entities=makers("byd"),
    )
    assert bounds_of(of, "byd", row=0) == (15, 15)
    assert bounds_of(of, "byd", row=1) == (10, 40)


def test_a_maker_in_a_record_by_brand_is_exact_and_an_absent_one_is_not() -> None:
    of = records(claims({"2026-01": {"tesla": 70, "other": 30}}), by="maker", entities=makers("byd", "tesla"))
    assert bounds_of(of, "tesla") == (70, 70)
    assert bounds_of(of, "byd") == (0, 30)
    assert of.named.tolist() == [[False, True]]


def test_an_absent_maker_is_capped_by_its_all_cars_figure() -> None:
    of = records(
        claims({"2026-01": {"tesla": 70, "other": 30}}),
        by="maker",
        entities=makers("byd"),
        all_cars=claims({"2026-01": {"byd": 4, "other": 100}}),
    )
    assert bounds_of(of, "byd") == (0, 4)


def test_a_record_that_names_everything_hides_nobody() -> None:
    of = records(claims({"2026-01": {"tesla|model-y": 70}}), by="maker", entities=makers("byd", "tesla"))
    assert (bounds_of(of, "tesla"), bounds_of(of, "byd")) == ((70, 70), (0, 0))


def test_a_group_counts_the_rest_once() -> None:
    of = records(
        claims({"2026-01": {"volkswagen|id-3": 40, "skoda|enyaq": 30, "other": 30}}),
        by="group",
        entities=makers("volkswagen-group"),
        members={"volkswagen-group": (Membership("skoda"), Membership("volkswagen"))},
    )
    assert bounds_of(of, "volkswagen-group") == (70, 100)


def test_a_group_of_capped_makers_cannot_hide_more_than_its_makers_can() -> None:
    of = records(
        claims({"2026-01": {"volkswagen|id-3": 40, "skoda|enyaq": 30, "other": 30}}),
        by="group",
        entities=makers("volkswagen-group"),
        members={"volkswagen-group": (Membership("skoda"), Membership("volkswagen"))},
        all_cars=claims({"2026-01": {"volkswagen": 42, "skoda": 33, "other": 900}}),
    )
    assert bounds_of(of, "volkswagen-group") == (70, 75)


def test_a_maker_in_no_group_is_a_group_of_its_own() -> None:
    of = records(
        claims({"2026-01": {"tesla|model-y": 70, "other": 30}}), by="group", entities=makers("tesla"), members={}
    )
    assert bounds_of(of, "tesla") == (70, 100)


def test_a_named_model_is_exact_and_an_absent_one_hides_in_its_makers_rest_or_the_markets() -> None:
    of = records(
        claims({"2026-01": {"byd|seal": 10, "byd|other": 5, "tesla|model-y": 55, "other": 30}}),
        by="model",
        entities=[("byd", "seal"), ("byd", "dolphin"), ("tesla", "model-y"), ("tesla", "model-3"), ("byd", OTHER)],
    )
    assert bounds_of(of, "byd", "seal") == (10, 10)
    assert bounds_of(of, "byd", "dolphin") == (0, 5)
    assert bounds_of(of, "tesla", "model-y") == (55, 55)
    assert bounds_of(of, "tesla", "model-3") == (0, 30)
    assert bounds_of(of, "byd", OTHER) == (5, 5)


def test_a_period_with_only_a_total_has_no_split() -> None:
    of = records(claims({"2026-01": {ALL: 100}}), by="maker", entities=makers("tesla"))
    assert not of.split[0]
    assert of.total[0] == 100
    assert np.isnan(of.low[0, 0])


def test_a_record_by_brand_has_no_split_by_model() -> None:
    of = records(claims({"2026-01": {"tesla": 70, "other": 30}}), by="model", entities=[("tesla", "model-y")])
    assert not of.split[0]


def test_the_latest_day_of_becoming_known_is_kept() -> None:
    both = claims({"2026-01": {"tesla": 1}, "2026-02": {"byd": 1}}, known={"2026-01": 20, "2026-02": 10})
    of = records(both, by="maker", entities=makers("tesla"))
    assert of.known.tolist() == [20, 10]
    assert panel(of, grain="month", window=2).known.tolist() == [20]


def test_no_claims_give_no_periods() -> None:
    empty = claims({"2026-01": {"tesla": 1}})[:0]
    of = records(empty, by="maker", entities=makers("tesla"))
    assert len(of.start) == 0
    assert len(panel(of, grain="month", window=12).start) == 0


KEYS = ("a|m1", "a|m2", "a|other", "b|m1", "b|other", "c|m1", "other")


@settings(deadline=None)
@given(
    record=st.dictionaries(st.sampled_from(KEYS), st.integers(1, 50), min_size=1),
    caps=st.dictionaries(st.sampled_from(("a", "b", "c", "d")), st.integers(1, 120)),
)
def test_bounds_are_as_the_rule_says(record: dict[str, int], caps: dict[str, int]) -> None:
    of = records(
        claims({"2026-01": record}),
        by="maker",
        entities=makers("a", "b", "c", "d"),
        all_cars=claims({"2026-01": caps | {OTHER: 5}}),
    )
    if set(record) == {OTHER}:
        assert not of.split[0]
        return
    rest = record.get(OTHER, 0)
    for slug in ("a", "b", "c", "d"):
        named = sum(units for key, units in record.items() if key.startswith(f"{slug}|"))
        high = named if f"{slug}|other" in record else max(named, min(named + rest, caps.get(slug, 10**9)))
        assert bounds_of(of, slug) == (named, high)
    named_sum = sum(bounds_of(of, slug)[0] for slug in ("a", "b", "c", "d"))
    assert named_sum + rest == of.total[0]


# Periods and windows


@dataclass(frozen=True)
class Native:
    """A published period of a made-up market: its months, what one maker has, what is unnamed."""

    period: str
    months: frozenset[int]
    tesla: int
    rest: int
    total_only: bool

    @property
    def record(self) -> Record:
        return {ALL: self.tesla + self.rest} if self.total_only else {"tesla|model-y": self.tesla, OTHER: self.rest}


@st.composite
def native_periods(draw: st.DrawFn) -> list[Native]:
    """Months and quarters without overlap and with gaps, over three years."""
    found = []
    for year in (2024, 2025, 2026):
        for quarter in (1, 2, 3, 4):
            kind = draw(st.sampled_from(("months", "months", "quarter", "some months", "nothing")))
            names = [f"{year}-{3 * quarter - 2 + n:02d}" for n in range(3)]
            if kind == "quarter":
                names = [f"{year}-Q{quarter}"]
            elif kind == "some months":
                names = names[: draw(st.integers(0, 2))]
            elif kind == "nothing":
                names = []
            for name in names:
                length = 3 if "Q" in name else 1
                found.append(
                    Native(
                        period=name,
                        months=frozenset(range(month(name), month(name) + length)),
                        tesla=draw(st.integers(1, 100)),
                        rest=draw(st.integers(1, 100)),
                        total_only=draw(st.integers(0, 9)) == 0,
                    )
                )
    return found


def naive(published: Sequence[Native], span: frozenset[int]) -> list[Native] | None:
    """The published periods inside a span, where they fill it."""
    inside = [native for native in published if native.months <= span]
    filled = frozenset[int]().union(*(native.months for native in inside))
    return inside if filled == span else None


@settings(deadline=None, max_examples=80)
@given(
    published=native_periods(),
    grain=st.sampled_from(("month", "quarter", "year")),
    window=st.sampled_from(("grain", "ytd", 3, 12)),
)
def test_windows_are_what_a_sum_month_by_month_gives(published: list[Native], grain: str, window: str | int) -> None:
    length = {"month": 1, "quarter": 3, "year": 12}[grain]
    if isinstance(window, int) and window < length:
        return
    expected = {}
    for label in range(month("2024-01"), month("2027-01"), length):
        opening = {"grain": label, "ytd": label - label % 12}.get(str(window))
        if opening is None:
            opening = label + length - int(window)
        inside = naive(published, frozenset(range(opening, label + length)))
        if inside is None or naive(published, frozenset(range(label, label + length))) is None:
            continue
        split = not any(native.total_only for native in inside)
        low = sum(native.tesla for native in inside) if split else None
        high = sum(native.tesla + native.rest for native in inside) if split else None
        expected[label] = (low, high, sum(native.tesla + native.rest for native in inside))
    told = claims({native.period: native.record for native in published} or {"2030-01": {"tesla": 1}})
    if not published:
        told = told[:0]
    of = panel(records(told, by="maker", entities=makers("tesla")), grain=grain, window=window)
    found = {
        int(start): tuple(None if np.isnan(x) else int(x) for x in (of.low[n, 0], of.high[n, 0], of.total[n]))
        for n, start in enumerate(of.start)
    }
    assert found == expected


def year_of_months(year: int, units: int) -> dict[str, Record]:
    return {f"{year}-{n:02d}": {"tesla|model-y": units, OTHER: 1} for n in range(1, 13)}


def test_a_trailing_year_is_the_sum_of_its_twelve_months_and_its_bounds_too() -> None:
    of = panel(
        records(claims(year_of_months(2025, 10)), by="maker", entities=makers("tesla")), grain="month", window=12
    )
    assert of.start.tolist() == [month("2025-12")]
    assert bounds_of(of, "tesla") == (120, 132)
    assert of.rest.tolist() == [12]


def test_a_missing_month_leaves_every_window_over_it_without_a_figure() -> None:
    published = year_of_months(2024, 10) | year_of_months(2025, 10)
    del published["2025-03"]
    of = panel(records(claims(published), by="maker", entities=makers("tesla")), grain="month", window=12)
    assert of.start.tolist() == [month("2024-12"), month("2025-01"), month("2025-02")]


def test_a_window_over_a_total_is_refused_for_makers_and_goes_on_for_the_market() -> None:
    published = year_of_months(2025, 10) | {"2025-06": {ALL: 11}}
    of = panel(records(claims(published), by="maker", entities=makers("tesla")), grain="month", window=12)
    assert np.isnan(of.low[0, 0])
    assert (of.split[0], of.total[0]) == (False, 132)


def test_a_quarter_needs_its_three_months_or_a_published_quarter() -> None:
    published = {
        "2025-Q1": {"tesla": 30},
        "2025-04": {"tesla": 10},
        "2025-05": {"tesla": 10},
        "2025-06": {"tesla": 10},
        "2025-07": {"tesla": 10},
        "2025-08": {"tesla": 10},
    }
    of = panel(records(claims(published), by="maker", entities=makers("tesla")), grain="quarter", window="grain")
    assert dict(zip(of.start.tolist(), of.low[:, 0].tolist(), strict=True)) == {
        month("2025-Q1"): 30,
        month("2025-Q2"): 30,
    }


def test_quarters_never_appear_as_months() -> None:
    published = {"2025-Q1": {"tesla": 30}, "2025-04": {"tesla": 10}}
    of = panel(records(claims(published), by="maker", entities=makers("tesla")), grain="month", window="grain")
    assert of.start.tolist() == [month("2025-04")]


def test_a_trailing_year_may_mix_quarters_and_months_that_fit() -> None:
    published: dict[str, Record] = {f"2025-Q{n}": {"tesla": 30} for n in (1, 2, 3, 4)}
    published |= {"2026-01": {"tesla": 1}, "2026-02": {"tesla": 1}, "2026-03": {"tesla": 1}}
    of = panel(records(claims(published), by="maker", entities=makers("tesla")), grain="month", window=12)
    # A window to January would cut the first quarter of 2025, and so would one to February.
    assert of.start.tolist() == [month("2026-03")]
    assert of.low[:, 0].tolist() == [93]


def test_a_year_to_date_restarts_in_january() -> None:
    of = panel(
        records(claims(year_of_months(2024, 10) | year_of_months(2025, 10)), by="maker", entities=makers("tesla")),
        grain="month",
        window="ytd",
    )
    by_month = dict(zip(of.start.tolist(), of.low[:, 0].tolist(), strict=True))
    assert [by_month[month(name)] for name in ("2024-11", "2024-12", "2025-01", "2025-02")] == [110, 120, 10, 20]


def test_openings_of_windows() -> None:
    june = np.array([month("2026-06")])
    assert window_opening(june, grain="month", window="grain").tolist() == [month("2026-06")]
    assert window_opening(june, grain="month", window=12).tolist() == [month("2025-07")]
    assert window_opening(june, grain="month", window="ytd").tolist() == [month("2026-01")]
    assert window_opening(np.array([month("2026-Q2")]), grain="quarter", window=12).tolist() == [month("2025-Q3")]


# Sums over markets


def test_markets_add_up_only_in_periods_that_all_have() -> None:
    one = claims({"2026-01": {"tesla|model-y": 10, "other": 5}, "2026-02": {"tesla|model-y": 10, "other": 5}})
    two = claims({"2026-02": {"tesla": 20, "other": 7}, "2026-03": {"tesla": 20, "other": 7}})
    both = added(
        [panel(records(of, by="maker", entities=makers("tesla")), grain="month", window="grain") for of in (one, two)]
    )
    assert both.start.tolist() == [month("2026-02")]
    assert bounds_of(both, "tesla") == (30, 35)
    assert (both.rest[0], both.total[0]) == (12, 42)


def test_a_sum_with_a_market_that_has_only_totals_has_no_makers() -> None:
    one, two = claims({"2026-01": {"tesla": 10}}), claims({"2026-01": {ALL: 50}})
    both = added(
        [panel(records(of, by="maker", entities=makers("tesla")), grain="month", window="grain") for of in (one, two)]
    )
    assert np.isnan(both.low[0, 0])
    assert (both.total[0], both.split[0]) == (60, False)


def test_a_panel_has_gaps_where_it_has_no_period() -> None:
    of = panel(
        records(claims({"2026-02": {"tesla": 10}}), by="maker", entities=makers("tesla")), grain="month", window=1
    )
    asked = at(of, np.array([month("2026-01"), month("2026-02"), month("2026-03")]))
    assert np.isnan(asked.low[:, 0]).tolist() == [True, False, True]
    assert asked.named[:, 0].tolist() == [False, True, False]


# Figures that stand for others


@settings(deadline=None)
@given(
    models=st.dictionaries(st.sampled_from(KEYS[:-1]), st.integers(1, 50), min_size=1),
    totals=st.sets(st.sampled_from(("a", "b", "c"))),
    rest=st.integers(0, 50),
    stated=st.booleans(),
)
def test_totals_of_makers_and_markets_beside_their_parts_change_nothing(
    models: dict[str, int], totals: set[str], rest: int, stated: bool
) -> None:
    def sum_of(maker: str) -> int:
        return sum(units for key, units in models.items() if key.startswith(f"{maker}|"))

    plain = models | ({OTHER: rest} if rest else {})
    nested = plain | {maker: sum_of(maker) for maker in totals if sum_of(maker)}
    nested |= {ALL: sum(plain.values())} if stated else {}
    one, two = (
        panel(records(claims({"2026-01": record}), by="maker", entities=makers("a", "b", "c")), grain="month", window=1)
        for record in (plain, nested)
    )
    assert (one.total.tolist(), one.low.tolist()) == (two.total.tolist(), two.low.tolist())
    assert np.nan_to_num(one.rest).tolist() == np.nan_to_num(two.rest).tolist()
    assert (two.high <= one.high).all(), "a maker with a total hides nothing"


def test_what_the_named_leave_of_a_stated_total_is_the_rest() -> None:
    of = records(claims({"2026-01": {ALL: 100, "tesla": 60, "byd": 10}}), by="maker", entities=makers("tesla", "mg"))
    assert (of.total.tolist(), of.rest.tolist()) == ([100], [30])
    assert (bounds_of(of, "tesla"), bounds_of(of, "mg")) == ((60, 60), (0, 30))


# Groups by date


def held(maker: str, since: str, until: str = "2030-01") -> Membership:
    return Membership(maker, first=month(since), end=month(until))


def test_a_maker_counts_for_the_group_that_holds_it_when_the_period_begins() -> None:
    record = {"opel|corsa": 40, "other": 10}
    published = {"2026-01": record, "2026-02": record, "2026-Q2": record}
    of = records(
        claims(published),
        by="group",
        entities=makers("old", "new", "opel"),
        members={"old": (held("opel", "2020-01", "2026-02"),), "new": (held("opel", "2026-02"),)},
    )
    known = ~np.isnan(of.low)
    assert known.tolist() == [[True, False, False], [False, True, False], [False, True, False]]
    later = {"old": (held("opel", "2020-01", "2026-05"),), "new": (held("opel", "2026-05"),)}
    of = records(claims(published), by="group", entities=makers("old", "new"), members=later)
    assert (~np.isnan(of.low)).tolist() == [[True, False]] * 3, "it moved within the quarter"


def test_a_group_has_no_window_that_begins_before_it_does() -> None:
    record = {"opel|corsa": 40, "other": 10}
    of = panel(
        records(
            claims({f"2026-0{n}": record for n in (1, 2, 3, 4, 5)}),
            by="group",
            entities=makers("new"),
            members={"new": (held("opel", "2026-02"),)},
        ),
        grain="month",
        window=3,
    )
    found = dict(zip(of.start.tolist(), np.isnan(of.low[:, 0]).tolist(), strict=True))
    assert found == {month("2026-03"): True, month("2026-04"): False, month("2026-05"): False}


@settings(deadline=None)
@given(
    record=st.dictionaries(st.sampled_from(KEYS), st.integers(1, 50), min_size=1),
    spans=st.lists(
        st.tuples(st.sampled_from(("a", "b", "c")), st.sampled_from(("g", "h")), st.integers(1, 12)), max_size=4
    ),
)
def test_groups_and_makers_on_their_own_are_the_whole_at_any_time(
    record: dict[str, int], spans: list[tuple[str, str, int]]
) -> None:
    """Each maker moves on from group to group; what is in none of them stands for itself."""
    members: dict[str, tuple[Membership, ...]] = {}
    for maker in ("a", "b", "c"):
        moves = sorted((since, group) for name, group, since in spans if name == maker)
        ends = [since for since, _ in moves[1:]] + [13]
        for (since, group), end in zip(moves, ends, strict=False):
            if since < end:
                joined = Membership(maker, first=month(f"2026-{since:02d}"), end=month("2026-12") + end - 12)
                members[group] = (*members.get(group, ()), joined)
    of = records(
        claims({f"2026-{n:02d}": record for n in range(1, 13)}),
        by="group",
        entities=makers(*{"a", "b", "c", *members}),
        members=members,
    )
    rest = record.get(OTHER, 0)
    if set(record) == {OTHER}:
        return
    assert (np.nansum(of.low, axis=1) + rest == of.total).all()
    assert (np.nan_to_num(of.high) <= of.total[:, None]).all()
    assert (np.nan_to_num(of.low) <= np.nan_to_num(of.high)).all()


# Shares of the whole


@settings(deadline=None)
@given(
    entries=st.dictionaries(st.sampled_from(KEYS[:-1]), st.integers(1, 10**6), min_size=1),
    rest=st.integers(0, 10**6),
)
def test_shares_and_the_rest_are_the_whole(entries: dict[str, int], rest: int) -> None:
    record = entries | ({OTHER: rest} if rest else {})
    of = panel(
        records(claims({"2026-01": record}), by="maker", entities=makers("a", "b", "c")), grain="month", window=1
    )
    low, high = share(of.low, of=of.total[:, None]), share(of.high, of=of.total[:, None])
    assert low.sum() + rest / of.total[0] == pytest.approx(1)
    assert (low <= high).all()
    assert (high <= 1 + 1e-12).all()
