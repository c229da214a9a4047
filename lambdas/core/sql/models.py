"""The statements that make a model: a view or a dynamic table of its SELECT."""

from __future__ import annotations

import re

from lambdas.core.dataset import SqlModel
from lambdas.core.sql import names
from lambdas.core.sql.target_lag import target_lag_text

DEFAULT_MODE = "incremental"


def select_of(model: SqlModel, database: str, ref: re.Pattern[str]) -> str:
    """Its SELECT with the whole names of what it is made from."""

    def whole(match: re.Match[str]) -> str:
        return names.analytics_view(database, match["name"])

    return ref.sub(whole, model.sql).strip().rstrip(";").rstrip()


def create_model(model: SqlModel, database: str, warehouse: str, select: str) -> str:
    """Make it, or change it in place, which keeps its grants and what is made from it.

    A view is replaced, so it must be made only when its text has changed: all dynamic
    tables on it are then computed anew (Snowflake: "Dynamic table refresh modes").
    """
    relation = names.analytics_view(database, model.name)
    if model.materialized == "view":
        return (
            f"CREATE OR REPLACE VIEW {relation} {_described(model)}COPY GRANTS "
            f"COMMENT = {names.literal(model.description)} AS {select}"
        )
    mode = model.refresh_mode or DEFAULT_MODE
    return (
        f"CREATE OR ALTER DYNAMIC TABLE {relation} "
        f"TARGET_LAG = {target_lag_text(model.target_lag or '')} "
        f"WAREHOUSE = {names.identifier(warehouse)} REFRESH_MODE = {mode.upper()} "
        f"COMMENT = {names.literal(model.description)} AS {select}"
    )


def last_refresh_error(database: str, name: str) -> str:
    """(STATE_MESSAGE) of the newest refresh of a dynamic table that failed. It needs a
    warehouse.
    """
    home = names.identifier(database)
    relation = names.analytics_view(database, name)
    plain = ".".join(names.plain(part) for part in relation.split("."))
    return (
        f"SELECT STATE_MESSAGE FROM TABLE({home}.INFORMATION_SCHEMA."
        f"DYNAMIC_TABLE_REFRESH_HISTORY(NAME => {names.literal(plain)}, "
        "ERROR_ONLY => TRUE)) ORDER BY REFRESH_START_TIME DESC LIMIT 1"
    )


def _described(model: SqlModel) -> str:
    """The columns with what they are, of a view whose columns are known."""
    if not model.columns or not model.output:
        return ""
    said = {names.identifier(name): text for name, text in model.columns.items()}
    listed = [
        f"{one} COMMENT {names.literal(said[one])}" if one in said else one
        for one in map(names.identifier, model.output)
    ]
    return f"({', '.join(listed)}) "
