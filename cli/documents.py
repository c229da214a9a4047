"""Checks and incidents as documents for scripts, verdicts as texts for people:
whichever command prints them.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from cli.output import when
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.incidents.document import document
from lambdas.core.incidents.incident import Incident
from lambdas.core.quality.result import DatasetChecks, QualityResult, shown
from project.fault import printable


def incident_document(incident: Incident, at: datetime) -> dict[str, object]:
    """For scripts: the contract's document, and all else that is kept of it."""
    kept: dict[str, object] = msgspec.to_builtins(incident)
    is_open = incident.resolved_at is None
    return {**kept, **document(incident, now=at), "open": is_open}


def verdict_as_text(verdict: Verdict) -> str:
    """The verdict for a person: a headline, and what is worth knowing under it."""
    told = sorted(audience.value for audience in verdict.tell)
    labelled = [
        ("cause", _cause(verdict)),
        ("also", ", ".join(verdict.also)),
        ("next", verdict.next_step),
        ("tell", ", ".join(told) + (" (page)" if verdict.page else "")),
        ("due", _expected(verdict)),
    ]
    lines = [f"{verdict.state.value.upper():<8}{verdict.headline}"]
    lines += [f"        - {sentence}" for sentence in verdict.evidence]
    lines += [f"  {label:<6}{value}" for label, value in labelled if value]
    return "\n".join(map(printable, lines)) + "\n"


def _cause(verdict: Verdict) -> str:
    if verdict.cause is None:
        return ""
    where = "" if verdict.stage is None else f" ({verdict.stage.value})"
    return f"{verdict.cause}{where}: docs/runbooks/{verdict.cause}.md"


def _expected(verdict: Verdict) -> str:
    """When the data come; where nobody knows, when we ask again."""
    if verdict.eta is not None:
        return f"expected at {when(verdict.eta)}"
    if verdict.next_look is not None:
        return f"not known yet; we ask again at {when(verdict.next_look)}"
    if verdict.late_at is not None:
        return f"late at {when(verdict.late_at)} if nothing comes"
    return "not known yet" if verdict.state.late else ""


def check_document(checks: DatasetChecks, one: QualityResult) -> dict[str, object]:
    """A check as `try --json` has it."""
    return {
        "dataset": checks.dataset,
        "check": one.check,
        "metric": one.metric,
        "column": one.column,
        "severity": one.severity,
        "state": one.state,
        "value": one.value,
        "must": one.must,
        "sample": [dict(row) for row in checks.samples.get(one.check, ())],
    }


def check_as_line(one: QualityResult) -> str:
    """A check in a line: `price_nullValues: fail, 3 (must be 0)`."""
    if one.state == "error":
        return f"{one.check}: unknown: {one.reason}"
    named = f" {one.reason}" if one.reason else ""
    return f"{one.check}: {one.state}, {shown(one.value)}{named} (must be {one.must})"
