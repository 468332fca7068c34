"""How fresh the sources are, as judged on a day: dates that one can count on a calendar."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import Engine

from dashboard import style
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Badge, Reading
from dashboard.charts.source_health import SOURCE_HEALTH, Health, Judged, draw, title
from dashboard.downloads import csv_text, framed
from dashboard.selection import InvalidSelection, NotPublished
from dashboard.style import INK, SCREEN, Figure, Look
from db.contents import Source
from db.health import Rows, SourceHealth, Stated
from db.vocabulary import Grain, States
from tests import world
from tests.db.test_health import MADE_UP, load, publish
from tests.world import cards

TODAY = date(2026, 3, 20)
NARROW = Look(height=320, font_px=12)


def read(engine: Engine, query: str = "", *, today: date = TODAY) -> Reading:
    return cards.read(engine, SOURCE_HEALTH, query, today=today)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(SOURCE_HEALTH, reading, look)


def judged(*ends: date | None, on: date = TODAY, titles: tuple[str, ...] = (), late: date | None = None) -> Health:
    """Sources of made-up months: of each the last one, or None for one without periods."""
    found = []
    for n, last in enumerate(ends):
        source: Source = replace(MADE_UP, slug=f"source-{n}", title=titles[n] if titles else f"Source {n}")
        months = [(last, "DE", "Germany")] if last else []
        months += [(late, "FR", "France")] if last and late else []
        stated = tuple(Stated(code, name, "registration", "BEV", Grain.MONTH, at, at, 1) for at, code, name in months)
        of = SourceHealth(source, ("registration",), 1, world.DAY, Rows(accepted=1), 0, 0, stated, (), len(stated))
        found.append(Judged(of=of, on=on, revision=None))
    return Health(
        sources=tuple(sorted(found, key=lambda each: each.latest.next_due if each.latest else date.max)), on=on
    )


JANUARY, DECEMBER = date(2026, 1, 1), date(2025, 12, 1)


# What is read


def test_each_source_is_a_row_with_its_dates_and_counts(empty_engine: Engine) -> None:
    months = [("DE", "month", "2026-01-01", 100), ("FR", "month", "2025-11-01", 100)]
    publish(empty_engine, months, known_on=date(2026, 2, 5), rejected=[(9, "units", "x", "no number")], duplicate=2)
    reading = read(empty_engine, today=date(2026, 3, 11))
    assert SOURCE_HEALTH.table(reading).rows == (
        (
            "made-up",
            "5 Feb 2026",
            "Jan 2026",
            "11 Mar 2026",
            "due 11 Mar 2026, 1 market late",
            "2",
            "1",
            "0",
            "2",
            "0",
            "–",
            "FR",
        ),
    )
    # November and December and ten days.
    assert reading.notes == ("Made-up figures: newer figures were due of France (11 Jan 2026).",)
    assert reading.badge.text == "judged on 11 Mar 2026 · nothing overdue · 1 row rejected"
    assert reading.badge.amber


def test_a_day_in_the_past_is_judged_as_of_then(empty_engine: Engine) -> None:
    publish(empty_engine, [("DE", "month", "2026-01-01", 100)], known_on=date(2026, 2, 5))
    assert read(empty_engine).content.overdue
    then = read(empty_engine, "as_of=2026-03-11", today=date(2027, 1, 1))
    assert not then.content.overdue
    assert then.content.on == date(2026, 3, 11)
    with pytest.raises(NotPublished, match="no source was loaded as known on 2026-02-04"):
        read(empty_engine, "as_of=2026-02-04")


def test_a_market_leaves_the_sources_that_tell_about_it(empty_engine: Engine) -> None:
    publish(empty_engine, [("FR", "month", "2026-01-01", 100)], known_on=date(2026, 2, 5))
    load(empty_engine, world.text("data/data-DE.js"), day=1)
    assert len(read(empty_engine).content.sources) == 2
    assert [each.of.source.slug for each in read(empty_engine, "market=FR").content.sources] == ["made-up"]
    with pytest.raises(InvalidSelection):
        read(empty_engine, "market=US")


def test_a_source_of_which_every_file_was_refused_is_shown(empty_engine: Engine) -> None:
    load(empty_engine, world.text("data/data-DE.js").replace(": 50", ": 0"), day=2)
    reading = read(empty_engine)
    (only,) = reading.content.sources
    assert (only.state, only.of.refused_files) == ("nothing loaded", 1)
    assert reading.badge.text.endswith("1 file refused")
    assert reading.notes == ("Files were refused and not replaced since: Open EV Charts.",)
    assert drawn(reading)["data"]


def test_an_empty_database_says_how_to_fill_it(empty_engine: Engine) -> None:
    with pytest.raises(NotPublished, match="no source is loaded; run 'python -m etl load'"):
        read(empty_engine)


def test_the_download_is_one_row_a_source(bundled_engine: Engine) -> None:
    rows = SOURCE_HEALTH.rows(read(bundled_engine, today=date(2026, 7, 24)))
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    assert rows["source"].is_unique
    of = rows.set_index("source")
    # The 24th of July lies 38 days before the 31st of August.
    assert of.loc["open-ev-charts", ["value", "low", "high"]].tolist() == [-38, -38, -38]
    assert of.loc["open-ev-charts", "late_markets"] == "NO;CH"
    assert of.loc["open-ev-charts", "flags"] == "markets_late"
    groups = next(line for line in csv_text(rows).splitlines() if ",maker-groups," in line)
    assert groups.startswith(",,none,,"), "without periods nothing is due, and no number is made up"


# Titles


@pytest.mark.parametrize(
    ("health", "says"),
    [
        (judged(JANUARY, date(2026, 4, 1)), "1 of 2 sources is overdue on 20 Mar 2026: Source 0, since 11 Mar 2026"),
        (
            judged(JANUARY, DECEMBER),
            "2 of 2 sources are overdue on 20 Mar 2026, the longest: Source 1, since 11 Feb 2026",
        ),
        (judged(JANUARY), "Source 0 is overdue since 11 Mar 2026"),
        (
            judged(JANUARY, on=date(2026, 3, 11)),
            "No source is overdue on 11 Mar 2026; next due is Source 0, 11 Mar 2026",
        ),
        (
            judged(JANUARY, on=date(2026, 3, 11), late=DECEMBER),
            "No source is overdue on 11 Mar 2026, but 1 market is late",
        ),
        (judged(None), "No source has a due date; 1 source loaded by 20 Mar 2026"),
        (
            judged(JANUARY, DECEMBER, titles=("A" * 60, "B" * 60)),
            "2 of 2 sources are overdue on 20 Mar 2026, the longest since 11 Feb 2026",
        ),
    ],
    ids=["one late", "two late", "only one", "none late", "a market late", "no periods", "long names"],
)
def test_the_title_is_the_longest_wait(health: Health, says: str) -> None:
    assert title(health) == says
    assert len(says) <= 90


# The plot


def reading_of(health: Health) -> Reading:
    """A reading around made-up sources."""
    return Reading(SOURCE_HEALTH.defaults, "", "", Badge(""), (), (), health)


def test_what_is_overdue_is_a_bar_up_to_the_day_and_words_beside_it() -> None:
    figure = draw(reading_of(judged(JANUARY, date(2026, 4, 1), None)), SCREEN)
    traces = {trace.get("name", ""): trace for trace in figure["data"]}
    assert traces["overdue"]["base"] == ["2026-03-11"]
    assert traces["overdue"]["x"] == [9 * 86_400_000], "nine days from the 11th to the 20th"
    assert traces["end of the last period"]["x"] == ["2026-01-31", "2026-04-30"]
    assert traces["next due"]["x"] == ["2026-03-11", "2026-06-11"]
    words = {note["text"]: note for note in figure["layout"]["annotations"]}
    late = words["overdue since 11 Mar 2026"]
    assert (late["bgcolor"], late["font"]["color"]) == (INK["light"].amber, INK["light"].amber_text)
    assert words["due 11 Jun 2026"]["bgcolor"] != INK["light"].amber
    assert "no periods, no due date" in words
    assert words["judged on 20 Mar 2026"]["x"] == figure["layout"]["shapes"][0]["x0"] == "2026-03-20"


def test_a_source_without_periods_has_no_mark_for_what_is_due() -> None:
    names = [trace.get("name") for trace in draw(reading_of(judged(None)), SCREEN)["data"]]
    assert "last file" in names
    assert "next due" not in names
    assert "overdue" not in names


@pytest.mark.parametrize("look", [SCREEN, NARROW, style.PICTURE, replace(SCREEN, theme="dark")])
def test_all_marks_lie_within_the_axis_at_every_size(look: Look) -> None:
    figure = draw(reading_of(judged(JANUARY, DECEMBER, date(2026, 4, 1))), look)
    first, last = figure["layout"]["xaxis"]["range"]
    for trace in figure["data"]:
        days = [day for day in trace.get("base", trace["x"]) if day is not None]
        assert all(first < day < last for day in days), trace.get("name")
    assert figure["layout"]["height"] == look.height if look.width else figure["layout"]["height"] > 0


def test_on_a_narrow_screen_names_stand_above_their_rows_and_leave_room_for_the_words() -> None:
    long = "A source with a name that is far longer than any telephone is wide"
    figure = draw(reading_of(judged(JANUARY, titles=(long,))), NARROW)
    assert not figure["layout"]["yaxis"]["showticklabels"]
    size = figure["layout"]["annotations"][0]["font"]["size"]
    said, name, _ = (note["text"] for note in figure["layout"]["annotations"])
    assert name.endswith("…")
    assert long.startswith(name.removesuffix("…"))
    assert style.text_width(name, size) + style.text_width(said, size, bold=True) < 340


def test_names_of_sources_are_text(empty_engine: Engine) -> None:
    bad = replace(MADE_UP, title="<b>bold</b> & co")
    publish(empty_engine, [("DE", "month", "2026-01-01", 100)], known_on=date(2026, 2, 5), source=bad)
    figure = drawn(read(empty_engine))
    assert figure["layout"]["yaxis"]["ticktext"] == ["&lt;b&gt;bold&lt;/b&gt; &amp; co"]
    assert "<b>" not in json.dumps(figure)


def test_makers_who_print_now_and_then_have_no_late_markets(empty_engine: Engine) -> None:
    source = replace(MADE_UP, states=States.MAKERS)
    rows = [("DE", "month", "2026-02-01", 100), ("FR", "month", "2024-01-01", 100)]
    publish(empty_engine, rows, known_on=date(2026, 3, 5), source=source)
    assert read(empty_engine).notes == ()


def test_on_a_sheet_no_two_rows_words_lie_over_one_another(bundled_engine: Engine) -> None:
    with bundled_engine.connect() as connection:
        reading = SOURCE_HEALTH.load(connection, SOURCE_HEALTH.defaults, today=date(2026, 11, 23))
    assert len(reading.content.sources) >= 20
    layout = framed(SOURCE_HEALTH, reading, look=style.SHEET, site="")["layout"]
    row = (layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]) / len(reading.content.sources)
    words = [note for note in layout["annotations"] if note.get("yref") == "y"]
    assert len(words) == len(reading.content.sources)
    assert all(note["font"]["size"] * style.LINE_HEIGHT + 2 * note["borderpad"] <= row for note in words)
