"""What is other in the stacks' templates: resources that come, go, change or are
replaced, those that hold data first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Template: TypeAlias = Mapping[str, Any]
Kind: TypeAlias = Literal["added", "removed", "changed", "replaced"]

CREATE_ONLY: Mapping[str, frozenset[str]] = {
    "AWS::DynamoDB::Table": frozenset({"TableName", "ImportSourceSpecification"}),
    "AWS::Events::EventBus": frozenset({"Name"}),
    "AWS::KMS::Key": frozenset(),
    "AWS::S3::Bucket": frozenset(
        {"BucketName", "BucketNamePrefix", "BucketNamespace", "ObjectLockEnabled"}
    ),
    "AWS::SNS::Topic": frozenset({"TopicName", "FifoTopic"}),
    "AWS::SQS::Queue": frozenset({"QueueName", "FifoQueue"}),
}
"""Types that hold data or messages, or that others know by name, and the properties
whose change makes CloudFormation replace one (its resource schemas,
`createOnlyProperties`)."""
KEY_SCHEMA = "KeySchema"
"""Of a table; a change of it replaces the table, though its schema does not say so."""

_RETAINED = ("Retain", "RetainExceptOnCreate")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange:
    """What a deploy does to one resource. `properties` are the keys that are other;
    `stays` says whether what is removed or replaced outlives its stack.
    """

    stack: str
    resource: str
    type: str
    change: Kind
    properties: tuple[str, ...]
    holds_data: bool
    stays: bool

    @property
    def loses_data(self) -> bool:
        """Whether something that holds data gives way to another, or to nothing."""
        return self.holds_data and self.change in ("removed", "replaced")

    @property
    def sentence(self) -> str:
        """One line for a person."""
        what = f"{self.stack}: {self.type} {self.resource}"
        match self.change:
            case "removed" if self.holds_data and self.stays:
                return f"{what} leaves the stack; it stays, with what it holds"
            case "removed" if self.holds_data:
                return f"{what} is deleted, WITH ALL THAT IT HOLDS"
            case "replaced" if self.holds_data:
                rest = "stays" if self.stays else "is deleted, WITH ALL THAT IT HOLDS"
                return (
                    f"{what} is replaced by an empty one "
                    f"({', '.join(self.properties)}); the old one {rest}"
                )
            case "added" | "removed":
                return f"{what} is {self.change}"
            case _:
                return f"{what} is {self.change}: {', '.join(self.properties)}"


def resource_changes(
    stack: str, before: Template | None, after: Template
) -> Iterator[ResourceChange]:
    """What becomes of each resource of a stack; None: it is not deployed."""
    old: Mapping[str, Any] = (before or {}).get("Resources", {})
    new: Mapping[str, Any] = after.get("Resources", {})
    for name in sorted({*old, *new}):
        change = _change(stack, name, old.get(name), new.get(name))
        if change is not None:
            yield change


def in_order(changes: list[ResourceChange]) -> list[ResourceChange]:
    """What holds data and goes first; then by stack."""
    return sorted(
        changes, key=lambda one: (not one.loses_data, one.stack, one.resource)
    )


def _change(
    stack: str, name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> ResourceChange | None:
    known = old or new or {}
    keys = () if old is None or new is None else tuple(_other(old, new))
    kind: Kind
    if old is None:
        kind = "added"
    elif new is None:
        kind = "removed"
    elif _is_replaced(str(old["Type"]), keys):
        kind = "replaced"
    elif keys:
        kind = "changed"
    else:
        return None
    policy = "DeletionPolicy" if kind == "removed" else "UpdateReplacePolicy"
    return ResourceChange(
        stack=stack,
        resource=name,
        type=str(known["Type"]),
        change=kind,
        properties=keys,
        holds_data=known["Type"] in CREATE_ONLY,
        stays=known.get(policy) in _RETAINED,
    )


def _other(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, after = old.get("Properties", {}), new.get("Properties", {})
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            yield key
    for key in ("Type", "DeletionPolicy", "UpdateReplacePolicy"):
        if old.get(key) != new.get(key):
            yield key


def _is_replaced(kind: str, keys: tuple[str, ...]) -> bool:
    at_creation = {*CREATE_ONLY.get(kind, ()), "Type"}
    if kind == "AWS::DynamoDB::Table":
        at_creation.add(KEY_SCHEMA)
    return not at_creation.isdisjoint(keys)
