"""The regions of the projection: what lies in each, and where its price list is from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

REGIONS: Final = ("US", "CA", "EU", "CN", "KR", "ANZ", "JP", "ROW")
"""EU stands for Europe, with Britain, Norway and Switzerland; ANZ for Australia and New Zealand; ROW for the rest."""

AREAS_OF_RECORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "GLOBAL": REGIONS,
    "WORLD": REGIONS,
    "NAM": ("US", "CA"),
    "APAC": ("CN", "KR", "ANZ", "JP"),
    "AU": ("ANZ",),
    "NZ": ("ANZ",),
    **{region: (region,) for region in REGIONS},
}
EUROPE: Final = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CH",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GB",
        "GR",
        "HR",
        "HU",
        "IE",
        "IS",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "NO",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]
)
OWN_REGION: Final = {"US": "US", "CA": "CA", "CN": "CN", "KR": "KR", "AU": "ANZ", "NZ": "ANZ", "JP": "JP"}

PRICED_IN: Final = {"US": "US", "CA": "CA", "EU": "NL", "CN": "CN", "KR": "KR", "ANZ": "AU", "JP": "JP"}
"""The market whose list price stands for the region's: the first that had the package approved, or the largest."""

CURRENCY: Final = {
    "US": "USD", "CA": "CAD", "EU": "EUR", "CN": "CNY", "KR": "KRW", "ANZ": "AUD", "JP": "JPY", "ROW": "USD",
}  # fmt: skip
"""The money of a region's prices."""
