"""The FSD page: what Tesla's driver assistance costs, who pays, who offers what, and what was forecast."""

from __future__ import annotations

from dashboard.charts.adas_offers import ADAS_OFFERS
from dashboard.charts.fsd_attach_history import FSD_ATTACH_HISTORY
from dashboard.charts.fsd_forecasts import FSD_FORECASTS
from dashboard.charts.fsd_price import FSD_PRICE
from dashboard.charts.fsd_timeline import FSD_TIMELINE
from dashboard.pages.page import Page

FSD = Page(
    path="/fsd",
    name="FSD",
    description="What Tesla's paid driver assistance costs and who pays, what others offer, what was forecast.",
    charts=(FSD_PRICE, FSD_ATTACH_HISTORY, ADAS_OFFERS, FSD_TIMELINE, FSD_FORECASTS),
    controls=("market", "currency", "tax", "date", "region", "attach_basis", "since", "until", "as_of"),
)
