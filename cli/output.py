"""Times, ages and columns, as a person reads them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lambdas.adapters.environment import variables
from lambdas.core.text.duration import lasting
from project.fault import printable

if TYPE_CHECKING:
    from lambdas.core.sql.bootstrap import Step

SQL_WIDTH = 88
_COLOURS = {"pass": 32, "warn": 33, "error": 31, "unknown": 35}


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table without lines; text of unknown origin is made printable."""
    cells = [list(head), *[[printable(cell) for cell in row] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    )


def iso(at: datetime | None) -> str | None:
    """For scripts: ISO 8601 in UTC, ending in Z."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def when(at: datetime | None) -> str:
    """For people: to the minute, in UTC; `-` if it is not known."""
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def age(at: datetime | None, now: datetime) -> str:
    """How long ago it was; what lies ahead is 0 s old. `-` if it is not known."""
    return "-" if at is None else lasting(max(0.0, (now - at).total_seconds()))


def percent(share: float | None) -> str:
    """`99.52 %`, cut, not rounded: what was missed once is never 100; or `-`."""
    return "-" if share is None else f"{int(share * 10_000) / 100:.2f} %"


def coloured(text: str, state: str) -> str:
    """The text in the colour of a state, on a terminal that has not asked for none."""
    if not sys.stdout.isatty() or variables().get("NO_COLOR"):
        return text
    return f"\x1b[{_COLOURS.get(state, 0)}m{text}\x1b[0m"


def sql_script(first: Iterable[str], steps: Iterable[Step], last: Iterable[str]) -> str:
    """Statements for a person to read and to run, each step with its reason."""
    parts = [
        _comments(first),
        *(
            [*_comments([step.why]), *(f"{text};" for text in step.statements)]
            for step in steps
        ),
        _comments(last),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _comments(sentences: Iterable[str]) -> list[str]:
    return [
        line
        for sentence in sentences
        for line in textwrap.wrap(
            sentence,
            width=SQL_WIDTH,
            initial_indent="-- ",
            subsequent_indent="-- ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
