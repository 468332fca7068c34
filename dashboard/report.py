"""The weekly sheets: `python -m dashboard.report`.

A report is a pure function of the database, the week and whether the download before it failed: every sheet is drawn as
known on the week's Sunday (or on the last day so far), news is what became known in the seven days up to it, so the
same week made twice gives the same files and a past week is made from what was known then. It is written beside the
reports that are there and moved into place whole, or not at all.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from dashboard import findings, ledger, pictures, report_pages, send
from dashboard.charts.chart import Reading
from dashboard.downloads import csv_text, framed, receipts_of_rows
from dashboard.pictures import PictureError
from dashboard.report_list import SHEETS, News, ReportError, Sheet, sheets
from dashboard.report_pages import PAPER, LeftOut, Page, Week
from dashboard.selection import InvalidSelection, NotYetMade, Refusal
from dashboard.send import SendError
from dashboard.style import SHEET, Look
from db import Connection, Engine, health, provenance
from db.database import DEFAULT_URL, StoreError, explained, open_engine, ready

Tell = Callable[[str], None]


class NoWeek(ReportError):
    """What was asked for is no week, or one that has not begun."""


def week_of(day: date) -> str:
    """The ISO week of a day, as `2026-W27`."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def as_of(week: str, *, today: date) -> date:
    """The day as known on which a week is reported: its Sunday, or today in the week under way.

    Raises `NoWeek` for what is no week and for a week that has not begun.
    """
    found = re.fullmatch(r"(\d{4})-W(\d\d)", week)
    try:
        if found is None:
            raise ValueError
        monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
        sunday = monday + timedelta(days=6)
    except (ValueError, OverflowError) as error:
        raise NoWeek(f"'{week}' is no week such as 2026-W27") from error
    if monday > today:
        raise NoWeek(f"{week} has not begun; the week under way is {week_of(today)}")
    return min(sunday, today)


def make(
    engine: Engine,
    listed: Sequence[Sheet],
    *,
    week: str,
    day: date,
    out: Path,
    is_stale: bool = False,
    site: str = "",
    tell: Tell = lambda _: None,
) -> Path:
    """Write the report of a week as known on `day` into `out/<week>`, whole or not at all; the folder.

    `is_stale` says that the download before it failed, `site` is the app's public address; `tell` is given the name of
    each sheet once it is drawn or left out. Raises `ReportError`, `PictureError` or `StoreError`, and then leaves what
    was there.
    """
    ready(engine)
    told = Week(name=week, day=day, before=day - ledger.WEEK, is_stale=is_stale, site=site)
    try:
        with _unfinished(out, week) as folder, _two_hands() as hands:
            hands.submit(pictures.start)
            large: list[Future[bytes]] = []
            with explained(engine), engine.connect() as connection:
                told, pages, left_out = _read(
                    connection,
                    listed,
                    told,
                    then=lambda page: large.append(hands.submit(_large, page, site=site)),
                    tell=tell,
                )
                snapshots = provenance.standing_snapshots(connection, as_of=day)
            layout = report_pages.digest(told, pages)
            blank = hands.submit(pictures.render, layout.paper, format="png", look=PAPER)
            small = [hands.submit(_small, page, layout.cell) for page in report_pages.on_digest(pages)]
            for page, picture in zip(pages, large, strict=True):
                (folder / f"{page.stem}.png").write_bytes(picture.result())
                (folder / f"{page.stem}.csv").write_bytes(page.csv)
                tell(page.sheet.name)
            cells = (picture.result() for picture in small)
            (folder / "digest.png").write_bytes(layout.page(blank.result(), cells))
            (folder / "index.html").write_text(report_pages.index(told, pages, left_out), encoding="utf-8")
            checksums = {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
            manifest = report_pages.manifest(told, pages, left_out, snapshots=snapshots, checksums=checksums)
            (folder / "report.json").write_text(manifest, encoding="utf-8")
            put_in_place(folder, out / week)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ReportError(f"{out}: the report cannot be written ({reason}); nothing was changed") from error
    return out / week


def _read(
    connection: Connection, listed: Sequence[Sheet], week: Week, *, then: Callable[[Page], None], tell: Tell
) -> tuple[Week, list[Page], list[LeftOut]]:
    """What the data say: the week with its findings, the sheets that it has, and those that it has not and why.

    `then` is given each sheet as soon as it is read, `tell` the name of each that is left out.
    """
    refused = health.refused_files(connection, as_of=week.day)
    changes = ledger.between(connection, after=week.before, until=week.day)
    found = findings.of_week(connection, day=week.day, before=week.before, found=changes)
    news = News(
        changes=changes,
        refused_files=sum(not row.is_replaced and row.known_on > week.before for row in refused),
        is_stale=week.is_stale,
    )
    pages: list[Page] = []
    left_out: list[LeftOut] = []
    for sheet in listed:
        if not news.wants(sheet):
            left_out.append(LeftOut(sheet, f"no news of {', '.join(sheet.news)} this week"))
            tell(sheet.name)
            continue
        with _careful(sheet):
            try:
                reading = _reading(connection, sheet, day=week.day)
            except Refusal as refusal:
                left_out.append(LeftOut(sheet, " ".join(str(refusal).split())))
                tell(sheet.name)
                continue
            pages.append(_page(connection, sheet, reading, week=week, number=len(pages) + 1))
            then(pages[-1])
    if not pages:
        why = "; ".join(f"'{each.sheet.name}': {each.reason}" for each in left_out)
        raise ReportError(f"no sheet of the list can be made: {why}; no report was written")
    return replace(week, findings=found), pages, left_out


def _reading(connection: Connection, sheet: Sheet, *, day: date) -> Reading:
    selection = replace(sheet.selection, as_of=day)
    with explained(connection.engine):
        try:
            return sheet.chart.load(connection, selection, today=day)
        except NotYetMade as missing:
            missing.make()
            return sheet.chart.load(connection, selection, today=day)


def _page(connection: Connection, sheet: Sheet, reading: Reading, *, week: Week, number: int) -> Page:
    rows = sheet.chart.rows(reading)
    with explained(connection.engine):
        found, of_rows = receipts_of_rows(connection, sheet.chart, reading, rows)
    return Page(
        stem=f"{number:02d}-{re.sub('[^a-z0-9]+', '-', sheet.name.lower()).strip('-')}-{sheet.chart.slug}",
        sheet=sheet,
        reading=report_pages.stamped(reading, is_stale=week.is_stale),
        csv=csv_text(rows).encode(),
        receipts=report_pages.receipts(found, of_rows),
    )


def _large(page: Page, *, site: str) -> bytes:
    with _careful(page.sheet):
        figure = framed(page.sheet.chart, page.reading, look=SHEET, site=site)
        return pictures.render(figure, format="png", look=SHEET)


def _small(page: Page, cell: Look) -> bytes:
    with _careful(page.sheet):
        return pictures.render(report_pages.small(page, cell), format="png", look=cell)


@contextmanager
def _two_hands() -> Iterator[ThreadPoolExecutor]:
    """Two threads, so that one picture is drawn while another is looked at and the next sheet is read.

    What has not begun when something fails is not begun. Threads take turns more often than usual: while a sheet is
    read, every word from the browser would wait for its turn.
    """
    hands = ThreadPoolExecutor(max_workers=2)
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 10)
    try:
        yield hands
    finally:
        sys.setswitchinterval(usual)
        hands.shutdown(cancel_futures=True)


@contextmanager
def _careful(sheet: Sheet) -> Iterator[None]:
    """Work on a sheet. A failure names the sheet and stops the report."""
    try:
        yield
    except StoreError:
        raise
    except PictureError as error:
        raise PictureError(f"sheet '{sheet.name}': {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        # A file of the project itself, such as the font, is missing.
        raise PictureError(f"sheet '{sheet.name}': {error}") from error
    except InvalidSelection as error:
        raise ReportError(f"sheet '{sheet.name}': {error}; no report was written") from error
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ReportError(
            f"sheet '{sheet.name}': {sheet.chart.slug} failed ({what}); no report was written; --debug shows where"
        ) from error


@contextmanager
def _unfinished(out: Path, week: str) -> Iterator[Path]:
    """A folder beside the reports to make one in; it is gone in the end, and so are folders that were made for it.

    What makers of reports left that were killed is cleared away.
    """
    is_new = not out.exists()
    folder = out / f".{week}.{os.getpid()}.unfinished"
    try:
        folder.mkdir(parents=True)
        _clear_away(out)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if is_new:
            with suppress(OSError):
                out.rmdir()


def _clear_away(out: Path) -> None:
    """Remove what is left of makers of reports that are no more; a report of theirs that has no other is put back."""
    for path in out.glob(".*-W*.*"):
        found = re.fullmatch(r"\.(\d{4}-W\d\d)\.(\d+)\.(unfinished|before)", path.name)
        if found is None or _runs(int(found[2])):
            continue
        if found[3] == "before" and not (out / found[1]).exists():
            path.rename(out / found[1])
        else:
            shutil.rmtree(path, ignore_errors=True)


def _runs(process: int) -> bool:
    """Whether a process of this machine still runs; where that cannot be asked, it is taken to."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OverflowError:  # no process has such a number
        return False
    except OSError:  # it is another user's
        return True
    return True


def _exchanged(made: Path, target: Path) -> bool:
    """Whether two folders have changed places in one step: Linux can, on most of its file systems."""
    if not sys.platform.startswith("linux") or not target.is_dir():
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    here, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of <linux/fs.h>
    return bool(rename(here, os.fsencode(made), here, os.fsencode(target), exchange) == 0)


def put_in_place(made: Path, target: Path) -> None:
    """Move a finished folder to its name; the one that was there goes once the new one stands.

    Where the system can, they change places in one step, so that a reader finds one of them at any moment. Another
    process may do the same at the same time: the last one stays.
    """
    if _exchanged(made, target):
        shutil.rmtree(made, ignore_errors=True)
        return
    before = target.with_name(f".{target.name}.{os.getpid()}.before")
    for attempt in range(20):
        with suppress(FileNotFoundError):
            target.rename(before)
        try:
            made.rename(target)
            break
        except BaseException as error:
            is_taken = isinstance(error, OSError) and target.exists()
            if before.exists() and not target.exists():
                before.rename(target)
            if not is_taken or attempt == 19:
                raise
            shutil.rmtree(before, ignore_errors=True)
    shutil.rmtree(before, ignore_errors=True)


# Command line

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


class _Ended(KeyboardInterrupt):
    """Somebody asked the process to end, as a service manager does."""


def _end(*_: object) -> NoReturn:
    raise _Ended


@app.command()
def report(
    week: Annotated[str | None, typer.Option(metavar="2026-W27", help="ISO week (default: the one under way).")] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where reports are written.")] = Path("reports"),
    sheets_file: Annotated[
        Path, typer.Option("--sheets", metavar="FILE", help="Another list of sheets.", show_default=False)
    ] = SHEETS,
    is_stale: Annotated[
        bool, typer.Option("--stale", help="Say on every sheet that the download before this report failed.")
    ] = False,
    is_to_send: Annotated[
        bool, typer.Option("--send", help="Send it by mail (SMTP_HOST) and to a webhook (WEBHOOK_URL), once a week.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="With --send: also what was sent already.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Write the week's sheets: PNG and CSV, an index page, a digest and report.json."""
    today = datetime.now(UTC).date()
    if again and not is_to_send:
        print("error: --again goes with --send", file=sys.stderr)
        raise typer.Exit(2)
    gc.freeze()  # What is imported stays: nobody need look through it for garbage again and again.
    # Whoever ends a job ends it so; what is unfinished is cleared away all the same.
    was = signal.signal(signal.SIGTERM, _end)
    folder = None
    try:
        chosen = week or week_of(today)
        day = as_of(chosen, today=today)
        listed = sheets(sheets_file)
        print(f"making {chosen} as known on {day}: {len(listed)} sheets in the list", flush=True)
        engine = open_engine(os.environ.get("DATABASE_URL") or DEFAULT_URL)
        site = os.environ.get("PUBLIC_URL", "").rstrip("/")
        with _bar(len(listed)) as tell:
            folder = make(engine, listed, week=chosen, day=day, out=out, is_stale=is_stale, site=site, tell=tell)
        print(f"wrote {folder / 'index.html'}", flush=True)
        if is_to_send:
            targets = send.targets(os.environ)
            send.send(folder, targets, now=datetime.now(UTC), again=again, tell=lambda line: print(line, flush=True))
    except (ReportError, PictureError, StoreError, SendError) as error:
        if debug:
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(2 if isinstance(error, NoWeek) else 1) from error
    except KeyboardInterrupt as by:
        what = f"{folder} is whole, but may not be sent" if folder else "the previous report is untouched"
        print(f"error: interrupted; {what}", file=sys.stderr)
        raise typer.Exit(128 + (signal.SIGTERM if isinstance(by, _Ended) else signal.SIGINT)) from None
    finally:
        pictures.close()
        signal.signal(signal.SIGTERM, was)


@contextmanager
def _bar(total: int) -> Iterator[Tell]:
    """A progress bar on a terminal, nothing elsewhere."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("reading", total=total)
        yield lambda name: bar.update(task, advance=1, description=name)


if __name__ == "__main__":
    app()
