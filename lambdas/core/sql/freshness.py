"""What the monitor asks: freshness of many tables at once, pipes, load history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from lambdas.core.sql import names

BRANCHES_PER_VIEW = 500
"""Branches of one freshness view: each is answered from metadata, and a text of this
size compiles well below Snowflake's limits."""

FRESHNESS_COLUMNS = (
    "DATASET", "NEWEST_EVENT_AT", "NEWEST_LOADED_AT", "ROW_COUNT", "EVENT_ROWS",
)  # fmt: skip
"""What a row of a freshness view holds, in this order."""

HISTORY_COLUMNS = (
    "FILE_NAME", "STATUS", "ROW_COUNT", "ROW_PARSED", "FIRST_ERROR_MESSAGE",
    "FIRST_ERROR_LINE_NUMBER", "LAST_LOAD_TIME", "PIPE_RECEIVED_TIME", "PIPE_NAME",
)  # fmt: skip
"""What a row of `copy_history` holds, in this order. FILE_NAME is a path below the
stage, which is the bucket: compare by the end of the key."""


def freshness_views(
    database: str, datasets: Iterable[str]
) -> Mapping[str, tuple[str, ...]]:
    """Which view answers for which datasets: `DB.CATFLAP.FRESHNESS_<n>` to names."""
    ordered = sorted(datasets)
    schema = f"{names.identifier(database)}.{names.CATFLAP_SCHEMA}"
    return {
        f"{schema}.FRESHNESS_{number}": tuple(
            ordered[start : start + BRANCHES_PER_VIEW]
        )
        for number, start in enumerate(range(0, len(ordered), BRANCHES_PER_VIEW))
    }


def create_freshness_view(database: str, view: str, datasets: Sequence[str]) -> str:
    """One view of ≤ 500 unfiltered MAX branches, so that none needs a table scan."""
    return f"CREATE OR REPLACE VIEW {view} COPY GRANTS AS " + " UNION ALL ".join(
        f"SELECT {names.literal(dataset)} AS DATASET, "
        "MAX(_EVENT_AT) AS NEWEST_EVENT_AT, MAX(_LOADED_AT) AS NEWEST_LOADED_AT, "
        "COUNT(*) AS ROW_COUNT, COUNT(_EVENT_AT) AS EVENT_ROWS "
        f"FROM {names.raw_table(database, dataset)}"
        for dataset in datasets
    )


def freshness_query(view: str, datasets: Sequence[str]) -> str:
    """One row of FRESHNESS_COLUMNS for each of `datasets` in `view`.

    Newest times and rows of which the event time is NULL: ROW_COUNT - EVENT_ROWS.
    """
    wanted = ", ".join(names.literal(dataset) for dataset in datasets)
    return (
        f"SELECT {', '.join(FRESHNESS_COLUMNS)} FROM {view} WHERE DATASET IN ({wanted})"
    )


def future_rows_query(database: str, datasets: Sequence[str], after: datetime) -> str:
    """For each dataset: (DATASET, FUTURE_ROWS, NEWEST_EVENT_AT without those rows).

    Rows whose event time lies past `after`, aware: now and the skew. It reads tables,
    so it is asked only of those whose newest event lies there.
    """
    limit = f"{names.literal(after.astimezone(UTC).isoformat())}::TIMESTAMP_TZ"
    return " UNION ALL ".join(
        f"SELECT {names.literal(dataset)} AS DATASET, FUTURE_ROWS, NEWEST_EVENT_AT "
        f"FROM (SELECT COUNT(*) AS FUTURE_ROWS FROM {table} "
        f"WHERE _EVENT_AT > {limit}) "
        f"CROSS JOIN (SELECT MAX(_EVENT_AT) AS NEWEST_EVENT_AT FROM {table} "
        f"WHERE _EVENT_AT <= {limit})"
        for dataset in datasets
        for table in (names.raw_table(database, dataset),)
    )


def pipe_status(pipe: str) -> str:
    """One JSON text: executionState, pendingFileCount, … Needs MONITOR only."""
    return f"SELECT SYSTEM$PIPE_STATUS({names.literal(pipe)})"


def change_marks(tables: Sequence[str]) -> str:
    """One row with a number for each of `tables`, named whole, in their order: it rises
    with each change of the table's rows, and is no time
    (https://docs.snowflake.com/en/sql-reference/functions/system_last_change_commit_time).
    """
    return "SELECT " + ", ".join(
        f"SYSTEM$LAST_CHANGE_COMMIT_TIME({names.literal(table)})" for table in tables
    )


PIPE_DEFINITION = 4
"""Where the COPY stands in a row of `describe_pipe`; its creation stands first."""


def describe_pipe(pipe: str) -> str:
    """One row on the pipe, its COPY included. Needs MONITOR and no warehouse
    (https://docs.snowflake.com/en/sql-reference/sql/desc-pipe).
    """
    return f"DESC PIPE {pipe}"


def copy_history(
    database: str,
    dataset: str,
    since: datetime,
    *,
    until: datetime | None = None,
    limit: int = 1000,
) -> str:
    """Loads of one table since a time (aware, ≤ 14 days back) and up to another one,
    the newest first. Snowflake answers 10,000 at most
    (https://docs.snowflake.com/en/sql-reference/functions/copy_history).
    """
    end = ""
    if until is not None:
        end = f", END_TIME => {_timestamp(until)}"
    return (
        f"SELECT {', '.join(HISTORY_COLUMNS)} "
        f"FROM TABLE({names.identifier(database)}.INFORMATION_SCHEMA.COPY_HISTORY("
        f"TABLE_NAME => {names.literal(names.raw_table(database, dataset))}, "
        f"START_TIME => {_timestamp(since)}{end})) "
        f"ORDER BY LAST_LOAD_TIME DESC LIMIT {limit}"
    )


def _timestamp(at: datetime) -> str:
    return f"{names.literal(at.astimezone(UTC).isoformat())}::TIMESTAMP_LTZ"
