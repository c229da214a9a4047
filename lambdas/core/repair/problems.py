"""What a person has to see to, and what of it stands from one check to the next."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from lambdas.core.errors import CatflapError
from lambdas.core.loading.repair import Problem
from lambdas.core.loading.status import PipeNow
from lambdas.core.repair.case import Case, RepairContext
from lambdas.core.sql import names
from lambdas.core.sql import repair as repairing

LOG = logging.getLogger("catflap.repair")


class Problems:
    """The problems that stand after one check."""

    def __init__(
        self,
        context: RepairContext,
        before: Sequence[Problem],
        *,
        resting: AbstractSet[str],
    ) -> None:
        """Problems of datasets that are not checked this time stand as they are."""
        self._context = context
        self._before = {problem.name: problem for problem in before}
        self._standing: dict[str, Problem] = {}
        for problem in before:
            if problem.dataset in resting:
                self._standing[problem.name] = problem
            elif problem.dataset is None:
                self._keep_notifications(problem)

    @property
    def standing(self) -> list[Problem]:
        """All that stand by now."""
        return list(self._standing.values())

    def stand(self, dataset: str) -> None:
        """What could not be checked stands as it did."""
        for problem in self._before.values():
            if problem.dataset == dataset:
                self._standing[problem.name] = problem

    def add(
        self, code: str, dataset: str | None, sentence: str, next_step: str
    ) -> None:
        """Something is wrong with a dataset, or with all; since when is kept."""
        problem = Problem(
            code=code,
            dataset=dataset,
            sentence=sentence,
            next_step=next_step,
            since=self._context.now,
        )
        known = self._before.get(problem.name)
        if known is not None:
            problem = dataclasses.replace(problem, since=known.since)
        self._standing[problem.name] = problem

    def unreadable(self, case: Case) -> None:
        """Its pipe does not answer."""
        self.add(
            "load_unseen",
            case.dataset,
            "its pipe cannot be read, and we cannot see whether its files were loaded",
            f"ask `SELECT SYSTEM$PIPE_STATUS('{self._context.pipe(case)}')`; deploy "
            "the warehouse stack if the pipe is gone",
        )

    def stopped(self, case: Case, pipe: PipeNow) -> None:
        """Somebody may have paused it on purpose: it is never resumed from here."""
        name = self._context.pipe(case)
        self.add(
            "pipe_stopped",
            case.dataset,
            f"files wait, but the pipe {name} is {pipe.state}",
            f"unless on purpose: `catflap replay {case.dataset}` resumes it and "
            f"loads what waits; or by hand: `{repairing.resume_pipe(name)}`",
        )

    def check_notifications(self, pipe: PipeNow) -> None:
        """Files were missed: whether anything still notifies the pipes."""
        gone = self._context.notifications.missing(pipe.channel)
        if gone is not None:
            self.add("not_notified", None, *gone)

    def _keep_notifications(self, problem: Problem) -> None:
        """What concerns all is checked each time, until it is mended."""
        try:
            pipe = self._context.pipes.now(names.runs_pipe(self._context.database))
            gone = self._context.notifications.missing(pipe.channel)
        except CatflapError as error:
            LOG.warning("could not check the bucket's notifications: %s", error)
            self._standing[problem.name] = problem
            return
        if gone is not None:
            self._standing[problem.name] = problem
