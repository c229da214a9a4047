"""What is lost comes back by the commands of docs/disaster.md, compared by content."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from lambdas.core.landing.names import RAW
from lambdas.core.names import pulls_queue_name
from lambdas.core.pull.message import PullRequest
from local.scenarios.comparison import canonical, released
from local.trial.kept_state import KeptMoment, KeptState
from tests.local.embedded_world import FRESHNESS, World
from tests.local.shell import Shell

HOUR = timedelta(hours=1)


def database(world: World) -> str:
    return world.stack.project.environment.snowflake.database


def raw_rows(world: World, dataset: str) -> Counter[bytes]:
    rows = world.stack.warehouse(
        f"SELECT PAYLOAD FROM {database(world)}.RAW.{dataset.upper()}"
    )
    return Counter(canonical(orjson.loads(row[0])) for row in rows)


def shown_rows(world: World, dataset: str) -> Counter[str]:
    """The relation, but for when each row was loaded."""
    rows = world.stack.warehouse(
        f"SELECT * FROM {database(world)}.ANALYTICS.{dataset.upper()}"
    )
    return Counter(str(row[:-1]) for row in rows)


def messages_of(world: World, dataset: str) -> list[dict[str, str | None]]:
    """What waits to be pulled, hidden or not."""
    return [one for one in world.stack.cloud.messages() if one["group"] == dataset]


def is_whole(world: World, dataset: str) -> bool:
    return world.compared(dataset).is_same


def administrate(world: World, script: str) -> None:
    """Run a script as an administrator pastes it."""
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    statements = [one.strip() for one in "\n".join(lines).split(";\n")]
    known = world.stack.project.environment.snowflake
    world.stack.snowflake.administer(
        [one.rstrip(";") for one in statements if one.strip(" ;\n")],
        role=known.admin.role,
        warehouse=known.warehouse,
    )


def state_keys(world: World) -> Iterator[dict[str, Any]]:
    dynamodb = world.stack.cloud.client("dynamodb")
    table = world.function(FRESHNESS).environment["STATE_TABLE"]
    for page in dynamodb.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            yield {"pk": item["pk"], "sk": item["sk"]}


def lose_state(world: World) -> None:
    dynamodb = world.stack.cloud.client("dynamodb")
    table = world.function(FRESHNESS).environment["STATE_TABLE"]
    for key in list(state_keys(world)):
        dynamodb.delete_item(TableName=table, Key=key)


@pytest.fixture
def lived(embedded: World) -> World:
    """The stack after two more hours of pulls."""
    embedded.advance(2 * HOUR)
    assert is_whole(embedded, "flights")
    assert is_whole(embedded, "weather")
    return embedded


def test_lost_tables_come_back_with_all_their_rows(lived: World, shell: Shell) -> None:
    before = {name: shown_rows(lived, name) for name in ("flights", "weather")}
    for name in before:
        lived.stack.warehouse(f"DROP TABLE {database(lived)}.RAW.{name.upper()}")
    lived.advance(HOUR)  # what lands meanwhile waits for the table

    code, script, err = shell("restore-sql", "flights", "weather", "--rows")
    assert code == 0, err
    administrate(lived, script)
    code, out, err = shell("replay", "flights", "weather")

    assert code == 0, out + err
    lived.fabric.drain(lived.now)
    for name, rows in before.items():
        assert rows <= shown_rows(lived, name)
        assert is_whole(lived, name)
    lived.advance(HOUR)
    assert is_whole(lived, "flights")
    assert is_whole(lived, "weather")


def test_a_lost_bucket_loses_no_row_of_the_tables_and_its_versions_come_back(
    lived: World, shell: Shell
) -> None:
    s3, bucket = lived.stack.cloud.client("s3"), lived.stack.bucket()
    before = {name: raw_rows(lived, name) for name in ("flights", "weather")}
    objects = s3.list_objects_v2(Bucket=bucket)["Contents"]
    for one in objects:
        s3.delete_object(Bucket=bucket, Key=one["Key"])

    assert {name: raw_rows(lived, name) for name in before} == before

    # docs/disaster.md: remove the delete markers
    for one in s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]:
        if one["IsLatest"]:
            s3.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
    again = s3.list_objects_v2(Bucket=bucket)["Contents"]
    contents = {(one["Key"], one["ETag"]) for one in again}
    assert {(one["Key"], one["ETag"]) for one in objects} <= contents
    lived.advance(HOUR)
    code, out, err = shell("replay", "flights", "weather")
    assert code == 0, out + err
    lived.fabric.drain(lived.now)
    assert is_whole(lived, "flights")
    assert is_whole(lived, "weather")


def test_a_stack_goes_on_from_what_was_kept_of_it(lived: World, tmp_path: Path) -> None:
    kept = KeptState(tmp_path / "state")
    table = lived.function(FRESHNESS).environment["STATE_TABLE"]
    before = {name: raw_rows(lived, name) for name in ("flights", "weather")}
    moment = KeptMoment(now=lived.now, is_real=False)
    sqs = lived.stack.cloud.client("sqs")
    queue = sqs.get_queue_url(QueueName=pulls_queue_name("dev"))["QueueUrl"]
    sqs.send_message(
        QueueUrl=queue,
        MessageBody=PullRequest(dataset="flights", reason="manual").model_dump_json(),
        MessageGroupId="flights",
        MessageDeduplicationId="asked",
    )
    # as one whose pull failed, which is hidden until it is tried again
    sqs.receive_message(QueueUrl=queue, VisibilityTimeout=900)
    waiting = messages_of(lived, "flights")
    assert len(waiting) == 1
    with kept.held():
        kept.save(lived.stack, moment, table=table, is_last=True)
        keys = sorted(map(str, state_keys(lived)))
        s3, bucket = lived.stack.cloud.client("s3"), lived.stack.bucket()
        for one in s3.list_objects_v2(Bucket=bucket, Prefix=RAW)["Contents"]:
            s3.delete_object(Bucket=bucket, Key=one["Key"])
        lose_state(lived)
        for name in before:
            lived.stack.warehouse(f"DELETE FROM {database(lived)}.RAW.{name.upper()}")
        sqs.purge_queue(QueueUrl=queue)
        assert kept.moment() == moment
        kept.restore(lived.stack, table=table, now=lived.now)

    assert sorted(map(str, state_keys(lived))) == keys
    assert messages_of(lived, "flights") == waiting
    lived.fabric.drain(lived.now)
    assert {name: raw_rows(lived, name) for name in before} == before
    lived.advance(HOUR)
    assert is_whole(lived, "flights")
    assert is_whole(lived, "weather")


# the last: the raw table of flights has rows twice afterwards
def test_a_lost_state_repeats_no_row_once_the_cursor_is_set(
    lived: World, shell: Shell
) -> None:
    lose_state(lived)

    query = "select max(time_hour) from analytics.weather"
    code, out, err = shell("sql", query, "--json")
    assert code == 0, err
    ((cursor,),) = json.loads(out)["rows"]
    code, out, err = shell("reset", "weather", "--cursor", cursor)
    assert code == 0, err
    lived.advance(HOUR)

    # merge shows each key once, whatever comes again
    upstream = released(lived.upstream.tables["flights"])
    ids = f"SELECT ID FROM {database(lived)}.ANALYTICS.FLIGHTS"
    shown = Counter(row[0] for row in lived.stack.warehouse(ids))
    assert shown == dict.fromkeys(upstream, 1)
    # append keeps what comes again: the rows that stand at the cursor itself
    weather = raw_rows(lived, "weather")
    twice = {row for row, count in weather.items() if count > 1}
    assert set(weather) == set(released(lived.upstream.tables["weather"]).values())
    assert {json.loads(row)["time_hour"] for row in twice} <= {cursor}
