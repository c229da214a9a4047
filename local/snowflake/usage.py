"""What an account has lived through, as the views of SNOWFLAKE.ACCOUNT_USAGE show it.

Each view has the columns of its page (`lambdas.core.sql.account_usage`), and a row
shows once the latency that the page names has passed. That a statement takes as long as
`TAKES` is made up: here it takes milliseconds, and the real view leaves out what takes
less than a tenth of a second.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import duckdb

from lambdas.core.reports.prices import PRICES
from lambdas.core.sql.account_usage import SCHEMA, VIEWS
from lambdas.core.sql.privileges import Kind
from local.snowflake.access_control import (
    ADMINISTRATOR,
    AccessControl,
    Asked,
    Grant,
    Session,
    Thing,
)
from local.snowflake.account import Account

TAKES = timedelta(milliseconds=400)
SUSPENDS_AFTER = timedelta(seconds=60)
KEPT = 200_000
"""Statements that are remembered."""
HOUR = timedelta(hours=1)
_SECONDS_A_CREDIT = 3600
"""Of an XS warehouse."""
_DUCKDB = {
    "TIMESTAMP_LTZ": "TIMESTAMPTZ", "VARCHAR": "VARCHAR", "NUMBER": "BIGINT",
    "NUMBER(38,9)": "DECIMAL(38,9)", "FLOAT": "DOUBLE", "BOOLEAN": "BOOLEAN",
    "VARIANT": "JSON", "ARRAY": "JSON",
}  # fmt: skip
_NAMED = re.compile(rf"\b{re.escape(SCHEMA)}\.({'|'.join(VIEWS)})\b", re.IGNORECASE)
_CHANGES_GRANTS = re.compile(r"\s*(GRANT|REVOKE|CREATE|DROP)\b", re.IGNORECASE)

Row: TypeAlias = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class _Statement:
    query_id: str
    text: str
    session: Session
    warehouse: str | None
    reads: tuple[str, ...]
    tag: str
    at: datetime
    error: str | None


@dataclass(slots=True, kw_only=True)
class _Awake:
    """A warehouse between waking and suspending."""

    warehouse: str
    start: datetime
    last: datetime
    by: _Statement

    @property
    def end(self) -> datetime:
        return self.last + TAKES + SUSPENDS_AFTER


@dataclass(slots=True, kw_only=True)
class _Held:
    """A grant from when to when; `by` is the role that gave it."""

    since: datetime
    by: str
    until: datetime | None = None


@dataclass(slots=True)
class UsageHistory:
    """Its caller holds the account's lock."""

    account: Account
    connection: duckdb.DuckDBPyConnection
    pipes_loaded: list[tuple[str, datetime, int]] = field(default_factory=list)
    """Of each file: its pipe, when, and how many bytes it is uncompressed."""
    _statements: deque[_Statement] = field(default_factory=lambda: deque(maxlen=KEPT))
    _awake: dict[str, list[_Awake]] = field(default_factory=lambda: defaultdict(list))
    _grants: dict[Grant, list[_Held]] = field(default_factory=lambda: defaultdict(list))
    _standing: set[Grant] = field(default_factory=set)
    _of_users: dict[tuple[str, str], list[_Held]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _roles: dict[str, _Held] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def access(self) -> AccessControl:
        """Who may do what, and what the statement that runs has asked for."""
        return self.account.access

    def open(self) -> None:
        """Make the views, still empty, and the roles that may read them."""
        self.connection.execute("ATTACH ':memory:' AS SNOWFLAKE")
        self.connection.execute(f"CREATE SCHEMA {SCHEMA}")
        schema = Thing("SCHEMA", SCHEMA)
        for name, view in VIEWS.items():
            columns = ", ".join(
                f"{column} {_DUCKDB[kind]}" for column, kind in view.columns.items()
            )
            self.connection.execute(f"CREATE TABLE {SCHEMA}.{name} ({columns})")
            thing = Thing("TABLE", f"{SCHEMA}.{name}")
            self.access.owners[thing] = ADMINISTRATOR
            for one in view.roles:
                role = f"SNOWFLAKE.{one}"
                self.access.parents.setdefault(role, set())
                self.access.grants |= {
                    Grant("USAGE", schema, role),
                    Grant("SELECT", thing, role),
                }
        self._standing = self._now_granted()

    def record(
        self,
        text: str,
        session: Session,
        asked: Asked,
        now: datetime,
        *,
        error: str | None = None,
    ) -> None:
        """Remember a statement, whom it woke and what it granted."""
        said = _Statement(
            query_id=f"01e{next(self._numbers):029x}",
            text=text[:10_000],
            session=replace(session),
            warehouse=asked.warehouse,
            reads=tuple(sorted(asked.reads)),
            tag=session.query_tag,
            at=now,
            error=error,
        )
        self._statements.append(said)
        if error is None and asked.warehouse is not None:
            self._use(asked.warehouse, said, now)
        if error is None and _CHANGES_GRANTS.match(text):
            self._see_grants(session.role, now)

    def _use(self, warehouse: str, said: _Statement, now: datetime) -> None:
        spans = self._awake[warehouse]
        if spans and spans[-1].last <= now < spans[-1].end:
            spans[-1].last = now
        else:
            spans.append(_Awake(warehouse=warehouse, start=now, last=now, by=said))
        self.account.suspends_at[warehouse] = spans[-1].end

    def _now_granted(self) -> set[Grant]:
        """All that stands: privileges, ownership, and roles that roles hold."""
        return {
            *self.access.grants,
            *(Grant("OWNERSHIP", on, role) for on, role in self.access.owners.items()),
            *(
                Grant("USAGE", Thing(_kind_of(one), one), parent)
                for one, parents in self.access.parents.items()
                for parent in parents
            ),
        }

    def _see_grants(self, by: str, now: datetime) -> None:
        standing = self._now_granted()
        for one in standing - self._standing:
            self._grants[one].append(_Held(since=now, by=by))
        for one in self._standing - standing:
            is_gone = one.on not in self.access.owners and one.on.kind in _OBJECTS
            if is_gone:
                self._grants.pop(one, None)  # "no grants on dropped objects"
            elif self._grants.get(one):
                self._grants[one][-1].until = now
        self._standing = standing
        self._see_roles(by, now)

    def _see_roles(self, by: str, now: datetime) -> None:
        held = {
            (user.name, role)
            for user in self.access.users.values()
            for role in user.roles
        }
        for pair in held:
            if not self._of_users[pair] or self._of_users[pair][-1].until is not None:
                self._of_users[pair].append(_Held(since=now, by=by))
        for pair, spans in self._of_users.items():
            if pair not in held and spans and spans[-1].until is None:
                spans[-1].until = now
        for role in self.access.parents:
            self._roles.setdefault(role, _Held(since=now, by=by))
        for role, one in self._roles.items():
            if role not in self.access.parents and one.until is None:
                one.until = now

    # what the views show --------------------------------------------------------

    refreshes: Callable[[], Iterable[tuple[str, Row]]] = field(default=lambda: ())
    """Those of dynamic tables, each with its table."""

    def shown(self, text: str, now: datetime) -> None:
        """Bring the views that a statement names up to date."""
        for name in {found.upper() for found in _NAMED.findall(text)}:
            view = VIEWS[name]
            rows = list(self._makers()[name](now - view.latency))
            self.connection.execute(f"DELETE FROM {SCHEMA}.{name}")
            if rows:
                columns = list(view.columns)
                marks = ", ".join("?" * len(columns))
                self.connection.executemany(
                    f"INSERT INTO {SCHEMA}.{name} VALUES ({marks})",
                    [[row.get(column) for column in columns] for row in rows],
                )

    def _makers(self) -> Mapping[str, Callable[[datetime], Iterable[Row]]]:
        """The rows of each view that there were at a time."""
        return {
            "WAREHOUSE_EVENTS_HISTORY": self._events,
            "WAREHOUSE_METERING_HISTORY": self._metering,
            "QUERY_ATTRIBUTION_HISTORY": self._attribution,
            "PIPE_USAGE_HISTORY": self._pipe_usage,
            "DYNAMIC_TABLE_REFRESH_HISTORY": self._refreshes,
            "GRANTS_TO_ROLES": self._role_grants,
            "GRANTS_TO_USERS": self._user_grants,
            "ROLES": self._role_rows,
            "QUERY_HISTORY": self._queries,
            "ACCESS_HISTORY": self._accesses,
        }

    def _spans(self) -> Iterator[_Awake]:
        for spans in self._awake.values():
            yield from spans

    def _events(self, until: datetime) -> Iterator[Row]:
        for span in self._spans():
            common = {"WAREHOUSE_ID": 1, "WAREHOUSE_NAME": span.warehouse}
            for state in ("STARTED", "COMPLETED"):
                if span.start <= until:
                    yield common | {
                        "TIMESTAMP": span.start,
                        "EVENT_NAME": "RESUME_WAREHOUSE",
                        "EVENT_REASON": "WAREHOUSE_AUTORESUME",
                        "EVENT_STATE": state,
                        "USER_NAME": span.by.session.user,
                        "ROLE_NAME": span.by.session.role,
                        "QUERY_ID": span.by.query_id,
                    }
                if span.end <= until:
                    yield common | {
                        "TIMESTAMP": span.end,
                        "EVENT_NAME": "SUSPEND_WAREHOUSE",
                        "EVENT_REASON": "WAREHOUSE_AUTOSUSPEND",
                        "EVENT_STATE": state,
                    }

    def _metering(self, until: datetime) -> Iterator[Row]:
        seconds: defaultdict[tuple[str, datetime], float] = defaultdict(float)
        for span in self._spans():
            at = span.start
            while at < span.end:
                hour = at.replace(minute=0, second=0, microsecond=0)
                end = min(hour + HOUR, span.end)
                seconds[span.warehouse, hour] += (end - at).total_seconds()
                at = end
        for (warehouse, hour), used in sorted(seconds.items()):
            if hour + HOUR <= until:
                yield {
                    "START_TIME": hour,
                    "END_TIME": hour + HOUR,
                    "WAREHOUSE_ID": 1,
                    "WAREHOUSE_NAME": warehouse,
                    "CREDITS_USED": used / _SECONDS_A_CREDIT,
                    "CREDITS_USED_COMPUTE": used / _SECONDS_A_CREDIT,
                    "CREDITS_USED_CLOUD_SERVICES": 0,
                    "CREDITS_ATTRIBUTED_COMPUTE_QUERIES": 0,
                }

    def _attribution(self, until: datetime) -> Iterator[Row]:
        for one in self._statements:
            if one.warehouse is not None and one.error is None and one.at <= until:
                yield {
                    "QUERY_ID": one.query_id,
                    "WAREHOUSE_ID": 1,
                    "WAREHOUSE_NAME": one.warehouse,
                    "QUERY_TAG": one.tag,
                    "USER_NAME": one.session.user,
                    "START_TIME": one.at,
                    "END_TIME": one.at + TAKES,
                    "CREDITS_ATTRIBUTED_COMPUTE": TAKES.total_seconds()
                    / _SECONDS_A_CREDIT,
                }

    def _pipe_usage(self, until: datetime) -> Iterator[Row]:
        files: defaultdict[tuple[str, datetime], list[int]] = defaultdict(list)
        for pipe, at, size in self.pipes_loaded:
            files[pipe, at.replace(minute=0, second=0, microsecond=0)].append(size)
        for number, ((pipe, hour), sizes) in enumerate(sorted(files.items())):
            if hour + HOUR <= until:
                yield {
                    "PIPE_ID": number,
                    "PIPE_NAME": pipe,
                    "START_TIME": hour,
                    "END_TIME": hour + HOUR,
                    "CREDITS_USED": sum(sizes) / 1024**3 * PRICES["snowpipe_gb"].each,
                    "BYTES_INSERTED": float(sum(sizes)),
                    "FILES_INSERTED": json.dumps(len(sizes)),
                    "BYTES_BILLED": sum(sizes),
                }

    def _refreshes(self, until: datetime) -> Iterator[Row]:
        for _, row in self.refreshes():
            at = row["REFRESH_END_TIME"]
            if isinstance(at, datetime) and at <= until:
                yield row

    def _role_grants(self, until: datetime) -> Iterator[Row]:
        for grant, spans in self._grants.items():
            catalog, schema, name = _parts(grant.on)
            for held in spans:
                if held.since <= until:
                    yield {
                        "CREATED_ON": held.since,
                        "MODIFIED_ON": held.since,
                        "PRIVILEGE": grant.privilege,
                        "GRANTED_ON": grant.on.kind.replace(" ", "_"),
                        "NAME": name,
                        "TABLE_CATALOG": catalog,
                        "TABLE_SCHEMA": schema,
                        "GRANTED_TO": _kind_of(grant.role).replace(" ", "_"),
                        "GRANTEE_NAME": grant.role.rpartition(".")[2],
                        "GRANT_OPTION": False,
                        "GRANTED_BY": held.by,
                        "DELETED_ON": _seen(held.until, until),
                        "GRANTED_BY_ROLE_TYPE": "ROLE",
                    }

    def _user_grants(self, until: datetime) -> Iterator[Row]:
        for (user, role), spans in self._of_users.items():
            for held in spans:
                if held.since <= until:
                    yield {
                        "CREATED_ON": held.since,
                        "DELETED_ON": _seen(held.until, until),
                        "ROLE": role,
                        "GRANTED_TO": "USER",
                        "GRANTEE_NAME": user,
                        "GRANTED_BY": held.by,
                    }

    def _role_rows(self, until: datetime) -> Iterator[Row]:
        for role, held in self._roles.items():
            if held.since <= until:
                database, _, name = role.rpartition(".")
                yield {
                    "CREATED_ON": held.since,
                    "DELETED_ON": _seen(held.until, until),
                    "NAME": name,
                    "OWNER": held.by,
                    "ROLE_TYPE": "DATABASE_ROLE" if database else "ROLE",
                    "ROLE_DATABASE_NAME": database or None,
                }

    def _queries(self, until: datetime) -> Iterator[Row]:
        for one in self._statements:
            if one.at <= until:
                yield {
                    "QUERY_ID": one.query_id,
                    "QUERY_TEXT": one.text,
                    "DATABASE_NAME": one.session.database,
                    "SCHEMA_NAME": one.session.schema,
                    "QUERY_TYPE": (one.text.split(maxsplit=1) or [""])[0].upper(),
                    "USER_NAME": one.session.user,
                    "ROLE_NAME": one.session.role,
                    "WAREHOUSE_NAME": one.warehouse,
                    "QUERY_TAG": one.tag,
                    "EXECUTION_STATUS": "SUCCESS" if one.error is None else "FAIL",
                    "ERROR_MESSAGE": one.error,
                    "START_TIME": one.at,
                    "END_TIME": one.at + TAKES,
                }

    def _accesses(self, until: datetime) -> Iterator[Row]:
        for one in self._statements:
            if one.reads and one.error is None and one.at <= until:
                read = json.dumps(
                    [
                        {"objectDomain": "Table", "objectName": name}
                        for name in one.reads
                    ]
                )
                yield {
                    "QUERY_ID": one.query_id,
                    "QUERY_START_TIME": one.at,
                    "USER_NAME": one.session.user,
                    "DIRECT_OBJECTS_ACCESSED": read,
                    "BASE_OBJECTS_ACCESSED": read,
                    "OBJECTS_MODIFIED": "[]",
                }


_OBJECTS = frozenset({"TABLE", "STAGE", "PIPE", "SCHEMA", "DATABASE", "WAREHOUSE"})


def _seen(at: datetime | None, until: datetime) -> datetime | None:
    return at if at is not None and at <= until else None


def _kind_of(role: str) -> Kind:
    return "DATABASE ROLE" if "." in role else "ROLE"


def _parts(thing: Thing) -> Sequence[str | None]:
    """Database, schema and name, as far as it has them."""
    parts = thing.name.split(".", 2)
    if thing.kind in {"TABLE", "STAGE", "PIPE"}:
        return parts
    database = parts[0] if len(parts) > 1 else None
    return (database, None, parts[-1])
