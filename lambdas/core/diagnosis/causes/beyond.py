"""Causes that are not on our way: the source, the unexplained, and the alerting."""

from __future__ import annotations

from lambdas.core.diagnosis.assessment import Assessment, State, over, seconds_between
from lambdas.core.diagnosis.causes import phrases as say
from lambdas.core.diagnosis.causes.pulling import next_pull_eta
from lambdas.core.diagnosis.causes.rule import (
    BOTH,
    ENGINEERS,
    STAKEHOLDERS,
    Given,
    Group,
    Pages,
    Rule,
    Stage,
)

CHECKS_MISSED = 3
"""So many intervals without a check are too many."""


def _down(seen: Assessment) -> bool:
    probe = seen.signals.upstream.probe
    if probe in {"unreachable", "error_body"}:
        return True
    return (
        probe in {None, "failed", "not_probed"}
        and seen.run.status == "failed"
        and seen.run.error in {"timeout", "http"}
    )


def _down_says(seen: Assessment) -> str:
    match seen.signals.upstream.probe:
        case "unreachable":
            return "the API cannot be reached"
        case "error_body":
            return "the API answers with an error in place of data"
        case _:
            return f"the API did not answer our last pull (`{seen.run.error}`)"


# D: the source -----------------------------------------------------------------------
UPSTREAM_REPUBLISHED = Rule(
    code="upstream_republished",
    stage=Stage.UPSTREAM,
    group=Group.SOURCE,
    holds_when=(
        "the table has what upstream has, and the last pull brought rows more than "
        "warn_after later than the newest event: the same data again"
    ),
    fault=lambda seen: (
        seen.caught_up
        and seen.run.status == "succeeded"
        and over(seen.run.rows, 0)
        and over(
            seconds_between(seen.event_newest, seen.run.started_at),
            seen.signals.policy.warn_after_s,
        )
    ),
    pages=Pages.NO,
    tell=BOTH,
    eta=next_pull_eta,
    headline=lambda seen: (
        f"upstream sent {say.counted(seen.run.rows or 0, 'row')} again, none newer "
        f"than {say.at(seen.event_newest)}"
    ),
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
    holds_when="the table has what upstream has",
    fault=lambda seen: seen.caught_up,
    pages=Pages.NO,
    tell=STAKEHOLDERS,
    eta=next_pull_eta,
    headline=lambda seen: (
        "upstream holds nothing at all"
        if seen.upstream_newest is None
        else f"upstream has published nothing since {say.at(seen.upstream_newest)}, "
        "and we have all of it"
    ),
    evidence=(say.upstream, say.cursor, say.run, say.schedule),
    next_step=lambda seen: (
        "nothing has to be done on our side; tell the source's owner, or record the "
        "next date they name with `catflap incident ID --eta ISO` (`catflap status` "
        f"shows the incident of {say.name_of(seen)})"
    ),
    plain="The source has published nothing new; we have all that there is.",
)
UPSTREAM_DOWN = Rule(
    code="upstream_down",
    stage=Stage.UPSTREAM,
    group=Group.SOURCE,
    holds_when=(
        "the probe is `unreachable` or `error_body`, or it is not known and the last "
        "pull failed with `timeout` or `http`"
    ),
    fault=_down,
    pages=Pages.ON_ERROR,
    tell=BOTH,
    headline=_down_says,
    evidence=(say.upstream, say.run, say.cursor),
    next_step=lambda seen: (
        f"try it with `catflap preview {say.name_of(seen)} --limit 1` and look at the "
        "source's status page; the next pull catches up by itself"
    ),
    plain="The source cannot be reached at the moment.",
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
    tell=BOTH,
    headline=lambda _: (
        "our side looks healthy and the last pull found nothing new, but the source "
        "could not be asked whether there is more"
    ),
    evidence=(say.run, say.upstream, say.cursor),
    next_step=lambda seen: (
        f"ask the source itself with `catflap preview {say.name_of(seen)}`; give "
        f"datasets/{say.name_of(seen)}.yaml a freshness.probe, so that the next "
        "verdict knows"
    ),
    plain="We found nothing new and could not confirm whether there is anything.",
)
UNKNOWN = Rule(
    code="unknown",
    stage=None,
    group=Group.REST,
    holds_when="nothing else does",
    fault=lambda _: True,
    pages=Pages.YES,
    tell=BOTH,
    headline=lambda _: "what is known does not show why",
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
        f"collect the signals again with `catflap diagnose {say.name_of(seen)}`: what "
        "is not known there is where to look"
    ),
    plain="We do not know the reason yet and are looking into it.",
)

# the third place: the alerting itself ------------------------------------------------
MONITOR_BLIND = Rule(
    code="monitor_blind",
    stage=Stage.MONITOR,
    group=Group.MONITOR,
    holds_when="the table could not be read, so that its state is unknown",
    fault=lambda seen: seen.state is State.UNKNOWN,
    pages=Pages.YES,
    tell=ENGINEERS,
    headline=say.table,
    evidence=(say.checks,),
    next_step=lambda seen: (
        f"read it as the freshness role does: `SELECT COUNT(*) FROM "
        f"{say.table_of(seen)}`; if it is refused, deploy the warehouse stack, which "
        "grants SELECT, and look at `catflap access`"
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
        and _within(seen.age_s(seen.newest), seen.signals.policy.warn_after_s)
        and over(
            seen.age_s(seen.signals.monitor.evaluated_newest_at),
            seen.signals.policy.warn_after_s,
        )
    ),
    pages=Pages.NO,
    tell=BOTH,
    headline=lambda seen: (
        "the data is fresh, but the last check judged "
        f"{say.at(seen.signals.monitor.evaluated_newest_at)}: a false alarm"
    ),
    evidence=(say.checks,),
    next_step=lambda seen: (
        "check which column and zone are judged: freshness.loaded_at_field and "
        f"incremental.timezone in datasets/{say.name_of(seen)}.yaml; then `catflap "
        f"diagnose {say.name_of(seen)}`"
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
    pages=Pages.YES,
    tell=ENGINEERS,
    headline=lambda seen: (
        f"the last check was {say.ago(seen, seen.signals.monitor.last_check_at)}: the "
        "alerting itself has stopped"
    ),
    evidence=(say.checks,),
    next_step=lambda _: (
        "look at the freshness function's errors and its schedule: `aws logs tail "
        "/aws/lambda/<freshness function> --since 1h`, `aws scheduler list-schedules`"
    ),
    plain="Our checks have stopped; we are restarting them.",
)
NOTICE_UNDELIVERED = Rule(
    code="notice_undelivered",
    stage=Stage.MONITOR,
    group=Group.MONITOR,
    holds_when="notices wait to be delivered",
    fault=lambda seen: over(seen.signals.monitor.undelivered_notices, 0),
    pages=Pages.YES,
    tell=ENGINEERS,
    headline=lambda seen: (
        f"{say.counted(seen.signals.monitor.undelivered_notices or 0, 'notice')} "
        "could not be delivered"
    ),
    evidence=(say.checks,),
    next_step=lambda _: (
        "check Slack's webhook secret and the topics' subscriptions; each check tries "
        "again, `catflap incidents` shows what was to be said"
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
    pages=Pages.YES,
    tell=ENGINEERS,
    headline=lambda seen: (
        f"{say.counted(len(seen.signals.monitor.stuck_runs or ()), 'recorded run')} "
        "cannot be completed, and the datasets are not pulled until it is"
    ),
    evidence=(lambda seen: "; ".join(seen.signals.monitor.stuck_runs or ()) or None,),
    next_step=lambda _: (
        "restore what is missing from the bucket's versions (`aws s3api "
        "list-object-versions --bucket <landing bucket> --prefix manifests/`); each "
        "check then completes the run by itself. What cannot be restored has to be "
        "pulled again; `catflap runs NAME` shows the run's window"
    ),
    plain="Part of the data we fetched could not be stored; we are looking into it.",
)


def _within(value: float | None, limit: float | None) -> bool:
    return value is not None and limit is not None and value <= limit


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
        f"{say.counted(seen.signals.table.future_rows or 0, 'row')} ahead of the clock"
    ),
    evidence=(say.counts,),
    next_step=lambda seen: (
        f"look at them: `SELECT MAX(_EVENT_AT) FROM {say.table_of(seen)}`"
    ),
    plain="Some rows carry dates in the future.",
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
        and over(seen.age_s(seen.event_newest), seen.signals.policy.error_after_s)
    ),
    pages=Pages.NO,
    tell=frozenset(),
    headline=lambda seen: (
        f"rows were loaded, but the newest event is of {say.at(seen.event_newest)}"
    ),
    evidence=(lambda seen: f"the newest event is of {say.at(seen.event_newest)}",),
    next_step=lambda seen: (
        "judge the dataset by event time: freshness.loaded_at_field in "
        f"datasets/{say.name_of(seen)}.yaml"
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
)
NOTES = (FUTURE_ROWS, STALE_EVENTS)
