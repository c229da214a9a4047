"""What a check finds is said in full, and when it looks again is exact."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from lambdas.core.landing.names import file_name, marked_key, run_key
from lambdas.core.loading.repair import Problem, Repair, RetryState
from lambdas.core.loading.status import MAX_REFRESHES, PipeNow
from lambdas.core.repair.reconciler import AT_WORK_FOR, RepairResult
from tests.unit.core.repair.test_reconciler import (
    DAY,
    GRACE,
    NOW,
    TICK,
    House,
    ingested,
    partly,
)

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
A_MOMENT_LESS = timedelta(seconds=30)


@pytest.fixture
def house() -> House:
    return House()


def problem(house: House) -> Problem:
    (found,) = house.watch.stand.values()
    return found


def said(house: House) -> tuple[str, str | None, str, str]:
    found = problem(house)
    return found.code, found.dataset, found.sentence, found.next_step


# what a person reads -----------------------------------------------------------------
def test_a_pipe_that_stands_is_named_with_what_resumes_it(house: House) -> None:
    house.land()
    house.snowflake.pipe = PipeNow(state="PAUSED", pending=1)
    house.check()
    assert said(house) == (
        "pipe_stopped",
        "cats",
        "files wait, but the pipe DB.RAW.CATS_G1 is PAUSED",
        (
            "unless on purpose: `catflap replay cats` resumes it and loads what waits; "
            "or by hand: `ALTER PIPE DB.RAW.CATS_G1 SET PIPE_EXECUTION_PAUSED = FALSE`"
        ),
    )
    assert problem(house).since == NOW + TICK


def test_a_pipe_that_does_not_answer_is_named_with_what_to_ask(house: House) -> None:
    house.land()
    house.snowflake.broken = {"DB.RAW.CATS_G1"}
    house.check()
    assert said(house) == (
        "load_unseen",
        "cats",
        "its pipe cannot be read, and we cannot see whether its files were loaded",
        (
            "ask `SELECT SYSTEM$PIPE_STATUS('DB.RAW.CATS_G1')`; deploy the warehouse "
            "stack if the pipe is gone"
        ),
    )
    assert house.watch.kept["cats.g1"].looks == 1


def test_files_that_refresh_did_not_bring_are_counted(house: House) -> None:
    key = house.land(parts=2)
    house.snowflake.brings = False
    for _ in range(20):
        house.check()
    assert said(house) == (
        "load_unseen",
        "cats",
        "2 files not loaded, and REFRESH did not help",
        (
            f"compare `DESC PIPE DB.RAW.CATS_G1` with {key}; if it is missing or "
            "another one, `catflap restore-sql cats` prints the SQL that makes it"
        ),
    )


def test_a_file_that_nobody_can_tell_of_is_named_with_its_day(house: House) -> None:
    key = house.land(age=20 * DAY)
    house.check()
    assert said(house) == (
        "load_unseen",
        "cats",
        f"{key} landed on 2012-12-21, and nothing shows whether it was ever loaded",
        (
            "compare its rows with the table; load it by hand only if none is there: a "
            "second load would double them"
        ),
    )


@pytest.mark.parametrize(
    ("rows", "attempts", "why"),
    [
        (True, 0, "the table has rows of this file"),
        (False, 3, "it was tried too many times"),
    ],
)
def test_a_file_that_is_given_up_says_why_and_what_to_do(
    house: House, *, rows: bool, attempts: int, why: str
) -> None:
    key = house.land()
    for name in (key, *(marked_key(key, f"r{one + 1}") for one in range(attempts))):
        house.snowflake.records[file_name(name)] = "Load failed"
        house.landing.objects[name] = house.landing.objects[key]
        house.modified[name] = house.modified[key]
    house.snowflake.rows = {file_name(key)} if rows else set()
    result = house.check()
    assert said(house) == (
        "load_failed",
        "cats",
        f"{key} fails to load and cannot be repaired automatically: {why}",
        (
            "COPY_HISTORY of DB.RAW.CATS has its error; fix the cause, then `catflap "
            "replay cats` reloads it"
        ),
    )
    assert (result.landed_again, result.troubles, result.failed) == (0, 1, 0)


def test_a_partial_load_that_is_given_up_says_so(house: House) -> None:
    key = house.land()
    partly(house, key)
    house.snowflake.first_rows = {}
    house.check()
    assert said(house) == (
        "load_partial",
        "cats",
        (
            f"{key} was loaded in part and cannot be repaired automatically: the "
            "table's rows of this file are not those that the load history reports"
        ),
        (
            "compare its rows with DB.RAW.CATS, by _FILE and _ROW, and load by hand "
            "what is missing: a reload might double the rest"
        ),
    )


def test_a_file_that_cannot_be_read_is_given_up_with_the_reason(house: House) -> None:
    key = house.land()
    for name in (key, marked_key(key, "r1"), marked_key(key, "r2")):
        house.snowflake.records[file_name(name)] = "Load failed"
        house.landing.objects[name] = house.landing.objects[key]
        house.modified[name] = house.modified[key]
    house.check()
    code, _, sentence, _ = said(house)
    assert code == "load_failed"
    assert "automatically: " in sentence
    assert "no row of it is known to be refused" in sentence


def test_who_is_told_nothing_is_named(house: House) -> None:
    house.land()
    house.prefixes = frozenset()
    house.check()
    assert said(house) == (
        "not_notified",
        None,
        "the bucket notifies nobody of objects under raw/, runs/",
        (
            "deploy the landing stack again: it sets the bucket's notifications; until "
            "then each check loads what has landed by REFRESH"
        ),
    )


def test_a_queue_that_is_not_subscribed_is_named(house: House) -> None:
    house.land()
    house.endpoints_ = frozenset({"another"})
    house.check()
    assert said(house) == (
        "not_notified",
        None,
        "Snowflake's queue queue is not subscribed to the topic",
        (
            "Snowflake subscribes again when a pipe is created 72 hours after the "
            "subscription went, or at once if the topic has another name: rename it, "
            "deploy the landing and warehouse stacks; until then each check loads what "
            "has landed by REFRESH"
        ),
    )
    # Nobody can tell whether it is back: so it stands.
    house.snowflake.broken = {"DB.RAW._RUNS"}
    stands = problem(house)
    house.check()
    house.check()
    assert list(house.watch.stand.values()) == [stands]


def test_a_pipe_that_names_no_queue_is_not_held_against_the_topic(house: House) -> None:
    house.land()
    house.endpoints_ = frozenset()
    house.snowflake.pipe = PipeNow(state="RUNNING", pending=0)
    house.check()
    assert house.codes() == []


# when it is looked at ----------------------------------------------------------------
def test_a_run_is_late_once_its_grace_is_over_and_not_before(house: House) -> None:
    house.land(age=GRACE)
    assert house.check(timedelta()).histories == 0
    assert house.check(SECOND).histories == 1


def test_a_pipe_at_work_is_left_alone_for_a_day(house: House) -> None:
    house.land(age=AT_WORK_FOR - SECOND)
    house.snowflake.pipe = PipeNow(state="RUNNING", pending=9)
    assert house.check(timedelta()).histories == 0
    assert house.watch.kept["cats.g1"].looks == 1
    house.watch.kept = {}
    assert house.check(SECOND).histories == 1


def test_each_rest_is_longer_and_a_moment_less_than_its_ticks(house: House) -> None:
    house.land()
    house.snowflake.pipe = PipeNow(state="PAUSED", pending=0)
    for looks, pause in enumerate((TICK, 2 * TICK, 4 * TICK, 8 * TICK, HOUR, HOUR)):
        result = house.check()
        retry = house.watch.kept["cats.g1"]
        assert (result.histories, retry.looks) == (1, looks + 1)
        assert retry.next_at == house.time + pause - A_MOMENT_LESS
        house.time = retry.next_at - TICK
    house.time = house.watch.kept["cats.g1"].next_at - TICK - SECOND
    assert house.check().histories == 0


def test_what_was_refreshed_is_looked_at_again_at_once(house: House) -> None:
    key = house.land(parts=2)
    house.watch.kept["cats.g1"] = RetryState(
        dataset="cats.g1", next_at=NOW, looks=4, refreshes=1, refreshed=("z",)
    )
    result = house.check()
    second = key.replace("-00001", "-00002")
    assert house.watch.kept["cats.g1"] == RetryState(
        dataset="cats.g1",
        next_at=house.time,
        refreshes=2,
        refreshed=(file_name(key), file_name(second), "z"),
    )
    assert (result.refreshed, result.histories, result.settled) == (2, 1, 0)
    assert house.snowflake.refreshed_after == [NOW - HOUR - timedelta(minutes=1)]


def test_what_landed_again_is_looked_at_at_once_and_counts_as_no_refresh(
    house: House,
) -> None:
    key = house.land()
    house.snowflake.records[file_name(key)] = "Load failed"
    house.check()
    retry = house.watch.kept["cats.g1"]
    assert (retry.next_at, retry.refreshes, retry.refreshed) == (house.time, 0, ())


def test_refresh_is_asked_so_often_and_no_more(house: House) -> None:
    house.land()
    house.snowflake.brings = False
    counts = []
    for _ in range(MAX_REFRESHES + 1):
        house.check()
        counts.append((len(house.snowflake.refreshes), len(house.watch.stand)))
    assert counts == [(1, 0), (2, 0), (3, 0), (3, 1)]


def test_the_oldest_is_looked_at_first(house: House) -> None:
    for dataset, age in (("ants", HOUR), ("bees", 3 * HOUR), ("cats", 2 * HOUR)):
        house.land(dataset, age=age)
    house.snowflake.pipe = PipeNow(state="PAUSED", pending=1)
    answers = iter([True, True, False])
    result = house.check(has_time=lambda: next(answers))
    assert house.codes() == ["pipe_stopped bees", "pipe_stopped cats"]
    assert (result.left, result.awaited, result.troubles) == (1, 3, 2)


def test_what_there_was_no_time_for_stands_and_what_is_mended_does_not(
    house: House,
) -> None:
    for dataset, age in (("bees", 2 * HOUR), ("cats", HOUR)):
        house.land(dataset, age=age)
    house.snowflake.pipe = PipeNow(state="PAUSED", pending=1)
    house.check()
    assert house.codes() == ["pipe_stopped bees", "pipe_stopped cats"]
    house.snowflake.pipe = PipeNow(state="RUNNING", pending=1)
    answers = iter([True, False])
    assert house.check(has_time=lambda: next(answers)).left == 1
    assert house.codes() == ["pipe_stopped cats"]


def test_what_rests_is_not_looked_at_and_its_problem_stands(house: House) -> None:
    house.land()
    house.snowflake.broken = {"DB.RAW.CATS_G1"}
    house.check()
    stands = problem(house)
    house.snowflake.broken = set()
    house.watch.kept["cats.g1"] = dataclasses.replace(
        house.watch.kept["cats.g1"], next_at=house.time + HOUR
    )
    result = house.check()
    assert list(house.watch.stand.values()) == [stands]
    assert result == RepairResult(awaited=1, troubles=1)
    ingested(house, next(iter(house.landing.objects)))
    house.check(HOUR)
    assert house.codes() == []


# how it is counted -------------------------------------------------------------------
def test_the_figures_of_a_check_add_up(house: House) -> None:
    ingested(house, house.land("cats"))
    house.land("dogs")
    late = house.land("mice")
    house.snowflake.records[file_name(late)] = "Load failed"
    house.snowflake.broken = {"DB.RAW.DOGS_G1"}
    result = house.check()
    assert result == RepairResult(
        awaited=3, settled=1, histories=1, landed_again=1, troubles=1
    )


def test_a_run_that_the_history_settles_ends_the_case(house: House) -> None:
    house.watch.kept["cats.g1"] = RetryState(dataset="cats.g1", next_at=NOW)
    key = house.land()
    house.snowflake.records[file_name(key)] = "Loaded"
    result = house.check()
    assert result == RepairResult(awaited=1, settled=1, histories=1)
    assert house.watch.kept == {}
    assert house.watch.told == []
    young = house.land(age=SECOND)
    late = house.land()
    house.snowflake.records[file_name(late)] = "Loaded"
    result = house.check()
    assert (result.settled, len(house.watch.runs)) == (1, 1)
    assert next(iter(house.watch.runs.values())).newest_key == young
    assert house.watch.kept["cats.g1"].looks == 1


def test_generations_of_a_dataset_are_cases_of_their_own(house: House) -> None:
    house.land()
    key = house.land()
    run = list(house.watch.runs.values())[-1]
    other = key.replace("/g1/", "/g2/")
    house.landing.objects[other] = house.landing.objects.pop(key)
    house.modified[other] = house.modified[key]
    house.watch.watch(dataclasses.replace(run, newest_key=other))
    house.snowflake.brings = False
    house.check()
    assert [pipe for pipe, _ in house.snowflake.refreshes] == [
        "DB.RAW.CATS_G1",
        "DB.RAW.CATS_G2",
    ]
    assert sorted(house.watch.kept) == ["cats.g1", "cats.g2"]


def test_a_repair_is_told_in_full(house: House) -> None:
    key = house.land()
    house.check()
    house.check()
    (told,) = house.watch.told
    (run_id,) = {file_name(key).removesuffix("-00001.ndjson.gz")}
    assert (told.dataset, told.run_id, told.repair, told.at, told.files) == (
        "cats",
        run_id,
        Repair.REFRESHED,
        house.time,
        (key,),
    )
    assert (told.rows, told.refused) == (0, ())


# a table that is replaced ------------------------------------------------------------
@pytest.fixture
def replaced(house: House) -> House:
    house.keys = {"write_disposition": "replace"}
    return house


def with_run_file(house: House, key: str, *, age: timedelta = HOUR) -> str:
    """The run file of a landed object; its last part."""
    run_id = file_name(key).removesuffix("-00001.ndjson.gz")
    file = run_key("cats", run_id)
    house.landing.objects[file] = b"{}"
    house.modified[file] = house.time - age
    return file_name(file)


def test_a_replaced_table_shows_a_run_once_its_file_is_loaded(replaced: House) -> None:
    house = replaced
    key = house.land()
    name = with_run_file(house, key)
    ingested(house, key)
    house.snowflake.run_pipe = PipeNow(
        state="RUNNING", pending=0, last_ingested="another.json"
    )
    house.snowflake.records[file_name(key)] = "Loaded"
    result = house.check()
    assert (result.settled, result.refreshed) == (0, 1)
    assert house.snowflake.refreshes == [("DB.RAW._RUNS", ("cats/",))]
    assert house.snowflake.refreshed_after == [NOW - HOUR - timedelta(minutes=1)]
    house.snowflake.run_files = {name}
    house.watch.kept = {}
    assert house.check().settled == 1


def test_a_run_file_that_is_young_or_too_old_is_not_asked_for(replaced: House) -> None:
    house = replaced
    house.snowflake.run_pipe = PipeNow(state="RUNNING", pending=0)
    for age in (SECOND, 7 * DAY):
        key = house.land()
        with_run_file(house, key, age=age)
        house.snowflake.records[file_name(key)] = "Loaded"
        house.watch.kept = {}
        result = house.check(timedelta())
        assert (result.settled, result.refreshed) == (0, 0)
        assert house.watch.kept["cats.g1"].looks == 1
        house.watch.runs = {}
    assert house.snowflake.refreshes == []


def test_both_pipes_words_settle_a_run_that_replaces(replaced: House) -> None:
    house = replaced
    key = house.land()
    ingested(house, key)
    house.snowflake.run_pipe = PipeNow(
        state="RUNNING", pending=0, last_ingested=with_run_file(house, key)
    )
    result = house.check()
    assert (result.settled, result.histories, result.pruned) == (1, 0, 3)
    (statement,) = house.snowflake.deleting
    assert statement.startswith("DELETE FROM DB.RAW.CATS WHERE _RUN_ID < (")
    assert house.watch.kept["cats.g1"] == RetryState(
        dataset="cats.g1", next_at=house.time, pruned_at=house.time
    )


def test_old_runs_go_once_a_day(replaced: House) -> None:
    house = replaced
    pruned = []
    for after in (timedelta(), DAY - SECOND, SECOND):
        key = house.land()
        ingested(house, key)
        house.snowflake.run_pipe = PipeNow(
            state="RUNNING", pending=0, last_ingested=with_run_file(house, key)
        )
        pruned.append(house.check(after).pruned)
    assert pruned == [3, 0, 3]


def test_a_pipe_of_run_files_that_does_not_answer_settles_nothing(
    replaced: House,
) -> None:
    house = replaced
    key = house.land()
    ingested(house, key)
    house.snowflake.run_files = {with_run_file(house, key)}
    house.snowflake.records[file_name(key)] = "Loaded"
    house.snowflake.broken = {"DB.RAW._RUNS"}
    result = house.check()
    assert (result.settled, result.histories) == (1, 1)
