"""Statements about roles, users, warehouses and grants."""

from __future__ import annotations

import re
from datetime import datetime
from typing import cast

from snowflake.connector.errors import ProgrammingError

from lambdas.core.sql.privileges import MANAGE_GRANTS, OWNERSHIP, Kind, Need
from local.snowflake.access_control import (
    ACCOUNT,
    Grant,
    Session,
    Thing,
    User,
    missing,
)
from local.snowflake.account import Account, exists_already, not_understood
from local.snowflake.answers import (
    IF,
    IF_NOT,
    NAMED,
    OR_NOT,
    REST,
    Answer,
    Handler,
    done,
)
from local.snowflake.text import NAME, complete

_TO = rf"(?:TO|FROM)\s+(?P<kind>USER|ROLE|DATABASE\s+ROLE)\s+(?P<to>{NAME})"
_VERB = r"(?P<verb>GRANT|REVOKE)\s+"
_SHARED_NAMES = {"VIEW": "TABLE", "DYNAMIC TABLE": "TABLE"}
_IN_SCHEMA = frozenset({"TABLE", "STAGE", "PIPE"})
_GRANTABLE = frozenset(
    {"TABLE", "STAGE", "PIPE", "SCHEMA", "DATABASE", "WAREHOUSE", "INTEGRATION"}
)


_GRANT_COLUMNS = ("created_on", "privilege", "granted_on", "name", "granted_to",
                  "grantee_name", "grant_option", "granted_by")  # fmt: skip
"""Snowflake: SHOW GRANTS, "Output"."""


class RoleStatements:
    """They change the account's access control and nothing else."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._access = account.access
        some = r"(?P<privileges>[\w\s,]+?)"
        role = rf"(?P<holder>(?:DATABASE\s+)?ROLE\s+)?(?P<role>{NAME})"
        self.patterns: dict[str, Handler] = {
            rf"CREATE\s+{OR_NOT}ROLE\s+{IF_NOT}{NAMED}\s*{REST}": self._create_role,
            rf"CREATE\s+{OR_NOT}DATABASE\s+ROLE\s+{IF_NOT}{NAMED}": (
                self._create_database_role
            ),
            rf"CREATE\s+{OR_NOT}USER\s+{IF_NOT}{NAMED}\s*{REST}": self._create_user,
            rf"CREATE\s+{OR_NOT}WAREHOUSE\s+{IF_NOT}{NAMED}\s*{REST}": (
                self._create_warehouse
            ),
            r"SHOW\s+WAREHOUSES(?:\s+LIKE\s+'(?P<like>[^']*)')?": (
                self._show_warehouses
            ),
            rf"USE\s+ROLE\s+{NAMED}": self._use_role,
            rf"USE\s+WAREHOUSE\s+{NAMED}": self._use_warehouse,
            r"USE\s+SECONDARY\s+ROLES\s+\S+": self._nothing_to_do,
            rf"DROP\s+(?P<kind>ROLE|USER|WAREHOUSE)\s+{IF}{NAMED}": self._drop,
            rf"SHOW\s+GRANTS\s+TO\s+(?:DATABASE\s+)?ROLE\s+{NAMED}": self._show_grants,
            rf"SHOW\s+GRANTS\s+OF\s+(?P<kind>DATABASE\s+ROLE|ROLE)\s+{NAMED}": (
                self._show_holders
            ),
            rf"SHOW\s+GRANTS\s+ON\s+(?P<kind>DYNAMIC\s+TABLE|\w+)\s+{NAMED}": (
                self._show_grants_on
            ),
            rf"{_VERB}ROLE\s+(?P<role>{NAME})\s+{_TO}": self._grant_role,
            rf"{_VERB}DATABASE\s+ROLE\s+(?P<role>{NAME})\s+{_TO}": (
                self._grant_database_role
            ),
            rf"{_VERB}{some}\s+ON\s+ACCOUNT\s+(?:TO|FROM)\s+{role}": (
                self._grant_on_account
            ),
            rf"{_VERB}{some}\s+ON\s+"
            rf"(?P<kind>DYNAMIC\s+TABLE|\w+)\s+{NAMED}\s+(?:TO|FROM)\s+{role}": (
                self._grant
            ),
        }

    def _create_role(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        self._access.demand(session, "CREATE ROLE", {})
        return self._new_role(match, session, complete(match["name"], None, None))

    def _create_database_role(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        if "." not in name:
            name = f"{session.database}.{name}"
        database = name.partition(".")[0]
        self._access.demand(session, "CREATE DATABASE ROLE", {"DATABASE": database})
        return self._new_role(match, session, name)

    def _new_role(self, match: re.Match[str], session: Session, name: str) -> Answer:
        if name in self._access.parents:
            if not match["lenient"]:
                raise exists_already(name)
            return done(f"{name} already exists, statement succeeded.")
        self._access.parents[name] = set()
        kind: Kind = "DATABASE ROLE" if "." in name else "ROLE"
        self._access.owners[Thing(kind, name)] = session.role
        return done(f"Role {name} successfully created.")

    def _create_user(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        self._access.demand(session, "CREATE USER", {})
        if name in self._access.users:
            if not match["lenient"]:
                raise exists_already(name)
            return done(f"{name} already exists, statement succeeded.")
        given = match["rest"]
        arn = re.search(r"\bARN\s*=\s*'([^']*)'", given, re.IGNORECASE)
        is_service = re.search(r"\bTYPE\s*=\s*SERVICE\b", given, re.IGNORECASE)
        if is_service and re.search(r"\bPASSWORD\s*=", given, re.IGNORECASE):
            # "Types of users", user-guide/admin-user-management
            raise ProgrammingError(
                msg="A user of TYPE = SERVICE cannot have a password",
                errno=3542,
                sqlstate="22023",
            )
        self._access.users[name] = User(
            name=name, aws_role=arn[1] if arn else None, is_service=bool(is_service)
        )
        self._access.owners[Thing("USER", name)] = session.role
        return done(f"User {name} successfully created.")

    def _create_warehouse(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        self._access.demand(session, "CREATE WAREHOUSE", {})
        thing = Thing("WAREHOUSE", name)
        if thing in self._access.owners:
            if not match["lenient"]:
                raise exists_already(name)
            return done(f"{name} already exists, statement succeeded.")
        self._access.owners[thing] = session.role
        session.warehouse = name
        return done(f"Warehouse {name} successfully created.")

    def _show_warehouses(
        self, match: re.Match[str], session: Session, now: datetime
    ) -> Answer:
        """Those on which the role has any privilege. It wakes none."""
        like = (match["like"] or "").upper()
        seen = [
            thing.name
            for thing in self._access.owners
            if thing.kind == "WAREHOUSE"
            and like in {"", thing.name}
            and self._access.has(session.role, Need("WAREHOUSE"), thing)
        ]
        until = self._account.suspends_at
        return Answer(
            columns=("name", "state", "type", "size"),
            rows=[
                (
                    name,
                    "STARTED" if now < until.get(name, now) else "SUSPENDED",
                    "STANDARD",
                    "X-Small",
                )
                for name in sorted(seen)
            ],
        )

    def _use_role(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        own = self._access.users[session.user].roles
        if not any(name in self._access.held_by(role) for role in own):
            raise missing("Role", name)
        session.role = name
        return done()

    def _use_warehouse(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        session.warehouse = complete(match["name"], None, None)
        self._access.demand_warehouse(session)
        return done()

    def _nothing_to_do(self, _: re.Match[str], __: Session, ___: datetime) -> Answer:
        return done()

    def _drop(self, match: re.Match[str], session: Session, _now: datetime) -> Answer:
        kind = cast("Kind", match["kind"].upper())
        thing = Thing(kind, complete(match["name"], None, None))
        if thing not in self._access.owners:
            if match["lenient"]:
                return done()
            raise missing(kind.capitalize(), thing.name)
        self._access.demand(session, f"DROP {kind}", {kind: thing.name})
        self._access.forget(thing)
        if kind == "ROLE":
            self._access.forget_role(thing.name)
        if kind == "USER":
            self._access.users.pop(thing.name, None)
        return done(f"{thing.name} successfully dropped.")

    def _grant_role(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        return self._hand_on(match, session, "ROLE")

    def _grant_database_role(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        return self._hand_on(match, session, "DATABASE ROLE")

    def _hand_on(self, match: re.Match[str], session: Session, kind: Kind) -> Answer:
        role, to = (complete(match[part], None, None) for part in ("role", "to"))
        self._known_role(role)
        statement = f"GRANT {kind}"
        self._access.demand(session, statement, {kind: role})
        if match["kind"].upper() == "USER":
            if kind != "ROLE":
                raise not_understood(match[0])  # a database role goes to roles only
            if to not in self._access.users:
                raise missing("User", to)
            held = self._access.users[to].roles
            (held.add if _gives(match) else held.discard)(role)
            return done()
        self._known_role(to)
        parents = self._access.parents[role]
        (parents.add if _gives(match) else parents.discard)(to)
        return done()

    def _grant_on_account(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        self._access.demand(session, "GRANT ON ACCOUNT", {})
        return self._change(match, ACCOUNT)

    def _grant(self, match: re.Match[str], session: Session, _now: datetime) -> Answer:
        written = " ".join(match["kind"].upper().split())
        kind = _SHARED_NAMES.get(written, written)
        if kind not in _GRANTABLE:
            raise not_understood(match[0])
        in_schema = kind in _IN_SCHEMA
        name = (
            complete(match["name"], session.database, session.schema)
            if in_schema
            else complete(match["name"], None, None)
        )
        thing = Thing(cast("Kind", kind), name)
        if thing not in self._access.owners or (
            written != "TABLE"
            and kind == "TABLE"
            and (written == "DYNAMIC TABLE") != (name in self._account.dynamic_tables)
        ):
            raise missing(written.capitalize(), name)
        self._demand_grant(session, thing)
        return self._change(match, thing)

    def _demand_grant(self, session: Session, thing: Thing) -> None:
        schema = thing.name.rpartition(".")[0]
        if thing.kind in _IN_SCHEMA and schema in self._account.managed_schemas:
            self._access.demand(session, "GRANT IN SCHEMA", {"SCHEMA": schema})
        else:
            need = Need(thing.kind, (OWNERSHIP, MANAGE_GRANTS))
            self._access.demand_privilege(session.role, need, thing)

    def _change(self, match: re.Match[str], thing: Thing) -> Answer:
        role = complete(match["role"], None, None)
        self._known_role(role)
        for privilege in match["privileges"].upper().split(","):
            grant = Grant(" ".join(privilege.split()), thing, role)
            if _gives(match):
                self._access.grants.add(grant)
            else:
                self._access.grants.discard(grant)
        return done()

    def _show_grants(
        self, match: re.Match[str], _session: Session, _now: datetime
    ) -> Answer:
        role = complete(match["name"], None, None)
        self._known_role(role)
        granted = [
            (one.privilege, self._written_kind(one.on), one.on.name)
            for one in self._access.grants
            if one.role == role
        ] + [
            ("USAGE", "DATABASE_ROLE" if "." in one else "ROLE", one)
            for one, parents in self._access.parents.items()
            if role in parents
        ]
        return Answer(
            columns=_GRANT_COLUMNS,
            rows=[(None, *one, "ROLE", role, "false", "") for one in sorted(granted)],
        )

    def _show_grants_on(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        """Grants on one object, its owner's among them."""
        written = " ".join(match["kind"].upper().split())
        kind = _SHARED_NAMES.get(written, written)
        name = complete(match["name"], session.database, session.schema)
        thing = Thing(cast("Kind", kind), name)
        owner = self._access.owners.get(thing)
        if owner is None:
            raise missing(written.capitalize(), name)
        held = {
            (one.privilege, one.role) for one in self._access.grants if one.on == thing
        }
        return Answer(
            columns=_GRANT_COLUMNS,
            rows=[
                (None, privilege, self._written_kind(thing), name, *_grantee(role),
                 "false", owner)
                for privilege, role in sorted({*held, (OWNERSHIP, owner)})
            ],
        )  # fmt: skip

    def _show_holders(
        self, match: re.Match[str], _session: Session, _now: datetime
    ) -> Answer:
        """To whom a role was granted."""
        role = complete(match["name"], None, None)
        self._known_role(role)
        holders = [_grantee(one) for one in sorted(self._access.parents[role])] + [
            ("USER", user.name)
            for user in self._access.users.values()
            if role in user.roles
        ]
        return Answer(
            columns=("created_on", "role", "granted_to", "grantee_name", "granted_by"),
            rows=[(None, role, *one, "") for one in holders],
        )

    def _written_kind(self, thing: Thing) -> str:
        if thing.name in self._account.dynamic_tables:
            return "DYNAMIC_TABLE"
        return "VIEW" if thing.name in self._account.views else thing.kind

    def _known_role(self, role: str) -> None:
        if role not in self._access.parents:
            raise missing("Role", role)


def _gives(match: re.Match[str]) -> bool:
    return match["verb"].upper() == "GRANT"


def _grantee(role: str) -> tuple[str, str]:
    """Kind and name: a role of a database is written with it."""
    return ("DATABASE_ROLE" if "." in role else "ROLE"), role
