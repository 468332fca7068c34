"""The Sources page: where the figures come from, how fresh and complete they are, and what was refused.

Texts of files and publishers become components here, never markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from dash import html
from dash.development.base_component import Component

from dashboard import style
from dashboard.charts.conflicts import CONFLICTS
from dashboard.charts.coverage import COVERAGE
from dashboard.charts.revisions import REVISIONS
from dashboard.charts.source_health import SOURCE_HEALTH
from dashboard.controls import aria
from dashboard.pages.card import outside
from dashboard.pages.page import Page, Site
from dashboard.pages.tables import table
from dashboard.selection import InvalidSelection, Selection
from db import health
from db.database import explained, ready
from db.health import RejectedRow, SourceHealth
from db.store import CrossCheck
from db.vocabulary import Basis, States

LISTED = 50
"""Rows that a list shows before it only counts the rest."""

_STATES = {
    States.MARKET: "whole markets: makers, the unnamed rest and the total",
    States.MAKERS: "makers' own figures, which add up to no market",
    States.RECORDS: "prices, rates, offers or events, no counts of cars",
}


def below(site: Site, query: str) -> Sequence[Component]:
    """Every source, the rows and files that were refused, and the cross-checks, as known on the page's `as_of`."""
    try:
        as_of = Selection.from_query(query, defaults=COVERAGE.defaults).as_of
    except InvalidSelection:
        as_of = None
    ready(site.engine)
    with explained(site.engine), site.engine.connect() as connection:
        sources = health.source_health(connection, as_of=as_of)
        rejected = health.rejected_rows(connection, as_of=as_of, limit=LISTED)
        refused = health.refused_files(connection, as_of=as_of)
        checks = health.cross_checks(connection)
    on = as_of or site.today()
    loaded = [of for of in sources if of.last_snapshot or of.refused_files]
    return [
        _section("every-source", "Every source", _sources(loaded, on=on)),
        _section("rejected-rows", "Rejected rows", _rejected(rejected, count=sum(of.rows.rejected for of in loaded))),
        _section("refused-files", "Refused files", _refused(refused)),
        _section("cross-checks", "Cross-checks", _checks(checks, as_of=as_of)),
    ]


def _section(name: str, heading: str, children: Sequence[Component]) -> Component:
    return html.Section([html.H2(heading), *children], className="card", id=name, **aria(label=heading))


# Sources


def _sources(sources: Sequence[SourceHealth], *, on: date) -> list[Component]:
    if not sources:
        return [html.P("No source is loaded. 'python -m etl load' loads the figures that ship with the project.")]
    return [_source(of, on=on) for of in sources]


def _source(of: SourceHealth, *, on: date) -> Component:
    described, latest = of.source, of.latest
    due: list[Component | str] = ["nothing: it has no periods"]
    if latest:
        due = [style.day_text(latest.next_due)]
        if of.is_overdue(on=on):
            due += [" ", html.Span("overdue", className="badge amber")]
    late = of.late_markets(on=on)
    if late and not of.is_overdue(on=on):
        due.append(", late: " + ", ".join(each.market_name for each in late))
    bases = [f"{basis} ({Basis(basis).meaning})" for basis in of.bases]
    counts = (
        f"{of.rows.accepted:,} accepted, {of.rows.rejected:,} rejected, {of.rows.out_of_scope:,} out of scope, "
        f"{of.rows.duplicate:,} duplicate"
    )
    facts: dict[str, list[Component | str]] = {
        "Publisher": [outside(described.publisher, described.url)],
        "Licence": [outside(described.licence, described.licence_url)],
        "States": [_STATES[described.states]],
        "Counts": ["; ".join(bases)],
        "Changes": [described.cadence.value],
        "Last file": [style.day_text(of.last_snapshot) if of.last_snapshot else "none that was accepted"],
        "Next due": due,
        "Rows": [counts],
        "Figures": [f"{of.figures:,} stand, {of.figures_all_vintages:,} with revisions"],
    }
    if of.recorded:
        facts["Records"] = ["; ".join(f"{each.figures:,} in {each.table}" for each in of.recorded)]
    if not of.bases:
        del facts["Counts"]
    if not of.figures_all_vintages:
        del facts["Figures"]
    return html.Div(
        [
            html.Div(
                [
                    html.H3(described.title, style={"margin": "0 0 4px", "fontSize": "16px"}),
                    html.P(described.warning, style={"margin": 0}),
                ]
            ),
            html.Dl([part for term, fact in facts.items() for part in (html.Dt(term), html.Dd(fact))]),
        ],
        className="slip",
    )


# What was refused


def _rejected(rows: Sequence[RejectedRow], *, count: int) -> list[Component]:
    if not count:
        return [html.P("No row of the files that the figures stand on was rejected.")]
    said = f"{count:,} {_plural('row', count)} of the files that the figures stand on {_were(count)} left out."
    return [
        html.P(_first_of(len(rows), count, said)),
        *([table(_PLACE, [_place(row) for row in rows], label="Rejected rows")] if rows else []),
    ]


def _refused(rows: Sequence[RejectedRow]) -> list[Component]:
    if not rows:
        return [html.P("No file was refused.")]
    said = f"{len(rows):,} {_plural('file', len(rows))} {_were(len(rows))} refused: nothing of them is in the figures."
    cells = [(*_place(row), "yes" if row.is_replaced else "no") for row in rows[-LISTED:]]
    return [
        html.P(_first_of(min(len(rows), LISTED), len(rows), said, which="newest")),
        table((*_PLACE, "Replaced since"), cells, label="Refused files"),
    ]


_PLACE = ("Source", "File", "Known on", "Line", "Column", "Value", "Reason")


def _place(row: RejectedRow) -> tuple[str, ...]:
    return (
        row.source,
        row.file,
        row.known_on.isoformat(),
        f"{row.line:,}" if row.line else "whole file",
        row.column or style.MISSING,
        row.value or style.MISSING,
        row.reason,
    )


def _first_of(shown: int, count: int, said: str, *, which: str = "first") -> str:
    if shown >= count:
        return said
    return f"{said} The {which} {shown:,} are listed; 'python -m etl status --json' lists all."


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


# Cross-checks


def _checks(checks: Sequence[CrossCheck], *, as_of: date | None) -> list[Component]:
    if not checks:
        return [html.P("No figures have been checked against each other yet.")]
    parts: list[Component] = [html.P("These are of the figures as known now.")] if as_of else []
    rows = [(each.rule, each.meaning, f"{each.checked:,}", f"{len(each.differences):,}") for each in checks]
    parts.append(table(("Rule", "Meaning", "Checked", "Differing"), rows, label="Cross-checks", numbers=(2, 3)))
    if not any(each.differences for each in checks):
        return [*parts, html.P("All of them agree.")]
    return [*parts, *(_differing(each) for each in checks if each.differences)]


def _differing(check: CrossCheck) -> Component:
    """What differs of one rule, the newest first."""
    count, shown = len(check.differences), check.differences[:LISTED]
    names = ("Source", "Market", "Basis", "Cars", "Maker", "Period", "Stated", "Computed", "Note")
    cells = [
        (
            each.source,
            each.market,
            each.basis,
            each.powertrain,
            each.maker,
            style.period_text(each.period_start, each.grain),
            f"{each.stated:,}",
            f"{each.computed:,}",
            each.note,
        )
        for each in shown
    ]
    more = [html.P(f"The newest {len(shown):,} are listed.")] if count > len(shown) else []
    heading = f"{check.rule}: {count:,} {_plural('pair', count)} {'differs' if count == 1 else 'differ'}"
    # Few are what a reader looks for; many have one cause, which the note says.
    listed = table(names, cells, label=check.rule, numbers=(6, 7))
    return html.Details([html.Summary(heading), *more, listed], open=count <= _FEW)


_FEW = 10
"""Differences of one rule that are shown without being asked for."""


SOURCES = Page(
    path="/sources",
    name="Sources",
    description="Where every figure comes from: coverage, freshness, revisions, conflicts, refused rows and licences.",
    charts=(COVERAGE, SOURCE_HEALTH, REVISIONS, CONFLICTS),
    controls=("market", "powertrain", "grain", "since", "until", "as_of"),
    below=below,
)
