"""Through the real connector, over HTTP, to the embedded Snowflake and AWS."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.errors import ObjectMissing, WarehouseError
from lambdas.core.landing.names import (
    new_pull_id,
    new_run_id,
    run_id_of,
    segment_run_id,
)
from lambdas.core.sql import (
    copy_history,
    freshness_query,
    freshness_views,
    future_rows_query,
)
from lambdas.core.sql.freshness import HISTORY_COLUMNS
from tests.local.snowflake.conftest import ROLE_NAME, allow_reading
from tests.local.snowflake.world import BUCKET, DATABASE, STARTED, World, dataset

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def history(world: World, name: str) -> list[dict[str, object]]:
    rows = world.admin.query(copy_history(DATABASE, name, LONG_AGO))
    return [dict(zip(HISTORY_COLUMNS, row, strict=True)) for row in rows]


def test_an_object_lands_in_the_table_with_where_it_came_from(world: World) -> None:
    flights = dataset("landed")
    world.make(flights)
    record = '{"id":1,"time_hour":"2013-01-01T05:00:00Z","n":12345678901234567890123}'

    key = world.load(flights, [record])

    columns = "PAYLOAD, _EVENT_AT, _FILE, _ROW, _RUN_ID, _EXTRACTED_AT"
    assert world.rows(flights, columns) == [
        (record, STARTED, key, 1, run_id_of(key), STARTED)
    ]
    assert world.view(flights, "ID, DEP_DELAY, TIME_HOUR") == [(1, None, STARTED)]
    (load,) = history(world, "landed")
    assert load["FILE_NAME"] == key
    assert (load["STATUS"], load["ROW_COUNT"], load["ROW_PARSED"]) == ("Loaded", 1, 1)
    assert world.status(flights)["executionState"] == "RUNNING"


def test_one_bad_row_keeps_the_whole_file_out_and_is_remembered(world: World) -> None:
    flights = dataset("bad_row")
    world.make(flights)

    world.load(flights, ['{"id":1}', '{"id":', '{"id":3}'])

    assert world.rows(flights) == [(0,)]
    (load,) = history(world, "bad_row")
    assert (load["STATUS"], load["ROW_COUNT"], load["ROW_PARSED"]) == (
        "Load failed", 0, 3,
    )  # fmt: skip
    assert load["FIRST_ERROR_LINE_NUMBER"] == 2
    assert "JSON" in str(load["FIRST_ERROR_MESSAGE"])

    world.admin.query(f"ALTER PIPE {world.pipe(flights)} REFRESH")
    world.snowflake.deliver()

    assert len(history(world, "bad_row")) == 1


def test_a_name_is_loaded_once_whatever_it_holds_by_then(world: World) -> None:
    flights = dataset("once")
    world.make(flights)
    run = new_run_id(STARTED, b"once!!")

    world.load(flights, ['{"id":1}'], run_id=run)
    world.load(flights, ['{"id":1}', '{"id":2}'], run_id=run)

    assert world.rows(flights, "PAYLOAD") == [('{"id":1}',)]


def test_a_paused_pipe_keeps_what_it_is_told(world: World) -> None:
    flights = dataset("paused")
    world.make(flights)
    world.admin.query(
        f"ALTER PIPE {world.pipe(flights)} SET PIPE_EXECUTION_PAUSED = TRUE"
    )

    world.load(flights, ['{"id":1}'])

    status = world.status(flights)
    assert (status["executionState"], status["pendingFileCount"]) == ("PAUSED", 1)
    assert "oldestFileTimestamp" in status
    assert world.rows(flights) == [(0,)]

    world.admin.query(
        f"ALTER PIPE {world.pipe(flights)} SET PIPE_EXECUTION_PAUSED = FALSE"
    )
    world.snowflake.deliver()

    assert world.rows(flights) == [(1,)]
    assert world.status(flights)["pendingFileCount"] == 0


def test_a_new_pipe_loads_what_landed_before_it(world: World) -> None:
    flights = dataset("early")
    world.land(flights, ['{"id":1}'])
    world.snowflake.deliver()

    world.make(flights)
    world.snowflake.deliver()
    world.make(flights)
    world.snowflake.deliver()

    assert world.rows(flights) == [(1,)]


def test_making_everything_twice_changes_nothing(world: World) -> None:
    flights = dataset("twice")
    world.make(flights)
    world.load(flights, ['{"id":1}'])
    before = world.provisioner().make_integration(world.access_role_arn)

    world.make(flights)

    assert world.provisioner().make_integration(world.access_role_arn) == before
    assert world.rows(flights) == [(1,)]
    assert len(history(world, "twice")) == 1


def test_a_merge_view_keeps_the_newest_of_each_key(world: World) -> None:
    flights = dataset("merged", write_disposition="merge")
    world.make(flights)
    world.load(flights, ['{"id":1,"dep_delay":5}', '{"id":2,"dep_delay":7}'])
    world.load(
        flights,
        ['{"id":1,"dep_delay":6.5}', '{"id":1,"dep_delay":6.25}'],
        started_at=STARTED + timedelta(hours=1),
    )

    assert world.view(flights, "ID, DEP_DELAY") == [(1, 6.25), (2, 7.0)]
    assert world.rows(flights) == [(4,)]


def test_a_replayed_object_never_wins_over_newer_rows(world: World) -> None:
    flights = dataset("replayed", write_disposition="merge")
    world.make(flights)
    old = world.load(flights, ['{"id":1,"dep_delay":1}', "not JSON"])
    world.load(
        flights, ['{"id":1,"dep_delay":2}'], started_at=STARTED + timedelta(hours=1)
    )

    world.load(flights, ['{"id":1,"dep_delay":1}'], run_id=run_id_of(old), part=90_001)

    assert world.rows(flights) == [(2,)]
    assert world.view(flights, "ID, DEP_DELAY") == [(1, 2.0)]


def test_replace_shows_the_newest_run_that_is_whole(world: World) -> None:
    flights = dataset("replaced", write_disposition="replace")
    world.make(flights)
    whole, half = (new_run_id(STARTED + timedelta(hours=h), b"replac") for h in (0, 1))
    world.load(flights, ['{"id":1}', '{"id":2}'], run_id=whole)
    world.load(flights, ['{"id":3}'], run_id=half)
    for run, rows in ((whole, 2), (half, 2)):
        world.cloud.client("s3").put_object(
            Bucket=BUCKET,
            Key=f"runs/replaced/{run}.json",
            Body=json.dumps({"rows": rows}).encode(),
        )
    world.snowflake.deliver()

    assert world.view(flights, "ID") == [(1,), (2,)]

    world.load(flights, ['{"id":4}'], run_id=half, part=2)

    assert world.view(flights, "ID") == [(3,), (4,)]


def test_replace_by_a_pull_in_segments_shows_all_of_them_or_none(world: World) -> None:
    flights = dataset("segmented", write_disposition="replace")
    world.make(flights)
    old, *segments = (
        new_run_id(STARTED + timedelta(hours=h), b"segmen") for h in range(4)
    )
    world.load(flights, ['{"id":1}'], run_id=old)
    tell_of(world, "segmented", old, rows=1)
    for number, run in enumerate(segments[:2], 1):
        world.load(flights, [f'{{"id":1{number}}}'], run_id=run)
        told = {"pull_id": segments[0], "segment": number, "is_last": False}
        tell_of(world, "segmented", run, rows=1, **told)
        assert world.view(flights, "ID") == [(1,)]
    told = {"pull_id": segments[0], "segment": 3, "is_last": True}
    tell_of(world, "segmented", segments[2], rows=1, **told)
    assert world.view(flights, "ID") == [(1,)]

    world.load(flights, ['{"id":13}'], run_id=segments[2])

    assert world.view(flights, "ID") == [(11,), (12,), (13,)]


def test_replace_by_a_pull_of_no_rows_shows_none(world: World) -> None:
    flights = dataset("emptied", write_disposition="replace")
    world.make(flights)
    full, empty = (new_run_id(STARTED + timedelta(hours=h), b"emptie") for h in (0, 1))
    world.load(flights, ['{"id":1}'], run_id=full)
    tell_of(world, "emptied", full, rows=1)
    assert world.view(flights, "ID") == [(1,)]

    tell_of(world, "emptied", empty, rows=0)

    assert world.view(flights, "ID") == []


def tell_of(world: World, name: str, run: str, **told: object) -> None:
    world.cloud.client("s3").put_object(
        Bucket=BUCKET, Key=f"runs/{name}/{run}.json", Body=json.dumps(told).encode()
    )
    world.snowflake.deliver()


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        ('"2013-01-01T05:00:00Z"', STARTED),
        ('"2013-01-01 06:00:00.000+0100"', STARTED),
        ("1357016400", STARTED),
        ("1357016400000", STARTED),
        ('"2013-01-01T05:00:00"', None),
        ('"2013-13-01T05:00:00Z"', None),
        ('"yesterday"', None),
        ("null", None),
    ],
)
def test_an_event_time_is_an_instant_or_null(
    world: World, written: str, understood: datetime | None
) -> None:
    flights = dataset("times")
    world.make(flights)
    key = world.load(flights, [f'{{"id":1,"time_hour":{written}}}'])

    table = f"{DATABASE}.RAW.TIMES"
    found = world.admin.query(f"SELECT _EVENT_AT FROM {table} WHERE _FILE = ?", [key])
    assert found == [(understood,)]


def test_a_naive_time_is_read_in_its_declared_zone(world: World) -> None:
    endpoint = {
        "path": "x",
        "incremental": {"cursor_path": "time_hour", "timezone": "America/New_York"},
    }
    flights = dataset("zoned", source={"endpoint": endpoint})
    world.make(flights)

    world.load(flights, ['{"id":1,"time_hour":"2013-01-01T00:00:00"}'])

    assert world.rows(flights, "_EVENT_AT") == [(STARTED,)]
    assert world.view(flights, "TIME_HOUR") == [(STARTED,)]


def test_freshness_counts_rows_null_times_and_rows_from_the_future(
    world: World,
) -> None:
    flights, quiet = dataset("watched"), dataset("quiet")
    world.make(flights, quiet)
    world.load(
        flights,
        [
            '{"time_hour":"2013-01-01T05:00:00Z"}',
            '{"time_hour":"2999-01-01T00:00:00Z"}',
            '{"time_hour":"soon"}',
        ],
    )

    ((view, members),) = freshness_views(DATABASE, ["watched", "quiet"]).items()
    rows = world.admin.query(freshness_query(view, members))
    by_name = {row[0]: (row[1], *row[3:]) for row in rows}
    far = datetime(2999, 1, 1, tzinfo=UTC)
    assert by_name == {"watched": (far, 3, 2), "quiet": (None, 0, 0)}
    assert all(row[2] is not None for row in rows if row[0] == "watched")

    after = STARTED + timedelta(days=1)
    beyond = world.admin.query(future_rows_query(DATABASE, ["watched"], after))
    assert beyond == [("watched", 1, STARTED)]


def test_a_role_that_may_not_read_stalls_the_pipe_and_loses_nothing(
    world: World,
) -> None:
    flights = dataset("unreadable")
    world.make(flights)
    world.cloud.client("iam").delete_role_policy(RoleName=ROLE_NAME, PolicyName="read")
    try:
        world.load(flights, ['{"id":1}'])
        status = world.status(flights)
        assert status["executionState"] == "STALLED_STAGE_PERMISSION_ERROR"
        assert status["pendingFileCount"] == 1
        with pytest.raises(WarehouseError, match="still cannot"):
            world.make(flights)
    finally:
        allow_reading(world.cloud)
    world.admin.query(
        f"ALTER PIPE {world.pipe(flights)} SET PIPE_EXECUTION_PAUSED = FALSE"
    )
    world.snowflake.deliver()
    assert world.rows(flights) == [(1,)]


def test_one_dataset_that_cannot_be_made_keeps_no_other_from_it(world: World) -> None:
    good = dataset("good")
    bad = dataset("bad", columns={"_file": "string"})

    with pytest.raises(WarehouseError, match=r"bad: .*_FILE is taken"):
        world.make(bad, good)

    assert world.rows(good) == [(0,)]


def test_an_unknown_table_is_missing(world: World) -> None:
    with pytest.raises(ObjectMissing, match="2003"):
        world.admin.query(f"SELECT 1 FROM {DATABASE}.RAW.NO_SUCH_TABLE")


def test_a_dataset_may_be_called_by_a_reserved_word(world: World) -> None:
    order = dataset("order", columns={"select": "integer", "We ird": "string"})
    world.make(order)

    world.load(order, ['{"select":7,"We ird":"yes"}'])

    assert world.view(order, '"SELECT", "We ird"') == [(7, "yes")]


LOG = [
    '{"id":1,"dep_delay":3,"time_hour":"2013-01-01T05:03:00Z"}',
    '{"id":1,"dep_delay":2,"time_hour":"2013-01-01T05:03:00Z"}',
    '{"id":1,"dep_delay":1,"time_hour":"2013-01-01T05:01:00Z"}',
]
"""A row's versions, newest first."""


@pytest.mark.parametrize(
    ("name", "order", "field", "shown"),
    [
        ("log_desc", "desc", "time_hour", 3.0),
        ("log_asc", "asc", "time_hour", 2.0),
        ("log_unsaid", None, "time_hour", 2.0),
        ("log_numbers", "desc", "n", 3.0),
    ],
)
def test_of_a_change_log_the_newest_version_shows(
    world: World, name: str, order: str | None, field: str, shown: float
) -> None:
    flights = dataset(
        name,
        write_disposition="merge",
        source={
            "endpoint": {
                "path": "flights.json",
                "incremental": {"cursor_path": field, "row_order": order},
            }
        },
    )
    world.make(flights)
    first = new_pull_id(STARTED, None, b"random")
    second = segment_run_id(first, 2, b"random")
    numbered = [
        line.replace('"time_hour"', f'"n":"{number}","time_hour"')
        for line, number in zip(LOG, (100, 100, 99), strict=True)
    ]
    world.load(flights, numbered[:1], run_id=first)
    world.load(flights, numbered[1:], run_id=second)

    assert world.view(flights, "ID, DEP_DELAY") == [(1, shown)]
