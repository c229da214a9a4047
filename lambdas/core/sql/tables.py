"""The freshness of tables asked of the tables themselves.

A view fails as a whole when one of its tables is gone. Then the monitor asks table by
table, in batches that can be cut in two until the one that hurts stands alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from lambdas.core.sql import names


def tables_query(database: str, datasets: Sequence[str]) -> str:
    """One row of FRESHNESS_COLUMNS for each of `datasets`, as a freshness view has."""
    return " UNION ALL ".join(
        f"SELECT {names.literal(dataset)} AS DATASET, "
        "MAX(_EVENT_AT) AS NEWEST_EVENT_AT, MAX(_LOADED_AT) AS NEWEST_LOADED_AT, "
        "COUNT(*) AS ROW_COUNT, COUNT(_EVENT_AT) AS EVENT_ROWS "
        f"FROM {names.raw_table(database, dataset)}"
        for dataset in datasets
    )
