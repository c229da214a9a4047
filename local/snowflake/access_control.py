"""Roles, owners and grants of the embedded account, and what they refuse.

A role has what it was granted and what the roles granted to it have, and nothing else:
not even ACCOUNTADMIN may touch what a role outside its hierarchy owns
(https://docs.snowflake.com/en/user-guide/security-access-control-overview). Statements
are judged by `lambdas.core.sql.privileges`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from snowflake.connector.errors import ProgrammingError

from lambdas.core.sql.privileges import MANAGE_GRANTS, OWNERSHIP, RULES, Kind, Need

ADMINISTRATOR = "ACCOUNTADMIN"
PUBLIC = "PUBLIC"
_SYSTEM_ROLES = {
    "USERADMIN": "SECURITYADMIN",
    "SECURITYADMIN": ADMINISTRATOR,
    "SYSADMIN": ADMINISTRATOR,
}
_IN_SCHEMA = frozenset({"TABLE", "STAGE", "PIPE"})
_IN_DATABASE = frozenset({"SCHEMA", "DATABASE ROLE"})


class Thing(NamedTuple):
    """An object of the account, by its whole name."""

    kind: Kind
    name: str


class Grant(NamedTuple):
    """A privilege on an object, held by a role."""

    privilege: str
    on: Thing
    role: str


ACCOUNT = Thing("ACCOUNT", "")


@dataclass(slots=True, kw_only=True)
class Session:
    """Who asks: what a login established and USE may change."""

    user: str
    role: str
    warehouse: str | None
    database: str | None
    schema: str | None
    query_tag: str = ""


@dataclass(slots=True, kw_only=True)
class Asked:
    """What a statement has asked for: the tables that it reads, and a warehouse."""

    reads: set[str] = field(default_factory=set)
    warehouse: str | None = None


@dataclass(slots=True, kw_only=True)
class User:
    """`aws_role` is the ARN that may sign in as it, if any; `is_service`: TYPE =
    SERVICE.
    """

    name: str
    aws_role: str | None
    is_service: bool
    roles: set[str] = field(default_factory=set)


def _first_grants() -> set[Grant]:
    return {
        Grant("CREATE WAREHOUSE", ACCOUNT, "SYSADMIN"),
        Grant("CREATE DATABASE", ACCOUNT, "SYSADMIN"),
        Grant("CREATE ROLE", ACCOUNT, "USERADMIN"),
        Grant("CREATE USER", ACCOUNT, "USERADMIN"),
        Grant(MANAGE_GRANTS, ACCOUNT, "SECURITYADMIN"),
        Grant("CREATE INTEGRATION", ACCOUNT, ADMINISTRATOR),
    }


@dataclass(slots=True)
class AccessControl:
    """Who may do what. `used` are the grants that statements have needed so far;
    `asked` is of the one that runs.
    """

    users: dict[str, User] = field(
        default_factory=lambda: {
            "ADMINISTRATOR": User(
                name="ADMINISTRATOR",
                aws_role=None,
                is_service=False,
                roles={ADMINISTRATOR},
            )
        }
    )
    parents: dict[str, set[str]] = field(
        default_factory=lambda: {
            ADMINISTRATOR: set(),
            PUBLIC: set(),
            **{role: {parent} for role, parent in _SYSTEM_ROLES.items()},
        }
    )
    """Each role (`DB.NAME` for one of a database), and the roles it is granted to."""
    owners: dict[Thing, str] = field(default_factory=dict)
    grants: set[Grant] = field(default_factory=_first_grants)
    used: set[Grant] = field(default_factory=set)
    asked: Asked = field(default_factory=Asked)

    def held_by(self, role: str) -> frozenset[str]:
        """The role, and all that it inherits from."""
        held = {role, PUBLIC}
        while more := {
            one for one, to in self.parents.items() if one not in held and to & held
        }:
            held |= more
        return frozenset(held)

    def owner(self, thing: Thing) -> str:
        """Who made it; what nobody made here is the administrators'."""
        return self.owners.get(thing, ADMINISTRATOR)

    def has(self, role: str, need: Need, thing: Thing) -> bool:
        """Whether a role may, as the owner or by a grant."""
        roles = self.held_by(role)
        if thing.kind != "ACCOUNT" and self.owner(thing) in roles:
            return True
        fitting = {
            grant
            for grant in self.grants
            if grant.role in roles
            and grant.on == thing
            and (not need.any_of or grant.privilege in {*need.any_of, OWNERSHIP})
        }
        if MANAGE_GRANTS in need.any_of:
            fitting |= {
                grant
                for grant in self.grants
                if grant.on == ACCOUNT
                and grant.privilege == MANAGE_GRANTS
                and grant.role in roles
            }
        self.used |= fitting
        return bool(fitting)

    def sees(self, role: str, thing: Thing) -> bool:
        """Whether a role has any privilege on what a thing is in."""
        database, _, rest = thing.name.partition(".")
        schema = rest.split(".", 1)[0]
        inside: list[Thing] = []
        if thing.kind in _IN_SCHEMA | _IN_DATABASE:
            inside.append(Thing("DATABASE", database))
        if thing.kind in _IN_SCHEMA:
            inside.append(Thing("SCHEMA", f"{database}.{schema}"))
        return all(self._enters(role, each) for each in inside)

    def _enters(self, role: str, thing: Thing) -> bool:
        # a role of a database may use that database
        of_it = thing.kind == "DATABASE" and any(
            one.startswith(f"{thing.name}.") for one in self.held_by(role)
        )
        return of_it or self.has(role, Need(thing.kind), thing)

    def demand(
        self, session: Session, statement: str, things: Mapping[Kind, str]
    ) -> None:
        """Refuse a statement as Snowflake does: what a role may not see does not exist
        (2003), what it may see and not use is refused by name (3001), and where work is
        to be done a warehouse is needed (606).
        """
        rule = RULES[statement]
        for need in rule.needs:
            if need.on == "ACCOUNT":
                self.demand_privilege(session.role, need, ACCOUNT)
            elif need.on in things:
                self.demand_privilege(
                    session.role, need, Thing(need.on, things[need.on])
                )
        if statement == "SELECT" and "TABLE" in things:
            self.asked.reads.add(things["TABLE"])
        if rule.uses_warehouse:
            self.demand_warehouse(session)

    def demand_warehouse(self, session: Session) -> None:
        """Refuse what needs a warehouse without one that the role may use."""
        thing = Thing("WAREHOUSE", session.warehouse or "")
        if thing not in self.owners or not self.has(
            session.role, Need("WAREHOUSE", ("USAGE",)), thing
        ):
            raise ProgrammingError(
                msg="No active warehouse selected in the current session.  Select an "
                "active warehouse with the 'use warehouse' command.",
                errno=606,
                sqlstate="57P03",
            )
        self.asked.warehouse = thing.name

    def demand_privilege(self, role: str, need: Need, thing: Thing) -> None:
        """Refuse a role that lacks one privilege on one object."""
        is_seen = self.sees(role, thing)
        if is_seen and self.has(role, need, thing):
            return
        knows = any(
            grant.on == thing and grant.role in self.held_by(role)
            for grant in self.grants
        )
        if thing.kind == "ACCOUNT" or (is_seen and knows):
            raise ProgrammingError(
                msg="SQL access control error:\nInsufficient privileges to operate on "
                f"{thing.kind.lower()} '{thing.name}'",
                errno=3001,
                sqlstate="42501",
            )
        raise missing(thing.kind.capitalize(), thing.name)

    def forget(self, thing: Thing) -> None:
        """An object that is gone has no owner, and nobody may do anything with it."""
        self.owners.pop(thing, None)
        self.forget_grants(thing)

    def forget_grants(self, thing: Thing) -> None:
        """Nobody but its owner may do anything with an object made anew."""
        self.grants = {grant for grant in self.grants if grant.on != thing}

    def forget_role(self, role: str) -> None:
        """Drop a role: what it owns goes to the administrators, as to whoever drops."""
        self.parents.pop(role, None)
        for parents in self.parents.values():
            parents.discard(role)
        for user in self.users.values():
            user.roles.discard(role)
        self.grants = {grant for grant in self.grants if grant.role != role}
        self.owners = {
            thing: ADMINISTRATOR if owner == role else owner
            for thing, owner in self.owners.items()
        }


def missing(kind: str, name: str) -> ProgrammingError:
    """What Snowflake says of an object that is not there or may not be seen."""
    return ProgrammingError(
        msg=f"SQL compilation error:\n{kind} '{name}' does not exist or not "
        "authorized.",
        errno=2003,
        sqlstate="42S02",
    )
