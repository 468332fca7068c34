"""The curated figures: transcribed by hand from filings and press, one row one address, in the tidy CSV format.

One file one source. `etl/curated/README.md` says how a figure gets in, since when it counts as known, and what was left
out. A file is its own history: a restated figure is a second row with a later day of publication.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from db.store import Source
from db.vocabulary import OPEN_END, Cadence, States
from etl import tidy

FOLDER: Final = Path(__file__).parents[1] / "curated"
"""Where the curated files are."""

_LICENCE: Final = "Facts, cited one by one"


@dataclass(frozen=True)
class CuratedFile:
    """One curated file and what it is as a source."""

    source: Source

    @property
    def file(self) -> str:
        """The file's name; its stem is the source's slug."""
        return f"{self.source.slug}.csv"

    @property
    def path(self) -> Path:
        """Where the file is."""
        return FOLDER / self.file


CURATED: Final = (
    CuratedFile(
        Source(
            slug="tesla-deliveries",
            title="Tesla production and deliveries",
            publisher="Tesla",
            url="https://ir.tesla.com",
            licence=_LICENCE,
            licence_url="https://ir.tesla.com",
            states=States.MAKERS,
            cadence=Cadence.QUARTERLY,
            lag_days=4,
            precedence=50,
            warning=(
                "Tesla's own count worldwide, as first printed: quarters fall short of the restated year by up to some "
                "hundred cars; the groups of models changed with 2019, 2020 and the last quarter of 2023."
            ),
        )
    ),
    CuratedFile(
        Source(
            slug="byd-sales",
            title="BYD monthly sales",
            publisher="BYD",
            url="https://www.bydglobal.com",
            licence=_LICENCE,
            licence_url="https://www.bydglobal.com",
            states=States.MAKERS,
            cadence=Cadence.MONTHLY,
            lag_days=4,
            precedence=50,
            warning=(
                "Wholesale of all the group's brands, exports included; plug-in hybrids include range-extended cars; "
                "overseas sales are a part of all vehicles; months that were not read are missing, not zero."
            ),
        )
    ),
    CuratedFile(
        Source(
            slug="tesla-china",
            title="Tesla Shanghai: wholesale, retail in China and exports",
            publisher="China Passenger Car Association (CPCA)",
            url="http://www.cpcaauto.com",
            licence=_LICENCE,
            licence_url="http://www.cpcaauto.com",
            states=States.MAKERS,
            cadence=Cadence.MONTHLY,
            lag_days=12,
            precedence=50,
            warning=(
                "Wholesale is retail in China plus exports from Shanghai, never to be added to either; what was called "
                "retail in 2020 is wholesale by today's words; months that were not read are missing."
            ),
        )
    ),
    CuratedFile(
        Source(
            slug="china-nev-market",
            title="China's market of electric and plug-in cars",
            publisher="China Passenger Car Association (CPCA)",
            url="http://www.cpcaauto.com",
            licence=_LICENCE,
            licence_url="http://www.cpcaauto.com",
            states=States.MARKET,
            cadence=Cadence.MONTHLY,
            lag_days=12,
            precedence=60,
            warning=(
                "Rounded to thousands by the publisher, so that parts can miss their sum by one; a share is among all "
                "cars of the same basis, wholesale or retail; many months were not read and are missing."
            ),
        )
    ),
    CuratedFile(
        Source(
            slug="maker-deliveries",
            title="Other makers' deliveries",
            publisher="The makers, CPCA and Cox Automotive, as the press prints them",
            url="https://cnevpost.com",
            licence=_LICENCE,
            licence_url="https://cnevpost.com",
            states=States.MAKERS,
            cadence=Cadence.MONTHLY,
            lag_days=15,
            precedence=70,
            warning=(
                "Companies' own figures under their printed names: a company may hold several brands (NIO, Geely, VW "
                "Group, HIMA), and their figures overlap; many months were not read and are missing."
            ),
        )
    ),
    CuratedFile(
        Source(
            slug="annual-totals",
            title="Published years",
            publisher="The makers, CPCA and Cox Automotive, as the press prints them",
            url="https://cnevpost.com",
            licence=_LICENCE,
            licence_url="https://cnevpost.com",
            states=States.MAKERS,
            cadence=Cadence.YEARLY,
            lag_days=31,
            precedence=300,
            warning=(
                "For checking sums: Tesla's years of 2015, 2016, 2018 to 2021 exceed the sums of the first-printed "
                "quarters by up to 727 cars; years taken from a later comparison can be restated."
            ),
        )
    ),
)
"""The curated files, each a source of its own."""


def parse(file: str, content: bytes, *, known_on: date = OPEN_END) -> tidy.Tidy:
    """What a curated file says. Every row has an address and a day of publication; one that lacks it is rejected.

    `known_on` is the day on which the file is read: a row that is published later is rejected. Raises `Refused` where
    the file is not of the tidy format. The caller refuses the whole file where a row is rejected.
    """
    return tidy.read(content, file=file, require_address=True, known_on=known_on, require_published_on=True)
