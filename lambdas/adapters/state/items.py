"""Where what a check begins with stands in the state table: one partition, so that it
is one query, however little there is of it.

``MONITOR`` / ``CHECK``                              when the last check ended
``MONITOR`` / ``FRESHNESS#<name>``                   what is remembered of a dataset
``MONITOR`` / ``OPEN#<name>``                        which incident of ours is open
``MONITOR`` / ``OUTBOX#<created at>#<notice id>``    a notice, until it is delivered
``MONITOR`` / ``REPAIRED#<repair id>``               a repair nobody was told of yet
``MONITOR`` / ``TROUBLE#<code> <name>``              what keeps rows from being loaded

What functions write that run by the hundred (runs, budgets) does not stand here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION = "MONITOR"
CHECK = "CHECK"
FRESHNESS = "FRESHNESS"
OPEN = "OPEN"
OUTBOX = "OUTBOX"
REPAIRED = "REPAIRED"
TROUBLE = "TROUBLE"


def monitor_key(kind: str, name: str = "") -> dict[str, Any]:
    """The key of one item; a kind of which there is but one has no name."""
    return {"pk": {"S": PARTITION}, "sk": {"S": f"{kind}#{name}" if name else kind}}


def kind_and_name(item: dict[str, Any]) -> tuple[str, str]:
    """What an item of the partition is, and its name."""
    kind, _, name = item["sk"]["S"].partition("#")
    return kind, name


def monitor_items(
    dynamodb: DynamoDBClient, table: str, kind: str = ""
) -> Iterator[dict[str, Any]]:
    """All that stands there, or all of one kind, by key, strongly consistent."""
    beginning = f"{kind}#" if kind else ""
    return items_of(dynamodb, table, PARTITION, beginning=beginning)


if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def items_of(
    dynamodb: DynamoDBClient, table: str, partition: str, *, beginning: str = ""
) -> Iterator[dict[str, Any]]:
    """All its items by sort key, page by page, strongly consistent; with `beginning`,
    those whose sort keys begin so.
    """
    condition, values = "pk = :pk", {":pk": {"S": partition}}
    if beginning:
        condition += " AND begins_with(sk, :beginning)"
        values[":beginning"] = {"S": beginning}
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
        ConsistentRead=True,
    )
    for page in pages:
        yield from page["Items"]
