"""The last days of a promise, a letter each, which the page draws as bars."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from lambdas.core.freshness.attainment import AttainmentState, Day

STRIP_DAYS = 30
KEPT, WARN, ERROR, NOT_WATCHED = "k", "w", "e", "-"


def strip_of(tally: AttainmentState | None, *, now: datetime) -> str:
    """A letter a day (UTC), the oldest first, today last."""
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=STRIP_DAYS - 1)
    if tally is None:
        return NOT_WATCHED * STRIP_DAYS
    since = tally.since.astimezone(UTC).date()
    bad = {one.day: one for one in bad_days(tally, now=now)}
    days = (first + timedelta(days=n) for n in range(STRIP_DAYS))
    return "".join(_letter(day, since, bad) for day in days)


def bad_days(tally: AttainmentState | None, *, now: datetime) -> list[Day]:
    """The days of the strip that were not good, the oldest first."""
    if tally is None:
        return []
    first = now.astimezone(UTC).date() - timedelta(days=STRIP_DAYS - 1)
    by_day = {day.day: day for day in (*tally.days, tally.today)}
    return [
        by_day[day] for day in sorted(by_day) if by_day[day].out_s and day >= str(first)
    ]


def _letter(day: date, since: date, bad: dict[str, Day]) -> str:
    if day < since:
        return NOT_WATCHED
    found = bad.get(day.isoformat())
    if found is None:
        return KEPT
    return ERROR if found.error_s else WARN
