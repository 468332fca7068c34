"""The Market page: who leads, who gains."""

from __future__ import annotations

from dashboard.charts.market_share import MARKET_SHARE
from dashboard.pages.page import Page

MARKET = Page(
    path="/market",
    name="Market",
    description="Who leads electric-car markets, who gains, and between which bounds: every figure with its receipt.",
    charts=(MARKET_SHARE,),
)
