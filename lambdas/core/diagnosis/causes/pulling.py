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
    BOTH,
    STAKEHOLDERS,
    Broken,
    Given,
    Group,
    Pages,
    Rule,
    Stage,
)


def _failed_with(seen: Assessment, *kinds: str) -> bool:
    return seen.run.status == "failed" and seen.run.error in kinds


def _probe_says(seen: Assessment, result: str) -> bool:
    """The probe met it, and no pull that is known to have succeeded speaks against."""
    return seen.signals.upstream.probe == result and seen.run.status in {
        "failed",
        "running",
        "never",
    }


def next_pull_eta(seen: Assessment) -> datetime | None:
    """When the next pull's rows can be in the table."""
    pull, grace = seen.signals.pull, seen.signals.policy.load_grace_s
    return after(pull.next_due_at, pull.usual_run_s or 0, grace)


def _running_eta(seen: Assessment) -> datetime | None:
    usual, grace = seen.signals.pull.usual_run_s, seen.signals.policy.load_grace_s
    return after(seen.run.started_at, usual, grace)


def _wake(seen: Assessment) -> str:
    return (
        f"`aws sqs send-message` to the pulls queue with group {say.name_of(seen)} "
        f'and body {{"dataset": "{say.name_of(seen)}", "reason": "manual"}}'
    )


def _newer_upstream(seen: Assessment) -> str:
    if seen.upstream_newest is None:
        return "what upstream has is not known"
    return f"upstream has data up to {say.at(seen.upstream_newest)}"


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
    pages=Pages.YES,
    tell=BOTH,
    headline=lambda _: "the API rejects our credentials",
    evidence=(say.run, say.upstream, say.cursor),
    next_step=lambda seen: (
        "renew the API's secret in Secrets Manager, prove it with `catflap preview "
        f"{say.name_of(seen)} --limit 1`, then pull: {_wake(seen)}"
    ),
    plain="The source no longer lets us in; we are renewing our access.",
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
    tell=BOTH,
    headline=lambda _: "the API throttles us: our quota is used up",
    evidence=(say.run, say.upstream, say.cursor),
    next_step=lambda seen: (
        f"see who spends the quota with `catflap runs {say.name_of(seen)}`, then "
        "lower `rate_limit` in apis/, pull less often, or ask the API's owner for more"
    ),
    plain="The source limits how much we may fetch, and we have reached the limit.",
)
RESPONSE_CHANGED = Rule(
    code="response_changed",
    stage=Stage.PULL,
    group=Group.ALWAYS,
    holds_when="the last pull failed with `schema` or `response`",
    fault=lambda seen: _failed_with(seen, "schema", "response"),
    pages=Pages.YES,
    tell=BOTH,
    headline=lambda seen: (
        f"the API's answer no longer fits: the last pull failed with `{seen.run.error}`"
    ),
    evidence=(say.run, say.upstream, say.cursor),
    next_step=lambda seen: (
        f"look at an answer with `catflap preview {say.name_of(seen)} --limit 1`, fit "
        f"datasets/{say.name_of(seen)}.yaml (data_selector, columns, contract), run "
        "`catflap check`, deploy"
    ),
    plain="The source changed the form of its data; we are adapting to it.",
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
    pages=Pages.YES,
    tell=BOTH,
    headline=lambda seen: (
        f"the cursor stands at {say.at(seen.signals.pull.cursor_at)}, ahead of the "
        "clock: no new record can pass it"
    ),
    evidence=(say.cursor, say.run, say.upstream),
    next_step=lambda seen: (
        "set the cursor back to the newest true record, then fetch what was skipped "
        f"with `catflap backfill {say.name_of(seen)} --from ISO --to ISO`"
    ),
    plain="A wrong date in the source's data made us skip what came after it.",
)

# B: known to be stuck on our way -----------------------------------------------------
SCHEDULE_DISABLED = Rule(
    code="schedule_disabled",
    stage=Stage.PULL,
    group=Group.OURS,
    given=Given.UPSTREAM_HAS_MORE,
    holds_when="the schedule is off",
    fault=lambda seen: seen.signals.pull.schedule_enabled is False,
    pages=Pages.YES,
    tell=BOTH,
    broken=Broken.WHEN_CAUGHT_UP,
    headline=lambda seen: f"{_newer_upstream(seen)}, and our schedule is switched off",
    evidence=(say.schedule, say.upstream, say.cursor, say.run),
    next_step=lambda seen: (
        "switch the schedule on again: `aws scheduler get-schedule --name "
        f"catflap-<env>-{say.name_of(seen)}`, then `aws scheduler update-schedule … "
        "--state ENABLED`"
    ),
    plain="Our regular fetch of this data is switched off.",
)
PULL_RUNNING = Rule(
    code="pull_running",
    stage=Stage.PULL,
    group=Group.OURS,
    given=Given.UPSTREAM_HAS_MORE,
    holds_when="a pull is running, and nothing is stuck behind it",
    fault=lambda seen: seen.run.status == "running",
    unless=lambda other: other.stage is not Stage.PULL,
    pages=Pages.ON_ERROR,
    tell=BOTH,
    eta=_running_eta,
    headline=lambda seen: (
        f"{_newer_upstream(seen)}, and a pull is running since "
        f"{say.at(seen.run.started_at)}"
    ),
    evidence=(say.run, say.upstream, say.cursor),
    next_step=lambda seen: (
        f"watch it with `catflap runs {say.name_of(seen)}`; if it has outlived the "
        "function's time limit, its message returns and the pull is resumed"
    ),
    plain="We are fetching the data right now.",
)
PULL_NOT_RUN = Rule(
    code="pull_not_run",
    stage=Stage.PULL,
    group=Group.OURS,
    given=Given.UPSTREAM_HAS_MORE,
    holds_when=(
        "no pull was ever made or the last one began before it was last due, which is "
        "longer ago than the grace"
    ),
    fault=lambda seen: (
        (
            seen.run.status == "never"
            or later(seen.signals.pull.last_due_at, seen.run.started_at)
        )
        and over(
            seen.age_s(seen.signals.pull.last_due_at), seen.signals.policy.load_grace_s
        )
    ),
    pages=Pages.YES,
    tell=BOTH,
    broken=Broken.WHEN_CAUGHT_UP,
    headline=lambda seen: (
        f"{_newer_upstream(seen)}, and the pull that was due at "
        f"{say.at(seen.signals.pull.last_due_at)} did not begin"
    ),
    evidence=(say.schedule, say.run, say.upstream, say.cursor),
    next_step=lambda seen: (
        "look at the pulls queue, its dead letters and the pull function's throttles; "
        f"`catflap replay {say.name_of(seen)}` redrives dead letters, or pull now: "
        f"{_wake(seen)}"
    ),
    plain="Our regular fetch of this data did not start.",
)
_FAILED_KINDS = ("timeout", "http", "internal")
PULL_FAILED = Rule(
    code="pull_failed",
    stage=Stage.PULL,
    group=Group.OURS,
    given=Given.UPSTREAM_HAS_MORE,
    holds_when="the last pull failed with `timeout`, `http` or `internal`",
    fault=lambda seen: _failed_with(seen, *_FAILED_KINDS),
    pages=Pages.YES,
    tell=BOTH,
    broken=Broken.WHEN_CAUGHT_UP,
    headline=lambda seen: (
        f"{_newer_upstream(seen)}, and the last pull failed with `{seen.run.error}`"
    ),
    evidence=(say.run, say.upstream, say.cursor, say.schedule),
    next_step=lambda seen: (
        f"read the error with `catflap runs {say.name_of(seen)}`, try the API with "
        f"`catflap preview {say.name_of(seen)}`, then pull: {_wake(seen)}"
    ),
    plain="Our last fetch of this data failed; we are on it.",
)
PULLED_NOTHING = Rule(
    code="pulled_nothing",
    stage=Stage.PULL,
    group=Group.OURS,
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
    pages=Pages.YES,
    tell=BOTH,
    headline=lambda seen: (
        f"{_newer_upstream(seen)}, and the pull that began afterwards, at "
        f"{say.at(seen.run.started_at)}, found 0 rows"
    ),
    evidence=(say.run, say.upstream, say.cursor),
    next_step=lambda seen: (
        f"compare `catflap preview {say.name_of(seen)}` with the probe: the cursor's "
        "parameter, its format or time zone, the data_selector or a filter hides the "
        "rows"
    ),
    plain="The source has newer data, but our fetch came back empty.",
)
PULL_DUE = Rule(
    code="pull_due",
    stage=Stage.PULL,
    group=Group.OURS,
    given=Given.UPSTREAM_HAS_MORE,
    holds_when=(
        "it is later than the start of the last pull, which succeeded, while no pull "
        "is overdue: the next one will fetch it"
    ),
    fault=lambda seen: (
        seen.run.status == "succeeded"
        and later(seen.upstream_newest, seen.run.started_at)
    ),
    unless=lambda other: other.code == "pull_not_run",
    pages=Pages.NO,
    tell=STAKEHOLDERS,
    eta=next_pull_eta,
    headline=lambda seen: (
        f"upstream published {say.at(seen.upstream_newest)} only after our last pull "
        "began; the next pull will fetch it"
    ),
    evidence=(say.upstream, say.run, say.schedule, say.cursor),
    next_step=lambda seen: (
        "nothing has to be done; if the source is late every day, move the schedule "
        f"or the promise in datasets/{say.name_of(seen)}.yaml"
    ),
    plain="The source published late; our next regular fetch will bring it.",
)
NOT_LANDED = Rule(
    code="not_landed",
    stage=Stage.LANDING,
    group=Group.OURS,
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
    pages=Pages.YES,
    tell=BOTH,
    headline=lambda seen: (
        f"the last pull says it brought {say.counted(seen.run.rows or 0, 'row')}, but "
        "nothing has landed since it began"
    ),
    evidence=(say.run, say.landing),
    next_step=lambda seen: (
        f"find the run with `catflap runs {say.name_of(seen)}` and its objects with "
        f"`aws s3 ls --recursive s3://<bucket>/raw/{say.name_of(seen)}/`; if they are "
        f"gone, fetch the window again with `catflap backfill {say.name_of(seen)} "
        "--from ISO --to ISO`"
    ),
    plain="The data was fetched, but it did not reach our storage.",
)
INTERNAL_FAILURE = Rule(
    code="pull_failed",
    stage=Stage.PULL,
    group=Group.OURS_UNCONFIRMED,
    given=Given.SOURCE_UNKNOWN,
    holds_when="the last pull failed with `internal`",
    fault=lambda seen: _failed_with(seen, "internal"),
    pages=Pages.YES,
    tell=BOTH,
    headline=PULL_FAILED.headline,
    evidence=PULL_FAILED.evidence,
    next_step=PULL_FAILED.next_step,
    plain=PULL_FAILED.plain,
)

ALWAYS = (CREDENTIALS_REJECTED, QUOTA_EXHAUSTED, RESPONSE_CHANGED, CURSOR_AHEAD)
OURS = (
    SCHEDULE_DISABLED,
    PULL_RUNNING,
    PULL_NOT_RUN,
    PULL_FAILED,
    PULLED_NOTHING,
    PULL_DUE,
    NOT_LANDED,
)
OURS_UNCONFIRMED = (
    SCHEDULE_DISABLED.with_source_unknown(),
    PULL_RUNNING.with_source_unknown(),
    PULL_NOT_RUN.with_source_unknown(),
    INTERNAL_FAILURE,
)
