"""Looks at the records of one run for what their columns are, and what of it is news.

Where no contract asks for every record, only some are looked at: each page's first and
last few, so that a pull is not slowed by what rarely happens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from lambdas.core.columns.declared import TypedColumn, declared_columns, known_names
from lambdas.core.columns.fast_path import FastPath, TypedWay
from lambdas.core.columns.observed import (
    MAX_BYTES,
    MAX_COLUMNS,
    MAX_NAME,
    MAX_REFUSED,
    Drift,
    Observed,
    ObservedType,
    mark_of,
    type_of,
    widened,
)
from lambdas.core.columns.types import fits, of_observed
from lambdas.core.dataset import Dataset
from lambdas.core.records.json_path import follow

AT_EACH_END = 4
"""Records looked at, first and last, of a page."""
OF_THE_FIRST = 1_000
"""Records looked at of a dataset's first page ever."""
MAX_GONE_BYTES = 8_000
"""Of the names of undeclared columns that are gone, or come and go."""
MAX_TOLD = 100
"""Changes told of one run; a dataset with more of them has another problem."""

_SAME = {
    ("boolean", "boolean"),
    ("integer", "integer"),
    ("number", "integer"),
    ("number", "number"),
}
"""Declared and observed types of which the second says that the first holds."""
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Observer:
    """What one run shows of a dataset's columns, on top of what was seen `before`."""

    def __init__(self, *, dataset: Dataset, before: Observed) -> None:
        self._before = before
        self._names = known_names(dataset)
        self._declared = declared_columns(dataset)
        self._typed = [
            (column, takes)
            for column in self._declared
            if column.top is not None
            if (takes := fits(column.type, column.zone)) is not None
        ]
        self._types: dict[str, ObservedType] = dict(before.columns)
        self._bytes = sum(map(_size, self._types))
        self._expected = _expected(self._declared, before)
        self._unseen = {top for top, _ in self._expected.values()}
        self._looked = 0
        self._usual: FastPath | None = None
        self._misfits: dict[str, tuple[str, str]] = {}
        self._refused: dict[str, str] = {}

    @property
    def types(self) -> Mapping[str, ObservedType]:
        """What the columns are so far."""
        return self._types

    def sample(self, records: Sequence[bytes]) -> None:
        """Look at some of a page's records."""
        if not self._types:
            some = records[:OF_THE_FIRST]
        elif len(records) <= 2 * AT_EACH_END:
            some = records
        else:
            some = [*records[:AT_EACH_END], *records[-AT_EACH_END:]]
        if self._usual is not None and not self._unseen and self._usual.holds(some):
            self._looked += len(some)
            return
        before = dict(self._types)
        for record in some:
            try:
                self.see(_MEMBERS.decode(record))
            except (msgspec.DecodeError, RecursionError):
                continue  # such as half a surrogate pair: it lands, and has no names
        if self._usual is None or before != self._types:
            self._usual = self._as_seen_so_far()

    def _as_seen_so_far(self) -> FastPath:
        """What tells a record that shows nothing new."""
        typed: list[TypedWay] = [
            (name, (), kind, takes)
            for name, kind in self._types.items()
            if (takes := of_observed(kind)) is not None
        ]
        quick = {name: kind for name, _, kind, _ in typed}
        typed += [
            (str(column.top), column.way[1:], column.type, takes)
            for column, takes in self._typed
            if len(column.way) > 1
            or (column.type, quick.get(str(column.top))) not in _SAME
        ]
        return FastPath(names=self._types, only=True, typed=typed)

    def see(self, row: Mapping[str, msgspec.Raw]) -> None:
        """Look at a record that lands."""
        self._looked += 1
        self._unseen -= row.keys()
        types = self._types
        for name, raw in row.items():
            known = types.get(name)
            if known is None and len(types) >= MAX_COLUMNS:
                continue
            kind = type_of(raw)
            if kind == known or (kind == "null" and known is not None):
                continue
            if known is not None:
                types[name] = widened(known, kind)
            elif self._has_room(name):
                types[name] = kind
                self._bytes += _size(name)
        for column, takes in self._typed:
            at = row.get(str(column.top))
            if at is None:
                continue
            for value in follow([at], column.way[1:])[:1]:
                if not takes(bytes(value)):
                    self.misfit(column.name, column.type, type_of(value))

    def see_names(self, row: Mapping[str, msgspec.Raw]) -> None:
        """A record that does not land: its columns are not missing upstream."""
        self._unseen -= row.keys()

    def misfit(self, column: str, expected: str, found: str) -> None:
        """A value of another type than `expected` came."""
        self._misfits.setdefault(column, (expected, found))

    def refused(self, columns: Iterable[str], row: Mapping[str, msgspec.Raw]) -> None:
        """The contract kept these columns of a record out."""
        before = self._before.refused
        for column in columns:
            if len(before) + len(self._refused) >= MAX_REFUSED:
                return
            name = column[:MAX_NAME]
            if name not in self._refused and mark_of(name) not in before:
                self._refused[name] = type_of(row[column])

    def after(self, *, is_live: bool) -> tuple[Observed, tuple[Drift, ...]]:
        """What is known of the columns after the run, and what of it is news: at most
        `MAX_TOLD` changes.

        A past window (not `is_live`) may lack a column that came later, and says
        nothing of missing ones.
        """
        before, expected = self._before, self._expected
        there = {name for name, (top, _) in expected.items() if top not in self._unseen}
        came_back = tuple(name for name in before.missing if name in there)
        sparse = (*before.sparse, *came_back)
        missing = [
            name for name in before.missing if name in expected and name not in there
        ]
        gone = [
            Drift(change="missing_column", column=name, expected=kind)
            for name, (_, kind) in expected.items()
            if is_live and self._looked
            if name not in there and name not in missing and name not in sparse
        ]
        if not self._declared:
            gone = _within(MAX_GONE_BYTES, (*missing, *sparse), gone)
        misfits = dict(before.misfits)
        for name, (kind, _) in self._misfits.items():
            misfits[mark_of(name)] = kind
        observed = Observed(
            columns=self._types,
            missing=(*missing, *(one.column for one in gone)),
            sparse=sparse,
            misfits=misfits,
            refused=(*before.refused, *map(mark_of, self._refused)),
        )
        told = (*self._new_columns(), *self._changed_types(), *gone)
        return observed, told[:MAX_TOLD]

    def _new_columns(self) -> list[Drift]:
        """Those that were not there before; what the first run shows is no news."""
        before = self._before
        if not before.columns and not self._refused:
            return []
        known = {*self._names, *before.columns}
        found = dict(self._types) if before.columns else {}
        news = {
            name: kind
            for name, kind in found.items()
            if name not in known and mark_of(name) not in before.refused
        }
        return [
            Drift(change="new_column", column=name, found=kind)
            for name, kind in (news | self._refused).items()
        ]

    def _changed_types(self) -> list[Drift]:
        """Values that a declared type does not take, or types that were widened."""
        before = self._before
        changes = {
            name: change
            for name, change in self._misfits.items()
            if before.misfits.get(mark_of(name)) != change[0]
        }
        if not self._declared:
            for name, kind in before.columns.items():
                now = self._types[name]
                if kind not in (now, "null"):
                    changes.setdefault(name, (kind, now))
        return [
            Drift(change="changed_type", column=name, expected=expected, found=found)
            for name, (expected, found) in changes.items()
        ]

    def _has_room(self, name: str) -> bool:
        return (
            len(self._types) < MAX_COLUMNS
            and len(name) <= MAX_NAME
            and self._bytes + _size(name) <= MAX_BYTES
            and not any(ord(one) < ord(" ") or ord(one) == 0x7F for one in name)  # noqa: PLR2004 - DEL
        )


def _expected(
    declared: Sequence[TypedColumn], before: Observed
) -> Mapping[str, tuple[str, str]]:
    """The columns that a run should show, with the member that holds each and its type:
    the declared ones, or else those seen so far that do not come and go.
    """
    if declared:
        return {
            one.name: (one.top, one.type) for one in declared if one.top is not None
        }
    rare = frozenset(before.sparse)
    return {name: (name, k) for name, k in before.columns.items() if name not in rare}


def _within(room: int, kept: Sequence[str], gone: Sequence[Drift]) -> list[Drift]:
    """Those that the state has room for beside what it keeps."""
    used = sum(map(_size, kept))
    fitting = []
    for one in gone:
        used += _size(one.column)
        if used <= room:
            fitting.append(one)
    return fitting


def _size(name: str) -> int:
    """Bytes of a name, and of what stands around it in a document."""
    return len(name.encode()) + 16
