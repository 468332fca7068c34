"""The weekly sheets: which week, which list, what is left out and why, whole or not at all, and the same again."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache
from hashlib import sha256
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import Engine
from typer.testing import CliRunner

from dashboard import findings, pictures, report, report_pages
from dashboard.charts.chart import Badge
from dashboard.findings import Finding
from dashboard.ledger import Ledger
from dashboard.ledger_entries import Entry
from dashboard.pictures import PictureError
from dashboard.report import NoWeek, as_of, make, week_of
from dashboard.report_list import SHEETS, News, ReportError, Sheet, sheets
from dashboard.report_pages import A4, Digest, Week
from dashboard.selection import NotPublished, NotYetMade
from dashboard.style import SHEET, Look
from dashboard.what_changed import Kind

ROOT = Path(__file__).parents[2]
SUNDAY = date(2026, 11, 22)
ONE_SHEET = """
[[sheet]]
name = "Norway & more <b>"
chart = "market-share"
query = "market=NO&since=2026-01"
when = "always"
"""
ON_NEWS = ONE_SHEET.replace("Norway & more <b>", "Prices").replace(
    '"always"', '"on-news"\nnews = ["price", "sales:CN"]'
)
STEM = "01-norway-more-b-market-share"
NEEDS_CHROMIUM = pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PUBLIC_URL", "SMTP_HOST", "WEBHOOK_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def listed(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a list of sheets to a file."""

    def write(text: str) -> Path:
        path = tmp_path / "sheets.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def one_sheet(listed: Callable[[str], Path]) -> Path:
    return listed(ONE_SHEET)


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures without a browser: white ones that say nothing, for tests of everything else."""

    def blank(_figure: object, *, format: str, look: Look) -> bytes:
        return white(*(A4 if look.height == A4[1] else (64, 36)))

    monkeypatch.setattr(pictures, "start", lambda: None)
    monkeypatch.setattr(pictures, "render", blank)
    monkeypatch.setattr(Digest, "page", lambda _layout, paper, _charts: paper)


@cache
def white(width: int, height: int) -> bytes:
    return picture_of("white", width, height)


def picture_of(colour: str, width: int, height: int) -> bytes:
    content = BytesIO()
    Image.new("RGB", (width, height), colour).save(content, "PNG", compress_level=1)
    return content.getvalue()


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(report.app, [str(each) for each in arguments])


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Weeks


def test_a_week_is_known_on_its_sunday_and_the_week_under_way_today() -> None:
    assert as_of("2026-W46", today=date(2026, 11, 18)) == date(2026, 11, 15)
    assert as_of("2026-W47", today=date(2026, 11, 18)) == date(2026, 11, 18)
    assert as_of("2026-W47", today=SUNDAY) == SUNDAY


def test_the_first_days_of_january_can_belong_to_the_last_week_of_the_year_before() -> None:
    assert week_of(date(2027, 1, 3)) == "2026-W53"
    assert as_of("2026-W53", today=date(2027, 2, 1)) == date(2027, 1, 3)


@given(st.dates(min_value=date(1900, 1, 1), max_value=date(2200, 1, 1)))
def test_every_day_lies_in_its_week(day: date) -> None:
    sunday = as_of(week_of(day), today=date(2300, 1, 1))
    assert sunday.isoweekday() == 7
    assert 0 <= (sunday - day).days < 7


@pytest.mark.parametrize(
    "week", ["2026-W60", "2026-W00", "2025-W53", "W27", "2026-27", "", "2026-W48", "0000-W01", "9999-W52"]
)
def test_what_is_no_week_or_has_not_begun_is_refused(week: str) -> None:
    with pytest.raises(NoWeek):
        as_of(week, today=SUNDAY)


# The list


def test_the_list_that_ships_names_what_every_week_has() -> None:
    ships = sheets(SHEETS)
    assert [sheet.name for sheet in ships if sheet.when == "always"] == [
        "What changed",
        "Tesla and BYD worldwide",
        "China",
        "Germany",
        "United Kingdom",
        "Norway",
        "United States",
        "FSD to 2035",
    ]
    assert [sheet.chart.slug for sheet in ships if sheet.when == "on-news"] == [
        "share-change",
        "price-war",
        "price-gap",
        "fsd-attach-history",
        "source-health",
    ]
    assert all(sheet.news for sheet in ships if sheet.when == "on-news")


def test_every_sheet_of_the_list_that_ships_can_be_asked_for(bundled_engine: Engine) -> None:
    with bundled_engine.connect() as connection:
        for sheet in sheets(SHEETS):
            try:
                reading = sheet.chart.load(connection, replace(sheet.selection, as_of=SUNDAY), today=SUNDAY)
            except NotYetMade:
                continue  # the fit of a projection takes half a minute
            assert reading.title


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no list"),
        ("sheet = 3", "holds no list"),
        ("sheet = [3]", "needs the texts"),
        ("[[sheet]]\nname = 'x'", "needs the texts"),
        (ONE_SHEET + "color = 'red'", "'color' is no part of a sheet"),
        (ONE_SHEET.replace("Norway & more <b>", " "), "name is empty"),
        (ONE_SHEET.replace("always", "sometimes"), "valid: always, on-news"),
        (ONE_SHEET.replace("always", "on-news"), "needs the topics"),
        (ONE_SHEET + 'news = ["price"]', "news goes with"),
        (ONE_SHEET + "digest = 1", "digest is to be true or false"),
        (ON_NEWS.replace("sales:CN", "sale"), "'sale' is no topic"),
        (ON_NEWS.replace("sales:CN", "sales:china"), "'sales:china' is no topic"),
        (ON_NEWS.replace('["price", "sales:CN"]', "[]"), "needs the topics"),
        (ONE_SHEET.replace("market-share", "pie"), "there is no chart 'pie'"),
        (ONE_SHEET.replace("market=NO", "mark=NO"), "'mark' is no part of a selection"),
        ("[[sheet", "is no TOML file"),
    ],
)
def test_a_list_that_cannot_be_read_says_where_and_why(listed: Callable[[str], Path], text: str, says: str) -> None:
    with pytest.raises(ReportError, match=says):
        sheets(listed(text))


# News


def news_of(*entries: Entry, **changes: Any) -> News:
    found = Ledger(date(2026, 11, 15), SUNDAY, SUNDAY, entries, pd.DataFrame(), {})
    return News(changes=found, **changes)


def test_a_topic_is_a_table_of_any_market_or_of_one() -> None:
    week = news_of(Entry(kind=Kind.REVISED, table="sales", source="a", market="CN"))
    assert week.has("sales")
    assert week.has("sales:CN")
    assert not week.has("sales:NO")
    assert not week.has("price")
    assert not week.has("sources")


def test_what_was_read_for_the_first_time_or_is_overdue_is_no_news_of_its_table() -> None:
    first = Entry(kind=Kind.FIRST_READ, table="price", source="a", market="CN")
    late = Entry(kind=Kind.OVERDUE, table="sales", source="a", market="CN", since=date(2026, 11, 18))
    assert not news_of(first, late).has("price")
    assert not news_of(first, late).has("sales")


@pytest.mark.parametrize(("due", "is_news"), [(date(2026, 11, 14), False), (date(2026, 11, 15), True)])
def test_a_source_is_news_in_the_week_in_which_it_became_overdue(due: date, is_news: bool) -> None:
    late = Entry(kind=Kind.OVERDUE, table="source", source="a", market="CN", since=due)
    assert news_of(late).has("sources") is is_news
    assert news_of(late).has("sources:CN") is is_news
    assert not news_of(late).has("sources:NO")


def test_a_refused_file_and_a_failed_download_are_news_of_the_sources() -> None:
    assert news_of(refused_files=1).has("sources")
    assert news_of(is_stale=True).has("sources")
    assert not news_of().has("sources")


def test_a_sheet_that_waits_for_nothing_is_in_every_week(one_sheet: Path) -> None:
    assert news_of().wants(sheets(one_sheet)[0])


# What a report holds


def made(engine: Engine, path: Path, out: Path, **changes: Any) -> Path:
    settings = {"week": "2026-W47", "day": SUNDAY, "out": out / "reports"}
    return make(engine, sheets(path), **(settings | changes))


def test_a_report_has_sheets_figures_index_digest_and_receipts(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path
) -> None:
    folder = made(bundled_engine, one_sheet, tmp_path)
    assert names_in(folder) == [f"{STEM}.csv", f"{STEM}.png", "digest.png", "index.html", "report.json"]
    manifest = json.loads((folder / "report.json").read_text())
    assert (manifest["week"], manifest["as_of"], manifest["news_since"]) == ("2026-W47", "2026-11-22", "2026-11-15")
    assert (manifest["days_are"], manifest["stale"]) == ("UTC", False)
    sheet = manifest["sheets"][0]
    assert sheet["query"] == "market=NO&since=2026-01&as_of=2026-11-22"
    for name, checksum in sheet["files"].items():
        assert sha256((folder / name).read_bytes()).hexdigest() == checksum
    assert manifest["digest"] == sha256((folder / "digest.png").read_bytes()).hexdigest()
    assert {receipt["file"] for receipt in sheet["receipts"]} == {"data/data-NO.js"}
    assert all(receipt["lines"] and len(receipt["sha256"]) == 64 for receipt in sheet["receipts"])
    norway = [each for each in manifest["snapshots"] if each["file"] == "data/data-NO.js"]
    assert [each["known_on"] for each in norway] == ["2026-07-23"]
    with Image.open(folder / "digest.png") as digest:
        assert digest.size == (2480, 3508)
    assert "Days begin and end in UTC" in (folder / "index.html").read_text()


def test_names_in_the_list_are_text_and_never_markup(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path
) -> None:
    page = (made(bundled_engine, one_sheet, tmp_path) / "index.html").read_text()
    assert "Norway &amp; more &lt;b&gt;" in page
    assert "more <b>" not in page


def test_links_go_to_the_public_address(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path
) -> None:
    folder = made(bundled_engine, one_sheet, tmp_path, site="https://ev.example.org")
    manifest = json.loads((folder / "report.json").read_text())
    link = "https://ev.example.org/charts/market-share?market=NO&since=2026-01&as_of=2026-11-22"
    assert manifest["sheets"][0]["link"] == link
    assert link.replace("&", "&amp;") in (folder / "index.html").read_text()


def test_a_past_week_is_made_from_what_was_known_then(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path
) -> None:
    folder = made(bundled_engine, one_sheet, tmp_path, week="2026-W15", day=date(2026, 4, 12))
    snapshots = json.loads((folder / "report.json").read_text())["snapshots"]
    assert snapshots
    assert max(each["known_on"] for each in snapshots) <= "2026-04-12"


def test_the_findings_stand_on_top_of_the_page(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, object] = {}

    def found(_connection: object, **about: object) -> tuple[Finding, ...]:
        asked.update(about)
        kind = next(iter(findings.About))
        return (Finding(kind=kind, text="Škoda < 比亚迪", chart="rank-bump", query="market=CN", weight=1.0),)

    monkeypatch.setattr(findings, "of_week", found)
    folder = made(bundled_engine, one_sheet, tmp_path, site="https://ev.example.org")
    assert (asked["before"], asked["day"]) == (date(2026, 11, 15), SUNDAY)
    page = (folder / "index.html").read_text(encoding="utf-8")
    link = '<a href="https://ev.example.org/charts/rank-bump?market=CN">Škoda &lt; 比亚迪</a>'
    assert 0 < page.index(link) < page.index("<section>")
    told = json.loads((folder / "report.json").read_text(encoding="utf-8"))["findings"]
    assert told == [{"text": "Škoda < 比亚迪", "link": "https://ev.example.org/charts/rank-bump?market=CN"}]


def test_a_failed_download_is_said_on_every_sheet_and_on_top(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path
) -> None:
    folder = made(bundled_engine, one_sheet, tmp_path, is_stale=True)
    manifest = json.loads((folder / "report.json").read_text())
    assert manifest["stale"] is True
    assert manifest["sheets"][0]["badge"].startswith("download failed · data to")
    assert '<p class="stale">' in (folder / "index.html").read_text()
    fresh = json.loads((made(bundled_engine, one_sheet, tmp_path) / "report.json").read_text())
    assert not fresh["sheets"][0]["badge"].startswith("download failed")


def test_a_stale_badge_is_amber_and_keeps_what_it_said(bundled_engine: Engine, one_sheet: Path) -> None:
    sheet = sheets(one_sheet)[0]
    with bundled_engine.connect() as connection:
        reading = replace(
            sheet.chart.load(connection, replace(sheet.selection, as_of=SUNDAY), today=SUNDAY),
            badge=Badge(text="data to Jun 2026", amber=False, reason="Why."),
        )
    stale = report_pages.stamped(reading, is_stale=True).badge
    assert (stale.text, stale.amber) == ("download failed · data to Jun 2026", True)
    assert stale.reason.endswith("Why.")
    assert report_pages.stamped(reading, is_stale=False) is reading


@given(count=st.integers(0, 80), high=st.integers(1500, 3000))
def test_the_charts_of_a_digest_lie_side_by_side_on_the_page(count: int, high: int) -> None:
    columns, cell = report_pages.cells(count, wide=2280, high=high)
    rows = -(-count // columns)
    assert columns * (cell.width or 0) + (columns - 1) * 36 <= 2280
    assert rows * (cell.height + 36) <= max(high, cell.height + 36)
    assert 1 <= cell.font_px <= 22


@given(st.lists(st.text("wW 比", max_size=150).map("a ".__add__), max_size=5))
def test_the_lines_of_a_digest_stand_one_under_the_other_above_its_charts(sentences: list[str]) -> None:
    kind = next(iter(findings.About))
    told = tuple(Finding(kind=kind, text=text, chart="rank-bump", query="", weight=1.0) for text in sentences)
    week = Week(name="2026-W47", day=SUNDAY, before=date(2026, 11, 15), findings=told, is_stale=True)
    layout = report_pages.digest(week, [])
    lines = [note for note in layout.paper["layout"]["annotations"] if note["xshift"] in (100, 160)]
    above = [note for note in lines if -note["yshift"] < layout.top]
    ends = [-note["yshift"] + note["font"]["size"] * 1.3 for note in above if note["text"]]
    assert max(ends) <= layout.top
    starts = sorted({-note["yshift"] for note in above})
    assert all(after - before >= 34 for before, after in pairwise(starts))


def test_the_charts_of_a_digest_are_read_along_the_rows() -> None:
    layout = Digest(paper={}, cell=Look(width=1000, height=300, font_px=10), columns=2, top=400)
    charts = [picture_of(colour, 1000, 300) for colour in ("red", "lime", "blue")]
    with Image.open(BytesIO(layout.page(white(*A4), charts))) as page:
        # Margins of 100, and 36 between charts.
        assert page.getpixel((100, 400)) == page.getpixel((1099, 699)) == (255, 0, 0)
        assert page.getpixel((1136, 400)) == (0, 255, 0)
        assert page.getpixel((100, 736)) == (0, 0, 255)
        assert page.getpixel((99, 400)) == page.getpixel((1136, 736)) == (255, 255, 255)
        assert page.size == (2480, 3508)


# What is left out


def test_a_sheet_without_news_is_left_out_and_the_report_says_so(
    bundled_engine: Engine, listed: Callable[[str], Path], no_browser: None, tmp_path: Path
) -> None:
    folder = made(bundled_engine, listed(ONE_SHEET + ON_NEWS), tmp_path)
    assert f"{STEM}.png" in names_in(folder)
    assert len(list(folder.glob("*.csv"))) == 1
    left_out = json.loads((folder / "report.json").read_text())["left_out"]
    assert left_out == [{"name": "Prices", "chart": "market-share", "reason": "no news of price, sales:CN this week"}]
    assert "<li>Prices: no news of price, sales:CN this week</li>" in (folder / "index.html").read_text()


def test_a_sheet_with_news_is_in(
    bundled_engine: Engine, listed: Callable[[str], Path], no_browser: None, tmp_path: Path
) -> None:
    # On 23 July 2026 the bundled figures of China were read anew.
    folder = made(bundled_engine, listed(ON_NEWS), tmp_path, week="2026-W30", day=date(2026, 7, 26))
    assert "01-prices-market-share.png" in names_in(folder)


def changed(sheet: Sheet, **changes: Any) -> Sheet:
    return replace(sheet, chart=replace(sheet.chart, **changes))


def refusing(*_: object, **__: object) -> Any:
    raise NotPublished("nobody publishes\nthis <b>")


def failing(*_: object, **__: object) -> Any:
    raise ZeroDivisionError("division by zero")


def test_a_sheet_whose_chart_refuses_is_left_out_with_the_reason(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path
) -> None:
    good = sheets(one_sheet)[0]
    refused = changed(replace(good, name="Refused"), load=refusing)
    folder = make(bundled_engine, [refused, good], week="2026-W47", day=SUNDAY, out=tmp_path)
    assert f"{STEM}.png" in names_in(folder)
    left_out = json.loads((folder / "report.json").read_text())["left_out"]
    assert [each["reason"] for each in left_out] == ["nobody publishes this <b>"]
    assert "<li>Refused: nobody publishes this &lt;b&gt;</li>" in (folder / "index.html").read_text()


def test_a_week_of_which_nothing_was_known_has_no_report(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path
) -> None:
    with pytest.raises(ReportError, match=r"no sheet of the list can be made: 'Norway & more <b>': .*first day"):
        made(bundled_engine, one_sheet, tmp_path, week="2010-W01", day=date(2010, 1, 10))
    assert not (tmp_path / "reports").exists()


# Whole or not at all


@pytest.mark.parametrize("part", ["load", "rows", "draw"])
def test_a_chart_that_fails_stops_the_report_and_leaves_the_previous_one(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path, part: str
) -> None:
    good = sheets(one_sheet)[0]
    before = make(bundled_engine, [good], week="2026-W47", day=SUNDAY, out=tmp_path / "reports")
    content = {path.name: path.read_bytes() for path in before.iterdir()}
    with pytest.raises(ReportError, match=r"sheet 'Bad': market-share failed \(ZeroDivisionError: division by zero\)"):
        make(
            bundled_engine,
            [good, changed(replace(good, name="Bad"), **{part: failing})],
            week="2026-W47",
            day=SUNDAY,
            out=tmp_path / "reports",
        )
    assert {path.name: path.read_bytes() for path in before.iterdir()} == content
    assert names_in(tmp_path / "reports") == ["2026-W47"]


def test_a_picture_that_fails_names_its_sheet_and_leaves_nothing_behind(
    bundled_engine: Engine, one_sheet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise PictureError("no font for 比")

    monkeypatch.setattr(pictures, "render", fail)
    with pytest.raises(PictureError, match="sheet 'Norway & more <b>': no font for 比"):
        made(bundled_engine, one_sheet, tmp_path)
    assert not (tmp_path / "reports").exists()


def test_a_folder_that_cannot_be_written_is_said_in_one_line(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path
) -> None:
    (tmp_path / "reports").write_text("a file where the folder should be")
    with pytest.raises(ReportError, match="cannot be written"):
        made(bundled_engine, one_sheet, tmp_path)


def test_a_full_disk_leaves_the_previous_report(
    bundled_url: str,
    bundled_engine: Engine,
    one_sheet: Path,
    no_browser: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = made(bundled_engine, one_sheet, tmp_path, week="2026-W30", day=date(2026, 7, 26))
    index = (before / "index.html").read_bytes()

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    monkeypatch.setenv("DATABASE_URL", bundled_url)
    done = run("--week", "2026-W30", "--sheets", one_sheet)
    assert done.exit_code == 1
    assert done.stderr == (
        "error: reports: the report cannot be written (No space left on device); nothing was changed\n"
    )
    assert (before / "index.html").read_bytes() == index
    assert names_in(tmp_path / "reports") == ["2026-W30"]


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_report_that_is_interrupted_leaves_the_previous_one(
    bundled_url: str,
    bundled_engine: Engine,
    one_sheet: Path,
    no_browser: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    by: signal.Signals,
) -> None:
    before = made(bundled_engine, one_sheet, tmp_path, week="2026-W30", day=date(2026, 7, 26))

    def interrupted(*_: object, **__: object) -> bytes:
        os.kill(os.getpid(), by)
        raise AssertionError("nothing ended it")

    monkeypatch.setattr(pictures, "render", interrupted)
    monkeypatch.setenv("DATABASE_URL", bundled_url)
    was = signal.getsignal(signal.SIGTERM)
    done = run("--week", "2026-W30", "--sheets", one_sheet)
    assert (done.exit_code, done.stderr) == (128 + by, "error: interrupted; the previous report is untouched\n")
    assert len(names_in(before)) == 5
    assert names_in(tmp_path / "reports") == ["2026-W30"]
    assert signal.getsignal(signal.SIGTERM) == was


def test_a_report_that_cannot_take_its_place_gives_it_back(tmp_path: Path) -> None:
    target = tmp_path / "2026-W47"
    target.mkdir()
    (target / "index.html").write_text("before")
    with pytest.raises(FileNotFoundError):
        report.put_in_place(tmp_path / "nothing", target)
    assert (target / "index.html").read_text() == "before"
    assert names_in(tmp_path) == ["2026-W47"]


def test_a_report_takes_the_place_of_one_that_another_process_has_just_put_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, target = tmp_path / "made", tmp_path / "2026-W47"
    made.mkdir()
    (made / "index.html").write_text("mine")
    rename, others = Path.rename, iter([1])

    def late(path: Path, to: Path) -> Path:
        if path == made and next(others, None):
            target.mkdir()
            (target / "index.html").write_text("theirs")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", late)
    report.put_in_place(made, target)
    assert (target / "index.html").read_text() == "mine"
    assert names_in(tmp_path) == ["2026-W47"]


# The command


def test_the_command_line_tells_wrong_usage_from_what_cannot_be_done() -> None:
    wrong = run("--week", "2026-W60")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert wrong.stderr == "error: '2026-W60' is no week such as 2026-W27\n"
    assert run("--again").exit_code == 2
    without_database = run("--week", "2026-W27")
    assert without_database.exit_code == 1
    assert "there is no database" in without_database.stderr


def test_without_a_browser_there_is_one_line_with_the_remedy(
    bundled_url: str, one_sheet: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pictures.close()
    monkeypatch.setenv("DATABASE_URL", bundled_url)
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "no-browser"))
    done = run("--week", "2026-W30", "--sheets", one_sheet)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "BROWSER_PATH" in done.stderr
    assert not (tmp_path / "reports").exists()


def test_without_the_font_there_is_one_line_with_the_remedy(
    bundled_url: str, one_sheet: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pictures.close()
    monkeypatch.setenv("DATABASE_URL", bundled_url)
    monkeypatch.setattr(pictures, "FONTS", tmp_path)
    done = run("--week", "2026-W30", "--sheets", one_sheet)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "is missing: restore it" in done.stderr
    assert not (tmp_path / "reports").exists()


def test_a_report_with_nowhere_to_go_is_written_all_the_same(
    bundled_url: str, one_sheet: Path, no_browser: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", bundled_url)
    done = run("--week", "2026-W30", "--sheets", one_sheet, "--send")
    assert done.exit_code == 1
    assert done.stderr == (
        "error: the report is written but there is nowhere to send it: set SMTP_HOST or WEBHOOK_URL\n"
    )
    assert len(names_in(tmp_path / "reports" / "2026-W30")) == 5


@NEEDS_CHROMIUM
@pytest.mark.xdist_group("browser")
def test_two_processes_make_identical_files_of_the_right_size(
    bundled_url: str, one_sheet: Path, tmp_path: Path
) -> None:
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                *("-m", "dashboard.report", "--week", "2026-W30"),
                *("--sheets", one_sheet, "--out", tmp_path / out),
            ],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": bundled_url},
            stdout=subprocess.DEVNULL,
        )
        for out in ("one", "two")
    ]
    assert [process.wait(120) for process in processes] == [0, 0]
    first, second = tmp_path / "one" / "2026-W30", tmp_path / "two" / "2026-W30"
    assert len(names_in(first)) == 5
    for name in names_in(first):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    with Image.open(next(first.glob("01-*.png"))) as picture:
        assert picture.size == (SHEET.width * SHEET.scale, SHEET.height * SHEET.scale)
