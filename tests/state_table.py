"""A DynamoDB table in memory, as strict as what is asked of it needs, and quick: what
lives through months of checks would spend its time in moto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

TRANSACTION, BATCH, READ, PAGE = 100, 25, 100, 250
"""Actions of a transaction, writes of a batch, keys of a batch that is read (DynamoDB),
items of a page (ours)."""


class TableInMemory:
    """The calls of a DynamoDB client that the state's adapters make, over one table.

    `refuses` is asked before each write, with its item's key: the code of the error, or
    None. `is_unread` says which sort keys a batch that is read leaves out.
    """

    def __init__(
        self,
        *,
        refuses: Callable[[str, str], str | None] = lambda _pk, _sk: None,
        is_unread: Callable[[str], bool] = lambda _sk: False,
    ) -> None:
        self._partitions: dict[str, dict[str, Any]] = {}
        self._refuses = refuses
        self._is_unread = is_unread
        self.refused = 0

    def get_item(self, **request: Any) -> dict[str, Any]:
        item = self._at(request["Key"])
        return {} if item is None else {"Item": item}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        ((table, asked),) = request["RequestItems"].items()
        keys = [(one["pk"]["S"], one["sk"]["S"]) for one in asked["Keys"]]
        assert 0 < len(keys) <= READ, keys
        assert len({*keys}) == len(keys), "the same key twice is refused"
        unread = [one for one in asked["Keys"] if self._is_unread(one["sk"]["S"])]
        found = [self._at(one) for one in asked["Keys"] if one not in unread]
        return {
            "Responses": {table: [item for item in found if item is not None]},
            "UnprocessedKeys": {table: {"Keys": unread}} if unread else {},
        }

    def put_item(self, **request: Any) -> dict[str, Any]:
        code = self._code(request["Item"])
        if code is not None:
            raise _error(code)
        if not self._holds(request):
            raise _error("ConditionalCheckFailedException")
        self._put(request["Item"])
        return {}

    def delete_item(self, **request: Any) -> dict[str, Any]:
        self._drop(request["Key"])
        return {}

    def get_paginator(self, operation: str) -> TableInMemory:
        assert operation == "query", operation
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        values = request["ExpressionAttributeValues"]
        begins = values.get(":beginning", {"S": ""})["S"]
        since = values.get(":since", {"S": ""})["S"]
        partition = self._partitions.get(values[":pk"]["S"], {})
        found = [
            partition[sk]
            for sk in sorted(partition)
            if sk.startswith(begins) and sk >= since
        ]
        for start in range(0, max(1, len(found)), PAGE):
            yield {"Items": found[start : start + PAGE]}

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        ((table, requests),) = request["RequestItems"].items()
        assert len(requests) <= BATCH
        undone = []
        for one in requests:
            ((verb, write),) = one.items()
            key = write["Key"] if verb == "DeleteRequest" else write["Item"]
            if self._code(key) is not None:
                undone.append(one)
            elif verb == "DeleteRequest":
                self._drop(key)
            else:
                self._put(write["Item"])
        return {"UnprocessedItems": {table: undone} if undone else {}}

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        writes = [next(iter(one.items())) for one in request["TransactItems"]]
        if len(writes) > TRANSACTION:
            raise _error("ValidationException")
        keys = [write.get("Item") or write["Key"] for _, write in writes]
        for key in keys:
            if (code := self._code(key)) is not None:
                raise _error("TransactionCanceledException", code)
        if not all(self._holds(write) for _, write in writes):
            raise _error("TransactionCanceledException", "ConditionalCheckFailed")
        for verb, write in writes:
            if verb == "Put":
                self._put(write["Item"])
            elif verb == "Delete":
                self._drop(write["Key"])
        return {}

    def _code(self, key: Mapping[str, Any]) -> str | None:
        code = self._refuses(key["pk"]["S"], key["sk"]["S"])
        self.refused += code is not None
        return code

    def _at(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._partitions.get(key["pk"]["S"], {}).get(
            key["sk"]["S"]
        )
        return found

    def _put(self, item: dict[str, Any]) -> None:
        self._partitions.setdefault(item["pk"]["S"], {})[item["sk"]["S"]] = item

    def _drop(self, key: Mapping[str, Any]) -> None:
        self._partitions.get(key["pk"]["S"], {}).pop(key["sk"]["S"], None)

    def _holds(self, write: Mapping[str, Any]) -> bool:
        found = self._at(write.get("Item") or write["Key"])
        match write.get("ConditionExpression"):
            case None:
                return True
            case "attribute_not_exists(pk)":
                return found is None
            case "attribute_exists(pk)":
                return found is not None
            case str(text):
                name, _, value = text.partition(" = ")
                name = write.get("ExpressionAttributeNames", {}).get(name, name)
                wanted = write["ExpressionAttributeValues"][value]
                return found is not None and found.get(name) == wanted
        raise NotImplementedError(write["ConditionExpression"])


def _error(code: str, *reasons: str) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}}
    if reasons:
        answer["CancellationReasons"] = [{"Code": one} for one in reasons]
    return ClientError(answer, "Write")
