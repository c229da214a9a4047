"""How old a dynamic table may be: `1 hour`, or `downstream`.

The words are Snowflake's ("CREATE DYNAMIC TABLE", TARGET_LAG): a number of seconds,
minutes, hours or days, of a minute at least; or as often as the dynamic tables need it
that are made from this one.
"""

from __future__ import annotations

import re
from datetime import timedelta

DOWNSTREAM = "downstream"
SHORTEST = timedelta(minutes=1)
_LAG = re.compile(r"([1-9][0-9]{0,5}) (second|minute|hour|day)s?")


def parse_target_lag(text: str) -> timedelta | None:
    """The lag, or None for `downstream`. Raises ValueError saying what is accepted."""
    if text == DOWNSTREAM:
        return None
    match = _LAG.fullmatch(text)
    lag = timedelta(**{f"{match[2]}s": int(match[1])}) if match else None
    if lag is None or lag < SHORTEST:
        raise ValueError(
            f"`{text}` is not a lag; accepted: a number and seconds, minutes, hours or "
            f"days, one minute at least, such as `1 hour`; or `{DOWNSTREAM}`"
        )
    return lag


def target_lag_text(text: str) -> str:
    """As it stands in the statement. Raises ValueError."""
    if parse_target_lag(text) is None:
        return "DOWNSTREAM"
    count, unit = text.split()
    return f"'{count} {unit.rstrip('s')}s'"
