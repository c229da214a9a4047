"""One pull of one dataset: from its first request to its moved cursor.

The engine knows neither AWS nor HTTP: pages come from a PageSource, bytes go to a
LandingZone, and the commit protocol makes them visible. The Lambda and
`catflap pull` run this same code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeAlias

from lambdas.core.cursor.order import CursorValue
from lambdas.core.dataset import Dataset
from lambdas.core.errors import (
    CatflapError,
    RunErrorKind,
    StateConflict,
    Terminal,
    UpstreamError,
)
from lambdas.core.landing.names import (
    RANDOM_BYTES,
    ROLL_OVER_BYTES,
    TURN_BYTES,
    new_pull_id,
    run_started_at,
    segment_run_id,
    whole_milliseconds,
)
from lambdas.core.paging.base import CapReached
from lambdas.core.ports import Clock, Events
from lambdas.core.pull.commit import Committer, failed_event
from lambdas.core.pull.plan import (
    SKEW,
    Plan,
    StateAfter,
    must_have_rows,
    must_move,
    plan_of,
    planned_anew,
)
from lambdas.core.pull.ports import LandingZone, PageSource, RunState
from lambdas.core.pull.run import (
    DatasetState,
    Lane,
    Manifest,
    PendingObject,
    Resume,
    Run,
    RunError,
    RunStatus,
    bounded,
)
from lambdas.core.pull.segment import (
    UNBOUNDED,
    Budget,
    begins_anew_at,
    goes_on,
    may_be_stale,
)
from lambdas.core.pull.slice import Slice, at_attempt, has_landed, sliced
from lambdas.core.pull.transfer import Transfer
from lambdas.core.pull.window import Window

_NEXT = timedelta(milliseconds=2)
"""Between a run and the newest that landed: with room for slices, which stand behind
the one and before the other."""

LONGEST_LIFE = timedelta(days=1)
"""Longer than any pull lives, and than any clock is wrong."""


SourceFactory: TypeAlias = Callable[[Dataset, Window], PageSource]
"""Opens the pages of a dataset for one window; nobody has read from them yet."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PullResult:
    """A run, and the objects it made visible (none if it failed): of rows, and of
    records that its contract refused.

    `continues`: the run was a segment, and the pull goes on after it. `went_on`: it
    went on with a pull that had begun before.
    """

    run: Run
    objects: tuple[PendingObject, ...] = ()
    quarantined: tuple[PendingObject, ...] = ()
    continues: bool = False
    went_on: bool = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know of the run although it landed."""
        return self.run.warnings


class Puller:
    """Pulls datasets, one run at a time."""

    def __init__(
        self,
        *,
        landing: LandingZone,
        state: RunState,
        events: Events,
        clock: Clock,
        source: SourceFactory,
        random: Callable[[int], bytes],
        roll_over_bytes: int = ROLL_OVER_BYTES,
        budget: Budget = UNBOUNDED,
    ) -> None:
        self._landing = landing
        self._state = state
        self._events = events
        self._clock = clock
        self._source = source
        self._random = random
        self._roll_over_bytes = roll_over_bytes
        self._budget = budget
        self._committer = Committer(
            landing=landing, state=state, events=events, clock=clock
        )

    def suspect(self, dataset: str) -> None:
        """Have the next check look: whoever pulled it before may have been killed, and
        a function that is killed tells nobody.
        """
        self._state.suspect(dataset, self._clock.now())

    def fail_to_begin(self, dataset: str, error: Exception) -> None:
        """Record a failed run of a pull that cannot even begin: without it, the pull
        would look as if nobody had asked for it.
        """
        run = self._begun(self._state.read(dataset), None)
        self._failed(run, RunErrorKind.INTERNAL, _sentence(error))

    def is_done(
        self, dataset: str, due_at: datetime | None, *, continues: bool = False
    ) -> bool:
        """Whether there is nothing to do: a tick is older than the last successful
        run's start, and whatever it asked for was fetched then; or a message that asks
        to continue a long pull (`continues`) finds none half-way.

        A run that was left half-way is rolled forward first. A pull that is half-way
        goes on, whoever asks. A start that is yet to come answers nothing: a clock was
        ahead.
        """
        state = self._committer.read(dataset)
        if state.resume is not None:
            return False
        last = state.last_success_started_at
        if continues or due_at is None or last is None:
            return continues
        return due_at <= last <= self._clock.now() + SKEW

    def pull(
        self,
        dataset: Dataset,
        *,
        start: CursorValue | None = None,
        end: CursorValue | None = None,
        asked_at: datetime | None = None,
    ) -> PullResult:
        """Pull what is new, up to `end` if given. `asked_at` is when the queue first
        gave out the message that asks for it, by its clock: ours may be ahead.

        With `start` a past window is pulled and the cursor stays where it is. Without
        either, a pull that has spent its budget lands what it has, and the next one
        goes on there. Upstream faults come back as a failed run, with nothing landed
        and the cursor unmoved. Raises StateConflict if somebody else pulled meanwhile,
        and whatever the landing zone and the state raise: those are ours, and the
        message must come again.
        """
        before = self._committer.read(dataset.name)
        now = self._clock.now()
        now = now if asked_at is None else min(now, asked_at)
        return self._pull(dataset, before, start=start, end=end, now=now)

    def pull_slice(self, dataset: Dataset, part: Slice) -> PullResult | None:
        """Pull a slice of a backfill, or on with it; None if it has landed already.

        As `pull`, in a lane of its own beside the dataset's live pulls, of which
        nothing is changed. Raises BadInput, StateConflict and what `pull` does.
        """
        before = self._committer.read(part.state_name)
        if has_landed(before, part):
            return None
        # A slice is held to the columns that live pulls have seen, and teaches none.
        observed = self._state.read(part.dataset).observed
        return self._pull(
            sliced(dataset),
            dataclasses.replace(at_attempt(before, part), observed=observed),
            start=part.start,
            end=part.end,
            now=self._clock.now(),
        )

    def give_up(self, part: Slice, error: RunError) -> None:
        """Keep why a slice failed for good, for whoever asked for it."""
        state = self._state.read(part.state_name)
        if has_landed(state, part) or state.committing is not None:
            return
        before = at_attempt(state, part)
        lane = dataclasses.replace(
            before.lane or Lane(name=part.lane), error=error, asked=part.asked
        )
        with suppress(StateConflict):  # somebody goes on with it
            self._state.record_lane(before, dataclasses.replace(before, lane=lane))

    def _pull(
        self,
        dataset: Dataset,
        before: DatasetState,
        *,
        start: CursorValue | None,
        end: CursorValue | None,
        now: datetime,
    ) -> PullResult:
        is_past = start is not None and before.lane is None
        resume = before.resume if goes_on(dataset, before.resume) else None
        run = self._begun(before, None if is_past else resume)
        self._state.record_started(run)
        is_cut = before.lane is not None or (start is None and end is None)
        transfer = Transfer(
            run=run,
            dataset=dataset,
            observed=before.observed,
            landing=self._landing,
            clock=self._clock,
            roll_over_bytes=self._roll_over_bytes,
            budget=self._budget if is_cut else UNBOUNDED,
            may_be_cut=is_cut,
        )
        try:
            plan = plan_of(dataset, before, start=start, end=end, now=now)
            plan = self._transferred(transfer, dataset, before, plan)
            must_move(plan, transfer.cut)
            objects = transfer.finish()
            must_have_rows(dataset, before, plan, transfer.run)
        except UpstreamError as error:
            transfer.abort()
            return PullResult(run=self._failed(transfer.run, error.kind, str(error)))
        except BaseException as error:
            transfer.abort()
            if isinstance(error, Exception):
                self._failed(transfer.run, RunErrorKind.INTERNAL, _sentence(error))
            raise
        run, manifest = commitment(dataset, before, plan, transfer, objects)
        try:
            landed = self._committer.commit(before, run, manifest)
        except StateConflict:
            transfer.abort()
            raise
        is_landed = landed.status is RunStatus.LANDED
        return PullResult(
            run=landed,
            objects=objects if is_landed else (),
            quarantined=transfer.quarantined if is_landed else (),
            continues=is_landed and transfer.cut is not None,
            went_on=plan.resumed is not None,
        )

    def _begun(self, before: DatasetState, resume: Resume | None) -> Run:
        # As the names of its objects carry it, so that nothing of a run predates it.
        started_at = whole_milliseconds(self._clock.now())
        if before.lane is None and before.newest_run_at is not None:
            # A newer run's rows win over an older one's, whatever a clock says.
            started_at = max(started_at, before.newest_run_at + _NEXT)
        random = self._random(RANDOM_BYTES)
        if resume is not None:
            run_id = segment_run_id(resume.pull_id, resume.segments + 1, random)
        elif before.lane is not None:
            run_id = self._id_in_lane(before, random)
        else:
            run_id = new_pull_id(started_at, None, random)
        return self._new_run(before, started_at, run_id)

    def _id_in_lane(self, before: DatasetState, random: bytes) -> str:
        """The id of a slice's run: right behind the newest live run that has landed.

        Of two versions of a row `merge` shows the one whose run id is greater. What
        landed before a slice begins must lose against it; whatever live pull is under
        way, or is to come, may read a row after the slice did, and must win. So the id
        says a moment between both, and its turn among the slices' runs there.
        """
        live = self._state.read(before.dataset)
        floor = whole_milliseconds(self._clock.now() - LONGEST_LIFE)
        if live.resume is not None:
            # A pull that is half-way is yet to read rows, under the moment it began.
            floor = run_started_at(live.resume.pull_id) - _NEXT / 2
        elif live.newest_run_at is not None:
            floor = max(floor, live.newest_run_at + _NEXT / 2)
        stamp = self._state.next_lane_stamp(before.dataset, floor)
        return new_pull_id(stamp.at, stamp.number.to_bytes(TURN_BYTES), random)

    def _new_run(self, before: DatasetState, started_at: datetime, run_id: str) -> Run:
        return Run(
            dataset=before.dataset,
            lane=before.lane.name if before.lane else None,
            run_id=run_id,
            status=RunStatus.RUNNING,
            started_at=started_at,
            finished_at=None,
            rows=0,
            size=0,
            objects=0,
            pages=0,
            requests=0,
            retries=0,
            cursor_before=before.cursor.value,
            cursor_after=before.cursor.value,
        )

    def _transferred(
        self,
        transfer: Transfer,
        dataset: Dataset,
        before: DatasetState,
        plan: Plan,
    ) -> Plan:
        """Carry the pages over; begin anew if a stored position has expired, or if a
        cap ends it and the cursor cannot move on: it stops where the pull began.
        """
        try:
            transfer.run_from(self._source(dataset, plan.window), plan.rows)
        except Terminal as error:
            resumed = plan.resumed
            if resumed is None or resumed.position is None:
                raise
            is_stale = not transfer.has_rows and may_be_stale(dataset, error)
            if not is_stale and not isinstance(error, CapReached):
                raise
            anew = begins_anew_at(dataset, resumed, before.cursor)
            if anew is None:
                raise
            plan = planned_anew(dataset, plan, anew)
            self._begin_anew(transfer, before, error)
            transfer.run_from(self._source(dataset, plan.window), plan.rows)
        return plan

    def _begin_anew(
        self, transfer: Transfer, before: DatasetState, error: Terminal
    ) -> None:
        """Go on under a new pull's id: what it reads is newer than what landed."""
        old = transfer.run
        why = "upstream no longer knows where this pull was, so it starts over: "
        if isinstance(error, CapReached):
            why = "this pull cannot go on from where it was, so it starts over: "
        transfer.abort()
        self._failed(old, error.kind, f"{why}{error}")
        run = self._begun(before, None)
        counted = dataclasses.replace(
            run, requests=old.requests, retries=old.retries, pages=old.pages
        )
        self._state.record_started(counted)
        transfer.begin(counted)

    def _failed(self, run: Run, kind: RunErrorKind, message: str) -> Run:
        error = RunError(kind=kind, message=message)
        failed = self._ended(run, error)
        event = failed_event(failed, error)
        # first, so that no run is kept as failed of which nobody was told
        self._events.publish(event.detail_type, event.detail())
        self._state.record_failed(failed)
        return failed

    def _ended(self, run: Run, error: RunError) -> Run:
        return dataclasses.replace(
            run,
            status=RunStatus.FAILED,
            finished_at=self._clock.now(),
            rows=0,
            size=0,
            objects=0,
            quarantined=0,
            error=error,
        )


def commitment(
    dataset: Dataset,
    before: DatasetState,
    plan: Plan,
    transfer: Transfer,
    objects: tuple[PendingObject, ...],
) -> tuple[Run, Manifest]:
    """A run that has read its pages, and what it is to commit."""
    ending = StateAfter.of(dataset, before, transfer.run, transfer.cut, plan)
    is_live = plan.is_live and before.lane is None
    observed, drift = transfer.inspector.after(is_live=is_live)
    run = dataclasses.replace(
        transfer.run,
        cursor_after=ending.cursor.value,
        warnings=tuple(map(bounded, (*plan.rows.warnings, *transfer.warnings))),
    )
    resumed = plan.resumed
    manifest = Manifest(
        dataset=run.dataset,
        run_id=run.run_id,
        objects=objects,
        cursor_after=ending.cursor,
        write_disposition=dataset.write_disposition,
        resume_after=ending.resume,
        answered_until=ending.answered_until,
        pull_id=resumed.pull_id if resumed else run.run_id,
        segment=resumed.segments + 1 if resumed else 1,
        quarantined=transfer.quarantined,
        observed_after=observed,
        relation_changes=is_live
        and dataset.columns is None
        and observed.columns != before.observed.columns,
        drift=tuple(drift) if before.lane is None else (),
    )
    return run, manifest


def _sentence(error: Exception) -> str:
    """What a run record says of an error nobody foresaw: its type, and its text only
    where the text is ours and so is known to hold no secret.
    """
    return str(error) if isinstance(error, CatflapError) else type(error).__name__
