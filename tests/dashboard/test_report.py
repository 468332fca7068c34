"""The weekly sheets: which week, which list, whole or not at all, and the same again."""

from __future__ import annotations

import json
import shutil
from datetime import date
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine
from typer.testing import CliRunner

from dashboard import pictures, report
from dashboard.pictures import PictureError
from dashboard.report import NoWeek, ReportError, as_of, make, sheets, week_of

SUNDAY = date(2026, 11, 22)
ONE_SHEET = """
[[sheet]]
name = "Norway & more <b>"
chart = "market-share"
query = "market=NO&since=2026-01"
when = "always"
"""


@pytest.fixture
def one_sheet(tmp_path: Path) -> Path:
    path = tmp_path / "sheets.toml"
    path.write_text(ONE_SHEET)
    return path


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures without a browser: a small white picture that says nothing, for tests of everything else."""
    blank = BytesIO()
    Image.new("RGB", (64, 36), "white").save(blank, "PNG")
    monkeypatch.setattr(pictures, "render_all", lambda figures, **_: [blank.getvalue() for _ in figures])


def test_a_week_is_known_on_its_sunday_and_the_week_under_way_today() -> None:
    assert as_of("2026-W46", today=date(2026, 11, 18)) == date(2026, 11, 15)
    assert as_of("2026-W47", today=date(2026, 11, 18)) == date(2026, 11, 18)
    assert as_of("2026-W47", today=SUNDAY) == SUNDAY


def test_the_first_days_of_january_can_belong_to_the_last_week_of_the_year_before() -> None:
    assert week_of(date(2027, 1, 3)) == "2026-W53"
    assert as_of("2026-W53", today=date(2027, 2, 1)) == date(2027, 1, 3)


@pytest.mark.parametrize("week", ["2026-W60", "2026-W00", "2025-W53", "W27", "2026-27", "", "2026-W48"])
def test_what_is_no_week_or_has_not_begun_is_refused(week: str) -> None:
    with pytest.raises(NoWeek):
        as_of(week, today=SUNDAY)


def test_the_list_that_ships_names_the_markets_every_week_has() -> None:
    listed = sheets(report.SHEETS)
    assert [sheet.name for sheet in listed] == ["China", "Germany", "United Kingdom", "Norway", "United States"]
    assert all(sheet.when == "always" for sheet in listed)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no list"),
        ("[[sheet]]\nname = 'x'", "needs the texts"),
        (ONE_SHEET.replace("always", "sometimes"), "valid: always, on-news"),
        (ONE_SHEET.replace("market-share", "pie"), "there is no chart 'pie'"),
        (ONE_SHEET.replace("market=NO", "mark=NO"), "'mark' is no part of a selection"),
        ("[[sheet", "is no TOML file"),
    ],
)
def test_a_list_that_cannot_be_read_says_where_and_why(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "sheets.toml"
    path.write_text(text)
    with pytest.raises(ReportError, match=says):
        sheets(path)


def test_a_report_has_sheets_figures_index_digest_and_receipts(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path
) -> None:
    folder = make(bundled_engine, sheets(one_sheet), week="2026-W47", day=SUNDAY, out=tmp_path / "reports")
    stem = "01-norway-more-b-market-share"
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{stem}.csv",
        f"{stem}.png",
        "digest.png",
        "index.html",
        "report.json",
    ]
    manifest = json.loads((folder / "report.json").read_text())
    assert manifest["week"] == "2026-W47"
    assert manifest["as_of"] == "2026-11-22"
    sheet = manifest["sheets"][0]
    assert sheet["query"] == "market=NO&since=2026-01&as_of=2026-11-22"
    for name, checksum in sheet["files"].items():
        assert sha256((folder / name).read_bytes()).hexdigest() == checksum
    norway = [each for each in manifest["snapshots"] if each["file"] == "data/data-NO.js"]
    assert [each["known_on"] for each in norway] == ["2026-07-23"]
    with Image.open(folder / "digest.png") as digest:
        assert digest.size == (2480, 3508)


def test_names_in_the_list_are_text_and_never_markup(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path
) -> None:
    folder = make(bundled_engine, sheets(one_sheet), week="2026-W47", day=SUNDAY, out=tmp_path / "reports")
    page = (folder / "index.html").read_text()
    assert "Norway &amp; more &lt;b&gt;" in page
    assert "more <b>" not in page


def test_a_past_week_is_made_from_what_was_known_then(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path
) -> None:
    folder = make(bundled_engine, sheets(one_sheet), week="2026-W15", day=date(2026, 4, 12), out=tmp_path)
    snapshots = json.loads((folder / "report.json").read_text())["snapshots"]
    assert snapshots
    assert max(each["known_on"] for each in snapshots) == "2026-04-09"


def test_a_sheet_that_cannot_be_answered_stops_the_report_and_leaves_the_previous_one(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path
) -> None:
    before = make(bundled_engine, sheets(one_sheet), week="2026-W47", day=SUNDAY, out=tmp_path / "reports")
    index = (before / "index.html").read_bytes()
    with pytest.raises(ReportError, match=r"sheet 'Norway & more <b>': .*first day as known"):
        make(bundled_engine, sheets(one_sheet), week="2026-W47", day=date(2020, 1, 1), out=tmp_path / "reports")
    assert (before / "index.html").read_bytes() == index
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["2026-W47"]


def test_a_picture_that_fails_stops_the_report_and_leaves_nothing_behind(
    bundled_engine: Engine, one_sheet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> list[bytes]:
        raise PictureError("no browser here")

    monkeypatch.setattr(pictures, "render_all", fail)
    with pytest.raises(PictureError):
        make(bundled_engine, sheets(one_sheet), week="2026-W47", day=SUNDAY, out=tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


def test_a_folder_that_cannot_be_written_is_said_in_one_line(
    bundled_engine: Engine, one_sheet: Path, no_browser: None, tmp_path: Path
) -> None:
    (tmp_path / "reports").write_text("a file where the folder should be")
    with pytest.raises(ReportError, match="cannot be written"):
        make(bundled_engine, sheets(one_sheet), week="2026-W47", day=SUNDAY, out=tmp_path / "reports")


def test_the_command_line_tells_wrong_usage_from_what_cannot_be_done() -> None:
    wrong = CliRunner().invoke(report.app, ["--week", "2026-W60"])
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert wrong.stderr == "error: '2026-W60' is no week such as 2026-W27\n"
    without_database = CliRunner().invoke(report.app, ["--week", "2026-W27"])
    assert without_database.exit_code == 1
    assert "there is no database" in without_database.stderr


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")
@pytest.mark.xdist_group("browser")
def test_the_same_week_made_twice_gives_identical_files_of_the_right_size(
    bundled_engine: Engine, one_sheet: Path, tmp_path: Path
) -> None:
    listed = sheets(one_sheet)
    first = make(bundled_engine, listed, week="2026-W47", day=SUNDAY, out=tmp_path / "one")
    second = make(bundled_engine, listed, week="2026-W47", day=SUNDAY, out=tmp_path / "two")
    names = sorted(path.name for path in first.iterdir())
    assert len(names) == 5
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    with Image.open(next(first.glob("01-*.png"))) as picture:
        assert picture.size == (3840, 2160)
