"""From which size on a change is told: the file of thresholds, `alerts.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

THRESHOLDS: Final = Path(__file__).parent / "alerts.toml"
"""The thresholds that ship with the project."""


class ThresholdError(Exception):
    """The file of thresholds cannot be used. The text is one line that names the file and what is wrong."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """From which size on a change is told; see `alerts.toml`, which says of each what it is."""

    markets: tuple[str, ...]
    makers: tuple[str, ...]
    times_usual: float
    periods: int
    share_at_least: float
    among: int
    price_cut_at_least: float
    revision_cars: int
    overdue_days: int

    @classmethod
    def read(cls, path: Path) -> Thresholds:
        """The thresholds of a file; raises `ThresholdError` for one that is none, and for unknown or missing names."""
        try:
            told = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ThresholdError(f"{path}: cannot be read ({error.strerror})") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ThresholdError(f"{path}: is no TOML file: {error}") from error
        found: dict[str, Any] = {}
        for place, (field, kind) in _FIELDS.items():
            section, name = place.split(".")
            of = told.get(section)
            value = of.pop(name, None) if isinstance(of, dict) else None
            is_list = kind is tuple and isinstance(value, list) and all(isinstance(each, str) for each in value)
            if not is_list and (
                isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind)
            ):
                wanted = {tuple: "a list of texts", float: "a number", int: "a whole number"}[kind]
                raise ThresholdError(f"{path}: {place} is missing or no {wanted.removeprefix('a ')}")
            found[field] = tuple(value) if isinstance(value, list) else kind(value)
        unknown = [
            f"{section}.{name}" for section, of in told.items() for name in (of if isinstance(of, dict) else ("",))
        ]
        if unknown:
            raise ThresholdError(f"{path}: {unknown[0].rstrip('.')} is unknown; valid: {', '.join(_FIELDS)}")
        return cls(**found)


_FIELDS: Final[Mapping[str, tuple[str, type]]] = {
    "watched.markets": ("markets", tuple),
    "watched.makers": ("makers", tuple),
    "share.times_usual": ("times_usual", float),
    "share.periods": ("periods", int),
    "share.at_least": ("share_at_least", float),
    "passing.among": ("among", int),
    "price_cut.at_least": ("price_cut_at_least", float),
    "revision.cars": ("revision_cars", int),
    "overdue.days": ("overdue_days", int),
}


assert {field for field, _ in _FIELDS.values()} == {field.name for field in fields(Thresholds)}

STANDARD: Final = Thresholds.read(THRESHOLDS)
"""The thresholds of the project."""
