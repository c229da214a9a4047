"""COPY_HISTORY as records."""

from __future__ import annotations

from datetime import datetime
from typing import get_args

from lambdas.core.loading.objects import LoadRecord, LoadStatus
from lambdas.core.ports import Warehouse
from lambdas.core.sql import copy_history
from lambdas.core.sql.freshness import HISTORY_COLUMNS

PAGE = 10_000
_STATUSES: dict[str, LoadStatus] = {
    status.lower(): status for status in get_args(LoadStatus)
}


def load_records(
    warehouse: Warehouse,
    database: str,
    dataset: str,
    since: datetime,
    *,
    limit: int = 1000,
) -> list[LoadRecord]:
    """The loads of a table since a time, the newest first, `limit` at most.

    Snowflake answers 10,000 at a time: the older ones are asked for by the time of the
    oldest that is known. Raises WarehouseError.
    """
    found: dict[LoadRecord, None] = {}
    until: datetime | None = None
    while True:
        page = min(PAGE, limit)
        rows = warehouse.query(
            copy_history(database, dataset, since, until=until, limit=page),
            serves=[dataset],
        )
        records = [_record(row) for row in rows]
        known = len(found)
        found.update(dict.fromkeys(records))
        until = min((one.loaded_at for one in records if one.loaded_at), default=None)
        is_stuck = len(found) == known  # a page of one moment
        if len(records) < page or len(found) >= limit or until is None or is_stuck:
            return list(found)[:limit]


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
        first_error_line=_count(value["FIRST_ERROR_LINE_NUMBER"]),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _moment(value: object) -> datetime | None:
    is_aware = isinstance(value, datetime) and value.tzinfo is not None
    return value if is_aware else None  # type: ignore[return-value]  # as said a line above
