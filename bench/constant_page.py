"""A bare Dash app whose callback returns a constant figure of FIGURE_BYTES: what our rate is held against."""

from __future__ import annotations

import os
from typing import Any

from dash import Dash, Input, Output, dcc, html

_SIZE = int(os.environ.get("FIGURE_BYTES") or 100_000)


def _figure() -> dict[str, Any]:
    # A number with its comma is nine bytes.
    values = [1000000 + n % 1000 + 0.5 for n in range(_SIZE // 10)]
    return {"data": [{"type": "scatter", "y": values}], "layout": {}}


FIGURE = _figure()

app = Dash(__name__, compress=True)
app.layout = html.Div([dcc.Location(id="place"), dcc.Graph(id="graph")])
server = app.server


@app.callback(Output("graph", "figure"), Input("place", "search"))
def draw(_search: str | None) -> dict[str, Any]:
    """The same figure for every question."""
    return FIGURE
