"""How far a backfill is: a bar on a terminal, lines elsewhere, JSON for scripts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from lambdas.core.backfill.backfill import Backfill, Progress, SliceStatus
from lambdas.core.text.count import counted
from project.fault import printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


STOPPED = (
    "interrupted; what has landed stays, nothing is half landed, and the same command "
    "goes on from here"
)

STOPPING = "stopping the running slices; Ctrl-C again stops at once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How far a backfill came; `interrupted` is what to say if a person stopped it."""

    progress: Sequence[Progress]
    interrupted: str | None = None


class View:
    """Shows progress on stderr while it is entered."""

    def __init__(self, dataset: str, total: int) -> None:
        self._dataset = dataset
        self._total = total
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._ended: set[str] = set()
        self._shown = -1

    def __enter__(self) -> Self:
        """Begin; a bar needs a terminal."""
        if sys.stderr.isatty():
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task(self._dataset, total=self._total, rows=0)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was; again is fine."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def show(self, progress: Sequence[Progress]) -> None:
        """Show how far it is, if that is news."""
        rows = sum(one.rows for one in progress)
        ended = [one for one in progress if one.status is not SliceStatus.PENDING]
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=len(ended), rows=rows)
            return
        percent = 100 * len(ended) // max(1, self._total)
        for one in ended:
            if one.slice.lane in self._ended:
                continue
            self._ended.add(one.slice.lane)
            if one.status is SliceStatus.FAILED:
                _say(f"{self._dataset}: {_failure(one)}")
        if percent != self._shown:
            self._shown = percent
            _say(
                f"{self._dataset}: {len(ended)} of {self._total} slices, "
                f"{counted(rows, 'row')} "
                f"landed"
            )


def as_document(
    backfill: Backfill, progress: Sequence[Progress], *, is_interrupted: bool
) -> dict[str, object]:
    """For scripts."""
    return {
        "dataset": backfill.dataset,
        "backfill": backfill.backfill_id,
        "from": backfill.start,
        "to": backfill.end,
        "slice": backfill.slice,
        "attempt": backfill.attempt,
        "status": _status(progress, is_interrupted=is_interrupted),
        "rows": sum(one.rows for one in progress),
        **{
            str(status): sum(one.status is status for one in progress)
            for status in SliceStatus
        },
        "slices": [
            {
                "slice": one.slice.lane,
                "from": one.slice.start,
                "to": one.slice.end,
                "status": one.status.value,
                "rows": one.rows,
                "run_ids": list(one.runs),
                "error": {"kind": one.error.kind.value, "message": one.error.message}
                if one.error
                else None,
            }
            for one in progress
        ],
    }


def as_text(backfill: Backfill, progress: Sequence[Progress], cursor: object) -> str:
    """For a person: one line."""
    landed = sum(one.status is SliceStatus.LANDED for one in progress)
    rows = sum(one.rows for one in progress)
    stands = "the beginning" if cursor is None else printable(str(cursor))
    return (
        f"{backfill.dataset}: {landed} of {len(progress)} slices of {backfill.slice} "
        f"from {backfill.start} to {backfill.end} have landed, "
        f"{counted(rows, 'row')}; the live "
        f"cursor stays at {stands}"
    )


def failures(progress: Sequence[Progress]) -> Iterator[str]:
    """A line for each slice that failed."""
    failed = [one for one in progress if one.status is SliceStatus.FAILED]
    yield from map(_failure, failed)
    if failed:
        yield (
            f"{len(failed)} of {len(progress)} slices failed; run the same command "
            "again to retry only those"
        )


def _failure(one: Progress) -> str:
    kind = one.error.kind.value if one.error else "internal"
    message = one.error.message if one.error else "the reason is not known"
    return (
        f"slice {one.slice.lane} ({one.slice.start} to {one.slice.end}) failed; "
        f"{kind}: {printable(message)}"
    )


def _status(progress: Sequence[Progress], *, is_interrupted: bool) -> str:
    if is_interrupted:
        return "interrupted"
    is_whole = all(one.status is SliceStatus.LANDED for one in progress)
    return "succeeded" if is_whole else "failed"


def _bar() -> Bar:
    # a tenth of a second, for who has a terminal
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.progress import (  # noqa: PLC0415 - see above
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
