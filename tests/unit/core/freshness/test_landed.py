from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.freshness.landed import (
    READ_EVERY,
    is_confirmed,
    may_tell,
    table_of,
)
from lambdas.core.freshness.watch import Watch, promise_hash
from lambdas.core.loading.status import PipeNow
from lambdas.core.pull.run import Run, RunStatus
from tests.datasets import a_dataset

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CATS = a_dataset(
    name="cats",
    source={
        "client": {"base_url": "https://api.example.com/"},
        "endpoint": {
            "path": "cats",
            "incremental": {"cursor_path": "at", "initial_value": "2026-01-01"},
        },
    },
    freshness={
        "loaded_at_field": "at",
        "warn_after": {"count": 3, "period": "hour"},
        "error_after": {"count": 6, "period": "hour"},
    },
)
FILE = "20261123T110000.000Z-000000000001-00001.ndjson.gz"
WATCH = Watch(
    dataset="cats",
    checked_at=NOW - timedelta(hours=2),
    promise=promise_hash(CATS),
    state="pass",
    cause=None,
    next_look_at=NOW,
    newest_at=NOW - timedelta(hours=3),
    newest_loaded_at=NOW - timedelta(hours=2),
    row_count=5,
    read_at=NOW - timedelta(hours=2),
    change_mark=7,
)
RUN = Run(
    dataset="cats",
    run_id="20261123T110000.000Z-000000000001",
    status=RunStatus.LANDED,
    started_at=NOW - timedelta(hours=1),
    finished_at=NOW - timedelta(minutes=59),
    rows=3,
    size=100,
    objects=1,
    pages=1,
    requests=1,
    retries=0,
    cursor_before=None,
    cursor_after="2026-11-23T10:30:00Z",
    newest_key=f"raw/cats/g1/dt=2026-11-23/{FILE}",
)
EMPTY = dataclasses.replace(RUN, rows=0, newest_key=None)
PIPE = PipeNow(
    state="RUNNING",
    pending=0,
    last_ingested=FILE,
    last_ingested_at=NOW - timedelta(minutes=58),
)


def test_what_landed_and_was_taken_tells_how_new_the_table_is() -> None:
    assert may_tell(CATS, WATCH, now=NOW)
    table = table_of(CATS, WATCH, [EMPTY, RUN], PIPE, now=NOW)
    assert table is not None
    assert table.newest_event_at == datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
    assert table.newest_loaded_at == PIPE.last_ingested_at


def test_a_load_that_was_seen_is_not_told_as_another_by_the_pipes_later_time() -> None:
    loaded_at = NOW - timedelta(minutes=59)
    at = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
    watch = dataclasses.replace(WATCH, newest_at=at, newest_loaded_at=loaded_at)
    table = table_of(CATS, watch, [RUN], PIPE, now=NOW)
    assert table is not None
    assert table.newest_loaded_at == loaded_at


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "warn"},
        {"incident_id": "cats-1"},
        {"cause": "pull_failed"},
        {"promise": "another"},
        {"read_at": None},
        {"read_at": NOW - READ_EVERY},
        {"first_load_over": False},
    ],
)
def test_it_does_not_tell_of_what_was_not_well_or_not_read(
    changes: dict[str, object],
) -> None:
    watch = dataclasses.replace(WATCH, **changes)  # type: ignore[arg-type]  # fields by name
    assert not may_tell(CATS, watch, now=NOW)


def test_it_does_not_tell_where_the_promise_is_about_another_time() -> None:
    other = CATS.model_copy(
        update={
            "freshness": CATS.freshness.model_copy(update={"loaded_at_field": "seen"})
        }
    )
    watch = dataclasses.replace(WATCH, promise=promise_hash(other))
    assert not may_tell(other, watch, now=NOW)


@pytest.mark.parametrize(
    "pipe",
    [
        dataclasses.replace(PIPE, state="PAUSED"),
        dataclasses.replace(PIPE, pending=1),
        dataclasses.replace(PIPE, last_ingested=None),
        dataclasses.replace(PIPE, last_ingested="20261123T100000.000Z-0-00001.gz"),
        dataclasses.replace(PIPE, last_ingested="20261123T113000.000Z-0-00001.gz"),
    ],
)
def test_a_pipe_that_did_not_take_the_newest_file_last_tells_nothing(
    pipe: PipeNow,
) -> None:
    assert table_of(CATS, WATCH, [RUN], pipe, now=NOW) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"status": RunStatus.COMMITTING},
        {"quarantined": 1},
        {"objects": 2},
        {"cursor_before": RUN.cursor_after},
        {"cursor_after": None},
        {"cursor_after": "2026-11-23T12:30:00Z"},
        {"cursor_after": "no time"},
    ],
)
def test_a_run_that_did_not_land_all_or_is_of_the_future_tells_nothing(
    changes: dict[str, object],
) -> None:
    run = dataclasses.replace(RUN, **changes)  # type: ignore[arg-type]  # fields by name
    assert table_of(CATS, WATCH, [run], PIPE, now=NOW) is None
    assert table_of(CATS, WATCH, [EMPTY], PIPE, now=NOW) is None


@pytest.mark.parametrize(
    ("remembered", "mark", "confirmed"),
    [
        (7, 8, True),
        (7, 7, False),
        (8, 7, False),  # made anew
        (None, 8, False),
        (7, None, False),
    ],
)
def test_newer_rows_are_confirmed_by_a_table_that_changed_since_the_last_look(
    remembered: int | None, mark: int | None, *, confirmed: bool
) -> None:
    watch = dataclasses.replace(WATCH, change_mark=remembered)
    table = table_of(CATS, watch, [RUN], PIPE, now=NOW)
    assert table is not None
    assert is_confirmed(watch, table, mark) is confirmed


def test_what_was_seen_when_the_table_was_read_needs_no_second_witness() -> None:
    table = table_of(CATS, WATCH, [RUN], PIPE, now=NOW)
    assert table is not None
    seen = dataclasses.replace(WATCH, newest_at=table.newest_event_at)
    assert is_confirmed(seen, table, 7)
    assert not is_confirmed(dataclasses.replace(WATCH, newest_at=None), table, 7)
