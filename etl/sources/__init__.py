"""The publishers' tables that are read, one module each: an explicit tuple, nothing is discovered."""

from __future__ import annotations

from typing import Protocol

from db.store import Source
from etl.claims import Claims
from etl.snapshots import Snapshot
from etl.sources import open_ev_charts


class Connector(Protocol):
    """What a module in this folder provides."""

    SOURCE: Source

    def canonical_file(self, name: str) -> str | None:
        """The name of a file as upstream serves it today, or None for a file that holds no figures of this source."""

    def origin_url(self, file: str) -> str:
        """The address from which upstream serves the file."""

    def parse(self, snapshot: Snapshot) -> Claims:
        """What the file claims; raises `Refused` with the line where it is not what it should be."""


CONNECTORS: tuple[Connector, ...] = (open_ev_charts,)
