"""A run: one pull of one dataset, from its first request to its moved cursor.

::

    running ──commit──> committing ──complete uploads──> landed
       │                    └── uploads gone, nothing visible ──> voided
       └── error ──> failed

`committing` is the point of no return: the run item, with the manifest it points to,
is enough for anybody to finish the run. Nothing before it is visible.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from lambdas.core.columns.observed import NOTHING_OBSERVED, Drift, Observed
from lambdas.core.cursor.order import CursorValue
from lambdas.core.errors import RunErrorKind

LONGEST_TEXT = 2_000
"""Characters of a sentence in a run's record, where an API may have written part."""


def bounded(text: str) -> str:
    """`text`, cut where a run's record ends it."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


class RunStatus(StrEnum):
    """Where a run is in the commit protocol."""

    RUNNING = "running"
    COMMITTING = "committing"
    LANDED = "landed"
    VOIDED = "voided"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPart:
    """One part of an open multipart upload, as the landing zone answered it."""

    number: int
    etag: str
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingObject:
    """An object that is wholly uploaded and not yet visible.

    `size` is in compressed bytes. An empty `upload_id` never occurs.
    """

    key: str
    upload_id: str
    parts: tuple[UploadPart, ...]
    rows: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorPosition:
    """How far a dataset has been pulled: the greatest cursor value, as the API wrote
    it, and the 16-byte hashes of the rows that stand exactly there.
    """

    value: CursorValue | None = None
    edge: frozenset[bytes] = frozenset()
    edge_key: str | None = None
    """Where the hashes stand if they are too many for the state item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """A long pull that is half-way: its segments so far have landed.

    `position` is where the next page begins, as a JSON document; None means that the
    cursor has moved and tells it. `reached` becomes the cursor when the last segment
    has landed. `pull_id` is the first segment's run id and `started_at` its start;
    `shape` says for which endpoint the position is one.
    """

    position: str | None
    reached: CursorPosition
    pull_id: str
    started_at: datetime
    segments: int
    shape: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a committing run has to make visible, and the cursor after it.

    Stands beside the run item, because its parts would outgrow DynamoDB's 400 KB.
    """

    dataset: str
    run_id: str
    objects: tuple[PendingObject, ...]
    cursor_after: CursorPosition
    write_disposition: str
    resume_after: Resume | None = None
    """Where the pull goes on if this run is not its last segment."""
    answered_until: datetime | None = None
    """`last_success_started_at` after it."""
    pull_id: str = ""
    segment: int = 1
    quarantined: tuple[PendingObject, ...] = ()
    """Objects of refused records: completed with the others, announced to nobody."""
    observed_after: Observed | None = None
    relation_changes: bool = False
    """The relation is made of the columns seen, and they are others than before."""
    drift: tuple[Drift, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunError:
    """Why a run failed: a kind to decide by, a sentence to read.

    The sentence ends at `LONGEST_TEXT`: what an API answered may be any length, and the
    failure has to be recorded.
    """

    kind: RunErrorKind
    message: str

    def __post_init__(self) -> None:
        """Cut the sentence."""
        object.__setattr__(self, "message", bounded(self.message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The record of a run. Times are aware; `size` is compressed bytes landed.

    `objects` is a count: their names stand in the run's file in the landing zone.
    """

    dataset: str
    run_id: str
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None
    rows: int
    size: int
    objects: int
    pages: int
    requests: int
    retries: int
    cursor_before: CursorValue | None
    cursor_after: CursorValue | None
    newest_key: str | None = None
    error: RunError | None = None
    quarantined: int = 0
    """Records refused by the contract; those whose value alone was taken out are among
    `rows` as well."""
    lane: str | None = None
    """The backfill's slice that it is of, if any."""
    warnings: tuple[str, ...] = ()
    """What a person should know of it although it landed, a sentence each."""

    @property
    def state_name(self) -> str:
        """The state that it is fenced on: its dataset's, or its lane's."""
        return self.dataset if self.lane is None else f"{self.dataset}/{self.lane}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedRun:
    """A run that has landed and was not yet seen to be loaded.

    What is not among these is loaded: they are the watermark of the loads.
    """

    dataset: str
    run_id: str
    newest_key: str
    objects: int
    landed_at: datetime
    part: str | None = None
    """Set where only this part of the run is awaited: one that was replayed."""

    @property
    def name(self) -> str:
        """What tells it from every other that is awaited."""
        part = "" if self.part is None else f"#{self.part}"
        return f"{self.dataset}#{self.run_id}{part}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What a backfill's slice keeps in a state of its own, beside its dataset's.

    It is recorded, fenced and swept like the dataset's, and neither knows of the
    other. `attempt` counts how often all of its backfill was asked for; `rows` and
    `runs` are what has landed in this attempt. `error` is why its last run failed for
    good, and `asked` names the request that it was to answer.
    """

    name: str
    attempt: int = 1
    rows: int = 0
    runs: tuple[str, ...] = ()
    error: RunError | None = None
    asked: str | None = None

    def with_run(self, run: Run) -> Lane:
        """The same after a run has landed."""
        return dataclasses.replace(
            self,
            rows=self.rows + run.rows,
            runs=(*self.runs, run.run_id),
            error=None,
            asked=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStamp:
    """A slice's run id: a moment, and its turn there; each taken is greater."""

    at: datetime
    number: int

    def next(self, floor: datetime) -> LaneStamp:
        """The stamp after this one, not before `floor`."""
        if floor > self.at:
            return LaneStamp(at=floor, number=1)
        return LaneStamp(at=self.at, number=self.number + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetState:
    """The state item of a dataset, or of a lane of it. `version` fences every write.

    `committing` names the run that has been recorded and not yet landed.
    `last_success_started_at` acknowledges ticks that are older than it; of a pull in
    segments it is the start of the first. `newest_run_at` is the start of the newest
    run that landed rows: no later one starts before it, whatever a clock says.
    """

    dataset: str
    version: int = 0
    cursor: CursorPosition = CursorPosition()
    committing: str | None = None
    last_success_started_at: datetime | None = None
    newest_run_at: datetime | None = None
    resume: Resume | None = None
    observed: Observed = NOTHING_OBSERVED
    lane: Lane | None = None

    @property
    def name(self) -> str:
        """What it is read by: `<dataset>`, or `<dataset>/<lane>`."""
        return f"{self.dataset}/{self.lane.name}" if self.lane else self.dataset

    @classmethod
    def fresh(cls, name: str) -> Self:
        """The state called `name` before anything was written."""
        dataset, lane = split_name(name)
        return cls(dataset=dataset, lane=Lane(name=lane) if lane else None)


def split_name(name: str) -> tuple[str, str | None]:
    """The dataset and the lane, if any, of a state's name. No dataset's holds a `/`."""
    dataset, _, lane = name.partition("/")
    return dataset, lane or None
