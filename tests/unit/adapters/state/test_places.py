from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread

import pytest

from lambdas.adapters.state.places import PlaceTable
from lambdas.core.dataset import Dataset
from tests.aws import a_state_table
from tests.datasets import a_dataset
from tests.memory import FakeClock

LIFE = timedelta(minutes=16)


def of_api(limit: int | None, base_url: str = "http://127.0.0.1:1/") -> Dataset:
    client = {"base_url": base_url, "max_concurrency": limit}
    return a_dataset(source={"client": client, "endpoint": {"path": "cats"}})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def places(aws: None, clock: FakeClock) -> PlaceTable:
    del aws
    return PlaceTable(dynamodb=a_state_table(), table="state", clock=clock)


def test_an_api_has_as_many_places_as_it_declares(places: PlaceTable) -> None:
    two = of_api(2)
    assert [places.take(two, who, life=LIFE) for who in "abc"] == [True, True, False]
    assert places.take(two, "a", life=LIFE)  # the same message, delivered again
    assert places.take(of_api(2, "http://127.0.0.1:2/"), "c", life=LIFE)
    assert places.take(of_api(None), "c", life=LIFE)
    places.leave(two, "b")
    places.leave(two, "nobody")
    assert places.take(two, "c", life=LIFE)


def test_a_place_of_one_who_was_killed_ends_by_itself(
    places: PlaceTable, clock: FakeClock
) -> None:
    one = of_api(1)
    assert places.take(one, "killed", life=LIFE)
    clock.advance(LIFE - timedelta(seconds=1))
    assert not places.take(one, "next", life=LIFE)
    clock.advance(timedelta(seconds=1))
    assert places.take(one, "next", life=LIFE)


def test_of_many_at_once_no_more_than_the_limit_find_a_place(
    places: PlaceTable,
) -> None:
    three, ready = of_api(3), Barrier(8)
    found: list[bool] = []

    def ask(who: str) -> None:
        ready.wait()
        found.append(places.take(three, who, life=LIFE))

    threads = [Thread(target=ask, args=(f"pull-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found) == 3
