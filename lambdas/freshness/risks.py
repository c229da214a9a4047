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
    """Judges what is on time and has a pull that failed, or a problem of its loads."""

    def __init__(self, *, judge: Judge, datasets: Mapping[str, Dataset]) -> None:
        self._judge = judge
        self._datasets = datasets

    def judged(
        self,
        before: CheckState,
        read: Sequence[Judged],
        due: Collection[str],
        now: datetime,
    ) -> list[Judged]:
        """`read`, by their pulls besides, and verdicts on those that are not `due`. One
        that was at risk, and whose pulls cannot be looked at now, is so still: it is
        left out. One that was never checked is due anyway.
        """
        at_risk = {name for name, watch in before.watches.items() if watch.at_risk}
        doubted = {
            one.dataset.name: one
            for one in read
            if one.dataset.name in {*before.failed, *at_risk} and _is_on_time(one)
        }
        unread = {
            name: self._judge.remembered(
                self._datasets[name], before.watches[name], now=now
            )
            for name in sorted({*before.failed, *problems_of(before), *at_risk})
            if name not in due
            and name in self._datasets
            and name in before.watches
            and self._datasets[name].schedule.paused is None
        }
        asked = [*doubted.values(), *unread.values()]
        seen = {one.dataset.name: one for one in self._judge.by_pulls(asked, now=now)}
        left = {name for name in doubted if name in at_risk and name not in seen}
        return [
            *(
                seen.get(one.dataset.name, one)
                for one in read
                if one.dataset.name not in left
            ),
            *(seen[name] for name in unread if name in seen),
        ]


def _is_on_time(one: Judged) -> bool:
    """Whether nothing was found that is wrong with it."""
    is_well = one.verdict.state == "pass" and one.verdict.cause is None
    return is_well and one.awaited_until is None


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
