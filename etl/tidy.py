"""The tidy CSV format: one row one figure, for the curated figures and for an analyst's own files.

The format is described in `etl/curated/README.md`. A row says what was counted (market, basis, powertrain, vehicle
scope, maker, model), in which period, how many, since when that is known and where it is printed. What is easily got
wrong, and is refused here with the remedy: NEV as a powertrain (publishers mean different sets by it), a spreadsheet's
`Jun-26` or `1,234`, a figure that would be known before its period ends, and one cell stated twice on one day.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from operator import call, itemgetter
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import pandas as pd

from db.vocabulary import ALL, OTHER, Basis, Grain, Powertrain, VehicleScope, Word
from etl import csv_file
from etl.claims import CLAIM_COLUMNS, MOST_CARS, PENETRATION_COLUMNS, Claims, Refused, RejectedRow
from etl.csv_file import csv_rows, csv_text
from etl.harmonize import reference, slug

FORMAT: Final = "etl/curated/README.md"
"""Where the format is described."""

COLUMNS: Final[Mapping[str, str]] = {
    "period": "2026-06, 2026-Q2 or 2026",
    "market": "a code of etl/reference/markets.csv, such as DE, CN, EU or WORLD",
    "basis": "what was counted: production, wholesale, export, retail, delivery, registration or insurance",
    "powertrain": "BEV, PHEV, FCEV, BEV+PHEV, BEV+PHEV+FCEV or ALL",
    "vehicle_scope": "passenger_car (where empty), commercial_vehicle or all_vehicles",
    "maker": "the maker's name; all = the market's total, other = the market's unnamed rest",
    "model": "the model's name; all (where empty) = all of the maker's, other = the maker's unnamed rest",
    "units": "how many, a whole number in plain digits",
    "share": "instead of units: a publisher's own share of these cars among all cars, from 0 to 1; maker and model all",
    "published_on": "the day since which the figure is known, as 2026-07-02; where empty, the day of the import",
    "published_estimated": "yes where that day is inferred, else empty",
    "source_url": "the address that prints the figure",
    "note": "what a reader of the figure must know",
}
"""The columns in their usual order, with what they hold."""

_REQUIRED: Final = ("period", "market", "basis", "powertrain", "maker")
_EXAMPLE: Final = {
    "period": "2026-06",
    "market": "DE",
    "basis": "registration",
    "powertrain": "BEV",
    "vehicle_scope": "passenger_car",
    "maker": "Example Motors",
    "model": "Model One",
    "units": "100",
    "published_on": "2026-07-03",
    "source_url": "https://example.org/press-release",
    "note": "an example: replace this row",
}


_NO_NAMES = frozenset({"total", "totals", "sum", "others", "rest", "all-makers", "all-models", "other-makers"})
"""What other tables call a total or an unnamed rest; taken as a maker it would be drawn as one."""


@dataclass(frozen=True)
class Tidy:
    """What one tidy file says.

    `claims.sales` and `claims.penetration` have one column beyond those of `etl.claims`: `published_on`, a date.
    """

    claims: Claims

    @property
    def rejected(self) -> tuple[RejectedRow, ...]:
        """Every problem of every row, by line; a row with two problems is here twice."""
        return self.claims.rejected


def template() -> str:
    """A file of this format to begin with: the header and one plainly made-up row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerow(_EXAMPLE)
    return text.getvalue()


def describe_problems(rejected: Iterable[RejectedRow], *, file: str) -> list[str]:
    """One line a problem, as `FILE line N, column C: 'value': reason`; a row as a whole has no column and value."""
    lines = []
    for row in rejected:
        place = f"{file} line {row.line}" + (f", column {row.column}" if row.column else "")
        lines.append(": ".join([place, *([_shown(row.value)] if row.column else []), row.reason]))
    return lines


def read(
    content: bytes, *, file: str, require_address: bool, known_on: date, require_published_on: bool = False
) -> Tidy:
    """What a file of the tidy format says, and every problem of every row.

    `known_on` is the day on which the file is read: rows without a publication day are known since then, and none can
    be published later. Spaces around a cell are ignored, and so are rows whose cells are all empty. Raises `Refused`
    where there are no rows to speak of: another kind of file, another separator, or a header that does not fit.
    """
    records = csv_rows(csv_text(content, file=file))
    line, header, broken = next(records, (0, [], ""))
    if not line:
        raise Refused(file=file, line=0, problem="is empty", remedy=f"see {FORMAT} for what it should hold")
    if broken:
        raise Refused(file=file, line=line, problem=f"the header {broken}", remedy=f"see {FORMAT} for the header")
    header = [name.strip() for name in header]
    required = [*_REQUIRED, *(["published_on"] * require_published_on), *(["source_url"] * require_address)]
    _check_header(header, file=file, line=line, required=required)

    # A column that the file has not is read as empty cells: the cell after a row's last.
    pick = itemgetter(*(header.index(name) if name in header else len(header) for name in COLUMNS))
    readers = _readers(known_on=known_on, required=required)
    units: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    shares: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    rejected: list[RejectedRow] = []
    rows_read = duplicate = 0
    for line, row, broken in records:
        rows_read += 1
        if broken or len(row) != len(header):
            rejected.append(RejectedRow(line, "", ",".join(row)[:200], broken or _ragged(row, header)))
            continue
        cells = pick([*row, ""])
        figure = _Figure(*map(call, readers, cells))
        problems = [*figure.faults(), *figure.contradictions(known_on=known_on)]
        if not problems:
            published = figure.published_on or known_on
            claim = figure.claim(line, published)
            found = units if figure.share is None else shares
            first = found.setdefault(figure.cell(published), claim)
            if first is claim:
                continue
            if _without_line(first) == _without_line(claim):
                duplicate += 1
                continue
            problems = [figure.repetition(first)]
        values = dict(zip(COLUMNS, cells, strict=True))
        rejected += [RejectedRow(line, column, values[column][:200], reason) for column, reason in problems]
    if not rows_read:
        raise Refused(file=file, line=0, problem="holds a header and no row", remedy=f"see {FORMAT} for the rows")
    return Tidy(
        Claims(
            rows_read=rows_read,
            sales=_frame(units.values(), CLAIM_COLUMNS),
            penetration=_frame(shares.values(), PENETRATION_COLUMNS),
            rejected=tuple(rejected),
            duplicate=duplicate,
        )
    )


# The file


def _check_header(header: Sequence[str], *, file: str, line: int, required: Sequence[str]) -> None:
    """Raise `Refused` with all that is wrong with a header."""

    def refuse(problem: str, remedy: str = f"the format is described in {FORMAT}") -> Refused:
        return Refused(file=file, line=line, problem=problem, remedy=remedy, value=",".join(header)[:200])

    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and separator in header[0]:
            raise refuse(
                f"has columns separated by {name}",
                "save it separated by commas, with points in decimals (in Excel: 'CSV UTF-8, comma delimited')",
            )
    problems = []
    missing = [f"'{name}'" for name in required if name not in header]
    if "units" not in header and "share" not in header:
        missing.append("'units' or 'share'")
    if missing:
        problems.append(f"lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    problems += [f"has the column '{name}' twice" for name in COLUMNS if header.count(name) > 1]
    unknown = [name for name in dict.fromkeys(header) if name not in COLUMNS]
    if not set(header) & set(COLUMNS):
        shown = ", ".join(_shown(name) for name in header)
        raise refuse(f"is not of the tidy format: it {' and '.join(problems)}; its columns are {shown}")
    problems += [
        f"has the unknown column {_shown(name)}{_nearest(name, COLUMNS)}" if name else "has a column without a name"
        for name in unknown
    ]
    if problems:
        shown = f"; its columns are {', '.join(_shown(name) for name in header)}" if missing else ""
        raise refuse("; ".join(problems) + shown)


def _ragged(row: Sequence[str], header: Sequence[str]) -> str:
    if len(row) > len(header):
        advice = 'a comma inside a cell needs quotes around the cell ("a, b"), and numbers have no commas'
    else:
        advice = "empty cells at the end need their commas"
    return f"has {len(row)} cells where the header has {len(header)}; {advice}"


def _frame(rows: Iterable[tuple[Any, ...]], columns: Sequence[str]) -> pd.DataFrame:
    names = [*columns, "published_on"]
    values = list(zip(*rows, strict=True)) or [()] * len(names)
    return pd.DataFrame(dict(zip(names, values, strict=True)), columns=names, dtype=object)


# One row


@dataclass(frozen=True)
class _Fault:
    """In the place of a value: why the cell cannot be read."""

    reason: str


class _Period(NamedTuple):
    start: date
    grain: Grain
    over: date
    """The first day after it."""


class _Figure(NamedTuple):
    """The cells of one row as read; each can be a `_Fault`."""

    period: Any
    market: Any
    basis: Any
    powertrain: Any
    vehicle_scope: Any
    maker: Any
    model: Any
    units: Any
    share: Any
    published_on: Any
    published_estimated: Any
    source_url: Any
    note: Any

    def faults(self) -> list[tuple[str, str]]:
        """Column and reason of each cell that cannot be read."""
        if _Fault not in map(type, self):
            return []
        return [(name, cell.reason) for name, cell in zip(COLUMNS, self, strict=True) if type(cell) is _Fault]

    def contradictions(self, *, known_on: date) -> list[tuple[str, str]]:
        """Column and reason where cells that can be read do not go together."""
        found = []
        if self.units is None and self.share is None:
            found.append(("units", "neither units nor share is given: a row states one of them"))
        if type(self.units) is int and type(self.share) is float:
            found.append(("share", "units are given as well: write two rows, one with units and one with the share"))
        whole = self.maker == ALL or self.maker == OTHER
        if whole and type(self.model) is str and self.model != ALL:
            found.append(("model", f"the maker is '{self.maker}', which has no models: leave it empty"))
        if type(self.share) is float:
            if type(self.maker) is str and self.maker != ALL:
                found.append(("maker", "a share is of a whole market: write all, or give units"))
            elif type(self.model) is str and self.model != ALL and not whole:
                found.append(("model", "a share is of a whole market: leave it empty, or give units"))
        if type(self.period) is _Period:
            if self.published_on is None and self.period.over > known_on:
                found.append(("period", f"is not over on {known_on}, the day from which this file counts"))
            elif type(self.published_on) is date and self.period.over > self.published_on:
                found.append(
                    ("published_on", f"the period is over on {self.period.over} only: no figure is known before")
                )
        if self.published_estimated is True and self.published_on is None:
            found.append(("published_estimated", "there is no publication day that could be estimated"))
        return found

    def cell(self, published: date) -> tuple[Any, ...]:
        """What the figure is about, by the ids that its names become, and when it was published."""
        return (
            self.period.start,
            self.period.grain,
            self.market,
            self.basis,
            self.powertrain,
            self.vehicle_scope,
            slug(self.maker),
            slug(self.model),
            published,
        )

    def claim(self, line: int, published: date) -> tuple[Any, ...]:
        """The row as in the frames: `CLAIM_COLUMNS` or `PENETRATION_COLUMNS`, and the day of publication."""
        return (
            self.market,
            self.basis,
            self.powertrain,
            self.vehicle_scope,
            self.period.grain,
            self.period.start,
            self.maker,
            self.model,
            self.units if self.share is None else self.share,
            line,
            _evidence(self.source_url, self.note, self.published_estimated),
            published,
        )

    def repetition(self, first: tuple[Any, ...]) -> tuple[str, str]:
        """Column and reason where an earlier row states the same cell on the same day."""
        value, line = first[_VALUE], first[_LINE]
        return (
            "units" if self.share is None else "share",
            f"line {line} states the same cell on the same day ({value}): keep one of them, or give the restated "
            "figure its own later published_on",
        )


_LINE: Final = CLAIM_COLUMNS.index("line")
_VALUE: Final = CLAIM_COLUMNS.index("units")


def _without_line(claim: tuple[Any, ...]) -> tuple[Any, ...]:
    return claim[:_LINE] + claim[_LINE + 1 :]


@lru_cache(maxsize=4096)
def _evidence(address: str, note: str, estimated: bool) -> str:
    """What the row cites, in the form in which `cited_urls` and `cited_remark` find the address and the remark."""
    remark = "; ".join(part for part in (note, "publication day estimated" if estimated else "") if part)
    return f"{address} ({remark})" if address and remark else address or remark


# One cell: the text without the spaces around it, to its value; a ValueError says why not


def _readers(*, known_on: date, required: Sequence[str]) -> list[Callable[[str], Any]]:
    """One reader a column, in the order of `COLUMNS`. Cells repeat down a column, so their values are remembered."""
    day = day_cell(known_on)
    readers: dict[str, Callable[[str], Any]] = {
        "period": _period,
        "market": _market,
        "basis": _word(Basis),
        "powertrain": _powertrain,
        "vehicle_scope": _or(VehicleScope.PASSENGER_CAR, _word(VehicleScope)),
        "maker": _name,
        "model": _or(ALL, _name),
        "units": _or(None, _units),
        "share": _or(None, _share),
        "published_on": day if "published_on" in required else _or(None, day),
        "published_estimated": _or(False, _yes),
        "source_url": address_cell if "source_url" in required else _or("", address_cell),
        "note": _or("", _note),
    }
    return [_remembered(readers[name]) for name in COLUMNS]


def _remembered(read_cell: Callable[[str], Any]) -> Callable[[str], Any]:
    @lru_cache(maxsize=4096)
    def remembering(cell: str) -> Any:
        try:
            return read_cell(cell.strip())
        except ValueError as error:
            return _Fault(str(error))

    return remembering


def _or(default: Any, read_cell: Callable[[str], Any]) -> Callable[[str], Any]:
    """The same reader, with a value for an empty cell."""
    return lambda cell: read_cell(cell) if cell else default


_PERIOD = re.compile(r"((?:19|20)[0-9]{2})(?:-(?:(0[1-9]|1[0-2])|Q([1-4])))?")


def _period(cell: str) -> _Period:
    found = _PERIOD.fullmatch(cell)
    if not found:
        hint = ""
        if re.fullmatch(r"[A-Za-z]{3}-[0-9]{2}|[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}", cell):
            hint = " (a spreadsheet makes days of months: set the column to text before typing)"
        raise ValueError(f"is no period: write 2026-06, 2026-Q2 or 2026{hint}")
    year = int(found[1])
    if found[2]:
        grain, month = Grain.MONTH, int(found[2])
    elif found[3]:
        grain, month = Grain.QUARTER, 3 * int(found[3]) - 2
    else:
        grain, month = Grain.YEAR, 1
    after = year * 12 + month - 1 + grain.months
    return _Period(date(year, month, 1), grain, date(after // 12, after % 12 + 1, 1))


def _market(cell: str) -> str:
    markets = reference().markets
    known = {market["code"] for market in markets}
    if cell in known:
        return cell
    named = {market["name"].casefold(): market["code"] for market in markets}
    meant = {"uk": "GB", "global": "WORLD"}.get(cell.casefold()) or named.get(cell.casefold())
    if not meant and cell.upper() in known:
        meant = cell.upper()
    raise ValueError(f"write {meant}" if meant else "is no market: the codes are in etl/reference/markets.csv")


def _word(kind: type[Word]) -> Callable[[str], Word]:
    words = {word.value: word for word in kind}

    def read_word(cell: str) -> Word:
        if cell in words:
            return words[cell]
        plain = re.sub(r"[\s-]+", "_", cell.casefold())
        if plain in words:
            raise ValueError(f"write {plain}")
        raise ValueError(f"is none of {', '.join(words)}{_nearest(plain, words)}")

    return read_word


def _powertrain(cell: str) -> Word:
    plain = re.sub(r"\s", "", cell.upper())
    if plain in ("NEV", "NEVS", "PLUG-IN", "PLUGIN", "EV", "XEV"):
        raise ValueError(
            "publishers mean different sets by it: write BEV+PHEV, BEV+PHEV+FCEV or BEV, as this one means"
        )
    if plain == "EREV":
        raise ValueError("range-extended cars are counted under PHEV: write PHEV, and say so in the note")
    members = sorted(plain.split("+"), key=["BEV", "PHEV", "FCEV"].index) if set(plain.split("+")) <= _PARTS else []
    meant = "+".join(members) or plain
    if cell != meant and meant in set(Powertrain):
        raise ValueError(f"write {meant}")
    return _word(Powertrain)(cell)


_PARTS: Final = {"BEV", "PHEV", "FCEV"}


def _name(cell: str) -> str:
    """A maker's or model's name, or one of the words `all` and `other`."""
    if not cell:
        raise ValueError(f"is empty: write a name, '{ALL}' for the total or '{OTHER}' for the unnamed rest")
    if cell in (ALL, OTHER):
        return cell
    name = printable_cell(cell)
    made = slug(name)
    if made in (ALL, OTHER):
        raise ValueError(f"write {made}, or the name in full where it is one")
    if made in _NO_NAMES:
        raise ValueError(f"is no maker's name: write '{ALL}' for the total or '{OTHER}' for the unnamed rest")
    if not made:
        raise ValueError("holds no Latin letter or digit to make an id of: write the name in Latin letters")
    if len(name) > 60:
        raise ValueError(f"is {len(name)} letters long, where a name has at most 60")
    return name


def _units(cell: str) -> int:
    if re.fullmatch(r"[1-9][0-9]{0,8}|0", cell):
        if int(cell) > MOST_CARS:
            raise ValueError("is more cars than are made in a year")
        return int(cell)
    if re.fullmatch(r"[0-9]{1,3}([,.' _\u00a0\u202f’][0-9]{3})+", cell):
        raise ValueError(f"write {re.sub('[^0-9]', '', cell)}, without separators between the thousands")
    if found := re.fullmatch(r"0*([1-9][0-9]{0,8}|0)(?:\.0*)?", cell):
        raise ValueError(f"write {found[1]}")
    if re.fullmatch(r"[0-9]{10,}", cell):
        raise ValueError("is more cars than there are in the world")
    raise ValueError("is no whole number of cars: plain digits, no sign, no unit; leave it empty where it is not known")


def _share(cell: str) -> float:
    if re.fullmatch(r"0(\.[0-9]+)?|1(\.0+)?", cell):
        return float(cell)
    if found := re.fullmatch(r"([0-9]{1,3}(?:[.,][0-9]+)?) ?%", cell):
        raise ValueError(f"write the fraction, {Decimal(found[1].replace(',', '.')) / 100:f}")
    if re.fullmatch(r"[01],[0-9]+", cell):
        raise ValueError(f"write {cell.replace(',', '.')}, with a point")
    raise ValueError("is no fraction from 0 to 1 (43.7 % is 0.437)")


def day_cell(known_on: date) -> Callable[[str], date]:
    """Reads a day that must not lie after the one from which its file counts; ValueError says what is wrong."""

    def read_day(cell: str) -> date:
        if not cell:
            raise ValueError("is empty")
        day = csv_file.day(cell)
        if day > known_on:
            raise ValueError(f"is later than {known_on}, the day from which this file counts")
        return day

    return read_day


def _yes(cell: str) -> bool:
    if cell != "yes":
        raise ValueError("write yes, or leave it empty")
    return True


def address_cell(cell: str) -> str:
    """The address in a cell; ValueError for anything that no browser would open."""
    if not cell:
        raise ValueError("is empty: each figure cites the address that prints it")
    # What may follow an address in a citation (a bracket, another address) begins with a space, so none is in it.
    if not re.fullmatch(r"https?://[^\s/?#]+\.[^\s/?#]+([/?#]\S*)?", cell) or not cell.isprintable():
        raise ValueError("is no address such as https://example.org/press-release (a space in it is written %20)")
    try:
        parts = urlsplit(cell)
        sound = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("is no address: its host cannot be read")
    return cell


def _note(cell: str) -> str:
    note = printable_cell(cell)
    if note.startswith(("http://", "https://")):
        raise ValueError("begins with an address: put it into source_url, or say first what it is")
    # In a citation ", https://" begins the next source, which an address in a note is not.
    return re.sub(r",\s+(?=https?://)", "; ", note)


def printable_cell(cell: str) -> str:
    """The text with single spaces for whatever space or line break is in it."""
    text = " ".join(cell.split())
    if not text.isprintable():
        odd = next(letter for letter in text if not letter.isprintable())
        raise ValueError(f"holds a character that cannot be seen (U+{ord(odd):04X}): type it again")
    return text


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name.casefold(), list(known), n=1, cutoff=0.6)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _shown(value: str) -> str:
    """A value in quotes, on one line and not too long."""
    text = " ".join(value.split())
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return f"'{text if len(text) <= 60 else text[:57] + '…'}'"
