"""Casts that never fail and never guess: a text that does not fit is NULL.

They stand in COPY as well, where only some functions may
(https://docs.snowflake.com/en/user-guide/data-load-transform, "Supported functions"):
TRY_CAST and REGEXP_SUBSTR may; TRY_TO_TIMESTAMP, REGEXP_LIKE and COALESCE may not.

A time is accepted as

- ISO 8601 with an offset (`2013-01-01T05:00:00Z`, `2013-01-01 05:00:00.5+01:00`);
- the same without one, only where a zone is declared: Snowflake would take the
  account's own zone, by default America/Los_Angeles, and be hours off in silence;
- a count since 1970 in seconds (9 or 10 digits) or milliseconds (12 or 13 digits).

Everything else is NULL, and counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from lambdas.core.dataset import ColumnType
from lambdas.core.sql.names import literal

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = "[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?"
_WITH_OFFSET = f"^{_DAY}[T ]{_CLOCK} ?(Z|[+-][0-9]{{2}}:?[0-9]{{2}})$"
_WITHOUT_OFFSET = f"^{_DAY}([T ]{_CLOCK})?$"
_SECONDS = "^[0-9]{9,10}$"
_MILLISECONDS = "^[0-9]{12,13}$"


def try_instant(text: str, zone: str | None) -> str:
    """A TIMESTAMP_TZ from a VARCHAR expression, or NULL.

    `zone` is the IANA zone of times that carry no offset; without it they are NULL.
    """
    branches = {
        _WITH_OFFSET: "TRY_CAST({} AS TIMESTAMP_TZ)",
        _SECONDS: "TO_TIMESTAMP_TZ(TO_NUMBER({}, 38, 0), 0)",
        _MILLISECONDS: "TO_TIMESTAMP_TZ(TO_NUMBER({}, 38, 0), 3)",
    }
    if zone is not None:
        branches[_WITHOUT_OFFSET] = _in_zone(zone)
    casts = [
        cast.format(f"REGEXP_SUBSTR({text}, {literal(pattern)})")
        for pattern, cast in branches.items()
    ]
    # NVL takes two: the first pattern that matches wins, and no two can
    return reduce(lambda rest, cast: f"NVL({cast}, {rest})", reversed(casts))


def _in_zone(zone: str) -> str:
    # CONVERT_TIMEZONE of three arguments takes and gives TIMESTAMP_NTZ; only a text
    # with an offset becomes TIMESTAMP_TZ without the session's zone.
    in_utc = (
        f"CONVERT_TIMEZONE({literal(zone)}, 'UTC', TRY_CAST({{}} AS TIMESTAMP_NTZ))"
    )
    return (
        f"TRY_CAST(TO_VARCHAR({in_utc}, 'YYYY-MM-DD\"T\"HH24:MI:SS.FF6') || 'Z' "
        "AS TIMESTAMP_TZ)"
    )


def try_column(
    text: str, variant: str, column_type: ColumnType, zone: str | None
) -> str:
    """The typed expression of a declared column, in a view.

    `text` is the value as VARCHAR, `variant` as it is.
    """
    if column_type == "timestamp":
        return try_instant(text, zone)
    return _TYPED[column_type].format(text=text, variant=variant)


_TYPED: Mapping[ColumnType, str] = {
    "string": "{text}",
    "number": "TRY_TO_DOUBLE({text})",
    # 1.5 is no integer, and would be made 2
    "integer": "IFF(TRY_TO_DOUBLE({text}) = TRUNC(TRY_TO_DOUBLE({text})), "
    "TRY_TO_NUMBER({text}, 38, 0), NULL)",
    "boolean": "TRY_TO_BOOLEAN({text})",
    "timestamp_ntz": "TRY_CAST({text} AS TIMESTAMP_NTZ)",
    "date": "TRY_CAST({text} AS DATE)",
    "time": "TRY_CAST({text} AS TIME)",
    "binary": "TRY_TO_BINARY({text}, 'BASE64')",
    "variant": "{variant}",
}
