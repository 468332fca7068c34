"""Shows a page, and answers every action on it: the callbacks are the same for all pages, whatever is on them.

The first card comes with the page, so that it is there at once; each other one comes when the reader gets near it. An
action redraws the first card in one round trip, which also brings the control bar up to date; of the others those are
asked for again that are near, and the rest when they are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from dash import ALL, MATCH, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component
from pydantic import validate_call
from typing_extensions import TypedDict
from werkzeug.exceptions import BadRequest

from dashboard import controls, levers_panel
from dashboard.answers import not_again
from dashboard.charts.chart import Chart
from dashboard.controls import WITH_OPTIONS, aria, data
from dashboard.pages import card, receipts
from dashboard.pages.card import part_id
from dashboard.pages.page import Extra, Page, Site

_log = logging.getLogger(__name__)


def layout(site: Site, page: Page, query: str, look_name: str) -> Component:
    """The page for a query string, with its first chart drawn: the browser shows it without asking again."""
    if not page.charts:
        return html.Div([html.H1(page.name, className="unseen"), *_extra(site, page.above, query)], className="page")
    chart, *others = page.charts
    reply = card.answer(site, page, chart, query)
    later = [_frame(each, "later", _to_come(each)) for each in others]
    if page.below:
        later.append(html.Div(_section("later", "below", []), **data(later="below")))
    return html.Div(
        [
            dcc.Location(id="address", refresh=False, search=_search(query)),
            dcc.Store(id="look", data=look_name),
            dcc.Store(id="asked"),
            *(dcc.Store(id=_asked(name)) for name in later_sections(page)),
            html.Div(hidden=True, **data(look=look_name)),
            html.H1(page.name, className="unseen"),
            html.P(id="said", className="unseen", **aria(live="polite")),
            controls.bar(chart, reply.selection, reply.nouns, names=page.controls),
            *(
                [levers_panel.panel(reply.query, defaults=chart.defaults, today=site.today())]
                if page.with_levers
                else []
            ),
            *([_contents_list(page)] if others else []),
            *([_section("first", "above", _extra(site, page.above, query))] if page.above else []),
            _frame(chart, "first", card.contents(page, chart, reply, look_name)),
            *later,
        ],
        className="page",
    )


def answers_ahead(site: Site, pages: Sequence[Page]) -> Iterator[None]:
    """Ask what each chart begins with, and what it has ready, so that the database's answers are remembered."""
    for page in pages:
        for chart in page.charts:
            for query in ("", *chart.ahead):
                yield
                card.answer(site, page, chart, query)


def later_sections(page: Page) -> tuple[str, ...]:
    """What of a page is asked for by itself: the slugs of the charts after the first, and what stands below them."""
    return (*(chart.slug for chart in page.charts[1:]), *(["below"] if page.below else []))


def _asked(section: str) -> dict[str, str]:
    """The id of the store that says what a later section was asked for with."""
    return {"section": section, "store": "asked"}


def _section(turn: str, name: str, children: Sequence[Component]) -> Component:
    return html.Div(children, id={"turn": turn, "section": name})


def _frame(chart: Chart, turn: str, children: Sequence[Component]) -> Component:
    told = data(later=chart.slug) if turn == "later" else {}
    return html.Article(_section(turn, chart.slug, children), className="card", id=chart.slug, **told)


def _to_come(chart: Chart) -> list[Component]:
    """A card before its chart is there: as high as it will be, so that what stands below it stays in its place."""
    return [html.P(chart.question, className="question"), html.Div(className="to-come", **aria(busy="true"))]


def _contents_list(page: Page) -> Component:
    links = [html.Li(html.A(chart.name, href=f"#{chart.slug}")) for chart in page.charts]
    return html.Nav(html.Ul(links), className="contents", **aria(label="On this page"))


def _extra(site: Site, extra: Extra | None, query: str) -> list[Component]:
    """What a page has besides cards; a notice where it fails."""
    try:
        return list(extra(site, query)) if extra else []
    except Exception:
        _log.exception("what stands beside the cards failed")
        not_again()
        text = "Something is wrong with this part of the page. The reason is in the server's log."
        return [html.Div(html.P(text), className="notice")]


class Later(TypedDict):
    """What the cards after the first are asked for with: the page's query string and the look of the screen."""

    search: str
    look: str


def register(app: Dash, site: Site, pages: Sequence[Page]) -> None:
    """Add the callbacks of all pages to an app."""
    at_path = {page.path: page for page in pages}

    def page_at(pathname: str | None) -> Page:
        try:
            return at_path[(pathname or "").rstrip("/")]
        except KeyError as error:
            raise BadRequest from error

    @app.callback(
        output={
            "search": Output("address", "search"),
            "said": Output("said", "children"),
            "summary": Output("selection-summary", "children"),
            "values": Output({"control": ALL}, "value"),
            "options": Output({"control": ALL}, "options"),
            "hidden": Output({"field": ALL}, "hidden"),
            "levers": Output({"lever": ALL}, "children"),
            "sections": Output({"turn": "first", "section": ALL}, "children"),
            "asked": Output("asked", "data"),
        },
        inputs={
            "search": Input("address", "search"),
            "look_name": Input("look", "data"),
            "shown": Input({"control": ALL}, "value"),
            "pathname": State("address", "pathname"),
        },
        prevent_initial_call=True,
    )
    @validate_call
    def act(
        search: str | None, look_name: str, shown: list[str | list[str] | None], pathname: str | None
    ) -> dict[str, Any]:
        """What an action leads to: controls edit the selection, a link or the back button brings another one."""
        page = page_at(pathname)
        names = (*page.controls, *(levers_panel.CONTROLS if page.with_levers else ()))
        if not page.charts or len(shown) != len(names):
            raise BadRequest
        chart = page.charts[0]
        on_bar = dict(zip(names, shown, strict=True))
        is_edit = ctx.triggered_id not in ("address", "look")
        reply = card.answer(site, page, chart, _query(search), shown=on_bar if is_edit else None)
        now, without, address = controls.values(reply.selection), controls.hidden(reply.selection), _search(reply.query)
        now = levers_panel.values(reply.selection) | now
        defaults, today = chart.defaults, site.today()
        above = [_extra(site, page.above, reply.query)] if page.above else []
        return {
            "search": no_update if address == (search or "") else address,
            "said": card.finding(reply),
            "summary": controls.summary(reply.selection, reply.nouns, names=page.controls),
            "values": [no_update if controls.same(on_bar[name], now[name]) else now[name] for name in names],
            "options": [
                controls.options(name, reply.selection, reply.nouns) if name in WITH_OPTIONS else no_update
                for name in names
            ],
            "hidden": [name in without for name in page.controls],
            "levers": levers_panel.beside(reply.query, defaults=defaults, today=today) if page.with_levers else [],
            "sections": [*above, card.contents(page, chart, reply, look_name)],
            "asked": {"search": address, "look": look_name},
        }

    # The browser knows which of the later cards are near what the reader looks at.
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("page", "later"),
        Output({"section": ALL, "store": "asked"}, "data"),
        Input("asked", "data"),
        State({"section": ALL, "store": "asked"}, "id"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output({"turn": "later", "section": MATCH}, "children"),
        Input({"section": MATCH, "store": "asked"}, "data"),
        State({"section": MATCH, "store": "asked"}, "id"),
        State("address", "pathname"),
        prevent_initial_call=True,
    )
    @validate_call
    def follow(wanted: Later, of: dict[str, str], pathname: str | None) -> list[Component]:
        """A card after the first, or what stands under them all."""
        page, section, query = page_at(pathname), of.get("section", ""), _query(wanted["search"])
        if section not in later_sections(page):
            raise BadRequest
        if section == "below":
            return _extra(site, page.below, query)
        chart = next(each for each in page.charts if each.slug == section)
        return card.contents(page, chart, card.answer(site, page, chart, query), wanted["look"])

    # The browser tells which of the points under the pointer is meant; the server has the receipts.
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("page", "nearest"),
        Output(part_id("point", MATCH), "data"),
        Input(part_id("plot", MATCH), "clickData"),
        State(part_id("plot", MATCH), "id"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(part_id("receipts", MATCH), "children"),
        Input(part_id("point", MATCH), "data"),
        State(part_id("point", MATCH), "id"),
        State("address", "search"),
        State("address", "pathname"),
        prevent_initial_call=True,
    )
    @validate_call
    def show_receipts(key: list[str | int] | None, of: dict[str, str], search: str | None, pathname: str | None) -> Any:
        """The receipts of the point that was chosen; nothing where it was closed."""
        page = page_at(pathname)
        chart = next((each for each in page.charts if each.slug == of.get("chart")), None)
        if chart is None:
            raise BadRequest
        return receipts.receipts(site, page, chart, _query(search), key) if key else []


def _query(search: str | None) -> str:
    return (search or "").removeprefix("?")


def _search(query: str) -> str:
    return f"?{query}" if query else ""
