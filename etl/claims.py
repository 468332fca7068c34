"""What a parser hands over: tidy rows in the publisher's own spelling, each with its place in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

CLAIM_COLUMNS: Final = (
    "market",
    "basis",
    "powertrain",
    "vehicle_scope",
    "grain",
    "period_start",
    "maker",
    "model",
    "units",
    "line",
    "evidence",
)
"""One row is units of a maker or model in a market and period. `maker` and `model` are the publisher's spelling or the
explicit members `all` and `other`, `period_start` is a date, `evidence` what the publisher cites, to the letter."""

PENETRATION_COLUMNS: Final = tuple("share" if name == "units" else name for name in CLAIM_COLUMNS)
"""One row is a publisher's own share of the cars of `powertrain` among all cars sold in a market and period, as a
fraction: as `CLAIM_COLUMNS` with `share` in the place of `units`, and maker and model `all`."""

GROUP_COLUMNS: Final = ("maker", "group", "valid_from", "valid_to", "line")
"""One row says that a maker belongs to a group from a day on (included) to another (excluded), both names in the
publisher's spelling. Where a publisher gives no days they are `vocabulary.BEGINNING` and `vocabulary.OPEN_END`."""


MOST_CARS: Final = 100_000_000
"""More are not made in a year in all the world: a larger number is a slip, whatever it is said to count."""


class Refused(Exception):
    """A file that cannot be read as what it claims to be: nothing of it is loaded.

    The text is one line that names the file, the line (0 for the whole file), what is wrong there and what to do about
    it. What it quotes of the file is as `printable` gives it.
    """

    def __init__(self, *, file: str, line: int, problem: str, remedy: str, value: str = "") -> None:
        place = f"{file} line {line}" if line else file
        super().__init__(printable(f"{place}: {problem}; {remedy}"))
        self.file, self.line, self.remedy = file, line, remedy
        self.problem, self.value = printable(problem), _storable(value)


def _storable(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def printable(text: str) -> str:
    """What a file holds, for a message: on one line, and without what cannot be seen.

    >>> printable("a\\nb\\x1b[31m\\ud800")
    'a b\ufffd[31m\ufffd'
    """
    if text.isprintable():
        return text
    one_line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in one_line)


@dataclass(frozen=True)
class RejectedRow:
    """One row that cannot be read: its line in the file, the column at fault, the value there, and the reason.

    What no database stores (NUL, halves of surrogates) is replaced in the value.
    """

    line: int
    column: str
    value: str
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _storable(self.value))


def _no_rows(columns: tuple[str, ...]) -> Callable[[], pd.DataFrame]:
    return lambda: pd.DataFrame(columns=list(columns))


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What one snapshot says: `sales` with `CLAIM_COLUMNS`, `penetration` and `groups` with theirs.

    `records` has frames by the name of their table in `db.schema.RECORDS`, with the columns of `db.records.fields`,
    makers and models in the publisher's spelling.

    Every row that was read is one of these, or it is rejected, out of scope (about something that is not kept, such as
    buses) or a duplicate (the same to the letter as an earlier one): `rows_read` is their sum.
    """

    rows_read: int
    sales: pd.DataFrame = field(default_factory=_no_rows(CLAIM_COLUMNS))
    penetration: pd.DataFrame = field(default_factory=_no_rows(PENETRATION_COLUMNS))
    groups: pd.DataFrame = field(default_factory=_no_rows(GROUP_COLUMNS))
    records: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    rejected: tuple[RejectedRow, ...] = ()
    out_of_scope: int = 0
    duplicate: int = 0


def cited_urls(text: str) -> list[str]:
    """The addresses in a publisher's free text, in order.

    Addresses are separated by a comma and a space before the next one, and may hold commas and spaces themselves
    ("…/Press Release, June 2nd, 2022.pdf"); a remark follows in brackets or after a space.

    >>> cited_urls("https://a.example/x (includes vans), https://b.example/Press Release, June.pdf")
    ['https://a.example/x', 'https://b.example/Press%20Release,%20June.pdf']
    """
    urls = []
    for part in _parts(text):
        address = _REMARK.sub("", part).strip()
        if address.startswith(("http://", "https://")):
            urls.append(address.replace(" ", "%20"))
    return urls


def cited_remark(text: str) -> str:
    """What a publisher's free text says beside the addresses, without the brackets.

    >>> cited_remark("https://a.example/x (includes commercial vehicles), https://b.example")
    'includes commercial vehicles'
    """
    remarks = []
    for part in _parts(text):
        if not part.startswith(("http://", "https://")):
            remarks.append(part.strip())
        elif found := _REMARK.search(part):
            remark = found[0].strip()
            # A note of upstream's authors to themselves says nothing about the figures.
            remarks.append("" if remark.startswith("TODO") else remark.removeprefix("(").removesuffix(")"))
    return "; ".join(dict.fromkeys(remark for remark in remarks if remark))


_REMARK = re.compile(r" \(.*\)\s*$| TODO\b.*$")


def _parts(text: str) -> list[str]:
    return re.split(r",\s+(?=https?://)", text.strip())
