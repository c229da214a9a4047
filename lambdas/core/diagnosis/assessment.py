"""The words of the diagnosis: what the signals amount to, computed once.

Two kinds of "no" are kept apart. A comparison with something that is not known never
holds, in neither direction (`later(None, x)` and `later(x, None)` are both false). A
*word* defined here (caught up, pipe stopped, files wait, …) is shown by the signals
or it is not; "not caught up" therefore means "not shown to be caught up".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from lambdas.core.diagnosis.signals import LastRun, Signals


class State(StrEnum):
    """How a dataset stands against its promise; `unknown` is never "late"."""

    PASS = "pass"  # noqa: S105 - a state, not a password
    WARN = "warn"
    ERROR = "error"
    UNKNOWN = "unknown"

    @property
    def late(self) -> bool:
        """Whether the promise is broken, as far as could be seen."""
        return self in {State.WARN, State.ERROR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The signals of a dataset, and the words they justify.

    `newest` is the time the promise is judged by, `event_newest` and `load_newest`
    are the table's two; a time beyond now + skew is None, as if it had not been read.
    """

    signals: Signals
    state: State
    newest: datetime | None
    event_newest: datetime | None
    load_newest: datetime | None
    upstream_newest: datetime | None
    upstream_empty: bool
    landed_at: datetime | None
    """When the newest object landed."""
    caught_up: bool
    """The table has what upstream has."""
    upstream_has_more: bool
    source_unknown: bool
    files_wait: bool
    no_files_wait: bool
    """Shown, not merely not known: neither this nor `files_wait` may hold."""
    past_grace: bool
    """The files that wait have had their load grace."""
    overdue_at: datetime | None
    """When the newest file landed that waits past its grace, as far as is known."""
    keeps_failing: bool
    """A pull is running, and those right before it failed."""
    pipe_stopped: bool

    @property
    def now(self) -> datetime:
        """The moment the signals speak of."""
        return self.signals.now

    @property
    def run(self) -> LastRun:
        """The dataset's newest pull."""
        return self.signals.pull.last_run

    def age_s(self, moment: datetime | None) -> float | None:
        """Seconds from `moment` to now; negative if it lies ahead."""
        return seconds_between(moment, self.now)

    @property
    def late_s(self) -> float | None:
        """Seconds since the promise was broken; None where no time says it."""
        policy = self.signals.policy
        if policy.expected_by is not None:
            return self.age_s(policy.expected_by)
        if policy.due_age_s is not None and policy.promised_s is not None:
            return policy.due_age_s - policy.promised_s
        limits = [policy.warn_after_s, policy.error_after_s]
        age = self.age_s(self.newest)
        promised = min((limit for limit in limits if limit is not None), default=0.0)
        return None if age is None else age - promised


def later(first: datetime | None, second: datetime | None) -> bool:
    """`first` > `second`, both being known."""
    return first is not None and second is not None and first > second


def over(value: float | None, limit: float | None) -> bool:
    """`value` > `limit`, both being known."""
    return value is not None and limit is not None and value > limit


def within(value: float | None, limit: float | None) -> bool:
    """`value` <= `limit`, both being known."""
    return value is not None and limit is not None and value <= limit


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds from `start` to `end`, if both are known."""
    if start is None or end is None:
        return None
    return (end - start).total_seconds()


def after(moment: datetime | None, *seconds: float | None) -> datetime | None:
    """`moment` plus all of `seconds`; None if any is not known, or beyond year 9999."""
    if moment is None:
        return None
    try:
        for part in seconds:
            if part is None:
                return None
            moment += timedelta(seconds=part)
    except OverflowError:
        return None
    return moment


FAILED_BEFORE = 2
"""So many failed pulls right before one that is running: it hangs, or fails again."""


def assess(signals: Signals) -> Assessment:
    """Read the signals. Pure; every time in them is aware."""
    policy, table, landing = signals.policy, signals.table, signals.landing
    event_newest = _not_ahead(table.newest_event_at, signals)
    load_newest = _not_ahead(table.newest_loaded_at, signals)
    newest = load_newest if policy.clock == "load" else event_newest

    upstream = signals.upstream
    asked = upstream.probe == "ok"
    upstream_empty = (
        asked and upstream.empty is True and upstream.newest_event_at is None
    )
    upstream_newest = (
        _not_ahead(upstream.newest_event_at, signals)
        if asked and upstream.empty is not True
        else None
    )
    has_no_more = event_newest is not None and not later(upstream_newest, event_newest)
    caught_up = upstream_empty or (upstream_newest is not None and has_no_more)

    landed_at = None if landing.empty is True else landing.newest_object_at
    loaded_at = signals.load.last_loaded_at
    unloaded = over(landing.unloaded, 0)
    files_wait = (
        later(landed_at, loaded_at)
        or (landed_at is not None and signals.load.status == "none")
        or unloaded
    )
    all_loaded = None not in {landed_at, loaded_at} and not later(landed_at, loaded_at)
    is_old = over(seconds_between(landed_at, signals.now), policy.load_grace_s)
    return Assessment(
        signals=signals,
        state=_state(signals, newest),
        newest=newest,
        event_newest=event_newest,
        load_newest=load_newest,
        upstream_newest=upstream_newest,
        upstream_empty=upstream_empty,
        landed_at=landed_at,
        caught_up=caught_up,
        upstream_has_more=not caught_up
        and _has_more(signals, upstream_newest, event_newest, files_wait=files_wait),
        source_unknown=upstream_newest is None and not upstream_empty,
        files_wait=files_wait,
        no_files_wait=not files_wait and (all_loaded or landing.empty is True),
        # Where pulls come faster than the grace, the newest object is always young:
        # those that wait behind it are overdue all the same, if the collector says so.
        past_grace=is_old or landing.overdue_at is not None or unloaded,
        overdue_at=landed_at if is_old else landing.overdue_at,
        keeps_failing=signals.pull.last_run.status == "running"
        and (signals.pull.failures_in_row or 0) >= FAILED_BEFORE,
        pipe_stopped=signals.pipe.state not in {None, "RUNNING", "unreadable"},
    )


def _not_ahead(moment: datetime | None, signals: Signals) -> datetime | None:
    """A time, if it is not beyond now + skew: one row a year ahead must not make a
    table fresh, or a source newer, for a year.
    """
    ahead = seconds_between(signals.now, moment)
    return None if over(ahead, signals.policy.skew_s) else moment


def _has_more(
    signals: Signals,
    upstream_newest: datetime | None,
    event_newest: datetime | None,
    *,
    files_wait: bool,
) -> bool:
    """Whether upstream has what was not pulled, by the cursor; where that cannot be
    compared, by the table, unless files that wait would explain what is missing there.
    """
    pull = signals.pull
    if pull.cursor_at is not None and pull.cursor_by != "other":
        return later(upstream_newest, pull.cursor_at)
    if files_wait or upstream_newest is None:
        return False
    return later(upstream_newest, event_newest) or signals.table.row_count == 0


def _state(signals: Signals, newest: datetime | None) -> State:
    policy, table = signals.policy, signals.table
    if table.read != "ok" or (newest is None and table.row_count is None):
        return State.UNKNOWN
    if policy.expected_by is not None:
        # No row at all is earlier than any `expected_since`, known or not.
        missed = signals.now >= policy.expected_by and (
            newest is None or later(policy.expected_since, newest)
        )
        return State.ERROR if missed else State.PASS
    if policy.in_quiet_time is True:
        return State.PASS
    for limit, state in (
        (policy.error_after_s, State.ERROR),
        (policy.warn_after_s, State.WARN),
    ):
        if limit is None:
            continue
        if newest is None or over(seconds_between(newest, signals.now), limit):
            return state
    return State.PASS
