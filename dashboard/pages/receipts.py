"""The receipts of one point: every claim that its figure is made of, and all that identifies the files they are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboard import style
from dashboard.answers import not_again
from dashboard.charts.chart import Chart
from dashboard.controls import aria, data
from dashboard.downloads import public
from dashboard.pages.card import answer, outside, sentence
from dashboard.pages.page import Page, Site
from dashboard.pages.points import Drawn, key_of, period_of, point_of, points
from dashboard.selection import Selection
from db.database import StoreError, explained
from db.vocabulary import Obtained

_CLAIMS = 200
"""Claims that a receipt lists before it counts the rest, which the JSON has."""

_SLIPS = 2
"""Slips of a receipt that are open from the start."""


def receipts(site: Site, page: Page, chart: Chart, query: str, key: Sequence[Any]) -> Component:
    """The receipts of one point of a page's chart, as a query string gives it; nothing where it has none."""
    reply = answer(site, page, chart, query)
    if reply.reading is None or chart.receipts is None:
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
        not_again()
        return html.Div(html.P(sentence(public(error, site.engine))), className="receipts")
    line = [each for each in drawn if each.name == here.name and each.point.market == point.market]
    place = line.index(here)
    before = line[place - 1] if place else None
    after = line[place + 1] if place + 1 < len(line) else None
    selection = reply.reading.selection
    return html.Section(
        [
            html.Header(
                [
                    html.H3(f"{here.name}, {period_of(chart, point, selection)}: {here.text}", tabIndex=-1),
                    html.Div(
                        [
                            _step(chart, "‹ Earlier", before, selection),
                            _step(chart, "Later ›", after, selection),
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


def _step(chart: Chart, label: str, to: Drawn | None, selection: Selection) -> Component:
    if to is None:
        return html.Button(label, type="button", className="button", disabled=True)
    title = f"Receipts of {period_of(chart, to.point, selection)}"
    return html.Button(label, type="button", className="button", title=title, **data(point=key_of(to.point)))


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


def _of_cars(claim: Mapping[str, Any]) -> list[Component]:
    return [
        html.Td(style.period_text(str(claim["period_start"]), str(claim["grain"]))),
        html.Td(f"{claim['maker']} {claim['model'] if claim['model'] != 'All models' else ''}".strip()),
        html.Td(f"{int(claim['units']):,}", className="number"),
    ]


def _of_record(claim: Mapping[str, Any]) -> list[Component]:
    day = date.fromisoformat(claim["period_start"])
    return [html.Td(style.day_text(day)), html.Td(claim["about"]), html.Td(claim["stated"], className="number")]


def _slip(of: dict[str, str], claims: list[dict[str, Any]]) -> Component:
    is_record = "stated" in claims[0]
    rows = [
        html.Tr(
            [*(_of_record(claim) if is_record else _of_cars(claim)), html.Td(f"{claim['line']:,}", className="number")]
        )
        for claim in claims
    ]
    header = [html.Th("From" if is_record else "Period"), html.Th("As published")]
    header += [html.Th("Stated" if is_record else "Cars", className="number")]
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
