"""The card of a chart: question, finding, plot, notes, source, downloads, table, and the receipts of any point.

Only texts become components here, never markup, so nothing that a file or a link says is run by the browser.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import controls, style
from dashboard.charts.chart import Chart, Point, Reading, Table
from dashboard.comparability import check_names
from dashboard.controls import aria, data
from dashboard.downloads import Format
from dashboard.pages.page import Site
from dashboard.selection import By, Incomparable, InvalidSelection, Refusal, Selection
from dashboard.style import Figure, Look
from db import queries
from db.queries import Nouns
from db.store import StoreError, explained, ready
from db.vocabulary import Obtained

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

_CLAIMS = 200
"""Claims that a receipt lists before it counts the rest, which the JSON has."""

_SLIPS = 2
"""Slips of a receipt that are open from the start."""


@dataclass(frozen=True)
class Notice:
    """Why there is no chart, in words, and the link to the nearest selection that has one."""

    heading: str
    text: str
    nearest: Selection | None = None


@dataclass(frozen=True)
class Answer:
    """What the data say about a query: a reading, or a notice in its place.

    `query` is the query string, `selection` what the control bar shows: the one asked for, or the nearest one that the
    grammar knows.
    """

    query: str
    selection: Selection
    nouns: Nouns = _NO_NOUNS
    reading: Reading | None = None
    notice: Notice | None = None


def answer(site: Site, chart: Chart, query: str, *, shown: Mapping[str, Any] | None = None) -> Answer:
    """What a chart shows for a query string, edited by the controls that show another value than it says.

    Whatever goes wrong is a notice; what nobody foresaw is in the log too.
    """
    selection, invalid = _parsed(query, chart)
    try:
        ready(site.engine)
        with explained(site.engine), site.engine.connect() as connection:
            nouns = queries.nouns(connection, as_of=selection.as_of)
            if shown is not None:
                query, selection, invalid = _edited(selection, shown, chart, nouns)
            selection, unknown = _known(selection, chart, nouns)
            if error := invalid or unknown:
                return Answer(query, selection, nouns, notice=_invalid(error, selection))
            try:
                return Answer(query, selection, nouns, reading=chart.load(connection, selection))
            except Refusal as refusal:
                return Answer(query, selection, nouns, notice=_refused(refusal, chart))
    except StoreError as error:
        return Answer(query, selection, notice=Notice("The figures cannot be read", _sentence(str(error))))
    except Exception:
        _log.exception("%s failed", chart.slug)
        text = "Something is wrong with this chart, not with your selection. The reason is in the server's log."
        return Answer(query, selection, notice=Notice("This chart cannot be shown", text, chart.defaults))


def _edited(
    selection: Selection, shown: Mapping[str, Any], chart: Chart, nouns: Nouns
) -> tuple[str, Selection, InvalidSelection | None]:
    """The query string and selection that the controls show; a text that is no value stays in the query string."""
    was = controls.values(selection)
    typed, invalid = "", None
    for name, value in shown.items():
        if controls.same(value, was[name]):
            continue
        try:
            selection = controls.edited(selection, name, value, defaults=chart.defaults, nouns=nouns)
        except InvalidSelection as error:
            typed, invalid = urlencode([(name, value)]), error
    query = selection.query(defaults=chart.defaults)
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
        makers = nouns.makers | nouns.groups if selection.by is By.GROUP else nouns.makers
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
    return Notice("This link cannot be read", _sentence(text), nearest)


def _refused(refusal: Refusal, chart: Chart) -> Notice:
    unlike = isinstance(refusal, Incomparable)
    heading = "This comparison is not drawn" if unlike else "No figures for this selection"
    return Notice(heading, _sentence(str(refusal)), refusal.nearest or chart.defaults)


def _sentence(text: str) -> str:
    first = text.split(" ", 1)[0]
    text = text if "=" in first else text[:1].upper() + text[1:]
    return text + ("" if text.endswith((".", "…")) else ".")


# The card


def headline(chart: Chart, reply: Answer) -> list[Component]:
    """Question, finding, subtitle and badge."""
    reading = reply.reading
    if reading is None:
        notice = reply.notice or Notice("Nothing to show", "")
        return [html.P(chart.question, className="question"), html.H2(notice.heading, id="finding")]
    badge = reading.badge
    return [
        html.P(chart.question, className="question"),
        html.H2(_unbroken(reading.title), id="finding"),
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


def plot(chart: Chart, reply: Answer, look: Look, *, narrow: bool) -> tuple[Figure, list[Component]]:
    """The plot, and a key to its lines where the screen is too narrow for labels at their ends.

    An empty plot where a notice stands in its place.
    """
    if reply.reading is None:
        return {"data": [], "layout": {"height": 10, "xaxis": {"visible": False}, "yaxis": {"visible": False}}}, []
    drawn = chart.draw(reply.reading, look)
    layout = drawn["layout"]
    labels = [each for each in layout.get("annotations", ()) if each.get("name") == style.LINE_END]
    if not narrow or not labels:
        return drawn, []
    others = [each for each in layout["annotations"] if each.get("name") != style.LINE_END]
    margin = {**layout["margin"], "l": 34, "r": 10}
    key: list[Component] = [
        html.Span([html.I(style={"background": label["font"]["color"]}), _unescaped(label["text"])]) for label in labels
    ]
    return {**drawn, "layout": {**layout, "annotations": others, "margin": margin}}, key


def explanation(chart: Chart, path: str, reply: Answer) -> list[Component]:
    """The notice in place of the plot, with the link that leads on; nothing where there is a chart."""
    notice = reply.notice
    if notice is None:
        return []
    parts: list[Component] = [html.P(notice.text)]
    if notice.nearest is not None:
        query = notice.nearest.query(defaults=chart.defaults)
        instead = f"Show instead: {controls.summary(notice.nearest, reply.nouns)}"
        parts.append(html.P(dcc.Link(instead, href=f"{path}?{query}" if query else path, className="way-on")))
    return [html.Div(parts, className="notice", role="status")]


def footing(chart: Chart, reply: Answer, drawn: Figure) -> list[Component]:
    """All that stands under the plot: notes, source, downloads, the newest receipts and the table."""
    reading = reply.reading
    if reading is None:
        return []
    query = reading.selection.query(defaults=chart.defaults)
    return [
        *([html.Ul([html.Li(note) for note in reading.notes], className="notes")] if reading.notes else []),
        _sources(reading),
        _actions(chart, reading, query),
        _newest(drawn, reading),
        html.Details(
            [html.Summary("Data table"), *_table(chart.table(reading))],
            className="data-table",
        ),
    ]


def _sources(reading: Reading) -> Component:
    parts: list[Any] = ["Source: " if len(reading.citations) == 1 else "Sources: "]
    for n, cited in enumerate(reading.citations):
        parts += ["; "] if n else []
        parts += [outside(cited.publisher, cited.url), ", ", outside(cited.licence, cited.licence_url)]
        parts += [f". {cited.warning}".removesuffix(".")] if cited.warning else []
    parts.append(f". As known on {known_on(reading)}.")
    return html.P(parts, className="source")


def known_on(reading: Reading) -> date | None:
    """The day on which the figures shown were known: the one asked for, or that of the latest snapshot used."""
    return reading.selection.as_of or max((cited.known_on for cited in reading.citations), default=None)


def _actions(chart: Chart, reading: Reading, query: str) -> Component:
    suffix = f"?{query}" if query else ""
    pinned = reading.selection
    if pinned.as_of is None:
        day = known_on(reading)
        extra = f"as_of={day}" if day else ""
        pinned_query = "&".join(part for part in (query, extra) if part)
    else:
        pinned_query = query
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
                **data(copy=f"?{pinned_query}"),
            ),
        ],
        className="actions",
    )


def _table(table: Table) -> list[Component]:
    header = html.Thead(html.Tr([html.Th(name, scope="col") for name in table.header]))
    rows = [html.Tr([html.Th(row[0], scope="row"), *(html.Td(cell) for cell in row[1:])]) for row in table.rows]
    scrolled = html.Div(
        html.Table([header, html.Tbody(rows)]),
        className="scroll",
        tabIndex=0,
        role="region",
        **aria(label="Data table"),
    )
    return [html.P(table.caption, className="caption"), scrolled]


def outside(text: str, url: str) -> Component:
    """A link to another site; plain text where the address is no web address."""
    if urlsplit(url).scheme not in ("http", "https"):
        return html.Span(text)
    return html.A(text, href=url, rel="noopener noreferrer", target="_blank")


# Receipts


@dataclass(frozen=True)
class Drawn:
    """One drawn point: its key, the name of its line, and its value as the plot words it."""

    point: Point
    name: str
    text: str


def points(drawn: Figure, *, latest_only: bool = False) -> list[Drawn]:
    """Every point of a figure that has a receipt, line by line, oldest first; or those of the latest period."""
    candidates = [
        (trace, n, key)
        for trace in drawn["data"]
        for n, key in enumerate(trace.get("customdata") or ())
        if len(key) == 4 and n < len(trace.get("text") or ()) and trace["text"][n]
    ]
    if latest_only and candidates:
        latest = max(key[3] for *_, key in candidates)
        candidates = [each for each in candidates if each[2][3] == latest]
    found = []
    for trace, n, key in candidates:
        name = trace["y"][n] if trace.get("orientation") == "h" else trace.get("name", "")
        found.append(Drawn(point=point_of(key), name=_unescaped(str(name)), text=str(trace["text"][n])))
    return found


def point_of(key: Sequence[Any]) -> Point:
    """A point from its key in the figure: market, maker, model, month number. Raises ValueError for anything else."""
    market, maker, model, month = key
    if not isinstance(month, int) or not all(isinstance(part, str) for part in (market, maker, model)):
        raise ValueError("a point is market, maker, model and month number")
    return Point(market=market, maker=maker, model=model, period_start=month)


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _key(point: Point) -> str:
    return json.dumps([point.market, point.maker, point.model, point.period_start])


def _period(point: Point, selection: Selection) -> str:
    return style.period_text(date(point.period_start // 12, point.period_start % 12 + 1, 1), selection.grain.value)


def _newest(drawn: Figure, reading: Reading) -> Component:
    """Buttons for the receipts of the latest period's points: the way to them by keyboard."""
    of_latest = points(drawn, latest_only=True)
    if not of_latest:
        return html.Div()
    return html.Div(
        [
            html.Span(f"Receipts of {_period(of_latest[0].point, reading.selection)}, or click any point:"),
            *(
                html.Button(each.name, type="button", className="link-button", **data(point=_key(each.point)))
                for each in of_latest
            ),
        ],
        className="newest",
    )


def receipts(site: Site, chart: Chart, query: str, key: Sequence[Any]) -> Component:
    """The receipts of one point of the chart that a query string gives."""
    reply = answer(site, chart, query)
    if reply.reading is None:
        return html.Div()
    try:
        point = point_of(key)
        drawn = points(chart.draw(reply.reading, style.SCREEN))
        here = next(each for each in drawn if each.point == point)
        with explained(site.engine), site.engine.connect() as connection:
            claims = chart.receipts(connection, reply.reading, point)
    except (ValueError, StopIteration):
        return html.Div(html.P("This point is not in the chart any more."), className="receipts")
    except StoreError as error:
        return html.Div(html.P(f"{error}."), className="receipts")
    line = [each for each in drawn if each.name == here.name and each.point.market == point.market]
    place = line.index(here)
    before = line[place - 1] if place else None
    after = line[place + 1] if place + 1 < len(line) else None
    selection = reply.reading.selection
    return html.Section(
        [
            html.Header(
                [
                    html.H3(f"{here.name}, {_period(point, selection)}: {here.text}", tabIndex=-1),
                    html.Div(
                        [
                            _step("‹ Earlier", before, selection),
                            _step("Later ›", after, selection),
                            html.Button("Close", type="button", className="button", **data(point="null")),
                        ],
                        className="steps",
                    ),
                ]
            ),
            *_slips(claims),
        ],
        className="receipts",
        **aria(label="Receipts"),
    )


def _step(label: str, to: Drawn | None, selection: Selection) -> Component:
    if to is None:
        return html.Button(label, type="button", className="button", disabled=True)
    title = f"Receipts of {_period(to.point, selection)}"
    return html.Button(label, type="button", className="button", title=title, **data(point=_key(to.point)))


def _slips(claims: Any) -> list[Component]:
    """One slip for each text that a publisher cites in a file: its claims, and all that identifies the file."""
    if not len(claims):
        text = "No claim names this maker in the period: its figure is bounded by the unnamed rest and the total alone."
        return [html.P(text)]
    slips: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    kept = ("source", "file", "known_from", "known_on", "sha256", "obtained", "origin_url", "text", "urls")
    newest_first = claims.sort_values("period_start", ascending=False, kind="stable").head(_CLAIMS)
    for claim in newest_first.to_dict("records"):
        slips.setdefault(tuple(str(claim[name]) for name in kept), []).append(claim)
    parts: list[Component] = [_slip(dict(zip(kept, key, strict=True)), of_slip) for key, of_slip in slips.items()]
    more = len(claims) - len(newest_first)
    earlier = parts[_SLIPS:] + ([html.P(f"And {more} more claims, which the JSON has.")] if more else [])
    if not earlier:
        return parts
    return [*parts[:_SLIPS], html.Details([html.Summary("Earlier claims that the figure is made of"), *earlier])]


def _slip(of: dict[str, str], claims: list[dict[str, Any]]) -> Component:
    rows = [
        html.Tr(
            [
                html.Td(style.period_text(str(claim["period_start"]), str(claim["grain"]))),
                html.Td(f"{claim['maker']} {claim['model'] if claim['model'] != 'All models' else ''}".strip()),
                html.Td(f"{int(claim['units']):,}", className="number"),
                html.Td(f"{int(claim['line']):,}", className="number"),
            ]
        )
        for claim in claims
    ]
    header = [html.Th("Period"), html.Th("As published"), html.Th("Cars", className="number")]
    header.append(html.Th("Line in the file", className="number"))
    cited = of["urls"].split()
    facts: list[tuple[str, Any]] = [
        ("Original source", [part for url in cited for part in (outside(url, url), html.Br())] or of["text"]),
        ("Read from", [outside(of["file"], of["origin_url"]), f" of {of['source']}"]),
        ("Known from", f"{of['known_from']} (file as of {of['known_on']})"),
        ("SHA-256 of the file", html.Code(of["sha256"])),
        ("How obtained", f"{of['obtained']}: {Obtained(of['obtained']).meaning}"),
    ]
    if cited and of["text"].strip() not in cited:
        facts.insert(1, ("In the publisher's words", of["text"]))
    return html.Div(
        [
            html.Div(
                html.Table([html.Thead(html.Tr(header)), html.Tbody(rows)]),
                className="scroll",
            ),
            html.Dl([part for term, fact in facts for part in (html.Dt(term), html.Dd(fact))]),
        ],
        className="slip",
    )
