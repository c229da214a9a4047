"""What people are told of a model that is late, and its inputs are not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from lambdas.core.dataset import Dataset, Freshness
from lambdas.core.diagnosis.assessment import State
from lambdas.core.diagnosis.causes.phrases import at
from lambdas.core.diagnosis.causes.rule import Audience, Stage
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.text.duration import lasting

INPUT_TOO_OLD = "input_too_old"
DYNAMIC_TABLE_STOPPED = "dynamic_table_stopped"
WORDS: Mapping[str, str] = {
    DYNAMIC_TABLE_STOPPED: "A table that is computed from others is not updated any "
    "more.",
    INPUT_TOO_OLD: "A table that it is made from is updated less often than this one "
    "is promised to be.",
}
"""Causes of a model's own, for people who use the data."""


def model_verdict(
    model: str,
    state: State,
    *,
    oldest: Dataset,
    newest_at: datetime,
    promise: Freshness,
    now: datetime,
) -> Verdict:
    """The verdict on a model by its own promise. `oldest` is the input that holds it
    back, up to `newest_at`, and is on time itself.
    """
    old = lasting((now - newest_at).total_seconds())
    if not state.late:
        headline = f"{model} is on time: {old} old"
        return Verdict(dataset=model, state=state, headline=headline)
    pages = promise.page == "warn" or (state is State.ERROR and promise.page == "error")
    is_promised = oldest.freshness.warn_after or oldest.freshness.error_after
    theirs = "is on time by its own promise" if is_promised else "promises nothing"
    return Verdict(
        dataset=model,
        state=state,
        cause=INPUT_TOO_OLD,
        stage=Stage.TABLE,
        page=pages,
        tell=frozenset(Audience),
        headline=f"{model} is {old} old: its input {oldest.name} has nothing newer",
        evidence=(
            f"{oldest.name}: newest {at(newest_at)}; it {theirs}",
            "every other input is as new, or newer",
        ),
        next_step=f"pull {oldest.name} more often (schedule in "
        f"datasets/{oldest.name}.yaml), or promise less in models/{model}.sql",
    )
