from __future__ import annotations

import dataclasses
import gzip
import itertools
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from lambdas.adapters.state.places import NoLimit
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.errors import BadInput, RunErrorKind, Terminal
from lambdas.core.landing.names import RAW, RUNS
from lambdas.core.paging.base import CapReached
from lambdas.core.pull.engine import Puller, PullResult, SourceFactory
from lambdas.core.pull.message import PullRequest
from lambdas.core.pull.ports import Page, PageSource
from lambdas.core.pull.run import DatasetState, Run, RunStatus
from lambdas.core.pull.segment import MAX_HOPS, Budget, shape_of
from lambdas.core.pull.window import Window
from lambdas.pull.worker import Worker
from tests.api_pull import Pull
from tests.api_server import Answer, Asked, answer_json, serving
from tests.datasets import a_dataset, incremental
from tests.memory import (
    FakeClock,
    Faults,
    Killed,
    MemoryEvents,
    MemoryLanding,
    MemoryState,
)
from tests.unit.pull.test_worker import FakeQueue, a_delivery

SHUFFLED = [5, 1, 9, 3, 7, 2, 8, 6, 4, 0, 11, 10]
"""Cursors of twelve rows, in no order."""


def row(number: int, at: int) -> bytes:
    return b'{"id":%d,"at":%d}' % (number, at)


class Counted:
    """Pages of one row, asked for by number."""

    reached: None = None

    def __init__(
        self, rig: Rig, *, rows: Sequence[bytes], position: object, shows: bool
    ) -> None:
        self.requests = self.retries = 0
        self._desk = rig
        self._rows = rows
        self._first = position if isinstance(position, int) else 0
        self._shows = shows

    def pages(self) -> Iterator[Page]:
        for number in range(self._first, len(self._rows)):
            self.requests += 1
            if number in self._desk.refused:
                raise Terminal("410 Gone", kind=RunErrorKind.HTTP)
            following = number + 1 if number + 1 < len(self._rows) else None
            yield Page(
                records=[self._rows[number]],
                number=number + 1,
                url="https://api.test/",
                next_position=following if self._shows else None,
            )


class Rig:
    """A dataset of which every run lands `rows_a_run` rows, and its worker."""

    def __init__(
        self,
        *ats: int,
        rows_a_run: int | None = 1,
        shows_positions: bool = True,
        dataset: Dataset | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.landing = MemoryLanding()
        self.state = MemoryState()
        self.events = MemoryEvents()
        self.queue = SendingQueue()
        self.dataset = dataset or a_dataset(write_disposition="append")
        self.ats = list(ats)
        self.refused: set[int] = set()
        self._rows_a_run = rows_a_run
        self._shows = shows_positions
        self.opens: SourceFactory = self.source
        self._random = itertools.count()

    def source(self, dataset: Dataset, window: Window) -> PageSource:
        del dataset
        floor = int(window.start or 0)
        return Counted(
            self,
            rows=[row(n, at) for n, at in enumerate(self.ats) if at >= floor],
            position=window.position,
            shows=self._shows,
        )

    def faulty(self, faults: Faults) -> None:
        self.landing.faults = self.state.faults = self.events.faults = faults

    def puller(self) -> Puller:
        return Puller(
            landing=self.landing,
            state=self.state,
            events=self.events,
            clock=self.clock,
            source=self.opens,
            random=lambda size: next(self._random).to_bytes(size, "big"),
            budget=Budget(rows=self._rows_a_run),
        )

    def pull(self, *, start: int | None = None, end: int | None = None) -> PullResult:
        return self.puller().pull(self.dataset, start=start, end=end)

    def pull_whole(self) -> list[PullResult]:
        results = [self.pull()]
        while results[-1].continues:
            results.append(self.pull())
        return results

    def worker(self) -> Worker:
        return Worker(
            catalogue=lambda: Catalogue(datasets={"cats": self.dataset}),
            puller=self.puller(),
            sqs=self.queue,  # type: ignore[arg-type]  # the calls that are made
            queue_url="queue",
            backfills_queue_url="backfills",
            places=NoLimit(),
            remaining=lambda: timedelta(minutes=15),
        )

    def landed(self) -> list[int]:
        return [
            json.loads(line)["at"]
            for key, body in sorted(self.landing.objects.items())
            if key.startswith(RAW)
            for line in gzip.decompress(body).splitlines()
        ]

    @property
    def cursor(self) -> object:
        return self.state.read("cats").cursor.value


class SendingQueue(FakeQueue):
    """Remembers what was sent, too."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[dict[str, Any]] = []
        self.is_down = False

    def send_message(self, **request: Any) -> None:
        if self.is_down:
            raise OSError("no queue")
        self.sent.append(request)


def ordered(**keys: object) -> Dataset:
    return a_dataset(
        source=incremental(row_order="asc", **keys), write_disposition="append"
    )


def test_twelve_segments_land_what_one_long_run_lands() -> None:
    long, short = Rig(*SHUFFLED, rows_a_run=None), Rig(*SHUFFLED)
    assert len(long.pull_whole()) == 1
    results = short.pull_whole()
    assert len(results) == 12
    assert sorted(short.landed()) == sorted(long.landed())
    assert short.cursor == long.cursor == 11
    assert short.state.read("cats").resume is None


def test_the_cursor_stays_until_the_last_segment_of_unordered_pages_has_landed() -> (
    None
):
    rig = Rig(*SHUFFLED)
    for _ in SHUFFLED[:-1]:
        assert rig.pull().continues
        assert rig.cursor is None
    assert not rig.pull().continues
    assert rig.cursor == 11


def test_where_pages_show_no_position_and_rows_are_ordered_the_cursor_tells() -> None:
    rig = Rig(0, 1, 1, 2, 3, shows_positions=False, dataset=ordered())
    rig.pull()
    cursors = [rig.cursor]
    while rig.state.read("cats").resume is not None:
        rig.pull()
        cursors.append(rig.cursor)
    assert list(dict.fromkeys(cursors)) == [0, 1, 2, 3]
    assert sorted(rig.landed()) == [0, 1, 1, 2, 3]


@pytest.mark.parametrize(
    "dataset",
    [
        ordered(range_start="open"),
        ordered(on_cursor_value_missing="include"),
        a_dataset(write_disposition="append"),
    ],
    ids=["an open start", "rows without a cursor", "no order"],
)
def test_a_pull_that_could_not_go_on_is_not_cut(dataset: Dataset) -> None:
    rig = Rig(1, 2, 3, shows_positions=False, dataset=dataset)
    assert not rig.pull().continues
    assert rig.landed() == [1, 2, 3]


def test_rows_that_turn_out_to_be_unordered_are_not_cut_at_the_cursor() -> None:
    rig = Rig(
        5, 3, 6, rows_a_run=2, shows_positions=False, dataset=ordered(initial_value=0)
    )
    assert not rig.pull().continues
    assert rig.landed() == [5, 3, 6]


def effects_of_segments() -> int:
    rig = Rig(*SHUFFLED[:4])
    faults = Faults()
    rig.faulty(faults)
    rig.pull_whole()
    return faults.seen


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, effects_of_segments() + 1))
def test_a_death_at_any_effect_of_any_segment_loses_and_doubles_nothing(
    at: int, *, after: bool
) -> None:
    rig = Rig(*SHUFFLED[:4])
    rig.faulty(Faults(at=at, after=after))
    with pytest.raises(Killed):
        rig.pull_whole()
    assert rig.cursor in (None, 9)
    rig.faulty(Faults())
    rig.pull_whole()
    assert sorted(rig.landed()) == sorted(SHUFFLED[:4])
    assert rig.cursor == 9


def test_a_segment_queues_the_rest_in_the_same_group_and_each_message_is_new() -> None:
    rig = Rig(1, 2, 3)
    assert rig.worker().work(a_delivery()).is_done
    for _ in range(2):
        body = json.loads(rig.queue.sent[-1]["MessageBody"])
        assert body["reason"] == "continuation"
        assert rig.worker().work(a_delivery(**body)).is_done
    assert sorted(rig.landed()) == [1, 2, 3]
    assert [one["MessageGroupId"] for one in rig.queue.sent] == ["cats", "cats"]
    assert len({one["MessageBody"] for one in rig.queue.sent}) == 2


def test_a_continuation_that_finds_nothing_half_way_asks_nobody() -> None:
    rig = Rig(1, rows_a_run=None)
    rig.pull()
    assert rig.worker().work(a_delivery(reason="continuation", hops=1)).result is None


def test_a_queue_that_takes_no_continuation_sends_the_message_again() -> None:
    rig = Rig(1, 2)
    rig.queue.is_down = True
    with pytest.raises(OSError, match="no queue"):
        rig.worker().work(a_delivery())
    rig.queue.is_down = False
    assert rig.worker().work(a_delivery(tries=2)).is_done
    assert sorted(rig.landed()) == [1, 2]


def test_a_chain_of_continuations_ends_and_the_next_tick_goes_on() -> None:
    rig = Rig(1, 2, 3)
    last = PullRequest(dataset="cats", reason="continuation", hops=MAX_HOPS)
    rig.pull()
    rig.worker().work(a_delivery(**last.model_dump(mode="json", exclude_none=True)))
    assert rig.queue.sent == []
    rig.worker().work(a_delivery(due_at=rig.clock.now().isoformat()))
    assert sorted(rig.landed()) == [1, 2, 3]


def test_a_tick_that_ends_a_long_pull_is_answered_by_a_pull_of_its_own() -> None:
    rig = Rig(1, 2)
    rig.pull()
    rig.clock.advance(timedelta(hours=1))
    rig.ats.append(9)
    rig._rows_a_run = None
    assert rig.worker().work(a_delivery(due_at=rig.clock.now().isoformat())).is_done
    assert sorted(rig.landed()) == [1, 2, 9]
    runs = [run for run in rig.state.runs.values() if run.status is RunStatus.LANDED]
    assert len(runs) == 3


def test_a_stored_position_that_is_refused_begins_anew_where_rows_are_merged() -> None:
    rig = Rig(5, 1, 9, dataset=a_dataset())
    rig.pull()
    rig.ats = [0, 5, 1, 9]
    rig.refused = {1}
    result = rig.pull()
    assert result.run.rows == 1
    failed = [run.run_id for run in rig.state.runs.values() if run.error]
    announced = [said for kind, said in rig.events.published if kind == "pull.failed"]
    assert failed == [said["run_id"] for said in announced]
    assert "it starts over" in str(announced[0]["message"])
    rig.refused = set()
    rig.pull_whole()
    assert set(rig.landed()) == {0, 1, 5, 9}


def test_a_stored_position_that_is_refused_goes_on_from_what_ordered_rows_reached() -> (
    None
):
    rig = Rig(1, 2, 3, 4, dataset=ordered())
    rig.pull()
    rig.pull()
    rig.refused = {2}
    assert rig.pull().run.status is RunStatus.LANDED
    rig.refused = set()
    rig.pull_whole()
    assert sorted(rig.landed()) == [1, 2, 3, 4]
    assert rig.cursor == 4


def test_a_stored_position_that_is_refused_fails_where_it_would_append_rows_twice() -> (
    None
):
    rig = Rig(5, 1, 9)
    rig.pull()
    rig.refused = {1}
    result = rig.pull()
    assert result.run.status is RunStatus.FAILED
    assert rig.events.published[-1][0] == "pull.failed"
    rig.refused = set()
    rig.pull_whole()
    assert sorted(rig.landed()) == [1, 5, 9]


def test_a_refusal_where_the_cursor_tells_is_no_stale_position() -> None:
    rig = Rig(1, 2, 3, shows_positions=False, dataset=ordered())
    rig.pull()
    rig.refused = {0}
    assert rig.pull().run.status is RunStatus.FAILED
    assert rig.cursor == 1
    rig.refused = set()
    rig.pull_whole()
    assert sorted(rig.landed()) == [1, 2, 3]


def test_a_changed_endpoint_stops_an_append_and_lets_a_merge_begin_anew() -> None:
    rig = Rig(5, 1)
    rig.pull()
    changed = incremental(lag=0, initial_value=0)
    rig.dataset = a_dataset(source=changed, write_disposition="append")
    with pytest.raises(BadInput) as refused:
        rig.pull()
    assert str(refused.value) == (
        f"{rig.dataset.name}: a long pull is not finished (1 segment landed) and its "
        "endpoint has changed since; starting over would append its rows twice. Change "
        "the endpoint back until the pull has ended, or set `write_disposition: merge`"
    )
    rig.dataset = a_dataset(source=changed, write_disposition="merge")
    rig.pull_whole()
    assert set(rig.landed()) == {1, 5}


@pytest.mark.parametrize(
    ("budget", "is_spent"),
    [
        (Budget(), False),
        (Budget(deadline_s=11), False),
        (Budget(deadline_s=10), True),
        (Budget(rows=6), False),
        (Budget(rows=5), True),
        (Budget(size=101), False),
        (Budget(size=100), True),
        (Budget(deadline_s=11, rows=6, size=100), True),
    ],
)
def test_a_segment_ends_by_time_rows_or_size_whichever_comes_first(
    budget: Budget, *, is_spent: bool
) -> None:
    assert budget.is_spent(now_s=10, rows=5, size=100) is is_spent


def test_another_api_path_pagination_or_parent_gives_positions_another_meaning() -> (
    None
):
    def of(path: str = "cats", **client: object) -> Dataset:
        source = {
            "client": {"base_url": "https://example.com/", **client},
            "endpoint": {"path": path},
        }
        return a_dataset(source=source, write_disposition="append")

    known = [
        of(),
        of("dogs"),
        of(base_url="https://example.org/"),
        of(paginator={"type": "offset", "limit": 10}),
    ]
    assert len({shape_of(one) for one in known}) == len(known)
    assert shape_of(of()) == shape_of(of(timeout=7)), "which changes no position"


def test_a_segment_that_ends_where_it_began_is_a_circle() -> None:
    rig = Rig(1, 2, 3)
    rig.pull()
    # an API that ignores positions
    rig.opens = lambda dataset, _: rig.source(dataset, Window())
    result = rig.pull()
    assert result.run.error is not None
    assert "circles" in result.run.error.message
    assert rig.landed() == [1]


def test_a_past_window_leaves_a_pull_that_is_half_way_where_it_is() -> None:
    rig = Rig(5, 1, 9)
    rig.pull()
    before = rig.state.read("cats")
    assert rig.pull(start=1, end=6).run.rows == 2
    after = rig.state.read("cats")
    assert (after.cursor, after.resume) == (before.cursor, before.resume)
    assert after.last_success_started_at == before.last_success_started_at
    with pytest.raises(BadInput, match="not finished"):
        rig.pull(end=6)


def test_the_run_files_of_segments_name_their_pull_and_its_last() -> None:
    rig = Rig(3, 1, 2)
    first = rig.pull_whole()[0]
    files = [
        json.loads(body)
        for key, body in sorted(rig.landing.objects.items())
        if key.startswith(RUNS)
    ]
    assert [(one["segment"], one["is_last"]) for one in files] == [
        (1, False),
        (2, False),
        (3, True),
    ]
    assert {one["pull_id"] for one in files} == {first.run.run_id}


def test_a_real_api_is_pulled_in_segments_by_its_paginators_position() -> None:
    def answer(asked: Asked) -> Answer:
        first = int(asked.query.get("offset", 0))
        rows = [{"id": at, "at": at} for at in SHUFFLED[first : first + 1]]
        return answer_json({"rows": rows, "total": len(SHUFFLED)})

    paginator = {"type": "offset", "limit": 1, "total_path": "total"}
    with serving(answer) as server:
        rig = Rig()
        rig.opens = lambda _, window: (
            Pull(
                server,
                {"data_selector": "rows", "paginator": paginator},
                position=window.position,
            ).source
        )
        assert len(rig.pull_whole()) == 12
    assert sorted(rig.landed()) == sorted(SHUFFLED)
    assert rig.cursor == 11


def test_a_circle_longer_than_a_segment_is_told() -> None:
    def answer(asked: Asked) -> Answer:
        at = int(asked.query.get("at", 0))
        rows = [{"id": at, "at": at}]
        return answer_json({"rows": rows, "next": f"?at={at + 1 if at < 1 else 1}"})

    paginator = {"type": "json_link"}
    with serving(answer) as server:
        rig = Rig()
        rig.opens = lambda _, window: (
            Pull(
                server,
                {"data_selector": "rows", "paginator": paginator},
                position=window.position,
            ).source
        )
        for _ in range(3):
            result = rig.pull()
    assert result.run.error is not None
    assert "the pages go in circles" in result.run.error.message


class TriedTwice(MemoryState):
    """A client that repeats each last write, as if the first answer had been lost."""

    def record_landed(
        self, before: DatasetState, after: DatasetState, run: Run
    ) -> DatasetState:
        super().record_landed(before, after, run)
        return super().record_landed(before, after, run)


@pytest.mark.parametrize("ats", [[], [1, 2]])
def test_a_last_write_that_was_made_is_no_conflict(ats: list[int]) -> None:
    rig = Rig(*ats, rows_a_run=None)
    rig.state = TriedTwice()
    assert rig.pull().run.status is RunStatus.LANDED


def test_no_run_is_kept_as_failed_of_which_the_bus_was_not_told() -> None:
    rig = Rig(1, 2)
    rig.refused = {0}
    rig.events.faults = Faults(at=1)
    with pytest.raises(Killed):
        rig.pull()
    assert [run.status for run in rig.state.runs.values()] == [RunStatus.RUNNING]


class CappedFrom(Counted):
    """Gives three pages from a position on, and says that there are more."""

    def pages(self) -> Iterator[Page]:
        for page in super().pages():
            is_third = self._first and page.number - self._first == 3
            if is_third and page.next_position:
                raised = CapReached("the most it gives", kind=RunErrorKind.RESPONSE)
                yield dataclasses.replace(page, next_position=None, capped=raised)
                raise raised
            yield page


def test_before_a_cap_a_pull_whose_cursor_stops_where_it_began_begins_anew() -> None:
    at = [f"2013-01-01T{hour:02}:00:00Z" for hour in range(12)]
    source = incremental(row_order="asc", initial_value=at[0])
    dataset = a_dataset(source=source, write_disposition="append")
    rig = Rig(rows_a_run=4, dataset=dataset)
    rows = [b'{"id":%d,"at":"%b"}' % (n, one.encode()) for n, one in enumerate(at)]

    def opened(_: Dataset, window: Window) -> PageSource:
        left = [one for one in rows if json.loads(one)["at"] >= str(window.start)]
        return CappedFrom(rig, rows=left, position=window.position, shows=True)

    rig.opens = opened
    assert rig.pull().continues, "four rows: the cursor stands at the first"
    rig.clock.sleep(86_400)
    for _ in range(12):
        rig.pull()
    landed: list[object] = [*rig.landed()]
    assert landed == at, "each once, in order"
