"""Whether a value is of a column's type: whether the type's cast would take it.

The casts are Snowflake's, in `lambdas.core.sql.casts`; this is the same decision on the
record's own bytes, before it lands. Null is of every type. Where Snowflake reads a
format that is not listed here ("Date and time input and output formats"), this is the
stricter of the two: such a record is refused and kept, never lost.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from functools import lru_cache, partial
from math import isfinite
from typing import TypeAlias

import msgspec

from lambdas.core.columns.observed import ObservedType
from lambdas.core.dataset import ColumnType
from lambdas.core.records.json_path import kind_of

Fits: TypeAlias = Callable[[bytes], bool]
"""Whether a JSON value, as its own bytes, is of a type."""

DIGITS = 38
"""Of a NUMBER at most (Snowflake: "Numeric data types")."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?([0-9]+)(?:[.]0*)?")
_NAN = frozenset({"nan", "inf", "-inf", "infinity", "-infinity"})
_BOOLEANS = frozenset(
    {"true", "t", "yes", "y", "on", "1", "false", "f", "no", "n", "off", "0"}
)
"""Snowflake: "TO_BOOLEAN"."""
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = "[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]{1,9})?)?"
_WITH_OFFSET = re.compile(rf"{_DAY}[T ]{_CLOCK} ?(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})")
_WITHOUT_OFFSET = re.compile(rf"{_DAY}(?:[T ]{_CLOCK})?")
_COUNT = re.compile("[0-9]{9,10}|[0-9]{12,13}")
_DIGITS_ONLY = re.compile("-?[0-9]{1,19}")


def fits(column_type: ColumnType, zone: str | None = None) -> Fits | None:
    """What tells whether a value is of this type; None for a type that every value is
    of. `zone` is the declared one of times that carry no offset.
    """
    if column_type in {"string", "variant"}:
        return None  # everything has a text
    if column_type == "timestamp":
        return partial(_is, partial(_is_instant, has_zone=zone is not None))
    if column_type in {"number", "integer"}:
        quick, whole = _QUICK[column_type], _OF_TEXT[column_type]
        return partial(_is_numeric, quick, whole)
    return partial(_is, _OF_TEXT[column_type])


def of_observed(kind: ObservedType) -> Fits | None:
    """The same for a type that was taken from the data."""
    return _OF_OBSERVED.get(kind)


def _is(takes: Callable[[str], bool], raw: bytes) -> bool:
    text = text_of(raw)
    return text is None or takes(text)


def _is_numeric(
    quick: re.Pattern[bytes], takes: Callable[[str], bool], raw: bytes
) -> bool:
    """Nearly every value is a short plain number: that is told without reading it."""
    return quick.fullmatch(raw) is not None or _is(takes, raw)


_QUICK: Mapping[str, re.Pattern[bytes]] = {
    "number": re.compile(rb"-?[0-9]{1,30}(?:\.[0-9]{1,30})?"),
    "integer": re.compile(rb"-?[0-9]{1,38}"),
}


def text_of(raw: bytes) -> str | None:
    """A JSON value as the VARCHAR that a cast is given; None for null."""
    match kind_of(raw):
        case "null":
            return None
        case "string":
            text: str = msgspec.json.decode(raw, type=str)
            return text
        case _:
            return raw.decode().strip()


def _is_number(text: str) -> bool:
    text = text.strip()
    if text.lower() in _NAN:
        return True
    return _NUMBER.fullmatch(text) is not None and isfinite(float(text))


def _is_integer(text: str) -> bool:
    text = text.strip()
    plain = _INTEGER.fullmatch(text)
    if plain is not None:
        return len(plain[1].lstrip("0")) <= DIGITS
    if _NUMBER.fullmatch(text) is None:
        return False
    value = float(text)
    return isfinite(value) and value.is_integer() and abs(value) < 10.0**DIGITS


def _is_boolean(text: str) -> bool:
    return text.strip().lower() in _BOOLEANS


@lru_cache(maxsize=4096)
def _is_instant(text: str, *, has_zone: bool) -> bool:
    if _COUNT.fullmatch(text):
        return True
    if _WITH_OFFSET.fullmatch(text) or (has_zone and _WITHOUT_OFFSET.fullmatch(text)):
        return _is_read(datetime.fromisoformat, text.replace(" Z", "Z"))
    return False


@lru_cache(maxsize=4096)
def _is_local_time(text: str) -> bool:
    if _WITH_OFFSET.fullmatch(text) or _WITHOUT_OFFSET.fullmatch(text):
        return _is_read(datetime.fromisoformat, text.replace(" Z", "Z"))
    return _DIGITS_ONLY.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _is_date(text: str) -> bool:
    if _WITHOUT_OFFSET.fullmatch(text) or _WITH_OFFSET.fullmatch(text):
        return _is_read(date.fromisoformat, text[:10]) and _is_local_time(text)
    return _DIGITS_ONLY.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _is_time(text: str) -> bool:
    return re.fullmatch(_CLOCK, text) is not None and _is_read(time.fromisoformat, text)


def _is_binary(text: str) -> bool:
    try:
        b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_read(read: Callable[[str], object], text: str) -> bool:
    # a space before the offset is read by Snowflake, and not by Python
    head, space, tail = text.rpartition(" ")
    if space and tail[:1] in "+-":
        text = head + tail
    try:
        read(text)
    except ValueError:
        return False
    return True


_OF_TEXT: Mapping[ColumnType, Callable[[str], bool]] = {
    "number": _is_number,
    "integer": _is_integer,
    "boolean": _is_boolean,
    "timestamp_ntz": _is_local_time,
    "date": _is_date,
    "time": _is_time,
    "binary": _is_binary,
}

_OF_OBSERVED: Mapping[ObservedType, Fits | None] = {
    "boolean": fits("boolean"),
    "integer": fits("integer"),
    "number": fits("number"),
}
