"""What a weekly report says around its sheets: the page that shows them all, the digest and the manifest. Pure."""

from __future__ import annotations

import html
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from io import BytesIO
from typing import Any

from PIL import Image

from dashboard import __version__, framing, style
from dashboard.charts.chart import Reading, source_line
from dashboard.charts.events import NO_EVENTS
from dashboard.downloads import link
from dashboard.findings import Finding
from dashboard.report_list import Sheet
from dashboard.style import Figure, Look
from db.schema import SCHEMA_VERSION

A4 = (2480, 3508)
"""A4 portrait at 300 dots an inch, in pixels."""

STALE = (
    "Before this report was made the download of new figures failed, in whole or in part: "
    "publishers may have newer ones."
)

NO_FINDINGS = "Nothing changed in these days that a rule for findings speaks of."

_MARGIN, _GAP = 100, 36

_LARGEST, _ACROSS, _DOWN = 22, 46, 30
"""Type in a chart of the digest, in dots, and how many of its sizes a chart needs to be drawn, across and down."""


@dataclass(frozen=True)
class Week:
    """Which report it is: the ISO week, the day as known on which it is made, and the day that news counts from.

    `findings` stand with the most important first; `site` is the app's public address, if it has one.
    """

    name: str
    day: date
    before: date
    findings: tuple[Finding, ...] = ()
    is_stale: bool = False
    site: str = ""

    @property
    def title(self) -> str:
        """The heading of the report."""
        return f"Electric cars, week {self.name}"

    @property
    def known(self) -> str:
        """The days of the report, in a sentence."""
        return (
            f"As known on {style.day_text(self.day)}; news since {style.day_text(self.before)}. "
            "Days begin and end in UTC."
        )


@dataclass(frozen=True)
class Page:
    """One sheet that was read: its files' stem, what the data say, its figures as CSV and what they rest on."""

    stem: str
    sheet: Sheet
    reading: Reading
    csv: bytes
    receipts: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class LeftOut:
    """A sheet of the list that is not in the report, and why."""

    sheet: Sheet
    reason: str


def stamped(reading: Reading, *, is_stale: bool) -> Reading:
    """A reading whose badge says that the figures were not brought up to date, where that is so."""
    if not is_stale:
        return reading
    badge = reading.badge
    text = " · ".join(part for part in ("download failed", badge.text) if part)
    return replace(reading, badge=replace(badge, text=text, amber=True, reason=f"{STALE} {badge.reason}".strip()))


def receipts(
    found: Sequence[Mapping[str, Any]], of_rows: Iterable[Sequence[Mapping[str, Any]]]
) -> tuple[Mapping[str, Any], ...]:
    """Receipts as `downloads.receipts_of_rows` gives them, each with all lines of its file that a row rests on."""
    lines: dict[int, set[int]] = defaultdict(set)
    for of_row in of_rows:
        for rests_on in of_row:
            lines[rests_on["receipt"]].update(rests_on["lines"])
    return tuple({**receipt, "lines": sorted(lines[number])} for number, receipt in enumerate(found) if lines[number])


# The manifest


def manifest(
    week: Week,
    pages: Sequence[Page],
    left_out: Sequence[LeftOut],
    *,
    snapshots: Sequence[Mapping[str, Any]],
    checksums: Mapping[str, str],
) -> str:
    """`report.json`: what is in the report and what it rests on; without the time of making, so that it repeats.

    `checksums` are the SHA-256 of the files by name.
    """
    content = {
        "week": week.name,
        "as_of": week.day.isoformat(),
        "news_since": week.before.isoformat(),
        "days_are": "UTC",
        "stale": week.is_stale,
        "code_version": __version__,
        "schema_version": SCHEMA_VERSION,
        "findings": [{"text": each.text, "link": week.site + each.link} for each in week.findings],
        "sheets": [
            {
                "name": page.sheet.name,
                "chart": page.sheet.chart.slug,
                "query": page.reading.selection.query(defaults=page.sheet.chart.defaults),
                "link": link(page.sheet.chart, page.reading.selection, site=week.site),
                "when": page.sheet.when,
                "news": list(page.sheet.news),
                "title": page.reading.title,
                "subtitle": page.reading.subtitle,
                "badge": page.reading.badge.text,
                "notes": list(page.reading.notes),
                "sources": [
                    {"slug": cited.slug, "publisher": cited.publisher, "licence": cited.licence, "url": cited.url}
                    for cited in page.reading.citations
                ],
                "files": {name: checksums[name] for name in (f"{page.stem}.png", f"{page.stem}.csv")},
                "receipts": list(page.receipts),
            }
            for page in pages
        ],
        "left_out": [
            {"name": each.sheet.name, "chart": each.sheet.chart.slug, "reason": each.reason} for each in left_out
        ],
        "digest": checksums["digest.png"],
        "snapshots": list(snapshots),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"


# The page


_INDEX = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 "Open Sans", system-ui, sans-serif; color: #1a2027; background: #fff; margin: 2rem auto;
  max-width: 62rem; padding: 0 1rem }}
h1 {{ font-size: 1.6rem; margin: 0 }}
h2 {{ font-size: 1.1rem; margin: 2.5rem 0 .25rem }}
p {{ margin: .25rem 0; color: #555e68; overflow-wrap: anywhere }}
.findings {{ font-size: 1.1rem; padding-left: 1.4rem }}
.findings li {{ margin: .3rem 0 }}
.stale {{ background: #ffdf9e; color: #553600; padding: .4rem .8rem; border-radius: .4rem; display: inline-block }}
img {{ width: 100%; height: auto; border: 1px solid #e2e6ea }}
a {{ color: #0b6fc2 }}
@media print {{ body {{ margin: 0; max-width: none }} section {{ break-inside: avoid }} }}
</style>
<h1>{title}</h1>
<p>{known}</p>
{stale}{findings}
<p>{count}. <a href="digest.png">All on one page</a> ·
<a href="report.json">report.json</a> (selections, receipts, checksums)</p>
{sections}
{left_out}</html>
"""

_SECTION = """<section>
<h2>{name}: {title}</h2>
<p>{subtitle}</p>
<a href="{stem}.png"><img src="{stem}.png" width="1920" height="1080" alt="{title}. {subtitle}"></a>
<p>{notes}</p>
<p>{source} · <a href="{stem}.csv">figures as CSV</a></p>
</section>"""


def index(week: Week, pages: Sequence[Page], left_out: Sequence[LeftOut]) -> str:
    """`index.html`: the findings, every sheet with its words, and what was left out and why."""
    sections = [
        _SECTION.format(
            name=html.escape(page.sheet.name),
            title=html.escape(page.reading.title),
            subtitle=html.escape(page.reading.subtitle),
            stem=page.stem,
            notes=html.escape(" ".join(page.reading.notes)),
            source=html.escape(_source(week, page)),
        )
        for page in pages
    ]
    reasons = "".join(f"<li>{html.escape(each.sheet.name)}: {html.escape(each.reason)}</li>\n" for each in left_out)
    return _INDEX.format(
        title=html.escape(week.title),
        known=html.escape(week.known),
        stale=f'<p class="stale">{html.escape(STALE)}</p>\n' if week.is_stale else "",
        findings=_findings(week),
        count=style.count_text(len(pages), "sheet"),
        sections="\n".join(sections),
        left_out=f"<h2>Left out this week</h2>\n<ul>\n{reasons}</ul>\n" if left_out else "",
    )


def _source(week: Week, page: Page) -> str:
    return source_line(page.reading, link=link(page.sheet.chart, page.reading.selection, site=week.site))


def _findings(week: Week) -> str:
    if not week.findings:
        return f"<p>{NO_FINDINGS}</p>"
    found = "".join(f"<li>{_sentence(each, site=week.site)}</li>\n" for each in week.findings)
    return f'<ol class="findings">\n{found}</ol>'


def _sentence(finding: Finding, *, site: str) -> str:
    text = html.escape(finding.text)
    return f'<a href="{html.escape(site + finding.link)}">{text}</a>' if site else text


# The digest


@dataclass(frozen=True)
class _Text:
    """A line of the digest and where it stands: pixels from the page's left and upper edge."""

    text: str
    px: int
    top: float
    left: float = _MARGIN
    is_bold: bool = False
    is_quiet: bool = False


@dataclass(frozen=True)
class Digest:
    """The layout of one A4 page with all sheets: what is written on it, and the places that charts have.

    `paper` is a figure of the whole page with head and foot, `cell` the look in which each chart is drawn, in so many
    `columns`, `top` where the first row of charts begins, in dots.
    """

    paper: Figure
    cell: Look
    columns: int
    top: int

    def page(self, paper: bytes, charts: Iterable[bytes]) -> bytes:
        """The page as a PNG, from the pictures of the paper and of the charts, in columns in their order.

        Each chart is taken when the one before it stands.
        """
        with Image.open(BytesIO(paper)) as blank:
            page = blank.convert("RGB")
        for number, picture in enumerate(charts):
            row, column = divmod(number, self.columns)
            left = _MARGIN + column * ((self.cell.width or 0) + _GAP)
            with Image.open(BytesIO(picture)) as chart:
                page.paste(chart.convert("RGB"), (left, self.top + row * (self.cell.height + _GAP)))
        content = BytesIO()
        page.save(content, "PNG", dpi=(300, 300))
        return content.getvalue()


def on_digest(pages: Sequence[Page]) -> list[Page]:
    """The sheets whose charts are on the digest."""
    return [page for page in pages if page.sheet.is_on_digest]


PAPER = Look(width=A4[0], height=A4[1], font_px=38, scale=1)
"""The digest's page, in dots."""


def digest(week: Week, pages: Sequence[Page]) -> Digest:
    """The digest's layout for the sheets of a week: the charts of those in `on_digest`, and what all of them cite."""
    wide = A4[0] - 2 * _MARGIN
    written = [_Text(week.title, 72, 80, is_bold=True), _Text(week.known, 34, 178, is_quiet=True)]
    top: float = 240
    if week.is_stale:
        for line in style.wrap(STALE, width=wide, font_px=34):
            written.append(_Text(line, 34, top, is_bold=True))
            top += 34 * 1.35
        top += 12
    for number, finding in enumerate(week.findings, start=1):
        written.append(_Text(f"{number}", 38, top, is_bold=True))
        for line in style.wrap(finding.text, width=wide - 60, font_px=38):
            written.append(_Text(line, 38, top, left=_MARGIN + 60))
            top += 38 * 1.35
        top += 6
    if not week.findings:
        written.append(_Text(NO_FINDINGS, 38, top))
        top += 38 * 1.35
    cited: dict[str, dict[str, None]] = defaultdict(dict)
    for of in (of for page in pages for of in page.reading.citations):
        cited[of.licence][of.publisher] = None
    sources = "; ".join(f"{' · '.join(publishers)} ({licence})" for licence, publishers in cited.items())
    foot = f"Sources: {sources}. Notes, bounds and events stand on each sheet and in index.html."
    lines = style.wrap(foot, width=wide, font_px=24)
    bottom = A4[1] - 60 - len(lines) * 24 * 1.35
    written += [_Text(line, 24, bottom + n * 24 * 1.35, is_quiet=True) for n, line in enumerate(lines)]
    first = round(top) + _GAP
    columns, cell = cells(len(on_digest(pages)), wide=wide, high=round(bottom) - first)
    return Digest(paper=_paper(written), cell=cell, columns=columns, top=first)


def cells(count: int, *, wide: int, high: int) -> tuple[int, Look]:
    """The number of columns, and the look of each of `count` charts, that leave the type largest in so many dots."""
    looks = []
    for columns in range(2, 7):
        width = (wide - (columns - 1) * _GAP) // columns
        height = min(high // max(-(-count // columns), 1) - _GAP, width)
        font = max(min(_LARGEST, width // _ACROSS, height // _DOWN), 1)
        looks.append((columns, Look(width=width, height=height, font_px=font, scale=1)))
    return max(looks, key=lambda each: each[1].font_px)


def _paper(written: Sequence[_Text]) -> Figure:
    ink, axis = style.INK[PAPER.theme], {"visible": False, "range": [0, 1]}
    notes = [
        {
            "text": style.escape(each.text),
            "font": {
                "size": each.px,
                "color": ink.quiet if each.is_quiet else ink.text,
                "weight": 600 if each.is_bold else 400,
            },
            "showarrow": False,
            "align": "left",
            "borderpad": 0,
            "xref": "paper",
            "x": 0,
            "xanchor": "left",
            "xshift": each.left,
            "yref": "paper",
            "y": 1,
            "yanchor": "top",
            "yshift": -each.top,
        }
        for each in written
    ]
    edge = {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0}
    layout = style.layout(PAPER, width=PAPER.width, margin=edge, xaxis=axis, yaxis=axis, annotations=notes)
    return {"data": [], "layout": layout}


def small(page: Page, cell: Look) -> Figure:
    """A sheet's chart for the digest: with title, subtitle and badge; notes and events are on the sheet."""
    reading = replace(page.reading, events=NO_EVENTS)
    return framing.framed(
        page.sheet.chart.draw(reading, cell),
        title=reading.title,
        subtitle=reading.subtitle,
        badge=reading.badge.text,
        amber=reading.badge.amber,
        look=cell,
    )
