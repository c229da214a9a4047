"""The promise in force, and when to look again."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.dataset import (
    Calendar,
    Dataset,
    Freshness,
    Owner,
    Period,
    Schedule,
    Source,
)
from lambdas.core.diagnosis.signals import Policy
from lambdas.core.freshness.promise import faults, next_look_at, policy_at
from lambdas.core.schedule.calendar import due_time_between

NEW_YORK = "America/New_York"
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
RANK = {"pass": 0, "warn": 1, "error": 2}


def dataset(promise: Freshness) -> Dataset:
    return Dataset(
        name="flights",
        description="Every flight that left New York",
        owner=Owner(team="data-eng"),
        source=Source(),
        schedule=Schedule(cron="5 * * * ? *"),
        freshness=promise,
    )


def hours(count: int) -> Period:
    return Period(count=count, period="hour")


FLIGHTS = dataset(
    Freshness(
        warn_after=hours(3),
        error_after=hours(6),
        calendar=Calendar(timezone=NEW_YORK, quiet=("00:00-05:00",)),
    )
)
DAILY = dataset(
    Freshness(
        deadline_cron="0 7 * * 1-5",
        lower_bound_delta=Period(count=1, period="day"),
        calendar=Calendar(timezone=NEW_YORK),
    )
)


def local(text: str) -> datetime:
    wall = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(NEW_YORK))
    return wall.astimezone(UTC)


def policy(of: Dataset, *, newest: datetime | None, now: datetime) -> Policy:
    return policy_at(of, now=now, newest=newest, skew_s=300, load_grace_s=900)


def state(of: Dataset, *, newest: datetime | None, now: datetime) -> str:
    """The state of a table that could be read, by the rules written down for it."""
    promise = policy(of, newest=newest, now=now)
    if promise.expected_by is not None:
        since = promise.expected_since
        assert since is not None
        late = now >= promise.expected_by and (newest is None or newest < since)
        return "error" if late else "pass"
    if promise.in_quiet_time:
        return "pass"
    age = float("inf") if newest is None else (now - newest).total_seconds()
    if promise.error_after_s is not None and age > promise.error_after_s:
        return "error"
    if promise.warn_after_s is not None and age > promise.warn_after_s:
        return "warn"
    return "pass"


@pytest.mark.parametrize(
    ("newest", "now", "expected"),
    [
        ("2013-01-15T23:59", "2013-01-16T05:10", "pass"),
        ("2013-01-15T23:59", "2013-01-16T07:59", "pass"),
        ("2013-01-15T23:59", "2013-01-16T08:00", "warn"),
        ("2013-01-15T23:59", "2013-01-16T10:59", "warn"),
        ("2013-01-15T23:59", "2013-01-16T11:00", "error"),
        ("2013-01-15T18:00", "2013-01-15T21:00", "pass"),
        ("2013-01-15T18:00", "2013-01-15T21:01", "warn"),
        ("2013-01-15T18:00", "2013-01-16T03:00", "pass"),
        ("2013-01-15T18:00", "2013-01-16T05:00", "warn"),
        ("2013-01-15T18:00", "2013-01-16T05:01", "error"),
        ("2013-01-16T02:00", "2013-01-16T08:00", "pass"),
        ("2013-01-16T02:00", "2013-01-16T08:01", "warn"),
    ],
)
def test_only_due_time_makes_a_dataset_late(
    newest: str, now: str, expected: str
) -> None:
    assert state(FLIGHTS, newest=local(newest), now=local(now)) == expected


def test_a_month_of_nightly_gaps_raises_no_alarm_and_a_real_outage_does() -> None:
    """January 2013: flights every hour from 05:00 to 23:59, each night none."""
    arrivals = [
        local("2013-01-01T05:00") + timedelta(days=day, hours=hour)
        for day in range(31)
        for hour in range(19)
    ]
    start, end = local("2013-01-01T05:00"), local("2013-01-31T23:00")
    checks = [
        start + 5 * MINUTE * tick for tick in range((end - start) // (5 * MINUTE))
    ]

    def alarms(missing: range) -> set[datetime]:
        found = set()
        there = [at for hour, at in enumerate(arrivals) if hour not in missing]
        for now in checks:
            newest = there[bisect_right(there, now) - 1]
            if state(FLIGHTS, newest=newest, now=now) != "pass":
                found.add(now)
        return found

    assert alarms(range(0)) == set()
    # the whole of 15 January from 10:00: five hours after the next morning's start
    outage = range(14 * 19 + 5, 15 * 19)
    found = alarms(outage)
    assert min(found) == local("2013-01-15T12:05")
    assert max(found) == local("2013-01-15T23:55")


def test_thresholds_lie_at_the_same_moment_whenever_they_are_asked_for() -> None:
    newest = local("2013-01-15T23:59")
    for now in ("2013-01-16T00:30", "2013-01-16T05:10", "2013-01-20T12:00"):
        promise = policy(FLIGHTS, newest=newest, now=local(now))
        assert promise.warn_after_s == 8 * 3600
        assert promise.error_after_s == 11 * 3600
    assert policy(FLIGHTS, newest=None, now=newest).warn_after_s == 3 * 3600


def test_a_newest_row_beyond_the_skew_is_not_known() -> None:
    now = local("2013-01-15T23:00")
    for ahead, hours_until_late in ((5 * MINUTE, 8), (6 * MINUTE, 3)):
        promise = policy(FLIGHTS, newest=now + ahead, now=now)
        assert promise.warn_after_s == hours_until_late * 3600


def test_the_clock_is_that_of_the_declared_event_time() -> None:
    event = dataset(Freshness(loaded_at_field="time_hour"))
    now = local("2013-01-15T12:00")
    assert policy(event, newest=None, now=now).clock == "event"
    assert policy(FLIGHTS, newest=None, now=now).clock == "load"


def test_the_policy_carries_skew_and_grace_and_says_when_it_is_quiet() -> None:
    night = policy(FLIGHTS, newest=None, now=local("2013-01-15T00:00"))
    assert (night.skew_s, night.load_grace_s, night.in_quiet_time) == (300, 900, True)
    assert not policy(FLIGHTS, newest=None, now=local("2013-01-15T05:00")).in_quiet_time


@pytest.mark.parametrize(
    ("now", "newest", "expected"),
    [  # Monday is the 14th
        ("2013-01-15T06:59", "2013-01-13T07:00", "pass"),
        ("2013-01-15T06:59", "2013-01-13T06:59", "error"),
        ("2013-01-15T07:00", "2013-01-14T06:30", "error"),
        ("2013-01-15T07:00", "2013-01-14T07:00", "pass"),
        ("2013-01-20T12:00", "2013-01-17T08:00", "pass"),
        ("2013-01-21T06:59", "2013-01-17T08:00", "pass"),
        ("2013-01-21T07:00", "2013-01-17T08:00", "error"),
    ],
)
def test_the_latest_tick_is_the_deadline_in_force(
    now: str, newest: str, expected: str
) -> None:
    assert state(DAILY, newest=local(newest), now=local(now)) == expected


def test_a_deadline_is_judged_alone() -> None:
    promise = policy(DAILY, newest=None, now=local("2013-01-15T12:00"))
    assert promise.expected_by == local("2013-01-15T07:00")
    assert promise.expected_since == local("2013-01-14T07:00")
    assert (promise.warn_after_s, promise.error_after_s) == (None, None)


def test_a_deadline_keeps_to_the_wall_clock_when_the_clocks_change() -> None:
    promise = policy(DAILY, newest=None, now=local("2013-03-11T12:00"))
    assert promise.expected_by == datetime(2013, 3, 11, 11, tzinfo=UTC)


def test_before_the_first_tick_nothing_is_expected() -> None:
    early = datetime(1960, 1, 1, tzinfo=UTC)
    assert policy(DAILY, newest=None, now=early).expected_by is None


@pytest.mark.parametrize(
    ("of", "newest", "now", "expected"),
    [
        (FLIGHTS, "2013-01-15T12:00", "2013-01-15T12:30", "2013-01-15T15:00"),
        (FLIGHTS, "2013-01-15T12:00", "2013-01-15T15:01", "2013-01-15T18:00"),
        (FLIGHTS, "2013-01-15T23:59", "2013-01-16T00:30", "2013-01-16T07:59"),
        (FLIGHTS, "2013-01-15T12:00", "2013-01-15T20:00", "2013-01-16T05:00"),
        (FLIGHTS, "2013-01-15T12:00", "2013-01-16T02:00", "2013-01-16T05:00"),
        (FLIGHTS, None, "2013-01-16T12:00", "2013-01-17T05:00"),
        (DAILY, "2013-01-14T06:30", "2013-01-14T09:00", "2013-01-15T07:00"),
        (DAILY, "2013-01-15T07:00", "2013-01-15T09:00", "2013-01-17T07:00"),
        (DAILY, "2013-01-17T08:00", "2013-01-18T09:00", "2013-01-21T07:00"),
    ],
)
def test_the_next_look_is_when_it_can_get_worse(
    of: Dataset, newest: str | None, now: str, expected: str
) -> None:
    row = None if newest is None else local(newest)
    look = next_look_at(of, newest=row, now=local(now))
    assert look is not None
    assert look - local(expected) in (timedelta(), timedelta.resolution)


def test_there_is_no_next_look_where_nothing_can_get_worse() -> None:
    now, old = local("2013-01-15T12:00"), local("2012-01-01T12:00")
    no_calendar = dataset(Freshness(error_after=hours(3)))
    assert next_look_at(dataset(Freshness()), newest=None, now=now) is None
    assert next_look_at(dataset(Freshness()), newest=old, now=now) is None
    assert next_look_at(no_calendar, newest=old, now=now) is None
    assert next_look_at(no_calendar, newest=None, now=now) is None
    assert next_look_at(DAILY, newest=old, now=now) is None
    assert next_look_at(DAILY, newest=None, now=now) is None


@pytest.mark.parametrize("year", [1, 9999])
def test_a_row_from_the_ends_of_time_breaks_nothing(year: int) -> None:
    row, now = datetime(year, 1, 1, tzinfo=UTC), local("2013-01-15T12:00")
    assert state(FLIGHTS, newest=row, now=now) == ("error" if year == 1 else "pass")
    for of in (FLIGHTS, DAILY, dataset(Freshness(warn_after=hours(1)))):
        next_look_at(of, newest=row, now=now)


PERIODS = st.builds(
    Period, count=st.integers(1, 40), period=st.sampled_from(["minute", "hour"])
)
CALENDARS = st.builds(
    Calendar,
    timezone=st.sampled_from(["UTC", NEW_YORK, "Asia/Kolkata", "Australia/Lord_Howe"]),
    quiet=st.sampled_from([(), ("00:00-05:00",), ("22:00-05:00", "12:10-13:30")]),
    weekdays=st.sampled_from([None, ("mon", "tue", "wed", "thu", "fri")]),
    holidays=st.sampled_from([None, "US"]),
)
BY_AGE = st.builds(
    Freshness,
    warn_after=st.none() | PERIODS,
    error_after=st.none() | PERIODS,
    calendar=CALENDARS,
).filter(lambda promise: not faults(promise))
BY_DEADLINE = st.builds(
    Freshness,
    deadline_cron=st.sampled_from(["0 7 * * 1-5", "30 */6 * * *", "30 2 * * *"]),
    lower_bound_delta=PERIODS,
    calendar=CALENDARS,
)
AROUND = st.sampled_from(
    ["2013-03-08", "2013-04-05", "2013-07-03", "2013-10-04", "2013-11-01"]
)


@settings(max_examples=25, deadline=None)
@given(
    promise=BY_AGE | BY_DEADLINE,
    day=AROUND,
    minute=st.integers(0, 2 * 24 * 60),
    age_s=st.none() | st.integers(0, 3 * 24 * 3600),
)
def test_nothing_gets_worse_before_the_next_look_and_something_does_at_it(
    promise: Freshness, day: str, minute: int, age_s: int | None
) -> None:
    """Against the two days after `now`, in steps that meet every minute of an hour."""
    of = dataset(promise)
    now = local(day) + minute * MINUTE
    newest = None if age_s is None else now - timedelta(seconds=age_s)
    look = next_look_at(of, newest=newest, now=now)
    before = RANK[state(of, newest=newest, now=now)]
    for minutes in range(11, 2 * 24 * 60, 11):
        at = now + minutes * MINUTE
        if look is not None and at >= look:
            break
        rank = RANK[state(of, newest=newest, now=at)]
        assert rank <= before
        before = rank
    if look is not None:
        assert look > now
        just_before = look - timedelta.resolution
        assert (
            RANK[state(of, newest=newest, now=just_before)]
            < RANK[state(of, newest=newest, now=look)]
        )


@given(
    promise=BY_AGE,
    day=AROUND,
    minute=st.integers(0, 2 * 24 * 60),
    age_s=st.integers(0, 3 * 24 * 3600),
    threshold=st.sampled_from(["warn_after", "error_after"]),
)
def test_over_the_threshold_means_more_due_time_than_was_promised(
    promise: Freshness,
    day: str,
    minute: int,
    age_s: int,
    threshold: Literal["warn_after", "error_after"],
) -> None:
    now = local(day) + minute * MINUTE
    newest = now - timedelta(seconds=age_s)
    made = policy(dataset(promise), newest=newest, now=now)
    seconds: float | None = getattr(made, f"{threshold}_s")
    period: Period | None = getattr(promise, threshold)
    assert (seconds is None) is (period is None)
    if seconds is not None and period is not None:
        due = due_time_between(promise.calendar, newest, now)
        assert (age_s > seconds) is (due > period.duration)


@pytest.mark.parametrize(
    ("promise", "keys"),
    [
        (Freshness(), []),
        (FLIGHTS.freshness, []),
        (DAILY.freshness, []),
        (
            Freshness(calendar=Calendar(timezone="America/NewYork")),
            ["freshness.calendar.timezone"],
        ),
        (
            Freshness(calendar=Calendar(quiet=("00:00-05:00", "25:00-01:00", "x"))),
            ["freshness.calendar.quiet.1", "freshness.calendar.quiet.2"],
        ),
        (
            Freshness(calendar=Calendar(holidays="ZZ")),
            ["freshness.calendar.holidays"],
        ),
        (Freshness(calendar=Calendar(weekdays=())), ["freshness.calendar"]),
        (
            Freshness(deadline_cron="0 25 * * *", lower_bound_delta=hours(24)),
            ["freshness.deadline_cron"],
        ),
        (Freshness(deadline_cron="0 7 * * *"), ["freshness.deadline_cron"]),
        (Freshness(lower_bound_delta=hours(1)), ["freshness.lower_bound_delta"]),
        (
            Freshness(warn_after=hours(6), error_after=hours(6)),
            ["freshness.warn_after"],
        ),
        (
            Freshness(warn_after=hours(1), error_after=hours(10**15)),
            ["freshness.error_after"],
        ),
        (
            Freshness(
                deadline_cron="0 7 * * *",
                lower_bound_delta=hours(24),
                warn_after=hours(1),
                error_after=hours(2),
            ),
            ["freshness.error_after", "freshness.warn_after"],
        ),
        (
            Freshness(
                warn_after=hours(2),
                error_after=hours(1),
                calendar=Calendar(timezone="x", quiet=("y",), holidays="z"),
            ),
            [
                "freshness.calendar.timezone",
                "freshness.calendar.quiet.0",
                "freshness.calendar.holidays",
                "freshness.warn_after",
            ],
        ),
    ],
)
def test_every_fault_of_a_promise_is_found_at_its_key(
    promise: Freshness, keys: list[str]
) -> None:
    assert [key for key, _ in faults(promise)] == keys


# business days -----------------------------------------------------------------------
def business(timezone: str, holidays: str | None) -> Dataset:
    return dataset(
        Freshness(
            deadline_cron="0 7 * * *",
            lower_bound_delta=Period(count=1, period="day"),
            calendar=Calendar(
                timezone=timezone,
                weekdays=("mon", "tue", "wed", "thu", "fri"),
                holidays=holidays,
            ),
        )
    )


def at(text: str, timezone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone))


@pytest.mark.parametrize(
    ("timezone", "holidays", "now", "by", "since"),
    [
        # Thanksgiving is the 26th: Wednesday's promise stays in force
        (NEW_YORK, "US", "2026-11-26T12:00", "2026-11-25T07:00", "2026-11-24T07:00"),
        (NEW_YORK, "US", "2026-11-27T12:00", "2026-11-27T07:00", "2026-11-25T07:00"),
        (NEW_YORK, "US", "2026-11-29T12:00", "2026-11-27T07:00", "2026-11-25T07:00"),
        (NEW_YORK, "US", "2026-11-30T07:00", "2026-11-30T07:00", "2026-11-27T07:00"),
        # the Mondays after the clocks changed
        (NEW_YORK, "US", "2026-03-09T07:00", "2026-03-09T07:00", "2026-03-06T07:00"),
        (NEW_YORK, "US", "2026-11-02T07:00", "2026-11-02T07:00", "2026-10-30T07:00"),
        (
            "Europe/Berlin", "DE",
            "2026-03-30T09:00", "2026-03-30T07:00", "2026-03-27T07:00",
        ),
        (
            "Europe/Berlin", "DE",
            "2026-10-26T07:00", "2026-10-26T07:00", "2026-10-23T07:00",
        ),
        (
            "Australia/Lord_Howe", None,
            "2026-04-06T07:00", "2026-04-06T07:00", "2026-04-03T07:00",
        ),
        (
            "Australia/Lord_Howe", None,
            "2026-10-05T07:00", "2026-10-05T07:00", "2026-10-02T07:00",
        ),
    ],
)  # fmt: skip
def test_business_days_are_counted_on_the_wall_clock_of_their_calendar(
    timezone: str, holidays: str | None, now: str, by: str, since: str
) -> None:
    of = business(timezone, holidays)
    found = policy(of, newest=None, now=at(now, timezone))
    assert found.expected_by == at(by, timezone)
    assert found.expected_since == at(since, timezone)


def test_the_next_look_passes_over_days_on_which_nothing_is_due() -> None:
    of = business(NEW_YORK, "US")
    newest = at("2026-11-25T08:00", NEW_YORK)
    late = next_look_at(of, newest=newest, now=at("2026-11-25T09:00", NEW_YORK))
    assert late == at("2026-11-30T07:00", NEW_YORK)
    found = policy(of, newest=newest, now=at("2026-11-25T09:00", NEW_YORK))
    assert found.late_at == late


@pytest.mark.parametrize(
    ("cron", "by"),
    [
        ("0 7 1W * *", "2026-11-02T07:00"),
        ("0 7 L * *", "2026-10-31T07:00"),
        ("0 7 * * 1#2", "2026-11-09T07:00"),
        ("0 7 * * 5L", "2026-10-30T07:00"),
    ],
)
def test_a_deadline_knows_the_words_of_a_calendar(cron: str, by: str) -> None:
    promise = Freshness(
        deadline_cron=cron,
        lower_bound_delta=Period(count=1, period="day"),
        calendar=Calendar(timezone=NEW_YORK),
    )
    assert faults(promise) == []
    found = policy(dataset(promise), newest=None, now=at("2026-11-20T12:00", NEW_YORK))
    assert found.expected_by == at(by, NEW_YORK)
