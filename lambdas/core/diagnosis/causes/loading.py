"""Causes on the way from the landing zone into the table."""

from __future__ import annotations

from datetime import datetime, timedelta

from lambdas.core.diagnosis.assessment import (
    Assessment,
    after,
    later,
    over,
    within,
)
from lambdas.core.diagnosis.causes import phrases as say
from lambdas.core.diagnosis.causes.rule import (
    STAKEHOLDERS,
    Broken,
    Given,
    Group,
    Pages,
    Rule,
    Stage,
    at_once,
)


def _overdue(seen: Assessment) -> bool:
    """Past grace, while the pipe runs."""
    return seen.past_grace and seen.signals.pipe.state == "RUNNING"


def _never_forwarded(seen: Assessment) -> bool:
    """The pipe runs, is idle, and never took the newest overdue object."""
    pipe = seen.signals.pipe
    return (
        _overdue(seen)
        and pipe.pending_files == 0
        and later(seen.overdue_at, pipe.last_forwarded_at)
    )


def _not_notified(seen: Assessment) -> bool:
    pipe = seen.signals.pipe
    if pipe.covers_newest_key is None:
        received = later(seen.overdue_at, pipe.last_received_at)
        return _never_forwarded(seen) and received
    return _never_forwarded(seen) and pipe.covers_newest_key


def _not_forwarded(seen: Assessment) -> bool:
    pipe = seen.signals.pipe
    if pipe.covers_newest_key is None:
        received, landed = pipe.last_received_at, seen.overdue_at
        known = received is not None and landed is not None
        return _never_forwarded(seen) and known and not later(landed, received)
    return _never_forwarded(seen) and not pipe.covers_newest_key


def _pending_eta(seen: Assessment) -> datetime | None:
    return after(seen.landed_at, seen.signals.policy.load_grace_s)


def _backlog_eta(seen: Assessment) -> datetime | None:
    pending = seen.signals.pipe.pending_files
    rate = seen.signals.pipe.files_per_minute
    if pending is None or not rate:
        return None
    try:
        return seen.now + timedelta(minutes=pending / rate)
    except OverflowError:
        return None


def _rows_short(seen: Assessment) -> bool:
    newest = seen.signals.load
    return newest.status == "Partially loaded" or over(
        newest.rows_parsed, newest.rows_loaded
    )


def _copy_history(seen: Assessment) -> str:
    return (
        f"`SELECT * FROM TABLE({say.schema_of(seen, 'INFORMATION_SCHEMA')}."
        f"COPY_HISTORY(TABLE_NAME => '{say.table_of(seen)}', "
        "START_TIME => DATEADD(DAY, -3, CURRENT_TIMESTAMP())))`"
    )


def _pipe_status(seen: Assessment) -> str:
    return say.of_pipe(
        seen, "SELECT SYSTEM$PIPE_STATUS('{}')", "the pipe's `SYSTEM$PIPE_STATUS`"
    )


def _described(seen: Assessment) -> str:
    return say.of_pipe(seen, "DESC PIPE {}", "its pipe's `DESC PIPE`")


def _refresh(seen: Assessment) -> str:
    return say.of_pipe(seen, "ALTER PIPE {} REFRESH", "a REFRESH of its pipe")


def _resume(seen: Assessment) -> str:
    resumed = say.of_pipe(
        seen,
        "ALTER PIPE {} SET PIPE_EXECUTION_PAUSED = FALSE",
        "`SET PIPE_EXECUTION_PAUSED = FALSE`",
    )
    if seen.signals.pipe.state == "PAUSED":
        forced = say.of_pipe(
            seen,
            "SELECT SYSTEM$PIPE_FORCE_RESUME('{}', 'staleness_check_override')",
            "`SYSTEM$PIPE_FORCE_RESUME`",
        )
        return (
            f"unless it is paused on purpose, {say.command(seen, 'replay')} resumes "
            f"it and loads what waits; or by hand: {resumed} (after two weeks of "
            f"pause {forced})"
        )
    if seen.signals.pipe.state == "STOPPED_MISSING_TABLE":
        made = say.command(seen, "restore-sql", "--rows")
        return f"{made} prints the SQL that makes the table again, with its rows"
    return (
        f"{_pipe_status(seen)} names the error; fix it "
        f"({say.command(seen, 'restore-sql')} prints the SQL that makes a missing "
        f"table or grant), then {resumed}"
    )


def _stopped(seen: Assessment) -> str:
    """In a word; the whole state is in the evidence."""
    first = (seen.signals.pipe.state or "").partition("_")[0].lower()
    known = {"paused", "stopped", "stalled"}
    spoken = {"read": "read-only", "failing": "failing over"}
    return spoken.get(first) or (first if first in known else "not running")


NAME_REUSED = Rule(
    code="name_reused",
    stage=Stage.LOAD,
    group=Group.STUCK,
    holds_when="a loaded name was written again: Snowpipe will not read it twice",
    fault=lambda seen: seen.signals.landing.rewritten is True,
    broken=Broken.WHEN_CAUGHT_UP,
    risk=at_once,
    headline=lambda _: "a loaded file was overwritten",
    evidence=(say.landing, say.load),
    next_step=lambda seen: (
        f"land it under new names: {say.command(seen, 'replay')}; then find who "
        f"else writes to {say.landing_of(seen)} (CloudTrail: PutObject)"
    ),
    plain="A file was replaced, and our warehouse skips replaced files.",
)
PIPE_STOPPED = Rule(
    code="pipe_stopped",
    stage=Stage.LOAD,
    group=Group.STUCK,
    given=Given.FILES_WAIT,
    holds_when="the pipe is neither RUNNING nor unreadable",
    fault=lambda seen: seen.pipe_stopped,
    broken=Broken.WHEN_IDLE_TOO,
    risk=at_once,
    headline=lambda seen: f"the pipe is {_stopped(seen)}",
    evidence=(say.pipe, say.landing, say.load),
    next_step=_resume,
    plain="Loading into the warehouse is stopped; the data waits to be loaded.",
)
LOAD_FAILED = Rule(
    code="load_failed",
    stage=Stage.LOAD,
    group=Group.STUCK,
    holds_when="the newest load is `Load failed`",
    fault=lambda seen: seen.signals.load.status == "Load failed",
    broken=Broken.WHEN_CAUGHT_UP,
    risk=at_once,
    headline=lambda _: "the newest file failed to load",
    evidence=(say.load, say.landing, say.pipe),
    next_step=lambda seen: (
        f"read the errors: {_copy_history(seen)}; fix the cause, then land it again: "
        f"{say.command(seen, 'replay')}"
    ),
    plain="The newest data could not be loaded into the warehouse.",
)
LOAD_PARTIAL = Rule(
    code="load_partial",
    stage=Stage.LOAD,
    group=Group.STUCK,
    holds_when=(
        "the newest load is `Partially loaded`, or fewer rows were loaded than parsed"
    ),
    fault=_rows_short,
    broken=Broken.WHEN_CAUGHT_UP,
    risk=at_once,
    headline=lambda _: "the newest file loaded in part",
    evidence=(say.load, say.counts),
    next_step=lambda seen: (
        "the next check loads what was left out, and quarantines the rows that "
        f"Snowflake refuses; by hand: {say.command(seen, 'replay')}. Then see who "
        f"replaced the pipe: {_described(seen)} must say ON_ERROR = SKIP_FILE"
    ),
    plain="Only a part of the newest data could be loaded into the warehouse.",
)
PIPE_BACKLOG = Rule(
    code="pipe_backlog",
    stage=Stage.LOAD,
    group=Group.STUCK,
    given=Given.FILES_WAIT,
    holds_when="they are past the grace, and the pipe is RUNNING with pending files",
    fault=lambda seen: _overdue(seen) and over(seen.signals.pipe.pending_files, 0),
    pages=Pages.ON_ERROR,
    eta=_backlog_eta,
    headline=lambda seen: (
        f"{say.few(seen.signals.pipe.pending_files or 0, 'file')} waiting in the pipe"
    ),
    evidence=(say.pipe, say.landing, say.load),
    next_step=lambda seen: (
        f"watch it shrink with {_pipe_status(seen)}; if it does not, look for a "
        f"backfill or for many small objects with {say.command(seen, 'runs')}"
    ),
    plain="More data than usual is being loaded; it takes longer.",
)


def _either(seen: Assessment, said: str) -> str:
    """Where nobody knows what the pipe covers, a received message proves little: the
    queue is shared by all pipes. Then both explanations are named.
    """
    if seen.signals.pipe.covers_newest_key is not None:
        return said
    return "a lost event or a wrong prefix"


NOT_NOTIFIED = Rule(
    code="not_notified",
    stage=Stage.LOAD,
    group=Group.STUCK,
    given=Given.FILES_WAIT,
    holds_when=(
        "they are past the grace, the pipe is RUNNING with nothing pending and "
        "forwarded nothing since, and it covers the newest key (or that is not known, "
        "and it received no message since): event, topic or queue"
    ),
    fault=_not_notified,
    risk=at_once,
    headline=lambda seen: _either(seen, "the pipe was not notified"),
    evidence=(say.pipe, say.landing, say.load),
    next_step=lambda seen: (
        f"load what waits: {say.command(seen, 'replay')}; then check the event "
        "notifications of the landing bucket"
        f"{say.of_bucket(seen, 'get-bucket-notification-configuration')} and the "
        "`landed` topic's subscriptions"
    ),
    plain="The data has arrived, but loading has not started.",
)
NOT_FORWARDED = Rule(
    code="not_forwarded",
    stage=Stage.LOAD,
    group=Group.STUCK,
    given=Given.FILES_WAIT,
    holds_when=(
        "as before, but the pipe does not cover the newest key (or that is not known, "
        "and it did receive a message since): prefix or pattern"
    ),
    fault=_not_forwarded,
    risk=at_once,
    headline=lambda seen: _either(seen, "the pipe's prefix misses files"),
    evidence=(say.pipe, say.landing, say.load),
    next_step=lambda seen: (
        f"compare {_described(seen)} with the newest key; if the pipe is missing, "
        f"{say.command(seen, 'restore-sql')} prints the SQL that makes it; then "
        f"{_refresh(seen)}"
    ),
    plain="The data has arrived where our loading does not look for it.",
)
_EXPLAINED = (
    NAME_REUSED,
    PIPE_STOPPED,
    LOAD_FAILED,
    LOAD_PARTIAL,
    PIPE_BACKLOG,
    NOT_NOTIFIED,
    NOT_FORWARDED,
)
LOAD_UNSEEN = Rule(
    code="load_unseen",
    stage=Stage.LOAD,
    group=Group.STUCK,
    given=Given.FILES_WAIT,
    holds_when="they are past the grace, and no other cause of the load stage holds",
    fault=lambda seen: (
        seen.past_grace and not any(rule.holds(seen) for rule in _EXPLAINED)
    ),
    risk=at_once,
    headline=lambda _: "landed files have not been loaded",
    evidence=(say.landing, say.pipe, say.load),
    next_step=lambda seen: (
        f"look for yourself: {_pipe_status(seen)} and {_copy_history(seen)}; "
        f"{_refresh(seen)} loads what no record names"
    ),
    plain="The data has arrived but has not been loaded.",
)
ROWS_DELETED = Rule(
    code="rows_deleted",
    stage=Stage.TABLE,
    group=Group.STUCK,
    given=Given.NO_FILES_WAIT,
    holds_when="the table has fewer rows than at the check before",
    fault=lambda seen: over(
        seen.signals.table.previous_row_count, seen.signals.table.row_count
    ),
    broken=Broken.WHEN_CAUGHT_UP,
    headline=lambda _: "rows were deleted from the table",
    evidence=(say.counts, say.load),
    next_step=lambda seen: (
        "find the statement in `SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY`, and bring the "
        "rows back with time travel: "
        f"`CREATE TABLE {say.table_of(seen)}_AN_HOUR_AGO CLONE {say.table_of(seen)} "
        "AT (OFFSET => -3600)`"
    ),
    plain="Rows were removed from the table.",
)
EVENT_TIME_MISSING = Rule(
    code="event_time_missing",
    stage=Stage.TABLE,
    group=Group.STUCK,
    given=Given.NO_FILES_WAIT,
    holds_when="the promise is judged by event time, and rows have none",
    fault=lambda seen: (
        seen.signals.policy.clock == "event"
        and over(seen.signals.table.null_event_rows, 0)
    ),
    broken=Broken.WHEN_CAUGHT_UP,
    headline=lambda _: "new rows have no usable time",
    evidence=(say.counts, say.load),
    next_step=lambda seen: (
        f"look at them: `SELECT PAYLOAD FROM {say.table_of(seen)} WHERE _EVENT_AT IS "
        "NULL LIMIT 5`, then correct freshness.loaded_at_field in "
        f"{say.file_of(seen)}"
    ),
    plain="New rows came without a date, so we cannot tell how fresh they are.",
)

# B2: passes by itself ----------------------------------------------------------------
LOAD_PENDING = Rule(
    code="load_pending",
    stage=Stage.LOAD,
    group=Group.PASSING,
    given=Given.FILES_WAIT,
    holds_when="the newest landed within the grace",
    fault=lambda seen: within(
        seen.age_s(seen.landed_at), seen.signals.policy.load_grace_s
    ),
    pages=Pages.NO,
    tell=STAKEHOLDERS,
    eta=_pending_eta,
    headline=lambda _: "its data landed and is loading",
    evidence=(say.landing, say.pipe, say.load),
    next_step=lambda seen: (
        "nothing to do; if it is still late after that, "
        f"{say.command(seen, 'diagnose')} says why"
    ),
    plain="The data has arrived and is about to be loaded.",
)

STUCK = (*_EXPLAINED, LOAD_UNSEEN, ROWS_DELETED, EVENT_TIME_MISSING)
