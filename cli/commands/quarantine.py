"""Count what was refused of a dataset, by reason; --rows prints the records.

Example: catflap quarantine flights; catflap quarantine flights --rows > rows.ndjson
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Annotated, Any

import msgspec
import typer

from cli import options
from cli.deployed.tools import repair_tools
from cli.output import columns
from lambdas.core.loading.replay import QuarantinedRow
from lambdas.core.text.count import counted
from project.fault import printable

DONE = 0


def run(
    name: options.Name,
    *,
    rows: Annotated[
        bool,
        typer.Option("--rows", help="Print records as NDJSON, for `replay --fixed`."),
    ] = False,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, help="Print at most this many rows.")
    ] = 1_000,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    as_json: options.Json = False,
) -> int:
    """Print counts by reason; with `rows` the records themselves as NDJSON, in the
    form that `replay --fixed` takes.
    """
    with repair_tools(
        [name],
        environment=environment,
        environments=environments,
        datasets=datasets,
        apis=apis,
    ) as known:
        dataset = known.catalogue[name]
        if rows:
            waiting_rows = (
                row for row in known.replaying.rows(dataset) if not row.is_replayed
            )
            for row in islice(waiting_rows, limit):
                print(as_line(row))
            return DONE
        reasons: dict[tuple[str, str], list[QuarantinedRow]] = {}
        waiting = replayed = 0
        for row in known.replaying.rows(dataset):
            if row.is_replayed:
                replayed += 1
                continue
            waiting += 1
            key = (row.item.refusal.value, row.item.reason)
            reasons.setdefault(key, []).append(row)
    summary = [
        {
            "refusal": refusal,
            "reason": reason,
            "rows": len(found),
            "samples": [row.name for row in found[:3]],
        }
        for (refusal, reason), found in sorted(
            reasons.items(), key=lambda one: -len(one[1])
        )
    ]
    if as_json:
        document = {"dataset": name, "waiting": waiting, "replayed": replayed}
        print(json.dumps({**document, "reasons": summary}))
    else:
        print(f"{name}: {counted(waiting, 'row')} in quarantine, {replayed} replayed")
        if summary:
            print(_as_table(name, summary))
    return DONE


def as_line(row: QuarantinedRow) -> str:
    """One row as `replay --fixed` takes it: `quarantined` names it, `record` is it."""
    item = row.item
    line = msgspec.json.encode(
        {
            "quarantined": row.name,
            "reason": item.reason,
            "run_id": item.run_id,
            "record": item.record or None,
            "text": item.text,
        }
    )
    return printable(line.decode())


def _as_table(name: str, reasons: Sequence[Mapping[str, Any]]) -> str:
    table = columns(
        ("rows", "refused by", "reason", "such as"),
        [
            (str(one["rows"]), one["refusal"], one["reason"], one["samples"][0])
            for one in reasons
        ],
    )
    return (
        f"{table}\nthe records: `catflap quarantine {name} --rows`; correct them and "
        f"`catflap replay {name} --fixed FILE.ndjson`"
    )
