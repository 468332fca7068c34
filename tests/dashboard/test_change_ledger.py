"""The chart of what changed: its words, its rows and receipts, and what it does with any selection."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine

from dashboard import downloads
from dashboard.charts.change_ledger import CHANGE_LEDGER, OWN_COLUMNS
from dashboard.charts.chart import DOWNLOAD_COLUMNS, TITLE_LENGTH, Point, Reading
from dashboard.selection import InvalidSelection, NotPublished
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look
from db.vocabulary import OTHER
from tests.dashboard.test_ledger import OLD, OWN
from tests.db.test_vintages import APRIL, FEBRUARY, JANUARY, MARCH, publish, transcribe
from tests.world import cards, records

TODAY = date(2026, 4, 20)
NARROW = Look(height=320, font_px=12)


def read(engine: Engine, query: str = "", *, today: date = TODAY) -> Reading:
    return cards.read(engine, CHANGE_LEDGER, query, today=today)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(CHANGE_LEDGER, reading, look)


def words(figure: Figure) -> list[str]:
    return [note["text"] for note in figure["layout"]["annotations"]]


@pytest.fixture
def changed(empty_engine: Engine) -> Engine:
    """Tesla's figure was revised, BYD's taken back, and a second month published, all on 15 February 2026."""
    publish(empty_engine, JANUARY, OLD)
    february = [("tesla", "2025-02", 100), ("byd", "2025-02", 200), (OTHER, "2025-02", 300)]
    publish(empty_engine, FEBRUARY, [("tesla", "2025-01", 150), OLD[2], *february])
    return empty_engine


# Words


def test_the_title_names_what_moves_most_and_counts_the_rest(changed: Engine) -> None:
    reading = read(changed, "as_of=2026-02-15")
    assert reading.title == "New: Germany, Feb 2025, 600 BEVs; 1 revised, 1 taken back"
    assert "What changed in 7 days, to 15 Feb 2026" in reading.subtitle


def test_without_a_day_the_ledger_is_to_the_latest_on_which_anything_became_known(changed: Engine) -> None:
    assert read(changed).title == read(changed, "as_of=2026-02-15").title


def test_a_week_without_news_says_so(changed: Engine) -> None:
    reading = read(changed, "as_of=2026-03-15")
    assert reading.title.startswith("Nothing was published, revised or taken back from 9 Mar 2026 to 15 Mar 2026")
    assert not read(changed, "as_of=2026-02-15").title.startswith("Nothing")


def test_what_is_read_for_the_first_time_is_no_finding(changed: Engine) -> None:
    reading = read(changed, "as_of=2026-01-15")
    assert reading.title.startswith("3 figures read for the first time, with nothing to compare them with")


def test_old_and_new_figure_stand_beside_each_other_with_who_says_so(changed: Engine) -> None:
    said = words(drawn(read(changed, "as_of=2026-02-15"), PICTURE))
    assert "Tesla, Germany, Jan 2025" in said
    assert "100 → 150 (+50.0 %) – Alpha's table" in said
    assert "200 taken back – Alpha's table" in said
    assert "New: 3 figures" in said


def test_the_range_of_days_can_be_chosen(changed: Engine) -> None:
    publish(changed, MARCH, OLD)
    assert read(changed, "as_of=2026-03-20&date=2026-03-16").title.startswith("Nothing")
    assert read(changed, "as_of=2026-03-20&date=2026-03-14").title.startswith(
        "Revised: Tesla, Germany, Jan 2025, 150 → 100"
    )


def test_overdue_is_judged_on_the_day_and_makes_the_badge_amber(changed: Engine) -> None:
    reading = read(changed, "as_of=2026-02-15")
    assert reading.badge.amber
    assert reading.badge.text == "9 Feb 2026 to 15 Feb 2026 · 1 overdue on 15 Feb 2026"
    publish(changed, APRIL, [("tesla", "2026-03", 100)])
    assert not read(changed, "as_of=2026-04-15").badge.amber


# Rows and receipts


def test_the_download_has_a_row_for_each_change_with_both_figures(changed: Engine) -> None:
    rows = CHANGE_LEDGER.rows(read(changed, "as_of=2026-02-15"))
    assert tuple(rows.columns) == (*DOWNLOAD_COLUMNS, *OWN_COLUMNS)
    revised = rows[rows["kind"] == "revised"].iloc[0]
    assert (revised["maker"], revised["before"], revised["value"]) == ("tesla", 100, 150)
    assert (revised["before_known_from"], revised["known_from"]) == ("2026-01-15", "2026-02-15")
    assert rows["kind"].value_counts().to_dict() == {"new": 3, "revised": 1, "vanished": 1, "overdue": 1}
    assert rows[rows["kind"] == "vanished"]["value"].isna().all()


def test_an_entry_has_the_receipts_of_what_was_said_before_and_is_said_now(changed: Engine) -> None:
    reading = read(changed, "as_of=2026-02-15")
    keys = {trace_key[1]: trace_key for trace_key in drawn(reading)["data"][0]["customdata"] if trace_key}
    assert CHANGE_LEDGER.receipts is not None
    with changed.connect() as connection:
        claims = CHANGE_LEDGER.receipts(connection, reading, Point(*keys["tesla"]))
    assert claims[["stated", "known_from"]].values.tolist() == [["100 (before)", "2026-01-15"], ["150", "2026-02-15"]]
    assert claims["urls"].tolist() == ["https://alpha.example"] * 2


def test_the_json_has_the_receipts_of_every_row(changed: Engine) -> None:
    reading = read(changed, "as_of=2026-02-15")
    with changed.connect() as connection:
        told = downloads.document(connection, CHANGE_LEDGER, reading, CHANGE_LEDGER.rows(reading), site="")
    counts = {row["kind"]: len(row["receipts"]) for row in told["rows"]}
    assert counts == {"new": 1, "revised": 2, "vanished": 1, "overdue": 0}


def test_records_are_told_in_words_with_their_address(empty_engine: Engine) -> None:
    publish(empty_engine, date(2025, 1, 2), OLD)
    records.prices(empty_engine, {}, {"amount": "200", "published_on": "2025-01-20"})
    reading = read(empty_engine, "as_of=2025-01-20")
    assert reading.title.startswith("Revised: Tesla Model Y, South Korea: RWD, list price from 10 Jan 2025, 300 → 200")
    (row,) = CHANGE_LEDGER.rows(reading).query("kind == 'revised'").to_dict("records")
    assert (row["said_before"], row["said"], row["url"]) == ("300 KRW", "200 KRW", "https://made-up.example/price")


# Any selection


@pytest.mark.parametrize(
    "query",
    [
        "market=DE",
        "market=NO",
        "makers=tesla",
        "models=tesla-model-y",
        "measure=hhi&basis=retail&grain=year&powertrain=PHEV&by=group",
        "since=2025-02&until=2025-02",
        "as_of=2026-02-15&date=1990-01-01",
        "as_of=2026-12-31",
    ],
)
def test_any_selection_is_drawn_in_every_size_and_theme(changed: Engine, query: str) -> None:
    records.prices(changed, {})
    reading = read(changed, query)
    assert len(reading.title) <= TITLE_LENGTH
    for look in (SCREEN, NARROW, PICTURE, SHEET, Look(theme="dark")):
        figure = drawn(reading, look)
        assert figure["layout"]["annotations"], "there is always something to read"
        if look.width:
            assert figure["layout"]["height"] == look.height
    assert CHANGE_LEDGER.table(reading).header
    assert tuple(CHANGE_LEDGER.rows(reading).columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS


def test_what_of_a_selection_does_not_narrow_the_ledger_is_said(changed: Engine) -> None:
    said = " ".join(read(changed, "basis=retail&grain=year").notes)
    assert "basis, grain of the selection does not narrow it" in said
    assert "does not narrow it" not in " ".join(read(changed).notes)


def test_days_in_the_wrong_order_and_unknown_names_are_refused(changed: Engine) -> None:
    for query, name in (
        ("as_of=2026-02-15&date=2026-02-15", "date"),
        ("market=XX", "market"),
        ("makers=nobody", "makers"),
    ):
        with pytest.raises(InvalidSelection) as caught:
            read(changed, query)
        assert caught.value.name == name


def test_a_day_before_anything_was_known_leads_to_the_first_one(changed: Engine, empty_engine: Engine) -> None:
    with pytest.raises(NotPublished) as caught:
        read(changed, "as_of=2020-01-01")
    assert caught.value.nearest is not None
    assert read(changed, caught.value.nearest.query(defaults=CHANGE_LEDGER.defaults)).title


def test_an_empty_database_says_what_to_do(empty_engine: Engine) -> None:
    with pytest.raises(NotPublished, match="etl load"):
        read(empty_engine)


def test_many_entries_leave_room_for_each_kind_and_count_what_is_left_out(empty_engine: Engine) -> None:
    before: list[tuple[str, str, int]] = [(f"maker-{n}", "2025-01", 100 + n) for n in range(40)]
    publish(empty_engine, JANUARY, before)
    now: list[Any] = [(name, month, units * 2) for name, month, units in before[:-1]] + [("tesla", "2025-02", 5)]
    publish(empty_engine, FEBRUARY, now)
    said = words(drawn(read(empty_engine, "as_of=2026-02-15")))
    headings = [text for text in said if text.split(":")[0] in ("New", "Revised", "Taken back", "Overdue")]
    assert headings[0] == "New: 1 figure"
    assert any(text.startswith("Revised: 39 figures, ") and "more in the download" in text for text in headings)
    assert headings[2].startswith("Taken back: 1 figure")


def test_a_makers_own_figure_says_what_it_counts(empty_engine: Engine) -> None:
    transcribe(empty_engine, [(FEBRUARY, ("tesla", "2025-Q4", 100))], source=OWN)
    assert "New: Tesla, World, Q4 2025, 100 BEVs delivered" in read(empty_engine, "as_of=2026-02-15").title
