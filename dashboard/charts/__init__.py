"""The charts, one module each: an explicit tuple, nothing is discovered."""

from __future__ import annotations

from dashboard.charts.adas_offers import ADAS_OFFERS
from dashboard.charts.change_ledger import CHANGE_LEDGER
from dashboard.charts.chart import Chart
from dashboard.charts.concentration import CONCENTRATION
from dashboard.charts.conflicts import CONFLICTS
from dashboard.charts.coverage import COVERAGE
from dashboard.charts.duel_lines import DUEL_LINES
from dashboard.charts.duel_markets import DUEL_MARKETS
from dashboard.charts.duel_models import DUEL_MODELS
from dashboard.charts.fsd_attach_history import FSD_ATTACH_HISTORY
from dashboard.charts.fsd_backtest import FSD_BACKTEST
from dashboard.charts.fsd_drivers import FSD_DRIVERS
from dashboard.charts.fsd_forecasts import FSD_FORECASTS
from dashboard.charts.fsd_price import FSD_PRICE
from dashboard.charts.fsd_projection import FSD_PROJECTION
from dashboard.charts.fsd_revenue import FSD_REVENUE
from dashboard.charts.fsd_timeline import FSD_TIMELINE
from dashboard.charts.headline_makers import NEWEST
from dashboard.charts.market_map import MARKET_MAP
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.charts.penetration import PENETRATION
from dashboard.charts.price_event import PRICE_EVENT
from dashboard.charts.price_gap import PRICE_GAP
from dashboard.charts.price_history import PRICE_HISTORY
from dashboard.charts.price_ladder import PRICE_LADDER
from dashboard.charts.price_war import PRICE_WAR
from dashboard.charts.rank_bump import RANK_BUMP
from dashboard.charts.revisions import REVISIONS
from dashboard.charts.seasonal_years import SEASONAL_YEARS
from dashboard.charts.share_change import SHARE_CHANGE
from dashboard.charts.source_health import SOURCE_HEALTH
from dashboard.charts.value_frontier import VALUE_FRONTIER
from dashboard.charts.wholesale_split import WHOLESALE_SPLIT

CHARTS: tuple[Chart, ...] = (
    CHANGE_LEDGER,
    NEWEST,
    MARKET_SHARE,
    SHARE_CHANGE,
    WHOLESALE_SPLIT,
    DUEL_LINES,
    DUEL_MARKETS,
    DUEL_MODELS,
    PENETRATION,
    MARKET_MAP,
    RANK_BUMP,
    CONCENTRATION,
    SEASONAL_YEARS,
    PRICE_HISTORY,
    PRICE_WAR,
    PRICE_LADDER,
    PRICE_GAP,
    VALUE_FRONTIER,
    PRICE_EVENT,
    FSD_PRICE,
    FSD_ATTACH_HISTORY,
    ADAS_OFFERS,
    FSD_TIMELINE,
    FSD_FORECASTS,
    FSD_PROJECTION,
    FSD_REVENUE,
    FSD_DRIVERS,
    FSD_BACKTEST,
    COVERAGE,
    SOURCE_HEALTH,
    REVISIONS,
    CONFLICTS,
)


def chart(slug: str) -> Chart:
    """The chart at a slug; `KeyError` with the slugs that there are for an unknown one."""
    for candidate in CHARTS:
        if candidate.slug == slug:
            return candidate
    raise KeyError(f"there is no chart '{slug}'; the charts are: {', '.join(each.slug for each in CHARTS)}")
