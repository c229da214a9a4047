"""The events on the bus of an environment, one type each.

docs/events.md is generated from these types: a docstring says when an event is
published, `at_most` how often, a field's `Meta` what it means. Every event comes at
least once; whoever reads it drops what has an `id` that was seen before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, to_builtins

from lambdas.core.errors import RunErrorKind

Id: TypeAlias = Annotated[
    str, Meta(description="The same each time that this event is published.")
]
Name: TypeAlias = Annotated[str, Meta(description="The dataset.")]
RunId: TypeAlias = Annotated[
    str, Meta(description="The run, as in the names of its objects and in `_RUN_ID`.")
]
StartedAt: TypeAlias = Annotated[str, Meta(description="When the run started.")]
Slice: TypeAlias = Annotated[
    str | UnsetType,
    Meta(description="The backfill's slice that the run is of; else absent."),
]
CauseCode: TypeAlias = Annotated[
    str | None, Meta(description="The cause: a code of docs/runbooks.")
]


EVENTS_A_CALL = 10
"""Events that the bus takes at once (PutEvents)."""


class OutgoingEvent(Struct, frozen=True, kw_only=True):
    """An event as it is published, and as it is kept if the bus refuses it."""

    detail_type: str
    detail: Mapping[str, object]

    @property
    def event_id(self) -> str:
        """The `id` that whoever reads it deduplicates on."""
        return str(self.detail["id"])


class BusEvent(Struct, frozen=True, kw_only=True):
    """What every event has."""

    detail_type: ClassVar[str]
    at_most: ClassVar[str]

    id: Id
    dataset: Name

    def detail(self) -> dict[str, Any]:
        """The detail, as JSON values."""
        document: dict[str, Any] = to_builtins(self)
        return document


class RunLandedEvent(BusEvent, frozen=True, kw_only=True):
    """All rows of a run are visible in the landing zone. The cursor moves next."""

    detail_type = "dataset.landed"
    at_most = "Once for each run; again if the run is completed by another invocation."

    run_id: RunId
    rows: Annotated[int, Meta(description="Records that landed.")]
    bytes: Annotated[int, Meta(description="The size of the objects, compressed.")]
    quarantined: Annotated[int, Meta(description="Records that the contract kept out.")]
    objects: Annotated[
        list[str],
        Meta(description="The keys of the objects in the bucket; none of quarantine."),
    ]
    started_at: StartedAt
    lane: Slice = UNSET


class RunFailedEvent(BusEvent, frozen=True, kw_only=True):
    """A run failed, or was voided: nothing of it landed, and the cursor stays."""

    detail_type = "pull.failed"
    at_most = "Once for each run; an attempt that comes again is a run of its own."

    run_id: RunId
    cause: Annotated[RunErrorKind, Meta(description="What kind of error ended it.")]
    message: Annotated[str, Meta(description="The error in a sentence, for a person.")]
    started_at: StartedAt
    lane: Slice = UNSET


class ColumnChangedEvent(BusEvent, frozen=True, kw_only=True):
    """A run that has landed showed a column that is new, missing or of another type."""

    detail_type = "dataset.columns_changed"
    at_most = "Once for each change, and 100 for each run."

    run_id: RunId
    change: Annotated[
        Literal["new_column", "missing_column", "changed_type"],
        Meta(description="What changed: see docs/contracts.md, Drift."),
    ]
    column: Annotated[str, Meta(description="The column, as the API writes it.")]
    expected: Annotated[
        str | None, Meta(description="The type before, or as declared.")
    ]
    found: Annotated[str | None, Meta(description="The type that came.")]
    started_at: StartedAt


class ColumnsSeenEvent(BusEvent, frozen=True, kw_only=True):
    """The columns of a dataset that declares none have changed. It is for catflap
    itself: the `warehouse` function makes the relation again.
    """

    detail_type = "dataset.columns_observed"
    at_most = "Once for each run that changed the columns."

    run_id: RunId
    columns: Annotated[
        dict[str, str],
        Meta(description="All columns seen so far, each with its type."),
    ]
    started_at: StartedAt


class RowsLoadedEvent(BusEvent, frozen=True, kw_only=True):
    """A check found rows in the table that are newer than at the check before. Checks
    read a table only when it may be late, so one event may stand for many loads.
    """

    detail_type = "dataset.loaded"
    at_most = "Once for each check of the dataset."

    cause: Annotated[None, Meta(description="Always null.")] = None
    loaded_at: Annotated[str, Meta(description="When the newest rows were loaded.")]
    newest_event_at: Annotated[
        str | None,
        Meta(description="The newest time in the data; null without one."),
    ]
    rows: Annotated[
        int | None, Meta(description="Rows in the table; null if not known.")
    ]


class CheckOutcome(Struct, frozen=True, kw_only=True):
    """What became of one check."""

    check: Annotated[str, Meta(description="Its name.")]
    metric: Annotated[str, Meta(description="The metric; `query` for SQL of its own.")]
    column: Annotated[str | None, Meta(description="The column, if it has one.")]
    severity: Annotated[
        Literal["warn", "error"], Meta(description="What its failure means.")
    ]
    state: Annotated[
        Literal["pass", "fail", "error"],
        Meta(description="`error`: it could not run, so that nothing is known."),
    ]
    value: Annotated[float | None, Meta(description="What was measured.")]
    must: Annotated[str, Meta(description="What the value must be.")]
    reason: Annotated[str | None, Meta(description="Why it could not run.")]


class ChecksRunEvent(BusEvent, frozen=True, kw_only=True):
    """The quality checks of a dataset or a model were run, whatever they found."""

    detail_type = "dataset.checked"
    at_most = "Once for each time that they run; it may be lost."

    run_id: Annotated[
        str | None, Meta(description="The newest run among the rows, if any.")
    ]
    checked_at: Annotated[str, Meta(description="When they ran.")]
    checks: Annotated[list[CheckOutcome], Meta(description="Each check; 500 at most.")]


class CauseSpan(Struct, frozen=True, kw_only=True):
    """How long a cause stood."""

    code: Annotated[str, Meta(description="The cause.")]
    seconds: Annotated[int, Meta(description="How long it stood.")]


class NoticeSent(Struct, frozen=True, kw_only=True):
    """A message that was made of an incident."""

    at: Annotated[str, Meta(description="When it was made.")]
    audience: Annotated[
        Literal["engineers", "stakeholders", "systems"],
        Meta(description="For whom it was."),
    ]
    channel: Annotated[str, Meta(description="By which channel.")]
    kind: Annotated[str, Meta(description="What it said, such as `opened`.")]
    page: Annotated[bool, Meta(description="Whether it woke somebody.")]


class IncidentEvent(BusEvent, frozen=True, kw_only=True):
    """An incident, as `catflap incident ID --json` shows it, and its state now."""

    incident: Annotated[str, Meta(description="The incident.")]
    incident_id: Annotated[str, Meta(description="The same as `incident`.")]
    datasets: Annotated[
        list[str], Meta(description="The datasets concerned; this one, as a rule.")
    ]
    kind: Annotated[
        Literal["report", "quality", "failure", "at_risk", "blind", "late"],
        Meta(description="What the incident is; the worst that it has been."),
    ]
    state: Annotated[
        Literal["pass", "unknown", "warn", "error"],
        Meta(description="The dataset's state; `pass` once the incident is over."),
    ]
    cause: CauseCode
    stage: Annotated[
        Literal["upstream", "pull", "landing", "load", "table", "monitor"] | None,
        Meta(description="Where the data stopped."),
    ]
    main_cause: Annotated[
        str | None,
        Meta(description="A person's word, else the cause that stood longest."),
    ]
    causes: Annotated[
        list[CauseSpan], Meta(description="Each cause so far: `code`, `seconds`.")
    ]
    opened_at: Annotated[str, Meta(description="When the incident was opened.")]
    late_since: Annotated[
        str | None,
        Meta(description="When it was first seen late; null while only at risk."),
    ]
    newest_at: Annotated[
        str | None, Meta(description="The newest time of the table, by its clock.")
    ]
    expected_at: Annotated[
        str | None, Meta(description="When the data are next expected.")
    ]
    resolved_at: Annotated[
        str | None, Meta(description="When the incident ended; null while it is open.")
    ]
    ended_by: Annotated[
        Literal["recovered", "not_promised", "removed", "closed", "false_alarm"] | None,
        Meta(description="How it ended; null while it is open."),
    ]
    acknowledged_by: Annotated[
        str | None, Meta(description="Who said that they have it.")
    ]
    promised_for: Annotated[
        str | None, Meta(description="When a person said it would be well.")
    ]
    promise: Annotated[
        str | None, Meta(description="What became of that: `kept` or `missed`.")
    ]
    snoozed_until: Annotated[
        str | None, Meta(description="Until when people hear nothing of it.")
    ]
    notices: Annotated[
        list[NoticeSent],
        Meta(description="The last 100 messages made of it before this one."),
    ]


class LateEvent(IncidentEvent, frozen=True, kw_only=True):
    """A dataset is later than its `freshness` says."""

    detail_type = "dataset.late"
    at_most = "Once for each incident, and once each time that it is opened again."


class AtRiskEvent(IncidentEvent, frozen=True, kw_only=True):
    """A dataset is not late yet, and something is broken that will make it late."""

    detail_type = "dataset.at_risk"
    at_most = "Once for each incident, and once each time that it is opened again."


class CheckFailedEvent(IncidentEvent, frozen=True, kw_only=True):
    """Quality checks of a dataset fail. All of them are one incident, of the kind
    `quality`; when they pass again, it ends with `dataset.recovered`.
    """

    detail_type = "dataset.check_failed"
    at_most = "Once for each incident, and once for each check that fails besides."

    checks: Annotated[
        list[str],
        Meta(
            description="Each failing check in a sentence, with its value, what it "
            "must be, and the run that brought it; 20 at most."
        ),
    ]


class RecoveredEvent(IncidentEvent, frozen=True, kw_only=True):
    """An incident that was late or at risk is over, and the data are well again."""

    detail_type = "dataset.recovered"
    at_most = "Once for each time that an incident is over."


class ClosedEvent(IncidentEvent, frozen=True, kw_only=True):
    """An incident that was late or at risk ended, without a word on the data: they are
    promised no more, the dataset was removed, or a person closed it; `ended_by` says.
    """

    detail_type = "dataset.closed"
    at_most = "Once for each time that an incident is over."


EVENTS: tuple[type[BusEvent], ...] = (
    RunLandedEvent,
    RowsLoadedEvent,
    ChecksRunEvent,
    LateEvent,
    AtRiskEvent,
    CheckFailedEvent,
    RecoveredEvent,
    ClosedEvent,
    ColumnChangedEvent,
    RunFailedEvent,
    ColumnsSeenEvent,
)
"""Every event there is, in the order of the page."""
