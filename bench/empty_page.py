"""An empty Dash page with one chart in its default set-up: what the Market page's first view is held against."""

from __future__ import annotations

from dash import Dash, dcc, html

app = Dash(__name__)
app.layout = html.Div([dcc.Graph(figure={"data": [{"type": "scatter", "y": [1, 3, 2]}], "layout": {}})])
server = app.server
