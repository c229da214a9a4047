"""Datasets that are on time and known to be broken: told before they are late.

Their tables are not read: what is remembered of them is as good until they can be late.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from lambdas.adapters.signals.judge import Judge, Judged
from lambdas.core.dataset import Dataset
from lambdas.core.incidents.ports import CheckState
from lambdas.core.incidents.verdicts.repairs import problem_verdict
from lambdas.core.loading.repair import Problem


class Risks:
    """Judges what is not due and has a pull that failed, or a problem of its loads."""

    def __init__(self, *, judge: Judge, datasets: Mapping[str, Dataset]) -> None:
        self._judge = judge
        self._datasets = datasets

    def judged(
        self, before: CheckState, due: Collection[str], now: datetime
    ) -> list[Judged]:
        """Verdicts on them. One that was never checked is due anyway."""
        at_risk = {name for name, watch in before.watches.items() if watch.at_risk}
        names = sorted({*before.failed, *problems_of(before), *at_risk} - {*due})
        watched = [
            (self._datasets[name], before.watches[name])
            for name in names
            if name in self._datasets
            and name in before.watches
            and self._datasets[name].schedule.paused is None
        ]
        return self._judge.at_risk(watched, now=now)


def problems_of(before: CheckState) -> Mapping[str, Problem]:
    """What stands in the way of a dataset's loads, the first of each."""
    return {
        one.dataset: one for one in reversed(before.problems) if one.dataset is not None
    }


def with_problems(
    judged: Sequence[Judged], problems: Mapping[str, Problem]
) -> list[Judged]:
    """A dataset that is on time has a problem of its loads all the same."""
    return [
        dataclasses.replace(
            item,
            verdict=problem_verdict(
                problems[item.dataset.name], late_at=item.signals.policy.late_at
            ),
        )
        if item.dataset.name in problems
        and item.verdict.state == "pass"
        and item.verdict.cause is None
        and item.awaited_until is None
        else item
        for item in judged
    ]


def recovered(judged: Sequence[Judged]) -> list[str]:
    """Datasets that were pulled since their pull failed."""
    return [
        item.dataset.name
        for item in judged
        if item.signals.pull.last_run.status == "succeeded"
    ]
