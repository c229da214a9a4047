"""The promise in force at a moment, and when it next has to be looked at.

A dataset promises either an age (`warn_after`, `error_after`) or a deadline
(`deadline_cron`, `lower_bound_delta`). Whether it is kept is decided elsewhere, from
the `Policy` made here; nothing here looks at anything but the dataset's own words.

Ages count due time
    Quiet time of the calendar stops the clock. With `warn_after` 3 hours,
    `error_after` 6 hours and `quiet: ["00:00-05:00"]` in New York, a newest row of
    23:59 may be followed by nothing until 05:00, so

    - at 05:10 its due age is 11 minutes (23:59-00:00 and 05:00-05:10): pass, although
      it is more than 5 hours old;
    - it warns after 07:59, when 1 minute and 2 h 59 of due time have passed, and is an
      error after 10:59;
    - a newest row of 18:00 warns after 21:00 as ever. It is an error at midnight, by
      when 6 hours of due time have passed: strictly *over* 6 hours only after 05:00.

    To whoever compares `now - newest` with a number of seconds, this is said as longer
    thresholds: for the newest row of 23:59, `warn_after_s` is 8 h (3 h and the 5 quiet
    ones). They depend on the newest row alone and not on `now`, so a dataset is late
    since a fixed moment, and that moment never lies in quiet time.

    `in_quiet_time` says besides that nothing is due now: it mutes what was late before
    the quiet began. It is the same lateness that shows again afterwards, not a recovery
    and a new one.

Deadlines are ticks
    The promise in force is the latest tick at or before now: by that tick there was to
    be data no older than `lower_bound_delta` before it. A tick in quiet time of the
    calendar (a holiday, a weekend, a window) is none. Days of `lower_bound_delta` are
    days of the calendar's wall clock, and those that it calls quiet are not counted:
    "by 7 on business days, for the business day before" is `0 7 * * *` with one day,
    `weekdays: [mon, …, fri]` and `holidays: US`. Nothing is due on Thanksgiving; on the
    Friday after it rows since Wednesday 07:00 keep it, on the Monday rows since Friday
    07:00. Without a calendar, with `deadline_cron: 0 7 * * 1-5` and
    `lower_bound_delta` 1 day, in the week of Monday the 14th:

    - Tuesday 06:59: Monday's tick is in force, rows since Sunday 07:00 keep it;
    - Tuesday 07:00: Tuesday's tick is in force; a newest row of Monday 06:30 is an
      error from this moment, one of Monday 07:00 is not;
    - Sunday 12:00: Friday's tick is in force until Monday 07:00, so a newest row of
      Thursday 08:00 is still a pass.

    Data that comes after its tick ends the error. Where the cron has no tick yet,
    nothing is expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TypeAlias

from lambdas.core.dataset import Dataset, Freshness, Period
from lambdas.core.diagnosis.signals import Policy
from lambdas.core.schedule.calendar import (
    check_holidays,
    check_window,
    days_before,
    due_time_between,
    has_due_time,
    in_quiet_time,
    last_moment_within,
    next_due_moment,
    next_quiet_end,
    quiet_since,
)
from lambdas.core.schedule.cron import (
    last_tick,
    next_tick,
    parse_crontab,
    ticks_between,
)
from lambdas.core.schedule.zones import passed, zone

Fault: TypeAlias = tuple[str, str]

_SMALLEST = timedelta.resolution
_LONGEST = timedelta(days=3_650)
_LONGEST_TOLERANCE = timedelta(hours=6)
_QUIET_SPANS = 8
"""So many quiet times in a row with a tick in each: then no tick is ever due."""
_TICKS = 3_000
"""So many ticks are passed over that ask for nothing new: two days of minutes."""


def policy_at(
    dataset: Dataset,
    *,
    now: datetime,
    newest: datetime | None,
    skew_s: float,
    load_grace_s: float,
) -> Policy:
    """The promise in force at `now`, for a table whose newest row is of `newest`.

    `newest` is by the clock of the policy: the event time if the dataset declares
    `loaded_at_field`, else the load time. One beyond `now` + `skew_s` is not known.
    """
    promise = dataset.freshness
    if newest is not None and newest > now + timedelta(seconds=skew_s):
        newest = None
    expected_by, expected_since = _deadline(promise, now)
    by_age = promise.deadline_cron is None
    return Policy(
        clock="load" if promise.loaded_at_field is None else "event",
        warn_after_s=_threshold_s(promise, promise.warn_after, newest)
        if by_age
        else None,
        error_after_s=_threshold_s(promise, promise.error_after, newest)
        if by_age
        else None,
        skew_s=skew_s,
        load_grace_s=load_grace_s,
        expected_by=expected_by,
        expected_since=expected_since,
        in_quiet_time=in_quiet_time(promise.calendar, now),
        page_on=promise.page,
        late_at=_late_at(dataset, newest, now),
        **_due_age(promise, newest, now),
    )


def _late_at(
    dataset: Dataset, newest: datetime | None, now: datetime
) -> datetime | None:
    """When the table would be late if nothing came; None if it is, or never will be."""
    late_at, _ = breaks_at(dataset, newest, since=now)
    return late_at if late_at is not None and late_at > now else None


def _due_age(
    promise: Freshness, newest: datetime | None, now: datetime
) -> dict[str, float]:
    """The age in due time, and what of it is promised; {} where all time is due."""
    promised = promise.warn_after or promise.error_after
    if newest is None or newest > now or promised is None:
        return {}
    due = due_time_between(promise.calendar, newest, now)
    if due == now - newest:
        return {}
    return {
        "due_age_s": due.total_seconds(),
        "promised_s": promised.duration.total_seconds(),
    }


def is_promised(promise: Freshness) -> bool:
    """Whether anything is."""
    return bool(promise.warn_after or promise.error_after or promise.deadline_cron)


def next_look_at(
    dataset: Dataset, *, newest: datetime | None, now: datetime
) -> datetime | None:
    """The first moment after `now` at which the state gets worse if no data comes.

    That is a threshold passed, a deadline's tick, or, for what is late already, the end
    of a quiet time that mutes it. Until then a look at the table can bring nothing but
    good news. None: it cannot get worse, since nothing is promised, or since it is as
    bad as it can be and no quiet time mutes it.

    `newest` is as for `policy_at`; None is a table without a usable time.
    """
    promise = dataset.freshness
    if promise.deadline_cron is not None:
        return _next_missed_tick(promise, newest, now)
    thresholds = [
        period for period in (promise.warn_after, promise.error_after) if period
    ]
    if newest is None:
        return next_quiet_end(promise.calendar, now) if thresholds else None
    crossings = [
        moment
        for period in thresholds
        if (moment := last_moment_within(promise.calendar, newest, period.duration))
    ]
    # Late is *over* the threshold: the crossing itself still passes.
    moments = [moment + _SMALLEST for moment in crossings if moment >= now]
    if any(moment < now for moment in crossings):
        quiet_end = next_quiet_end(promise.calendar, now)
        moments += [quiet_end] if quiet_end else []
    return min(moments, default=None)


def breaks_at(
    dataset: Dataset, newest: datetime | None, since: datetime
) -> tuple[datetime | None, datetime | None]:
    """From when on a table whose newest row is of `newest` is to be warned of, or is in
    error, and from when on it is in error. None: never.

    A table without a usable time is as late as can be, as far as anybody knows: since
    `since`.
    """
    promise = dataset.freshness
    if promise.deadline_cron is not None:
        if promise.lower_bound_delta is None:
            return None, None
        missed = since if newest is None else _missed_tick(promise, newest, newest)
        return missed, missed
    moments = [
        since
        if newest is None
        else last_moment_within(promise.calendar, newest, period.duration)
        for period in (promise.warn_after, promise.error_after)
        if period is not None
    ]
    first = min((moment for moment in moments if moment is not None), default=None)
    return first, moments[-1] if moments and promise.error_after else None


def deadlines(
    promise: Freshness, after: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Those after `after` and up to `until`, each with how old data may be then."""
    if promise.deadline_cron is None or promise.lower_bound_delta is None:
        return
    cron, tz = parse_crontab(promise.deadline_cron), zone(promise.calendar.timezone)
    for tick in ticks_between(cron, tz, after, until):
        if not in_quiet_time(promise.calendar, tick):
            yield tick, _bound(promise, tick)


def faults(promise: Freshness) -> list[Fault]:
    """What is wrong in `freshness` beyond its types: key path and sentence, each."""
    return [
        *_calendar_faults(promise),
        *_deadline_faults(promise),
        *_age_faults(promise),
    ]


def _deadline(
    promise: Freshness, now: datetime
) -> tuple[datetime | None, datetime | None]:
    if promise.deadline_cron is None or promise.lower_bound_delta is None:
        return None, None
    cron, tz = parse_crontab(promise.deadline_cron), zone(promise.calendar.timezone)
    tick = last_tick(cron, tz, now)
    for _ in range(_QUIET_SPANS):
        began = quiet_since(promise.calendar, tick) if tick else None
        if tick is None or began is None:
            return tick, tick and _bound(promise, tick)
        tick = last_tick(cron, tz, began - _SMALLEST)
    return None, None


def _bound(promise: Freshness, tick: datetime) -> datetime:
    """How old data may be at a tick: in days of the calendar that are not quiet."""
    delta = promise.lower_bound_delta
    if delta is None or delta.period != "day":
        return tick - (timedelta() if delta is None else delta.duration)
    here_zone = zone(promise.calendar.timezone)
    here = tick.astimezone(here_zone)
    day = days_before(promise.calendar, here.date(), delta.count)
    return passed(datetime.combine(day, here.time()), here_zone)


def _missed_tick(
    promise: Freshness, newest: datetime, after: datetime
) -> datetime | None:
    """The first tick after `after` that asks for newer data than `newest`."""
    delta = promise.lower_bound_delta
    if promise.deadline_cron is None or delta is None:
        return None
    cron, tz = parse_crontab(promise.deadline_cron), zone(promise.calendar.timezone)
    # A day of the wall clock may be an hour short.
    tick: datetime | None = max(after, newest + delta.duration - timedelta(hours=2))
    quiet = 0
    for _ in range(_TICKS):
        tick = None if tick is None else next_tick(cron, tz, tick)
        due = None if tick is None else next_due_moment(promise.calendar, tick)
        if tick is None or due is None:
            return None
        if due > tick:
            tick, quiet = due - _SMALLEST, quiet + 1
            if quiet == _QUIET_SPANS:
                return None
        elif _bound(promise, tick) > newest:
            return tick
    return None


def _next_missed_tick(
    promise: Freshness, newest: datetime | None, now: datetime
) -> datetime | None:
    if promise.deadline_cron is None or promise.lower_bound_delta is None:
        return None
    tick, since = _deadline(promise, now)
    if tick and since and (newest is None or newest < since):
        return None  # missed already; a later tick only asks for more
    if newest is not None:
        return _missed_tick(promise, newest, now)
    return _missed_tick(promise, now, now)


def _threshold_s(
    promise: Freshness, period: Period | None, newest: datetime | None
) -> float | None:
    if period is None:
        return None
    if newest is None:
        return period.duration.total_seconds()
    moment = last_moment_within(promise.calendar, newest, period.duration)
    return None if moment is None else (moment - newest).total_seconds()


def _calendar_faults(promise: Freshness) -> Iterator[Fault]:
    calendar, key = promise.calendar, "freshness.calendar"
    yield from _refused(f"{key}.timezone", zone, calendar.timezone)
    windows: list[Fault] = []
    for index, window in enumerate(calendar.quiet):
        windows += _refused(f"{key}.quiet.{index}", check_window, window)
    yield from windows
    yield from _refused(f"{key}.holidays", check_holidays, calendar.holidays)
    if not windows and not has_due_time(calendar):
        sentence = (
            "no time of the week is left in which anything is due: "
            "`quiet` and `weekdays` must leave some"
        )
        yield key, sentence


def _deadline_faults(promise: Freshness) -> Iterator[Fault]:
    cron, delta = promise.deadline_cron, promise.lower_bound_delta
    yield from _refused("freshness.deadline_cron", parse_crontab, cron)
    if cron is not None and delta is None:
        sentence = (
            "`lower_bound_delta` is needed with it: how old the data may be at the "
            "deadline, such as `{count: 1, period: day}`"
        )
        yield "freshness.deadline_cron", sentence
    if delta is not None and cron is None:
        sentence = (
            "`deadline_cron` is needed with it: when the data is to be there, "
            "such as `0 7 * * 1-5`"
        )
        yield "freshness.lower_bound_delta", sentence


def _age_faults(promise: Freshness) -> Iterator[Fault]:
    warn, error = promise.warn_after, promise.error_after
    delta = promise.lower_bound_delta
    named = {
        "warn_after": warn,
        "error_after": error,
        "lower_bound_delta": delta,
        "tolerance": promise.tolerance,
    }
    periods = {name: period for name, period in named.items() if period is not None}
    too_long = [name for name, period in periods.items() if not _is_sane(period)]
    for name in too_long:
        sentence = f"it is too long; up to {_LONGEST.days} days are accepted"
        yield f"freshness.{name}", sentence
    if promise.deadline_cron is not None:
        for name in sorted(periods.keys() & {"warn_after", "error_after"}):
            sentence = (
                "an age and `deadline_cron` exclude each other: "
                "a dataset promises one of the two"
            )
            yield f"freshness.{name}", sentence
    yield from _tolerance_faults(promise.tolerance, warn or error)
    if not too_long and warn and error and warn.duration >= error.duration:
        sentence = (
            f"{warn.count} {warn.period} is not shorter than `error_after`, "
            f"{error.count} {error.period}; a warning must come before the error"
        )
        yield "freshness.warn_after", sentence


def _tolerance_faults(tolerance: Period | None, age: Period | None) -> Iterator[Fault]:
    if tolerance is None or not _is_sane(tolerance):
        return
    longest = (
        _LONGEST_TOLERANCE if age is None else min(age.duration, _LONGEST_TOLERANCE)
    )
    if tolerance.duration > longest:
        sentence = (
            f"{tolerance.count} {tolerance.period} is too long to keep lateness back; "
            f"up to {round(longest.total_seconds() / 60)} minutes are accepted, and no "
            "more than the age that is promised"
        )
        yield "freshness.tolerance", sentence


def _is_sane(period: Period) -> bool:
    try:
        return period.duration <= _LONGEST
    except OverflowError:
        return False


def _refused(key: str, check: Callable[[str], object], text: str | None) -> list[Fault]:
    if text is None:
        return []
    try:
        check(text)
    except ValueError as error:
        return [(key, str(error))]
    return []
