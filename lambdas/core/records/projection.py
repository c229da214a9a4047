"""A few names of many records, read in one pass that skips every other field."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Annotated, Any

import msgspec

from lambdas.core.records.json_path import steps

_AT = "at"
"""The attribute that leads to the value."""

_VALUE = Annotated[str, msgspec.Meta(min_length=1)] | int | float | bool
"""What a part of a key usually is; anything else wants a closer look."""

Tree = dict[str, "Tree | None"]
"""Names, and what is below each; None where a path ends."""


class Projection:
    """Reads the value at one path of records that all have a text that is not empty, a
    number or a boolean at each of the `keys`.
    """

    def __init__(self, path: str | None, keys: Sequence[str] = ()) -> None:
        """Raises ValueError where a path is more than names."""
        names = () if path is None else _names(path)
        required: Tree = {}
        for key in keys:
            _grow(required, _names(key))
        self._depth = len(names)
        self._decoder = msgspec.json.Decoder(_struct(required, names))

    def read(self, records: Sequence[bytes]) -> list[object]:
        """The values, None where there is none. Raises msgspec.DecodeError or
        RecursionError where a record lacks a key, or is not read so.
        """
        # one by one: as fast as a list of them, which would have to be put together
        values: list[Any] = list(map(self._decoder.decode, records))
        if self._depth:
            values = list(map(attrgetter(_AT), values))
        for _ in range(self._depth - 1):
            values = [None if value is None else value.at for value in values]
        return values


def _names(path: str) -> tuple[str, ...]:
    names = steps(path)
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"`{path}` is more than names")
    return tuple(map(str, names))


def _grow(tree: Tree, names: Sequence[str]) -> None:
    *above, last = names
    for name in above:
        below = tree.setdefault(name, {})
        if below is None:
            raise ValueError(f"`{name}` is a value and holds one")
        tree = below
    if tree.setdefault(last, None) is not None:
        raise ValueError(f"`{last}` is a value and holds one")


def _struct(required: Tree, path: Sequence[str]) -> type[msgspec.Struct]:
    """A type of records that have what is required, and may have the path."""
    fields: list[Any] = []
    names: dict[str, str] = {}
    first, *rest = path or (None,)
    for name, below in required.items():
        if name == first and (below is None) != (not rest):
            raise ValueError(f"`{name}` is a value and holds one")
        field = _AT if name == first else f"f{len(names)}"
        names[field] = name
        further = rest if name == first else ()
        fields.append((field, _VALUE if below is None else _struct(below, further)))
    if first is not None and first not in required:
        names[_AT] = first
        fields.append((_AT, _struct({}, rest) | None if rest else Any, None))
    return msgspec.defstruct(
        "Projected",
        fields,
        rename=names,
        kw_only=True,
        gc=False,  # holds values of one JSON document: no cycles, none to look for
    )
