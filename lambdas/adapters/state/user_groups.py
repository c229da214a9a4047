"""User groups that owners name, in the state table: ``SLACK#`` / ``GROUPS``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambdas.core.slack.mentions import UserGroups

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEY: Any = {"pk": {"S": "SLACK#"}, "sk": {"S": "GROUPS"}}


class UserGroupTable:
    """UserGroupMemory on DynamoDB."""

    def __init__(self, *, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def read(self) -> UserGroups | None:
        """What is remembered; None: nobody has asked yet."""
        item = self._dynamodb.get_item(TableName=self._table, Key=_KEY).get("Item")
        if item is None:
            return None
        return msgspec.json.decode(item["groups"]["S"], type=UserGroups)

    def keep(self, groups: UserGroups) -> None:
        """In place of what was."""
        text = msgspec.json.encode(groups).decode()
        item = {**_KEY, "groups": {"S": text}}
        self._dynamodb.put_item(TableName=self._table, Item=item)
