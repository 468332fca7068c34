"""Sign-in by name and password: `python -m dashboard.password NAME` writes a line of the file that PASSWORD_FILE names.

The file has `name:hash` a line, the hash salted and slow (scrypt, by Werkzeug). A password that was right is remembered
in the process as a keyed digest, so that the slow way is gone once a sign-in and not once a request.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from getpass import getpass
from hmac import digest
from pathlib import Path
from secrets import token_bytes
from typing import Annotated

import typer
from flask import Flask, Response, request
from werkzeug.security import check_password_hash, generate_password_hash

from dashboard.guard import Turns, text

OPEN = ("/health",)
"""Paths that need no sign-in: a monitor has no password."""

LEAST = 12
"""Letters of the shortest password that is taken."""

_CHECKS = 2
"""Passwords that a process checks at once: each takes 32 MB and a tenth of a second."""

_NOBODY = generate_password_hash(token_bytes(16).hex())
"""Checked where the name is unknown, so that it takes as long as where it is known."""


class PasswordError(Exception):
    """The file of passwords cannot be used; the text is one line with the remedy."""


def read(path: Path) -> dict[str, str]:
    """Names and hashes of a file. Raises `PasswordError` where it is missing, empty, damaged or open to others."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise PasswordError(f"PASSWORD_FILE {path} cannot be read ({reason})") from error
    if os.name == "posix" and mode & 0o077:
        raise PasswordError(f"PASSWORD_FILE {path} can be read by others: chmod 600 {path}")
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, _, hashed = line.strip().partition(":")
        if not name or not _is_hash(hashed):
            raise PasswordError(f"PASSWORD_FILE {path} line {number}: write it with python -m dashboard.password NAME")
        if name in found:
            raise PasswordError(f"PASSWORD_FILE {path} line {number}: the name is there twice")
        found[name] = hashed
    if not found:
        raise PasswordError(f"PASSWORD_FILE {path} names nobody: add a line with python -m dashboard.password NAME")
    return found


def _is_hash(hashed: str) -> bool:
    try:
        check_password_hash(hashed, "")
    except (ValueError, OverflowError, MemoryError):
        return False
    return hashed.startswith("scrypt:")


def ask(server: Flask, passwords: Mapping[str, str]) -> None:
    """Let nobody see anything but `OPEN` who does not sign in by one of these names and its password."""
    key = token_bytes(32)
    known: set[bytes] = set()
    turns = Turns(_CHECKS)

    @server.before_request
    def sign_in() -> Response | None:
        if request.path in OPEN:
            return None
        given = request.authorization
        if given is None or given.type != "basic" or not given.username or not given.password:
            return _refused()
        # scrypt takes a password with NULs behind it for the same one.
        if not given.password.isprintable():
            return _refused()
        seal = digest(key, f"{given.username}\0{given.password}".encode(), "sha256")
        # Nobody can guess towards a digest without its key, so how long the comparison takes says nothing.
        if seal in known:
            return None
        with turns.taken() as has_turn:
            if not has_turn:
                return text(503, "others are signing in; try again in a moment", retry_after=1)
            is_right = check_password_hash(passwords.get(given.username, _NOBODY), given.password)
        if not is_right or given.username not in passwords:
            return _refused()
        known.add(seal)
        return None


def _refused() -> Response:
    response = text(401, "sign in with your name and password")
    response.headers["WWW-Authenticate"] = 'Basic realm="EV Market", charset="UTF-8"'
    return response


def main(name: Annotated[str, typer.Argument(help="The name to sign in by.")]) -> None:
    """Ask for a password and print the line for the file that PASSWORD_FILE names; nothing else sees the password."""
    if not name.isprintable() or ":" in name or name != name.strip() or not name:
        _fail("a name has no colon, no space at its ends and no character that cannot be seen", code=2)
    is_typed = sys.stdin.isatty()
    password = getpass("Password: ") if is_typed else sys.stdin.readline().rstrip("\n")
    if len(password) < LEAST or not password.isprintable():
        _fail(f"a password has at least {LEAST} letters, each of which can be seen")
    if is_typed and getpass("Again: ") != password:
        _fail("the two differ")
    print(f"{name}:{generate_password_hash(password)}")


def _fail(reason: str, *, code: int = 1) -> None:
    print(f"error: {reason}", file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    typer.run(main)
