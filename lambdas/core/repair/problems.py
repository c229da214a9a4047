"""What a person has to see to, and what of it stands from one look to the next."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from lambdas.core.errors import CatflapError
from lambdas.core.loading.repair import Problem
from lambdas.core.loading.status import PipeNow
from lambdas.core.repair.case import Case, NotificationPath, PipeControl
from lambdas.core.sql import names
from lambdas.core.sql import repair as repairing

LOG = logging.getLogger("catflap.repair")


class Problems:
    """The troubles that stand after one look."""

    def __init__(
        self, *, database: str, pipes: PipeControl, wiring: NotificationPath
    ) -> None:
        self._database = database
        self._pipes = pipes
        self._wiring = wiring
        self._before: Mapping[str, Problem] = {}
        self._standing: dict[str, Problem] = {}

    @property
    def standing(self) -> list[Problem]:
        """All that stand by now."""
        return list(self._standing.values())

    def begin(self, before: Sequence[Problem], *, resting: AbstractSet[str]) -> None:
        """Troubles of datasets that are not looked at this time stand as they are."""
        self._before = {trouble.name: trouble for trouble in before}
        for trouble in before:
            if trouble.dataset in resting:
                self._standing[trouble.name] = trouble
            elif trouble.dataset is None:
                self._keep_wiring(trouble)

    def stand(self, dataset: str) -> None:
        """What could not be looked at stands as it did."""
        for trouble in self._before.values():
            if trouble.dataset == dataset:
                self._standing[trouble.name] = trouble

    def add(
        self, code: str, case: Case, now: datetime, sentence: str, next_step: str
    ) -> None:
        """Something is wrong with a case; since when is kept."""
        self._add(code, case.dataset, sentence, next_step, now)

    def unreadable(self, case: Case, now: datetime) -> None:
        """Its pipe does not answer."""
        self.add(
            "load_unseen",
            case,
            now,
            "its pipe cannot be read, and what landed was not seen loaded",
            f"ask `SELECT SYSTEM$PIPE_STATUS('{case.pipe(self._database)}')`; deploy "
            "the warehouse stack if the pipe is gone",
        )

    def stopped(self, case: Case, pipe: PipeNow, now: datetime) -> None:
        """Somebody may have paused it on purpose: it is never resumed from here."""
        name = case.pipe(self._database)
        self.add(
            "pipe_stopped",
            case,
            now,
            f"files wait, and the pipe {name} is {pipe.state}",
            f"unless it is meant to be: `catflap replay {case.dataset}` resumes it and "
            f"loads what waits; or by hand: `{repairing.resume_pipe(name)}`",
        )

    def look_at_wiring(self, pipe: PipeNow, now: datetime) -> None:
        """Files were missed: whether anything still tells the pipes of them."""
        gone = self._wiring.missing(pipe.channel)
        if gone is not None:
            self._add("not_notified", None, *gone, now)

    def _keep_wiring(self, trouble: Problem) -> None:
        """What concerns all is looked at each time, until it is mended."""
        try:
            pipe = self._pipes.now(names.runs_pipe(self._database))
            gone = self._wiring.missing(pipe.channel)
        except CatflapError as error:
            LOG.warning("what tells the pipes is not known: %s", error)
            self._standing[trouble.name] = trouble
            return
        if gone is not None:
            self._standing[trouble.name] = trouble

    def _add(
        self,
        code: str,
        dataset: str | None,
        sentence: str,
        next_step: str,
        now: datetime,
    ) -> None:
        trouble = Problem(
            code=code,
            dataset=dataset,
            sentence=sentence,
            next_step=next_step,
            since=now,
        )
        known = self._before.get(trouble.name)
        if known is not None:
            trouble = dataclasses.replace(trouble, since=known.since)
        self._standing[trouble.name] = trouble
