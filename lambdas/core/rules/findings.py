"""What a rule finds wrong in what a person wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from lambdas.core.text.number import whole_number

Location: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of a file."""


def location_of(path: str) -> Location:
    """`("columns", "id", 0)` of `columns.id.0`."""
    parts = ((one, whole_number(one)) for one in path.split("."))
    return tuple(one if number is None else number for one, number in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`sentence` says what is wrong with `key`, and after a semicolon what is accepted.

    `because` are other keys the finding follows from: while one of them is faulty
    itself, it may not hold.
    """

    key: Location
    sentence: str
    because: tuple[Location, ...] = ()


def refused(
    key: Location, check: Callable[[str], object], text: str
) -> Iterator[Finding]:
    """The sentence of `check`'s ValueError, if it raises one."""
    try:
        check(text)
    except ValueError as error:
        yield Finding(key=key, sentence=str(error))
