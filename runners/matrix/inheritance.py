"""`like`: a server or variant inherits each key that it does not set itself. Pure.

A key is inherited whole: a table such as `env` is replaced, not merged. Only what is written is inherited, never a
default: the default of `dir` depends on the server's own name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, Self, TypeVar

OWN = frozenset({"title", "unavailable", "variant", "like"})  # these describe one server only


class Heir(Protocol):
    """A server or a variant as pydantic read it."""

    @property
    def like(self) -> str | None:
        """The name of the one to inherit from."""

    @property
    def model_fields_set(self) -> set[str]:
        """The keys that were written."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """Return a copy with other values."""


AnyHeir = TypeVar("AnyHeir", bound=Heir)


def resolved(heirs: Mapping[str, AnyHeir]) -> dict[str, AnyHeir]:
    """Return the servers, or the variants, with the keys that they inherit."""
    return {name: heir.model_copy(update=_inherited(name, heirs)) for name, heir in heirs.items()}


def _inherited(name: str, heirs: Mapping[str, Heir]) -> dict[str, Any]:
    """Return the inherited keys and their values; where several ancestors set a key, the nearest one's."""
    found: dict[str, Any] = {}
    for ancestor in reversed(lineage(name, heirs)[1:]):
        written = heirs[ancestor].model_fields_set - OWN - heirs[name].model_fields_set
        found |= {key: getattr(heirs[ancestor], key) for key in written}
    return found


def lineage(name: str, heirs: Mapping[str, Heir]) -> tuple[str, ...]:
    """Return a name and its ancestors, nearest first; unknown names are left out, a cycle is followed once."""
    names = [name]
    while (ancestor := heirs[names[-1]].like) in heirs and ancestor is not None and ancestor not in names:
        names.append(ancestor)
    return tuple(names)


def inherits(heir: Heir, heirs: Mapping[str, Heir], *keys: str) -> bool:
    """Return whether all these keys of a resolved heir are inherited, so that errors in them are reported elsewhere."""
    ancestor = heirs.get(heir.like or "")
    return ancestor is not None and all(getattr(heir, key) is getattr(ancestor, key) for key in keys)


def cycles(heirs: Mapping[str, Heir]) -> Iterator[tuple[str, ...]]:
    """Yield the names of each cycle, starting with the one that is written first."""
    order = list(heirs)
    for name in order:
        names = lineage(name, heirs)
        if heirs[names[-1]].like == name and name == min(names, key=order.index):
            yield names
