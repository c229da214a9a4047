"""The drills: what is broken, what must be found, who must hear of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from lambdas.core.names import MONITOR
from local.drills import faults
from local.drills.stage import Stage

Act: TypeAlias = Callable[[Stage], None]

ENGINEERS = frozenset({"engineers"})
STAKEHOLDERS = frozenset({"stakeholders"})
BOTH = ENGINEERS | STAKEHOLDERS
READ_CATALOGUE = "ReadCatalogue"
"""The `Sid` of what lets a function read the published datasets."""


YOUNG = frozenset({"pull_due", "load_pending"})
"""What holds while the newest object has not had its load grace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One fault, from a healthy state and back to it.

    `dataset` is the one it must be told of; `cause` has to lead what is told or stand
    beside it. `pages` says whether an engineer is woken, `tell` who hears of it at
    all: nobody else may. `on_the_way` are causes that may be told before, because they
    hold for a while. The fault lasts until all that is told, and for `lasts` at least.
    With `hits_others`, the other dataset is late for the same reason.
    """

    name: str
    broken: str
    mended: str
    cause: str
    break_it: Act
    mend_it: Act
    dataset: str = "cats"
    pages: bool = True
    tell: frozenset[str] = BOTH
    on_the_way: frozenset[str] = field(default_factory=frozenset)
    lasts: timedelta = timedelta(0)
    hits_others: bool = False


def _misbehave(dataset: str, **manners: object) -> Act:
    return lambda stage: faults.misbehave(stage, dataset, **manners)


def _on(act: Callable[[Stage, str], None], dataset: str = "cats") -> Act:
    return lambda stage: act(stage, dataset)


def drills() -> tuple[Drill, ...]:
    """All of them, made anew: some remember what they have taken away."""
    bucket = faults.Policies("s3", takes=lambda sid: sid != READ_CATALOGUE)
    catalogue = faults.Policies("s3", takes=lambda sid: sid == READ_CATALOGUE)
    snowflake = faults.Policies("s3")
    wiring, same_names = faults.Wiring(), faults.SameNames()
    return (
        Drill(
            name="api_down",
            broken="the API's server is stopped",
            mended="it is started again",
            cause="upstream_down",
            break_it=lambda stage: stage.sources["cats"].server.stop(),
            mend_it=lambda stage: stage.sources["cats"].server.start(),
        ),
        Drill(
            name="api_quiet",
            broken="the API has no new rows",
            mended="it returns the rows it held back",
            cause="upstream_quiet",
            break_it=_on(faults.hold),
            mend_it=_on(faults.release),
            pages=False,
            tell=STAKEHOLDERS,
            lasts=timedelta(hours=4),
        ),
        Drill(
            name="api_quiet_derived",
            broken="an API without a declared probe has no new rows",
            mended="it returns the rows it held back",
            cause="upstream_quiet",
            dataset="dogs",
            break_it=_on(faults.hold, "dogs"),
            mend_it=_on(faults.release, "dogs"),
            pages=False,
            tell=STAKEHOLDERS,
            lasts=timedelta(hours=4),
        ),
        Drill(
            name="api_empty",
            broken="the API answers with no rows at all",
            mended="it returns rows again",
            cause="upstream_quiet",
            break_it=_misbehave("cats", is_empty=True),
            mend_it=_on(faults.behave),
            pages=False,
            tell=STAKEHOLDERS,
            lasts=timedelta(hours=4),
        ),
        Drill(
            name="credentials_revoked",
            broken="the API's owner replaces our token",
            mended="the new token is put into the secret",
            cause="credentials_rejected",
            break_it=_on(faults.revoke_token),
            mend_it=_on(faults.renew_token),
        ),
        Drill(
            name="quota",
            broken="the API answers 429 with Retry-After: 3600",
            mended="it answers as before",
            cause="quota_exhausted",
            break_it=_misbehave("cats", status=429, headers={"Retry-After": "3600"}),
            mend_it=_on(faults.behave),
        ),
        Drill(
            name="changed_response",
            broken="the API calls its rows `items`",
            mended="it calls them `rows` again",
            cause="response_changed",
            break_it=_misbehave("cats", selector="items"),
            mend_it=_on(faults.behave),
        ),
        Drill(
            name="cursor_renamed",
            broken="upstream renames the cursor's column",
            mended="it has its old name again",
            cause="response_changed",
            break_it=_misbehave("cats", event_field="seen"),
            mend_it=_on(faults.behave),
        ),
        Drill(
            name="event_column_renamed",
            broken="upstream renames the event time's column",
            mended="it has its old name again; rows without a time get one",
            cause="event_time_missing",
            dataset="dogs",
            break_it=_on(faults.drop_event_times, "dogs"),
            mend_it=_on(faults.refill_event_times, "dogs"),
        ),
        Drill(
            name="poisoned_cursor",
            broken="the cursor is set to the year 2100 by hand",
            mended="it is set back",
            cause="cursor_ahead",
            break_it=_on(faults.poison),
            mend_it=_on(faults.unpoison),
        ),
        Drill(
            name="schedule_off",
            broken="somebody disables the schedule",
            mended="it is enabled",
            cause="schedule_disabled",
            break_it=lambda stage: faults.set_schedule(stage, "cats", is_on=False),
            mend_it=lambda stage: faults.set_schedule(stage, "cats", is_on=True),
        ),
        Drill(
            name="function_crashing",
            broken="the pull function's environment loses LANDING_BUCKET",
            mended="it is deployed again",
            cause="pull_not_run",
            break_it=faults.break_environment,
            mend_it=faults.mend_environment,
            hits_others=True,
        ),
        Drill(
            name="function_killed",
            broken="every pull is killed half-way (SIGKILL, as when out of memory)",
            mended="pulls are no longer killed",
            cause="pull_failed",
            break_it=_on(faults.kill_pulls),
            mend_it=_on(faults.behave),
            on_the_way=frozenset({"pull_running", "pull_not_run"}),
            hits_others=True,
        ),
        Drill(
            name="bucket_denied",
            broken="the pull function's role may not write to the bucket",
            mended="access is restored",
            cause="pull_failed",
            break_it=lambda stage: bucket.take(stage, faults.pull_role(stage)),
            mend_it=lambda stage: bucket.give_back(stage, faults.pull_role(stage)),
            hits_others=True,
        ),
        Drill(
            name="catalogue_denied",
            broken="the pull function's role may not read the published datasets",
            mended="access is restored",
            cause="pull_failed",
            break_it=lambda stage: catalogue.take(stage, faults.pull_role(stage)),
            mend_it=lambda stage: catalogue.give_back(stage, faults.pull_role(stage)),
            hits_others=True,
        ),
        Drill(
            name="bucket_denied_to_snowflake",
            broken="Snowflake's role may not read the bucket",
            mended="access is restored, and the pipes are resumed",
            cause="pipe_stopped",
            break_it=lambda stage: snowflake.take(stage, faults.access_role(stage)),
            mend_it=lambda stage: _readable(snowflake, stage),
            hits_others=True,
        ),
        Drill(
            name="pipe_paused",
            broken="somebody pauses the pipe",
            mended="it is resumed",
            cause="pipe_stopped",
            break_it=_on(faults.pause),
            mend_it=_on(faults.resume),
        ),
        Drill(
            name="wiring_removed",
            broken="the bucket's notification configuration is emptied",
            mended="it is put back, the pipes are refreshed",
            on_the_way=YOUNG,
            cause="not_notified",
            break_it=wiring.cut,
            mend_it=wiring.mend,
            hits_others=True,
        ),
        Drill(
            name="prefix_mismatch",
            broken="the pipe is replaced by one with another prefix",
            mended="the right pipe is restored and refreshed",
            on_the_way=YOUNG,
            cause="not_forwarded",
            break_it=_on(faults.misplace_pipe),
            mend_it=_on(faults.replace_pipe),
        ),
        Drill(
            name="load_failing",
            broken="the pipe is replaced by one for uncompressed files",
            mended="the right pipe is restored and refreshed",
            cause="load_failed",
            break_it=_on(faults.misformat_pipe),
            mend_it=_on(faults.reformat_pipe),
        ),
        Drill(
            name="partial_load",
            broken="the pipe is replaced by one with ON_ERROR = CONTINUE, and one "
            "row of a file is refused",
            mended="the repair quarantines it and lands the rest; the pipe is "
            "made as before",
            cause="load_partial",
            break_it=_on(faults.load_in_part),
            mend_it=_on(faults.load_the_rest),
        ),
        Drill(
            name="rows_deleted",
            broken="the last two and a half hours of the table are deleted",
            mended="they are restored",
            cause="rows_deleted",
            break_it=_on(faults.delete_rows),
            mend_it=_on(faults.restore_rows),
        ),
        Drill(
            name="name_reused",
            broken="rows are deleted and their objects written again by the same names",
            mended="they are written under new names",
            cause="name_reused",
            break_it=_on(same_names.rewrite),
            mend_it=_on(same_names.rename),
        ),
        Drill(
            name="table_dropped",
            broken="the table is dropped",
            mended="it is restored, the pipe resumed",
            cause="monitor_blind",
            tell=ENGINEERS,
            break_it=_on(faults.drop_table),
            mend_it=_on(faults.restore_table),
        ),
        Drill(
            name="grant_revoked",
            broken="the monitor's role may read neither table nor view",
            mended="access is restored",
            cause="monitor_blind",
            tell=ENGINEERS,
            break_it=_on(faults.revoke_select),
            mend_it=_on(faults.grant_select),
        ),
        Drill(
            name="wrong_column",
            broken="the monitor's view shows a time that is five hours off",
            mended="the view is made as deployed",
            cause="monitor_misread",
            pages=False,
            break_it=_on(faults.misconfigure_view),
            mend_it=faults.configure_view,
            lasts=timedelta(hours=3),
        ),
        Drill(
            name="slack_down",
            broken="Slack answers 503 while a pipe is paused",
            mended="Slack answers, the pipe is resumed",
            cause="notice_undelivered",
            dataset=MONITOR,
            tell=ENGINEERS,
            break_it=_on(faults.silence_slack),
            mend_it=_on(faults.restore_slack),
            hits_others=True,
        ),
        Drill(
            name="monitor_stopped",
            broken="the schedule of the check is disabled",
            mended="it is enabled",
            cause="monitor_late",
            dataset=MONITOR,
            tell=ENGINEERS,
            break_it=lambda stage: faults.set_schedule(stage, _CHECK, is_on=False),
            mend_it=lambda stage: faults.set_schedule(stage, _CHECK, is_on=True),
        ),
    )


_CHECK = "freshness"


def _readable(policies: faults.Policies, stage: Stage) -> None:
    policies.give_back(stage, faults.access_role(stage))
    faults.resume_all(stage)
