"""The sentences of a week: each rule speaks when it should, and is silent on a world that differs by one thing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from dashboard import findings
from dashboard.charts import chart
from dashboard.findings import MOST, OF_A_KIND, About, Finding
from dashboard.ledger_entries import HEADLINE_MAKERS, Entry
from dashboard.selection import Selection
from dashboard.thresholds import STANDARD, THRESHOLDS, ThresholdError, Thresholds
from dashboard.what_changed import Kind
from db.vocabulary import ALL, States
from tests.db.test_vintages import ALPHA, BETA, FEBRUARY, JANUARY, MARCH, publish, transcribe
from tests.world import records

BEFORE, DAY = date(2026, 3, 1), date(2026, 3, 8)
KNOWN = date(2026, 3, 5)
LONG_AGO = date(2026, 2, 1)


def said(engine: Engine, kind: About | None = None, *, before: date = BEFORE, day: date = DAY) -> list[str]:
    """The sentences of a kind, or of all."""
    with engine.connect() as connection:
        told = findings.told_by_rules(connection, day=day, before=before)
    return [finding.text for finding in told if kind in (None, finding.kind)]


def publish_own(engine: Engine, quarters: dict[str, int], *, maker: str = "tesla", basis: str = "delivery") -> None:
    """One file of a maker's own figures: all but the last quarter known before the week."""
    *old, last = quarters.items()
    source = replace(BETA, slug=f"{maker}-own", title=f"{maker} own", states=States.MAKERS)
    rows = [*((LONG_AGO, (maker, *each)) for each in old), (KNOWN, (maker, *last))]
    transcribe(engine, rows, source=source, basis=basis)


def month(n: int) -> str:
    return f"{2024 + n // 12}-{n % 12 + 1:02d}"


# Makers' own figures


def test_a_new_own_figure_is_told_with_its_change_and_its_basis(empty_engine: Engine) -> None:
    publish_own(empty_engine, {"2024-Q4": 100, "2025-Q4": 150})
    assert said(empty_engine, About.OWN_FIGURE) == [
        "Tesla delivered 150 BEVs worldwide in Q4 2025, +50.0 % on the 100 of a year before (its own delivery figures)."
    ]


def test_an_own_figure_without_the_same_period_of_the_year_before_is_not_told(empty_engine: Engine) -> None:
    publish_own(empty_engine, {"2024-Q3": 100, "2025-Q4": 150})
    assert said(empty_engine, About.OWN_FIGURE) == []


def test_an_own_figure_that_was_known_before_the_week_is_not_told(empty_engine: Engine) -> None:
    publish_own(empty_engine, {"2024-Q4": 100, "2025-Q4": 150})
    assert said(empty_engine, before=KNOWN) == []


def test_who_comes_to_lead_is_told_and_that_the_bases_are_unlike(empty_engine: Engine) -> None:
    publish_own(empty_engine, {"2025-Q3": 200, "2025-Q4": 300})
    publish_own(empty_engine, {"2025-Q3": 250, "2025-Q4": 200}, maker="byd", basis="wholesale")
    assert said(empty_engine, About.LEAD) == [
        "Tesla passed Byd in world BEVs in Q4 2025: 300 delivered against 200 sold (unlike bases); in Q3 2025 Byd led."
    ]


def test_who_keeps_the_lead_is_not_told_to_have_come_to_it(empty_engine: Engine) -> None:
    publish_own(empty_engine, {"2025-Q3": 300, "2025-Q4": 300})
    publish_own(empty_engine, {"2025-Q3": 250, "2025-Q4": 200}, maker="byd", basis="wholesale")
    assert said(empty_engine, About.LEAD) == []


def test_a_lead_that_one_side_has_not_answered_yet_is_not_told(empty_engine: Engine) -> None:
    publish_own(empty_engine, {"2025-Q3": 200, "2025-Q4": 300})
    publish_own(empty_engine, {"2025-Q2": 100, "2025-Q3": 250}, maker="byd", basis="wholesale")
    assert not any("passed" in text for text in said(empty_engine, About.LEAD) if "Q4 2025" in text)


# Markets


def market(engine: Engine, *, tesla: list[int], byd: list[int], new: int = 1, code: str = "DE") -> None:
    """Tesla's, BYD's and a large maker's months from January 2024; the last `new` came in the week."""
    months = len(tesla)
    figures = [
        (maker, month(n), cars)
        for maker, of in (("tesla", tesla), ("byd", byd), ("volkswagen", [1000] * months))
        for n, cars in enumerate(of)
    ]
    old = [row for row in figures if row[1] not in {month(n) for n in range(months - new, months)}]
    publish(engine, LONG_AGO, old, market=code, file=f"{code}.csv")
    publish(engine, KNOWN, figures, market=code, file=f"{code}.csv")


def test_a_watched_markets_new_month_is_told_against_the_year_before(empty_engine: Engine) -> None:
    market(empty_engine, tesla=[100] * 24 + [200], byd=[50] * 25)
    assert said(empty_engine, About.MARKET) == [
        "1,250 BEVs were registered in Germany in Jan 2026, +8.7 % on a year before."
    ]


def test_a_market_that_nobody_watches_or_without_a_year_before_is_not_told(empty_engine: Engine) -> None:
    market(empty_engine, tesla=[100] * 25, byd=[50] * 25, code="KR")
    market(empty_engine, tesla=[100] * 5, byd=[50] * 5, code="NO")
    assert said(empty_engine, About.MARKET) == []


CLIMB = [100 + n for n in range(36)]
"""Months in which twelve months' sums rise by twelve cars each time."""


def test_a_share_that_moves_by_more_than_it_usually_does_is_told_with_what_is_usual(empty_engine: Engine) -> None:
    market(empty_engine, tesla=[*CLIMB, 500], byd=[50] * 37)
    (text,) = said(empty_engine, About.SHARE)
    assert text == (
        "Tesla's share of German BEVs registered moved to 13.3 % in the 12 months to Jan 2027, +2.3 pp on a month "
        "before; its usual move is 0.1 pp."
    )


@pytest.mark.parametrize(
    ("tesla", "why"),
    [
        ([*CLIMB, 136], "it moves as usual"),
        ([*[100] * 12, *[600] * 12, *[100] * 12, 600], "a share that always moves much is no news"),
        ([*CLIMB[:20], 500], "too few moves are known to call one usual"),
    ],
)
def test_a_share_that_moves_as_usual_is_not_told(empty_engine: Engine, tesla: list[int], why: str) -> None:
    market(empty_engine, tesla=tesla, byd=[50] * len(tesla))
    assert said(empty_engine, About.SHARE) == [], why


def test_the_usual_move_is_the_median_step_and_missing_steps_are_none() -> None:
    assert findings.usual_move(np.array([0.0, 1.0, 3.0, 6.0]), periods=3) == 2.0
    assert findings.usual_move(np.array([0.0, np.nan, 3.0, 6.0]), periods=1) == 3.0
    assert findings.usual_move(np.array([0.0, 1.0]), periods=2) is None


def test_a_maker_that_passes_another_over_twelve_months_is_told(empty_engine: Engine) -> None:
    market(empty_engine, tesla=[100] * 24 + [300], byd=[110] * 25)
    assert said(empty_engine, About.PASSING) == [
        "Tesla passed Byd in German BEVs registered over the 12 months to Jan 2026: 9.5 % against 9.0 %."
    ]


def test_a_maker_that_was_ahead_or_only_draws_level_passes_nobody(empty_engine: Engine) -> None:
    market(empty_engine, tesla=[120] * 24 + [300], byd=[110] * 25)
    market(empty_engine, tesla=[100] * 24 + [220], byd=[110] * 25, code="NO")
    assert said(empty_engine, About.PASSING) == []


# Prices


def cut(engine: Engine, **after: str) -> None:
    """Tesla's Model Y in Germany cost 300 and costs 270 from 4 March 2025 on, as became known on the next day."""
    of = {"market": "DE", "currency": "EUR"}
    after = {"amount": "270", "effective_from": "2025-03-04", "published_on": "2025-03-05"} | after
    records.prices(engine, {**of, "published_on": "2025-01-10", "effective_from": "2025-01-10"}, {**of, **after})


def test_a_price_that_fell_in_a_watched_market_is_told_with_kind_and_tax(empty_engine: Engine) -> None:
    cut(empty_engine)
    assert said(empty_engine, About.PRICE_CUT, before=date(2025, 3, 1), day=date(2025, 3, 8)) == [
        "Tesla Model Y RWD costs 270 EUR in Germany from 4 Mar 2025, −10.0 % on 300 (list price, tax included)."
    ]


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ({"amount": "330"}, "it rose"),
        ({"amount": "299"}, "it fell by less than is told"),
        ({"market": "KR"}, "the market is not watched, and one market's price is no change of another's"),
        ({"maker": "BMW", "model": "iX1"}, "the maker is not watched"),
        ({"price_kind": "starting"}, "prices of two kinds are no change"),
        ({"published_on": "2025-02-20", "effective_from": "2025-02-20"}, "it was known before"),
    ],
)
def test_a_price_that_is_no_cut_of_the_week_is_not_told(empty_engine: Engine, after: dict[str, str], why: str) -> None:
    cut(empty_engine, **after)
    assert said(empty_engine, About.PRICE_CUT, before=date(2025, 3, 1), day=date(2025, 3, 8)) == [], why


def test_a_cut_that_was_known_before_is_not_told_again_with_another_price(empty_engine: Engine) -> None:
    of = {"market": "DE", "currency": "EUR"}
    records.prices(
        empty_engine,
        {**of, "effective_from": "2025-01-10", "published_on": "2025-01-10"},
        {**of, "effective_from": "2025-02-10", "published_on": "2025-02-10", "amount": "200"},
        {**of, "effective_from": "2025-03-04", "published_on": "2025-03-05", "amount": "210"},
    )
    assert said(empty_engine, About.PRICE_CUT, before=date(2025, 3, 1), day=date(2025, 3, 8)) == []


# Driver assistance


ATTACH = {
    "region": "GLOBAL",
    "attach_basis": "active_subscriptions",
    "unit": "count",
    "model": "ALL",
    "estimator": "Tesla",
}


def attach(as_of: date, value: float, *, known: date = KNOWN, slack: float = 1.0) -> dict[str, object]:
    bounds = {"value": value, "low": value - slack, "high": value + slack}
    return {**ATTACH, **bounds, "as_of": as_of, "known_from": known}


def users(*earlier: dict[str, object], slack: float = 1.0, weight: float = 0.3) -> list[str]:
    entry = Entry(Kind.NEW, "attach", "fsd-attach", weight=weight)
    row = attach(date(2025, 12, 31), 300.0, slack=slack)
    told = findings.attach_figures(entry, row, [row, *earlier], day=DAY)
    return [finding.text for finding in told]


def test_a_new_figure_of_who_pays_is_told_against_the_last_one_on_its_basis() -> None:
    assert users(attach(date(2025, 9, 30), 200.0), attach(date(2025, 6, 30), 100.0)) == [
        "FSD active subscriptions worldwide: 300 on 31 Dec 2025 (Tesla), +50.0 % on the 200 of 30 Sep 2025."
    ]


def test_a_figure_of_who_pays_without_one_to_compare_it_with_is_not_told() -> None:
    assert users() == []
    assert users(attach(date(2020, 9, 30), 200.0)) == [], "years apart"
    assert users(attach(date(2025, 9, 30), 299.0), slack=5.0) == [], "the same by their rounding"
    assert users(attach(date(2025, 9, 30), 200.0), weight=0.05) == [], "miles and money"


# Revisions


def revised(engine: Engine, *, usual: int = 110, now: int = 2000) -> list[str]:
    """Ten figures were revised from 100 to `usual` in February, and Tesla's from 1,000 to `now` in March."""
    small = [(f"maker-{n}", "2025-01", 100) for n in range(10)]
    publish(engine, JANUARY, [*small, ("tesla", "2025-01", 1000)])
    small = [(name, month, usual) for name, month, _ in small]
    publish(engine, FEBRUARY, [*small, ("tesla", "2025-01", 1000)])
    publish(engine, MARCH, [*small, ("tesla", "2025-01", now)])
    return said(engine, About.REVISION, before=date(2026, 3, 8), day=MARCH)


def test_a_revision_above_its_sources_usual_size_is_told_with_both_figures(empty_engine: Engine) -> None:
    assert revised(empty_engine) == [
        f"{ALPHA.title} revised Tesla of Germany in Jan 2025 from 1,000 to 2,000 cars (+100.0 %; BEV registration); "
        "nine in ten of its revisions were within 10.0 %."
    ]


@pytest.mark.parametrize(
    ("usual", "now", "why"),
    [
        (500, 2000, "its source revises by more than that"),
        (110, 1400, "it is of few cars"),
        (110, 1000, "nothing was revised in the week"),
        (100, 2000, "what is usual is not known of a source that revised nothing before"),
    ],
)
def test_a_usual_revision_is_not_told(empty_engine: Engine, usual: int, now: int, why: str) -> None:
    assert revised(empty_engine, usual=usual, now=now) == [], why


# Overdue


def test_a_source_that_came_to_be_overdue_in_the_week_is_told_once(empty_engine: Engine) -> None:
    # January's figure: February's is due 30 days after its end, on 31 March.
    publish(empty_engine, FEBRUARY, [("tesla", "2026-01", 100)])
    when = {"before": date(2026, 3, 29), "day": date(2026, 4, 5)}
    assert said(empty_engine, About.OVERDUE, **when) == [
        f"{ALPHA.title}: newer figures are overdue since 31 Mar 2026, 5 days on 5 Apr 2026; "
        "the last period is Jan 2026."
    ]
    assert said(empty_engine, About.OVERDUE, before=date(2026, 4, 5), day=date(2026, 4, 12)) == []
    assert said(empty_engine, About.OVERDUE, before=date(2026, 3, 22), day=date(2026, 3, 29)) == []


# A week


def test_a_week_in_which_nothing_changed_has_no_finding_and_says_so(empty_engine: Engine) -> None:
    publish(empty_engine, LONG_AGO, [("tesla", "2026-01", 100)])
    with empty_engine.connect() as connection:
        assert findings.of_week(connection, day=DAY, before=BEFORE) == ()
    assert findings.silence(day=DAY, before=BEFORE).startswith(
        "Nothing that became known from 2 Mar 2026 to 8 Mar 2026"
    )


def test_a_week_has_five_findings_at_most_and_two_of_a_kind(bundled_engine: Engine) -> None:
    with bundled_engine.connect() as connection:
        told = findings.of_week(connection, day=date(2023, 1, 15), before=date(2023, 1, 1))
    assert len(told) <= MOST
    kinds = [finding.kind for finding in told]
    assert max(kinds.count(kind) for kind in kinds) <= OF_A_KIND
    texts = " ".join(finding.text for finding in told)
    assert "Tesla Model 3 RWD costs 229,900 CNY in China from 6 Jan 2023, −16.9 % on 276,740" in texts


def test_the_year_in_which_byd_passed_tesla_is_told(bundled_engine: Engine) -> None:
    with bundled_engine.connect() as connection:
        first = findings.of_week(connection, day=date(2026, 1, 4), before=date(2025, 12, 28))[0]
    assert first.kind is About.LEAD
    assert first.text.startswith("BYD passed Tesla in world BEVs in 2025: 2,256,714 sold against 1,636,129 delivered")


def test_every_finding_leads_to_a_chart_with_a_selection_that_it_draws(bundled_engine: Engine) -> None:
    told: list[Finding] = []
    with bundled_engine.connect() as connection:
        for before, day in ((date(2026, 3, 29), date(2026, 4, 12)), (date(2023, 1, 1), date(2023, 1, 15))):
            told += findings.told_by_rules(connection, day=day, before=before)
        assert len({finding.kind for finding in told}) >= 5
        for finding in told:
            of = chart(finding.chart)
            selection = Selection.from_query(finding.query, defaults=of.defaults)
            assert of.load(connection, selection, today=DAY).title


# Thresholds


def test_the_thresholds_that_ship_can_be_read_and_watch_the_headline_makers() -> None:
    assert Thresholds.read(THRESHOLDS) == STANDARD
    assert set(HEADLINE_MAKERS) <= set(STANDARD.makers)
    assert ALL not in STANDARD.markets


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("times_usual = 3.0", "", "share.times_usual is missing"),
        ("times_usual = 3.0", 'times_usual = "much"', "share.times_usual is missing or no number"),
        ("among = 5", "among = 5\nbetween = 3", "passing.between is unknown"),
        ("[overdue]", "[overdue", "is no TOML file"),
        ('makers = ["byd", "tesla"]', "makers = [1]", "watched.makers is missing or no list of texts"),
    ],
)
def test_a_file_of_thresholds_that_cannot_be_used_says_where_and_why(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    path = tmp_path / "alerts.toml"
    path.write_text(THRESHOLDS.read_text().replace(old, new))
    with pytest.raises(ThresholdError, match=says) as caught:
        Thresholds.read(path)
    assert str(path) in str(caught.value)


def test_a_file_of_thresholds_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ThresholdError, match="cannot be read"):
        Thresholds.read(tmp_path / "none.toml")
