"""Relations made of what the data shows, and records that a contract refuses, on the
embedded stack: from the API to the table, and from the bus to the relation.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.landing.names import QUARANTINE
from lambdas.core.landing.quarantine import quarantined_from_line
from local.loopback import Answer, Asked, LoopbackServer
from local.stack import ROOT, EmbeddedStack, Project
from project.environment_file import read_project
from tests.datasets import a_dataset
from tests.local.conftest import STORY_STARTS
from tests.local.embedded_world import World, fabric_of

HOUR = timedelta(hours=1)


@dataclass
class CatApi:
    """Answers each path with the records that a test has put there."""

    records: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    url: str = ""

    def release(self, until: object) -> None:
        """Rows appear when a test says so."""


@pytest.fixture(scope="module")
def api() -> Iterator[CatApi]:
    api = CatApi()

    def answer(asked: Asked) -> Answer:
        return Answer(body=json.dumps(api.records[asked.path.strip("/")]).encode())

    with LoopbackServer(answer) as server:
        api.url = server.url
        yield api


def of_the_api(api: CatApi, name: str, **changes: object) -> Dataset:
    source: dict[str, Any] = {
        "client": {"base_url": api.url},
        "endpoint": {
            "path": name,
            "paginator": {"type": "single_page"},
            "incremental": {"cursor_path": "seen"},
        },
    }
    return a_dataset(name=name, source=source, **changes)


@pytest.fixture(scope="module")
def world(
    api: CatApi, synthesized: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("columns")
    environment, _ = read_project(ROOT, "dev")
    datasets = {
        "cats": of_the_api(api, "cats"),
        "dogs": of_the_api(
            api,
            "dogs",
            columns={"id": "integer", "name": "string"},
            contract={"columns": "discard_row", "data_type": "discard_value"},
            table={"materialized": "dynamic_table", "target_lag": "1 hour"},
        ),
    }
    project = Project(environment=environment, catalogue=Catalogue(datasets=datasets))
    with EmbeddedStack(
        project=project, assembly=synthesized, folder=folder, start=STORY_STARTS
    ) as stack:
        yield World(
            root=ROOT,
            stack=stack,
            upstream=api,  # type: ignore[arg-type]  # what a world asks of one
            now=STORY_STARTS,
            fabric=fabric_of(stack, now=STORY_STARTS, duplicate_messages=True),
        )


@pytest.fixture(scope="module")
def drifted(world: World) -> str:
    """The URL of a queue that hears of drift, as another system would."""
    sqs, events = (world.stack.cloud.client(name) for name in ("sqs", "events"))
    url = sqs.create_queue(QueueName="drift")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    pattern = {"source": ["catflap"], "detail-type": ["dataset.columns_changed"]}
    events.put_rule(
        Name="drift", EventBusName="catflap-dev", EventPattern=json.dumps(pattern)
    )
    target = {"Id": "drift", "Arn": arn["Attributes"]["QueueArn"]}
    events.put_targets(Rule="drift", EventBusName="catflap-dev", Targets=[target])
    return str(url)


def pull(world: World, dataset: str) -> None:
    world.move(world.now + HOUR)
    world.send(dataset)
    world.fabric.drain(world.now)


def relation(world: World, columns: str, dataset: str = "CATS") -> list[Any]:
    name = f"{world.stack.project.environment.snowflake.database}.ANALYTICS.{dataset}"
    return world.stack.warehouse(f"SELECT {columns} FROM {name} ORDER BY 1")


def heard(world: World, url: str) -> list[tuple[str, str, str]]:
    sqs = world.stack.cloud.client("sqs")
    found = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
        "Messages", []
    ):
        for message in messages:
            detail = json.loads(message["Body"])["detail"]
            found.append((detail["change"], detail["column"], detail["id"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def made(world: World) -> int:
    """How often the function that makes relations was woken."""
    return sum(one.function == "warehouse" for one in world.stack.host.invocations)


def test_a_relation_follows_the_data(world: World, api: CatApi, drifted: str) -> None:
    api.records["cats"] = [{"id": 1, "seen": 1, "name": "Tom", "wild": False}]
    pull(world, "cats")
    assert world.stack.failures() == []
    assert relation(world, "ID, SEEN, NAME, WILD") == [(1, 1, "Tom", False)]
    assert heard(world, drifted) == []

    odd = 'fur"; DROP TABLE'
    api.records["cats"] += [
        {"id": 2, "seen": 2.5, "name": 7, "wild": None, odd: "red", "Name": "x"}
    ]
    pull(world, "cats")
    assert world.stack.failures() == []
    quoted = '"' + odd.replace('"', '""') + '"'
    assert relation(world, f"ID, SEEN, NAME, WILD, {quoted}, NAME_2") == [
        (1, 1.0, "Tom", False, None, None),
        (2, 2.5, "7", None, "red", "x"),
    ]
    told = heard(world, drifted)
    assert sorted(one[:2] for one in told) == [
        ("changed_type", "seen"),
        ("new_column", "Name"),
        ("new_column", odd),
    ]
    assert len({one[2] for one in told}) == 3

    before = made(world)
    api.records["cats"] += [{"id": 3, "seen": 3, "name": "Kit", "Name": "y"}]
    pull(world, "cats")
    assert len(relation(world, "ID")) == 3
    assert sorted(one[:2] for one in heard(world, drifted)) == [
        ("missing_column", odd),
        ("missing_column", "wild"),
    ]
    assert made(world) == before
    api.records["cats"] += [{"id": 4, "seen": 4, "name": "Kat", "Name": "z"}]
    pull(world, "cats")
    assert (heard(world, drifted), made(world)) == ([], before)


def test_refused_records_wait_in_the_bucket_and_a_dynamic_table_shows_the_others(
    world: World, api: CatApi
) -> None:
    api.records["dogs"] = [
        {"id": 1, "seen": 1, "name": "Rex"},
        {"id": 2, "seen": 1, "name": "Bo", "tail": True},
        {"id": "three", "seen": 1, "name": "Ace"},
    ]
    pull(world, "dogs")
    assert world.stack.failures() == []
    assert relation(world, "ID, NAME", "DOGS") == [(1, "Rex")]
    (run, *_) = world.state().latest_runs("dogs", 1)
    assert (run.rows, run.quarantined) == (1, 2)
    s3 = world.stack.cloud.client("s3")
    listed = s3.list_objects_v2(Bucket=world.stack.bucket(), Prefix=QUARANTINE)
    lines = [
        quarantined_from_line(line)
        for item in listed["Contents"]
        for line in gzip.decompress(
            s3.get_object(Bucket=world.stack.bucket(), Key=item["Key"])["Body"].read()
        ).splitlines()
    ]
    assert [(line.column, line.landed) for line in lines] == [
        ("tail", False),
        ("id", False),
    ]
