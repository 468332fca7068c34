"""Claims as columns of numbers: what the measures read, a hundred times for one chart.

A frame spends more time on looking up a column than these measures do on adding it up.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

GRAIN_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Words:
    """A column of words (N rows): `codes` (N) are places among the `listed`, of which some may have no row."""

    codes: Ints
    listed: tuple[str, ...]

    def __getitem__(self, rows: Any) -> Words:
        return Words(self.codes[rows], self.listed)

    def each(self, of_word: Sequence[Any], dtype: Any) -> NDArray[Any]:
        """What belongs to each row's word: looked up by code, as there are few words and many rows."""
        return np.array(of_word, dtype=dtype)[self.codes]

    def are(self, word: str) -> Bools:
        """Which rows hold the word."""
        return self.among((word,))

    def among(self, words: Collection[str]) -> Bools:
        """Which rows hold one of the words."""
        return self.each([word in words for word in self.listed], np.bool_)

    def places(self, members: Sequence[str]) -> Ints:
        """Each row's place among the members; -1 for what is none of them."""
        place = {member: n for n, member in enumerate(members)}
        return self.each([place.get(word, -1) for word in self.listed], np.int64)

    def texts(self) -> list[str]:
        """The word of each row."""
        return [self.listed[code] for code in self.codes.tolist()]


@dataclass(frozen=True)
class Claims:
    """Claims (N) as `queries.sales_figures` gives them: `month` is a period's first as year * 12 + month - 1, `units`
    are cars, `known_from` is in days since 1970-01-01."""

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

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Self:
        """The rows of a frame whose words are categories."""

        def column(name: str) -> Any:
            values = frame[name]
            if isinstance(values.dtype, pd.CategoricalDtype):
                return Words(values.cat.codes.to_numpy().astype(np.int64), tuple(map(str, values.cat.categories)))
            return values.to_numpy(dtype=np.float64 if name == "units" else np.int64)

        return cls(**{field.name: column(field.name) for field in fields(cls)})

    def frame(self) -> pd.DataFrame:
        """The rows as a frame whose words are categories."""
        columns: dict[str, Any] = {}
        for field in fields(self):
            column = getattr(self, field.name)
            if isinstance(column, Words):
                column = pd.Categorical.from_codes(column.codes, categories=pd.Index(list(column.listed), dtype=object))
            columns[field.name] = column
        return pd.DataFrame(columns)

    def __len__(self) -> int:
        return len(self.month)

    def __getitem__(self, rows: Bools | Ints | slice) -> Claims:
        return Claims(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @property
    def months(self) -> Ints:
        """The length of each claim's period in months."""
        lengths: Ints = self.grain.each([GRAIN_MONTHS[word] for word in self.grain.listed], np.int64)
        return lengths

    def by_market(self) -> dict[str, Claims]:
        """The claims about each market that has any, in their order."""
        order = np.argsort(self.market.codes, kind="stable")
        sorted_rows = self[order]
        present, opening = np.unique(sorted_rows.market.codes, return_index=True)
        ends = [*opening[1:].tolist(), len(self)][: len(opening)]
        return {
            self.market.listed[code]: sorted_rows[slice(first, end)]
            for code, first, end in zip(present.tolist(), opening.tolist(), ends, strict=True)
        }
