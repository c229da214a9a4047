"""Snowflake's views of its own usage, SNOWFLAKE.ACCOUNT_USAGE, and what we ask of them.

Names, columns and types are those of the page of each view, below
https://docs.snowflake.com/en/sql-reference/account-usage/; which role reads which view,
those of https://docs.snowflake.com/en/sql-reference/snowflake-db-roles. The embedded
Snowflake makes its views from this table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from lambdas.core.sql import names

SCHEMA = "SNOWFLAKE.ACCOUNT_USAGE"
APP = "catflap"
LOOK = "look"
"""What a session without a warehouse is for."""
LONGEST_TAG = 2000
"""Characters of a QUERY_TAG (Snowflake: "Parameters")."""
MOST_ROWS = 100_000
"""Of one answer; more is said to be cut."""


class ViewerRole(StrEnum):
    """Database roles of SNOWFLAKE. GOVERNANCE_VIEWER shows the text of every query of
    the account.
    """

    USAGE = "USAGE_VIEWER"
    SECURITY = "SECURITY_VIEWER"
    GOVERNANCE = "GOVERNANCE_VIEWER"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """A view; `latency` is the longest that a row may take to show."""

    roles: tuple[ViewerRole, ...]
    latency: timedelta
    columns: Mapping[str, str]
    enterprise: bool = False


_TIME, _TEXT, _NUMBER = "TIMESTAMP_LTZ", "VARCHAR", "NUMBER"

VIEWS: Mapping[str, AccountView] = {
    "WAREHOUSE_EVENTS_HISTORY": AccountView(
        roles=(ViewerRole.USAGE,),
        latency=timedelta(hours=3),
        columns={
            "TIMESTAMP": _TIME, "WAREHOUSE_ID": _NUMBER, "WAREHOUSE_NAME": _TEXT,
            "CLUSTER_NUMBER": _NUMBER, "EVENT_NAME": _TEXT, "EVENT_REASON": _TEXT,
            "EVENT_STATE": _TEXT, "USER_NAME": _TEXT, "ROLE_NAME": _TEXT,
            "QUERY_ID": _TEXT, "SIZE": _TEXT, "CLUSTER_COUNT": _NUMBER,
            "WAREHOUSE_TYPE": _TEXT, "RESOURCE_CONSTRAINT": _TEXT,
        },
    ),
    "WAREHOUSE_METERING_HISTORY": AccountView(
        roles=(ViewerRole.USAGE,),
        latency=timedelta(hours=3),
        columns={
            "START_TIME": _TIME, "END_TIME": _TIME, "WAREHOUSE_ID": _NUMBER,
            "WAREHOUSE_NAME": _TEXT, "CREDITS_USED": "NUMBER(38,9)",
            "CREDITS_USED_COMPUTE": "NUMBER(38,9)",
            "CREDITS_USED_CLOUD_SERVICES": "NUMBER(38,9)",
            "CREDITS_ATTRIBUTED_COMPUTE_QUERIES": "NUMBER(38,9)",
        },
    ),
    "QUERY_ATTRIBUTION_HISTORY": AccountView(
        roles=(ViewerRole.USAGE, ViewerRole.GOVERNANCE),
        latency=timedelta(hours=8),
        columns={
            "QUERY_ID": _TEXT, "PARENT_QUERY_ID": _TEXT, "ROOT_QUERY_ID": _TEXT,
            "WAREHOUSE_ID": _NUMBER, "WAREHOUSE_NAME": _TEXT, "QUERY_HASH": _TEXT,
            "QUERY_PARAMETERIZED_HASH": _TEXT, "QUERY_TAG": _TEXT, "USER_NAME": _TEXT,
            "START_TIME": _TIME, "END_TIME": _TIME,
            "CREDITS_ATTRIBUTED_COMPUTE": "FLOAT",
            "CREDITS_USED_QUERY_ACCELERATION": "FLOAT",
        },
    ),
    "PIPE_USAGE_HISTORY": AccountView(
        roles=(ViewerRole.USAGE,),
        latency=timedelta(hours=3),
        columns={
            "PIPE_ID": _NUMBER, "PIPE_NAME": _TEXT, "START_TIME": _TIME,
            "END_TIME": _TIME, "CREDITS_USED": "NUMBER(38,9)",
            "BYTES_INSERTED": "FLOAT", "FILES_INSERTED": "VARIANT",
            "BYTES_BILLED": _NUMBER,
        },
    ),
    "DYNAMIC_TABLE_REFRESH_HISTORY": AccountView(
        roles=(ViewerRole.USAGE,),
        latency=timedelta(hours=3),
        columns={
            "NAME": _TEXT, "SCHEMA_NAME": _TEXT, "DATABASE_NAME": _TEXT, "ID": _NUMBER,
            "SCHEMA_ID": _NUMBER, "DATABASE_ID": _NUMBER, "STATE": _TEXT,
            "STATE_CODE": _TEXT, "STATE_MESSAGE": _TEXT, "QUERY_ID": _TEXT,
            "DATA_TIMESTAMP": _TIME, "REFRESH_START_TIME": _TIME,
            "REFRESH_END_TIME": _TIME, "COMPLETION_TARGET": _TIME,
            "QUALIFIED_NAME": _TEXT, "REFRESH_ACTION": _TEXT, "REFRESH_TRIGGER": _TEXT,
            "TARGET_LAG_SEC": _NUMBER,
        },
    ),
    "GRANTS_TO_ROLES": AccountView(
        roles=(ViewerRole.SECURITY,),
        latency=timedelta(hours=2),
        columns={
            "CREATED_ON": _TIME, "MODIFIED_ON": _TIME, "PRIVILEGE": _TEXT,
            "GRANTED_ON": _TEXT, "NAME": _TEXT, "TABLE_CATALOG": _TEXT,
            "TABLE_SCHEMA": _TEXT, "GRANTED_TO": _TEXT, "GRANTEE_NAME": _TEXT,
            "GRANT_OPTION": "BOOLEAN", "GRANTED_BY": _TEXT, "DELETED_ON": _TIME,
            "GRANTED_BY_ROLE_TYPE": _TEXT, "OBJECT_INSTANCE": _TEXT,
        },
    ),
    "GRANTS_TO_USERS": AccountView(
        roles=(ViewerRole.SECURITY,),
        latency=timedelta(hours=2),
        columns={
            "CREATED_ON": _TIME, "DELETED_ON": _TIME, "ROLE": _TEXT,
            "GRANTED_TO": _TEXT, "GRANTEE_NAME": _TEXT, "GRANTED_BY": _TEXT,
        },
    ),
    "ROLES": AccountView(
        roles=(ViewerRole.SECURITY,),
        latency=timedelta(hours=2),
        columns={
            "CREATED_ON": _TIME, "DELETED_ON": _TIME, "NAME": _TEXT, "COMMENT": _TEXT,
            "OWNER": _TEXT, "ROLE_TYPE": _TEXT, "ROLE_DATABASE_NAME": _TEXT,
        },
    ),
    "QUERY_HISTORY": AccountView(
        roles=(ViewerRole.GOVERNANCE,),
        latency=timedelta(minutes=45),
        columns={
            "QUERY_ID": _TEXT, "QUERY_TEXT": _TEXT, "DATABASE_NAME": _TEXT,
            "SCHEMA_NAME": _TEXT, "QUERY_TYPE": _TEXT, "USER_NAME": _TEXT,
            "ROLE_NAME": _TEXT, "WAREHOUSE_NAME": _TEXT, "QUERY_TAG": _TEXT,
            "EXECUTION_STATUS": _TEXT, "ERROR_CODE": _TEXT, "ERROR_MESSAGE": _TEXT,
            "START_TIME": _TIME, "END_TIME": _TIME,
        },
    ),
    "ACCESS_HISTORY": AccountView(
        roles=(ViewerRole.GOVERNANCE,),
        latency=timedelta(hours=3),
        enterprise=True,
        columns={
            "QUERY_ID": _TEXT, "QUERY_START_TIME": _TIME, "USER_NAME": _TEXT,
            "DIRECT_OBJECTS_ACCESSED": "ARRAY", "BASE_OBJECTS_ACCESSED": "ARRAY",
            "OBJECTS_MODIFIED": "ARRAY",
        },
    ),
}  # fmt: skip


def query_tag(purpose: str, datasets: Sequence[str] = ()) -> str:
    """What a statement of ours says of itself: what it is for, and whom it serves; how
    many they are, where their names do not fit.
    """
    said: dict[str, object] = {"app": APP, "for": purpose}
    if datasets:
        said["datasets"] = list(datasets)
    text = json.dumps(said, separators=(",", ":"))
    if len(text) > LONGEST_TAG:
        text = json.dumps({**said, "datasets": len(datasets)}, separators=(",", ":"))
    return text


def served_by(tag: str | None) -> tuple[str, ...] | int | None:
    """The datasets of a tag, or their number where it names none; None: not ours."""
    said = _said(tag)
    if said is None:
        return None
    named = said.get("datasets", 0)
    return tuple(map(str, named)) if isinstance(named, list) else int(named)


def purpose_of(tag: str | None) -> str | None:
    """What a statement of ours was for; None: it is not ours."""
    said = _said(tag)
    return None if said is None else str(said.get("for"))


def _said(tag: str | None) -> dict[str, Any] | None:
    try:
        said = json.loads(tag or "")
    except ValueError:
        return None
    return said if isinstance(said, dict) and said.get("app") == APP else None


def resumes(warehouse: str, since: datetime, until: datetime) -> str:
    """Each time that a warehouse woke, and by which statement. An event that takes its
    time has two rows, of which one says that it is done.
    """
    return (
        "SELECT TIMESTAMP, QUERY_ID, ROLE_NAME, USER_NAME "
        f"FROM {SCHEMA}.WAREHOUSE_EVENTS_HISTORY "
        f"WHERE WAREHOUSE_NAME = {names.literal(_plain(warehouse))} "
        "AND EVENT_NAME = 'RESUME_WAREHOUSE' AND EVENT_STATE = 'COMPLETED' "
        f"AND {_within('TIMESTAMP', since, until)} "
        f"ORDER BY TIMESTAMP LIMIT {MOST_ROWS}"
    )


def tagged(warehouse: str, since: datetime, until: datetime) -> str:
    """What ran on a warehouse, when, and what it says of itself."""
    return (
        "SELECT START_TIME, QUERY_ID, QUERY_TAG, USER_NAME "
        f"FROM {SCHEMA}.QUERY_ATTRIBUTION_HISTORY "
        f"WHERE WAREHOUSE_NAME = {names.literal(_plain(warehouse))} "
        f"AND {_within('START_TIME', since, until)} "
        f"ORDER BY START_TIME LIMIT {MOST_ROWS}"
    )


def metered(warehouse: str, since: datetime, until: datetime) -> str:
    """What a warehouse was billed, in credits, idle time included."""
    return (
        f"SELECT SUM(CREDITS_USED_COMPUTE) FROM {SCHEMA}.WAREHOUSE_METERING_HISTORY "
        f"WHERE WAREHOUSE_NAME = {names.literal(_plain(warehouse))} "
        f"AND {_within('START_TIME', since, until)}"
    )


def piped(database: str, since: datetime, until: datetime) -> str:
    """What each pipe was billed, and for how much."""
    return (
        "SELECT PIPE_NAME, SUM(CREDITS_USED), SUM(BYTES_BILLED), SUM(FILES_INSERTED) "
        f"FROM {SCHEMA}.PIPE_USAGE_HISTORY "
        f"WHERE STARTSWITH(PIPE_NAME, {names.literal(_plain(database) + '.')}) "
        f"AND {_within('START_TIME', since, until)} "
        f"GROUP BY PIPE_NAME ORDER BY PIPE_NAME LIMIT {MOST_ROWS}"
    )


def refreshed(database: str, since: datetime, until: datetime) -> str:
    """How often each dynamic table was computed anew; without news no warehouse was."""
    return (
        "SELECT SCHEMA_NAME, NAME, COUNT(*) "
        f"FROM {SCHEMA}.DYNAMIC_TABLE_REFRESH_HISTORY "
        f"WHERE DATABASE_NAME = {names.literal(_plain(database))} "
        "AND REFRESH_ACTION <> 'NO_DATA' "
        f"AND {_within('REFRESH_START_TIME', since, until)} "
        f"GROUP BY SCHEMA_NAME, NAME ORDER BY SCHEMA_NAME, NAME LIMIT {MOST_ROWS}"
    )


def _plain(identifier: str) -> str:
    """A name as views write it: without quotes."""
    return names.plain(names.identifier(identifier))


def _within(column: str, since: datetime, until: datetime) -> str:
    return f"{column} >= {_moment(since)} AND {column} < {_moment(until)}"


def _moment(at: datetime) -> str:
    return f"'{at.astimezone(UTC).isoformat()}'::TIMESTAMP_LTZ"


def grant_to(role: str, viewers: Iterable[ViewerRole]) -> list[str]:
    """Let a role read these views; ACCOUNTADMIN grants it."""
    return [
        f"GRANT DATABASE ROLE SNOWFLAKE.{one} TO ROLE {names.identifier(role)}"
        for one in viewers
    ]


def grants_below(database: str, since: datetime) -> str:
    """Grants on what holds rows, those that stand or ended after `since`."""
    schemas = (
        f"({names.literal(names.RAW_SCHEMA)}, {names.literal(names.ANALYTICS_SCHEMA)})"
    )
    return (
        "SELECT CREATED_ON, DELETED_ON, PRIVILEGE, TABLE_SCHEMA, NAME, GRANTED_TO, "
        f"GRANTEE_NAME, GRANTED_BY FROM {SCHEMA}.GRANTS_TO_ROLES "
        f"WHERE TABLE_CATALOG = {names.literal(_plain(database))} "
        f"AND TABLE_SCHEMA IN {schemas} AND {_stands_or_ended(since)} "
        f"ORDER BY CREATED_ON LIMIT {MOST_ROWS}"
    )


def roles_held(since: datetime) -> str:
    """Roles that were granted to roles, those that stand or ended after `since`."""
    return (
        "SELECT CREATED_ON, DELETED_ON, GRANTED_ON, TABLE_CATALOG, NAME, GRANTED_TO, "
        f"GRANTEE_NAME, GRANTED_BY FROM {SCHEMA}.GRANTS_TO_ROLES "
        "WHERE PRIVILEGE = 'USAGE' AND GRANTED_ON IN ('ROLE', 'DATABASE_ROLE') "
        f"AND {_stands_or_ended(since)} ORDER BY CREATED_ON LIMIT {MOST_ROWS}"
    )


def members(since: datetime) -> str:
    """Roles that were granted to users, those that stand or ended after `since`."""
    return (
        "SELECT CREATED_ON, DELETED_ON, ROLE, GRANTEE_NAME, GRANTED_BY "
        f"FROM {SCHEMA}.GRANTS_TO_USERS WHERE {_stands_or_ended(since)} "
        f"ORDER BY CREATED_ON LIMIT {MOST_ROWS}"
    )


def roles_dropped(since: datetime) -> str:
    """Roles that were removed after `since`."""
    return (
        f"SELECT DELETED_ON, NAME, ROLE_DATABASE_NAME FROM {SCHEMA}.ROLES "
        f"WHERE DELETED_ON >= {_moment(since)} ORDER BY DELETED_ON LIMIT {MOST_ROWS}"
    )


def grants_said(since: datetime) -> str:
    """Who granted and revoked: the only view that names a person."""
    return (
        "SELECT START_TIME, USER_NAME, QUERY_TEXT "
        f"FROM {SCHEMA}.QUERY_HISTORY "
        "WHERE QUERY_TYPE IN ('GRANT', 'REVOKE', 'DROP', 'DROP_ROLE') "
        f"AND EXECUTION_STATUS = 'SUCCESS' AND START_TIME >= {_moment(since)} "
        f"ORDER BY START_TIME LIMIT {MOST_ROWS}"
    )


def roles_used(since: datetime) -> str:
    """When each role asked something last."""
    return (
        f"SELECT ROLE_NAME, MAX(START_TIME) FROM {SCHEMA}.QUERY_HISTORY "
        f"WHERE START_TIME >= {_moment(since)} GROUP BY ROLE_NAME "
        f"ORDER BY ROLE_NAME LIMIT {MOST_ROWS}"
    )


def objects_read(database: str, since: datetime) -> str:
    """When each object of a database was read last, and by how many users."""
    beginning = names.literal(f"{_plain(database)}.")
    return (
        "SELECT OBJECT.VALUE:objectName::VARCHAR AS NAME, MAX(QUERY_START_TIME), "
        f"COUNT(DISTINCT USER_NAME) FROM {SCHEMA}.ACCESS_HISTORY, "
        "LATERAL FLATTEN(INPUT => DIRECT_OBJECTS_ACCESSED) AS OBJECT "
        f"WHERE QUERY_START_TIME >= {_moment(since)} "
        f"AND STARTSWITH(OBJECT.VALUE:objectName::VARCHAR, {beginning}) "
        f"GROUP BY NAME ORDER BY NAME LIMIT {MOST_ROWS}"
    )


def _stands_or_ended(since: datetime) -> str:
    return f"(DELETED_ON IS NULL OR DELETED_ON >= {_moment(since)})"
