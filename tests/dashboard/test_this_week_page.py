"""The This week page: findings, ledger, headline makers, what is overdue, and the reports that were made."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine

from dashboard.app import create_app
from dashboard.pages import PAGES, card, this_week
from dashboard.pages.page import Site
from dashboard.pages.this_week import REPORTS, THIS_WEEK, made

TODAY = date(2026, 11, 22)


@pytest.fixture
def site(bundled_engine: Engine) -> Site:
    return Site(engine=bundled_engine, address="", today=lambda: TODAY)


def report(folder: Path, week: str, *, title: str = "Tesla leads", picture: bool = True) -> Path:
    """A report as the weekly command leaves it, as far as the page looks at it."""
    path = folder / week
    path.mkdir(parents=True)
    told = {"week": week, "as_of": "2026-07-26", "sheets": [{"name": "China", "title": title}]}
    (path / "report.json").write_text(json.dumps(told))
    if picture:
        Image.new("RGB", (124, 175), "white").save(path / "digest.png")
    return path


def test_the_page_comes_first_after_the_front_page(bundled_engine: Engine) -> None:
    assert [page.path for page in PAGES[:2]] == ["/", "/this-week"]
    app = create_app(bundled_engine, today=lambda: TODAY)
    reply = app.server.test_client().get("/this-week")
    assert reply.status_code == 200
    assert THIS_WEEK.description in reply.get_data(as_text=True)


@pytest.mark.parametrize(
    "query",
    ["", "market=DE&as_of=2026-07-05", "as_of=1850-01-01", "date=2027-01-01", "market=XX", "what"],
)
def test_whatever_the_bar_says_the_page_answers_and_leads_on(site: Site, query: str) -> None:
    this_week.above(site, query)
    assert this_week.below(site, query)
    for chart in THIS_WEEK.charts:
        reply = card.answer(site, THIS_WEEK, chart, query)
        assert card.contents(THIS_WEEK, chart, reply, "light-wide")
        if reply.notice is not None:
            assert reply.notice.nearest is not None, (chart.slug, query)
            led = THIS_WEEK.query(query, reply.selection, reply.notice.nearest)
            assert card.answer(site, THIS_WEEK, chart, led).reading is not None, (chart.slug, query, led)


def test_the_findings_of_the_days_are_links_to_their_charts(site: Site) -> None:
    said = str(this_week.above(site, "as_of=2026-10-04"))
    assert "What the 7 days to 4 Oct 2026 say" in said
    assert "Tesla delivered 486,532 BEVs worldwide in Q3 2026, −2.1 % on the 497,099 of a year before" in said
    assert "/charts/headline-makers?as_of=2026-10-04" in said


def test_a_week_without_findings_says_so(site: Site) -> None:
    said = str(this_week.above(site, "as_of=2026-11-22"))
    assert "Nothing that became known from 16 Nov 2026 to 22 Nov 2026" in said


def test_what_is_overdue_stands_below_with_its_days(site: Site) -> None:
    said = str(this_week.below(site, "as_of=2026-10-04"))
    assert "Open EV Charts" in said
    assert "31 Aug 2026" in said
    assert "/sources?as_of=2026-10-04#source-health" in said


def test_the_newest_reports_are_shown_with_titles_and_picture(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "weekly"
    for number in range(20, 20 + REPORTS + 1):
        report(folder, f"2026-W{number}", title=f"Title of {number}")
    monkeypatch.setenv("REPORTS", str(folder))
    assert [each.week for each in made(folder)] == ["2026-W23", "2026-W22", "2026-W21"]
    said = str(this_week.below(site, ""))
    assert "Week 2026-W23, as known on 2026-07-26: 1 sheet" in said
    assert "Title of 23" in said
    assert "Title of 20" not in said
    assert "data:image/jpeg;base64," in said


def test_a_report_that_is_not_whole_is_left_out(tmp_path: Path) -> None:
    report(tmp_path, "2026-W20")
    report(tmp_path, "2026-W21", picture=False)
    (report(tmp_path, "2026-W22") / "report.json").write_text("{")
    report(tmp_path, ".2026-W23.77.unfinished")
    assert [each.week for each in made(tmp_path)] == ["2026-W20"]


def test_without_reports_the_page_says_how_one_is_made(site: Site) -> None:
    assert "make report" in str(this_week.below(site, ""))


def test_a_picture_that_is_none_is_left_out(tmp_path: Path) -> None:
    path = report(tmp_path, "2026-W20") / "digest.png"
    path.write_text("no picture")
    assert "data:image" not in str(this_week.shown(made(tmp_path)[0]))
