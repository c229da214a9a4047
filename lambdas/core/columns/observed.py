"""What the columns of a dataset have been seen to be, and what of that is news.

The top-level names of the records that landed, each with a type that holds all values
looked at: an integer may become a number, a number a string, and whatever else is mixed
a variant. A type is never narrowed, so that the same columns come out in whatever order
they are put together (`merged`).

What is here is data: names are bounded in number and length, and quoted wherever they
stand in SQL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import msgspec

ObservedType: TypeAlias = Literal[
    "null", "boolean", "integer", "number", "string", "variant"
]
Change: TypeAlias = Literal["new_column", "missing_column", "changed_type"]

MAX_COLUMNS = 1_000
MAX_NAME = 255
"""Characters of an identifier (Snowflake: "Identifier requirements")."""
MAX_BYTES = 60_000
"""Of all names together, which may be escaped to twice as many: they stand in an item
of DynamoDB, which ends at 400 KB and holds a cursor's edges beside them, and in an
event, which ends at 256 KB."""
MAX_REFUSED = 100
"""Columns refused by the contract that are remembered as told."""

_WIDER: tuple[ObservedType, ...] = ("integer", "number", "string")
_FIRST_BYTES: Mapping[int, ObservedType] = {
    ord('"'): "string", ord("{"): "variant", ord("["): "variant",
    ord("t"): "boolean", ord("f"): "boolean", ord("n"): "null",
}  # fmt: skip
_DIGITS = 38


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The columns seen so far, in the order in which they came, and what was told.

    `missing` were told to be gone and have not come back, `sparse` came back, so that
    they are not told of again. `misfits` are columns that were told to hold values of
    another type, with the type they should have; `refused` are those that the contract
    kept out, and that were told of: both as `mark_of` their names.
    """

    columns: Mapping[str, ObservedType] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    sparse: tuple[str, ...] = ()
    misfits: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


NOTHING_OBSERVED = Observed()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One change of a dataset's shape: what was expected of a column, what came."""

    change: Change
    column: str
    expected: str | None = None
    found: str | None = None


def mark_of(name: str) -> str:
    """Stands for a name from the data, however long that is, where it was told."""
    return hashlib.blake2b(name.encode(), digest_size=8).hexdigest()


def type_of(raw: bytes | msgspec.Raw) -> ObservedType:
    """The type of one JSON value."""
    known = _FIRST_BYTES.get(memoryview(raw)[0])
    if known is not None:
        return known
    text = bytes(raw)
    if text.isdigit():
        return "integer" if len(text) <= _DIGITS else "number"
    digits = text.strip().removeprefix(b"-")
    if digits[:1].isdigit():
        is_whole = digits.isdigit() and len(digits) <= _DIGITS
        return "integer" if is_whole else "number"
    return _FIRST_BYTES.get(digits[0], "variant")


def widened(one: ObservedType, other: ObservedType) -> ObservedType:
    """The narrowest type that holds both; in either order the same."""
    if other in (one, "null"):
        return one
    if one == "null":
        return other
    if one in _WIDER and other in _WIDER:
        return _WIDER[max(_WIDER.index(one), _WIDER.index(other))]
    return "variant"


def merged(
    one: Mapping[str, ObservedType], other: Mapping[str, ObservedType]
) -> dict[str, ObservedType]:
    """The columns of both, those of `one` first."""
    columns = dict(one)
    for name, kind in other.items():
        columns[name] = widened(columns.get(name, "null"), kind)
    return columns


def observed_to_json(observed: Observed) -> str:
    """As it stands in a state item."""
    return msgspec.json.encode(observed).decode()


def observed_from_json(document: str | bytes) -> Observed:
    """Read what `observed_to_json` wrote; raises msgspec.ValidationError."""
    return msgspec.json.decode(document, type=Observed)
