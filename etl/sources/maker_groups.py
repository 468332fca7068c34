"""Who owns which brand since when: `etl/reference/maker_groups.csv`, reviewed like code.

A brand changes hands on a day, and a group's cars are those of the brands that it holds in that period. This table goes
before the groups that publishers give, which know no days.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from db.contents import Source
from db.vocabulary import BEGINNING, OPEN_END, Cadence, States
from etl import csv_file
from etl.claims import GROUP_COLUMNS, Claims, Refused

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


COLUMNS: Final = ("maker", "group", "valid_from", "valid_to", "source_url", "note")


def parse(content: bytes) -> Claims:
    """Every row as a membership, known since it holds.

    Raises `Refused` for a file with other columns, a row that is cut, without a maker or group, or with a day that is
    none or not before the other.
    """
    rows = []
    for line, row in csv_file.table(content, file=PATH.name, columns=COLUMNS):
        try:
            valid_from = csv_file.day(row["valid_from"]) if row["valid_from"] else BEGINNING
            valid_to = csv_file.day(row["valid_to"]) if row["valid_to"] else OPEN_END
            if not valid_from < valid_to or not row["maker"].strip() or not row["group"].strip():
                raise ValueError("a brand is in a named group from one day to a later one")
        except ValueError as error:
            raise Refused(
                file=PATH.name,
                line=line,
                problem=str(error),
                remedy="write days as YYYY-MM-DD, or nothing",
                value=f"{row['valid_from']},{row['valid_to']}",
            ) from error
        rows.append((row["maker"], row["group"], valid_from, valid_to, line, valid_from))
    groups = pd.DataFrame(rows, columns=[*GROUP_COLUMNS, "published_on"]).astype(object)
    return Claims(rows_read=len(rows), groups=groups)
