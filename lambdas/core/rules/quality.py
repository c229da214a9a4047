"""The rules of a quality check that types cannot say."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping

from lambdas.core.dataset import Dataset, QualityCheck
from lambdas.core.quality.comparison import OPERATORS, written
from lambdas.core.quality.metric import Metric
from lambdas.core.quality.registry import METRICS
from lambdas.core.rules.findings import Finding, Location
from lambdas.core.sql import names
from lambdas.core.sql.views import METADATA

_ALL_OPERATORS = ", ".join(operator for operator, _ in OPERATORS.values())
_SELECT = re.compile(r"\s*(--[^\n]*\n\s*)*\(*\s*(select|with)\b", re.IGNORECASE)


def quality_findings(dataset: Dataset) -> Iterator[Finding]:
    """What is wrong with the checks of a dataset beyond their types."""
    if dataset.breaker is not None and not any(
        check.severity == "error" for check in dataset.quality
    ):
        yield Finding(
            key=("circuit_breaker",),
            sentence="there is no check of severity error that a run could fail; "
            "accepted: false, or such a check in `quality`",
            because=(("quality",),),
        )
    seen: dict[str, int] = {}
    for index, check in enumerate(dataset.quality):
        at: Location = ("quality", index)
        yield from check_findings(at, check)
        if check.column is not None:
            yield from _column_findings((*at, "column"), check.column, dataset)
        if check.name is not None and check.name in seen:
            yield Finding(
                key=(*at, "name"),
                sentence=f"is called as quality[{seen[check.name]}] is; accepted: a "
                "name of its own",
            )
        if check.name is not None:
            seen.setdefault(check.name, index)


def match_findings(
    dataset: Dataset, datasets: Mapping[str, Dataset]
) -> Iterator[Finding]:
    """Columns of other datasets that `references` point to, and that are not there."""
    for index, check in enumerate(dataset.quality):
        other = datasets.get(check.arguments.dataset or "")
        column = check.arguments.column or check.column
        if check.metric == "references" and other is not None and column is not None:
            at = ("quality", index, "arguments", "column")
            yield from _column_findings(at, column, other)


def check_findings(at: Location, check: QualityCheck) -> Iterator[Finding]:
    """What is wrong with one check, wherever it stands."""
    here: tuple[Location, ...] = (at,)
    if (check.metric is None) == (check.query is None):
        came = "there is neither" if check.metric is None else "there are both"
        yield Finding(
            key=at,
            sentence=f"needs exactly one of `metric` and `query`, {came}; accepted: "
            "`metric: rowCount`, or `query:` with SQL that gives one number",
            because=here,
        )
    metric = None if check.metric is None else METRICS[check.metric]
    yield from _operator_findings(at, check, metric)
    if metric is not None:
        yield from _metric_findings(at, check, metric)
    if check.query is not None:
        yield from _query_findings((*at, "query"), check.query)
    if check.valid_values is not None and check.metric != "invalidValues":
        yield Finding(
            key=(*at, "validValues"),
            sentence="is not used here; accepted with invalidValues only",
            because=((*at, "metric"),),
        )


def _operator_findings(
    at: Location, check: QualityCheck, metric: Metric | None
) -> Iterator[Finding]:
    named = [OPERATORS[name][0] for name in written(check)]
    at_least = 1 if metric is None or metric.needs_operator else 0
    if not at_least <= len(named) <= 1:
        came = f"there are {', '.join(named)}" if named else "there is none"
        yield Finding(
            key=at,
            sentence=f"needs exactly one comparison, {came}; "
            f"accepted: {_ALL_OPERATORS}",
            because=(at,),
        )
    for name in ("must_be_between", "must_not_be_between"):
        limits = getattr(check, name)
        if limits is not None and limits[0] > limits[1]:
            yield Finding(
                key=(*at, OPERATORS[name][0]),
                sentence="the first number is greater than the second; accepted: "
                "[least, greatest]",
            )


def _metric_findings(
    at: Location, check: QualityCheck, metric: Metric
) -> Iterator[Finding]:
    because: tuple[Location, ...] = ((*at, "metric"),)
    if metric.needs_column and check.column is None:
        yield Finding(
            key=(*at, "column"),
            sentence=f"is missing, {metric.name} needs it; accepted: a column",
            because=because,
        )
    if not metric.needs_column and check.column is not None:
        of_columns = ", ".join(n for n, one in METRICS.items() if one.needs_column)
        yield Finding(
            key=(*at, "column"),
            sentence=f"{metric.name} has no column; accepted with {of_columns} only",
            because=because,
        )
    if check.unit == "percent" and not metric.has_percent:
        yield Finding(
            key=(*at, "unit"),
            sentence=f"{metric.name} is no share of rows; accepted: rows",
            because=because,
        )
    if not metric.may_run_on_runs:
        if check.on == "run":
            yield Finding(
                key=(*at, "on"),
                sentence=f"{metric.name} is about all rows; accepted: relation",
                because=because,
            )
        if check.filter is not None and metric.name != "volume":
            yield Finding(
                key=(*at, "filter"),
                sentence=f"{metric.name} reads no rows; accepted: no filter",
                because=because,
            )
    yield from _argument_findings(at, check, metric)


def _argument_findings(
    at: Location, check: QualityCheck, metric: Metric
) -> Iterator[Finding]:
    key: Location = (*at, "arguments")
    because: tuple[Location, ...] = ((*at, "metric"),)
    fields = type(check.arguments).model_fields
    given = {
        str(field.alias or name): getattr(check.arguments, name)
        for name, field in fields.items()
        if getattr(check.arguments, name) is not None
    }
    taken = ", ".join(metric.arguments) or "none"
    for name in given.keys() - metric.arguments.keys():
        yield Finding(
            key=(*key, name),
            sentence=f"{metric.name} does not take it; accepted: {taken}",
            because=because,
        )
    for name, is_needed in metric.arguments.items():
        if is_needed and name not in given:
            yield Finding(
                key=(*key, name),
                sentence=f"is missing, {metric.name} needs it; accepted: "
                "the name of a dataset",
                because=because,
            )
    if metric.name == "invalidValues":
        yield from _validity_findings(at, check, given)
    pattern = check.arguments.pattern
    if pattern is not None:
        yield from _pattern_findings((*key, "pattern"), pattern)


def _validity_findings(
    at: Location, check: QualityCheck, given: dict[str, object]
) -> Iterator[Finding]:
    because: tuple[Location, ...] = ((*at, "metric"), (*at, "arguments"))
    if check.valid_values is None and not given:
        yield Finding(
            key=(*at, "validValues"),
            sentence="is missing, invalidValues needs it, or `arguments` with "
            "validValues, pattern, min or max; accepted: a list of values",
            because=because,
        )
    if check.valid_values is not None and "validValues" in given:
        yield Finding(
            key=(*at, "validValues"),
            sentence="is in `arguments`, too; accepted: one of the two",
            because=because,
        )


def _pattern_findings(at: Location, pattern: str) -> Iterator[Finding]:
    try:
        re.compile(pattern)
    except re.error as error:
        yield Finding(
            key=at,
            sentence=f"is no regular expression ({error}); accepted: such as "
            "`^[A-Z]{3}$`",
        )
        return
    if "(?" in pattern:
        yield Finding(
            key=at,
            sentence="has `(?`, which Snowflake does not know; accepted: POSIX "
            "regular expressions, such as `^[A-Z]{3}$`",
        )


def _query_findings(at: Location, query: str) -> Iterator[Finding]:
    if _SELECT.match(query) is None:
        yield Finding(
            key=at,
            sentence="is no query; accepted: a SELECT that gives one number, such as "
            "`select count(*) from {table} where price < 0`",
        )


def _column_findings(at: Location, column: str, dataset: Dataset) -> Iterator[Finding]:
    """Where the columns are declared, the relation has no others."""
    if not dataset.columns:
        return
    known = {
        names.plain(names.identifier(one)): one for one in dataset.columns if one
    } | {one: one for one in METADATA}
    wanted = names.plain(names.identifier(column)) if column else column
    if wanted in known:
        return
    near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.6)
    hint = f" (the nearest is `{known[near[0]]}`)" if near else ""
    yield Finding(
        key=at,
        sentence=f"there is no column `{column}`{hint}; accepted: "
        f"{', '.join([*dataset.columns][:20])}",
        because=(("columns",),),
    )
