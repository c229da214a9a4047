"""What Snowpipe remembers, over weeks: with a fake AWS and a real DuckDB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

import duckdb
import pytest
from snowflake.connector.errors import ProgrammingError

from local.snowflake.account import Account, Pipe, Stage, StorageIntegration
from local.snowflake.aws_side import Arrival, PermissionMissing, SnowflakeAws, _arrivals
from local.snowflake.snowpipe import Snowpipe

TOPIC = "arn:aws:sns:eu-west-1:123456789012:landed"
NOW = datetime(2013, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class FakeAws:
    """A bucket, and the arrivals that will be told next."""

    queue_arn = "arn:aws:sqs:eu-west-1:1:queue"

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.coming: list[Arrival] = []
        self.is_admitted = True

    def arrivals(self) -> Iterator[tuple[Arrival, ...]]:
        coming, self.coming = self.coming, []
        yield from ((arrival,) for arrival in coming)

    def read(self, _: object, bucket: str, key: str, now: datetime) -> bytes | None:
        assert bucket == "landing"
        assert now >= NOW
        if not self.is_admitted:
            raise PermissionMissing(key)
        return self.objects[key][0] if key in self.objects else None

    def listing(
        self, _: object, __: Stage, path: str, ___: datetime
    ) -> list[tuple[str, datetime]]:
        return [
            (key, written)
            for key, (_, written) in sorted(self.objects.items())
            if key.startswith(path)
        ]

    def put(self, key: str, body: bytes, now: datetime, *, told: bool = True) -> None:
        self.objects[key] = (body, now)
        if told:
            arrival = Arrival(topic_arn=TOPIC, bucket="landing", key=key)
            self.coming.append(arrival)


class Bench:
    def __init__(self) -> None:
        self.aws = FakeAws()
        self.duck = duckdb.connect()
        self.duck.execute("ATTACH ':memory:' AS DB; CREATE SCHEMA DB.RAW")
        self.duck.execute("CREATE SCHEMA DB._fs_information_schema")
        self.duck.execute("CREATE TABLE DB.RAW.T (PAYLOAD JSON, _FILE VARCHAR)")
        account = Account()
        account.integrations["I"] = StorageIntegration(
            name="I",
            role_arn="arn",
            external_id="x",
            iam_user_arn="arn",
            allowed_locations=("s3://landing/",),
            enabled=True,
        )
        account.stages["DB.RAW.S"] = Stage(
            name="DB.RAW.S", bucket="landing", prefix="", integration="I"
        )
        self.pipe = account.pipes["DB.RAW.P"] = Pipe(
            name="DB.RAW.P",
            copy_text="COPY INTO DB.RAW.T (PAYLOAD, _FILE) FROM (SELECT $1, "
            "METADATA$FILENAME FROM @DB.RAW.S/raw/t/) FILE_FORMAT = (TYPE = JSON)",
            table="DB.RAW.T",
            stage="DB.RAW.S",
            path="raw/t/",
            topic_arn=TOPIC,
            owner="ADMIN",
            created_at=NOW,
        )
        self.snowpipe = Snowpipe(
            account=account,
            aws=cast("SnowflakeAws", self.aws),
            connection=self.duck,
            translate=lambda select, _: select,
        )

    def rows(self) -> int:
        found = self.duck.execute("SELECT COUNT(*) FROM DB.RAW.T").fetchone()
        assert found is not None
        return int(found[0])

    def statuses(self) -> list[str]:
        table = "DB._fs_information_schema._catflap_loads"
        return [
            str(row[0])
            for row in self.duck.execute(f"SELECT STATUS FROM {table}").fetchall()
        ]


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.duck.close()


def test_a_name_is_forgotten_after_14_days(bench: Bench) -> None:
    for days in (0, 13, 15):
        bench.aws.put("raw/t/a.ndjson", b"{}", NOW + days * DAY)
        bench.snowpipe.deliver(NOW + days * DAY)

    assert bench.rows() == 2


def test_events_told_twice_load_once(bench: Bench) -> None:
    bench.aws.put("raw/t/a.ndjson", b"{}", NOW)
    bench.aws.put("raw/t/a.ndjson", b"{}", NOW)

    assert bench.snowpipe.deliver(NOW) == 1
    assert bench.rows() == 1


def test_a_pipe_takes_only_what_lies_below_its_path(bench: Bench) -> None:
    bench.aws.put("raw/tt/a.ndjson", b"{}", NOW)
    bench.aws.put("manifests/t/a.ndjson", b"{}", NOW)

    assert bench.snowpipe.deliver(NOW) == 0


def test_a_refresh_reaches_back_seven_days_and_skips_what_it_knows(
    bench: Bench,
) -> None:
    bench.aws.put("raw/t/known.ndjson", b"{}", NOW)
    bench.aws.put("raw/t/failed.ndjson", b"{", NOW)
    bench.snowpipe.deliver(NOW)
    bench.aws.put("raw/t/old.ndjson", b"{}", NOW - 8 * DAY, told=False)
    bench.aws.put("raw/t/unheard.ndjson", b"{}", NOW, told=False)

    assert bench.snowpipe.refresh(bench.pipe, "", NOW) == ["raw/t/unheard.ndjson"]
    bench.snowpipe.deliver(NOW)

    assert bench.statuses() == ["Loaded", "Load failed", "Loaded"]


def test_a_pipe_paused_for_over_14_days_wants_force(bench: Bench) -> None:
    bench.snowpipe.pause(bench.pipe, paused=True, now=NOW, force=False)
    late = NOW + 15 * DAY

    with pytest.raises(ProgrammingError, match="PIPE_FORCE_RESUME"):
        bench.snowpipe.pause(bench.pipe, paused=False, now=late, force=False)
    assert bench.pipe.state == "PAUSED"

    bench.snowpipe.pause(bench.pipe, paused=False, now=late, force=True)
    assert bench.pipe.state == "RUNNING"


def test_an_object_that_is_gone_fails_its_load(bench: Bench) -> None:
    bench.aws.put("raw/t/a.ndjson", b"{}", NOW)
    bench.aws.objects.clear()

    bench.snowpipe.deliver(NOW)

    assert bench.statuses() == ["Load failed"]


@pytest.mark.parametrize(
    "body", [b"\xff\xfe{}", b'{"a":1}\n{"a"', b'{"a":1}}', b"\x1f\x8b\x08broken"]
)
def test_what_is_not_json_fails_and_the_next_file_loads(
    bench: Bench, body: bytes
) -> None:
    bench.aws.put("raw/t/a.ndjson", body, NOW)
    bench.aws.put("raw/t/b.ndjson", b'{"a":1}\n\n{"a":2}\n', NOW)

    bench.snowpipe.deliver(NOW)

    assert bench.statuses() == ["Load failed", "Loaded"]
    assert bench.rows() == 2


def continuing(bench: Bench, on_error: str = "CONTINUE") -> None:
    bench.pipe.copy_text += f" ON_ERROR = {on_error}"


def test_on_error_continue_loads_what_precedes_the_error_and_skips_the_rest(
    bench: Bench,
) -> None:
    continuing(bench)
    bench.aws.put("raw/t/a.ndjson", b'{"a":1}\n{"a":2}\n{"a"\n{"a":4}\n', NOW)

    bench.snowpipe.deliver(NOW)

    history = bench.duck.execute(
        "SELECT STATUS, ROW_PARSED, ROW_COUNT, ERROR_COUNT, FIRST_ERROR_LINE_NUMBER, "
        "FIRST_ERROR_MESSAGE FROM DB._fs_information_schema._catflap_loads"
    ).fetchall()
    (row,) = history
    assert row[:5] == ("Partially loaded", 3, 2, 1, 3)
    assert "Error parsing JSON" in row[5]
    assert bench.rows() == 2
    ingested = json.loads(bench.snowpipe.status(bench.pipe))["lastIngestedFilePath"]
    assert ingested == "raw/t/a.ndjson"


@pytest.mark.parametrize(
    ("on_error", "body", "status", "rows"),
    [
        ("CONTINUE", b'{"a"\n{"a":2}\n', "Load failed", 0),
        ("CONTINUE", b'{"a":1}\n{"a":2}\n', "Loaded", 2),
        ("'continue'", b'{"a":1}\n{"a"\n', "Partially loaded", 1),
        ("SKIP_FILE", b'{"a":1}\n{"a"\n', "Load failed", 0),
    ],
)
def test_what_a_file_becomes_depends_on_on_error(
    bench: Bench, on_error: str, body: bytes, status: str, rows: int
) -> None:
    continuing(bench, on_error)
    bench.aws.put("raw/t/a.ndjson", body, NOW)

    bench.snowpipe.deliver(NOW)

    assert (bench.statuses(), bench.rows()) == ([status], rows)


def test_an_on_error_that_is_not_kept_to_is_refused(bench: Bench) -> None:
    with pytest.raises(ProgrammingError, match="SKIP_FILE_10"):
        bench.snowpipe.check(f"{bench.pipe.copy_text} ON_ERROR = SKIP_FILE_10")


def test_a_refused_bucket_stops_the_pipe_with_its_files(bench: Bench) -> None:
    bench.aws.put("raw/t/a.ndjson", b"{}", NOW)
    bench.aws.is_admitted = False

    assert bench.snowpipe.deliver(NOW) == 0

    status = json.loads(bench.snowpipe.status(bench.pipe))
    assert status["executionState"] == "STALLED_STAGE_PERMISSION_ERROR"
    assert status["pendingFileCount"] == 1
    assert status["oldestFileTimestamp"] == "2013-01-01T00:00:00.000Z"


def test_a_table_that_is_gone_stops_the_pipe_with_its_files(bench: Bench) -> None:
    bench.duck.execute("ALTER TABLE DB.RAW.T RENAME TO AWAY")
    bench.aws.put("raw/t/a.ndjson", b"{}", NOW)

    assert bench.snowpipe.deliver(NOW) == 0
    assert bench.pipe.state == "STOPPED_MISSING_TABLE"

    bench.duck.execute("ALTER TABLE DB.RAW.AWAY RENAME TO T")
    bench.snowpipe.pause(bench.pipe, paused=False, now=NOW, force=False)
    assert bench.snowpipe.deliver(NOW) == 1
    assert bench.rows() == 1


def test_messages_are_read_as_s3_writes_them() -> None:
    record = {
        "eventName": "ObjectCreated:CompleteMultipartUpload",
        "s3": {"bucket": {"name": "b"}, "object": {"key": "raw/t/dt%3D1/a+b%C3%A9"}},
    }
    removed = record | {"eventName": "ObjectRemoved:Delete"}
    envelope = {
        "TopicArn": TOPIC,
        "Message": json.dumps({"Records": [record, removed]}),
    }
    test_event = envelope | {"Message": json.dumps({"Event": "s3:TestEvent"})}

    assert list(_arrivals(json.dumps(envelope))) == [
        Arrival(topic_arn=TOPIC, bucket="b", key="raw/t/dt=1/a bé")
    ]
    assert list(_arrivals(json.dumps(test_event))) == []
