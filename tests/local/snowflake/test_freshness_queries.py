"""What the monitor reads, through the real connector, from the embedded Snowflake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lambdas.adapters.landing.newest import LandedListing
from lambdas.adapters.signals.collect import Collector, Sources
from lambdas.adapters.signals.own_side import LandingSource, LoadSource
from lambdas.adapters.signals.pipe import PipeSource
from lambdas.adapters.signals.tables import TableReader
from lambdas.core.diagnosis.evidence import landing_signals, load_signals, pipe_signals
from lambdas.core.sql import names
from tests.local.snowflake.world import (
    BUCKET,
    DATABASE,
    READER,
    READER_ROLE,
    STARTED,
    World,
    dataset,
)
from tests.watched import FakePull, FakeSources, FakeUpstream

GRACE = timedelta(minutes=15)


def test_tables_are_read_as_the_reader_and_one_that_is_gone_blinds_no_other(
    world: World,
) -> None:
    kept, gone, ahead = (dataset(f"watch_{name}") for name in ("kept", "gone", "ahead"))
    world.make(kept, gone, ahead)
    now = datetime.now(UTC)
    year = timedelta(days=365)
    world.load(kept, ['{"id":1,"time_hour":"2013-01-01T05:00:00Z"}', '{"id":2}'])
    world.load(
        ahead,
        [
            '{"id":1,"time_hour":"2013-01-01T05:00:00Z"}',
            f'{{"id":2,"time_hour":"{(now + year).isoformat()}"}}',
        ],
    )
    all_of_them = [each.name for each in (kept, gone, ahead)]
    warehouse = world.warehouse(READER, READER_ROLE)

    def read() -> dict[str, object]:
        reader = TableReader(
            warehouse=warehouse,
            database=DATABASE,
            datasets=all_of_them,
            skew=timedelta(minutes=5),
        )
        found = reader.read(all_of_them, now=datetime.now(UTC))
        one = found["watch_kept"]
        assert one.newest_event_at == STARTED
        assert (one.row_count, one.null_event_rows) == (2, 1)
        assert one.newest_loaded_at is not None
        assert found["watch_ahead"].future_rows == 1
        assert found["watch_ahead"].newest_event_at == STARTED
        return {name: table.read for name, table in found.items()}

    assert read() == dict.fromkeys(all_of_them, "ok")
    world.admin.query(f"DROP TABLE {names.raw_table(DATABASE, gone.name)}")
    try:
        assert read() == {
            "watch_kept": "ok",
            "watch_gone": "missing",
            "watch_ahead": "ok",
        }
    finally:
        world.make(kept, gone, ahead)
        warehouse.close()


def test_a_paused_pipe_is_seen_by_all_that_watch_it(world: World) -> None:
    flights = dataset("watch_paused")
    world.make(flights)
    loaded_key = world.load(flights, ['{"id":1,"time_hour":"2013-01-01T05:00:00Z"}'])
    world.admin.query(
        f"ALTER PIPE {world.pipe(flights)} SET PIPE_EXECUTION_PAUSED = TRUE"
    )
    started_at = datetime.now(UTC)
    waiting_key = world.load(flights, ['{"id":2}'], started_at=started_at)
    warehouse = world.warehouse(READER, READER_ROLE)
    fakes = FakeSources()
    listing = LandedListing(s3=world.cloud.client("s3"), bucket=BUCKET)
    sources = Sources(
        upstream=FakeUpstream(fakes),
        pull=FakePull(fakes),
        landing=LandingSource(listing=listing),
        load=LoadSource(warehouse=warehouse, database=DATABASE),
        pipe=PipeSource(warehouse=warehouse, database=DATABASE),
    )
    # Signed in first, as a check is: its threads share one connection.
    assert warehouse.query("SELECT 1")
    now = datetime.now(UTC)
    found = Collector(sources=sources, threads=8, timeout_s=600).collect(
        [flights], now=now
    )["watch_paused"]
    warehouse.close()

    assert found.load is not None
    assert [item.file.rpartition("/")[2] for item in found.load] == [
        loaded_key.rpartition("/")[2]
    ]
    loads = load_signals(found.load, table_loaded_at=None)
    assert (loads.status, loads.rows_loaded) == ("Loaded", 1)
    pipe = pipe_signals(found.pipe, found.landing, found.load, now=now)
    assert (pipe.state, pipe.covers_newest_key) == ("PAUSED", True)
    landing = landing_signals(
        found.landing,
        found.load,
        None,
        now=now + timedelta(hours=1),
        grace=GRACE,
        table_loaded_at=None,
    )
    assert (landing.newest_key, landing.unloaded) == (waiting_key, 1)
    assert loads.last_loaded_at is not None
    assert landing.newest_object_at is not None
    assert landing.newest_object_at > loads.last_loaded_at
