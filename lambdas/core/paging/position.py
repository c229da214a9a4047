"""Where a long pull goes on, and what was read before it.

A paginator's position says which page is next. Whether that page may be the last shows
by what came before: the rows read, the least that each total said, and what told of
more. So a pull that goes on later keeps both: `{"at": POSITION, "before": {…}}`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from pydantic import JsonValue

from lambdas.core.paging.signs import PagesBefore
from lambdas.core.records.documents import bad_response
from lambdas.core.records.envelope import Way
from lambdas.core.records.json_path import answer_steps, path_of

LONGEST_POSITION = 4_096
"""Characters of a position: it stands in the state's item."""

_AT, _BEFORE = "at", "before"
_LONGEST_PATHS = 1_000
_UNKNOWN = PagesBefore(rows=None)


class _Before(msgspec.Struct, omit_defaults=True):
    """`PagesBefore`, with its ways as paths; of too long ones, none."""

    pages: int = 0
    rows: int | None = None
    told: list[str] = []
    led: list[str] = []
    others: list[str] = []
    totals: dict[str, int] = {}


def stored(position: JsonValue, before: PagesBefore) -> JsonValue:
    """What a pull keeps of a place, to go on there; None after the last page."""
    if position is None:
        return None
    # a link may be left out at the end, unless all of its neighbours are gone too
    led, others = _paths(before.led), _paths(before.others)
    kept = _Before(
        pages=before.pages,
        rows=before.rows,
        told=_bounded(_paths(before.told)),
        led=led if _bounded(led + others) else [],
        others=others if _bounded(led + others) else [],
        totals={path: before.totals[path] for path in _bounded(list(before.totals))},
    )
    memory: JsonValue = msgspec.to_builtins(kept)
    return {_AT: position, _BEFORE: memory}


def restored(kept: JsonValue) -> tuple[JsonValue, PagesBefore]:
    """The paginator's position and what was read before it; not known, where only a
    position was kept.
    """
    if not isinstance(kept, dict) or set(kept) != {_AT, _BEFORE}:
        return kept, PagesBefore() if kept is None else _UNKNOWN
    before = msgspec.convert(kept[_BEFORE], _Before)
    return kept[_AT], PagesBefore(
        pages=before.pages,
        rows=before.rows,
        told=_ways(before.told),
        led=_ways(before.led),
        others=_ways(before.others),
        totals=before.totals,
    )


def bare(kept: JsonValue) -> JsonValue:
    """Only where it is, however deep it stands: what was read before differs on the
    second way through a circle.
    """
    if isinstance(kept, dict):
        if set(kept) == {_AT, _BEFORE}:
            return bare(kept[_AT])
        return {name: bare(value) for name, value in kept.items()}
    return kept


def _paths(ways: frozenset[Way]) -> list[str]:
    return sorted(map(path_of, ways))


def _bounded(paths: list[str]) -> list[str]:
    return paths if sum(map(len, paths)) <= _LONGEST_PATHS else []


def _ways(paths: Iterable[str]) -> frozenset[Way]:
    return frozenset(map(answer_steps, paths))


def refuse_too_long(position: JsonValue) -> None:
    """Raise Terminal if a position could not be kept."""
    length = len(msgspec.json.encode(bare(position)))
    if length > LONGEST_POSITION:
        raise bad_response(
            f"the next page's link or cursor is {length:,} characters long; accepted: "
            f"{LONGEST_POSITION:,}, so that a pull can go on there later"
        )
