"""Two makers over time: nobody leads who might not, no gap where a figure is missing, unlike bases say so."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard.charts.chart import DOWNLOAD_COLUMNS, Chart, Point, Reading
from dashboard.charts.duel_lines import DUEL_LINES
from dashboard.metrics import gap, lead, lead_changes
from dashboard.selection import By, Incomparable, InvalidSelection, NotPublished, Refusal, Selection
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look
from db.vocabulary import States
from tests.dashboard.test_precedence import state
from tests.dashboard.test_sales_lines import fill, selections
from tests.world import cards

TODAY = date(2026, 7, 24)
KNOWN = date(2026, 7, 5)
NARROW = replace(SCREEN, height=320, font_px=12)
LOOKS = (SCREEN, replace(SCREEN, theme="dark"), NARROW, PICTURE, SHEET)
GERMANY = "market=DE&basis=registration&grain=month"


def read(engine: Engine, query: str = "", *, chart: Chart = DUEL_LINES) -> Reading:
    return cards.read(engine, chart, query, today=TODAY)


def plain(figure: Figure) -> Figure:
    return dict(json.loads(json.dumps(figure, allow_nan=False)))


def drawn(reading: Reading, look: Look = SCREEN, *, chart: Chart = DUEL_LINES) -> Figure:
    return plain(chart.draw(reading, look))


def headlines(
    engine: Engine, tesla: dict[str, int], byd: dict[str, int], *, by_month: dict[str, int] | None = None
) -> None:
    """Made-up worldwide figures: Tesla's deliveries by quarter, BYD's wholesale by quarter and by month."""
    rows = [(period, "tesla", units) for period, units in tesla.items()]
    state(engine, "tesla-own", *rows, states=States.MAKERS, market="WORLD", basis="delivery", published_on=KNOWN)
    rows = [(period, "byd", units) for period, units in {**byd, **(by_month or {})}.items()]
    state(engine, "byd-own", *rows, states=States.MAKERS, market="WORLD", basis="wholesale", published_on=KNOWN)


# Metrics

ENDS = st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)).map(sorted)


def test_a_gap_is_between_the_low_less_the_high_and_the_high_less_the_low() -> None:
    one, other = np.array([60.0]), np.array([30.0])
    found = gap(value=one, low=one, high=one + 10, value_other=other, low_other=other, high_other=other + 10)
    assert (found.low.tolist(), found.value.tolist(), found.high.tolist()) == ([20.0], [30.0], [40.0])
    assert found.ahead.tolist() == [1.0]


def test_who_could_be_overtaken_is_not_ahead_and_a_missing_figure_is_no_gap() -> None:
    one, other, nothing = np.array([60.0, 60.0, 1.0]), np.array([55.0, 60.0, np.nan]), np.zeros(3)
    found = gap(
        value=one, low=one, high=one, value_other=other, low_other=other, high_other=other + np.array([5.0, 0.0, 0.0])
    )
    assert found.ahead.tolist()[:2] == [0.0, 0.0]
    assert np.isnan(found.ahead[2])
    assert nothing.tolist() == [0.0, 0.0, 0.0]


@given(ENDS, ENDS)
def test_turning_a_gap_round_turns_its_sign(one: list[int], other: list[int]) -> None:
    def between(first: list[int], second: list[int]) -> Any:
        low, value, high = (np.array([float(end)]) for end in first)
        low_other, value_other, high_other = (np.array([float(end)]) for end in second)
        return gap(value=value, low=low, high=high, value_other=value_other, low_other=low_other, high_other=high_other)

    there, back = between(one, other), between(other, one)
    assert there.low <= there.value <= there.high
    assert (there.low, there.high) == (-back.high, -back.low)
    assert there.ahead == -back.ahead


@given(st.lists(st.sampled_from([1.0, -1.0, 0.0, float("nan")]), min_size=1, max_size=12))
def test_a_lead_is_the_longest_run_of_the_same_side_to_the_end(sides: list[float]) -> None:
    ahead = np.array(sides)
    found = lead(ahead, start=np.arange(len(sides)), step=1)
    known = [n for n, each in enumerate(sides) if each == each]
    if not known:
        assert found is None
        return
    assert found is not None
    assert (found.at, found.side) == (known[-1], sides[known[-1]])
    run = sides[found.first : found.at + 1]
    assert {each for each in run if each == each} == {float(found.side)}
    assert found.is_unbroken == all(each == each for each in run)
    earlier = [each for each in sides[: found.first] if each == each]
    assert not earlier or earlier[-1] != found.side
    assert found.is_seen == (found.first > 0 and sides[found.first - 1] == sides[found.first - 1])


def test_what_is_open_or_missing_between_two_leads_changes_nothing() -> None:
    nan = float("nan")
    assert lead_changes(np.array([1.0, 0.0, nan, 1.0, -1.0, nan, 0.0, 1.0])).tolist() == [4, 7]
    assert lead_changes(np.array([nan, 0.0])).tolist() == []


# Titles


def test_who_leads_since_when_and_by_how_much(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {
            "2026-01": {"Tesla": 300, "BYD": 200},
            "2026-02": {"Tesla": 200, "BYD": 300},
            "2026-03": {"Tesla": 100, "BYD": 300},
        }},
    )  # fmt: skip
    assert read(empty_engine, GERMANY).title == "BYD leads Tesla in German BEVs since Feb 2026, by 200 in Mar 2026"
    assert (
        read(empty_engine, f"{GERMANY}&measure=share").title
        == "BYD leads Tesla in German BEVs since Feb 2026, by 50.0 pp in Mar 2026"
    )
    notes = read(empty_engine, GERMANY).notes
    assert any(note.startswith("The lead changed once") and note.endswith("by Feb 2026.") for note in notes)


def test_a_lead_of_one_period_says_who_led_before(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla": 300, "BYD": 200}, "2026-02": {"Tesla": 200, "BYD": 300}}})
    assert (
        read(empty_engine, GERMANY).title == "BYD leads Tesla in German BEVs in Feb 2026, by 100; Tesla led in Jan 2026"
    )


def test_a_lead_as_old_as_the_record_may_be_older(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {f"2026-0{n}": {"Tesla": 300, "BYD": 200} for n in (1, 2)}})
    assert (
        read(empty_engine, GERMANY).title
        == "Tesla leads BYD in German BEVs since Jan 2026 or longer, by 100 in Feb 2026"
    )


@pytest.mark.parametrize(
    "record",
    [{"Tesla|Model Y": 300, "BYD|Seal": 200, "other": 100}, {"Tesla|Model Y": 300, "BYD|Seal": 200, "other": 150}],
    ids=["the rest makes them level", "the rest could turn them"],
)
def test_nobody_leads_whom_the_rest_could_overtake(empty_engine: Engine, record: dict[str, int]) -> None:
    fill(empty_engine, {"CN": {"2026-01": record, "2026-02": record}})
    reading = read(empty_engine, "market=CN&basis=registration&grain=month")
    assert reading.title == "Chinese BEVs, Feb 2026: unnamed cars leave open who leads; BYD ≥200, Tesla ≥300"
    assert reading.badge.amber
    assert DUEL_LINES.table(reading).rows[0][-1].startswith("open: −")


def test_a_bounded_lead_is_told_by_its_least(empty_engine: Engine) -> None:
    fill(empty_engine, {"CN": {"2026-01": {"Tesla|Model Y": 300, "BYD|Seal": 100, "other": 100}}})
    reading = read(empty_engine, "market=CN&basis=registration&grain=month")
    assert reading.title == "Tesla leads BYD in Chinese BEVs in Jan 2026, by at least 100"


def test_two_that_are_level_are_not_open(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla": 300, "BYD": 300}}})
    assert read(empty_engine, GERMANY).title == "BYD and Tesla are level in German BEVs in Jan 2026: 300 each"


def test_growth_is_outgrown_not_led(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2025-01": {"Tesla": 200, "BYD": 200}, "2026-01": {"Tesla": 300, "BYD": 200}}})
    assert (
        read(empty_engine, f"{GERMANY}&measure=growth").title
        == "Tesla outgrows BYD in German BEVs in Jan 2026, by 50.0 pp"
    )


def test_a_title_is_at_most_90_characters(empty_engine: Engine) -> None:
    long = "Vereinigte Elektrische Wagenwerke zu Beispielhausen an der Elbe"
    fill(empty_engine, {"DE": {f"2026-0{n}": {f"{long}|A": 300, "BYD|Seal": 200, "other": 50} for n in (1, 2, 3)}})
    slug = "vereinigte-elektrische-wagenwerke-zu-beispielhausen-an-der-elbe"
    assert len(read(empty_engine, f"{GERMANY}&makers={slug},byd").title) <= 90


# Headline figures


def test_headlines_stand_side_by_side_and_their_gap_is_marked(empty_engine: Engine) -> None:
    quarters = {"2026-Q1": 300, "2026-Q2": 200}
    headlines(empty_engine, tesla=quarters, byd={"2026-Q1": 100, "2026-Q2": 300})
    reading = read(empty_engine)
    assert reading.title == ("BYD leads Tesla in world BEVs in Q2 2026, by 100 (unlike bases); Tesla led in Q1 2026")
    assert {row["basis"] for row in DUEL_LINES.rows(reading).to_dict("records")} == {"delivery", "wholesale"}
    assert set(DUEL_LINES.rows(reading)["maker"]) == {"byd", "tesla"}, "no sum of the two, and no rest"
    assert any("unlike bases" in str(note["text"]) for note in drawn(reading)["layout"]["annotations"])
    assert any(note.startswith("Unlike bases: BYD states sales to dealers") for note in reading.notes)
    assert any("passenger cars" in note for note in reading.notes)
    for measure in ("share", "rank", "hhi"):
        with pytest.raises(Incomparable):
            read(empty_engine, f"measure={measure}")


def test_a_quarter_with_a_missing_month_is_no_quarter_and_no_bridge(empty_engine: Engine) -> None:
    headlines(
        empty_engine,
        tesla={f"2025-Q{n}": 100 for n in (1, 2, 3, 4)},
        byd={"2025-Q1": 300, "2025-Q4": 300},
        by_month={"2025-04": 100, "2025-05": 100, "2025-06": 100, "2025-07": 100, "2025-09": 100},
    )
    reading = read(empty_engine)
    assert reading.title == "BYD leads Tesla in every known quarter since Q1 2025, by 200 in Q4 2025 (unlike bases)"
    assert any(note.startswith("No gap in Q3 2025:") for note in reading.notes)
    lines = {trace["name"]: trace["y"] for trace in drawn(reading)["data"] if "customdata" in trace}
    assert lines["BYD (wholesale)"] == [300, 300, None, 300]
    bars = next(trace for trace in drawn(reading)["data"] if trace["type"] == "bar")
    assert bars["y"] == [200, 200, None, 200]


def test_a_maker_without_months_leads_to_quarters(empty_engine: Engine) -> None:
    headlines(empty_engine, tesla={"2026-Q1": 100}, byd={}, by_month={f"2026-0{n}": 50 for n in (1, 2, 3)})
    with pytest.raises(NotPublished, match="Tesla are published for World by month") as refused:
        read(empty_engine, "grain=month")
    assert refused.value.nearest == DUEL_LINES.defaults


def test_who_chooses_a_market_under_headlines_is_led_to_its_registrations(bundled_engine: Engine) -> None:
    with pytest.raises(Refusal) as refused:
        read(bundled_engine, "market=DE")
    assert refused.value.nearest is not None
    assert refused.value.nearest.query(defaults=DUEL_LINES.defaults) == "market=DE&basis=registration"


def test_abroad_one_maker_stands_alone_with_its_growth_and_inside_its_total(empty_engine: Engine) -> None:
    months = [(f"2025-0{n}", "byd", 100) for n in (1, 2)] + [(f"2026-0{n}", "byd", 150) for n in (1, 2)]
    state(
        empty_engine, "byd-own", *months, states=States.MAKERS, market="OVERSEAS", basis="wholesale",
        powertrain="BEV+PHEV", scope="all_vehicles", published_on=KNOWN,
    )  # fmt: skip
    reading = read(empty_engine, "market=OVERSEAS&basis=wholesale&powertrain=NEV&grain=month&makers=byd")
    assert reading.title == "BYD: 150 overseas NEVs wholesaled in Feb 2026, +50.0 % on a year before"
    assert any("inside BYD's total, never beside it" in note for note in reading.notes)
    assert reading.subtitle.startswith("Outside the home market. All-vehicle NEV wholesale")
    bars = next(trace for trace in drawn(reading)["data"] if trace["type"] == "bar")
    assert bars["y"][-2:] == [50, 50]
    with empty_engine.connect() as connection:
        point = Point(market="OVERSEAS", maker="byd", model="all", period_start=2026 * 12 + 1)
        assert DUEL_LINES.receipts is not None
        assert DUEL_LINES.receipts(connection, reading, point)["units"].tolist() == [150]


# Who meets whom

THREE = {"2026-01": {"Tesla": 300, "BYD": 200, "Xiaomi": 100}}


@pytest.mark.parametrize(
    ("makers", "met"),
    [("", "BYD Tesla"), ("tesla", "BYD Tesla"), ("xiaomi", "Tesla Xiaomi"), ("byd,xiaomi", "BYD Xiaomi")],
)
def test_one_maker_meets_its_rival(empty_engine: Engine, makers: str, met: str) -> None:
    fill(empty_engine, {"DE": THREE})
    reading = read(empty_engine, f"{GERMANY}&makers={makers}")
    assert DUEL_LINES.table(reading).header[1:3] == tuple(met.split())


def test_three_are_no_duel(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": THREE})
    with pytest.raises(Incomparable, match="a duel is between two makers, and 3 are chosen") as refused:
        read(empty_engine, f"{GERMANY}&makers=byd,tesla,xiaomi")
    assert refused.value.nearest is not None
    assert refused.value.nearest.makers == ("byd", "tesla")


def test_brands_of_one_group_do_not_meet_as_groups(empty_engine: Engine) -> None:
    record = {"Volkswagen": 300, "Škoda": 200, "Tesla": 100}
    fill(empty_engine, {"DE": {"2026-01": record}}, groups={"Volkswagen Group": ("Volkswagen", "Škoda")})
    with pytest.raises(Incomparable, match="belong to one group, Volkswagen Group") as refused:
        read(empty_engine, f"{GERMANY}&by=group&makers=skoda,volkswagen")
    assert refused.value.nearest is not None
    assert refused.value.nearest.by is By.MAKER
    as_groups = read(empty_engine, f"{GERMANY}&by=group&makers=skoda,tesla")
    assert as_groups.title == "Volkswagen Group leads Tesla in German BEVs in Jan 2026, by 400"


def test_lines_that_are_no_makers_are_read_as_makers_and_it_is_said(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": THREE})
    reading = read(empty_engine, f"{GERMANY}&by=model&models=")
    assert "A duel is between makers or groups: it is not drawn by model." in reading.notes


# Drawing


@pytest.mark.parametrize("look", LOOKS, ids=["screen", "dark", "narrow", "picture", "sheet"])
@pytest.mark.parametrize(
    "query",
    ["", "market=CN&basis=registration", "market=US&basis=registration&measure=share", f"{GERMANY}&measure=growth",
     "market=DE,NO&basis=registration&window=ttm&by=group", "since=2026-04&until=2026-06", "as_of=2025-03-01"],
)  # fmt: skip
def test_real_figures_are_drawn_as_plain_values(bundled_engine: Engine, query: str, look: Look) -> None:
    figure = drawn(read(bundled_engine, query), look)
    assert any(value is not None for trace in figure["data"] for value in trace["y"])
    assert figure["layout"]["height"] >= look.height


def test_an_open_gap_is_hatched_across_zero_and_has_no_solid_bar(empty_engine: Engine) -> None:
    record = {"Tesla|Model Y": 300, "BYD|Seal": 200, "other": 150}
    fill(empty_engine, {"CN": {"2026-01": record, "2026-02": record}})
    solid, hatched = (
        trace
        for trace in drawn(read(empty_engine, "market=CN&basis=registration&grain=month"))["data"]
        if trace["type"] == "bar"
    )
    assert solid["y"] == [0, 0]
    assert (hatched["base"], hatched["y"]) == ([-250, -250], [300, 300])


def test_names_from_data_are_never_markup(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {f"2026-0{n}": {"<b>x</b>": 300, "BYD": 200} for n in (1, 2)}})
    figure = json.dumps(drawn(read(empty_engine, f"{GERMANY}&makers=b-x-b,byd")))
    assert "<b>" not in figure
    assert "&lt;b&gt;x" in figure


# Whatever is asked


def answer(engine: Engine, chart: Chart, selection: Selection) -> Refusal | InvalidSelection | None:
    """Draw a selection and check what comes out; or why there is nothing to draw."""
    with engine.connect() as connection:
        try:
            reading = chart.load(connection, selection, today=TODAY)
        except (Refusal, InvalidSelection) as refused:
            return refused
        again = chart.load(connection, reading.selection, today=TODAY)
        assert (again.title, again.selection) == (reading.title, reading.selection), "its link leads to something else"
    rows = chart.rows(reading)
    assert tuple(rows.columns)[: len(DOWNLOAD_COLUMNS)] == DOWNLOAD_COLUMNS
    low, value, high = (rows[name].to_numpy() for name in ("low", "value", "high"))
    assert np.isfinite([low, value, high]).all()
    assert ((low <= value) & (value <= high)).all()
    assert not rows.duplicated(["period_start", "market", "maker", "model"]).any()
    for look in (SCREEN, NARROW):
        figure = drawn(reading, look, chart=chart)
        assert any(v is not None for trace in figure["data"] for v in trace["y"]), "an empty plot explains nothing"
    table = chart.table(reading)
    assert table.rows
    assert all(len(row) == len(table.header) for row in table.rows)
    assert 0 < len(reading.title) <= 90
    assert 0 < len(reading.subtitle) <= 90
    assert not (reading.title + reading.subtitle).count("…")
    words = " ".join([reading.title, reading.badge.text, *reading.notes, *(cell for row in table.rows for cell in row)])
    assert "nan" not in words.replace(",", " ").split()
    assert all(note.endswith(".") for note in reading.notes)
    return None


def holds(engine: Engine, chart: Chart, selection: Selection, ask: Callable[..., Any] = answer) -> None:
    """A selection is drawn truly, or refused with a way on that is drawn."""
    refused = ask(engine, chart, selection)
    if refused is None:
        return
    assert str(refused).isprintable()
    if isinstance(refused, InvalidSelection):
        assert refused.valid
        return
    assert refused.nearest is not None, str(refused)
    again = ask(engine, chart, refused.nearest)
    assert again is None, f"{refused} leads to {refused.nearest}, which is refused: {again}"


@settings(deadline=None, max_examples=60)
@given(selection=selections())
def test_whatever_is_asked_is_drawn_truly_or_refused_with_a_way_on_that_is_drawn(
    bundled_engine: Engine, selection: Selection
) -> None:
    holds(bundled_engine, DUEL_LINES, selection)


# Figures known by heart


def test_known_headlines_of_the_second_quarter_of_2026(bundled_engine: Engine) -> None:
    rows = DUEL_LINES.rows(read(bundled_engine, "since=2026-04&until=2026-06"))
    assert dict(zip(rows["maker"], rows["value"], strict=True)) == {"byd": 557_090, "tesla": 480_126}
    assert read(bundled_engine).title == (
        "BYD leads Tesla in every known quarter since Q4 2024, by 76,964 in Q2 2026 (unlike bases)"
    )
