"""A user's own locustfile: hashed and checked here, but only run by Locust, in its own process."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

from runners.errors import BadInput
from runners.matrix.cells import Locustfile


def read_locustfile(name: str, root: Path = Path()) -> Locustfile:
    """Return the locustfile `name` in the folder `root` as it is now; BadInput if it is missing or not Python."""
    path = root / name
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; it should contain the users for --load locust") from error
    try:
        tree = ast.parse(text, str(path))
    except SyntaxError as error:
        raise BadInput(f"{path}:{error.lineno or 1}:{error.offset or 1}: {error.msg}") from error
    except ValueError as error:
        raise BadInput(f"{path}: {error}") from error
    if not any(_may_bring_users(node) for node in ast.walk(tree)):
        raise BadInput(f"{path}: it contains no users; each kind of user is a class, see docs.locust.io")
    return Locustfile(name, hashlib.sha256(text).hexdigest())


def sha256_of(locustfile: Path | None) -> str | None:
    """Return the hash of a locustfile as it is now; None without one."""
    try:
        return read_locustfile(str(locustfile)).sha256 if locustfile else None
    except BadInput:
        return None


def _may_bring_users(node: ast.AST) -> bool:
    """Return whether this defines or imports a class that may be a user; those of Locust itself are only bases."""
    return isinstance(node, ast.ClassDef) or (isinstance(node, ast.ImportFrom) and node.module != "locust")
