"""The plot of `change-ledger`: a row for each entry, by kind, with a bar for what it moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboard import style
from dashboard.charts.change_ledger_words import HEADINGS, Changed, subject, what
from dashboard.charts.chart import Reading
from dashboard.ledger import Ledger
from dashboard.ledger_entries import HEADLINE_MAKERS, Entry
from dashboard.style import Figure, Look
from dashboard.what_changed import Kind

SECTIONS = (
    (Kind.NEW,),
    (Kind.REVISED,),
    (Kind.VANISHED,),
    (Kind.ADDED, Kind.RESTORED),
    (Kind.OVERDUE,),
    (Kind.FIRST_READ,),
)
"""What stands together on the plot, in this order."""

_PATTERNS = {Kind.REVISED: "/", Kind.VANISHED: "x", Kind.ADDED: "-", Kind.RESTORED: "-", Kind.OVERDUE: "."}

AT_LEAST = 2
"""Entries of each kind that are drawn before the rest of the room goes to what weighs most."""

_ROW, _NARROW_ROW = 30, 48
"""Height of a row on a page in pixels; with two lines where there is no room for one."""

_ROWS, _NARROW_ROWS = 18, 10
"""Rows of a plot, headings with them."""

_FEW = 12
"""Rows that a picture has room for at the least."""

_NARROW = 330
"""Pixels for the words of a row on a page that is narrow."""

_WIDE = 1000
"""Pixels that a page has for a plot at the least where it is not narrow."""


@dataclass(frozen=True)
class _Row:
    """A row of the plot: a heading, or an entry with its place in the ledger."""

    heading: str
    entry: Entry | None = None
    number: int = -1


def draw(reading: Reading, look: Look) -> Figure:
    """A row for each entry, by kind: what it is about, a bar for what it moves, and what became of it."""
    changed: Changed = reading.content
    is_narrow = (look.width or 0) < 600 and (look.width is not None or look.font_px < style.SCREEN.font_px)
    rows_of = _chosen(changed.ledger, most=_NARROW_ROWS if is_narrow else _ROWS)
    ink, font = style.INK[look.theme], round(look.font_px * 0.92)
    top, bottom = round(look.font_px * 1.2), round(look.font_px * 3.2)
    # Few rows stand on top, as close to each other as many do.
    lines = max(len(rows_of), _FEW if look.width else 3)
    height = look.height if look.width else top + bottom + lines * (_NARROW_ROW if is_narrow else _ROW)
    room = _NARROW if is_narrow else (look.width * 0.94 if look.width else _WIDE)
    # Of the width: the words of the subject, the bars, and the words of the change.
    left, bars = (0.0, 1.0) if is_narrow else (0.43, 0.1)
    written: list[dict[str, Any]] = []
    for n, row in enumerate(rows_of):
        written += _words_of_row(row, n, changed, look, room=room, left=left, bars=bars, is_narrow=is_narrow, font=font)
    if not rows_of:
        written.append(style.statement("No figure changed, and nothing is overdue.", look))
    at = [(n, row.entry) for n, row in enumerate(rows_of) if row.entry]
    most = max((entry.weight for _, entry in at), default=0.0) or 1.0
    layout = style.layout(
        look,
        height=height,
        margin={"l": 8, "r": 8, "t": top, "b": bottom},
        hovermode="closest",
        barmode="overlay",
        xaxis={
            "range": [0, most],
            "domain": [left, left + bars],
            "tickvals": [0, most],
            "ticktext": ["0", style.share_text(most)],
            "showgrid": False,
            "zeroline": True,
            "title": {"text": "" if is_narrow else "moves", "font": {"size": font, "color": ink.quiet}},
            "fixedrange": True,
            "visible": bool(at) and not is_narrow,
        },
        yaxis={
            "range": [lines - 0.5, -0.5],
            "showgrid": False,
            "zeroline": False,
            "showticklabels": False,
            "fixedrange": True,
        },
        annotations=written,
    )
    return {"data": [_bars(at, rows_of, changed, look, is_narrow=is_narrow)], "layout": layout}


def _chosen(found: Ledger, *, most: int) -> list[_Row]:
    """What is drawn: of each kind the first, and then what weighs most, under headings that count all of a kind."""
    numbers = {id(entry): n for n, entry in enumerate(found.entries)}
    sections = [(kinds, found.of(*kinds)) for kinds in SECTIONS]
    sections = [(kinds, entries) for kinds, entries in sections if entries]
    room = most - len(sections)
    taken = {kinds: min(AT_LEAST, len(entries)) for kinds, entries in sections}
    for entry in found.entries:
        kinds = next(kinds for kinds, _ in sections if entry.kind in kinds)
        of = dict(sections)[kinds]
        if sum(taken.values()) < room and taken[kinds] < len(of) and of.index(entry) >= taken[kinds]:
            taken[kinds] += 1
    rows_of = []
    for kinds, entries in sections:
        rows_of.append(_Row(heading=_heading(kinds[0], entries, shown=taken[kinds])))
        rows_of += [_Row(heading="", entry=entry, number=numbers[id(entry)]) for entry in entries[: taken[kinds]]]
    return rows_of


def _heading(kind: Kind, entries: Sequence[Entry], *, shown: int) -> str:
    if kind is Kind.OVERDUE:
        counted = style.count_text(len(entries), "source")
    else:
        counted = style.count_text(sum(entry.figures for entry in entries), "figure")
    more = len(entries) - shown
    return f"{HEADINGS[kind]}: {counted}" + (f", {more:,} more in the download" if more else "")


def _words_of_row(
    row: _Row,
    n: int,
    changed: Changed,
    look: Look,
    *,
    room: float,
    left: float,
    bars: float,
    is_narrow: bool,
    font: int,
) -> list[dict[str, Any]]:
    ink = style.INK[look.theme]
    plain = {"showarrow": False, "xref": "paper", "yref": "y", "yanchor": "middle", "xanchor": "left", "y": n}
    if row.entry is None:
        bold = {"size": font, "color": ink.text, "weight": 600}
        return [
            plain | {"text": style.escape(style.fitting(row.heading, width=room, font_px=font)), "x": 0, "font": bold}
        ]
    about = subject(row.entry, changed.names, changed.sources)
    said = what(row.entry, changed.ledger.on)
    if row.entry.kind is not Kind.OVERDUE and row.entry.kind is not Kind.FIRST_READ:
        by = changed.sources.get(row.entry.source, row.entry.source)
        said = said if is_narrow else f"{said} – {by}" if said else by
    widths = (room, room) if is_narrow else (room * left - font, room * (1 - left - bars) - 2 * font)
    above, below = (n - 0.22, n + 0.2) if is_narrow else (n, n)
    return [
        plain
        | {
            "text": style.escape(style.fitting(about, width=widths[0], font_px=font)),
            "x": 0,
            "y": above,
            "font": {"size": font, "color": ink.text},
        },
        plain
        | {
            "text": style.escape(style.fitting(said, width=widths[1], font_px=font)),
            "x": 0 if is_narrow else left + bars,
            "xshift": 0 if is_narrow else font,
            "y": below,
            "font": {"size": font, "color": ink.quiet if is_narrow else ink.text},
        },
    ]


def _bars(
    at: Sequence[tuple[int, Entry]], rows_of: Sequence[_Row], changed: Changed, look: Look, *, is_narrow: bool
) -> dict[str, Any]:
    """The bars of what is moved; a first read and what weighs nothing has none."""
    ink = style.INK[look.theme]
    colours = [style.colour(entry.maker, look.theme) if entry.maker in HEADLINE_MAKERS else ink.axis for _, entry in at]
    texts = [
        style.escape(f"{subject(entry, changed.names, changed.sources)}: {what(entry, changed.ledger.on)}")
        for _, entry in at
    ]
    return {
        "type": "bar",
        "orientation": "h",
        "x": [round(entry.weight, 5) for _, entry in at],
        "y": [n + 0.45 if is_narrow else n for n, _ in at],
        "width": 0.06 if is_narrow else 0.5,
        "marker": {
            "color": colours,
            "line": {"color": colours, "width": 1},
            "pattern": {"shape": [_PATTERNS.get(entry.kind, "") for _, entry in at], "fgcolor": ink.background},
        },
        "ids": texts,
        "text": texts,
        "textposition": "none",
        "customdata": [_key(rows_of[n]) for n, _ in at],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _key(row: _Row) -> list[Any] | None:
    entry = row.entry
    if entry is None or entry.kind in (Kind.OVERDUE, Kind.FIRST_READ):
        return None
    return [entry.market, entry.maker, str(row.number), entry.since.toordinal()]
