"""The state table, on moto."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def a_state_table(
    name: str = "state", *, region: str = "eu-central-1"
) -> DynamoDBClient:
    """A client of a new table. Only where the fixture `aws` holds."""
    dynamodb = boto3.client("dynamodb", region_name=region)
    make_state_table(dynamodb, name)
    return dynamodb


def make_state_table(dynamodb: DynamoDBClient, name: str) -> None:
    """The table, in whatever AWS the client is of."""
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
    )
