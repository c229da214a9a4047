"""The function from outside: its environment in, counters and a heartbeat out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from lambdas.adapters import catalogue, clients
from lambdas.adapters.environment import SystemClock
from lambdas.core.dataset import Catalogue, catalogue_to_json
from lambdas.core.settings import FreshnessSettings
from lambdas.freshness import handler, wiring
from tests.aws import a_state_table
from tests.datasets import a_dataset
from tests.watched import FakeTable, FakeWarehouse

CONTEXT: Any = SimpleNamespace(
    aws_request_id="r-1", get_remaining_time_in_millis=lambda: 300_000
)
PROMISE = {"error_after": {"count": 6, "period": "hour"}}


@pytest.fixture
def queue(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The function's surroundings; gives the queue that reads both topics."""
    del aws
    caches = (clients.client, catalogue.published, wiring._secrets)
    for cache in caches:
        cache.cache_clear()
    a_state_table(region="us-east-1")
    boto3.client("s3").create_bucket(Bucket="landing")
    publish(Catalogue(datasets={"cats": a_dataset(freshness=PROMISE)}))
    boto3.client("events").create_event_bus(Name="catflap")
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    topics = {}
    for name in ("engineers", "stakeholders"):
        topics[name] = sns.create_topic(Name=name)["TopicArn"]
        sns.subscribe(
            TopicArn=topics[name],
            Protocol="sqs",
            Endpoint=arn["Attributes"]["QueueArn"],
        )
    known = FreshnessSettings(
        snowflake_account="a",
        snowflake_user="u",
        snowflake_role="r",
        snowflake_warehouse="w",
        snowflake_database="DB",
        state_table="state",
        landing_bucket="landing",
        catalogue_key="catalogue/1.json",
        event_bus="catflap",
        engineers_topic_arn=topics["engineers"],
        stakeholders_topic_arn=topics["stakeholders"],
    )
    for name, value in known.to_environment().items():
        monkeypatch.setenv(name, value)
    yield queue
    for cache in caches:
        cache.cache_clear()


def publish(catalogue: Catalogue) -> None:
    boto3.client("s3").put_object(
        Bucket="landing",
        Key="catalogue/1.json",
        Body=catalogue_to_json(catalogue).encode(),
    )


def a_warehouse(monkeypatch: pytest.MonkeyPatch, age: timedelta) -> FakeWarehouse:
    then = SystemClock().now() - age
    warehouse = FakeWarehouse({"cats": FakeTable(then, then)})
    monkeypatch.setattr(wiring, "warehouse", lambda: warehouse)
    return warehouse


def heartbeats(output: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [line for line in lines if "CatflapHeartbeat" in line]


def test_a_late_dataset_reaches_both_topics_and_the_heart_beats(
    queue: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a_warehouse(monkeypatch, timedelta(hours=9))
    event = {"reason": "schedule", "due_at": "2026-11-23T09:00:00Z"}
    counts = handler.handle(event, CONTEXT)
    assert json.loads(json.dumps(counts)) == counts
    assert (counts["datasets"], counts["suspects"], counts["waiting"]) == (1, 1, 0)
    sqs = boto3.client("sqs")
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    told = [json.loads(message["Body"])["Subject"] for message in answer["Messages"]]
    assert len(told) == 2
    assert "cats is late" in told
    (beat,) = heartbeats(capsys.readouterr().out)
    (metric,) = beat["_aws"]["CloudWatchMetrics"]
    assert metric["Namespace"] == "catflap"
    # The alarm looks at the metric without dimensions.
    assert metric["Dimensions"] == [[]]


def test_no_heart_beats_for_a_check_that_failed(
    queue: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del queue
    a_warehouse(monkeypatch, timedelta(hours=9))
    boto3.client("dynamodb").delete_table(TableName="state")
    with pytest.raises(Exception, match="ResourceNotFound"):
        handler.handle({}, CONTEXT)
    assert heartbeats(capsys.readouterr().out) == []


def test_a_warm_function_that_has_nothing_due_asks_the_warehouse_nothing(
    queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del queue
    warehouse = a_warehouse(monkeypatch, timedelta(hours=1))
    assert handler.handle({}, CONTEXT)["statements"] == 1
    assert handler.handle({}, CONTEXT)["statements"] == 0
    assert warehouse.statements == 1


def test_a_dataset_that_a_deploy_adds_is_known_to_a_warm_function(
    queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del queue
    a_warehouse(monkeypatch, timedelta(hours=1))
    assert handler.handle({}, CONTEXT)["datasets"] == 1
    added = a_dataset(name="dogs", freshness=PROMISE)
    publish(Catalogue(datasets={"cats": a_dataset(freshness=PROMISE), "dogs": added}))
    assert handler.handle({}, CONTEXT)["datasets"] == 2
