"""The state of datasets and their runs in one JSON file: for pulls on one machine.

A write replaces the file whole, by a rename, so that a death leaves the old state or
the new one. Whoever has it open holds a lock on `<file>.lock`.
"""

from __future__ import annotations

import dataclasses
import fcntl
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Literal, Self

import msgspec

from lambdas.core.backfill.backfill import Backfill
from lambdas.core.errors import BadInput, StateConflict
from lambdas.core.pull.run import DatasetState, LaneStamp, Run, RunStatus

RUNS_KEPT = 100
"""Runs remembered a dataset; one that is committing is never forgotten."""


class _Contents(msgspec.Struct, forbid_unknown_fields=True):
    """What the file holds."""

    catflap_state: Literal[1] = 1
    datasets: dict[str, DatasetState] = {}
    """By name: of datasets, and of lanes beside them."""
    runs: dict[str, list[Run]] = {}
    backfills: dict[str, list[Backfill]] = {}
    stamps: dict[str, LaneStamp] = {}


class FileState:
    """RunState in a file. Use it in a `with`: it is locked that long.

    Threads may share it: each write is whole before the next one begins.
    """

    def __init__(self, *, path: Path) -> None:
        # what a link leads to is locked and replaced, not the link
        self._path = path.resolve() if path.is_symlink() else path
        self._lock: IO[bytes] | None = None
        self._contents = _Contents()
        self._turn = threading.RLock()

    def __enter__(self) -> Self:
        """Lock and read. Raises StateConflict if it is open elsewhere, BadInput."""
        lock_path = self._path.with_name(f"{self._path.name}.lock")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = lock_path.open("ab")
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise StateConflict(
                f"another pull has {self._path} open; wait for its end, or give this "
                "one a state of its own with --state"
            ) from None
        self._lock = lock
        try:
            self._contents = self._read()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Unlock."""
        self._release()

    def read(self, dataset: str) -> DatasetState:
        """The state of a dataset; a fresh one if there is none."""
        return self._contents.datasets.get(dataset, DatasetState.fresh(dataset))

    def read_run(self, dataset: str, run_id: str) -> Run | None:
        """One run's record."""
        runs = self._contents.runs.get(dataset, [])
        return next((run for run in runs if run.run_id == run_id), None)

    def latest_runs(self, dataset: str, limit: int) -> list[Run]:
        """The newest runs, newest first."""
        return self._contents.runs.get(dataset, [])[::-1][:limit]

    def committing_datasets(self) -> Sequence[str]:
        """Datasets and lanes that have a run recorded and not landed."""
        return [
            name
            for name, state in self._contents.datasets.items()
            if state.committing is not None
        ]

    def record_started(self, run: Run) -> None:
        """Keep a running run. Raises StateConflict if its id is taken."""
        with self._turn:
            if self.read_run(run.state_name, run.run_id) is not None:
                raise StateConflict(f"another run is called {run.run_id}")
            self._write(run)

    def record_failed(self, run: Run) -> None:
        """Keep a failed run; the dataset's state is not touched."""
        self._write(run)

    def suspect(self, dataset: str, at: datetime) -> None:
        """On one machine nobody checks."""

    def record_committing(self, before: DatasetState, run: Run) -> DatasetState:
        """Put the run as committing, and name it in the state."""
        after = dataclasses.replace(before, committing=run.run_id)
        return self._settle(before, after, run)

    def record_landed(
        self, before: DatasetState, after: DatasetState, run: Run
    ) -> DatasetState:
        """The run is landed, and the cursor moves."""
        return self._settle(before, after, run)

    def record_voided(self, before: DatasetState, run: Run) -> DatasetState:
        """The run is voided, the cursor stays."""
        return self._settle(before, dataclasses.replace(before, committing=None), run)

    def record_lane(self, before: DatasetState, after: DatasetState) -> DatasetState:
        """Keep what a lane says of itself."""
        with self._turn:
            written = self._moved(before, after, "somebody looked at it")
            self._replace(datasets={**self._contents.datasets, written.name: written})
            return written

    def next_lane_stamp(self, dataset: str, floor: datetime) -> LaneStamp:
        """A stamp greater than any before."""
        with self._turn:
            known = self._contents.stamps.get(dataset)
            stamp = known.next(floor) if known else LaneStamp(at=floor, number=1)
            self._replace(stamps={**self._contents.stamps, dataset: stamp})
            return stamp

    def lanes(self, dataset: str, backfill: str) -> list[DatasetState]:
        """What is known of a backfill's slices, those that were begun."""
        prefix = f"{dataset}/{backfill}-"
        known = self._contents.datasets
        return [state for name, state in known.items() if name.startswith(prefix)]

    def backfills(self, dataset: str) -> list[Backfill]:
        """What was asked for, in no order."""
        return list(self._contents.backfills.get(dataset, []))

    def keep_backfill(self, backfill: Backfill) -> None:
        """Put what is asked for, in place of an earlier attempt."""
        with self._turn:
            others = [
                one
                for one in self.backfills(backfill.dataset)
                if one.backfill_id != backfill.backfill_id
            ]
            known = {**self._contents.backfills, backfill.dataset: [*others, backfill]}
            self._replace(backfills=known)

    def _settle(
        self, before: DatasetState, after: DatasetState, run: Run
    ) -> DatasetState:
        with self._turn:
            during = f"run {run.run_id} was under way"
            written = self._moved(before, after, during)
            self._write(run, written)
            return written

    def _moved(
        self, before: DatasetState, after: DatasetState, during: str
    ) -> DatasetState:
        if self.read(before.name).version != before.version:
            raise StateConflict(
                f"the state of {before.name} moved past version {before.version} "
                f"while {during}"
            )
        return dataclasses.replace(after, version=before.version + 1)

    def _write(self, run: Run, state: DatasetState | None = None) -> None:
        with self._turn:
            name = run.state_name
            known = self._contents.runs.get(name, [])
            runs = [one for one in known if one.run_id != run.run_id]
            runs = sorted([*runs, run], key=lambda one: one.run_id)
            old = runs[:-RUNS_KEPT]
            kept = [one for one in old if one.status is RunStatus.COMMITTING]
            datasets = self._contents.datasets
            if state is not None:
                datasets = {**datasets, state.name: state}
            self._replace(
                datasets=datasets,
                runs={**self._contents.runs, name: [*kept, *runs[-RUNS_KEPT:]]},
            )

    def _replace(self, **changes: object) -> None:
        """Replace the file; what is in memory changes only once it stands."""
        if self._lock is None:
            message = "the state is only open within its `with`"
            raise RuntimeError(message)
        contents = msgspec.structs.replace(self._contents, **changes)
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            with beside.open("wb") as stream:
                stream.write(msgspec.json.format(msgspec.json.encode(contents)))
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(self._path)
            descriptor = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise self._unusable(error) from error
        self._contents = contents

    def _read(self) -> _Contents:
        try:
            document = self._path.read_bytes()
        except FileNotFoundError:
            return _Contents()
        except OSError as error:
            raise self._unusable(error) from error
        try:
            return msgspec.json.decode(document, type=_Contents)
        except msgspec.DecodeError as error:
            raise BadInput(
                f"{self._path} is not a state file of catflap ({error}); name another "
                "file with --state, or restore this one"
            ) from None

    def _unusable(self, error: OSError) -> BadInput:
        reason = error.strerror or type(error).__name__
        return BadInput(
            f"the state {self._path} cannot be used ({reason}); name a file in a "
            "folder that you may write to with --state"
        )

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
