"""Snowpipe, as far as the protocol leans on it: each object name is loaded once."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec.json import decode as from_json

from lambdas.core.landing.names import OF_PULL, RAW, RUNS, run_id_of, run_started_at
from tests.soak.faults import Mishap
from tests.soak.world import World
from tests.soak.writing import Writing

GZIP = 31
"""zlib's `wbits` for a gzip member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One row of the table, with what the view orders by."""

    number: int
    version: int
    extracted_at: datetime
    run_id: str
    loaded_at: datetime
    at: int
    file: str
    row: int


class Snowpipe:
    """Hears of objects late, in any order and more than once."""

    def __init__(
        self,
        world: World,
        *,
        writing: Writing,
        comes_newest_first: bool,
        is_merged: bool,
    ) -> None:
        self._writing = writing
        self._comes_newest_first = comes_newest_first
        self._is_merged = is_merged
        self.table: list[Loaded] = []
        self.complete: dict[str, dict[str, object]] = {}
        """What RAW._RUNS holds, by run id."""
        self.on_loaded: list[Callable[[], None]] = []
        self._world = world
        self._known: set[str] = set()

    def hear(self, key: str, body: bytes) -> None:
        """An S3 event is on its way."""
        times = 2 if self._world.happens(Mishap.EVENT_DOUBLED, 0.1) else 1
        for _ in range(times):
            after_s = self._world.rng.random() * 900
            began = self._world.now() + timedelta(seconds=after_s / 2)
            self._world.at(
                self._world.now_s + after_s,
                lambda began=began: self._load(key, body, began),  # type: ignore[misc]  # mypy knows no defaults of lambdas
            )

    def _load(self, key: str, body: bytes, began: datetime) -> None:
        if key in self._known:
            return
        self._known.add(key)
        if key.startswith(RUNS):
            document = from_json(body)
            self.complete[document["run_id"]] = document
        elif key.startswith(RAW):
            run_id = run_id_of(key)
            started = run_started_at(run_id) if run_id else self._world.now()
            for at, line in enumerate(zlib.decompress(body, GZIP).splitlines(), 1):
                record = from_json(line)
                self.table.append(
                    Loaded(
                        number=record["n"],
                        version=record["v"],
                        extracted_at=started,
                        run_id=run_id or "",
                        loaded_at=began,
                        at=self._writing.read(record["at"]),
                        file=key,
                        row=at,
                    )
                )
        for tell in self.on_loaded:
            tell()

    def rows(self) -> Counter[tuple[int, int]]:
        """How often each version of a row is in the table."""
        return Counter((row.number, row.version) for row in self.table)

    def newest(self) -> dict[int, int]:
        """What the view of a `merge` shows: the version of each row."""
        return {number: row.version for number, row in self._best(self.table).items()}

    def relation(self, runs: Collection[str]) -> list[Loaded]:
        """The rows that a relation shows of some runs alone."""
        rows = [row for row in self.table if row.run_id in runs]
        return list(self._best(rows).values()) if self._is_merged else rows

    def _best(self, rows: Iterable[Loaded]) -> dict[int, Loaded]:
        best: dict[int, Loaded] = {}
        for row in rows:
            other = best.get(row.number)
            if other is None or self._rank(row) > self._rank(other):
                best[row.number] = row
        return best

    def _rank(self, row: Loaded) -> tuple[Any, ...]:
        """As the relation orders: by pull, cursor, and place in the declared order."""
        place: tuple[Any, ...] = (row.file, row.row)
        if self._comes_newest_first:
            place = (_Backwards(row.file), -row.row)
        return row.extracted_at, row.run_id[:OF_PULL], row.at, *place


class _Backwards(str):
    """A text that sorts the other way round."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)

    def __gt__(self, other: str) -> bool:
        return str.__lt__(self, other)
