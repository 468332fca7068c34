"""The command line of the write side: `python -m etl`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, NoReturn, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from db import Engine, queries
from db.store import DEFAULT_URL, Outcome, StoreError, open_engine
from etl import bundle as bundled
from etl import pipeline
from etl.pipeline import Refusal
from etl.snapshots import Refused, SnapshotStore
from etl.sources import CONNECTORS

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Load public sales and pricing figures into the database, each with where it came from.",
)

SourceOption = Annotated[
    list[str] | None, typer.Option("--source", metavar="SLUG", help="Only this source (may be repeated).")
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


class _Tally:
    """Counts outcomes and shows them: a progress bar on a terminal, a line a file elsewhere."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.refusals: list[Refusal] = []
        self._progress: Progress | None = None
        if sys.stderr.isatty():
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                console=Console(stderr=True),
            )
            self._task = self._progress.add_task("loading", total=None)

    def __enter__(self) -> _Tally:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress:
            self._progress.stop()

    def __call__(self, told: Outcome | Refusal) -> None:
        if isinstance(told, Refusal):
            self.refusals.append(told)
            _say(f"refused: {told.message}", stream=sys.stderr)
            return
        self.outcomes.append(told)
        if self._progress:
            self._progress.update(self._task, advance=1, description=f"{told.receipt.known_on} {told.receipt.file}")
        elif not told.already and told.receipt.obtained != "bundled":
            _say(
                f"{told.receipt.known_on} {told.receipt.file}: {told.read:,} figures read, "
                f"{told.loaded:,} new or changed, {told.unchanged:,} unchanged, {told.closed:,} closed"
            )

    def close(self, nothing: str) -> None:
        """The last line, and exit code 1 where a file was refused."""
        loaded = [outcome for outcome in self.outcomes if not outcome.already]
        if loaded:
            read, new = sum(o.read for o in loaded), sum(o.loaded for o in loaded)
            print(f"loaded {len(loaded)} snapshots: {read:,} figures read, {new:,} new or changed")
        elif not self.refusals:
            print(nothing)
        if self.refusals:
            print(
                f"error: {len(self.refusals)} files refused (see above); everything else is loaded",
                file=sys.stderr,
            )
            raise typer.Exit(1)


@app.command()
def load(
    source: SourceOption = None,
    folder: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Read upstream files from this folder, nothing else."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="URL", help="With --from: where the folder was downloaded from.")
    ] = None,
    known_on: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM-DD", help="With --from: the day these files became known (today)."),
    ] = None,
    accept_removals: Annotated[
        bool, typer.Option(help="With --from: load a file though it covers less time than before.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Load bundled and kept snapshots that are not in the database yet, or the files of a folder."""
    slugs = _sources(source)
    if folder is None and (known_on is not None or accept_removals or address is not None):
        _usage("--address, --known-on and --accept-removals go with --from DIR")
    if address is not None and not address.startswith(("http://", "https://")):
        _usage(f"--address '{address}' is no address such as https://example.org/")
    now = datetime.now(UTC)
    day = now.date() if known_on is None else _day(known_on)
    if day > now.date():
        _usage(f"--known-on {day} lies in the future")

    def work(engine: Engine, keep: SnapshotStore) -> None:
        pipeline.create(engine)
        with _Tally() as tally:
            if folder is None:
                pipeline.load_bundled(engine, [s for s in slugs if s in bundled.sources()], keep=keep, tell=tally)
                pipeline.load(engine, (s for s in keep.kept() if s.source in slugs), keep=None, tell=tally)
            else:
                if not folder.is_dir():
                    _fail(f"{folder} is no folder; name one laid out as upstream serves it (data/data-CN.js)")
                found = pipeline.snapshots_in(
                    folder,
                    [pipeline.connector(slug) for slug in slugs],
                    known_on=day,
                    address=address,
                    retrieved_at=now.replace(tzinfo=None),
                    accept_removals=accept_removals,
                )
                pipeline.load(engine, found, keep=keep, tell=tally)
                if not tally.outcomes and not tally.refusals:
                    _fail(f"{folder} holds no file of {', '.join(slugs)}; expected data/data-CN.js or the like")
        tally.close("nothing new: every snapshot is loaded already")

    _run(work, debug=debug)


@app.command()
def rebuild(debug: DebugOption = False) -> None:
    """Make the database anew, from empty, out of all kept snapshots."""

    def work(engine: Engine, keep: SnapshotStore) -> None:
        with _Tally() as tally:
            pipeline.rebuild(engine, keep=keep, tell=tally)
        tally.close("nothing to rebuild from: no snapshot is kept and none is bundled")

    _run(work, debug=debug)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    debug: DebugOption = False,
) -> None:
    """Show, for each source: last snapshot, last period of each market, rows, refused files."""

    def work(engine: Engine, _keep: SnapshotStore) -> None:
        found = queries.status(engine)
        if as_json:
            print(json.dumps(found, indent=1, ensure_ascii=False, default=str))
            return
        for entry in found["sources"]:
            print(f"{entry['slug']}: {entry['title']}, {entry['licence']}, {entry['url']}")
            print(
                f"  last snapshot {entry['last_snapshot']}, {entry['snapshots']} snapshots loaded, "
                f"{entry['figures']:,} figures as known now, {entry['figures_all_vintages']:,} with revisions"
            )
            for market in entry["markets"]:
                print(
                    f"  {market['market']:<6}{market['powertrain']:<5}{market['grain']:<8}"
                    f"{market['first_period']} to {market['last_period']}  {market['figures']:>7,} figures"
                )
            for refusal in entry["refused"]:
                print(f"  refused {refusal['known_on']} {refusal['file']} line {refusal['line']}: {refusal['reason']}")

    _run(work, debug=debug)


@app.command()
def bundle(source: SourceOption = None, debug: DebugOption = False) -> None:
    """Write etl/bundled/ from the current database, vintages included (for maintainers)."""
    slugs = _sources(source)

    def work(engine: Engine, _keep: SnapshotStore) -> None:
        for slug in slugs:
            print(f"{slug}: {bundled.write(engine, slug):,} bytes written")

    _run(work, debug=debug)


def _run(work: Callable[[Engine, SnapshotStore], None], *, debug: bool) -> None:
    url = os.environ.get("DATABASE_URL") or DEFAULT_URL
    try:
        work(open_engine(url), SnapshotStore.beside(url))
        sys.stdout.flush()
    except BrokenPipeError:
        _go_quiet(sys.stdout)
    except (StoreError, Refused, OSError) as error:
        if debug:
            raise
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted; every snapshot that was reported is loaded whole, nothing else is")


def _say(line: str, *, stream: TextIO | None = None) -> None:
    """Print while there is work left: a reader that has gone does not stop it."""
    try:
        print(line, file=stream or sys.stdout)
    except BrokenPipeError:
        _go_quiet(stream or sys.stdout)


def _go_quiet(stream: TextIO) -> None:
    """The reader of our output has gone (`| head`): that is no error, but nothing more can be printed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _sources(asked: list[str] | None) -> list[str]:
    known = [connector.SOURCE.slug for connector in CONNECTORS]
    for slug in asked or []:
        if slug not in known:
            _usage(f"there is no source '{slug}'; the sources are: {', '.join(known)}")
    return asked or known


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        _usage(f"'{text}' is no day such as 2026-07-23")


def _usage(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(2)


def _fail(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
