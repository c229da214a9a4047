"""Who can read or change a dataset: Snowflake's grants, through the roles that inherit.

A privilege on an object is held by a role; the role is granted to roles and users, and
whoever is at the end of such a chain has it (Snowflake: "Overview of access control").
What nobody could look up is said, and never taken for no access.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

LONGEST_CHAIN = 20
"""Roles in a row; Snowflake lets no circle arise."""


class Ability(StrEnum):
    """What somebody may do with the rows."""

    READ = "read"
    CHANGE = "change"
    OWN = "own"


_ABILITIES: Mapping[str, tuple[Ability, ...]] = {
    "SELECT": (Ability.READ,),
    "INSERT": (Ability.CHANGE,),
    "UPDATE": (Ability.CHANGE,),
    "DELETE": (Ability.CHANGE,),
    "TRUNCATE": (Ability.CHANGE,),
    "OWNERSHIP": (Ability.READ, Ability.CHANGE, Ability.OWN),
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Grantee:
    """A role, a database role or a user, by its name as Snowflake shows it."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectGrant:
    """A privilege on a table or view, and who holds it."""

    privilege: str
    on: str
    to: Grantee


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Access:
    """That `who` can do this with `on`; `via` are the roles between, the nearest to
    the object first.
    """

    who: Grantee
    on: str
    can: tuple[str, ...]
    via: tuple[str, ...]


Holders: TypeAlias = Mapping[Grantee, Sequence[Grantee]]
"""To whom each role was granted."""


def access_of(grants: Iterable[ObjectGrant], holders: Holders) -> list[Access]:
    """Everybody who can do something with the rows, users first."""
    found: dict[tuple[Grantee, str, tuple[str, ...]], set[Ability]] = {}
    for grant in grants:
        abilities = _ABILITIES.get(grant.privilege.upper(), ())
        for who, via in _chains(grant.to, holders) if abilities else ():
            found.setdefault((who, grant.on, via), set()).update(abilities)
    access = [
        Access(who=who, on=on, can=tuple(sorted(can)), via=via)
        for (who, on, via), can in found.items()
    ]
    return sorted(access, key=lambda one: (one.who.kind != "USER", one))


def changed(
    before: Iterable[Access], after: Iterable[Access]
) -> tuple[list[Access], list[Access]]:
    """What was granted and what was taken away between two looks."""
    old, new = set(before), set(after)
    return sorted(new - old), sorted(old - new)


def _chains(
    start: Grantee, holders: Holders, via: tuple[str, ...] = ()
) -> Iterator[tuple[Grantee, tuple[str, ...]]]:
    """`start` and all that inherit from it, each with the roles between."""
    yield start, via
    if len(via) >= LONGEST_CHAIN:
        return
    road = (*via, start.name)
    for one in holders.get(start, ()):
        if one.name not in road:
            yield from _chains(one, holders, road)
