"""What stands in a page's place until it can be drawn: the same words and figure, of the data of now, scriptless."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from dash import dcc, html
from sqlalchemy import Engine

from dashboard import pictures
from dashboard.pages import PAGES, first_view
from dashboard.pages.first_view import FirstViews, still
from dashboard.pages.market import MARKET
from dashboard.pages.page import LOOKS, Site
from dashboard.pictures import PictureError
from db.database import open_engine, writing

DAY = date(2026, 7, 26)


def site_of(engine: Engine, day: date = DAY) -> Site:
    return Site(engine=engine, address="", today=lambda: day)


def no_picture(_figure: object) -> str:
    raise AssertionError("there is no figure in this tree")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pictures are made up; the list grows by the width of each that is asked for."""
    widths: list[int] = []

    def inline(_figure: object, *, width: int, height: int) -> str:
        widths.append(width)
        return f'<svg class="ready" viewBox="0 0 {width} {height}"></svg>'

    monkeypatch.setattr(pictures, "inline", inline)
    return widths


# Markup


def test_words_and_values_are_never_markup() -> None:
    evil = "<img src=x onerror=alert(1)>"
    told = still(
        [html.P(evil, title='"><script>'), dcc.Input(value=evil), dcc.Link(evil, href='" onclick="x')], no_picture
    )
    assert "<img" not in told
    assert "<script>" not in told
    assert 'onclick="x' not in told
    assert told.count("&lt;img src=x") == 3


def test_a_tree_is_what_a_browser_would_show_of_it() -> None:
    tree = html.Div(
        [
            "200 cars",
            html.A("more", href="/market", className="way-on"),
            html.Br(),
            html.Td("9", colSpan=2, style={"minHeight": 420, "color": "red"}),
            html.P(None, hidden=True),
            dcc.Store(id="x", data={"secret": 1}),
        ],
        id="page",
        **{"data-look": "light-wide", "aria-label": "Cars", "aria-labelledby": "x"},
    )
    assert still(tree, no_picture) == (
        '<div aria-label="Cars">200 cars<a class="way-on" href="/market">more</a><br>'
        '<td colspan="2" style="min-height:420px;color:red">9</td><p hidden=""></p></div>'
    )


def test_controls_show_what_is_chosen_and_else_their_hint() -> None:
    options = [{"value": "CN", "label": "China"}, {"value": "DE", "label": "Germany"}]
    assert ">China, Germany<" in still(dcc.Dropdown(options=options, value=["CN", "DE"], multi=True), no_picture)
    assert 'quiet">all<' in still(dcc.Dropdown(options=options, value=[], multi=True, placeholder="all"), no_picture)
    segments = still(dcc.RadioItems(options=options, value="DE"), no_picture)
    assert 'option">China<' in segments
    assert 'selected">Germany<' in segments


def test_what_is_folded_away_is_left_out() -> None:
    folded = html.Details([html.Summary("Data table"), html.Table("a thousand rows")])
    assert still(folded, no_picture) == "<details><summary>Data table</summary></details>"


def test_a_component_without_a_still_form_is_an_error_that_names_it() -> None:
    with pytest.raises(TypeError, match="Slider has no still form"):
        still(html.Div(dcc.Slider(0, 10)), no_picture)


# The views of a server


def test_every_page_with_charts_is_ready_in_every_look(
    bundled_engine: Engine, fitted: Engine, tmp_path: Path, drawn: list[int]
) -> None:
    with_charts = [page for page in PAGES if page.charts]
    assert len(with_charts) == 7
    views, made = FirstViews(tmp_path), 0
    for engine, pages in (
        (bundled_engine, [page for page in with_charts if not page.with_levers]),
        (fitted, [page for page in with_charts if page.with_levers]),
    ):
        for _ in views.prepare(site_of(engine), pages):
            made += 1
        for page in pages:
            for look in LOOKS:
                view = (views.at(site_of(engine), page, look) or b"").decode()
                assert page.charts[0].question in view, (page.path, look)
                assert ' id="' not in view
                assert " data-" not in view
                assert f'href="{page.path}" aria-current="page"' in view
    assert made == len(drawn) == 7 * 4
    assert drawn.count(first_view.WIDTHS[True]) == drawn.count(first_view.WIDTHS[False]) == 14


def test_a_view_is_of_the_data_and_the_day_of_now(bundled_copy: str, tmp_path: Path, drawn: list[int]) -> None:
    engine = open_engine(bundled_copy)
    views = FirstViews(tmp_path / "views")
    (tmp_path / "views").mkdir()
    list(views.prepare(site_of(engine), [MARKET]))
    assert views.at(site_of(engine), MARKET, "light-wide")
    assert views.at(site_of(engine, date(2026, 7, 27)), MARKET, "light-wide") is None
    with writing(engine):
        pass
    assert views.at(site_of(engine), MARKET, "light-wide") is None, "other data may be there now"
    list(views.prepare(site_of(engine), [MARKET]))
    assert views.at(site_of(engine), MARKET, "light-wide")
    assert len([path for path in (tmp_path / "views").iterdir() if path.suffix == ".html"]) == 4, "old ones are gone"
    engine.dispose()


def test_of_two_processes_one_makes_each_view(bundled_engine: Engine, tmp_path: Path, drawn: list[int]) -> None:
    one = FirstViews(tmp_path).prepare(site_of(bundled_engine), [MARKET])
    other = FirstViews(tmp_path).prepare(site_of(bundled_engine), [MARKET])
    for _ in range(2):
        next(one)
        next(other)
    assert (list(one), list(other)) == ([], [])
    assert len(drawn) == 4


def test_without_a_browser_pages_begin_without_a_picture(
    bundled_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_figure: object, **_: int) -> str:
        raise PictureError("no Chromium found")

    monkeypatch.setattr(pictures, "inline", none)
    views = FirstViews(tmp_path)
    assert len(list(views.prepare(site_of(bundled_engine), [MARKET]))) == 1, "the first failure is the last try"
    assert views.at(site_of(bundled_engine), MARKET, "light-wide") is None


def test_a_page_without_figures_has_no_first_view(empty_engine: Engine, tmp_path: Path, drawn: list[int]) -> None:
    views = FirstViews(tmp_path)
    list(views.prepare(site_of(empty_engine), [MARKET]))
    assert views.at(site_of(empty_engine), MARKET, "light-wide") is None
    assert drawn == []
