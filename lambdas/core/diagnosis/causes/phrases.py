"""Sentences that verdicts are made of, with the values in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from lambdas.core.diagnosis.assessment import Assessment
from lambdas.core.names import schedule_prefix
from lambdas.core.text.count import counted
from lambdas.core.text.duration import lasting

_GENERATION = re.compile(r"raw/[a-z][a-z0-9_]*/g(\d+)/")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
"""As in `lambdas.core.dataset`, whose import costs more than a thousand verdicts."""


def at(moment: datetime | None) -> str:
    """`2026-11-22 20:00 UTC`, with seconds where there are any."""
    if moment is None:
        return "a time that is not known"
    seconds = f":{moment:%S}" if moment.second else ""
    return f"{moment:%Y-%m-%d %H:%M}{seconds} UTC"


def ago(seen: Assessment, moment: datetime | None) -> str:
    """`13 h ago`, or `in 5 min`; empty words are never needed: unknown says so."""
    age = seen.age_s(moment)
    if age is None:
        return "at a time that is not known"
    return f"{lasting(age)} ago" if age >= 0 else f"in {lasting(age)}"


_HEADLINE_UNITS = (("day", 86_400, 2 * 86_400), ("h", 3_600, 2 * 3_600))
_MANY = 1_000_000_000
_MINUTE_S = 60


def roughly(seconds: float | None) -> str:
    """`26 h`, `12 days`, `45 min`: one unit, for a headline."""
    if seconds is None:
        return "an unknown time"
    for name, size, least in _HEADLINE_UNITS:
        if seconds >= least:
            return f"{int(seconds // size):,} {name}{'s' if name == 'day' else ''}"
    return f"{int(seconds // 60)} min" if seconds >= 60 else f"{int(seconds)} s"  # noqa: PLR2004 - a minute


def few(number: int, noun: str) -> str:
    """`1 file`, `1,234 files`, with at most 14 characters before the noun."""
    return counted(number, noun) if number < _MANY else f"over a billion {noun}s"


def clock(moment: datetime | None) -> str:
    """`13:05 UTC`, for a headline."""
    return "last due" if moment is None else f"{moment:%H:%M} UTC"


# names -------------------------------------------------------------------------------
def name_of(seen: Assessment) -> str:
    """The dataset's name as a word of a command; NAME, if it is no name of ours."""
    name = seen.signals.dataset
    return name if _NAME.fullmatch(name) else "NAME"


def command(seen: Assessment, verb: str, arguments: str = "") -> str:
    """A command of catflap about the dataset, to be pasted."""
    return of_all(seen, f"{verb} {name_of(seen)} {arguments}".strip())


def of_all(seen: Assessment, command: str) -> str:
    """A command of catflap about a deployed environment, to be pasted."""
    environment = seen.signals.deployment.environment
    env = f"--env {environment}" if environment else ""
    return f"`{' '.join(filter(None, ('catflap', command, env)))}`"


def pull_now(seen: Assessment) -> str:
    """To have the deployed dataset pulled."""
    return f"pull it now: {command(seen, 'pull')}"


def file_of(seen: Assessment) -> str:
    """Where the dataset is declared."""
    return f"datasets/{name_of(seen)}.yaml"


def schedule_of(seen: Assessment) -> str:
    """The name of its schedule in AWS."""
    environment = seen.signals.deployment.environment
    if environment is None:
        return f"of {name_of(seen)}"
    return f"`{schedule_prefix(environment)}{name_of(seen)}`"


def of_bucket(seen: Assessment, command: str, arguments: str = "") -> str:
    """` (…)` with an AWS command about the landing bucket, if that is known."""
    bucket = seen.signals.deployment.landing_bucket
    words = ("aws s3api", command, f"--bucket {bucket}", arguments)
    return f" (`{' '.join(filter(None, words))}`)" if bucket else ""


def landing_of(seen: Assessment) -> str:
    """Where its objects land."""
    bucket, folder = seen.signals.deployment.landing_bucket, f"raw/{name_of(seen)}/"
    return f"s3://{bucket}/{folder}" if bucket else f"`{folder}` of the landing bucket"


def listing_of(seen: Assessment) -> str:
    """How to list its objects, or where to look for them."""
    landing = landing_of(seen)
    known = seen.signals.deployment.landing_bucket
    return f"`aws s3 ls --recursive {landing}`" if known else landing


def fetch_again(seen: Assessment) -> str:
    """A backfill from the newest row that is there until now."""
    since = seen.event_newest or seen.signals.pull.cursor_at
    if since is None:
        return "`catflap backfill`"
    window = f"--from {since.isoformat()} --to {seen.now.isoformat()}"
    return command(seen, "backfill", window)


def set_back(seen: Assessment) -> str:
    """To the newest event time of the table."""
    newest = seen.event_newest
    if newest is None:
        return "`catflap reset`"
    return command(seen, "reset", f"--cursor {newest.isoformat()}")


def schema_of(seen: Assessment, name: str = "RAW") -> str:
    """`CATFLAP_PROD.RAW`; without the database where it is not known."""
    database = seen.signals.deployment.database
    return f"{database}.{name}" if database else name


def table_of(seen: Assessment) -> str:
    """`CATFLAP_PROD.RAW.CAT_DATA`."""
    return f"{schema_of(seen)}.{name_of(seen).upper()}"


def pipe_of(seen: Assessment) -> str | None:
    """`CATFLAP_PROD.RAW.CAT_DATA_G1`, by the newest key and else by the declaration;
    None where neither tells the generation.
    """
    match = _GENERATION.match(seen.signals.landing.newest_key or "")
    generation = match[1] if match else seen.signals.deployment.generation
    return None if generation is None else f"{table_of(seen)}_G{generation}"


def of_pipe(seen: Assessment, statement: str, otherwise: str) -> str:
    """A statement with the pipe in the place of `{}`; words where it is not known."""
    pipe = pipe_of(seen)
    return otherwise if pipe is None else f"`{statement.format(pipe)}`"


# what every verdict begins with ------------------------------------------------------
def table(seen: Assessment) -> str:
    """How old the table is, and what was promised."""
    return f"{_newest(seen)}; {_promise(seen)}"


def lateness(seen: Assessment) -> str:
    """`26 h late`, by the promise, where there is a time to say it by."""
    late = seen.late_s
    if late is None or seen.newest is None:
        return "late, no rows yet" if seen.signals.table.row_count == 0 else "late"
    return f"{roughly(max(_MINUTE_S, late))} late"


_UNREAD = {
    "missing": "its table does not exist",
    "denied": "we may not read its table",
    "error": "reading its table failed",
}


def unread(seen: Assessment) -> str:
    """Why it could not be judged."""
    if seen.signals.table.read != "ok":
        return _UNREAD.get(seen.signals.table.read or "", "its table was not read")
    return "its newest row is not known"


def _newest(seen: Assessment) -> str:
    rows = seen.signals.table.row_count
    if seen.newest is None and (seen.signals.table.read != "ok" or rows is None):
        return unread(seen)
    if seen.newest is not None:
        kind = " (by load time)" if seen.signals.policy.clock == "load" else ""
        return f"newest row {at(seen.newest)}{kind}, {_age(seen)}"
    if rows == 0:
        return "no rows yet"
    return f"no row with a usable time among {counted(rows or 0, 'row')}"


def _age(seen: Assessment) -> str:
    """In due time where the calendar's quiet time counts."""
    age = seen.age_s(seen.newest) or 0
    due = seen.signals.policy.due_age_s
    if age < 0:
        return f"{lasting(age)} ahead"
    if due is None or due >= age:
        return f"{lasting(age)} old"
    return f"{lasting(due)} of due time old, {lasting(age)} on the clock"


def _promise(seen: Assessment) -> str:
    policy = seen.signals.policy
    if policy.expected_by is not None:
        since = at(policy.expected_since)
        return f"promised by {at(policy.expected_by)}: data since {since}"
    if policy.in_quiet_time is True:
        return "nothing is due at this time"
    limits = [x for x in (policy.warn_after_s, policy.error_after_s) if x is not None]
    promised = policy.promised_s or min(limits, default=None)
    return f"promised within {lasting(promised)}" if promised else "no age is promised"


# evidence ----------------------------------------------------------------------------
def upstream(seen: Assessment) -> str:
    """What the probe said."""
    if seen.upstream_newest is not None:
        return f"the source's newest record is from {at(seen.upstream_newest)}"
    if seen.upstream_empty:
        return "the source was asked and is empty"
    asked = _ASKED.get(seen.signals.upstream.probe or "")
    return f"what the source has is not known{f': {asked}' if asked else ''}"


_ASKED = {
    "ok": "its answer does not show it",
    "unreachable": "it could not be reached",
    "denied": "it refused to answer",
    "throttled": "our quota was used up",
    "error_body": "it answered with an error",
    "failed": "asking it failed",
    "not_probed": "it was not asked",
}


def upstream_ahead(seen: Assessment) -> str:
    """A record that is of the future."""
    moment = seen.signals.upstream.newest_event_at
    return f"the source's newest record is from {at(moment)}, which is yet to come"


def cursor(seen: Assessment) -> str | None:
    """How far the dataset has been pulled."""
    moment = seen.signals.pull.cursor_at
    return None if moment is None else f"the cursor stands at {at(moment)}"


def schedule(seen: Assessment) -> str | None:
    """When the dataset is pulled."""
    pull = seen.signals.pull
    states = {None: None, True: "on", False: "switched off"}
    known = [
        states[pull.schedule_enabled],
        pull.last_due_at and f"last due {at(pull.last_due_at)}",
        pull.next_due_at and f"next due {at(pull.next_due_at)}",
    ]
    return _listed(known, "the schedule: ")


def _listed(known: Sequence[object], prefix: str) -> str | None:
    """What is known, after a prefix; None where nothing is."""
    parts = [str(part) for part in known if part]
    return f"{prefix}{', '.join(parts)}" if parts else None


def run(seen: Assessment) -> str | None:
    """What became of the last pull."""
    last = seen.run
    if last.status is None:
        return None
    if last.status == "never":
        return "the dataset has never been pulled"
    how = {"succeeded": "succeeded", "failed": "failed", "running": "is running"}
    words = [f"the last pull {how[last.status]}"]
    failures = seen.signals.pull.failures_in_row or 0
    if last.status == "running" and failures:
        words.append(f"after {counted(failures, 'pull')} that failed")
    if last.error is not None:
        words.append(f"with `{last.error}`")
    if last.rows is not None and last.status == "succeeded":
        words.append(f"with {counted(last.rows, 'row')}")
    if last.started_at is not None:
        words.append(f"(started {at(last.started_at)}, {ago(seen, last.started_at)})")
    return " ".join(words)


def landing(seen: Assessment) -> str | None:
    """What lies in the landing zone."""
    landed = seen.signals.landing
    if landed.empty is True:
        return "nothing lies in the landing zone"
    known = [
        landed.newest_object_at
        and f"the newest object landed {at(landed.newest_object_at)}"
        + (f" as {landed.newest_key}" if landed.newest_key else ""),
        landed.unloaded and f"{counted(landed.unloaded, 'object')} not loaded in time",
        landed.rewritten and "a loaded object was overwritten",
    ]
    return "; ".join(part for part in known if part) or None


def load(seen: Assessment) -> str | None:
    """What the newest load record says."""
    newest = seen.signals.load
    known = [
        newest.status and f"the newest load is `{newest.status}`",
        newest.key and f"of {newest.key}",
    ]
    if newest.rows_parsed is not None and newest.rows_loaded is not None:
        known.append(f"with {newest.rows_loaded:,} of {newest.rows_parsed:,} rows")
    parts = [" ".join(part for part in known if part)]
    if newest.first_error:
        parts.append(f"first error: {newest.first_error}")
    if newest.last_loaded_at is not None:
        parts.append(f"rows were last added {at(newest.last_loaded_at)}")
    return "; ".join(part for part in parts if part) or None


def pipe(seen: Assessment) -> str | None:
    """What the pipe says of itself."""
    report = seen.signals.pipe
    known = [
        report.state,
        None
        if report.pending_files is None
        else f"{counted(report.pending_files, 'file')} pending",
        report.last_received_at and f"last message {at(report.last_received_at)}",
        report.last_forwarded_at and f"last forwarded {at(report.last_forwarded_at)}",
    ]
    if report.covers_newest_key is not None:
        covers = "covers" if report.covers_newest_key else "does not cover"
        known.append(f"its prefix and pattern: {covers} the newest key")
    return _listed(known, f"the pipe {pipe_of(seen) or f'of {table_of(seen)}'}: ")


def counts(seen: Assessment) -> str | None:
    """The table's rows, now and before."""
    rows = seen.signals.table
    known = [
        None if rows.row_count is None else f"{counted(rows.row_count, 'row')} now",
        None
        if rows.previous_row_count is None
        else f"{counted(rows.previous_row_count, 'row')} at the check before",
        rows.null_event_rows
        and f"{counted(rows.null_event_rows, 'row')} without an event time",
        rows.future_rows and f"{counted(rows.future_rows, 'row')} ahead of the clock",
    ]
    return _listed(known, "the table has ")


def checks(seen: Assessment) -> str | None:
    """What the monitor says of itself."""
    monitor = seen.signals.monitor
    known = [
        monitor.last_check_at
        and f"last check {at(monitor.last_check_at)}, "
        f"{ago(seen, monitor.last_check_at)}",
        monitor.check_every_s
        and f"a check is due every {lasting(monitor.check_every_s)}",
        monitor.evaluated_newest_at
        and f"the last check judged {at(monitor.evaluated_newest_at)}",
        monitor.undelivered_notices
        and f"{counted(monitor.undelivered_notices, 'notice')} not delivered",
    ]
    return "; ".join(part for part in known if part) or None
