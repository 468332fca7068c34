"""The projection's page: how far FSD could spread to 2035, what it brings, and what would change it."""

from __future__ import annotations

from dashboard.charts.fsd_backtest import FSD_BACKTEST
from dashboard.charts.fsd_drivers import FSD_DRIVERS
from dashboard.charts.fsd_projection import FSD_PROJECTION
from dashboard.charts.fsd_revenue import FSD_REVENUE
from dashboard.pages.page import Page

PROJECTION = Page(
    path="/fsd-to-2035",
    name="FSD to 2035",
    description="How far paid driver assistance could spread, what it would bring, and what would change that.",
    charts=(FSD_PROJECTION, FSD_REVENUE, FSD_DRIVERS, FSD_BACKTEST),
    controls=("region", "since", "until", "as_of"),
    with_levers=True,
)
