"""Whether records have their primary key: what lacks it is no row that can be told from
others, and often no row at all but an error in the place of one.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.records.json_path import find, kind_of
from lambdas.core.records.projection import Projection

_NAMES = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NOTHING = (b"null", b'""')
_SHOWN = 20
_COMPARED = 200


@dataclass(frozen=True, slots=True)
class Keyed:
    """What a look at the keys of a page found: the records without theirs, with what
    they lack; and, if one pass told, the values beside the keys.
    """

    lacking: Mapping[bytes, str] = field(default_factory=dict)
    beside: Sequence[object] | None = None


UNLOOKED = Keyed()


class KeyedRecords:
    """Tells records that have a primary key from those that do not, and reads the value
    at another path, `beside`, in the same pass.
    """

    def __init__(self, primary_key: Sequence[str], beside: str | None = None) -> None:
        self._paths = tuple(primary_key)
        self._beside = beside
        self._all: Projection | None = None
        with suppress(ValueError):
            self._all = Projection(beside, self._paths)

    def of(self, records: Sequence[bytes], *, page: int) -> Keyed:
        """Raises Terminal(kind=schema) if no record of a page has its key."""
        if not self._paths or not records:
            return UNLOOKED
        if self._all is not None:
            with suppress(msgspec.DecodeError, RecursionError):
                values = self._all.read(records)
                return Keyed(beside=None if self._beside is None else values)
        missing = [self._missing(record) for record in records]
        if None not in missing:
            raise self._nowhere(records[0], str(missing[0]), page)
        return Keyed(
            lacking={
                record: path
                for record, path in zip(records, missing, strict=True)
                if path is not None
            }
        )

    def _missing(self, record: bytes) -> str | None:
        """The first part of the key that a record lacks. An empty text is no value (a
        CSV has no other way to say so), but may be a part beside another.
        """
        is_told = False
        for path in self._paths:
            try:
                found = find(record, path)
            except msgspec.DecodeError:
                return None  # such as half a surrogate pair in another name
            if not any(kind_of(value) != "null" for value in found):
                return path
            is_told = is_told or any(bytes(value) not in _NOTHING for value in found)
        return None if is_told else self._paths[0]

    def _nowhere(self, record: bytes, path: str, page: int) -> Terminal:
        try:
            names = list(_NAMES.decode(record))
        except msgspec.DecodeError:
            names = []
        near = similar(path, names)
        if near == path:
            has = "where it is there, it is null or empty"
        else:
            has = f"the first has {_listed(names)}"
            has += f": is `{near}` meant?" if near is not None else ""
        return Terminal(
            f"page {page}: no record has the primary key `{path}`; {has}"
            ". Correct primary_key or data_selector; nothing of this run lands",
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
