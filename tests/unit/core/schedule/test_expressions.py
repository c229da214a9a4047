"""Schedules: EventBridge's expressions, its calendar arithmetic, and its time zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.dataset import Schedule
from lambdas.core.schedule.cron import parse_cron, parse_crontab
from lambdas.core.schedule.expressions import (
    expression,
    faults,
    last_due,
    next_due,
    parse_rate,
)
from lambdas.core.schedule.zones import instant, passed, zone

NEW_YORK = "America/New_York"
ZONES = (
    "UTC",
    NEW_YORK,
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Havana",
    "Pacific/Apia",
)
CRONS = (
    "5 * * * ? *",
    "*/7 * * * ? *",
    "30 2 * * ? *",
    "30 1 * * ? *",
    "0 0 * * ? *",
    "15 10 ? * 6L *",
    "0 8 1 * ? *",
    "0 18 ? * MON-FRI *",
    "0 9 15W * ? *",
    "0 9 LW * ? 2011-2030",
    "59 23 L * ? *",
    "0 12 ? JAN/3 TUE#2 2010/2",
)
MOMENTS = st.datetimes(
    min_value=datetime(2008, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2028, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.just(UTC),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def local(text: str, tz: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz)).astimezone(UTC)


def ticks(cron: str, tz: str, start: datetime, end: datetime) -> list[str]:
    """Local times, with their offset, of all ticks in (start, end]."""
    found: list[str] = []
    moment = next_due(f"cron({cron})", tz, start)
    while moment is not None and moment <= end:
        found.append(moment.astimezone(ZoneInfo(tz)).isoformat(timespec="minutes"))
        moment = next_due(f"cron({cron})", tz, moment)
    return found


@pytest.mark.parametrize(
    ("cron", "days"),
    [  # a June that begins on a Saturday and ends on a Sunday
        (
            "0 0 ? * 1 *",
            ["2013-06-02", "2013-06-09", "2013-06-16", "2013-06-23", "2013-06-30"],
        ),
        (
            "0 0 ? * SUN *",
            ["2013-06-02", "2013-06-09", "2013-06-16", "2013-06-23", "2013-06-30"],
        ),
        (
            "0 0 ? * 7 *",
            ["2013-06-01", "2013-06-08", "2013-06-15", "2013-06-22", "2013-06-29"],
        ),
        (
            "0 0 ? * L *",
            ["2013-06-01", "2013-06-08", "2013-06-15", "2013-06-22", "2013-06-29"],
        ),
        ("0 0 ? * 6L *", ["2013-06-28"]),
        ("0 0 ? * FRIL *", ["2013-06-28"]),
        ("0 0 ? * 3#2 *", ["2013-06-11"]),
        ("0 0 ? * SAT#5 *", ["2013-06-29"]),
        ("0 0 L * ? *", ["2013-06-30"]),
        ("0 0 LW * ? *", ["2013-06-28"]),
        ("0 0 1W * ? *", ["2013-06-03"]),
        ("0 0 8W * ? *", ["2013-06-07"]),
        ("0 0 9W * ? *", ["2013-06-10"]),
        ("0 0 12W * ? *", ["2013-06-12"]),
        ("0 0 30W * ? *", ["2013-06-28"]),
        ("0 0 31W * ? *", []),
        ("0 0 5/10 * ? *", ["2013-06-05", "2013-06-15", "2013-06-25"]),
        (
            "0 0 1-9/4,28 * ? *",
            ["2013-06-01", "2013-06-05", "2013-06-09", "2013-06-28"],
        ),
        ("0 0 7 jun ? 2013", ["2013-06-07"]),
        ("0 0 7 1-5 ? *", []),
        ("0 0 7 6 ? 2014-2020", []),
        ("0 0 7 6 ? 2009/2", ["2013-06-07"]),
        ("0 0 7 6 ? 2010/2", []),
    ],
)
def test_days_of_june_2013_are_those_aws_describes(cron: str, days: list[str]) -> None:
    found = ticks(cron, "UTC", at("2013-05-31T23:59Z"), at("2013-06-30T23:59Z"))
    assert [tick[:10] for tick in found] == days


def test_minutes_and_hours_take_steps_ranges_and_lists() -> None:
    found = ticks(
        "1/20 9-17/4,23 * * ? *",
        "UTC",
        at("2013-01-01T00:00Z"),
        at("2013-01-02T00:00Z"),
    )
    hours_and_minutes = [tick[11:16] for tick in found]
    expected = [
        f"{hour:02}:{minute:02}" for hour in (9, 13, 17, 23) for minute in (1, 21, 41)
    ]
    assert hours_and_minutes == expected


def test_a_time_that_spring_leaves_out_is_skipped_that_day() -> None:
    found = ticks(
        "30 2 * * ? *", NEW_YORK, at("2013-03-09T00:00Z"), at("2013-03-12T00:00Z")
    )
    assert found == ["2013-03-09T02:30-05:00", "2013-03-11T02:30-04:00"]


def test_a_time_that_autumn_repeats_runs_once_the_first_time() -> None:
    found = ticks(
        "30 1 * * ? *", NEW_YORK, at("2013-11-02T12:00Z"), at("2013-11-05T00:00Z")
    )
    assert found == ["2013-11-03T01:30-04:00", "2013-11-04T01:30-05:00"]


def test_an_hourly_cron_pauses_two_hours_when_the_clocks_go_back() -> None:
    found = ticks(
        "5 * * * ? *",
        NEW_YORK,
        local("2013-11-03T00:00", NEW_YORK),
        local("2013-11-03T03:00", NEW_YORK),
    )
    assert found == [
        "2013-11-03T00:05-04:00",
        "2013-11-03T01:05-04:00",
        "2013-11-03T02:05-05:00",
    ]


def test_half_an_hour_of_daylight_saving_moves_lord_howe_by_half_an_hour() -> None:
    zone_name = "Australia/Lord_Howe"
    spring = ticks(
        "15 2 * * ? *", zone_name, at("2013-10-04T00:00Z"), at("2013-10-07T00:00Z")
    )
    autumn = ticks(
        "45 1 * * ? *", zone_name, at("2013-04-05T00:00Z"), at("2013-04-08T00:00Z")
    )
    assert spring == ["2013-10-05T02:15+10:30", "2013-10-07T02:15+11:00"]
    assert autumn == [
        "2013-04-06T01:45+11:00",
        "2013-04-07T01:45+11:00",
        "2013-04-08T01:45+10:30",
    ]


def test_kolkata_is_five_and_a_half_hours_ahead() -> None:
    due = next_due("cron(0 6 * * ? *)", "Asia/Kolkata", at("2013-01-01T00:29:59Z"))
    assert due == at("2013-01-01T00:30Z")


@pytest.mark.parametrize(
    ("moment", "last"),
    [
        ("2013-11-03T05:29:00+00:00", "2013-11-03T04:45:00+00:00"),
        ("2013-11-03T06:10:00+00:00", "2013-11-03T05:45:00+00:00"),
        ("2013-11-03T06:50:00+00:00", "2013-11-03T05:45:00+00:00"),
        ("2013-11-03T07:50:00+00:00", "2013-11-03T07:45:00+00:00"),
    ],
)
def test_the_last_tick_is_found_from_within_a_repeated_hour(
    moment: str, last: str
) -> None:
    assert last_due("cron(45 * * * ? *)", NEW_YORK, at(moment)) == at(last)


def test_next_is_strictly_after_and_last_is_at_or_before() -> None:
    tick = at("2013-01-01T06:00Z")
    assert next_due("cron(0 6 * * ? *)", "UTC", tick) == tick + timedelta(days=1)
    assert last_due("cron(0 6 * * ? *)", "UTC", tick) == tick
    just_before = tick - timedelta(microseconds=1)
    assert next_due("cron(0 6 * * ? *)", "UTC", just_before) == tick
    assert last_due("cron(0 6 * * ? *)", "UTC", just_before) == tick - timedelta(days=1)


def test_years_bound_a_cron_on_both_sides() -> None:
    cron = "cron(* * * * ? 2050)"
    assert next_due(cron, "UTC", at("2013-01-01T00:00Z")) == at("2050-01-01T00:00Z")
    assert next_due(cron, "UTC", at("2050-12-31T23:59Z")) is None
    assert last_due(cron, "UTC", at("2060-01-01T00:00Z")) == at("2050-12-31T23:59Z")
    assert last_due(cron, "UTC", at("2049-12-31T23:59Z")) is None


def test_a_date_that_only_daylight_saving_takes_away_ends_the_search() -> None:
    never = "cron(30 2 ? 3 1#2 2020-2030)"
    assert next_due(never, NEW_YORK, at("2019-01-01T00:00Z")) is None


@given(cron=st.sampled_from(CRONS), tz=st.sampled_from(ZONES), moment=MOMENTS)
def test_next_and_last_due_agree_about_every_moment(
    cron: str, tz: str, moment: datetime
) -> None:
    text = f"cron({cron})"
    after, before = next_due(text, tz, moment), last_due(text, tz, moment)
    if after is not None:
        assert after > moment
        assert last_due(text, tz, after) == after
        assert last_due(text, tz, after - timedelta(microseconds=1)) == before
    if before is not None:
        assert before <= moment
        assert next_due(text, tz, before) == after
        assert next_due(text, tz, before - timedelta(microseconds=1)) == before


@given(
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=3),
    hours=st.sets(st.integers(0, 23), min_size=1, max_size=3),
    weekday=st.integers(1, 7),
    tz=st.sampled_from(ZONES),
    moment=MOMENTS,
)
def test_ticks_are_the_first_showings_of_matching_wall_times(
    minutes: set[int], hours: set[int], weekday: int, tz: str, moment: datetime
) -> None:
    """Against a search that knows nothing of crons: every minute of ten days."""
    cron = f"{','.join(map(str, minutes))} {','.join(map(str, hours))} ? * {weekday} *"
    where = ZoneInfo(tz)
    start = moment.replace(second=0, microsecond=0)
    expected = None
    for minute in range(1, 10 * 24 * 60):
        tick = start + timedelta(minutes=minute)
        shown = tick.astimezone(where)
        if (
            shown.fold == 0
            and shown.minute in minutes
            and shown.hour in hours
            and shown.isoweekday() % 7 + 1 == weekday
        ):
            expected = tick
            break
    found = next_due(f"cron({cron})", tz, moment)
    assert found is not None
    assert found == expected or (expected is None and found > start + timedelta(days=9))


def test_rates_count_from_their_anchor() -> None:
    anchor = at("2013-01-01T00:07:30Z")
    moment = at("2013-01-01T05:00:00Z")
    due = "rate(2 hours)"
    assert next_due(due, "UTC", moment, anchor=anchor) == at("2013-01-01T06:07:30Z")
    assert last_due(due, "UTC", moment, anchor=anchor) == at("2013-01-01T04:07:30Z")
    assert next_due(due, "UTC", anchor, anchor=anchor) == at("2013-01-01T02:07:30Z")
    assert last_due(due, "UTC", anchor, anchor=anchor) == anchor
    earlier = anchor - timedelta(days=1)
    assert next_due(due, "UTC", earlier, anchor=anchor) == anchor
    assert last_due(due, "UTC", earlier, anchor=anchor) is None


def test_a_day_of_a_rate_is_24_hours_whatever_the_clocks_do() -> None:
    anchor = local("2013-03-09T12:00", NEW_YORK)
    due = next_due("rate(1 day)", NEW_YORK, anchor, anchor=anchor)
    assert due == anchor + timedelta(hours=24) == local("2013-03-10T13:00", NEW_YORK)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(cron="5 * * * ? *"), "cron(5 * * * ? *)"),
        (Schedule(cron=" 0  6 ? * MON-FRI * "), "cron(0 6 ? * MON-FRI *)"),
        (Schedule(rate="1 hour"), "rate(1 hour)"),
        (Schedule(rate="1 hours"), "rate(1 hour)"),
        (Schedule(rate="15 minute"), "rate(15 minutes)"),
        (Schedule(rate="2 days"), "rate(2 days)"),
    ],
)
def test_an_expression_is_written_as_aws_wants_it(
    schedule: Schedule, expected: str
) -> None:
    assert expression(schedule) == expected
    assert faults(schedule) == []


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("5 * * * *", "lacks the year"),
        ("5 * * * ? * *", "7 fields"),
        ("", "0 fields"),
        ("60 * * * ? *", "minutes: `60`"),
        ("* 24 * * ? *", "hours: `24`"),
        ("* * 0 * ? *", "day-of-month: `0`"),
        ("* * 32W * ? *", "day-of-month: `32`"),
        ("* * L,15 * ? *", "day-of-month: `L`"),
        ("* * * 13 ? *", "month: `13`"),
        ("* * * JUNE ? *", "month: `JUNE`"),
        ("* * ? * 0 *", "day-of-week: `0`"),
        ("* * ? * 8 *", "day-of-week: `8`"),
        ("* * ? * 2#6 *", "day-of-week: `2#6`"),
        ("* * ? * 2#1,3#1 *", "day-of-week: `2#1,3#1`"),
        ("* * ? * 2/2 *", "takes no steps"),
        ("* * ? * FRI-MON *", "runs backwards"),
        ("* * * * ? 1969", "year: `1969`"),
        ("* * * * ? 2200", "year: `2200`"),
        ("* * * * * *", "exactly one"),
        ("* * ? * ? *", "exactly one"),
        ("*/0 * * * ? *", "a step is a number from 1"),
        ("5- * * * ? *", "minutes: ``"),
        ("5,, * * * ? *", "minutes: ``"),
        ("0 0 30 2 ? *", "no such date"),
        ("0 0 29 2 ? 2023", "no such date"),
        ("? * * * ? *", "minutes: `?`"),
        ("cron(5 * * * ? *)", "minutes: `CRON(5`"),
        ("٣ * * * ? *", "minutes: `٣`"),
    ],
)
def test_a_cron_aws_would_refuse_is_refused_with_its_field(
    cron: str, said: str
) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        parse_cron(cron)
    assert said in str(refused.value)
    assert [key for key, _ in faults(Schedule(cron=cron))] == ["schedule.cron"]


@pytest.mark.parametrize(
    "rate",
    ["0 hours", "-1 hour", "1.5 hours", "1 week", "hour", "1hour", "100000 days"],
)
def test_a_rate_aws_would_refuse_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        parse_rate(rate)
    assert [key for key, _ in faults(Schedule(rate=rate))] == ["schedule.rate"]


@pytest.mark.parametrize(
    "crontab", ["0 6 * *", "0 6 * * 1 *", "0 6 * * 8", "60 6 * * *", "a b c d e"]
)
def test_a_bad_crontab_says_what_its_five_fields_are(crontab: str) -> None:
    with pytest.raises(ValueError, match="day-of-week"):
        parse_crontab(crontab)


def test_a_schedule_has_exactly_one_of_cron_and_rate() -> None:
    assert "neither" in faults(Schedule())[0][1]
    both = Schedule(cron="5 * * * ? *", rate="1 hour")
    assert [(key, "both" in said) for key, said in faults(both)] == [("schedule", True)]


@pytest.mark.parametrize(
    "name",
    ["America/NewYork", "", "../etc", "/etc/passwd", "localtime", "America", "+5"],
)
def test_a_zone_that_is_not_iana_is_a_fault(name: str) -> None:
    found = faults(Schedule(cron="5 * * * ? *", timezone=name))
    assert [key for key, _ in found] == ["schedule.timezone"]
    assert "IANA" in found[0][1]


def test_a_misspelt_zone_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean `America/New_York`"):
        zone("America/NewYork")


def test_an_expression_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="neither"):
        next_due("at(2013-01-01T00:00:00)", "UTC", at("2013-01-01T00:00Z"))


@given(
    wall=st.datetimes(
        min_value=datetime(2008, 1, 1),  # noqa: DTZ001 - a wall time
        max_value=datetime(2028, 1, 1),  # noqa: DTZ001 - a wall time
    ),
    tz=st.sampled_from(ZONES),
)
def test_a_moment_passes_a_wall_time_and_not_a_second_before(
    wall: datetime, tz: str
) -> None:
    where, wall = ZoneInfo(tz), wall.replace(microsecond=0)
    moment = passed(wall, where)
    assert moment.astimezone(where).replace(tzinfo=None) >= wall
    before = (moment - timedelta(seconds=1)).astimezone(where)
    assert before.replace(tzinfo=None) < wall
    assert instant(wall, where) in (moment, None)


def test_a_wall_time_in_a_gap_passes_at_the_jump() -> None:
    jump = at("2013-03-10T07:00Z")
    gap = datetime.combine(date(2013, 3, 10), datetime.min.time())
    for minutes in (120, 121, 150, 179, 180):
        assert passed(gap + timedelta(minutes=minutes), ZoneInfo(NEW_YORK)) == jump
