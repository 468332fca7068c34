"""An analyst's own figures: kept beside the database under a source of their own, so that a rebuild has them too.

Each import is two files in the folder of kept snapshots: the figures as they were given, named by their checksum, and
`imported/<slug>.json`, which says what they are as a source and names that file. Replacing the description is the one
step that counts, so that a crash leaves the earlier import or the new one. Importing a changed file again replaces the
rows of that source; `remove` takes all away.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import date
from pathlib import Path

from db.contents import Source
from db.vocabulary import ALL, OTHER, Cadence, Obtained, States
from etl.claims import Claims, Refused
from etl.pipeline import DatedFile
from etl.snapshots import SnapshotStore, write_whole

_RECORD = ["market", "basis", "powertrain", "vehicle_scope", "grain", "period_start"]


def amounts_to(claims: Claims) -> tuple[States, str]:
    """Whether a tidy file tells of markets, of which shares can be taken, or of single makers; and why of those.

    A market needs its total (`all`) or its unnamed rest (`other`) in every record that names makers, known no later
    than they are: else the makers that happen to be in the file would seem to be the whole market. One record without
    makes all of the file makers' own figures; the text names the first one, and is empty otherwise.
    """
    sales = claims.sales
    of_whole = sales["maker"].isin([ALL, OTHER])
    whole_since = sales[of_whole].groupby(_RECORD)["published_on"].min()
    for record, named in sales[~of_whole].groupby(_RECORD, sort=False):
        line = int(named["line"].min())
        market, basis, powertrain, _, grain, start = record
        place = f"line {line}: {powertrain} cars in {market} ({basis}, {grain} from {start:%Y-%m})"
        since = whole_since.get(record)
        if since is None:
            return States.MAKERS, f"{place} are told by maker without a row '{ALL}' or '{OTHER}' for the market"
        if since > named["published_on"].min():
            return States.MAKERS, f"{place} are told by maker before '{ALL}' or '{OTHER}' is known, on {since}"
    return States.MARKET, ""


def keep(store: SnapshotStore, file: DatedFile) -> None:
    """Write the figures and what they are as a source, in the place of what was imported under that name."""
    folder = _folder(store)
    folder.mkdir(parents=True, exist_ok=True)
    slug = file.source.slug
    figures = f"{slug}.{hashlib.sha256(file.content).hexdigest()}.csv"
    described = {
        "source": asdict(file.source),
        "file": file.file,
        "figures": figures,
        "known_on": file.known_on.isoformat() if file.known_on else None,
    }
    write_whole(folder / figures, file.content)
    write_whole(folder / f"{slug}.json", (json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode())
    for path in folder.glob(f"{slug}.*.csv"):
        if path.name != figures:
            path.unlink()


def slugs(store: SnapshotStore) -> list[str]:
    """The names of all that was imported and not removed, damaged or not."""
    return sorted(path.stem for path in _folder(store).glob("*.json"))


def kept(store: SnapshotStore) -> list[DatedFile]:
    """All that was imported and not removed, by slug. Raises `Refused` where one is damaged."""
    return [_read(_folder(store) / f"{slug}.json") for slug in slugs(store)]


def named(store: SnapshotStore, slug: str) -> DatedFile | None:
    """What is imported under a name, if anything. Raises `Refused` where it is damaged."""
    return _read(_folder(store) / f"{slug}.json") if slug in slugs(store) else None


def forget(store: SnapshotStore, slug: str) -> None:
    """Remove what was kept of an import, if anything; the description first, without which the figures are nothing."""
    (_folder(store) / f"{slug}.json").unlink(missing_ok=True)
    for path in _folder(store).glob(f"{slug}.*.csv"):
        path.unlink()


def _folder(store: SnapshotStore) -> Path:
    return store.folder / "imported"


def _read(path: Path) -> DatedFile:
    try:
        described = json.loads(path.read_bytes())
        fields = described["source"]
        source = Source(**{**fields, "states": States(fields["states"]), "cadence": Cadence(fields["cadence"])})
        content = (path.parent / Path(described["figures"]).name).read_bytes()
        if hashlib.sha256(content).hexdigest() not in described["figures"]:
            raise ValueError(f"the checksum of {described['figures']} differs: it was changed since")
        known_on = date.fromisoformat(described["known_on"])
        told = {name: type(value) for name, value in asdict(source).items() if name not in ("states", "cadence")}
        wanted = {name: int if name in ("lag_days", "precedence") else str for name in told}
        if told != wanted or source.slug != path.stem or not isinstance(described["file"], str):
            raise ValueError("a name or number in it was changed")
        return DatedFile(source, described["file"], content, Obtained.IMPORTED, known_on)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(
            file=str(path),
            line=0,
            problem=f"is no description of imported figures ({error})",
            remedy=f"restore it from a backup, or 'python -m etl remove {path.stem}' and import the figures again",
        ) from error
