"""The command line of the write side: `python -m etl`."""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final, NoReturn, TextIO

import pandas as pd
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from db import Engine, health
from db.contents import Outcome, Source
from db.database import DEFAULT_URL, StoreError, open_engine
from db.vocabulary import ALL, OTHER, Cadence, Obtained
from etl import bundle as bundled
from etl import harmonize, imports, pipeline, tidy
from etl.claims import Claims, Refused, printable
from etl.pipeline import DatedFile, Refusal
from etl.snapshots import Snapshot, SnapshotStore
from etl.sources import CONNECTORS, open_ev_charts
from etl.web import Failed, Fetched, Limits, Web
from etl.web import fetch as download

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
REJECTIONS_PRINTED = 20
"""Rejected rows of a source that `status` prints; as JSON it gives all."""

DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def _now() -> datetime:
    """What time it is: nothing below a command asks."""
    return datetime.now(UTC)


def _counted(count: int, noun: str) -> str:
    """'1 file', '2 files'."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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
            _say(f"refused: {printable(told.message)}", stream=sys.stderr)
            return
        self.outcomes.append(told)
        if self._progress:
            self._progress.update(self._task, advance=1, description=f"{told.receipt.known_on} {told.receipt.file}")
        elif not told.already and told.receipt.obtained not in ("bundled", "curated"):
            _say(
                f"{told.receipt.known_on} {told.receipt.file}: {told.read:,} rows read, "
                f"{told.loaded:,} figures new or changed, {told.unchanged:,} unchanged, {told.closed:,} closed"
                + (f", {told.rejected:,} rows rejected" if told.rejected else "")
            )

    def say(self, line: str) -> None:
        """Tell what is going on, above the bar on a terminal."""
        if self._progress:
            self._progress.update(self._task, description=line)
        else:
            _say(line, stream=sys.stderr)

    def begin_anew(self) -> None:
        """Forget what was loaded, since all of it is loaded again; what was refused stays told."""
        self.outcomes.clear()

    def cross_check(self, engine: Engine) -> None:
        """Hold the figures against one another where any are new, or were when this was broken off; what differs is
        counted and shown by the app."""
        if all(outcome.already for outcome in self.outcomes) and pipeline.is_cross_checked(engine):
            return
        found = pipeline.cross_check(engine)
        differing = sum(len(check.differences) for check in found)
        _say(
            f"cross-checks: {sum(check.checked for check in found):,} sums compared, {differing:,} differ "
            "(listed on the Sources page)"
        )

    def close(self, nothing: str) -> None:
        """The last line, and exit code 1 where a file was refused."""
        loaded = [outcome for outcome in self.outcomes if not outcome.already]
        if loaded:
            read, new = sum(o.read for o in loaded), sum(o.loaded for o in loaded)
            rejected = sum(o.rejected for o in loaded)
            what = f"{read:,} rows read, {new:,} figures new or changed"
            if rejected:
                what += f", {_counted(rejected, 'row')} rejected ('python -m etl status' says which and why)"
            print(f"loaded {_counted(len(loaded), 'snapshot')}: {what}")
        elif not self.refusals:
            print(nothing)
        if self.refusals:
            print(
                f"error: {_counted(len(self.refusals), 'file')} not loaded (see above); everything else is",
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
    now = _now()
    day = None if known_on is None else _day(known_on)
    if day and day > now.date():
        _usage(f"--known-on {day} lies in the future")

    def work(engine: Engine, keep: SnapshotStore) -> None:
        pipeline.create(engine, keep=keep)
        with _Tally() as tally:
            if folder is None:
                _load_at_hand(engine, source, keep=keep, tally=tally)
            else:
                if not folder.is_dir():
                    _fail(f"{folder} is no folder; name one laid out as upstream serves it")
                found = pipeline.snapshots_in(
                    folder,
                    [pipeline.connector(slug) for slug in slugs if slug in _LIVE],
                    known_on=day,
                    address=address,
                    retrieved_at=now.replace(tzinfo=None),
                    accept_removals=accept_removals,
                )
                pipeline.load(engine, found, keep=keep, tell=tally)
                if not tally.outcomes and not tally.refusals:
                    live = ", ".join(slug for slug in slugs if slug in _LIVE)
                    read_from = live or "a source that is read from files"
                    _fail(f"{folder} holds no file of {read_from}, laid out as upstream serves it")
            tally.cross_check(engine)
        tally.close("nothing new: every snapshot is loaded already")

    _run(work, debug=debug)


def _load_shipped(engine: Engine, slugs: list[str], *, keep: SnapshotStore, tally: _Tally) -> None:
    """The figures that ship with the project: bundled ones and curated ones."""
    pipeline.load_bundled(engine, [s for s in slugs if s in bundled.sources()], keep=keep, tell=tally)
    pipeline.load_curated(engine, slugs, keep=keep, tell=tally)


def _load_at_hand(engine: Engine, asked: list[str] | None, *, keep: SnapshotStore, tally: _Tally) -> None:
    """What needs no network: figures that ship with the project, kept snapshots and imports, of all or some sources."""
    slugs = _sources(asked)
    _load_shipped(engine, slugs, keep=keep, tally=tally)
    pipeline.load(engine, (s for s in keep.kept() if s.source in slugs), keep=None, tell=tally)
    for name in [] if asked else imports.slugs(keep):
        try:
            mine = imports.named(keep, name)
        except Refused as damaged:
            tally(Refusal(name, str(damaged)))
        else:
            pipeline.load_dated(engine, [mine] if mine else [], tell=tally)


@app.command()
def fetch(
    source: SourceOption = None,
    history: Annotated[
        bool, typer.Option("--history", help="Open EV Charts: one vintage a month since 2019, from its own history.")
    ] = False,
    time_limit: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="For everything together (600; 3600 with --history).")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Download what publishers have changed, keep it with its receipt, and load it."""
    slugs = [slug for slug in _sources(source) if slug in _LIVE]
    if not slugs:
        _usage(f"nothing to download: these are live: {', '.join(_LIVE)}")
    if history and source not in (None, [open_ev_charts.SOURCE.slug]):
        _usage(f"--history goes with --source {open_ev_charts.SOURCE.slug}")
    if time_limit is not None and not time_limit > 0:
        _usage(f"--time-limit {time_limit:g} leaves no time to ask anything")
    today = _now().date()
    limits = Limits(total_seconds=time_limit or (3600 if history else 600))

    def work(engine: Engine, keep: SnapshotStore) -> None:
        pipeline.create(engine, keep=keep)
        with _Tally() as tally, Web(now=_now, limits=limits, tell=tally.say) as web:
            if history:
                _load_shipped(engine, _sources(source), keep=keep, tally=tally)
                found = open_ev_charts.history(web=web, known=keep, today=today)
                kept = pipeline.keep_history(engine, _fetched(found), keep=keep, tell=tally)
                if kept:
                    _say(f"kept {kept:,} past snapshots; putting them in their places")
                    tally.begin_anew()
                    pipeline.rebuild(engine, keep=keep, imported=imports.kept, tell=tally)
                else:  # where an earlier run ended before its rebuild, this says so
                    _load_at_hand(engine, source, keep=keep, tally=tally)
                tally.close("nothing new: every month of the history is kept already")
                return
            # What is at hand is older than what is downloaded now: it comes first.
            _load_at_hand(engine, source, keep=keep, tally=tally)
            for slug in slugs:
                connector = pipeline.connector(slug)
                tally.say(f"{slug}: asking {connector.SOURCE.publisher} what has changed")
                found = download(slug, connector.downloads, web=web, known=keep, today=today)
                pipeline.load(engine, _fetched(found), keep=keep, tell=tally)
            tally.cross_check(engine)
        tally.close("nothing new: upstream serves what is loaded already")

    _run(work, debug=debug)


def _fetched(found: Iterable[Fetched | Failed]) -> Iterator[Snapshot | Refusal]:
    for each in found:
        yield Refusal(each.file, each.message) if isinstance(each, Failed) else each.snapshot


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file in the format of etl/curated/README.md.")],
    debug: DebugOption = False,
) -> None:
    """Validate figures of your own: every problem with its line, column and reason. Nothing is loaded."""

    def work(_engine: Engine, _keep: SnapshotStore) -> None:
        claims = _tidy(file, _content(file), known_on=_now().date())
        print(f"{file}: {_summary(claims)}; 'python -m etl import {shlex.quote(str(file))}' loads them")
        _, why_not = imports.amounts_to(claims)
        if why_not:
            print(f"{file}: makers' own figures, which add up to no market: {why_not}")

    _run(work, debug=debug)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file in the format of etl/curated/README.md.")],
    slug: Annotated[
        str | None, typer.Option("--as", metavar="SLUG", help="The source's name (by default the file's).")
    ] = None,
    title: Annotated[str, typer.Option(help="What the figures are, as printed under charts.")] = "",
    publisher: Annotated[str, typer.Option(help="Whose figures these are.")] = "",
    url: Annotated[str, typer.Option(help="Where they are published, if anywhere.")] = "",
    licence: Annotated[str, typer.Option(help="What others may do with them.")] = "not for publication",
    preferred: Annotated[
        bool, typer.Option(help="Draw these figures where another source states the same cell.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Load figures of your own, all or nothing, under a source of their own; 'remove' takes them away again."""
    name = slug if slug is not None else harmonize.slug(file.stem)
    if not name or name != harmonize.slug(name) or len(name) > 64:
        _usage(f"'{name}' is no name of small letters, digits and hyphens; give one with --as, such as --as my-figures")
    if name in _sources(None):
        _usage(f"'{name}' is a source of the project; give another name with --as, such as --as my-{name}")
    if url and not url.startswith(("http://", "https://")):
        _usage(f"--url '{url}' is no address such as https://example.org/figures")
    for text in (file.name, title, publisher, url, licence):
        if not text.isprintable():
            _usage(f"{text!r} holds a character that cannot be seen: type it again")

    def work(engine: Engine, keep: SnapshotStore) -> None:
        content = _content(file)
        before = imports.named(keep, name)
        is_same = before is not None and before.content == content
        # Figures that are here already have been known since they came.
        known_on = before.known_on if before and before.known_on and is_same else _now().date()
        claims = _tidy(file, content, known_on=known_on)
        states, why_not = imports.amounts_to(claims)
        described = Source(
            slug=name,
            title=title or file.name,
            publisher=publisher or "Imported",
            url=url,
            licence=licence,
            licence_url=url,
            states=states,
            cadence=Cadence.MONTHLY,
            lag_days=365,
            precedence=0 if preferred else 900,
            warning="",
        )
        dated = DatedFile(described, file.name, content, Obtained.IMPORTED, known_on)
        pipeline.create(engine, keep=keep)
        with _Tally() as tally:
            pipeline.load_dated(engine, [dated], keep=lambda accepted: imports.keep(keep, accepted), tell=tally)
            tally.cross_check(engine)
        if before and not is_same:
            print(f"{name}: takes the place of {before.file}, imported on {before.known_on}")
        if why_not:
            print(f"{name}: makers' own figures, which add up to no market: {why_not}")
        changed = "; how it is described has changed" if before and before.source != described else ""
        tally.close(f"nothing new: {file} is loaded already as {name}{changed}")

    _run(work, debug=debug)


@app.command()
def remove(
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="The source's name, as 'status' shows it.")],
    debug: DebugOption = False,
) -> None:
    """Take imported figures away again."""

    def work(engine: Engine, keep: SnapshotStore) -> None:
        kept = imports.slugs(keep)
        if slug in kept:
            pipeline.create(engine, keep=keep)
        mine = sorted({*kept, *pipeline.imported(engine)})
        if slug not in mine:
            imported = f"imported are: {', '.join(mine)}" if mine else "nothing is imported"
            _fail(f"'{slug}' is no import; {imported}")
        # What is not kept never comes back: after a crash here the command can be given again.
        imports.forget(keep, slug)
        removed = pipeline.remove_import(engine, slug)
        print(f"{slug}: {removed:,} figures removed")

    _run(work, debug=debug)


@app.command()
def template() -> None:
    """Print a CSV file to begin with, for figures of your own."""
    print(tidy.template(), end="")


def _content(file: Path) -> bytes:
    if not str(file).isprintable():
        _fail(f"the name {file} holds a character that cannot be seen: rename the file")
    if not file.is_file():
        _fail(f"{file} is no file; name a CSV file in the format of etl/curated/README.md")
    return file.read_bytes()


def _tidy(file: Path, content: bytes, *, known_on: date) -> Claims:
    """What a tidy file says; every problem is printed, and then nothing is loaded."""
    found = tidy.read(content, file=str(file), require_address=False, known_on=known_on)
    if found.rejected:
        for line in tidy.describe_problems(found.rejected, file=str(file)):
            print(line, file=sys.stderr)
        count = len(found.rejected)
        _fail(f"{file}: {count:,} problem{'s' if count > 1 else ''} in {found.claims.rows_read:,} rows; nothing loaded")
    try:
        harmonize.harmonize(found.claims, harmonize.reference())
    except ValueError as error:
        _fail(f"{file} {error}; nothing loaded")
    return found.claims


def _summary(claims: Claims) -> str:
    """'12 figures of 2 makers in DE, FR, 2026-01 to 2026-06', and the makers that the reference does not name yet."""
    rows = pd.concat([claims.sales, claims.penetration])
    makers = sorted(set(claims.sales["maker"]) - {ALL, OTHER})
    unknown = [maker for maker in makers if harmonize.slug(maker) not in harmonize.reference().makers]
    first, last = min(rows["period_start"]), max(rows["period_start"])
    who = f"{len(makers)} maker{'' if len(makers) == 1 else 's'}"
    where = ", ".join(sorted(set(rows["market"])))
    text = f"{len(rows):,} figures of {who} in {where}, {first:%Y-%m} to {last:%Y-%m}"
    if unknown:
        text += f"; new makers: {', '.join(unknown[:10])}" + (" and more" if len(unknown) > 10 else "")
    return text


@app.command()
def rebuild(
    accept_removals: Annotated[
        bool, typer.Option(help="Rebuild though the database has snapshots that are not kept any more.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Make the database anew, from empty, out of all kept snapshots."""

    def work(engine: Engine, keep: SnapshotStore) -> None:
        with _Tally() as tally:
            pipeline.rebuild(engine, keep=keep, imported=imports.kept, accept_removals=accept_removals, tell=tally)
        tally.close("nothing to rebuild from: no snapshot is kept and none is bundled")

    _run(work, debug=debug)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    debug: DebugOption = False,
) -> None:
    """Show, for each source: last snapshot, last period of each market, what is overdue, rows, refused files."""

    def work(engine: Engine, _keep: SnapshotStore) -> None:
        found = health.status(engine, on=_now().date())
        if as_json:
            print(json.dumps(found, indent=1, ensure_ascii=False, default=str))
            return
        for entry in found["sources"]:
            print(f"{entry['slug']}: {entry['title']}, {entry['licence']}, {entry['url']}")
            print(
                f"  last snapshot {entry['last_snapshot']}, {entry['snapshots']} snapshots loaded, "
                f"{entry['figures']:,} figures as known now, {entry['figures_all_vintages']:,} with revisions"
            )
            if entry["next_due"]:
                print(f"  next due {entry['next_due']}{', overdue' if entry['overdue'] else ''}")
            late = entry["late_markets"]
            if late and not entry["overdue"]:
                print("  late: " + ", ".join(f"{of['market']} (due {of['next_due']})" for of in late))
            rows = entry["rows"]
            print(
                f"  rows: {rows['accepted']:,} accepted, {rows['rejected']:,} rejected, "
                f"{rows['out_of_scope']:,} out of scope, {rows['duplicate']:,} duplicate"
            )
            for market in entry["markets"]:
                print(
                    f"  {market['market']:<9}{market['powertrain']:<14}{market['grain']:<8}"
                    f"{market['first_period']} to {market['last_period']}  {market['figures']:>7,} figures"
                    + (f"  {market['basis']}" if len(entry["bases"]) > 1 else "")
                )
            for refusal in entry["refused"]:
                print(f"  refused {refusal['known_on']} {refusal['file']} line {refusal['line']}: {refusal['reason']}")
            for row in entry["rejections"][:REJECTIONS_PRINTED]:
                print(
                    f"  rejected {row['known_on']} {row['file']} line {row['line']}, column {row['column']}, "
                    f"value {row['value']}: {row['reason']}"
                )
            if len(entry["rejections"]) > REJECTIONS_PRINTED:
                print(f"  and {len(entry['rejections']) - REJECTIONS_PRINTED:,} more, which --json lists")

    _run(work, debug=debug)


@app.command()
def bundle(source: SourceOption = None, debug: DebugOption = False) -> None:
    """Write etl/bundled/ from the current database, vintages included (for maintainers)."""
    slugs = [slug for slug in _sources(source) if slug in _LIVE]

    def work(engine: Engine, _keep: SnapshotStore) -> None:
        for slug in slugs:
            print(f"{slug}: {bundled.write(engine, slug):,} bytes written")

    _run(work, debug=debug)


def _run(work: Callable[[Engine, SnapshotStore], None], *, debug: bool) -> None:
    url = os.environ.get("DATABASE_URL") or DEFAULT_URL
    was = signal.signal(signal.SIGTERM, _interrupted)
    try:
        engine = open_engine(url)
        try:
            work(engine, SnapshotStore.beside(url))
            sys.stdout.flush()
        finally:
            engine.dispose()
    except BrokenPipeError:
        _go_quiet(sys.stdout)
    except (StoreError, Refused) as error:
        if debug:
            raise
        _fail(str(error))
    except OSError as error:
        if debug:
            raise
        if error.errno is None:
            _fail(str(error))
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror}; {_REMEDIES.get(error.errno, _PERMISSIONS)}")
    except KeyboardInterrupt as by:
        ended = signal.SIGTERM if isinstance(by, _Ended) else signal.SIGINT
        _fail("interrupted; every snapshot that was reported is loaded whole, nothing else is", code=128 + ended)
    finally:
        signal.signal(signal.SIGTERM, was)


_PERMISSIONS: Final = "check that it is there, and its permissions"
_REMEDIES: Final = {
    errno.ENOSPC: "free some space and try again; what was loaded before is as it was",
    errno.EDQUOT: "free some space and try again; what was loaded before is as it was",
    errno.EFBIG: "files may not become so large here: see 'ulimit -f'",
    errno.EROFS: "the file system cannot be written to: mount it for writing, or name other places with "
    "DATABASE_URL and SNAPSHOTS",
}


class _Ended(KeyboardInterrupt):
    """Somebody asked the process to end, as a service manager does."""


def _interrupted(*_: object) -> NoReturn:
    raise _Ended


def _say(line: str, *, stream: TextIO | None = None) -> None:
    """Print while there is work left: a reader that has gone does not stop it."""
    try:
        print(line, file=stream or sys.stdout)
    except BrokenPipeError:
        _go_quiet(stream or sys.stdout)


def _go_quiet(stream: TextIO) -> None:
    """The reader of our output has gone (`| head`): that is no error, but nothing more can be printed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


_LIVE = tuple(connector.SOURCE.slug for connector in CONNECTORS)


def _sources(asked: list[str] | None) -> list[str]:
    known = [*_LIVE, *(file.source.slug for file in pipeline.curated())]
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


def _fail(message: str, *, code: int = 1) -> NoReturn:
    print(f"error: {printable(message)}", file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
