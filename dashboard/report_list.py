"""The list of sheets of a weekly report, and which of them a week has news for."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dashboard.charts import chart as chart_at
from dashboard.charts.chart import Chart
from dashboard.ledger import Ledger
from dashboard.selection import InvalidSelection, Selection
from dashboard.what_changed import Kind
from db.schema import RECORDS

SHEETS: Final = Path(__file__).parent / "report_sheets.toml"
"""The list of sheets that ships with the project."""

WHEN: Final = ("always", "on-news")

SOURCES: Final = "sources"
"""The topic of the sources themselves: one became overdue, a file was refused, or the download failed."""

TOPICS: Final = ("sales", "penetration", "maker_group", *(table.name for table in RECORDS), SOURCES)
"""What there can be news of: the tables that claims are kept in, and the sources."""

_TEXTS: Final = {"name", "chart", "query", "when"}

_OTHERS: Final = {"news", "digest"}


class ReportError(Exception):
    """The report cannot be made. The text is one line that says why and what to do."""


@dataclass(frozen=True)
class Sheet:
    """One entry of the list: what a sheet shows, and when it is in the report.

    `news` are the topics that a sheet on news waits for, each a word of `TOPICS`, alone or with a market: `sales:CN`.
    `is_on_digest` is false for lists that need the room of a whole sheet.
    """

    name: str
    chart: Chart
    selection: Selection
    when: str
    news: tuple[str, ...] = ()
    is_on_digest: bool = True


@dataclass(frozen=True)
class News:
    """What a week brought: the changes, the files that were refused in it, and whether the download failed."""

    changes: Ledger
    refused_files: int = 0
    is_stale: bool = False

    def has(self, topic: str) -> bool:
        """Whether there is news of a topic. What was read for the first time is none, nor what was overdue before."""
        table, _, market = topic.partition(":")
        if table == SOURCES and not market and (self.refused_files or self.is_stale):
            return True
        found = (
            (each for each in self.changes.of(Kind.OVERDUE) if each.since >= self.changes.after)
            if table == SOURCES
            else (each for each in self.changes.news if each.table == table)
        )
        return any(market in ("", each.market) for each in found)

    def wants(self, sheet: Sheet) -> bool:
        """Whether a sheet is in the report of this week."""
        return not sheet.news or any(self.has(topic) for topic in sheet.news)


def sheets(path: Path) -> tuple[Sheet, ...]:
    """The sheets of a list.

    Raises `ReportError` for a file that is none, an unknown chart, key, word or topic, and a selection that the
    grammar refuses.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError(f"{path}: is no TOML file: {error}") from error
    entries = content.get("sheet")
    if not entries or not isinstance(entries, list) or set(content) != {"sheet"}:
        raise ReportError(f"{path}: holds no list of [[sheet]] entries; see {SHEETS.name} for an example")
    return tuple(_sheet(entry, where=f"{path} sheet {number}") for number, entry in enumerate(entries, start=1))


def _sheet(entry: Any, *, where: str) -> Sheet:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in _TEXTS):
        raise ReportError(f"{where}: needs the texts {', '.join(sorted(_TEXTS))}")
    if unknown := sorted(set(entry) - _TEXTS - _OTHERS):
        raise ReportError(
            f"{where}: '{unknown[0]}' is no part of a sheet; there are {', '.join(sorted(_TEXTS | _OTHERS))}"
        )
    if not entry["name"].strip() or not entry["name"].isprintable():
        raise ReportError(f"{where}: name is empty, or holds a character that cannot be seen")
    if entry["when"] not in WHEN:
        raise ReportError(f"{where}: when is '{entry['when']}'; valid: {', '.join(WHEN)}")
    try:
        chart = chart_at(entry["chart"])
        selection = Selection.from_query(entry["query"], defaults=chart.defaults)
    except KeyError as error:
        raise ReportError(f"{where}: {error.args[0]}") from error
    except InvalidSelection as error:
        raise ReportError(f"{where}: {error}") from error
    on_digest = entry.get("digest", True)
    if not isinstance(on_digest, bool):
        raise ReportError(f"{where}: digest is to be true or false")
    news = _topics(entry.get("news"), is_on_news=entry["when"] == "on-news", where=where)
    return Sheet(
        name=entry["name"],
        chart=chart,
        selection=selection,
        when=entry["when"],
        news=news,
        is_on_digest=on_digest,
    )


def _topics(news: Any, *, is_on_news: bool, where: str) -> tuple[str, ...]:
    if not is_on_news:
        if news is not None:
            raise ReportError(f'{where}: news goes with when = "on-news"')
        return ()
    if not isinstance(news, list) or not news or not all(isinstance(topic, str) for topic in news):
        raise ReportError(f'{where}: when = "on-news" needs the topics, as in news = ["price", "sales:CN"]')
    for topic in news:
        table, colon, market = topic.partition(":")
        if table not in TOPICS or (colon and not re.fullmatch(r"[A-Z]{2,12}", market)):
            raise ReportError(
                f"{where}: '{topic}' is no topic; there are {', '.join(TOPICS)}, each also with a market as in sales:CN"
            )
    return tuple(news)
