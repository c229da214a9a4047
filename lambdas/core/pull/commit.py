"""The commit protocol: how uploaded rows become visible exactly once.

::

    1  put the manifest                      nothing visible, nothing recorded
    2  record the run as committing          the point of no return (conditional)
    3  complete each upload                  idempotent; the rows are visible
    4  put the run's file                    idempotent
    5  announce `dataset.landed`, and what   at least once, same ids each time
       is news of the columns
    6  land the run and move the cursor      one transaction (conditional)
    7  remove the manifest                   best effort

A death before 2 leaves uploads that nobody recorded; they expire. A death after 2 is
rolled forward from 3 by whoever comes next: the dataset's next message, or the sweep.
Two that do so at once do the same idempotent things, and 6 lets one of them through.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from msgspec import UNSET, UnsetType

from lambdas.core.errors import (
    CatflapError,
    LandingError,
    RunBroken,
    RunErrorKind,
    StateConflict,
    StuckRun,
    SweepIncomplete,
    UploadGone,
)
from lambdas.core.events import BusEvent, RunFailedEvent, RunLandedEvent
from lambdas.core.landing.names import EDGES, MANIFESTS, edge_key, manifest_key, run_key
from lambdas.core.ports import Clock, Events
from lambdas.core.pull.column_events import column_events
from lambdas.core.pull.manifest import (
    edge_from_bytes,
    edge_to_bytes,
    manifest_from_json,
    manifest_to_json,
    old_edge_from_bytes,
    run_file,
)
from lambdas.core.pull.ports import LandingZone, RunState
from lambdas.core.pull.run import (
    CursorPosition,
    DatasetState,
    Manifest,
    Resume,
    Run,
    RunError,
    RunStatus,
)

SETTLED = frozenset({RunStatus.LANDED, RunStatus.VOIDED})
READS = 20
"""How often a state that moves on while it is read is read again."""

EXPIRED = RunError(
    kind=RunErrorKind.INTERNAL,
    message="its uploads expired before they were completed; nothing of it is visible, "
    "and the next pull fetches the same rows",
)
"""Why a run is voided."""

EDGE_IN_STATE = 5_000
"""Hashes kept in the state item (80 KB of DynamoDB's 400); more go to an object."""


class Committer:
    """Carries runs over the line, and those that somebody else left behind."""

    def __init__(
        self, *, landing: LandingZone, state: RunState, events: Events, clock: Clock
    ) -> None:
        self._landing = landing
        self._state = state
        self._events = events
        self._clock = clock

    def read(self, dataset: str) -> DatasetState:
        """The state of a dataset, or of a lane by its name, with its edge complete and
        whatever was left rolled forward.

        Raises LandingError if a recorded run cannot be completed, RunBroken if it
        never can.
        """
        for _ in range(READS):
            whole = self._with_edge(self._rolled_forward(dataset))
            if whole is not None:
                return whole
        raise _restless(dataset)

    def sweep(self) -> Sequence[str]:
        """Roll forward every recorded run, whether its dataset still exists or not.

        Returns the datasets and lanes that had one. One that cannot be completed
        hinders no other: SweepIncomplete is raised after all were tried.
        """
        datasets = self._state.committing_datasets()
        stuck: list[StuckRun] = []
        for dataset in datasets:
            try:
                self._rolled_forward(dataset)
            except CatflapError as error:
                state = self._state.read(dataset)
                if state.committing is None:
                    continue  # somebody else completed it meanwhile
                run = self._state.read_run(dataset, state.committing)
                stuck.append(
                    StuckRun(
                        dataset=state.dataset,
                        run_id=state.committing,
                        is_broken=isinstance(error, RunBroken),
                        problem=str(error),
                        started_at=run.started_at if run else None,
                    )
                )
        if stuck:
            raise SweepIncomplete("; ".join(run.sentence for run in stuck), stuck=stuck)
        return datasets

    def _rolled_forward(self, dataset: str) -> DatasetState:
        state = self._state.read(dataset)
        for _ in range(READS):
            if state.committing is None:
                return state
            state = self._roll_forward(state, state.committing)
        raise _restless(dataset)

    def commit(self, before: DatasetState, run: Run, manifest: Manifest) -> Run:
        """Make the rows of a run visible, and move the cursor.

        `run` is complete but for its status and end; `manifest` says what it has
        uploaded and what the state says after it. Raises StateConflict, with nothing
        made visible, if another run was recorded since `before` was read.
        """
        manifest = dataclasses.replace(
            manifest,
            cursor_after=self._spilled(run, before.cursor, manifest.cursor_after),
            resume_after=self._spilled_resume(
                run, before.resume, manifest.resume_after
            ),
        )
        is_replaced = manifest.write_disposition == "replace"
        if not manifest.objects and not manifest.quarantined and not is_replaced:
            # Nothing to make visible. A replaced table, though, must be told that it
            # is empty, or that its last segment was.
            landed = self._finished(run)
            after = self._after(before, landed, manifest)
            self._decide(
                before, lambda: self._state.record_landed(before, after, landed), run
            )
            self._forget_edges(before, manifest)
            return landed
        self._landing.put(
            manifest_key(run.dataset, run.run_id), manifest_to_json(manifest)
        )
        committing = dataclasses.replace(run, status=RunStatus.COMMITTING)
        recorded = self._state.record_committing(before, committing)
        return self._finish(recorded, committing, manifest)

    def _roll_forward(self, state: DatasetState, run_id: str) -> DatasetState:
        run = self._state.read_run(state.name, run_id)
        document = self._landing.get(manifest_key(state.dataset, run_id))
        if run is None or document is None:
            # It may have landed since the state was read; then there is nothing to do.
            again = self._state.read(state.name)
            if again.committing != run_id:
                return again
            raise RunBroken(
                f"run {run_id} of {state.dataset} is recorded as committing, but its "
                f"{'record' if run is None else 'manifest'} is gone; look for "
                f"{manifest_key(state.dataset, run_id)} among the bucket's versions"
            )
        self._finish(state, run, manifest_from_json(document))
        return self._state.read(state.name)

    def _finish(self, state: DatasetState, run: Run, manifest: Manifest) -> Run:
        if not self._complete_all(manifest):
            voided = self._voided(run)
            failed = failed_event(voided, EXPIRED)
            self._events.publish(failed.detail_type, failed.detail())
            self._decide(state, lambda: self._state.record_voided(state, voided), run)
            return voided
        landed = self._finished(run)
        self._landing.put(
            run_key(run.dataset, run.run_id),
            run_file(landed, manifest, disposition=manifest.write_disposition),
        )
        for event in _landed_events(landed, manifest):
            self._events.publish(event.detail_type, event.detail())
        after = self._after(state, landed, manifest)
        self._decide(
            state, lambda: self._state.record_landed(state, after, landed), run
        )
        self._landing.delete(manifest_key(run.dataset, run.run_id))
        self._forget_edges(state, manifest)
        return landed

    def _decide(
        self, state: DatasetState, write: Callable[[], object], run: Run
    ) -> None:
        """Make the last write, unless it was made: by somebody else, or by a first try
        whose answer was lost.
        """
        try:
            write()
        except StateConflict:
            now = self._state.read_run(state.name, run.run_id)
            if now is None or now.status not in SETTLED:
                raise

    def _complete_all(self, manifest: Manifest) -> bool:
        """Make every object visible.

        False if an upload is gone and nothing of the run is visible; RunBroken if
        something is: that is never repaired in silence.
        """
        run_id = manifest.run_id
        every = (*manifest.objects, *manifest.quarantined)
        for pending in every:
            try:
                self._landing.complete(pending, run_id=run_id)
            except UploadGone as gone:
                visible = [
                    item.key
                    for item in every
                    if self._landing.is_visible(item, run_id=run_id)
                ]
                if not visible:
                    return False
                raise RunBroken(
                    f"run {run_id} of {manifest.dataset} is half visible: "
                    f"{len(visible)} of {len(every)} objects are there, and "
                    f"the upload of {pending.key} is gone; its rows must be pulled "
                    "again with a backfill over the run's window"
                ) from gone
        return True

    def _finished(self, run: Run) -> Run:
        return dataclasses.replace(
            run, status=RunStatus.LANDED, finished_at=self._clock.now()
        )

    def _voided(self, run: Run) -> Run:
        return dataclasses.replace(
            run,
            status=RunStatus.VOIDED,
            finished_at=self._clock.now(),
            rows=0,
            size=0,
            objects=0,
            quarantined=0,
            newest_key=None,
            cursor_after=run.cursor_before,
            error=EXPIRED,
        )

    def _after(
        self, before: DatasetState, run: Run, manifest: Manifest
    ) -> DatasetState:
        return dataclasses.replace(
            before,
            cursor=manifest.cursor_after,
            committing=None,
            last_success_started_at=manifest.answered_until,
            newest_run_at=run.started_at,
            resume=manifest.resume_after,
            observed=manifest.observed_after or before.observed,
            lane=before.lane.with_run(run) if before.lane else None,
        )

    def _spilled(
        self, run: Run, before: CursorPosition, cursor: CursorPosition
    ) -> CursorPosition:
        if _stays(before) and before == cursor:
            return dataclasses.replace(cursor, edge=frozenset())
        return self._spilled_to(edge_key(run.dataset, run.run_id), cursor)

    def _spilled_resume(
        self, run: Run, before: Resume | None, resume: Resume | None
    ) -> Resume | None:
        if resume is None:
            return None
        if before == resume and _stays(resume.reached):
            reached = dataclasses.replace(resume.reached, edge=frozenset())
        else:
            key = edge_key(run.dataset, f"{run.run_id}-reached")
            reached = self._spilled_to(key, resume.reached)
        return dataclasses.replace(resume, reached=reached)

    def _spilled_to(self, key: str, cursor: CursorPosition) -> CursorPosition:
        if len(cursor.edge) <= EDGE_IN_STATE:
            return dataclasses.replace(cursor, edge_key=None)
        self._landing.put(key, edge_to_bytes(cursor.edge))
        return CursorPosition(value=cursor.value, edge=frozenset(), edge_key=key)

    def _forget_edges(self, before: DatasetState, manifest: Manifest) -> None:
        """Remove the spilled edges that the state points to no more."""
        after = _edge_keys(manifest.cursor_after, manifest.resume_after)
        for key in sorted(_edge_keys(before.cursor, before.resume) - after):
            self._landing.delete(key)

    def _with_edge(self, state: DatasetState) -> DatasetState | None:
        """The state with its spilled edges; None if it moved on meanwhile."""
        cursor = self._filled(state, state.cursor)
        resume = state.resume
        reached = self._filled(state, resume.reached) if resume else cursor
        if cursor is None or reached is None:
            return None
        if resume is not None:
            resume = dataclasses.replace(resume, reached=reached)
        return dataclasses.replace(state, cursor=cursor, resume=resume)

    def _filled(
        self, state: DatasetState, cursor: CursorPosition
    ) -> CursorPosition | None:
        key = cursor.edge_key
        if key is None:
            return cursor
        document = self._landing.get(key)
        if document is None:
            if self._state.read(state.name).version != state.version:
                return None
            raise LandingError(
                f"the rows seen at the cursor's edge of {state.dataset} stand in "
                f"{key}, which is gone; restore it from the bucket's versions"
            )
        read = old_edge_from_bytes if key.startswith(MANIFESTS) else edge_from_bytes
        return dataclasses.replace(cursor, edge=read(document))


def _restless(dataset: str) -> StateConflict:
    return StateConflict(
        f"the state of {dataset} moved on {READS} times while it was read; another "
        "pull of it is at work, and this one will be tried again"
    )


def _stays(cursor: CursorPosition) -> bool:
    """Whether what a cursor remembers stands where nothing expires."""
    return cursor.edge_key is not None and cursor.edge_key.startswith(EDGES)


def _edge_keys(cursor: CursorPosition, resume: Resume | None) -> set[str]:
    keys = {cursor.edge_key, resume.reached.edge_key if resume else None}
    return {key for key in keys if key is not None}


def failed_event(run: Run, error: RunError) -> RunFailedEvent:
    """Of a run that failed, or was voided, by `error`."""
    return RunFailedEvent(
        id=f"{run.dataset}/{run.run_id}/failed",
        dataset=run.dataset,
        run_id=run.run_id,
        cause=error.kind,
        message=error.message,
        started_at=run.started_at.isoformat(),
        lane=_lane_of(run),
    )


def _landed_events(run: Run, manifest: Manifest) -> Iterator[BusEvent]:
    yield _landed_event(run, manifest)
    yield from column_events(run, manifest)


def _landed_event(run: Run, manifest: Manifest) -> RunLandedEvent:
    return RunLandedEvent(
        id=f"{run.dataset}/{run.run_id}/landed",
        dataset=run.dataset,
        run_id=run.run_id,
        rows=run.rows,
        bytes=run.size,
        quarantined=run.quarantined,
        objects=[item.key for item in manifest.objects],
        started_at=run.started_at.isoformat(),
        lane=_lane_of(run),
    )


def _lane_of(run: Run) -> str | UnsetType:
    return UNSET if run.lane is None else run.lane
