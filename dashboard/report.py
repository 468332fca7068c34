"""The weekly sheets: `python -m dashboard.report`.

A report is a pure function of the database and the week: every sheet is drawn as known on the week's Sunday (or on the
last day so far), so the same week made twice gives the same files and a past week is made from what was known then. It
is written beside the reports that are there and moved into place whole, or not at all.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image, ImageDraw, ImageFont

from dashboard import __version__, pictures, style
from dashboard.charts import chart as chart_at
from dashboard.charts.chart import Chart, Reading, source_line
from dashboard.downloads import csv_text, framed, link
from dashboard.pictures import PictureError
from dashboard.selection import InvalidSelection, Refusal, Selection
from dashboard.style import SHEET, Look
from db import Connection, Engine, queries
from db.schema import SCHEMA_VERSION
from db.store import DEFAULT_URL, StoreError, explained, open_engine, ready

SHEETS = Path(__file__).parent / "report_sheets.toml"
"""The list of sheets that ships with the project."""

WHEN = ("always", "on-news")

_A4 = (2480, 3508)
"""A4 portrait at 300 dots an inch, in pixels."""

_MARGIN, _HEAD, _GAP, _COLUMNS = 100, 300, 40, 2


class ReportError(Exception):
    """The report cannot be made. The text is one line that says why and what to do."""


class NoWeek(ReportError):
    """What was asked for is no week, or one that has not begun."""


@dataclass(frozen=True)
class Sheet:
    """One entry of the list: what a sheet shows and when it is in the report."""

    name: str
    chart: Chart
    selection: Selection
    when: str


@dataclass(frozen=True)
class Page:
    """One sheet read and drawn: its files' stem, what the data say, its CSV and its figure."""

    stem: str
    sheet: Sheet
    reading: Reading
    csv: bytes
    picture: bytes
    small: bytes


def sheets(path: Path) -> tuple[Sheet, ...]:
    """The sheets of a list.

    Raises `ReportError` for a file that is none, an unknown chart, key or word, and a selection that the
    grammar refuses.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ReportError(f"{path}: is no TOML file: {error}") from error
    entries = content.get("sheet")
    if not entries or not isinstance(entries, list) or set(content) != {"sheet"}:
        raise ReportError(f"{path}: holds no list of [[sheet]] entries; see {SHEETS.name} for an example")
    return tuple(_sheet(entry, where=f"{path} sheet {number}") for number, entry in enumerate(entries, start=1))


def _sheet(entry: Any, *, where: str) -> Sheet:
    wanted = {"name", "chart", "query", "when"}
    if set(entry) != wanted or not all(isinstance(value, str) for value in entry.values()):
        raise ReportError(f"{where}: needs the texts {', '.join(sorted(wanted))} and nothing else")
    if entry["when"] not in WHEN:
        raise ReportError(f"{where}: when is '{entry['when']}'; valid: {', '.join(WHEN)}")
    try:
        chart = chart_at(entry["chart"])
        selection = Selection.from_query(entry["query"], defaults=chart.defaults)
    except KeyError as error:
        raise ReportError(f"{where}: {error.args[0]}") from error
    except InvalidSelection as error:
        raise ReportError(f"{where}: {error}") from error
    return Sheet(name=entry["name"], chart=chart, selection=selection, when=entry["when"])


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
    except ValueError as error:
        raise NoWeek(f"'{week}' is no week such as 2026-W27") from error
    if monday > today:
        raise NoWeek(f"{week} has not begun; the week under way is {week_of(today)}")
    return min(monday + timedelta(days=6), today)


def make(engine: Engine, listed: Sequence[Sheet], *, week: str, day: date, out: Path) -> Path:
    """Write the report of a week as known on `day` into `out/<week>`, whole or not at all; the folder.

    Raises `ReportError`, `PictureError` or `StoreError`, and then leaves what was there.
    """
    ready(engine)
    with explained(engine), engine.connect() as connection:
        readings = [(sheet, _read(connection, sheet, day=day)) for sheet in listed]
        snapshots = queries.standing_snapshots(connection, as_of=day)
    pages = _pages(readings)
    target = out / week
    unfinished = out / f".{week}.{os.getpid()}.unfinished"
    try:
        unfinished.mkdir(parents=True)
        for page in pages:
            (unfinished / f"{page.stem}.png").write_bytes(page.picture)
            (unfinished / f"{page.stem}.csv").write_bytes(page.csv)
        (unfinished / "digest.png").write_bytes(_digest(pages, week=week, day=day))
        (unfinished / "index.html").write_text(_index(pages, week=week, day=day), encoding="utf-8")
        manifest = _manifest(pages, snapshots, week=week, day=day, folder=unfinished)
        (unfinished / "report.json").write_text(
            json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        _put_in_place(unfinished, target)
    except OSError as error:
        raise ReportError(f"{out}: the report cannot be written ({error.strerror}); nothing was changed") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _read(connection: Connection, sheet: Sheet, *, day: date) -> Reading:
    try:
        return sheet.chart.load(connection, replace(sheet.selection, as_of=day), today=day)
    except (InvalidSelection, Refusal) as error:
        raise ReportError(f"sheet '{sheet.name}': {error}; no report was written") from error


def _pages(readings: Sequence[tuple[Sheet, Reading]]) -> list[Page]:
    large = pictures.render_all(
        [framed(sheet.chart, reading, look=SHEET, site="") for sheet, reading in readings], format="png", look=SHEET
    )
    cell = _digest_look(len(readings))
    small = pictures.render_all(
        [framed(sheet.chart, reading, look=cell, site="") for sheet, reading in readings], format="png", look=cell
    )
    return [
        Page(
            stem=f"{number:02d}-{re.sub('[^a-z0-9]+', '-', sheet.name.lower()).strip('-')}-{sheet.chart.slug}",
            sheet=sheet,
            reading=reading,
            csv=csv_text(sheet.chart.rows(reading)).encode(),
            picture=large[number - 1],
            small=small[number - 1],
        )
        for number, (sheet, reading) in enumerate(readings, start=1)
    ]


def _put_in_place(made: Path, target: Path) -> None:
    """Move a finished folder to its name; the one that was there goes once the new one stands."""
    before = target.with_name(f".{target.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    if target.exists():
        target.rename(before)
    try:
        made.rename(target)
    except OSError:
        if before.exists():
            before.rename(target)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _manifest(
    pages: Sequence[Page], snapshots: Sequence[dict[str, Any]], *, week: str, day: date, folder: Path
) -> dict[str, Any]:
    """What is in the report and what it rests on; without the time of making, so that it repeats to the byte."""
    return {
        "week": week,
        "as_of": day.isoformat(),
        "days_are": "UTC",
        "code_version": __version__,
        "schema_version": SCHEMA_VERSION,
        "sheets": [
            {
                "name": page.sheet.name,
                "chart": page.sheet.chart.slug,
                "query": page.reading.selection.query(defaults=page.sheet.chart.defaults),
                "when": page.sheet.when,
                "title": page.reading.title,
                "subtitle": page.reading.subtitle,
                "notes": list(page.reading.notes),
                "sources": [
                    {"slug": cited.slug, "publisher": cited.publisher, "licence": cited.licence, "url": cited.url}
                    for cited in page.reading.citations
                ],
                "files": {
                    name: sha256((folder / name).read_bytes()).hexdigest()
                    for name in (f"{page.stem}.png", f"{page.stem}.csv")
                },
            }
            for page in pages
        ],
        "digest": sha256((folder / "digest.png").read_bytes()).hexdigest(),
        "snapshots": list(snapshots),
    }


_INDEX = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Electric cars, {week}</title>
<style>
body {{ font: 16px/1.5 "Open Sans", system-ui, sans-serif; color: #1a2027; margin: 2rem auto; max-width: 62rem;
  padding: 0 1rem }}
h1 {{ font-size: 1.6rem; margin: 0 }}
h2 {{ font-size: 1.1rem; margin: 2.5rem 0 .25rem }}
p {{ margin: .25rem 0; color: #555e68 }}
img {{ width: 100%; height: auto; border: 1px solid #e2e6ea }}
a {{ color: #0b6fc2 }}
@media print {{ body {{ margin: 0; max-width: none }} section {{ break-inside: avoid }} }}
</style>
<h1>Electric cars, week {week}</h1>
<p>As known on {day} (UTC). {count} sheets. <a href="digest.png">One-page digest</a> ·
<a href="report.json">report.json</a> (selections, receipts, checksums)</p>
{sections}
</html>
"""

_SECTION = """<section>
<h2>{name}: {title}</h2>
<p>{subtitle}</p>
<a href="{stem}.png"><img src="{stem}.png" width="1920" height="1080" alt="{title}. {subtitle}"></a>
<p>{notes}</p>
<p>{source} · <a href="{stem}.csv">figures as CSV</a></p>
</section>"""


def _index(pages: Sequence[Page], *, week: str, day: date) -> str:
    sections = [
        _SECTION.format(
            name=html.escape(page.sheet.name),
            title=html.escape(page.reading.title),
            subtitle=html.escape(page.reading.subtitle),
            stem=page.stem,
            notes=html.escape(" ".join(page.reading.notes)),
            source=html.escape(source_line(page.reading, link=link(page.sheet.chart, page.reading.selection, site=""))),
        )
        for page in pages
    ]
    return _INDEX.format(week=week, day=day.isoformat(), count=len(pages), sections="\n".join(sections))


def _digest_look(count: int) -> Look:
    """The size at which `count` charts fill the digest's columns, a little wider than high at the most."""
    width = (_A4[0] - 2 * _MARGIN - (_COLUMNS - 1) * _GAP) // _COLUMNS
    rows = -(-count // _COLUMNS)
    height = (_A4[1] - _HEAD - _MARGIN) // max(rows, 1) - _GAP
    return Look(width=width, height=min(height, width), font_px=22, scale=1)


def _digest(pages: Sequence[Page], *, week: str, day: date) -> bytes:
    """All sheets on one A4 page, in columns, in the order of the list."""
    ink, cell = style.INK["light"], _digest_look(len(pages))
    page = Image.new("RGB", _A4, ink.background)
    draw = ImageDraw.Draw(page)
    head = ImageFont.truetype(str(style.FONTS / "OpenSans-SemiBold.ttf"), 72)
    plain = ImageFont.truetype(str(style.FONTS / "OpenSans-Regular.ttf"), 38)
    draw.text((_MARGIN, 90), f"Electric cars, week {week}", font=head, fill=ink.text)
    known = f"As known on {day.isoformat()} (UTC). Sources are named under each chart."
    draw.text((_MARGIN, 190), known, font=plain, fill=ink.quiet)
    for number, each in enumerate(pages):
        row, column = divmod(number, _COLUMNS)
        left = _MARGIN + column * ((cell.width or 0) + _GAP)
        with Image.open(BytesIO(each.small)) as small:
            page.paste(small.convert("RGB"), (left, _HEAD + row * (cell.height + _GAP)))
    content = BytesIO()
    page.save(content, "PNG", dpi=(300, 300))
    return content.getvalue()


# Command line

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def report(
    week: Annotated[str | None, typer.Option(metavar="2026-W27", help="ISO week (default: the one under way).")] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where reports are written.")] = Path("reports"),
    sheets_file: Annotated[
        Path, typer.Option("--sheets", metavar="FILE", help="Another list of sheets.", show_default=False)
    ] = SHEETS,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Write the week's sheets: PNG and CSV, an index page, a digest and report.json."""
    today = datetime.now(UTC).date()
    try:
        chosen = week or week_of(today)
        day = as_of(chosen, today=today)
        listed = sheets(sheets_file)
        print(f"making {len(listed)} sheets of {chosen} as known on {day}", flush=True)
        engine = open_engine(os.environ.get("DATABASE_URL") or DEFAULT_URL)
        print(f"wrote {make(engine, listed, week=chosen, day=day, out=out) / 'index.html'}")
    except (ReportError, PictureError, StoreError) as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2 if isinstance(error, NoWeek) else 1) from error
    except KeyboardInterrupt:
        print("error: interrupted; the previous report is untouched", file=sys.stderr)
        raise typer.Exit(1) from None
    finally:
        pictures.close()


if __name__ == "__main__":
    app()
