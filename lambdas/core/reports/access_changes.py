"""What was granted and taken away, in words: who may now do what with which data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.core.columns.declared import personal_columns
from lambdas.core.reports.access import Ability, Access, Grantee
from lambdas.core.reports.access_facts import (
    AccessFacts,
    DatedGrant,
    above,
    declared,
    holders,
    personal_tables,
    standing_access,
)
from lambdas.core.sql.own_grants import OwnGrant, OwnRoleGrant
from lambdas.core.text.count import counted

SAID_WITHIN = timedelta(minutes=2)
"""Between a statement and the row of what it granted."""
NAMED = 5
"""Datasets that a sentence names."""
_VERBS = {
    "SELECT": "read",
    "INSERT": "add rows to",
    "UPDATE": "change",
    "DELETE": "remove rows of",
    "TRUNCATE": "empty",
    "OWNERSHIP": "do everything with",
    "MONITOR": "see the state of",
    "OPERATE": "pause, resume and refresh",
    "USAGE": "use",
}
_ABILITIES = {
    Ability.OWN: "do everything with",
    Ability.CHANGE: "change",
    Ability.READ: "read",
}
_MOST_FIRST = (Ability.OWN, Ability.CHANGE, Ability.READ)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """That a grant began or ended."""

    at: datetime
    grant: DatedGrant
    is_end: bool


def changes(facts: AccessFacts) -> list[str]:
    """What others granted and took away, a sentence each; what one statement did with
    several privileges is one.
    """
    found = [one for one in _all(facts) if not _is_ours(one.grant, facts)]
    together: defaultdict[object, list[_Change]] = defaultdict(list)
    for one in found:
        grant = one.grant
        together[one.at, one.is_end, grant.to, grant.by, grant.role].append(one)
    standing = standing_access(facts) if found else []
    told = [
        (same[0].at, _sentence(same, facts, standing)) for same in together.values()
    ]
    return [f"{at:%Y-%m-%d %H:%M} UTC {text}" for at, text in sorted(told)]


def by_catflap(facts: AccessFacts) -> list[str]:
    """How much catflap's own code granted and took away, in a line."""
    count = sum(_is_ours(one.grant, facts) for one in _all(facts))
    return [f"{count} by catflap's own bootstrap and deploy"] if count else []


def named(one: Grantee) -> str:
    """`role ANALYSTS`, `user MIA`."""
    return f"{one.kind.lower().replace('_', ' ')} {one.name}"


def may(facts: AccessFacts, who: Grantee, standing: Sequence[Access]) -> str:
    """What somebody may do with the data now: `may read flights and weather`."""
    known = declared(facts)
    most: dict[str, Ability] = {}
    for one in standing:
        name = one.on.rpartition(".")[2]
        if one.who == who:
            can = next(each for each in _MOST_FIRST if each in one.can)
            before = most.get(name, can)
            most[name] = min(can, before, key=_MOST_FIRST.index)
    parts = []
    for ability in _MOST_FIRST:
        those = [name for name in most if most[name] is ability]
        if those:
            named_ones = sorted(known[name] for name in those if name in known)
            others = len(those) - len(named_ones)
            parts.append(f"{_ABILITIES[ability]} {_listed(named_ones, others)}")
    return f"may {'; '.join(parts)}" if parts else "may do nothing with the data"


def _all(facts: AccessFacts) -> Iterator[_Change]:
    reach = _reach(facts)
    for one in (*facts.grants, *facts.roles):
        if one.role is not None and one.role not in reach:
            continue
        if one.since >= facts.since:
            yield _Change(at=one.since, grant=one, is_end=False)
        if one.until is not None and one.until >= facts.since:
            yield _Change(at=one.until, grant=one, is_end=True)


def _reach(facts: AccessFacts) -> set[Grantee]:
    """Roles by which somebody gets, or got, at a dataset."""
    inherited = holders(facts, standing=False)
    roles = {grant.to for grant in facts.grants}
    return roles.union(*(above(role, inherited) for role in roles))


def _is_ours(one: DatedGrant, facts: AccessFacts) -> bool:
    if facts.own is None:
        return False
    if one.role is not None:
        return facts.own.has(
            OwnRoleGrant(
                kind=one.role.kind,
                role=one.role.name,
                to_kind=one.to.kind,
                to=one.to.name,
            )
        )
    return facts.own.has(
        OwnGrant(
            privilege=one.privilege,
            schema=one.schema,
            name=one.name,
            kind=one.to.kind,
            to=one.to.name,
        )
    )


def _sentence(
    same: Sequence[_Change], facts: AccessFacts, standing: Sequence[Access]
) -> str:
    first = same[0]
    grant, who = first.grant, named(first.grant.to)
    if grant.role is not None:
        verb = "no longer holds" if first.is_end else "was given"
        can = may(facts, grant.role, standing)
        said = f"{who} {verb} {named(grant.role)}, which {can}"
    else:
        can = "may no longer" if first.is_end else "may now"
        said = f"{who} {can} {_rights([one.grant for one in same], facts)}"
    return said + _by_whom(first, facts)


def _by_whom(one: _Change, facts: AccessFacts) -> str:
    grant = one.grant
    person = _typed_by(grant, one.at, facts)
    if one.is_end:
        gone = "; the role was removed" if grant.to.name in facts.dropped else ""
        return gone + (f"; typed by {person}" if person else "")
    by = f"granted by role {grant.by}" if grant.by else ""
    typed = f"typed by {person}" if person else ""
    said = ", ".join(filter(None, (by, typed)))
    return f"; {said}" if said else ""


def _rights(grants: Sequence[DatedGrant], facts: AccessFacts) -> str:
    """`read and change flights (SELECT, UPDATE on RAW.FLIGHTS)`."""
    known, personal = declared(facts), personal_tables(facts)
    of_object: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for one in grants:
        of_object[one.schema, one.name].append(one.privilege)
    parts = []
    for (schema, name), privileges in sorted(of_object.items()):
        verbs = [_VERBS.get(one, f"({one.lower()})") for one in sorted(privileges)]
        said = f"{', '.join(sorted(privileges))} on {schema}.{name}"
        if name in personal:
            said += f"; personal: {', '.join(personal_columns(personal[name]))}"
        what = known.get(name, f"{schema}.{name}")
        parts.append(f"{_and(verbs)} {what} ({said})")
    return _and(parts)


def _typed_by(one: DatedGrant, at: datetime, facts: AccessFacts) -> str | None:
    """The person, where statements may be read and one fits."""
    wanted = one.to.name.rpartition(".")[2].upper()
    near = [
        said
        for said in facts.said or ()
        if abs(said.at - at) <= SAID_WITHIN and wanted in said.text.upper()
    ]
    return min(near, key=lambda said: abs(said.at - at)).by if near else None


def _listed(names: Sequence[str], beside: int) -> str:
    """Datasets and models by name; what is none of them by number."""
    kept = list(names[:NAMED])
    if len(names) > NAMED:
        kept.append(counted(len(names) - NAMED, "other"))
    if beside:
        kept.append(counted(beside, "other object" if kept else "object"))
    return _and(kept)


def _and(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
