"""Causes on the way from the source to the landing zone."""

from __future__ import annotations

from datetime import datetime

from lambdas.core.diagnosis.assessment import (
    Assessment,
    after,
    later,
    over,
    seconds_between,
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

_OF_OTHER_CAUSES = frozenset({"auth", "throttled", "schema", "response"})
FAILURES_AT_RISK = 3
"""One failed pull is retried by itself; after so many in a row it is told."""


def _failed_with(seen: Assessment, *kinds: str) -> bool:
    return seen.run.status == "failed" and seen.run.error in kinds


def _failed(seen: Assessment) -> bool:
    """With an error that is no cause of its own, or again and again."""
    is_plain = seen.run.status == "failed" and seen.run.error not in _OF_OTHER_CAUSES
    return is_plain or seen.keeps_failing


def _probe_says(seen: Assessment, result: str) -> bool:
    """The probe met it, and no pull that is known to have succeeded speaks against."""
    return seen.signals.upstream.probe == result and seen.run.status in {
        "failed",
        "running",
        "never",
    }


def _next_pull_eta(seen: Assessment) -> datetime | None:
    """When the next pull's rows can be in the table."""
    pull, grace = seen.signals.pull, seen.signals.policy.load_grace_s
    if pull.schedule_enabled is False:
        return None
    return after(pull.next_due_at, pull.usual_run_s or 0, grace)


def _running_eta(seen: Assessment) -> datetime | None:
    usual, grace = seen.signals.pull.usual_run_s, seen.signals.policy.load_grace_s
    return after(seen.run.started_at, usual, grace)


def _is_overdue(seen: Assessment) -> bool:
    """A pull that is running has had its usual time, or nobody knows how long."""
    expected = _running_eta(seen)
    return expected is None or expected <= seen.now


# A: bites as soon as there is data ---------------------------------------------------
CREDENTIALS_REJECTED = Rule(
    code="credentials_rejected",
    stage=Stage.PULL,
    group=Group.ALWAYS,
    holds_when=(
        "the last pull failed with `auth`, or the probe is `denied` and the last "
        "pull did not succeed"
    ),
    fault=lambda seen: _failed_with(seen, "auth") or _probe_says(seen, "denied"),
    risk=at_once,
    headline=lambda _: "the API rejects our credentials",
    evidence=(say.run, say.upstream, say.cursor),
    next_step=lambda seen: (
        "renew the API's secret in Secrets Manager, check it with "
        f"`catflap preview {say.name_of(seen)} --limit 1`, then {say.pull_now(seen)}"
    ),
    plain="The source rejects our access.",
)
QUOTA_EXHAUSTED = Rule(
    code="quota_exhausted",
    stage=Stage.PULL,
    group=Group.ALWAYS,
    holds_when=(
        "the last pull failed with `throttled`, or the probe is `throttled` and the "
        "last pull did not succeed"
    ),
    fault=lambda seen: (
        _failed_with(seen, "throttled") or _probe_says(seen, "throttled")
    ),
    pages=Pages.ON_ERROR,
    headline=lambda _: "our quota at the API is used up",
    evidence=(say.run, say.upstream, say.cursor),
    next_step=lambda seen: (
        f"see what uses the quota with {say.command(seen, 'runs')}; then lower "
        "`rate_limit` of its API, pull less often, or ask the API's owner for more"
    ),
    plain="We have reached the limit of what the source lets us fetch.",
)
RESPONSE_CHANGED = Rule(
    code="response_changed",
    stage=Stage.PULL,
    group=Group.ALWAYS,
    holds_when="the last pull failed with `schema` or `response`",
    fault=lambda seen: _failed_with(seen, "schema", "response"),
    risk=at_once,
    headline=lambda _: "the API's answer has changed",
    evidence=(say.run, say.upstream, say.cursor),
    next_step=lambda seen: (
        f"look at an answer with `catflap preview {say.name_of(seen)} --limit 1`, "
        f"correct {say.file_of(seen)} (data_selector, columns, contract), run "
        "`catflap check`, deploy"
    ),
    plain="The source changed the form of its data.",
)
CURSOR_AHEAD = Rule(
    code="cursor_ahead",
    stage=Stage.PULL,
    group=Group.ALWAYS,
    holds_when="the cursor is later than now + skew: no record can pass it",
    fault=lambda seen: over(
        seconds_between(seen.now, seen.signals.pull.cursor_at),
        seen.signals.policy.skew_s,
    ),
    risk=at_once,
    headline=lambda _: "our cursor lies in the future",
    evidence=(say.cursor, say.run, say.upstream),
    next_step=lambda seen: (
        f"set the cursor back to the newest true record: {say.set_back(seen)}"
    ),
    plain="A wrong date in the source's data made us skip what came after it.",
)

# B1: known to be stuck on our way ----------------------------------------------------
SCHEDULE_DISABLED = Rule(
    code="schedule_disabled",
    stage=Stage.PULL,
    group=Group.STUCK,
    given=Given.UPSTREAM_HAS_MORE,
    holds_when="the schedule is off",
    fault=lambda seen: seen.signals.pull.schedule_enabled is False,
    risk=at_once,
    broken=Broken.WHEN_CAUGHT_UP,
    headline=lambda _: "its schedule is switched off",
    evidence=(say.schedule, say.upstream, say.cursor, say.run),
    next_step=lambda seen: (
        f"switch the schedule {say.schedule_of(seen)} on again, in EventBridge "
        "Scheduler or by a deploy; if it is off on purpose, write `schedule.paused` "
        f"into {say.file_of(seen)}"
    ),
    plain="Our regular fetch of this data is switched off.",
)
PULL_NOT_RUN = Rule(
    code="pull_not_run",
    stage=Stage.PULL,
    group=Group.STUCK,
    given=Given.UPSTREAM_HAS_MORE,
    holds_when=(
        "the last pull that was due is over the grace ago, and none was ever made, or "
        "the last one ended and began before it"
    ),
    fault=lambda seen: (
        over(
            seen.age_s(seen.signals.pull.last_due_at), seen.signals.policy.load_grace_s
        )
        and (
            seen.run.status == "never"
            or (
                seen.run.status in {"succeeded", "failed"}
                and later(seen.signals.pull.last_due_at, seen.run.started_at)
            )
        )
    ),
    risk=at_once,
    broken=Broken.WHEN_CAUGHT_UP,
    headline=lambda seen: (
        f"the {say.clock(seen.signals.pull.last_due_at)} pull did not start"
    ),
    evidence=(say.schedule, say.run, say.upstream, say.cursor),
    next_step=lambda seen: (
        f"{say.pull_now(seen)}; if that does not start either, look at the pull "
        f"function's errors and throttles; {say.command(seen, 'replay')} sends dead "
        "letters again"
    ),
    plain="Our regular fetch of this data did not start.",
)


def _failure(seen: Assessment) -> str:
    failures = seen.signals.pull.failures_in_row or 0
    if failures > 1:
        return f"the last {failures:,} pulls failed"
    kinds = {"timeout": " (timeout)", "http": " (HTTP error)"}
    kinds["internal"] = " (internal error)"
    return f"its pull failed{kinds.get(seen.run.error or '', '')}"


PULL_FAILED = Rule(
    code="pull_failed",
    stage=Stage.PULL,
    group=Group.STUCK,
    given=Given.UPSTREAM_HAS_MORE,
    holds_when=(
        "the last pull failed with none of `auth`, `throttled`, `schema`, `response`, "
        "or one is running after two or more failed"
    ),
    fault=_failed,
    risk=lambda seen: (seen.signals.pull.failures_in_row or 0) >= FAILURES_AT_RISK,
    broken=Broken.WHEN_CAUGHT_UP,
    headline=_failure,
    evidence=(say.run, say.upstream, say.cursor, say.schedule),
    next_step=lambda seen: (
        f"read the error with {say.command(seen, 'runs')}, try the API with "
        f"`catflap preview {say.name_of(seen)} --limit 1`, then {say.pull_now(seen)}"
    ),
    plain="Our last fetch of this data failed.",
)
PULLED_NOTHING = Rule(
    code="pulled_nothing",
    stage=Stage.PULL,
    group=Group.STUCK,
    given=Given.UPSTREAM_HAS_MORE,
    holds_when=(
        "the last pull succeeded with 0 rows, though upstream's newest record was "
        "there when it began"
    ),
    fault=lambda seen: (
        seen.run.status == "succeeded"
        and seen.run.rows == 0
        and seen.upstream_newest is not None
        and seen.run.started_at is not None
        and seen.upstream_newest <= seen.run.started_at
    ),
    headline=lambda _: "the last pull missed new records",
    evidence=(say.run, say.upstream, say.cursor),
    next_step=lambda seen: (
        f"compare `catflap preview {say.name_of(seen)}` with the source: the cursor's "
        "parameter, its format or time zone, the data_selector or a filter in "
        f"{say.file_of(seen)} hides the rows"
    ),
    plain="The source has newer data, but our fetch came back empty.",
)
NOT_LANDED = Rule(
    code="not_landed",
    stage=Stage.LANDING,
    group=Group.STUCK,
    holds_when=(
        "the last pull succeeded with rows, and nothing landed since it began: the "
        "newest object is older, or the landing zone is empty"
    ),
    fault=lambda seen: (
        seen.run.status == "succeeded"
        and over(seen.run.rows, 0)
        and (
            later(seen.run.started_at, seen.landed_at)
            or seen.signals.landing.empty is True
        )
    ),
    risk=at_once,
    headline=lambda _: "pulled rows did not reach S3",
    evidence=(say.run, say.landing),
    next_step=lambda seen: (
        f"look for the run's objects: {say.command(seen, 'runs')} and "
        f"{say.listing_of(seen)}; if they are gone, fetch the window again: "
        f"{say.fetch_again(seen)}"
    ),
    plain="The data was fetched, but it did not reach our storage.",
)

# B2: passes by itself ----------------------------------------------------------------
PULL_RUNNING = Rule(
    code="pull_running",
    stage=Stage.PULL,
    group=Group.PASSING,
    given=Given.UPSTREAM_HAS_MORE,
    holds_when="a pull is running, and those before it did not fail",
    fault=lambda seen: seen.run.status == "running" and not seen.keeps_failing,
    pages=Pages.ON_ERROR,
    pages_once=_is_overdue,
    eta=_running_eta,
    headline=lambda seen: (
        "a pull takes longer than usual" if _is_overdue(seen) else "a pull is running"
    ),
    evidence=(say.run, say.upstream, say.cursor),
    next_step=lambda seen: (
        f"watch it with {say.command(seen, 'runs')}; a pull that is killed at its "
        "function's time limit is resumed by itself"
    ),
    plain="We are fetching the data right now.",
)
PULL_DUE = Rule(
    code="pull_due",
    stage=Stage.PULL,
    group=Group.PASSING,
    given=Given.UPSTREAM_HAS_MORE,
    holds_when=(
        "it is later than the start of the last pull, which succeeded: the next one "
        "will fetch it"
    ),
    fault=lambda seen: (
        seen.run.status == "succeeded"
        and later(seen.upstream_newest, seen.run.started_at)
    ),
    pages=Pages.NO,
    tell=STAKEHOLDERS,
    eta=_next_pull_eta,
    headline=lambda _: "the next pull will fetch it",
    evidence=(say.upstream, say.run, say.schedule, say.cursor),
    next_step=lambda seen: (
        "nothing to do; if the source is late every day, move the schedule "
        f"or the promise in {say.file_of(seen)}"
    ),
    plain="The source published late; our next regular fetch will bring it.",
)

# C: the source is unknown, and our own side is seen to be at fault -------------------
UNSURE_FAILED = PULL_FAILED.with_source_unknown(
    holds_when=(
        "the last pull failed with `internal`, or the probe is `ok` and pulls fail as "
        "above"
    ),
    fault=lambda seen: (
        _failed_with(seen, "internal")
        or (seen.signals.upstream.probe == "ok" and _failed(seen))
    ),
)
_UNSURE = (
    SCHEDULE_DISABLED.with_source_unknown(),
    PULL_NOT_RUN.with_source_unknown(),
    UNSURE_FAILED,
)
UNSURE_RUNNING = PULL_RUNNING.with_source_unknown(
    holds_when="a pull is running, those before it did not fail, and none of the above",
    fault=lambda seen: (
        PULL_RUNNING.fault(seen) and not any(rule.holds(seen) for rule in _UNSURE)
    ),
)

ALWAYS = (CREDENTIALS_REJECTED, QUOTA_EXHAUSTED, RESPONSE_CHANGED, CURSOR_AHEAD)
STUCK = (
    SCHEDULE_DISABLED,
    PULL_NOT_RUN,
    PULL_FAILED,
    PULLED_NOTHING,
    NOT_LANDED,
)
UNCONFIRMED = (*_UNSURE, UNSURE_RUNNING)
