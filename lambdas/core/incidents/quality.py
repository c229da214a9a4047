"""What people are told of checks that fail: one incident a dataset, each listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lambdas.core.dataset import Freshness
from lambdas.core.diagnosis.assessment import State
from lambdas.core.diagnosis.causes.rule import Audience, Stage
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.quality.result import QualityResult

CHECKS_FAILED = "checks_failed"
CHECKS_WARN = "checks_warn"
WORDS: Mapping[str, str] = {
    CHECKS_FAILED: "Some of its rows are not as they should be.",
    CHECKS_WARN: "Some of its rows are unusual.",
}
"""The causes of an incident of this kind, for people who use the data."""
LISTED = 20
"""Failing checks that are spelled out; the rest is counted."""
_HELD = 5
HELD_BACK = "held back, and not shown"


def quality_verdict(
    dataset: str,
    failing: Sequence[QualityResult],
    *,
    promise: Freshness,
    environment: str | None,
    file: str,
    held: Sequence[str] = (),
) -> Verdict:
    """One verdict on all checks of a dataset; without failing ones, that all is well.

    It says nothing of how fresh the data are.
    """
    errors = [one for one in failing if one.severity == "error"]
    ranked = [*errors, *(one for one in failing if one.severity != "error")]
    if not ranked:
        return Verdict(
            dataset=dataset,
            state=State.PASS,
            headline=f"{dataset}: all its checks pass",
        )
    cause = CHECKS_FAILED if errors else CHECKS_WARN
    pages = promise.page == "warn" or (bool(errors) and promise.page == "error")
    tell = {Audience.ENGINEERS, *([Audience.STAKEHOLDERS] if errors else ())}
    more = len(ranked) - 1
    rest = f"; {more} more fail{'s' if more == 1 else ''}" if more else ""
    where = f" --env {environment}" if environment else ""
    shown_by_hand = (
        f"; `catflap incident {dataset} --release {held[-1]}{where}` shows the run "
        "anyway"
        if held
        else ""
    )
    back = (f"{HELD_BACK}: run {', '.join(held[-_HELD:])}",) if held else ()
    return Verdict(
        dataset=dataset,
        state=State.PASS,
        cause=cause,
        stage=Stage.TABLE,
        headline=f"{dataset}: {ranked[0].sentence}{rest}",
        page=pages,
        tell=frozenset(tell),
        evidence=tuple(_line(one) for one in ranked[:LISTED])
        + ((f"… and {len(ranked) - LISTED} more",) if len(ranked) > LISTED else ())
        + back,
        next_step=f"see the rows with `catflap checks {dataset}{where}`; correct them "
        "at the source and pull them again, or correct the check in "
        f"{file}{shown_by_hand}",
    )


def _line(one: QualityResult) -> str:
    by = f", since run {one.since_run}" if one.since_run else ""
    mild = "" if one.severity == "error" else " (a warning)"
    return f"{one.sentence}{by}{mild}"
