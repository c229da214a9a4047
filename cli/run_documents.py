"""Runs as documents for scripts, whichever command prints them."""

from __future__ import annotations

from cli.output import iso
from lambdas.core.pull.engine import PullResult
from lambdas.core.pull.run import Run, RunStatus

_STATUS = {RunStatus.LANDED: "succeeded", RunStatus.VOIDED: "failed"}


def status_of(run: Run) -> str:
    """In the words of `pull`; a run that is under way has its own."""
    return _STATUS.get(run.status, run.status.value)


def run_document(result: PullResult) -> dict[str, object]:
    """What `pull --json` prints. A run that is not landed has failed."""
    run = result.run
    return {
        "dataset": run.dataset,
        **kept_run(run),
        "status": "succeeded" if run.status is RunStatus.LANDED else "failed",
        "objects": [
            {"key": item.key, "rows": item.rows, "bytes": item.size}
            for item in result.objects
        ],
        "warnings": list(result.warnings),
    }


def kept_run(run: Run) -> dict[str, object]:
    """A run as the state keeps it: objects as a count."""
    return {
        "run_id": run.run_id,
        "status": status_of(run),
        "rows": run.rows,
        "bytes": run.size,
        "objects": run.objects,
        "pages": run.pages,
        "requests": run.requests,
        "retries": run.retries,
        "cursor_before": run.cursor_before,
        "cursor_after": run.cursor_after,
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "error": {"kind": run.error.kind.value, "message": run.error.message}
        if run.error
        else None,
        "warnings": list(run.warnings),
    }
