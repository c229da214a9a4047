"""Show the newest result of each quality check; of one dataset also history and rows.

Exits with 1 if a check fails or could not run.

Example: catflap checks flights --env prod
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from cli.deployed.environment import deployed
from cli.documents import check_document
from cli.options import (
    APIS,
    DATASETS,
    ENVIRONMENTS,
    Apis,
    Datasets,
    Env,
    Environments,
    Json,
    Models,
    models_of,
)
from cli.output import coloured, columns, iso, when
from lambdas.core.quality.result import DatasetChecks, shown
from project.fault import printable
from project.names import declared, refuse_unknown

WELL, NOT_WELL = 0, 1
_WORDS = {"pass": "pass", "fail": "fail", "error": "unknown"}
_COLOURS = {"pass": "pass", "fail": "error", "error": "unknown"}

OptionalName = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="A dataset's name; without, all of them."),
]


def run(
    name: OptionalName = None,
    *,
    environment: Env = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    models: Models = None,
    as_json: Json = False,
) -> int:
    """Print the results; 1 if a check fails or could not run."""
    reached = deployed(environment, environments=environments)
    table = reached.checks()
    with reached.reached():
        names = sorted(table.loads()) if name is None else [name]
        found = [one for each in names if (one := table.results(each)) is not None]
    if name is not None and not found:
        made = [path.stem for path in models_of(datasets, models).glob("*.sql")]
        refuse_unknown(name, [*declared(datasets), *made], apis=apis)
    if as_json:
        print(json.dumps({"checks": list(documents(found))}))
    else:
        print("\n".join(_text(found, is_one=name is not None)))
    is_well = all(one.state == "pass" for checks in found for one in checks.results)
    return WELL if is_well else NOT_WELL


def documents(found: Sequence[DatasetChecks]) -> Iterator[dict[str, object]]:
    """For scripts: one of each check, in their order."""
    for checks in found:
        for one in checks.results:
            yield {
                **check_document(checks, one),
                "run_id": one.run_id,
                "at": iso(one.at),
                "since": iso(one.since),
                "reason": one.reason,
                "history": [
                    {"at": iso(past.at), "state": past.state, "value": past.value}
                    for past in one.history
                ],
            }


def _text(found: Sequence[DatasetChecks], *, is_one: bool) -> Iterator[str]:
    if not any(checks.results for checks in found):
        yield "no quality check has run yet; they run after the next load"
        return
    results = [(checks, one) for checks in found for one in checks.results]
    rows = [
        (
            checks.dataset,
            one.check,
            _WORDS[one.state],
            shown(one.value) if one.state != "error" else "-",
            one.must or "-",
            one.severity,
            when(one.at),
            when(one.since),
        )
        for checks, one in results
    ]
    head = ("dataset", "check", "state", "value", "must be", "severity", "at", "since")
    top, *lines = columns(head, rows).split("\n")
    yield top
    for text, (_, one) in zip(lines, results, strict=True):
        yield coloured(text, _COLOURS[one.state])
    for _, one in results:
        if one.reason:
            yield f"{one.check}: {printable(one.reason)}"
    if is_one:
        yield from _details(found[0])


def _details(checks: DatasetChecks) -> Iterator[str]:
    for one in checks.results:
        past = ", ".join(
            f"{when(each.at)} {_WORDS[each.state]} {shown(each.value)}"
            for each in one.history[-5:]
        )
        yield f"\n{one.check}: {past}"
        rows = checks.samples.get(one.check, ())
        if rows:
            yield _sample(rows)


def _sample(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(rows[0])
    return columns(names, [[str(row.get(name)) for name in names] for row in rows])
