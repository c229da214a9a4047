"""The load history of a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import get_args

from lambdas.core.dataset import Dataset
from lambdas.core.facts import HISTORY, LoadRecord
from lambdas.core.ports import Warehouse
from lambdas.core.signals import LoadStatus
from lambdas.core.sql import copy_history
from lambdas.core.sql.watching import HISTORY_COLUMNS

_STATUSES: dict[str, LoadStatus] = {
    status.lower(): status for status in get_args(LoadStatus)
}


class LoadSource:
    """Reads COPY_HISTORY: it needs the warehouse, so only suspects are asked for."""

    def __init__(self, *, warehouse: Warehouse, database: str) -> None:
        self._warehouse = warehouse
        self._database = database

    def collect(self, dataset: Dataset, *, now: datetime) -> Sequence[LoadRecord]:
        """The loads of the last two weeks, the newest first. Raises WarehouseError."""
        rows = self._warehouse.query(
            copy_history(self._database, dataset.name, now - HISTORY)
        )
        return [_record(row) for row in rows]


def _record(row: tuple[object, ...]) -> LoadRecord:
    value = dict(zip(HISTORY_COLUMNS, row, strict=True))
    status = str(value["STATUS"]).lower()
    error = value["FIRST_ERROR_MESSAGE"]
    return LoadRecord(
        file=str(value["FILE_NAME"]),
        status=_STATUSES.get(status, "unknown"),
        rows_loaded=_count(value["ROW_COUNT"]),
        rows_parsed=_count(value["ROW_PARSED"]),
        # whatever a file held may stand in it, even what is no text
        first_error=(
            None if error is None else str(error).encode("utf-8", "replace").decode()
        ),
        loaded_at=_moment(value["LAST_LOAD_TIME"]),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _moment(value: object) -> datetime | None:
    is_aware = isinstance(value, datetime) and value.tzinfo is not None
    return value if is_aware else None  # type: ignore[return-value]  # as said a line above
