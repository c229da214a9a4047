"""Dynamic tables, as SHOW tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from lambdas.core.freshness.probe import instant
from lambdas.core.incidents.verdicts.dynamic_tables import DynamicTableNow
from lambdas.core.ports import Warehouse
from lambdas.core.sql import names, views

_NAME, _STATE, _DATA_AT = 1, 16, 21
"""Columns of SHOW DYNAMIC TABLES: name, scheduling_state, data_timestamp."""


class ShownDynamicTables:
    """Statements that need no warehouse."""

    def __init__(self, *, warehouse: Warehouse, database: str) -> None:
        self._warehouse = warehouse
        self._database = database

    def now(self, wanted: Mapping[str, object]) -> dict[str, DynamicTableNow]:
        """Those of some datasets and models, by name. Raises WarehouseError."""
        by_name = {names.plain(names.identifier(one)): one for one in wanted}
        rows = self._warehouse.query(views.show_dynamic_tables(self._database))
        return {
            by_name[str(row[_NAME])]: DynamicTableNow(
                is_suspended=str(row[_STATE]).upper() == "SUSPENDED",
                data_at=_moment(row[_DATA_AT]),
            )
            for row in rows
            if str(row[_NAME]) in by_name
        }


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else None
    return instant(value)
