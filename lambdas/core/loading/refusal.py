"""Which landed rows Snowflake refuses, as far as that can be told without it.

Its history names one row of a failed file, the first, and VALIDATE_PIPE_LOAD answers
nothing for a pipe whose COPY has a SELECT, as ours have (Snowflake:
"VALIDATE_PIPE_LOAD", usage notes). So the file is read here, by the rules that are
known, and all rows that break one are found at once. A reason never quotes a value: it
is told to people, and what is in a row is not for all of them.
"""

from __future__ import annotations

import json
import math
import re

LARGEST_VARIANT_BYTES = 128 * 1024 * 1024
"""Snowflake: "Size limits for database objects"."""

_NUL = re.compile(r"\\u0000")
_HALF = re.compile(
    r"\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f][0-9a-f]{2})"
    r"|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2}",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`")


class _Refused(Exception):
    """Thrown out of the parser; the text is the reason."""


def why_refused(line: bytes) -> str | None:
    """Why Snowflake will refuse a row, or None if nothing is known against it."""
    if len(line) > LARGEST_VARIANT_BYTES:
        return (
            f"the record is {len(line):,} bytes long; a VARIANT holds "
            f"{LARGEST_VARIANT_BYTES:,}"
        )
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return f"the record is not UTF-8 at byte {error.start}"
    return _wrong_character(text) or _wrong_document(text)


def _wrong_character(text: str) -> str | None:
    if "\\u" not in text:
        return None
    # what stands behind an escaped backslash is no escape
    bare = text.replace("\\\\", "")
    if _NUL.search(bare):
        return "a text contains the character NUL (\\u0000)"
    if _HALF.search(bare):
        return "a text contains half of a surrogate pair (\\ud800 to \\udfff)"
    return None


def _wrong_document(text: str) -> str | None:
    try:
        _DECODE(text)
    except _Refused as refused:
        return str(refused)
    except RecursionError:
        return "the record is nested too deeply"
    except ValueError as error:
        at = error.pos if isinstance(error, json.JSONDecodeError) else None
        where = "" if at is None else f" at character {at}"
        return f"the record is not JSON{where}"
    return None


def without_values(message: str) -> str:
    """A foreign error message on one line, whatever it quotes left out."""
    return " ".join(_QUOTED.sub("…", message).split())[:300]


def _pairs(found: list[tuple[str, object]]) -> None:
    if len({name for name, _ in found}) != len(found):
        raise _Refused("an object has the same name twice")


def _number(written: str) -> float:
    value = float(written)
    if math.isinf(value):
        raise _Refused("a number is beyond what a DOUBLE holds (1.8e308)")
    return value


def _constant(name: str) -> float:
    raise _Refused(f"{name} is not JSON")


_DECODE = json.JSONDecoder(
    object_pairs_hook=_pairs,
    parse_float=_number,
    parse_int=_number,
    parse_constant=_constant,
).decode
