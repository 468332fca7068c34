"""Claims as columns of numbers: what the measures read, a hundred times for one chart.

A frame spends more time on looking up a column than these measures do on adding it up.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from db.vocabulary import OPEN_END

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

GRAIN_MONTHS = {"month": 1, "quarter": 3, "year": 12}

STANDING = (OPEN_END - date(1970, 1, 1)).days
"""`known_to`, in days since 1970-01-01, of a claim that stands."""


class Vocabulary(tuple[str, ...]):
    """Distinct words in order, shared by all columns that are made of them."""

    @cached_property
    def place(self) -> dict[str, int]:
        """The place of each word."""
        return {word: n for n, word in enumerate(self)}

    @cached_property
    def dtype(self) -> pd.CategoricalDtype:
        """The words as the categories of a frame's column."""
        return pd.CategoricalDtype(pd.Index(list(self), dtype=object))


@dataclass(frozen=True, eq=False)
class Words:
    """A column of words (N rows): `codes` (N) are places among the `listed`, of which some may have no row."""

    codes: Ints
    listed: Vocabulary

    def __getitem__(self, rows: Any) -> Words:
        return Words(self.codes[rows], self.listed)

    @classmethod
    def joined(cls, parts: Sequence[Words]) -> Words:
        """The rows of one part after those of another; all parts have the same vocabulary."""
        return cls(np.concatenate([part.codes for part in parts]), parts[0].listed)

    def each(self, of_word: Sequence[Any], dtype: Any) -> NDArray[Any]:
        """What belongs to each row's word: looked up by code, as there are few words and many rows."""
        return np.array(of_word, dtype=dtype)[self.codes]

    def are(self, word: str) -> Bools:
        """Which rows hold the word."""
        return np.asarray(self.codes == self.listed.place.get(word, -1))

    def among(self, words: Collection[str]) -> Bools:
        """Which rows hold one of the words."""
        place = self.listed.place
        wanted = np.zeros(len(self.listed), dtype=np.bool_)
        wanted[[place[word] for word in words if word in place]] = True
        return wanted[self.codes]

    def places(self, members: Sequence[str]) -> Ints:
        """Each row's place among the members; -1 for what is none of them."""
        place = self.listed.place
        of_word = np.full(len(self.listed), -1, dtype=np.int64)
        for n, member in enumerate(members):
            if member in place:
                of_word[place[member]] = n
        return of_word[self.codes]

    def categories(self) -> pd.Categorical:
        """The column as a frame has it."""
        return pd.Categorical.from_codes(self.codes, dtype=self.listed.dtype)

    def texts(self) -> list[str]:
        """The word of each row."""
        return [self.listed[code] for code in self.codes.tolist()]

    def rows(self) -> dict[str, Ints]:
        """The words that have a row, in their order, each with its rows."""
        order = np.argsort(self.codes, kind="stable")
        present, opening = np.unique(self.codes[order], return_index=True)
        of_each = np.split(order, opening[1:])
        return {self.listed[code]: rows for code, rows in zip(present.tolist(), of_each, strict=False)}


@dataclass(init=False, eq=False, repr=False)
class Claims:
    """Claims (N) as `market_claims.sales_figures` gives them: `month` is a period's first as year * 12 + month - 1,
    `units` are cars, `known_from` is in days since 1970-01-01.

    Some of the rows of others take a column from these when it is looked at: most measures look at few.
    """

    source: Words
    basis: Words
    market: Words
    powertrain: Words
    grain: Words
    maker: Words
    model: Words
    month: Ints
    units: Floats
    known_from: Ints
    evidence_id: Ints

    def __init__(self, **columns: Any) -> None:
        self.__dict__ |= columns
        self._others: tuple[Claims, Ints] | None = None

    def __getattr__(self, name: str) -> Any:
        others = self.__dict__.get("_others")
        if others is None or name not in _COLUMNS:
            raise AttributeError(name)
        whole, rows = others
        column = self.__dict__[name] = getattr(whole, name)[rows]
        return column

    def __getitem__(self, rows: Bools | Ints | slice) -> Claims:
        places = np.arange(len(self))[rows]
        some = Claims()
        some._others = (self, places) if self._others is None else (self._others[0], self._others[1][places])
        return some

    def __len__(self) -> int:
        return len(self.month) if self._others is None else len(self._others[1])

    def close(self) -> int:
        """Make the arrays of its own read-only; how many bytes they take. Others' columns are theirs."""
        own = [self._others[1]] if self._others is not None else []
        for name in _COLUMNS if self._others is None else ():
            column = getattr(self, name)
            own.append(column.codes if isinstance(column, Words) else column)
        for array in own:
            array.setflags(write=False)
        return sum(array.nbytes for array in own)

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Self:
        """The rows of a frame whose words are categories."""

        def column(name: str) -> Any:
            values = frame[name]
            if isinstance(values.dtype, pd.CategoricalDtype):
                return Words(values.cat.codes.to_numpy().astype(np.int64), Vocabulary(map(str, values.cat.categories)))
            return values.to_numpy(dtype=np.float64 if name == "units" else np.int64)

        return cls(**{name: column(name) for name in _COLUMNS})

    @classmethod
    def none(cls) -> Self:
        """No claims at all."""
        nothing = np.array([], dtype=np.int64)
        columns: dict[str, Any] = dict.fromkeys(_COLUMNS[:7], Words(nothing, Vocabulary()))
        columns |= dict.fromkeys(_COLUMNS[7:], nothing) | {"units": nothing.astype(np.float64)}
        return cls(**columns)

    def by_themselves(self) -> Claims:
        """The same claims with all columns, apart from those of others that they are some of."""
        return Claims(**{name: getattr(self, name) for name in _COLUMNS})

    @classmethod
    def joined(cls, parts: Sequence[Claims]) -> Claims:
        """The rows of one part after those of another; all parts have the same vocabularies."""
        if len(parts) == 1:
            return parts[0]

        def column(name: str) -> Any:
            columns = [getattr(part, name) for part in parts]
            return Words.joined(columns) if isinstance(columns[0], Words) else np.concatenate(columns)

        return cls(**{name: column(name) for name in _COLUMNS})

    def frame(self) -> pd.DataFrame:
        """The rows as a frame whose words are categories."""
        columns: dict[str, Any] = {}
        for name in _COLUMNS:
            column = getattr(self, name)
            if isinstance(column, Words):
                column = column.categories()
            columns[name] = column
        return pd.DataFrame(columns)

    @cached_property
    def months(self) -> Ints:
        """The length of each claim's period in months."""
        lengths: Ints = self.grain.each([GRAIN_MONTHS[word] for word in self.grain.listed], np.int64)
        return lengths

    def by_market(self) -> dict[str, Claims]:
        """The claims about each market that has any, in their order."""
        return {market: self[rows] for market, rows in self.market.rows().items()}


_COLUMNS = tuple(field.name for field in fields(Claims))
