"""Calendars: what is quiet, and how much of a time is due."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

import pytest
from holidays import country_holidays
from hypothesis import assume, given
from hypothesis import strategies as st

from lambdas.core.dataset import Calendar
from lambdas.core.schedule.calendar import (
    check_holidays,
    check_window,
    due_time_between,
    has_due_time,
    in_quiet_time,
    last_moment_within,
    next_due_moment,
    next_quiet_end,
)

Weekday: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

NEW_YORK = "America/New_York"
NIGHTS = Calendar(timezone=NEW_YORK, quiet=("00:00-05:00",))
WORKING_DAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

CALENDARS = st.builds(
    Calendar,
    timezone=st.sampled_from(
        ["UTC", NEW_YORK, "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana"]
    ),
    quiet=st.lists(
        st.sampled_from(
            ["00:00-05:00", "22:00-05:00", "12:00-13:30", "01:30-02:15", "18:00-24:00"]
        ),
        max_size=2,
    ).map(tuple),
    weekdays=st.sampled_from([None, WORKING_DAYS, ("wed",)]),
    holidays=st.sampled_from([None, "US", "US-NY", "IN"]),
)
MOMENTS = st.datetimes(
    min_value=datetime(2012, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2015, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.just(UTC),
)


def local(text: str, tz: str = NEW_YORK, *, fold: int = 0) -> datetime:
    wall = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz), fold=fold)
    return wall.astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        ("2013-01-15T23:59:59.999999", False),
        ("2013-01-16T00:00", True),
        ("2013-01-16T04:59:59.999999", True),
        ("2013-01-16T05:00", False),
    ],
)
def test_a_window_begins_at_its_start_and_ends_before_its_end(
    moment: str, *, quiet: bool
) -> None:
    assert in_quiet_time(NIGHTS, local(moment)) is quiet


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        ("2013-01-15T21:59", False),
        ("2013-01-15T22:00", True),
        ("2013-01-16T00:00", True),
        ("2013-01-16T04:59", True),
        ("2013-01-16T05:00", False),
    ],
)
def test_a_window_may_cross_midnight(moment: str, *, quiet: bool) -> None:
    calendar = Calendar(timezone=NEW_YORK, quiet=("22:00-05:00",))
    assert in_quiet_time(calendar, local(moment)) is quiet


def test_weekends_are_whole_local_days_and_join_the_nights_around_them() -> None:
    calendar = Calendar(
        timezone=NEW_YORK, quiet=("22:00-05:00",), weekdays=WORKING_DAYS
    )
    friday_night = local("2013-01-18T22:00")
    monday_morning = local("2013-01-21T05:00")
    assert not in_quiet_time(calendar, friday_night - MINUTE)
    assert next_due_moment(calendar, friday_night) == monday_morning
    assert next_due_moment(calendar, local("2013-01-20T12:00")) == monday_morning
    assert due_time_between(calendar, friday_night - HOUR, monday_morning) == HOUR


def test_a_weekend_is_that_of_the_calendars_zone() -> None:
    calendar = Calendar(timezone="Asia/Kolkata", weekdays=WORKING_DAYS)
    saturday_in_kolkata = datetime(2013, 1, 18, 18, 30, tzinfo=UTC)
    assert in_quiet_time(calendar, saturday_in_kolkata)
    assert not in_quiet_time(calendar, saturday_in_kolkata - MINUTE)


def test_holidays_are_quiet_and_so_are_the_days_they_are_observed_on() -> None:
    calendar = Calendar(timezone=NEW_YORK, holidays="US")
    assert in_quiet_time(calendar, local("2013-07-04T12:00"))
    assert not in_quiet_time(calendar, local("2013-07-05T00:00"))
    assert in_quiet_time(calendar, local("2021-07-05T12:00"))  # the fourth: a Sunday


def test_a_subdivision_has_holidays_of_its_own() -> None:
    lincoln = local("2013-02-12T12:00")
    assert in_quiet_time(Calendar(timezone=NEW_YORK, holidays="US-NY"), lincoln)
    assert not in_quiet_time(Calendar(timezone=NEW_YORK, holidays="US"), lincoln)


@pytest.mark.parametrize(
    ("night", "hours"), [("2013-03-10", 4), ("2013-11-03", 6), ("2013-06-01", 5)]
)
def test_a_night_is_as_long_as_the_clocks_make_it(night: str, hours: int) -> None:
    start, end = local(f"{night}T00:00"), local(f"{night}T05:00")
    assert end - start == hours * HOUR
    assert next_due_moment(NIGHTS, start) == end
    assert due_time_between(NIGHTS, start - HOUR, end + HOUR) == 2 * HOUR


def test_a_window_that_ends_in_a_spring_gap_ends_at_the_jump() -> None:
    calendar = Calendar(timezone=NEW_YORK, quiet=("00:00-02:30",))
    jump = datetime(2013, 3, 10, 7, tzinfo=UTC)
    assert next_due_moment(calendar, local("2013-03-10T01:00")) == jump


def test_a_window_in_a_repeated_hour_is_quiet_the_first_time() -> None:
    calendar = Calendar(timezone=NEW_YORK, quiet=("01:00-01:30",))
    assert in_quiet_time(calendar, local("2013-11-03T01:15"))
    assert not in_quiet_time(calendar, local("2013-11-03T01:15", fold=1))


def test_half_an_hour_of_daylight_saving_shortens_a_night_on_lord_howe() -> None:
    island = "Australia/Lord_Howe"
    calendar = Calendar(timezone=island, quiet=("00:00-05:00",))
    for night, hours in (("2013-10-06", 4.5), ("2013-04-07", 5.5)):
        start = local(f"{night}T00:00", island)
        assert next_due_moment(calendar, start) == start + hours * HOUR


def test_a_day_begins_at_the_jump_where_midnight_is_left_out() -> None:
    calendar = Calendar(timezone="America/Havana", weekdays=("sun",))
    sunday = local("2013-03-10T01:00", "America/Havana")
    assert next_due_moment(calendar, sunday - MINUTE) == sunday
    assert next_quiet_end(calendar, sunday) == local(
        "2013-03-17T00:00", calendar.timezone
    )


def test_without_a_calendar_every_moment_is_due() -> None:
    moment = local("2013-01-05T03:00")
    assert not in_quiet_time(Calendar(), moment)
    assert next_due_moment(Calendar(), moment) == moment
    assert next_quiet_end(Calendar(), moment) is None
    assert due_time_between(Calendar(), moment, moment + HOUR) == HOUR
    assert last_moment_within(Calendar(), moment, HOUR) == moment + HOUR


def test_the_next_quiet_end_is_after_the_moment_that_is_asked_about() -> None:
    end = local("2013-01-16T05:00")
    assert next_quiet_end(NIGHTS, end - MINUTE) == end
    assert next_quiet_end(NIGHTS, end) == end + 24 * HOUR


def test_no_due_time_passes_backwards() -> None:
    moment = local("2013-01-05T12:00")
    assert due_time_between(NIGHTS, moment, moment - HOUR) == timedelta()


def test_due_time_that_runs_out_as_the_quiet_begins_ends_with_it() -> None:
    evening = local("2013-01-15T18:00")
    assert last_moment_within(NIGHTS, evening, 6 * HOUR) == local("2013-01-16T05:00")
    assert last_moment_within(NIGHTS, evening, 7 * HOUR) == local("2013-01-16T06:00")


def test_a_calendar_that_is_always_quiet_says_so_instead_of_searching_for_ever() -> (
    None
):
    for calendar in (
        Calendar(weekdays=()),
        Calendar(quiet=("00:00-24:00",)),
        Calendar(quiet=("06:00-18:00", "18:00-06:00")),
    ):
        moment = local("2013-01-05T12:00")
        assert in_quiet_time(calendar, moment)
        assert next_due_moment(calendar, moment) is None
        assert last_moment_within(calendar, moment, HOUR) is None
        assert due_time_between(calendar, moment, moment + 48 * HOUR) == timedelta()
        assert not has_due_time(calendar)
    assert has_due_time(Calendar(weekdays=("mon",), quiet=("00:00-23:59",)))
    for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun"):
        assert has_due_time(Calendar(weekdays=(day,)))


@pytest.mark.parametrize("year", [1, 1900, 9999])
def test_moments_at_the_ends_of_time_are_judged_without_overflow(year: int) -> None:
    moment = datetime(year, 1, 1, tzinfo=UTC)
    assert in_quiet_time(NIGHTS, moment) in (True, False)
    assert due_time_between(NIGHTS, moment, moment + HOUR) <= HOUR
    last_moment_within(NIGHTS, moment, HOUR)
    last_moment_within(Calendar(), datetime(9999, 12, 31, 23, 59, tzinfo=UTC), HOUR)


@pytest.mark.parametrize(
    "window",
    ["", "0:00-5:00", "00:00", "24:00-05:00", "00:00-24:01", "05:00-05:00", "22-05",
     "00:00-05:60", "00:00 - 05:00"],
)  # fmt: skip
def test_a_bad_window_says_what_is_accepted(window: str) -> None:
    with pytest.raises(ValueError, match="HH:MM-HH:MM"):
        check_window(window)


@pytest.mark.parametrize("place", ["XX", "US-ZZ", "us", "United States", "", "US-"])
def test_an_unknown_country_says_what_is_accepted(place: str) -> None:
    with pytest.raises(ValueError, match="ISO code"):
        check_holidays(place)


def test_the_holidays_of_the_world_stay_unloaded_until_a_country_is_named() -> None:
    code = (
        "import sys\n"
        "from datetime import UTC, datetime\n"
        "from lambdas.core.schedule.calendar import in_quiet_time\n"
        "from lambdas.core.dataset import Calendar\n"
        "at = datetime(2013, 7, 4, 12, tzinfo=UTC)\n"
        "in_quiet_time(Calendar(quiet=('00:00-05:00',)), at)\n"
        "assert 'holidays' not in sys.modules\n"
        "assert in_quiet_time(Calendar(holidays='US'), at)\n"
        "assert 'holidays' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code


def shows_quiet(calendar: Calendar, moment: datetime) -> bool:
    """The rule by the wall clock alone: right where no clock ever changes."""
    shown = moment.astimezone(ZoneInfo(calendar.timezone))
    listed = calendar.weekdays
    if listed is not None and f"{shown:%a}".lower() not in listed:
        return True
    if calendar.holidays is not None:
        country, _, subdivision = calendar.holidays.partition("-")
        if shown.date() in country_holidays(country, subdiv=subdivision or None):
            return True
    clock = f"{shown:%H:%M}"
    for window in calendar.quiet:
        start, end = window.split("-")
        inside = start <= clock < end
        if inside or (end < start and not end <= clock < start):
            return True
    return False


@given(calendar=CALENDARS, moment=MOMENTS)
def test_quiet_is_what_the_wall_clock_shows(
    calendar: Calendar, moment: datetime
) -> None:
    assume(calendar.timezone in ("UTC", "Asia/Kolkata"))
    for hours in range(0, 240, 3):
        at = moment + hours * HOUR
        assert in_quiet_time(calendar, at) == shows_quiet(calendar, at)


@given(calendar=CALENDARS, day=MOMENTS, quarters=st.integers(0, 3 * 96))
def test_due_time_is_the_quarters_of_an_hour_that_are_not_quiet(
    calendar: Calendar, day: datetime, quarters: int
) -> None:
    """Every boundary of these calendars, and every change of clocks, lies on one."""
    start = day.replace(minute=day.minute // 15 * 15, second=0, microsecond=0)
    quarter = 15 * MINUTE
    counted = sum(
        not in_quiet_time(calendar, start + number * quarter)
        for number in range(quarters)
    )
    due = due_time_between(calendar, start, start + quarters * quarter)
    assert due == counted * quarter


@given(calendar=CALENDARS, start=MOMENTS, hours=st.integers(0, 200))
def test_the_last_moment_within_is_where_due_time_goes_over(
    calendar: Calendar, start: datetime, hours: int
) -> None:
    due = hours * HOUR
    moment = last_moment_within(calendar, start, due)
    assert moment is not None
    assert due_time_between(calendar, start, moment) == due
    after = moment + timedelta.resolution
    assert due_time_between(calendar, start, after) == due + timedelta.resolution
    assert not in_quiet_time(calendar, moment)


@given(calendar=CALENDARS, moment=MOMENTS)
def test_the_next_due_moment_is_due_and_all_before_it_is_quiet(
    calendar: Calendar, moment: datetime
) -> None:
    due = next_due_moment(calendar, moment)
    assert due is not None
    assert due >= moment
    assert not in_quiet_time(calendar, due)
    assert due_time_between(calendar, moment, due) == timedelta()
    if due > moment:
        assert in_quiet_time(calendar, due - timedelta.resolution)
        assert next_quiet_end(calendar, moment) == due
