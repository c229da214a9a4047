"""From when on a table is late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.freshness.promise import breaks_at
from lambdas.core.schedule.calendar import has_due_time
from tests.datasets import a_dataset

NEWEST = datetime(2026, 11, 23, 9, tzinfo=UTC)
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
WARN = {"warn_after": {"count": 3, "period": "hour"}}
ERROR = {"error_after": {"count": 6, "period": "hour"}}
NEVER = {"calendar": {"quiet": ["00:00-24:00"]}}
DEADLINE = {
    "deadline_cron": "0 7 * * *",
    "lower_bound_delta": {"count": 1, "period": "day"},
}

Breaks = tuple[datetime | None, datetime | None]


def breaks(newest: datetime | None, **freshness: object) -> Breaks:
    return breaks_at(a_dataset(freshness=freshness), newest, SINCE)


@pytest.mark.parametrize(
    ("promise", "expected"),
    [
        ({}, (None, None)),
        (WARN, (NEWEST + 3 * HOUR, None)),
        (ERROR, (NEWEST + 6 * HOUR, NEWEST + 6 * HOUR)),
        (WARN | ERROR, (NEWEST + 3 * HOUR, NEWEST + 6 * HOUR)),
    ],
    ids=["nothing", "warn only", "error only", "both"],
)
def test_a_table_breaks_each_threshold_that_is_promised(
    promise: dict[str, object], expected: Breaks
) -> None:
    assert breaks(NEWEST, loaded_at_field="at", **promise) == expected


@pytest.mark.parametrize(
    ("promise", "expected"),
    [
        ({}, (None, None)),
        (WARN, (SINCE, None)),
        (ERROR, (SINCE, SINCE)),
        (WARN | ERROR, (SINCE, SINCE)),
        (DEADLINE, (SINCE, SINCE)),
    ],
    ids=["nothing", "warn only", "error only", "both", "a deadline"],
)
def test_a_table_without_a_usable_time_is_late_since_it_was_first_seen_so(
    promise: dict[str, object], expected: Breaks
) -> None:
    assert breaks(None, **promise) == expected


def test_a_deadline_is_missed_at_its_next_tick_after_the_allowed_age() -> None:
    tick = datetime(2026, 11, 25, 7, tzinfo=UTC)
    assert breaks(NEWEST, **DEADLINE) == (tick, tick)


def test_quiet_time_puts_the_break_off() -> None:
    calendar = {"timezone": "UTC", "quiet": ["10:00-20:00"]}
    assert breaks(NEWEST, calendar=calendar, **WARN) == (
        datetime(2026, 11, 23, 22, tzinfo=UTC),
        None,
    )


@pytest.mark.parametrize("day", ["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
def test_any_one_day_of_the_week_may_be_the_only_one(day: str) -> None:
    calendar = {"timezone": "UTC", "weekdays": [day]}
    first, _ = breaks(NEWEST, calendar=calendar, **WARN)
    assert first is not None
    assert f"{first:%a}".lower() == day
    known = a_dataset(freshness={"calendar": calendar}).freshness.calendar
    assert has_due_time(known)
    quiet = known.model_copy(update={"quiet": ("00:00-24:00",)})
    assert not has_due_time(quiet)
