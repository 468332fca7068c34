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
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final, Self

from db.contents import Receipt
from db.vocabulary import Obtained
from etl.claims import Refused

SHIPPED: Final = ("bundled", "curated")
"""What ships with the project. A file of that name in the folder of kept snapshots says that it is in this history."""


@dataclass(frozen=True)
class Validators:
    """What a publisher said with the content of one address, so that it can be asked whether that has changed since."""

    url: str
    etag: str = ""
    last_modified: str = ""


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
    validators: tuple[Validators, ...] = ()
    """For a downloaded file, one for each address that it was read from."""

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

    def refuse_what_is_no_data(self) -> None:
        """Raise `Refused` for what servers send in the place of data: a web page, a Git-LFS pointer."""
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

    def text(self) -> str:
        """The content as text.

        Raises `Refused` for what is not a text file of figures at all: a Git-LFS pointer, a web page, another encoding.
        """
        self.refuse_what_is_no_data()
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


def _place(receipt: Receipt) -> tuple[str, str, str]:
    """Where a receipt lies: the folders of its source and day, and its own name."""
    name = f"{receipt.file.replace('/', '--')}.{receipt.sha256[:12]}.json"
    return receipt.source, receipt.known_on.isoformat(), name


@dataclass(frozen=True)
class _Kept:
    """A kept receipt as it is written: `path`, and what it says beside what identifies the file."""

    path: Path
    receipt: Receipt
    removals_accepted: bool
    validators: tuple[Validators, ...]


@dataclass(frozen=True)
class SnapshotStore:
    """The folder of kept snapshots. It is written to by whoever writes to the database, one at a time.

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
            write_whole(content, gzip.compress(snapshot.content, compresslevel=6, mtime=0))
        path = self.folder.joinpath(*_place(receipt))
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
                "validators": [asdict(validators) for validators in snapshot.validators],
            }
            write_whole(path, (json.dumps(fields, indent=1) + "\n").encode())

    def mark(self, shipped: str) -> None:
        """Remember that figures which ship with the project (one of `SHIPPED`) belong to this history."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / shipped).touch()

    def clear_unfinished(self) -> None:
        """Remove what a writer that was killed left half written. Nobody else may write here meanwhile."""
        for path in self.folder.rglob(f"*{_UNFINISHED}"):
            path.unlink(missing_ok=True)

    def holds(self, shipped: str) -> bool:
        """Whether figures which ship with the project belong to this history: all do where there is none yet."""
        has_history = any((self.folder / each).exists() for each in SHIPPED) or any(self.folder.glob("*/*/*.json"))
        return (self.folder / shipped).exists() or not has_history

    def last_kept(self, *, source: str, file: str) -> date | None:
        """The last day of which a snapshot of this file is kept, also where its content was the same as before."""
        receipts = self.folder.glob(f"{source}/*/{file.replace('/', '--')}.*.json")
        return max((date.fromisoformat(path.parent.name) for path in receipts), default=None)

    def receipts(self, source: str) -> Iterator[Receipt]:
        """The receipts of a source's kept snapshots, in no order; `Refused` for a damaged one."""
        for path in self.folder.glob(f"{source}/*/*.json"):
            yield self._read(path).receipt

    def last(self, *, source: str, file: str) -> Snapshot | None:
        """The snapshot of this file that was kept last, if any; `Refused` where it is damaged."""
        found = [self._read(path) for path in self.folder.glob(f"{source}/*/{file.replace('/', '--')}.*.json")]
        return self._snapshot(max(found, key=lambda kept: _age(kept.receipt))) if found else None

    def kept(self) -> Iterator[Snapshot]:
        """Every kept snapshot, oldest first.

        Raises `Refused` where the content is missing or no longer what its receipt says.
        """
        found = [self._read(path) for path in self.folder.glob("*/*/*.json")]
        for kept in sorted(found, key=lambda kept: _age(kept.receipt)):
            yield self._snapshot(kept)

    def _snapshot(self, kept: _Kept) -> Snapshot:
        receipt = kept.receipt
        packed = self.folder / receipt.source / "content" / f"{receipt.sha256}.gz"
        problem = "is not what its receipt says (its checksum differs)"
        try:
            with gzip.open(packed) as stream:
                # Never more than was packed, whatever stands there now.
                content = stream.read(receipt.bytes + 1)
        except (OSError, EOFError, zlib.error) as error:
            content = b""
            problem = f"cannot be unpacked ({error})"
        if hashlib.sha256(content).hexdigest() != receipt.sha256 or len(content) != receipt.bytes:
            raise Refused(
                file=str(packed),
                line=0,
                problem=problem,
                remedy=f"restore it from a backup, or remove it together with the receipt {kept.path}",
            )
        return Snapshot(
            source=receipt.source,
            file=receipt.file,
            known_on=receipt.known_on,
            content=content,
            origin_url=receipt.origin_url,
            obtained=receipt.obtained,
            retrieved_at=receipt.retrieved_at,
            removals_accepted=kept.removals_accepted,
            validators=kept.validators,
        )

    @staticmethod
    def _read(path: Path) -> _Kept:
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
            # Receipts of before the first download name no validators.
            validators = tuple(Validators(**written) for written in fields.get("validators", []))
            texts = [receipt.origin_url, *(text for each in validators for text in asdict(each).values())]
            if not all(isinstance(text, str) and text.isprintable() for text in texts):
                raise ValueError("an address is no text")
            if type(receipt.bytes) is not int or not 0 <= receipt.bytes < 2**40:
                raise ValueError(f"{receipt.bytes!r:.20} is no number of bytes")
            if not re.fullmatch("[0-9a-f]{64}", receipt.sha256) or type(fields["removals_accepted"]) is not bool:
                raise ValueError("the checksum is none, or removals_accepted neither true nor false")
            # Where it lies says what it is of, too: a receipt that was moved or edited tells of another file or day.
            if path.parts[-3:] != _place(receipt):
                raise ValueError("it lies elsewhere than what it says of source, day, file and checksum")
            return _Kept(path, receipt, fields["removals_accepted"], validators)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Refused(
                file=str(path),
                line=0,
                problem=f"is no receipt of a kept snapshot ({error})",
                remedy="restore it from a backup, or remove it",
            ) from error


_UNFINISHED: Final = ".unfinished"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there wholly or not at all, whatever happens meanwhile; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + _UNFINISHED)
    with unfinished.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)
