"""The card of a chart: question, finding, plot, notes, source, downloads, table, and where its receipts go.

Only texts become components here, never markup, so nothing that a file or a link says is run by the browser.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import accumulate
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import controls, style
from dashboard.answers import not_again
from dashboard.charts.chart import Chart, Reading, Table
from dashboard.charts.events import Events
from dashboard.comparability import check_names
from dashboard.controls import aria, data
from dashboard.downloads import Format, public
from dashboard.pages.page import Page, Site, is_narrow, look
from dashboard.pages.points import _unescaped, key_of, period_of, points
from dashboard.pages.tables import table
from dashboard.selection import NAMES, By, Incomparable, InvalidSelection, Refusal, Selection
from dashboard.style import Figure, Look
from db import queries
from db.database import StoreError, explained, ready
from db.queries import Nouns

_log = logging.getLogger(__name__)

_NO_NOUNS = Nouns(
    markets={},
    adjectives={},
    regions=frozenset(),
    makers={},
    models={},
    model_makers={},
    groups={},
    members={},
)

_LISTED = 12
"""Valid values that an explanation lists before it counts the rest."""


@dataclass(frozen=True)
class Notice:
    """Why there is no chart, in words, and the link to the nearest selection that has one."""

    heading: str
    text: str
    nearest: Selection | None = None


@dataclass(frozen=True)
class Answer:
    """What the data say about a query: a reading, or a notice in its place.

    `query` is the page's query string, `selection` what it means to the chart: what was asked for, or the nearest that
    the grammar and the database know.
    """

    query: str
    selection: Selection
    nouns: Nouns = _NO_NOUNS
    reading: Reading | None = None
    notice: Notice | None = None


def answer(site: Site, page: Page, chart: Chart, query: str, *, shown: Mapping[str, Any] | None = None) -> Answer:
    """What a chart of a page shows for a query string, edited by the controls that show another value than it says.

    Whatever goes wrong is a notice; what nobody foresaw is in the log too.
    """
    selection, invalid = _parsed(query, chart)
    try:
        ready(site.engine)
        with explained(site.engine), site.engine.connect() as connection:
            nouns = queries.nouns(connection, as_of=selection.as_of)
            if shown is not None:
                query, selection, invalid = _edited(query, selection, shown, page, chart, nouns)
            selection, unknown = _known(selection, chart, nouns)
            if error := invalid or unknown:
                return Answer(query, selection, nouns, notice=_invalid(error, selection))
            try:
                reading = chart.load(connection, selection, today=site.today())
            except InvalidSelection as error:
                return Answer(query, selection, nouns, notice=_unanswered(error, selection, chart))
            except Refusal as refusal:
                return Answer(query, selection, nouns, notice=_refused(refusal, chart))
            return Answer(query, selection, nouns, reading=reading)
    except StoreError as error:
        not_again()
        text = sentence(public(error, site.engine))
        return Answer(query, selection, notice=Notice("The figures cannot be read", text))
    except Exception:
        return Answer(query, selection, notice=_failed(chart))


def _edited(
    query: str, selection: Selection, shown: Mapping[str, Any], page: Page, chart: Chart, nouns: Nouns
) -> tuple[str, Selection, InvalidSelection | None]:
    """The query string and selection that the controls show; a text that is no value stays in the query string."""
    was, at_first = controls.values(selection), selection
    typed, invalid = "", None
    for name, value in shown.items():
        if controls.same(value, was.get(name, "")):
            continue
        try:
            selection = controls.edited(selection, name, value, defaults=chart.defaults, nouns=nouns)
        except InvalidSelection as error:
            typed, invalid = urlencode([(name, value)]), error
    query = page.query(query, at_first, selection)
    if "market" in shown and not shown["market"]:
        # An emptied box of markets is each chart's own choice again, with what that chart counts there.
        own = ["market", *(["basis"] if selection.basis is chart.defaults.basis else [])]
        for name in own:
            query = _without(query, name)
    if typed:
        query = "&".join(part for part in (query, typed) if part)
    return query, selection, invalid


def _parsed(query: str, chart: Chart) -> tuple[Selection, InvalidSelection | None]:
    """The selection of a query string without the parts that are invalid, and the first error."""
    first: InvalidSelection | None = None
    while True:
        try:
            return Selection.from_query(query, defaults=chart.defaults), first
        except InvalidSelection as error:
            first = first or error
            shorter = _without(query, error.name)
            query = shorter if shorter != query else ""


def _known(selection: Selection, chart: Chart, nouns: Nouns) -> tuple[Selection, InvalidSelection | None]:
    """The selection without names that the database does not have, and the first of the errors about them."""
    try:
        check_names(selection, nouns)
    except InvalidSelection as error:
        makers = {**nouns.makers, **nouns.groups} if selection.by is By.GROUP else nouns.makers
        known = replace(
            selection,
            market=tuple(code for code in selection.market if code in nouns.markets) or chart.defaults.market,
            makers=tuple(slug for slug in selection.makers if slug in makers),
            models=tuple(slug for slug in selection.models if slug in nouns.models),
        )
        return known, error
    return selection, None


def _without(query: str, name: str) -> str:
    """A query string without one name; the empty one where it has too many parts to be read."""
    try:
        pairs = parse_qsl(query.lstrip("?"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return ""
    unwanted = name.strip().lower()
    return urlencode([(key, value) for key, value in pairs if key.strip().lower() != unwanted], safe=",")


def _invalid(error: InvalidSelection, nearest: Selection) -> Notice:
    text = str(error).split("; valid:")[0]
    if error.valid:
        more = len(error.valid) - _LISTED
        text += f". It can be {', '.join(error.valid[:_LISTED])}" + (f" and {more} more" if more > 0 else "")
    return Notice("This link cannot be read", sentence(text), nearest)


def _unanswered(error: InvalidSelection, selection: Selection, chart: Chart) -> Notice:
    """Why a chart cannot answer a part of a selection; the nearest one has the chart's default in its place."""
    if error.name in dict(selection.levers):
        others = tuple(lever for lever in selection.levers if lever[0] != error.name)
        return replace(_invalid(error, replace(selection, levers=others)), heading="This cannot be played out")
    default = getattr(chart.defaults, error.name, None)
    is_default = error.name not in NAMES or getattr(selection, error.name) == default
    changes: dict[str, Any] = {error.name: default}
    nearest = chart.defaults if is_default else replace(selection, **changes)
    return replace(_invalid(error, nearest), heading="This chart does not show that")


def _failed(chart: Chart) -> Notice:
    """What a reader is told of what nobody foresaw; called while it is handled, since the log has the reason."""
    _log.exception("%s failed", chart.slug)
    not_again()
    text = "Something is wrong with this chart, not with your selection. The reason is in the server's log."
    return Notice("This chart cannot be shown", text, chart.defaults)


def _refused(refusal: Refusal, chart: Chart) -> Notice:
    unlike = isinstance(refusal, Incomparable)
    heading = "This comparison is not drawn" if unlike else "No figures for this selection"
    return Notice(heading, sentence(str(refusal)), refusal.nearest or chart.defaults)


def sentence(text: str) -> str:
    """A message as a sentence: with a capital letter, unless it begins with a part of a link, and a full stop."""
    first = text.split(" ", 1)[0]
    text = text if "=" in first else text[:1].upper() + text[1:]
    return text + ("" if text.endswith((".", "…")) else ".")


def contents(page: Page, chart: Chart, reply: Answer, look_name: str) -> list[Component]:
    """All that is in a card: the reading with its plot, or the notice in its place, also where the plot fails."""
    if reply.reading is not None:
        try:
            return _drawn(page, chart, reply, reply.reading, look_name)
        except Exception:
            reply = replace(reply, reading=None, notice=_failed(chart))
    notice = reply.notice or Notice("Nothing to show", "")
    return [
        html.P(chart.question, className="question"),
        html.H2(notice.heading),
        _explanation(page, chart, reply, notice),
    ]


def finding(reply: Answer) -> str:
    """What a reader who listens is told after an action."""
    if reply.reading is not None:
        return reply.reading.title
    return f"{reply.notice.heading}. {reply.notice.text}" if reply.notice else ""


def _drawn(page: Page, chart: Chart, reply: Answer, reading: Reading, look_name: str) -> list[Component]:
    drawn, key = _plot(chart, reading, look(look_name), narrow=is_narrow(look_name))
    has_receipts = chart.receipts is not None
    # Without an id no click on the plot is told.
    named: dict[str, Any] = {"id": part_id("plot", chart.slug)} if has_receipts else {}
    graph = dcc.Graph(figure=drawn, config=cast(Any, style.CONFIG), **named)
    return [
        *_headline(chart, reading),
        *([html.Div(key, className="key")] if key else []),
        html.Div(
            graph,
            className="plot clickable" if has_receipts else "plot",
            role="figure",
            # What stands below is in its place before the plot is drawn.
            style={"minHeight": drawn["layout"].get("height")},
            **aria(labelledby=_finding_id(chart)),
        ),
        *(
            [
                dcc.Store(id=part_id("point", chart.slug)),
                html.Div(id=part_id("receipts", chart.slug), **aria(live="polite")),
            ]
            if has_receipts
            else []
        ),
        *_events(reading.events),
        *([html.Ul([html.Li(note) for note in reading.notes], className="notes")] if reading.notes else []),
        *([_sources(reading)] if reading.citations else []),
        _actions(page, chart, reply, reading),
        *(_newest(chart, drawn, reading) if has_receipts else []),
        _data_table(chart.table(reading)),
    ]


def part_id(part: str, chart: Any) -> dict[str, Any]:
    """The page's id of a part of a chart's card that a callback is about, or of that part of any chart's."""
    return {"part": part, "chart": chart}


def _finding_id(chart: Chart) -> str:
    return f"finding-{chart.slug}"


def _headline(chart: Chart, reading: Reading) -> list[Component]:
    """Question, finding, subtitle and badge."""
    badge = reading.badge
    return [
        html.P(chart.question, className="question"),
        html.H2(_unbroken(reading.title), id=_finding_id(chart)),
        html.P(reading.subtitle, className="subtitle"),
        html.P(
            [html.Span(badge.text, className="badge amber" if badge.amber else "badge", title=badge.reason)]
            + ([html.Span(badge.reason, className="reason")] if badge.reason else []),
            className="badge-line",
        ),
    ]


_NUMBER_WITH_UNIT = re.compile(r"([≥≤−+≈]?\d[\d,.]* (?:%|pp|M)(?!\w))")


def _unbroken(text: str) -> list[Any]:
    """A text in which no line breaks between a number and its unit."""
    parts = _NUMBER_WITH_UNIT.split(text)
    return [html.Span(part, className="nowrap") if n % 2 else part for n, part in enumerate(parts) if part]


def _plot(chart: Chart, reading: Reading, look: Look, *, narrow: bool) -> tuple[Figure, list[Component]]:
    """The plot, and a key to its lines where the screen is too narrow for labels at their ends."""
    drawn = chart.draw(reading, look)
    layout = drawn["layout"]
    labels = [each for each in layout.get("annotations", ()) if each.get("name") == style.LINE_END]
    if not narrow or not labels:
        return drawn, []
    others = [each for each in layout["annotations"] if each.get("name") != style.LINE_END]
    margin = {**layout["margin"], "l": 34, "r": 10}
    key: list[Component] = [
        html.Span([html.I(style={"background": _stroke(label, drawn["data"])}), _unescaped(label["text"])])
        for label in labels
    ]
    return {**drawn, "layout": {**layout, "annotations": others, "margin": margin}}, key


_STROKES = {"dot": "3 3", "dash": "6 4", "longdash": "11 4", "dashdot": "7 3 3 3", "longdashdot": "11 3 3 3"}
"""Plotly's dashes, as pixels drawn and left out in turn."""


def _stroke(label: Mapping[str, Any], traces: Sequence[Mapping[str, Any]]) -> str:
    """The line that a label at its end is of, as a background: in its colour, and dashed as it is drawn."""
    begun = [trace for trace in traces if trace.get("name") and label["text"].startswith(str(trace["name"]))]
    line = max(begun, key=lambda trace: len(str(trace["name"])), default={}).get("line") or {}
    colour = line.get("color") or label["font"]["color"]
    lengths = [float(length) for length in _STROKES.get(line.get("dash", ""), "").split()]
    ends = list(accumulate(lengths, initial=0.0))
    parts = [f"{'transparent' if n % 2 else colour} {ends[n]:g}px {ends[n + 1]:g}px" for n in range(len(lengths))]
    return f"repeating-linear-gradient(90deg, {', '.join(parts)})" if parts else str(colour)


def _events(events: Events) -> list[Component]:
    """The key to the numbers above a plot: date and text, which is the link to its source."""
    if not events.marks:
        return []
    items = [
        html.Li(
            [
                html.Span(str(mark.number), className="number"),
                html.Span(mark.when, className="when"),
                outside(mark.words, mark.event.url),
            ]
        )
        for mark in events.marks
    ]
    more = [html.Li(f"{events.more}.", className="more")] if events.more else []
    return [html.Ol([*items, *more], className="events", **aria(label="Events"))]


def _explanation(page: Page, chart: Chart, reply: Answer, notice: Notice) -> Component:
    """Why there is no plot, with the link that leads on."""
    parts: list[Component] = [html.P(notice.text)]
    if notice.nearest is not None:
        query = page.query(reply.query, reply.selection, notice.nearest)
        # A chart that fails where it begins has no other place to go.
        if query != reply.query:
            known = controls.summary(notice.nearest, reply.nouns, names=page.controls)
            instead = f"Show instead: {known or 'the chart as it begins'}"
            parts.append(html.P(dcc.Link(instead, href=page.link(query, chart), className="way-on")))
    return html.Div(parts, className="notice")


def _sources(reading: Reading) -> Component:
    parts: list[Any] = ["Source: " if len(reading.citations) == 1 else "Sources: "]
    for n, cited in enumerate(reading.citations):
        parts += ["; "] if n else []
        if cited.title in cited.publisher:
            parts.append(outside(cited.publisher, cited.url))
        else:
            parts += [outside(cited.title, cited.url), f", {cited.publisher}"]
        parts += [", ", outside(cited.licence, cited.licence_url)]
        parts += [f". {cited.warning}".removesuffix(".")] if cited.warning else []
    parts.append(f". As known on {known_on(reading)}.")
    return html.P(parts, className="source")


def known_on(reading: Reading) -> date | None:
    """The day on which the figures shown were known: the one asked for, or that of the latest snapshot used."""
    return reading.selection.as_of or max((cited.known_on for cited in reading.citations), default=None)


def _actions(page: Page, chart: Chart, reply: Answer, reading: Reading) -> Component:
    query = reading.selection.query(defaults=chart.defaults)
    suffix = f"?{query}" if query else ""
    pinned = replace(reading.selection, as_of=known_on(reading))
    link = page.link(page.query(reply.query, reading.selection, pinned), chart).removeprefix(page.path)
    return html.Div(
        [
            *(
                html.A(
                    format.upper(),
                    href=f"/charts/{chart.slug}.{format}{suffix}",
                    download="",
                    className="button",
                    **aria(label=f"Download as {format.upper()}"),
                )
                for format in (Format.PNG, Format.SVG, Format.CSV, Format.JSON)
            ),
            html.Button(
                "Copy link",
                type="button",
                className="button",
                title="A link to exactly these figures: it says as known on which day",
                **data(copy=link),
            ),
        ],
        className="actions",
    )


def _data_table(told: Table) -> Component:
    return html.Details(
        [
            html.Summary("Data table"),
            html.P(told.caption, className="caption"),
            table(told.header, told.rows, label="Data table", heads=True),
        ],
        className="data-table",
    )


def outside(text: str, url: str) -> Component:
    """A link to another site; plain text where the address is no web address."""
    if urlsplit(url).scheme not in ("http", "https"):
        return html.Span(text)
    return html.A(text, href=url, rel="noopener noreferrer", target="_blank")


def _newest(chart: Chart, drawn: Figure, reading: Reading) -> list[Component]:
    """Buttons for the receipts of the latest period's points: the way to them by keyboard."""
    of_latest = points(drawn, latest_only=True)
    if not of_latest:
        return []
    # What is drawn in two panels has one receipt.
    buttons = [
        html.Button(name, type="button", className="link-button", **data(point=key))
        for name, key in dict.fromkeys((each.name, key_of(each.point)) for each in of_latest)
    ]
    period = period_of(chart, of_latest[0].point, reading.selection)
    return [html.Div([html.Span(f"Receipts of {period}, or click any point:"), *buttons], className="newest")]
