"""Everything is delivered twice: messages to functions, events of the bucket."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import unquote_plus

import pytest

from lambdas.core.pull.run import RunStatus
from tests.local.embedded_world import PULL, World, fabric_of

DATASETS = ("flights", "weather")


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A second reader of what the bucket announces."""

    world: World
    queue_url: str

    def announced(self) -> Mapping[str, int]:
        """How often each key was announced as a completed upload or a put."""
        sqs = self.world.stack.cloud.client("sqs")
        counts: Counter[str] = Counter()
        while messages := sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10
        ).get("Messages", []):
            for message in messages:
                event = json.loads(json.loads(message["Body"])["Message"])
                for record in event.get("Records", []):
                    key = unquote_plus(record["s3"]["object"]["key"])
                    counts[f"{record['eventName']} {key}"] += 1
        return counts


@pytest.fixture(scope="module")
def witness(embedded: World) -> Witness:
    cloud = embedded.stack.cloud
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="witness")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    (topic,) = (
        one
        for one in embedded.stack.deployment.physical_ids("AWS::SNS::Topic")
        if "-landing-" in one
    )
    cloud.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"]
    )
    return Witness(world=embedded, queue_url=url)


@pytest.fixture(scope="module")
def lived(embedded: World, witness: Witness) -> World:
    """Five hours in which everything came twice."""
    assert witness.announced() == {}
    embedded.stack.cloud.duplicate_events(on=True)
    embedded.fabric = fabric_of(
        embedded.stack, now=embedded.now, duplicate_messages=True
    )
    embedded.advance(timedelta(hours=5))
    return embedded


def test_each_message_came_twice_and_was_worked_on_once(lived: World) -> None:
    ticks = lived.fabric.counters.wake_ups
    assert ticks == 10
    assert lived.fabric.counters.invocations == 2 * ticks
    for dataset in DATASETS:
        runs = lived.state().latest_runs(dataset, limit=100)
        assert [run.status for run in runs] == [RunStatus.LANDED] * 5
    # The second copy was seen for what it is.
    assert lived.log(PULL).count("nothing to do") == ticks


def test_each_event_came_twice_and_each_file_was_loaded_once(
    lived: World, witness: Witness
) -> None:
    announced = witness.announced()
    for key in lived.objects("flights") + lived.objects("weather"):
        assert announced[f"ObjectCreated:CompleteMultipartUpload {key}"] == 2
    database = lived.stack.project.environment.snowflake.database
    for dataset in DATASETS:
        loaded = lived.stack.warehouse(
            f"SELECT _FILE, _ROW FROM {database}.RAW.{dataset.upper()}"
        )
        assert len(set(loaded)) == len(loaded) > 20
    runs = lived.stack.warehouse(f"SELECT COUNT(*) FROM {database}.RAW._RUNS")
    assert runs == [(lived.fabric.counters.wake_ups,)]


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_table_is_upstreams_row_for_row(lived: World, dataset: str) -> None:
    comparison = lived.compared(dataset)
    assert comparison.upstream > 20
    assert comparison.faults == ()
    assert comparison.upstream == comparison.landed == comparison.table


def test_a_tick_that_comes_again_hours_later_lands_nothing(lived: World) -> None:
    before = lived.objects("flights")
    lived.send("flights", due_at=lived.now - timedelta(hours=3))
    assert lived.wait(timedelta(minutes=1)) == 1
    assert lived.stack.failures() == []
    assert lived.objects("flights") == before
