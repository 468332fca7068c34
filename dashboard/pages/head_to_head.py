"""The Head-to-head page: Tesla against BYD, or any two makers."""

from __future__ import annotations

from dashboard.charts.duel_lines import DUEL_LINES
from dashboard.charts.duel_markets import DUEL_MARKETS
from dashboard.charts.duel_models import DUEL_MODELS
from dashboard.charts.wholesale_split import WHOLESALE_SPLIT
from dashboard.pages.page import Page

HEAD_TO_HEAD = Page(
    path="/head-to-head",
    name="Head-to-head",
    description="Tesla against BYD, or any two makers: who leads, by how much, since when, where, and with which cars.",
    charts=(DUEL_LINES, DUEL_MARKETS, DUEL_MODELS, WHOLESALE_SPLIT),
    controls=(
        "market",
        "makers",
        "basis",
        "by",
        "measure",
        "powertrain",
        "of",
        "grain",
        "window",
        "since",
        "until",
        "as_of",
    ),
)
