"""The This week page: the findings, what changed, the headline makers, what is overdue, and the last reports."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from dash import html
from dash.development.base_component import Component
from PIL import Image

from dashboard import findings, ledger, style
from dashboard.charts import change_ledger
from dashboard.charts.change_ledger import CHANGE_LEDGER
from dashboard.charts.headline_makers import NEWEST
from dashboard.controls import aria
from dashboard.ledger import Ledger
from dashboard.pages.page import Page, Site
from dashboard.selection import InvalidSelection, Refusal, Selection
from dashboard.what_changed import Kind
from db import Connection
from db.database import explained, ready

REPORTS = 3
"""Reports that are shown, the newest first."""

_PICTURE = (420, 595)
"""The room of a report's one-page digest in pixels: twice as many as are shown, for sharp screens."""


def above(site: Site, query: str) -> Sequence[Component]:
    """The findings of the two days of the page's selection; nothing where it cannot be read, which its card says."""
    ready(site.engine)
    with explained(site.engine), site.engine.connect() as connection:
        found = _ledger(connection, query, today=site.today())
        if found is None:
            return []
        told = findings.of_week(connection, day=found.until, before=found.after, found=found)
    said = [html.Li([html.A(each.text, href=each.link), html.Span(each.kind.meaning)]) for each in told]
    days = (found.until - found.after).days
    return [
        html.Section(
            [
                html.H2(f"What the {days} days to {style.day_text(found.until)} say"),
                html.Ol(said, className="presets")
                if said
                else html.P(findings.silence(day=found.until, before=found.after)),
            ],
            className="card",
            id="findings",
            **aria(label="Findings"),
        )
    ]


def _ledger(connection: Connection, query: str, *, today: date) -> Ledger | None:
    """The ledger between the days that a query string names, of all markets: findings are never narrowed."""
    try:
        selection = Selection.from_query(query, defaults=CHANGE_LEDGER.defaults)
        after, until = change_ledger.days(connection, selection, today=today)
    except (InvalidSelection, Refusal):
        return None
    return ledger.between(connection, after=after, until=until, on=selection.as_of or today)


def below(site: Site, query: str) -> Sequence[Component]:
    """What is overdue, and the last reports that were made."""
    ready(site.engine)
    with explained(site.engine), site.engine.connect() as connection:
        found = _ledger(connection, query, today=site.today())
    parts = [_overdue(found)] if found is not None else []
    return [*parts, _reports(Path(os.environ.get("REPORTS") or "reports"))]


def _overdue(found: Ledger) -> Component:
    late = sorted(found.of(Kind.OVERDUE), key=lambda entry: entry.since)
    on = style.day_text(found.on)
    if not late:
        body: list[Component] = [html.P(f"No source is overdue on {on}.")]
    else:
        header = html.Tr([html.Th(name, scope="col") for name in ("Source", "Due since", "Days late", "Last period")])
        rows = [
            html.Tr(
                [
                    html.Th(entry.about, scope="row"),
                    html.Td(style.day_text(entry.since)),
                    html.Td(f"{(found.on - entry.since).days:,}", className="number"),
                    html.Td(_period(entry.month, entry.grain)),
                ]
            )
            for entry in late
        ]
        table = html.Table([html.Thead(header), html.Tbody(rows)])
        body = [
            html.P(
                [
                    f"Judged on {on}. ",
                    html.A("All sources", href=f"/sources?as_of={found.on}#source-health"),
                    ", with their rows and files.",
                ]
            ),
            html.Div(table, className="scroll", tabIndex=0, role="region", **aria(label="Overdue sources")),
        ]
    return html.Section([html.H2("Overdue"), *body], className="card", id="overdue", **aria(label="Overdue"))


def _period(month: int | None, grain: str) -> str:
    if month is None:
        return style.MISSING
    return style.period_text(date(month // 12, month % 12 + 1, 1), grain)


# Reports


@dataclass(frozen=True)
class Made:
    """A report that was made: its week, the day as known on which, and the name and title of each sheet."""

    week: str
    as_of: str
    sheets: tuple[tuple[str, str], ...]
    digest: Path


def made(folder: Path) -> tuple[Made, ...]:
    """The newest reports in a folder, the newest first; one that is not whole or cannot be read is left out."""
    found = []
    weeks = sorted((path for path in folder.glob("*") if re.fullmatch(r"\d{4}-W\d\d", path.name)), reverse=True)
    for path in weeks:
        try:
            told = json.loads((path / "report.json").read_text(encoding="utf-8"))
            sheets = tuple((str(sheet["name"]), str(sheet["title"])) for sheet in told["sheets"])
            report = Made(path.name, str(told["as_of"]), sheets, path / "digest.png")
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if report.digest.is_file():
            found.append(report)
        if len(found) == REPORTS:
            break
    return tuple(found)


def _reports(folder: Path) -> Component:
    reports = made(folder)
    heading = html.H2("Reports")
    if not reports:
        body: list[Component] = [html.P("No report has been made yet: 'make report' writes this week's sheets.")]
    else:
        body = [shown(report) for report in reports]
    return html.Section([heading, *body], className="card", id="reports", **aria(label="Reports"))


def shown(report: Made) -> Component:
    """A report: its sheets by title, and its digest in small."""
    count = len(report.sheets)
    picture = _small(str(report.digest), report.digest.stat().st_mtime_ns)
    sheets = [html.Li([html.Strong(f"{name}: "), title]) for name, title in report.sheets]
    return html.Details(
        [
            html.Summary(f"Week {report.week}, as known on {report.as_of}: {count} sheet{'' if count == 1 else 's'}"),
            *(
                [
                    html.Img(
                        src=picture,
                        alt=f"The digest of {report.week}",
                        style={"width": f"{_PICTURE[0] // 2}px", "maxWidth": "100%", "float": "right"},
                    )
                ]
                if picture
                else []
            ),
            html.Ol(sheets),
        ],
        open=True,
    )


@lru_cache(maxsize=4 * REPORTS)
def _small(path: str, _changed: int) -> str:
    """A picture in small, as an address that holds it; empty where it is none. A page may show pictures of its own site
    and of such addresses only, and reports lie beside it."""
    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB")
            small.thumbnail(_PICTURE)
    except OSError:
        return ""
    content = BytesIO()
    small.save(content, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


THIS_WEEK = Page(
    path="/this-week",
    name="This week",
    description="What was published, revised or is overdue, most important first, and what it says.",
    charts=(CHANGE_LEDGER, NEWEST),
    controls=("market", "makers", "date", "as_of"),
    above=above,
    below=below,
)
