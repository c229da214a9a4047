"""Rows that an answer holds where it is taken for one record: in a list further down
than records are looked for, or in an object that names each by its key.

Nothing says whether these are rows or part of one record, so nothing is guessed: the
record lands, and a person is told what to declare. An object with an id is a record of
its own, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from lambdas.core.records.documents import Document, elements, members
from lambdas.core.records.json_path import kind_of, path_of
from lambdas.core.text.count import counted

DEPTH = 8
"""SOAP puts six names around its rows."""
_MOST_OBJECTS = 100
_LOOKED_AT = 20
_FEW = 3
_IDS = frozenset({"id", "_id", "uuid", "guid", "ID", "Id"})
_KEY = re.compile(
    r"\d+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{16,}"
)
"""Names that are ids: numbers, UUIDs, long texts with digits."""


@dataclass(frozen=True, slots=True)
class NestedRows:
    """Rows within what is taken for one record. `selector` would select them."""

    selector: str
    count: int
    is_keyed: bool
    is_named_within: bool = True
    """Whether each row holds the name under which it stands."""

    @property
    def sentence(self) -> str:
        """What is there, and what to declare."""
        what = (
            f"{counted(self.count, 'object')}, each under a name of its own"
            if self.is_keyed
            else f"a list of {counted(self.count, 'object')} in `{self.selector}`"
        )
        lost = "" if self.is_named_within else " (the names do not land)"
        return (
            f"the whole answer is taken for one record, and it holds {what}: if these "
            f"are the records, declare `data_selector: {self.written}`{lost}; if it is "
            "one record, `data_selector: $`"
        )

    @property
    def written(self) -> str:
        """The selector as YAML writes it."""
        return f'"{self.selector}"' if "*" in self.selector else self.selector


def nested_rows(document: Document) -> NestedRows | None:
    """The first rows that are found in an object, the outer ones first."""
    level: list[tuple[tuple[str, ...], Mapping[str, msgspec.Raw]]] = [
        ((), document.members)
    ]
    looked_at = 0
    for _ in range(DEPTH):
        below: list[tuple[tuple[str, ...], Mapping[str, msgspec.Raw]]] = []
        for way, found in level:
            if not _IDS.isdisjoint(found):
                continue
            inner = {
                name: members(value)
                for name, value in list(found.items())[:_MOST_OBJECTS]
                if kind_of(value) == "object"
            }
            if _is_keyed(inner):
                count = sum(kind_of(one) == "object" for one in found.values())
                return NestedRows(
                    path_of((*way, None)),
                    count,
                    is_keyed=True,
                    is_named_within=all(
                        _holds(one, name) for name, one in inner.items()
                    ),
                )
            for name, value in found.items():
                rows = _objects(value) if len(way) > 1 else 0
                if rows > 1:
                    return NestedRows(path_of((*way, name)), rows, is_keyed=False)
            below += [((*way, name), one) for name, one in inner.items()]
        looked_at += len(below)
        if looked_at > _MOST_OBJECTS:
            return None
        level = below
    return None


def _is_keyed(inner: Mapping[str, Mapping[str, msgspec.Raw]]) -> bool:
    """Whether objects stand under ids, or are at least three of the same members."""
    if not inner or not all(inner.values()):
        return False
    names = list(inner)[:_LOOKED_AT]
    if all(map(_KEY.fullmatch, names)):
        return True
    return len(inner) >= _FEW and len({frozenset(inner[name]) for name in names}) == 1


def _holds(row: Mapping[str, msgspec.Raw], name: str) -> bool:
    own = {name.encode(), msgspec.json.encode(name)}
    return any(bytes(value) in own for value in row.values())


def _objects(value: msgspec.Raw) -> int:
    """How many objects a list holds; 0 if it holds anything else."""
    if kind_of(value) != "array":
        return 0
    listed: Sequence[msgspec.Raw] = elements(value)
    return len(listed) if all(kind_of(one) == "object" for one in listed) else 0
