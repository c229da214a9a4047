"""Causes that are not on our way: the source, the unexplained, and the alerting."""

from __future__ import annotations

from lambdas.core.diagnosis.assessment import (
    Assessment,
    State,
    over,
    seconds_between,
    within,
)
from lambdas.core.diagnosis.causes import phrases as say
from lambdas.core.diagnosis.causes.rule import (
    ENGINEERS,
    STAKEHOLDERS,
    Given,
    Group,
    Pages,
    Rule,
    Stage,
)
from lambdas.core.text.count import counted

CHECKS_MISSED = 3
"""So many intervals without a check are too many."""


def _down(seen: Assessment) -> bool:
    probe = seen.signals.upstream.probe
    if probe in {"unreachable", "error_body"}:
        return True
    failed = seen.run.status == "failed" and seen.run.error in {"timeout", "http"}
    return probe in {None, "failed", "not_probed"} and (failed or seen.keeps_failing)


def _down_says(seen: Assessment) -> str:
    match seen.signals.upstream.probe:
        case "unreachable":
            return "the API cannot be reached"
        case "error_body":
            return "the API answers with an error"
        case _ if seen.keeps_failing:
            return "the API does not answer our pulls"
        case _ if seen.run.error == "timeout":
            return "the API did not answer in time"
        case _:
            return "the API answered with an error"


def _republished(seen: Assessment) -> bool:
    return (
        seen.caught_up
        and seen.signals.pull.rereads is False
        and seen.run.status == "succeeded"
        and over(seen.run.rows, 0)
        and over(
            seconds_between(seen.event_newest, seen.run.started_at),
            seen.signals.policy.warn_after_s,
        )
    )


# D: the source -----------------------------------------------------------------------
UPSTREAM_REPUBLISHED = Rule(
    code="upstream_republished",
    stage=Stage.UPSTREAM,
    group=Group.SOURCE,
    holds_when=(
        "the table has what upstream has, and the last pull brought rows that it had "
        "not asked for again, more than warn_after later than the newest event"
    ),
    fault=_republished,
    pages=Pages.NO,
    asks_again=True,
    headline=lambda _: "the source sent old rows again",
    evidence=(say.upstream, say.run, say.cursor),
    next_step=lambda seen: (
        "ask the source's owner whether this is meant; compare `catflap preview "
        f"{say.name_of(seen)}` with what is in the table"
    ),
    plain="The source published its old data again, and nothing new.",
)
UPSTREAM_QUIET = Rule(
    code="upstream_quiet",
    stage=Stage.UPSTREAM,
    group=Group.SOURCE,
    holds_when="the table has what upstream has, and nothing was published again",
    fault=lambda seen: seen.caught_up and not _republished(seen),
    pages=Pages.NO,
    tell=STAKEHOLDERS,
    asks_again=True,
    headline=lambda seen: (
        "the source is empty" if seen.upstream_empty else "the source has nothing newer"
    ),
    evidence=(say.upstream, say.cursor, say.run, say.schedule),
    next_step=lambda _: (
        "nothing to do on our side; ask the source's owner when there will be more"
    ),
    plain="The source has published nothing new; we have all that there is.",
)
UPSTREAM_DOWN = Rule(
    code="upstream_down",
    stage=Stage.UPSTREAM,
    group=Group.SOURCE,
    holds_when=(
        "the probe is `unreachable` or `error_body`, or it is not known and the last "
        "pull failed with `timeout` or `http`, or pulls keep failing"
    ),
    fault=_down,
    pages=Pages.ON_ERROR,
    asks_again=True,
    headline=_down_says,
    evidence=(say.upstream, say.run, say.cursor),
    next_step=lambda seen: (
        f"try it with `catflap preview {say.name_of(seen)} --limit 1` and look at the "
        "source's status page; the next pull catches up by itself"
    ),
    plain="The source does not answer.",
)

# E: the rest -------------------------------------------------------------------------
UNCONFIRMED = Rule(
    code="unconfirmed",
    stage=None,
    group=Group.REST,
    given=Given.SOURCE_UNKNOWN,
    holds_when=(
        "the last pull succeeded with 0 rows: our side is healthy, the source is not "
        "confirmed"
    ),
    fault=lambda seen: seen.run.status == "succeeded" and seen.run.rows == 0,
    pages=Pages.ON_ERROR,
    asks_again=True,
    headline=lambda _: "we cannot tell if there is more",
    evidence=(say.run, say.upstream, say.cursor),
    next_step=lambda seen: (
        f"look at the source yourself: `catflap preview {say.name_of(seen)}`; declare "
        f"a freshness.probe in {say.file_of(seen)}, so that we can tell next time"
    ),
    plain="We found nothing new and could not confirm whether there is anything.",
)
UNKNOWN = Rule(
    code="unknown",
    stage=None,
    group=Group.REST,
    holds_when="nothing else does",
    fault=lambda _: True,
    headline=lambda _: "the cause is not known",
    evidence=(
        say.upstream,
        say.cursor,
        say.schedule,
        say.run,
        say.landing,
        say.load,
        say.pipe,
        say.counts,
    ),
    next_step=lambda seen: (
        f"collect the signals again with {say.command(seen, 'diagnose')}: start with "
        "what it could not find out"
    ),
    plain="We do not know the reason yet.",
)

# the third place: the alerting itself ------------------------------------------------
MONITOR_BLIND = Rule(
    code="monitor_blind",
    stage=Stage.MONITOR,
    group=Group.MONITOR,
    holds_when="the table could not be read, so that its state is unknown",
    fault=lambda seen: seen.state is State.UNKNOWN,
    pages=Pages.IN_ANY_STATE,
    tell=ENGINEERS,
    headline=say.unread,
    evidence=(say.checks,),
    next_step=lambda seen: (
        f"read it yourself: `SELECT COUNT(*) FROM {say.table_of(seen)}`; if the table "
        f"or a grant is missing, {say.command(seen, 'restore-sql')} prints the SQL "
        "that makes it"
    ),
    plain="We cannot see at the moment whether the data is fresh.",
)
MONITOR_MISREAD = Rule(
    code="monitor_misread",
    stage=Stage.MONITOR,
    group=Group.MONITOR,
    holds_when=(
        "the table is fresh, but the time that the last check judged is older than "
        "warn_after: wrong column, time zone or cache"
    ),
    fault=lambda seen: (
        seen.state is State.PASS
        and within(seen.age_s(seen.newest), seen.signals.policy.warn_after_s)
        and over(
            seen.age_s(seen.signals.monitor.evaluated_newest_at),
            seen.signals.policy.warn_after_s,
        )
    ),
    pages=Pages.NO,
    headline=lambda _: "the last check misread its age",
    evidence=(say.checks,),
    next_step=lambda seen: (
        "correct what is read: freshness.loaded_at_field and incremental.timezone in "
        f"{say.file_of(seen)}; then {say.command(seen, 'diagnose')}"
    ),
    plain="The data is fresh; an alert that said otherwise was wrong.",
)
MONITOR_LATE = Rule(
    code="monitor_late",
    stage=Stage.MONITOR,
    group=Group.MONITOR,
    holds_when="the last check is more than three intervals ago",
    fault=lambda seen: (
        seen.signals.monitor.check_every_s is not None
        and over(
            seen.age_s(seen.signals.monitor.last_check_at),
            CHECKS_MISSED * seen.signals.monitor.check_every_s,
        )
    ),
    pages=Pages.IN_ANY_STATE,
    tell=ENGINEERS,
    headline=lambda seen: (
        f"no check for {say.roughly(seen.age_s(seen.signals.monitor.last_check_at))}"
    ),
    evidence=(say.checks,),
    next_step=lambda _: (
        "look at the freshness function's errors in CloudWatch Logs and at its "
        "schedule in EventBridge Scheduler"
    ),
    plain="Our checks had stopped.",
)
NOTICE_UNDELIVERED = Rule(
    code="notice_undelivered",
    stage=Stage.MONITOR,
    group=Group.MONITOR,
    holds_when="notices wait to be delivered",
    fault=lambda seen: over(seen.signals.monitor.undelivered_notices, 0),
    pages=Pages.IN_ANY_STATE,
    tell=ENGINEERS,
    headline=lambda seen: (
        f"{say.few(seen.signals.monitor.undelivered_notices or 0, 'message')} could "
        "not be sent"
    ),
    evidence=(say.checks,),
    next_step=lambda seen: (
        "check the channel's secret and the topics' subscriptions; each check tries "
        f"again, and {say.of_all(seen, 'incidents')} shows what people were not told"
    ),
    plain="Some of our notices may not have reached you.",
)

RUN_STUCK = Rule(
    code="run_stuck",
    stage=Stage.LANDING,
    group=Group.MONITOR,
    holds_when=(
        "a recorded run cannot be completed: part of it is visible and the rest gone, "
        "its manifest is gone, or it is committing for over an hour"
    ),
    fault=lambda seen: bool(seen.signals.monitor.stuck_runs),
    pages=Pages.IN_ANY_STATE,
    tell=ENGINEERS,
    headline=lambda seen: (
        f"{counted(len(seen.signals.monitor.stuck_runs or ()), 'run')} cannot be "
        "completed"
    ),
    evidence=(lambda seen: "; ".join(seen.signals.monitor.stuck_runs or ()) or None,),
    next_step=lambda seen: (
        "restore what is missing from the landing bucket's versions"
        f"{say.of_bucket(seen, 'list-object-versions', '--prefix manifests/')}; "
        "the next check then completes the run. Pull again what cannot be restored; "
        "until then these datasets are not pulled"
    ),
    plain="Part of the data we fetched could not be stored.",
)

NOT_CHECKED = Rule(
    code="not_checked",
    stage=Stage.MONITOR,
    group=Group.MONITOR,
    holds_when="the check of a dataset failed; the others were checked",
    fault=lambda seen: bool(seen.signals.monitor.unchecked),
    pages=Pages.IN_ANY_STATE,
    tell=ENGINEERS,
    headline=lambda seen: (
        f"{say.few(len(seen.signals.monitor.unchecked or ()), 'dataset')} not checked"
        if len(seen.signals.monitor.unchecked or ()) > 1
        else "a dataset could not be checked"
    ),
    evidence=(lambda seen: "; ".join(seen.signals.monitor.unchecked or ()) or None,),
    next_step=lambda _: (
        "read the error in the freshness function's log; these datasets are not "
        "watched until it is fixed, and each check tries them again"
    ),
    plain="We could not check how fresh some data is.",
)


# notes -------------------------------------------------------------------------------
FUTURE_ROWS = Rule(
    code="future_rows",
    stage=Stage.TABLE,
    group=Group.NOTE,
    holds_when="rows lie ahead of now + skew; they are not counted",
    fault=lambda seen: over(seen.signals.table.future_rows, 0),
    pages=Pages.NO,
    tell=frozenset(),
    headline=lambda seen: (
        f"{say.few(seen.signals.table.future_rows or 0, 'row')} in the future"
    ),
    evidence=(say.counts,),
    next_step=lambda seen: (
        f"look at them: `SELECT MAX(_EVENT_AT) FROM {say.table_of(seen)}`"
    ),
    plain="Some rows carry dates in the future.",
)
UPSTREAM_AHEAD = Rule(
    code="upstream_ahead",
    stage=Stage.UPSTREAM,
    group=Group.NOTE,
    holds_when="upstream's newest record lies ahead of now + skew; it is not counted",
    fault=lambda seen: (
        seen.signals.upstream.probe == "ok"
        and over(
            seconds_between(seen.now, seen.signals.upstream.newest_event_at),
            seen.signals.policy.skew_s,
        )
    ),
    pages=Pages.NO,
    tell=frozenset(),
    headline=lambda _: "a source record is in the future",
    evidence=(say.upstream_ahead,),
    next_step=lambda seen: (
        "declare a freshness.probe that leaves such records out, in "
        f"{say.file_of(seen)}"
    ),
    plain="The source holds a record with a date in the future.",
)
STALE_EVENTS = Rule(
    code="stale_events",
    stage=Stage.TABLE,
    group=Group.NOTE,
    holds_when=(
        "the promise is judged by load time and kept, but the newest event is older "
        "than error_after: a backfill or a republish makes the table look fresh"
    ),
    fault=lambda seen: (
        seen.signals.policy.clock == "load"
        and seen.state is State.PASS
        and within(seen.age_s(seen.load_newest), seen.signals.policy.error_after_s)
        and over(seen.age_s(seen.event_newest), seen.signals.policy.error_after_s)
    ),
    pages=Pages.NO,
    tell=frozenset(),
    headline=lambda _: "what was loaded last is old",
    evidence=(lambda seen: f"the newest event is from {say.at(seen.event_newest)}",),
    next_step=lambda seen: (
        "judge the dataset by event time: freshness.loaded_at_field in "
        f"{say.file_of(seen)}"
    ),
    plain="What was loaded last is old data.",
)

SOURCE = (UPSTREAM_REPUBLISHED, UPSTREAM_QUIET, UPSTREAM_DOWN)
REST = (UNCONFIRMED, UNKNOWN)
MONITOR = (
    MONITOR_BLIND,
    MONITOR_MISREAD,
    MONITOR_LATE,
    NOTICE_UNDELIVERED,
    RUN_STUCK,
    NOT_CHECKED,
)
NOTES = (FUTURE_ROWS, UPSTREAM_AHEAD, STALE_EVENTS)
