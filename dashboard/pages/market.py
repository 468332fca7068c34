"""The Market page: who leads, who gains. One callback answers every action in one round trip."""

from __future__ import annotations

from typing import Any, cast

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from dashboard import controls, style
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.controls import CONTROLS, WITH_OPTIONS, aria, control_id, data, field_id
from dashboard.pages import card
from dashboard.pages.page import Page, Site, is_narrow, look

PATH = "/market"
CHART = MARKET_SHARE


def layout(site: Site, query: str, look_name: str) -> Component:
    """The page for a query string, with its chart drawn: the browser shows it without asking again."""
    reply = card.answer(site, CHART, query)
    drawn, key = card.plot(CHART, reply, look(look_name), narrow=is_narrow(look_name))
    return html.Div(
        [
            dcc.Location(id="address", refresh=False, search=_search(query)),
            dcc.Store(id="look", data=look_name),
            dcc.Store(id="point"),
            html.Div(id="drawn-look", hidden=True, **data(look=look_name)),
            html.H1(MARKET.name, className="page-name"),
            controls.bar(CHART, reply.selection, reply.nouns),
            html.Article(
                [
                    html.Div(card.headline(CHART, reply), id="headline"),
                    html.Div(card.explanation(CHART, PATH, reply), id="explanation", **aria(live="polite")),
                    html.Div(key, id="key", className="key"),
                    html.Div(
                        dcc.Graph(id="plot", figure=drawn, config=cast(Any, style.CONFIG)),
                        id="plot-frame",
                        className="plot",
                        role="figure",
                        **aria(labelledby="finding"),
                        hidden=reply.reading is None,
                    ),
                    html.Div(id="receipts", **aria(live="polite")),
                    html.Div(card.footing(CHART, reply, drawn), id="footing"),
                ],
                className="card",
                id=CHART.slug,
            ),
        ],
        className="page",
    )


def register(app: Dash, site: Site) -> None:
    """Add the page's callbacks."""

    @app.callback(
        output={
            "search": Output("address", "search"),
            "headline": Output("headline", "children"),
            "explanation": Output("explanation", "children"),
            "key": Output("key", "children"),
            "figure": Output("plot", "figure"),
            "without_plot": Output("plot-frame", "hidden"),
            "footing": Output("footing", "children"),
            "receipts": Output("receipts", "children", allow_duplicate=True),
            "summary": Output("selection-summary", "children"),
            "values": {name: Output(control_id(name), "value") for name in CONTROLS},
            "options": {name: Output(control_id(name), "options") for name in WITH_OPTIONS},
            "hidden": {name: Output(field_id(name), "hidden") for name in CONTROLS},
        },
        inputs={
            "search": Input("address", "search"),
            "look_name": Input("look", "data"),
            "shown": {name: Input(control_id(name), "value") for name in CONTROLS},
        },
        prevent_initial_call=True,
    )
    def act(search: str | None, look_name: str, shown: dict[str, Any]) -> dict[str, Any]:
        """What an action leads to: controls edit the selection, a link or the back button brings another one."""
        is_edit = ctx.triggered_id not in ("address", "look")
        reply = card.answer(site, CHART, _query(search), shown=shown if is_edit else None)
        selection = reply.selection
        drawn, key = card.plot(CHART, reply, look(look_name), narrow=is_narrow(look_name))
        now = controls.values(selection)
        without = controls.hidden(selection)
        address = _search(reply.query)
        return {
            "search": no_update if address == (search or "") else address,
            "headline": card.headline(CHART, reply),
            "explanation": card.explanation(CHART, PATH, reply),
            "key": key,
            "figure": drawn,
            "without_plot": reply.reading is None,
            "footing": card.footing(CHART, reply, drawn),
            "receipts": [],
            "summary": controls.summary(selection, reply.nouns),
            "values": {name: no_update if controls.same(shown[name], now[name]) else now[name] for name in CONTROLS},
            "options": {name: controls.options(name, selection, reply.nouns) for name in WITH_OPTIONS},
            "hidden": {name: name in without for name in CONTROLS},
        }

    # The browser tells which of the points under the pointer is meant; the server has the receipts.
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("page", "nearest"),
        Output("point", "data", allow_duplicate=True),
        Input("plot", "clickData"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output("receipts", "children"),
        Input("point", "data"),
        State("address", "search"),
        prevent_initial_call=True,
    )
    def show_receipts(key: list[Any] | None, search: str | None) -> Any:
        """The receipts of the point that was chosen; nothing where it was closed."""
        return card.receipts(site, CHART, _query(search), key) if key else []


def _query(search: str | None) -> str:
    return (search or "").removeprefix("?")


def _search(query: str) -> str:
    return f"?{query}" if query else ""


MARKET = Page(
    path=PATH,
    name="Market",
    description="Who leads electric-car markets, who gains, and between which bounds: every figure with its receipt.",
    charts=(CHART,),
    layout=layout,
    register=register,
)
