"""A locustfile of a person's own: read to know it again, never run by us - Locust does that, in its own process."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

from runners.errors import BadInput
from runners.matrix.cells import Locustfile


def read_locustfile(name: str, root: Path = Path()) -> Locustfile:
    """Return the locustfile `name` in the folder `root` as it is now; BadInput where there is none, or no Python."""
    path = root / name
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; it is to hold the users of --load locust") from error
    try:
        tree = ast.parse(text, str(path))
    except SyntaxError as error:
        raise BadInput(f"{path}:{error.lineno or 1}:{error.offset or 1}: {error.msg}") from error
    except ValueError as error:
        raise BadInput(f"{path}: {error}") from error
    if not any(_may_bring_users(node) for node in ast.walk(tree)):
        raise BadInput(f"{path}: there are no users in it; each kind of them is a class, see docs.locust.io")
    return Locustfile(name, hashlib.sha256(text).hexdigest())


def sha256_of(locustfile: Path | None) -> str | None:
    """Return the hash of a locustfile as it is now; None where there is none."""
    try:
        return read_locustfile(str(locustfile)).sha256 if locustfile else None
    except BadInput:
        return None


def _may_bring_users(node: ast.AST) -> bool:
    """Return whether this defines a class, or imports something that may be one; Locust's own are no users yet."""
    return isinstance(node, ast.ClassDef) or (isinstance(node, ast.ImportFrom) and node.module != "locust")
