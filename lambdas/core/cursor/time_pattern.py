"""How a time is written: a strptime pattern, with `%s` and `%Q` for counts since 1970.

`cursor_format` reads times by it, `format` writes them. A pattern has a finest part,
and a time that falls within it is rounded: a window that is asked for in whole days
begins with its first day and ends with the day after its last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal, TypeAlias

Unit: TypeAlias = Literal[
    "year", "month", "week", "day", "hour", "minute", "second", "millisecond",
    "microsecond",
]  # fmt: skip
_UNITS: tuple[Unit, ...] = (
    "year", "month", "week", "day", "hour", "minute", "second", "millisecond",
    "microsecond",
)  # fmt: skip

EPOCHS = {"epoch": "%s", "epoch_ms": "%Q"}
"""What `format` and `cursor_format` call the counts since 1970 by."""

_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_PARTS: dict[str, tuple[Unit, ...]] = {
    "Y": ("year",), "y": ("year",), "G": ("year",),
    "m": ("month",), "b": ("month",), "B": ("month",),
    "V": ("week",), "U": ("week",), "W": ("week",),
    "d": ("day",), "j": ("month", "day"),
    "a": (), "A": (), "u": (), "w": (), "p": (), "z": (), "Z": (), "%": (),
    "H": ("hour",), "I": ("hour",), "M": ("minute",), "S": ("second",),
    "f": ("microsecond",),
    "x": ("year", "month", "day"), "X": ("hour", "minute", "second"),
    "c": ("year", "month", "day", "hour", "minute", "second"),
    "s": ("second",), "Q": ("millisecond",),
}  # fmt: skip
_WEEKDAYS, _COUNTS = frozenset("aAuw"), frozenset("sQ")
_COUNTED = {
    "s": r"(?P<s>[+-]?[0-9]{1,14})", "Q": r"(?P<Q>[+-]?[0-9]{1,17})",
    "f": r"(?P<f>[0-9]{1,6})[0-9]{0,3}", "z": r"(?:[+-][0-9]{2}:?[0-9]{2}|Z)", "%": "%",
}  # fmt: skip
_UTC_NAME = re.compile(r"\b(?:UTC|GMT|UT|Z)\b")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS: dict[Unit, timedelta] = {
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
    "millisecond": timedelta(milliseconds=1),
    "microsecond": timedelta(microseconds=1),
}


@dataclass(frozen=True, slots=True)
class TimePattern:
    """One way to write times. Faulty ones are told by `fault`, and read nothing."""

    text: str

    @classmethod
    def named(cls, text: str) -> TimePattern:
        """The pattern that a person declared: `epoch`, `epoch_ms`, or itself."""
        return cls(EPOCHS.get(text, text))

    @property
    def directives(self) -> frozenset[str]:
        """The letters after its percent signs."""
        return frozenset(_DIRECTIVE.findall(self.text))

    @property
    def counts(self) -> bool:
        """Whether it is a count since 1970."""
        return bool(self.directives & _COUNTS)

    @property
    def has_offset(self) -> bool:
        """Whether it says an instant by itself, without a zone from elsewhere."""
        return self.counts or bool(self.directives & {"z", "Z"})

    @property
    def units(self) -> frozenset[Unit]:
        """The parts of a time that it has."""
        found = {unit for one in self.directives for unit in _PARTS.get(one, ())}
        if "week" in found and self.directives & _WEEKDAYS:
            found |= {"month", "day"}
        return frozenset(found)

    @property
    def finest(self) -> Unit:
        """The part that times are rounded to when they are written."""
        return max(self.units, key=_UNITS.index)

    def fault(self) -> str | None:
        """Why it writes no time, if so."""
        odd = sorted(self.directives - set(_PARTS))
        if odd:
            return f"`%{odd[0]}` is not a directive of strptime"
        if not self.units:
            return "holds no part of a time"
        if self.counts and self.directives - set(_COUNTED):
            return "a count since 1970 (`%s`, `%Q`) is the whole time"
        return None

    def reading_fault(self) -> str | None:
        """Why times that are so written have no known order, if so."""
        found = self.fault()
        if found is not None or self.counts:
            return found
        units = self.units
        coarsest = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        needed = coarsest[: coarsest.index(self.finest)] if "week" not in units else ()
        missing = [one for one in ("year", *needed) if one not in units]
        if self.finest == "week" or missing:
            lacks = missing[0] if missing else "day"
            return f"does not say the {lacks}, so its times have no order"
        if "I" in self.directives and "p" not in self.directives:
            return "`%I` counts to 12; it needs `%p`"
        return None

    def read(self, text: str) -> datetime | None:
        """The time that `text` is, naive where the pattern has no offset; None if it
        is written otherwise. Raises OverflowError past the years 1 to 9999.
        """
        if self.counts:
            match = _counted(self.text).fullmatch(text)
            return None if match is None else _since_1970(match)
        try:
            found = datetime.strptime(text, self.text)  # noqa: DTZ007 - the caller knows the zone
        except ValueError:
            return None
        if "Z" not in self.directives or found.tzinfo is not None:
            return found
        return found.replace(tzinfo=UTC) if _UTC_NAME.search(text) else None

    def write(self, at: datetime) -> str:
        """`at` so written, in its own zone; what is finer is left out."""
        text = self.text
        if self.counts:
            since = at - _EPOCH
            seconds, rest = divmod(since, timedelta(seconds=1))
            text = text.replace("%s", str(seconds))
            text = text.replace("%Q", str(since // timedelta(milliseconds=1)))
            text = text.replace("%f", f"{rest // timedelta(microseconds=1):06d}")
        # years before 1000 are written without zeros otherwise
        return at.strftime(text.replace("%Y", f"{at.year:04d}"))

    def covering(
        self, at: datetime, *, beyond: bool, zone: tzinfo, up: bool
    ) -> str | None:
        """The bound of a window so written that the window holds all it should: `at`
        rounded down, or `up` if it is an end; `beyond`: it is some nanoseconds later.
        None where no time is left that far up.
        """
        try:
            bound = self._rounded(at.astimezone(zone), beyond=beyond, up=up)
            if not self.has_offset:
                bound = _unambiguous(bound, up=up)
            return self.write(bound)
        except OverflowError:
            return None if up else self.write(at)

    def _rounded(self, at: datetime, *, beyond: bool, up: bool) -> datetime:
        floor = _floor(at, self.finest)
        if not up or (floor == at and not beyond):
            return floor
        step = _STEPS.get(self.finest)
        if step is not None:
            return (floor.astimezone(UTC) + step).astimezone(at.tzinfo)
        days = {"year": 366, "month": 31, "week": 7, "day": 1}[self.finest]
        return _floor(floor + timedelta(days=days), self.finest)

    def __str__(self) -> str:
        """As it was declared."""
        return self.text


@lru_cache(maxsize=256)
def _counted(pattern: str) -> re.Pattern[str]:
    """What reads a count since 1970."""
    parts = re.split(r"%(.)", pattern, flags=re.DOTALL)
    written = [
        re.escape(part) if number % 2 == 0 else _COUNTED.get(part, r"(?!)")
        for number, part in enumerate(parts)
    ]
    return re.compile("".join(written))


def _since_1970(match: re.Match[str]) -> datetime:
    counts = match.groupdict()
    fraction = int((counts.get("f") or "0").ljust(6, "0"))
    if counts.get("Q") is not None:
        return _EPOCH + timedelta(milliseconds=int(counts["Q"]))
    return _EPOCH + timedelta(seconds=int(counts["s"]), microseconds=fraction)


def _floor(at: datetime, unit: Unit) -> datetime:
    """The beginning of the unit that `at` is in, on the wall clock of its zone."""
    if unit == "microsecond":
        return at
    if unit == "millisecond":
        return at.replace(microsecond=at.microsecond // 1000 * 1000)
    if unit == "week":
        return _floor(at - timedelta(days=at.weekday()), "day")
    finer = {"second": 0, "minute": 1, "hour": 2, "day": 3, "month": 4, "year": 5}
    fields = (("microsecond", 0), ("second", 0), ("minute", 0), ("hour", 0),
              ("day", 1), ("month", 1))  # fmt: skip
    return at.replace(**dict(fields[: finer[unit] + 1]))  # type: ignore[arg-type]  # names of ints


def _unambiguous(at: datetime, *, up: bool) -> datetime:
    """`at`, or the nearest time around the hour that clocks show twice."""
    first, second = at.replace(fold=0), at.replace(fold=1)
    shown_twice = (first.utcoffset() or timedelta()) - (
        second.utcoffset() or timedelta()
    )
    if shown_twice <= timedelta():
        return at
    # on the wall clock: the hour before, or the hour after
    return second + shown_twice if up else first - shown_twice
