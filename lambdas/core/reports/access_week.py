"""What became of access in a week, and what of it nobody uses, as views tell it.

GRANTS_TO_ROLES names the role that granted, or the owner where MANAGE GRANTS was used;
the person stands in QUERY_HISTORY, which is read by choice only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lambdas.core.dataset import Column, Dataset
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.message import Message, block
from lambdas.core.incidents.notice import Notice
from lambdas.core.reports.access import Access, Grantee, ObjectGrant, access_of
from lambdas.core.reports.notices import report_notices
from lambdas.core.sql import names
from lambdas.core.text.count import counted

UNUSED = timedelta(days=90)
WEEK = timedelta(days=7)
SAID_WITHIN = timedelta(minutes=2)
"""Between a statement and the row of what it granted."""


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


def personal_columns(dataset: Dataset) -> list[str]:
    """Its columns that say something of a person."""
    declared = dataset.columns or {}
    return sorted(
        name
        for name, column in declared.items()
        if isinstance(column, Column) and column.personal
    )


def changes(facts: AccessFacts) -> list[str]:
    """What was granted and taken away since, and by whom as far as it is known."""
    reach, personal = _reach(facts), _personal_tables(facts)
    found: list[tuple[datetime, str]] = []
    for one in (*facts.grants, *facts.roles):
        if one.role is not None and one.role not in reach:
            continue
        what, to = _what(one, personal), _named(one.to)
        if one.since >= facts.since:
            by = f" by role {one.by}" if one.by else ""
            who = _typed_by(one, one.since, facts)
            found.append((one.since, f"granted: {what} to {to}{by}{who}"))
        if one.until is not None and one.until >= facts.since:
            why = "; the role was removed" if one.to.name in facts.dropped else ""
            who = _typed_by(one, one.until, facts)
            found.append((one.until, f"removed: {what} from {to}{why}{who}"))
    return [f"{at:%Y-%m-%d %H:%M} UTC {text}" for at, text in sorted(found)]


def _reach(facts: AccessFacts) -> set[Grantee]:
    """Roles by which somebody gets, or got, at a dataset."""
    holders = _holders(facts, standing=False)
    roles = {grant.to for grant in facts.grants}
    return roles.union(*(_above(role, holders) for role in roles))


def _personal_tables(facts: AccessFacts) -> dict[str, Dataset]:
    """Those with personal columns, by their name in Snowflake."""
    return {
        names.plain(names.identifier(name)): dataset
        for name, dataset in facts.datasets.items()
        if personal_columns(dataset)
    }


def _what(one: DatedGrant, personal: Mapping[str, Dataset]) -> str:
    if one.role is not None:
        return _named(one.role)
    said = ", personal" if one.name in personal else ""
    return f"{one.privilege} on {one.schema}.{one.name}{said}"


def _named(one: Grantee) -> str:
    return f"{one.kind.lower().replace('_', ' ')} {one.name}"


def _typed_by(one: DatedGrant, at: datetime, facts: AccessFacts) -> str:
    """The person, where statements may be read and one fits."""
    named = one.to.name.rpartition(".")[2].upper()
    near = [
        said
        for said in facts.said or ()
        if abs(said.at - at) <= SAID_WITHIN and named in said.text.upper()
    ]
    if not near:
        return ""
    return f", typed by {min(near, key=lambda said: abs(said.at - at)).by}"


def unused(facts: AccessFacts) -> list[str]:
    """Roles and relations that nobody has used in 90 days, as far as that is known. A
    role is used by who holds it, and by who holds a role that inherits from it.
    """
    begin = facts.now - UNUSED
    found = []
    if facts.roles_used is not None:
        holders = _holders(facts, standing=True)
        for role in sorted({one.to for one in facts.grants if one.stands}):
            if role.name in facts.service_roles or role.kind == "USER":
                continue
            above = {role, *_above(role, holders)}
            last = max(
                (
                    facts.roles_used[one.name]
                    for one in above
                    if one.name in facts.roles_used
                ),
                default=None,
            )
            if last is None or last < begin:
                found.append(
                    f"{_named(role)} may read or change data, and asked nothing"
                )
    if facts.read is not None:
        for name in sorted(facts.datasets):
            relation = names.analytics_view(facts.database, name).replace('"', "")
            last = facts.read.get(relation)
            if last is None or last < begin:
                found.append(f"{name}: nobody has read {relation}")
    return found


def personal_readers(facts: AccessFacts) -> dict[str, list[Access]]:
    """Who can see datasets with personal columns, by dataset."""
    holders = _holders(facts, standing=True)
    found = {}
    for table, dataset in sorted(_personal_tables(facts).items()):
        grants = [
            ObjectGrant(
                privilege=one.privilege, on=f"{one.schema}.{one.name}", to=one.to
            )
            for one in facts.grants
            if one.stands and one.name == table
        ]
        found[dataset.name] = [
            one
            for one in access_of(grants, holders)
            if one.who.name not in facts.service_roles
        ]
    return found


def report(facts: AccessFacts) -> dict[str, list[str]]:
    """By heading; what is empty has nothing to say."""
    personal = [
        f"{name} ({', '.join(personal_columns(facts.datasets[name]))}): "
        + (", ".join(sorted({_named(one.who) for one in readers})) or "nobody")
        for name, readers in personal_readers(facts).items()
    ]
    return {
        "Granted and removed": changes(facts),
        "Not used in 90 days": unused(facts),
        "Who can see personal columns": personal,
        "Not seen": list(facts.not_seen),
    }


def headline(facts: AccessFacts) -> str:
    """The week in a line."""
    count = len(changes(facts))
    simulated = " (simulated)" if facts.simulated else ""
    said = f"{counted(count, 'grant')} came or went" if count else "nothing changed"
    return (
        f"Access from {facts.since:%Y-%m-%d} to {facts.now:%Y-%m-%d}{simulated}: {said}"
    )


def access_notices(
    facts: AccessFacts, *, routes: Routes, now: datetime
) -> tuple[Notice, ...]:
    """To the engineers of all, once a week; a quiet week in a line."""
    message = Message(
        headline=headline(facts),
        blocks=tuple(
            block(title, lines, listed=True)
            for title, lines in report(facts).items()
            if lines
        ),
    )
    return report_notices(
        f"access-{facts.now:%Y-%m-%d}", message, routes=routes, now=now
    )


def _holders(facts: AccessFacts, *, standing: bool) -> Mapping[Grantee, list[Grantee]]:
    found: defaultdict[Grantee, list[Grantee]] = defaultdict(list)
    for one in facts.roles:
        if one.role is not None and (one.stands or not standing):
            found[one.role].append(one.to)
    return found


def _above(
    role: Grantee, holders: Mapping[Grantee, Iterable[Grantee]]
) -> Iterator[Grantee]:
    seen, waiting = {role}, [role]
    while waiting:
        for one in holders.get(waiting.pop(), ()):
            if one not in seen:
                seen.add(one)
                waiting.append(one)
                yield one
