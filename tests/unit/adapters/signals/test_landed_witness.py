from __future__ import annotations

import dataclasses
from collections.abc import Collection

import pytest

from lambdas.adapters.signals.landed_witness import LandedWitness
from lambdas.core.errors import WarehouseUnreachable
from lambdas.core.loading.status import PipeNow
from lambdas.core.pull.run import Run
from lambdas.core.sql import generation, names
from tests.unit.core.freshness.test_landed import CATS, NOW, PIPE, RUN, WATCH

DOGS = CATS.model_copy(update={"name": "dogs"})
CATS_PIPE, DOGS_PIPE = (
    names.pipe("DB", one.name, generation(one)) for one in (CATS, DOGS)
)
PIPES = {CATS_PIPE: PIPE, DOGS_PIPE: PIPE}


class SaidByPipes:
    """All that a witness asks."""

    def __init__(self, said: dict[str, PipeNow], whole: Collection[str]) -> None:
        self.said, self.whole = said, whole
        self.asked = 0

    def now(self, pipe: str) -> PipeNow:
        self.asked += 1
        if pipe not in self.said:
            raise WarehouseUnreachable("no")
        return self.said[pipe]

    def loading_whole(self, database: str) -> Collection[str]:
        self.asked += 1
        assert database == "DB"
        return self.whole

    def latest_runs(self, dataset: str, limit: int) -> list[Run]:
        return [dataclasses.replace(RUN, dataset=dataset)][:limit]


def told(pipes: SaidByPipes, *, is_proven: bool = True) -> set[str]:
    witness = LandedWitness(
        runs=pipes, pipes=pipes, database="DB", is_proven=lambda: is_proven
    )
    watches = {"cats": WATCH, "dogs": WATCH}
    return set(witness.tables([CATS, DOGS], watches, now=NOW))


def test_it_tells_of_all() -> None:
    assert told(SaidByPipes(PIPES, PIPES)) == {"cats", "dogs"}


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        (PIPES, [CATS_PIPE]),  # dogs' pipe may take a file in part
        ({CATS_PIPE: PIPE}, PIPES),  # dogs' pipe does not answer
        ({**PIPES, DOGS_PIPE: dataclasses.replace(PIPE, pending=1)}, PIPES),
    ],
)
def test_if_it_cannot_tell_of_one_it_tells_of_none(
    said: dict[str, PipeNow], whole: Collection[str]
) -> None:
    assert told(SaidByPipes(said, whole)) == set()


def test_nobody_is_asked_before_it_was_seen_that_this_wakes_no_warehouse() -> None:
    pipes = SaidByPipes(PIPES, PIPES)
    assert told(pipes, is_proven=False) == set()
    assert pipes.asked == 0
