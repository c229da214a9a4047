"""The state of datasets and their runs in one JSON file: for pulls on one machine.

A write replaces the file whole, by a rename, so that a death leaves the old state or
the new one. Whoever has it open holds a lock on `<file>.lock`.
"""

from __future__ import annotations

import dataclasses
import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

import msgspec

from lambdas.core.errors import BadInput, StateConflict
from lambdas.core.run import DatasetState, Run, RunStatus

RUNS_KEPT = 100
"""Runs remembered a dataset; one that is committing is never forgotten."""


class _Contents(msgspec.Struct, forbid_unknown_fields=True):
    """What the file holds."""

    catflap_state: Literal[1] = 1
    datasets: dict[str, DatasetState] = {}
    runs: dict[str, list[Run]] = {}


class FileState:
    """RunState in a file. Use it in a `with`: it is locked that long."""

    def __init__(self, *, path: Path) -> None:
        # what a link leads to is locked and replaced, not the link
        self._path = path.resolve() if path.is_symlink() else path
        self._lock: IO[bytes] | None = None
        self._contents = _Contents()

    def __enter__(self) -> Self:
        """Lock and read. Raises StateConflict if another process has it open, BadInput
        if the file cannot be read or is no state of catflap.
        """
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Unlock."""
        self._release()

    def read(self, dataset: str) -> DatasetState:
        """The state of a dataset; a fresh one if there is none."""
        return self._contents.datasets.get(dataset, DatasetState(dataset=dataset))

    def read_run(self, dataset: str, run_id: str) -> Run | None:
        """One run's record."""
        runs = self._contents.runs.get(dataset, [])
        return next((run for run in runs if run.run_id == run_id), None)

    def latest_runs(self, dataset: str, limit: int) -> list[Run]:
        """The newest runs, newest first."""
        return self._contents.runs.get(dataset, [])[::-1][:limit]

    def committing_datasets(self) -> Sequence[str]:
        """Datasets that have a run recorded and not landed."""
        return [
            name
            for name, state in self._contents.datasets.items()
            if state.committing is not None
        ]

    def record_started(self, run: Run) -> None:
        """Keep a running run."""
        self._write(run)

    def record_failed(self, run: Run) -> None:
        """Keep a failed run; the dataset's state is not touched."""
        self._write(run)

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

    def _settle(
        self, before: DatasetState, after: DatasetState, run: Run
    ) -> DatasetState:
        if self.read(before.dataset).version != before.version:
            raise StateConflict(
                f"the state of {before.dataset} moved past version {before.version} "
                f"while run {run.run_id} was under way"
            )
        written = dataclasses.replace(after, version=before.version + 1)
        self._write(run, written)
        return written

    def _write(self, run: Run, state: DatasetState | None = None) -> None:
        """Replace the file; what is in memory changes only once it stands."""
        if self._lock is None:
            message = "the state is only open within its `with`"
            raise RuntimeError(message)
        known = self._contents.runs.get(run.dataset, [])
        runs = [one for one in known if one.run_id != run.run_id]
        runs = sorted([*runs, run], key=lambda one: one.run_id)
        old = runs[:-RUNS_KEPT]
        kept = [one for one in old if one.status is RunStatus.COMMITTING]
        contents = _Contents(
            datasets=dict(self._contents.datasets),
            runs={**self._contents.runs, run.dataset: [*kept, *runs[-RUNS_KEPT:]]},
        )
        if state is not None:
            contents.datasets[state.dataset] = state
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
                f"{self._path} is no state that catflap wrote ({error}); name another "
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
