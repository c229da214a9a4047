"""Writes and transactions that are isolated, as DynamoDB's are.

moto looks at a write's condition and then writes: of two threads, both may find it met.
It copies each table of a TransactWriteItems before it begins and, when it is
cancelled, puts the copies back, over whatever others have written in the meantime:
acknowledged writes are lost. Here one lock orders all calls, and only the items that
a transaction names are remembered and put back.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from typing import Any

from moto.core.common_types import TYPE_RESPONSE
from moto.dynamodb import models
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

MAX_TRANSACTION_ITEMS = 100
"""DynamoDB developer guide, "Amazon DynamoDB Transactions"; moto refuses more."""

_one_call_at_a_time = threading.RLock()


class _CopyWithoutTables:
    """Stands in for the module `copy` in moto's: a table is not copied, all else is."""

    @staticmethod
    def deepcopy(value: Any) -> Any:  # noqa: ANN401 - as copy.deepcopy
        return value if isinstance(value, Table) else copy.deepcopy(value)


def install() -> None:
    """Replace moto's transactions, in this process."""
    call = DynamoHandler.call_action
    transact = models.DynamoDBBackend.transact_write_items

    def call_action(self: DynamoHandler) -> TYPE_RESPONSE:
        with _one_call_at_a_time:
            answer: TYPE_RESPONSE = call(self)
            return answer

    def transact_write_items(
        self: models.DynamoDBBackend, transact_items: list[dict[str, Any]]
    ) -> None:
        if len(transact_items) > MAX_TRANSACTION_ITEMS:
            transact(self, transact_items)  # which refuses
            return
        before = [
            (
                table,
                hash_key,
                range_key,
                copy.deepcopy(table.get_item(hash_key, range_key)),
            )
            for table, hash_key, range_key in _items_named(self, transact_items)
        ]
        try:
            transact(self, transact_items)
        except BaseException:
            for table, hash_key, range_key, item in before:
                _put_back(table, hash_key, range_key, item)
            raise

    models.copy = _CopyWithoutTables  # type: ignore[assignment,attr-defined]  # the name moto imported
    DynamoHandler.call_action = call_action  # type: ignore[method-assign]
    models.DynamoDBBackend.transact_write_items = transact_write_items  # type: ignore[method-assign]


def _items_named(
    backend: models.DynamoDBBackend, transact_items: list[dict[str, Any]]
) -> Iterator[tuple[Table, DynamoType, DynamoType | None]]:
    """Table and key of each operation; one without is moto's to refuse."""
    for item in transact_items:
        for operation in item.values():
            table = backend.tables.get(operation.get("TableName", "").split("/")[-1])
            source = operation.get("Item") or operation.get("Key") or {}
            if table is None or table.hash_key_attr not in source:
                continue
            range_attribute = table.range_key_attr
            if range_attribute is None:
                yield table, DynamoType(source[table.hash_key_attr]), None
            elif range_attribute in source:
                yield (
                    table,
                    DynamoType(source[table.hash_key_attr]),
                    DynamoType(source[range_attribute]),
                )


def _put_back(
    table: Table,
    hash_key: DynamoType,
    range_key: DynamoType | None,
    item: Any,  # noqa: ANN401 - moto's item, or None if there was none
) -> None:
    if item is None:
        if table.get_item(hash_key, range_key) is not None:
            table.delete_item(hash_key, range_key)
    elif range_key is not None:
        table.items[hash_key][range_key] = item
    else:
        table.items[hash_key] = item
