"""The charts, one module each: an explicit tuple, nothing is discovered."""

from __future__ import annotations

from dashboard.charts.chart import Chart
from dashboard.charts.conflicts import CONFLICTS
from dashboard.charts.coverage import COVERAGE
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.charts.revisions import REVISIONS
from dashboard.charts.source_health import SOURCE_HEALTH

CHARTS: tuple[Chart, ...] = (
    MARKET_SHARE,
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
