"""The pages, in the order of the navigation: an explicit tuple, nothing is discovered."""

from __future__ import annotations

from dashboard.pages.front import FRONT
from dashboard.pages.fsd import FSD
from dashboard.pages.head_to_head import HEAD_TO_HEAD
from dashboard.pages.market import MARKET
from dashboard.pages.page import Page
from dashboard.pages.prices import PRICES
from dashboard.pages.projection import PROJECTION
from dashboard.pages.sources import SOURCES
from dashboard.pages.this_week import THIS_WEEK

PAGES: tuple[Page, ...] = (FRONT, THIS_WEEK, MARKET, HEAD_TO_HEAD, PRICES, FSD, PROJECTION, SOURCES)
