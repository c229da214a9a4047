"""Rate budgets in the state table, for all functions that ask an API.

``RATE#<key>`` / ``BUDGET``   one item an API: its bucket and a version
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from lambdas.adapters.sources.rate_budget import StoredBucket
from lambdas.core.source.rate_limit import Bucket

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_S = 86_400
"""An item that nobody has asked for in a day goes: its bucket is full by then."""

_NO_TIME = {
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "InternalServerError",
    "TransactionConflictException",
}  # fmt: skip
"""DynamoDB: "Error handling": what is worth another try."""

_bucket = msgspec.json.Decoder(Bucket)


class RateTable:
    """BucketStore on DynamoDB. Whatever but a lack of time is raised as it came."""

    def __init__(self, *, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def read(self, key: str) -> StoredBucket | None:
        """The bucket, strongly consistent; None if DynamoDB is throttled."""
        try:
            answer = self._dynamodb.get_item(
                TableName=self._table, Key=_key(key), ConsistentRead=True
            )
        except ClientError as error:
            if _code(error) in _NO_TIME:
                return None
            raise
        item = answer.get("Item")
        if item is None:
            return StoredBucket(bucket=None, version=0)
        return StoredBucket(
            bucket=_bucket.decode(item["bucket"]["S"]),
            version=int(item["version"]["N"]),
        )

    def write(self, key: str, after: StoredBucket) -> bool:
        """Put it there, if nobody else did since it was read."""
        if after.bucket is None:
            message = "a bucket is needed to write one"
            raise ValueError(message)
        expires_at = int(after.bucket.at) + KEPT_S
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if after.version > 1:
            condition = {
                "ConditionExpression": "#version = :before",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":before": {"N": str(after.version - 1)}},
            }
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item={
                    **_key(key),
                    "bucket": {"S": msgspec.json.encode(after.bucket).decode()},
                    "version": {"N": str(after.version)},
                    "expires_at": {"N": str(expires_at)},
                },
                **condition,
            )
        except ClientError as error:
            if _code(error) in {*_NO_TIME, "ConditionalCheckFailedException"}:
                return False
            raise
        return True


def _key(key: str) -> dict[str, Any]:
    return {"pk": {"S": f"RATE#{key}"}, "sk": {"S": "BUDGET"}}


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
