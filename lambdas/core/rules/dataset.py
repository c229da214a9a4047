"""The rules of a dataset that types cannot say: which keys go together, what a text
must look like.

Pure functions from a model to findings. They are told to a person with a file and a
line by `catflap check`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from lambdas.core.dataset import Api, Dataset
from lambdas.core.errors import BadInput
from lambdas.core.freshness import promise as freshness
from lambdas.core.rules.api import api_findings, path_findings, secret_findings
from lambdas.core.rules.cursor import cursor_findings
from lambdas.core.rules.endpoint import endpoint_findings
from lambdas.core.rules.fan_out import parent_findings
from lambdas.core.rules.findings import Finding, Location, location_of
from lambdas.core.rules.models import table_findings
from lambdas.core.rules.quality import quality_findings
from lambdas.core.schedule import expressions as schedule
from lambdas.core.sql.names import identifier
from lambdas.core.sql.views import METADATA

PYTHON_SOURCE = re.compile(
    r"(sources/(?:[A-Za-z0-9_]+/)*[A-Za-z0-9_]+\.py):([A-Za-z_]\w*)"
)
"""`sources/exports.py:pages`: a file in sources/, and a function in it."""


def dataset_findings(dataset: Dataset) -> list[Finding]:
    """What is wrong with a dataset, and an API in it, beyond the types."""
    return [
        *_source_findings(dataset),
        *parent_findings(dataset),
        *_disposition_findings(dataset),
        *table_findings(
            dataset.table.materialized,
            dataset.table.target_lag,
            dataset.table.refresh_mode,
            at=("table",),
        ),
        *_column_findings(dataset),
        *_dotted(schedule.faults(dataset.schedule)),
        *_dotted(freshness.faults(dataset.freshness)),
        *quality_findings(dataset),
    ]


def reference_findings(dataset: Dataset, datasets: Collection[str]) -> list[Finding]:
    """What is wrong with the datasets that a dataset names; `datasets` are all."""
    wrong = [
        Finding(
            key=("quality", index, "arguments", "dataset"),
            sentence=not_there(check.arguments.dataset, datasets),
        )
        for index, check in enumerate(dataset.quality)
        if check.arguments.dataset is not None
        and check.arguments.dataset not in datasets
    ]
    return [*wrong, *_parent_findings(dataset, datasets)]


def _parent_findings(dataset: Dataset, datasets: Collection[str]) -> list[Finding]:
    parent = dataset.source.parent
    if parent is None:
        return []
    key = ("source", "parent", "dataset")
    if parent.dataset == dataset.name:
        return [
            Finding(
                key=key,
                sentence="a dataset cannot be its own parent; accepted: another one",
            )
        ]
    if parent.dataset not in datasets:
        return [Finding(key=key, sentence=not_there(parent.dataset, datasets))]
    return []


def not_there(name: str, known: Collection[str]) -> str:
    """The sentence for a name that nothing has; the caller adds where to look."""
    listed = ", ".join(sorted(known)[:20])
    return f"there is no `{name}`; accepted: {listed or 'nothing, none is declared'}"


def _dotted(faults: list[tuple[str, str]]) -> Iterator[Finding]:
    """Findings from `a.b.0` paths."""
    for path, sentence in faults:
        yield Finding(key=location_of(path), sentence=sentence)


def _source_findings(dataset: Dataset) -> Iterator[Finding]:
    source = dataset.source
    if (source.endpoint is None) == (source.python is None):
        came = "there is neither" if source.endpoint is None else "there are both"
        yield Finding(
            key=("source",),
            sentence=f"needs exactly one of `endpoint` and `python`, {came}; "
            "accepted: `client` and `endpoint`, or `python`",
            because=(("source", "endpoint"), ("source", "python")),
        )
    if source.endpoint is not None and source.client is None:
        yield Finding(
            key=("source", "client"),
            sentence="is missing; accepted: the name of a file in apis/, or its "
            "mapping in place",
        )
    if isinstance(source.client, Api):
        for found in api_findings(source.client):
            yield Finding(
                key=("source", "client", *found.key),
                sentence=found.sentence,
                because=tuple(("source", "client", *one) for one in found.because),
            )
    if source.endpoint is not None:
        yield from endpoint_findings(dataset, source.endpoint)
    yield from _python_findings(dataset)
    probe = dataset.freshness.probe
    if probe is not None:
        at: Location = ("freshness", "probe")
        yield from path_findings((*at, "path"), probe.path)
        for name, value in probe.params.items():
            yield from secret_findings((*at, "params", name), value)


def _python_findings(dataset: Dataset) -> Iterator[Finding]:
    source = dataset.source
    at: Location = ("source", "python")
    if source.python is not None and PYTHON_SOURCE.fullmatch(source.python) is None:
        yield Finding(
            key=at,
            sentence="is not a generator in sources/; accepted: sources/FILE.py:NAME, "
            "such as sources/exports.py:pages",
        )
    if source.python is None:
        for name in ("options", "incremental"):
            if getattr(source, name):
                yield Finding(
                    key=("source", name),
                    sentence="is for `python`; accepted: what an endpoint needs, in "
                    "`endpoint`",
                    because=(at,),
                )
    else:
        yield from secret_findings(("source", "options"), source.options)
        if source.incremental is not None:
            yield from cursor_findings(
                ("source", "incremental"), source.incremental, dataset
            )


def _disposition_findings(dataset: Dataset) -> Iterator[Finding]:
    if dataset.write_disposition == "merge" and not dataset.primary_key:
        yield Finding(
            key=("primary_key",),
            sentence="`write_disposition: merge` needs a primary_key; accepted: the "
            "paths that identify a row, such as [id]",
            because=(("write_disposition",),),
        )
    incremental = dataset.source.cursor
    if dataset.write_disposition == "replace" and incremental is not None:
        yield Finding(
            key=("source", "endpoint", "incremental"),
            sentence="`write_disposition: replace` shows what one pull brought, so "
            "each has to bring everything; accepted: no incremental, or merge with a "
            "primary_key",
            because=(("write_disposition",),),
        )
    if len(set(dataset.primary_key)) != len(dataset.primary_key):
        yield Finding(
            key=("primary_key",),
            sentence="names a path twice; accepted: each path once",
        )
    if dataset.allow_empty and dataset.write_disposition != "replace":
        yield Finding(
            key=("allow_empty",),
            sentence="is about `write_disposition: replace`, and it is "
            f"{dataset.write_disposition}; accepted: replace, or no allow_empty",
            because=(("write_disposition",),),
        )
    if dataset.deleted_when is not None and dataset.write_disposition != "merge":
        yield Finding(
            key=("deleted_when",),
            sentence="a row can only be deleted with `write_disposition: merge`, and "
            f"it is {dataset.write_disposition}; accepted: null, or merge with a "
            "primary_key",
            because=(("write_disposition",),),
        )


def _column_findings(dataset: Dataset) -> Iterator[Finding]:
    taken = {*METADATA, "PAYLOAD"}
    seen: dict[str, str] = {}
    for name in dataset.columns or {}:
        key = ("columns", name)
        try:
            column = identifier(name)
        except BadInput:
            yield Finding(key=key, sentence="a column needs a name; accepted: any text")
            continue
        if column.strip('"').upper() in taken:
            yield Finding(
                key=key,
                sentence=f"{column} is a column of catflap's own; accepted: another "
                "name, with `path` saying where it is in a record",
            )
        elif column in seen:
            yield Finding(
                key=key,
                sentence=f"is the same column as `{seen[column]}`, since Snowflake "
                "does not tell upper from lower case; accepted: another name, with "
                "`path` saying where it stands in a record",
            )
        seen.setdefault(column, name)
