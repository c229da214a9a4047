"""What a value must be: the eight operators of ODCS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lambdas.core.dataset import QualityCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An operator with its number, or two."""

    operator: str
    words: str
    holds: Callable[[float], bool]
    excess: Callable[[float], float]
    """How far a value is from what it must be; 0 where that has no measure."""


OPERATORS: Mapping[str, tuple[str, str]] = {
    "must_be": ("mustBe", "{0}"),
    "must_not_be": ("mustNotBe", "not {0}"),
    "must_be_greater_than": ("mustBeGreaterThan", "> {0}"),
    "must_be_greater_or_equal_to": ("mustBeGreaterOrEqualTo", ">= {0}"),
    "must_be_less_than": ("mustBeLessThan", "< {0}"),
    "must_be_less_or_equal_to": ("mustBeLessOrEqualTo", "<= {0}"),
    "must_be_between": ("mustBeBetween", "between {0} and {1}"),
    "must_not_be_between": ("mustNotBeBetween", "not between {0} and {1}"),
}
"""Fields of a check, each with its name in YAML and how it is said."""


def titles(checks: Sequence[QualityCheck]) -> list[str]:
    """What each check is called; the second alike without a name ends in `_2`."""
    taken = {one.name for one in checks if one.name is not None}
    found: list[str] = []
    for check in checks:
        title, number = check.title, 1
        while check.name is None and title in taken:
            number += 1
            title = f"{check.title}_{number}"
        taken.add(title)
        found.append(title)
    return found


def written(check: QualityCheck) -> list[str]:
    """The operators that stand in a check, by their fields."""
    return [name for name in OPERATORS if getattr(check, name) is not None]


def comparison_of(check: QualityCheck) -> Comparison | None:
    """The operator of a check. `invalidValues` goes without one: there are none."""
    named = written(check)
    if not named:
        return _made("must_be", (0.0,)) if check.metric == "invalidValues" else None
    limit = getattr(check, named[0])
    return _made(named[0], limit if isinstance(limit, tuple) else (limit,))


def _made(name: str, limits: tuple[float, ...]) -> Comparison:
    operator, words = OPERATORS[name]
    return Comparison(
        operator=operator,
        words=words.format(*map(number, limits)),
        holds=lambda value: _HOLDS[name](value, limits[0], limits[-1]),
        excess=lambda value: _excess(name, value, limits[0], limits[-1]),
    )


_HOLDS: Mapping[str, Callable[[float, float, float], bool]] = {
    "must_be": lambda value, limit, _: value == limit,
    "must_not_be": lambda value, limit, _: value != limit,
    "must_be_greater_than": lambda value, limit, _: value > limit,
    "must_be_greater_or_equal_to": lambda value, limit, _: value >= limit,
    "must_be_less_than": lambda value, limit, _: value < limit,
    "must_be_less_or_equal_to": lambda value, limit, _: value <= limit,
    "must_be_between": lambda value, least, most: least <= value <= most,
    "must_not_be_between": lambda value, least, most: not least <= value <= most,
}


def _excess(name: str, value: float, least: float, most: float) -> float:
    match name:
        case "must_be" | "must_be_between":
            return max(least - value, value - most, 0.0)
        case "must_be_greater_than" | "must_be_greater_or_equal_to":
            return max(least - value, 0.0)
        case "must_be_less_than" | "must_be_less_or_equal_to":
            return max(value - most, 0.0)
        case _:
            return 0.0


def number(value: float) -> str:
    """A number as people write it: `1,000`, `2.5`."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.6g}" if abs(value) < 1 else f"{value:,.4f}".rstrip("0")
