"""What cursor values compare by: a time, a date, a number, or a text if that is
declared. What has no known order is refused, since a guess loses rows.

=========== ================================================== ======================
kind        values                                             declared by
=========== ================================================== ======================
time        ISO 8601 in all its forms; other forms by          `cursor_type: time`,
            `cursor_format`                                    `cursor_format`
date        ISO 8601 without a time of day                     as above
number      numbers, and texts of digits ("99" < "100")        `cursor_type: number`
text        any text, by its code points                       `cursor_type: text`
=========== ================================================== ======================
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from math import ceil, isfinite
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

from lambdas.core.cursor.time_pattern import TimePattern
from lambdas.core.dataset import Incremental
from lambdas.core.errors import BadInput

CursorValue: TypeAlias = str | int | float
Kind: TypeAlias = Literal["time", "date", "number", "text"]

SortKey: TypeAlias = tuple[Kind, Any, int]
"""The kind of a cursor value, its comparable form, and what a time has beyond the
microsecond. Values of two kinds cannot be compared."""

LONGEST_CURSOR = 4_096
"""Characters of a cursor value: it stands in the state, in runs and in requests."""

_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_DATE_FORMS = r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}|[0-9]{4}-?W[0-9]{2}-?[1-7]"
_ORDINAL = r"[0-9]{4}-[0-9]{3}"
_MONTH = r"[0-9]{4}-[0-9]{2}"
_CLOCK = r"[0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:[.,][0-9]+)?)?)?"
_OFFSET = r"[Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?"
_ISO_TIME = re.compile(
    rf"(?P<date>{_DATE_FORMS}|{_ORDINAL})[Tt ](?P<clock>{_CLOCK})"
    rf" ?(?:(?P<offset>{_OFFSET})(?:\[[A-Za-z0-9_+/-]+\])?)?"
)
_ISO_DATE = re.compile(rf"{_DATE_FORMS}|{_ORDINAL}|{_MONTH}")
_FAR_YEAR = re.compile(r"[+-]?[0-9]{5,}-[0-9]{2}-[0-9]{2}(?:[Tt ].*)?")
_BEYOND_MICROSECONDS = 6, 24
_USUAL_LENGTH = 48
_DATE_LENGTH = len("2013-01-01")
_EPOCH_DIGITS = {9: "%s", 10: "%s", 12: "%Q", 13: "%Q"}
"""Counts since 1970 as the warehouse reads them: seconds, or milliseconds."""

_FAMILIAR = tuple(
    map(
        TimePattern,
        (
            "%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S %Z",
            "%a %b %d %H:%M:%S %z %Y", "/Date(%Q)/", "/Date(%Q%z)/",
            "%d-%m-%Y %H:%M:%S", "%m-%d-%Y %H:%M:%S", "%d-%m-%Y", "%m-%d-%Y",
            "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p",
            "%d/%m/%Y", "%m/%d/%Y", "%m/%d/%y", "%d/%m/%y", "%Y/%m/%d %H:%M:%S",
            "%Y/%m/%d", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y", "%d %b %Y", "%b %d, %Y",
            "%d %B %Y", "%B %d, %Y",
        ),
    )
)  # fmt: skip
"""Patterns that a person is told of when a value is so written."""


@dataclass(frozen=True, slots=True)
class CursorOrder:
    """How one cursor's values are read and compared; `key` raises ValueError."""

    type: Literal["time", "number", "text"] | None = None
    patterns: tuple[TimePattern, ...] = ()
    timezone: str | None = None

    @classmethod
    def of(cls, incremental: Incremental | None) -> CursorOrder:
        """The order of a declared cursor; without one, of ISO times and numbers."""
        if incremental is None:
            return cls()
        written = incremental.cursor_format
        texts = (written,) if isinstance(written, str) else written or ()
        return cls(
            type=incremental.cursor_type,
            patterns=tuple(one for text in texts for one in _patterns_named(text)),
            timezone=incremental.timezone,
        )

    @property
    def zone(self) -> tzinfo:
        """Where times without an offset, and days, are."""
        return ZoneInfo(self.timezone) if self.timezone else UTC

    def key(self, value: object) -> SortKey:
        """What `value` compares by. Raises ValueError."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(  # noqa: TRY004 - one error for every unusable value
                f"{shown(value)} is not a cursor value; accepted: a number or a text"
            )
        if isinstance(value, str):
            return _text_key(value, self)
        if self.type == "text":
            raise ValueError(
                f"{shown(value)} is a number, and `cursor_type` says text; accepted: a "
                "text"
            )
        if self.patterns or self.type == "time":
            return _text_key(_digits(value), self)
        return ("number", value, 0)

    def bound_key(self, value: object) -> SortKey:
        """The same for a bound that a person declared or asked for: it may be written
        in ISO 8601 whatever `cursor_format` says of rows. Raises ValueError.
        """
        try:
            return self.key(value)
        except ValueError:
            if not self.patterns or not isinstance(value, str):
                raise
            is_date = self.patterns[0].finest in ("day", "month", "year")
            key = CursorOrder(type="time", timezone=self.timezone).key(value)
            return self.as_date(key) if is_date else self.as_time(key)

    def instant(self, value: CursorValue | None) -> datetime | None:
        """The instant a cursor stands for, a date's being its midnight; None if it is
        no time: a number may be one and says nothing of it. Raises ValueError.
        """
        if value is None:
            return None
        kind, at, _ = self.as_time(self.bound_key(value))
        return at if kind == "time" else None

    def as_time(self, key: SortKey) -> SortKey:
        """A date as the midnight it begins with; all else itself."""
        if key[0] != "date":
            return key
        day: date = key[1]
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        try:
            return ("time", midnight.astimezone(UTC), 0)
        except OverflowError:
            return ("time", midnight.replace(tzinfo=UTC), 0)

    def as_date(self, key: SortKey, *, up: bool = False) -> SortKey:
        """A time as its day, or `up` to the next if past midnight; all else itself."""
        if key[0] != "time":
            return key
        try:
            at: datetime = key[1].astimezone(self.zone)
            is_midnight = at.time() == datetime.min.time() and key[2] == 0
            return ("date", at.date() + timedelta(days=int(up and not is_midnight)), 0)
        except OverflowError:
            return ("date", key[1].date(), 0)

    def moved_back(self, value: CursorValue, lag: float) -> CursorValue:
        """`value` minus `lag`: seconds for times, whole days (rounded up) for dates,
        units for numbers. Written as `value` was: same offset, same precision; a time
        that cannot be any earlier as it is. Raises BadInput, ValueError.
        """
        kind, _, _ = self.key(value)
        patterns = self._patterns_of(value)
        try:
            match kind:
                case "number":
                    return _number_back(value, lag)
                case "time" | "date" if patterns:
                    return _pattern_back(value, lag, patterns)
                case "date":
                    return _date_back(str(value), lag)
                case "time":
                    return _time_back(str(value), lag)
        except OverflowError:
            return value
        raise BadInput(
            f"lag needs a cursor of times or numbers; {shown(value)} is neither"
        )

    def _patterns_of(self, value: CursorValue) -> tuple[TimePattern, ...]:
        if self.patterns or self.type != "time":
            return self.patterns
        return _epochs_of(as_text(value))


def _patterns_named(text: str) -> tuple[TimePattern, ...]:
    """A declared pattern; a count since 1970 may have a fraction."""
    pattern = TimePattern.named(text)
    return (pattern, _FRACTIONAL) if pattern.text == "%s" else (pattern,)


_FRACTIONAL = TimePattern("%s.%f")
_PLAIN = CursorOrder()


def unlike_fractions(values: Iterable[object]) -> tuple[str, str] | None:
    """Two texts of digits of which nobody can say which is the later: `1.10` is less
    than `1.9` as a number, and more as a version. None if fractions of one whole number
    are all of one length.
    """
    seen: dict[str, str] = {}
    for value in values:
        if not isinstance(value, str) or "." not in value:
            continue
        whole, _, fraction = value.partition(".")
        other = seen.setdefault(whole.lstrip("+0"), value)
        if len(other.partition(".")[2]) != len(fraction):
            return other, value
    return None


def shown(value: object) -> str:
    """A value in a sentence, cut to a short line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - a short line


def _text_key(value: str, order: CursorOrder) -> SortKey:
    usual = _usual_time(value, order)
    if usual is not None:
        return usual
    if len(value) > LONGEST_CURSOR:
        raise ValueError(
            f"{shown(value)} is {len(value):,} characters long; accepted: "
            f"{LONGEST_CURSOR:,}"
        )
    if order.patterns:
        return _by_patterns(value, order)
    if order.type == "text":
        return ("text", value, 0)
    if order.type != "time" and _NUMBER.fullmatch(value):
        return ("number", Decimal(value), 0)
    if order.type == "number":
        raise ValueError(
            f"{shown(value)} is not a number, and `cursor_type` says number; accepted: "
            "a number, or a text of digits"
        )
    found = _iso(value)
    if found is None and order.type == "time":
        counted = _first_read(_epochs_of(value), value)
        found = counted[0] if counted else None
    if found is None:
        raise ValueError(_unordered(value, order))
    if not isinstance(found, datetime):
        return ("date", found, 0)
    return _instant_key(value, found, order)


def _usual_time(value: str, order: CursorOrder) -> SortKey | None:
    """Nearly all cursors there are; None, for a closer look, for any other."""
    if value[10:11] != "T" or len(value) > _USUAL_LENGTH or order != _PLAIN:
        return None
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            return None
        return ("time", at.astimezone(UTC), _beyond_microseconds(value))
    except (ValueError, OverflowError):
        return None


def _instant_key(value: str, at: datetime, order: CursorOrder) -> SortKey:
    if at.tzinfo is None:
        if order.timezone is None:
            raise ValueError(
                f"the time {value!r} carries no offset, and no zone is declared; "
                "accepted: an offset, or an IANA zone in incremental.timezone"
            )
        at = at.replace(tzinfo=ZoneInfo(order.timezone))
    try:
        return ("time", at.astimezone(UTC), _beyond_microseconds(value))
    except OverflowError:
        raise ValueError(_not_held(value)) from None


def _by_patterns(value: str, order: CursorOrder) -> SortKey:
    read = _first_read(order.patterns, value)
    if read is None:
        raise ValueError(
            f"{shown(value)} is not written as `cursor_format` says: "
            + " or ".join(f"`{one}`" for one in order.patterns)
            + "; accepted: a list of all patterns that occur"
        )
    at, pattern = read
    if pattern.finest in ("day", "month", "year"):
        return ("date", at.date(), 0)
    return _instant_key(value, at, order)


def _first_read(
    patterns: Sequence[TimePattern], value: str
) -> tuple[datetime, TimePattern] | None:
    """The time, and the first pattern by which it is one."""
    try:
        reads = ((one.read(value), one) for one in patterns)
        return next(((at, one) for at, one in reads if at is not None), None)
    except OverflowError:
        raise ValueError(_not_held(value)) from None


def _epochs_of(value: str) -> tuple[TimePattern, ...]:
    """How a count since 1970 is read where `cursor_type` says that it is a time."""
    whole = value.partition(".")[0].lstrip("+-")
    pattern = _EPOCH_DIGITS.get(len(whole)) if _NUMBER.fullmatch(value) else None
    return () if pattern is None else _patterns_named(pattern)


def _iso(value: str) -> datetime | date | None:
    """The time or date that ISO 8601 reads; None if it is none. Raises ValueError for
    one that no calendar has, or that UTC cannot hold.
    """
    if value[4:5] == "-" and value[10:11] in ("T", " "):
        try:
            return datetime.fromisoformat(value)  # nearly all there are
        except ValueError:
            pass
    elif value[4:5] == "-" and len(value) == _DATE_LENGTH:
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    match = _ISO_TIME.fullmatch(value)
    if match is None and not _ISO_DATE.fullmatch(value):
        if _FAR_YEAR.fullmatch(value):
            raise ValueError(_not_held(value))
        return None
    try:
        if match is None:
            return _iso_date(value)
        day = _iso_date(match["date"])
        offset = (match["offset"] or "").upper()
        offset = "+00:00" if offset in ("Z", "UTC", "GMT") else offset
        clock = match["clock"].replace(",", ".")
        return datetime.fromisoformat(f"{day.isoformat()}T{clock}{offset}")
    except ValueError:
        raise ValueError(_not_held(value)) from None


def _iso_date(text: str) -> date:
    if re.fullmatch(_ORDINAL, text):
        first = date(int(text[:4]), 1, 1)
        found = first + timedelta(days=int(text[5:]) - 1)
        if found.year != first.year:
            raise ValueError(text)
        return found
    return date.fromisoformat(f"{text}-01" if re.fullmatch(_MONTH, text) else text)


def _not_held(value: str) -> str:
    return (
        f"{shown(value)} is not a time that UTC can hold; accepted: years 1 to 9999, "
        "hours 0 to 23 and seconds 0 to 59"
    )


def _unordered(value: str, order: CursorOrder) -> str:
    """Why `value` is refused, and what to declare."""
    if order.type == "time":
        told = f"{shown(value)} is not an ISO 8601 time, and `cursor_type` says time"
    else:
        told = f"{shown(value)} has no known order"
    likely = [f"`{one}`" for one in _FAMILIAR if _reads(one, value)][:2]
    pattern = f", such as {' or '.join(likely)}" if likely else ""
    return (
        f"{told}; accepted: ISO 8601 times, numbers, another form of time by "
        f"incremental.cursor_format{pattern}, or plain text by "
        "`incremental.cursor_type: text`"
    )


def _reads(pattern: TimePattern, value: str) -> bool:
    try:
        return pattern.read(value) is not None
    except OverflowError:
        return False


def _beyond_microseconds(value: str) -> int:
    """What `datetime` cannot hold of a fraction; 0 for nearly every value."""
    if "." not in value and "," not in value:
        return 0
    _, _, rest = value.replace(",", ".").partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    first, last = _BEYOND_MICROSECONDS
    return int(digits[first:last].ljust(last - first, "0"))


def _digits(value: float) -> str:
    """A number as text without an exponent."""
    if isinstance(value, int):
        return str(value)
    if not isfinite(value):
        raise ValueError(f"{value} is not a number that can be compared")
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def as_text(value: CursorValue) -> str:
    """A cursor value as a request carries it where no `format` is declared."""
    return value if isinstance(value, str) else _digits(value)


def _number_back(value: CursorValue, lag: float) -> CursorValue:
    if isinstance(value, int) and lag == int(lag):
        return value - int(lag)
    if not isinstance(value, str):
        return value - lag
    back = Decimal(int(lag)) if lag == int(lag) else Decimal(str(lag))
    text = f"{Decimal(value) - back:f}"
    return text.zfill(len(value)) if value.startswith("0") else text


def _pattern_back(
    value: CursorValue, lag: float, patterns: Sequence[TimePattern]
) -> CursorValue:
    read = _first_read(patterns, as_text(value))
    if read is None:  # an ISO bound beside a cursor_format
        return _time_back(str(value), lag)
    at, pattern = read
    written = pattern.write(at - timedelta(seconds=lag))
    return written if isinstance(value, str) else int(written)


def _date_back(value: str, lag: float) -> str:
    moved = _iso_date(value) - timedelta(days=ceil(lag / 86400))
    if re.fullmatch(_MONTH, value):
        return moved.isoformat()[:7]
    if re.fullmatch(r"[0-9]{8}", value):
        return f"{moved:%Y%m%d}"
    is_usual = len(value) == _DATE_LENGTH and "W" not in value
    return moved.isoformat() if is_usual else _refuse_lag(value)


def _time_back(value: str, lag: float) -> str:
    if value[10:11] not in ("T", " ") or value[4:5] != "-":
        _refuse_lag(value)
    moved = datetime.fromisoformat(value) - timedelta(seconds=lag)
    text = moved.isoformat(sep=value[10])
    return text.replace("+00:00", "Z") if value.endswith("Z") else text


def _refuse_lag(value: str) -> str:
    raise BadInput(
        f"lag cannot be taken off {shown(value)} as it is written; accepted: a "
        "cursor_format that says how"
    )
