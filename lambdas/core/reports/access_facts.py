"""Who held what from when to when, as Snowflake's views tell it.

GRANTS_TO_ROLES names the role that granted, or the owner where MANAGE GRANTS was used;
the person stands in QUERY_HISTORY, which is read by choice only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lambdas.core.columns.declared import personal_columns
from lambdas.core.dataset import Dataset
from lambdas.core.reports.access import Access, Grantee, ObjectGrant, access_of
from lambdas.core.sql import names
from lambdas.core.sql.own_grants import OwnGrants


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedGrant:
    """A privilege on a table or relation, or a role, that somebody holds or held."""

    since: datetime
    until: datetime | None
    by: str
    to: Grantee
    privilege: str = "USAGE"
    schema: str = ""
    name: str = ""
    role: Grantee | None = None
    """What was granted, where it is a role."""

    @property
    def stands(self) -> bool:
        """Whether it was not taken back."""
        return self.until is None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidGrant:
    """A statement about grants, and the person who made it."""

    at: datetime
    by: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessFacts:
    """What the views say. None: it could not be read, as `not_seen` says."""

    database: str
    since: datetime
    now: datetime
    datasets: Mapping[str, Dataset]
    models: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What each is made from, all the way."""
    own: OwnGrants | None = None
    """What catflap's own code grants; None: nothing that is known."""
    service_roles: frozenset[str] = frozenset()
    """Those of catflap's functions."""
    grants: Sequence[DatedGrant] = ()
    roles: Sequence[DatedGrant] = ()
    dropped: Mapping[str, datetime] = field(default_factory=dict)
    said: Sequence[SaidGrant] | None = None
    roles_used: Mapping[str, datetime] | None = None
    read: Mapping[str, datetime] | None = None
    """When each object was read last."""
    not_seen: Sequence[str] = ()
    simulated: bool = False


def personal_tables(facts: AccessFacts) -> dict[str, Dataset]:
    """Those with personal columns, by their name in Snowflake."""
    return {
        named: facts.datasets[name]
        for named, name in declared(facts).items()
        if name in facts.datasets and personal_columns(facts.datasets[name])
    }


def declared(facts: AccessFacts) -> dict[str, str]:
    """Datasets and models, by their name in Snowflake."""
    return {
        names.plain(names.identifier(name)): name
        for name in (*facts.datasets, *facts.models)
    }


def standing_access(facts: AccessFacts) -> list[Access]:
    """Who can do what now, through the roles."""
    grants = [
        ObjectGrant(privilege=one.privilege, on=f"{one.schema}.{one.name}", to=one.to)
        for one in facts.grants
        if one.stands
    ]
    return access_of(grants, holders(facts, standing=True))


def holders(facts: AccessFacts, *, standing: bool) -> Mapping[Grantee, list[Grantee]]:
    """To whom each role was granted; also to whom it was, unless it has to stand."""
    found: defaultdict[Grantee, list[Grantee]] = defaultdict(list)
    for one in facts.roles:
        if one.role is not None and (one.stands or not standing):
            found[one.role].append(one.to)
    return found


def above(
    role: Grantee, holders: Mapping[Grantee, Iterable[Grantee]]
) -> Iterator[Grantee]:
    """All that inherit from a role."""
    seen, waiting = {role}, [role]
    while waiting:
        for one in holders.get(waiting.pop(), ()):
            if one not in seen:
                seen.add(one)
                waiting.append(one)
                yield one
