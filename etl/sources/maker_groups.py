"""Who owns which brand since when: `etl/reference/maker_groups.csv`, reviewed like code.

A brand changes hands on a day, and a group's cars are those of the brands that it holds in that period. This table goes
before the groups that publishers give, which know no days.
"""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from typing import Final

import pandas as pd

from db.store import Source
from db.vocabulary import BEGINNING, OPEN_END, Cadence, States
from etl.claims import GROUP_COLUMNS, Claims

SOURCE: Final = Source(
    slug="maker-groups",
    title="Dated ownership of brands",
    publisher="The companies, as the press prints it",
    url="https://github.com/simonkrauter/Open-EV-Charts/blob/master/config.js",
    licence="Facts, cited one by one",
    licence_url="https://github.com/simonkrauter/Open-EV-Charts/blob/master/config.js",
    states=States.MAKERS,
    cadence=Cadence.YEARLY,
    lag_days=365,
    precedence=10,
    warning="A brand counts for the group that holds it in the month with which a period begins.",
)

PATH: Final = Path(__file__).parents[1] / "reference" / "maker_groups.csv"
"""Where the table is."""


def parse(content: bytes) -> Claims:
    """Every row as a membership, known since it holds; raises `ValueError` for a day that is none."""
    rows = []
    for line, row in enumerate(csv.DictReader(io.StringIO(content.decode("utf-8"))), start=2):
        try:
            valid_from = date.fromisoformat(row["valid_from"]) if row["valid_from"] else BEGINNING
            valid_to = date.fromisoformat(row["valid_to"]) if row["valid_to"] else OPEN_END
        except ValueError as error:
            raise ValueError(f"{PATH.name} line {line}: {error}; write YYYY-MM-DD or nothing") from error
        rows.append((row["maker"], row["group"], valid_from, valid_to, line, valid_from))
    groups = pd.DataFrame(rows, columns=[*GROUP_COLUMNS, "published_on"]).astype(object)
    return Claims(rows_read=len(rows), groups=groups)
