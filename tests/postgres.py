"""A PostgreSQL server of our own for as long as a test run or a benchmark lasts; the system's own is left alone.

Its data lie in a temporary folder and it listens on a socket in there only. It ends with the process that started it,
however that ends: a keeper waits at the other end of a pipe, stops the server when the pipe closes, and removes the
folder. The order in which the server sorts text is plain English, so that nothing can lean on the order of bytes.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import psycopg
from psycopg import sql

ACCOUNT: Final = "postgres"
"""The account that runs the server for root, who must not, and the server's own administrator."""

GUARDED: Final = "guarded"
"""The only user that must give a password."""

HASTY: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
"""For data that nobody will miss."""

_KEEPER: Final = r"""
set -eu
bin=$1 folder=$2
shift 2
trap '' INT TERM HUP
trap 'rm -rf "$folder"' EXIT
"$bin/initdb" --pgdata="$folder/data" --username=postgres --encoding=UTF8 --locale=C --auth=trust \
  --locale-provider=icu --icu-locale=en-US --no-sync >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
printf 'local all guarded scram-sha-256\nlocal all all trust\n' >"$folder/data/pg_hba.conf"
"$bin/pg_ctl" --wait --silent --pgdata="$folder/data" --log="$folder/log" \
  --options="-c listen_addresses='' -c unix_socket_directories='$folder' $*" start \
  || { cat "$folder/log"; exit 1; }
echo ready
read -r _ || true
"$bin/pg_ctl" --wait --silent --mode=immediate --pgdata="$folder/data" stop
"""


class NoServer(Exception):
    """There is no PostgreSQL here, or it does not start. The text says what to do."""


@dataclass(frozen=True)
class Server:
    """A running server: the folder of its socket."""

    folder: Path

    def url(self, database: str, *, user: str = ACCOUNT) -> str:
        """The URL of one of its databases."""
        return f"postgresql+psycopg://{user}@/{database}?host={self.folder}"

    def create(self, database: str, *, template: str = "template0") -> str:
        """Make a database, empty or as a copy of another one that nobody is connected to; its URL."""
        self.run("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", database, template)
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)

    def run(self, statement: str, *names: str) -> None:
        """Run a statement as the administrator, outside of any transaction, with some names in it."""
        with psycopg.connect(f"host={self.folder} user={ACCOUNT} dbname=postgres", autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))  # type: ignore[arg-type]

    def rename(self, database: str, name: str) -> None:
        """Give a database another name."""
        self.run("ALTER DATABASE {} RENAME TO {}", database, name)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else who asks for this does anything within it."""
        with psycopg.connect(f"host={self.folder} user={ACCOUNT} dbname=postgres") as connection:
            connection.execute("SELECT pg_advisory_xact_lock(1)")
            yield

    def has(self, database: str) -> bool:
        """Whether there is a database of a name."""
        with psycopg.connect(f"host={self.folder} user={ACCOUNT} dbname=postgres") as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        return found is not None

    def size(self, database: str) -> int:
        """How many bytes a database takes on the disk."""
        with psycopg.connect(f"host={self.folder} user={ACCOUNT} dbname=postgres") as connection:
            found = connection.execute("SELECT pg_database_size(%s)", [database]).fetchone()
        assert found
        return int(found[0])


@contextmanager
def server(settings: Mapping[str, str]) -> Iterator[Server]:
    """A server with some settings of its own. Raises `NoServer` where there is none to be had."""
    programs = _programs()
    folder = Path(mkdtemp(prefix="ev-market-postgres-"))
    as_another = ["runuser", "-u", ACCOUNT, "--"] if os.geteuid() == 0 else []
    if as_another:
        try:
            os.chown(folder, pwd.getpwnam(ACCOUNT).pw_uid, -1)
        except KeyError as error:
            folder.rmdir()
            raise NoServer(f"root must not run PostgreSQL, and there is no account '{ACCOUNT}' to do it") from error
    options = [f"-c {name}={value}" for name, value in settings.items()]
    keeper = subprocess.Popen(
        [*as_another, "sh", "-c", _KEEPER, "sh", str(programs), str(folder), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        start_new_session=True,
    )
    assert keeper.stdin
    assert keeper.stdout
    try:
        told = keeper.stdout.readline()
        if told != "ready\n":
            raise NoServer(f"PostgreSQL from {programs} does not start: {(told + keeper.stdout.read()).strip()}")
        yield Server(folder)
    finally:
        keeper.stdin.close()
        keeper.wait()
        keeper.stdout.close()


def _programs() -> Path:
    """The folder of the server's programs: what the path leads to, or else the newest where Debian puts them."""
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if on_path is None and not debian:
        raise NoServer("there is no PostgreSQL server here; .ci/postgres installs it on Debian and Ubuntu")
    programs = Path(on_path).resolve().parent if on_path else debian[-1].parent
    said = subprocess.run([programs / "initdb", "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"\d+", said)
    if version is None or int(version[0]) < 15:
        raise NoServer(f"PostgreSQL 15 or newer is needed, {programs} has: {said.strip()}")
    return programs
