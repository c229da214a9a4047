"""An API that grows while it is read: equal cursors, updates, late rows, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import JsonValue

from lambdas.core.errors import RunErrorKind, Terminal, Transient
from lambdas.core.pull.ports import Page
from lambdas.core.pull.window import Window
from tests.soak.faults import Mishap
from tests.soak.world import World
from tests.soak.writing import Writing, as_json

T = TypeVar("T")
Order = Literal["asc", "desc", "log"]
Place = tuple[int, int]
"""Where a row stands in the order of its API."""

LAG = 60
"""Minutes that a dataset with a lag goes back behind its cursor."""
LATEST = 25
"""Minutes that a late row is behind the clock; with the longest pull still < `LAG`."""
LONGEST_PULL_S = 900.0
HISTORY = -300
"""Minutes before the first live pull's window: the oldest rows there are."""
ALMOST_NOW = 6
"""Minutes within which a row may be dated ahead of us, as clocks go."""
AHEAD = (30, 600, 5_000, 10_000_000)
"""Minutes after now: a booking, a clock that is wrong, a sentinel."""
_NEVER = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One version of a row: `at` is its cursor in minutes, `seq` its turn to be
    written.
    """

    number: int
    version: int
    at: int
    seq: int

    def record(
        self, writing: Writing, *, may_be_odd: bool, has_key: bool = True
    ) -> bytes:
        """As the API writes it; if it may, with a column that nobody declared. `n` is
        for the soak: it is there where the key is not.
        """
        tail = b',"tail":1' if may_be_odd and self.is_odd else b""
        key = b'"id":%d,' % self.number if has_key else b""
        return b'{%b"n":%d,"v":%d,"at":%b%b}' % (
            key,
            self.number,
            self.version,
            as_json(writing.write(self.at)),
            tail,
        )

    @property
    def is_odd(self) -> bool:
        """Whether a contract that discards rows discards this one."""
        return self.number % 5 == 0


class Upstream:
    """Rows, each in its current version, or all versions of each."""

    def __init__(
        self,
        world: World,
        *,
        order: Order,
        updates: bool,
        lates: bool,
        keeps_versions: bool,
        ahead: tuple[int, ...],
        futures: float,
        ties_versions: bool,
        most_ties: int | None,
    ) -> None:
        """`ties_versions`: two versions of a row may have one cursor. `most_ties`: rows
        that share one. `futures`: how many of them are dated after now, and
        `ahead` by how many minutes.
        """
        self.rows: dict[int, Row] = {}
        """By number, the newest version of each: by the cursor, then as written."""
        self.log: list[Row] = []
        self.order = order
        self.keeps_versions = keeps_versions
        self._ahead, self._futures = ahead, futures
        self._ties_versions = ties_versions
        self._most_ties = most_ties
        self._world = world
        self._updates = updates
        self._lates = lates
        self._seq = 0
        self.readers = 0
        """Pulls that are reading pages now."""
        self.keyless: set[tuple[int, int]] = set()
        """Versions of rows that came without their key once."""

    def fill_history(self) -> None:
        """Rows from before time began, which no live pull asks for."""
        rng = self._world.rng
        for _ in range(rng.randint(3, 12)):
            self._write(len(self.rows) + 1, 1, rng.randint(HISTORY, -1))

    def _write(self, number: int, version: int, at: int) -> None:
        self._seq += 1
        row = Row(number=number, version=version, at=at, seq=self._seq)
        self.log.append(row)
        if number not in self.rows or self.rows[number].at <= at:
            self.rows[number] = row

    def grow(self, *, may_be_late: bool) -> None:
        """A batch of rows at or above all that were there, and late ones if promised.

        Within a batch cursors are in no order; no batch is below the one before.
        """
        rng = self._world.rng
        minute = int(self._world.now_s // 60)
        has_come = (row.at for row in self.log if 0 < row.at <= minute + ALMOST_NOW)
        floor = max(has_come, default=0)
        ceiling = max(floor, minute)
        for _ in range(rng.randint(1, 7)):
            at = rng.choice((floor, ceiling, rng.randint(floor, ceiling)))
            is_late = self._lates and may_be_late and rng.random() < 0.3
            if is_late:
                at = max(0, minute - rng.randint(1, LATEST))
            if self._futures and rng.random() < self._futures:
                at = minute + rng.choice(self._ahead)
                self._world.counts["rows dated after now"] += 1
            number, version = len(self.rows) + 1, 1
            if self._updates and self.rows and rng.random() < 0.3:
                old = self.rows[rng.randint(1, len(self.rows))]
                after = max(at, old.at + (0 if self._ties_versions else 1))
                is_old_version = is_late and self.keeps_versions and at < old.at
                if is_old_version or after <= ceiling or old.at > ceiling:
                    number, version = old.number, self._seq + 2
                    at = at if is_old_version else after
            self._write(number, version, self._free(at))

    def _free(self, at: int) -> int:
        """The next minute that has room for a row."""
        ties = [row.at for row in self.log]
        while self._most_ties is not None and ties.count(at) >= self._most_ties:
            at += 1
        return at

    def sorted_rows(self, floor: int, end: int) -> list[tuple[Place, Row]]:
        """The rows from `floor` to before `end`, as the API sorts them, each with its
        place.

        Ties are sorted by when they were written: a row that changes behind the page
        that is read next, at the same cursor, is never shown to that pull.
        """
        rows = self.log if self.keeps_versions else list(self.rows.values())
        match self.order:
            case "asc":
                keyed = [((row.at, row.seq), row) for row in rows]
            case "desc":
                keyed = [((-row.at, -row.seq), row) for row in rows]
            case "log":
                keyed = [((row.seq, 0), row) for row in rows]
        return sorted(
            ((key, row) for key, row in keyed if floor <= row.at < end),
            key=lambda item: item[0],
        )


class Reading:
    """One pull's reading of the upstream: rows by their place, and what goes wrong."""

    def __init__(
        self,
        world: World,
        upstream: Upstream,
        *,
        window: Window,
        writing: Writing,
        page_rows: int,
        filters: bool,
        has_odd_rows: bool,
        empties: float,
        on_expired: Callable[[], None],
    ) -> None:
        """`empties`: how many of the later pages come without a row or a word."""
        self.requests = 0
        self.empties = empties
        self.page_rows = page_rows
        self._world = world
        self._upstream = upstream
        self._floor, self._end = HISTORY, _NEVER
        if filters and window.start is not None:
            self._floor = writing.read(window.start)
        if filters and window.end is not None:
            self._end = writing.read(window.end)
        self._writing = writing
        self._has_odd_rows = has_odd_rows
        self._on_expired = on_expired
        self.goes_on = window.position is not None
        self._deadline_s = world.now_s + LONGEST_PULL_S

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """While pages are read."""
        self._upstream.readers += 1
        try:
            yield
        finally:
            self._upstream.readers -= 1

    def failed(self) -> None:
        """An error came; at a stored position it may be taken for one that expired."""
        if self.goes_on:
            self._on_expired()

    def after(self, place: Place | None) -> tuple[list[bytes], Place | None, int]:
        """The rows that follow a place, the place after them if there is more, and how
        many rows there are in all.
        """

        def do() -> tuple[list[Row], Place | None, int]:
            every = self._sorted()
            found = [one for one in every if place is None or one[0] > place]
            page = found[: self.page_rows]
            is_last = len(found) <= self.page_rows
            rows = [row for _, row in page]
            return rows, None if is_last else page[-1][0], len(every)

        rows, upcoming, total = self._asked(do)
        return self._records(rows), upcoming, total

    def at(self, offset: int, count: int) -> tuple[list[bytes], int]:
        """The rows from an offset on, and how many there are in all."""

        def do() -> tuple[list[Row], int]:
            every = self._sorted()
            return [row for _, row in every[offset : offset + count]], len(every)

        rows, total = self._asked(do)
        return self._records(rows), total

    def _sorted(self) -> list[tuple[Place, Row]]:
        return self._upstream.sorted_rows(self._floor, self._end)

    def _asked(self, do: Callable[[], T]) -> T:
        self.requests += 1
        resumes = self.goes_on and self.requests == 1
        if resumes and self._world.happens(Mishap.POSITION_EXPIRED, 0.05):
            self._on_expired()
            raise Terminal("410 Gone", kind=RunErrorKind.HTTP)
        if self._world.happens(Mishap.UPSTREAM_REFUSED, 0.01):
            kind = self._world.rng.choice(list(RunErrorKind))
            if resumes:
                self.failed()
            raise Terminal("refused", kind=kind)
        answer = self._world.effect(
            "get page", do, lambda _: Transient("reset", kind=RunErrorKind.HTTP)
        )
        if self._world.now_s > self._deadline_s:
            raise Transient("too late", kind=RunErrorKind.TIMEOUT)
        return answer

    def _records(self, rows: list[Row]) -> list[bytes]:
        """As the API writes them; of one, or of all, it may have lost the key. Of a
        version in a log it never does: the cursor could not know it again.
        """
        keyless: list[Row] = []
        may_be = rows and not self._upstream.keeps_versions
        if may_be and self._world.happens(Mishap.KEY_LOST, 0.02):
            keyless = self._world.rng.choice((rows[:1], rows))
        if len(keyless) < len(rows):
            self._upstream.keyless |= {(row.number, row.version) for row in keyless}
        return [
            row.record(
                self._writing,
                may_be_odd=self._has_odd_rows,
                has_key=row not in keyless,
            )
            for row in rows
        ]


class UpstreamPages:
    """One pull's pages (a PageSource). A page is asked for by the place it follows."""

    reached: None = None
    retries = 0

    def __init__(
        self, reading: Reading, *, position: JsonValue, has_positions: bool
    ) -> None:
        self._reading = reading
        self._position = position
        self._has_positions = has_positions

    @property
    def requests(self) -> int:
        """Pages asked for."""
        return self._reading.requests

    def pages(self) -> Iterator[Page]:
        """As the port says."""
        with self._reading.under_way():
            yield from self._pages()

    def _pages(self) -> Iterator[Page]:
        after: Place | None = None
        number = 1
        if isinstance(self._position, list):
            first, second = self._position
            after = (int(str(first)), int(str(second)))
        while True:
            records, after, _ = self._reading.after(after)
            yield Page(
                records=records,
                number=number,
                url="https://api.test/",
                next_position=list(after) if after and self._has_positions else None,
            )
            if after is None:
                return
            number += 1
