"""What catflap's own code grants below a database, told from the statements that do.

What stands in the account beside it was granted by others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from lambdas.core.dataset import Catalogue
from lambdas.core.sql import access, bootstrap, loading, names
from lambdas.core.sql.privileges import OWNERSHIP

_ON_OBJECT = re.compile(
    r"GRANT (?P<privileges>[A-Z, ]+) ON [A-Z ]+ (?P<on>\S+) "
    r"TO (?P<kind>ROLE|DATABASE ROLE) (?P<to>\S+)"
)
_OF_ROLE = re.compile(
    r"GRANT (?P<kind>ROLE|DATABASE ROLE) (?P<role>\S+) TO (?P<to_kind>ROLE|USER) "
    r"(?P<to>\S+)"
)


class OwnGrant(NamedTuple):
    """A privilege on an object of a schema, and the kind and name of who holds it."""

    privilege: str
    schema: str
    name: str
    kind: str
    to: str


class OwnRoleGrant(NamedTuple):
    """A role, and who holds it, each by kind and name."""

    kind: str
    role: str
    to_kind: str
    to: str


Logins: TypeAlias = Mapping[str, tuple[str, str]]
"""The user and the role of `admin`, `reader`, `repairer` and `reporter`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGrants:
    """All of them; what the admin makes it owns."""

    admin: str
    on_objects: frozenset[OwnGrant]
    of_roles: frozenset[OwnRoleGrant]

    def has(self, one: OwnGrant | OwnRoleGrant) -> bool:
        """Whether the code grants it."""
        if isinstance(one, OwnRoleGrant):
            return one in self.of_roles
        is_maker = one.privilege == OWNERSHIP and (one.kind, one.to) == (
            "ROLE",
            self.admin,
        )
        return is_maker or one in self.on_objects


def own_grants(database: str, catalogue: Catalogue, logins: Logins) -> OwnGrants:
    """What bootstrap and deploys grant for these datasets and models."""
    statements = list(_statements(database, catalogue, logins))
    return OwnGrants(
        admin=names.plain(names.identifier(logins["admin"][1])),
        on_objects=frozenset(one for text in statements for one in _on_objects(text)),
        of_roles=frozenset(one for text in statements for one in _of_roles(text)),
    )


def _statements(database: str, catalogue: Catalogue, logins: Logins) -> Iterator[str]:
    reader, repairer = logins["reader"][1], logins["repairer"][1]
    yield bootstrap.admin_to_sysadmin(logins["admin"][1])
    for user, role in logins.values():
        yield bootstrap.role_to_user(role, user)
    yield from access.shared_grants(database, reader=reader, repairer=repairer)
    yield access.runs_table_grant(database, repairer=repairer)
    yield access.checks_table_grants(database, reader=reader)
    yield from access.released_table_grants(database, reader=reader, repairer=repairer)
    yield access.runs_pipe_grant(database, repairer=repairer)
    for name, dataset in catalogue.datasets.items():
        yield from access.raw_table_grants(
            names.raw_table(database, name),
            reader=reader,
            repairer=repairer,
            removes_old_runs=dataset.write_disposition == "replace",
        )
        pipe = names.pipe(database, name, loading.generation(dataset))
        yield from access.pipe_grants(pipe, reader=reader, repairer=repairer)
    for name in (*catalogue.datasets, *catalogue.models):
        relation = names.analytics_view(database, name)
        yield access.relation_grant("VIEW", relation, database)


def _on_objects(statement: str) -> Iterator[OwnGrant]:
    found = _ON_OBJECT.fullmatch(statement)
    if found is None or found["on"].count(".") < 2:  # noqa: PLR2004 - DB.SCHEMA.NAME
        return
    place, _, name = found["on"].rpartition(".")
    for privilege in found["privileges"].split(", "):
        yield OwnGrant(
            privilege=privilege,
            schema=place.rpartition(".")[2],
            name=names.plain(name),
            kind=found["kind"].replace(" ", "_"),
            to=_role(found["to"]),
        )


def _of_roles(statement: str) -> Iterator[OwnRoleGrant]:
    found = _OF_ROLE.fullmatch(statement)
    if found is not None:
        yield OwnRoleGrant(
            kind=found["kind"].replace(" ", "_"),
            role=_role(found["role"]),
            to_kind=found["to_kind"],
            to=_role(found["to"]),
        )


def _role(identifier: str) -> str:
    """As the views have it: a database role with its database."""
    database, dot, name = identifier.rpartition(".")
    return f"{names.plain(database)}{dot}{names.plain(name)}"
