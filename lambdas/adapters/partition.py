"""Reading a partition of the state table, or the part of it that begins alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

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
