"""The Market page: who leads, who gains."""

from __future__ import annotations

from dashboard.charts.concentration import CONCENTRATION
from dashboard.charts.market_map import MARKET_MAP
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.charts.penetration import PENETRATION
from dashboard.charts.rank_bump import RANK_BUMP
from dashboard.charts.seasonal_years import SEASONAL_YEARS
from dashboard.charts.share_change import SHARE_CHANGE
from dashboard.pages.page import Page

MARKET = Page(
    path="/market",
    name="Market",
    description="Who leads electric-car markets, who gains, and between which bounds: every figure with its receipt.",
    charts=(MARKET_SHARE, SHARE_CHANGE, RANK_BUMP, CONCENTRATION, PENETRATION, MARKET_MAP, SEASONAL_YEARS),
)
