"""What was made in Snowflake, kept in the state table from one deploy to the next.

``WAREHOUSE`` / ``MADE``             digests of statements, attributes of integrations
``REPORTED`` / ``UNMADE#<dataset>``  that its relation could not be made

One item: 16 characters a dataset, so that 10,000 of them are well below an item's
400 KB.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from lambdas.adapters.state.items import (
    REPORTED,
    UNMADE,
    LateTable,
    items_of,
    kind_and_name,
    monitor_key,
)
from lambdas.core.custom_resource import Made
from lambdas.core.loading.repair import Problem

_KEY = {"pk": {"S": "WAREHOUSE"}, "sk": {"S": "MADE"}}


class StoredMade(LateTable):
    """A record in the state table."""

    def load(self) -> Made:
        """As it was saved last; nothing, if never."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=_KEY, ConsistentRead=True
        )
        item = answer.get("Item")
        if item is None:
            return Made()
        return Made(
            digests=frozenset(item["digests"]["S"].split()),
            integrations=json.loads(item["integrations"]["S"]),
        )

    def save(self, made: Made) -> None:
        """Remember it. Deploys of one stack come one after the other."""
        self._dynamodb.put_item(
            TableName=self._table,
            Item={
                **_KEY,
                "digests": {"S": " ".join(sorted(made.digests))},
                "integrations": {
                    "S": json.dumps(dict(made.integrations), default=dict)
                },
            },
        )


class UnmadeRelations(LateTable):
    """Relations that could not be made, for the next check to tell of."""

    def report(self, problem: Problem) -> None:
        """Have the next check tell of it."""
        item: dict[str, Any] = {
            **monitor_key(UNMADE, problem.dataset or ""),
            "trouble": {"S": msgspec.json.encode(problem).decode()},
        }
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def made(self, dataset: str) -> None:
        """It is made now; never reported is fine."""
        key = monitor_key(UNMADE, dataset)
        self._dynamodb.delete_item(TableName=self._table, Key=key)

    def all_made(self) -> None:
        """Every relation is."""
        of_them = f"{UNMADE}#"
        found = items_of(self._dynamodb, self._table, REPORTED, beginning=of_them)
        for item in list(found):
            self.made(kind_and_name(item)[1])
