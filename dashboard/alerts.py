"""The thresholds that were crossed since the last Sunday: `python -m dashboard.alerts`.

An alert is a finding of `dashboard.findings` that has a threshold: a maker passed another, a share moved by more than
it usually does, a price was cut, a source is overdue, a figure was revised by more than is usual. The thresholds are in
`alerts.toml`.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from dashboard import findings
from dashboard.findings import ALERTING, Finding
from dashboard.thresholds import STANDARD, THRESHOLDS, ThresholdError, Thresholds
from db import Connection
from db.database import DEFAULT_URL, StoreError, explained, open_engine, ready


def of(connection: Connection, *, day: date, before: date, thresholds: Thresholds = STANDARD) -> tuple[Finding, ...]:
    """The thresholds that were crossed by what became known after `before` and up to `day`, what weighs most first."""
    told = findings.told_by_rules(connection, day=day, before=before, thresholds=thresholds)
    return tuple(finding for finding in told if finding.kind in ALERTING)


def last_sunday(day: date) -> date:
    """The Sunday before a day."""
    return day - timedelta(days=day.isoweekday())


# Command line

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def alerts(
    as_of: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="As known on a day (default: today).")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="After which day (default: the Sunday before).")
    ] = None,
    thresholds: Annotated[
        Path, typer.Option(metavar="FILE", help="Another file of thresholds.", show_default=False)
    ] = THRESHOLDS,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Print the thresholds that were crossed, one a line; a line that says so where none was."""
    try:
        day = _day("--as-of", as_of) or datetime.now(UTC).date()
        before = _day("--since", since) or last_sunday(day)
        if before >= day:
            raise typer.BadParameter(f"{before} is not before {day}", param_hint="--since")
        chosen = Thresholds.read(thresholds)
        engine = open_engine(os.environ.get("DATABASE_URL") or DEFAULT_URL)
        ready(engine)
        with explained(engine), engine.connect() as connection:
            found = of(connection, day=day, before=before, thresholds=chosen)
    except (StoreError, ThresholdError) as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    if as_json:
        print(json.dumps([asdict(each) | {"link": each.link} for each in found], ensure_ascii=False, indent=1))
        return
    if not found:
        print(f"No threshold was crossed after {before} and up to {day}.")
    for each in found:
        print(f"{each.kind}: {each.text} {os.environ.get('PUBLIC_URL', '')}{each.link}")


def _day(name: str, value: str | None) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise typer.BadParameter(f"'{value}' is no day such as 2026-07-26", param_hint=name) from error


if __name__ == "__main__":
    app()
