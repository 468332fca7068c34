"""Names, notes and addresses from files are text wherever they are shown: pages, plots, files, reports, mail."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from bench import asking
from bench.asking import TODAY
from dashboard import downloads
from dashboard.charts import CHARTS
from dashboard.charts.chart import Badge, Reading
from dashboard.downloads import Problem
from dashboard.findings import About, Finding
from dashboard.pages import PAGES
from dashboard.pages.board import later_sections
from dashboard.report_list import Sheet
from dashboard.report_pages import LeftOut, Week, index
from dashboard.report_pages import Page as SheetPage
from dashboard.selection import Selection
from dashboard.send import Report, letter, notice
from tests.dashboard.test_send import NOW, manifest, written
from tests.security.conftest import IMAGE, MAKERS, post, specs

QUERIES = (
    "market=KR",
    "market=KR&by=model&measure=units&window=ttm",
    "market=WORLD&basis=reported&measure=units&grain=quarter",
)
OURS = re.compile(r'</?(?:b|br|i|span|extra)>|<span style="[a-z:#0-9 .;-]+">')
"""The markup that our own plots use; a tooltip's `extra` is its second box."""


def parts(tree: Any) -> Iterator[dict[str, Any]]:
    """Every component of a layout or answer."""
    if isinstance(tree, dict):
        if "props" in tree and "type" in tree:
            yield tree
        for value in tree.values():
            yield from parts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from parts(value)


def texts(tree: Any) -> Iterator[str]:
    """Every text in a plain value, but for what a plot keeps for its clicks and draws nowhere."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for name, value in tree.items():
            yield from () if name == "customdata" else texts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from texts(value)


@pytest.fixture(scope="module")
def shown(client: FlaskClient) -> list[dict[str, Any]]:
    """All components of all pages for all queries."""
    found: list[dict[str, Any]] = []
    for page in PAGES:
        for query in QUERIES:
            layout = client.get("/_dash-layout", headers={"Referer": f"http://localhost{page.path}?{query}"})
            assert layout.status_code == 200
            found += parts(layout.get_json())
            for section in later_sections(page):
                later = post(client, asking.later(specs(client), page, section, query))
                assert later.status_code == 200, later.get_data(as_text=True)
                found += parts(later.get_json())
    return found


def test_nothing_in_a_plot_is_markup_of_a_file(shown: list[dict[str, Any]]) -> None:
    plots = [part["props"]["figure"] for part in shown if part["type"] == "Graph"]
    told = [text for plot in plots for text in texts(plot)]
    assert len(plots) > 20
    assert sum("&lt;img" in text for text in told) > 20, "the hostile names are in the plots, as text"
    assert sum("javascript" in text for text in told) > 5
    marked = {tag for text in told for tag in re.findall(r"<[^>]*>?", text)}
    assert {tag for tag in marked if not OURS.fullmatch(tag)} == set()
    # What is between %{ and } in a template is looked up: no name is in one.
    templates = [text for text in told if "%{" in text]
    assert templates
    assert [text for text in templates if "&lt;" in text or "customdata" in text] == []


def test_text_of_files_is_only_ever_text_in_a_page(shown: list[dict[str, Any]]) -> None:
    assert any(IMAGE in text for part in shown for text in texts(part["props"].get("children")))
    assert {part["type"] for part in shown}.isdisjoint({"Markdown", "Iframe", "Script", "Embed", "ObjectEl"})
    for part in shown:
        assert "dangerously_allow_html" not in part["props"]
        for name in ("href", "src"):
            address = part["props"].get(name) or "#"
            assert re.match(r"[/#?]|https?://", address), address
            assert not address.startswith("//"), address


def files(engine: Engine, format: str, *queries: str) -> Iterator[bytes]:
    for chart in CHARTS:
        for query in queries:
            made = downloads.answer(engine, chart.slug, format, query, site="", today=TODAY)
            if isinstance(made, Problem):
                assert made.status in (400, 422, 503), made
                assert "\n" not in made.text
            else:
                yield made.body


def test_no_cell_of_a_csv_is_a_formula(hostile: Engine) -> None:
    found = list(files(hostile, "csv", *QUERIES[:2]))
    cells = [cell for body in found for row in csv.reader(io.StringIO(body.decode())) for cell in row]
    assert len(found) > 20
    assert any("HYPERLINK" in cell for cell in cells)
    assert any("+cmd" in cell for cell in cells)
    number = re.compile(r"-?[0-9.]+")
    for cell in cells:
        assert number.fullmatch(cell) or not re.search(r"(^|;)[=+@\t\r-]", cell), cell
        assert "\n" not in cell


def test_a_json_has_hostile_text_as_it_is(hostile: Engine) -> None:
    found = list(files(hostile, "json", QUERIES[0]))
    assert len(found) > 10
    assert any(IMAGE in text for body in found for text in texts(json.loads(body)))


def test_the_receipts_of_a_point_are_text(client: FlaskClient) -> None:
    (market,) = (page for page in PAGES if page.path == "/market")
    layout = client.get("/_dash-layout", headers={"Referer": "http://localhost/market?market=KR"}).get_json()
    keys = [
        key
        for part in parts(layout)
        if part["type"] == "Graph"
        for trace in part["props"]["figure"]["data"]
        for key in (trace.get("customdata") or [])[:1]
    ]
    assert len(keys) >= len(MAKERS) - 1
    for key in keys:
        answer = post(client, asking.receipts(specs(client), market, "market-share", "market=KR", key))
        assert answer.status_code == 200
        assert "SHA-256" in answer.get_data(as_text=True)
        assert {part["type"] for part in parts(answer.get_json())}.isdisjoint({"Markdown", "Iframe"})


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


WORDS = f"{MAKERS[0]} and {MAKERS[1]} & <script>alert(1)</script>"


def test_words_in_a_mail_are_text(tmp_path: Path) -> None:
    sheet = manifest()["sheets"][0] | {"title": WORDS, "name": WORDS}
    content = manifest(
        sheets=[sheet],
        findings=[{"text": WORDS, "link": "javascript:alert(1)"}],
        left_out=[{"name": WORDS, "chart": "price-gap", "reason": WORDS}],
    )
    report = Report.at(written(tmp_path / "2026-W47", content))
    mail = letter(report, sender="ev@made-up.example", recipients=["ann@made-up.example"], now=NOW)
    body = mail.get_body(("html",))
    assert body is not None
    page = Tags(body.get_content())
    assert {tag for tag, _ in page.tags} == {"html", "body", "h1", "p", "img", "ol", "li", "a", "ul"}
    assert page.text.count(WORDS) == 5
    assert {of["href"] for tag, of in page.tags if tag == "a"} == {sheet["link"]}
    told = notice(report)
    assert "<" not in told["text"]
    assert told["findings"][0]["link"] is None


def test_words_in_a_report_are_text() -> None:
    reading = Reading(
        selection=Selection(),
        title=WORDS,
        subtitle=f'" onload="alert(1) {WORDS}',
        badge=Badge(text=WORDS),
        citations=(),
        notes=(WORDS,),
        content=None,
    )
    sheet = Sheet(name=WORDS, chart=CHARTS[0], selection=Selection(), when="always")
    finding = Finding(kind=next(iter(About)), text=WORDS, chart=CHARTS[0].slug, query="", weight=1.0)
    week = Week(name="2026-W47", day=TODAY, before=TODAY, findings=(finding,), site="https://ev.example")
    told = index(week, [SheetPage("01-sheet", sheet, reading, b"", ())], [LeftOut(sheet, WORDS)])
    page = Tags(told)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "iframe", "b"})
    assert not [name for _, of in page.tags for name in of if name.startswith("on")]
    assert {str(of["src"]) for tag, of in page.tags if tag == "img"} == {"01-sheet.png"}
    assert page.text.count(WORDS) >= 5
