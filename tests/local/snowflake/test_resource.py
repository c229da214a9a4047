"""The custom resource's own function, from CloudFormation's request to its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from lambdas.adapters import catalogue, clients
from lambdas.core.dataset import Catalogue, catalogue_to_json
from lambdas.core.sql import names
from lambdas.warehouse.handler import handle
from local.loopback import Answer, Asked, LoopbackServer
from tests.local.snowflake.world import (
    ADMIN,
    ADMIN_ROLE,
    BUCKET,
    CATALOGUE,
    DATABASE,
    World,
    dataset,
)


@dataclass
class Context:
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class CloudFormation:
    """Takes one answer for each request."""

    def __init__(self, url: str, answers: list[dict[str, Any]]) -> None:
        self._url = url
        self._answers = answers

    def request(self, kind: str, properties: dict[str, str]) -> dict[str, Any]:
        handle(
            {
                "RequestType": kind,
                "ResponseURL": self._url,
                "StackId": "stack",
                "RequestId": "request",
                "LogicalResourceId": "Resource",
                "ResourceProperties": properties,
            },
            Context(),  # type: ignore[arg-type]  # what the handler uses of it
        )
        return self._answers.pop()


@pytest.fixture
def cloudformation(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CloudFormation]:
    answers: list[dict[str, Any]] = []

    def take(asked: Asked) -> Answer:
        answers.append(json.loads(asked.body))
        return Answer()

    datasets = {"handled": dataset("handled")}
    world.cloud.client("s3").put_object(
        Bucket=BUCKET,
        Key=CATALOGUE,
        Body=catalogue_to_json(Catalogue(datasets=datasets)).encode(),
    )
    variables = {
        **world.settings(ADMIN, ADMIN_ROLE).to_environment(),
        "AWS_ENDPOINT_URL": world.cloud.endpoint_url,
        "AWS_DEFAULT_REGION": world.cloud.region,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # Whoever made a client in this process before left its credentials there.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    catalogue.published.cache_clear()
    clients.client.cache_clear()
    with LoopbackServer(take) as server:
        yield CloudFormation(f"{server.url}answer", answers)
    catalogue.published.cache_clear()
    clients.client.cache_clear()


def test_both_steps_make_what_loads_and_a_deletion_leaves_it(
    world: World, cloudformation: CloudFormation
) -> None:
    first = {"Step": "integration", "AccessRoleArn": world.access_role_arn}
    second = {"Step": "objects", "Contents": "digest"}

    integration = cloudformation.request("Create", first)
    assert integration["Status"] == "SUCCESS", integration
    assert integration["Data"].keys() == {"IamUserArn", "ExternalId", "SnsUserArn"}
    for kind in ("Create", "Update"):
        answer = cloudformation.request(kind, second)
        assert answer["Status"] == "SUCCESS", answer

    handled = dataset("handled")
    world.load(handled, ['{"id":1}'])
    for properties in (second, first):
        assert cloudformation.request("Delete", properties)["Status"] == "SUCCESS"
    assert world.view(handled, "ID") == [(1,)]


def test_snowflake_being_away_fails_a_creation_and_no_deletion(
    cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNOWFLAKE_USER", "SOMEBODY_UNKNOWN")
    monkeypatch.setenv("SNOWFLAKE_ENDPOINT_URL", "http://elsewhere.example.com")
    properties = {"Step": "objects"}

    answer = cloudformation.request("Create", properties)

    assert answer["Status"] == "FAILED"
    assert "SNOWFLAKE_ENDPOINT_URL" in answer["Reason"]
    assert cloudformation.request("Delete", properties)["Status"] == "SUCCESS"


def test_the_clock_of_the_account_follows_the_replay(world: World) -> None:
    try:
        world.snowflake.set_clock(datetime(2013, 6, 1, 12, tzinfo=UTC))
        flights = dataset("clocked")
        world.admin.query(
            f"CREATE TABLE IF NOT EXISTS {names.raw_table(DATABASE, flights.name)} "
            "(A NUMBER)"
        )
        ((text, now),) = world.admin.query(
            "SELECT 'CURRENT_TIMESTAMP', CURRENT_TIMESTAMP()"
        )
    finally:
        world.snowflake.set_clock(datetime.now(UTC))
    assert text == "CURRENT_TIMESTAMP"
    assert isinstance(now, datetime)
    assert 0 <= (now - datetime(2013, 6, 1, 12, tzinfo=UTC)).total_seconds() < 60
