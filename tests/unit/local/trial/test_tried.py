"""What became of a dataset, in a word."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from lambdas.core.freshness.watch import Watch
from lambdas.core.pull.engine import PullResult
from lambdas.core.pull.run import RunStatus
from local.trial.trial import TriedDataset
from tests.datasets import a_dataset
from tests.pages import a_run

NOW = datetime(2026, 11, 28, 7, tzinfo=UTC)
WATCH = Watch(
    dataset="cats",
    checked_at=NOW,
    promise="p",
    state="pass",
    cause=None,
    next_look_at=None,
    newest_at=NOW,
    newest_loaded_at=NOW,
    row_count=1,
)


@pytest.mark.parametrize(
    ("watch", "state", "at_risk"),
    [
        (WATCH, "pass", False),
        (dataclasses.replace(WATCH, at_risk=True), "pass", True),
        (dataclasses.replace(WATCH, state="error"), "error", False),
        (dataclasses.replace(WATCH, is_promised=False), "no_promise", False),
        (None, "unknown", False),
    ],
)
def test_a_dataset_is_as_its_check_found_it(
    watch: Watch | None, state: str, *, at_risk: bool
) -> None:
    tried = TriedDataset(
        dataset=a_dataset(),
        results=(),
        rows_in_table=0,
        rows_in_relation=0,
        relation=None,
        watch=watch,
    )

    assert (tried.state, tried.is_at_risk) == (state, at_risk)
    assert tried.has_failed  # no run came of it
    assert not tried.is_well


def test_what_is_paused_is_promised_to_nobody_and_has_not_failed() -> None:
    paused = a_dataset(schedule={"cron": "5 * * * ? *", "paused": "moving"})
    tried = TriedDataset(
        dataset=paused,
        results=(),
        rows_in_table=0,
        rows_in_relation=0,
        relation=None,
        watch=WATCH,
    )

    assert tried.state == "no_promise"
    assert tried.is_well


@pytest.mark.parametrize(
    ("watch", "at_risk"),
    [(WATCH, True), (None, True), (dataclasses.replace(WATCH, state="error"), False)],
)
def test_what_is_not_late_is_at_risk_once_its_newest_run_failed(
    watch: Watch | None, *, at_risk: bool
) -> None:
    failed = dataclasses.replace(a_run("cats"), status=RunStatus.FAILED)
    tried = TriedDataset(
        dataset=a_dataset(),
        results=(PullResult(run=failed),),
        rows_in_table=0,
        rows_in_relation=0,
        relation=None,
        watch=watch,
    )

    assert tried.is_at_risk == at_risk
