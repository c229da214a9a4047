"""Many values by few statements, so that one that fails blinds no other."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence

from lambdas.core.errors import (
    StatementCancelled,
    WarehouseError,
    WarehouseUnreachable,
)
from lambdas.core.ports import Warehouse
from lambdas.core.quality.metric import Values
from lambdas.core.quality.statements import Branch, Key, batch_query, batches, values_of

LOG = logging.getLogger("catflap.quality")

STATEMENTS = 120
"""The most that one look at the checks asks; what is not reached is asked next time."""
CANCELLED = 12
"""So many statements may take too long: each costs a minute of the warehouse."""
Row = tuple[object, ...]


class BatchMeasurement:
    """Asks within a bound. `values` are the answers, `errors` why there is none."""

    def __init__(self, *, warehouse: Warehouse, has_time: Callable[[], bool]) -> None:
        self._warehouse = warehouse
        self._has_time = has_time
        self._cancelled = 0
        self._down: str | None = None
        self.statements = 0
        self.values: dict[Key, Values] = {}
        self.errors: dict[Key, str] = {}

    def ask(self, statement: str, serves: Sequence[str] = ()) -> list[Row]:
        """One statement. Raises WarehouseError, at once if there is no more to ask."""
        if self._down is not None:
            raise WarehouseUnreachable(self._down)
        if self.statements >= STATEMENTS or not self._has_time():
            raise WarehouseUnreachable(
                "there was no time left for it; the next check asks again"
            )
        self.statements += 1
        try:
            return self._warehouse.query(statement, serves=serves)
        except StatementCancelled as error:
            self._cancelled += 1
            if self._cancelled >= CANCELLED:
                self._down = f"{CANCELLED} statements took too long: {error}"
            raise
        except WarehouseUnreachable as error:
            self._down = str(error)
            raise

    def measure(self, branches: Iterable[Branch]) -> None:
        """Fill `values` and `errors`."""
        for batch in batches(branches):
            self._measure(batch)

    def _measure(self, batch: Sequence[Branch]) -> None:
        """All at once; on an error each half, down to the one check that hurts."""
        try:
            served = sorted({key[0] for branch in batch for key, _ in branch.checks})
            found = values_of(batch, self.ask(batch_query(batch), served))
        except StatementCancelled as error:
            self._halve(batch, error)
        except WarehouseUnreachable as error:
            self._fail(batch, error)
        except WarehouseError as error:
            self._halve(batch, error)
        else:
            for key, values in found.items():
                self._keep(key, values)

    def _halve(self, batch: Sequence[Branch], error: WarehouseError) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            self._measure(batch[:middle])
            self._measure(batch[middle:])
        elif len(batch[0].checks) > 1:
            for half in batch[0].halves():
                self._measure([half])
        else:
            self._fail(batch, error)

    def _fail(self, batch: Sequence[Branch], error: WarehouseError) -> None:
        for branch in batch:
            for key, _ in branch.checks:
                self.errors[key] = str(error)

    def _keep(self, key: Key, values: Values) -> None:
        """The embedded Snowflake divides by zero and answers infinity."""
        if any(one is not None and not math.isfinite(one) for one in values):
            self.errors[key] = "the answer is no finite number: a division by zero?"
        else:
            self.values[key] = values
