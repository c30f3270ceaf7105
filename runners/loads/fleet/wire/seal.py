"""Seals messages with a shared token: without it, nobody can send a message or replay one.

Every text is JSON with `body` (JSON text), `number` and `mac`, an HMAC-SHA-256 over sender, session, number and body.
Numbers only increase, so no message counts twice. The session consists of a nonce from each side, so no message from an
earlier session counts. Contents are not secret: they are addresses and counts.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import stat
import sys
from pathlib import Path
from typing import Literal

from runners.errors import BadInput

Sender = Literal["master", "worker"]
LEAST_TOKEN_CHARACTERS = 20
OPEN = ""  # the session of each side's first message, before both nonces are known


class BadSeal(Exception):
    """A message is not sealed with the token, or is a replay; the exception's message says which."""


class Seal:
    """One side of a session; `session` is empty until both nonces are known."""

    def __init__(self, token: str, side: Sender, session: str = OPEN) -> None:
        self._key = hashlib.sha256(token.encode()).digest()
        self._side: Sender = side
        self._other: Sender = "worker" if side == "master" else "master"
        self._session = session
        self._sent = 0
        self._seen = 0

    def wrap(self, body: str) -> str:
        """Return the sealed text to send for a body."""
        self._sent += 1
        mac = self._mac(self._side, self._sent, body)
        return json.dumps({"body": body, "number": self._sent, "mac": mac})

    def open(self, text: str) -> str:
        """Return the body of a text that arrived; raise BadSeal unless the other side has just sent it."""
        try:
            parts = json.loads(text)
            body, number, mac = str(parts["body"]), int(parts["number"]), str(parts["mac"]).encode()
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
            raise BadSeal("it is not sealed at all") from error
        if not hmac.compare_digest(mac, self._mac(self._other, number, body).encode()):
            raise BadSeal("its seal is wrong: another token, or another session")
        if number <= self._seen:
            raise BadSeal(f"it repeats message {number}")
        self._seen = number
        return body

    def _mac(self, sender: Sender, number: int, body: str) -> str:
        said = json.dumps([sender, self._session, number, body])
        return hmac.new(self._key, said.encode(), hashlib.sha256).hexdigest()


def nonce() -> str:
    """Return a text that cannot be guessed and is never used twice."""
    return secrets.token_hex(16)


def session_of(master_nonce: str, worker_nonce: str) -> str:
    """Return the session that belongs to both sides' nonces."""
    return f"{master_nonce}/{worker_nonce}"


def read_token(file: Path) -> str:
    """Return the token in a file, or from standard input ("-"); raise BadInput if it is missing, weak or public."""
    if str(file) == "-":
        return _strong(sys.stdin.readline().strip(), "standard input")
    try:
        token = file.read_text(encoding="utf-8").strip()
        mode = stat.S_IMODE(file.stat().st_mode)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: cannot read a token there; copy the one that `speedup run` created") from error
    if mode & 0o077:
        raise BadInput(f"{file}: other users can read this token; run: chmod 600 {file}")
    return _strong(token, str(file))


def _strong(token: str, where: str) -> str:
    if len(token) < LEAST_TOKEN_CHARACTERS:
        raise BadInput(
            f"{where}: a token must have at least {LEAST_TOKEN_CHARACTERS} characters; let `speedup run` create one"
        )
    return token


def make_token(file: Path) -> bool:
    """Write a new token unless the file exists; return whether it was written; raise BadInput if it cannot be."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise BadInput(f"{file}: cannot write a token there ({error.strerror})") from error
    with os.fdopen(descriptor, "w") as stream:
        stream.write(secrets.token_urlsafe(32) + "\n")
    return True
