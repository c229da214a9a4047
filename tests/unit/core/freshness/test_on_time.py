"""Promises that are broken although everything is on time are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.core.dataset import Calendar, Dataset, Freshness, Period, Schedule
from lambdas.core.freshness.on_time import promise_faults
from tests.datasets import a_dataset

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NEW_YORK = "America/New_York"
BUSINESS = Calendar(
    timezone=NEW_YORK, weekdays=("mon", "tue", "wed", "thu", "fri"), holidays="US"
)


def hours(count: int) -> Period:
    return Period(count=count, period="hour")


def day(count: int = 1) -> Period:
    return Period(count=count, period="day")


def declared(
    *, cron: str | None = None, rate: str | None = None, zone: str = "UTC", **of: Any
) -> Dataset:
    schedule = Schedule(cron=cron, rate=rate, timezone=zone)
    return a_dataset().model_copy(
        update={"schedule": schedule, "freshness": Freshness(**of)}
    )


def said(of: Dataset, **more: Any) -> dict[str, str]:
    return dict(promise_faults(of, now=NOW, **more))


def test_an_age_shorter_than_the_time_between_two_loads_is_refused() -> None:
    found = said(declared(cron="5 * * * ? *", warn_after=hours(1)))
    assert list(found) == ["freshness.warn_after"]
    assert "first on Fri 2026-11-20 12:05 UTC" in found["freshness.warn_after"]
    assert "the pull at Fri 2026-11-20 11:05 UTC" in found["freshness.warn_after"]
    assert "loaded by Fri 2026-11-20 12:20 UTC" in found["freshness.warn_after"]
    assert "{count: 75, period: minute}" in found["freshness.warn_after"]


def test_an_age_that_leaves_the_time_of_a_load_is_kept() -> None:
    promise = Period(count=75, period="minute")
    assert not said(declared(cron="5 * * * ? *", warn_after=promise))


def test_the_usual_run_of_a_pull_counts() -> None:
    promise: dict[str, Any] = {"warn_after": Period(count=80, period="minute")}
    of = declared(cron="5 * * * ? *", loaded_at_field="at", **promise)
    assert not said(of, usual_run=timedelta(minutes=5))
    assert said(of, usual_run=timedelta(minutes=6))


def test_by_load_time_a_run_delays_old_and_new_rows_alike() -> None:
    of = declared(cron="5 * * * ? *", warn_after=Period(count=75, period="minute"))
    assert not said(of, usual_run=timedelta(minutes=6))


def test_both_ages_are_named_where_both_are_broken() -> None:
    of = declared(cron="0 6 * * ? *", warn_after=hours(12), error_after=hours(24))
    assert list(said(of)) == ["freshness.warn_after", "freshness.error_after"]


@pytest.mark.parametrize(
    ("zone", "kept", "broken", "at"),
    [
        (NEW_YORK, 26, 25, "Sun 2027-11-07 06:00 EST"),
        ("Europe/Berlin", 26, 25, "Sun 2027-10-31 06:00 CET"),
        ("UTC", 25, 24, "Sat 2026-11-21 06:00 UTC"),
    ],
)
def test_the_day_with_an_hour_more_is_lived_through(
    zone: str, kept: int, broken: int, at: str
) -> None:
    assert not said(declared(cron="0 6 * * ? *", zone=zone, warn_after=hours(kept)))
    found = said(declared(cron="0 6 * * ? *", zone=zone, warn_after=hours(broken)))
    assert f"first on {at}" in found["freshness.warn_after"]


def test_half_an_hour_more_breaks_what_leaves_a_quarter() -> None:
    of = declared(
        cron="0 6 * * ? *",
        zone="Australia/Lord_Howe",
        warn_after=Period(count=24 * 60 + 20, period="minute"),
    )
    assert "Sun 2027-04-04" in said(of)["freshness.warn_after"]


def test_a_pull_at_a_time_that_clocks_jump_over_is_two_days_after_the_last() -> None:
    of = declared(cron="30 2 * * ? *", zone=NEW_YORK, warn_after=hours(30))
    assert "Sun 2027-03-14" in said(of)["freshness.warn_after"]


def test_a_weekend_without_pulls_breaks_an_age_but_where_it_is_quiet() -> None:
    pulled: dict[str, Any] = {"cron": "0 6 ? * MON-FRI *", "zone": NEW_YORK}
    promise: dict[str, Any] = {"warn_after": hours(26)}
    assert (
        "Sat 2026-11-21" in said(declared(**pulled, **promise))["freshness.warn_after"]
    )
    assert not said(declared(**pulled, **promise, calendar=BUSINESS))


def test_business_days_for_the_business_day_before_are_kept() -> None:
    promise: dict[str, Any] = {"deadline_cron": "0 7 * * *", "lower_bound_delta": day()}
    assert not said(
        declared(cron="0 6 ? * MON-FRI *", zone=NEW_YORK, calendar=BUSINESS, **promise)
    )


def test_a_deadline_before_the_pull_is_refused() -> None:
    of = declared(
        cron="0 7 * * ? *",
        zone=NEW_YORK,
        deadline_cron="0 6 * * *",
        lower_bound_delta=hours(12),
        calendar=Calendar(timezone=NEW_YORK),
    )
    sentence = said(of)["freshness.deadline_cron"]
    assert "first on Sat 2026-11-21 06:00 EST" in sentence
    assert "the next, at Sat 2026-11-21 07:00 EST" in sentence


def test_a_deadline_within_the_grace_of_a_load_is_refused() -> None:
    promise: dict[str, Any] = {"lower_bound_delta": hours(12)}
    early = declared(cron="0 6 * * ? *", deadline_cron="14 6 * * *", **promise)
    late = declared(cron="0 6 * * ? *", deadline_cron="15 6 * * *", **promise)
    assert said(early)
    assert not said(late)


@pytest.mark.parametrize(
    ("deadline", "kept_by", "broken_by"),
    [
        ("0 7 1W * *", "0 6 1W * ? *", "0 8 1W * ? *"),
        ("0 7 L * *", "0 6 L * ? *", "0 8 L * ? *"),
        ("0 7 * * 1#2", "0 6 ? * 2#2 *", "0 8 ? * 2#2 *"),
    ],
)
def test_what_comes_round_seldom_is_lived_for_a_year(
    deadline: str, kept_by: str, broken_by: str
) -> None:
    promise: dict[str, Any] = {"deadline_cron": deadline, "lower_bound_delta": day()}
    assert not said(declared(cron=kept_by, **promise))
    assert said(declared(cron=broken_by, **promise))


@pytest.mark.parametrize(
    ("zone", "cron", "named"),
    [
        (NEW_YORK, "30 2 * * *", "no 02:30 on Sun 2027-03-14"),
        ("Europe/Berlin", "0 2 * * *", "no 02:00 on Sun 2027-03-28"),
        ("Australia/Lord_Howe", "15 2 * * *", "no 02:15 on Sun 2027-10-03"),
    ],
)
def test_a_deadline_that_clocks_jump_over_is_refused(
    zone: str, cron: str, named: str
) -> None:
    of = declared(
        rate="1 hour",
        deadline_cron=cron,
        lower_bound_delta=day(),
        calendar=Calendar(timezone=zone),
    )
    assert named in said(of)["freshness.deadline_cron"]


def test_a_deadline_that_is_always_quiet_is_refused() -> None:
    night = Calendar(timezone=NEW_YORK, quiet=("00:00-05:00",))
    for cron, is_quiet in (("0 3 * * *", True), ("0 5 * * *", False)):
        of = declared(
            rate="1 hour",
            deadline_cron=cron,
            lower_bound_delta=day(),
            calendar=night,
        )
        told = said(of).get("freshness.deadline_cron", "")
        assert ("nothing is ever promised" in told) is is_quiet


@pytest.mark.parametrize(
    "promise",
    [
        {"deadline_cron": "0 * * * *", "calendar": Calendar(timezone=NEW_YORK)},
        {"deadline_cron": "30 2 * * 1-5", "calendar": Calendar(timezone=NEW_YORK)},
        {"deadline_cron": "30 2 * * *", "calendar": BUSINESS},
    ],
)
def test_one_that_nobody_misses_is_none(promise: dict[str, Any]) -> None:
    assert not said(declared(rate="1 hour", lower_bound_delta=day(), **promise))


def test_a_rate_is_refused_only_if_no_beginning_keeps_the_promise() -> None:
    promise: dict[str, Any] = {
        "deadline_cron": "0 7 * * *",
        "lower_bound_delta": hours(3),
    }
    assert not said(declared(rate="6 hours", **promise))
    shorter: dict[str, Any] = {
        **promise,
        "lower_bound_delta": Period(count=10, period="minute"),
    }
    assert said(declared(rate="6 hours", **shorter))


def test_nothing_is_said_of_what_is_paused_or_promises_nothing() -> None:
    paused = Schedule(cron="5 * * * ? *", paused="the API moves")
    tight = declared(cron="5 * * * ? *", warn_after=hours(1))
    assert not said(tight.model_copy(update={"schedule": paused}))
    assert not said(declared(cron="5 * * * ? *"))
