"""Whether records have their primary key: what lacks it is no row that can be told from
others, and often no row at all but an error in the place of one.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from itertools import islice
from typing import Any

import msgspec

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.records.json_path import find, kind_of, steps

_NAMES = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SHOWN = 20
_COMPARED = 200


class KeyedRecords:
    """Tells records that have a primary key from those that do not."""

    def __init__(self, primary_key: Sequence[str]) -> None:
        self._paths = tuple(primary_key)
        self._all = _decoder(self._paths)

    def lacking(self, records: Sequence[bytes], *, page: int) -> dict[int, str]:
        """The records without their key, by their place, with what they lack.

        Raises Terminal(kind=schema) if no record of a page has it.
        """
        if not self._paths or not records or self._have_it(records):
            return {}
        missing = {
            number: path
            for number, record in enumerate(records)
            if (path := self._missing(record)) is not None
        }
        if len(missing) == len(records):
            raise self._nowhere(records[0], missing[0], page)
        return missing

    def _have_it(self, records: Sequence[bytes]) -> bool:
        """Told in one pass; "no" may be wrong, "yes" never is."""
        if self._all is None:
            return False
        try:
            self._all.decode(b"[%b]" % b",".join(records))
        except (msgspec.DecodeError, RecursionError):
            return False
        return True

    def _missing(self, record: bytes) -> str | None:
        """The first part of the key that a record lacks."""
        for path in self._paths:
            try:
                found = find(record, path)
            except msgspec.DecodeError:
                return None  # such as half a surrogate pair in another name
            if not any(kind_of(value) != "null" for value in found):
                return path
        return None

    def _nowhere(self, record: bytes, path: str, page: int) -> Terminal:
        try:
            names = list(_NAMES.decode(record))
        except msgspec.DecodeError:
            names = []
        near = similar(path, names)
        return Terminal(
            f"page {page}: no record has the primary key `{path}`; the first has "
            f"{_listed(names)}"
            + (f": is `{near}` meant?" if near is not None else "")
            + ". Correct primary_key or data_selector; nothing of this run lands",
            kind=RunErrorKind.SCHEMA,
        )


def similar(word: str, names: Collection[str]) -> str | None:
    """The name that is most like `word`, if one is like it."""
    folded = {name.casefold(): name for name in islice(names, _COMPARED)}
    near = difflib.get_close_matches(word.casefold(), folded, n=1)
    return folded[near[0]] if near else None


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown or "no names at all"


def _decoder(paths: Iterable[str]) -> msgspec.json.Decoder[list[Any]] | None:
    """Reads records that have all of the key; None where a path is not names."""
    tree: dict[str, Any] = {}
    for path in paths:
        names = steps(path)
        if not names or not all(isinstance(name, str) for name in names):
            return None
        *above, last = map(str, names)
        reduce(lambda level, name: level.setdefault(name, {}), above, tree)[last] = {}
    try:
        return msgspec.json.Decoder(list[_required(tree)])  # type: ignore[misc]  # made here
    except ValueError:
        return None


def _required(tree: dict[str, Any]) -> Any:  # noqa: ANN401 - a type for msgspec
    if not tree:
        return str | int | float | bool
    fields = {name: f"f{number}" for number, name in enumerate(tree)}
    return msgspec.defstruct(
        "Keyed",
        [(fields[name], _required(below)) for name, below in tree.items()],
        rename={field: name for name, field in fields.items()},
        gc=False,
    )
