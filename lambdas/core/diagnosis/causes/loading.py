"""Causes on the way from the landing zone into the table."""

from __future__ import annotations

from datetime import datetime, timedelta

from lambdas.core.diagnosis.assessment import Assessment, after, later, over
from lambdas.core.diagnosis.causes import phrases as say
from lambdas.core.diagnosis.causes.rule import (
    BOTH,
    STAKEHOLDERS,
    Broken,
    Given,
    Group,
    Pages,
    Rule,
    Stage,
)


def _overdue(seen: Assessment) -> bool:
    """Past grace, while the pipe runs."""
    return seen.past_grace and seen.signals.pipe.state == "RUNNING"


def _never_forwarded(seen: Assessment) -> bool:
    """The pipe runs, has nothing to do, and never took the newest overdue object in
    hand.
    """
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
        "`SELECT * FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => "
        f"'{say.table_of(seen)}', START_TIME => DATEADD(DAY, -3, "
        "CURRENT_TIMESTAMP())))`"
    )


def _pipe_status(seen: Assessment) -> str:
    return f"`SELECT SYSTEM$PIPE_STATUS('{say.pipe_of(seen)}')`"


def _resume(seen: Assessment) -> str:
    pipe = say.pipe_of(seen)
    if seen.signals.pipe.state == "PAUSED":
        return (
            f"unless it is meant to be: `catflap replay {say.name_of(seen)}` resumes "
            "it and loads what waits; or by hand: "
            f"`ALTER PIPE {pipe} SET PIPE_EXECUTION_PAUSED = FALSE` (after two weeks "
            f"of pause `SELECT SYSTEM$PIPE_FORCE_RESUME('{pipe}', "
            "'staleness_check_override')`)"
        )
    return (
        f"{_pipe_status(seen)} names the error; mend it, deploy the warehouse stack, "
        f"then `ALTER PIPE {pipe} SET PIPE_EXECUTION_PAUSED = FALSE`"
    )


NAME_REUSED = Rule(
    code="name_reused",
    stage=Stage.LOAD,
    group=Group.OURS,
    holds_when="a loaded name was written again: Snowpipe will not read it twice",
    fault=lambda seen: seen.signals.landing.rewritten is True,
    pages=Pages.YES,
    tell=BOTH,
    broken=Broken.WHEN_CAUGHT_UP,
    headline=lambda _: (
        "an object was written again under a name that is already loaded, and "
        "Snowpipe does not read a name twice"
    ),
    evidence=(say.landing, say.load),
    next_step=lambda seen: (
        f"land it under new names: `catflap replay {say.name_of(seen)}`; then find "
        "who writes to the landing zone besides catflap with `catflap access`"
    ),
    plain="A file was replaced, and our warehouse passes over replaced files.",
)
PIPE_STOPPED = Rule(
    code="pipe_stopped",
    stage=Stage.LOAD,
    group=Group.OURS,
    given=Given.FILES_WAIT,
    holds_when="the pipe is neither RUNNING nor unreadable",
    fault=lambda seen: seen.pipe_stopped,
    pages=Pages.YES,
    tell=BOTH,
    broken=Broken.WHEN_IDLE_TOO,
    headline=lambda seen: f"files wait, and the pipe is {seen.signals.pipe.state}",
    evidence=(say.pipe, say.landing, say.load),
    next_step=_resume,
    plain="Loading into the warehouse is stopped; the data waits to be loaded.",
)
LOAD_FAILED = Rule(
    code="load_failed",
    stage=Stage.LOAD,
    group=Group.OURS,
    holds_when="the newest load is `Load failed`",
    fault=lambda seen: seen.signals.load.status == "Load failed",
    pages=Pages.YES,
    tell=BOTH,
    broken=Broken.WHEN_CAUGHT_UP,
    headline=lambda seen: (
        f"the newest file failed to load: "
        f"{seen.signals.load.first_error or 'no error is recorded'}"
    ),
    evidence=(say.load, say.landing, say.pipe),
    next_step=lambda seen: (
        f"read the errors: {_copy_history(seen)}; mend the cause, then `catflap "
        f"replay {say.name_of(seen)}` lands it again under new names"
    ),
    plain="The newest data could not be loaded into the warehouse.",
)
LOAD_PARTIAL = Rule(
    code="load_partial",
    stage=Stage.LOAD,
    group=Group.OURS,
    holds_when=(
        "the newest load is `Partially loaded`, or fewer rows were loaded than parsed"
    ),
    fault=_rows_short,
    pages=Pages.YES,
    tell=BOTH,
    broken=Broken.WHEN_CAUGHT_UP,
    headline=lambda seen: (
        "the newest file was loaded only in part"
        if seen.signals.load.rows_loaded is None
        or seen.signals.load.rows_parsed is None
        else "the newest file was loaded only in part: "
        f"{say.counted(seen.signals.load.rows_loaded, 'row')} of "
        f"{seen.signals.load.rows_parsed:,} that were read"
    ),
    evidence=(say.load, say.counts),
    next_step=lambda seen: (
        "the next look lands what was left out, and puts into quarantine what is "
        f"refused; by hand: `catflap replay {say.name_of(seen)}`. Then see who made "
        f"the pipe anew: `DESC PIPE {say.pipe_of(seen)}` must say ON_ERROR = SKIP_FILE"
    ),
    plain="Only a part of the newest data could be loaded into the warehouse.",
)
LOAD_PENDING = Rule(
    code="load_pending",
    stage=Stage.LOAD,
    group=Group.OURS,
    given=Given.FILES_WAIT,
    holds_when="the newest landed within the grace, and the pipe is not stopped",
    fault=lambda seen: seen.within_grace and not seen.pipe_stopped,
    pages=Pages.NO,
    tell=STAKEHOLDERS,
    eta=_pending_eta,
    headline=lambda seen: (
        f"the data landed {say.ago(seen, seen.landed_at)} and is about to be loaded"
    ),
    evidence=(say.landing, say.pipe, say.load),
    next_step=lambda seen: (
        f"nothing has to be done; `catflap diagnose {say.name_of(seen)}` after the "
        "grace says whether it came"
    ),
    plain="The data has arrived and is about to be loaded.",
)
PIPE_BACKLOG = Rule(
    code="pipe_backlog",
    stage=Stage.LOAD,
    group=Group.OURS,
    given=Given.FILES_WAIT,
    holds_when="they are past the grace, and the pipe is RUNNING with pending files",
    fault=lambda seen: _overdue(seen) and over(seen.signals.pipe.pending_files, 0),
    pages=Pages.ON_ERROR,
    tell=BOTH,
    eta=_backlog_eta,
    headline=lambda seen: (
        f"the pipe has a backlog of "
        f"{say.counted(seen.signals.pipe.pending_files or 0, 'file')}"
    ),
    evidence=(say.pipe, say.landing, say.load),
    next_step=lambda seen: (
        f"watch it shrink with {_pipe_status(seen)}; if it does not, look for a "
        "backfill or for many small objects with "
        f"`catflap runs {say.name_of(seen)}`"
    ),
    plain="More data than usual is being loaded; it takes longer.",
)


def _either(seen: Assessment, said: str) -> str:
    """Where nobody knows what the pipe covers, a received message proves little: the
    queue is shared by all pipes. Then both explanations are named.
    """
    if seen.signals.pipe.covers_newest_key is not None:
        return said
    return (
        "the newest object never reached the pipe's work: either nobody told the pipe "
        "(not_notified: event, topic or queue), or it does not cover the object "
        "(not_forwarded: prefix or pattern)"
    )


NOT_NOTIFIED = Rule(
    code="not_notified",
    stage=Stage.LOAD,
    group=Group.OURS,
    given=Given.FILES_WAIT,
    holds_when=(
        "they are past the grace, the pipe is RUNNING with nothing pending and "
        "forwarded nothing since, and it covers the newest key (or that is not known, "
        "and it received no message since): event, topic or queue"
    ),
    fault=_not_notified,
    pages=Pages.YES,
    tell=BOTH,
    headline=lambda seen: _either(
        seen,
        "files landed and the pipe was not told: the bucket's event, the topic or the "
        "queue is broken",
    ),
    evidence=(say.pipe, say.landing, say.load),
    next_step=lambda seen: (
        "check `aws s3api get-bucket-notification-configuration --bucket <bucket>` "
        "and the `landed` topic's subscriptions and policy; then `ALTER PIPE "
        f"{say.pipe_of(seen)} REFRESH` loads what waits"
    ),
    plain="The data has arrived, but loading it was not set off.",
)
NOT_FORWARDED = Rule(
    code="not_forwarded",
    stage=Stage.LOAD,
    group=Group.OURS,
    given=Given.FILES_WAIT,
    holds_when=(
        "as before, but the pipe does not cover the newest key (or that is not known, "
        "and it did receive a message since): prefix or pattern"
    ),
    fault=_not_forwarded,
    pages=Pages.YES,
    tell=BOTH,
    headline=lambda seen: _either(
        seen,
        "files landed outside of what the pipe covers: its prefix or pattern is wrong",
    ),
    evidence=(say.pipe, say.landing, say.load),
    next_step=lambda seen: (
        f"compare `DESC PIPE {say.pipe_of(seen)}` with the newest key; deploy the "
        f"warehouse stack, then `ALTER PIPE {say.pipe_of(seen)} REFRESH`"
    ),
    plain="The data has arrived where our loading does not look for it.",
)
LOAD_UNSEEN = Rule(
    code="load_unseen",
    stage=Stage.LOAD,
    group=Group.OURS,
    given=Given.FILES_WAIT,
    holds_when="they are past the grace, and no other cause of the load stage holds",
    fault=lambda seen: seen.past_grace,
    unless=lambda other: other.stage is Stage.LOAD and other.code != "load_unseen",
    pages=Pages.YES,
    tell=BOTH,
    headline=lambda _: "files wait past their grace, and nothing says why",
    evidence=(say.landing, say.pipe, say.load),
    next_step=lambda seen: (
        f"look for yourself: {_pipe_status(seen)} and {_copy_history(seen)}; `ALTER "
        f"PIPE {say.pipe_of(seen)} REFRESH` loads what no record names"
    ),
    plain="The data has arrived but has not been loaded; we are looking into it.",
)
ROWS_DELETED = Rule(
    code="rows_deleted",
    stage=Stage.TABLE,
    group=Group.OURS,
    given=Given.NO_FILES_WAIT,
    holds_when="the table has fewer rows than at the check before",
    fault=lambda seen: over(
        seen.signals.table.previous_row_count, seen.signals.table.row_count
    ),
    pages=Pages.YES,
    tell=BOTH,
    broken=Broken.WHEN_CAUGHT_UP,
    headline=lambda seen: (
        f"rows are gone: {seen.signals.table.row_count or 0:,} now, "
        f"{seen.signals.table.previous_row_count or 0:,} at the check before"
    ),
    evidence=(say.counts, say.load),
    next_step=lambda seen: (
        "find the statement in `SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY`, and bring the "
        f"rows back with time travel: `CREATE TABLE … CLONE {say.table_of(seen)} "
        "AT (OFFSET => -3600)`"
    ),
    plain="Rows were removed from the table; we are bringing them back.",
)
EVENT_TIME_MISSING = Rule(
    code="event_time_missing",
    stage=Stage.TABLE,
    group=Group.OURS,
    given=Given.NO_FILES_WAIT,
    holds_when="the promise is judged by event time, and rows have none",
    fault=lambda seen: (
        seen.signals.policy.clock == "event"
        and over(seen.signals.table.null_event_rows, 0)
    ),
    pages=Pages.YES,
    tell=BOTH,
    broken=Broken.WHEN_CAUGHT_UP,
    headline=lambda seen: (
        f"{say.counted(seen.signals.table.null_event_rows or 0, 'row')} came without "
        "a usable event time"
    ),
    evidence=(say.counts, say.load),
    next_step=lambda seen: (
        f"look at them: `SELECT PAYLOAD FROM {say.table_of(seen)} WHERE _EVENT_AT IS "
        "NULL LIMIT 5`, then correct freshness.loaded_at_field in "
        f"datasets/{say.name_of(seen)}.yaml"
    ),
    plain="New rows came without a date, so we cannot tell how fresh they are.",
)

OURS = (
    NAME_REUSED,
    PIPE_STOPPED,
    LOAD_FAILED,
    LOAD_PARTIAL,
    LOAD_PENDING,
    PIPE_BACKLOG,
    NOT_NOTIFIED,
    NOT_FORWARDED,
    LOAD_UNSEEN,
    ROWS_DELETED,
    EVENT_TIME_MISSING,
)
