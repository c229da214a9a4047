"""Loads that are awaited, and what was done about them, in the state table.

``LANDED`` / ``<name>#<run id>``    a run that was not yet seen loaded
``LOOKS`` / ``<name>``              what is remembered of a dataset that was asked for
``ERASURE`` / ``<name>#<start>#…``  that rows were erased: who, when, how many

What a check tells of, repairs and problems, stands where it begins: see
`monitor_items`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from lambdas.adapters.state.items import (
    PROBLEM,
    REPAIRED,
    items_of,
    monitor_items,
    monitor_key,
)
from lambdas.adapters.state.runs import landed_item
from lambdas.core.loading.erasure import Erasure
from lambdas.core.loading.repair import Problem, Repaired, RetryState
from lambdas.core.pull.run import LandedRun

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class LoadTable:
    """LoadWatch on DynamoDB."""

    def __init__(self, *, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def landed(self) -> list[LandedRun]:
        """Every run that has landed and was not yet seen loaded, by dataset and age."""
        return [
            msgspec.json.decode(item["landed"]["S"], type=LandedRun)
            for item in self._query("LANDED")
        ]

    def retries(self) -> dict[str, RetryState]:
        """What is remembered, by dataset."""
        return {
            item["sk"]["S"]: msgspec.json.decode(item["look"]["S"], type=RetryState)
            for item in self._query("LOOKS")
        }

    def remember(self, retry: RetryState) -> None:
        """Keep it."""
        item = {**_key("LOOKS", retry.dataset), "look": _json(retry)}
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def forget(self, dataset: str) -> None:
        """The dataset needs no check any more; gone already is fine."""
        self._dynamodb.delete_item(TableName=self._table, Key=_key("LOOKS", dataset))

    def watch(self, run: LandedRun) -> None:
        """Have a run's loads checked (again)."""
        self._dynamodb.put_item(TableName=self._table, Item=landed_item(run))

    def settle(self, run: LandedRun, repaired: Sequence[Repaired]) -> None:
        """Take the run out, and put in what is to be told of it: both, or nothing.

        Whoever comes second finds the run gone, and tells nothing.
        """
        gone: Any = {
            "Delete": {
                "TableName": self._table,
                "Key": _key("LANDED", run.name),
                "ConditionExpression": "attribute_exists(pk)",
            }
        }
        told: list[Any] = [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": {
                        **monitor_key(REPAIRED, one.repair_id),
                        "repaired": _json(one),
                    },
                }
            }
            for one in repaired
        ]
        try:
            self._dynamodb.transact_write_items(TransactItems=[gone, *told])
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            codes = {str(reason.get("Code")) for reason in reasons}
            if not codes & {"ConditionalCheckFailed", "TransactionConflict"}:
                raise

    def problems(self) -> list[Problem]:
        """All that stand, by name."""
        return [
            msgspec.json.decode(item["trouble"]["S"], type=Problem)
            for item in monitor_items(self._dynamodb, self._table, PROBLEM)
        ]

    def record_problems(
        self, before: Sequence[Problem], after: Sequence[Problem]
    ) -> None:
        """Let `after` stand instead of `before`."""
        standing = {one.name: one for one in before}
        wanted = {one.name: one for one in after}
        for name, problem in wanted.items():
            if standing.get(name) != problem:
                item = {**monitor_key(PROBLEM, name), "trouble": _json(problem)}
                self._dynamodb.put_item(TableName=self._table, Item=item)
        for name in standing.keys() - wanted.keys():
            key = monitor_key(PROBLEM, name)
            self._dynamodb.delete_item(TableName=self._table, Key=key)

    def record_erasure(self, erasure: Erasure) -> None:
        """Keep the record of an erasure, for good; again when it has ended."""
        name = f"{erasure.dataset}#{erasure.started_at.isoformat()}#{erasure.salt}"
        item = {**_key("ERASURE", name), "erasure": _json(erasure)}
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def erasures(self, dataset: str) -> list[Erasure]:
        """The erasures of a dataset, the oldest first."""
        found = [
            msgspec.json.decode(item["erasure"]["S"], type=Erasure)
            for item in self._query("ERASURE")
        ]
        return [one for one in found if one.dataset == dataset]

    def _query(self, pk: str) -> Iterator[dict[str, Any]]:
        return items_of(self._dynamodb, self._table, pk)


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _json(value: object) -> dict[str, str]:
    return {"S": msgspec.json.encode(value).decode()}
