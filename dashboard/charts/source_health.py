"""`source-health`: how fresh each source is and whether it can be trusted.

One row a source on a time axis: how far its figures go, since when it was last read, and by when the next period is
usually there. What is late is judged at `as_of`, or else on the day on which the reader asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pandas as pd

from dashboard import style
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Badge, Chart, Reading, Table, shortest
from dashboard.comparability import check_names
from dashboard.selection import NotPublished, Selection
from dashboard.style import Figure, Look
from db import Connection, health, queries
from db.health import Expected, SourceHealth
from db.provenance import Citation
from db.vintages import TypicalRevision, typical_revision
from db.vocabulary import ALL

_LISTED = 6
"""Names that a note gives before it counts the rest."""

_ROW, _ROW_WITH_NAME = 34, 46
"""Height of a row on a page in pixels; with the name above the row where there is no room beside it."""

_NARROW = 326
"""Pixels for the words above a row on a page that is narrow."""


@dataclass(frozen=True)
class Judged:
    """A source as judged on a day."""

    of: SourceHealth
    on: date
    revision: TypicalRevision | None

    @property
    def latest(self) -> Expected | None:
        """The market that it tells furthest; None where it has no periods."""
        return self.of.latest

    @property
    def is_overdue(self) -> bool:
        """Whether its next period should be there."""
        return self.of.is_overdue(on=self.on)

    @property
    def late_markets(self) -> tuple[Expected, ...]:
        """The markets of it that are late although the source is not."""
        return () if self.is_overdue else self.of.late_markets(on=self.on)

    @property
    def days_overdue(self) -> int | None:
        """Days since the next period was due, negative before it is; None where nothing is due."""
        return (self.on - self.latest.next_due).days if self.latest else None

    @property
    def state(self) -> str:
        """'overdue since 31 Aug 2026', 'due 5 Jan 2027, 2 markets late', 'no periods, no due date'."""
        if self.of.last_snapshot is None:
            return "nothing loaded"
        if self.latest is None:
            return "no periods, no due date"
        due = style.day_text(self.latest.next_due)
        late = f", {style.count_text(len(self.late_markets), 'market')} late" if self.late_markets else ""
        return f"overdue since {due}" if self.is_overdue else f"due {due}{late}"


@dataclass(frozen=True)
class Health:
    """The sources, the longest overdue first, those without a due date last; judged `on` a day."""

    sources: tuple[Judged, ...]
    on: date

    @property
    def overdue(self) -> tuple[Judged, ...]:
        """The sources that are overdue, the longest first."""
        return tuple(each for each in self.sources if each.is_overdue)


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """How fresh the sources are that tell about the markets of a selection, or all sources where it names none.

    Raises `InvalidSelection` for unknown markets and `NotPublished` where there is no source.
    """
    nouns = queries.nouns(connection, as_of=selection.as_of)
    check_names(replace(selection, makers=(), models=()), nouns)
    on = selection.as_of or today
    revisions = typical_revision(connection, as_of=selection.as_of)
    found = [
        Judged(of=of, on=on, revision=revisions.get(of.source.slug))
        for of in health.source_health(connection, as_of=selection.as_of, markets=selection.market)
        if of.stated or not selection.market
        if of.last_snapshot or of.refused_files
    ]
    if not found:
        raise _nothing(connection, selection)
    judged = Health(sources=tuple(sorted(found, key=_order)), on=on)
    return Reading(
        selection=selection,
        title=title(judged),
        subtitle=_subtitle(selection, judged),
        badge=_badge(judged),
        citations=tuple(_citation(each.of) for each in judged.sources if each.of.last_snapshot),
        notes=_notes(judged),
        content=judged,
    )


def _order(of: Judged) -> tuple[int, str]:
    return (of.latest.next_due.toordinal() if of.latest else date.max.toordinal(), of.of.source.title)


def _nothing(connection: Connection, selection: Selection) -> NotPublished:
    ever = [of for of in health.source_health(connection) if of.last_snapshot]
    if not ever:
        return NotPublished("no source is loaded; run 'python -m etl load'")
    return NotPublished(
        f"no source was loaded as known on {selection.as_of}" if selection.as_of else "no source tells about it",
        nearest=Selection(market=()),
    )


def _citation(of: SourceHealth) -> Citation:
    described = of.source
    assert of.last_snapshot is not None
    return Citation(
        slug=described.slug,
        title=described.title,
        publisher=described.publisher,
        url=described.url,
        licence=described.licence,
        licence_url=described.licence_url,
        known_on=of.last_snapshot,
        # Each source's warning stands with its figures; all of them in one line say nothing.
        warning="",
        states=described.states.value,
        precedence=described.precedence,
        lag_days=described.lag_days,
    )


# Words


def title(judged: Health) -> str:
    """How many sources are overdue and which the longest; where none is, the one that is due next."""
    late, day = judged.overdue, style.day_text(judged.on)
    of = f"{len(late)} of {len(judged.sources)} sources"
    if late:
        first = late[0]
        assert first.latest is not None
        since = style.day_text(first.latest.next_due)
        if len(judged.sources) == 1:
            return shortest(f"{first.of.source.title} is overdue since {since}", f"Overdue since {since}")
        are = "is" if len(late) == 1 else "are"
        longest = "" if len(late) == 1 else ", the longest"
        return shortest(
            f"{of} {are} overdue on {day}{longest}: {first.of.source.title}, since {since}",
            f"{of} {are} overdue on {day}{longest} since {since}",
            f"{of} {are} overdue on {day}",
        )
    dated = [each for each in judged.sources if each.latest]
    if not dated:
        return f"No source has a due date; {style.count_text(len(judged.sources), 'source')} loaded by {day}"
    late_markets = sum(len(each.late_markets) for each in judged.sources)
    if late_markets:
        return (
            f"No source is overdue on {day}, but {style.count_text(late_markets, 'market')} {_are(late_markets)} late"
        )
    following = dated[0]
    assert following.latest is not None
    due = style.day_text(following.latest.next_due)
    return shortest(
        f"No source is overdue on {day}; next due is {following.of.source.title}, {due}",
        f"No source is overdue on {day}; the next is due {due}",
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _subtitle(selection: Selection, judged: Health) -> str:
    about = f" about {', '.join(selection.market)}" if selection.market else ""
    return (
        f"{style.count_text(len(judged.sources), 'source')}{about}, judged on {style.day_text(judged.on)}: end of the "
        "last period, last file, and the day by which the next period usually is published"
    )


def _badge(judged: Health) -> Badge:
    late = len(judged.overdue)
    rejected = sum(each.of.rows.rejected for each in judged.sources)
    refused = sum(each.of.refused_files for each in judged.sources)
    parts = [f"{late} overdue" if late else "nothing overdue"]
    parts += [f"{style.count_text(rejected, 'row')} rejected"] if rejected else []
    parts += [f"{style.count_text(refused, 'file')} refused"] if refused else []
    return Badge(
        text=" · ".join([f"judged on {style.day_text(judged.on)}", *parts]), amber=bool(late or rejected or refused)
    )


def _notes(judged: Health) -> tuple[str, ...]:
    notes = []
    for each in judged.sources:
        if each.late_markets:
            late = [f"{of.market_name} ({style.day_text(of.next_due)})" for of in each.late_markets]
            notes.append(f"{each.of.source.title}: newer figures were due of {_listed(late)}.")
    refused = [each.of.source.title for each in judged.sources if each.of.refused_files]
    if refused:
        notes.append(f"Files were refused and not replaced since: {_listed(refused)}.")
    undated = [each.of.source.title for each in judged.sources if each.latest is None and each.of.last_snapshot]
    if undated:
        notes.append(f"Without periods, so that nothing is due: {_listed(undated)}.")
    return tuple(notes)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _revision_text(revision: TypicalRevision | None) -> str:
    """'8.5 % of figures, by 3.5 %': how many of its figures a source changed, and how far it moves one."""
    if revision is None or revision.median is None:
        return style.MISSING if revision is None or not revision.judged else "none"
    by = f"by {style.share_text(revision.median)}"
    if revision.share is None:
        return f"{style.count_text(revision.revised, 'figure')}, {by}"
    return f"{style.share_text(revision.share)} of figures, {by}"


def _day(day: date | None) -> str:
    return style.day_text(day) if day else style.MISSING


# The plot

_PAD = 2
"""Pixels around the words of a row."""


def draw(reading: Reading, look: Look) -> Figure:
    """A row for each source, the longest overdue on top, and a line for the day on which they are judged."""
    judged: Health = reading.content
    sources = judged.sources
    is_narrow = look.width is None and look.font_px < style.SCREEN.font_px
    ink = style.INK[look.theme]
    font = round(look.font_px * 0.92)
    if look.width is not None:
        # Words and notes around the plot leave it little more than half of a picture; no two rows' words may touch.
        font = min(font, int((look.height * 0.54 / len(sources) - 2 * _PAD) / style.LINE_HEIGHT))
    top, bottom = round(look.font_px * (5.8 if is_narrow else 3.2)), round(look.font_px * 2.6)
    height = look.height if look.width else top + bottom + len(sources) * (_ROW_WITH_NAME if is_narrow else _ROW)
    # Marks stand below the name where the row carries it.
    drop = 0.18 if is_narrow else 0.0
    axis = {"start": _axis_start(judged), "end": _axis_end(judged)}
    traces = [*_spans(sources, look, drop), *_marks(sources, look, drop)]
    names = [each.of.source.title for each in sources]
    written: list[dict[str, Any]] = []
    for n, each in enumerate(sources):
        said = {
            "text": style.escape(each.state),
            "font": {
                "size": font,
                "color": ink.amber_text if each.is_overdue else ink.quiet,
                "weight": 600 if each.is_overdue else 400,
            },
            # The line of the day goes through the row, and not through its words.
            "bgcolor": ink.amber if each.is_overdue else ink.background,
            "borderpad": _PAD,
            "showarrow": False,
            "xref": "paper",
            "x": 1,
            "xanchor": "right" if is_narrow else "left",
            "xshift": 0 if is_narrow else 8,
            "yref": "y",
            "y": n - 0.24 if is_narrow else n,
            "yanchor": "middle",
        }
        written.append(said)
        if is_narrow:
            room = _NARROW - style.text_width(each.state, font, bold=each.is_overdue) - look.font_px
            name = style.fitting(names[n], width=room, font_px=font)
            written.append(
                said
                | {
                    "text": style.escape(name),
                    "font": {"size": font, "color": ink.text},
                    "bgcolor": ink.background,
                    "x": 0,
                    "xanchor": "left",
                }
            )
    written.append(
        {
            "text": style.escape(f"judged on {style.day_text(judged.on)}"),
            "font": {"size": font, "color": ink.text},
            "showarrow": False,
            "x": judged.on.isoformat(),
            "xref": "x",
            "xanchor": "right" if _is_right_half(judged.on, **axis) else "left",
            "yref": "paper",
            "y": 1,
            "yanchor": "bottom",
            "yshift": 1,
        }
    )
    wide = max(style.text_width(each.state, font, bold=each.is_overdue) for each in sources)
    edge = look.font_px * 1.5 if look.width else 0
    left = 8 if is_narrow else max(style.text_width(name, font) for name in names) + look.font_px * 0.8
    layout = style.layout(
        look,
        height=height,
        margin={"l": round(left), "r": round(8 if is_narrow else wide + 16 + edge), "t": top, "b": bottom},
        hovermode="closest",
        showlegend=True,
        legend={
            "font": {"size": font},
            "itemclick": False,
            "itemdoubleclick": False,
            "y": 1 + (look.font_px * 1.6) / max(height - top - bottom, 1),
        },
        xaxis={"type": "date", "range": [axis["start"].isoformat(), axis["end"].isoformat()], "nticks": 5},
        yaxis={
            "range": [len(sources) - 0.5, -0.5],
            "showgrid": False,
            "zeroline": False,
            "showticklabels": not is_narrow,
            "tickmode": "array",
            "tickvals": list(range(len(sources))),
            "ticktext": [style.escape(name) for name in names],
            "tickfont": {"size": font, "color": ink.text},
        },
        annotations=written,
        shapes=[
            {
                "type": "line",
                "xref": "x",
                "x0": judged.on.isoformat(),
                "x1": judged.on.isoformat(),
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"color": ink.text, "width": 1.5, "dash": "dot"},
                "layer": "below",
            }
        ],
    )
    return {"data": traces, "layout": layout}


def _axis_start(judged: Health) -> date:
    """A little before the earliest mark."""
    days = [_period_end(each.latest) for each in judged.sources if each.latest]
    days += [each.of.last_snapshot for each in judged.sources if each.of.last_snapshot]
    return min([*days, judged.on]) - timedelta(days=20)


def _axis_end(judged: Health) -> date:
    """A little after the latest mark."""
    return max([*(each.latest.next_due for each in judged.sources if each.latest), judged.on]) + timedelta(days=20)


def _is_right_half(day: date, *, start: date, end: date) -> bool:
    return (day - start) * 2 > end - start


def _period_end(of: Expected) -> date:
    """The last day of the last period."""
    return of.published_to - timedelta(days=1)


def _spans(sources: Sequence[Judged], look: Look, drop: float) -> list[dict[str, Any]]:
    """A thin line from the end of the last period to the day when the next is due, and a bar from there on."""
    ink = style.INK[look.theme]
    waiting: dict[str, list[Any]] = {"x": [], "y": []}
    for n, each in enumerate(sources):
        if each.latest:
            waiting["x"] += [_period_end(each.latest).isoformat(), each.latest.next_due.isoformat(), None]
            waiting["y"] += [n + drop, n + drop, None]
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": waiting["x"],
        "y": waiting["y"],
        "line": {"color": ink.axis, "width": 1.5},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    late = [(n, each) for n, each in enumerate(sources) if each.is_overdue and each.latest]
    if not late:
        return [line]
    day = 86_400_000
    bar = {
        "type": "bar",
        "orientation": "h",
        "name": "overdue",
        "base": [each.latest.next_due.isoformat() for _, each in late if each.latest],
        "x": [(each.days_overdue or 0) * day for _, each in late],
        "y": [n + drop for n, _ in late],
        "width": 0.3,
        "marker": {"color": ink.amber, "line": {"color": ink.amber_text, "width": 1}},
        "hoverinfo": "skip",
    }
    return [line, bar]


def _marks(sources: Sequence[Judged], look: Look, drop: float) -> list[dict[str, Any]]:
    ink = style.INK[look.theme]
    size = round(look.font_px * 0.8)
    dated = [(n, each, each.latest) for n, each in enumerate(sources) if each.latest]
    read = [(n, each, each.of.last_snapshot) for n, each in enumerate(sources) if each.of.last_snapshot]
    marks = [
        ("last file", "square-open", [(n, day, "last file") for n, _, day in read]),
        (
            "end of the last period",
            "circle",
            [(n, _period_end(of), f"{_period(of)} is the last period") for n, _, of in dated],
        ),
        ("next due", "diamond-open", [(n, of.next_due, "the next period is due") for n, _, of in dated]),
    ]
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": [day.isoformat() for _, day, _ in points],
            "y": [n + drop for n, _, _ in points],
            "marker": {
                "symbol": symbol,
                "size": size,
                "color": ink.text if name != "last file" else ink.quiet,
                "line": {"width": 1.5},
            },
            "text": [
                style.escape(f"{sources[n].of.source.title}: {what}, {style.day_text(day)}") for n, day, what in points
            ],
            "hovertemplate": "%{text}<extra></extra>",
            "cliponaxis": False,
        }
        for name, symbol, points in marks
        if points
    ]


def _period(of: Expected) -> str:
    """The last period, in the words of its length."""
    months = of.published_to.year * 12 + of.published_to.month - of.last_period.year * 12 - of.last_period.month
    return style.period_text(of.last_period, {1: "month", 3: "quarter", 12: "year"}[months])


# Rows and table


def rows(reading: Reading) -> pd.DataFrame:
    """One row a source with `DOWNLOAD_COLUMNS`; `value` is the days since the next period was due, negative before.

    `period_start` is the last period's; without periods it and the value are empty. Lists are joined by `;`. Behind
    them: title, next_due, judged_on, last_snapshot, accepted, rejected, out_of_scope, duplicate (rows of the files that
    figures stand on), refused_files, late_markets, revised_share, revision_median.
    """
    judged: Health = reading.content
    found = []
    for each in judged.sources:
        of, latest = each.of, each.latest
        value = float("nan") if each.days_overdue is None else float(each.days_overdue)
        known = of.last_snapshot.isoformat() if of.last_snapshot else ""
        found.append(
            (
                latest.last_period.isoformat() if latest else "",
                latest.grain.value if latest else "",
                "none",
                ";".join(sorted({stated.market for stated in of.stated})),
                ";".join(of.bases),
                ";".join(sorted({stated.powertrain for stated in of.stated})),
                "",
                ALL,
                ALL,
                "All makers",
                "All models",
                "days_overdue",
                *(3 * [value]),
                "days",
                "overdue" if each.is_overdue else "markets_late" if each.late_markets else "",
                of.source.slug,
                known,
                of.source.title,
                latest.next_due.isoformat() if latest else "",
                each.on.isoformat(),
                known,
                of.rows.accepted,
                of.rows.rejected,
                of.rows.out_of_scope,
                of.rows.duplicate,
                of.refused_files,
                ";".join(late.market for late in of.late_markets(on=each.on)),
                _number(each.revision.share if each.revision else None),
                _number(each.revision.median if each.revision else None),
            )
        )
    own = (
        "title",
        "next_due",
        "judged_on",
        "last_snapshot",
        "accepted",
        "rejected",
        "out_of_scope",
        "duplicate",
        "refused_files",
        "late_markets",
        "revised_share",
        "revision_median",
    )
    return pd.DataFrame(found, columns=[*DOWNLOAD_COLUMNS, *own])


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def table(reading: Reading) -> Table:
    """Each source with its dates and counts, in the order of the plot."""
    judged: Health = reading.content
    return Table(
        header=(
            "Source",
            "Last file",
            "Last period",
            "Next due",
            "State",
            "Rows accepted",
            "Rejected",
            "Out of scope",
            "Duplicate",
            "Files refused",
            "Typical revision",
            "Markets late",
        ),
        rows=tuple(
            (
                each.of.source.slug,
                _day(each.of.last_snapshot),
                _period(each.latest) if each.latest else style.MISSING,
                _day(each.latest.next_due if each.latest else None),
                each.state,
                f"{each.of.rows.accepted:,}",
                f"{each.of.rows.rejected:,}",
                f"{each.of.rows.out_of_scope:,}",
                f"{each.of.rows.duplicate:,}",
                f"{each.of.refused_files:,}",
                _revision_text(each.revision),
                _listed([late.market for late in each.of.late_markets(on=each.on)]) or style.MISSING,
            )
            for each in judged.sources
        ),
        caption="Rows are those of the latest file of each name; a typical revision is how many figures a source "
        "changed later, and by how much in the median.",
    )


SOURCE_HEALTH = Chart(
    slug="source-health",
    name="Source health",
    question="How fresh is each source, and can it be trusted?",
    defaults=Selection(market=()),
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
)
