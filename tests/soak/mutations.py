"""The protocol, broken on purpose: a soak that does not notice is worth nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from pydantic import JsonValue

from lambdas.adapters.sources import api_pages
from lambdas.adapters.sources.api_pages import ApiPages
from lambdas.adapters.state import runs as state_table
from lambdas.core.cursor import order
from lambdas.core.cursor.order import CursorOrder, SortKey
from lambdas.core.dataset import Dataset
from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.http.message import HttpResponse
from lambdas.core.landing.names import (
    new_run_id,
    raw_prefix,
    run_key,
    run_started_at,
)
from lambdas.core.paging import base
from lambdas.core.paging.auto import AutoPaginator
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.paging.paginators.offset import OffsetPaginator
from lambdas.core.paging.paginators.page_number import PageNumberPaginator
from lambdas.core.paging.signs import Signs
from lambdas.core.pull import engine, transfer
from lambdas.core.pull import plan as planner
from lambdas.core.pull.commit import Committer
from lambdas.core.pull.cursor import NewRows
from lambdas.core.pull.edge import Edge
from lambdas.core.pull.manifest import run_file
from lambdas.core.pull.plan import Plan, StateAfter
from lambdas.core.pull.ports import Page
from lambdas.core.pull.run import (
    CursorPosition,
    DatasetState,
    Manifest,
    Resume,
    Run,
    RunError,
    RunStatus,
)
from lambdas.core.pull.segment import Cut
from lambdas.core.pull.slice import sliced
from lambdas.core.quality import release
from lambdas.core.quality.plan import CheckedDataset
from lambdas.core.quality.release import WaitingRun
from lambdas.core.records import nested, select
from lambdas.core.records.primary_key import Keyed, KeyedRecords
from lambdas.freshness import breaker
from lambdas.freshness.breaker import Breaker
from tests.soak.aws import DynamoDB
from tests.soak.simulation import Hooks, Shape, styled


class CursorFirst(Committer):
    """Moves the cursor, and only then makes the rows visible."""

    def _finish(self, state: DatasetState, run: Run, manifest: Manifest) -> Run:
        landed = self._finished(run)
        after = self._after(state, landed, manifest)
        self._decide(
            state, lambda: self._state.record_landed(state, after, landed), run
        )
        self._complete_all(manifest)
        self._landing.put(
            run_key(run.dataset, run.run_id),
            run_file(landed, manifest, disposition=manifest.write_disposition),
        )
        self._events.publish("dataset.landed", {"run_id": run.run_id})
        return landed


class RunFileLast(Committer):
    """Lands the run, and only then says so in its run file."""

    def _finish(self, state: DatasetState, run: Run, manifest: Manifest) -> Run:
        if not self._complete_all(manifest):
            return super()._finish(state, run, manifest)
        landed = self._finished(run)
        self._events.publish("dataset.landed", {"run_id": run.run_id})
        after = self._after(state, landed, manifest)
        self._decide(
            state, lambda: self._state.record_landed(state, after, landed), run
        )
        self._landing.put(
            run_key(run.dataset, run.run_id),
            run_file(landed, manifest, disposition=manifest.write_disposition),
        )
        return landed


class ForgetsTheManifest(Committer):
    """Takes an upload that is gone for one that was completed."""

    def _complete_all(self, manifest: Manifest) -> bool:
        with contextlib.suppress(Exception):
            super()._complete_all(manifest)
        return True


class ForgetsTheQuarantine(Committer):
    """Completes the rows, and not what was refused."""

    def _complete_all(self, manifest: Manifest) -> bool:
        return super()._complete_all(dataclasses.replace(manifest, quarantined=()))


def _together(_: Breaker, one: CheckedDataset, runs: tuple[str, ...]) -> CheckedDataset:
    return dataclasses.replace(one, candidates=runs)


_next_run = Breaker._next


def _shows_the_rest(self: Breaker, one: CheckedDataset) -> list[CheckedDataset]:
    """Once a run is judged, shows those that have waited for too long."""
    upcoming = _next_run(self, one)
    if upcoming:
        name = one.dataset.name
        waiting = [
            dataclasses.replace(run, is_whole=False) for run in self._waiting[name]
        ]
        self._waiting[name] = waiting
    return [] if upcoming else upcoming


def _taken_as_whole(*, run_id: str, is_whole: bool, loaded_at: Any) -> WaitingRun:
    del is_whole
    return WaitingRun(run_id=run_id, is_whole=True, loaded_at=loaded_at)


def _take_every_write(dynamodb: DynamoDB) -> None:
    dynamodb.ignores_conditions = True


_state_item = state_table._state_item


def _unfenced_item(state: DatasetState) -> dict[str, Any]:
    """The state with a version that never moves on from the first."""
    return _state_item(dataclasses.replace(state, version=min(state.version, 1)))


_ending_of = StateAfter.of


def _cursor_runs_ahead(
    dataset: Dataset, before: DatasetState, run: Run, cut: Cut | None, plan: Plan
) -> StateAfter:
    """Moves the cursor with every segment, though later pages may be below it."""
    made = _ending_of(dataset, before, run, cut, plan)
    if cut is None or not plan.is_live:
        return made
    return dataclasses.replace(made, cursor=plan.rows.position)


_new_rows = NewRows.__init__


def _without_edge(self: NewRows, *, position: CursorPosition, **more: Any) -> None:
    _new_rows(self, position=position, **more)
    self._edge = Edge(
        dataset=self._dataset, before=(), reached=None, asks_from_cursor=False
    )


def _name_without_run(dataset: str, generation: int, run_id: str, part: int) -> str:
    day = run_started_at(run_id).date().isoformat()
    return f"{raw_prefix(dataset, generation)}dt={day}/{part:05d}.ndjson.gz"


def _as_the_clock_says(
    self: engine.Puller, before: DatasetState, resume: Resume | None
) -> Run:
    return _begun(self, dataclasses.replace(before, newest_run_at=None), resume)


_begun = engine.Puller._begun


def _slice_as_the_clock_says(
    self: engine.Puller, before: DatasetState, random: bytes
) -> str:
    del before
    return new_run_id(self._clock.now(), random)


def _merged_and_backfilled(shape: Shape) -> Shape:
    """Only there can an older version of a row win over a newer one."""
    return dataclasses.replace(shape, disposition="merge", backfills=True)


_sliced = sliced


def _with_its_end(dataset: Dataset) -> Dataset:
    """A slice that holds the rows exactly at its end, as the next one does."""
    made = _sliced(dataset)
    endpoint = made.source.endpoint
    assert endpoint is not None
    assert endpoint.incremental is not None
    closed = endpoint.incremental.model_copy(update={"range_end": "closed"})
    endpoint = endpoint.model_copy(update={"incremental": closed})
    source = made.source.model_copy(update={"endpoint": endpoint})
    return made.model_copy(update={"source": source})


def _without_lane(name: str) -> dict[str, Any]:
    return _state_key(name.partition("/")[0])


_state_key = state_table._state_key


_text_key = order._text_key


def _as_it_is_written(value: str, how: CursorOrder) -> SortKey:
    """Compares times and numbers in text as the texts that they are."""
    kind, *_ = _text_key(value, how)
    return (kind, value, 0) if kind == "number" else _text_key(value, how)


_add = Edge.add


def _only_at_the_cursor(self: Edge, record: bytes, day: int | None) -> None:
    if day is None:
        _add(self, record, day)


def _id_of_its_own(pull_id: str, number: int, random: bytes) -> str:
    """A segment's rows rank by when the segment began."""
    later = run_started_at(pull_id) + number * timedelta(milliseconds=1)
    return new_run_id(later, random)


def _kept_id(self: engine.Puller, *_: object) -> None:
    """A pull that begins anew goes on under the id of the one before."""


def _only_recorded(
    self: engine.Puller, run: Run, kind: RunErrorKind, message: str
) -> Run:
    failed = self._ended(run, RunError(kind=kind, message=message))
    self._state.record_failed(failed)
    return failed


_id_in_lane = engine.Puller._id_in_lane


def _behind_each_segment(
    self: engine.Puller, before: DatasetState, random: bytes
) -> str:
    """A slice stands behind what has landed of a pull that is half-way."""
    read = self._state.read

    def without_resume(name: str) -> DatasetState:
        return dataclasses.replace(read(name), resume=None)

    with patch.object(self._state, "read", without_resume):
        return _id_in_lane(self, before, random)


def _stale(self: state_table.StateTable, key: dict[str, Any]) -> Any:
    """A read that may be of before the last write."""
    return self._dynamodb.get_item(TableName=self._table, Key=key).get("Item")


def _raised(
    self: Committer, state: object, write: Callable[[], object], _: Run
) -> None:
    """Fails for what somebody else has done."""
    del self, state
    write()


def _with_its_figures(_: Committer, run: Run) -> Run:
    return dataclasses.replace(run, status=RunStatus.VOIDED)


def _kept(self: Committer, *_: object) -> None:
    """Spilled edges stay for ever."""


def _all_forgotten(self: Committer, before: DatasetState, manifest: Manifest) -> None:
    """Removes the edge that the state points to, too."""
    for cursor in (before.cursor, manifest.cursor_after):
        if cursor.edge_key is not None:
            self._landing.delete(cursor.edge_key)


def _first_page_ends(self: NewRows, key: SortKey) -> bool:
    """Takes what is after the end for a sign that all the rest is, too."""
    is_in = _is_in_window(self, key)
    if self._end is not None and key >= self._end:
        self.exhausted = True
    return is_in


_is_in_window = NewRows._is_in_window


def _refused_whole(self: KeyedRecords, records: Sequence[bytes], *, page: int) -> Keyed:
    """Has a page of errors wait in quarantine, as if it were a page of rows."""
    try:
        return _keyed_of(self, records, page=page)
    except Terminal:
        return Keyed(lacking=dict.fromkeys(records, "id"))


_keyed_of = KeyedRecords.of


def _with_one_clock(
    dataset: Dataset, position: CursorPosition, *, now: datetime, **more: Any
) -> Plan:
    """A later segment's cursor stops where that segment began."""
    resume = more.get("resume")
    if resume is not None:
        more["resume"] = dataclasses.replace(resume, started_at=now)
    return _planned(dataset, position, now=now, **more)


_planned = planner.planned


class _NeverRaised(Exception):
    """Stands in for a cap."""


def _without_its_cap(self: ApiPages, *given: Any) -> Page:
    """Takes the most that an API gives for all there is."""
    return dataclasses.replace(_made(self, *given), capped=None)


_made = ApiPages._made


def _gone_at_once(name: str) -> Any:
    """Runs that DynamoDB removes within days of their writing."""
    return patch.object(state_table, name, -timedelta(days=90))


def _over_http(style: str, **more: Any) -> Callable[[Shape], Shape]:
    return lambda shape: styled(dataclasses.replace(shape, style=style, **more))


_capped = _over_http("an offset up to a cap")
_silent = _over_http("an offset and nothing else")
_growing = _over_http(
    "a link for ever and a total",
    order="log",
    has_futures=False,
    segment_rows=1,
    page_rows=2,
    empties=0.1,
)


def _objects_alone(records: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Drops what is no object."""
    return _parted(records)[0], []


_parted = select.parted


def _past_any_page(_: object, position: JsonValue) -> bool:
    """Takes a refusal of any page but the first for the end."""
    return position is not None


_refusals = (OffsetPaginator, PageNumberPaginator)


_following = OffsetPaginator.following
_fetched = ApiPages._fetch


def _ends_at_a_short_page(
    self: OffsetPaginator, page: AnsweredPage, position: JsonValue
) -> JsonValue:
    upcoming = _following(self, page, position)
    return upcoming if page.rows >= self.limit else None


def _nothing_without_content(
    self: ApiPages, *args: Any, **keys: Any
) -> HttpResponse | None:
    response = _fetched(self, *args, **keys)
    return response if response is not None and response.body else None


def _spilled_edges(shape: Shape) -> Shape:
    return dataclasses.replace(shape, edge_in_state=1)


def _newest_first(shape: Shape) -> Shape:
    shape = dataclasses.replace(shape, order="desc", declares_order=True, style=None)
    return dataclasses.replace(shape, backfills=True, keeps_versions=False)


def _digits(shape: Shape) -> Shape:
    return dataclasses.replace(shape, writing="digits in text", has_futures=False)


def _futures(shape: Shape) -> Shape:
    return dataclasses.replace(
        shape, writing="ISO 8601 in UTC", has_futures=True, lag=0
    )


def _logged_in_segments(shape: Shape) -> Shape:
    return dataclasses.replace(
        shape,
        style=None,
        disposition="merge",
        keeps_versions=True,
        backfills=False,
        order="desc",
        declares_order=True,
        segment_rows=1,
        has_positions=True,
    )


def _futures_in_segments(shape: Shape) -> Shape:
    return dataclasses.replace(
        _futures(_logged_in_segments(shape)),
        order="asc",
        keeps_versions=False,
        page_rows=2,
        ahead=(20, 40, 80),
        futures=0.5,
    )


def _logged_and_cut_at_the_cursor(shape: Shape) -> Shape:
    return dataclasses.replace(
        _futures(_logged_in_segments(shape)), order="asc", has_positions=False
    )


@contextlib.contextmanager
def broken(mutation: str) -> Iterator[Hooks]:
    """The protocol with one thing broken, as long as it is entered."""
    hooks, patches = MUTATIONS[mutation]()
    with contextlib.ExitStack() as stack:
        for each in patches:
            stack.enter_context(each)
        yield hooks


MUTATIONS: dict[str, Callable[[], tuple[Hooks, list[Any]]]] = {
    "numbers in text compare as text": lambda: (
        Hooks(shape=_digits),
        [patch.object(order, "_text_key", _as_it_is_written)],
    ),
    "a row that is dated after now moves the cursor": lambda: (
        Hooks(shape=_futures),
        [patch.object(NewRows, "_is_ahead", lambda *_: False)],
    ),
    "a row that is dated after now is not remembered": lambda: (
        Hooks(shape=_futures),
        [patch.object(Edge, "add", _only_at_the_cursor)],
    ),
    "a cut forgets versions that are yet to come": lambda: (
        Hooks(shape=_logged_and_cut_at_the_cursor),
        [patch.object(NewRows, "cut_position", NewRows.position)],
    ),
    "a pull that failed says so to nobody": lambda: (
        Hooks(),
        [patch.object(engine.Puller, "_failed", _only_recorded)],
    ),
    "each segment of a pull ranks by its own start": lambda: (
        Hooks(shape=_logged_in_segments),
        [patch.object(engine, "segment_run_id", _id_of_its_own)],
    ),
    "a pull that begins anew keeps its id": lambda: (
        Hooks(shape=_logged_in_segments),
        [patch.object(engine.Puller, "_begin_anew", _kept_id)],
    ),
    "a slice stands behind the segments of a pull that is half-way": lambda: (
        Hooks(shape=_merged_and_backfilled),
        [patch.object(engine.Puller, "_id_in_lane", _behind_each_segment)],
    ),
    "the cursor moves before the uploads are completed": lambda: (
        Hooks(committer=CursorFirst),
        [],
    ),
    "the run file is put after the cursor has moved": lambda: (
        Hooks(committer=RunFileLast),
        [],
    ),
    "an upload that is gone counts as completed": lambda: (
        Hooks(committer=ForgetsTheManifest),
        [],
    ),
    "objects of refused records are not completed": lambda: (
        Hooks(committer=ForgetsTheQuarantine),
        [],
    ),
    "the state's writes have no condition": lambda: (
        Hooks(dynamodb=_take_every_write),
        [],
    ),
    "the state's version does not move": lambda: (
        Hooks(),
        [patch.object(state_table, "_state_item", _unfenced_item)],
    ),
    "names are not unique": lambda: (
        Hooks(),
        [patch.object(transfer, "raw_key", _name_without_run)],
    ),
    "rows at the edge are not deduplicated": lambda: (
        Hooks(),
        [patch.object(NewRows, "__init__", _without_edge)],
    ),
    "a run starts when its clock says, even before an older one": lambda: (
        Hooks(),
        [patch.object(engine.Puller, "_begun", _as_the_clock_says)],
    ),
    "the cursor moves with each segment of unordered pages": lambda: (
        Hooks(),
        [patch.object(StateAfter, "of", _cursor_runs_ahead)],
    ),
    "a slice's run stands where the clock says": lambda: (
        Hooks(shape=_merged_and_backfilled),
        [patch.object(engine.Puller, "_id_in_lane", _slice_as_the_clock_says)],
    ),
    "a slice holds the rows at its end as well": lambda: (
        Hooks(),
        [patch.object(engine, "sliced", _with_its_end)],
    ),
    "a slice that has landed is pulled again": lambda: (
        Hooks(),
        [patch.object(engine, "has_landed", lambda *_: False)],
    ),
    "a slice is fenced on its dataset's state": lambda: (
        Hooks(),
        [patch.object(state_table, "_state_key", _without_lane)],
    ),
    "reads may be of before the last write": lambda: (
        Hooks(),
        [patch.object(state_table.StateTable, "_get", _stale)],
    ),
    "what has landed is watched by nobody": lambda: (
        Hooks(),
        [patch.object(state_table, "awaiting_load", lambda *_: ())],
    ),
    "records of runs expire at once": lambda: (
        Hooks(),
        [_gone_at_once("RUNS_KEPT")],
    ),
    "a run that another has landed is an error": lambda: (
        Hooks(),
        [patch.object(Committer, "_decide", _raised)],
    ),
    "a voided run keeps its figures": lambda: (
        Hooks(),
        [patch.object(Committer, "_voided", _with_its_figures)],
    ),
    "spilled edges stay": lambda: (
        Hooks(shape=_spilled_edges),
        [patch.object(Committer, "_forget_edges", _kept)],
    ),
    "a spilled edge that is pointed to is removed": lambda: (
        Hooks(shape=_spilled_edges),
        [patch.object(Committer, "_forget_edges", _all_forgotten)],
    ),
    "a bounded pull, newest first, ends at its first page": lambda: (
        Hooks(shape=_newest_first),
        [patch.object(NewRows, "_is_in_window", _first_page_ends)],
    ),
    "a record without its key lands": lambda: (
        Hooks(),
        [patch.object(KeyedRecords, "of", lambda *_, **__: Keyed())],
    ),
    "a page without keys is a page of refused records": lambda: (
        Hooks(),
        [patch.object(KeyedRecords, "of", _refused_whole)],
    ),
    "a later segment's cursor stops where that segment began": lambda: (
        Hooks(shape=_futures_in_segments),
        [patch.object(planner, "planned", _with_one_clock)],
    ),
    "an error in a body is the end": lambda: (
        Hooks(shape=_over_http("a link in a header")),
        [
            patch.object(module, "refuse_failure", lambda *_, **__: None)
            for module in (api_pages, select)
        ],
    ),
    "an empty page in between is the end": lambda: (
        Hooks(shape=_over_http("a link that is gone at the end")),
        [patch.object(base, "vanished", lambda *_: None)],
    ),
    "a total that is not reached is no matter": lambda: (
        Hooks(shape=_over_http("a cursor, found")),
        [patch.object(Signs, "of_more", lambda *_, **__: None)],
    ),
    "a short page is the end": lambda: (
        Hooks(shape=_silent),
        [patch.object(OffsetPaginator, "following", _ends_at_a_short_page)],
    ),
    "a link that leads on for ever is followed for ever": lambda: (
        Hooks(shape=_over_http("a link for ever and a total")),
        [patch.object(Signs, "has_read_total", new=False)],
    ),
    "an answer without content is the end": lambda: (
        Hooks(shape=_over_http("a link that is gone at the end")),
        [patch.object(ApiPages, "_fetch", _nothing_without_content)],
    ),
    "a pull that goes on later forgets what it read": lambda: (
        Hooks(shape=_over_http("a cursor, found", segment_rows=1)),
        [patch.object(api_pages, "stored", lambda position, _: position)],
    ),
    "the most that an API gives is all there is": lambda: (
        Hooks(shape=_capped),
        [patch.object(ApiPages, "_made", _without_its_cap)],
    ),
    "a pull that stands before a cap never begins anew": lambda: (
        Hooks(shape=_capped),
        [patch.object(engine, "CapReached", _NeverRaised)],
    ),
    "an end that the newest total is against is believed": lambda: (
        Hooks(shape=_growing),
        [patch.object(base.BasePaginator, "is_doubtful_end", lambda *_: False)],
    ),
    "a page without rows is the end, whatever number it has": lambda: (
        Hooks(shape=_over_http("pages and their number")),
        [patch.object(PageNumberPaginator, "short_of_total", lambda *_: None)],
    ),
    "a page that is refused past the end is an error": lambda: (
        Hooks(shape=_over_http("pages, refused past the end")),
        [
            patch.object(one, "may_be_past_the_end", lambda *_: False)
            for one in _refusals
        ],
    ),
    "an offset that is refused past the end is an error": lambda: (
        Hooks(shape=_over_http("an offset, refused past the end")),
        [
            patch.object(one, "may_be_past_the_end", lambda *_: False)
            for one in _refusals
        ],
    ),
    "an offset that is refused is the end": lambda: (
        Hooks(shape=_over_http("an offset, refused past the end")),
        [patch.object(one, "may_be_past_the_end", _past_any_page) for one in _refusals],
    ),
    "a null hides the rows behind it": lambda: (
        Hooks(shape=_over_http("rows behind a null")),
        [patch.object(select, "_NULLS", re.compile(rb"\A\s*"))],
    ),
    "what is no object is dropped": lambda: (
        Hooks(shape=_over_http("rows behind a null")),
        [patch.object(api_pages, "parted", _objects_alone)],
    ),
    "rows that are deep in an answer are told to nobody": lambda: (
        Hooks(shape=_over_http("rows deep in an answer")),
        [patch.object(api_pages, "nested_rows", lambda _: None)],
    ),
    "rows by their ids are told to nobody": lambda: (
        Hooks(shape=_over_http("rows by their ids")),
        [patch.object(nested, "_is_keyed", lambda _: False)],
    ),
    "a page that may not be all is told to nobody": lambda: (
        Hooks(shape=_over_http("a window of rows and not a word")),
        [patch.object(AutoPaginator, "doubt", lambda *_: None)],
    ),
    "a total that stops at a round number is told to nobody": lambda: (
        Hooks(shape=_over_http("a window of rows and its total")),
        [patch.object(Signs, "has_total", lambda *_: False)],
    ),
    "of several pulls only the newest is looked at": lambda: (
        Hooks(),
        [patch.object(breaker, "is_by_pull", lambda _: False)],
    ),
    "a run is blamed for what shows without it": lambda: (
        Hooks(),
        [patch.object(release, "_is_worse", lambda *_: True)],
    ),
    "runs that fail together are held back together": lambda: (
        Hooks(),
        [patch.object(Breaker, "_alone", _together)],
    ),
    "a run is judged before all of it is loaded": lambda: (
        Hooks(),
        [patch.object(breaker, "WaitingRun", _taken_as_whole)],
    ),
    "what waits shows unchecked at once": lambda: (
        Hooks(),
        [patch.object(breaker, "overdue", lambda _, waiting, __: waiting)],
    ),
    "what waits for its turn shows unchecked after its time": lambda: (
        Hooks(),
        [patch.object(Breaker, "_next", _shows_the_rest)],
    ),
    "runs that wait are forgotten": lambda: (
        Hooks(),
        [patch.object(Breaker, "is_waited_for", lambda *_: False)],
    ),
}

KINDS: dict[str, tuple[str, ...]] = {
    "cursors whose order is not known": ("numbers in text compare as text",),
    "a cursor never passes now, nor where a pull began": (
        "a row that is dated after now moves the cursor",
        "a row that is dated after now is not remembered",
        "a cut forgets versions that are yet to come",
        "a later segment's cursor stops where that segment began",
        "the cursor moves with each segment of unordered pages",
    ),
    "what shows that there is more is followed or refused": (
        "a total that is not reached is no matter",
        "a pull that goes on later forgets what it read",
        "a short page is the end",
        "a page that is refused past the end is an error",
        "an offset that is refused past the end is an error",
        "a page that may not be all is told to nobody",
        "a total that stops at a round number is told to nobody",
        "a link that leads on for ever is followed for ever",
        "the most that an API gives is all there is",
        "a pull that stands before a cap never begins anew",
        "a bounded pull, newest first, ends at its first page",
    ),
    "an error is never the end": (
        "an error in a body is the end",
        "an empty page in between is the end",
        "an end that the newest total is against is believed",
        "a page without rows is the end, whatever number it has",
        "an offset that is refused is the end",
        "an answer without content is the end",
    ),
    "a record has its key": (
        "a record without its key lands",
        "a page without keys is a page of refused records",
        "rows at the edge are not deduplicated",
        "a null hides the rows behind it",
        "what is no object is dropped",
        "rows that are deep in an answer are told to nobody",
        "rows by their ids are told to nobody",
    ),
    "of several versions the newest shows": (
        "each segment of a pull ranks by its own start",
        "a pull that begins anew keeps its id",
        "a slice stands behind the segments of a pull that is half-way",
        "a run starts when its clock says, even before an older one",
        "a slice's run stands where the clock says",
    ),
    "windows cover what they say": (
        "a slice holds the rows at its end as well",
        "a slice that has landed is pulled again",
        "a slice is fenced on its dataset's state",
    ),
    "visible means committed": (
        "the cursor moves before the uploads are completed",
        "the run file is put after the cursor has moved",
        "an upload that is gone counts as completed",
        "objects of refused records are not completed",
        "the state's writes have no condition",
        "the state's version does not move",
        "names are not unique",
        "reads may be of before the last write",
        "a run that another has landed is an error",
        "spilled edges stay",
        "a spilled edge that is pointed to is removed",
    ),
    "a breaker shows what passed, and nothing else": (
        "of several pulls only the newest is looked at",
        "a run is blamed for what shows without it",
        "runs that fail together are held back together",
        "a run is judged before all of it is loaded",
        "what waits shows unchecked at once",
        "what waits for its turn shows unchecked after its time",
        "runs that wait are forgotten",
    ),
    "what became of a run is told and kept": (
        "a pull that failed says so to nobody",
        "a voided run keeps its figures",
        "what has landed is watched by nobody",
        "records of runs expire at once",
    ),
}
"""Each kind of loss, and the mutations that bring it back."""
