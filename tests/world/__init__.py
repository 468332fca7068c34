"""One tiny made-up market in the real file shapes. The codes are real, the numbers are plainly not: 100, 200, 300.

`upstream/` is laid out as upstream serves it: Germany by model in months, the United Kingdom in a quarter and a month,
Norway with the commented template block, the world, and the company groups. 26 figures and 5 memberships.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from db.vocabulary import Obtained
from etl.snapshots import Snapshot

UPSTREAM = Path(__file__).parent / "upstream"
FILES = ("config.js", "data/data-DE.js", "data/data-NO.js", "data/data-UK.js", "data/data-global.js")
FIGURES = 26
MEMBERSHIPS = 5

DAY = date(2026, 3, 1)
"""The day on which the tiny world became known, where a test does not say another."""


def copy(folder: Path) -> Path:
    """A copy of the tiny world, for changing."""
    return Path(shutil.copytree(UPSTREAM, folder))


def text(file: str) -> str:
    """The text of one of the world's files."""
    return (UPSTREAM / file).read_text(encoding="utf-8")


def snapshot(content: str | bytes, *, file: str = "data/data-DE.js", known_on: date = DAY) -> Snapshot:
    """A snapshot of a file with this content."""
    return Snapshot(
        source="open-ev-charts",
        file=file,
        known_on=known_on,
        content=content.encode() if isinstance(content, str) else content,
        origin_url=f"https://upstream.example/{file}",
        obtained=Obtained.FOLDER,
    )


def record(
    figures: Mapping[str, int],
    *,
    period: str = "2026-01",
    kind: str = "ElectricCarsByModel",
    country: str = "DE",
    cited: str = "https://kba.example",
) -> str:
    """One record as upstream writes it."""
    lines = [f'db.insert(db.countries.{country}, "{period}", db.dsTypes.{kind}, "{cited}",']
    lines += [f'{"," if n else "{"} "{key}": {units}' for n, (key, units) in enumerate(figures.items())]
    return "\n".join([*lines, "});", ""])


def market_file(*records: str) -> str:
    """A market file of these records as upstream writes it."""
    return "\n".join(['// Data sets for car sales\n\n"use strict";\n', *records])
