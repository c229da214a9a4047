"""The rules of a model that neither types nor its SELECT can say."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from datetime import timedelta

from lambdas.core.dataset import Dataset, Materialized, RefreshMode, SqlModel
from lambdas.core.freshness import promise
from lambdas.core.models.graph import refs_of
from lambdas.core.quality.registry import METRICS
from lambdas.core.rules.findings import Finding, location_of, refused
from lambdas.core.rules.quality import check_findings
from lambdas.core.sql.target_lag import parse_target_lag


def table_findings(
    materialized: Materialized,
    target_lag: str | None,
    refresh_mode: RefreshMode | None,
    *,
    at: tuple[str, ...] = (),
) -> Iterator[Finding]:
    """How a relation is made, of a dataset or a model."""
    key = (*at, "target_lag")
    because = ((*at, "materialized"),)
    if materialized == "view" and target_lag is not None:
        yield Finding(
            key=key,
            sentence="a view is always up to date and has no lag; accepted: null, or "
            "`materialized: dynamic_table`",
            because=because,
        )
    if materialized == "view" and refresh_mode is not None:
        yield Finding(
            key=(*at, "refresh_mode"),
            sentence="a view is never refreshed; accepted: null, or "
            "`materialized: dynamic_table`",
            because=because,
        )
    if materialized == "dynamic_table" and target_lag is None:
        yield Finding(
            key=key,
            sentence="is missing, a dynamic table needs it; accepted: how old it may "
            "be, such as `1 hour`, or `downstream`",
            because=because,
        )
    if target_lag is not None:
        yield from refused(key, parse_target_lag, target_lag)


def model_findings(
    model: SqlModel, datasets: Mapping[str, Dataset]
) -> Iterator[Finding]:
    """What is wrong with a model by itself, apart from its SELECT."""
    yield from table_findings(model.materialized, model.target_lag, model.refresh_mode)
    for path, sentence in promise.faults(model.freshness):
        yield Finding(key=location_of(path), sentence=sentence)
    for one in ("loaded_at_field", "probe", "deadline_cron", "tolerance"):
        if getattr(model.freshness, one, None) is not None:
            yield Finding(
                key=("freshness", one),
                sentence="is of datasets, and a model is as new as its oldest input; "
                "accepted: warn_after, error_after, calendar",
            )
    for place, check in enumerate(model.quality):
        at = ("quality", place)
        yield from check_findings(at, check)
        metric = None if check.metric is None else METRICS[check.metric]
        if metric is not None and not metric.may_run_on_runs:
            yield Finding(
                key=(*at, "metric"),
                sentence=f"{metric.name} is about what is pulled, and a model is not; "
                "accepted: a check of its inputs",
            )
        if check.on == "run":
            yield Finding(
                key=(*at, "on"),
                sentence="a model has no runs; accepted: relation",
            )
        other = check.arguments.dataset
        if other is not None and other not in datasets:
            yield Finding(
                key=(*at, "arguments", "dataset"),
                sentence=f"there is no dataset `{other}`; accepted: "
                f"{', '.join(sorted(datasets)[:20])}",
            )


def graph_findings(
    models: Mapping[str, SqlModel], datasets: Mapping[str, Dataset]
) -> Iterator[tuple[str, Finding]]:
    """What Snowflake refuses of dynamic tables on each other, or does in silence."""
    dynamic = {
        name: (model.target_lag, model.refresh_mode)
        for name, model in models.items()
        if model.materialized == "dynamic_table"
    } | {
        name: (one.table.target_lag, one.table.refresh_mode)
        for name, one in datasets.items()
        if one.table.materialized == "dynamic_table"
    }
    on = {
        name: _nearest(name, models, dynamic)
        for name, model in models.items()
        if model.materialized == "dynamic_table"
    }
    # a view that reads it does not have it refreshed
    used = {one for inputs in on.values() for one in inputs}
    for name, inputs in on.items():
        model = models[name]
        if model.target_lag == "downstream" and name not in used:
            yield (
                name,
                Finding(
                    key=("target_lag",),
                    sentence="no dynamic table is made from it, so it would never be "
                    "refreshed; accepted: a lag, such as `1 hour`",
                ),
            )
        for one in inputs:
            yield from _on_another(name, model, one, *dynamic[one])


def _nearest(
    name: str, models: Mapping[str, SqlModel], dynamic: Container[str]
) -> list[str]:
    """The dynamic tables that a model is made from, by way of views too."""
    found: dict[str, None] = {}
    seen = {name}
    left = [name]
    while left:
        model = models.get(left.pop())
        for one in () if model is None else refs_of(model):
            if one in dynamic:
                found[one] = None
            elif one not in seen:
                seen.add(one)
                left.append(one)
    return list(found)


def _on_another(
    name: str, model: SqlModel, one: str, lag: str | None, mode: RefreshMode | None
) -> Iterator[tuple[str, Finding]]:
    mine, theirs = _lag(model.target_lag), _lag(lag)
    if mine is not None and theirs is not None and mine < theirs:
        yield (
            name,
            Finding(
                key=("target_lag",),
                sentence=f"is shorter than that of {one}, which it is made from "
                f"({lag}); accepted: {lag} or longer",
            ),
        )
    if mode == "full" and model.refresh_mode != "full":
        yield (
            name,
            Finding(
                key=("refresh_mode",),
                sentence=f"{one}, which it is made from, is recomputed each time, so "
                f"nothing on it can be incremental; accepted: full",
            ),
        )


def _lag(text: str | None) -> timedelta | None:
    try:
        return None if text is None else parse_target_lag(text)
    except ValueError:
        return None
