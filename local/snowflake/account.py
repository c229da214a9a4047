"""What fakesnow does not keep of a Snowflake account: integrations, stages, pipes, and
who may do what with them. Names are upper-case and complete (`DB.SCHEMA.NAME`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from snowflake.connector.errors import ProgrammingError

from local.snowflake.access_control import AccessControl, Session, Thing, missing


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageIntegration:
    """How Snowflake comes to S3: by assuming a role, with an external id."""

    name: str
    role_arn: str
    external_id: str
    iam_user_arn: str
    allowed_locations: tuple[str, ...]
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A bucket and a prefix, read through an integration."""

    name: str
    bucket: str
    prefix: str
    integration: str


@dataclass(slots=True, kw_only=True)
class Pipe:
    """A COPY that runs by itself, and what it remembers.

    `seen` maps a key to when this pipe took it; `pending` holds keys with the time of
    their notification.
    """

    name: str
    copy_text: str
    table: str
    stage: str
    path: str
    topic_arn: str | None
    owner: str
    created_at: datetime
    comment: str = ""
    state: str = "RUNNING"
    paused_at: datetime | None = None
    seen: dict[str, datetime] = field(default_factory=dict)
    pending: deque[tuple[str, datetime]] = field(default_factory=deque)
    last_forwarded_at: datetime | None = None
    last_ingested_at: datetime | None = None
    last_ingested_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """What the history says of one: `state` is SUCCEEDED, FAILED or UPSTREAM_FAILED,
    `action` NO_DATA, INCREMENTAL, FULL or REINITIALIZE, and `reinit` why that.
    """

    state: str
    at: datetime
    trigger: str
    action: str | None = None
    reinit: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicTable:
    """What SHOW says of one, and what it has lived through. `query` is its SELECT in
    DuckDB's words; `failures` those in a row of scheduled refreshes, the next of which
    counts from `due_since`.
    """

    name: str
    target_lag: str
    warehouse: str
    comment: str
    text: str
    owner: str
    created_at: datetime
    due_since: datetime
    refresh_mode: str = "INCREMENTAL"
    query: str = ""
    refreshes: tuple[Refresh, ...] = ()
    failures: int = 0
    data_at: datetime | None = None
    reinit: str | None = None
    suspended_at: datetime | None = None
    suspended_by: str | None = None
    is_failing: bool = False


@dataclass(slots=True)
class Account:
    """All of it. Not thread-safe: its user holds a lock."""

    access: AccessControl = field(default_factory=AccessControl)
    integrations: dict[str, StorageIntegration] = field(default_factory=dict)
    notification_integrations: dict[str, Mapping[str, str]] = field(
        default_factory=dict
    )
    stages: dict[str, Stage] = field(default_factory=dict)
    pipes: dict[str, Pipe] = field(default_factory=dict)
    dynamic_tables: dict[str, DynamicTable] = field(default_factory=dict)
    views: set[str] = field(default_factory=set)
    suspends_at: dict[str, datetime] = field(default_factory=dict)
    """Of warehouses that have worked: when they fall asleep."""
    change_marks: dict[str, int] = field(default_factory=dict)
    """Of tables of which rows were changed: a number that rises with each statement."""
    managed_schemas: set[str] = field(default_factory=set)
    """Those in which only the schema's owner grants."""

    def pipe(self, session: Session, statement: str, name: str) -> Pipe:
        """A pipe on which a session may run `statement`."""
        pipe = self.pipes.get(name)
        if pipe is None:
            raise missing("Pipe", name)
        self.access.demand(
            session,
            statement,
            {"PIPE": name, "STAGE": pipe.stage, "TABLE": pipe.table},
        )
        return pipe

    def change(self, table: str, now: datetime) -> None:
        """Rows of a table change: nanoseconds since 1970, about."""
        known = self.change_marks.get(table, 0)
        about = int(now.timestamp()) * 1_000_000_000
        self.change_marks[table] = max(known + 1, about)

    def change_mark(self, session: Session, table: str) -> int:
        """What SYSTEM$LAST_CHANGE_COMMIT_TIME answers of a table."""
        if Thing("TABLE", table) not in self.access.owners:
            raise missing("Table", table)
        if table in self.views or table in self.dynamic_tables:
            raise not_understood(f"SYSTEM$LAST_CHANGE_COMMIT_TIME of a view, {table}")
        self.access.demand(session, "SYSTEM$LAST_CHANGE_COMMIT_TIME", {"TABLE": table})
        return self.change_marks.get(table, 0)

    def drop_below(self, name: str) -> None:
        """What is in a database or schema goes with it."""
        below = f"{name}."
        for held in (self.stages, self.pipes, self.dynamic_tables):
            for one in [one for one in held if one.startswith(below)]:
                del held[one]
        for group in (self.views, self.managed_schemas):
            group.difference_update({one for one in group if one.startswith(below)})
        for thing in [
            thing
            for thing in self.access.owners
            if thing.name == name or thing.name.startswith(below)
        ]:
            self.access.forget(thing)
        for role in [one for one in self.access.parents if one.startswith(below)]:
            self.access.forget_role(role)


def exists_already(name: str) -> ProgrammingError:
    """What Snowflake says of a CREATE that finds its name taken."""
    return ProgrammingError(
        msg=f"SQL compilation error:\nObject '{name}' already exists.",
        errno=2002,
        sqlstate="42710",
    )


def not_understood(statement: str) -> ProgrammingError:
    """A statement the embedded Snowflake does not know: loud, never ignored."""
    return ProgrammingError(
        msg=f"the embedded Snowflake does not know this statement: {statement[:200]}",
        errno=1003,
        sqlstate="42000",
    )
