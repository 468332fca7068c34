"""The pages, in the order of the navigation: an explicit tuple, nothing is discovered."""

from __future__ import annotations

from dashboard.pages.market import MARKET
from dashboard.pages.page import Page
from dashboard.pages.sources import SOURCES

PAGES: tuple[Page, ...] = (MARKET, SOURCES)
