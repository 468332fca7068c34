"""Made-up pages on the figures that ship: one of a single card, and one of three, of which one refuses and one has no
receipts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from dash import html

from dashboard import style
from dashboard.charts.chart import Reading
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.pages.market import MARKET as MARKET_PAGE
from dashboard.pages.page import Page as Board
from dashboard.selection import Incomparable, Measure, Selection, Window
from dashboard.style import INK, Figure, Look
from db import Connection


def heat_map(reading: Reading, look: Look) -> Figure:
    """A plot without points that have receipts: four cells, one of them empty."""
    ink = INK[look.theme]
    trace = {"type": "heatmap", "x": ["2025", "2026"], "y": ["DE", "NO"], "z": [[100, 200], [300, None]]}
    trace |= {"colorscale": [[0, ink.grid], [1, ink.text]], "hovertemplate": "%{y} %{x}: %{z} cars<extra></extra>"}
    axis = {"type": "category"}
    return {"data": [trace], "layout": style.layout(look, hovermode="closest", xaxis=axis, yaxis=axis)}


def without_windows(connection: Connection, selection: Selection, *, today: date) -> Reading:
    if selection.window is not Window.NONE:
        raise Incomparable("months are counted one by one here", nearest=replace(selection, window=Window.NONE))
    return MARKET_SHARE.load(connection, selection, today=today)


MARKET = replace(MARKET_PAGE, charts=(MARKET_SHARE,))
"""The Market page with its first chart alone."""

CELLS = replace(MARKET_SHARE, slug="cells", name="Cells", question="Which?", draw=heat_map, receipts=None)
NORWAY = Selection(market=("NO",), measure=Measure.UNITS)
STRICT = replace(
    MARKET_SHARE, slug="strict", name="Strict", question="How many?", defaults=NORWAY, load=without_windows
)
BOARD = Board(
    path="/made-up",
    name="Made up",
    description="A page of a test",
    charts=(MARKET_SHARE, CELLS, STRICT),
    controls=("market", "measure", "window", "as_of"),
    below=lambda site, query: [html.P(f"asked for: {query}", id="below")],
)
NAMES = ("This week", "Head-to-head", "Prices", "FSD", "Sources", "Questions", "FSD to 2035")
NAVIGATION = tuple(replace(MARKET, path=f"/{name[:4].lower().strip()}", name=name) for name in NAMES)

PAGES = (MARKET, *NAVIGATION, BOARD)
"""As many as the real navigation has, so that it is as long."""
