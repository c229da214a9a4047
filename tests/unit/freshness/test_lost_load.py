"""A pipe says that it took a file, and no row of it ever came."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from lambdas.adapters.signals.landed_witness import LandedWitness
from lambdas.core.loading.status import PipeNow
from lambdas.core.pull.run import Run
from lambdas.core.sql import generation, names
from tests.unit.core.freshness.test_landed import CATS, PIPE, RUN
from tests.unit.freshness.test_check import House, fresh
from tests.watched import HOUR, FakeTable, FakeWarehouse

Row = tuple[object, ...]


class Pipes:
    """Says that what was pulled a minute ago is loaded."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.mark = 1
        self.marked = 0

    def latest_runs(self, dataset: str, limit: int) -> list[Run]:
        at = (self.house.now - timedelta(minutes=1)).isoformat()
        return [dataclasses.replace(RUN, dataset=dataset, cursor_after=at)][:limit]

    def now(self, pipe: str) -> PipeNow:
        del pipe
        return dataclasses.replace(PIPE, last_ingested_at=self.house.now)

    def loading_whole(self, database: str) -> list[str]:
        return [names.pipe(database, "cats", generation(CATS))]

    def of(self, datasets: Sequence[str]) -> Mapping[str, int]:
        self.marked += 1
        return dict.fromkeys(datasets, self.mark)


def a_house() -> tuple[House, Pipes]:
    house = House({"cats": fresh()})
    house.datasets = [CATS]
    pipes = Pipes(house)
    house.witness = LandedWitness(
        runs=pipes, pipes=pipes, changes=pipes, database="DB", is_proven=lambda: True
    )
    return house, pipes


def newest(house: House) -> datetime | None:
    return house.state.seen["cats"].newest_at


def test_a_load_that_reached_the_table_wakes_no_warehouse() -> None:
    house, pipes = a_house()
    house.check()
    for mark in (2, 3):
        pipes.mark = mark
        result = house.check(4 * HOUR)
        assert (result.due, result.suspects, result.wake_ups) == (1, 0, 0)
        assert house.state.seen["cats"].change_mark == mark


def test_a_load_that_never_reached_the_table_is_found_at_the_next_look() -> None:
    house, pipes = a_house()
    house.check()
    pipes.mark = 2
    assert house.check(4 * HOUR).wake_ups == 0
    result = house.check(4 * HOUR)
    assert (result.suspects, result.wake_ups) == (1, 1)
    table = house.warehouse.tables["cats"]
    assert isinstance(table, FakeTable)
    assert newest(house) == table.newest
    asked = pipes.marked
    assert house.check(HOUR).suspects == 1
    assert pipes.marked == asked, "of what is late none is needed"


def test_a_mark_is_of_after_the_reading() -> None:
    """A load during the reading raises the mark for no later load."""
    house, pipes = a_house()

    class LoadedMeanwhile(FakeWarehouse):
        def query(self, statement: str, *_: object, **__: object) -> list[Row]:
            rows = super().query(statement)
            pipes.mark += 1
            return rows

    house.warehouse = LoadedMeanwhile(house.warehouse.tables)
    house.check()
    assert house.check(4 * HOUR).wake_ups == 1


def test_what_an_older_version_remembered_is_read_once() -> None:
    house, pipes = a_house()
    house.check()
    seen = house.state.seen
    seen["cats"] = dataclasses.replace(seen["cats"], change_mark=None)
    pipes.mark = 2
    house.warehouse.tables["cats"] = FakeTable(house.now + 4 * HOUR, house.now)
    assert house.check(4 * HOUR).wake_ups == 1
    assert seen["cats"].change_mark == 2
    pipes.mark = 3
    assert house.check(4 * HOUR).wake_ups == 0
