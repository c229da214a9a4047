"""SQL texts for Snowflake, as functions of values. Nothing here runs anything.

`names` and quoting, `casts` that never fail, `loading` (integration, stage, tables,
pipes), `views` for people, `watching` for the monitor, `access` for roles.
"""

from lambdas.core.sql.freshness import (
    change_marks,
    copy_history,
    freshness_query,
    freshness_views,
    future_rows_query,
    pipe_status,
)
from lambdas.core.sql.loading import generation

__all__ = [
    "change_marks",
    "copy_history",
    "freshness_query",
    "freshness_views",
    "future_rows_query",
    "generation",
    "pipe_status",
]
