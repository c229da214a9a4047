from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import pytest

from lambdas.adapters.signals.landed_witness import MOST, LandedWitness
from lambdas.core.errors import AccessRefused, WarehouseUnreachable
from lambdas.core.loading.status import PipeNow
from lambdas.core.pull.run import Run
from lambdas.core.sql import generation, names
from tests.unit.core.freshness.test_landed import CATS, NOW, PIPE, RUN, WATCH

DOGS = CATS.model_copy(update={"name": "dogs"})
CATS_PIPE, DOGS_PIPE = (
    names.pipe("DB", one.name, generation(one)) for one in (CATS, DOGS)
)
MARKS = {"cats": 8, "dogs": 9}
PIPES = {CATS_PIPE: PIPE, DOGS_PIPE: PIPE}


class SaidByPipes:
    """All that a witness asks."""

    def __init__(
        self,
        said: dict[str, PipeNow],
        whole: Collection[str],
        marks: Mapping[str, int] = MARKS,
    ) -> None:
        self.said, self.whole = said, whole
        self.known_marks = marks
        self.refused: frozenset[str] = frozenset()
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

    def of(self, datasets: Sequence[str]) -> Mapping[str, int]:
        self.asked += 1
        if self.refused.intersection(datasets):
            raise AccessRefused("no")
        known = self.known_marks
        return {name: known[name] for name in datasets if name in known}

    def latest_runs(self, dataset: str, limit: int) -> list[Run]:
        return [dataclasses.replace(RUN, dataset=dataset)][:limit]


def asking(pipes: SaidByPipes, *, is_proven: bool = True) -> LandedWitness:
    return LandedWitness(
        runs=pipes,
        pipes=pipes,
        changes=pipes,
        database="DB",
        is_proven=lambda: is_proven,
    )


def told(pipes: SaidByPipes, *, is_proven: bool = True) -> set[str]:
    watches = {"cats": WATCH, "dogs": WATCH}
    witness = asking(pipes, is_proven=is_proven)
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


def test_a_pipe_that_claims_a_load_which_never_reached_the_table_is_not_believed() -> (
    None
):
    """Nor where it cannot be seen whether the table changed."""
    for marks in ({"cats": 8, "dogs": 7}, {"cats": 8}):
        assert told(SaidByPipes(PIPES, PIPES, marks)) == set()
    refusing = SaidByPipes(PIPES, PIPES)
    refusing.refused = frozenset({"dogs"})
    assert told(refusing) == set()


def test_the_marks_of_tables_that_were_read_are_asked_in_few_statements() -> None:
    cats = [CATS.model_copy(update={"name": f"cats{n:03}"}) for n in range(MOST + 1)]
    pipes = SaidByPipes({}, (), {one.name: 1 for one in cats})
    loaded = CATS.freshness.model_copy(update={"loaded_at_field": None})
    never_told = CATS.model_copy(update={"freshness": loaded})
    found = asking(pipes).marks([*cats, never_told])
    assert (found, pipes.asked) == ({one.name: 1 for one in cats}, 2)
    pipes.refused = frozenset({"cats001"})
    assert asking(pipes).marks(cats) == {cats[-1].name: 1}
    assert asking(pipes, is_proven=False).marks(cats) == {}
    assert pipes.asked == 4


def test_nobody_is_asked_before_it_was_seen_that_this_wakes_no_warehouse() -> None:
    pipes = SaidByPipes(PIPES, PIPES)
    assert told(pipes, is_proven=False) == set()
    assert pipes.asked == 0
