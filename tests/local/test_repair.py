"""What lands and does not load is found and mended, without a row twice."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import orjson
import pytest

from lambdas.adapters.landing_bucket import LandingBucket
from lambdas.adapters.state_table import StateTable
from lambdas.core.commit import Committer
from lambdas.core.landing import new_run_id, raw_key, whole_milliseconds
from lambdas.core.relanding import GZIP
from lambdas.core.run import Run, RunStatus
from lambdas.core.sql import generation
from local.comparing import canonical, landed
from tests.local.embedded_world import World
from tests.memory import FakeClock, MemoryEvents

CHECK = timedelta(minutes=30)
"""How often the environment `dev` looks."""


def tables(world: World, dataset: str) -> list[str]:
    """The payloads of a raw table, sorted."""
    database = world.stack.project.environment.snowflake.database
    rows = world.stack.warehouse(
        f"SELECT PAYLOAD FROM {database}.RAW.{dataset.upper()}"
    )
    return sorted(str(row[0]) for row in rows)


def look(world: World) -> dict[str, Any]:
    """A tick of the schedule: the repair, then the check that tells of it."""
    world.now += CHECK  # upstream stays as it is
    world.stack.set_clock(world.now)
    found = world.repair()
    world.check()
    return found


def mails(world: World) -> list[Any]:
    """What was told of loads since the last look; that nobody pulls is told as well."""
    return [
        mail
        for mail in world.stack.topics.read()
        if "is late" not in mail.subject and "up to date" not in mail.subject
    ]


def is_whole(world: World, dataset: str) -> bool:
    """Whether the table has what has landed, by content and nothing twice."""
    found = [canonical(orjson.loads(line)) for line in tables(world, dataset)]
    bucket = world.stack.bucket()
    return Counter(found) == Counter(
        landed(world.stack.cloud.client("s3"), bucket, dataset)
    )


def land(world: World, dataset: str, lines: list[bytes]) -> str:
    """Land a run of one object by the commit protocol; its id."""
    now = whole_milliseconds(world.now)
    run_id = new_run_id(now, abs(hash(lines[0])).to_bytes(8)[:6])
    s3 = world.stack.cloud.client("s3")
    landing = LandingBucket(s3=s3, bucket=world.stack.bucket())
    key = raw_key(
        dataset, generation(world.stack.project.catalogue[dataset]), run_id, 1
    )
    writer = landing.open(key, run_id=run_id)
    compressor = zlib.compressobj(1, zlib.DEFLATED, GZIP)
    writer.write(compressor.compress(b"".join(line + b"\n" for line in lines)))
    writer.write(compressor.flush())
    pending = writer.finish(len(lines))
    state: StateTable = world.state()
    committer = Committer(
        landing=landing, state=state, events=MemoryEvents(), clock=FakeClock(world.now)
    )
    before = committer.read(dataset)
    run = Run(
        dataset=dataset,
        run_id=run_id,
        status=RunStatus.RUNNING,
        started_at=now,
        finished_at=None,
        rows=len(lines),
        size=pending.size,
        objects=1,
        pages=1,
        requests=1,
        retries=0,
        cursor_before=before.cursor.value,
        cursor_after=before.cursor.value,
        newest_key=key,
    )
    committer.commit(
        before,
        run,
        [pending],
        before.cursor,
        disposition=world.stack.project.catalogue[dataset].write_disposition,
        answered_until=before.last_success_started_at,
    )
    world.fabric.drain(world.now)
    return run_id


@pytest.fixture(scope="module")
def pulled(embedded: World) -> World:
    """A world in which the first pulls have landed and are loaded."""
    embedded.advance(timedelta(hours=2))
    embedded.check()
    for _ in range(2):
        look(embedded)
    mails(embedded)
    return embedded


def test_healthy_loads_are_settled_without_the_warehouse(pulled: World) -> None:
    pull(pulled)
    found = look(pulled)
    assert (found["awaited"], found["settled"], found["histories"]) == (1, 1, 0)
    assert look(pulled)["awaited"] == 0
    assert mails(pulled) == []


@contextmanager
def without_events(world: World) -> Iterator[None]:
    """The bucket tells nobody of what lands meanwhile: events are lost."""
    s3, bucket = world.stack.cloud.client("s3"), world.stack.bucket()
    told = s3.get_bucket_notification_configuration(Bucket=bucket)
    told.pop("ResponseMetadata", None)
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={}
    )
    try:
        yield
    finally:
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration=told
        )


def pull(world: World) -> None:
    world.move(world.now + timedelta(hours=1))
    world.send("flights")
    world.fabric.drain(world.now)


def test_a_lost_event_is_found_and_repaired_within_two_checks(pulled: World) -> None:
    look(pulled)
    with without_events(pulled):
        pull(pulled)
    assert not is_whole(pulled, "flights")

    first = look(pulled)
    assert (first["refreshed"], first["histories"]) == (1, 1)
    assert is_whole(pulled, "flights")
    second = look(pulled)
    assert second["settled"] == 1
    (mail,) = mails(pulled)
    assert "1 file that the pipe had not been told of" in mail.subject
    assert "[page]" not in mail.subject
    look(pulled)
    assert is_whole(pulled, "flights")
    assert mails(pulled) == []


def test_a_paused_pipe_is_told_with_its_command_and_never_resumed(
    pulled: World,
) -> None:
    pulled.stack.set_pipe_paused("flights", is_paused=True)
    pull(pulled)
    found = look(pulled)
    assert found["troubles"] == 1
    page = next(mail for mail in mails(pulled) if mail.subject.startswith("[page]"))
    assert "catflap replay flights" in page.body
    assert not is_whole(pulled, "flights")
    look(pulled)
    # it is said once
    assert [mail for mail in mails(pulled) if "loading:" in mail.subject] == []

    pulled.stack.set_pipe_paused("flights", is_paused=False)
    pulled.fabric.drain(pulled.now)
    assert is_whole(pulled, "flights")
    for _ in range(3):
        look(pulled)
    assert any("is over" in mail.subject for mail in mails(pulled))
    assert look(pulled)["troubles"] == 0


def test_a_dropped_subscription_is_worked_around_and_told_until_it_is_mended(
    pulled: World,
) -> None:
    sns = pulled.stack.cloud.client("sns")
    mails(pulled)
    (gone,) = [
        one
        for page in sns.get_paginator("list_subscriptions").paginate()
        for one in page["Subscriptions"]
        if "sf-snowpipe" in one["Endpoint"]
    ]
    sns.unsubscribe(SubscriptionArn=gone["SubscriptionArn"])
    pull(pulled)
    found = look(pulled)
    assert (found["refreshed"], found["troubles"]) == (1, 1)
    assert is_whole(pulled, "flights")
    (page,) = [m for m in mails(pulled) if "is not subscribed" in m.body]
    assert page.subject.startswith("[page]")
    assert "72 hours" in page.body

    pull(pulled)
    look(pulled)
    look(pulled)
    assert is_whole(pulled, "flights")
    # nothing new is said while it stands
    assert [m for m in mails(pulled) if "flights" in m.subject] == []

    sns.subscribe(TopicArn=gone["TopicArn"], Protocol="sqs", Endpoint=gone["Endpoint"])
    for _ in range(3):
        look(pulled)
    assert any("is over" in mail.subject for mail in mails(pulled))


BAD: dict[str, bytes] = {
    "a name stands twice": b'{"id":%d,"time_hour":"2013-01-01T13:00:00Z","x":1,"x":2}',
    "NUL": b'{"id":%d,"time_hour":"2013-01-01T13:00:00Z","x":"a\\u0000b"}',
    "half of a surrogate pair": b'{"id":%d,"x":"\\ud83d","time_hour":null}',
}


def test_three_bad_rows_of_a_thousand_go_to_quarantine_and_the_rest_is_loaded(
    pulled: World,
) -> None:
    before = tables(pulled, "weather")
    mails(pulled)
    lines = [
        orjson.dumps({"id": f"made-{number}", "time_hour": "2013-01-01T13:00:00Z"})
        for number in range(1_000)
    ]
    for place, bad in zip((10, 500, 999), BAD.values(), strict=True):
        lines[place] = bad % place
    run_id = land(pulled, "weather", lines)
    assert tables(pulled, "weather") == before

    assert look(pulled)["landed_again"] == 1
    loaded = tables(pulled, "weather")
    assert len(loaded) == len(before) + 997
    assert look(pulled)["settled"] >= 1
    told = [mail for mail in mails(pulled) if "refused" in mail.subject]
    (mail,) = told
    assert "weather: Snowflake refused 3 of 1,000 rows" in mail.subject
    for reason in BAD:
        assert reason in mail.body
    assert "catflap quarantine weather" in mail.body
    assert run_id in mail.body
    for _ in range(2):
        look(pulled)
    assert tables(pulled, "weather") == loaded
    assert [mail for mail in mails(pulled) if "weather" in mail.subject] == []
