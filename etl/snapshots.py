"""A snapshot is one file of one source as it was on one day, with its receipt.

Kept snapshots are the project's memory: the raw bytes, never edited, beside the receipt that says where they came from.
The database can always be rebuilt from them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Self

from db.store import Receipt
from db.vocabulary import Obtained

BUNDLED_MARK = "bundled"
"""A file of this name in the folder of kept snapshots says that the bundled figures belong to this history."""


class Refused(Exception):
    """A file that cannot be read as what it claims to be: nothing of it is loaded.

    The text names the file, the line (0 for the whole file), what is wrong there and what to do about it.
    """

    def __init__(self, *, file: str, line: int, problem: str, remedy: str, value: str = "") -> None:
        place = f"{file} line {line}" if line else file
        super().__init__(f"{place}: {problem}; {remedy}")
        self.file, self.line, self.problem, self.remedy, self.value = file, line, problem, remedy, value


@dataclass(frozen=True)
class Snapshot:
    """One file of one source as it was on one day.

    `file` is its name as upstream serves it (`data/data-CN.js`), `known_on` the day from which its figures count as
    known, `retrieved_at` the UTC time of retrieval, where one is known.
    """

    source: str
    file: str
    known_on: date
    content: bytes
    origin_url: str
    obtained: Obtained
    retrieved_at: datetime | None = None
    removals_accepted: bool = False
    """Whether the user has said that this file may cover less time than it did before."""

    @property
    def receipt(self) -> Receipt:
        """Where the file came from and what identifies it, without its content."""
        return Receipt(
            source=self.source,
            file=self.file,
            known_on=self.known_on,
            origin_url=self.origin_url,
            retrieved_at=self.retrieved_at,
            sha256=hashlib.sha256(self.content).hexdigest(),
            bytes=len(self.content),
            obtained=self.obtained,
        )

    def text(self) -> str:
        """The content as text.

        Raises `Refused` for what is not a text file of figures at all: a Git-LFS pointer, a web page, another encoding.
        """
        if self.content.startswith(b"version https://git-lfs"):
            raise Refused(
                file=self.file,
                line=1,
                problem="holds a Git-LFS pointer instead of the figures",
                remedy="download the file itself ('git lfs pull', or the publisher's raw address)",
                value=self.content[:40].decode("ascii", "replace"),
            )
        head = self.content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if head.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
            raise Refused(
                file=self.file,
                line=1,
                problem="holds a web page instead of the figures",
                remedy="download the raw file, not the page that shows it",
                value=head[:40].decode("ascii", "replace"),
            )
        try:
            text = self.content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused(
                file=self.file,
                line=self.content[: error.start].count(b"\n") + 1,
                problem=f"is not UTF-8 (byte 0x{self.content[error.start]:02x} at offset {error.start})",
                remedy="download it again, or save it as UTF-8",
                value=repr(self.content[max(0, error.start - 10) : error.start + 10]),
            ) from error
        if text.startswith("\ufeff") or "\0" in text:
            raise Refused(
                file=self.file,
                line=1,
                problem="begins with a byte order mark or holds NUL bytes, so it is not as the publisher serves it",
                remedy="download it again, or save it as UTF-8 without a byte order mark",
            )
        return text


def _age(receipt: Receipt) -> tuple[date, str, str]:
    return receipt.known_on, receipt.retrieved_at.isoformat() if receipt.retrieved_at else "", receipt.file


@dataclass(frozen=True)
class SnapshotStore:
    """The folder of kept snapshots.

    Each load of a file leaves a receipt, `<source>/<known_on>/<file>.<first of sha256>.json`, also where the content is
    the same as before: that it was seen again is part of the history. The bytes are kept once, in
    `<source>/content/<sha256>.gz`.
    """

    folder: Path

    @classmethod
    def beside(cls, database_url: str) -> Self:
        """The folder beside the SQLite file, or in the working folder; the environment's SNAPSHOTS overrides."""
        named = os.environ.get("SNAPSHOTS")
        if named:
            return cls(Path(named))
        beside = re.match(r"sqlite(?:\+\w+)?:///([^?]*)", database_url)
        return cls((Path(beside[1]).parent if beside else Path()) / "snapshots")

    def keep(self, snapshot: Snapshot) -> None:
        """Write the snapshot, content first and receipt last, so that a receipt always has its content."""
        receipt = snapshot.receipt
        content = self.folder / snapshot.source / "content" / f"{receipt.sha256}.gz"
        if not content.exists():
            self._write(content, gzip.compress(snapshot.content, compresslevel=6, mtime=0))
        name = f"{snapshot.file.replace('/', '--')}.{receipt.sha256[:12]}.json"
        path = self.folder / snapshot.source / snapshot.known_on.isoformat() / name
        if not path.exists():
            fields = {
                "source": receipt.source,
                "file": receipt.file,
                "known_on": receipt.known_on.isoformat(),
                "origin_url": receipt.origin_url,
                "retrieved_at": receipt.retrieved_at.isoformat() if receipt.retrieved_at else None,
                "sha256": receipt.sha256,
                "bytes": receipt.bytes,
                "obtained": receipt.obtained.value,
                "removals_accepted": snapshot.removals_accepted,
            }
            self._write(path, (json.dumps(fields, indent=1) + "\n").encode())

    def mark_bundled(self) -> None:
        """Remember that the bundled figures belong to this history."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / BUNDLED_MARK).touch()

    def has_bundled(self) -> bool:
        """Whether the bundled figures belong to this history; true as well where there is no history yet."""
        return (self.folder / BUNDLED_MARK).exists() or not any(self.folder.glob("*/*/*.json"))

    def last_kept(self, *, source: str, file: str) -> date | None:
        """The last day of which a snapshot of this file is kept, also where its content was the same as before."""
        receipts = self.folder.glob(f"{source}/*/{file.replace('/', '--')}.*.json")
        return max((date.fromisoformat(path.parent.name) for path in receipts), default=None)

    def kept(self) -> Iterator[Snapshot]:
        """Every kept snapshot, oldest first.

        Raises `Refused` where the content is missing or no longer what its receipt says.
        """
        found = [(path, *self._receipt(path)) for path in self.folder.glob("*/*/*.json")]
        for path, receipt, removals_accepted in sorted(found, key=lambda entry: _age(entry[1])):
            packed = self.folder / receipt.source / "content" / f"{receipt.sha256}.gz"
            try:
                content = gzip.decompress(packed.read_bytes())
            except (OSError, EOFError, zlib.error) as error:
                content = b""
                problem = f"cannot be unpacked ({error})"
            else:
                problem = "is not what its receipt says (its checksum differs)"
            if hashlib.sha256(content).hexdigest() != receipt.sha256:
                raise Refused(
                    file=str(packed),
                    line=0,
                    problem=problem,
                    remedy=f"restore it from a backup, or remove it together with the receipt {path}",
                )
            yield Snapshot(
                source=receipt.source,
                file=receipt.file,
                known_on=receipt.known_on,
                content=content,
                origin_url=receipt.origin_url,
                obtained=receipt.obtained,
                retrieved_at=receipt.retrieved_at,
                removals_accepted=removals_accepted,
            )

    @staticmethod
    def _receipt(path: Path) -> tuple[Receipt, bool]:
        """A kept receipt, and whether its file was allowed to cover less time than before."""
        try:
            fields = json.loads(path.read_bytes())
            retrieved_at = fields["retrieved_at"]
            receipt = Receipt(
                source=fields["source"],
                file=fields["file"],
                known_on=date.fromisoformat(fields["known_on"]),
                origin_url=fields["origin_url"],
                retrieved_at=datetime.fromisoformat(retrieved_at) if retrieved_at else None,
                sha256=fields["sha256"],
                bytes=fields["bytes"],
                obtained=Obtained(fields["obtained"]),
            )
            return receipt, bool(fields["removals_accepted"])
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(
                file=str(path),
                line=0,
                problem=f"is no receipt of a kept snapshot ({error})",
                remedy="restore it from a backup, or remove it",
            ) from error

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".unfinished")
        with unfinished.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
