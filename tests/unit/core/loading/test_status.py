"""What the records of loads say of objects, and when they are asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.landing.names import file_name, marked_key, new_run_id, raw_key
from lambdas.core.loading.objects import LoadRecord, LoadStatus
from lambdas.core.loading.status import (
    LONGEST_REST,
    Failed,
    PipeNow,
    StoredObject,
    loads_of,
    loads_whole_files,
    refresh_bounds,
    rest_after,
    seen_loaded,
    since_when,
)
from lambdas.core.pull.run import LandedRun

NOW = datetime(2013, 1, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
GRACE = timedelta(minutes=15)
TICK = timedelta(minutes=5)


def key(number: int = 1, *, at: datetime = NOW - HOUR) -> str:
    return raw_key("cats", 1, new_run_id(at, b"abcdef"), number)


def stored(name: str, *, age: timedelta = HOUR) -> StoredObject:
    return StoredObject(key=name, size=1, modified_at=NOW - age)


def record(name: str, status: LoadStatus, rows: int | None = 1) -> LoadRecord:
    return LoadRecord(
        file=name,
        status=status,
        rows_loaded=rows,
        rows_parsed=rows,
        first_error=None,
        loaded_at=NOW,
    )


def run(*, at: datetime = NOW - HOUR, part: str | None = None) -> LandedRun:
    return LandedRun(
        dataset="cats",
        run_id=new_run_id(at, b"abcdef"),
        newest_key=key(at=at),
        objects=1,
        landed_at=at + timedelta(minutes=10),
        part=part,
    )


def loads(*statuses: LoadStatus | None, age: timedelta = HOUR) -> tuple[int, int, int]:
    """How many of these objects wait, are missing, and have failed."""
    keys = [key(number) for number, _ in enumerate(statuses, 1)]
    records = {
        file_name(name): record(name, status)
        for name, status in zip(keys, statuses, strict=True)
        if status is not None
    }
    found = loads_of(
        [stored(name, age=age) for name in keys], records, now=NOW, grace=GRACE
    )
    return len(found.waiting), len(found.missing), len(found.failed)


@pytest.mark.parametrize("status", ["Load in progress", "unknown"])
def test_what_is_under_way_or_worded_anew_waits_and_is_never_reloaded(
    status: LoadStatus,
) -> None:
    """The first file may yet load: a second one would double its rows."""
    assert loads(status) == (1, 0, 0)


@pytest.mark.parametrize(
    "status", ["Load failed", "Partially loaded", "Load skipped", "none"]
)
def test_what_ended_without_its_rows_has_failed(status: LoadStatus) -> None:
    assert loads(status) == (0, 0, 1)


def test_what_no_record_names_is_missing_once_its_grace_is_over() -> None:
    assert loads(None, age=GRACE) == (1, 0, 0)
    assert loads(None, age=GRACE + timedelta(seconds=1)) == (0, 1, 0)
    assert loads("Loaded", None, "Load failed") == (0, 1, 1)


def reloaded(*statuses: LoadStatus, rows: int | None = 1) -> tuple[Failed, ...]:
    """An object and the names under which it was reloaded."""
    names = [key()] + [
        marked_key(key(), f"r{attempt}") for attempt in range(1, len(statuses))
    ]
    records = {
        file_name(name): record(name, status, rows)
        for name, status in zip(names, statuses, strict=True)
    }
    return loads_of(
        [stored(name) for name in reversed(names)], records, now=NOW, grace=GRACE
    ).failed


def test_an_object_is_loaded_if_any_of_its_names_is() -> None:
    assert reloaded("Load failed", "Loaded") == ()
    (failed,) = reloaded("Load failed", "Load failed")
    assert (failed.source.key, failed.attempt) == (key(), 1)
    assert failed.record.file == marked_key(key(), "r1")


def test_a_partial_load_that_names_no_count_has_loaded_no_row() -> None:
    """One row too many would be one that never lands."""
    (failed,) = reloaded("Partially loaded", rows=None)
    assert failed.loaded == ((0, 0),)
    assert failed.refused_line == 1


def test_only_partial_loads_have_rows_in_the_table() -> None:
    (failed,) = reloaded("Load failed", "Partially loaded", rows=3)
    assert failed.loaded == ((1, 3),)
    assert failed.refused_line == 4
    assert failed.name_of(0) == file_name(key())
    assert failed.name_of(1) == file_name(marked_key(key(), "r1"))


@pytest.mark.parametrize("checks", [0, 1, 3, 4, 10, 11, 1000])
def test_no_rest_is_longer_than_an_hour(checks: int) -> None:
    assert TICK <= rest_after(checks, every=TICK) <= LONGEST_REST
    assert timedelta(hours=1) == LONGEST_REST


def test_each_rest_is_twice_the_last_one() -> None:
    assert [rest_after(checks, every=TICK) // TICK for checks in range(4)] == [
        1, 2, 4, 8,
    ]  # fmt: skip


def test_a_rest_doubles_ten_times_and_no_more() -> None:
    second = timedelta(seconds=1)
    assert [rest_after(checks, every=second) // second for checks in (9, 10, 11)] == [
        512, 1024, 1024,
    ]  # fmt: skip


def test_the_history_is_asked_from_an_hour_before_the_oldest_run_began() -> None:
    old, young = run(at=NOW - 5 * HOUR), run()
    assert since_when([young, old], now=NOW) == NOW - 6 * HOUR
    part = run(at=NOW - 5 * HOUR, part="00001")
    assert since_when([part], now=NOW) == part.landed_at - HOUR


def test_the_history_is_asked_no_further_back_than_it_reaches() -> None:
    ancient = run(at=NOW - 100 * HOUR * 24)
    assert since_when([ancient, run()], now=NOW) == NOW - timedelta(days=13)


@pytest.mark.parametrize(
    ("copy", "is_whole"),
    [
        ("COPY INTO t FROM @s", True),
        ("COPY INTO t FROM @s ON_ERROR = SKIP_FILE", True),
        ("copy into t from @s on_error='skip_file'", True),
        ("COPY INTO t FROM @s ON_ERROR = SKIP_FILE_10", False),
        ("COPY INTO t FROM @s ON_ERROR=CONTINUE", False),
        ("COPY INTO t FROM @s ON_ERROR = ABORT_STATEMENT", False),
        ("COPY INTO t ON_ERROR = SKIP_FILE -- ON_ERROR = CONTINUE", False),
    ],
)
def test_a_pipe_loads_whole_files_if_it_skips_those_with_errors(
    copy: str, *, is_whole: bool
) -> None:
    assert loads_whole_files(copy) is is_whole


def test_a_pipes_word_settles_a_run_of_one_object_alone() -> None:
    pipe = PipeNow(state="RUNNING", pending=0, last_ingested=file_name(key()))
    assert seen_loaded(run(), pipe)
    two = LandedRun(
        dataset="cats", run_id="r", newest_key=key(), objects=2, landed_at=NOW
    )
    assert not seen_loaded(two, pipe)
    assert not seen_loaded(run(at=NOW - 2 * HOUR), pipe)


def test_a_refresh_reaches_every_day_and_the_oldest_object() -> None:
    days, after = refresh_bounds(
        [stored(key()), stored(key(at=NOW - 30 * HOUR), age=30 * HOUR)]
    )
    assert days == ("dt=2013-01-09/", "dt=2013-01-10/")
    assert after == NOW - 30 * HOUR - timedelta(minutes=1)
