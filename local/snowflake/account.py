"""What fakesnow does not keep of a Snowflake account: roles, grants, owners,
integrations, stages and pipes. Names are upper-case and complete (`DB.SCHEMA.NAME`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from snowflake.connector.errors import ProgrammingError

ADMINISTRATOR = "ACCOUNTADMIN"


@dataclass(slots=True, kw_only=True)
class Session:
    """Who asks: what a login established and USE ROLE may change."""

    user: str
    role: str
    database: str | None
    schema: str | None


@dataclass(slots=True, kw_only=True)
class User:
    """A service user. `aws_role` is the ARN that may sign in as it, if any."""

    name: str
    aws_role: str | None
    roles: set[str] = field(default_factory=set)


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
    state: str = "RUNNING"
    paused_at: datetime | None = None
    seen: dict[str, datetime] = field(default_factory=dict)
    pending: deque[tuple[str, datetime]] = field(default_factory=deque)
    last_forwarded_at: datetime | None = None
    last_ingested_at: datetime | None = None
    last_ingested_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicTable:
    """What SHOW says of one. Its rows are a view's here: never behind its sources, as
    a real one may be by its target lag.
    """

    name: str
    target_lag: str
    warehouse: str
    comment: str
    text: str
    owner: str
    created_at: datetime


@dataclass(slots=True)
class Account:
    """All of it. Not thread-safe: its user holds a lock."""

    users: dict[str, User] = field(default_factory=dict)
    roles: set[str] = field(default_factory=lambda: {ADMINISTRATOR, "PUBLIC"})
    owners: dict[str, str] = field(default_factory=dict)
    grants: set[tuple[str, str, str]] = field(default_factory=set)
    """(privilege, object, role)."""
    integrations: dict[str, StorageIntegration] = field(default_factory=dict)
    notification_integrations: dict[str, Mapping[str, str]] = field(
        default_factory=dict
    )
    stages: dict[str, Stage] = field(default_factory=dict)
    pipes: dict[str, Pipe] = field(default_factory=dict)
    dynamic_tables: dict[str, DynamicTable] = field(default_factory=dict)
    views: set[str] = field(default_factory=set)

    def allows(self, role: str, privilege: str, name: str) -> bool:
        """Whether a role may: as the owner, by a grant, or as the administrator."""
        if role == ADMINISTRATOR or self.owners.get(name, ADMINISTRATOR) == role:
            return True
        return any(
            held in {privilege, "ALL", "OWNERSHIP"} and on == name and to == role
            for held, on, to in self.grants
        )

    def require(self, role: str, privilege: str, name: str) -> None:
        """Refuse as Snowflake does: what a role may not see does not exist (2003);
        what it may see and not use is refused by name (3001).
        """
        schema = name.rsplit(".", 1)[0]
        visible = role == ADMINISTRATOR or all(
            self.allows(role, "USAGE", container)
            for container in (schema.split(".", 1)[0], schema)
        )
        if visible and self.allows(role, privilege, name):
            return
        knows = any(on == name and to == role for _, on, to in self.grants)
        if visible and knows:
            raise ProgrammingError(
                msg="SQL access control error:\nInsufficient privileges to operate on "
                f"'{name}'",
                errno=3001,
                sqlstate="42501",
            )
        raise missing("Object", name)

    def pipe(self, role: str, privilege: str, name: str) -> Pipe:
        """A pipe that the role may use; one it may not see is missing."""
        pipe = self.pipes.get(name)
        # who may operate a pipe may look at it, and no more
        also = {"OPERATE"} if privilege == "MONITOR" else set()
        if pipe is None or not (
            role in {ADMINISTRATOR, pipe.owner}
            or any(
                (held, name, role) in self.grants
                for held in {privilege, "OWNERSHIP", *also}
            )
        ):
            raise missing("Pipe", name)
        return pipe

    def forget_grants(self, name: str) -> None:
        """Nobody may do anything with an object that is gone."""
        self.grants = {grant for grant in self.grants if grant[1] != name}


def missing(kind: str, name: str) -> ProgrammingError:
    """What Snowflake says of an object that is not there or may not be seen."""
    return ProgrammingError(
        msg=f"SQL compilation error:\n{kind} '{name}' does not exist or not "
        "authorized.",
        errno=2003,
        sqlstate="42S02",
    )


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
