"""Rows that made a check fail, for engineers: ten of each, and nothing personal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lambdas.core.columns.declared import personal_columns
from lambdas.core.dataset import Dataset
from lambdas.core.quality.comparison import titles
from lambdas.core.quality.plan import Columns, PlannedCheck, relation_name
from lambdas.core.quality.registry import METRICS
from lambdas.core.quality.statements import SAMPLE_COLUMNS, sample_query
from lambdas.core.sql import names
from lambdas.core.sql.views import METADATA

TEXT = 200
"""Characters of a value that are kept."""
_HIDDEN = frozenset({*METADATA, "PAYLOAD"}) - {"_RUN_ID"}


def _personal(dataset: Dataset) -> frozenset[str]:
    """Columns that say something of a person, as the relation names them."""
    return frozenset(
        names.plain(names.identifier(one)) for one in personal_columns(dataset)
    )


def shown_columns(dataset: Dataset, columns: Columns) -> list[str]:
    """The columns that a sample shows, in the order in which they are declared."""
    known = columns.get(relation_name(dataset.name), {})
    declared = [names.plain(names.identifier(one)) for one in dataset.columns or {}]
    hidden = _personal(dataset) | _HIDDEN
    ordered = [*(one for one in declared if one in known), *sorted(known)]
    return [one for one in dict.fromkeys(ordered) if one not in hidden][:SAMPLE_COLUMNS]


def sampled(
    failed: Sequence[PlannedCheck], columns: Columns
) -> tuple[str, list[str]] | None:
    """The statement for the failing checks of one dataset, and the columns that it
    shows; None if there is nothing to show.
    """
    if not failed:
        return None
    shown = shown_columns(failed[0].context.dataset, columns)
    samples = [
        (one.key[1], one.context.relation, condition)
        for one in failed
        if not _is_personal(one) and (condition := _condition(one)) is not None
    ]
    if not samples or not shown:
        return None
    return sample_query(samples, shown), shown


def _condition(one: PlannedCheck) -> str | None:
    check = one.context.check
    if check.metric is None:
        return None
    bad = METRICS[check.metric].bad_rows(one.context)
    only = "" if check.filter is None else f"({check.filter}\n) AND "
    if check.metric == "duplicateValues":
        column = one.context.of_column.sql
        return (
            f"{only}{column} IS NOT NULL "
            f"QUALIFY COUNT(*) OVER (PARTITION BY {column}) > 1"
        )
    return None if bad is None else f"{only}({bad})"


def _is_personal(one: PlannedCheck) -> bool:
    """Whether a sample would give a person away, if only by its condition."""
    personal = _personal(one.context.dataset)
    column, written = one.context.column, one.context.check.filter or ""
    if column is not None and column.name in personal:
        return True
    words = {word.upper() for word in re.findall(r"\w+", written)}
    return not words.isdisjoint(name.upper() for name in personal)


def rows_by_check(
    rows: Sequence[Sequence[object]], columns: Sequence[str]
) -> Mapping[int, list[dict[str, Any]]]:
    """What `sampled` was answered, by the number of the check."""
    found: dict[int, list[dict[str, Any]]] = {}
    for number, *values in rows:
        if isinstance(number, int):
            row = dict(zip(columns, map(_kept, values), strict=True))
            found.setdefault(number, []).append(row)
    return found


def _kept(value: object) -> Any:  # noqa: ANN401 - a value of JSON
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)[:TEXT]


def named_rows(
    found: Mapping[int, Sequence[Mapping[str, Any]]], dataset: Dataset
) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """The rows, by the titles of their checks."""
    named = titles(dataset.quality)
    for number, rows in sorted(found.items()):
        yield named[number], rows
