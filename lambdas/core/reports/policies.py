"""What IAM policies let a principal do with an object, as far as policies tell.

An action is allowed if a statement allows it and none denies it. Conditions are not
reckoned: an allowance with a condition counts, a denial with one does not, so that what
is told is at least what somebody can do (IAM: "Policy evaluation logic"). Permission
boundaries, service control policies and what a bucket's own policy says are not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

READS, CHANGES = ("s3:GetObject",), ("s3:PutObject", "s3:DeleteObject")
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A role or a user of the account, with the policies that it has."""

    kind: str
    name: str
    policies: tuple[Document, ...]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ObjectAccess:
    """What a principal may do with a dataset's objects."""

    kind: str
    name: str
    can: tuple[str, ...]


def object_access(
    principals: Iterable[Principal], object_arn: str
) -> list[ObjectAccess]:
    """Those who can read or change what stands at `object_arn`."""
    found = []
    for one in principals:
        abilities = {"read": READS, "change": CHANGES}
        can = tuple(
            name
            for name, actions in abilities.items()
            if any(allows(one.policies, action, object_arn) for action in actions)
        )
        if can:
            found.append(ObjectAccess(kind=one.kind, name=one.name, can=can))
    return sorted(found)


def allows(policies: Iterable[Document], action: str, resource: str) -> bool:
    """Whether the policies together allow it."""
    fitting = [
        statement
        for policy in policies
        for statement in _listed(policy.get("Statement", ()))
        if _fits(statement, "Action", action, ignore_case=True)
        and _fits(statement, "Resource", resource, ignore_case=False)
    ]
    denied = any(
        one.get("Effect") == "Deny" and not one.get("Condition") for one in fitting
    )
    return not denied and any(one.get("Effect") == "Allow" for one in fitting)


def _fits(statement: Document, key: str, value: str, *, ignore_case: bool) -> bool:
    wanted = value.lower() if ignore_case else value

    def any_of(name: str) -> bool:
        patterns = [str(one) for one in _listed(statement.get(name, ()))]
        return any(
            fnmatchcase(wanted, _escaped(one.lower() if ignore_case else one))
            for one in patterns
        )

    if f"Not{key}" in statement:
        return not any_of(f"Not{key}")
    return any_of(key)


def _escaped(pattern: str) -> str:
    """IAM knows `*` and `?`, and no sets of characters."""
    return pattern.replace("[", "[[]")


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
