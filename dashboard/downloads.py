"""Any chart's data and picture at a stable address: CSV, JSON, PNG and SVG of a selection.

The page's buttons, `/charts/<slug>.<format>` and `python -m dashboard.export` all come here: they give the same
bytes.
"""

from __future__ import annotations

import csv
import json
import logging
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from enum import StrEnum
from functools import partial
from hashlib import sha256
from io import StringIO
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dashboard import framing, pictures, style
from dashboard.charts import chart as chart_of
from dashboard.charts.chart import Chart, Reading, patient, source_line
from dashboard.pictures import PictureError
from dashboard.precedence import PUBLISHED_AS
from dashboard.selection import InvalidSelection, NotYetMade, PowertrainChoice, Refusal, Selection, Window
from dashboard.style import Figure, Look
from dashboard.windows import months_behind
from db import provenance, queries
from db.claims import GRAIN_MONTHS
from db.database import StoreError, explained, ready
from db.vocabulary import ALL, Grain

if TYPE_CHECKING:
    from db import Connection, Engine

_log = logging.getLogger(__name__)

_ROW_KEY = ["period_start", "market", "maker", "maker_name", "model", "model_name", "source", "grain", "window"]
_FORMULA = re.compile("(^|[;\t])(?=[=+@\t\r\uff1d\uff0b\uff0d\uff20-])")
"""Where a spreadsheet would see a formula: also after a semicolon, which separates cells in much of Europe, and where
its sign is as wide as a Chinese one."""


class Format(StrEnum):
    """What a chart can be had as."""

    CSV = "csv"
    JSON = "json"
    PNG = "png"
    SVG = "svg"

    @property
    def content_type(self) -> str:
        """The format's media type."""
        return {
            "csv": "text/csv; charset=utf-8",
            "json": "application/json",
            "png": "image/png",
            "svg": "image/svg+xml; charset=utf-8",
        }[self.value]


@dataclass(frozen=True)
class Download:
    """A file: what is in it, its name, and the tag that changes when its content does."""

    body: bytes
    filename: str
    content_type: str

    @property
    def etag(self) -> str:
        """A checksum of the content."""
        return sha256(self.body).hexdigest()[:32]


@dataclass(frozen=True)
class Problem:
    """Why there is no file: an HTTP status, one line of text, and in how many seconds there may be one."""

    status: int
    text: str
    retry_after: int | None = None


def answer(engine: Engine, slug: str, format: str, query: str, *, site: str, today: date) -> Download | Problem:
    """The file at `/charts/<slug>.<format>?<query>`, or why there is none.

    Nobody waits here for what takes longer to compute than a page may: it is made in the background.
    """
    try:
        # What is not there is named in the answer, which need not be as long as the question.
        chart = chart_of(slug[:40])
        wanted = Format(format)
    except KeyError as error:
        return Problem(404, _one_line(str(error.args[0])))
    except ValueError:
        return Problem(404, f"a chart is to be had as {', '.join(Format)}")
    try:
        return download(engine, chart, query, format=wanted, site=site, today=today, is_patient=False)
    except InvalidSelection as error:
        return Problem(400, _one_line(str(error)))
    except NotYetMade as error:
        return Problem(503, _one_line(str(error)), retry_after=60)
    except Refusal as error:
        return Problem(422, _one_line(str(error)))
    except PictureError as error:
        return Problem(503, _one_line(str(error)))
    except StoreError as error:
        return Problem(503, public(error, engine))


def public(error: StoreError, engine: Engine) -> str:
    """What a reader is told of an error of the database: not where it is, which only the log says."""
    text, place = _one_line(str(error)), engine.url.database
    _log.warning("%s", text)
    if engine.dialect.name != "sqlite" or not place:
        return "the database cannot be read; the reason is in the server's log"
    return re.sub(rf"\s*{re.escape(place)}(: )?", "", text)


def download(
    engine: Engine, chart: Chart, query: str, *, format: Format, site: str, today: date, is_patient: bool = True
) -> Download:
    """The file of a chart's selection as asked for on `today`; `site` is the app's public address, for the link.

    What it rests on and nobody has computed yet is made first, or where it `is_patient` not, refused by `NotYetMade`.
    Raises `InvalidSelection`, `Refusal`, `PictureError` or `StoreError`, each with a text of one line.
    """
    selection = Selection.from_query(query, defaults=chart.defaults)
    ready(engine)
    with explained(engine), engine.connect() as connection:
        load = partial(patient, chart) if is_patient else chart.load
        reading = load(connection, selection, today=today)
        rows = chart.rows(reading)
        if format is Format.CSV:
            body = csv_text(rows).encode()
        elif format is Format.JSON:
            body = json_text(document(connection, chart, reading, rows, site=site)).encode()
    if format is Format.PNG or format is Format.SVG:
        body = picture(chart, reading, format=format, site=site)
    return Download(body=body, filename=_filename(chart, selection, rows, format), content_type=format.content_type)


def link(chart: Chart, selection: Selection, *, site: str) -> str:
    """The short address of the live chart."""
    query = selection.query(defaults=chart.defaults)
    return f"{site}/charts/{chart.slug}" + (f"?{query}" if query else "")


def _filename(chart: Chart, selection: Selection, rows: pd.DataFrame, format: Format) -> str:
    """`market-share_DE_2026-06.csv`: the chart, its markets (many are counted), its last period."""
    markets = "-".join(selection.market) if len(selection.market) <= 5 else f"{len(selection.market)}-markets"
    markets = markets or "all"
    last = str(rows["period_start"].max())[:7]
    return f"{chart.slug}_{markets}_{last}.{format}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


# Pictures


def picture(chart: Chart, reading: Reading, *, format: Format, site: str) -> bytes:
    """The chart with everything that the page prints around it, as a picture of fixed size in the light theme."""
    figure = framed(chart, reading, look=style.PICTURE, site=site)
    return pictures.render(figure, format="png" if format is Format.PNG else "svg", look=style.PICTURE)


def framed(chart: Chart, reading: Reading, *, look: Look, site: str) -> Figure:
    """The figure that the page shows for a reading, with its words around it, in the size and theme of a look."""
    return framing.framed(
        chart.draw(reading, look),
        title=reading.title,
        subtitle=reading.subtitle,
        badge=reading.badge.text,
        amber=reading.badge.amber,
        notes=reading.notes,
        key=reading.events.key,
        source_line=source_line(reading, link=link(chart, reading.selection, site=site)),
        look=look,
    )


# CSV


def csv_text(rows: pd.DataFrame) -> str:
    """Rows as CSV: one header line, numbers with a decimal point, text that no spreadsheet runs as a formula."""
    columns = [
        [_number(value) for value in rows[name].tolist()]
        if rows[name].dtype.kind in "fi"
        else _plain(list(map(str, rows[name].tolist())))
        for name in rows.columns
    ]
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows.columns)
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def _number(value: float) -> str:
    """Ten significant digits, whole numbers without a point, nothing for a missing one."""
    if not math.isfinite(value):
        return ""
    if value == int(value):
        return str(int(value))
    return np.format_float_positional(value, precision=10, fractional=False, trim="-")


def _plain(texts: Sequence[str]) -> list[str]:
    """Texts on one line each, none of which is a formula; most columns say few different things many times."""
    plain = {text: _FORMULA.sub(r"\1'", text).replace("\r", " ").replace("\n", " ") for text in set(texts)}
    return [plain[text] for text in texts]


# JSON


def document(
    connection: Connection, chart: Chart, reading: Reading, rows: pd.DataFrame, *, site: str
) -> dict[str, Any]:
    """A reading as plain values: what the page prints, the rows, and the receipts that each row names by number."""
    selection = reading.selection
    receipts, of_row = receipts_of_rows(connection, chart, reading, rows)
    values = {
        name: [_json_number(value) for value in rows[name].tolist()]
        if rows[name].dtype.kind in "fi"
        else rows[name].tolist()
        for name in rows.columns
    }
    return {
        "chart": chart.slug,
        "question": chart.question,
        "title": reading.title,
        "subtitle": reading.subtitle,
        "badge": asdict(reading.badge),
        "link": link(chart, selection, site=site),
        "selection": {"query": selection.query(defaults=chart.defaults), "fields": asdict(selection)},
        "as_of": selection.as_of or max((cited.known_on for cited in reading.citations), default=None),
        "citations": [asdict(cited) for cited in reading.citations],
        "notes": list(reading.notes),
        "events": [{"number": mark.number, **asdict(mark.event)} for mark in reading.events.marks],
        "rows": [
            {**dict(zip(values, row, strict=True)), "receipts": refs}
            for row, refs in zip(zip(*values.values(), strict=True), of_row, strict=True)
        ],
        "receipts": receipts,
    }


def json_text(document: dict[str, Any]) -> str:
    """A document of plain values and dates as JSON in UTF-8; a number that JSON does not have is an error."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, default=date.isoformat, separators=(",", ":"))


def _json_number(value: float) -> float | int | None:
    text = _number(value)
    return None if not text else float(text) if "." in text else int(text)


def receipts_of_rows(
    connection: Connection, chart: Chart, reading: Reading, rows: pd.DataFrame
) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Every receipt once, and for each row those it rests on: `receipt` is the place in that list, `lines` are sorted.

    A receipt has what `_RECEIPT` names, as text, but for its `urls`, which are a list.
    """
    if chart.row_receipts:
        return _receipts_of_records(chart.row_receipts(connection, reading), rows=len(rows))
    return _receipts(connection, reading, rows) if chart.receipts else ([], [[]] * len(rows))


_RECEIPT = ("source", "file", "known_from", "known_on", "sha256", "obtained", "origin_url", "text", "urls")
"""What identifies a receipt."""


def _receipts_of_records(claims: pd.DataFrame, *, rows: int) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Every receipt once, and for each row those it rests on, from claims that say which row they are behind."""
    numbers: dict[tuple[str, ...], int] = {}
    lines: list[dict[int, set[int]]] = [defaultdict(set) for _ in range(rows)]
    for claim in claims.to_dict("records"):
        number = numbers.setdefault(tuple(str(claim[name]) for name in _RECEIPT), len(numbers))
        lines[claim["row"]][number].add(int(claim["line"]))
    receipts = [dict(zip(_RECEIPT, key, strict=True)) for key in numbers]
    return [{**receipt, "urls": receipt["urls"].split()} for receipt in receipts], [
        [{"receipt": number, "lines": sorted(found)} for number, found in sorted(of_row.items())] for of_row in lines
    ]


def _receipts(
    connection: Connection, reading: Reading, rows: pd.DataFrame
) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Every receipt once, numbered by its place, and for each row those it rests on with the lines in their files."""
    selection = reading.selection
    nouns = queries.nouns(connection, as_of=selection.as_of)
    keys = list(_tuples(rows, _ROW_KEY))
    # A row may be of another grain than the selection, where a publisher has no finer one.
    of_period = {
        (grain, window): replace(selection, grain=Grain(grain), window=Window(window))
        for grain, window in {(key[-2], key[-1]) for key in keys}
    }
    known: dict[tuple[str, str, str], tuple[range, ...]] = {}

    def behind_period(start: str, grain: str, window: str) -> tuple[range, ...]:
        asked = start, grain, window
        if asked not in known:
            known[asked] = months_behind(of_period[grain, window], _month(start))
        return known[asked]

    spans = [behind_period(start, grain, window) for start, *_, grain, window in keys]
    if "period_before" in rows:
        # A change rests on an earlier period too.
        befores = [
            behind_period(str(start), grain, window)
            for start, (*_, grain, window) in zip(rows["period_before"], keys, strict=True)
        ]
        spans = [(*before, *span) for before, span in zip(befores, spans, strict=True)]
    # What each row counts: one basis and powertrain, or several bases where it is made of them.
    counted = [
        tuple((basis, powertrain) for basis in bases.split(";"))
        for bases, powertrain in _tuples(rows, ["basis", "powertrain"])
    ]
    claims = pd.concat(
        [
            provenance.receipts(
                connection,
                markets=sorted({code for market in set(rows["market"]) for code in market.split("+")}),
                bases=(basis,),
                powertrains=_stored_as(powertrain),
                makers=None,
                model=None,
                first=_first_of(min(span[0].start for span in spans)),
                last=_first_of(max(span[-1].stop - 1 for span in spans)),
                as_of=selection.as_of,
            ).assign(basis=basis, powertrain=powertrain)
            for basis, powertrain in sorted({each for of_row in counted for each in of_row})
        ]
    )

    def about_row(key: tuple[Any, ...], of_bases: tuple[tuple[str, str], ...]) -> list[_About]:
        _, in_markets, slug, name, model, model_name, *_ = key
        makers = (
            [""] if slug == ALL else [nouns.makers.get(each, name) for each in (slug, *nouns.members.get(slug, ()))]
        )
        of_model = model_name if model != ALL else ""
        return [
            (*counted_as, market, maker, of_model)
            for counted_as, market, maker in product(of_bases, in_markets.split("+"), makers)
        ]

    about = [about_row(key, of_bases) for key, of_bases in zip(keys, counted, strict=True)]
    numbers: dict[tuple[Any, ...], int] = {}
    # Of what rows are about, by first month: the number of the receipt, the line, the source, the month after.
    lines: dict[_About, dict[int, list[tuple[int, int, str, int]]]] = {
        each: defaultdict(list) for of_row in about for each in of_row
    }
    concerned: dict[_About, list[dict[int, list[tuple[int, int, str, int]]]]] = {}
    told = _tuples(claims, ["basis", "powertrain", "market", "maker", "model"])
    places_of = _tuples(claims, ["period_start", "grain", "line", "source_slug"])
    for identity, about_claim, (start, grain, line, source) in zip(
        _tuples(claims, _RECEIPT), told, places_of, strict=True
    ):
        if about_claim not in concerned:
            *where, maker, model = about_claim
            wider = [(*where, *part) for part in ((maker, ""), (maker, model), ("", ""))]
            concerned[about_claim] = [lines[each] for each in wider if each in lines]
        number = numbers.setdefault(identity, len(numbers))
        if concerned[about_claim]:
            month = _month(start)
            place = number, line, source, month + GRAIN_MONTHS[grain]
            for by_month in concerned[about_claim]:
                by_month[month].append(place)
    receipts = [dict(zip(_RECEIPT, map(str, identity), strict=True)) for identity in numbers]
    of_row = []
    for (*_, sources, _, _), of_what, span in zip(keys, about, spans, strict=True):
        behind = sources.split(";")
        places: dict[int, set[int]] = defaultdict(set)
        for by_month, part in product([lines[each] for each in of_what], span):
            for month in part:
                for number, line, source, end in by_month.get(month, ()):
                    if end <= part.stop and source in behind:
                        places[number].add(line)
        of_row.append([{"receipt": number, "lines": sorted(found)} for number, found in sorted(places.items())])
    return [{**receipt, "urls": receipt["urls"].split()} for receipt in receipts], of_row


_About = tuple[str, str, str, str, str]
"""Basis, powertrain, market, maker and model; without a maker all of them, without a model the maker's own."""


def _tuples(frame: pd.DataFrame, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of some columns; many times as fast as pandas gives them."""
    return zip(*(frame[name].to_numpy(object).tolist() for name in columns), strict=True)


def _stored_as(powertrain: str) -> tuple[str, ...]:
    """The words under which the powertrain of a row is stored: a reader's choice, or itself."""
    return PUBLISHED_AS[PowertrainChoice(powertrain)] if powertrain in set(PowertrainChoice) else (powertrain,)


def _month(day: str) -> int:
    return int(day[:4]) * 12 + int(day[5:7]) - 1


def _first_of(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)
