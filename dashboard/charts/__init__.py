"""The charts, one module each: an explicit tuple, nothing is discovered."""

from __future__ import annotations

from dashboard.charts.chart import Chart
from dashboard.charts.concentration import CONCENTRATION
from dashboard.charts.conflicts import CONFLICTS
from dashboard.charts.coverage import COVERAGE
from dashboard.charts.duel_lines import DUEL_LINES
from dashboard.charts.duel_markets import DUEL_MARKETS
from dashboard.charts.duel_models import DUEL_MODELS
from dashboard.charts.market_map import MARKET_MAP
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.charts.penetration import PENETRATION
from dashboard.charts.rank_bump import RANK_BUMP
from dashboard.charts.revisions import REVISIONS
from dashboard.charts.seasonal_years import SEASONAL_YEARS
from dashboard.charts.share_change import SHARE_CHANGE
from dashboard.charts.source_health import SOURCE_HEALTH
from dashboard.charts.wholesale_split import WHOLESALE_SPLIT

CHARTS: tuple[Chart, ...] = (
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
