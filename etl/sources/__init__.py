"""The publishers' tables that are read, one module each: an explicit tuple, nothing is discovered."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import Protocol

from db.contents import Source
from etl.claims import Claims
from etl.snapshots import Snapshot
from etl.sources import ecb_euro_rates, iea_global_ev_data, open_ev_charts, our_world_in_data, rdw_netherlands
from etl.web import Get, Request


class Connector(Protocol):
    """What a module in this folder provides."""

    SOURCE: Source

    def canonical_file(self, name: str) -> str | None:
        """The name of a file as upstream serves it today, or None for a file that holds no figures of this source."""

    def origin_url(self, file: str) -> str:
        """The address from which upstream serves the file."""

    def downloads(self, get: Get, kept: Collection[str]) -> Iterable[Request]:
        """What to download, see `etl.web.Downloads`."""

    def published_on(self, content: bytes) -> date | None:
        """The day on which this edition of a file came out, where its content tells; None where it does not."""

    def parse(self, snapshot: Snapshot) -> Claims:
        """What the file claims; raises `Refused` with the line where it is not what it should be."""


CONNECTORS: tuple[Connector, ...] = (
    open_ev_charts,
    iea_global_ev_data,
    our_world_in_data,
    ecb_euro_rates,
    rdw_netherlands,
)
