"""Whether tables changed, without a warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lambdas.core.errors import WarehouseError
from lambdas.core.ports import Warehouse
from lambdas.core.sql import change_marks, names


class ChangeMarks:
    """Asks SYSTEM$LAST_CHANGE_COMMIT_TIME of datasets' tables."""

    def __init__(self, *, warehouse: Warehouse, database: str) -> None:
        self._warehouse = warehouse
        self._database = database

    def of(self, datasets: Sequence[str]) -> Mapping[str, int]:
        """The mark of each table, by dataset, in one statement; one that has none is
        left out. Raises WarehouseError.
        """
        tables = [names.raw_table(self._database, name) for name in datasets]
        rows = self._warehouse.query(change_marks(tables))
        if len(rows) != 1 or len(rows[0]) != len(tables):
            raise WarehouseError(f"one row of {len(tables)} marks was expected")
        return {
            name: mark
            for name, mark in zip(datasets, rows[0], strict=True)
            if isinstance(mark, int)
        }
