"""An API that grows while it is read: equal cursors, updates, late rows, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from lambdas.core.errors import RunErrorKind, Terminal, Transient
from lambdas.core.pull.ports import Page
from lambdas.core.pull.window import Window
from tests.soak.faults import Mishap
from tests.soak.world import World
from tests.soak.writing import Writing, as_json

Order = Literal["asc", "desc", "log"]

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

    def record(self, writing: Writing, *, may_be_odd: bool) -> bytes:
        """As the API writes it; if it may, with a column that nobody declared."""
        tail = b',"tail":1' if may_be_odd and self.is_odd else b""
        return b'{"id":%d,"v":%d,"at":%b%b}' % (
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
        has_futures: bool,
        ties_versions: bool,
    ) -> None:
        """`ties_versions`: two versions of a row may have one cursor."""
        self.rows: dict[int, Row] = {}
        """By number, the newest version of each: by the cursor, then as written."""
        self.log: list[Row] = []
        self.order = order
        self._keeps_versions = keeps_versions
        self._has_futures = has_futures
        self._ties_versions = ties_versions
        self._world = world
        self._updates = updates
        self._lates = lates
        self._seq = 0
        self.readers = 0
        """Pulls that are reading pages now."""

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
            if self._has_futures and rng.random() < 0.15:
                at = minute + rng.choice(AHEAD)
                self._world.counts["rows dated after now"] += 1
            number, version = len(self.rows) + 1, 1
            if self._updates and self.rows and rng.random() < 0.3:
                old = self.rows[rng.randint(1, len(self.rows))]
                after = max(at, old.at + (0 if self._ties_versions else 1))
                is_old_version = is_late and self._keeps_versions and at < old.at
                if is_old_version or after <= ceiling or old.at > ceiling:
                    number, version = old.number, self._seq + 2
                    at = at if is_old_version else after
            self._write(number, version, at)

    def sorted_rows(self, floor: int, end: int) -> list[tuple[tuple[int, int], Row]]:
        """The rows from `floor` to before `end`, as the API sorts them, each with its
        place.

        Ties are sorted by when they were written: a row that changes behind the page
        that is read next, at the same cursor, is never shown to that pull.
        """
        rows = self.log if self._keeps_versions else list(self.rows.values())
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


class UpstreamPages:
    """One pull's pages (a PageSource). A page is asked for by the place it follows."""

    reached: None = None

    def __init__(
        self,
        world: World,
        upstream: Upstream,
        *,
        window: Window,
        writing: Writing,
        page_rows: int,
        filters: bool,
        has_positions: bool,
        has_odd_rows: bool,
        on_expired: Callable[[], None],
    ) -> None:
        self.requests = 0
        self.retries = 0
        self._world = world
        self._upstream = upstream
        self._floor, self._end = HISTORY, _NEVER
        if filters and window.start is not None:
            self._floor = writing.read(window.start)
        if filters and window.end is not None:
            self._end = writing.read(window.end)
        self._writing = writing
        self._page_rows = page_rows
        self._has_positions = has_positions
        self._has_odd_rows = has_odd_rows
        self._on_expired = on_expired
        self._position = window.position
        self._deadline_s = world.now_s + LONGEST_PULL_S

    def pages(self) -> Iterator[Page]:
        """As the port says."""
        self._upstream.readers += 1
        try:
            yield from self._pages()
        finally:
            self._upstream.readers -= 1

    def _pages(self) -> Iterator[Page]:
        after: tuple[int, int] | None = None
        number = 1
        if isinstance(self._position, list):
            if self._world.happens(Mishap.POSITION_EXPIRED, 0.05):
                self._on_expired()
                raise Terminal("410 Gone", kind=RunErrorKind.HTTP)
            first, second = self._position
            after = (int(str(first)), int(str(second)))
        while True:
            rows, after = self._fetch(after)
            yield Page(
                records=[
                    row.record(self._writing, may_be_odd=self._has_odd_rows)
                    for row in rows
                ],
                number=number,
                url="https://api.test/",
                next_position=list(after) if after and self._has_positions else None,
            )
            if after is None:
                return
            number += 1

    def _fetch(
        self, after: tuple[int, int] | None
    ) -> tuple[list[Row], tuple[int, int] | None]:
        def do() -> tuple[list[Row], tuple[int, int] | None]:
            found = [
                item
                for item in self._upstream.sorted_rows(self._floor, self._end)
                if after is None or item[0] > after
            ]
            page = found[: self._page_rows]
            is_last = len(found) <= self._page_rows
            return [row for _, row in page], None if is_last else page[-1][0]

        self.requests += 1
        if self._world.happens(Mishap.UPSTREAM_REFUSED, 0.01):
            kind = self._world.rng.choice(list(RunErrorKind))
            if self._position is not None and self.requests == 1:
                self._on_expired()  # it may be taken for that
            raise Terminal("refused", kind=kind)
        answer = self._world.effect(
            "get page",
            do,
            lambda _: Transient("reset", kind=RunErrorKind.HTTP),
        )
        if self._world.now_s > self._deadline_s:
            raise Transient("too late", kind=RunErrorKind.TIMEOUT)
        return answer
