"""The signals of one dataset at one moment: what a diagnosis is made from.

A key that is missing or null is *not known*, and so is a missing section; only
`dataset` and `now` are required. Types are exact ("3" is not 3, `true` is not 1) and
times carry an offset: a naive local time would shift every age by that offset.

Keys nobody knows here are ignored, not refused: other collectors may say more than
this decision reads, and what it does not read cannot mislead it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    Strict,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticCustomError, from_json

from lambdas.core.errors import BadInput
from lambdas.core.loading.objects import LoadStatus

_SHOWN = 60
"""Characters of a wrong value that an error repeats."""


def _aware_utc(value: object) -> datetime:
    """Parse a time that says its offset; a naive one is refused, never assumed."""
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            pass  # 0001-01-01T00:00+14:00 lies before the first moment there is
    kind = "time"
    raise PydanticCustomError(
        kind, "an ISO 8601 time with its offset, such as 2026-11-23T09:00:00Z"
    )


Time: TypeAlias = Annotated[datetime, BeforeValidator(_aware_utc)]
Seconds: TypeAlias = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Strict(), Field(ge=0)]
Flag: TypeAlias = Annotated[bool, Strict()]

ProbeResult: TypeAlias = Literal[
    "ok", "unreachable", "denied", "throttled", "error_body", "failed", "not_probed"
]
RunOutcome: TypeAlias = Literal["succeeded", "failed", "running", "never"]
RunFault: TypeAlias = Literal[
    "auth", "throttled", "timeout", "http", "schema", "response", "internal"
]
TableRead: TypeAlias = Literal["ok", "missing", "denied", "error", "not_read"]


class Section(BaseModel):
    """Frozen; every field that is not there is None: not known."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Policy(Section):
    """The promise. `clock` says by which of the table's times it is judged.

    `expected_by` and `expected_since` are set together for a deadline: by the first
    there shall be data no older than the second. `late_at`: when the table would be
    late if nothing came. `due_age_s` is the newest row's age in due time, and
    `promised_s` the age that is promised, where quiet time of a calendar counts.
    """

    clock: Literal["event", "load"] = "event"
    warn_after_s: Seconds | None = None
    error_after_s: Seconds | None = None
    skew_s: Seconds = 300
    load_grace_s: Seconds = 900
    expected_by: Time | None = None
    expected_since: Time | None = None
    in_quiet_time: Flag | None = None
    page_on: Literal["error", "warn", "never"] = "error"
    late_at: Time | None = None
    due_age_s: Seconds | None = None
    promised_s: Seconds | None = None


class Upstream(Section):
    """What asking the source itself gave. `empty`: it holds nothing at all."""

    probe: ProbeResult | None = None
    newest_event_at: Time | None = None
    empty: Flag | None = None


class LastRun(Section):
    """The dataset's newest pull."""

    status: RunOutcome | None = None
    started_at: Time | None = None
    finished_at: Time | None = None
    rows: Count | None = None
    error: RunFault | None = None


class Pull(Section):
    """The cursor, the schedule and the last run.

    `rereads`: each pull brings rows that were there before, by its nature. `cursor_by`:
    whether the cursor is the event time, so that the two can be compared; null means it
    is. `failures_in_row`: failed runs in a row, up to the last one or right before one
    that is running.
    """

    cursor_at: Time | None = None
    schedule_enabled: Flag | None = None
    last_due_at: Time | None = None
    next_due_at: Time | None = None
    usual_run_s: Seconds | None = None
    rereads: Flag | None = None
    cursor_by: Literal["event", "other"] | None = None
    failures_in_row: Count | None = None
    last_run: LastRun = LastRun()


class Landing(Section):
    """What lies in the landing zone.

    `empty`: listed, and nothing is there. `unloaded`: objects past the load grace
    without a load record; `overdue_at`: when the newest of these landed, which may be
    long before the newest object of all. `rewritten`: a name already loaded was written
    again.
    """

    newest_object_at: Time | None = None
    newest_key: str | None = None
    rows: Count | None = None
    empty: Flag | None = None
    unloaded: Count | None = None
    overdue_at: Time | None = None
    rewritten: Flag | None = None


class Load(Section):
    """The newest load record; `last_loaded_at` is the last load that added rows."""

    last_loaded_at: Time | None = None
    status: LoadStatus | None = None
    key: str | None = None
    rows_parsed: Count | None = None
    rows_loaded: Count | None = None
    first_error: str | None = None


class Pipe(Section):
    """The pipe's own report. `state` is any word Snowflake may use (there are many
    STOPPED_… and STALLED_…), or `unreadable`.
    """

    state: Annotated[str, Field(min_length=1)] | None = None
    pending_files: Count | None = None
    oldest_pending_at: Time | None = None
    files_per_minute: Seconds | None = None
    covers_newest_key: Flag | None = None
    last_received_at: Time | None = None
    last_forwarded_at: Time | None = None


class Table(Section):
    """What was read from the table; `read` says whether it could be."""

    read: TableRead | None = None
    newest_event_at: Time | None = None
    newest_loaded_at: Time | None = None
    row_count: Count | None = None
    previous_row_count: Count | None = None
    future_rows: Count | None = None
    null_event_rows: Count | None = None


class Monitor(Section):
    """The alerting about itself. `stuck_runs`: a sentence for each recorded run that
    cannot be completed; `unchecked`: one for each dataset whose check failed. Both are
    asked for the whole, not of one dataset.
    """

    last_check_at: Time | None = None
    check_every_s: Seconds | None = None
    evaluated_newest_at: Time | None = None
    undelivered_notices: Count | None = None
    stuck_runs: tuple[str, ...] | None = None
    unchecked: tuple[str, ...] | None = None


class Deployment(Section):
    """Where the dataset is deployed, so that a next step can be pasted; nothing is
    decided by it. `database` as SQL spells it; `generation` of the dataset's pipe.
    """

    environment: str | None = None
    landing_bucket: str | None = None
    database: str | None = None
    generation: Count | None = None


class Signals(Section):
    """All of them."""

    dataset: Annotated[str, Field(min_length=1)]
    now: Time
    policy: Policy = Policy()
    upstream: Upstream = Upstream()
    pull: Pull = Pull()
    landing: Landing = Landing()
    load: Load = Load()
    pipe: Pipe = Pipe()
    table: Table = Table()
    monitor: Monitor = Monitor()
    deployment: Deployment = Deployment()


_ACCEPTED = {
    "bool_type": "true or false",
    "float_type": "a number",
    "greater_than_equal": "zero or more",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "model_type": "an object",
    "string_type": "a string",
    "string_too_short": "a string that is not empty",
}


def signals_from_json(text: str | bytes) -> Signals:
    """Read one document.

    Raises BadInput with one line per fault: the key, what came, what is accepted.
    """
    try:
        document: JsonValue = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        message = f"the document is not JSON: {error}; accepted: one JSON object"
        raise BadInput(message) from None
    return signals_from_value(document)


def signals_from_value(document: JsonValue) -> Signals:
    """The same from parsed JSON. Raises BadInput as `signals_from_json` does."""
    if not isinstance(document, dict):
        message = f"the document: {_shown(document)} came; accepted: a JSON object"
        raise BadInput(message)
    try:
        return Signals.model_validate(_without_nulls(document))
    except ValidationError as error:
        raise BadInput("\n".join(map(_fault, error.errors()))) from None


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - JSON is what it is
    """Null says the same as a missing key, at every depth."""
    if isinstance(value, dict):
        return {
            key: _without_nulls(inner)
            for key, inner in value.items()
            if inner is not None
        }
    return value


def _fault(error: ErrorDetails) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        wanted = "a time" if key == "now" else "a string"
        return f"{key}: missing or null; required: {wanted}"
    if error["type"] == "literal_error":
        accepted = f"{error['ctx']['expected']}, or null"
    else:
        accepted = _ACCEPTED.get(error["type"], error["msg"])
    return f"{key}: {_shown(error['input'])} came; accepted: {accepted}"


def _shown(value: object) -> str:
    words = (
        {True: "true", False: "false"}.get(value) if value in (True, False) else None
    )
    text = words if words and isinstance(value, bool) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
