"""A time to come, as people write it: `2h`, `14:00`, `tomorrow 09:00`, or ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from lambdas.core.schedule.zones import zone

ACCEPTED = (
    "`2h`, `30m`, `3d`, `14:00`, `tomorrow 09:00`, or ISO 8601 with its offset, as "
    "2026-11-23T14:00:00Z"
)
_SPAN = re.compile(r"(?P<count>[1-9]\d{0,3}) ?(?P<unit>m|min|h|d)")
_UNITS = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days"}
_CLOCK = re.compile(
    r"((?P<day>today|tomorrow) )?(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)"
)


def time_to_come(text: str, *, now: datetime, timezone: str) -> datetime:
    """The moment that `text` names, in UTC; times of day are on the clock of
    `timezone`, and without a day the next one. ValueError, saying what is accepted.
    """
    words = " ".join(text.lower().split())
    span, clock = _SPAN.fullmatch(words), _CLOCK.fullmatch(words)
    if span is not None:
        unit = _UNITS[span["unit"]]
        return now.astimezone(UTC) + timedelta(**{unit: int(span["count"])})
    if clock is not None:
        here = now.astimezone(zone(timezone))
        at = time(int(clock["hour"]), int(clock["minute"]))
        day = here.date()
        if clock["day"] == "tomorrow" or (clock["day"] is None and at <= here.time()):
            day += timedelta(days=1)
        return datetime.combine(day, at, tzinfo=here.tzinfo).astimezone(UTC)
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise ValueError(f"{text!r} is not a time to come; accepted: {ACCEPTED}")
    return read.astimezone(UTC)
