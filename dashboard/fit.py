"""Makes what the projection rests on, ahead of the pages that show it: `python -m dashboard.fit`, from DATABASE_URL.

Fits and back-tests are files in FITS, by default the folder `fits` beside the SQLite file. What is there already is not
made again, so that it may run after every load of data.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer

from dashboard import projected
from dashboard.projected import Told
from dashboard.selection import Refusal
from db.database import DEFAULT_URL, StoreError, explained, open_engine, ready


def main(
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], metavar="DAY", help="The record as known on a day alone."),
    ] = None,
    backtest: Annotated[bool, typer.Option("--backtest", help="With a day: its back-tests too (minutes).")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing of the progress.")] = False,
) -> None:
    """Make the fits of the record as known now and in May 2024, and the back-tests; each is done once."""
    if hasattr(os, "nice"):
        # Whoever waits for a page comes first.
        os.nice(5)
    tell = _silent if quiet else _progress
    try:
        engine = open_engine(os.environ.get("DATABASE_URL") or DEFAULT_URL)
        ready(engine)
        today = datetime.now(UTC).date()
        with explained(engine):
            with engine.connect() as connection:
                told = projected.told(connection, as_of=as_of.date() if as_of else None, today=today)
                then = (
                    None if as_of else _then(lambda: projected.told(connection, as_of=projected.MAY_2024, today=today))
                )
            _fit(told, tell)
            if isinstance(then, Told):
                _fit(then, tell)
            elif then:
                print(then)
            if backtest or not as_of:
                made = projected.make_backtests(told, progress=lambda done: tell("back-tests", done))
                print(f"back-tests as known on {told.record.as_of}: {len(made)} predictions, in {told.folder}")
    except (Refusal, StoreError, OSError) as error:
        _fail(str(error))


def _then(read: Callable[[], Told]) -> Told | str:
    """The record of a past day; in words why there is none, which is no error: a new database knows no past."""
    try:
        return read()
    except Refusal as refused:
        return f"not as known on {projected.MAY_2024}: {refused}"


def _fit(told: Told, tell: Callable[[str, float], None]) -> None:
    made = projected.make_fit(told, progress=lambda done: tell("fit", done))
    if made.refusal:
        _fail(made.refusal)
    print(
        f"fit as known on {told.record.as_of}: {made.distinct:,} of {made.particles:,} parameter sets differ, at least "
        f"{made.least_effective:,.0f} effective at each step, in {told.folder}"
    )


def _progress(what: str, done: float) -> None:
    print(f"{what} {done:.0%}", file=sys.stderr, flush=True)


def _silent(_what: str, _done: float) -> None:
    pass


def _fail(reason: str) -> NoReturn:
    print(f"error: {' '.join(reason.split())}", file=sys.stderr)
    raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
