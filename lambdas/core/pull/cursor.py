"""The cursor: which rows are new, and how far a pull has come.

Rows that stand exactly at the cursor's edge are the classic loss and the classic
double: a row may appear with the same cursor value after the pull that moved the
cursor there. So the next pull asks from the edge on, *including* it, and drops only
the rows that were seen there before.

The cursor never passes now. A row that is dated later (a sentinel, a booking, a device
with a wrong clock) lands, and is remembered in the same way until the cursor has
passed its day, so that it lands once and hides no row that comes before it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import compress
from operator import itemgetter, le
from typing import Literal, TypeAlias

import msgspec

from lambdas.core.cursor.order import CursorOrder, SortKey, shown, unlike_fractions
from lambdas.core.dataset import Dataset
from lambdas.core.errors import BadInput, RunErrorKind, Terminal
from lambdas.core.pull.edge import Edge, day_of
from lambdas.core.pull.run import CursorPosition
from lambdas.core.pull.window import Window
from lambdas.core.records.json_path import find
from lambdas.core.records.primary_key import UNLOOKED, Keyed
from lambdas.core.records.projection import Projection
from lambdas.core.text.count import counted

_ONE_KIND: tuple[set[type], ...] = ({str}, {int}, {float})
_FARTHEST_ZONE = timedelta(hours=14)
_EPOCHS = ((10**9, 1, "epoch"), (10**12, 1000, "epoch_ms"))
"""Where numbers look like counts since 1970, what a second counts, and their name."""

Verdicts: TypeAlias = dict[object, tuple[bool, SortKey | None]]
"""By cursor value: whether its rows are in the window, and what they compare by."""


@lru_cache(maxsize=1024)
def _cursor_reader(path: str) -> Callable[[Sequence[bytes]], list[object]]:
    """A function from records to their cursor values (None where there is none)."""
    try:
        return Projection(path).read
    except ValueError:
        return lambda records: [
            msgspec.json.decode(found[0]) if (found := find(record, path)) else None
            for record in records
        ]


class NewRows:
    """Keeps the rows of a pull that are new, and knows where the cursor stands.

    Feed it pages in order. `position` is right at any time; `exhausted` turns true
    when `row_order` says that no later page can hold a new row.
    """

    def __init__(
        self,
        *,
        dataset: Dataset,
        position: CursorPosition,
        window: Window,
        reached: CursorPosition | None = None,
        limit: datetime | None = None,
    ) -> None:
        """`position` is the cursor that the window was planned from, `reached` what
        earlier segments of the same pull have seen beyond it. The cursor does not pass
        `limit`.

        Raises BadInput if the window's own bounds are not usable cursors.
        """
        incremental = dataset.source.cursor
        if incremental is None:
            raise BadInput(f"{dataset.name} declares no incremental")
        self._dataset, self._incremental = dataset, incremental
        self._order = CursorOrder.of(incremental)
        self._values = _cursor_reader(incremental.cursor_path)
        self._limit = limit
        self._stood_at, self._asked_from = position.value, window.start
        furthest = reached or position
        try:
            self._start = self._bound(window.start)
            self._end = self._bound(window.end)
            self._cursor = self._bound(position.value)
            self._best = self._bound(furthest.value)
        except ValueError as error:
            raise BadInput(
                f"{dataset.name}: the cursor `{incremental.cursor_path}`: {error}"
            ) from None
        self._best_value = furthest.value
        self._edge = Edge(
            dataset=dataset,
            # With a lag rows land again, and those ahead with them: an older version
            # that came alone would be the newest read.
            before=() if incremental.lag else position.edge,
            reached=reached.edge if reached else None,
            asks_from_cursor=self._start is not None and self._start == self._cursor,
        )
        if self._best != self._cursor:
            self._edge.forget_cursor()
        self._is_ascending = True
        self._has_met_bound = False
        self._disordered: int | None = None
        self._came = self._came_from_start = 0
        self._newest_came: tuple[SortKey, object] | None = None
        self._page: tuple[Sequence[object], Sequence[bytes]] = ((), ())
        self.exhausted = False

    def _bound(self, value: object) -> SortKey | None:
        return None if value is None else self._order.bound_key(value)

    @property
    def position(self) -> CursorPosition:
        """Where the cursor stands after all rows seen so far, if they are all."""
        return self._position(None if self._end is None else day_of(self._end))

    @property
    def cut_position(self) -> CursorPosition:
        """Where it stands after them, if another pull is to read on from there."""
        return self._position(0)

    def _position(self, whole_until: int | None) -> CursorPosition:
        passed = None if self._best is None else day_of(self._best)
        edge = self._edge.entries(passed, whole_until=whole_until)
        return CursorPosition(value=self._best_value, edge=edge)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know of the rows that came."""
        found = (
            self._only_older(),
            self._cursor_after_now(),
            self._like_an_epoch(),
            self._not_sorted(),
        )
        return tuple(one for one in found if one is not None)

    def _only_older(self) -> str | None:
        is_first = self._asked_from == self._incremental.initial_value
        if self._cursor is None and not is_first:
            return None
        if self._newest_came is None or self._came_from_start:
            return None
        return (
            f"upstream was asked from {shown(self._asked_from)} on and sent "
            f"{counted(self._came, 'row')}, none of them new: the newest "
            f"({shown(self._newest_came[1])}) is older. If that is not as it should "
            f"be, look whether the API filters by `{self._incremental.cursor_path}` "
            "and reads the value as it is written; "
            + (
                "initial_value is where the first pull begins"
                if self._cursor is None
                else self._set_back
            )
        )

    def _not_sorted(self) -> str | None:
        if self._disordered is None:
            return None
        return (
            f"the rows of page {self._disordered} do not come in the order of "
            f"`row_order: {self._incremental.row_order}`, so the pull reads on to the "
            "end; sort the request so, or leave row_order out"
        )

    def _cursor_after_now(self) -> str | None:
        if self._cursor is None or not self._is_ahead(self._cursor):
            return None
        return (
            f"the cursor stands at {shown(self._stood_at)}, which is after now: rows "
            f"that are dated before it are not asked for; {self._set_back}"
        )

    def _like_an_epoch(self) -> str | None:
        """A number is no time unless that is declared, and may be one all the same."""
        if self._start is None or self._best is None or self._limit is None:
            return None
        if self._best[0] != "number":
            return None
        now_s = self._limit.timestamp()
        for least, unit, name in _EPOCHS:
            if least <= self._start[1] <= now_s * unit < self._best[1]:
                return (
                    f"the cursor has moved to {shown(self._best_value)}, which as a "
                    "count since 1970 is after now. If it is one, declare "
                    f"`incremental.cursor_format: {name}`, so that the "
                    f"cursor never passes now; {self._set_back}"
                )
        return None

    @property
    def _set_back(self) -> str:
        name = self._dataset.name
        return f"`catflap reset {name} --cursor VALUE` sets the cursor back"

    @property
    def can_stop_here(self) -> bool:
        """Whether all that comes later is at the cursor or after it, by declaration and
        without evidence against it, and the cursor has moved on, so that another pull
        may go on from there.
        """
        incremental = self._incremental
        return (
            incremental.row_order == "asc"
            and incremental.range_start == "closed"
            and incremental.on_cursor_value_missing != "include"
            and not incremental.lag
            and self._is_ascending
            and self._best is not None
            and (self._start is None or self._best > self._start)
        )

    def keep(
        self, records: Sequence[bytes], *, page: int, keyed: Keyed = UNLOOKED
    ) -> list[bytes]:
        """The new rows among `records`, in order. A row without its key moves the
        cursor as others do, and is new if its cursor tells nothing.

        Raises Terminal(kind=schema) if a cursor value is missing (and that is not
        declared to be fine), has no known order, or is of another kind than before.
        """
        if not records:
            return []
        if keyed.lacking:
            return self._keep_some(records, keyed.lacking, page=page)
        values = keyed.beside
        if values is None:
            values = self._decoded(records, page)
        self._page = (values, records)
        # Few distinct values a page are the rule: judge each value once.
        verdicts: Verdicts = {}
        before = self._best
        if set(map(type, values)) in _ONE_KIND:
            verdicts = {v: self._judge(v, page) for v in dict.fromkeys(values)}
            self._refuse_two_kinds(verdicts, page)
            if not self._touches_edge(verdicts):
                kept = self._keep_wanted(values, records, verdicts)
                self._look_at_order(before, verdicts, page)
                return kept
        kept = self._keep_each(values, records, verdicts, page)
        self._look_at_order(before, verdicts, page)
        return kept

    def _keep_some(
        self, records: Sequence[bytes], lacking: Collection[bytes], *, page: int
    ) -> list[bytes]:
        """`keep`, where some records lack their key, and may lack all else."""
        odd = frozenset(one for one in lacking if not self._has_place(one))
        placed = [one for one in records if one not in odd]
        return self.keep(placed, page=page) + [one for one in records if one in odd]

    def _has_place(self, record: bytes) -> bool:
        try:
            (value,) = self._values([record])
            return value is not None and self._unlike(self._order.key(value)) is None
        except (msgspec.DecodeError, RecursionError, ValueError):
            return False

    def _is_page_sorted(self, verdicts: Verdicts) -> bool:
        found = (verdicts[value][1] for value in self._page[0] if value is not None)
        keys = [key for key in found if key is not None]
        later, earlier = keys[1:], keys[:-1]
        if self._incremental.row_order == "desc":
            later, earlier = earlier, later
        return all(map(le, earlier, later))

    def _look_at_order(
        self, before: SortKey | None, verdicts: Verdicts, page: int
    ) -> None:
        """Notice a page with a row below what the pages before it had reached, and
        whether rows come that are not older than what was asked for. Where a row shows
        that no later page can hold a new one, the page has to be sorted so: rows that
        are pinned, and an order that is none, show nothing.
        """
        if self._has_met_bound:
            self._has_met_bound = False
            is_sorted = self._is_page_sorted(verdicts)
            self.exhausted = self.exhausted or is_sorted
            if not is_sorted and self._disordered is None:
                self._disordered = page
        keys = [(key, value) for value, (_, key) in verdicts.items() if key is not None]
        if not self._came_from_start and keys:
            newest = max(keys, key=itemgetter(0))
            self._newest_came = max(
                self._newest_came or newest, newest, key=itemgetter(0)
            )
            self._came_from_start = self._start is None or newest[0] >= self._start
            self._came += len(self._page[0])
        if before is None or self._incremental.row_order != "asc":
            return
        wanted = [key for is_in, key in verdicts.values() if is_in and key is not None]
        if wanted and min(wanted) < before:
            self._is_ascending = False

    def _keep_each(
        self,
        values: Sequence[object],
        records: Sequence[bytes],
        verdicts: Verdicts,
        page: int,
    ) -> list[bytes]:
        """`keep`, row by row."""
        kept: list[bytes] = []
        for value, record in zip(values, records, strict=True):
            if value.__class__ not in (str, int, float):
                wanted, key = self._judge(value, page)
            elif value in verdicts:
                wanted, key = verdicts[value]
            else:
                wanted, key = verdicts[value] = self._judge(value, page)
            if not wanted:
                continue
            may_be_seen = key is not None and self._edge.may_hold(key, self._start)
            if may_be_seen and self._edge.holds(record):
                continue
            kept.append(record)
        self._refuse_two_kinds(verdicts, page)
        self._advance(values, records, verdicts)
        return kept

    def _touches_edge(self, verdicts: Verdicts) -> bool:
        """Whether a row may be one that was seen before: each is looked at."""
        return any(
            key is not None and self._edge.may_hold(key, self._start)
            for _, key in verdicts.values()
        )

    def _keep_wanted(
        self, values: Sequence[object], records: Sequence[bytes], verdicts: Verdicts
    ) -> list[bytes]:
        """`keep` for a page of cursors of one kind, all unseen: the fast way, in C."""
        self._advance(values, records, verdicts)
        wanted = {value for value, (is_in, _) in verdicts.items() if is_in}
        if len(wanted) == len(verdicts):
            return list(records)
        return list(compress(records, map(wanted.__contains__, values)))

    def _decoded(self, records: Sequence[bytes], page: int) -> list[object]:
        try:
            return self._values(records)
        except msgspec.ValidationError as error:
            raise self._fault(page, f"cannot be read: {error}") from None

    def _judge(self, value: object, page: int) -> tuple[bool, SortKey | None]:
        """Whether a row with this cursor value is in the window, and its key."""
        # a CSV has no other way to say that there is none
        if value is None or (value == "" and self._order.type != "text"):
            missing = self._incremental.on_cursor_value_missing
            if missing == "raise":
                raise self._fault(
                    page,
                    "is missing, null or empty; set on_cursor_value_missing to "
                    "`include` or `exclude` if that is as it should be",
                    value,
                )
            return (missing == "include", None)
        try:
            key = self._order.key(value)
        except ValueError as error:
            raise self._fault(page, f"is not usable: {error}", value) from None
        if self._unlike(key) is not None:
            self._meet(key[0])
            bound = self._unlike(key)
            if bound is not None:
                raise self._fault(
                    page,
                    f"is a {key[0]} ({shown(value)}), but it was a {bound[0]}; "
                    f"if the API has changed, {self._set_back}",
                    value,
                )
        return (self._is_in_window(key), key)

    def _unlike(self, key: SortKey) -> SortKey | None:
        """A bound of another kind, which `key` cannot be compared with."""
        for bound in (self._start, self._end, self._best):
            if bound is not None and bound[0] != key[0]:
                return bound
        return None

    def _meet(self, kind: str) -> None:
        """Read declared bounds as the rows are written: a date as its midnight where
        rows have times, and a time as its day (an end within a day, as the next) where
        they have dates. The cursor's own value came from rows.
        """
        if kind == "time":
            self._start = self._start and self._order.as_time(self._start)
            self._end = self._end and self._order.as_time(self._end)
        elif kind == "date":
            self._start = self._start and self._order.as_date(self._start)
            self._end = self._end and self._order.as_date(self._end, up=True)

    def _refuse_two_kinds(self, verdicts: Verdicts, page: int) -> None:
        """The first page has nothing before it that its values could be unlike."""
        kinds = {key[0]: value for value, (_, key) in verdicts.items() if key}
        if len(kinds) > 1:
            told = " and ".join(f"a {k} ({shown(v)})" for k, v in kinds.items())
            raise self._fault(
                page,
                f"is {told} on one page; accepted: one kind, which "
                "`incremental.cursor_type` may name",
            )
        if "number" in kinds and self._order.type is None:
            self._refuse_versions(verdicts, page)

    def _refuse_versions(self, values: Iterable[object], page: int) -> None:
        found = unlike_fractions((self._stood_at, self._best_value, *values))
        if found is not None:
            one, other = found
            raise self._fault(
                page,
                f"is {shown(one)} and {shown(other)}, whose order is not known: as "
                "versions they sort differently than as numbers; accepted: "
                "`incremental.cursor_type: number` if they are numbers",
                other,
            )

    def _is_in_window(self, key: SortKey) -> bool:
        order = self._incremental.row_order
        if self._start is not None:
            is_open = self._incremental.range_start == "open"
            if key < self._start or (is_open and key == self._start):
                self._has_met_bound = self._has_met_bound or order == "desc"
                return False
        if self._end is not None:
            is_open = self._incremental.range_end == "open"
            if key > self._end or (is_open and key == self._end):
                self._has_met_bound = self._has_met_bound or order == "asc"
                return False
        return True

    def _is_ahead(self, key: SortKey) -> bool:
        """Whether a row is dated after now, so that the cursor does not go there."""
        if self._limit is None:
            return False
        if key[0] == "date":
            return bool(key[1] > self._last_day)
        return bool(key[0] == "time" and key[1] > self._limit)

    @property
    def _last_day(self) -> date:
        """The last day that has begun by the limit, anywhere if no zone is declared."""
        limit = self._limit or datetime.max.replace(tzinfo=UTC)
        if self._order.timezone is None:
            return (limit + _FARTHEST_ZONE).date()
        return limit.astimezone(self._order.zone).date()

    def _advance(
        self, values: Sequence[object], records: Sequence[bytes], verdicts: Verdicts
    ) -> None:
        """Move the cursor to the newest row not ahead of now; remember its edge."""
        passed = {v: key for v, (is_in, key) in verdicts.items() if is_in and key}
        ahead: dict[object, int | None] = {}
        if passed and self._is_ahead(max(passed.values())):
            ahead = {v: day_of(key) for v, key in passed.items() if self._is_ahead(key)}
            passed = {v: key for v, key in passed.items() if v not in ahead}
        remembered = ahead
        if passed:
            value, newest = max(passed.items(), key=itemgetter(1))
            if self._best is None or newest > self._best:
                self._best, self._best_value = newest, value  # type: ignore[assignment]  # a key only comes from a cursor value
                self._edge.moved_on()
            if newest == self._best:
                at_edge = (v for v, key in passed.items() if key == newest)
                remembered = {**ahead, **dict.fromkeys(at_edge)}
        if not remembered:
            return
        pairs = zip(values, records, strict=True)
        for value, record in compress(pairs, map(remembered.__contains__, values)):
            self._edge.add(record, remembered[value])

    def _fault(self, page: int, what: str, value: object = ...) -> Terminal:
        path, name = self._incremental.cursor_path, self._dataset.name
        return Terminal(
            f"page {page}: the cursor `{path}` of {name}{self._where(value)} {what}",
            kind=RunErrorKind.SCHEMA,
        )

    def _where(self, value: object) -> str:
        """The key of the first row that has a value."""
        values, records = self._page
        alike = (
            record
            for one, record in zip(values, records, strict=True)
            if type(one) is type(value) and one == value
        )
        record = next(alike, None)
        if record is None or not self._dataset.primary_key:
            return ""
        key = " and ".join(
            f"{path} {b', '.join(map(bytes, find(record, path))).decode()[:60]}"
            for path in self._dataset.primary_key
        )
        return f", in the row with {key},"


class EveryRow:
    """Stands in for NewRows where a dataset has no cursor: every row is wanted."""

    exhausted: Literal[False] = False
    can_stop_here: Literal[False] = False
    warnings: tuple[str, ...] = ()

    def __init__(self, *, position: CursorPosition) -> None:
        self.position = position

    @property
    def cut_position(self) -> CursorPosition:
        """The same."""
        return self.position

    def keep(
        self, records: Sequence[bytes], *, page: int, keyed: Keyed = UNLOOKED
    ) -> Sequence[bytes]:
        """All of them."""
        del page, keyed
        return records
