"""What a chart is: a question, the selection it starts from, `load` that asks the database, `draw` that is pure.

`load` gives a `Reading`: what the data say about a selection, in words and numbers. The page prints it around the plot
and a picture carries it inside; both draw the same figure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import pandas as pd

from dashboard.charts.events import NO_EVENTS, Events
from dashboard.selection import Measure, NotYetMade, PowertrainChoice, Selection
from dashboard.style import Figure, Look
from db import Connection
from db.provenance import Citation

DOWNLOAD_COLUMNS = (
    "period_start",
    "grain",
    "window",
    "market",
    "basis",
    "powertrain",
    "of",
    "maker",
    "model",
    "maker_name",
    "model_name",
    "measure",
    "value",
    "low",
    "high",
    "unit",
    "flags",
    "source",
    "known_from",
)
"""The columns of every download. One row is one entity in one period; lists within a cell are joined by `;`.

A chart may have columns of its own behind them."""


CARS = {
    PowertrainChoice.BEV: "BEVs",
    PowertrainChoice.PHEV: "plug-in hybrids",
    PowertrainChoice.NEV: "NEVs",
    PowertrainChoice.ALL: "cars",
}
"""What a powertrain's cars are called in titles."""


TITLE_LENGTH = 90
"""Characters that a title has at the most."""


def shortest(*candidates: str) -> str:
    """The first candidate of at most 90 characters; the last one, cut, where none is."""
    for candidate in candidates:
        if len(candidate) <= TITLE_LENGTH:
            return candidate
    return candidates[-1][: TITLE_LENGTH - 1] + "…"


@dataclass(frozen=True)
class Badge:
    """How fresh and how complete the data are; amber where a reader has to be careful, with the reason."""

    text: str
    amber: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Table:
    """The figures under a chart: `header` names the columns, each row begins with what it is about."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str


@dataclass(frozen=True)
class Reading:
    """What the data say about a selection.

    `content` is the chart's own: what its `draw` and `rows` need and nothing else looks at.
    """

    selection: Selection
    title: str
    """The finding, at most 90 characters; neutral where there is none."""
    subtitle: str
    """Measure, basis, geography, powertrain, unit, smoothing."""
    badge: Badge
    citations: tuple[Citation, ...]
    notes: tuple[str, ...]
    """What a reader has to know, in whole sentences: bounds, what is left out, publishers' remarks."""
    content: Any
    events: Events = NO_EVENTS
    """What happened along the time axis: numbered on the plot, with a key under it."""


class Load(Protocol):
    """Asks the database what it says about a selection; `today` is the day on which the reader asks.

    Raises `InvalidSelection` for unknown names and `Refusal` for what cannot be shown.
    """

    def __call__(self, connection: Connection, selection: Selection, *, today: date) -> Reading: ...


@dataclass(frozen=True)
class Chart:
    """One chart of the project, at its fixed slug."""

    slug: str
    name: str
    question: str
    defaults: Selection
    measures: tuple[Measure, ...]
    load: Load
    draw: Callable[[Reading, Look], Figure]
    """The plot as a plain Plotly dict, without title, badge, notes and source."""
    rows: Callable[[Reading], pd.DataFrame]
    """The download, with `DOWNLOAD_COLUMNS`."""
    table: Callable[[Reading], Table]
    receipts: Callable[[Connection, Reading, Point], pd.DataFrame] | None = None
    """The stored claims behind one point, as `provenance.receipts` or `record_receipts` gives them; None where a point
    is no figure."""
    row_receipts: Callable[[Connection, Reading], pd.DataFrame] | None = None
    """For a chart of records: the claims behind the rows of the download, as `provenance.record_receipts` gives them,
    with the number of the row (from 0) in a column `row`. Without it they are found by what a row counts."""
    ahead: tuple[str, ...] = ()
    """Queries that are worked out before anybody asks, beside what the chart begins with: what takes long at first and
    is often asked next."""
    by_day: bool = False
    """Whether a point is of a day: its `period_start` is the day's ordinal (`date.toordinal`), not a month number."""


def patient(chart: Chart, connection: Connection, selection: Selection, *, today: date) -> Reading:
    """What a chart says, however long it takes: what it rests on and nobody has computed yet is made first."""
    while True:
        try:
            return chart.load(connection, selection, today=today)
        except NotYetMade as missing:
            missing.make()


@dataclass(frozen=True)
class Point:
    """One drawn point: an entity of a market set in a period (`period_start` as year * 12 + month - 1), or on a day."""

    market: str
    maker: str
    model: str
    period_start: int


def source_line(reading: Reading, *, link: str) -> str:
    """The line under a picture: publishers, licence, as known on, and where the live chart is."""
    named = "; ".join(dict.fromkeys(f"{cited.publisher}, {cited.licence}" for cited in reading.citations))
    plural = "s" if "; " in named else ""
    known = max((cited.known_on for cited in reading.citations), default=None)
    as_of = reading.selection.as_of or known
    return f"Source{plural}: {named}. As known on {as_of}. {link}"
