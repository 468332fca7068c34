"""What was changed after it was published: names proven by figures, sizes that can be worked out in the head."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard.charts.chart import DOWNLOAD_COLUMNS, Reading
from dashboard.charts.revisions import REVISIONS
from dashboard.downloads import csv_text
from dashboard.revisions import Rename, renames
from dashboard.selection import InvalidSelection, NotPublished, Selection
from dashboard.style import PICTURE, SCREEN, Figure, Look
from db.claims import STANDING
from db.vocabulary import ALL, OTHER
from tests.db.test_vintages import APRIL, FEBRUARY, JANUARY, MARCH, publish, transcribe
from tests.db.test_vintages import Figure as Published
from tests.world import cards

TODAY = date(2026, 7, 24)


def read(engine: Engine, query: str = "") -> Reading:
    return cards.read(engine, REVISIONS, query, today=TODAY)


def refused(engine: Engine, query: str = "") -> NotPublished:
    with pytest.raises(NotPublished) as caught:
        read(engine, query)
    return caught.value


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(REVISIONS, reading, look)


def months(name: str, *units: int, year: int = 2025) -> list[Published]:
    return [(name, f"{year}-{month:02d}", cars) for month, cars in enumerate(units, start=1)]


def changed(reading: Reading) -> list[tuple[str, str, str, float | None, float | None]]:
    """Period, maker or model, kind, figure before and after."""
    rows = REVISIONS.rows(reading)
    return [
        (
            row["period_start"][:7],
            row["maker"] if row["model"] == ALL else row["model"],
            row["kind"],
            None if pd.isna(row["before"]) else row["before"],
            None if pd.isna(row["value"]) else row["value"],
        )
        for row in rows.to_dict("records")
    ]


# Names that figures prove

World = Mapping[tuple[str, str], Mapping[int, int]]
"""Units by maker and model, and by month."""


def claims(before: World, after: World) -> pd.DataFrame:
    """Two vintages of one file, on days 1 and 2, as the database tells them."""
    rows = []
    for name in sorted({*before, *after}):
        old, new = before.get(name, {}), after.get(name, {})
        for month in sorted({*old, *new}):
            if month in old and old[month] == new.get(month):
                rows.append((*name, month, old[month], 1, STANDING))
                continue
            if month in old:
                rows.append((*name, month, old[month], 1, 2))
            if month in new:
                rows.append((*name, month, new[month], 2, STANDING))
    frame = pd.DataFrame(rows, columns=["maker", "model", "month", "units", "known_from", "known_to"])
    return frame.assign(source="alpha", file="f", market="DE", basis="registration", powertrain="BEV", grain="month")


def names(found: tuple[Rename, ...]) -> list[tuple[str, str]]:
    return [
        (each.old[0] if each.old[1] == ALL else each.old[1], each.new[0] if each.new[1] == ALL else each.new[1])
        for each in found
    ]


THREE = {1: 100, 2: 200, 3: 300}


def test_a_name_that_goes_and_one_that_comes_with_the_same_figures_are_one() -> None:
    others = {("byd", "seal"): {1: 500, 2: 500, 3: 500}}
    (found,) = renames(claims({**others, ("byd", "yuan-plus"): THREE}, {**others, ("byd", "atto-3"): THREE}))
    assert (found.old, found.new, found.day) == (("byd", "yuan-plus"), ("byd", "atto-3"), 2)
    assert (found.months, found.units, found.is_merger) == ((1, 2, 3), 600, False)


def test_one_car_less_in_one_month_proves_nothing() -> None:
    others = {("byd", "seal"): THREE}
    before, after = {("byd", "yuan-plus"): THREE}, {("byd", "atto-3"): {**THREE, 2: 199}}
    assert renames(claims({**others, **before}, {**others, **after})) == ()


def test_few_cars_could_be_equal_by_chance() -> None:
    others = {("byd", "seal"): dict.fromkeys(range(1, 21), 500)}
    for length, is_proof in ((19, False), (20, True)):
        twos = dict.fromkeys(range(1, length + 1), 2)
        found = renames(claims({**others, ("byd", "old"): twos}, {**others, ("byd", "new"): twos}))
        assert bool(found) is is_proof, "2 to the power of 19 is half a million, of 20 a million"


def test_from_one_maker_to_another_it_takes_more() -> None:
    others = {("byd", "seal"): dict.fromkeys(range(1, 6), 500)}
    for length, is_proof in ((4, False), (5, True)):
        hundreds = dict.fromkeys(range(1, length + 1), 100)
        found = renames(claims({**others, ("ora", "r1"): hundreds}, {**others, ("gwm", "r1"): hundreds}))
        assert bool(found) is is_proof


def test_a_maker_is_renamed_as_a_maker_and_never_into_a_model() -> None:
    five = dict.fromkeys(range(1, 6), 100)
    others = {("byd", ALL): five}
    assert names(renames(claims({**others, ("ora", ALL): five}, {**others, ("gwm", ALL): five}))) == [("ora", "gwm")]
    assert renames(claims({**others, ("ora", ALL): five}, {**others, ("gwm", "r1"): five})) == ()


def test_two_new_names_with_the_same_figures_leave_it_open() -> None:
    others = {("byd", "seal"): THREE}
    after = {**others, ("byd", "atto-3"): THREE, ("byd", "atto-4"): THREE}
    assert renames(claims({**others, ("byd", "yuan-plus"): THREE}, after)) == ()


def test_two_old_names_with_the_same_figures_leave_it_open() -> None:
    others = {("byd", "seal"): THREE}
    before = {**others, ("byd", "yuan-plus"): THREE, ("byd", "yuan-up"): THREE}
    assert renames(claims(before, {**others, ("byd", "atto-3"): THREE})) == ()


def test_two_names_that_become_one_with_their_sum_are_a_merger() -> None:
    before = {("byd", "seal"): THREE, ("byd", "qin-pro"): {1: 40, 2: 50}, ("byd", "qin-plus"): {2: 150, 3: 300}}
    after = {("byd", "seal"): THREE, ("byd", "qin"): {1: 40, 2: 200, 3: 300}}
    found = renames(claims(before, after))
    assert names(found) == [("qin-plus", "qin"), ("qin-pro", "qin")]
    assert all(each.is_merger for each in found)
    one_less = {**after, ("byd", "qin"): {1: 40, 2: 199, 3: 300}}
    assert renames(claims(before, one_less)) == ()


def test_what_goes_into_an_unnamed_rest_is_not_renamed() -> None:
    others = {("byd", "seal"): THREE}
    for rest in (("byd", OTHER), (OTHER, ALL)):
        old = ("byd", "yuan-plus") if rest[0] == "byd" else ("byd", ALL)
        five = dict.fromkeys(range(1, 6), 100)
        assert renames(claims({**others, old: five}, {**others, rest: five})) == ()


def test_figures_that_go_to_a_name_that_had_them_already_are_not_renamed() -> None:
    before = {("byd", "yuan-plus"): THREE, ("byd", "atto-3"): THREE}
    after = {("byd", "atto-3"): {month: 2 * units for month, units in THREE.items()}}
    assert renames(claims(before, after)) == ()


worlds = st.dictionaries(
    st.tuples(st.sampled_from(["byd", "tesla", "kia"]), st.sampled_from(["a", "b", "c", "d"])),
    st.dictionaries(st.integers(1, 8), st.integers(1, 400), min_size=1),
    min_size=2,
    max_size=8,
)


@given(
    world=worlds,
    figures=st.dictionaries(st.integers(1, 8), st.integers(1000, 9000), min_size=3),
    data=st.data(),
)
def test_any_renamed_model_is_found_and_none_with_one_car_changed(
    world: dict[tuple[str, str], dict[int, int]], figures: dict[int, int], data: st.DataObject
) -> None:
    """Its figures are larger than all others, so that no second model has them; another record is there throughout."""
    base = {("kia", "z"): dict.fromkeys(range(1, 9), 500), **world}
    before, after = {**base, ("byd", "old"): figures}, {**base, ("byd", "new"): figures}
    (found,) = renames(claims(before, after))
    assert (found.old, found.new) == (("byd", "old"), ("byd", "new"))
    assert found.units == sum(figures.values())
    at = data.draw(st.sampled_from(sorted(figures)))
    by = data.draw(st.sampled_from([-1, 1]))
    assert renames(claims(before, {**after, ("byd", "new"): {**figures, at: figures[at] + by}})) == ()
    assert renames(claims(before, before)) == ()


def test_a_renamed_model_keeps_its_history(empty_engine: Engine) -> None:
    seal = months("byd seal", 500, 500, 500)
    publish(empty_engine, JANUARY, [*seal, *months("byd yuan-plus", 100, 200, 300)])
    publish(empty_engine, FEBRUARY, [*seal, *months("byd yuan-plus", 100, 250, 300)])
    publish(empty_engine, MARCH, [*seal, *months("byd atto-3", 100, 250, 300)])
    assert changed(read(empty_engine, "by=model")) == [
        ("2025-01", "byd-atto-3", "renamed", 100, 100),
        ("2025-02", "byd-atto-3", "renamed", 200, 200),
        ("2025-02", "byd-atto-3", "revised", 200, 250),
        ("2025-03", "byd-atto-3", "renamed", 300, 300),
    ]
    rows = REVISIONS.rows(read(empty_engine, "by=model"))
    assert set(rows["renamed_from"]) == {"byd-yuan-plus"}


def test_a_model_renamed_twice_is_one_model(empty_engine: Engine) -> None:
    seal = months("byd seal", 500, 500, 500)
    for day, name in ((JANUARY, "a"), (FEBRUARY, "b"), (MARCH, "c")):
        publish(empty_engine, day, [*seal, *months(f"byd {name}", 100, 200, 300)])
    assert {kind for _, _, kind, _, _ in changed(read(empty_engine, "by=model"))} == {"renamed"}
    assert read(empty_engine, "by=model").title == (
        "None of 6 figures of German BEVs was revised after publication; 2 names changed"
    )


def test_a_renamed_maker_is_neither_lost_nor_late(empty_engine: Engine) -> None:
    for day, name in ((JANUARY, "ora"), (FEBRUARY, "gwm")):
        publish(empty_engine, day, [*months("byd", 500, 500, 500, 500, 500), *months(name, *[100] * 5)])
    reading = read(empty_engine)
    assert {(maker, kind) for _, maker, kind, _, _ in changed(reading)} == {("gwm", "renamed")}
    assert set(REVISIONS.rows(reading)["renamed_from"]) == {"ora"}
    assert "Hollow: renamed, proven car for car. Ora is now Gwm." in reading.notes


def test_a_merger_is_called_one(empty_engine: Engine) -> None:
    seal = months("byd seal", 500, 500, 500)
    before = [*months("byd pro", 100, 200, 300), *months("byd plus", 100, 200, 300)]
    publish(empty_engine, JANUARY, [*seal, *before[:3], ("byd plus", "2025-01", 50)])
    publish(empty_engine, FEBRUARY, [*seal, *months("byd qin", 150, 200, 300)])
    kinds = {(period, kind) for period, model, kind, _, _ in changed(read(empty_engine, "by=model"))}
    assert kinds == {("2025-01", "merged"), ("2025-02", "renamed"), ("2025-03", "renamed")}


# What was changed


@pytest.fixture
def revised(empty_engine: Engine) -> Engine:
    """Germany, January 2025: Tesla 100, then 110; BYD 200 stays; Kia 300 is taken back; Skoda 40 comes late."""
    publish(empty_engine, JANUARY, [("tesla", "2025-01", 100), ("byd", "2025-01", 200), ("kia", "2025-01", 300)])
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 110), ("byd", "2025-01", 200), ("skoda", "2025-01", 40)])
    return empty_engine


def test_every_change_is_told_with_the_figure_before_and_after(revised: Engine) -> None:
    reading = read(revised)
    assert changed(reading) == [
        ("2025-01", "kia", "vanished", 300, None),
        ("2025-01", "skoda", "late", None, 40),
        ("2025-01", "tesla", "revised", 100, 110),
    ]
    tesla = REVISIONS.rows(reading).set_index("maker").loc["tesla"]
    assert tesla["relative"] == pytest.approx(0.1)
    assert (tesla["known_from"], tesla["flags"], tesla["low"], tesla["high"]) == ("2026-02-15", "revised", 110, 110)
    assert reading.title == "1 of 3 figures of German BEVs was revised later, by 10.0 %"


def test_the_download_has_the_fixed_columns_first_and_bounds_where_there_is_a_value(revised: Engine) -> None:
    rows = REVISIONS.rows(read(revised))
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    assert list(rows.columns[len(DOWNLOAD_COLUMNS) :]) == ["kind", "before", "relative", "first", "renamed_from"]
    there = rows[rows["value"].notna()]
    assert (there["low"] == there["value"]).all()
    assert (there["high"] == there["value"]).all()
    assert csv_text(rows).count("\n") == 4


def test_the_table_says_the_same(revised: Engine) -> None:
    table = REVISIONS.table(read(revised))
    assert table.header == ("Period", "Of", "Kind", "Before", "Then", "Change", "Since")
    assert set(table.rows) == {
        ("Jan 2025", "Kia", "vanished", "300", "–", "–", "15 Feb 2026"),
        ("Jan 2025", "Skoda", "added late", "–", "40", "–", "15 Feb 2026"),
        ("Jan 2025", "Tesla", "revised", "100", "110", "+10.0 %", "15 Feb 2026"),
    }


def test_a_makers_figure_is_the_sum_of_its_models(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [("tesla model-y", "2025-01", 60), ("tesla model-3", "2025-01", 40)])
    publish(empty_engine, FEBRUARY, [("tesla model-y", "2025-01", 50), ("tesla model-3", "2025-01", 50)])
    assert changed(read(empty_engine)) == []
    assert [row[1:] for row in changed(read(empty_engine, "by=model"))] == [
        ("tesla-model-3", "revised", 40, 50),
        ("tesla-model-y", "revised", 60, 50),
    ]


def test_a_record_that_is_itemised_later_has_not_lost_its_total(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, [(ALL, "2025-01", 300), (ALL, "2025-02", 400)])
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 100), ("byd", "2025-01", 200), (ALL, "2025-02", 404)])
    assert changed(read(empty_engine)) == [
        ("2025-01", "byd", "late", None, 200),
        ("2025-01", "tesla", "late", None, 100),
        ("2025-02", "all", "revised", 400, 404),
    ]


def test_changes_of_the_unnamed_rest_are_not_among_the_figures(empty_engine: Engine) -> None:
    for day, rest in ((JANUARY, 50), (FEBRUARY, 60)):
        publish(empty_engine, day, [("tesla", "2025-01", 100), (OTHER, "2025-01", rest)])
    reading = read(empty_engine)
    assert changed(reading) == []
    assert reading.content.rest_changes == 1
    assert reading.title == "The one judged figure of German BEVs was not revised after publication"


def test_what_was_published_once_is_not_judged(revised: Engine) -> None:
    reading = read(revised)
    assert "1 more figure published once only: not judged." in reading.notes
    assert "3 of the 3 stand in the first vintage already: what was changed before is not known." in reading.notes
    assert reading.badge.text == "2 vintages · 15 Jan 2026 to 15 Feb 2026 · 75.0 % judged"
    assert not reading.badge.amber


def test_a_badge_is_amber_where_most_was_published_once(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, months("tesla", 100))
    publish(empty_engine, FEBRUARY, months("tesla", 100, 200, 300))
    assert read(empty_engine).badge.amber


def test_a_transcribed_file_tells_of_restated_figures_and_of_no_share(empty_engine: Engine) -> None:
    figures = [
        (JANUARY, ("tesla", "2024", 100)),
        (FEBRUARY, ("tesla", "2024", 104)),
        (MARCH, ("byd", "2024", 200)),
    ]
    transcribe(empty_engine, figures)
    reading = read(empty_engine, "market=WORLD&basis=delivery")
    assert changed(reading) == [("2024-01", "tesla", "revised", 100, 104)], "BYD's own figure is not late"
    assert reading.notes[0] == (
        "Beta's table is transcribed: it has 1 restated figure, and nothing says how many others were looked at again."
    )
    assert reading.title == "The one judged figure of world BEVs was revised later, by 4.0 %"
    assert reading.badge.text == "restated figures only · 50.0 % judged"


# Titles


def test_a_title_gives_the_median_of_more_than_one(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, months("tesla", 100, 100, 100, 100))
    publish(empty_engine, FEBRUARY, months("tesla", 101, 102, 90, 100))
    reading = read(empty_engine)
    assert reading.title == "3 of 4 figures of German BEVs were revised later, half of them by 2.0 % or more"
    assert "half of these by 2.0 % or more." in reading.notes[0], "three are too few for one in ten"


def test_a_title_says_that_nothing_was_revised(empty_engine: Engine) -> None:
    for day in (JANUARY, FEBRUARY):
        publish(empty_engine, day, months("tesla", 100, 200))
    reading = read(empty_engine)
    assert reading.title == "None of 2 figures of German BEVs was revised after publication"
    assert [note["text"] for note in drawn(reading)["layout"]["annotations"]] == ["No figure was changed."]
    assert len(REVISIONS.rows(reading)) == 0
    assert REVISIONS.table(reading).rows == ()


def test_a_revision_of_nothing_has_no_size(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, months("tesla", 0, 100))
    publish(empty_engine, FEBRUARY, months("tesla", 100, 100))
    assert read(empty_engine).title == "1 of 2 figures of German BEVs was revised after publication"
    assert drawn(read(empty_engine))["data"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "market=CN",
        "market=DE,ES,FR,GB,NL,NO&by=model",
        "powertrain=ALL&market=IL",
        "market=WORLD&basis=delivery",
        "market=WORLD&basis=reported",
        "makers=mg,byd&by=model",
        "as_of=2024-05-27",
        "since=2023-01&until=2023-12",
    ],
)
@pytest.mark.parametrize("look", [SCREEN, PICTURE], ids=["screen", "picture"])
def test_real_data_are_drawn_as_plain_values_under_a_short_title(
    bundled_engine: Engine, query: str, look: Look
) -> None:
    reading = read(bundled_engine, query)
    assert len(reading.title) <= 90
    figure = drawn(reading, look)
    assert figure["layout"]["height"] == look.height
    assert {trace["type"] for trace in figure["data"]} == {"scatter"}
    rows = REVISIONS.rows(reading)
    assert (rows["value"].isna() == (rows["kind"] == "vanished")).all()
    assert csv_text(rows)
    assert all(len(row) == len(REVISIONS.table(reading).header) for row in REVISIONS.table(reading).rows)


# Refusals


def test_before_the_second_vintage_the_first_day_that_can_answer_is_named(revised: Engine) -> None:
    error = refused(revised, "as_of=2026-02-14")
    assert "the first day that can answer is 2026-02-15" in str(error)
    assert error.nearest is not None
    assert error.nearest.as_of == FEBRUARY
    assert read(revised, "as_of=2026-02-15").title.startswith("1 of 3 figures")
    assert refused(revised, "as_of=2025-01-01").nearest == error.nearest


def test_one_vintage_is_said_to_be_one(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, months("tesla", 100))
    assert "there is one vintage of the BEV registration figures of Germany only" in str(refused(empty_engine))


def test_restated_figures_answer_from_the_day_of_the_restatement(empty_engine: Engine) -> None:
    transcribe(empty_engine, [(JANUARY, ("tesla", "2024", 100)), (MARCH, ("tesla", "2024", 104))])
    error = refused(empty_engine, "market=WORLD&basis=delivery&as_of=2026-02-01")
    assert error.nearest is not None
    assert error.nearest.as_of == MARCH


def test_groups_and_markets_are_not_what_is_revised(revised: Engine) -> None:
    for by in ("group", "market"):
        error = refused(revised, f"by={by}")
        assert error.nearest == REVISIONS.defaults


def test_a_market_without_such_figures_is_refused_with_one_that_has_some(revised: Engine) -> None:
    error = refused(revised, "powertrain=PHEV&by=model")
    assert error.nearest == Selection.from_query("by=model", defaults=REVISIONS.defaults)
    publish(revised, JANUARY, months("byd", 100), market="FR", powertrain="PHEV", file="fr.csv")
    publish(revised, FEBRUARY, months("byd", 110), market="FR", powertrain="PHEV", file="fr.csv")
    error = refused(revised, "powertrain=PHEV&market=DE,FR")
    assert error.nearest is not None
    assert error.nearest.market == ("FR",)
    with pytest.raises(InvalidSelection, match="makers=nobody"):
        read(revised, "makers=nobody")


def test_makers_that_say_nothing_there_are_refused_with_all(revised: Engine) -> None:
    publish(revised, APRIL, [("fiat", "2025-01", 100)], market="FR", file="fr.csv")
    error = refused(revised, "makers=fiat")
    assert error.nearest == REVISIONS.defaults


# The plot


def test_a_dot_stands_at_its_period_and_change(revised: Engine) -> None:
    dots = {
        text: (x, y, symbol)
        for trace in drawn(read(revised))["data"]
        for text, x, y, symbol in zip(trace["text"], trace["x"], trace["y"], trace["marker"]["symbol"], strict=True)
    }
    late, up, gone = (dots[text] for text in sorted(dots, key=lambda text: -dots[text][1]))
    assert dots.keys() == {
        "Kia, Germany, Jan 2025: 300, vanished",
        "Skoda, Germany, Jan 2025: 40, added late",
        "Tesla, Germany, Jan 2025: 100 → 110 (+10.0 %)",
    }
    assert late[2] == "triangle-up"
    assert up == ("2025-01-01", pytest.approx(1.0414, abs=1e-4), "circle")
    assert gone[2] == "triangle-down"
    layout = drawn(read(revised))["layout"]["yaxis"]
    assert layout["ticktext"] == ["−10 %", "−1 %", "0 %", "+1 %", "+10 %", "added late", "vanished"]
    bottom, top = layout["range"]
    assert all(bottom < at < top for at in layout["tickvals"])


def test_a_change_beyond_the_axis_stands_at_its_edge_and_is_marked(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, months("tesla", 1, 100))
    publish(empty_engine, FEBRUARY, months("tesla", 500, 110))
    (trace,) = drawn(read(empty_engine))["data"]
    assert sorted(trace["marker"]["symbol"]) == ["circle", "triangle-up"]
    assert max(trace["y"]) < drawn(read(empty_engine))["layout"]["yaxis"]["range"][1]


def test_renamed_figures_are_hollow(empty_engine: Engine) -> None:
    seal = months("byd seal", 500, 500, 500)
    publish(empty_engine, JANUARY, [*seal, *months("byd yuan-plus", 100, 200, 300)])
    publish(empty_engine, FEBRUARY, [*seal, *months("byd atto-3", 100, 200, 300)])
    (trace,) = drawn(read(empty_engine))["data"]
    assert trace["marker"]["symbol"] == ["circle-open"] * 3
    assert trace["y"] == [0, 0, 0]
    assert trace["name"] == "Byd"


def test_names_from_data_are_never_markup(empty_engine: Engine) -> None:
    for day, units in ((JANUARY, 100), (FEBRUARY, 110)):
        publish(empty_engine, day, [("<b>x</b>", "2025-01", units)])
    assert "<b>" not in json.dumps(drawn(read(empty_engine)), ensure_ascii=False).lower()


def test_the_typical_size_is_labelled_where_there_are_enough(empty_engine: Engine) -> None:
    publish(empty_engine, JANUARY, months("tesla", *[100] * 11))
    publish(empty_engine, FEBRUARY, months("tesla", *range(101, 112)))
    labels = [note["text"] for note in drawn(read(empty_engine))["layout"]["annotations"]]
    assert labels == ["half within 6.0 %", "9 of 10 within 10.0 %"]


# The real vintages


def real_renames(engine: Engine, market: str, powertrain: str = "BEV") -> set[tuple[str, str, int]]:
    reading = read(engine, f"market={market}&powertrain={powertrain}")
    return {
        (
            each.old[0] if each.old[1] == ALL else each.old[1],
            each.new[0] if each.new[1] == ALL else each.new[1],
            len(each.months),
        )
        for each in reading.content.renames
    }


def test_the_renames_of_the_real_vintages_are_found(bundled_engine: Engine) -> None:
    china = real_renames(bundled_engine, "CN")
    assert ("byd-yuan-plus", "byd-atto-3", 42) in china
    assert ("geely-xingyuan", "geometry-xingyuan", 11) in china, "from one maker to another"
    assert {("byd-qin-plus-ev", "byd-qin-ev", 19), ("byd-qin-pro-ev", "byd-qin-ev", 18)} <= china, "two became one"
    assert ("mg-mg4-ev", "mg-4-ev", 27) in real_renames(bundled_engine, "DE")
    assert real_renames(bundled_engine, "IL", "ALL") == {("jaecoo", "omoda-jaecoo", 17)}, "a maker"
