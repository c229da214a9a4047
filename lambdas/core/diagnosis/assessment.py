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
    caught_up: bool
    upstream_has_more: bool
    source_unknown: bool
    files_wait: bool
    past_grace: bool
    """The files that wait have had their load grace."""
    overdue_at: datetime | None
    """When the newest file landed that waits past its grace, as far as is known."""
    within_grace: bool
    """The newest landed object is no older than the load grace."""
    pipe_stopped: bool

    @property
    def now(self) -> datetime:
        """The moment the signals speak of."""
        return self.signals.now

    @property
    def run(self) -> LastRun:
        """The dataset's newest pull."""
        return self.signals.pull.last_run

    @property
    def landed_at(self) -> datetime | None:
        """When the newest object landed."""
        return self.signals.landing.newest_object_at

    def age_s(self, moment: datetime | None) -> float | None:
        """Seconds from `moment` to now; negative if it lies ahead."""
        return seconds_between(moment, self.now)


def later(first: datetime | None, second: datetime | None) -> bool:
    """`first` > `second`, both being known."""
    return first is not None and second is not None and first > second


def over(value: float | None, limit: float | None) -> bool:
    """`value` > `limit`, both being known."""
    return value is not None and limit is not None and value > limit


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


def situation(signals: Signals) -> Assessment:
    """Read the signals. Pure; every time in them is aware."""
    policy, table, landing = signals.policy, signals.table, signals.landing
    event_newest = _not_ahead(table.newest_event_at, signals)
    load_newest = _not_ahead(table.newest_loaded_at, signals)
    newest = load_newest if policy.clock == "load" else event_newest
    clock_known = policy.clock is not None
    if not clock_known:
        # Without a clock neither time may stand for the promise's own.
        newest = None
        clock_known = event_newest is None and load_newest is None

    upstream = signals.upstream
    upstream_newest = upstream.newest_event_at if upstream.probe == "ok" else None
    # `empty` is taken as it comes: a collector sets it only if it has probed.
    empty = upstream.empty is True
    caught_up = empty or (
        upstream_newest is not None
        and event_newest is not None
        and upstream_newest <= event_newest
    )

    landed_at, grace = landing.newest_object_at, policy.load_grace_s
    unloaded = over(landing.unloaded, 0)
    landed_age = seconds_between(landed_at, signals.now)
    in_time_known = landed_age is not None and grace is not None
    # Where pulls come faster than the grace, the newest object is always young: then
    # those that wait behind it are overdue all the same, if the collector says so.
    past_grace = over(landed_age, grace) if in_time_known else unloaded
    overdue_at = (past_grace and landed_at) or landing.overdue_at
    return Assessment(
        signals=signals,
        state=_state(signals, newest) if clock_known else State.UNKNOWN,
        newest=newest,
        event_newest=event_newest,
        load_newest=load_newest,
        upstream_newest=upstream_newest,
        caught_up=caught_up,
        upstream_has_more=not caught_up
        and _passes_the_cursor(signals, upstream_newest, event_newest),
        source_unknown=upstream_newest is None and not empty,
        files_wait=later(landed_at, signals.load.last_loaded_at)
        or (landed_at is not None and signals.load.status == "none")
        or unloaded,
        # `unloaded` counts objects that are past grace by its own meaning: it decides
        # where the newest object's age cannot.
        past_grace=past_grace or landing.overdue_at is not None,
        overdue_at=overdue_at,
        within_grace=in_time_known and not over(landed_age, grace),
        pipe_stopped=signals.pipe.state not in {None, "RUNNING", "unreadable"},
    )


def _not_ahead(moment: datetime | None, signals: Signals) -> datetime | None:
    """A table's time, if it is not beyond now + skew: one row a year ahead must not
    make a table fresh for a year. Without a known skew, nothing ahead is believed.
    """
    ahead = seconds_between(signals.now, moment)
    return None if over(ahead, signals.policy.skew_s or 0) else moment


def _passes_the_cursor(
    signals: Signals, upstream_newest: datetime | None, event_newest: datetime | None
) -> bool:
    if signals.pull.cursor_at is not None:
        return later(upstream_newest, signals.pull.cursor_at)
    if signals.table.row_count == 0:
        return upstream_newest is not None
    return later(upstream_newest, event_newest)


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
