"""Grants and their use, as the account's own views have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse
from lambdas.core.dataset import Catalogue
from lambdas.core.errors import WarehouseError, WarehouseUnreachable
from lambdas.core.models.graph import all_inputs_of
from lambdas.core.reports.access import Grantee
from lambdas.core.reports.access_facts import AccessFacts, DatedGrant, SaidGrant
from lambdas.core.reports.access_week import UNUSED
from lambdas.core.sql import account_usage, names
from lambdas.core.sql.own_grants import Logins, own_grants

Row = tuple[object, ...]


@dataclass(kw_only=True)
class AccessHistory:
    """Reads SNOWFLAKE.ACCOUNT_USAGE; `unseen` says what could not be read."""

    source: SnowflakeWarehouse
    database: str
    unseen: list[str] = field(default_factory=list)

    def facts(
        self,
        catalogue: Catalogue,
        *,
        since: datetime,
        now: datetime,
        logins: Logins,
        simulated: bool,
    ) -> AccessFacts:
        """Of the days since. Raises WarehouseUnreachable."""
        self.unseen = []
        long_ago = now - UNUSED
        grants = self._asked("grants", account_usage.grants_below(self.database, since))
        held = self._asked("roles of roles", account_usage.roles_held(since))
        users = self._asked("roles of users", account_usage.members(since))
        dropped = self._asked("removed roles", account_usage.roles_dropped(since))
        said = self._asked("who granted", account_usage.grants_said(since))
        used = self._asked("which roles are used", account_usage.roles_used(long_ago))
        read = self._asked(
            "which relations are read",
            account_usage.objects_read(self.database, long_ago),
        )
        return AccessFacts(
            database=self.database,
            since=since,
            now=now,
            datasets=catalogue.datasets,
            models={name: all_inputs_of(catalogue, name) for name in catalogue.models},
            own=own_grants(self.database, catalogue, logins),
            service_roles=frozenset(role for _, role in logins.values()),
            grants=[self._grant(row) for row in grants or ()],
            roles=[
                *(self._role(row) for row in held or ()),
                *(_member(row) for row in users or ()),
            ],
            dropped={str(name): _time(at) for at, name, _ in dropped or ()},
            said=None
            if said is None
            else [SaidGrant(at=_time(a), by=str(b), text=str(c)) for a, b, c in said],
            roles_used=None
            if used is None
            else {str(role): _time(at) for role, at in used},
            read=None if read is None else {str(x): _time(at) for x, at, _ in read},
            not_seen=tuple(self.unseen),
            simulated=simulated,
        )

    def _grant(self, row: Row) -> DatedGrant:
        since, until, privilege, schema, name, kind, to, by = row
        return DatedGrant(
            since=_time(since),
            until=None if until is None else _time(until),
            privilege=str(privilege),
            schema=str(schema),
            name=str(name),
            to=self._grantee(str(kind), str(to)),
            by=str(by or ""),
        )

    def _role(self, row: Row) -> DatedGrant:
        since, until, on, catalog, name, kind, to, by = row
        whole = f"{catalog}.{name}" if on == "DATABASE_ROLE" and catalog else str(name)
        return DatedGrant(
            since=_time(since),
            until=None if until is None else _time(until),
            role=Grantee(kind=str(on), name=whole),
            to=self._grantee(str(kind), str(to)),
            by=str(by or ""),
        )

    def _grantee(self, kind: str, name: str) -> Grantee:
        """`ACCOUNT ROLE` is a role; a database role is written with its database."""
        plain = kind.upper().replace(" ", "_").removeprefix("ACCOUNT_")
        if plain == "DATABASE_ROLE" and "." not in name:
            name = f"{names.plain(names.identifier(self.database))}.{name}"
        return Grantee(kind=plain, name=name)

    def _asked(self, what: str, statement: str) -> Sequence[Row] | None:
        try:
            return self.source.query(statement)
        except WarehouseUnreachable:
            raise
        except WarehouseError as error:
            self.unseen.append(f"{what}: {_why(statement) or error}")
            return None


def _why(statement: str) -> str | None:
    """Why a view is not there for us, where that is by somebody's choice."""
    named = (
        one
        for one in account_usage.VIEWS
        if f"{account_usage.SCHEMA}.{one}" in statement
    )
    view = next(named)
    known = account_usage.VIEWS[view]
    if known.roles != (account_usage.ViewerRole.GOVERNANCE,):
        return None
    edition = " and Snowflake's Enterprise Edition" if known.enterprise else ""
    return f"needs snowflake.reads_queries in environments/{edition}"


def _member(row: Row) -> DatedGrant:
    since, until, role, user, by = row
    return DatedGrant(
        since=_time(since),
        until=None if until is None else _time(until),
        role=Grantee(kind="ROLE", name=str(role)),
        to=Grantee(kind="USER", name=str(user)),
        by=str(by or ""),
    )


def _time(value: object) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise WarehouseError(f"a time that says its offset was expected, not {value!r}")
    return value
