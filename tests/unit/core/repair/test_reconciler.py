"""One look after another at what has landed, with stand-ins for all that is asked."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.core.dataset import Catalogue
from lambdas.core.errors import ObjectMissing, WarehouseError
from lambdas.core.landing.names import file_name, marked_key, new_run_id, raw_key
from lambdas.core.loading.objects import LoadRecord, LoadStatus
from lambdas.core.loading.reload import Reloader
from lambdas.core.loading.repair import Problem, Repair, Repaired, RetryState
from lambdas.core.loading.status import MAX_REFRESHES, PipeNow, StoredObject
from lambdas.core.pull.run import LandedRun
from lambdas.core.repair.case import RepairContext
from lambdas.core.repair.notifications import LandingNotifications
from lambdas.core.repair.reconciler import RepairResult, reconcile
from tests.datasets import a_dataset
from tests.memory import MemoryLanding

NOW = datetime(2013, 1, 10, 12, tzinfo=UTC)
TICK = timedelta(minutes=5)
GRACE = timedelta(minutes=15)
DAY = timedelta(days=1)


class MemoryWatch:
    """The records of loads, as strict as the table."""

    def __init__(self) -> None:
        self.runs: dict[str, LandedRun] = {}
        self.kept: dict[str, RetryState] = {}
        self.stand: dict[str, Problem] = {}
        self.told: list[Repaired] = []

    def landed(self) -> Sequence[LandedRun]:
        return list(self.runs.values())

    def retries(self) -> dict[str, RetryState]:
        return dict(self.kept)

    def remember(self, retry: RetryState) -> None:
        self.kept[retry.dataset] = retry

    def forget(self, dataset: str) -> None:
        self.kept.pop(dataset, None)

    def watch(self, run: LandedRun) -> None:
        self.runs[run.name] = run

    def settle(self, run: LandedRun, repaired: Sequence[Repaired]) -> None:
        if self.runs.pop(run.name, None) is not None:
            self.told += repaired

    def problems(self) -> Sequence[Problem]:
        return list(self.stand.values())

    def record_problems(
        self, before: Sequence[Problem], after: Sequence[Problem]
    ) -> None:
        del before
        self.stand = {one.name: one for one in after}


class Snowflake:
    """Pipes, histories and what was asked of them."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.pipe = PipeNow(state="RUNNING", pending=0, channel="queue")
        self.records: dict[str, LoadStatus] = {}
        self.brings = True
        self.broken: set[str] = set()
        self.made_at = NOW - 100 * DAY
        self.rows: set[str] = set()
        """Files of which one row is in the table."""
        self.loaded: dict[str, int] = {}
        """Rows by file, where the history has more to say than that there is one."""
        self.first_rows: dict[str, tuple[int, int, int]] = {}
        self.loads_whole = True
        self.refreshes: list[tuple[str, tuple[str, ...]]] = []
        self.refreshed_after: list[datetime] = []
        self.histories = 0
        self.since: list[datetime] = []
        self.run_pipe: PipeNow | None = None
        self.run_files: set[str] = set()
        """Run files that RAW._RUNS holds."""
        self.deleting: list[str] = []

    def now(self, pipe: str) -> PipeNow:
        if pipe in self.broken:
            raise ObjectMissing(pipe)
        if self.run_pipe is not None and pipe == "DB.RAW._RUNS":
            return self.run_pipe
        return self.pipe

    def loading_whole(self, database: str) -> frozenset[str]:
        if "pipes" in self.broken:
            raise WarehouseError("no answer")
        names = {run.dataset.upper() for run in self.house.watch.landed()}
        return frozenset(
            f"{database}.RAW.{name}_G1" for name in names if self.loads_whole
        )

    def created_at(self, pipe: str) -> datetime | None:
        del pipe
        return self.made_at

    def refresh(self, pipe: str, prefixes: Sequence[str], after: datetime) -> int:
        self.refreshes.append((pipe, tuple(prefixes)))
        self.refreshed_after.append(after)
        found = [
            item
            for item in self.house.below("runs/" if "_RUNS" in pipe else "raw/")
            if item.modified_at > after and file_name(item.key) not in self.records
        ]
        for item in found if self.brings else []:
            self.records[file_name(item.key)] = "Loaded"
        return len(found)

    def history(self, dataset: str, since: datetime) -> list[LoadRecord]:
        del dataset
        self.since.append(since)
        self.histories += 1
        if "history" in self.broken:
            raise WarehouseError("no answer")
        return [
            LoadRecord(
                file=f"raw/{name}",
                status=status,
                rows_loaded=self.loaded.get(name, 1),
                rows_parsed=self.loaded.get(name, 1),
                first_error=None,
                loaded_at=NOW,
            )
            for name, status in self.records.items()
        ]

    def query(
        self, statement: str, parameters: Sequence[object] = (), **_: object
    ) -> list[tuple[object, ...]]:
        del parameters
        if statement.startswith("DELETE"):
            self.deleting.append(statement)
            return [(3,)]
        if "_RUN_ID IN" in statement:
            return [(name,) for name in self.run_files]
        counts = {**dict.fromkeys(self.rows, (1, 1, 1)), **self.first_rows}
        return [
            (name, *found) for name, found in counts.items() if f"'{name}'" in statement
        ]


class House:
    """A whole look with stand-ins, at a time that a test moves."""

    def __init__(self) -> None:
        self.time = NOW
        self.landing = MemoryLanding()
        self.modified: dict[str, datetime] = {}
        self.watch = MemoryWatch()
        self.snowflake = Snowflake(self)
        self.endpoints_ = frozenset({"queue"})
        self.prefixes = frozenset({"raw/", "runs/"})
        self.number = 0
        self.keys: dict[str, Any] = {}
        """Of every dataset."""

    def below(self, prefix: str) -> list[StoredObject]:
        return [
            StoredObject(
                key=key, size=len(body), modified_at=self.modified.get(key, self.time)
            )
            for key, body in sorted(self.landing.objects.items())
            if key.startswith(prefix)
        ]

    def lines(self, key: str) -> Iterator[bytes]:
        yield from gzip.decompress(self.landing.objects[key]).splitlines()

    def endpoints(self) -> frozenset[str]:
        return self.endpoints_

    def notified_prefixes(self) -> frozenset[str]:
        return self.prefixes

    def land(
        self,
        dataset: str = "cats",
        *,
        age: timedelta = timedelta(hours=1),
        parts: int = 1,
    ) -> str:
        """A run of `parts` objects that landed `age` ago; the key of the first."""
        self.number += 1
        at = self.time - age
        run_id = new_run_id(at, self.number.to_bytes(6))
        keys = [raw_key(dataset, 1, run_id, part + 1) for part in range(parts)]
        for key in keys:
            self.landing.objects[key] = gzip.compress(b'{"id":1}\n{"id":2}\n')
            self.modified[key] = at
        self.watch.watch(
            LandedRun(
                dataset=dataset,
                run_id=run_id,
                newest_key=keys[-1],
                objects=parts,
                landed_at=at,
            )
        )
        return keys[0]

    def check(
        self, after: timedelta = TICK, *, has_time: Callable[[], bool] = lambda: True
    ) -> RepairResult:
        self.time += after
        names = {run.dataset for run in self.watch.landed()} | {"cats"}
        context = RepairContext(
            catalogue=Catalogue(
                datasets={name: a_dataset(name=name, **self.keys) for name in names}
            ),
            database="DB",
            watch=self.watch,
            pipes=self.snowflake,
            warehouse=self.snowflake,
            history=self.snowflake.history,
            stored=self,
            reloader=Reloader(landing=self.landing, stored=self, tries_as_it_is=2),
            notifications=LandingNotifications(bucket=self, topic=self),
            grace=GRACE,
            every=TICK,
            max_attempts=3,
            now=self.time,
        )
        return reconcile(context, has_time=has_time)

    def codes(self) -> list[str]:
        return sorted(self.watch.stand)


@pytest.fixture
def house() -> House:
    return House()


def ingested(house: House, key: str) -> None:
    house.snowflake.pipe = dataclasses.replace(
        house.snowflake.pipe, last_ingested=file_name(key)
    )


def test_a_loaded_run_is_settled_by_its_pipes_word_alone(house: House) -> None:
    ingested(house, house.land(age=timedelta(minutes=1)))
    result = house.check()
    assert (result.settled, result.histories) == (1, 0)
    assert house.watch.told == []


def test_within_its_grace_a_run_is_left_alone(house: House) -> None:
    house.land(age=timedelta(minutes=1))
    result = house.check()
    assert (result.settled, result.histories, result.troubles) == (0, 0, 0)


def test_a_run_of_many_objects_is_settled_by_the_history(house: House) -> None:
    key = house.land(parts=2)
    for part in (1, 2):
        name = file_name(key).replace("-00001", f"-{part:05d}")
        house.snowflake.records[name] = "Loaded"
    ingested(house, key)
    assert house.check().settled == 1


def test_what_the_pipe_was_not_told_of_is_refreshed_once_and_told_once(
    house: House,
) -> None:
    key = house.land()
    assert house.check().refreshed == 1
    assert house.snowflake.refreshes == [("DB.RAW.CATS_G1", ("dt=2013-01-10/",))]
    assert house.check().settled == 1
    (told,) = house.watch.told
    assert (told.repair, told.files) == (Repair.REFRESHED, (key,))
    assert house.check().awaited == 0
    assert house.watch.kept == {}


def test_a_paused_pipe_is_a_problem_and_is_sent_no_refresh(house: House) -> None:
    house.land()
    house.snowflake.pipe = PipeNow(state="PAUSED", pending=1)
    for _ in range(5):
        house.check()
    assert house.codes() == ["pipe_stopped cats"]
    assert house.snowflake.refreshes == []
    assert house.snowflake.histories == 0
    house.snowflake.pipe = PipeNow(state="PAUSED", pending=0)
    house.check(timedelta(hours=2))
    assert house.codes() == ["pipe_stopped cats"]
    assert house.snowflake.refreshes == []


def test_a_problem_keeps_the_time_of_its_beginning(house: House) -> None:
    house.land()
    house.snowflake.pipe = PipeNow(state="PAUSED", pending=1)
    house.check()
    (first,) = house.watch.stand.values()
    house.check(timedelta(hours=2))
    assert list(house.watch.stand.values()) == [first]


def test_a_problem_that_there_was_no_time_to_check_stands(house: House) -> None:
    """Else its recovery would be told, and then the problem as a new one."""
    for dataset in ("cats", "dogs"):
        house.land(dataset)
    house.snowflake.pipe = PipeNow(state="PAUSED", pending=1)
    house.check()
    stood = dict(house.watch.stand)
    assert house.codes() == ["pipe_stopped cats", "pipe_stopped dogs"]
    answers = iter([True, False])
    assert house.check(has_time=lambda: next(answers)).left == 1
    assert house.watch.stand == stood
    assert house.check(has_time=lambda: False).left == 2
    assert house.watch.stand == stood


def test_a_subscription_that_is_gone_is_told_until_it_is_back(house: House) -> None:
    house.land()
    house.endpoints_ = frozenset()
    house.check()
    assert house.codes() == ["not_notified (all datasets)"]
    house.check()
    # nothing is awaited any more, and it still stands
    assert house.check().awaited == 0
    assert house.codes() == ["not_notified (all datasets)"]
    house.endpoints_ = frozenset({"queue"})
    house.check()
    assert house.codes() == []


def test_notifications_that_are_gone_are_told_with_their_prefix(house: House) -> None:
    house.land()
    house.prefixes = frozenset({"runs/"})
    house.check()
    (problem,) = house.watch.stand.values()
    assert "raw/" in problem.sentence
    assert "landing stack" in problem.next_step


def test_a_backlog_is_waited_for(house: House) -> None:
    house.land()
    house.snowflake.pipe = PipeNow(state="RUNNING", pending=9)
    for _ in range(3):
        house.check()
    assert house.snowflake.histories == 0
    assert house.codes() == []


def test_refresh_that_brings_nothing_becomes_a_problem_and_rests(house: House) -> None:
    house.land()
    house.snowflake.brings = False
    for _ in range(20):
        house.check()
    assert len(house.snowflake.refreshes) == MAX_REFRESHES
    assert house.codes() == ["load_unseen cats"]
    assert house.snowflake.histories < 10


def test_a_part_that_was_replayed_is_awaited_alone(house: House) -> None:
    key = house.land(age=20 * DAY)
    (run,) = house.watch.runs.values()
    replayed = marked_key(key, "q1")
    house.landing.objects[replayed] = gzip.compress(b'{"id":3}\n')
    house.modified[replayed] = house.time
    house.watch.runs = {}
    house.watch.watch(
        dataclasses.replace(
            run, newest_key=replayed, landed_at=house.time, part="00001q1"
        )
    )
    house.snowflake.records[file_name(replayed)] = "Loaded"
    assert house.check(timedelta(hours=1)).settled == 1
    assert house.codes() == []


def test_what_failed_lands_again_and_is_told_when_it_is_loaded(house: House) -> None:
    key = house.land()
    house.snowflake.records[file_name(key)] = "Load failed"
    assert house.check().landed_again == 1
    again = marked_key(key, "r1")
    assert again in house.landing.objects
    house.check()
    house.snowflake.records[file_name(again)] = "Loaded"
    house.check(timedelta(hours=1))
    (told,) = house.watch.told
    assert (told.repair, told.files, told.rows) == (Repair.LANDED_AGAIN, (key,), 2)


def test_a_file_of_which_rows_are_in_the_table_is_never_landed_again(
    house: House,
) -> None:
    key = house.land()
    house.snowflake.records[file_name(key)] = "Load failed"
    house.snowflake.rows = {file_name(key)}
    house.check()
    assert house.codes() == ["load_failed cats"]
    assert marked_key(key, "r1") not in house.landing.objects


def test_a_file_that_fails_for_ever_is_given_up_for_a_person(house: House) -> None:
    key = house.land()
    for name in (key, *(marked_key(key, f"r{n}") for n in range(1, 9))):
        house.snowflake.records[file_name(name)] = "Load failed"
    for _ in range(8):
        house.check(timedelta(hours=2))
    assert house.codes() == ["load_failed cats"]
    assert marked_key(key, "r3") not in house.landing.objects


def partly(house: House, key: str) -> None:
    """The second row of four is refused, and with it all but the first is left out."""
    name = file_name(key)
    house.landing.objects[key] = gzip.compress(
        b'{"id":1}\n{"id":2,"id":2}\n{"id":3}\n{"id":4}\n'
    )
    house.snowflake.records[name] = "Partially loaded"
    house.snowflake.loaded[name] = 1
    house.snowflake.first_rows[name] = (1, 1, 1)


def test_what_a_partial_load_left_out_lands_again_and_nothing_twice(
    house: House,
) -> None:
    key = house.land()
    partly(house, key)
    assert house.check().landed_again == 1
    again = marked_key(key, "r1")
    assert list(house.lines(again)) == [b'{"id":3}', b'{"id":4}']
    house.snowflake.records[file_name(again)] = "Loaded"
    house.check(timedelta(hours=1))
    (told,) = house.watch.told
    assert (told.repair, told.files, told.rows) == (Repair.LANDED_AGAIN, (key,), 4)
    assert told.refused_rows == 1
    assert house.codes() == []


def test_a_file_of_which_only_refused_rows_are_left_is_done_with(house: House) -> None:
    key = house.land()
    partly(house, key)
    house.landing.objects[key] = gzip.compress(b'{"id":1}\n{"id":2,"id":2}\n')
    assert house.check().settled == 1
    (told,) = house.watch.told
    assert (told.rows, told.refused_rows) == (2, 1)
    assert marked_key(key, "r1") not in house.landing.objects


@pytest.mark.parametrize("counts", [(2, 2, 2), (1, 1, 2), (2, 1, 1), None])
def test_a_partial_load_of_which_the_table_has_other_rows_is_left_to_a_person(
    house: House, counts: tuple[int, int, int] | None
) -> None:
    key = house.land()
    partly(house, key)
    house.snowflake.first_rows = {} if counts is None else {file_name(key): counts}
    house.check()
    assert house.codes() == ["load_partial cats"]
    assert list(house.landing.objects) == [key]


def test_rows_that_a_later_name_failed_to_bring_land_without_those_in_the_table(
    house: House,
) -> None:
    key = house.land()
    partly(house, key)
    house.check()
    house.snowflake.records[file_name(marked_key(key, "r1"))] = "Load failed"
    house.check(timedelta(hours=1))
    assert list(house.lines(marked_key(key, "r2"))) == [b'{"id":3}', b'{"id":4}']


@pytest.mark.parametrize("why", ["continues", "not known"])
def test_the_word_of_a_pipe_that_may_load_in_part_settles_nothing(
    house: House, why: str
) -> None:
    key = house.land()
    ingested(house, key)
    partly(house, key)
    house.snowflake.loads_whole = False
    if why == "not known":
        house.snowflake.broken = {"pipes"}
    result = house.check()
    assert (result.settled, result.histories, result.landed_again) == (0, 1, 1)


def test_what_was_loaded_in_part_and_is_too_old_is_never_landed_whole(
    house: House,
) -> None:
    key = house.land(age=8 * DAY)
    partly(house, key)
    house.check()
    again = marked_key(key, "r1")
    house.modified[again] = NOW - 8 * DAY  # and nobody told the pipe of it
    house.check(timedelta(hours=1))
    assert house.codes() == ["load_unseen cats"]
    assert marked_key(key, "r2") not in house.landing.objects


def test_what_is_too_old_for_refresh_lands_again_if_it_was_never_loaded(
    house: House,
) -> None:
    key = house.land(age=8 * DAY)
    assert house.check().landed_again == 1
    assert marked_key(key, "r1") in house.landing.objects
    assert house.snowflake.refreshes == []


@pytest.mark.parametrize("doubt", ["history", "pipe", "rows"])
def test_what_is_too_old_and_may_have_been_loaded_is_an_incident(
    house: House, doubt: str
) -> None:
    key = house.land(age=(20 if doubt == "history" else 8) * DAY)
    if doubt == "pipe":
        house.snowflake.made_at = NOW - DAY
    if doubt == "rows":
        house.snowflake.rows = {file_name(key)}
    house.check()
    assert house.codes() == ["load_unseen cats"]
    assert list(house.landing.objects) == [key]


def test_one_dataset_that_cannot_be_looked_at_hinders_no_other(house: House) -> None:
    house.land("dogs")
    ingested(house, house.land("cats"))
    house.snowflake.broken = {"DB.RAW.DOGS_G1"}
    assert house.check().settled == 1
    assert house.codes() == ["load_unseen dogs"]


def test_a_history_that_fails_is_a_failure_and_no_finding(house: House) -> None:
    house.land()
    house.snowflake.broken = {"history"}
    result = house.check()
    assert (result.failed, result.troubles) == (1, 0)
    assert house.snowflake.refreshes == []


def test_a_thousand_datasets_that_are_well_cost_one_question_each(house: House) -> None:
    for number in range(1_000):
        house.land(f"cats_{number}", age=timedelta(minutes=1))
    result = house.check(timedelta(seconds=1))
    assert (result.awaited, result.histories, result.left) == (1_000, 0, 0)
