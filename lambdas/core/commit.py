"""The commit protocol: how uploaded rows become visible exactly once.

::

    1  put the manifest                      nothing visible, nothing recorded
    2  record the run as committing          the point of no return (conditional)
    3  complete each upload                  idempotent; the rows are visible
    4  put the run's file                    idempotent
    5  announce `dataset.landed`             at least once, same id each time
    6  land the run and move the cursor      one transaction (conditional)
    7  remove the manifest                   best effort

A death before 2 leaves uploads that nobody recorded; they expire. A death after 2 is
rolled forward from 3 by whoever comes next: the dataset's next message, or the sweep.
Two that do so at once do the same idempotent things, and 6 lets one of them through.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from lambdas.core.errors import (
    CatflapError,
    LandingError,
    RunBroken,
    StateConflict,
    SweepIncomplete,
    UploadGone,
)
from lambdas.core.landing import edge_key, manifest_key, run_key
from lambdas.core.manifest import (
    edge_from_bytes,
    edge_to_bytes,
    manifest_from_json,
    manifest_to_json,
    run_file,
)
from lambdas.core.ports import Clock, Events, LandingZone, RunState
from lambdas.core.run import (
    CursorPosition,
    DatasetState,
    Manifest,
    PendingObject,
    Run,
    RunStatus,
    StuckRun,
)

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
        """The dataset's state with its edge complete, whatever was left rolled forward.

        Raises LandingError if a recorded run cannot be completed, RunBroken if it
        never can.
        """
        return self._with_edge(self._rolled_forward(dataset))

    def sweep(self) -> Sequence[str]:
        """Roll forward every recorded run, whether its dataset still exists or not.

        Returns the datasets that had one. One that cannot be completed hinders no
        other: SweepIncomplete is raised after all were tried.
        """
        datasets = self._state.committing_datasets()
        stuck: list[StuckRun] = []
        for dataset in datasets:
            try:
                self._rolled_forward(dataset)
            except CatflapError as error:
                run_id = self._state.read(dataset).committing
                if run_id is None:
                    continue  # somebody else completed it meanwhile
                broken = isinstance(error, RunBroken)
                stuck.append(
                    StuckRun(
                        dataset=dataset,
                        run_id=run_id,
                        is_broken=broken,
                        problem=str(error),
                    )
                )
        if stuck:
            raise SweepIncomplete("; ".join(run.sentence for run in stuck), stuck=stuck)
        return datasets

    def _rolled_forward(self, dataset: str) -> DatasetState:
        state = self._state.read(dataset)
        while state.committing is not None:
            state = self._roll_forward(state, state.committing)
        return state

    def commit(
        self,
        before: DatasetState,
        run: Run,
        objects: Sequence[PendingObject],
        cursor_after: CursorPosition,
        *,
        disposition: str,
    ) -> Run:
        """Make the rows of a run visible, and move the cursor.

        `run` is complete but for its status and end. Raises StateConflict, with
        nothing made visible, if another run was recorded since `before` was read.
        """
        if not objects:
            landed = self._finished(run)
            after = self._after(before, landed, self._spilled(run, cursor_after))
            self._state.record_landed(before, after, landed)
            return landed
        cursor_after = self._spilled(run, cursor_after)
        manifest = Manifest(
            dataset=run.dataset,
            run_id=run.run_id,
            objects=tuple(objects),
            cursor_after=cursor_after,
            write_disposition=disposition,
        )
        self._landing.put(
            manifest_key(run.dataset, run.run_id), manifest_to_json(manifest)
        )
        committing = dataclasses.replace(run, status=RunStatus.COMMITTING)
        recorded = self._state.record_committing(before, committing)
        return self._finish(recorded, committing, manifest)

    def _roll_forward(self, state: DatasetState, run_id: str) -> DatasetState:
        run = self._state.read_run(state.dataset, run_id)
        document = self._landing.get(manifest_key(state.dataset, run_id))
        if run is None or document is None:
            # It may have landed since the state was read; then there is nothing to do.
            again = self._state.read(state.dataset)
            if again.committing != run_id:
                return again
            raise RunBroken(
                f"run {run_id} of {state.dataset} is recorded as committing, but its "
                f"{'record' if run is None else 'manifest'} is gone; look for "
                f"{manifest_key(state.dataset, run_id)} among the bucket's versions"
            )
        self._finish(state, run, manifest_from_json(document))
        return self._state.read(state.dataset)

    def _finish(self, state: DatasetState, run: Run, manifest: Manifest) -> Run:
        if not self._complete_all(manifest):
            voided = dataclasses.replace(
                run, status=RunStatus.VOIDED, finished_at=self._clock.now()
            )
            self._decide(state, lambda: self._state.record_voided(state, voided), run)
            return voided
        landed = self._finished(run)
        self._landing.put(
            run_key(run.dataset, run.run_id),
            run_file(landed, manifest, disposition=manifest.write_disposition),
        )
        self._events.publish("dataset.landed", _landed_event(landed, manifest))
        after = self._after(state, landed, manifest.cursor_after)
        self._decide(
            state, lambda: self._state.record_landed(state, after, landed), run
        )
        self._landing.delete(manifest_key(run.dataset, run.run_id))
        if state.cursor.edge_key not in (None, manifest.cursor_after.edge_key):
            self._landing.delete(str(state.cursor.edge_key))
        return landed

    def _decide(
        self, state: DatasetState, write: Callable[[], object], run: Run
    ) -> None:
        """Make the last write, unless somebody else made the same one first."""
        try:
            write()
        except StateConflict:
            now = self._state.read(state.dataset)
            if now.committing == run.run_id:
                raise

    def _complete_all(self, manifest: Manifest) -> bool:
        """Make every object visible.

        False if an upload is gone and nothing of the run is visible; RunBroken if
        something is: that is never repaired in silence.
        """
        run_id = manifest.run_id
        for pending in manifest.objects:
            try:
                self._landing.complete(pending, run_id=run_id)
            except UploadGone as gone:
                visible = [
                    item.key
                    for item in manifest.objects
                    if self._landing.is_visible(item, run_id=run_id)
                ]
                if not visible:
                    return False
                raise RunBroken(
                    f"run {run_id} of {manifest.dataset} is half visible: "
                    f"{len(visible)} of {len(manifest.objects)} objects are there, and "
                    f"the upload of {pending.key} is gone; its rows must be pulled "
                    "again with a backfill over the run's window"
                ) from gone
        return True

    def _finished(self, run: Run) -> Run:
        return dataclasses.replace(
            run, status=RunStatus.LANDED, finished_at=self._clock.now()
        )

    def _after(
        self, before: DatasetState, run: Run, cursor: CursorPosition
    ) -> DatasetState:
        return dataclasses.replace(
            before,
            cursor=cursor,
            committing=None,
            last_success_started_at=run.started_at,
        )

    def _spilled(self, run: Run, cursor: CursorPosition) -> CursorPosition:
        if len(cursor.edge) <= EDGE_IN_STATE:
            return dataclasses.replace(cursor, edge_key=None)
        key = edge_key(run.dataset, run.run_id)
        self._landing.put(key, edge_to_bytes(cursor.edge))
        return CursorPosition(value=cursor.value, edge=frozenset(), edge_key=key)

    def _with_edge(self, state: DatasetState) -> DatasetState:
        key = state.cursor.edge_key
        if key is None:
            return state
        document = self._landing.get(key)
        if document is None:
            raise LandingError(
                f"the rows seen at the cursor's edge of {state.dataset} stand in "
                f"{key}, which is gone; restore it from the bucket's versions"
            )
        edge = edge_from_bytes(document)
        return dataclasses.replace(
            state, cursor=dataclasses.replace(state.cursor, edge=edge)
        )


def _landed_event(run: Run, manifest: Manifest) -> dict[str, object]:
    """`dataset.landed`: the id is the run's, so that a repetition can be told."""
    return {
        "id": f"{run.dataset}/{run.run_id}/landed",
        "dataset": run.dataset,
        "run_id": run.run_id,
        "rows": run.rows,
        "bytes": run.size,
        "objects": [item.key for item in manifest.objects],
        "started_at": run.started_at.isoformat(),
    }
