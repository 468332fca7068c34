"""The Prices page: what a car costs, where, and what became of it."""

from __future__ import annotations

from dashboard.charts.price_event import PRICE_EVENT
from dashboard.charts.price_gap import PRICE_GAP
from dashboard.charts.price_history import PRICE_HISTORY
from dashboard.charts.price_ladder import PRICE_LADDER
from dashboard.charts.price_war import PRICE_WAR
from dashboard.charts.value_frontier import VALUE_FRONTIER
from dashboard.controls import PRICE_CONTROLS
from dashboard.pages.page import Page

PRICES = Page(
    path="/prices",
    name="Prices",
    description="What electric cars cost: list, starting and average prices with their dates, in one currency and tax.",
    charts=(PRICE_HISTORY, PRICE_LADDER, PRICE_GAP, VALUE_FRONTIER, PRICE_EVENT, PRICE_WAR),
    controls=PRICE_CONTROLS,
)
