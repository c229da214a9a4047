"""Reading many tables with few statements, so that one that is gone blinds no other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeGuard

from lambdas.core.diagnosis.signals import Table
from lambdas.core.errors import (
    AccessRefused,
    ObjectMissing,
    WarehouseError,
    WarehouseUnreachable,
)
from lambdas.core.ports import Warehouse
from lambdas.core.sql.freshness import (
    freshness_query,
    freshness_views,
    future_rows_query,
)
from lambdas.core.sql.tables import tables_query

LOG = logging.getLogger("catflap.freshness.tables")

DIRECT_BATCH = 100
"""Tables asked at once where a view fails."""
FUTURE_BATCH = 50
STATEMENTS = 200
"""The most that one check asks. 100 tables of which one is gone take 14; what is not
reached is not read, and the next check begins anew."""


Row = tuple[object, ...]
Answers = dict[str, Row | WarehouseError]


class TableReader:
    """Asks the freshness views, and the tables themselves where a view fails."""

    def __init__(
        self,
        *,
        warehouse: Warehouse,
        database: str,
        datasets: Iterable[str],
        skew: timedelta,
    ) -> None:
        """`datasets` are all there are: they decide which view holds which."""
        self._warehouse = warehouse
        self._database = database
        self._views = freshness_views(database, datasets)
        self._skew = skew
        self.statements = 0

    def read(self, datasets: Sequence[str], *, now: datetime) -> Mapping[str, Table]:
        """What was read of each of `datasets`. Raises nothing that Snowflake says.

        Newest event times count only up to now and the skew; `future_rows` lie beyond.
        """
        self.statements = 0
        wanted = set(datasets)
        answers: Answers = {}
        down = False
        for view, names in self._views.items():
            due = [name for name in names if name in wanted]
            if due and not down:
                down = not self._read_view(view, due, answers)
        readings = {name: _reading(answer) for name, answer in answers.items()}
        self._filter_future(readings, now=now, down=down)
        return {name: readings.get(name, Table(read="not_read")) for name in datasets}

    def read_directly(
        self, datasets: Sequence[str], *, now: datetime
    ) -> Mapping[str, Table]:
        """The same of the tables themselves, not of a view over them, which may be
        wrong. Raises nothing that Snowflake says, and counts on in `statements`.
        """
        answers: Answers = {}
        try:
            for batch in _batches(datasets, DIRECT_BATCH):
                self._bisect(batch, self._tables_query, answers)
        except WarehouseUnreachable as error:
            LOG.warning("the warehouse does not answer: %s", error)
        readings = {name: _reading(answer) for name, answer in answers.items()}
        self._filter_future(readings, now=now, down=False)
        return {name: readings.get(name, Table(read="not_read")) for name in datasets}

    def _read_view(self, view: str, due: Sequence[str], answers: Answers) -> bool:
        """Whether the warehouse answered to the end."""
        try:
            try:
                rows = self._ask(freshness_query(view, due), due)
            except WarehouseUnreachable:
                raise
            except WarehouseError as error:
                LOG.warning(
                    "view %s failed; asking its tables one by one: %s", view, error
                )
                rows = []
            answers.update({str(row[0]): row for row in rows})
            left = [name for name in due if name not in answers]
            for batch in _batches(left, DIRECT_BATCH):
                self._bisect(batch, self._tables_query, answers)
        except WarehouseUnreachable as error:
            LOG.warning("the warehouse does not answer: %s", error)
            return False
        return True

    def _tables_query(self, names: Sequence[str]) -> str:
        return tables_query(self._database, names)

    def _bisect(
        self,
        names: Sequence[str],
        text: Callable[[Sequence[str]], str],
        answers: Answers,
    ) -> None:
        """Ask for `names` at once; on an error, for each half, down to the one."""
        try:
            rows = self._ask(text(names), names)
        except WarehouseUnreachable:
            raise
        except WarehouseError as error:
            if len(names) == 1:
                LOG.warning("the table of %s cannot be read: %s", names[0], error)
                answers[names[0]] = error
                return
            middle = len(names) // 2
            self._bisect(names[:middle], text, answers)
            self._bisect(names[middle:], text, answers)
            return
        answers.update({str(row[0]): row for row in rows})

    def _filter_future(
        self, readings: dict[str, Table], *, now: datetime, down: bool
    ) -> None:
        """Ask a second time for tables whose newest event lies ahead of us."""
        after = now + self._skew
        ahead = [
            name
            for name, reading in readings.items()
            if reading.newest_event_at is not None and reading.newest_event_at > after
        ]
        answers: Answers = {}
        for batch in _batches(ahead, FUTURE_BATCH):
            try:
                if not down:
                    self._bisect(
                        batch,
                        lambda names: future_rows_query(self._database, names, after),
                        answers,
                    )
            except WarehouseUnreachable as error:
                LOG.warning("could not count rows dated in the future: %s", error)
                down = True
        for name in ahead:
            readings[name] = _filtered(readings[name], answers.get(name))

    def _ask(self, statement: str, names: Sequence[str]) -> list[Row]:
        if self.statements >= STATEMENTS:
            raise WarehouseUnreachable(
                f"{STATEMENTS} statements were asked in one check, which is the limit; "
                "look for the first error above"
            )
        self.statements += 1
        return self._warehouse.query(statement, serves=names)


def _batches(names: Sequence[str], size: int) -> list[Sequence[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]


def _reading(answer: Row | WarehouseError) -> Table:
    match answer:
        case ObjectMissing():
            return Table(read="missing")
        case AccessRefused():
            return Table(read="denied")
        case WarehouseError():
            return Table(read="error")
        case (_, event_at, loaded_at, int(row_count), int(event_rows)) if _is_moment(
            event_at
        ) and _is_moment(loaded_at):
            return Table(
                read="ok",
                newest_event_at=event_at,
                newest_loaded_at=loaded_at,
                row_count=row_count,
                null_event_rows=row_count - event_rows,
                future_rows=0,
            )
        case _:
            LOG.warning("expected a row of times and counts, got %r", answer)
            return Table(read="error")


def _filtered(reading: Table, answer: Row | WarehouseError | None) -> Table:
    """The reading without its future rows; unread if those cannot be told apart."""
    match answer:
        case None:
            return Table(read="not_read")
        case (_, int(future_rows), event_at) if _is_moment(event_at):
            return reading.model_copy(
                update={"newest_event_at": event_at, "future_rows": future_rows}
            )
        case _:
            return Table(read="error")


def _is_moment(value: object) -> TypeGuard[datetime | None]:
    """NULL, or a time that says its offset: a naive one would shift every age."""
    return value is None or (isinstance(value, datetime) and value.tzinfo is not None)
