"""`fsd-timeline`: rules, approvals, data centres, chips, licences and launches around FSD, kind by kind along time.

Every event is a mark in the lane of its kind and a row of the table. The newest of each kind in turn are numbered, with
a key under the plot: as many as a reader can follow, and the others are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import zip_longest
from typing import Any

import pandas as pd

from dashboard import style
from dashboard.charts import fsd_words as words
from dashboard.charts.chart import Chart, Reading, Table, shortest
from dashboard.charts.events import Events, Mark, concerned, stacked
from dashboard.charts.market_words import listed
from dashboard.charts.price_words import when_text
from dashboard.charts.whole_market import answered
from dashboard.selection import NotPublished, Selection
from dashboard.style import Figure, Look
from db import Connection, provenance, queries
from db.queries import Event
from db.vocabulary import ALL, DatePrecision

DEFAULTS = Selection(market=())

_USED = ("market", "since", "until", "as_of", "makers")

AT_MOST = 14
"""Events that are numbered at the most."""

KINDS: Mapping[str, str] = {
    "data_rule": "Data rules",
    "data_centre": "Data centres",
    "chip_export": "Chip exports",
    "licensing": "Licensing",
    "approval": "Approvals",
    "launch": "Launches",
    "price": "Prices",
    "disclosure": "Disclosed, aimed at",
    "target": "Disclosed, aimed at",
    "recall": "Recalls, probes",
    "investigation": "Recalls, probes",
}
"""The lane of each of the record's kinds, in order: what the routes into China hang on comes first."""


@dataclass(frozen=True)
class Timeline:
    """The events of a selection, oldest first; `rows` are their places in the frame, `numbers` those of the key."""

    selection: Selection
    events: tuple[Event, ...]
    rows: tuple[int, ...]
    numbers: Mapping[int, int]
    frame: pd.DataFrame
    names: Mapping[str, str]

    @property
    def lanes(self) -> dict[str, list[int]]:
        """The places of the events by the lane of their kind, in the order of the lanes."""
        names = dict.fromkeys((*KINDS.values(), *(_lane_of(event) for event in self.events)))
        lanes = {name: [n for n, event in enumerate(self.events) if _lane_of(event) == name] for name in names}
        return {name: lane for name, lane in lanes.items() if lane}


def _lane_of(event: Event) -> str:
    return KINDS.get(event.kind) or event.kind.replace("_", " ").capitalize()


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """What happened; raises `NotPublished` where nothing is known of the markets and months."""
    instead = (replace(DEFAULTS, as_of=selection.as_of), DEFAULTS)
    found = answered(lambda asked: _timeline(connection, asked), selection, *instead)
    shown = found.frame.iloc[list(found.rows)]
    return Reading(
        selection=selection,
        title=title(found, today=selection.as_of or today),
        subtitle=_subtitle(found),
        badge=words.record_badge([event.date for event in found.events], shown, (), today=selection.as_of or today),
        citations=provenance.record_citations(connection, shown, as_of=selection.as_of),
        notes=notes(found, today=selection.as_of or today),
        content=found,
        events=_key(found),
    )


def _timeline(connection: Connection, selection: Selection) -> Timeline:
    words.check_tesla(selection, of="FSD", nearest=replace(selection, makers=()))
    frame = queries.records(connection, "fsd_event", as_of=selection.as_of)
    names = queries.names(connection).markets
    if frame.empty:
        when = f" on {style.day_text(selection.as_of)}" if selection.as_of else ""
        raise NotPublished(f"no event around FSD was known{when}", nearest=DEFAULTS if selection.as_of else None)
    # What happens in a region concerns its markets, but not what happens in the whole world's every corner.
    wanted = {code for chosen in selection.market for code in concerned(chosen)}
    of_market = [not wanted or code in wanted for code in frame["market"]]
    dated = [words.in_range(day, selection) for day in frame["date"]]
    rows = [n for n, (here, then) in enumerate(zip(of_market, dated, strict=True)) if here and then]
    if not rows:
        where = listed([names.get(code, code) for code in selection.market]) if selection.market else "any market"
        nothing = f"no event around FSD is known in {where}"
        everywhen = replace(selection, since=None, until=None)
        if any(of_market):
            raise NotPublished(f"{nothing} in the range", nearest=everywhen)
        raise NotPublished(nothing, nearest=replace(everywhen, market=()))
    told = frame.iloc[rows].to_dict("records")
    events = tuple(
        Event(
            date=row["date"],
            precision=DatePrecision(row["date_precision"]),
            market=row["market"],
            kind=row["kind"],
            maker=ALL,
            text=row["text"],
            url=row["url"],
        )
        for row in told
    )
    return Timeline(
        selection=selection,
        events=events,
        rows=tuple(rows),
        numbers={n: number for number, n in enumerate(sorted(_chosen(events)), start=1)},
        frame=frame,
        names=names,
    )


def _chosen(events: Sequence[Event]) -> list[int]:
    """The places of the events that are numbered: all where there are few, else the newest of each kind in turn."""
    if len(events) <= AT_MOST:
        return list(range(len(events)))
    of_kind: dict[str, list[int]] = {}
    for n in reversed(range(len(events))):
        of_kind.setdefault(_lane_of(events[n]), []).append(n)
    in_turn = [n for turn in zip_longest(*of_kind.values()) for n in sorted(n for n in turn if n is not None)[::-1]]
    return in_turn[:AT_MOST]


def _key(found: Timeline) -> Events:
    return Events(
        marks=tuple(
            Mark(number=number, event=found.events[n], where=found.names.get(found.events[n].market, ""))
            for n, number in found.numbers.items()
        )
    )


# Words


def title(found: Timeline, *, today: date) -> str:
    """The newest event that has happened, in the record's words; how many of which kinds where that is too long."""
    past = [event for event in found.events if event.date <= today]
    count = f"{len(found.events)} event{'s' if len(found.events) > 1 else ''} around FSD"
    if not past:
        return f"{count}, all still to come"
    last = past[-1]
    when = when_text(last.date, last.precision)
    lane, many = max(((name, len(lane)) for name, lane in found.lanes.items()), key=lambda pair: pair[1])
    return shortest(
        f"{last.text} ({when}), the latest of {len(found.events)} events",
        f"{last.text} ({when})",
        f"{count} up to {when}; {many} of them: {lane.lower()}",
        count,
    )


def _subtitle(found: Timeline) -> str:
    chosen = found.selection.market
    where = listed([found.names.get(code, code) for code in chosen]) if 0 < len(chosen) <= 3 else ""
    where = where or (f"{len(chosen)} markets" if chosen else "All markets")
    return f"{where}. Events around Tesla's FSD by kind and day, as the press printed them; numbers are in the key"


def notes(found: Timeline, *, today: date) -> tuple[str, ...]:
    """What is numbered, what is only approximately dated, what is still to come, and where the record ends."""
    said = []
    if len(found.numbers) < len(found.events):
        said.append(f"Numbered: the newest of each kind in turn, {len(found.numbers)} of {len(found.events)}.")
    if any(event.precision is not DatePrecision.DAY for event in found.events):
        said.append("Hollow: only the week, the month or a guess at the day is known.")
    if any(event.date > today for event in found.events):
        said.append(f"What is after {style.day_text(today)} is announced.")
    last = max((event.date for event in found.events if event.date <= today), default=None)
    if last:
        said.append(f"What is missing after {style.day_text(last)} is unknown, not absent.")
    return (" ".join(said), *words.unused_note(found.selection, DEFAULTS, used=_USED))


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """A lane for each kind; marks that would touch stand one above the other, the chosen ones with their numbers."""
    found: Timeline = reading.content
    narrow, ink = words.is_narrow(look), style.INK[look.theme]
    first, last = _time_range(found)
    days = max((last - first).days, 1)
    width = look.width * 0.82 if look.width else words.across(look) * (1.0 if narrow else 1.25)
    size = round(look.font_px * (1.25 if not look.width else 1.05))
    names, lanes = list(found.lanes), list(found.lanes.values())
    levels: dict[int, int] = {}
    for lane in lanes:
        places = [width * (found.events[n].date - first).days / days for n in lane]
        levels |= dict(zip(lane, stacked(places, apart=size * 0.7), strict=True))
    deep = [max(levels[n] for n in lane) + 1 for lane in lanes]
    named = 1 if narrow else 0
    starts = [sum(deep[:n]) + (0.5 + named) * n for n in range(len(lanes))]
    total = sum(deep) + (0.5 + named) * len(lanes)
    top, bottom = round(look.font_px * 0.8), round(look.font_px * 2.6)
    height = look.height if look.width else max(round(top + bottom + total * (size + 3)), 220)
    font = round(look.font_px * 0.92)
    # In the pixels of a lane's level a picture has less room than a page.
    mark = size if not look.width else min(size, round(look.height * 0.5 / total))
    heights = {n: starts[k] + named + 0.5 + levels[n] for k, lane in enumerate(lanes) for n in lane}
    middles = [starts[k] + named + deep[k] / 2 for k in range(len(lanes))]
    traces = [_lane(found, lane, heights, name, mark, look) for lane, name in zip(lanes, names, strict=True)]
    edges = [start - 0.25 for start in starts[1:]]
    layout = style.layout(
        look,
        height=height,
        margin={
            "t": top,
            "b": bottom,
            "l": 8 if narrow else round(max(style.text_width(name, font) for name in names) + look.font_px),
            "r": round(look.font_px),
        },
        hovermode="closest",
        xaxis={"type": "date", "range": [first.isoformat(), last.isoformat()], "showgrid": True, "gridcolor": ink.grid},
        yaxis={
            "range": [total - 0.25, -0.25],
            "showgrid": False,
            "zeroline": False,
            "showticklabels": not narrow,
            "tickmode": "array",
            "tickvals": middles,
            "ticktext": names,
            "tickfont": {"size": font, "color": ink.text},
        },
        shapes=[
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "yref": "y",
                "y0": edge,
                "y1": edge,
                "layer": "below",
                "line": {"color": ink.grid, "width": 1},
            }
            for edge in edges
        ],
        annotations=[
            {
                "text": name,
                "font": {"size": font, "color": ink.text},
                "showarrow": False,
                "xref": "paper",
                "x": 0,
                "xanchor": "left",
                "yref": "y",
                "y": start + 0.5,
                "yanchor": "middle",
                "bgcolor": ink.background,
                "borderpad": 0,
            }
            for name, start in zip(names, starts, strict=True)
        ]
        if narrow
        else [],
    )
    return {"data": traces, "layout": layout}


def _time_range(found: Timeline) -> tuple[date, date]:
    days = [event.date for event in found.events]
    room = timedelta(days=max((max(days) - min(days)).days // 40, 20))
    return min(days) - room, max(days) + room


def _lane(
    found: Timeline, lane: Sequence[int], heights: Mapping[int, float], name: str, size: int, look: Look
) -> dict[str, Any]:
    """The marks of one kind: numbered ones as circles with their numbers, others as dots."""
    ink = style.INK[look.theme]
    # Numbers stand on top of dots.
    lane = sorted(lane, key=lambda n: n in found.numbers)
    events = [found.events[n] for n in lane]
    numbered = [n in found.numbers for n in lane]
    vague = [event.precision is not DatePrecision.DAY for event in events]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": style.escape(name),
        "x": [event.date.isoformat() for event in events],
        "y": [heights[n] for n in lane],
        "marker": {
            "symbol": ["circle"] * len(lane),
            "size": [size if is_numbered else round(size * 0.55) for is_numbered in numbered],
            "color": [
                ink.background if hollow else ink.text if is_numbered else ink.axis
                for hollow, is_numbered in zip(vague, numbered, strict=True)
            ],
            "opacity": 1,
            "line": {"width": 1.3, "color": [ink.text if is_numbered else ink.axis for is_numbered in numbered]},
        },
        "texttemplate": [str(found.numbers[n]) if n in found.numbers else "" for n in lane],
        "textposition": "middle center",
        "textfont": {
            "size": round(size * 0.62),
            "color": [ink.text if hollow else ink.background for hollow in vague],
        },
        "text": [style.escape(_text(event, found)) for event in events],
        "customdata": [
            [event.market, event.kind, str(found.rows[n]), event.date.toordinal()]
            for n, event in zip(lane, events, strict=True)
        ],
        "hovertemplate": "%{text}<extra></extra>",
        "cliponaxis": False,
    }


def _text(event: Event, found: Timeline) -> str:
    place = found.names.get(event.market, event.market)
    return f"{place}, {when_text(event.date, event.precision)}: {event.text}"


# Download, table, receipts

_OWN = ("kind", "text", "date_precision", "number", "url", "note")


def rows(reading: Reading) -> pd.DataFrame:
    """One row an event, oldest first, with `DOWNLOAD_COLUMNS` and columns of its own; an event has no value.

    `number` is its number in the picture, empty where it has none.
    """
    found: Timeline = reading.content
    made, frame = [], found.frame.to_dict("records")
    for n, (event, row) in enumerate(zip(found.events, found.rows, strict=True)):
        stored = frame[row]
        made.append(
            {
                "period_start": event.date.isoformat(),
                "market": event.market,
                "measure": "event",
                "source": stored["source"],
                "known_from": stored["known_from"].isoformat(),
                "kind": event.kind,
                "text": event.text,
                "date_precision": event.precision.value,
                "number": str(found.numbers.get(n, "")),
                "url": event.url,
                "note": stored["note"],
            }
        )
    return words.download(made, *_OWN)


def table(reading: Reading) -> Table:
    """Every event, newest first, with its number in the plot."""
    found: Timeline = reading.content
    told = found.frame["note"].tolist()
    body = [
        (
            when_text(event.date, event.precision),
            str(found.numbers.get(n, style.MISSING)),
            found.names.get(event.market, event.market),
            event.kind.replace("_", " "),
            event.text,
            told[found.rows[n]] or style.MISSING,
        )
        for n, event in reversed(list(enumerate(found.events)))
    ]
    return Table(
        header=("Day", "Number", "Market", "Kind", "Event", "Note"),
        rows=tuple(body),
        caption="Every event of the selection, newest first.",
    )


def _says(row: Mapping[Any, Any], found: Timeline) -> words.Says:
    about = f"{row['kind'].replace('_', ' ')}, {found.names.get(row['market'], row['market'])}"
    return words.Says(day=row["date"], about=about, stated=row["text"])


_RECEIPTS = words.RecordReceipts(
    frame=lambda found: found.frame,
    rows=lambda found: found.rows,
    says=_says,
)


FSD_TIMELINE = Chart(
    slug="fsd-timeline",
    name="Events",
    question="Which rules, approvals and launches decided where FSD could go?",
    defaults=DEFAULTS,
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=_RECEIPTS.of_point,
    row_receipts=_RECEIPTS.of_rows,
    by_day=True,
)
