"""From what was found to signals."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.core.diagnosis.evidence import (
    DeployedSchedule,
    PipeReport,
    PullFacts,
    landing_signals,
    load_signals,
    pipe_signals,
    pull_signals,
)
from lambdas.core.diagnosis.signals import Landing, LastRun, Load, Pipe
from lambdas.core.errors import RunErrorKind
from lambdas.core.landing.names import raw_key
from lambdas.core.loading.objects import LandedObject, LandedObjects, LoadRecord
from lambdas.core.pull.run import CursorPosition, DatasetState, Run, RunError, RunStatus
from lambdas.core.sql import generation
from tests.datasets import a_dataset
from tests.watched import HOUR, NOW

DATASET = a_dataset()
GENERATION = generation(DATASET)
GRACE = timedelta(minutes=15)
CURSOR = {"cursor_path": "at"}
ASKING = {"path": "cats", "params": {"since": "{incremental.start_value}"}}


def run_id(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03d}Z-0123456789ab"


def landed(*ages: timedelta, gen: int = GENERATION) -> LandedObjects:
    objects = []
    for age in ages:
        at = NOW - age
        key = raw_key("cats", gen, run_id(at), 1)
        objects.append(LandedObject(key=key, modified_at=at.replace(microsecond=0)))
    return LandedObjects(objects=tuple(objects))


def loaded(item: LandedObject, age: timedelta, **changes: object) -> LoadRecord:
    record = LoadRecord(
        file=item.key.removeprefix("raw/"),
        status="Loaded",
        rows_loaded=5,
        rows_parsed=5,
        first_error=None,
        loaded_at=NOW - age,
    )
    return dataclasses.replace(record, **changes)  # type: ignore[arg-type]  # fields by name


def signals(
    found: LandedObjects | None,
    loads: list[LoadRecord] | None,
    table_loaded_at: datetime | None = None,
) -> Landing:
    return landing_signals(
        found, loads, None, now=NOW, grace=GRACE, table_loaded_at=table_loaded_at
    )


def a_run(status: RunStatus, age: timedelta, **changes: object) -> Run:
    run = Run(
        dataset="cats",
        run_id=run_id(NOW - age),
        status=status,
        started_at=NOW - age,
        finished_at=NOW - age + timedelta(seconds=40),
        rows=7,
        size=1,
        objects=1,
        pages=1,
        requests=1,
        retries=0,
        cursor_before=None,
        cursor_after=None,
    )
    return dataclasses.replace(run, **changes)  # type: ignore[arg-type]  # fields by name


def pulled(*runs: Run, version: int = 3, cursor: str | None = None) -> PullFacts:
    state = DatasetState(
        dataset="cats", version=version, cursor=CursorPosition(value=cursor)
    )
    return PullFacts(state=state, runs=runs, schedule=DeployedSchedule(is_enabled=True))


def test_what_was_not_found_is_not_known() -> None:
    assert signals(None, None) == Landing()
    assert load_signals(None, table_loaded_at=NOW) == Load()
    assert pipe_signals(None, None, None, now=NOW) == Pipe()
    assert pull_signals(DATASET, None, now=NOW, grace=GRACE).last_run == LastRun()


def test_a_bucket_with_nothing_in_it_is_empty() -> None:
    assert signals(LandedObjects(objects=()), []) == Landing(empty=True, unloaded=0)


def test_an_object_past_grace_without_a_record_is_unloaded() -> None:
    found = landed(5 * HOUR, 2 * HOUR, timedelta(minutes=5))
    first = [loaded(found.objects[0], 4 * HOUR)]
    assert signals(found, first).unloaded == 1
    assert signals(found, []).unloaded == 2
    assert signals(found, None).unloaded is None


def test_what_waits_behind_a_young_object_is_told_with_its_own_time() -> None:
    found = landed(5 * HOUR, 2 * HOUR, timedelta(minutes=5))
    first = [loaded(found.objects[0], 4 * HOUR)]
    told = signals(found, first)
    assert told.newest_object_at == NOW - timedelta(minutes=5)
    assert told.overdue_at == NOW - 2 * HOUR
    every = [loaded(item, timedelta(minutes=1)) for item in found.objects]
    assert signals(found, every).overdue_at is None


def test_objects_from_before_the_history_are_not_held_against_it() -> None:
    found = landed(30 * HOUR, 5 * HOUR, 2 * HOUR)
    assert signals(found, [loaded(found.objects[1], 4 * HOUR)]).unloaded == 1
    # The pipe was made anew and its history is gone; the table shows what was loaded.
    assert signals(found, [], table_loaded_at=NOW - HOUR).unloaded == 0


def test_a_name_that_is_younger_than_its_load_was_written_again() -> None:
    found = landed(2 * HOUR)
    assert signals(found, [loaded(found.objects[0], HOUR)]).rewritten is False
    assert signals(found, [loaded(found.objects[0], 3 * HOUR)]).rewritten is True
    assert signals(found, None).rewritten is None


def test_an_object_is_never_older_than_the_run_that_made_it() -> None:
    # S3 counts whole seconds: 05:00:00.900 would land at 05:00:00, before its run.
    start = datetime(2026, 11, 23, 5, 0, 0, 900_000, tzinfo=UTC)
    key = raw_key("cats", GENERATION, run_id(start), 1)
    item = LandedObject(key=key, modified_at=start.replace(microsecond=0))
    assert item.landed_at == start


def test_the_newest_load_and_the_last_that_added_rows_may_be_two() -> None:
    found = landed(3 * HOUR, HOUR)
    failed = loaded(
        found.objects[1],
        HOUR,
        status="Load failed",
        rows_loaded=0,
        first_error="bad JSON",
    )
    told = load_signals(
        [failed, loaded(found.objects[0], 3 * HOUR)], table_loaded_at=None
    )
    assert (told.status, told.first_error) == ("Load failed", "bad JSON")
    assert told.last_loaded_at == NOW - 3 * HOUR


def test_no_record_is_none_only_where_the_table_shows_no_load_either() -> None:
    assert load_signals([], table_loaded_at=None).status == "none"
    told = load_signals([], table_loaded_at=NOW - 400 * HOUR)
    assert (told.status, told.last_loaded_at) == ("unknown", NOW - 400 * HOUR)


def test_a_pipe_covers_what_its_own_copy_reads() -> None:
    own = PipeReport(state="RUNNING", path=f"raw/cats/g{GENERATION}/")
    found = landed(HOUR)
    told = pipe_signals(own, found, [], now=NOW)
    assert (type(told), told.covers_newest_key) == (Pipe, True)
    elsewhere = PipeReport(state="RUNNING", path="raw/the_cats/")
    assert pipe_signals(elsewhere, found, [], now=NOW).covers_newest_key is False
    assert pipe_signals(own, None, [], now=NOW).covers_newest_key is None
    # What the pipe reads could not be asked: not known, and never taken for granted.
    for unasked in (PipeReport(state="RUNNING"), Pipe(state="RUNNING")):
        assert pipe_signals(unasked, found, [], now=NOW).covers_newest_key is None


def test_the_pace_of_a_pipe_is_that_of_the_last_hour() -> None:
    found = landed(HOUR)
    recent = [loaded(found.objects[0], timedelta(minutes=n)) for n in range(30)]
    paced = pipe_signals(Pipe(state="RUNNING"), found, recent, now=NOW)
    assert paced.files_per_minute == 0.5


def test_a_tick_that_no_run_answered_is_held_against_pulls_of_every_ten_minutes() -> (
    None
):
    # Due every 10 minutes and a grace of 15: the newest tick is never past grace.
    often = a_dataset(schedule={"cron": "0/10 * * * ? *", "timezone": "UTC"})
    dead = pulled(a_run(RunStatus.LANDED, 3 * HOUR))
    told = pull_signals(often, dead, now=NOW, grace=GRACE)
    assert told.last_due_at == NOW - timedelta(minutes=20)
    alive = pulled(a_run(RunStatus.LANDED, timedelta(minutes=9)))
    told = pull_signals(often, alive, now=NOW, grace=GRACE)
    assert told.last_due_at == NOW
    never = pull_signals(often, pulled(version=0), now=NOW, grace=GRACE)
    assert never.last_due_at == NOW - timedelta(minutes=20)


def test_the_schedule_tells_when_a_pull_was_due() -> None:
    told = pull_signals(DATASET, None, now=NOW, grace=GRACE)
    assert told.last_due_at == NOW - timedelta(minutes=55)
    assert told.next_due_at == NOW + timedelta(minutes=5)


def test_a_rate_tells_nothing_since_nobody_knows_where_it_began() -> None:
    told = pull_signals(
        a_dataset(schedule={"rate": "1 hour"}), None, now=NOW, grace=GRACE
    )
    assert (told.last_due_at, told.next_due_at) == (None, None)


def test_the_last_run_is_told_in_the_signals_words() -> None:
    error = RunError(kind=RunErrorKind.AUTH, message="401")
    cases = {
        RunStatus.LANDED: ("succeeded", None, 7),
        RunStatus.FAILED: ("failed", "auth", None),
        RunStatus.COMMITTING: ("running", None, None),
        RunStatus.RUNNING: ("running", None, None),
        RunStatus.VOIDED: ("failed", "internal", None),
    }
    for status, expected in cases.items():
        run = a_run(
            status,
            timedelta(minutes=5),
            error=error if status is RunStatus.FAILED else None,
        )
        last = pull_signals(DATASET, pulled(run), now=NOW, grace=GRACE).last_run
        assert (last.status, last.error, last.rows) == expected


def test_a_run_that_outlived_every_function_is_dead() -> None:
    run = a_run(RunStatus.RUNNING, timedelta(minutes=21), finished_at=None)
    last = pull_signals(DATASET, pulled(run), now=NOW, grace=GRACE).last_run
    assert (last.status, last.error) == ("failed", "internal")


def test_the_second_try_of_a_killed_pull_does_not_hide_that_one_was_killed() -> None:
    killed = a_run(RunStatus.RUNNING, timedelta(minutes=18), finished_at=None)
    second = a_run(RunStatus.RUNNING, timedelta(minutes=2), finished_at=None)
    told = pull_signals(DATASET, pulled(second, killed), now=NOW, grace=GRACE).last_run
    assert (told.status, told.error) == ("failed", "internal")
    assert told.started_at == second.started_at
    ended = dataclasses.replace(killed, status=RunStatus.FAILED)
    told = pull_signals(DATASET, pulled(second, ended), now=NOW, grace=GRACE).last_run
    assert told.status == "running"


def test_without_a_record_of_runs_only_a_state_nobody_wrote_means_never() -> None:
    never = pull_signals(DATASET, pulled(version=0), now=NOW, grace=GRACE)
    assert never.last_run.status == "never"
    assert (
        pull_signals(DATASET, pulled(version=3), now=NOW, grace=GRACE).last_run
        == LastRun()
    )


def test_a_usual_run_is_the_median_of_those_that_landed() -> None:
    runs = [
        a_run(
            RunStatus.LANDED,
            timedelta(hours=n),
            finished_at=NOW - timedelta(hours=n) + timedelta(seconds=took),
        )
        for n, took in enumerate((10, 20, 900), start=1)
    ]
    failed = a_run(RunStatus.FAILED, timedelta(minutes=1))
    told = pull_signals(DATASET, pulled(failed, *runs), now=NOW, grace=GRACE)
    assert told.usual_run_s == 20


def test_a_cursor_that_is_no_time_is_not_known_as_one() -> None:
    at = "2026-11-23T08:00:00+00:00"
    assert (
        pull_signals(DATASET, pulled(cursor=at), now=NOW, grace=GRACE).cursor_at
        == NOW - HOUR
    )
    for odd in ("abc", "2026-11-23T08:00:00", None):
        assert (
            pull_signals(DATASET, pulled(cursor=odd), now=NOW, grace=GRACE).cursor_at
            is None
        )


@pytest.mark.parametrize(
    ("statuses", "failures"),
    [
        ((), 0),
        (("landed", "failed"), 0),
        (("failed", "failed", "landed"), 2),
        (("running", "failed", "failed", "failed"), 3),
        (("running", "landed", "failed"), 0),
        (("voided", "failed"), 2),
    ],
)
def test_failed_pulls_are_counted_up_to_the_newest_or_before_one_that_runs(
    statuses: tuple[str, ...], failures: int
) -> None:
    runs = [
        a_run(RunStatus(status), number * timedelta(minutes=1))
        for number, status in enumerate(statuses, start=1)
    ]
    signals = pull_signals(DATASET, pulled(*runs), now=NOW, grace=GRACE)
    assert signals.failures_in_row == failures


@pytest.mark.parametrize(
    ("source", "rereads", "cursor_by"),
    [
        ({"endpoint": {"path": "cats"}}, True, None),
        ({"endpoint": {"path": "cats", "incremental": CURSOR}}, True, "event"),
        ({"endpoint": {**ASKING, "incremental": CURSOR}}, False, "event"),
        ({"endpoint": {**ASKING, "incremental": {**CURSOR, "lag": 60}}}, True, "event"),
        (
            {"endpoint": {**ASKING, "incremental": {"cursor_path": "id"}}},
            False,
            "other",
        ),
    ],
)
def test_what_a_pull_brings_again_by_its_nature_is_known(
    source: dict[str, Any],
    rereads: bool,  # noqa: FBT001 - a column of the table
    cursor_by: str | None,
) -> None:
    promise = {"loaded_at_field": "at", "warn_after": {"count": 3, "period": "hour"}}
    client = {"base_url": "http://127.0.0.1/"}
    dataset = a_dataset(source={"client": client, **source}, freshness=promise)
    told = pull_signals(dataset, pulled(), now=NOW, grace=GRACE)
    assert (told.rereads, told.cursor_by) == (rereads, cursor_by)
