"""List the newest pulls of a dataset, and where its cursor stands.

Example: catflap runs flights --limit 5
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from cli import options
from cli.deployed.environment import deployed, now
from cli.output import columns, when
from cli.run_documents import kept_run, status_of
from lambdas.core.diagnosis.evidence import with_the_killed
from lambdas.core.pull.run import DatasetState, Run
from lambdas.core.text.duration import lasting
from project.fault import printable
from project.names import declared, refuse_unknown

DONE = 0


def run(
    name: options.Name,
    *,
    limit: options.Limit = 20,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    as_json: options.Json = False,
) -> int:
    """Print up to `limit` runs, the newest first."""
    reached = deployed(environment, environments=environments)
    table = reached.runs()
    at = now()
    with reached.reached():
        state = table.read(name)
        runs = with_the_killed(table.latest_runs(name, limit), now=at)
        if state.version == 0 and not runs:
            watched = reached.incidents().watches()
            refuse_unknown(name, {*watched, *declared(datasets)}, apis=apis)
    print(json.dumps(as_document(state, runs)) if as_json else as_text(state, runs))
    return DONE


def as_document(state: DatasetState, runs: Sequence[Run]) -> dict[str, object]:
    """For scripts: the keys of `pull --json`, objects and refused as counts."""
    return {
        "dataset": state.dataset,
        "cursor": state.cursor.value,
        "committing": state.committing,
        "runs": [{**kept_run(run), "quarantined": run.quarantined} for run in runs],
    }


def as_text(state: DatasetState, runs: Sequence[Run]) -> str:
    """For a person."""
    cursor = (
        "at the beginning" if state.cursor.value is None else str(state.cursor.value)
    )
    lines = [f"{state.dataset}: the cursor is {printable(cursor)}"]
    if state.committing is not None:
        lines.append(f"run {state.committing} is recorded and has not landed yet")
    if not runs:
        return "\n".join([*lines, "no run yet; `catflap status` says when it is due"])
    rows = [
        (
            when(run.started_at),
            status_of(run),
            f"{run.rows:,}",
            f"{run.quarantined:,}",
            f"{run.pages:,}",
            str(run.retries),
            "-"
            if run.finished_at is None
            else lasting((run.finished_at - run.started_at).total_seconds()),
            run.run_id,
        )
        for run in runs
    ]
    head = (
        "started",
        "status",
        "rows",
        "quarantined",
        "pages",
        "retries",
        "took",
        "run",
    )
    lines.append(columns(head, rows))
    failed = next((run for run in runs[:1] if run.error is not None), None)
    if failed is not None and failed.error is not None:
        error = failed.error
        lines.append(
            f"the newest failed: {error.kind.value}: {printable(error.message)}"
        )
    lines += [f"warning: {printable(one)}" for run in runs[:1] for one in run.warnings]
    return "\n".join(lines)
