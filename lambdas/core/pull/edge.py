"""The rows that a cursor remembers: those exactly at it, and those dated after now.

Each is a 16-byte hash: of the primary key where a row never changes (`append`); else
half of the key and half of the whole record, so that an update at the same cursor value
is not missed. A row that is dated after now has its day before the hash, and is
forgotten once the cursor has passed that day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from lambdas.core.cursor.order import SortKey
from lambdas.core.dataset import Dataset
from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.records.json_path import find

MOST_REMEMBERED = 2_000_000
"""Rows remembered at a cursor: 40 MB."""

_DAY, _HALF, _HASH = 4, 8, 16
_NULL = b"null"


class Edge:
    """What is remembered at a cursor, and what a pull adds to it."""

    def __init__(
        self,
        *,
        dataset: Dataset,
        before: Iterable[bytes],
        reached: Iterable[bytes] | None,
        asks_from_cursor: bool,
    ) -> None:
        """`before` is what the cursor remembers, `reached` what earlier segments of
        the same pull have seen; `asks_from_cursor`: rows exactly at it come again.
        """
        self._dataset = dataset
        self._is_keyed = dataset.write_disposition == "append"
        at_edge, ahead = _read(before)
        self._seen = at_edge.union(ahead) if asks_from_cursor else set(ahead)
        self._is_asked = asks_from_cursor and bool(at_edge)
        self._ahead_from = min(ahead.values(), default=None)
        self._before_at_edge, self._before_ahead = at_edge, ahead
        self._at_edge, self._ahead = _read(reached or ())

    def may_hold(self, key: SortKey, start: SortKey | None) -> bool:
        """Whether a row with this cursor may have been seen by an earlier pull."""
        if self._is_asked and key == start:
            return True
        day = day_of(key)
        return (
            self._ahead_from is not None and day is not None and day >= self._ahead_from
        )

    def holds(self, record: bytes) -> bool:
        """Whether exactly this row was seen by an earlier pull."""
        return self._hash(record) in self._seen

    def moved_on(self) -> None:
        """The cursor has moved: what stood at it can come no more."""
        self._at_edge.clear()
        self.forget_cursor()

    def forget_cursor(self) -> None:
        """The cursor had moved on before: what it remembers at it is no edge now."""
        self._before_at_edge.clear()

    def add(self, record: bytes, day: int | None) -> None:
        """Remember a row at the cursor, or ahead by its `day`; Terminal if too many."""
        if day is None:
            self._at_edge.add(self._hash(record))
        else:
            self._ahead[self._hash(record)] = day
        if len(self._at_edge) + len(self._ahead) > MOST_REMEMBERED:
            raise Terminal(
                f"more than {MOST_REMEMBERED:,} rows of {self._dataset.name} share one "
                "cursor value or are dated after now, and each would have to be "
                "remembered; accepted: a finer cursor, or `write_disposition: replace`",
                kind=RunErrorKind.SCHEMA,
            )

    def entries(
        self, passed: int | None, *, whole_until: int | None
    ) -> frozenset[bytes]:
        """What a position keeps: what this pull has seen, and what was known and did
        not come. `passed` is the cursor's day: what is dated before it is forgotten.

        A row that came stands for its older versions that did not, but for those that
        may be yet to come: dated from the day `whole_until` on (None: there are none).
        """
        seen = {self._identity(one) for one in (*self._at_edge, *self._ahead)}
        unseen = {
            one: day
            for one, day in self._before_ahead.items()
            if self._identity(one) not in seen
            or (whole_until is not None and day >= whole_until)
        }
        kept = self._at_edge | {
            one for one in self._before_at_edge if self._identity(one) not in seen
        }
        return frozenset(kept).union(
            day.to_bytes(_DAY) + one
            for one, day in {**unseen, **self._ahead}.items()
            if passed is None or day >= passed
        )

    def _identity(self, one: bytes) -> bytes:
        """What tells whether two hashes are of one row."""
        return one if self._is_keyed else one[:_HALF]

    def _hash(self, record: bytes) -> bytes:
        key = _key_of(record, self._dataset.primary_key)
        if key is None:  # two absent keys are not the same key
            return hashlib.blake2b(record, digest_size=_HASH).digest()
        if self._is_keyed:
            return hashlib.blake2b(key, digest_size=_HASH).digest()
        return (
            hashlib.blake2b(key, digest_size=_HALF).digest()
            + hashlib.blake2b(record, digest_size=_HALF).digest()
        )


def day_of(key: SortKey) -> int | None:
    """The number of the day of a time or a date; None for what is neither."""
    return key[1].toordinal() if key[0] in ("time", "date") else None


def _key_of(record: bytes, paths: Iterable[str]) -> bytes | None:
    """The primary key as it is written; None if the record does not have all of it."""
    parts = [b"\x1f".join(bytes(one) for one in find(record, path)) for path in paths]
    if not parts or any(part in (b"", _NULL) for part in parts):
        return None
    return b"\x1e".join(parts)


def _read(entries: Iterable[bytes]) -> tuple[set[bytes], dict[bytes, int]]:
    """The hashes at the edge, and the days of those ahead of it."""
    at_edge: set[bytes] = set()
    ahead: dict[bytes, int] = {}
    for entry in entries:
        if len(entry) == _HASH:
            at_edge.add(entry)
        else:
            ahead[entry[_DAY:]] = int.from_bytes(entry[:_DAY])
    return at_edge, ahead
