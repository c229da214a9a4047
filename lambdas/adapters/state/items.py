"""Where what a check begins with stands in the state table.

``MONITOR`` / ``CHECK``                                  when the last check ended
``MONITOR#<n>`` / ``FRESHNESS#<name>``                   what is remembered of a dataset
``MONITOR`` / ``OPEN#<name>``                            which incident of ours is open
``MONITOR#<n>`` / ``OUTBOX#<created at>#<notice id>``    a notice, until it is delivered
``MONITOR`` / ``REPAIRED#<repair id>``                   a repair nobody was told of yet
``MONITOR`` / ``TROUBLE#<code> <name>``                  what keeps rows from loading
``REPORTED`` / ``FAILED#<name>``                         that a dataset's pull failed
``REPORTED`` / ``EVENT#<id>``                            an event that the bus refused
``REPORTED`` / ``UNMADE#<name>``                         that its relation is not made
``MONITOR`` / ``SILENCE#<id>``                           a silence that a person began
``MONITOR`` / ``DIGEST#<team>``                          the day of its newest digest
``MONITOR`` / ``CAUSES#<team>``                          the same of its causes report
``MONITOR`` / ``GRANTS#<name>``                          who may read what is personal
``MONITOR`` / ``COSTS``                                  what datasets cost last week
``MONITOR`` / ``PROOF``                                  that pipes need no warehouse

What there is one of for each dataset, or more, is spread over partitions by a hash of
its key: a partition takes 1,000 writes a second (DynamoDB), and an outage writes of all
datasets at once. Items of a table that was written before stand under ``MONITOR`` and
are read from there, too.

What functions write that run by the hundred (runs, budgets) does not stand here, and
what a pull reports stands apart: it may write nothing else of the monitor's.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION = "MONITOR"
CHECK = "CHECK"
FRESHNESS = "FRESHNESS"
OPEN = "OPEN"
OUTBOX = "OUTBOX"
FAILED = "FAILED"
REPAIRED = "REPAIRED"
PROBLEM = "TROUBLE"
EVENT = "EVENT"
UNMADE = "UNMADE"
SPREAD = frozenset({FRESHNESS, OUTBOX})
REPORTED = "REPORTED"
REPORTS = frozenset({FAILED, EVENT, UNMADE})
"""What other functions tell the next check."""
SILENCE = "SILENCE"
DIGEST = "DIGEST"
CAUSES = "CAUSES"
GRANTS = "GRANTS"
AT_ONCE = 100
"""Keys of one BatchGetItem (DynamoDB)."""
PARTITIONS = 8
"""Over which they are spread. More may be read than written: it may grow."""


class LateTable:
    """The state table, by a client that is made when it is first asked."""

    def __init__(self, *, client: Callable[[], DynamoDBClient], table: str) -> None:
        self._make_client = client
        self._table = table

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return self._make_client()


def monitor_key(kind: str, name: str = "") -> dict[str, Any]:
    """The key of one item; a kind of which there is but one has no name."""
    sk = f"{kind}#{name}" if name else kind
    number = zlib.crc32(sk.encode()) % PARTITIONS
    partition = f"{PARTITION}#{number}" if kind in SPREAD else PARTITION
    partition = REPORTED if kind in REPORTS else partition
    return {"pk": {"S": partition}, "sk": {"S": sk}}


def kind_and_name(item: dict[str, Any]) -> tuple[str, str]:
    """What an item of the partition is, and its name."""
    kind, _, name = item["sk"]["S"].partition("#")
    return kind, name


def monitor_items(
    dynamodb: DynamoDBClient, table: str, kind: str = ""
) -> Iterator[dict[str, Any]]:
    """All that stands there, or all of one kind, strongly consistent. Where an item
    stands in the old place and the new, the new comes last.
    """
    beginning = f"{kind}#" if kind else ""
    yield from items_of(dynamodb, table, PARTITION, beginning=beginning)
    if not kind or kind in REPORTS:
        yield from items_of(dynamodb, table, REPORTED, beginning=beginning)
    if not kind or kind in SPREAD:
        for number in range(PARTITIONS):
            partition = f"{PARTITION}#{number}"
            yield from items_of(dynamodb, table, partition, beginning=beginning)


def is_misplaced(item: dict[str, Any]) -> bool:
    """Whether it stands where such items stood before they were spread."""
    return item["pk"]["S"] == PARTITION and kind_and_name(item)[0] in SPREAD


def items_of(
    dynamodb: DynamoDBClient, table: str, partition: str, *, beginning: str = ""
) -> Iterator[dict[str, Any]]:
    """Its items by sort key, page by page, consistent; those with `beginning`."""
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
