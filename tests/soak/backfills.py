"""Backfills beside the live pulls: windows of the past, asked for more than once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from lambdas.core.backfill.backfill import Backfill, identity, slices
from lambdas.core.backfill.slices import bounds
from lambdas.core.dataset import Dataset
from lambdas.core.pull.message import PullRequest
from lambdas.core.pull.slice import Slice
from tests.soak.queue import Queues
from tests.soak.upstream import HISTORY, Upstream
from tests.soak.world import World
from tests.soak.writing import Writing


@dataclass(slots=True, kw_only=True)
class Asked:
    """A backfill, and the rows that were in its window when it was asked for."""

    backfill: Backfill
    bounds: list[str | int | float]
    rows: set[tuple[int, int]]

    @property
    def parts(self) -> list[Slice]:
        """Its slices."""
        return slices(self.backfill, self.bounds)


class Backfills:
    """What a person asks for with `catflap backfill`."""

    def __init__(self, world: World, queues: Queues, writing: Writing) -> None:
        self.asked: dict[str, Asked] = {}
        self._world = world
        self._queues = queues
        self._writing = writing
        self._commands = 0

    def ask(self, dataset: Dataset, upstream: Upstream, *, is_append: bool) -> None:
        """Ask for a window. Rows that are appended are asked for below the first live
        pull, and in one way; others in any, and again from the beginning.
        """
        rng = self._world.rng
        end, step = 0, -HISTORY // 3
        if not is_append:
            minute = int(self._world.now_s // 60)
            end = rng.choice((0, rng.randint(1, max(1, minute))))
            step = (end - HISTORY) // rng.randint(1, 4) + 1
        cursor = dataset.source.cursor
        if cursor is None:
            message = "a soak without a cursor"
            raise NotImplementedError(message)
        first, last = self._writing.write(HISTORY), self._writing.write(end)
        length = f"PT{step}M" if self._writing.is_time else str(step)
        cut = bounds(first, last, length, cursor)
        backfill_id = identity(dataset, first, last, length)
        known = self.asked.get(backfill_id)
        if not is_append and self.asked and rng.random() < 0.4:
            known = rng.choice(list(self.asked.values()))
        if known is None:
            backfill = Backfill(
                dataset=dataset.name,
                backfill_id=backfill_id,
                start=first,
                end=last,
                slice=length,
                created_at=self._world.now(),
            )
            known = Asked(backfill=backfill, bounds=cut, rows=set())
            self.asked[backfill_id] = known
        elif not is_append:
            attempt = known.backfill.attempt + 1
            known.backfill = dataclasses.replace(known.backfill, attempt=attempt)
            self._world.counts["backfills asked for anew"] += 1
        known.rows = {
            (row.number, row.version)
            for row in upstream.rows.values()
            if HISTORY <= row.at < self._writing.read(known.backfill.end)
        }
        self._world.counts["backfills asked for"] += 1
        self._send(known)

    def ask_again(self) -> None:
        """The same commands once more: what has not landed goes on."""
        for known in self.asked.values():
            self._send(known)

    def _send(self, known: Asked) -> None:
        self._commands += 1
        for part in known.parts:
            request = PullRequest.of_slice(
                dataclasses.replace(part, asked=f"command {self._commands}")
            )
            queue = self._queues.of_lane(request.group)
            queue.send(request.model_dump_json(exclude_none=True))
