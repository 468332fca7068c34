"""How a benchmark's outcome is printed: ours, what it is held against, their ratio, and the ratio aimed for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One comparison. `ours` and `against` are in `unit`; `aim` is the ratio not to exceed, if any."""

    what: str
    ours: float
    against: float
    unit: str
    aim: float | None

    @property
    def ratio(self) -> float:
        """Ours in terms of what it is held against."""
        return self.ours / self.against

    @property
    def verdict(self) -> str:
        """Whether the aim is met."""
        if self.aim is None:
            return ""
        return "met" if self.ratio <= self.aim else "missed"


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| What | Ours | Against | Ratio | Aim | |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for row in rows:
        aim = "" if row.aim is None else f"<= {row.aim:g}"
        lines.append(
            f"| {row.what} | {row.ours:.3g} {row.unit} | {row.against:.3g} {row.unit} | {row.ratio:.2f} | {aim} "
            f"| {row.verdict} |"
        )
    return "\n".join(lines)
